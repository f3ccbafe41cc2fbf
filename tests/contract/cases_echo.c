#include "tests/contract/cases.h"
#include "tests/contract/echo.h"

#define STAGES 4
#define RECORDS 30 /* a stage and partition */

static struct echo workers[2];
static struct reader r;

static void step_both(void)
{
	for (int i = 0; i < 2; i++) {
		workers[i].abort_chance = 0.1;
		echo_step(&workers[i], 10);
	}
}

static int owned(const struct echo *w)
{
	int n = 0;

	for (int p = 0; p < ECHO_PARTITIONS; p++)
		n += w->owns[p];
	return n;
}

/* More input, which is copied before anything else happens. `alone`: by that worker; -1 = by both. */
static void copy_stage(struct contract *c, const char *in, int stage, int alone)
{
	struct patience w = patience(c);
	size_t before = r.count;

	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		put_range(c, in, p, stage * RECORDS, (stage + 1) * RECORDS);
	for (int step = 1; r.count < (size_t)((stage + 1) * RECORDS * ECHO_PARTITIONS); step++) {
		if (r.count > before) /* it takes what it takes, as long as something comes */
			w = patience(c);
		patience_left(&w, "copies");
		before = r.count;
		if (alone < 0)
			step_both();
		else
			echo_step(&workers[alone], 10);
		if (step % 10 == 0)
			reader_poll(&r);
	}
}

/* Two workers copy a topic; the second comes later, the first goes and comes back, and each aborts now and then. */
void workers_copy_each_record_once_through_aborts_and_rebalances(struct contract *c)
{
	const char *in = fresh_topic(c, ECHO_PARTITIONS), *out = fresh_topic(c, ECHO_PARTITIONS);
	const char *group = fresh(c, "group");

	for (int i = 0; i < 2; i++)
		workers[i] = (struct echo){ .c = c,
					    .in = in,
					    .out = out,
					    .group = group,
					    .transactional_id = fresh(c, "txn"),
					    .abort_chance = 0.1,
					    .rng = weir_rng_seeded((uint64_t)i) };
	reader_open(c, &r, false);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		reader_assign(&r, out, p, WEIR_OFFSET_BEGINNING);
	copy_stage(c, in, 0, 0);
	for (struct patience w = patience(c); owned(&workers[1]) < 3 && patience_left(&w, "the second joins");)
		step_both();
	copy_stage(c, in, 1, -1);
	echo_close(&workers[0]);
	copy_stage(c, in, 2, 1);
	copy_stage(c, in, 3, -1);
	assert_true(workers[0].committed > 0 && workers[1].committed > 0);
	assert_true(workers[0].aborted + workers[1].aborted > 0);
	for (int i = 0; i < 2; i++)
		echo_close(&workers[i]);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		echo_check(c, out, p, STAGES * RECORDS);
	reader_close(&r);
}
