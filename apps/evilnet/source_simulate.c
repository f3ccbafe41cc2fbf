#include "apps/evilnet/source.h"

#include <time.h>
#include <weir/clock.h>

#include "apps/evilnet/simulate.h"
#include "apps/evilnet/util.h"

struct source_simulate {
	struct source source;
	struct simulate *made;
	const struct post *held; /* made, but not due yet */
	int64_t held_due_ms;
	int64_t ahead_ms; /* the stream's time less the wall clock's */
	int64_t count, count_max;
};

static void sleep_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static enum source_result simulate_source_next(struct source *source, int64_t wait_ms, struct source_item *item,
					       weir_error *err)
{
	struct source_simulate *s = (struct source_simulate *)source;
	weir_clock *clock = weir_clock_system();

	(void)err;
	if (s->count_max && s->count == s->count_max)
		return SOURCE_END;
	if (!s->held)
		s->held = simulate_next(s->made, &s->held_due_ms);
	int64_t early_ms = s->held_due_ms - s->ahead_ms - clock->wall_ms(clock);
	if (early_ms > wait_ms) {
		sleep_ms(wait_ms);
		return SOURCE_NOTHING;
	}
	if (early_ms > 0)
		sleep_ms(early_ms);
	*item = (struct source_item){ .post = s->held, .received_ms = s->held_due_ms };
	s->held = NULL;
	s->count++;
	return SOURCE_ITEM;
}

static void simulate_source_close(struct source *source)
{
	struct source_simulate *s = (struct source_simulate *)source;

	simulate_free(s->made);
	free(s);
}

struct source *source_simulate_open(const weir_config *cfg, weir_error *err)
{
	static const struct source_ops ops = { simulate_source_next, simulate_source_close };
	const char *start = weir_config_string(cfg, "evilnet.simulate.start");
	weir_clock *clock = weir_clock_system();
	int64_t now_ms = clock->wall_ms(clock), start_ms = now_ms;

	if (start && !time_parse_rfc3339(weir_str(start), &start_ms)) {
		weir_fail(err, WEIR_CONFIG,
			  "evilnet.simulate.start: a time like 2022-09-15T03:06:25Z is wanted, got \"%s\"", start);
		return NULL;
	}
	start_ms -= weir_config_ms(cfg, "evilnet.simulate.backfill");
	if (start_ms < 0) {
		weir_fail(err, WEIR_CONFIG,
			  "evilnet.simulate.start, less evilnet.simulate.backfill, lies before 1970");
		return NULL;
	}
	struct source_simulate *s = evilnet_new(sizeof *s);
	s->source.ops = &ops;
	s->made = simulate_new((struct simulate_opts){
		.seed = (uint64_t)weir_config_int(cfg, "evilnet.simulate.seed"),
		.rate = (double)weir_config_int(cfg, "evilnet.simulate.rate"),
		.start_ms = start_ms,
	});
	s->ahead_ms = start_ms + weir_config_ms(cfg, "evilnet.simulate.backfill") - now_ms;
	s->count_max = weir_config_int(cfg, "evilnet.simulate.count");
	return &s->source;
}
