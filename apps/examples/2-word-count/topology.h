/* How often each word has been said, in all lines so far. */
#include <ctype.h>
#include <weir/weir.h>

/* Letters and digits; of other alphabets, whatever is not ASCII. */
static inline bool in_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 128;
}

/* A record for each word of the line: the word in lower case is its key, and it has no more to say. */
static inline void split_line(weir_context *cx, const weir_record *line, void *user)
{
	weir_bytes text = weir_value_bytes(line);
	const char *from = text.data;
	char *lower = weir_alloc(cx, text.len + 1);
	size_t begin = 0;

	(void)user;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && in_word(from[i])) {
			lower[i] = (char)tolower((unsigned char)from[i]);
			continue;
		}
		if (i > begin) {
			weir_record word = *line;

			weir_set_key(&word, weir_bytes_of(lower + begin, i - begin));
			weir_set_value_bytes(&word, weir_str(""));
			weir_forward(cx, &word);
		}
		begin = i + 1;
	}
}

static inline weir_topology *word_counts(void)
{
	weir_topology *t = weir_topology_new("word-counts");
	weir_stream *lines = weir_source(t, "lines", (weir_source_opts){ .value = &weir_utf8 });
	weir_stream *words = weir_flat_map(lines, "words", split_line, NULL, NULL);
	/* All records of a word must come to one task. weir_count would see to that by itself; so it has a name. */
	weir_stream *by_word = weir_repartition(words, "by-word", (weir_repartition_opts){ 0 });
	weir_table *counts = weir_count(by_word, "counts", (weir_window){ 0 });

	weir_sink(weir_changes(counts), "word-counts", (weir_sink_opts){ .value = &weir_int64 });
	return t;
}
