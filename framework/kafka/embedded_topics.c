#include "framework/kafka/embedded.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "framework/base/alloc.h"

#define NAME_LENGTH_MAX 249
#define PARTITIONS_MAX 100000

/* --- settings ------------------------------------------------------------------------------------------------- */

enum setting_kind {
	SETTING_TEXT, /* kept and given back, without effect here */
	SETTING_NUMBER,
	SETTING_RATIO,
	SETTING_POLICY,
	SETTING_TIME_TYPE,
};

#define INTO(field) offsetof(struct topic_config, field)

static const struct setting {
	const char *name, *def;
	enum setting_kind kind;
	size_t at;
	int64_t min;
} settings[] = {
	{ "cleanup.policy", "delete", SETTING_POLICY, 0, 0 },
	{ "compression.type", "producer", SETTING_TEXT, 0, 0 },
	{ "delete.retention.ms", "86400000", SETTING_NUMBER, INTO(delete_retention_ms), 0 },
	{ "file.delete.delay.ms", "60000", SETTING_TEXT, 0, 0 },
	{ "flush.messages", "9223372036854775807", SETTING_TEXT, 0, 0 },
	{ "flush.ms", "9223372036854775807", SETTING_TEXT, 0, 0 },
	{ "index.interval.bytes", "4096", SETTING_TEXT, 0, 0 },
	{ "max.compaction.lag.ms", "9223372036854775807", SETTING_TEXT, 0, 0 },
	{ "max.message.bytes", "1048588", SETTING_NUMBER, INTO(message_bytes_max), 0 },
	{ "message.timestamp.after.max.ms", NULL, SETTING_NUMBER, INTO(future_ms_max), 0 },
	{ "message.timestamp.before.max.ms", "9223372036854775807", SETTING_TEXT, 0, 0 },
	{ "message.timestamp.type", "CreateTime", SETTING_TIME_TYPE, 0, 0 },
	{ "min.cleanable.dirty.ratio", "0.5", SETTING_RATIO, INTO(dirty_ratio_min), 0 },
	{ "min.compaction.lag.ms", "0", SETTING_NUMBER, INTO(compaction_lag_ms), 0 },
	{ "min.insync.replicas", "1", SETTING_TEXT, 0, 0 },
	{ "preallocate", "false", SETTING_TEXT, 0, 0 },
	{ "retention.bytes", "-1", SETTING_NUMBER, INTO(retention_bytes), -1 },
	{ "retention.ms", "604800000", SETTING_NUMBER, INTO(retention_ms), -1 },
	{ "segment.bytes", "1073741824", SETTING_NUMBER, INTO(segment_bytes), 1048576 },
	{ "segment.index.bytes", "10485760", SETTING_TEXT, 0, 0 },
	{ "segment.jitter.ms", "0", SETTING_TEXT, 0, 0 },
	{ "segment.ms", "604800000", SETTING_TEXT, 0, 0 },
	{ "unclean.leader.election.enable", "false", SETTING_TEXT, 0, 0 },
};

static const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

/* "delete", "compact" or both with a comma and perhaps spaces. */
static bool policy_read(struct topic_config *config, const char *value)
{
	config->compact = config->del = false;
	for (const char *at = value;; at++) {
		at += strspn(at, " ");
		size_t n = strcspn(at, ", ");

		if (n == 7 && !strncmp(at, "compact", n))
			config->compact = true;
		else if (n == 6 && !strncmp(at, "delete", n))
			config->del = true;
		else
			return false;
		at += n;
		at += strspn(at, " ");
		if (*at != ',')
			return *at == 0;
	}
}

bool weir__topic_setting_read(struct topic_config *config, const char *name, const char *value)
{
	const struct setting *setting = setting_find(name);
	char *end;

	if (!setting || !value)
		return false;
	if (setting->kind == SETTING_TEXT)
		return true;
	if (setting->kind == SETTING_POLICY)
		return policy_read(config, value);
	if (setting->kind == SETTING_TIME_TYPE) {
		config->append_time = !strcmp(value, "LogAppendTime");
		return config->append_time || !strcmp(value, "CreateTime");
	}
	void *to = (char *)config + setting->at;
	if (setting->kind == SETTING_RATIO) {
		*(double *)to = strtod(value, &end);
		return end != value && !*end && *(double *)to >= 0 && *(double *)to <= 1;
	}
	long long number = strtoll(value, &end, 10);
	*(int64_t *)to = number;
	return end != value && !*end && number >= setting->min;
}

static struct topic_config config_default(const struct embedded *e)
{
	struct topic_config config = { .future_ms_max = e->opts.future_ms_max };

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (settings[i].def)
			weir__topic_setting_read(&config, settings[i].name, settings[i].def);
	return config;
}

/* --- topics --------------------------------------------------------------------------------------------------- */

struct topic *weir__topic_ref(struct topic *t)
{
	t->refs++;
	return t;
}

void weir__topic_unref(struct topic *t)
{
	if (!t || --t->refs)
		return;
	for (int32_t p = 0; p < t->partitions; p++) {
		weir__journal_release(t->journals[p]);
		free(t->journals[p]);
	}
	for (size_t i = 0; i < t->setting_count; i++) {
		free(t->settings[i][0]);
		free(t->settings[i][1]);
	}
	free(t->settings);
	free(t->journals);
	free(t);
}

struct topic *weir__topic_find(struct embedded *e, const char *name)
{
	for (size_t i = 0; i < e->topic_count; i++)
		if (e->topics[i]->name == name || !strcmp(e->topics[i]->name, name))
			return e->topics[i];
	return NULL;
}

static bool name_check(const char *name, weir_error *err)
{
	size_t n = name ? strlen(name) : 0;
	bool good = n > 0 && n <= NAME_LENGTH_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;

	for (size_t i = 0; good && i < n; i++)
		good = isalnum((unsigned char)name[i]) || strchr("._-", name[i]);
	return good || weir_fail(err, WEIR_CONFIG,
				 "topic '%.260s': wanted 1 to %d characters of a-z, A-Z, 0-9, '.', '_' and '-'",
				 name ? name : "", NAME_LENGTH_MAX);
}

static bool spec_check(const struct embedded *e, const weir_topic_spec *spec, struct topic_config *config,
		       weir_error *err)
{
	if (!name_check(spec->name, err))
		return false;
	if (spec->partitions < 1 || spec->partitions > PARTITIONS_MAX)
		return weir_fail(err, WEIR_CONFIG, "topic %s: wanted 1 to %d partitions, got %d", spec->name,
				 PARTITIONS_MAX, spec->partitions);
	if (spec->replication > 1)
		return weir_fail(err, WEIR_CONFIG,
				 "topic %s: replication factor %d, but this cluster is one broker", spec->name,
				 spec->replication);
	*config = config_default(e);
	for (size_t i = 0; i < spec->config_count; i++)
		if (!weir__topic_setting_read(config, spec->configs[i][0], spec->configs[i][1]))
			return weir_fail(err, WEIR_CONFIG, "topic %s: there is no setting %s=%s", spec->name,
					 spec->configs[i][0], spec->configs[i][1] ? spec->configs[i][1] : "");
	return true;
}

/* Others hold pointers to the journals that are there. */
static void widen(struct topic *t, int32_t partitions)
{
	t->journals = weir__realloc(t->journals, (size_t)partitions * sizeof *t->journals);
	for (; t->partitions < partitions; t->partitions++) {
		t->journals[t->partitions] = weir__calloc(1, sizeof **t->journals);
		weir__journal_init(t->journals[t->partitions], t, t->partitions);
	}
}

static struct topic *make(struct embedded *e, const weir_topic_spec *spec, const struct topic_config *config)
{
	struct topic *t = weir__calloc(1, sizeof *t);

	t->name = weir__embedded_intern(e, spec->name);
	t->refs = 1;
	t->config = *config;
	widen(t, spec->partitions);
	t->settings = weir__calloc(spec->config_count, sizeof *t->settings);
	for (t->setting_count = 0; t->setting_count < spec->config_count; t->setting_count++) {
		t->settings[t->setting_count][0] = weir__strdup(spec->configs[t->setting_count][0]);
		t->settings[t->setting_count][1] = weir__strdup(spec->configs[t->setting_count][1]);
	}
	WEIR__GROW(e->topics, e->topic_count, e->topic_room);
	e->topics[e->topic_count++] = t;
	weir__groups_topic_changed(e, t->name);
	return t;
}

bool weir__embedded_topics_create(weir_cluster *cluster, const weir_topic_spec *specs, size_t n, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool done = true;

	weir__embedded_enter(e);
	for (size_t i = 0; i < n; i++) {
		struct topic_config config;

		if (specs[i].name && weir__topic_find(e, specs[i].name))
			continue;
		if (spec_check(e, &specs[i], &config, done ? err : NULL))
			make(e, &specs[i], &config);
		else
			done = false;
	}
	weir__embedded_leave(e);
	return done;
}

static void forget(struct embedded *e, size_t i)
{
	struct topic *t = e->topics[i];

	memmove(e->topics + i, e->topics + i + 1, (--e->topic_count - i) * sizeof *e->topics);
	t->deleted = true;
	weir__groups_forget_topic(e, t->name);
	weir__groups_topic_changed(e, t->name);
	weir__topic_unref(t);
}

bool weir__embedded_topics_delete(weir_cluster *cluster, const char *const *names, size_t n, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	bool done = true;

	weir__embedded_enter(e);
	for (size_t k = 0; k < n; k++) {
		size_t i = 0;

		while (i < e->topic_count && strcmp(e->topics[i]->name, names[k]) != 0)
			i++;
		if (i < e->topic_count)
			forget(e, i);
		else
			done = weir_fail(done ? err : NULL, WEIR_NOT_FOUND, "delete topic %s: there is none",
					 names[k]);
	}
	weir__embedded_leave(e);
	return done;
}

bool weir__embedded_topic_widen(weir_cluster *cluster, const char *topic, int32_t partitions, weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);

	weir__embedded_enter(e);
	struct topic *t = weir__topic_find(e, topic);
	bool done = t && partitions <= PARTITIONS_MAX;

	if (!t)
		weir_fail(err, WEIR_NOT_FOUND, "widen topic %s: there is none", topic);
	else if (!done)
		weir_fail(err, WEIR_CONFIG, "widen topic %s: wanted at most %d partitions, got %d", topic,
			  PARTITIONS_MAX, (int)partitions);
	else if (partitions > t->partitions) {
		widen(t, partitions);
		weir__groups_topic_changed(e, t->name);
	}
	weir__embedded_leave(e);
	return done;
}

struct topic *weir__topic_use(struct embedded *e, const char *name, weir_error *err)
{
	weir_topic_spec spec = { .name = name, .partitions = e->opts.partitions };
	struct topic *t = weir__topic_find(e, name);
	struct topic_config config;

	if (t)
		return t;
	if (spec.partitions == 0) {
		weir_fail(err, WEIR_NOT_FOUND, "topic %s: there is none", name);
		return NULL;
	}
	return spec_check(e, &spec, &config, err) ? make(e, &spec, &config) : NULL;
}

struct journal *weir__topic_journal(struct embedded *e, const char *name, int32_t partition, weir_error *err)
{
	struct topic *t = weir__topic_find(e, name);

	if (t && partition >= 0 && partition < t->partitions)
		return t->journals[partition];
	if (t)
		weir_fail(err, WEIR_NOT_FOUND, "topic %s: there is no partition %d of %d", name, partition,
			  t->partitions);
	else
		weir_fail(err, WEIR_NOT_FOUND, "topic %s: there is none", name);
	return NULL;
}

bool weir__embedded_topic_config(weir_cluster *cluster, const char *topic, const char *name, char *buf, size_t size,
				 weir_error *err)
{
	struct embedded *e = weir__embedded(cluster);
	const struct setting *setting = setting_find(name);

	weir__embedded_enter(e);
	struct topic *t = weir__topic_find(e, topic);
	const char *value = setting ? setting->def : NULL;
	char future[24];

	if (setting && !value) {
		snprintf(future, sizeof future, "%lld", (long long)e->opts.future_ms_max);
		value = future;
	}
	for (size_t i = 0; t && i < t->setting_count; i++)
		if (!strcmp(t->settings[i][0], name))
			value = t->settings[i][1];
	bool found = t && value && (size_t)snprintf(buf, size, "%s", value) < size;

	if (!t)
		weir_fail(err, WEIR_NOT_FOUND, "topic %s: there is none", topic);
	else if (!found)
		weir_fail(err, value ? WEIR_USAGE : WEIR_NOT_FOUND, "topic %s: setting %s: %s", topic, name,
			  value ? "its value does not fit" : "there is none");
	weir__embedded_leave(e);
	return found;
}
