#ifndef WEIR_LOG_PREFIX_H
#define WEIR_LOG_PREFIX_H
/*
 * Who is speaking: key=value pairs that the calling thread adds to each of its log lines ("worker=0 task=0_3").
 */

/** Sets the calling thread's prefix; cut at 95 bytes. NULL or "" takes it away. Costs a format: not per record. */
void weir__log_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
