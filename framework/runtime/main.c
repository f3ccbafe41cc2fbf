/* weir_main: a whole program around one topology. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/version.h>

#include "framework/runtime/runtime.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, STOP_TIMEOUT_MS = 30000 };

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	/* The second one does not wait: an open transaction is left to its time-out, nothing is lost. */
	if (++signals > 1)
		_exit(128 + number);
}

static void usage(const char *program, FILE *to)
{
	fprintf(to,
		"usage: %s [-b HOST:PORT] [-c FILE] [-X KEY=VALUE]... [--exit-at-end]\n"
		"       %s --describe[=text|dot|mermaid|json] | --config | --version | --help\n\n"
		"  -b, --bootstrap-servers HOST:PORT  brokers to ask first\n"
		"  -c, --config-file FILE             key = value lines\n"
		"  -X KEY=VALUE                       any key; kafka.* goes to librdkafka\n"
		"      --create-topics[=PARTITIONS]   make the topics that it reads and writes, where they are "
		"missing\n"
		"      --exit-at-end                  stop once what is there at the start is processed and "
		"committed\n"
		"      --describe[=FORMAT]            print the topology\n"
		"      --config                       print every key, its value and where that comes from\n"
		"      --version                      print which weir it is\n\n"
		"Environment: WEIR_ and the key in capitals with underscores (WEIR_APPLICATION_ID).\n"
		"Later wins: default, file, environment, command line.\n",
		program, program);
}

struct arguments {
	weir_config *cfg;
	bool exit_at_end, describe, print_config, version, help;
	int32_t create_partitions; /* of topics that are missing; 0 = make none */
	weir_format format;
	weir_app_opts opts;
};

static bool set_pair(weir_config *cfg, const char *pair, weir_error *err)
{
	const char *equals = strchr(pair, '=');
	char name[200];

	if (!equals || (size_t)(equals - pair) >= sizeof name)
		return weir_fail(err, WEIR_USAGE, "-X wants KEY=VALUE, not \"%s\"", pair);
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	return weir_config_set(cfg, name, equals + 1, WEIR_FROM_COMMAND_LINE, "-X", err);
}

static bool parse_format(const char *text, weir_format *format, weir_error *err)
{
	static const char *const names[] = { "text", "dot", "mermaid", "json" };

	for (int i = 0; i < 4; i++)
		if (!text || strcmp(text, names[i]) == 0) {
			*format = (weir_format)i;
			return true;
		}
	return weir_fail(err, WEIR_USAGE, "--describe knows text, dot, mermaid and json, not \"%s\"", text);
}

static bool parse_partitions(const char *text, int32_t *partitions, weir_error *err)
{
	char *end;
	long n = text ? strtol(text, &end, 10) : 1;

	if (n < 1 || n > 10000 || (text && *end))
		return weir_fail(err, WEIR_USAGE, "--create-topics wants a number of partitions, not \"%s\"", text);
	*partitions = (int32_t)n;
	return true;
}

static bool parse(int argc, char **argv, struct arguments *a, weir_error *err)
{
	static const struct option options[] = {
		{ "bootstrap-servers", required_argument, NULL, 'b' },
		{ "config-file", required_argument, NULL, 'c' },
		{ "create-topics", optional_argument, NULL, 't' },
		{ "exit-at-end", no_argument, NULL, 'e' },
		{ "describe", optional_argument, NULL, 'd' },
		{ "config", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "b:c:X:h", options, NULL)) != -1)
		switch (c) {
		case 'b':
			ok = weir_config_set(a->cfg, "bootstrap.servers", optarg, WEIR_FROM_COMMAND_LINE, "-b",
					     err);
			break;
		case 'c':
			ok = weir_config_load_file(a->cfg, optarg, err);
			break;
		case 'X':
			ok = set_pair(a->cfg, optarg, err);
			break;
		case 't':
			ok = parse_partitions(optarg, &a->create_partitions, err);
			break;
		case 'e':
			a->exit_at_end = true;
			break;
		case 'd':
			a->describe = true;
			ok = parse_format(optarg, &a->format, err);
			break;
		case 'p':
			a->print_config = true;
			break;
		case 'v':
			a->version = true;
			break;
		case 'h':
			a->help = true;
			break;
		default:
			return weir_fail(err, WEIR_USAGE, "see --help");
		}
	if (ok && optind < argc)
		return weir_fail(err, WEIR_USAGE, "\"%s\" is not understood; see --help", argv[optind]);
	return ok && weir_config_load_env(a->cfg, err);
}

static bool create_topics(const struct arguments *a, weir_topology *t, weir_cluster *cluster, weir_error *err)
{
	const char *dead_letters = weir_config_string(a->cfg, "errors.dead.letter.queue.topic.name");
	weir_topic_spec like = { .partitions = a->create_partitions,
				 .replication = (int16_t)weir_config_int(a->cfg, "replication.factor") };

	return !a->create_partitions || weir__topics_create_external(t, cluster, dead_letters, like, err);
}

/* Who asks all instances to stop waits for them: a round of the group may last as long as a session. */
static int64_t stop_timeout_ms(const weir_app *app)
{
	return STOP_TIMEOUT_MS + (atomic_load(&app->leaves) ? app->settings.session_timeout_ms : 0);
}

static int run(const char *program, struct arguments *a, weir_topology *t)
{
	weir_error err = { .code = WEIR_OK };
	weir_cluster *cluster = weir_cluster_open(a->cfg, &err);
	bool ready = cluster && create_topics(a, t, cluster, &err);
	weir_app *app = ready ? weir_app_new(t, a->cfg, cluster, a->opts, &err) : NULL;
	bool ok = app && weir_app_start(app, &err);

	while (ok && !signals && weir_app_state_get(app, &err) != WEIR_APP_ERROR) {
		if (a->exit_at_end && weir_app_caught_up(app))
			break;
		usleep(100000);
	}
	if (app)
		ok = weir_app_stop(app, stop_timeout_ms(app), ok ? &err : NULL) && ok;
	if (!ok)
		fprintf(stderr, "%s: %s\n", program, err.message);
	if (app && !weir_app_ended(app))
		_exit(FAILED); /* a worker may still use all of it */
	weir_app_free(app);
	weir_cluster_free(cluster);
	return ok ? DONE : err.code == WEIR_CONFIG ? USAGE : FAILED;
}

static int with_config(const char *program, struct arguments *a, weir_topology *t)
{
	weir_error err;
	weir_log_level level = WEIR_LOG_INFO;
	struct sigaction action = { .sa_handler = on_signal };

	if (a->print_config) {
		weir_config_print(a->cfg, stdout);
		return DONE;
	}
	if (a->describe) {
		weir_topology_describe(t, a->format, stdout);
		if (weir_topology_check(t, &err))
			return DONE;
		fprintf(stderr, "%s: %s\n", program, err.message);
		return USAGE;
	}
	if (!weir_config_check(a->cfg, &err) || !weir_topology_check(t, &err)) {
		fprintf(stderr, "%s: %s\n", program, err.message);
		return USAGE;
	}
	weir_log_level_parse(weir_config_string(a->cfg, "log.level"), &level);
	weir_log_set(weir_log_stderr, NULL, level);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return run(program, a, t);
}

int weir_main_with(int argc, char **argv, weir_build_fn *build, weir_app_opts opts)
{
	weir_assert(build && "weir_main is given a function that builds the topology");
	struct arguments a = { .cfg = weir_config_new(), .opts = opts };
	weir_topology *t = build();
	weir_error err;
	int code = USAGE;

	weir__graph_add_keys(t, a.cfg);
	if (!weir_config_set(a.cfg, "application.id", t->name, WEIR_FROM_DEFAULT, "the topology's name", &err) ||
	    !parse(argc, argv, &a, &err))
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
	else if (a.help)
		usage(argv[0], stdout), code = DONE;
	else if (a.version)
		printf("weir %s\n", weir_version()), code = DONE;
	else
		code = with_config(argv[0], &a, t);
	weir_topology_free(t);
	weir_config_free(a.cfg);
	return code;
}

int weir_main(int argc, char **argv, weir_build_fn *build)
{
	return weir_main_with(argc, argv, build, (weir_app_opts){ 0 });
}
