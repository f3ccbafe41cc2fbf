#ifndef EVILNET_SOURCE_H
#define EVILNET_SOURCE_H
/*
 * Where `evilnet ingest` takes posts from. A source is asked for the next item and never waits longer than it
 * is told, so that the one thread that owns it also serves deliveries and sees the stop flag.
 */
#include <weir/bytes.h>
#include <weir/config.h>
#include <weir/error.h>

#include "schemas/post.h"

enum source_result {
	SOURCE_ITEM,
	SOURCE_NOTHING, /* not yet: ask again */
	SOURCE_END,     /* there will be no more */
	SOURCE_FAILED,  /* for good: *err says why */
};

/* Valid until the source is asked again. */
struct source_item {
	weir_bytes raw;          /* an object as the X API sends it; null when `post` is set */
	size_t raw_length;       /* more than raw.len: it was too long, raw is its head */
	bool cut;                /* the connection ended in the middle of it */
	const struct post *post; /* what needs no reading any more */
	int64_t received_ms;     /* -1 = not known */
};

struct source {
	const struct source_ops *ops;
	uint64_t reconnects;
};

struct source_ops {
	enum source_result (*next)(struct source *s, int64_t wait_ms, struct source_item *item, weir_error *err);
	void (*close)(struct source *s);
};

/* NULL and *err: WEIR_CONFIG = the configuration is wrong. cfg must outlive the source. */
struct source *source_file_open(const char *path, weir_error *err); /* "-" = standard input */
struct source *source_simulate_open(const weir_config *cfg, weir_error *err);
/** Waits before a new try, and for a heartbeat, are multiplied by time_scale: 1, but in tests. Connects when it
 *  is first asked for an item. */
struct source *source_x_open(const weir_config *cfg, double time_scale, weir_error *err);

#endif
