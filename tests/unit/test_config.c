#include <weir/config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const weir_config_key keys[] = {
	{ .name = "app.name", .type = WEIR_CONFIG_STRING, .help = "A name." },
	{ .name = "app.rate",
	  .type = WEIR_CONFIG_INT,
	  .def = "10",
	  .min = 1,
	  .max = 1000,
	  .help = "Posts a second." },
	{ .name = "app.offset", .type = WEIR_CONFIG_INT, .def = "-3", .help = "Any number." },
	{ .name = "app.window",
	  .type = WEIR_CONFIG_DURATION,
	  .def = "5m",
	  .min = 1000,
	  .max = INT64_MAX,
	  .help = "Size of a window." },
	{ .name = "app.cache", .type = WEIR_CONFIG_SIZE, .def = "1m", .help = "Bytes | of cache." },
	{ .name = "app.on", .type = WEIR_CONFIG_BOOL, .def = "yes", .help = "Whether." },
	{ .name = "app.from",
	  .type = WEIR_CONFIG_ENUM,
	  .def = "latest",
	  .choices = "earliest|latest",
	  .help = "Where." },
	{ .name = "app.password", .type = WEIR_CONFIG_STRING, .secret = true, .help = "A password." },
};

struct fixture {
	weir_config *cfg;
	weir_error err;
	char path[64];
	char text[16384];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->cfg = weir_config_new();
	weir_config_add(f->cfg, keys, sizeof keys / sizeof *keys);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	weir_config_free(f->cfg);
	if (*f->path)
		unlink(f->path);
	free(f);
	return 0;
}

static bool load_bytes(struct fixture *f, const void *bytes, size_t n)
{
	if (!*f->path) {
		snprintf(f->path, sizeof f->path, "/tmp/weir-config-XXXXXX");
		close(mkstemp(f->path));
	}
	FILE *file = fopen(f->path, "w");
	fwrite(bytes, 1, n, file);
	fclose(file);
	return weir_config_load_file(f->cfg, f->path, &f->err);
}

static bool load(struct fixture *f, const char *text)
{
	return load_bytes(f, text, strlen(text));
}

static bool set(struct fixture *f, const char *name, const char *value)
{
	return weir_config_set(f->cfg, name, value, WEIR_FROM_COMMAND_LINE, "-X", &f->err);
}

static const char *print(struct fixture *f, void (*printer)(const weir_config *, FILE *))
{
	FILE *to = fmemopen(f->text, sizeof f->text, "w");

	printer(f->cfg, to);
	fclose(to);
	return f->text;
}

#define assert_contains(text, part) \
	do { \
		if (!strstr((text), (part))) \
			fail_msg("\"%s\" is not in \"%s\"", (part), (text)); \
	} while (0)

static void defaults_hold_until_something_is_set(void **state)
{
	struct fixture *f = *state;
	const char *where = "x";

	assert_null(weir_config_string(f->cfg, "app.name"));
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 10);
	assert_int_equal(weir_config_int(f->cfg, "app.offset"), -3);
	assert_int_equal(weir_config_ms(f->cfg, "app.window"), 300000);
	assert_int_equal(weir_config_size(f->cfg, "app.cache"), 1 << 20);
	assert_true(weir_config_bool(f->cfg, "app.on"));
	assert_string_equal(weir_config_string(f->cfg, "app.from"), "latest");
	assert_int_equal(weir_config_source_of(f->cfg, "app.rate", &where), WEIR_FROM_DEFAULT);
	assert_null(where);
}

static void the_frameworks_own_keys_are_there(void **state)
{
	struct fixture *f = *state;

	assert_null(weir_config_string(f->cfg, "application.id"));
	assert_string_equal(weir_config_string(f->cfg, "bootstrap.servers"), "127.0.0.1:9092");
	assert_int_equal(weir_config_ms(f->cfg, "commit.interval.ms"), 100);
	assert_int_equal(weir_config_size(f->cfg, "memory.bytes.max"), 256 << 20);
	assert_true(weir_config_check(f->cfg, &f->err));
}

static void a_file_sets_values_and_says_where(void **state)
{
	struct fixture *f = *state;
	const char *where;
	char wanted[80];

	assert_true(load(f, "# a comment\n; another\n\n  app.name =  two words # not a comment \r\napp.window=90s\n"
			    "app.from = earliest"));
	assert_string_equal(weir_config_string(f->cfg, "app.name"), "two words # not a comment");
	assert_int_equal(weir_config_ms(f->cfg, "app.window"), 90000);
	assert_string_equal(weir_config_string(f->cfg, "app.from"), "earliest");
	assert_int_equal(weir_config_source_of(f->cfg, "app.window", &where), WEIR_FROM_FILE);
	snprintf(wanted, sizeof wanted, "%s:5", f->path);
	assert_string_equal(where, wanted);
}

static void a_byte_order_mark_and_an_empty_value_are_fine(void **state)
{
	struct fixture *f = *state;

	assert_true(load(f, "\xef\xbb\xbf"
			    "app.name =\n"));
	assert_string_equal(weir_config_string(f->cfg, "app.name"), "");
}

static void later_sources_win_whatever_the_order_of_calls(void **state)
{
	struct fixture *f = *state;

	assert_true(set(f, "app.rate", "4"));
	assert_true(load(f, "app.rate = 3\n"));
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 4);
	assert_true(weir_config_set(f->cfg, "app.rate", "2", WEIR_FROM_DEFAULT, NULL, &f->err));
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 4);
	assert_true(set(f, "app.rate", "5"));
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 5);
}

static void an_application_can_set_its_own_default(void **state)
{
	struct fixture *f = *state;

	assert_true(weir_config_set(f->cfg, "application.id", "counts", WEIR_FROM_DEFAULT, NULL, &f->err));
	assert_string_equal(weir_config_string(f->cfg, "application.id"), "counts");
	assert_true(load(f, "application.id = other\n"));
	assert_string_equal(weir_config_string(f->cfg, "application.id"), "other");
}

static void a_bad_value_names_file_line_key_and_what_was_wanted(void **state)
{
	struct fixture *f = *state;
	char wanted[200];

	assert_false(load(f, "app.name = x\napp.rate = 1001\n"));
	snprintf(wanted, sizeof wanted, "%s:2: app.rate: wanted whole number, 1 to 1000, got \"1001\"", f->path);
	assert_string_equal(f->err.message, wanted);
	assert_int_equal(f->err.code, WEIR_CONFIG);
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 10);
	assert_false(set(f, "app.from", "middle"));
	assert_string_equal(f->err.message, "-X: app.from: wanted one of earliest, latest, got \"middle\"");
	assert_false(set(f, "app.window", "999ms"));
	assert_contains(f->err.message, "at least 1s, got \"999ms\"");
}

static void a_value_that_is_overridden_is_checked_all_the_same(void **state)
{
	struct fixture *f = *state;

	assert_true(set(f, "app.rate", "4"));
	assert_false(load(f, "app.rate = many\n"));
}

static void an_unknown_key_suggests_the_nearest(void **state)
{
	struct fixture *f = *state;

	assert_false(set(f, "comit.interval.ms", "1s"));
	assert_string_equal(f->err.message,
			    "-X: unknown key \"comit.interval.ms\"; did you mean \"commit.interval.ms\"?");
	assert_false(set(f, "linger.ms", "1"));
	assert_contains(f->err.message, "librdkafka's own settings begin with \"kafka.\"");
	assert_false(set(f, "kafka.", "1"));
}

static void lines_that_are_no_pair_are_errors(void **state)
{
	struct fixture *f = *state;

	assert_false(load(f, "[section]\n"));
	assert_contains(f->err.message, ":1: wanted \"key = value\", got \"[section]\"");
	assert_false(load(f, "\n= 5\n"));
	assert_contains(f->err.message, ":2: ");
	assert_false(weir_config_load_file(f->cfg, "/nowhere/at.all", &f->err));
	assert_string_equal(f->err.message, "open /nowhere/at.all: No such file or directory");
	assert_false(weir_config_load_file(f->cfg, "/tmp", &f->err));
	assert_string_equal(f->err.message, "read /tmp: Is a directory");
}

static void a_line_is_taken_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	char text[4200];

	memset(text, 'x', sizeof text);
	memcpy(text, "app.name = ", 11);
	text[4000] = '\n';
	assert_true(load_bytes(f, text, 4001));
	assert_int_equal(strlen(weir_config_string(f->cfg, "app.name")), 4000 - 11);
	assert_true(load_bytes(f, text, 4000)); /* without a line feed at the end */
	text[4000] = 'x';
	text[4001] = '\n';
	assert_false(load_bytes(f, text, 4002));
	assert_contains(f->err.message, ":1: a line of over 4000 bytes");
	assert_false(load_bytes(f, "app.name = a\0b\napp.rate = 1\n", 28));
	assert_contains(f->err.message, "NUL");
	assert_false(load_bytes(f, "\napp.name = a\0b", 15));
	assert_contains(f->err.message, ":2: ");
}

static void clear_environment(void)
{
	unsetenv("WEIR_APP_RATE");
	unsetenv("WEIR_APP_NAME");
	unsetenv("WEIR_APP_RATES");
	unsetenv("WEIR_KAFKA_LINGER_MS");
}

static void the_environment_overrides_the_file(void **state)
{
	struct fixture *f = *state;
	const char *where;

	setenv("WEIR_APP_RATE", "7", 1);
	setenv("WEIR_APP_NAME", "", 1); /* empty = not there */
	setenv("WEIR_KAFKA_LINGER_MS", "20", 1);
	setenv("WEIR_TEST_ANYTHING", "x", 1);
	assert_true(load(f, "app.rate = 3\napp.name = file\n"));
	assert_true(weir_config_load_env(f->cfg, &f->err));
	clear_environment();
	assert_int_equal(weir_config_int(f->cfg, "app.rate"), 7);
	assert_string_equal(weir_config_string(f->cfg, "app.name"), "file");
	assert_int_equal(weir_config_source_of(f->cfg, "app.rate", &where), WEIR_FROM_ENVIRONMENT);
	assert_string_equal(where, "WEIR_APP_RATE");
	assert_contains(print(f, weir_config_print), "kafka.linger.ms");
}

static void an_unknown_variable_suggests_the_nearest(void **state)
{
	struct fixture *f = *state;

	setenv("WEIR_APP_RATES", "7", 1);
	assert_false(weir_config_load_env(f->cfg, &f->err));
	clear_environment();
	assert_string_equal(f->err.message, "environment variable WEIR_APP_RATES: there is no key \"app.rates\";"
					    " did you mean WEIR_APP_RATE?");
}

static void count_pairs(const char *name, const char *value, void *user)
{
	int *count = user;

	assert_string_equal(name, "sasl.password");
	assert_string_equal(value, "b");
	++*count;
}

static void kafka_settings_pass_through_without_their_prefix(void **state)
{
	struct fixture *f = *state;
	int count = 0;

	assert_true(set(f, "kafka.sasl.password", "b"));
	assert_true(load(f, "kafka.sasl.password = a\n"));
	weir_config_each_kafka(f->cfg, count_pairs, &count);
	assert_int_equal(count, 1);
	assert_string_equal(weir_config_kafka(f->cfg, "sasl.password"), "b");
	assert_null(weir_config_kafka(f->cfg, "sasl.username"));
}

static void secrets_are_never_shown(void **state)
{
	struct fixture *f = *state;

	assert_true(set(f, "app.password", "hunter2"));
	assert_true(set(f, "kafka.sasl.password", "hunter2"));
	assert_true(set(f, "kafka.ssl.key.pem", "hunter2"));
	assert_true(set(f, "kafka.client.rack", "r1"));
	assert_null(strstr(print(f, weir_config_print), "hunter2"));
	assert_contains(f->text, "***");
	assert_contains(f->text, "r1");
	assert_string_equal(weir_config_string(f->cfg, "app.password"), "hunter2");
}

struct listing {
	int keys, secrets;
	const char *rate, *name;
	weir_config_source rate_source;
	char rate_where[8];
};

static void list_key(const weir_config_key *key, const char *value, weir_config_source source, const char *where,
		     void *user)
{
	struct listing *l = user;

	l->keys++;
	l->secrets += value && strcmp(value, "***") == 0;
	if (strcmp(key->name, "app.name") == 0)
		l->name = value;
	if (strcmp(key->name, "app.rate") != 0)
		return;
	l->rate = value;
	l->rate_source = source;
	snprintf(l->rate_where, sizeof l->rate_where, "%s", where);
}

static void a_program_can_list_all_keys(void **state)
{
	struct fixture *f = *state;
	struct listing l = { .name = "x" };

	assert_true(set(f, "app.password", "hunter2"));
	assert_true(set(f, "app.rate", "7"));
	weir_config_each(f->cfg, list_key, &l);
	assert_true(l.keys > (int)(sizeof keys / sizeof *keys));
	assert_int_equal(l.secrets, 1);
	assert_null(l.name);
	assert_string_equal(l.rate, "7");
	assert_int_equal(l.rate_source, WEIR_FROM_COMMAND_LINE);
	assert_string_equal(l.rate_where, "-X");
}

static void the_text_form_is_aligned(void **state)
{
	struct fixture *f = *state;
	long meaning = 0;

	assert_true(set(f, "app.name", "a rather long value to be aligned with"));
	print(f, weir_config_print);
	assert_contains(f->text, "app.name");
	for (char *rest = f->text, *line; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, "KEY", 3) == 0)
			meaning = strstr(line, "MEANING") - line;
		else if (strncmp(line, "app.name", 8) == 0)
			assert_int_equal(strstr(line, "A name.") - line, meaning);
	}
	assert_true(meaning > 0);
}

static void the_markdown_form_shows_defaults_and_no_values(void **state)
{
	struct fixture *f = *state;

	assert_true(set(f, "app.rate", "999"));
	print(f, weir_config_print_markdown);
	assert_contains(f->text, "| `app.rate` | whole number, 1 to 1000 | `10` | Posts a second. |\n");
	assert_contains(f->text, "| `app.name` | text | | A name. |\n");
	assert_contains(f->text, "| `app.from` | one of earliest, latest | `latest` | Where. |\n");
	assert_contains(f->text, "Bytes \\| of cache.");
	assert_null(strstr(f->text, "999"));
}

static void keys_that_do_not_fit_each_other_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_true(set(f, "commit.interval.ms", "10s"));
	assert_false(weir_config_check(f->cfg, &f->err));
	assert_contains(f->err.message,
			"commit.interval.ms (10000) must be less than transaction.timeout.ms (10000)");
	assert_true(set(f, "commit.interval.ms", "1s"));
	assert_true(set(f, "session.timeout.ms", "6m"));
	assert_false(weir_config_check(f->cfg, &f->err));
	assert_true(set(f, "session.timeout.ms", "5m"));
	assert_true(set(f, "application.id", "a b"));
	assert_false(weir_config_check(f->cfg, &f->err));
	assert_contains(f->err.message, "application.id = \"a b\"");
	assert_true(set(f, "application.id", "a-b_c.D9"));
	assert_true(weir_config_check(f->cfg, &f->err));
}

static void durations_are_read_with_and_without_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1 = refused */
	} cases[] = {
		{ "0", 0 },
		{ "250", 250 },
		{ "250ms", 250 },
		{ "10s", 10000 },
		{ "15m", 900000 },
		{ "2h", 7200000 },
		{ "1d", 86400000 },
		{ "106751991167d", 106751991167 * 86400000 },
		{ "106751991168d", -1 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "-1", -1 },
		{ "+1", -1 },
		{ " 1", -1 },
		{ "1 s", -1 },
		{ "1.5h", -1 },
		{ "5M", -1 },
		{ "1w", -1 },
		{ "0x10", -1 },
		{ "1s2", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = -1;

		assert_int_equal(weir_parse_duration(cases[i].text, &ms), cases[i].ms >= 0);
		assert_int_equal(ms, cases[i].ms);
	}
	assert_false(weir_parse_duration(NULL, &(int64_t){ 0 }));
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "1024", 1024 },
		{ "64k", 65536 },
		{ "64K", 65536 },
		{ "64kb", 65536 },
		{ "64KiB", 65536 },
		{ "128m", 134217728 },
		{ "128MB", 134217728 },
		{ "2g", 2147483648 },
		{ "2GiB", 2147483648 },
		{ "7b", 7 },
		{ "8589934591g", 8589934591 << 30 },
		{ "8589934592g", -1 },
		{ "1t", -1 },
		{ "k", -1 },
		{ "-1k", -1 },
		{ "1 k", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t bytes = -1;

		assert_int_equal(weir_parse_size(cases[i].text, &bytes), cases[i].bytes >= 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void booleans_have_eight_names(void **state)
{
	struct fixture *f = *state;
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1", "False", "TRUE" };

	for (int i = 0; i < 10; i++) {
		assert_true(set(f, "app.on", words[i]));
		assert_int_equal(weir_config_bool(f->cfg, "app.on"), i % 2);
	}
	assert_false(set(f, "app.on", "2"));
	assert_false(set(f, "app.on", ""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_hold_until_something_is_set),
		TEST(the_frameworks_own_keys_are_there),
		TEST(a_file_sets_values_and_says_where),
		TEST(a_byte_order_mark_and_an_empty_value_are_fine),
		TEST(later_sources_win_whatever_the_order_of_calls),
		TEST(an_application_can_set_its_own_default),
		TEST(a_bad_value_names_file_line_key_and_what_was_wanted),
		TEST(a_value_that_is_overridden_is_checked_all_the_same),
		TEST(an_unknown_key_suggests_the_nearest),
		TEST(lines_that_are_no_pair_are_errors),
		TEST(a_line_is_taken_whole_or_not_at_all),
		TEST(the_environment_overrides_the_file),
		TEST(an_unknown_variable_suggests_the_nearest),
		TEST(kafka_settings_pass_through_without_their_prefix),
		TEST(secrets_are_never_shown),
		TEST(a_program_can_list_all_keys),
		TEST(the_text_form_is_aligned),
		TEST(the_markdown_form_shows_defaults_and_no_values),
		TEST(keys_that_do_not_fit_each_other_are_refused),
		TEST(durations_are_read_with_and_without_unit),
		TEST(sizes_are_powers_of_1024),
		TEST(booleans_have_eight_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
