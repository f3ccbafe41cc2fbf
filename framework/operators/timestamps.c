/* Kafka Streams' timestamp extractors. */
#include <inttypes.h>

#include "framework/operators/operator.h"

static void stop(weir_context *cx, const char *why)
{
	weir_metadata at = weir_record_metadata(cx);

	weir_stop(cx, "the record at offset %" PRId64 " of %s-%d has no valid timestamp%s", at.offset, at.topic,
		  (int)at.partition, why);
}

int64_t weir_fail_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user)
{
	(void)user;
	if (record->timestamp_ms < 0)
		stop(cx, "; another extractor may guess one or skip the record");
	return record->timestamp_ms;
}

int64_t weir_log_and_skip_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user)
{
	(void)cx, (void)user;
	return record->timestamp_ms;
}

int64_t weir_use_partition_time_on_invalid_timestamp(weir_context *cx, const weir_record *record, void *user)
{
	(void)user;
	if (record->timestamp_ms >= 0)
		return record->timestamp_ms;
	int64_t ms = weir_partition_time_ms(cx);

	if (ms < 0)
		stop(cx, ", and none can be guessed: the partition's time is not known yet");
	return ms;
}

int64_t weir_wallclock_timestamp(weir_context *cx, const weir_record *record, void *user)
{
	(void)record, (void)user;
	return weir_now_ms(cx);
}
