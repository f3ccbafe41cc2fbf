#include "apps/evilnet/x_token.h"

#include <errno.h>
#include <stdio.h>

#include "apps/evilnet/util.h"

enum { TOKEN_BYTES_MAX = 4096 };

void x_token_free(char *token)
{
	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
}

/* Without the white space around it; nothing in it may end the header that it goes into. */
static char *checked(const char *text, const char *from, weir_error *err)
{
	const char *start = text + strspn(text, " \t\r\n");
	size_t n = strcspn(start, " \t\r\n");

	for (size_t i = 0; i < n; i++)
		if (start[i] < '!' || start[i] > '~')
			n = 0;
	if (n && !start[n + strspn(start + n, " \t\r\n")])
		return evilnet_strndup(start, n);
	weir_fail(err, WEIR_CONFIG, "%s: a bearer token is wanted: one word of printable ASCII", from);
	return NULL;
}

static char *read_file(const char *path, weir_error *err)
{
	char text[TOKEN_BYTES_MAX + 1];
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, sizeof text, file) : 0;
	bool broken = !file || ferror(file);
	char *token = NULL;

	if (broken)
		weir_fail(err, WEIR_CONFIG, "evilnet.token.file: %s: %s", path, strerror(errno));
	else if (n > TOKEN_BYTES_MAX)
		weir_fail(err, WEIR_CONFIG, "evilnet.token.file: %s: more than %d bytes", path, TOKEN_BYTES_MAX);
	else if (text[n] = 0, strlen(text) != n)
		weir_fail(err, WEIR_CONFIG, "evilnet.token.file: %s: there is a NUL in it", path);
	else
		token = checked(text, path, err);
	if (file)
		fclose(file);
	explicit_bzero(text, sizeof text);
	return token;
}

char *x_token_read(const weir_config *cfg, weir_error *err)
{
	const char *text = getenv("EVILNET_BEARER_TOKEN");
	const char *path = weir_config_string(cfg, "evilnet.token.file");

	if (text && *text)
		return checked(text, "EVILNET_BEARER_TOKEN", err);
	if (path)
		return read_file(path, err);
	weir_fail(err, WEIR_CONFIG, "no bearer token: EVILNET_BEARER_TOKEN or evilnet.token.file must be set");
	return NULL;
}
