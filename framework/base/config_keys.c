/* The framework's own keys. Names and meanings are Kafka's and Kafka Streams' where they have them. */
#include "framework/base/config_table.h"

#define MIB ((int64_t)1 << 20)
#define MINUTE_MS ((int64_t)60000)
#define DAY_MS (1440 * MINUTE_MS)

#define TEXT WEIR_CONFIG_STRING
#define INT WEIR_CONFIG_INT
#define BOOL WEIR_CONFIG_BOOL
#define DURATION WEIR_CONFIG_DURATION
#define SIZE WEIR_CONFIG_SIZE
#define ENUM WEIR_CONFIG_ENUM

/* name, type, default, least, greatest, .help */
const weir_config_key weir__config_keys[] = {
	{ "application.id", TEXT, NULL,
	  .help = "Name of the application: its consumer group, and the beginning of the names of its internal"
		  " topics and transactional ids." },
	{ "bootstrap.servers", TEXT, "127.0.0.1:9092",
	  .help = "Brokers to ask first, as host:port with commas between them." },
	{ "client.id", TEXT, NULL,
	  .help = "Name under which this program shows in the brokers' logs, metrics and quotas." },
	{ "state.dir", TEXT, "./weir-state",
	  .help = "Directory of the local state; one running instance at a time can hold it." },
	{ "instance.id", TEXT, NULL,
	  .help = "What tells this instance from the others of the application; unset = an id made once and"
		  " kept in state.dir." },
	{ "application.server", TEXT, NULL,
	  .help = "host:port at which the other instances can reach this one's queries; unset = it answers for"
		  " itself alone." },
	{ "num.stream.threads", INT, "1", 1, 256,
	  .help = "Workers of this instance: threads, each with its own consumer, producer and tasks." },
	{ "processing.guarantee", ENUM, "exactly_once", .choices = "exactly_once|at_least_once",
	  .help = "Whether a record can take effect more than once after a failure." },
	{ "commit.interval.ms", DURATION, "100ms", 1, DAY_MS,
	  .help = "Time between commits: results are visible to read_committed readers after at most about"
		  " this." },
	{ "transaction.timeout.ms", DURATION, "10s", 1000, 15 * MINUTE_MS,
	  .help = "Time after which the broker aborts the open transaction of an instance that is gone." },
	{ "group.static.membership", BOOL, "false",
	  .help = "Whether an instance that comes back within session.timeout.ms gets its partitions again"
		  " without a rebalance (KIP-345); one that is stopped for good is missed only then." },
	{ "session.timeout.ms", DURATION, "45s", 1000, 30 * MINUTE_MS,
	  .help = "Time without a heartbeat after which a worker's partitions go to others." },
	{ "max.poll.interval.ms", DURATION, "5m", 1000, DAY_MS,
	  .help = "Time between two polls after which a worker counts as stuck and its partitions go to others." },
	{ "metadata.max.age.ms", DURATION, "5m", 1, DAY_MS,
	  .help = "Time between two looks at which topics match the pattern of a source." },
	{ "max.task.idle.ms", DURATION, "0", 0, DAY_MS,
	  .help = "How long a task with several inputs waits for the empty ones before it takes a record out of"
		  " time order." },
	{ "emit.interval.ms", DURATION, "1s", 0, DAY_MS,
	  .help = "Time between two looks at what waits for its window to close: in left and outer joins of "
		  "streams." },
	{ "max.future.record.timestamp.difference.ms", DURATION, NULL, 1, INT64_MAX,
	  .help = "A record of an input topic dated further than this ahead of the wall clock is a dead letter and"
		  " moves no stream time; unset = any date is taken (KIP-1334)." },
	{ "buffered.records.per.partition", INT, "1000", 1, 10000000,
	  .help = "Records of one partition that may wait for their turn in any case. With more its reading pauses "
		  "once those that wait take up their share of memory.bytes.max." },
	{ "memory.bytes.max", SIZE, "256m", 16 * MIB, INT64_MAX,
	  .help = "Memory of the whole instance for caches, RocksDB, fetch queues and buffers." },
	{ "dsl.store.suppliers.class", ENUM, "rocksDB",
	  .choices = "rocksDB|in_memory|org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$"
		     "RocksDBDslStoreSuppliers"
		     "|org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers",
	  .help = "Where stores of tables, aggregates and joins lie, unless their step says so (in_memory, "
		  "on_disk);"
		  " stores that the program adds for its processors, and those of versions, are not meant "
		  "(KIP-954)." },
	{ "rocksdb.options", TEXT, NULL,
	  .help = "Options of RocksDB for all stores on disk, as it writes them: compression=kLZ4Compression;"
		  "block_based_table_factory={block_size=16384}. Which may be set is in docs/operations.md." },
	{ "checkpoint.interval.ms", DURATION, "5m", 1000, DAY_MS,
	  .help = "Time after which a store's local state is made durable, so that a restart reads only the"
		  " changelog behind it." },
	{ "checkpoint.records", INT, "500000", 1000, INT64_MAX,
	  .help = "Changelog records after which a store's local state is made durable before"
		  " checkpoint.interval.ms has passed." },
	{ "replication.factor", INT, "0", 0, 32767,
	  .help = "Replicas of the internal topics; 0 = the broker's default." },
	{ "dsl.store.format", ENUM, "DEFAULT", .choices = "DEFAULT|HEADERS",
	  .help = "HEADERS: in the changelogs of tables and aggregates deletions have the headers of the record"
		  " that has caused them, as in Kafka Streams (KIP-1285); values have none." },
	{ "errors.dead.letter.queue.topic.name", TEXT, NULL,
	  .help = "Topic for records that cannot be processed, with the reason in their headers." },
	{ "errors.deserialization", ENUM, "dead-letter", .choices = "dead-letter|stop",
	  .help = "What to do with a record that cannot be read, unless the program has a handler for that;"
		  " without a dead-letter topic it stops the instance." },
	{ "errors.processing", ENUM, "stop", .choices = "dead-letter|stop",
	  .help = "What to do with a record at which a step of the program fails, unless the program has a handler"
		  " for that; without a dead-letter topic it stops the instance (KIP-1033)." },
	{ "errors.production", ENUM, "dead-letter", .choices = "dead-letter|stop",
	  .help = "What to do with a result that the broker refuses for good, unless the program has a handler"
		  " for that; without a dead-letter topic it stops the instance." },
	{ "task.timeout.ms", DURATION, "5m", 0, DAY_MS,
	  .help = "How long a task retries what the cluster refuses for now before the instance stops; 0 = not"
		  " at all." },
	{ "repartition.purge.interval.ms", DURATION, "30s", 1000, DAY_MS,
	  .help = "Time between deletions of the records in repartition topics that have been processed and"
		  " committed." },
	{ "state.cleanup.delay.ms", DURATION, "10m", 1000, 7 * DAY_MS,
	  .help = "How long local state of partitions that another instance has by now is kept, in case they come"
		  " back; counted from when this one runs undisturbed." },
	{ "offsets.recommit.interval.ms", DURATION, "1h", MINUTE_MS, DAY_MS,
	  .help = "Time after which the positions of idle partitions are committed again, so that the broker"
		  " does not expire them." },
	{ "query.timeout.ms", DURATION, "5s", 1, DAY_MS,
	  .help = "How long a query of a store waits for its answer." },
	{ "log.level", ENUM, "info", .choices = "debug|info|warn|error",
	  .help = "Least level of the log lines that are written." },
};

const size_t weir__config_keys_count = sizeof weir__config_keys / sizeof *weir__config_keys;
