/* The instance's database: its directory, its notes, its errors. */
#include <sys/wait.h>
#include "state/disk.h"
#include "tests/unit/store_fixture.h"

static int on_disk(void **state)
{
	*state = fixture_new(true, (struct store_spec){ .kind = STORE_KEY_VALUE });
	return 0;
}

static int in_memory(void **state)
{
	*state = fixture_new(false, (struct store_spec){ .kind = STORE_KEY_VALUE });
	return 0;
}

static int drop(void **state)
{
	fixture_free(*state);
	return 0;
}

static struct state *open_dir(struct fixture *f, const char *dir, weir_error *err)
{
	return weir__state_open(
		&(struct state_opts){ .dir = dir, .memory_bytes_max = 16 << 20, .clock = &f->clock.clock }, err);
}

static void a_directory_in_use_is_refused_by_name(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	assert_null(open_dir(f, f->dir, &err));
	assert_int_equal(err.code, WEIR_STORE);
	assert_non_null(strstr(err.message, f->dir));
	assert_non_null(strstr(err.message, "in use by another process"));
}

/* Forked before this process opens any database. */
static void another_process_is_refused_too(void **state)
{
	struct fixture f = { 0 };
	int ready[2], done[2], status;
	char byte = 0;

	(void)state;
	weir_manual_clock_init(&f.clock, 0);
	fixture_make_dir(&f);
	assert_int_equal(pipe(ready) + pipe(done), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct state *held = open_dir(&f, f.dir, NULL);

		close(done[1]);
		if (write(ready[1], held ? "y" : "n", 1) != 1 || read(done[0], &byte, 1) != 0)
			_exit(1);
		weir__state_close(held);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	weir_error err = { 0 };
	assert_null(open_dir(&f, f.dir, &err));
	assert_non_null(strstr(err.message, "in use by another process"));
	close(done[0]);
	close(done[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct state *mine = open_dir(&f, f.dir, &err);
	assert_non_null(mine);
	weir__state_close(mine);
	fixture_remove_dir(&f);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	assert_null(open_dir(f, "/proc/weir/state", &err));
	assert_non_null(strstr(err.message, "/proc/weir"));
}

static void directories_are_made_as_needed(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };
	char path[128];

	snprintf(path, sizeof path, "%s/a/b", f->dir);
	struct state *other = open_dir(f, path, &err);
	assert_non_null(other);
	weir__state_close(other);
}

static void notes_outlive_the_process(void **state)
{
	struct fixture *f = *state;
	char value[16];

	assert_false(weir__state_note_get(f->state, "instance.id", value, sizeof value));
	assert_true(weir__state_note_put(f->state, "instance.id", "one", NULL));
	assert_true(weir__state_note_put(f->state, "instance.id", "two", NULL));
	assert_true(weir__state_note_put(f->state, "cluster.id", "a longer value than fits", NULL));
	fixture_crash(f);
	fixture_open(f);
	assert_true(weir__state_note_get(f->state, "instance.id", value, sizeof value));
	assert_string_equal(value, "two");
	assert_true(weir__state_note_get(f->state, "cluster.id", value, sizeof value));
	assert_string_equal(value, "a longer value ");
}

static void without_a_disk_notes_live_as_long_as_the_state(void **state)
{
	struct fixture *f = *state;
	char value[16];

	assert_false(weir__state_note_get(f->state, "instance.id", value, sizeof value));
	assert_true(weir__state_note_put(f->state, "instance.id", "one", NULL));
	assert_true(weir__state_note_put(f->state, "instance.id", "two", NULL));
	assert_true(weir__state_note_get(f->state, "instance.id", value, sizeof value));
	assert_string_equal(value, "two");
}

static void the_first_error_of_the_database_sticks(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	assert_false(weir__state_failed(f->state, NULL));
	put(f, "a", "1");
	commit(f, 1);
	f->state->writes_left = 0;
	assert_false(weir__store_checkpoint(f->store, true, &err));
	assert_true(err.fatal);
	assert_non_null(strstr(err.message, "counts/0"));
	f->state->writes_left = -1;
	assert_false(weir__store_checkpoint(f->store, true, NULL));
	assert_true(weir__state_failed(f->state, &err));
	assert_false(weir__store_restore_done(f->store, 5, NULL));
	assert_false(weir__state_note_put(f->state, "x", "y", NULL));
}

static void a_store_opened_again_by_another_worker_is_not_taken_for_durable(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, true);
	put(f, "b", "1");
	commit(f, 20);
	checkpoint(f, false);
	weir__store_close(f->store);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 20);
	assert_int_equal(weir__store_tail(f->store), 10);
	checkpoint(f, true);
	assert_int_equal(weir__store_tail(f->store), 0);
}

static void an_idle_store_does_not_become_stale(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, true);
	f->clock.now_ms += WEIR_HOURS(25);
	checkpoint(f, true);
	fixture_crash(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_wall_ms(f->store), 1000000 + WEIR_HOURS(25));
}

static void a_wiped_store_is_as_new(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, true);
	put(f, "b", "1");
	commit(f, 11);
	assert_true(weir__store_wipe(f->store, &err));
	assert_int_equal(weir__store_checkpoint_offset(f->store), -1);
	assert_int_equal(weir__store_time(f->store), INT64_MIN);
	assert_get(f, "a", NULL);
	assert_get(f, "b", NULL);
	put(f, "c", "1");
	commit(f, 12);
	checkpoint(f, true);
	fixture_crash(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 12);
	assert_get(f, "a", NULL);
	assert_get(f, "c", "1");
}

static void what_nobody_holds_for_long_is_removed(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, true);
	f->clock.now_ms += 5000;
	assert_int_equal(weir__state_cleanup(f->state, 1000, &err), 0); /* it is held */
	weir__store_close(f->store);
	f->clock.now_ms += 999;
	assert_int_equal(weir__state_cleanup(f->state, 1000, &err), 0);
	fixture_open(f); /* it has come back in time */
	assert_get(f, "a", "1");
	weir__store_close(f->store);
	f->clock.now_ms += 999;
	assert_int_equal(weir__state_cleanup(f->state, 1000, &err), 0);
	f->clock.now_ms += 1;
	assert_int_equal(weir__state_cleanup(f->state, 1000, &err), 1);
	assert_int_equal(weir__state_cleanup(f->state, 0, &err), 0);
	for (int i = 0; i < 2; i++) {
		fixture_open(f);
		assert_int_equal(weir__store_checkpoint_offset(f->store), i ? 3 : -1);
		assert_get(f, "a", NULL);
		put(f, "b", "2");
		commit(f, 3);
		checkpoint(f, true);
		fixture_crash(f);
	}
	fixture_open(f);
	assert_get(f, "b", "2");
}

static void a_break_while_cleaning_up_is_the_database_s(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, true);
	weir__store_close(f->store);
	weir__state_break_after(f->state, 0);
	assert_int_equal(weir__state_cleanup(f->state, 0, &err), -1);
	assert_true(weir__state_failed(f->state, &err));
	weir__state_close_dirty(f->state);
	f->state = NULL;
	fixture_open(f);
	assert_get(f, "a", "1");
}

static void another_kind_of_store_under_the_same_name_is_refused(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 10);
	checkpoint(f, false);
	weir__store_close(f->store);
	f->spec.kind = STORE_WINDOW;
	f->store = weir__store_open(f->state, &f->spec, 0, &err);
	assert_null(f->store);
	assert_int_equal(err.code, WEIR_STATE);
}

static void a_store_without_a_changelog_counts_its_unflushed_records(void **state)
{
	struct fixture *f = *state;

	weir__store_close(f->store);
	f->spec.logged = false;
	fixture_open(f);
	put(f, "a", "1");
	put(f, "b", "1");
	commit(f, -1);
	assert_int_equal(weir__store_tail(f->store), 2);
	checkpoint(f, false);
	assert_int_equal(weir__store_tail(f->store), 2);
	checkpoint(f, true);
	assert_int_equal(weir__store_tail(f->store), 0);
	fixture_crash(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), -1);
	assert_get(f, "a", "1");
}

static void memory_is_counted(void **state)
{
	struct fixture *f = *state;
	size_t before = weir__store_memory_bytes(f->store);
	char key[16];

	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "%d", i);
		put(f, key, "0123456789");
	}
	size_t full = weir__store_memory_bytes(f->store);
	assert_in_range(full - before, 10000 * 80, 10000 * 200);
	/* nothing may go while it is not committed */
	assert_int_equal(weir__store_shrink(f->store, 0), full);
	commit(f, 1);
	assert_in_range(weir__store_shrink(f->store, full / 2), 0, full / 2);
	assert_in_range(weir__store_shrink(f->store, 0), 0, before + 1000);
	assert_true(weir__state_memory_bytes(f->state) > 10000 * 20);
	assert_get(f, "77", "0123456789");
}

static void what_is_used_stays_longer_than_what_is_not(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "%d", i);
		put(f, key, "0123456789");
	}
	commit(f, 1);
	checkpoint(f, false);
	weir__store_shrink(f->store, weir__store_memory_bytes(f->store) * 3 / 4); /* the hand goes by all */
	assert_get(f, "900", "0123456789");
	weir__store_shrink(f->store, weir__store_memory_bytes(f->store) / 2);
	rocksdb_readoptions_t *options = f->state->read_options;
	f->state->read_options = NULL; /* whoever reads from disk now crashes */
	assert_get(f, "900", "0123456789");
	f->state->read_options = options;
}

static void a_full_disk_is_seen_before_it_is_written_to(void **state)
{
	struct fixture *f = *state;
	size_t room = f->state->room_bytes_min;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, true);
	f->state->room_bytes_min = SIZE_MAX / 2; /* no disk has so much */
	put(f, "a", "2");
	commit(f, 2);
	assert_false(weir__store_checkpoint(f->store, true, &err));
	assert_int_equal(err.code, WEIR_STORE);
	assert_non_null(strstr(err.message, "No space left on device"));
	assert_non_null(strstr(err.message, f->dir));
	f->state->room_bytes_min = room; /* it does not help any more: what was not written stays so */
	assert_false(weir__store_checkpoint(f->store, true, &err));
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(weir__store_checkpoint_offset(f->store), 1);
	assert_get(f, "a", "1");
}

static int spoil_table(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	size_t length = strlen(path);

	(void)flag, (void)ftw;
	if (length < 4 || strcmp(path + length - 4, ".sst") != 0)
		return 0;
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	for (long i = 0; i < st->st_size; i++)
		fputc('x', file);
	fclose(file);
	return 0;
}

/* RocksDB says "block checksum mismatch", which has a lock in it. */
static void a_corrupt_database_is_not_taken_for_one_in_use(void **state)
{
	struct fixture *f = *state;
	weir_error err = { 0 };

	put(f, "a", "1");
	commit(f, 1);
	checkpoint(f, true);
	fixture_close(f);
	assert_int_equal(nftw(f->dir, spoil_table, 16, FTW_PHYS), 0);
	f->state = open_dir(f, f->dir, &err);
	if (f->state)
		f->store = weir__store_open(f->state, &f->spec, 0, &err);
	assert_null(f->store);
	assert_int_equal(err.code, WEIR_STORE);
	assert_non_null(strstr(err.message, "Corruption"));
	assert_null(strstr(err.message, "in use"));
	weir__state_close(f->state);
	f->state = NULL;
	fixture_remove_dir(f);
	fixture_open(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_process_is_refused_too),
		cmocka_unit_test_setup_teardown(a_directory_in_use_is_refused_by_name, on_disk, drop),
		cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_named, in_memory, drop),
		cmocka_unit_test_setup_teardown(directories_are_made_as_needed, on_disk, drop),
		cmocka_unit_test_setup_teardown(notes_outlive_the_process, on_disk, drop),
		cmocka_unit_test_setup_teardown(without_a_disk_notes_live_as_long_as_the_state, in_memory, drop),
		cmocka_unit_test_setup_teardown(the_first_error_of_the_database_sticks, on_disk, drop),
		cmocka_unit_test_setup_teardown(a_store_opened_again_by_another_worker_is_not_taken_for_durable,
						on_disk, drop),
		cmocka_unit_test_setup_teardown(an_idle_store_does_not_become_stale, on_disk, drop),
		cmocka_unit_test_setup_teardown(a_wiped_store_is_as_new, on_disk, drop),
		cmocka_unit_test_setup_teardown(what_nobody_holds_for_long_is_removed, on_disk, drop),
		cmocka_unit_test_setup_teardown(a_break_while_cleaning_up_is_the_database_s, on_disk, drop),
		cmocka_unit_test_setup_teardown(another_kind_of_store_under_the_same_name_is_refused, on_disk,
						drop),
		cmocka_unit_test_setup_teardown(a_store_without_a_changelog_counts_its_unflushed_records, on_disk,
						drop),
		cmocka_unit_test_setup_teardown(a_full_disk_is_seen_before_it_is_written_to, on_disk, drop),
		cmocka_unit_test_setup_teardown(a_corrupt_database_is_not_taken_for_one_in_use, on_disk, drop),
		cmocka_unit_test_setup_teardown(memory_is_counted, on_disk, drop),
		cmocka_unit_test_setup_teardown(what_is_used_stays_longer_than_what_is_not, on_disk, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
