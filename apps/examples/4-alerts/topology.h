/* Sensors report now and then. One that has been silent for a minute makes an alert; so does its coming back. */
#include <weir/weir.h>

#define SILENT_AFTER_MS WEIR_MINUTES(1)
#define LOOK_EVERY_MS WEIR_SECONDS(10)

enum { ALERTS_MAX = 100 }; /* at one look; the rest at the next */

/* What the store holds of a sensor: time of its last report (8 bytes, big-endian), silent or not (1 byte). */
struct sensor {
	int64_t seen_ms;
	bool silent;
};

static inline bool sensor_get(weir_bytes stored, struct sensor *s)
{
	if (weir_is_null(stored))
		return false;
	s->seen_ms = weir_get_be64(stored.data);
	s->silent = ((const char *)stored.data)[8] != 0;
	return true;
}

static inline void sensor_put(weir_store *sensors, weir_bytes name, struct sensor s)
{
	char stored[9];

	weir_put_be64(stored, s.seen_ms);
	stored[8] = s.silent;
	weir_store_put(sensors, name, weir_bytes_of(stored, sizeof stored), s.seen_ms);
}

static inline void alert(weir_context *cx, weir_bytes name, int64_t time_ms, weir_bytes text)
{
	weir_record r = weir_record_begin(cx, name, time_ms);

	weir_set_value_bytes(&r, text);
	weir_forward(cx, &r);
}

static inline void on_report(weir_context *cx, const weir_record *report, void *state, void *user)
{
	weir_store *sensors = weir_context_store(cx, "sensors");
	struct sensor s;

	(void)state, (void)user;
	if (weir_is_null(report->key)) {
		weir_dead_letter(cx, report, "no sensor");
		return;
	}
	bool known = sensor_get(weir_store_get(sensors, report->key, NULL), &s);

	if (known && s.silent)
		alert(cx, report->key, report->timestamp_ms, weir_str("back"));
	if (!known || report->timestamp_ms > s.seen_ms) /* reports may come out of order */
		s.seen_ms = report->timestamp_ms;
	s.silent = false;
	sensor_put(sensors, report->key, s);
}

/* Every few seconds of the wall clock: silence makes no records, so stream time would not tell of it. */
static inline void on_look(weir_context *cx, int64_t now_ms, void *state)
{
	weir_store *sensors = weir_context_store(cx, "sensors");
	weir_iterator *all = weir_store_range(sensors, WEIR_NULL, WEIR_NULL, false);
	struct {
		weir_bytes name;
		struct sensor s;
	} found[ALERTS_MAX]; /* nothing may be written while the iterator is open */
	size_t n = 0;
	weir_entry e;

	(void)state;
	while (n < ALERTS_MAX && weir_iterator_next(all, &e)) {
		if (!sensor_get(e.value, &found[n].s) || found[n].s.silent ||
		    now_ms - found[n].s.seen_ms < SILENT_AFTER_MS)
			continue;
		void *name = weir_alloc(cx, e.key.len);

		memcpy(name, e.key.data, e.key.len);
		found[n++].name = weir_bytes_of(name, e.key.len);
	}
	weir_iterator_close(all);
	for (size_t i = 0; i < n; i++) {
		alert(cx, found[i].name, now_ms,
		      *weir_text(cx, "silent since %lld", (long long)found[i].s.seen_ms));
		found[i].s.silent = true;
		sensor_put(sensors, found[i].name, found[i].s);
	}
}

static inline void start_looking(weir_context *cx, void *state, void *user)
{
	(void)state, (void)user;
	weir_schedule(cx, LOOK_EVERY_MS, WEIR_WALL_CLOCK_TIME, on_look);
}

static inline weir_topology *silence_alerts(void)
{
	weir_topology *t = weir_topology_new("silence-alerts");
	weir_stream *reports = weir_source(t, "reports", (weir_source_opts){ 0 });

	weir_add_store(t, "sensors", (weir_store_opts){ .ordered = true });
	weir_stream *alerts = weir_process(
		reports, "watch",
		(weir_processor){
			.init = start_looking, .process = on_report, .stores = { "sensors" }, .keeps_key = true });

	weir_sink(alerts, "alerts", (weir_sink_opts){ 0 });
	return t;
}
