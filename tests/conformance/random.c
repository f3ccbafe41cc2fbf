/* Runs random topologies, and makes those that go wrong small. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/conformance/topologies.h"

enum { INPUTS_OF_ONE = 1000 };

static char random_dir[] = "/tmp/conformance-XXXXXX";

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

/* --- weir alone ----------------------------------------------------------------------------------------------- */

/* One more way, and what of the trace must be the same. */
struct way {
	const char *name;
	bool disk;
	struct trace_way way;
	unsigned without;       /* of the topologies */
	const char *not_in[16]; /* nor do they have these words */
	bool restarts;
	bool stores, values; /* only what the stores hold in the end; nor timestamps */
};

/* What is lost with the application, or when it is used tells what goes. */
#define UNLOGGED "log=off", "\nlru "
/* Each partition has its part of the keys, and its own offsets. */
#define BY_PARTITION "=all", "=reverse", "=prefix", "=range", "with-headers", "global-store", "history="
/* One commit holds all, of changes of a row the last, and which topic is read first is a matter of chance. */
#define BY_COMMIT "to-stream", "suppress", "group-", "foreign-", "merge", "cogroup", "-table n", "and=", "history="

static const struct way ways[] = {
	{ "on disk", .disk = true },
	{ "with restarts", .restarts = true, .way = { .restarts = true }, .without = WITHOUT_OWN_STATE,
	  .not_in = { UNLOGGED } },
	{ "on disk with restarts", .disk = true, .restarts = true, .way = { .restarts = true },
	  .without = WITHOUT_OWN_STATE, .not_in = { UNLOGGED } },
	{ "in 3 partitions", .way = { .partitions = 3 }, .without = WITHOUT_OWN_STATE | WITHOUT_STREAM_TIME,
	  .not_in = { UNLOGGED, BY_PARTITION }, .stores = true },
	{ "in one commit", .way = { .batch = true }, .without = WITHOUT_OWN_STATE | WITHOUT_STREAM_TIME,
	  .not_in = { UNLOGGED, BY_COMMIT }, .stores = true, .values = true },
};

static struct text traced(const struct way *way, const struct test_case *c, uint64_t seed, const char *input)
{
	struct text all = { 0 }, out = { 0 };
	char *line;

	if (way->disk)
		trace_on_disk(random_dir);
	trace_run_by(c, seed, input, way->way, &all);
	trace_on_disk(NULL);
	for (char *at = all.s; (line = next_line(&at));) {
		char *time = strrchr(line, ' ');
		bool is_store = strncmp(line, "store ", 6) == 0 || strncmp(line, "failed ", 7) == 0;

		/* rows of joins are numbered; a restart leaves numbers out */
		if ((way->stores && !is_store) || (way->restarts && strstr(line, "-join-store-changelog ")))
			continue;
		if (way->values && time)
			*time = 0;
		text_add(&out, "%s\n", line);
	}
	text_add(&out, "end\n");
	text_release(&all);
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_for(const struct way *way, const char *text)
{
	for (size_t i = 0; i < LENGTH(way->not_in) && way->not_in[i]; i++)
		if (strstr(text, way->not_in[i]))
			return false;
	return true;
}

/* As `stores` sorts by store, key and window, several partitions give the lines in another order. */
static void sort_lines(struct text *t)
{
	char *copy = weir__strdup(t->s), *at = copy, *line, *all[2000];
	size_t n = 0;

	while ((line = next_line(&at)) && n < LENGTH(all))
		all[n++] = line;
	qsort(all, n, sizeof *all, by_text);
	text_release(t);
	for (size_t i = 0; i < n; i++)
		text_add(t, "%s\n", all[i]);
	free(copy);
}

/* 1 if they are not the same, 0 if they are, -1 if the way is not for such a topology. */
static int run_alone(const struct way *way, uint64_t seed)
{
	struct topology t;
	struct text input = { 0 }, text = { 0 };

	topology_make(&t, seed, way->without);
	topology_text(&t, &text);
	struct test_case *c = case_of_topology(&t, seed, false);
	int differs = -1;

	if (is_for(way, text.s)) {
		struct way plain = *way;

		plain.disk = false;
		plain.way = (struct trace_way){ 0 };
		generate(c, seed, &input);
		struct both b = { traced(&plain, c, seed, input.s), traced(way, c, seed, input.s) };

		if (way->stores) {
			sort_lines(&b.want);
			sort_lines(&b.got);
		}
		differs = !same(&b);
		if (differs) {
			printf("%s it does not do the same:\n%s", way->name, text.s);
			/* what stands for Kafka Streams is weir the plain way */
			explain(&b.want, &b.got);
		}
		both_release(&b);
	}
	text_release(&input);
	text_release(&text);
	case_free(c);
	return differs;
}

static int run_all_alone(uint64_t seed, int n)
{
	int bad = 0;

	if (!mkdtemp(random_dir))
		fatal("%s: %s", random_dir, strerror(errno));
	for (size_t k = 0; k < LENGTH(ways); k++) {
		int ran = 0, of_way = 0;

		for (int i = 0; i < n; i++) {
			int differs = run_alone(&ways[k], seed + (uint64_t)i);

			ran += differs >= 0;
			of_way += differs > 0;
		}
		printf("%s: %d random topologies, %d differ\n", ways[k].name, ran, of_way);
		if (ran < n / 20)
			fatal("too few of %d topologies are for that", n);
		bad += of_way;
	}
	rmdir(random_dir);
	return bad;
}

int random_topologies(uint64_t seed, int n, int inputs, bool live)
{
	struct tally tally = { 0 };

	signal(SIGABRT, tell_running);
	signal(SIGSEGV, tell_running);
	if (!live)
		return run_all_alone(seed, n);
	for (int i = 0; i < n; i++)
		run_both(seed + (uint64_t)i, inputs, &tally);
	printf("%d random topologies from seed %llu on, %d inputs each: %d differ; %d that both refuse, %d that "
	       "only "
	       "weir can build\n",
	       n, (unsigned long long)seed, inputs, tally.bad, tally.refused, tally.unbuildable);
	return tally.bad;
}
