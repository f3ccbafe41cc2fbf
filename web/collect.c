#include "web/collect.h"

#include <stdlib.h>
#include <string.h>

#include "web/text.h"

struct collector {
	struct web_cities *cities;
	const struct web_collect_opts *opts;
	size_t size;   /* room in cities->city */
	size_t *index; /* open addressing: position in cities->city + 1, 0 = free */
	size_t index_size;
};

static size_t hash_of(weir_bytes b)
{
	const unsigned char *p = b.data;
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < b.len; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static size_t *slot_of(struct collector *c, weir_bytes place)
{
	size_t i = hash_of(place) & (c->index_size - 1);

	while (c->index[i] && !weir_bytes_equal(c->cities->city[c->index[i] - 1].place, place))
		i = (i + 1) & (c->index_size - 1);
	return &c->index[i];
}

static void index_grow(struct collector *c)
{
	free(c->index);
	c->index_size = c->index_size ? c->index_size * 2 : 256;
	c->index = web_alloc(c->index_size * sizeof *c->index);
	for (size_t i = 0; i < c->cities->count; i++)
		*slot_of(c, c->cities->city[i].place) = i + 1;
}

static struct web_city *city_of(struct collector *c, weir_bytes place)
{
	struct web_cities *cities = c->cities;

	if ((cities->count + 1) * 2 > c->index_size)
		index_grow(c);
	size_t *slot = slot_of(c, place);
	if (*slot)
		return &cities->city[*slot - 1];
	if (cities->count == c->size) {
		c->size = c->size ? c->size * 2 : 64;
		cities->city = web_realloc(cities->city, c->size * sizeof *cities->city);
	}
	struct web_city *city = &cities->city[cities->count++];
	*city = (struct web_city){ .place = weir_bytes_of(web_memdup(place.data, place.len), place.len) };
	if (c->opts->series == WEB_SERIES_ALL ||
	    (c->opts->series == WEB_SERIES_ONE && weir_bytes_equal(place, c->opts->focus)))
		city->windows = web_alloc(cities->span.count * sizeof *city->windows);
	*slot = cities->count;
	return city;
}

static void add(struct web_counts *to, const struct web_row *row)
{
	to->by[WEB_TWEETS] += row->tweets;
	to->by[WEB_RETWEETS] += row->retweets;
}

static void take_row(const struct web_row *row, void *user)
{
	struct collector *c = user;
	const struct web_span *span = &c->cities->span;

	/* windows of another width are from another configuration and would count the same posts again */
	if (row->window_seconds != span->window_ms / 1000 || row->window_start_ms < span->first_ms ||
	    row->window_start_ms > span->last_ms || !row->place.data)
		return;
	size_t w = (size_t)((row->window_start_ms - span->first_ms) / span->window_ms);
	struct web_city *city = city_of(c, row->place);
	add(&city->whole, row);
	if (row->users > city->whole.by[WEB_USERS])
		city->whole.by[WEB_USERS] = row->users;
	if (city->windows) {
		add(&city->windows[w], row);
		city->windows[w].by[WEB_USERS] += row->users;
	}
	add(&c->cities->whole, row);
	add(&c->cities->windows[w], row);
}

/* Sources keep times as databases do: what lies outside of these years is not asked for. */
#define FIRST_MS 0              /* 1970 */
#define LAST_MS 253402300799000 /* 9999-12-31T23:59:59Z */

static bool read_rows(const struct web_source *source, weir_bytes place, int64_t from_ms, int64_t to_ms,
		      web_row_fn *fn, void *user, weir_error *err)
{
	from_ms = from_ms < FIRST_MS ? FIRST_MS : from_ms;
	to_ms = to_ms > LAST_MS ? LAST_MS : to_ms;
	return from_ms >= to_ms || source->rows(source->self, place, from_ms, to_ms, fn, user, err);
}

static int by_name(const void *a, const void *b)
{
	return weir_bytes_compare(((const struct web_city *)a)->place, ((const struct web_city *)b)->place);
}

bool web_collect(const struct web_source *source, const struct web_span *span, const struct web_collect_opts *opts,
		 struct web_cities *out, weir_error *err)
{
	struct collector c = { .cities = out, .opts = opts };

	*out = (struct web_cities){ .span = *span };
	out->windows = web_alloc(span->count * sizeof *out->windows);
	bool ok = read_rows(source, opts->only, span->first_ms, span->last_ms + span->window_ms, take_row, &c, err);
	free(c.index);
	if (!ok) {
		web_cities_release(out);
		return false;
	}
	if (out->count)
		qsort(out->city, out->count, sizeof *out->city, by_name);
	for (size_t i = 0; i < out->count; i++)
		out->active += out->city[i].whole.by[WEB_TWEETS] > 0;
	return true;
}

void web_cities_release(struct web_cities *cities)
{
	for (size_t i = 0; i < cities->count; i++) {
		free((void *)cities->city[i].place.data);
		free(cities->city[i].windows);
	}
	free(cities->city);
	free(cities->windows);
	*cities = (struct web_cities){ 0 };
}

const struct web_city *web_cities_find(const struct web_cities *cities, weir_bytes place)
{
	struct web_city key = { .place = place };

	return cities->count ? bsearch(&key, cities->city, cities->count, sizeof key, by_name) : NULL;
}

static void note_row(const struct web_row *row, void *user)
{
	(void)row;
	*(bool *)user = true;
}

bool web_place_known(const struct web_source *source, weir_bytes place, int64_t until_ms, bool *known,
		     weir_error *err)
{
	*known = false;
	return read_rows(source, place, FIRST_MS, until_ms, note_row, known, err);
}

static int greatest_first(const void *a, const void *b, void *user)
{
	const struct web_city *x = *(const struct web_city *const *)a, *y = *(const struct web_city *const *)b;
	enum web_metric metric = *(enum web_metric *)user;
	int64_t v = x->whole.by[metric], w = y->whole.by[metric];

	return v != w ? (v < w) - (v > w) : weir_bytes_compare(x->place, y->place);
}

static int smallest_first(const void *a, const void *b, void *user)
{
	const struct web_city *x = *(const struct web_city *const *)a, *y = *(const struct web_city *const *)b;
	enum web_metric metric = *(enum web_metric *)user;
	int64_t v = x->whole.by[metric], w = y->whole.by[metric];

	return v != w ? (v > w) - (v < w) : weir_bytes_compare(x->place, y->place);
}

size_t web_cities_rank(const struct web_cities *cities, enum web_metric metric, bool least_first, size_t n,
		       const struct web_city ***ranked)
{
	const struct web_city **list = web_alloc((cities->active + 1) * sizeof *list);
	size_t count = 0;

	for (size_t i = 0; i < cities->count; i++)
		if (cities->city[i].whole.by[WEB_TWEETS] > 0)
			list[count++] = &cities->city[i];
	qsort_r(list, count, sizeof *list, least_first ? smallest_first : greatest_first, &metric);
	*ranked = list;
	return count < n ? count : n;
}
