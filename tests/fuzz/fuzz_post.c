/* A post as it stands in Kafka, msgpack or JSON: what is read can be written, and is the same when read again. */
#include "schemas/post.h"
#include "tests/fuzz/fuzz.h"

struct heap {
	void *blocks[8];
	size_t count;
};

static void *alloc(void *user, size_t n)
{
	struct heap *heap = user;
	void *p = malloc(n ? n : 1);

	weir_assert(p && heap->count < sizeof heap->blocks / sizeof *heap->blocks);
	return heap->blocks[heap->count++] = p;
}

static void again(const struct post *post)
{
	struct heap heap = { .count = 0 };
	size_t room = post_encoded_max(post), len;
	char *buf = malloc(room);
	struct post back;
	weir_error err;

	weir_assert(buf);
	len = post_encode(post, buf, room);
	weir_assert(len > 0 && post_encode(post, buf, len - 1) == 0 && post_encode(post, buf, room) == len);
	weir_assert(post_decode(weir_bytes_of(buf, len), &back, alloc, &heap, &err));
	weir_assert(heap.count == 0 && weir_bytes_equal(back.id, post->id) &&
		    weir_bytes_equal(back.author_id, post->author_id) &&
		    weir_bytes_equal(back.place, post->place) && back.created_at_ms == post->created_at_ms &&
		    back.is_retweet == post->is_retweet);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heap heap = { .count = 0 };
	struct post post;
	weir_error err = { .code = WEIR_OK };
	char time[32];
	int64_t ms;

	if (post_decode(weir_bytes_of(data, size), &post, alloc, &heap, &err))
		again(&post);
	else
		weir_assert(err.code == WEIR_DECODE && err.message[0]);
	for (size_t i = 0; i < heap.count; i++)
		free(heap.blocks[i]);
	if (time_parse_rfc3339(weir_bytes_of(data, size), &ms)) {
		int64_t back_ms;

		time_format_rfc3339(ms, time, sizeof time);
		/* an offset may lead out of the four digits of a year */
		weir_assert(ms < 0 || ms > 253402300799999 ||
			    (time_parse_rfc3339(weir_str(time), &back_ms) && back_ms == ms));
	}
	return 0;
}
