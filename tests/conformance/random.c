/* Runs random topologies, and makes those that go wrong small. */
#include <signal.h>
#include <unistd.h>

#include "tests/conformance/topologies.h"

enum { INPUTS_OF_ONE = 1000 };

/* What runs, for when weir ends the process: an assertion is a finding, too. */
static struct text running;

static void tell_running(int number)
{
	static const char said[] = "\nweir has ended the process; it ran:\n";

	if (write(STDERR_FILENO, said, sizeof said - 1) > 0 && running.s &&
	    write(STDERR_FILENO, running.s, running.len) > 0)
		signal(number, SIG_DFL);
	raise(number);
}

static struct test_case *case_of_topology(const struct topology *t, uint64_t seed, bool live)
{
	struct text text = { 0 };
	char name[40];

	snprintf(name, sizeof name, "random-%llu", (unsigned long long)seed);
	topology_text(t, &text);
	if (live)
		other_define(name, text.s);
	text_release(&running);
	text_add(&running, "# %s\n%s", name, text.s);
	struct test_case *c = case_of(name, text.s);

	text_release(&text);
	return c;
}

/* A topology that a side does not build: there is nothing else in the trace. */
static bool is_refused(const struct text *trace)
{
	const char *second = strchr(trace->s, '\n');

	return second && strncmp(second + 1, "failed ", 7) == 0;
}

/* The rows of a suppressed table's buffer tell the topic of their record, in weir the first of its sub-topology:
 * where there are several they are left out. */
static struct text without_buffers(const struct test_case *c, const struct text *trace)
{
	struct text out = { 0 };
	char *copy = weir__strdup(trace->s), *at = copy, *line, start[100];

	while ((line = next_line(&at))) {
		bool of_buffer = false;

		for (const struct step *s = c->steps; s; s = s->next) {
			snprintf(start, sizeof start, "log app-%s-store-changelog ", s->name);
			of_buffer |= strcmp(s->op, "suppress") == 0 && strncmp(line, start, strlen(start)) == 0;
		}
		if (!of_buffer)
			text_add(&out, "%s\n", line);
	}
	free(copy);
	return out;
}

static bool has_one_topic(const struct test_case *c, const struct text *trace)
{
	size_t n = 0;

	for (const struct step *s = c->steps; s; s = s->next)
		n += s->input_count ? 0 : step_option(s, "and") ? 2 : 1;
	return n == 1 && !strstr(trace->s, "\nvia ");
}

/* A fault of Kafka Streams: it adds a store after a step that uses it, depending on the order in which it visits
 * what has been built. */
static bool is_unbuildable(const struct text *trace)
{
	return is_refused(trace) && strstr(trace->s, "is not added yet");
}

static bool alike(const struct test_case *c, const struct both *b)
{
	if (same(b) || (is_refused(&b->want) && is_refused(&b->got)) || is_unbuildable(&b->want))
		return true;
	if (has_one_topic(c, &b->want))
		return false;
	struct both less = { without_buffers(c, &b->want), without_buffers(c, &b->got) };
	bool are = same(&less);

	both_release(&less);
	return are;
}

/* The lines of the input whose topics the case still reads. */
static struct text input_for(const struct test_case *c, const char *input)
{
	struct text out = { 0 };
	char *copy = weir__strdup(input), *at = copy, *line;

	while ((line = next_line(&at))) {
		bool read = strncmp(line, "in ", 3) != 0;
		size_t len = strcspn(line + 3, " ");

		for (const struct step *s = c->steps; s && !read; s = s->next) {
			const char *topics[] = { s->name, step_option(s, "topic"), step_option(s, "and") };

			for (size_t i = 0; i < LENGTH(topics); i++)
				read |= topics[i] && !s->input_count && strlen(topics[i]) == len &&
					strncmp(line + 3, topics[i], len) == 0;
		}
		if (read)
			text_add(&out, "%s\n", line);
	}
	free(copy);
	return out;
}

static bool still_differs(const struct topology *t, uint64_t seed, const char *input)
{
	struct test_case *c = case_of_topology(t, seed, true);
	struct text rest = input_for(c, input);
	bool differs = false;

	if (topology_runs(t)) {
		struct both b = ask_both(c, seed, rest.s ? rest.s : "");

		differs = !alike(c, &b);
		both_release(&b);
	}
	text_release(&rest);
	case_free(c);
	return differs;
}

/* Without what the difference does not need: from the last step to the first, until nothing more goes. */
static void smaller(struct topology *t, uint64_t seed, const char *input)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = t->count; i-- > 0;)
			for (int how = 0; how < 2; how++) {
				struct topology less = *t;

				if (!(how ? topology_bypass : topology_remove)(&less, i) ||
				    !still_differs(&less, seed, input))
					continue;
				again |= topology_size(&less) < topology_size(t);
				*t = less;
			}
	}
}

static void tell_difference(struct topology *t, uint64_t seed, const char *input)
{
	struct text text = { 0 };

	printf("random topology: they differ\n  tests/conformance/run.sh --live --topologies 1 --seed %llu\n",
	       (unsigned long long)seed / INPUTS_OF_ONE);
	fflush(stdout);
	smaller(t, seed, input);
	struct test_case *c = case_of_topology(t, seed, true);
	struct text rest = input_for(c, input);

	topology_text(t, &text);
	printf("  the least topology that shows it:\n%s", text.s);
	shrink(c, seed, rest.s ? rest.s : "");
	fflush(stdout);
	text_release(&rest);
	text_release(&text);
	case_free(c);
}

struct tally {
	int bad, refused, unbuildable;
};

static void run_both(uint64_t seed, int inputs, struct tally *n)
{
	struct topology t;

	topology_make(&t, seed, WITHOUT_NOTHING);
	struct test_case *c = case_of_topology(&t, seed, true);

	for (int i = 0; i < inputs; i++) {
		uint64_t input_seed = seed * INPUTS_OF_ONE + (uint64_t)i;
		struct text input = { 0 };

		generate(c, input_seed, &input);
		struct both b = ask_both(c, input_seed, input.s);
		bool refused = is_refused(&b.want), unbuildable = is_unbuildable(&b.want), good = alike(c, &b);

		both_release(&b);
		if (!good) {
			n->bad++;
			tell_difference(&t, input_seed, input.s);
		}
		text_release(&input);
		if (refused) {
			n->refused += !unbuildable;
			n->unbuildable += unbuildable;
			break;
		}
		if (!good)
			break;
	}
	case_free(c);
}

int random_topologies(uint64_t seed, int n, int inputs, bool live)
{
	struct tally tally = { 0 };

	signal(SIGABRT, tell_running);
	signal(SIGSEGV, tell_running);
	(void)live;
	for (int i = 0; i < n; i++)
		run_both(seed + (uint64_t)i, inputs, &tally);
	printf("%d random topologies from seed %llu on, %d inputs each: %d differ; %d that both refuse, %d that "
	       "only "
	       "weir can build\n",
	       n, (unsigned long long)seed, inputs, tally.bad, tally.refused, tally.unbuildable);
	return tally.bad;
}
