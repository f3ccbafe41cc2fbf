#ifndef KAFKA_CONTRACT_H
#define KAFKA_CONTRACT_H
/*
 * What every implementation of <weir/kafka.h> must do, as cases that take a cluster. Run against the embedded
 * cluster by tests/unit/test_kafka_embedded.c and against a real one by tests/integration/. A case is a cmocka test
 * body: it fails by assert. It makes its own topics and groups, whose names begin with `prefix`.
 *
 * The cluster must allow timestamps up to an hour ahead (Kafka's default), make no topics on first use, and let
 * groups form at once (group.initial.rebalance.delay.ms=0).
 */
#include <weir/kafka.h>

struct contract {
	weir_cluster *cluster;
	const char *prefix; /* not used on this cluster before */
	weir_clock *clock;  /* the cluster's; one that stands still is a weir_manual_clock, moved by the cases */
	int64_t linger_ms;  /* how long to wait for what must not come; 0 = 500 */
};

struct contract_case {
	const char *name;
	void (*run)(struct contract *);
	bool slow; /* takes ten seconds and more where the clock is real */
};

/* Ends with an entry without a name. */
extern const struct contract_case contract_cases[];

#endif
