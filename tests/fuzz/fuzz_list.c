/* Lists as Java's ListSerializer writes them, by which serde the first byte says: what can be read is written again
 * and read again as the same. */
#include "framework/operators/operator.h"
#include "tests/fuzz/fuzz.h"

WEIR_LIST_SERDE(texts, weir_utf8);
WEIR_LIST_SERDE(ints, weir_int32);
WEIR_LIST_SERDE(uuids, weir_uuid);
WEIR_LIST_SERDE(booleans, weir_bool);
WEIR_LIST_SERDE(lists, texts);
WEIR_LIST_SERDE(voids, weir_void);

static const weir_serde *const serdes[] = { &texts, &ints, &uuids, &booleans, &lists, &voids };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	const weir_serde *serde = serdes[feed_byte(&f) % (sizeof serdes / sizeof *serdes)];
	weir_bytes bytes = feed_bytes(&f, f.left);
	weir_error err = { .code = WEIR_OK };
	weir_context cx = { .failed = false };

	weir__arena_init(&cx.arena, 0);
	const weir_list *list = serde->decode(&cx, bytes, &err);

	if (list) {
		weir_bytes once = serde->encode(&cx, list);
		const weir_list *again = serde->decode(&cx, once, &err);

		weir_assert(again && again->count == list->count && once.len <= 2 * bytes.len + 16);
		weir_assert(weir_bytes_equal(serde->encode(&cx, again), once));
	} else {
		weir_assert(err.code == WEIR_DECODE);
	}
	weir__arena_release(&cx.arena);
	return 0;
}
