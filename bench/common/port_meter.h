#ifndef BENCH_PORT_METER_H
#define BENCH_PORT_METER_H
/*
 * A cluster that tells which time and which calls are the Kafka port's and which are weir's own: it passes
 * everything on to another, and keeps account for each thread. A callback counts as outside of the port again.
 */
#include <weir/kafka.h>

/** Takes `real` over: weir_cluster_free frees both. */
weir_cluster *port_meter_new(weir_cluster *real);

/** Of the calling thread: time inside the port so far. */
int64_t port_meter_inside_us(void);
/** Of the calling thread: a record of a poll is being taken, and the port is not being called. */
bool port_meter_takes_record(void);

#endif
