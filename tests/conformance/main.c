/*
 * conformance -c: whether each thing that there is to be tested is in several cases.
 * conformance [OPTION...] [CASE...]: runs cases (all of them if none is named) through weir and compares with what
 * Kafka Streams made of the same input: as kept in golden/, or with --live by asking it. See
 * tests/conformance/run.sh.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/base/hash.h"
#include "tests/conformance/topologies.h"

enum { FULL_SEEDS = 1, DIGEST_SEEDS = 40, DISK_SEEDS = 8, SHRINK_ROUNDS = 4 };

static struct {
	const char *dir, *live, *given;
	uint64_t seed;
	int seeds, topologies;
	bool write, print, input, shrink, disk, coverage;
} options = { .dir = SOURCE_DIR "/tests/conformance", .seed = 1, .shrink = true };

/* --- the other side ------------------------------------------------------------------------------------------- */

static struct {
	FILE *to, *from;
	pid_t pid;
} other;

static void other_start(void)
{
	int in[2], out[2];

	if (pipe(in) != 0 || pipe(out) != 0)
		fatal("pipe: %s", strerror(errno));
	other.pid = fork();
	if (other.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execl("/bin/sh", "sh", "-c", options.live, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	other.to = fdopen(in[1], "w");
	other.from = fdopen(out[0], "r");
}

static void other_stop(void)
{
	if (!other.pid)
		return;
	fclose(other.to);
	fclose(other.from);
	waitpid(other.pid, NULL, 0);
}

void other_define(const char *name, const char *text)
{
	fprintf(other.to, "case %s\n%send\n", name, text);
}

static void other_ask(const struct test_case *c, uint64_t seed, const char *input)
{
	fprintf(other.to, "run %s %llu\n%send\n", c->name, (unsigned long long)seed, input);
	fflush(other.to);
}

/* From "run" to "end". */
static struct text read_trace(FILE *from)
{
	struct text t = { 0 };
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, from) > 0) {
		text_add(&t, "%s", line);
		if (strcmp(line, "end\n") == 0)
			break;
	}
	free(line);
	return t;
}

/* --- comparing ------------------------------------------------------------------------------------------------ */

static const char *lines_at(const struct text *t, size_t at)
{
	while (at > 0 && t->s[at - 1] != '\n')
		at--;
	return t->s + at;
}

static void print_line(const char *who, const char *line)
{
	printf("  %s%.*s\n", who, (int)strcspn(line, "\n"), line);
}

void explain(const struct text *want, const struct text *got)
{
	size_t at = 0;

	while (want->s[at] && want->s[at] == got->s[at])
		at++;
	const char *line = lines_at(want, at), *in = NULL;

	for (const char *l = want->s; l && l <= line; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		if (strncmp(l, "in ", 3) == 0 || strncmp(l, "wall ", 5) == 0)
			in = l;
	if (in)
		print_line("after:          ", in);
	print_line("Kafka Streams:  ", line);
	print_line("weir:           ", lines_at(got, at));
}

bool same(const struct both *b)
{
	return strcmp(b->want.s, b->got.s) == 0;
}

void both_release(struct both *b)
{
	text_release(&b->want);
	text_release(&b->got);
}

static struct text ours(const struct test_case *c, uint64_t seed, const char *input)
{
	struct text trace = { 0 };

	trace_run(c, seed, input, &trace);
	return trace;
}

static struct text theirs(void)
{
	struct text trace = read_trace(other.from);

	if (!trace.s)
		fatal("Kafka Streams' side has ended");
	return trace;
}

struct both ask_both(const struct test_case *c, uint64_t seed, const char *input)
{
	struct both b;

	other_ask(c, seed, input);
	b.got = ours(c, seed, input);
	b.want = theirs();
	return b;
}

void shrink(const struct test_case *c, uint64_t seed, const char *input)
{
	struct text now = { 0 };
	bool smaller = true;

	text_add(&now, "%s", input);
	for (int round = 0; smaller && round < SHRINK_ROUNDS; round++) {
		smaller = false;
		for (size_t at = now.len; at > 0;) {
			size_t begin = (size_t)(lines_at(&now, at - 1) - now.s);
			struct text less = { 0 };

			text_add(&less, "%.*s%s", (int)begin, now.s, now.s + at);
			struct both b = ask_both(c, seed, less.len ? less.s : "");

			at = begin;
			if (less.len && !same(&b)) {
				text_release(&now);
				now = less;
				smaller = true;
			} else {
				text_release(&less);
			}
			both_release(&b);
		}
	}
	struct both b = ask_both(c, seed, now.s);

	printf("  the least input that shows it, and what Kafka Streams makes of it:\n");
	for (char *at = b.want.s, *line; (line = next_line(&at));)
		printf("    %s\n", line);
	both_release(&b);
	b = ask_both(c, seed, now.s);
	explain(&b.want, &b.got);
	both_release(&b);
	text_release(&now);
}

static void differs(const struct test_case *c, uint64_t seed, const struct both *b)
{
	printf("%s, seed %llu:\n", c->name, (unsigned long long)seed);
	explain(&b->want, &b->got);
	printf("  tests/conformance/run.sh --live --seed %llu --seeds 1 %s\n", (unsigned long long)seed, c->name);
}

/* --- live ----------------------------------------------------------------------------------------------------- */

static struct text input_of(const struct test_case *c, uint64_t seed)
{
	struct text t = { 0 };

	if (options.given)
		text_add_file(&t, options.given);
	else
		generate(c, seed, &t);
	return t;
}

static int run_live(const struct test_case *c)
{
	int bad = 0;

	for (int i = 0; i < options.seeds; i++) {
		uint64_t seed = options.seed + (uint64_t)i;
		struct text input = input_of(c, seed);
		struct both b = ask_both(c, seed, input.s);

		if (!same(&b) && ++bad == 1) {
			differs(c, seed, &b);
			if (options.shrink)
				shrink(c, seed, input.s);
		}
		both_release(&b);
		text_release(&input);
	}
	if (bad)
		printf("  %d of %d inputs differ\n", bad, options.seeds);
	return bad;
}

/* --- golden --------------------------------------------------------------------------------------------------- */

static FILE *golden_open(const struct test_case *c, const char *mode)
{
	char path[1000];

	snprintf(path, sizeof path, "%s/golden/%s.golden", options.dir, c->name);
	FILE *f = fopen(path, mode);

	if (!f)
		fatal("%s: %s", path, strerror(errno));
	return f;
}

static unsigned long long digest(const struct text *t)
{
	return weir__hash(weir_bytes_of(t->s, t->len));
}

/* From Kafka Streams' side: the first seeds in full, a digest for each of more. */
static int write_golden(const struct test_case *c)
{
	FILE *to = golden_open(c, "w");

	for (uint64_t seed = 1; seed <= FULL_SEEDS + DIGEST_SEEDS; seed++) {
		struct text input = input_of(c, seed);

		other_ask(c, seed, input.s);
		struct text want = theirs();

		if (seed <= FULL_SEEDS)
			fputs(want.s, to);
		else
			fprintf(to, "digest %llu %016llx\n", (unsigned long long)seed, digest(&want));
		text_release(&want);
		text_release(&input);
	}
	fclose(to);
	return 0;
}

static int check_full(const struct test_case *c, FILE *from)
{
	int bad = 0;

	for (uint64_t seed = 1; seed <= FULL_SEEDS; seed++) {
		struct text input = input_of(c, seed);
		struct both b = { read_trace(from), ours(c, seed, input.s) };

		if (!b.want.s)
			fatal("%s: its golden file ends too early", c->name);
		if (!same(&b) && ++bad == 1)
			differs(c, seed, &b);
		both_release(&b);
		text_release(&input);
	}
	return bad;
}

/* Each thing that is done as in Kafka Streams must be needed, or it would be an ornament. */
static int check_needed(const struct test_case *c, unsigned bit)
{
	struct test_case without = *c;
	bool needed = false;

	without.as &= ~(1u << bit);
	for (uint64_t seed = 1; seed <= FULL_SEEDS + DIGEST_SEEDS && !needed; seed++) {
		struct text input = input_of(c, seed);
		struct both b = { ours(c, seed, input.s), ours(&without, seed, input.s) };

		needed = !same(&b);
		both_release(&b);
		text_release(&input);
	}
	if (!needed)
		printf("%s: \"as %s\" makes no difference\n", c->name, as_names[bit]);
	return !needed;
}

static int check_golden(const struct test_case *c)
{
	FILE *from = golden_open(c, "r");
	unsigned long long seed, want;
	int bad = check_full(c, from), seen = 0;

	while (fscanf(from, "digest %llu %llx\n", &seed, &want) == 2) {
		if (++seen > DISK_SEEDS && options.disk) /* slower */
			continue;
		struct text input = input_of(c, seed), got = ours(c, seed, input.s);

		if (digest(&got) != want && ++bad == 1)
			printf("%s, seed %llu: another result; tests/conformance/run.sh --live --seed %llu --seeds "
			       "1 "
			       "%s\n",
			       c->name, seed, seed, c->name);
		text_release(&input);
		text_release(&got);
	}
	fclose(from);
	if (seen != DIGEST_SEEDS)
		fatal("%s: %d digests, %d wanted", c->name, seen, DIGEST_SEEDS);
	for (unsigned bit = 0; as_names[bit]; bit++)
		if (c->as & 1u << bit)
			bad += check_needed(c, bit);
	return bad;
}

/* --- on a cluster --------------------------------------------------------------------------------------------- */

/* What weir_main is to build: it has no argument for that. */
static struct {
	struct test_case *c;
	struct text trace;
	struct graph *g;
} on_cluster;

static weir_topology *build_on_cluster(void)
{
	on_cluster.g = graph_build(on_cluster.c, &on_cluster.trace);
	return on_cluster.g->t;
}

/* conformance run CASE [OPTION of weir_main...] */
static int run_on_cluster(int argc, char **argv)
{
	char cases[1000];

	snprintf(cases, sizeof cases, "%s/cases", options.dir);
	on_cluster.c = case_read(cases, argv[2]);
	argv[2] = argv[0];
	int code = weir_main(argc - 2, argv + 2, build_on_cluster);

	if (on_cluster.g)
		graph_free(on_cluster.g);
	text_release(&on_cluster.trace);
	case_free(on_cluster.c);
	return code;
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static int print_ours(const struct test_case *c)
{
	struct text input = input_of(c, options.seed), trace = { 0 };

	if (options.input)
		text_add(&trace, "%s", input.s);
	else
		trace_run(c, options.seed, input.s, &trace);
	fputs(trace.s, stdout);
	text_release(&input);
	text_release(&trace);
	return 0;
}

static int run_case(const char *name)
{
	char cases[1000];

	snprintf(cases, sizeof cases, "%s/cases", options.dir);
	struct test_case *c = case_read(cases, name);
	int bad = options.print   ? print_ours(c)
		  : options.write ? write_golden(c)
		  : options.live  ? run_live(c)
				  : check_golden(c);

	case_free(c);
	fflush(stdout);
	return bad;
}

static int is_case(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && strcmp(dot, ".case") == 0;
}

static int run_all(int *bad)
{
	char cases[1000];
	struct dirent **found;

	snprintf(cases, sizeof cases, "%s/cases", options.dir);
	int n = scandir(cases, &found, is_case, alphasort);

	if (n < 0)
		fatal("%s: %s", cases, strerror(errno));
	for (int i = 0; i < n; i++) {
		*strrchr(found[i]->d_name, '.') = 0;
		*bad += run_case(found[i]->d_name) > 0;
		free(found[i]);
	}
	free(found);
	return n;
}

/* Whether each thing that there is to be tested is in several cases; nothing is run. */
static int run_coverage(void)
{
	char path[1000];
	struct dirent **found;

	snprintf(path, sizeof path, "%s/cases", options.dir);
	int n = scandir(path, &found, is_case, alphasort);

	if (n < 0)
		fatal("%s: %s", path, strerror(errno));
	struct test_case **cases = weir__calloc((size_t)n, sizeof *cases);

	for (int i = 0; i < n; i++) {
		*strrchr(found[i]->d_name, '.') = 0;
		cases[i] = case_read(path, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	int thin = coverage_check(cases, (size_t)n);

	for (int i = 0; i < n; i++)
		case_free(cases[i]);
	free(cases);
	return thin;
}

static int read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:l:s:n:T:I:wpikDc")) != -1) {
		switch (c) {
		case 'd':
			options.dir = optarg;
			break;
		case 'l':
			options.live = optarg;
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			options.seeds = atoi(optarg);
			break;
		case 'T':
			options.topologies = atoi(optarg);
			break;
		case 'I':
			options.given = optarg;
			break;
		case 'w':
			options.write = true;
			break;
		case 'i':
			options.input = true; /* fallthrough */
		case 'p':
			options.print = true;
			break;
		case 'D':
			options.disk = true;
			break;
		case 'c':
			options.coverage = true;
			break;
		case 'k':
			options.shrink = false;
			break;
		default:
			fatal("usage: conformance [-d DIR] [-c | -D] [-l COMMAND [-w | -k]] [-s SEED] [-n SEEDS] "
			      "[-T "
			      "TOPOLOGIES] [-I INPUT] [-p | "
			      "-i] "
			      "[CASE...], or: conformance run CASE [OPTION...]");
		}
	}
	return optind;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "run") == 0)
		return run_on_cluster(argc, argv);
	int first = read_options(argc, argv), bad = 0, n = argc - first;
	char dir[] = "/tmp/conformance-XXXXXX";

	if (options.coverage)
		return run_coverage() > 0;
	weir_log_set(getenv("WEIR_TEST_LOG") ? weir_log_stderr : NULL, NULL, WEIR_LOG_DEBUG);
	if (options.disk) {
		if (!mkdtemp(dir))
			fatal("%s: %s", dir, strerror(errno));
		trace_on_disk(dir);
	}
	if (options.live)
		other_start();
	if (options.topologies)
		bad = random_topologies(options.seed, n = options.topologies, options.seeds, options.live != NULL);
	for (int i = first; i < argc; i++)
		bad += run_case(argv[i]) > 0;
	if (n == 0)
		n = run_all(&bad);
	other_stop();
	if (options.disk)
		rmdir(dir);
	if (options.live && !options.write && !options.topologies)
		printf("%d cases, %d inputs each: %d cases differ\n", n, options.seeds, bad);
	if (!options.print && !options.write) { /* as cmocka says it: tests/run.sh counts them */
		printf("[  PASSED  ] %d test(s).\n", n - bad);
		if (bad)
			printf("[  FAILED  ] %d test(s).\n", bad);
	}
	return bad > 0;
}
