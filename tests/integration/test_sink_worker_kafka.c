/* The sink worker's tests once more, against a real cluster. */
#define AGAINST_KAFKA
#include "tests/unit/test_sink_worker.c"
