/* The contract of the Kafka port, against a real cluster. CONTRACT_CASE=name runs that case alone. */
#include "tests/contract/helpers.h"
#include "tests/integration/real_kafka.h"

#include <stdlib.h>
#include <string.h>

static struct contract contract;

static void run_case(void **state)
{
	const struct contract_case *what = *state;

	what->run(&contract);
}

int main(void)
{
	static struct CMUnitTest tests[256];
	static char prefix[64];
	const char *only = getenv("CONTRACT_CASE");
	size_t count = 0;

	contract.cluster = real_cluster();
	contract.clock = weir_clock_system();
	contract.prefix = real_prefix(prefix, sizeof prefix);
	for (const struct contract_case *what = contract_cases; what->name; what++)
		if (!only || !strcmp(only, what->name)) {
			assert_true(count < sizeof tests / sizeof *tests);
			tests[count++] = (struct CMUnitTest){ what->name, run_case, NULL, NULL, (void *)what };
		}
	int failed = _cmocka_run_group_tests("contract of the Kafka port, librdkafka", tests, count, NULL, NULL);

	weir_cluster_free(contract.cluster);
	return failed;
}
