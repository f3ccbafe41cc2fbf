#include "tests/contract/cases.h"
#include "tests/contract/echo.h"

#define RECORDS 100 /* a partition */

static struct reader r;

/* Two workers copy a topic; the second comes later, the first goes and comes back, and each aborts now and then. */
void workers_copy_each_record_once_through_aborts_and_rebalances(struct contract *c)
{
	const char *in = fresh_topic(c, ECHO_PARTITIONS), *out = fresh_topic(c, ECHO_PARTITIONS);
	const char *group = fresh(c, "group");
	struct echo workers[2];

	for (int i = 0; i < 2; i++)
		workers[i] = (struct echo){ .c = c,
					    .in = in,
					    .out = out,
					    .group = group,
					    .transactional_id = fresh(c, "txn"),
					    .rng = weir_rng_seeded((uint64_t)i) };
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		put_numbers(c, in, p, RECORDS);
	reader_open(c, &r, false);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		reader_assign(&r, out, p, WEIR_OFFSET_BEGINNING);
	struct patience w = patience(c);
	size_t before = 0;

	for (int step = 0; r.count < ECHO_PARTITIONS * RECORDS && patience_left(&w, "copies"); step++) {
		if (r.count > before) /* goes on as long as something comes */
			w = patience(c);
		before = r.count;
		workers[0].abort_chance = workers[1].abort_chance = 0.1;
		if (step < 120 || step > 150)
			echo_step(&workers[0], 10);
		else if (step == 120)
			echo_close(&workers[0]);
		if (step > 30)
			echo_step(&workers[1], 10);
		if (step % 10 == 0)
			reader_poll(&r);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(workers[i].committed > 0);
		echo_close(&workers[i]);
	}
	assert_true(workers[0].aborted + workers[1].aborted > 0);
	for (int32_t p = 0; p < ECHO_PARTITIONS; p++)
		echo_check(c, out, p, RECORDS);
	reader_close(&r);
}
