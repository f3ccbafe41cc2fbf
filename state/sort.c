#include "state/sort.h"

typedef int compare_fn(const void *a, const void *b, const void *user);

static inline bool after(const struct sort_item *a, const struct sort_item *b, compare_fn *compare,
			 const void *user)
{
	if (a->prefix != b->prefix)
		return a->prefix > b->prefix;
	return compare(a->item, b->item, user) > 0;
}

static void sort_few(struct sort_item *items, size_t n, compare_fn *compare, const void *user)
{
	for (size_t i = 1; i < n; i++) {
		struct sort_item x = items[i];
		size_t j = i;

		for (; j > 0 && after(&items[j - 1], &x, compare, user); j--)
			items[j] = items[j - 1];
		items[j] = x;
	}
}

void weir__sort(struct sort_item *items, struct sort_item *spare, size_t n, compare_fn *compare, const void *user)
{
	if (n <= 12) {
		sort_few(items, n, compare, user);
		return;
	}
	size_t half = n / 2, i = 0, j = half, k = 0;
	weir__sort(items, spare, half, compare, user);
	weir__sort(items + half, spare, n - half, compare, user);
	if (!after(&items[half - 1], &items[half], compare, user))
		return;
	memcpy(spare, items, half * sizeof *items);
	while (i < half && j < n)
		items[k++] = after(&spare[i], &items[j], compare, user) ? items[j++] : spare[i++];
	memcpy(items + k, spare + i, (half - i) * sizeof *items);
}
