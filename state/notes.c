/* Small values that outlive the process: under "note/<name>" in the default family. */
#include "state/disk.h"

#include <stdio.h>

static struct note *note_find(struct state *state, const char *name)
{
	struct note *n = state->notes;

	while (n && strcmp(n->name, name) != 0)
		n = n->next;
	return n;
}

static bool get_from_memory(struct state *state, const char *name, char *buf, size_t size)
{
	pthread_mutex_lock(&state->lock);
	struct note *n = note_find(state, name);
	if (n)
		snprintf(buf, size, "%s", n->value);
	pthread_mutex_unlock(&state->lock);
	return n != NULL;
}

static void put_into_memory(struct state *state, const char *name, const char *value)
{
	pthread_mutex_lock(&state->lock);
	struct note *n = note_find(state, name);
	if (!n) {
		n = weir__calloc(1, sizeof *n);
		n->name = weir__strdup(name);
		n->next = state->notes;
		state->notes = n;
	}
	free(n->value);
	n->value = weir__strdup(value);
	pthread_mutex_unlock(&state->lock);
}

bool weir__state_note_get(struct state *state, const char *name, char *buf, size_t size)
{
	if (!state->db)
		return get_from_memory(state, name, buf, size);
	char *key = weir__asprintf("note/%s", name), *message = NULL;
	size_t len = 0;
	char *value = rocksdb_get_cf(state->db, state->read_options, state->default_family, key, strlen(key), &len,
				     &message);
	if (message)
		weir__state_fail(state, NULL, "read the note", name, message);
	rocksdb_free(message);
	free(key);
	if (!value)
		return false;
	snprintf(buf, size, "%.*s", (int)len, value);
	rocksdb_free(value);
	return true;
}

bool weir__state_note_put(struct state *state, const char *name, const char *value, weir_error *err)
{
	if (weir__state_failed(state, err))
		return false;
	if (!state->db) {
		put_into_memory(state, name, value);
		return true;
	}
	char *key = weir__asprintf("note/%s", name), *message = NULL;
	rocksdb_put_cf(state->db, state->write_options, state->default_family, key, strlen(key), value,
		       strlen(value), &message);
	if (!message)
		rocksdb_flush_cf(state->db, state->flush_options, state->default_family, &message);
	free(key);
	if (!message)
		return true;
	weir__state_fail(state, err, "write the note", name, message);
	rocksdb_free(message);
	return false;
}
