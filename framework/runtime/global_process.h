#ifndef WEIR_GLOBAL_PROCESS_H
#define WEIR_GLOBAL_PROCESS_H
/* The processor before a global store, in the place of a task: on the reader's thread, with the table locked. */
#include "framework/runtime/runtime.h"

struct global_process;

/** Made, and initialized. The store is open; NULL = its init has stopped the application. */
struct global_process *weir__global_process_new(weir_app *app, const struct graph_global *graph, weir_store *store,
						weir_error *err);
/** For decoding what it is to be given. */
weir_context *weir__global_process_context(struct global_process *p);
/** Gives it a record, and its value's object, decoded there (NULL: it is not, or null). False: the application is
 * to end, and nothing of what has been put since the last checkpoint may be kept. */
bool weir__global_process(struct global_process *p, const weir_kafka_record *record, const void *object,
			  weir_error *err);
/** NULL is fine. */
void weir__global_process_free(struct global_process *p);

#endif
