#include "framework/kafka/rdkafka.h"

#include <stdarg.h>
#include <stdio.h>

weir_code weir__rdk_code(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return WEIR_OK;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
		return WEIR_USER;
	case RD_KAFKA_RESP_ERR__FENCED:
	case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
	case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
	case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
		return WEIR_FENCED;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		return WEIR_TIMEOUT;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
		return WEIR_NOT_FOUND;
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR__NO_OFFSET:
		return WEIR_STATE;
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
	case RD_KAFKA_RESP_ERR__CONFLICT:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
	case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
	case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
		return WEIR_USAGE;
	case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
	case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
	case RD_KAFKA_RESP_ERR__DESTROY:
		return WEIR_CLOSED;
	default:
		return WEIR_KAFKA;
	}
}

bool weir__rdk_passes(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
	case RD_KAFKA_RESP_ERR__WAIT_COORD:
	case RD_KAFKA_RESP_ERR__WAIT_CACHE:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
	case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
	case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
	case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
	case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
		return true;
	default:
		return false;
	}
}

static void fill(weir_error *err, rd_kafka_resp_err_t code, const char *text, const char *format, va_list args)
{
	*err = (weir_error){ .code = weir__rdk_code(code), .retriable = weir__rdk_passes(code) };
	int n = vsnprintf(err->message, sizeof err->message, format, args);

	if (n >= 0 && (size_t)n < sizeof err->message)
		snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s (%s)", text,
			 rd_kafka_err2name(code));
}

bool weir__rdk_fail(weir_error *err, rd_kafka_resp_err_t code, const char *format, ...)
{
	if (!err)
		return false;
	va_list args;

	va_start(args, format);
	fill(err, code, rd_kafka_err2str(code), format, args);
	va_end(args);
	return false;
}

bool weir__rdk_fail_with(weir_error *err, rd_kafka_error_t *error, const char *format, ...)
{
	if (err) {
		va_list args;

		va_start(args, format);
		fill(err, rd_kafka_error_code(error), rd_kafka_error_string(error), format, args);
		va_end(args);
		err->retriable = rd_kafka_error_is_retriable(error);
		err->fatal = rd_kafka_error_is_fatal(error);
		err->abort_txn = rd_kafka_error_txn_requires_abort(error);
	}
	rd_kafka_error_destroy(error);
	return false;
}

bool weir__rdk_is_fatal(rd_kafka_t *rk, weir_error *err)
{
	char text[300];
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk, text, sizeof text);

	if (!code)
		return false;
	weir_fail(err, weir__rdk_code(code), "%s: %s (%s)", rd_kafka_name(rk), text, rd_kafka_err2name(code));
	if (err)
		err->fatal = true;
	return true;
}
