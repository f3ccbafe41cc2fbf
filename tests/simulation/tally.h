#ifndef TALLY_H
#define TALLY_H
/* Numbers under names, for recounts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

struct tally_entry {
	char name[80];
	int64_t number;
};

struct tally {
	struct tally_entry *entries;
	size_t count, room;
};

/* The number of that name, 0 at first. Valid until the next call. */
static inline int64_t *tally_at(struct tally *t, const char *name)
{
	for (size_t i = t->count; i-- > 0;)
		if (strcmp(t->entries[i].name, name) == 0)
			return &t->entries[i].number;
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->entries = realloc(t->entries, t->room * sizeof *t->entries);
		if (!t->entries)
			abort();
	}
	struct tally_entry *e = &t->entries[t->count++];

	snprintf(e->name, sizeof e->name, "%s", name);
	e->number = 0;
	return &e->number;
}

static inline void tally_release(struct tally *t)
{
	free(t->entries);
	*t = (struct tally){ 0 };
}

/* Whether both hold the same; else *err names the first that differs. A number of 0 counts as none. */
static inline bool tally_same(struct tally *wanted, struct tally *got, const char *what, weir_error *err)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct tally_entry e = wanted->entries[i];
		int64_t n = *tally_at(got, e.name);

		if (n != e.number)
			return weir_fail(err, WEIR_STATE, "%s: \"%s\" is %lld, wanted %lld", what, e.name,
					 (long long)n, (long long)e.number);
	}
	for (size_t i = 0; i < got->count; i++) {
		struct tally_entry e = got->entries[i];
		int64_t n = *tally_at(wanted, e.name);

		if (n != e.number)
			return weir_fail(err, WEIR_STATE, "%s: \"%s\" is %lld, wanted %lld", what, e.name,
					 (long long)e.number, (long long)n);
	}
	return true;
}

#endif
