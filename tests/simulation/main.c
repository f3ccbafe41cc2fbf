/*
 * Runs seeds through the simulator: simulate [--first-seed S] [--seeds N] [--topology T]... see --help. Prints the
 * faults injected; a seed that fails is named with the command that repeats it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "framework/base/canary.h"
#include "tests/simulation/topologies.h"

#ifdef WEIR_CANARIES
enum canary weir__canary;
static const char *const canaries[CANARY_COUNT] = {
	[CANARY_WRITE_BEFORE_COMMIT] = "write-before-commit",
	[CANARY_NO_POSITIONS] = "no-positions",
	[CANARY_LAST_STABLE] = "last-stable",
	[CANARY_KEEP_AFTER_ABORT] = "keep-after-abort",
	[CANARY_SKIP_UNTAKEN] = "skip-untaken",
	[CANARY_TRUST_DISK] = "trust-disk",
	[CANARY_LEAVE_OWNERLESS] = "leave-ownerless",
	[CANARY_BELIEVE_POSITIONS] = "believe-positions",
	[CANARY_IGNORE_SHUTDOWN] = "ignore-shutdown",
};
#endif

struct options {
	uint64_t first_seed, seeds;
	const char *topology, *dir, *canary;
	int64_t records;
	int disk; /* one seed in so many keeps its stores on disk; 0 = none */
	bool calm, twice, keep_going, verbose;
};

static void usage(FILE *to)
{
	fprintf(to, "usage: simulate [options]\n\n"
		    "  --first-seed S   default 1\n"
		    "  --seeds N        default 100\n"
		    "  --topology T     windowed, repartition, pass, process, merged, tables, foreign,\n"
		    "                   sessions, hostile, joined, join-table, closing,\n"
		    "                   closing-sessions, versioned, custom, recent,\n"
		    "                   suppressed, failing, looped, global-store,\n"
		    "                   matched, hidden, limited\n"
		    "                   default: by the seed\n"
		    "  --records N      of input\n"
		    "  --disk N         one seed in N has its stores on disk; default 4, 0 = none\n"
		    "  --dir PATH       for those; default /dev/shm, or $TMPDIR\n"
		    "  --calm           without faults\n"
		    "  --twice          each seed twice: it must do the same again\n"
		    "  --keep-going     to the last seed, whatever happens\n"
		    "  --canary NAME    leave a step of safety out: must fail (simulate-canary only)\n"
		    "  --verbose        the log\n");
}

static bool set_canary(const char *name)
{
#ifdef WEIR_CANARIES
	for (int i = 1; i < CANARY_COUNT; i++)
		if (strcmp(canaries[i], name) == 0) {
			weir__canary = (enum canary)i;
			return true;
		}
#endif
	fprintf(stderr, "simulate: there is no canary \"%s\" here\n", name);
	return false;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "first-seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "topology", required_argument, NULL, 't' },
		{ "records", required_argument, NULL, 'r' },
		{ "disk", required_argument, NULL, 'd' },
		{ "dir", required_argument, NULL, 'D' },
		{ "calm", no_argument, NULL, 'c' },
		{ "twice", no_argument, NULL, '2' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ "canary", required_argument, NULL, 'C' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's':
			o->first_seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			o->seeds = strtoull(optarg, NULL, 10);
			break;
		case 't':
			o->topology = optarg;
			break;
		case 'r':
			o->records = strtoll(optarg, NULL, 10);
			break;
		case 'd':
			o->disk = atoi(optarg);
			break;
		case 'D':
			o->dir = optarg;
			break;
		case 'c':
			o->calm = true;
			break;
		case '2':
			o->twice = true;
			break;
		case 'k':
			o->keep_going = true;
			break;
		case 'C':
			o->canary = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
	return optind == argc && (!o->canary || set_canary(o->canary));
}

static const struct simulated *topology_of(const struct options *o, uint64_t seed)
{
	for (size_t i = 0; o->topology && i < simulated_count; i++)
		if (strcmp(simulated[i].name, o->topology) == 0)
			return &simulated[i];
	return o->topology ? NULL : &simulated[seed % simulated_count];
}

static bool run_seed(const struct options *o, uint64_t seed, weir_simulation_report *report, weir_error *err)
{
	const struct simulated *t = topology_of(o, seed);
	bool on_disk = o->disk && seed / simulated_count % (uint64_t)o->disk == 0;
	const char *const config[][2] = { { "max.task.idle.ms", seed % 2 ? "50" : "0" },
					  { t->config[0], t->config[1] } };

	return weir_simulate(t->build(),
			     (weir_simulation_opts){ .seed = seed,
						     .records = o->records,
						     .feed = t->feed,
						     .check = t->check,
						     .state_dir = on_disk ? o->dir : NULL,
						     .calm = o->calm,
						     .config = config,
						     .config_count = t->config[0] ? 2 : 1 },
			     report, err);
}

static bool run_twice(const struct options *o, uint64_t seed, weir_simulation_report *report, weir_error *err)
{
	uint64_t digest = report->digest;

	if (!run_seed(o, seed, report, err))
		return false;
	return report->digest == digest ||
	       weir_fail(err, WEIR_STATE, "the same seed did something else the second time: %llx, then %llx",
			 (unsigned long long)digest, (unsigned long long)report->digest);
}

static void print_report(const struct options *o, const weir_simulation_report *r, uint64_t failed)
{
	printf("seeds=%llu failed=%llu steps=%lld virtual_s=%lld commits=%lld aborts=%lld records=%lld "
	       "restored=%lld mended=%lld shut_down=%lld\n",
	       (unsigned long long)o->seeds, (unsigned long long)failed, (long long)r->steps,
	       (long long)r->virtual_ms / 1000, (long long)r->commits, (long long)r->aborts, (long long)r->records,
	       (long long)r->restored, (long long)r->mended, (long long)r->shut_down);
	for (int i = 0; i < WEIR_SIMULATION_FAULTS_MAX && r->fault_names[i]; i++)
		printf("  %-26s %lld\n", r->fault_names[i], (long long)r->fault_counts[i]);
}

static void tell_failed(const struct options *o, uint64_t seed, const weir_error *err)
{
	printf("seed %llu (%s) failed: %s\n  again: simulate%s%s --first-seed %llu --seeds 1 --verbose",
	       (unsigned long long)seed, topology_of(o, seed)->name, err->message,
	       o->canary ? "-canary --canary " : "", o->canary ? o->canary : "", (unsigned long long)seed);
	if (o->topology)
		printf(" --topology %s", o->topology);
	if (o->records)
		printf(" --records %lld", (long long)o->records);
	printf(" --disk %d\n", o->disk);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	struct options o = { .first_seed = 1, .seeds = 100, .disk = 4, .dir = tmp ? tmp : "/dev/shm" };
	weir_simulation_report report = { 0 };
	weir_error err;
	uint64_t failed = 0;

	if (!parse(argc, argv, &o) || !topology_of(&o, 0)) {
		usage(stderr);
		return 2;
	}
	if (o.verbose)
		weir_log_set(weir_log_stderr, NULL, WEIR_LOG_DEBUG);
	for (uint64_t seed = o.first_seed; seed - o.first_seed < o.seeds; seed++) {
		if (run_seed(&o, seed, &report, &err) && (!o.twice || run_twice(&o, seed, &report, &err)))
			continue;
		tell_failed(&o, seed, &err);
		failed++;
		if (!o.keep_going)
			break;
	}
	print_report(&o, &report, failed);
	return failed > 0;
}
