#ifndef WEIR_HEADERS_H
#define WEIR_HEADERS_H
/* Headers of records: borrowed views, as all bytes are. */
#include <weir/bytes.h>

typedef struct weir_header {
	const char *name;
	weir_bytes value;
} weir_header;

typedef struct weir_headers {
	const weir_header *items; /* in order; names may repeat */
	size_t count;
} weir_headers;

/** The last header of that name (as Kafka's lastHeader), or null. */
weir_bytes weir_headers_last(const weir_headers *headers, const char *name);

#endif
