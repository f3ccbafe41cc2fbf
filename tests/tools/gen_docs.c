/*
 * Writes the documents that are made from tables in the code, or with --check says whether they are as they should
 * be.
 *
 *   gen-docs [--check] FOLDER
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/config.h>
#include <weir/metrics.h>

#include "framework/runtime/runtime.h"
#ifdef WITH_EVILNET
#include "apps/evilnet/evilnet.h"
#include "apps/evilnet/ingest_stats.h"
#include "apps/evilnet/sink_metrics.h"
#endif

static const char config_intro[] =
	"# Configuration\n"
	"\n"
	"This page is made from the tables in the code (`cmake --build build/dev --target docs`); a test keeps it "
	"so.\n"
	"\n"
	"A key is set, from weakest to strongest, by its default, a file (`key = value` lines, `#` and `;` begin\n"
	"comment lines), the environment (`WEIR_` and the key in capitals with `_` for `.`: "
	"`WEIR_COMMIT_INTERVAL_MS`;\n"
	"an empty variable counts as unset) or the command line. Unknown keys and bad values are errors that say "
	"where.\n"
	"\n"
	"A duration is a number with `ms`, `s`, `m`, `h` or `d`, or without for milliseconds. A size is a number "
	"with\n"
	"`k`, `m` or `g` (powers of 1024), or without for bytes. Keys that begin with `kafka.` go to librdkafka "
	"without\n"
	"that prefix (`kafka.security.protocol = ssl`).\n";

/* The rows of cfg's table from row `first` on (0 = all). Returns how many rows the whole table has. */
static int write_table(const weir_config *cfg, int first, FILE *to)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	int row = -2; /* two lines of heading */

	weir_config_print_markdown(cfg, memory);
	fclose(memory);
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line; row++)
		if (row < 0 || row >= first)
			fprintf(to, "%s\n", line);
	free(text);
	return row;
}

static void write_config(FILE *to)
{
	weir_config *cfg = weir_config_new();

	fputs(config_intro, to);
	fputs("\n## weir\n\n", to);
	int rows = write_table(cfg, 0, to);
#ifdef WITH_EVILNET
	evilnet_config_keys(cfg);
	fputs("\n## EvilNet\n\n", to);
	write_table(cfg, rows, to);
#else
	(void)rows;
#endif
	weir_config_free(cfg);
}

static const char metrics_intro[] =
	"# Metrics\n"
	"\n"
	"This page is made from the tables in the code (`cmake --build build/dev --target docs`); a test keeps it "
	"so.\n"
	"\n"
	"`GET /metrics` gives them in Prometheus' text format: `evilnet run` and `demo` always, `ingest` and\n"
	"`process` where `web.port` is set (the page of `serve` alone is empty). Counters begin at 0 with the\n"
	"process. A histogram has a bucket each doubling. `worker` is the number of a thread of that instance,\n"
	"from 0.\n"
	"\n"
	"Processors can have metrics of their own beside these (`weir_task_counter` and its like in\n"
	"`<weir/processor.h>`): one series a task, with the labels `task` (`2_0`: sub-topology and partition) and, "
	"if\n"
	"they want it, `step`. A series goes when its task leaves the instance.\n";

static void write_metrics_of(const char *title, const char *where, void (*describe)(weir_metrics *m), FILE *to)
{
	weir_metrics *m = weir_metrics_new();

	describe(m);
	fprintf(to, "\n## %s\n\n%s\n\n", title, where);
	weir_metrics_print_markdown(m, to);
	weir_metrics_free(m);
}

static void write_metrics(FILE *to)
{
	fputs(metrics_intro, to);
	write_metrics_of("weir", "Of every application (`weir_app_metrics`).", weir__metrics_describe, to);
#ifdef WITH_EVILNET
	write_metrics_of("EvilNet: the sink into MySQL", "Of `process` and `run`, where MySQL is configured.",
			 sink_metrics_describe, to);
	write_metrics_of("EvilNet: ingest", "Of `ingest`.", ingest_stats_describe, to);
#endif
}

static const struct document {
	const char *name;
	void (*write)(FILE *to);
} documents[] = {
	{ "config.md", write_config },
	{ "metrics.md", write_metrics },
};

static char *wanted_text(const struct document *d)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	d->write(memory);
	fclose(memory);
	return text;
}

static bool is_current(const char *path, const char *wanted)
{
	FILE *file = fopen(path, "r");
	bool same = file != NULL;

	for (const char *w = wanted; same; w++) {
		int c = getc(file);

		same = c == (*w ? (unsigned char)*w : EOF);
		if (!*w)
			break;
	}
	if (file)
		fclose(file);
	if (!same)
		fprintf(stderr, "%s is out of date: cmake --build <folder> --target docs\n", path);
	return same;
}

static bool write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool ok = file && fputs(text, file) >= 0;

	ok = file && fclose(file) == 0 && ok;
	if (!ok)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return ok;
}

int main(int argc, char **argv)
{
	bool check = argc == 3 && strcmp(argv[1], "--check") == 0, ok = true;

	if (argc != 2 + check) {
		fputs("usage: gen-docs [--check] FOLDER\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		char path[4096];
		char *text = wanted_text(&documents[i]);

		snprintf(path, sizeof path, "%s/%s", argv[1 + check], documents[i].name);
		ok = (check ? is_current(path, text) : write_file(path, text)) && ok;
		free(text);
	}
	return !ok;
}
