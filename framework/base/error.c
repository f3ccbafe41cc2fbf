#include <weir/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[] = {
#define NAME(name, text) #name,
	WEIR_CODES(NAME)
#undef NAME
};

const char *weir_code_name(weir_code code)
{
	size_t i = (size_t)code;

	return i < sizeof code_names / sizeof *code_names ? code_names[i] : "?";
}

bool weir_fail(weir_error *err, weir_code code, const char *format, ...)
{
	va_list args;

	if (!err)
		return false;
	*err = (weir_error){ .code = code };
	va_start(args, format);
	vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	return false;
}

bool weir_wrap(weir_error *err, const char *format, ...)
{
	char old[sizeof err->message];
	va_list args;

	if (!err)
		return false;
	memcpy(old, err->message, sizeof old);
	va_start(args, format);
	int n = vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof err->message)
		snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", old);
	return false;
}

void weir_assert_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "weir: %s:%d: broken invariant: %s\n", file, line, cond);
	abort();
}
