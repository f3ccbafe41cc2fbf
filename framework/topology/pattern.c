/* Sources of all topics that match a pattern. */
#include <regex.h>
#include <stdlib.h>

#include "framework/base/alloc.h"
#include "framework/topology/graph.h"

struct regex {
	struct regex *next; /* of the topology */
	regex_t compiled;
	bool good;
};

/* Kafka Streams wants the whole name to match. */
static void compile(weir_topology *t, struct graph_topic *topic)
{
	struct regex *r = weir__arena_zalloc(&t->arena, sizeof *r);
	char *whole = weir__asprintf("^(%s)$", topic->name);
	int code = regcomp(&r->compiled, whole, REG_EXTENDED | REG_NOSUB);
	char why[120];

	free(whole);
	r->good = code == 0;
	if (code) {
		regerror(code, &r->compiled, why, sizeof why);
		weir__graph_mistake(t, topic->source->name, "the pattern \"%s\": %s", topic->name, why);
	}
	r->next = t->regexes;
	t->regexes = r;
	topic->regex = r;
}

struct graph_topic *weir__graph_pattern_add(weir_topology *t, const char *pattern, struct node *source)
{
	struct graph_topic *topic = weir__graph_topic_add(t, pattern, TOPIC_PATTERN, source);

	compile(t, topic);
	return topic;
}

bool weir__graph_matches(const struct graph_topic *pattern, const char *topic)
{
	const struct regex *r = pattern->regex;

	return r && r->good && regexec(&r->compiled, topic, 0, NULL, 0) == 0;
}

void weir__graph_patterns_check(weir_topology *t)
{
	for (size_t i = 0; i < t->topic_count; i++) {
		const struct graph_topic *pattern = t->topics[i];

		if (pattern->kind != TOPIC_PATTERN)
			continue;
		for (size_t j = 0; j < t->topic_count; j++)
			if (t->topics[j]->kind == TOPIC_EXTERNAL &&
			    weir__graph_matches(pattern, t->topics[j]->name))
				weir__graph_mistake(t, pattern->source->name,
						    "its pattern matches topic \"%s\", which step \"%s\" reads "
						    "already",
						    t->topics[j]->name, t->topics[j]->source->name);
		for (size_t j = 0; j < t->global_count; j++)
			if (weir__graph_matches(pattern, t->globals[j]->topic))
				weir__graph_mistake(
					t, pattern->source->name,
					"its pattern matches topic \"%s\", which the global table \"%s\" "
					"reads already",
					t->globals[j]->topic, t->globals[j]->name);
	}
}

void weir__graph_patterns_free(weir_topology *t)
{
	for (struct regex *r = t->regexes; r; r = r->next) /* themselves they lie in the arena */
		if (r->good)
			regfree(&r->compiled);
}
