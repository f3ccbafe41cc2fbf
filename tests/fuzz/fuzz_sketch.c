/* Chunks of distinct-count sketches as they lie in a changelog, and the sketch that they make. */
#include <weir/hll.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static weir_hll h, back;
	struct feed f = { data, size };

	memset(&h, 0, sizeof h);
	memset(&back, 0, sizeof back);
	while (f.left) {
		unsigned chunk = feed_byte(&f) % WEIR_HLL_CHUNKS;
		weir_bytes bytes = feed_text(&f);
		uint8_t to[WEIR_HLL_CHUNK_BYTES_MAX];
		weir_error err = { .code = WEIR_OK };
		weir_hll before = h;

		if (weir_hll_chunk_decode(&h, chunk, bytes, &err)) {
			size_t len = weir_hll_chunk_encode(&h, chunk, to);

			weir_assert(len > 0 && len <= sizeof to);
			weir_assert(weir_hll_chunk_decode(&back, chunk, weir_bytes_of(to, len), &err));
		} else {
			weir_assert(err.code == WEIR_DECODE && memcmp(&h, &before, sizeof h) == 0);
		}
	}
	weir_assert(memcmp(h.registers, back.registers, sizeof h.registers) == 0);
	uint64_t n = weir_hll_estimate(&h);

	weir_hll_add(&h, weir_hll_hash(weir_bytes_of(data, size)));
	weir_assert(weir_hll_estimate(&h) >= n);
	weir_hll_merge(&back, &h);
	weir_assert(memcmp(h.registers, back.registers, sizeof h.registers) == 0);
	return 0;
}
