/*
 * The rules of the house, checked over the whole tree: what may include what, how long things may be, what is not
 * called, what must be documented. A finding reads "file:line: what is wrong".
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COLUMNS_MAX 116
#define FUNCTION_LINES_MAX 70
#define FILE_LINES_MAX 1000

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* A source file twice: as it is, and with comments and the insides of literals blanked out, line by line alike. */
struct file {
	const char *path; /* from the top of the tree */
	char **raw, **code;
	int lines;
};

static FILE *findings;
static int finding_count;

__attribute__((format(printf, 3, 4))) static void complain(const struct file *f, int line, const char *format, ...)
{
	va_list args;

	finding_count++;
	fprintf(findings, "%s:%d: ", f->path, line + 1);
	va_start(args, format);
	vfprintf(findings, format, args);
	va_end(args);
	fputc('\n', findings);
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* --- lines ---------------------------------------------------------------------------------------------------- */

static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++) {
		if (*s == '\t')
			n += 8 - n % 8;
		else if (((unsigned char)*s & 0xc0) != 0x80) /* of a UTF-8 character the first byte counts */
			n++;
	}
	return n;
}

static void check_lines(const struct file *f)
{
	for (int i = 0; i < f->lines; i++) {
		const char *s = f->raw[i];
		size_t n = strlen(s);

		if (columns(s) > COLUMNS_MAX)
			complain(f, i, "%d columns; %d is the limit", columns(s), COLUMNS_MAX);
		if (n && isspace((unsigned char)s[n - 1]))
			complain(f, i, "white space at the end of the line");
		if (s[0] == ' ' && s[1] != '*')
			complain(f, i, "indented with spaces; tabs are the rule");
	}
	if (f->lines > FILE_LINES_MAX)
		complain(f, f->lines - 1, "%d lines; %d is the limit for a file", f->lines, FILE_LINES_MAX);
}

static void check_functions(const struct file *f)
{
	int name = 0, open = -1;

	for (int i = 0; i < f->lines; i++) {
		const char *s = f->code[i];

		if (isalpha((unsigned char)s[0]) && strchr(s, '('))
			name = i;
		if (strcmp(s, "{") == 0)
			open = i;
		if (s[0] != '}' || open < 0)
			continue;
		if (i - open - 1 > FUNCTION_LINES_MAX)
			complain(f, name, "a function of %d lines; %d is the limit", i - open - 1,
				 FUNCTION_LINES_MAX);
		open = -1;
	}
}

/* --- words ---------------------------------------------------------------------------------------------------- */

static void check_banned_calls(const struct file *f)
{
	static const char *const banned[] = { "strcpy",   "strcat", "strncat", "sprintf",
					      "vsprintf", "strtok", "gets",    "alloca" };

	for (int i = 0; i < f->lines; i++) {
		for (size_t b = 0; b < LENGTH(banned); b++) {
			const char *line = f->code[i];

			for (const char *at = line; (at = strstr(at, banned[b])); at++) {
				const char *end = at + strlen(banned[b]);

				if ((at == line || !in_name(at[-1])) && end[strspn(end, " ")] == '(')
					complain(f, i, "%s is banned", banned[b]);
			}
		}
	}
}

static void check_markers(const struct file *f)
{
	static const char *const markers[] = { "TO"
					       "DO",
					       "FIX"
					       "ME" };

	for (int i = 0; i < f->lines; i++)
		for (size_t m = 0; m < LENGTH(markers); m++)
			if (strstr(f->raw[i], markers[m]))
				complain(f, i, "%s: do it, or say in an issue what is missing", markers[m]);
}

/* --- includes ------------------------------------------------------------------------------------------------- */

/* Who may include whose headers, besides those of the own folder. Patterns as in fnmatch; * takes slashes too. */
static const struct layer {
	const char *files;
	const char *may[8];
} layers[] = {
	{ "framework/include/weir/*", { NULL } },
	{ "framework/base/*", { NULL } },
	{ "framework/kafka/*", { "framework/base/*" } },
	{ "state/*", { "framework/base/*" } },
	{ "framework/topology/*", { "framework/base/*", "framework/kafka/*", "state/*" } },
	{ "framework/operators/*", { "framework/base/*", "framework/kafka/*", "state/*", "framework/topology/*" } },
	{ "framework/runtime/*",
	  { "framework/base/*", "framework/kafka/*", "state/*", "framework/topology/*", "framework/operators/*" } },
	{ "framework/driver/*",
	  { "framework/base/*", "framework/kafka/*", "state/*", "framework/topology/*", "framework/operators/*",
	    "framework/runtime/*" } },
	{ "schemas/*", { "framework/base/*" } },
	{ "web/*", { "schemas/*", "apps/evilnet/evilnet.h" } },
	{ "apps/*", { "schemas/*", "web/web.h", "apps/evilnet/evilnet.h" } },
	{ "bench/store.c", { "state/store.h" } }, /* measures a part by itself */
	{ "bench/common/port_meter.*", { "framework/kafka/port.h" } }, /* stands in for it */
	{ "bench/*", { "bench/common/*", "schemas/*", "web/web.h", "apps/evilnet/evilnet.h" } },
	{ "tests/*", { "*" } },
};

/* Other people's libraries, and the one place for each. */
static const struct foreign {
	const char *header;
	const char *may[4];
} foreign[] = {
	{ "librdkafka/*", { "framework/kafka/*" } },
	{ "rocksdb/*", { "state/*" } },
	{ "xxhash.h", { "framework/base/*" } },
	{ "msgpack*", { "schemas/*" } },
	{ "jansson.h", { "schemas/*", "web/*", "apps/evilnet/x_*.c" } },
	{ "mysql*", { "apps/evilnet/mysql*.c" } },
	{ "errmsg.h", { "apps/evilnet/mysql*.c" } }, /* MySQL's client */
	{ "mariadb/*", { "apps/evilnet/mysql*.c" } },
	{ "curl/*", { "apps/evilnet/x_http.c" } },
	{ "civetweb.h", { "web/*" } },
	{ "cmocka.h", { NULL } },
};

/* C11 and POSIX. */
static const char *const system_headers =
	" assert ctype dirent dlfcn errno execinfo fcntl float fnmatch ftw getopt glob inttypes limits locale "
	"malloc"
	" math netdb poll pthread pwd regex sched semaphore setjmp signal stdalign stdarg stdatomic stdbool stddef"
	" stdint stdio stdlib string strings termios time unistd wchar ";

static bool matches_any(const char *path, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n && patterns[i]; i++)
		if (fnmatch(patterns[i], path, 0) == 0)
			return true;
	return false;
}

static bool same_folder(const char *a, const char *b)
{
	const char *slash = strrchr(a, '/');

	return slash && strncmp(a, b, (size_t)(slash - a) + 1) == 0 && !strchr(b + (slash - a) + 1, '/');
}

static void check_own_header(const struct file *f, int line, const char *header)
{
	for (size_t i = 0; i < LENGTH(layers); i++) {
		if (fnmatch(layers[i].files, f->path, 0) != 0)
			continue;
		if (!strchr(header, '/'))
			complain(f, line, "\"%s\": include by its path from the top of the tree", header);
		else if (!same_folder(f->path, header) &&
			 !matches_any(header, layers[i].may, LENGTH(layers[i].may)))
			complain(f, line, "%s may not include %s", layers[i].files, header);
		return;
	}
	complain(f, line, "no rule says what this folder may include");
}

static bool is_system_header(const char *header)
{
	static const char *const folders[] = { "sys/*.h", "netinet/*.h", "arpa/*.h", "sanitizer/*.h" };
	char word[64];
	size_t n = strlen(header);

	if (matches_any(header, folders, LENGTH(folders)))
		return true;
	snprintf(word, sizeof word, " %.*s ", (int)n - 2, header);
	return n > 2 && strcmp(header + n - 2, ".h") == 0 && strstr(system_headers, word);
}

static void check_foreign_header(const struct file *f, int line, const char *header)
{
	if (begins(header, "weir/") || is_system_header(header) || begins(f->path, "tests/"))
		return;
	for (size_t i = 0; i < LENGTH(foreign); i++) {
		if (fnmatch(foreign[i].header, header, 0) != 0)
			continue;
		if (!matches_any(f->path, foreign[i].may, LENGTH(foreign[i].may)))
			complain(f, line, "<%s> is not for this file", header);
		return;
	}
	complain(f, line, "<%s> is a header that no rule knows", header);
}

static void check_includes(const struct file *f)
{
	for (int i = 0; i < f->lines; i++) {
		char header[200], end;
		const char *s = f->code[i] + strspn(f->code[i], " \t");

		if (*s != '#' || !begins(s + 1 + strspn(s + 1, " \t"), "include"))
			continue;
		s = f->raw[i];
		if (sscanf(s, " # include \"%199[^\"]%c", header, &end) == 2 && end == '"')
			check_own_header(f, i, header);
		else if (sscanf(s, " # include <%199[^>]%c", header, &end) == 2 && end == '>')
			check_foreign_header(f, i, header);
		else
			complain(f, i, "an include that cannot be read");
	}
}

/* --- documentation -------------------------------------------------------------------------------------------- */

static bool declares_function(const char *code)
{
	static const char *const others[] = { "typedef", "struct", "enum", "union", "extern", "_Static_assert" };

	if (!isalpha((unsigned char)*code) || !strchr(code, '('))
		return false;
	for (size_t i = 0; i < LENGTH(others); i++)
		if (begins(code, others[i]))
			return false;
	return true;
}

/* A comment stands above the function, or above the group of lines without a gap that it is in. */
static bool is_documented(const struct file *f, int line)
{
	for (int i = line - 1; i >= 0 && f->raw[i][0] && f->raw[i][0] != '}'; i--)
		if (begins(f->raw[i], "/*") || begins(f->raw[i], " *"))
			return true;
	return false;
}

static void check_documentation(const struct file *f)
{
	if (fnmatch("framework/include/weir/*.h", f->path, 0) != 0)
		return;
	for (int i = 0; i < f->lines; i++)
		if (declares_function(f->code[i]) && !is_documented(f, i))
			complain(f, i, "a public function without a comment above it");
}

/* --- files ---------------------------------------------------------------------------------------------------- */

/* Blanks out comments and the insides of literals. */
static void blank(char *s)
{
	enum { CODE, LINE, BLOCK, TEXT } in = CODE;
	char quote = 0;

	for (; *s; s++) {
		bool pair_ends = false;

		if (in == CODE && (*s == '"' || *s == '\'')) {
			in = TEXT;
			quote = *s;
			continue;
		}
		if (in == CODE && s[0] == '/' && (s[1] == '*' || s[1] == '/')) {
			in = s[1] == '*' ? BLOCK : LINE;
			*s++ = ' ';
		} else if (in == TEXT && *s == quote) {
			in = CODE;
			continue;
		} else if (in == TEXT && *s == '\\' && s[1] && s[1] != '\n') {
			*s++ = ' ';
		} else if (in == BLOCK && s[0] == '*' && s[1] == '/') {
			*s++ = ' ';
			pair_ends = true;
		} else if (*s == '\n') {
			in = in == BLOCK ? BLOCK : CODE;
			continue;
		}
		if (in != CODE)
			*s = ' ';
		if (pair_ends)
			in = CODE;
	}
}

/* Lines of `text`, which is cut up; the caller frees the array. */
static char **split(char *text, int *count)
{
	char **lines = NULL, *end;

	for (*count = 0; *text; text = end) {
		end = text + strcspn(text, "\n");
		if (*end)
			*end++ = 0;
		lines = realloc(lines, ((size_t)*count + 1) * sizeof *lines);
		assert_non_null(lines);
		lines[(*count)++] = text;
	}
	return lines;
}

static void strip_ends(struct file *f)
{
	for (int i = 0; i < f->lines; i++)
		for (size_t n = strlen(f->code[i]); n && f->code[i][n - 1] == ' '; n--)
			f->code[i][n - 1] = 0;
}

static void check_text(const char *path, const char *text)
{
	char *raw = strdup(text), *code = strdup(text);
	struct file f = { .path = path };
	size_t n = strlen(path);

	blank(code);
	f.raw = split(raw, &f.lines);
	f.code = split(code, &f.lines);
	strip_ends(&f);
	check_markers(&f);
	if (n > 2 && (strcmp(path + n - 2, ".c") == 0 || strcmp(path + n - 2, ".h") == 0)) {
		check_lines(&f);
		check_functions(&f);
		check_banned_calls(&f);
		check_includes(&f);
		check_documentation(&f);
		if (*text && text[strlen(text) - 1] != '\n')
			complain(&f, f.lines - 1, "no line feed at the end of the file");
	}
	free(f.raw), free(f.code), free(raw), free(code);
}

static int files_seen;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char *const ours[] = { "*.c",    "*.h",   "*.inc",  "*.txt",  "*.cmake", "*.sh",
					    "*.js",   "*.css", "*.html", "*.sql",  "*.py",    "*.java",
					    "*.yaml", "*.yml", "*.md",   "*.json", "*.case",  "*.in" };
	const char *name = path + ftw->base;

	if (type == FTW_D)
		return ftw->level && (name[0] == '.' || strcmp(name, "build") == 0) ? FTW_SKIP_SUBTREE
										    : FTW_CONTINUE;
	if (type != FTW_F || !matches_any(name, ours, LENGTH(ours)) || strstr(name, ".min."))
		return FTW_CONTINUE;
	char *text = calloc(1, (size_t)st->st_size + 1);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, (size_t)st->st_size, file), st->st_size);
	fclose(file);
	check_text(path + strlen(SOURCE_DIR "/"), text);
	free(text);
	files_seen++;
	return FTW_CONTINUE;
}

/* --- tests ---------------------------------------------------------------------------------------------------- */

/* What fn finds, as text; the caller frees it. */
static char *collect(void (*fn)(const void *), const void *user)
{
	char *text = NULL;
	size_t size = 0;

	finding_count = 0;
	findings = open_memstream(&text, &size);
	fn(user);
	fclose(findings);
	return text;
}

static void walk(const void *unused)
{
	(void)unused;
	assert_int_equal(nftw(SOURCE_DIR, visit, 16, FTW_PHYS | FTW_ACTIONRETVAL), 0);
}

static void the_whole_tree_keeps_the_rules(void **state)
{
	char *text = collect(walk, NULL);

	(void)state;
	assert_true(files_seen > 40);
	if (finding_count) {
		fputs(text, stderr);
		fail_msg("%d findings", finding_count);
	}
	free(text);
}

struct snippet {
	const char *path, *text, *finding; /* NULL = none */
};

static void check_snippet(const void *user)
{
	const struct snippet *s = user;

	check_text(s->path, s->text);
}

static void expect(struct snippet s)
{
	char *text = collect(check_snippet, &s);

	if (s.finding ? strcmp(text, s.finding) != 0 : finding_count != 0)
		fail_msg("%s\ngave \"%s\", wanted \"%s\"", s.text, text, s.finding ? s.finding : "");
	free(text);
}

static void each_rule_finds_what_breaks_it(void **state)
{
	static const struct snippet bad[] = {
		{ "state/a.c", "\n#include \"framework/kafka/port.h\"\n",
		  "state/a.c:2: state/* may not include framework/kafka/port.h\n" },
		{ "framework/kafka/a.c", "#include \"state/store.h\"\n",
		  "framework/kafka/a.c:1: framework/kafka/* may not include state/store.h\n" },
		{ "framework/base/a.c", "#include \"framework/runtime/worker.h\"\n",
		  "framework/base/a.c:1: framework/base/* may not include framework/runtime/worker.h\n" },
		{ "framework/operators/a.c", "#include \"framework/runtime/worker.h\"\n",
		  "framework/operators/a.c:1: framework/operators/* may not include framework/runtime/worker.h\n" },
		{ "framework/include/weir/a.h", "#include \"framework/base/alloc.h\"\n",
		  "framework/include/weir/a.h:1: framework/include/weir/* may not include "
		  "framework/base/alloc.h\n" },
		{ "apps/evilnet/a.c", "#include \"framework/base/alloc.h\"\n",
		  "apps/evilnet/a.c:1: apps/* may not include framework/base/alloc.h\n" },
		{ "web/a.c", "#include \"apps/evilnet/util.h\"\n",
		  "web/a.c:1: web/* may not include apps/evilnet/util.h\n" },
		{ "state/a.c", "#include \"store.h\"\n",
		  "state/a.c:1: \"store.h\": include by its path from the top of the tree\n" },
		{ "elsewhere/a.c", "#include \"state/store.h\"\n",
		  "elsewhere/a.c:1: no rule says what this folder may include\n" },
		{ "state/a.c", "#  include <librdkafka/rdkafka.h>\n",
		  "state/a.c:1: <librdkafka/rdkafka.h> is not for this file\n" },
		{ "apps/evilnet/topology.c", "#include <mysql.h>\n",
		  "apps/evilnet/topology.c:1: <mysql.h> is not for this file\n" },
		{ "framework/base/a.c", "#include <cmocka.h>\n",
		  "framework/base/a.c:1: <cmocka.h> is not for this file\n" },
		{ "framework/base/a.c", "#include <boost.h>\n",
		  "framework/base/a.c:1: <boost.h> is a header that no rule knows\n" },
		{ "framework/base/a.c", "#include MACRO\n",
		  "framework/base/a.c:1: an include that cannot be read\n" },
		{ "framework/base/a.c", "void f(void)\n{\n\tstrcpy (a, b);\n}\n",
		  "framework/base/a.c:3: strcpy is banned\n" },
		{ "tests/unit/a.c", "int n = gets(sprintf(x));\n",
		  "tests/unit/a.c:1: sprintf is banned\ntests/unit/a.c:1: gets is banned\n" },
		{ "a.md",
		  "one\nTO"
		  "DO: two\n",
		  "a.md:2: TO"
		  "DO: do it, or say in an issue what is missing\n" },
		{ "state/a.c",
		  "/* FIX"
		  "ME */\n",
		  "state/a.c:1: FIX"
		  "ME: do it, or say in an issue what is missing\n" },
		{ "state/a.c", "int a; \n", "state/a.c:1: white space at the end of the line\n" },
		{ "state/a.c", "int a;\r\n", "state/a.c:1: white space at the end of the line\n" },
		{ "state/a.c", "    int a;\n", "state/a.c:1: indented with spaces; tabs are the rule\n" },
		{ "state/a.c", "int a;", "state/a.c:1: no line feed at the end of the file\n" },
		{ "framework/include/weir/a.h", "/** Yes. */\nint a(void);\n\nint b(int x,\n\tint y);\n",
		  "framework/include/weir/a.h:4: a public function without a comment above it\n" },
		{ "framework/include/weir/a.h",
		  "/** Yes. */\nstruct a {\n\tint b;\n};\nstatic inline int b(void)\n{\n}\n",
		  "framework/include/weir/a.h:5: a public function without a comment above it\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++)
		expect(bad[i]);
}

static void what_keeps_the_rules_is_not_found(void **state)
{
	static const struct snippet good[] = {
		{ "state/a.c", "#include \"state/store.h\"\n#include <rocksdb/c.h>\n#include <weir/bytes.h>\n",
		  NULL },
		{ "framework/runtime/a.c", "#include \"framework/operators/count.h\"\n#include <sys/stat.h>\n",
		  NULL },
		{ "apps/evilnet/mysql_sink.c", "#include <mysql.h>\n#include \"web/web.h\"\n", NULL },
		{ "tests/unit/a.c", "#include <cmocka.h>\n#include \"state/store.h\"\n", NULL },
		{ "state/a.c", "/* strcpy(a, b) */ const char *s = \"strcpy(\\\"\"; // gets(x)\nint c = '\"';\n",
		  NULL },
		{ "state/a.c", "strtok_r(a, b, c);\nmy_gets(x);\nsnprintf(a);\n", NULL },
		{ "state/a.c", "/*\n * #include \"x.h\"\n */\n", NULL },
		{ "framework/include/weir/a.h",
		  "/** Both. */\nint a(void);\nint b(int x,\n\tint y);\ntypedef int c(void);\n#define D(x) f(x)\n",
		  NULL },
		{ "state/a.h", "int undocumented(void);\n", NULL },
		{ "state/a.c", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(good); i++)
		expect(good[i]);
}

/* `head`, n times `line`, `tail`; the caller frees it. */
static char *repeat(const char *head, const char *line, int n, const char *tail)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	fputs(head, to);
	while (n--)
		fputs(line, to);
	fputs(tail, to);
	fclose(to);
	return text;
}

static void lengths_are_allowed_up_to_their_limit_and_not_beyond(void **state)
{
	static const struct {
		const char *head, *line, *tail;
		int limit;
		const char *finding;
	} cases[] = {
		{ "static int f(int a,\n\t     int b)\n{\n", "\ta++;\n", "}\n", 70,
		  "state/a.c:1: a function of 71 lines; 70 is the limit\n" },
		{ "", "int a;\n", "", 1000, "state/a.c:1001: 1001 lines; 1000 is the limit for a file\n" },
		{ "\t", "x", "\n", 108, "state/a.c:1: 117 columns; 116 is the limit\n" },
		{ "", "\u00e9", "\n", 116, "state/a.c:1: 117 columns; 116 is the limit\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		char *fits = repeat(cases[i].head, cases[i].line, cases[i].limit, cases[i].tail);
		char *exceeds = repeat(cases[i].head, cases[i].line, cases[i].limit + 1, cases[i].tail);

		expect((struct snippet){ "state/a.c", fits, NULL });
		expect((struct snippet){ "state/a.c", exceeds, cases[i].finding });
		free(fits), free(exceeds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_tree_keeps_the_rules),
		cmocka_unit_test(each_rule_finds_what_breaks_it),
		cmocka_unit_test(what_keeps_the_rules_is_not_found),
		cmocka_unit_test(lengths_are_allowed_up_to_their_limit_and_not_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
