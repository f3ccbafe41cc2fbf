/* evilnet: one program, a command for each part. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/version.h>

#include "apps/evilnet/process.h"

static volatile sig_atomic_t stop_flag, watched_flag;

/* The first one lets the program finish what it has in hand; the second one does not wait, nor does the first while
 * the program still starts. Nothing is lost either way: an open transaction is aborted by the broker. */
static void on_signal(int number)
{
	if (stop_flag || !watched_flag)
		_exit(128 + number);
	stop_flag = 1;
}

/* --- commands
 * ------------------------------------------------------------------------------------------------------ */

struct command {
	const char *name;
	int (*run)(struct evilnet *e); /* NULL: needs no cluster, see main */
	const char *options;           /* letters of the options it takes besides the common ones */
	const char *help;
};

enum {
	OPT_SOURCE = 256,
	OPT_RATE,
	OPT_SEED,
	OPT_SPEED,
	OPT_SINCE,
	OPT_FORMAT,
	OPT_YES,
	OPT_EXIT_AT_END,
	OPT_MARKDOWN
};

static const struct command commands[] = {
	{ "demo", evilnet_demo, "rs",
	  "everything in one process: embedded broker, simulated posts, dashboard on :8080" },
	{ "ingest", evilnet_ingest, "Srspe",
	  "X, a file or the simulator into Kafka (--source x|file:PATH|-|simulate)" },
	{ "process", evilnet_process, "e", "the topology; run as many as wanted" },
	{ "serve", evilnet_serve, "", "the dashboard over MySQL" },
	{ "run", evilnet_run, "e", "process and serve in one process" },
	{ "reprocess", evilnet_reprocess, "ie", "recompute the past from Kafka and replace the rows (--since 1h)" },
	{ "reset", evilnet_reset, "y", "clean start: deletes topics, group, state and rows of this application" },
	{ "topology", NULL, "f", "print the topology (--format text|dot|mermaid|json)" },
	{ "config", NULL, "m", "every key, its default, its meaning, its present value and where that came from" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* A long option that stands for a key, or for a flag of its own. */
struct choice {
	const char *name;
	int value;
	char letter; /* in command.options; 0 = every command takes it */
	const char *key;
	const char *argument;
	const char *help;
};

static const struct choice choices[] = {
	{ "bootstrap-servers", 'b', 0, "bootstrap.servers", "HOST:PORT", "brokers to ask first" },
	{ "config-file", 'c', 0, NULL, "FILE", "read `key = value` lines" },
	{ "set", 'X', 0, NULL, "KEY=VALUE", "any key of `evilnet config`; kafka.* goes to librdkafka" },
	{ "help", 'h', 0, NULL, NULL, "this text" },
	{ "source", OPT_SOURCE, 'S', "evilnet.source", "SOURCE", "x, file:PATH, - (standard input) or simulate" },
	{ "rate", OPT_RATE, 'r', "evilnet.simulate.rate", "N", "simulated posts a second" },
	{ "seed", OPT_SEED, 's', "evilnet.simulate.seed", "N", "the same seed makes the same posts" },
	{ "speed", OPT_SPEED, 'p', "evilnet.replay.speed", "N", "replay a file at N times its event-time pace" },
	{ "exit-at-end", OPT_EXIT_AT_END, 'e', NULL, NULL,
	  "stop once what was there at the start is done and committed" },
	{ "since", OPT_SINCE, 'i', "evilnet.reprocess.since", "DURATION", "how far back (15m, 1h, 2d)" },
	{ "yes", OPT_YES, 'y', "evilnet.reset.yes", NULL, "do not ask" },
	{ "format", OPT_FORMAT, 'f', NULL, "FORMAT", "text, dot, mermaid or json" },
	{ "markdown", OPT_MARKDOWN, 'm', NULL, NULL, "as a table for documents" },
};
enum { CHOICES = sizeof choices / sizeof *choices };

struct arguments {
	const struct command *command;
	weir_format format;
	bool exit_at_end, help, markdown;
};

static bool takes(const struct command *command, const struct choice *c)
{
	return !c->letter || (command && strchr(command->options, c->letter));
}

static void usage(const struct command *command, FILE *to)
{
	if (command) {
		fprintf(to, "usage: evilnet %s [options]\n\n%s\n\n", command->name, command->help);
	} else {
		fprintf(to, "usage: evilnet COMMAND [options]\n       evilnet --version\n\n");
		for (size_t i = 0; i < COMMANDS; i++)
			fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
		fprintf(to, "\n`evilnet COMMAND --help` tells the options of a command. Common to all:\n\n");
	}
	for (size_t i = 0; i < CHOICES; i++) {
		char name[64];

		if (!takes(command, &choices[i]))
			continue;
		snprintf(name, sizeof name, "--%s %s", choices[i].name,
			 choices[i].argument ? choices[i].argument : "");
		fprintf(to, "  %c%c%s %-30s %s\n", choices[i].value < 256 ? '-' : ' ',
			choices[i].value < 256 ? choices[i].value : ' ', choices[i].value < 256 ? "," : " ", name,
			choices[i].help);
	}
	fprintf(to, "\nEnvironment: WEIR_ and a key in capitals with underscores (WEIR_EVILNET_WINDOW=5m).\n"
		    "Later wins: default, file, environment, command line. Exit codes: 0 done, 1 failed, 2 wrong "
		    "usage.\n");
}

static bool parse_format(const char *text, weir_format *format, weir_error *err)
{
	static const char *const names[] = { "text", "dot", "mermaid", "json" };

	for (int i = 0; i < 4; i++)
		if (strcmp(text, names[i]) == 0) {
			*format = (weir_format)i;
			return true;
		}
	return weir_fail(err, WEIR_USAGE, "--format is text, dot, mermaid or json, not \"%s\"", text);
}

static bool set_pair(weir_config *cfg, const char *pair, weir_error *err)
{
	const char *equals = strchr(pair, '=');
	char name[200];

	if (!equals || (size_t)(equals - pair) >= sizeof name)
		return weir_fail(err, WEIR_USAGE, "-X wants KEY=VALUE, not \"%s\"", pair);
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	return weir_config_set(cfg, name, equals + 1, WEIR_FROM_COMMAND_LINE, "-X", err);
}

static bool apply(struct evilnet *e, struct arguments *a, const struct choice *c, const char *value,
		  weir_error *err)
{
	switch (c->value) {
	case 'c':
		return weir_config_load_file(e->cfg, value, err);
	case 'X':
		return set_pair(e->cfg, value, err);
	case 'h':
		a->help = true;
		return true;
	case OPT_EXIT_AT_END:
		a->exit_at_end = true;
		return true;
	case OPT_MARKDOWN:
		a->markdown = true;
		return true;
	case OPT_FORMAT:
		return parse_format(value, &a->format, err);
	default:
		return weir_config_set(e->cfg, c->key, value ? value : "true", WEIR_FROM_COMMAND_LINE, c->name,
				       err);
	}
}

static bool parse(int argc, char **argv, struct evilnet *e, struct arguments *a, weir_error *err)
{
	struct option options[CHOICES + 1] = { 0 };
	int value;

	for (size_t i = 0; i < CHOICES; i++)
		options[i] =
			(struct option){ choices[i].name, choices[i].argument ? required_argument : no_argument,
					 NULL, choices[i].value };
	while ((value = getopt_long(argc, argv, "b:c:X:h", options, NULL)) != -1) {
		const struct choice *c = NULL;

		for (size_t i = 0; i < CHOICES; i++)
			if (choices[i].value == value)
				c = &choices[i];
		if (!c)
			return weir_fail(err, WEIR_USAGE, "see evilnet %s --help", a->command->name);
		if (!takes(a->command, c))
			return weir_fail(err, WEIR_USAGE, "%s does not take --%s; see evilnet %s --help",
					 a->command->name, c->name, a->command->name);
		if (!apply(e, a, c, optarg, err))
			return false;
	}
	if (optind < argc)
		return weir_fail(err, WEIR_USAGE, "\"%s\" is not understood; see evilnet %s --help", argv[optind],
				 a->command->name);
	return weir_config_load_env(e->cfg, err);
}

/* --- configuration
 * -------------------------------------------------------------------------------------------------- */

bool evilnet_config_is_set(const weir_config *cfg, const char *name)
{
	const char *where;

	return weir_config_source_of(cfg, name, &where) != WEIR_FROM_DEFAULT;
}

bool evilnet_config_default(weir_config *cfg, const char *name, const char *value, weir_error *err)
{
	return evilnet_config_is_set(cfg, name) ||
	       weir_config_set(cfg, name, value, WEIR_FROM_DEFAULT, "evilnet", err);
}

static int print_topology(struct evilnet *e, weir_format format)
{
	struct evilnet_cities options;
	weir_error err;
	weir_topology *t = evilnet_cities(e->cfg, &options, &err);

	if (!t) {
		fprintf(stderr, "evilnet: %s\n", err.message);
		return EVILNET_USAGE;
	}
	weir_topology_describe(t, format, stdout);
	weir_topology_free(t);
	return EVILNET_DONE;
}

static int run(struct evilnet *e, const struct arguments *a)
{
	weir_log_level level = WEIR_LOG_INFO;
	struct sigaction action = { .sa_handler = on_signal };

	if (a->help) {
		usage(a->command, stdout);
		return EVILNET_DONE;
	}
	if (!a->command->run) {
		if (a->command == &commands[COMMANDS - 2])
			return print_topology(e, a->format);
		if (a->markdown)
			weir_config_print_markdown(e->cfg, stdout);
		else
			weir_config_print(e->cfg, stdout);
		return EVILNET_DONE;
	}
	weir_log_level_parse(weir_config_string(e->cfg, "log.level"), &level);
	weir_log_set(weir_log_stderr, NULL, level);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	e->exit_at_end = a->exit_at_end;
	return a->command->run(e);
}

/* What is done where no command is named. */
static int without_command(const char *name)
{
	bool asked = name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0);

	if (name && strcmp(name, "--version") == 0) {
		printf("evilnet %s\n", weir_version());
		return EVILNET_DONE;
	}
	if (name && !asked)
		fprintf(stderr, "evilnet: there is no command \"%s\"\n", name);
	usage(NULL, asked ? stdout : stderr);
	return asked ? EVILNET_DONE : EVILNET_USAGE;
}

int main(int argc, char **argv)
{
	struct evilnet e = { .cfg = weir_config_new(), .stop = &stop_flag, .watched = &watched_flag };
	struct arguments a = { .format = WEIR_TEXT };
	const char *name = argc > 1 ? argv[1] : NULL;
	weir_error err;
	int code = EVILNET_USAGE;

	for (size_t i = 0; name && i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			a.command = &commands[i];
	if (!a.command) {
		weir_config_free(e.cfg);
		return without_command(name);
	}
	static char program[] = "evilnet";

	argv[1] = program; /* what getopt's messages begin with */
	evilnet_config_keys(e.cfg);
	if (evilnet_config_default(e.cfg, "application.id", "evilnet", &err) &&
	    parse(argc - 1, argv + 1, &e, &a, &err))
		code = run(&e, &a);
	else
		fprintf(stderr, "evilnet: %s\n", err.message);
	weir_config_free(e.cfg);
	return code;
}
