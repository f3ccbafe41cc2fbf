#include "tests/conformance/conformance.h"

void text_add_file(struct text *t, const char *path)
{
	FILE *in = fopen(path, "r");
	char line[1000];

	if (!in)
		fatal("cannot read %s", path);
	while (fgets(line, sizeof line, in))
		text_add(t, "%s", line);
	fclose(in);
}

static void add_option(struct step *s, char *word)
{
	char *equals = strchr(word, '=');

	if (s->option_count == OPTIONS_MAX)
		fatal("more than %d options in a line", OPTIONS_MAX);
	*equals = 0;
	s->options[s->option_count][0] = word;
	s->options[s->option_count++][1] = equals + 1;
}

static void read_step(struct step *s, char **words, size_t n)
{
	s->op = words[0];
	for (size_t i = 1; i < n; i++) {
		if (strchr(words[i], '=') && *words[i] != '=')
			add_option(s, words[i]);
		else if (!s->name)
			s->name = words[i];
		else if (s->input_count < INPUTS_MAX)
			s->inputs[s->input_count++] = words[i];
		else
			fatal("more than %d inputs in a line", INPUTS_MAX);
	}
}

const char *as_names[] = { "closing",       "suppressed-old", "suppressed-each", "retention",
			   "late-versions", "failed-rows",    "processors",      "merged-repartitions",
			   "letters",       "new-topics",     "deletions",       NULL };

/* The names are those of the bits of weir_topology_as_kafka_streams, in their order. */
static unsigned as_of(const char *name, const char *path)
{
	for (unsigned i = 0; as_names[i]; i++)
		if (strcmp(as_names[i], name) == 0)
			return 1u << i;
	fatal("%s: as \"%s\" is nothing that could be done as there", path, name);
}

struct test_case *case_read(const char *directory, const char *name)
{
	char path[1000];

	snprintf(path, sizeof path, "%s/%s.case", directory, name);
	struct text text = { 0 };

	text_add_file(&text, path);
	struct test_case *c = case_of(name, text.s);

	text_release(&text);
	return c;
}

struct test_case *case_of(const char *name, const char *text)
{
	struct test_case *c = weir__calloc(1, sizeof *c);
	char *words[INPUTS_MAX + OPTIONS_MAX], *line;
	struct step **end = &c->steps;

	c->name = weir__strdup(name);
	char *at = c->text = weir__strdup(text);

	while ((line = next_line(&at))) {
		size_t n = *line == '#' ? 0 : split(line, words, LENGTH(words));

		if (n == 0)
			continue;
		if (strcmp(words[0], "as") == 0) {
			for (size_t i = 1; i < n; i++)
				c->as |= as_of(words[i], name);
			continue;
		}
		struct step *other = strcmp(words[0], "gen") == 0      ? &c->gen
				     : strcmp(words[0], "config") == 0 ? &c->config
								       : NULL;

		if (other) {
			read_step(other, words, n);
			continue;
		}
		*end = weir__calloc(1, sizeof **end);
		read_step(*end, words, n);
		if (!(*end)->name)
			fatal("%s: \"%s\" without a name", name, words[0]);
		end = &(*end)->next;
	}
	return c;
}

void case_free(struct test_case *c)
{
	for (struct step *s = c->steps, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	free(c->name);
	free(c->text);
	free(c);
}

const char *step_option(const struct step *s, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < s->option_count && !value; i++)
		if (strcmp(s->options[i][0], name) == 0)
			value = s->options[i][1];
	if (s->name)
		cover(value != NULL, "%s %s=", family_of(s->op), name);
	return value;
}

int64_t step_number(const struct step *s, const char *name, int64_t otherwise)
{
	const char *value = step_option(s, name);

	return value ? strtoll(value, NULL, 10) : otherwise;
}
