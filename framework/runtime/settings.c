#include "framework/runtime/runtime.h"

static int64_t at_least(int64_t least, int64_t n)
{
	return n > least ? n : least;
}

/* One budget for the instance. A quarter is for what nobody counts: threads, the gaps of the allocator,
 * accounts of the clients. Of the rest half is for caches (of which up to an eighth is for what waits to be due,
 * and three quarters at most for what is being restored: the more of it meets in memory, the less is written
 * twice), a quarter is for RocksDB, an eighth for what is fetched, a sixteenth each for what waits for its turn and
 * for what is produced. */
static void share_memory(struct settings *s)
{
	int64_t counted = s->memory_bytes_max / 4 * 3, each = counted / s->workers;

	s->state_bytes_max = counted / 4;
	s->cache_bytes_max = each / 2;
	s->restore_bytes_max = counted / 8 * 3;
	s->fetch_bytes_max = at_least(1 << 20, each / 8);
	s->waiting_bytes_max = at_least(1 << 20, each / 16);
	s->produce_bytes_max = at_least(1 << 20, each / 16);
}

static bool in_memory(const char *suppliers)
{
	return strcmp(suppliers, "in_memory") == 0 || strstr(suppliers, "$InMemoryDslStoreSuppliers");
}

bool weir__settings_read(struct settings *s, const weir_config *cfg, weir_error *err)
{
	*s = (struct settings){
		.application_id = weir_config_string(cfg, "application.id"),
		.dead_letter_topic = weir_config_string(cfg, "errors.dead.letter.queue.topic.name"),
		.rocksdb_options = weir_config_string(cfg, "rocksdb.options"),
		.commit_interval_us = weir_config_ms(cfg, "commit.interval.ms") * 1000,
		.transaction_timeout_ms = weir_config_ms(cfg, "transaction.timeout.ms"),
		.session_timeout_ms = weir_config_ms(cfg, "session.timeout.ms"),
		.max_poll_interval_ms = weir_config_ms(cfg, "max.poll.interval.ms"),
		.metadata_max_age_ms = weir_config_ms(cfg, "metadata.max.age.ms"),
		.max_task_idle_ms = weir_config_ms(cfg, "max.task.idle.ms"),
		.emit_interval_ms = weir_config_ms(cfg, "emit.interval.ms"),
		.task_timeout_ms = weir_config_ms(cfg, "task.timeout.ms"),
		.future_ms_max = weir_config_ms(cfg, "max.future.record.timestamp.difference.ms"),
		.checkpoint_interval_ms = weir_config_ms(cfg, "checkpoint.interval.ms"),
		.checkpoint_records = weir_config_int(cfg, "checkpoint.records"),
		.purge_interval_ms = weir_config_ms(cfg, "repartition.purge.interval.ms"),
		.cleanup_delay_ms = weir_config_ms(cfg, "state.cleanup.delay.ms"),
		.recommit_interval_us = weir_config_ms(cfg, "offsets.recommit.interval.ms") * 1000,
		.query_timeout_ms = weir_config_ms(cfg, "query.timeout.ms"),
		.record_bytes_max = weir_record_bytes_max(cfg),
		.memory_bytes_max = weir_config_size(cfg, "memory.bytes.max"),
		.buffered_records_max = (int)weir_config_int(cfg, "buffered.records.per.partition"),
		.workers = (int)weir_config_int(cfg, "num.stream.threads"),
		.replication = (int16_t)weir_config_int(cfg, "replication.factor"),
		.static_membership = weir_config_bool(cfg, "group.static.membership"),
		.dsl_in_memory = in_memory(weir_config_string(cfg, "dsl.store.suppliers.class")),
		.store_headers = strcmp(weir_config_string(cfg, "dsl.store.format"), "HEADERS") == 0,
		.stop_on_unreadable = strcmp(weir_config_string(cfg, "errors.deserialization"), "stop") == 0,
		.stop_on_failure = strcmp(weir_config_string(cfg, "errors.processing"), "stop") == 0,
		.stop_on_refused = strcmp(weir_config_string(cfg, "errors.production"), "stop") == 0,
	};
	if (!s->application_id || !*s->application_id)
		return weir_fail(err, WEIR_CONFIG, "application.id is not set");
	if (strcmp(weir_config_string(cfg, "processing.guarantee"), "exactly_once") != 0)
		return weir_fail(err, WEIR_CONFIG,
				 "processing.guarantee=at_least_once is not there yet: below librdkafka 2.10 a "
				 "plain commit that meets a "
				 "cooperative rebalance loses the whole assignment; use exactly_once");
	if (s->dead_letter_topic && !*s->dead_letter_topic)
		s->dead_letter_topic = NULL;
	share_memory(s);
	if (s->rocksdb_options && !weir__rocksdb_options_check(s->rocksdb_options, false, err))
		return weir_wrap(err, "rocksdb.options");
	return true;
}
