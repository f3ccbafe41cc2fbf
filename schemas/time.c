#include "schemas/post.h"

#include <inttypes.h>
#include <stdio.h>

/* Days since 1970-01-01 in the Gregorian calendar, and back; years begin in March, so that the leap day comes
 * last. */
static int64_t days_of(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

static int month_days(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

struct cursor {
	const char *p, *end;
};

static bool one_of(struct cursor *c, const char *set)
{
	if (c->p == c->end || !*c->p || !strchr(set, *c->p))
		return false;
	c->p++;
	return true;
}

static bool number(struct cursor *c, int digits, int low, int high, int *out)
{
	int v = 0;

	if (c->end - c->p < digits)
		return false;
	for (; digits > 0; digits--, c->p++) {
		if (*c->p < '0' || *c->p > '9')
			return false;
		v = v * 10 + (*c->p - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

/* ".123456" to 123: what lies below a millisecond is cut off. */
static bool fraction(struct cursor *c, int *ms)
{
	int digits = 0;

	*ms = 0;
	if (!one_of(c, "."))
		return true;
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, digits++)
		if (digits < 3)
			*ms = *ms * 10 + (*c->p - '0');
	for (int i = digits; i < 3; i++)
		*ms *= 10;
	return digits > 0;
}

static bool offset(struct cursor *c, int *minutes)
{
	int h, m;

	*minutes = 0;
	if (one_of(c, "Zz"))
		return true;
	bool west = c->p < c->end && *c->p == '-';
	if (!one_of(c, "+-") || !number(c, 2, 0, 23, &h) || !one_of(c, ":") || !number(c, 2, 0, 59, &m))
		return false;
	*minutes = (h * 60 + m) * (west ? -1 : 1);
	return true;
}

bool time_parse_rfc3339(weir_bytes text, int64_t *ms)
{
	struct cursor c = { text.data, (const char *)text.data + text.len };
	int year, month, day, hour, minute, second, milli, east;

	if (!number(&c, 4, 0, 9999, &year) || !one_of(&c, "-") || !number(&c, 2, 1, 12, &month) ||
	    !one_of(&c, "-") || !number(&c, 2, 1, month_days(year, month), &day) || !one_of(&c, "Tt "))
		return false;
	/* 60 is a leap second: the same instant as the next minute's start, as POSIX counts */
	if (!number(&c, 2, 0, 23, &hour) || !one_of(&c, ":") || !number(&c, 2, 0, 59, &minute) ||
	    !one_of(&c, ":") || !number(&c, 2, 0, 60, &second) || !fraction(&c, &milli) || !offset(&c, &east) ||
	    c.p != c.end)
		return false;
	int64_t minutes = days_of(year, month, day) * 1440 + (int64_t)hour * 60 + minute - east;
	*ms = (minutes * 60 + second) * 1000 + milli;
	return true;
}

void time_format_rfc3339(int64_t ms, char *buf, size_t size)
{
	int64_t days = ms / 86400000, year;
	int of_day = (int)(ms % 86400000), month, day;
	char milli[8] = "";

	if (of_day < 0) {
		of_day += 86400000;
		days--;
	}
	date_of(days, &year, &month, &day);
	if (of_day % 1000)
		snprintf(milli, sizeof milli, ".%03d", of_day % 1000);
	snprintf(buf, size, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day, of_day / 3600000,
		 of_day / 60000 % 60, of_day / 1000 % 60, milli);
}
