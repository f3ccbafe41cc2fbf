/* What weir_main makes of its arguments: the first example as a program, as far as it needs no broker. */
#include <sys/wait.h>

#include "tests/topology/topology_test.h"

/* Runs build/.../example-1-windowed-count with those arguments; what it says (both streams) goes to `said`. */
static int run(const char *arguments, char *said, size_t size)
{
	char program[600], command[1000];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 100);

	assert_true(length > 0);
	program[length] = 0;
	*strrchr(program, '/') = 0; /* the folder of the tests */
	snprintf(strrchr(program, '/'), 100, "/example-1-windowed-count");
	snprintf(command, sizeof command, "WEIR_LOG_LEVEL= '%s' %s 2>&1", program, arguments);
	FILE *out = popen(command, "r");

	assert_non_null(out);
	said[fread(said, 1, size - 1, out)] = 0;
	return WEXITSTATUS(pclose(out));
}

static void what_it_can_say_without_a_broker_it_says(void **state)
{
	static const char *const cases[][2] = {
		{ "--help", "--exit-at-end" },
		{ "-h", "usage: " },
		{ "--describe", "counts (count) stores counts" },
		{ "--describe=text", "topology city-counts" },
		{ "--describe=dot", "digraph \"city-counts\"" },
		{ "--describe=mermaid", "flowchart LR" },
		{ "--describe=json", "\"name\":\"city-counts\"" },
		{ "--config", "commit.interval.ms" },
		{ "--config -X commit.interval.ms=250", "250" },
		{ "--config", "city-counts" }, /* application.id is the topology's name */
	};
	char said[32768];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(run(cases[i][0], said, sizeof said), 0);
		assert_contains(said, cases[i][1]);
	}
}

static void it_tells_which_weir_it_is(void **state)
{
	char said[1000], wanted[100];

	(void)state;
	snprintf(wanted, sizeof wanted, "weir %s\n", weir_version());
	assert_int_equal(run("--version", said, sizeof said), 0);
	assert_string_equal(said, wanted);
	assert_string_equal(weir_version(), PROJECT_VERSION);
}

static void wrong_usage_ends_with_two_and_says_what_is_wrong(void **state)
{
	static const char *const cases[][2] = {
		{ "--no-such-option", "no-such-option" },
		{ "something", "\"something\" is not understood" },
		{ "-X commit.interval.ms", "-X wants KEY=VALUE, not \"commit.interval.ms\"" },
		{ "-X commit.interval=1", "commit.interval" },
		{ "-X commit.interval.ms=soon", "soon" },
		{ "--describe=poem", "not \"poem\"" },
		{ "--create-topics=0", "not \"0\"" },
		{ "--create-topics=4x", "not \"4x\"" },
		{ "-c /no/such/file", "/no/such/file" },
		{ "-X application.id=", "application.id" },
	};
	char said[32768];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		int code = run(cases[i][0], said, sizeof said);

		if (code != 2)
			fail_msg("%s: ended with %d and \"%s\"", cases[i][0], code, said);
		assert_contains(said, cases[i][1]);
	}
}

static void settings_come_from_a_file_too_and_the_command_line_is_stronger(void **state)
{
	char path[] = "/tmp/weir-main-XXXXXX", arguments[200], said[32768];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "num.stream.threads = 31\nquery.timeout.ms = 77s\n", 47), 47);
	close(fd);
	snprintf(arguments, sizeof arguments, "-X num.stream.threads=32 -c %s --config", path);
	assert_int_equal(run(arguments, said, sizeof said), 0);
	assert_contains(said, "32");
	assert_contains(said, "77");
	assert_null(strstr(said, " 31 "));
	unlink(path);
}

static char told[200];

static void note_state(weir_app *app, weir_app_state now, weir_app_state before, void *user)
{
	weir_error err;
	size_t n = strlen(told);

	assert_string_equal(user, "mine");
	snprintf(told + n, sizeof told - n, "%s>%s ", weir_app_state_name(before), weir_app_state_name(now));
	if (weir_app_state_get(app, &err) == WEIR_APP_ERROR && now == WEIR_APP_ERROR)
		assert_contains(err.message, "/proc/none");
}

static weir_topology *nothing_much(void)
{
	weir_topology *t = weir_topology_new("app");

	weir_sink(text_source(t, "in"), "out", (weir_sink_opts){ 0 });
	return t;
}

static void a_program_may_bring_its_own_listener(void **state)
{
	char program[] = "program", b[] = "-b", nowhere[] = "127.0.0.1:1", x[] = "-X",
	     dir[] = "state.dir=/proc/none";
	char *arguments[] = { program, b, nowhere, x, dir, NULL }, mine[] = "mine";
	weir_app_opts opts = { .listener = { .state = note_state, .user = mine } };

	(void)state;
	assert_int_equal(weir_main_with(5, arguments, nothing_much, opts), 1);
	assert_string_equal(told, "CREATED>ERROR ");
	weir_log_set(NULL, NULL, WEIR_LOG_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_can_say_without_a_broker_it_says),
		cmocka_unit_test(it_tells_which_weir_it_is),
		cmocka_unit_test(wrong_usage_ends_with_two_and_says_what_is_wrong),
		cmocka_unit_test(a_program_may_bring_its_own_listener),
		cmocka_unit_test(settings_come_from_a_file_too_and_the_command_line_is_stronger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
