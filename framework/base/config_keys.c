/* The framework's own keys. Names and meanings are Kafka's and Kafka Streams' where they have them. */
#include "framework/base/config_table.h"

#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define MINUTE_MS ((int64_t)60000)
#define DAY_MS (24 * 60 * MINUTE_MS)

#define TEXT(name_, def_, help_) { .name = name_, .type = WEIR_CONFIG_STRING, .def = def_, .help = help_ }
#define INT(name_, def_, min_, max_, help_) \
	{ .name = name_, .type = WEIR_CONFIG_INT, .def = def_, .min = min_, .max = max_, .help = help_ }
#define BOOL(name_, def_, help_) { .name = name_, .type = WEIR_CONFIG_BOOL, .def = def_, .help = help_ }
#define DURATION(name_, def_, min_, max_, help_) \
	{ .name = name_, .type = WEIR_CONFIG_DURATION, .def = def_, .min = min_, .max = max_, .help = help_ }
#define SIZE(name_, def_, min_, max_, help_) \
	{ .name = name_, .type = WEIR_CONFIG_SIZE, .def = def_, .min = min_, .max = max_, .help = help_ }
#define ENUM(name_, def_, choices_, help_) \
	{ .name = name_, .type = WEIR_CONFIG_ENUM, .def = def_, .choices = choices_, .help = help_ }

const weir_config_key weir__config_keys[] = {
	TEXT("application.id", NULL,
	     "Name of the application: its consumer group, and the beginning of the names of its internal topics and"
	     " transactional ids."),
	TEXT("bootstrap.servers", "127.0.0.1:9092", "Brokers to ask first, as host:port with commas between them."),
	TEXT("client.id", NULL, "Name under which this program shows in the brokers' logs, metrics and quotas."),
	TEXT("state.dir", "./weir-state",
	     "Directory of the local state; one running instance at a time can hold it."),
	TEXT("instance.id", NULL,
	     "What tells this instance from the others of the application; unset = an id made once and kept in state.dir."),
	TEXT("application.server", NULL,
	     "host:port at which the other instances can reach this one's queries; unset = it answers for itself alone."),
	INT("num.stream.threads", "1", 1, 256,
	    "Workers of this instance: threads, each with its own consumer, producer and tasks."),
	ENUM("processing.guarantee", "exactly_once", "exactly_once|at_least_once",
	     "Whether a record can take effect more than once after a failure."),
	DURATION("commit.interval.ms", "100ms", 1, DAY_MS,
		 "Time between commits: results are visible to read_committed readers after at most about this."),
	DURATION("transaction.timeout.ms", "10s", 1000, 15 * MINUTE_MS,
		 "Time after which the broker aborts the open transaction of an instance that is gone."),
	BOOL("group.static.membership", "false",
	     "Whether an instance that comes back within session.timeout.ms gets its partitions again without a rebalance"
	     " (KIP-345)."),
	DURATION("session.timeout.ms", "45s", 1000, 30 * MINUTE_MS,
		 "Time without a heartbeat after which a worker's partitions go to others."),
	DURATION("max.poll.interval.ms", "5m", 1000, DAY_MS,
		 "Time between two polls after which a worker counts as stuck and its partitions go to others."),
	DURATION("max.task.idle.ms", "0", 0, DAY_MS,
		 "How long a task with several inputs waits for the empty ones before it takes a record out of time order."),
	INT("buffered.records.per.partition", "1000", 1, 10000000,
	    "Records of one partition held in memory ahead of processing before its reading pauses."),
	SIZE("memory.bytes.max", "256m", 16 * MIB, INT64_MAX,
	     "Memory of the whole instance for caches, RocksDB, fetch queues and buffers."),
	DURATION("checkpoint.interval.ms", "5m", 1000, DAY_MS,
		 "Time after which a store's local state is made durable, so that a restart reads only the changelog behind"
		 " it."),
	INT("checkpoint.records", "500000", 1000, INT64_MAX,
	    "Changelog records after which a store's local state is made durable before checkpoint.interval.ms has"
	    " passed."),
	INT("replication.factor", "0", 0, 32767,
	    "Replicas of the internal topics; 0 = the broker's default."),
	TEXT("errors.dead.letter.queue.topic.name", NULL,
	     "Topic for records that cannot be processed, with the reason in their headers."),
	ENUM("errors.deserialization", "dead-letter", "dead-letter|stop",
	     "What to do with a record that cannot be read; without a dead-letter topic it stops the instance."),
	ENUM("errors.production", "dead-letter", "dead-letter|stop",
	     "What to do with a result that the broker refuses for good; without a dead-letter topic it stops the"
	     " instance."),
	DURATION("task.timeout.ms", "5m", 0, DAY_MS,
		 "How long a task retries what the cluster refuses for now before the instance stops; 0 = not at all."),
	DURATION("repartition.purge.interval.ms", "30s", 1000, DAY_MS,
		 "Time between deletions of the records in repartition topics that have been processed and committed."),
	DURATION("offsets.recommit.interval.ms", "1h", MINUTE_MS, DAY_MS,
		 "Time after which the positions of idle partitions are committed again, so that the broker does not expire"
		 " them."),
	DURATION("query.timeout.ms", "5s", 1, DAY_MS, "How long a query of a store waits for its answer."),
	ENUM("log.level", "info", "debug|info|warn|error", "Least level of the log lines that are written."),
};

const size_t weir__config_keys_count = sizeof weir__config_keys / sizeof *weir__config_keys;
