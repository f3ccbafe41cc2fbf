/* The table shown to people: as text and as Markdown. */
#include <string.h>
#include <strings.h>

#include "framework/base/alloc.h"
#include "framework/base/config_table.h"

/* One line of the text form. */
struct row {
	const char *cells[5];
	const char *name_prefix;
};
#define ALIGNED 4 /* the last cell, the meaning, is of any length */

static const char *source_name(weir_config_source source, const char *where)
{
	static const char *const names[] = { "default", "file", "environment", "command line" };

	return where ? where : names[source];
}

bool weir__config_pair_secret(const char *name)
{
	return strcasestr(name, "password") || strcasestr(name, "secret") ||
	       strcasestr(name, "oauthbearer.config") || strcasecmp(name, "ssl.key.pem") == 0;
}

static struct row row_of_entry(const struct config_entry *entry)
{
	const weir_config_key *key = entry->key;
	const char *value = weir__config_text(entry);
	const char *def = key->def ? key->def : "-";

	return (struct row){ { key->name,
			       !value        ? "-"
			       : key->secret ? "***"
					     : value,
			       source_name(entry->source, entry->where), key->secret && key->def ? "***" : def,
			       key->help },
			     "" };
}

static struct row row_of_pair(const struct config_pair *pair)
{
	return (struct row){ { pair->name, weir__config_pair_secret(pair->name) ? "***" : pair->value,
			       source_name(pair->source, pair->where), "-", "Handed to librdkafka as it is." },
			     CONFIG_KAFKA_PREFIX };
}

static struct row row_at(const weir_config *cfg, size_t i)
{
	if (i == 0)
		return (struct row){ { "KEY", "VALUE", "FROM", "DEFAULT", "MEANING" }, "" };
	i--;
	return i < cfg->count ? row_of_entry(&cfg->entries[i]) : row_of_pair(&cfg->pairs[i - cfg->count]);
}

void weir_config_print(const weir_config *cfg, FILE *to)
{
	size_t rows = 1 + cfg->count + cfg->pair_count;
	int widths[ALIGNED] = { 0 };

	for (size_t i = 0; i < rows; i++) {
		struct row row = row_at(cfg, i);

		for (size_t c = 0; c < ALIGNED; c++) {
			int width = (int)(strlen(row.cells[c]) + (c == 0 ? strlen(row.name_prefix) : 0));
			if (width > widths[c])
				widths[c] = width;
		}
	}
	for (size_t i = 0; i < rows; i++) {
		struct row row = row_at(cfg, i);

		fprintf(to, "%s%-*s  %-*s  %-*s  %-*s  %s\n", row.name_prefix,
			widths[0] - (int)strlen(row.name_prefix), row.cells[0], widths[1], row.cells[1], widths[2],
			row.cells[2], widths[3], row.cells[3], row.cells[4]);
	}
}

static void print_cell(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', to);
		fputc(*text, to);
	}
}

void weir_config_print_markdown(const weir_config *cfg, FILE *to)
{
	char type[200];

	fputs("| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n", to);
	for (size_t i = 0; i < cfg->count; i++) {
		const weir_config_key *key = cfg->entries[i].key;

		weir__config_describe_type(key, false, type, sizeof type);
		fprintf(to, "| `%s` | %s | ", key->name, type);
		if (key->def && *key->def) {
			fputc('`', to);
			print_cell(to, key->def);
			fputc('`', to);
		}
		fputs(key->def && *key->def ? " | " : "| ", to);
		print_cell(to, key->help);
		fputs(" |\n", to);
	}
}
