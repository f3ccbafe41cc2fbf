#ifndef WEIR_H
#define WEIR_H
/* weir: stream processing on Kafka for C. This header brings all of it. */
#include <weir/app.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/distinct.h>
#include <weir/driver.h>
#include <weir/error.h>
#include <weir/external_sink.h>
#include <weir/headers.h>
#include <weir/join.h>
#include <weir/kafka.h>
#include <weir/log.h>
#include <weir/metrics.h>
#include <weir/processor.h>
#include <weir/record.h>
#include <weir/serde.h>
#include <weir/simulator.h>
#include <weir/store.h>
#include <weir/table.h>
#include <weir/topology.h>
#include <weir/version.h>

#endif
