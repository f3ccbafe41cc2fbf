#ifndef WEIR_H
#define WEIR_H
/*
 * weir: stream processing on Kafka for C, as Kafka Streams is for Java. This header brings all of it.
 *
 * Calling sequence. A function builds the topology; weir_main runs it, with options, configuration and signals:
 *
 *	static weir_topology *city_counts(void)
 *	{
 *		weir_topology *t = weir_topology_new("city-counts");
 *		weir_stream *posts = weir_source(t, "posts", (weir_source_opts){ .value = &weir_utf8 });
 *		weir_table *counts = weir_count(posts, "counts", (weir_window){ .size_ms = WEIR_MINUTES(5) });
 *
 *		weir_sink(weir_changes(counts), "city-counts", (weir_sink_opts){ 0 });
 *		return t;
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		return weir_main(argc, argv, city_counts);
 *	}
 *
 * A test drives the same topology without a broker (driver.h):
 *
 *	weir_driver *d = weir_driver_new(city_counts(), (weir_driver_opts){ 0 }, &err);
 *	weir_driver_pipe(d, "posts", "Montreal", "hello", 60000);
 *	weir_driver_read_text(d, "city-counts", true, true) gives "Montreal[0]=1@60000"
 *	weir_driver_free(d);
 *
 * A program with a main of its own: weir_config_new -> weir_config_set, _load_file, _load_env -> weir_config_check
 * -> weir_cluster_open -> the topology -> weir_app_new -> weir_app_start -> ... -> weir_app_stop -> weir_app_free
 * -> weir_topology_free -> weir_cluster_free -> weir_config_free. What is made later leans on what was made before.
 *
 * Where to look: topology.h sources, sinks, steps, windows, aggregates; table.h tables and global tables; join.h
 * joins with streams; processor.h steps of one's own, timers, what callbacks may do; record.h and serde.h records
 * and how they become bytes; store.h state; app.h running and queries; driver.h and simulator.h tests; config.h the
 * keys (weir_config_print tells all of them); kafka.h clients; external_sink.h exactly once into databases; log.h
 * and metrics.h what an operator sees.
 *
 * What holds everywhere, unless a function says otherwise:
 * - Mistakes in a topology are collected and told by weir_topology_check and each start. Other functions that can
 *   fail take a weir_error last and give false or NULL (error.h), wrong use among it. What is called "a bug" there
 *   ends the process with a message (weir_assert): it cannot be told in another way.
 * - A handle that a function with _new, _open or _start gives is freed by its _free, _close or _stop, where NULL is
 *   let through. Other handles belong to what they came from and are not freed. None may be used after that.
 * - Options are structs passed by value. Zero is the default of each field. What they and other arguments point to
 *   - strings, serdes, `user` - must outlive the topology; names are copied.
 * - Callbacks get what they are given borrowed, until they return. What they return, put into a record or forward
 *   comes from weir_alloc, or lives longer, and is never freed by them. A task's callbacks run on one thread at a
 *   time, those of several tasks at once; they may run again for a record whose transaction was aborted.
 * - Times and durations are milliseconds, absolute ones since the epoch.
 * - Null keys and values (weir_bytes with data NULL, objects that are NULL) are Kafka's null, and not empty ones.
 */
#include <weir/app.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/distinct.h>
#include <weir/driver.h>
#include <weir/error.h>
#include <weir/external_sink.h>
#include <weir/headers.h>
#include <weir/hll.h>
#include <weir/join.h>
#include <weir/kafka.h>
#include <weir/log.h>
#include <weir/metrics.h>
#include <weir/processor.h>
#include <weir/record.h>
#include <weir/rng.h>
#include <weir/serde.h>
#include <weir/simulator.h>
#include <weir/store.h>
#include <weir/table.h>
#include <weir/topology.h>
#include <weir/version.h>

#endif
