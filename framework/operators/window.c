/* What a weir_window says. */
#include "framework/operators/aggregate.h"

static enum window_kind kind_of(weir_topology *t, const char *name, const weir_window *w)
{
	int kinds = (w->size_ms != 0) + (w->gap_ms != 0) + (w->difference_ms != 0) + w->unlimited;

	if (kinds > 1)
		weir__graph_mistake(t, name,
				    "a window has one of size_ms, gap_ms (sessions), difference_ms (sliding) and "
				    "unlimited");
	if (w->gap_ms)
		return WINDOW_SESSION;
	if (w->difference_ms)
		return WINDOW_SLIDING;
	if (w->unlimited)
		return WINDOW_UNLIMITED;
	return w->size_ms ? WINDOW_TIME : WINDOW_NONE;
}

static void check_fields(weir_topology *t, const char *name, enum window_kind kind, const weir_window *w)
{
	if (w->size_ms < 0 || w->advance_ms < 0 || w->gap_ms < 0 || w->difference_ms < 0 || w->grace_ms < 0 ||
	    w->retain_ms < 0 || w->start_ms < 0)
		weir__graph_mistake(t, name, "a window's times must not be negative");
	if (kind == WINDOW_NONE && (w->grace_ms || w->retain_ms))
		weir__graph_mistake(t, name, "a window of no size has no advance, grace or retention");
	if (kind != WINDOW_TIME && w->advance_ms)
		weir__graph_mistake(t, name, "only windows of a size advance");
	if (kind == WINDOW_UNLIMITED && (w->grace_ms || w->retain_ms))
		weir__graph_mistake(t, name,
				    "an unlimited window takes all records, for ever: it has no grace and no "
				    "retention");
	if (w->emit_on_close && (kind == WINDOW_NONE || kind == WINDOW_UNLIMITED))
		weir__graph_mistake(t, name, "emit_on_close: it has no window that closes");
	if (w->entries_max < 0 || (w->entries_max && kind != WINDOW_NONE))
		weir__graph_mistake(t, name, "entries_max is not for windows, and not negative");
	if (kind != WINDOW_UNLIMITED && w->start_ms)
		weir__graph_mistake(t, name, "only an unlimited window has a start");
}

static int64_t least_retention(enum window_kind kind, const weir_window *w)
{
	int64_t span = kind == WINDOW_SESSION   ? w->gap_ms
		       : kind == WINDOW_SLIDING ? weir_time_add(w->difference_ms, w->difference_ms)
						: w->size_ms;

	return weir_time_add(span, w->grace_ms);
}

enum window_kind weir__window_check(weir_topology *t, const char *name, weir_window *w)
{
	enum window_kind kind = kind_of(t, name, w);

	check_fields(t, name, kind, w);
	if (kind == WINDOW_NONE)
		return kind;
	if (kind == WINDOW_UNLIMITED) {
		w->size_ms = w->retain_ms = INT64_MAX;
		return kind;
	}
	if (kind == WINDOW_TIME && w->advance_ms == 0)
		w->advance_ms = w->size_ms;
	if (w->advance_ms > w->size_ms)
		weir__graph_mistake(t, name, "windows of %lld ms that advance by %lld ms leave gaps",
				    (long long)w->size_ms, (long long)w->advance_ms);
	int64_t least = least_retention(kind, w);
	bool longer = !(t->as & WEIR_AS_RETENTION);

	/* Sessions: one gap more than in Kafka Streams, for a record may be taken because of what it joins. */
	if (w->retain_ms == 0)
		w->retain_ms = kind == WINDOW_SESSION && longer ? weir_time_add(least, w->gap_ms) : least;
	if (w->retain_ms < least)
		weir__graph_mistake(t, name, "retain_ms %lld is less than %s and grace together, %lld",
				    (long long)w->retain_ms,
				    kind == WINDOW_SESSION   ? "gap"
				    : kind == WINDOW_SLIDING ? "twice the difference"
							     : "size",
				    (long long)least);
	/* Both ends belong to these windows, and the newest sliding one begins 1 ms behind all records: what is
	 * about to close must still be seen, and so must the window that ends with the record before one just in
	 * time. (Kafka Streams finds that in its cache, if at all.) */
	if (longer && (kind == WINDOW_SLIDING || (kind == WINDOW_SESSION && w->emit_on_close)) &&
	    w->retain_ms < weir_time_add(least, 2))
		w->retain_ms = weir_time_add(least, 2);
	if (kind == WINDOW_SLIDING)
		w->size_ms = w->difference_ms;
	return kind;
}
