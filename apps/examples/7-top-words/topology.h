/* The words that are said most: the greatest of all counts, as text, a line each: "be 7\nto 6\n". */
#include <ctype.h>
#include <stdlib.h>
#include <weir/weir.h>

enum { TOP = 10 };

/* A record for each word of the line, in lower case. */
static inline void split_line(weir_context *cx, const weir_record *line, void *user)
{
	weir_bytes text = weir_value_bytes(line);
	char *lower = weir_alloc(cx, text.len + 1), *save = NULL;

	(void)user;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = ((const unsigned char *)text.data)[i];

		lower[i] = (char)(c >= 128 || isalnum(c) ? tolower(c) : ' ');
	}
	lower[text.len] = 0;
	for (char *word = strtok_r(lower, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		weir_record out = *line;

		weir_set_key(&out, weir_str(word));
		weir_set_value_bytes(&out, weir_str(""));
		weir_forward(cx, &out);
	}
}

/* All counts are one group; a row is "word count\n". */
static inline void rank(weir_context *cx, const weir_record *count, weir_record *out, void *user)
{
	weir_bytes word = count->key;
	const int64_t *times = weir_value(count);

	(void)user;
	weir_set_key(out, weir_str("top"));
	weir_set_value(out,
		       weir_text(cx, "%.*s %lld\n", (int)word.len, (const char *)word.data, (long long)*times));
}

/* False behind the last. */
static inline bool next_row(weir_bytes *rows, weir_bytes *row)
{
	const char *end = rows->len ? memchr(rows->data, '\n', rows->len) : NULL;

	if (!end)
		return false;
	*row = weir_bytes_of(rows->data, (size_t)(end + 1 - (const char *)rows->data));
	*rows = weir_bytes_of(end + 1, rows->len - row->len);
	return true;
}

static inline long long count_in(weir_bytes row)
{
	return strtoll((const char *)memrchr(row.data, ' ', row.len) + 1, NULL, 10);
}

static inline weir_bytes *begin_rows(weir_context *cx, size_t room)
{
	weir_bytes *rows = weir_alloc(cx, sizeof *rows);

	*rows = weir_bytes_of(weir_alloc(cx, room), 0);
	return rows;
}

static inline void add_row(weir_bytes *rows, weir_bytes row)
{
	memcpy((char *)rows->data + rows->len, row.data, row.len);
	rows->len += row.len;
}

/* Before those that have been said as often. Counts only grow: what has fallen out comes back by a greater count of
 * its own, so that nothing but the top need be kept. */
static inline const void *with_row(weir_context *cx, const weir_record *r, const void *top, void *user)
{
	weir_bytes rest = top ? *(const weir_bytes *)top : weir_str(""), mine = weir_value_bytes(r), row;
	weir_bytes *rows = begin_rows(cx, rest.len + mine.len);
	bool more = next_row(&rest, &row);
	int n = 0;

	(void)user;
	for (; more && count_in(row) > count_in(mine); more = next_row(&rest, &row), n++)
		add_row(rows, row);
	if (n++ < TOP)
		add_row(rows, mine);
	for (; more && n < TOP; more = next_row(&rest, &row), n++)
		add_row(rows, row);
	return rows;
}

static inline const void *without_row(weir_context *cx, const weir_record *r, const void *top, void *user)
{
	weir_bytes rest = *(const weir_bytes *)top, row, *rows = begin_rows(cx, rest.len);

	(void)user;
	while (next_row(&rest, &row))
		if (!weir_bytes_equal(row, weir_value_bytes(r)))
			add_row(rows, row);
	return rows;
}

static inline weir_topology *top_words(void)
{
	weir_topology *t = weir_topology_new("top-words");
	weir_stream *lines = weir_source(t, "lines", (weir_source_opts){ .value = &weir_utf8 });
	weir_stream *words = weir_flat_map(lines, "words", split_line, NULL, NULL);
	weir_table *counts = weir_count(words, "counts", (weir_window){ 0 });
	weir_grouped_table *ranked =
		weir_table_group_by(counts, "ranked", rank, (weir_group_by_opts){ .value = &weir_utf8 }, NULL);
	weir_table_aggregator top = { .value = &weir_utf8, .fold = with_row, .unfold = without_row };

	weir_sink(weir_changes(weir_grouped_aggregate(ranked, "top", top, (weir_table_opts){ 0 })), "top-words",
		  (weir_sink_opts){ 0 });
	return t;
}
