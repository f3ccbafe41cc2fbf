#ifndef WEIR_GLOBAL_TASK_H
#define WEIR_GLOBAL_TASK_H
/* A global table or store in the place of a task, for what its serde, its processor and the program's handlers
 * ask of their context: on the reader's thread, with the table locked. */
#include "framework/runtime/runtime.h"

struct global_task;

/** Made, and its processor, if there is one, initialized. The store is open; NULL = its init has stopped the
 * application. */
struct global_task *weir__global_task_new(weir_app *app, const struct graph_global *graph, weir_store *store,
					  weir_error *err);
/** For decoding what it is to be given. */
weir_context *weir__global_task_context(struct global_task *t);
/** Asks the topology's handler, which there is, about a record whose value cannot be read; *err says why. False:
 * the application is to end with *err. */
bool weir__global_task_unreadable(struct global_task *t, const weir_kafka_record *record, weir_error *err);
/** Gives its processor a record, and its value's object, decoded there (NULL: it is not, or null). False: the
 * application is to end, and nothing of what has been put since the last checkpoint may be kept. */
bool weir__global_task_process(struct global_task *t, const weir_kafka_record *record, const void *object,
			       weir_error *err);
/** NULL is fine. */
void weir__global_task_free(struct global_task *t);

#endif
