/* The contract of the Kafka port, against the embedded cluster: with a clock that stands still, and with the real
 * one. */
#include "tests/contract/helpers.h"

#include <stdlib.h>

#define START_MS 1700000000000

struct run {
	const struct contract_case *what;
	weir_clock *clock; /* NULL = a manual one */
};

static void run_case(void **state)
{
	struct run *run = *state;
	weir_manual_clock manual;
	struct contract c = { .prefix = "contract", .clock = run->clock, .linger_ms = 50 };

	weir_manual_clock_init(&manual, START_MS);
	if (!c.clock)
		c.clock = &manual.clock;
	c.cluster = weir_cluster_embedded((weir_embedded_opts){ .clock = c.clock });
	run->what->run(&c);
	weir_cluster_free(c.cluster);
}

int main(void)
{
	size_t n = 0, count = 0;

	while (contract_cases[n].name)
		n++;
	struct CMUnitTest *tests = calloc(2 * n, sizeof *tests);
	struct run *runs = calloc(2 * n, sizeof *runs);

	for (size_t i = 0; i < 2 * n; i++) {
		const struct contract_case *what = &contract_cases[i % n];

		if (i >= n && what->slow)
			continue;
		runs[count] = (struct run){ what, i < n ? NULL : weir_clock_system() };
		tests[count] = (struct CMUnitTest){ what->name, run_case, NULL, NULL, &runs[count] };
		count++;
	}
	int failed = _cmocka_run_group_tests("contract of the Kafka port", tests, count, NULL, NULL);

	free(tests);
	free(runs);
	return failed;
}
