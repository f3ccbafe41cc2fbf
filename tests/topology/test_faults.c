/*
 * Whatever goes wrong between the application and its cluster, state and results are exact in the end: with seeds,
 * and every mishap that the embedded cluster can be asked for. WEIR_SEEDS=n tries n seeds, WEIR_SEED=s one of them.
 */
#include "framework/kafka/embedded.h"
#include "tests/topology/mixed.h"

enum { SEEDS = 20, ROUNDS = 25 };

struct mishaps {
	unsigned seed;
	bool quiet;
	int injected;
};

static enum embedded_fault mishap(enum embedded_point point, const char *who, void *user)
{
	struct mishaps *m = user;
	static const enum embedded_fault kinds[][5] = {
		[EMBEDDED_AT_SEND] = { EMBEDDED_ABORTABLE, EMBEDDED_FATAL },
		[EMBEDDED_AT_INIT] = { EMBEDDED_FATAL, EMBEDDED_UNDONE },
		[EMBEDDED_AT_SEND_OFFSETS] = { EMBEDDED_ABORTABLE, EMBEDDED_FATAL },
		[EMBEDDED_AT_COMMIT] = { EMBEDDED_ABORTABLE, EMBEDDED_FATAL, EMBEDDED_UNDONE, EMBEDDED_DONE,
					 EMBEDDED_LATE },
		[EMBEDDED_AT_ABORT] = { EMBEDDED_FATAL, EMBEDDED_UNDONE, EMBEDDED_DONE, EMBEDDED_LATE },
		[EMBEDDED_AT_POLL] = { EMBEDDED_EVICTED },
	};
	unsigned n = 0;

	/* Only the application's own, which have the names of its workers. */
	if (point > EMBEDDED_AT_POLL || m->quiet || (point != EMBEDDED_AT_POLL && strncmp(who, "app-", 4) != 0))
		return EMBEDDED_FINE;
	if (draw(&m->seed, point == EMBEDDED_AT_POLL ? 400 : 25) != 0)
		return EMBEDDED_FINE;
	while (n < 5 && kinds[point][n] != EMBEDDED_FINE)
		n++;
	m->injected++;
	return kinds[point][draw(&m->seed, n)];
}

static void assert_copied_once(weir_driver *d, const struct model *m)
{
	weir_driver_record r;
	int64_t copies = 0;

	while (weir_driver_read(d, "copy", &r))
		copies++;
	assert_int_equal(copies, m->records);
}

static int try_seed(unsigned seed, const char *dir)
{
	weir_driver *d = driver(mixed(), (weir_driver_opts){ .partitions = PARTITIONS, .state_dir = dir });
	struct mishaps mishaps = { .seed = seed * 7919 + 1 };
	struct model m = { 0 };

	weir__embedded_faults(weir_driver_cluster(d), mishap, &mishaps, 50);
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned i = draw(&seed, 8); i > 0; i--)
			pipe_one(d, &m, &seed);
		if (draw(&seed, 6) == 0)
			weir_driver_advance(d, WEIR_MINUTES(6));
		if (draw(&seed, 5) == 0) {
			weir_driver_stop(d, draw(&seed, 2));
			for (unsigned i = draw(&seed, 4); i > 0; i--)
				pipe_one(d, &m, &seed);
			while (!weir_driver_start(d, NULL, NULL)) /* a start may meet mishaps, too */
				;
		}
		if (weir_app_state_get(weir_driver_app(d), NULL) == WEIR_APP_ERROR)
			while (!weir_driver_restart(d, true, NULL))
				;
	}
	mishaps.quiet = true;
	weir_driver_advance(d, WEIR_MINUTES(1)); /* late markers come */
	if (weir_app_state_get(weir_driver_app(d), NULL) == WEIR_APP_ERROR)
		must(weir_driver_restart(d, true, &err));
	assert_model(d, &m);
	assert_copied_once(d, &m);
	assert_nothing(d, "dead-letters");
	must(weir_driver_restart(d, true, &err));
	assert_model(d, &m);
	weir_driver_free(d);
	return mishaps.injected;
}

static void state_and_results_are_exact_whatever_goes_wrong(void **state)
{
	const char *one = getenv("WEIR_SEED"), *many = getenv("WEIR_SEEDS");
	unsigned first = one ? (unsigned)atoi(one) : 1;
	unsigned last = one ? first : many ? (unsigned)atoi(many) : SEEDS;
	int injected = 0;

	(void)state;
	for (unsigned seed = first; seed <= last; seed++) {
		char *dir = temporary_directory();

		if (one || many)
			print_message("seed %u\n", seed);
		injected += try_seed(seed, seed % 2 ? dir : NULL);
		remove_directory(dir);
	}
	assert_true(injected > (int)(last - first)); /* or it was no test */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_and_results_are_exact_whatever_goes_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
