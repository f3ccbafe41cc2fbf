#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H
/*
 * Errors are values: the caller owns a weir_error of fixed size, nothing is to be freed.
 *
 * A function that can fail returns bool (true = done) or a pointer (NULL = failed) and takes
 * `weir_error *err` as its last argument. err may be NULL; on success it is left untouched.
 * The message says what, where, wanted and got, and can be shown to a user as it is.
 */
#include <stdbool.h>

/* One list makes the enum and its names. */
#define WEIR_CODES(X) \
	X(OK, "no error") \
	X(USAGE, "wrong use of an interface") \
	X(CONFIG, "wrong configuration") \
	X(TOPOLOGY, "the topology is not valid") \
	X(KAFKA, "Kafka") \
	X(FENCED, "fenced by another instance") \
	X(TIMEOUT, "timed out") \
	X(STORE, "state store") \
	X(STATE, "state does not fit what runs") \
	X(DECODE, "bytes that cannot be read") \
	X(NOT_FOUND, "not found") \
	X(CLOSED, "closed") \
	X(IO, "input or output") \
	X(SINK, "external sink") \
	X(USER, "refused by the application")

typedef enum weir_code {
#define WEIR_CODE_ENUM(name, text) WEIR_##name,
	WEIR_CODES(WEIR_CODE_ENUM)
#undef WEIR_CODE_ENUM
} weir_code;

typedef struct weir_error {
	weir_code code;
	bool retriable; /* the same call may succeed later */
	bool fatal;     /* the handle that gave it must be closed and made anew */
	bool abort_txn; /* the open transaction must be aborted */
	char message[400];
} weir_error;

/** "KAFKA", "STORE", ... Static text; never NULL. */
const char *weir_code_name(weir_code code);

/** Fills *err (if not NULL) with a formatted message, flags cleared. Always returns false. */
bool weir_fail(weir_error *err, weir_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Puts "<formatted>: " in front of the message in *err, keeping code and flags. Always returns false. */
bool weir_wrap(weir_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A broken invariant: a bug in weir or in its use, never bad input. Stays on in release builds. */
#define weir_assert(cond) ((cond) ? (void)0 : weir_assert_failed(#cond, __FILE__, __LINE__))
void weir_assert_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

#endif
