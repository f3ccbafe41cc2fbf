#ifndef WEIR_PORT_H
#define WEIR_PORT_H
/*
 * The two implementations of <weir/kafka.h> behind function tables; kafka.c dispatches. Each object begins with its
 * table.
 */
#include <weir/kafka.h>

struct cluster_ops {
	void (*free)(weir_cluster *);
	const char *(*id)(weir_cluster *, weir_error *);
	bool (*topics_create)(weir_cluster *, const weir_topic_spec *, size_t, weir_error *);
	bool (*topics_delete)(weir_cluster *, const char *const *, size_t, weir_error *);
	bool (*topic_widen)(weir_cluster *, const char *, int32_t, weir_error *);
	int32_t (*topic_partitions)(weir_cluster *, const char *, weir_error *);
	bool (*topic_config)(weir_cluster *, const char *, const char *, char *, size_t, weir_error *);
	bool (*topics_each)(weir_cluster *, weir_topic_fn *, void *, weir_error *);
	bool (*offsets_range)(weir_cluster *, const char *, int32_t, int64_t *, int64_t *, weir_error *);
	bool (*offsets_for_times)(weir_cluster *, weir_partition *, size_t, weir_error *);
	bool (*records_delete)(weir_cluster *, const weir_partition *, size_t, weir_error *);
	bool (*group_committed)(weir_cluster *, const char *, weir_partition *, size_t, int64_t, weir_error *);
	bool (*group_alter)(weir_cluster *, const char *, const weir_partition *, size_t, weir_error *);
	bool (*group_delete)(weir_cluster *, const char *, weir_error *);
	bool (*group_describe)(weir_cluster *, const char *, weir_member_fn *, void *, int64_t, weir_error *);
	weir_consumer *(*consumer_open)(weir_cluster *, const weir_consumer_opts *, weir_error *);
	weir_producer *(*producer_open)(weir_cluster *, const weir_producer_opts *, weir_error *);
};

struct consumer_ops {
	void (*close)(weir_consumer *);
	void (*leave)(weir_consumer *);
	bool (*subscribe)(weir_consumer *, const char *const *, size_t, weir_error *);
	bool (*rejoin)(weir_consumer *, weir_error *);
	bool (*assign)(weir_consumer *, const weir_partition *, size_t, weir_error *);
	bool (*unassign)(weir_consumer *, const weir_partition *, size_t, weir_error *);
	bool (*seek)(weir_consumer *, const weir_partition *, size_t, weir_error *);
	bool (*pause)(weir_consumer *, const weir_partition *, size_t, weir_error *);
	bool (*resume)(weir_consumer *, const weir_partition *, size_t, weir_error *);
	bool (*poll)(weir_consumer *, int64_t, weir_record_fn *, void *, weir_error *);
	int64_t (*position)(weir_consumer *, const char *, int32_t);
	bool (*lost)(weir_consumer *);
	int64_t (*lag)(weir_consumer *, const char *, int32_t);
	const weir_headers *(*headers)(const weir_kafka_record *);
};

struct producer_ops {
	void (*close)(weir_producer *);
	bool (*send)(weir_producer *, const weir_produced *, weir_error *);
	size_t (*poll)(weir_producer *, int64_t);
	bool (*flush)(weir_producer *, int64_t, weir_error *);
	int64_t (*delivered)(weir_producer *, const char *, int32_t);
	bool (*init)(weir_producer *, int64_t, weir_error *);
	bool (*begin)(weir_producer *, weir_error *);
	bool (*send_offsets)(weir_producer *, weir_consumer *, const weir_partition *, size_t, int64_t,
			     weir_error *);
	bool (*commit)(weir_producer *, int64_t, weir_error *);
	bool (*abort)(weir_producer *, int64_t, weir_error *);
};

struct weir_cluster {
	const struct cluster_ops *ops;
};
struct weir_consumer {
	const struct consumer_ops *ops;
};
struct weir_producer {
	const struct producer_ops *ops;
};

#endif
