/*
 * Rows that have waited in a step's store and come out without a source record: one that makes state too large is
 * remembered, the transaction is aborted, and when the row comes out again it goes to the dead letters.
 */
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/runtime/runtime.h"

struct refused_row {
	struct refused_row *next;
	const struct subtopology *sub;
	const struct node *step;
	int32_t partition;
	uint32_t number;
	bool told; /* in the open transaction */
	char reason[200];
	char refuser[TOPIC_NAME_MAX + 1]; /* the topic that does not take it */
	size_t key_len;
	char key[];
};

static bool is_of(const struct refused_row *row, const struct task *t)
{
	return row->sub == t->sub && row->partition == t->partition;
}

static struct refused_row *find(const struct task *t, const struct released *what)
{
	struct refused_row *row = t->worker->refused_rows;

	while (row && !(is_of(row, t) && row->step == what->step->node && row->number == what->number &&
			weir_bytes_equal(weir_bytes_of(row->key, row->key_len), what->key)))
		row = row->next;
	return row;
}

bool weir__row_refused(weir_context *cx, const weir_record *r)
{
	struct task *t = (struct task *)cx;
	struct refused_row *row = find(t, cx->released);

	if (!row)
		return false;
	row->told = true;
	if (!cx->failure) /* that says more */
		weir__give_up(t, r, row->refuser, row->reason);
	return true;
}

void weir__row_refuse(struct task *t, const char *topic, const char *reason)
{
	struct worker *w = t->worker;
	const struct released *what = t->cx.released;

	if (find(t, what))
		return;
	struct refused_row *row = weir__malloc(sizeof *row + what->key.len);

	*row = (struct refused_row){ .next = w->refused_rows,
				     .sub = t->sub,
				     .step = what->step->node,
				     .partition = t->partition,
				     .number = what->number,
				     .key_len = what->key.len };
	snprintf(row->reason, sizeof row->reason, "result refused: %.180s", reason);
	snprintf(row->refuser, sizeof row->refuser, "%s", topic);
	memcpy(row->key, what->key.data, what->key.len);
	w->refused_rows = row;
}

static bool is_here(const struct worker *w, const struct refused_row *row)
{
	for (size_t i = 0; i < w->task_count; i++)
		if (is_of(row, w->tasks[i]))
			return true;
	return false;
}

void weir__rows_committed(struct worker *w)
{
	for (struct refused_row **at = &w->refused_rows; *at;) {
		struct refused_row *row = *at;

		if (!row->told && is_here(w, row)) {
			at = &row->next;
			continue;
		}
		*at = row->next;
		free(row);
	}
}

void weir__rows_aborted(struct worker *w)
{
	w->row_refused = false;
	for (struct refused_row *row = w->refused_rows; row; row = row->next)
		row->told = false;
}

void weir__rows_free(struct worker *w)
{
	for (struct refused_row *row = w->refused_rows, *next; row; row = next) {
		next = row->next;
		free(row);
	}
	w->refused_rows = NULL;
}
