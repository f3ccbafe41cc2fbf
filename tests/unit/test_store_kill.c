/*
 * SIGKILL at any moment, for real. A child process writes to a store and to a changelog (a file) until it is
 * killed; the next one checks what it finds on disk against the changelog, restores the rest, and goes on. The
 * parent never opens the database: RocksDB's threads do not survive a fork.
 */
#include <weir/rng.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "state/disk.h"
#include "tests/unit/store_fixture.h"

enum { ROUNDS = 12, KEYS = 3000 };

/* One line of the changelog. The values of a key only grow, so that "not older" is "not less". */
struct line {
	int64_t key, value; /* key -1: all before it is committed */
};

struct child {
	struct fixture f;
	weir_rng rng;
	int file;
	int64_t offset; /* of the next line */
	int64_t values[KEYS], committed[KEYS];
	uint64_t round;
	useconds_t dies_after_us;
};

static void *kill_later(void *arg)
{
	struct child *c = arg;

	usleep(c->dies_after_us);
	kill(getpid(), SIGKILL);
	return NULL;
}

static weir_bytes key_of(int64_t key)
{
	static char text[24];

	return weir_bytes_of(text, (size_t)snprintf(text, sizeof text, "key-%" PRId64, key));
}

static void append(struct child *c, struct line line)
{
	assert_int_equal(write(c->file, &line, sizeof line), sizeof line);
	c->offset++;
}

static bool into_changelog(const struct store_change *change, void *user)
{
	char text[24];

	snprintf(text, sizeof text, "%.*s", (int)change->key.len, (const char *)change->key.data);
	append(user, (struct line){ strtoll(text + strlen("key-"), NULL, 10), weir_get_be64(change->value.data) });
	return true;
}

/* The lines up to the last commit, and their number; what was not committed is cut off. */
static struct line *read_changelog(struct child *c, int64_t *count)
{
	off_t size = lseek(c->file, 0, SEEK_END);
	int64_t n = size / (off_t)sizeof(struct line);
	struct line *lines = malloc((size_t)size + 1);

	assert_int_equal(pread(c->file, lines, (size_t)size, 0), size);
	while (n > 0 && lines[n - 1].key >= 0)
		n--;
	assert_int_equal(ftruncate(c->file, n * (off_t)sizeof(struct line)), 0);
	lseek(c->file, 0, SEEK_END);
	for (int64_t i = 0; i < n; i++)
		if (lines[i].key >= 0)
			c->committed[lines[i].key] = lines[i].value;
	*count = n;
	return lines;
}

static int64_t stored(struct child *c, int64_t key)
{
	weir_bytes value = weir_store_get(c->f.store, key_of(key), NULL);

	return weir_is_null(value) ? 0 : weir_get_be64(value.data);
}

static void check_and_restore(struct child *c)
{
	int64_t count, from = weir__store_checkpoint_offset(c->f.store), at_checkpoint[KEYS] = { 0 };
	struct line *lines = read_changelog(c, &count);

	assert_true(from <= count);
	for (int64_t i = 0; i < from; i++)
		if (lines[i].key >= 0)
			at_checkpoint[lines[i].key] = lines[i].value;
	for (int64_t key = 0; key < KEYS; key++)
		assert_in_range(stored(c, key), at_checkpoint[key], c->committed[key]);
	for (int64_t i = from < 0 ? 0 : from; i < count; i++) {
		char value[8];

		weir_put_be64(value, lines[i].value);
		if (lines[i].key >= 0)
			weir__store_restore_put(c->f.store, key_of(lines[i].key), weir_bytes_of(value, 8), 1);
	}
	assert_true(weir__store_restore_done(c->f.store, count, NULL));
	for (int64_t key = 0; key < KEYS; key++)
		assert_int_equal(stored(c, key), c->committed[key]);
	print_message("round %" PRIu64 ": checkpoint %" PRId64 " of %" PRId64 " lines\n", c->round, from, count);
	memcpy(c->values, c->committed, sizeof c->values);
	c->offset = count;
	free(lines);
}

static void write_on(struct child *c)
{
	for (;;) {
		for (int i = (int)weir_rng_below(&c->rng, 4000); i > 0; i--) {
			int64_t key = (int64_t)weir_rng_below(&c->rng, KEYS);
			char value[8];

			weir_put_be64(value, ++c->values[key]);
			weir_store_put(c->f.store, key_of(key), weir_bytes_of(value, 8), 1);
			if (weir_rng_below(&c->rng, 2000) == 0)
				weir__store_shrink(c->f.store, 1000);
		}
		assert_true(weir__store_flush(c->f.store, into_changelog, c));
		append(c, (struct line){ -1, 0 });
		weir__store_committed(c->f.store, c->offset);
		if (weir_rng_below(&c->rng, 4) == 0)
			assert_true(weir__store_checkpoint(c->f.store, weir_rng_below(&c->rng, 2), NULL));
	}
}

static void child(const char *dir, uint64_t round)
{
	static struct child c;
	char path[128];
	pthread_t killer;

	snprintf(path, sizeof path, "%s/changelog", dir);
	c.round = round;
	c.rng = weir_rng_seeded(round);
	c.dies_after_us = (useconds_t)(5000 + weir_rng_below(&c.rng, 150000));
	c.file = open(path, O_RDWR | O_CREAT, 0600);
	snprintf(c.f.dir, sizeof c.f.dir, "%s", dir);
	weir_manual_clock_init(&c.f.clock, 1000);
	c.f.spec = (struct store_spec){ .name = "counts", .kind = STORE_KEY_VALUE, .logged = true };
	fixture_open(&c.f);
	c.f.state->file_rows_min = weir_rng_below(&c.rng, 2) ? 500 : 1000000;
	c.f.state->batch_bytes_max = 2000;
	check_and_restore(&c);
	if (round == ROUNDS)
		_exit(0);
	pthread_create(&killer, NULL, kill_later, &c);
	write_on(&c);
}

/* In a process of its own: cmocka's failures end it with another status. */
static void a_killed_process_leaves_a_checkpoint_that_its_changelog_completes(void **state)
{
	char dir[] = "/tmp/weir-kill-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (uint64_t round = 0; round <= ROUNDS; round++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			child(dir, round);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (round < ROUNDS)
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		else
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_process_leaves_a_checkpoint_that_its_changelog_completes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
