#include <string.h>

#include "tests/contract/helpers.h"

static size_t expand(struct joiner *j, const weir_partition *list, size_t n, weir_partition *to)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		int32_t p = list[i].partition;

		assert_string_equal(list[i].topic, j->topic);
		assert_in_range(p, 0, PARTITIONS_MAX - 1);
		to[count++] = (weir_partition){ .topic = j->topic, .partition = p };
		if (j->companion)
			to[count++] = (weir_partition){ .topic = j->companion, .partition = p };
	}
	return count;
}

static void begin_where_committed(struct joiner *j, weir_partition *list, size_t n)
{
	weir_error err;

	assert_done(weir_group_committed(j->c->cluster, j->group, list, n, 20000, &err), err);
	for (size_t i = 0; i < n; i++)
		if (list[i].offset == WEIR_OFFSET_NONE)
			list[i].offset = WEIR_OFFSET_BEGINNING;
	weir_partitions_release(list, n);
}

static void on_group(weir_consumer *consumer, weir_group_event event, const weir_partition *list, size_t n,
		     void *user)
{
	struct joiner *j = user;
	weir_partition all[2 * PARTITIONS_MAX];
	size_t count = expand(j, list, n, all);
	weir_error err;

	if (n == 0) /* some clients tell that nothing has changed */
		return;
	if (event == WEIR_GROUP_ASSIGNED) {
		j->assigned++;
		begin_where_committed(j, all, count);
		for (size_t i = 0; i < count; i++)
			j->next[j->companion && !strcmp(all[i].topic, j->companion)][all[i].partition] =
				all[i].offset;
		assert_done(weir_consumer_assign(consumer, all, count, &err), err);
	} else {
		void (*first)(void *) = event == WEIR_GROUP_REVOKED ? j->while_revoked : NULL;

		if (first) {
			j->while_revoked = NULL;
			first(j->user);
		}
		if (event == WEIR_GROUP_REVOKED && j->committer)
			assert_done(joiner_commit(j, j->committer, &err), err);
		assert_done(weir_consumer_unassign(consumer, all, count, &err), err);
		*(event == WEIR_GROUP_REVOKED ? &j->revoked : &j->lost) += 1;
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(j->owns[list[i].partition], event != WEIR_GROUP_ASSIGNED);
		j->owns[list[i].partition] = event == WEIR_GROUP_ASSIGNED;
	}
}

static bool note(const weir_kafka_record *record, void *user)
{
	struct joiner *j = user;
	bool second = j->companion && !strcmp(record->topic, j->companion);
	int64_t *next = &j->next[second][record->partition];

	assert_true(j->owns[record->partition]);
	if (*next >= 0)
		assert_int_equal(record->offset, *next);
	*next = record->offset + 1;
	j->per_topic[second]++;
	j->count++;
	return true;
}

void joiner_open(struct contract *c, struct joiner *j, struct joiner_opts opts)
{
	weir_error err;

	memset(j, 0, sizeof *j);
	*j = (struct joiner){ .c = c,
			      .topic = opts.topic,
			      .companion = opts.companion,
			      .group = opts.group,
			      .committer = opts.committer };
	j->consumer = weir_consumer_open(c->cluster,
					 (weir_consumer_opts){ .group = opts.group,
							       .group_instance_id = opts.instance,
							       .session_timeout_ms = opts.session_timeout_ms,
							       .max_poll_interval_ms = opts.session_timeout_ms,
							       .on_group = on_group,
							       .user = j },
					 &err);
	assert_done(j->consumer, err);
	assert_done(weir_consumer_subscribe(j->consumer, &opts.topic, 1, &err), err);
}

void joiner_close(struct joiner *j)
{
	weir_consumer_close(j->consumer);
	j->consumer = NULL;
}

bool joiner_poll(struct joiner *j)
{
	weir_error err;

	if (weir_consumer_poll(j->consumer, 20, note, j, &err))
		return true;
	if (!err.fatal)
		fail_msg("poll: %s", err.message);
	assert_int_equal(err.code, WEIR_FENCED);
	j->fenced = true;
	return false;
}

int joiner_owned(const struct joiner *j)
{
	int n = 0;

	for (int i = 0; i < PARTITIONS_MAX; i++)
		n += j->owns[i];
	return n;
}

static bool all_own(struct joiner **list, const int *each, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (each[i] >= 0 && joiner_owned(list[i]) != each[i])
			return false;
	return true;
}

void joiners_until(struct joiner **list, const int *each, size_t n)
{
	for (struct patience p = patience(list[0]->c); !all_own(list, each, n) && patience_left(&p, "assignment");)
		for (size_t i = 0; i < n; i++)
			assert_true(joiner_poll(list[i]));
}

void assert_one_owner(struct joiner **list, size_t n, int32_t partitions)
{
	for (int32_t p = 0; p < partitions; p++) {
		int owners = 0;

		for (size_t i = 0; i < n; i++)
			owners += list[i]->owns[p];
		assert_int_equal(owners, 1);
	}
}

bool joiner_commit(struct joiner *j, weir_producer *p, weir_error *err)
{
	weir_partition list[2 * PARTITIONS_MAX];
	size_t n = 0;

	for (int32_t i = 0; i < PARTITIONS_MAX; i++)
		for (int second = 0; second <= (j->companion ? 1 : 0); second++)
			if (j->owns[i] && j->next[second][i] > 0)
				list[n++] = (weir_partition){ .topic = second ? j->companion : j->topic,
							      .partition = i,
							      .offset = j->next[second][i] };
	if (n == 0)
		return true;
	return weir_producer_begin(p, err) && weir_producer_send_offsets(p, j->consumer, list, n, 30000, err) &&
	       weir_producer_commit(p, 30000, err);
}
