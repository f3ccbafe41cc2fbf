/*
 * The grammar of random topologies. A line of the table is an operator: what its inputs must and must not be, what
 * comes of it, and its options. What the two sides are known to make differently is left out here, by a bit that
 * says why; docs/conformance.md has the reasons at length.
 */
#include "tests/conformance/topologies.h"

#define BIT(n) (UINT64_C(1) << (n))

/* kinds */
#define STREAM BIT(0)
#define TABLE BIT(1)
#define GLOBAL BIT(2)  /* a global table */
#define ROWS BIT(3)    /* a global store with a processor of its own */
#define GROUPED BIT(4) /* a table by another key, to be aggregated */
#define KINDS (STREAM | TABLE | GLOBAL | ROWS | GROUPED)
/* keys: text unless */
#define WINDOWS BIT(5)
#define SESSIONS BIT(6)
#define WINDOWED (WINDOWS | SESSIONS)
/* values: text unless */
#define NUMBER BIT(7)
/* the rest */
#define REKEYED BIT(8) /* the key has changed: what needs it makes a repartition */
#define BEHIND BIT(9)  /* a repartition: Kafka Streams' test driver has one task for all, and so one stream time */
#define NO_SERDE BIT(10) /* a view: Kafka Streams does not know how to write its values */
#define VERSIONS BIT(11) /* a table of versions: no two records of one time */
#define AGAIN BIT(12)    /* there may be two records of one key and time: which version is the last is not known */
#define BURST BIT(13) /* a commit may hold two records of one key, which stores without a cache do not wait for */
#define SEVERAL \
	BIT(14) /* one record may change several rows: a suppressed table looks once a commit; or there are
			 * several topics, of which its rows name the first */
#define MIXED \
	BIT(15) /* a commit may change several rows more than once: weir passes them on in the order of the
		       * first change, Kafka Streams in that of the last */
#define SUPPRESSED BIT(16) /* old values are not Kafka Streams', and so what a filter deletes */
#define CACHED BIT(17)     /* windows with a cache, in which Kafka Streams finds what is past retention */
#define NO_NULLS BIT(18)   /* values: a null moves the time of Kafka Streams' stores of joins in memory */
#define NULL_KEYS BIT(19)  /* a left join with grace fails by them in Kafka Streams */
#define PLAIN BIT(20)      /* a table in a store of its own */
#define TUMBLING BIT(21)   /* windows of which a record has one */
#define GRACED BIT(22)     /* windows that close */
#define CHANGES BIT(23)    /* what a commit or a timer sends on: of no topic in weir */
#define FROM_ZERO BIT(24)  /* counts without a cache: Kafka Streams says that a new row was 0 before */
#define UNCACHED BIT(25)   /* Kafka Streams passes its changes on at once, weir at a commit */
/* what a step does besides */
#define REPARTITIONS BIT(32) /* ... if the key has changed */
#define TOPIC BIT(33)        /* is always behind an internal topic */
#define ONE_TOPIC BIT(34)    /* tells the task's time: one topic, for the sake of the one task */
#define OWN_STATE BIT(35)    /* no store has it */
#define STREAM_TIME BIT(36)
#define DISTINCT BIT(37) /* wants no two records of one time */
#define WALL BIT(38)     /* wants the clock to move */
#define STORE BIT(39)    /* may have store=, which makes it PLAIN */
#define EFFECTS (~(BIT(32) - 1))

#define ALL (~UINT64_C(0))

struct operator
{
	int often;
	const char *op;
	struct {
		uint64_t is, not ; /* is 0 = there is no such input */
	} in[2];
	uint64_t keep, set; /* of the bits of its inputs; and on top */
	const char
		*options; /* a|b is one of them, ?x one at times, $x a function of that kind, @ the step's name */
	double records, length;
};

#define STATELESS (ALL & ~NO_NULLS)
#define TEXT_STREAM (STREAM), (WINDOWED | NUMBER)
#define KEYED_STREAM (STREAM), (WINDOWED)
#define VALUES (NULL_KEYS | BEHIND | AGAIN | BURST | SEVERAL | MIXED | CHANGES | FROM_ZERO | UNCACHED)
#define PASSED (VALUES | REKEYED)

static const struct operator operators[] = {
	/* from outside */
	{ 60, "source", { { 0 } }, 0, STREAM | NULL_KEYS, "" },
	{ 5, "source", { { 0 } }, 0, STREAM | NULL_KEYS, "topic=@-one and=@-two" },
	{ 4, "source", { { 0 } }, 0, STREAM | NULL_KEYS | AGAIN | BURST, "time-from-value=100 ?guess=1" },
	{ 30, "table", { { 0 } }, 0, TABLE | PLAIN, "" },
	{ 8, "table", { { 0 } }, 0, TABLE | PLAIN | VERSIONS | DISTINCT, "history=20|40|100" },
	{ 3, "table", { { 0 } }, 0, TABLE | PLAIN, "max=1|3|4 log=off cache=off" },
	{ 5, "global-table", { { 0 } }, 0, GLOBAL, "" },
	{ 3, "global-store", { { 0 } }, 0, ROWS, "topic=@-topic key=$key" },

	/* streams */
	{ 10, "filter", { { STREAM, 0 } }, ALL, 0, "fn=$predicate" },
	{ 8, "filter-not", { { STREAM, 0 } }, ALL, 0, "fn=$predicate" },
	{ 12, "map", { { STREAM, 0 } }, VALUES, STREAM | REKEYED | NULL_KEYS, "key=$key value=$mapper", 1, 3 },
	{ 12, "map-values", { { STREAM, 0 } }, STATELESS & ~NUMBER, 0, "fn=$mapper", 1, 3 },
	{ 5,
	  "flat-map",
	  { { STREAM, 0 } },
	  VALUES,
	  STREAM | REKEYED | AGAIN | BURST | SEVERAL,
	  "fn=twice|letters",
	  3,
	  1 },
	{ 5, "flat-map-values", { { STREAM, 0 } }, STATELESS & ~NUMBER, AGAIN | BURST, "fn=twice|letters", 3, 1 },
	{ 20, "key-by", { { STREAM, 0 } }, VALUES | NUMBER | NO_NULLS, STREAM | REKEYED | NULL_KEYS, "fn=$key" },
	{ 8, "merge", { { STREAM, 0 }, { STREAM, 0 } }, STATELESS, AGAIN | BURST, "" },
	{ 6, "branch", { { STREAM, 0 } }, ALL, 0, "" },
	{ 2, "peek", { { STREAM, BEHIND } }, ALL, 0, "" },
	{ 6, "repartition", { { KEYED_STREAM } }, STATELESS & ~REKEYED, BEHIND | TOPIC, "" },
	{ 20, "to-stream", { { TABLE, 0 } }, VALUES | WINDOWED | NUMBER, STREAM | CHANGES, "" },
	{ 14, "to-table", { { KEYED_STREAM } }, VALUES | NUMBER, TABLE | PLAIN | REPARTITIONS, "?log=off" },
	{ 5,
	  "to-table",
	  { { STREAM, WINDOWED | AGAIN } },
	  VALUES | NUMBER,
	  TABLE | PLAIN | REPARTITIONS | VERSIONS | DISTINCT,
	  "history=0|20|40" },
	{ 3,
	  "to-table",
	  { { STREAM, WINDOWED | BURST } },
	  VALUES | NUMBER,
	  TABLE | PLAIN | REPARTITIONS,
	  "max=1|2|3 log=off cache=off" },

	/* processors */
	{ 3, "set-headers", { { TEXT_STREAM } }, STATELESS, 0, "fn=$predicate" },
	{ 4, "inspect", { { STREAM, BEHIND | WINDOWED | CHANGES } }, ALL & ~NUMBER, ONE_TOPIC, "", 1, 5 },
	{ 3,
	  /* weir sends changes on behind what the record has set off */
	  "tick",
	  { { STREAM, BEHIND | WINDOWED | NUMBER | CHANGES } },
	  VALUES,
	  STREAM | REKEYED | AGAIN | BURST | SEVERAL | CHANGES | ONE_TOPIC | OWN_STATE,
	  "interval=10|20|37 ?times=2|5 ?from=5|171" },
	{ 3,
	  "tick",
	  { { STREAM, BEHIND | WINDOWED | NUMBER } },
	  VALUES,
	  STREAM | REKEYED | AGAIN | BURST | SEVERAL | CHANGES | WALL | OWN_STATE,
	  "interval=10|37|50 time=wall ?times=2|5 ?from=-100|40" },
	{ 8,
	  "with-store",
	  { { TEXT_STREAM } },
	  PASSED,
	  STREAM | REKEYED,
	  "fn=put|all|reverse-all|prefix|range|reverse-range|absent ?log=off",
	  1,
	  20 },
	{ 4,
	  "with-store",
	  { { STREAM | NO_NULLS, WINDOWED | NUMBER } },
	  PASSED,
	  STREAM | REKEYED | STREAM_TIME,
	  "fn=put|fetch|fetch-backward size=5|10 retain=100|1000 back=30|60",
	  1,
	  20 },
	{ 4,
	  "with-store",
	  { { STREAM | NO_NULLS, WINDOWED | NUMBER } },
	  PASSED,
	  STREAM | REKEYED | STREAM_TIME,
	  "fn=find|find-backward gap=3|10 retain=500",
	  1,
	  20 },
	{ 3,
	  "lru",
	  { { STREAM, WINDOWED | NUMBER | REKEYED } },
	  PASSED,
	  STREAM | REKEYED,
	  "max=1|2|3 fn=$predicate",
	  1,
	  20 },
	{ 3,
	  "with-headers",
	  { { STREAM, WINDOWED | NUMBER | REKEYED } },
	  PASSED,
	  STREAM | REKEYED,
	  "without=odd|never|always",
	  1,
	  40 },
	{ 3,
	  "with-versions",
	  { { STREAM, WINDOWED | NUMBER | REKEYED | AGAIN } },
	  PASSED,
	  STREAM | REKEYED | DISTINCT | STREAM_TIME,
	  "history=5|40|100 back=0|15|30",
	  1,
	  3 },
	{ 6, "tell-global", { { KEYED_STREAM }, { ROWS, 0 } }, STATELESS & ~(NUMBER | ROWS), 0, "", 1, 20 },

	/* aggregates */
	{ 12,
	  "count",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | PLAIN | NUMBER | REPARTITIONS,
	  "?store=memory ?log=off" },
	{ 6,
	  "reduce",
	  { { TEXT_STREAM } },
	  VALUES,
	  TABLE | PLAIN | REPARTITIONS,
	  "fn=$reducer ?store=memory",
	  1,
	  20 },
	{ 6,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | PLAIN | REPARTITIONS,
	  "fn=$folder ?log=off",
	  1,
	  20 },
	{ 3,
	  "count",
	  { { STREAM, WINDOWED | BURST } },
	  VALUES,
	  TABLE | PLAIN | NUMBER | REPARTITIONS | FROM_ZERO,
	  "max=1|3 log=off cache=off" },
	{ 10,
	  "count",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | NUMBER | REPARTITIONS | CACHED | TUMBLING | GRACED | STREAM_TIME,
	  "size=10|20 grace=0|5|20|90 ?store=memory" },
	{ 8,
	  "count",
	  { { STREAM, WINDOWED | BURST } },
	  VALUES,
	  TABLE | WINDOWS | NUMBER | REPARTITIONS | TUMBLING | GRACED | STREAM_TIME | FROM_ZERO,
	  "size=10|20 grace=0|5|20|90 cache=off" },
	{ 6,
	  "reduce",
	  { { TEXT_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | CACHED | TUMBLING | GRACED | STREAM_TIME,
	  "fn=$reducer size=10|20 grace=0|5|20|90",
	  1,
	  10 },
	/* Without a cache Kafka Streams deletes what is not there. */
	{ 8,
	  "reduce",
	  { { STREAM | NO_NULLS, WINDOWED | NUMBER | BURST } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | TUMBLING | GRACED | STREAM_TIME,
	  "fn=plus|minus|sum|last|max size=10|20 grace=0|5|20|90 cache=off",
	  1,
	  10 },
	{ 6,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn=$folder size=12|20 advance=3|4|7 grace=0|7|20",
	  6,
	  10 },
	{ 4,
	  "count",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | NUMBER | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "difference=7|10 grace=0|12|20 retain=1000",
	  4,
	  1 },
	{ 3,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn=$folder difference=7|15 grace=0|12|20 retain=1000",
	  4,
	  10 },
	{ 5,
	  "count",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | SESSIONS | NUMBER | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL |
		  MIXED,
	  "gap=3|10 grace=0|15 retain=1000",
	  2,
	  1 },
	{ 4,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | SESSIONS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn=$folder merge=plus|minus|max gap=3|10 grace=0|15 retain=1000",
	  2,
	  20 },
	{ 3,
	  "reduce",
	  { { TEXT_STREAM } },
	  VALUES,
	  TABLE | SESSIONS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn=plus|minus|max gap=3|10 grace=0|15 retain=1000",
	  2,
	  20 },
	{ 3,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | CACHED,
	  "fn=$folder unlimited=1 ?start=150",
	  1,
	  20 },
	{ 4,
	  "count",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | NUMBER | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "size=10|12 ?advance=4 grace=0|5 emit=close retain=100000",
	  4,
	  1 },
	{ 3,
	  "aggregate",
	  { { KEYED_STREAM } },
	  VALUES,
	  TABLE | SESSIONS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn=$folder merge=plus|minus gap=5|10 grace=0|15 emit=close retain=100000",
	  2,
	  20 },
	{ 6,
	  "cogroup",
	  { { KEYED_STREAM }, { KEYED_STREAM } },
	  VALUES,
	  TABLE | PLAIN | REPARTITIONS | SEVERAL,
	  "fn0=$folder fn1=$folder",
	  1,
	  20 },
	{ 4,
	  "cogroup",
	  { { KEYED_STREAM }, { KEYED_STREAM } },
	  VALUES,
	  TABLE | WINDOWS | REPARTITIONS | CACHED | GRACED | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED,
	  "fn0=$folder fn1=$folder size=20 advance=10 grace=10 retain=1000",
	  2,
	  20 },

	/* joins */
	{ 8,
	  "stream-join",
	  { { STREAM | NO_NULLS, WINDOWED }, { STREAM | NO_NULLS, WINDOWED } },
	  VALUES,
	  STREAM | REPARTITIONS | AGAIN | BURST | MIXED | STREAM_TIME,
	  "fn=$joiner before=0|5|10 after=1|10|20 grace=0|5|20",
	  3 },
	{ 5,
	  "stream-left-join",
	  { { STREAM | NO_NULLS, WINDOWED }, { STREAM | NO_NULLS, WINDOWED } },
	  VALUES,
	  STREAM | REPARTITIONS | AGAIN | BURST | MIXED | SEVERAL | CHANGES | STREAM_TIME,
	  "fn=$joiner before=0|5|10 after=1|10|20 grace=0|5",
	  3 },
	{ 5,
	  "stream-outer-join",
	  { { STREAM | NO_NULLS, WINDOWED }, { STREAM | NO_NULLS, WINDOWED } },
	  VALUES,
	  STREAM | REPARTITIONS | AGAIN | BURST | MIXED | SEVERAL | CHANGES | STREAM_TIME,
	  "fn=$joiner before=0|5|10 after=1|10|20 grace=0|5",
	  3 },
	{ 10,
	  "join-table",
	  { { STREAM, 0 }, { TABLE, CACHED } },
	  PASSED | WINDOWED,
	  STREAM | REPARTITIONS | SEVERAL,
	  "fn=$joiner" },
	{ 10,
	  "left-join-table",
	  { { STREAM, 0 }, { TABLE, CACHED } },
	  PASSED | WINDOWED,
	  STREAM | REPARTITIONS | SEVERAL,
	  "fn=$joiner" },
	{ 4,
	  /* What waits tells its offset: those of internal topics are others. */
	  "join-table",
	  { { STREAM, WINDOWED | REKEYED | BEHIND | CHANGES }, { TABLE | VERSIONS | PLAIN, WINDOWED } },
	  PASSED,
	  STREAM | REPARTITIONS | STREAM_TIME | AGAIN | BURST | SEVERAL | MIXED | CHANGES,
	  "fn=$joiner grace=10|20" },
	{ 4, "join-global", { { STREAM, 0 }, { GLOBAL, 0 } }, PASSED | WINDOWED, STREAM, "key=$key fn=$joiner" },
	{ 4,
	  "left-join-global",
	  { { STREAM, 0 }, { GLOBAL, 0 } },
	  PASSED | WINDOWED,
	  STREAM,
	  "key=$key fn=$joiner" },

	/* tables */
	{ 10, "table-filter", { { TABLE, SUPPRESSED | FROM_ZERO } }, ALL & ~PLAIN, STORE, "fn=$predicate" },
	{ 6, "table-filter-not", { { TABLE, SUPPRESSED | FROM_ZERO } }, ALL & ~PLAIN, STORE, "fn=$predicate" },
	{ 10, "table-map-values", { { TABLE, 0 } }, ALL & ~(PLAIN | NUMBER), NO_SERDE | STORE, "fn=$mapper", 1, 3 },
	{ 3,
	  "table-transform-values",
	  { { TABLE, 0 } },
	  ALL & ~(PLAIN | NUMBER),
	  NO_SERDE | STORE,
	  "fn=$mapper",
	  1,
	  3 },
	{ 10,
	  "table-join",
	  { { TABLE, SUPPRESSED | CACHED }, { TABLE, SUPPRESSED | CACHED } },
	  VALUES | WINDOWED,
	  TABLE | NO_SERDE | STORE | AGAIN | BURST,
	  "fn=$joiner" },
	{ 8,
	  "table-left-join",
	  { { TABLE, SUPPRESSED | CACHED }, { TABLE, SUPPRESSED | CACHED } },
	  VALUES | WINDOWED,
	  TABLE | NO_SERDE | STORE | AGAIN | BURST,
	  "fn=$joiner" },
	{ 8,
	  "table-outer-join",
	  { { TABLE, SUPPRESSED | CACHED }, { TABLE, SUPPRESSED | CACHED } },
	  VALUES | WINDOWED,
	  TABLE | NO_SERDE | STORE | AGAIN | BURST,
	  "fn=$joiner" },
	{ 8,
	  "foreign-join",
	  { { TABLE, SUPPRESSED | NO_SERDE | WINDOWED | FROM_ZERO },
	    { TABLE, SUPPRESSED | NO_SERDE | WINDOWED | FROM_ZERO } },
	  VALUES,
	  TABLE | PLAIN | BEHIND | AGAIN | SEVERAL | TOPIC,
	  "key=$key fn=$joiner",
	  2 },
	{ 8,
	  "foreign-left-join",
	  { { TABLE, SUPPRESSED | NO_SERDE | WINDOWED | FROM_ZERO },
	    { TABLE, SUPPRESSED | NO_SERDE | WINDOWED | FROM_ZERO } },
	  VALUES,
	  TABLE | PLAIN | BEHIND | AGAIN | SEVERAL | TOPIC,
	  "key=$key fn=$joiner",
	  2 },
	{ 14,
	  "group-table",
	  { { TABLE, SUPPRESSED | FROM_ZERO } },
	  VALUES,
	  GROUPED | BEHIND | AGAIN | SEVERAL | TOPIC,
	  "key=$key value=$mapper" },
	{ 5, "group-count", { { GROUPED, 0 } }, VALUES, TABLE | PLAIN | NUMBER, "" },
	{ 5, "group-reduce", { { GROUPED, 0 } }, VALUES, TABLE | PLAIN, "fn=plus minus=minus", 1, 20 },
	{ 5, "group-aggregate", { { GROUPED, 0 } }, VALUES, TABLE | PLAIN, "fn=list minus=unlist", 1, 20 },
	{ 5, "group-aggregate", { { GROUPED, 0 } }, VALUES, TABLE | PLAIN, "fn=sum minus=minus-gone|minus", 1, 1 },
	{ 5,
	  "suppress",
	  { { TABLE | GRACED, NO_SERDE | SUPPRESSED | SEVERAL | FROM_ZERO } },
	  VALUES | WINDOWED | NUMBER,
	  TABLE | SUPPRESSED | SEVERAL | AGAIN | BURST | MIXED | STREAM_TIME,
	  "until=close" },
	{ 3,
	  "suppress",
	  { { TABLE | TUMBLING, NO_SERDE | SUPPRESSED | SEVERAL | FROM_ZERO } },
	  VALUES | WINDOWED | NUMBER,
	  TABLE | SUPPRESSED | SEVERAL | AGAIN | BURST | MIXED | STREAM_TIME,
	  "limit=7|15|10000 ?records=2|3" },
	{ 5,
	  "suppress",
	  { { TABLE | PLAIN, NO_SERDE | SUPPRESSED | SEVERAL | VERSIONS | FROM_ZERO } },
	  VALUES | NUMBER,
	  TABLE | SUPPRESSED | SEVERAL | AGAIN | BURST | MIXED | STREAM_TIME,
	  "limit=15|20|10000 ?records=2|3 ?bytes=150" },
};

static const struct {
	const char *kind, *names;
} functions[] = {
	{ "predicate", "odd|odd|has:b|has:1|longer:1|longer:2|longer:0|null|key:a|key:b|always|never" },
	{ "mapper", "same|key|wrap|wrap|both|both|first|last|length|drop:d|drop:7|fixed:x|null" },
	{ "key", "first|first|last|last|key|drop:a|length|fixed:k" },
	{ "reducer", "plus|plus|minus|sum|last|max|drop:7" },
	{ "folder", "list|list|list-until:d|keyed|sum|max|last" },
	{ "joiner", "both|both|left|right|drop:7|drop:d" },
};

/* --- making --------------------------------------------------------------------------------------------------- */

struct making {
	struct topology *t;
	weir_rng rng;
	uint64_t wants, without;
	size_t topics, internal_topics;
	bool grouped; /* the last step: an aggregate must come next */
};

static const char *one_of(weir_rng *rng, const char *list, size_t len, char *to, size_t room)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += list[i] == '|';
	for (size_t which = weir_rng_below(rng, n); which; which--) {
		size_t skip = strcspn(list, "|") + 1;

		list += skip;
		len -= skip;
	}
	size_t one = strcspn(list, "| ");

	snprintf(to, room, "%.*s", (int)(one < len ? one : len), list);
	return to;
}

/* One word of an operator's options, "name=a|b" or "name=$kind". */
static void add_word(struct making *m, struct made *s, const char *word, size_t len)
{
	const char *values = memchr(word, '=', len);
	char one[64];
	size_t at = strlen(s->options);

	values++;
	size_t values_len = len - (size_t)(values - word);

	if (*values == '$') {
		for (size_t i = 0; i < LENGTH(functions); i++)
			if (strlen(functions[i].kind) == values_len - 1 &&
			    strncmp(functions[i].kind, values + 1, values_len - 1) == 0)
				one_of(&m->rng, functions[i].names, strlen(functions[i].names), one, sizeof one);
	} else {
		one_of(&m->rng, values, values_len, one, sizeof one);
	}
	bool named = *one == '@';

	snprintf(s->options + at, sizeof s->options - at, " %.*s%s%s", (int)(values - word), word,
		 named ? s->name : "", one + named);
}

static void add_options(struct making *m, struct made *s, const char *options)
{
	for (const char *word = options; *word; word += strspn(word, " ")) {
		bool at_times = *word == '?';
		size_t len = strcspn(word, " ") - at_times;

		word += at_times;
		if (!at_times || weir_rng_chance(&m->rng, 0.3))
			add_word(m, s, word, len);
		word += len;
	}
}

static int option_of(const char *options, const char *name)
{
	const char *at = strstr(options, name);

	return at ? atoi(at + strlen(name)) : 0;
}

static struct made *add_made(struct making *m, const char *op, struct type type)
{
	struct made *s = &m->t->made[m->t->count];

	*s = (struct made){ .op = op, .type = type };
	snprintf(s->name, sizeof s->name, "n%zu", ++m->t->count);
	return s;
}

/* A step that can be the input; NULL if there is none. One of the last ones more often. */
static struct made *find_input(struct making *m, uint64_t is, uint64_t not, const struct made *beside)
{
	struct made *all[MADE_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->t->count; i++) {
		struct made *s = &m->t->made[i];

		if ((s->type.is & is) != is || (s->type.is & not ) || strcmp(s->op ? s->op : "", "branch") == 0)
			continue;
		if (beside && (is & (STREAM | TABLE)) &&
		    ((s->type.is & WINDOWED) != (beside->type.is & WINDOWED) || s->type.size != beside->type.size))
			continue;
		all[n++] = s;
	}
	if (n == 0)
		return NULL;
	return all[weir_rng_chance(&m->rng, 0.5) ? n - 1 : weir_rng_below(&m->rng, n)];
}

/* What stream joins and stores of windows want before them. */
static struct made *without_nulls(struct making *m, struct made *in)
{
	if (in->type.is & NO_NULLS)
		return in;
	struct made *s = add_made(m, "filter-not", in->type);

	snprintf(s->options, sizeof s->options, " fn=null");
	s->inputs[s->input_count++] = (size_t)(in - m->t->made);
	s->type.is |= NO_NULLS;
	return s;
}

/* Two ways into one sub-topology by different internal topics: which of them is first is a matter of chance. Two
 * tables that one record changes: weir's joins see of the other what has been passed on, Kafka Streams' what its
 * cache has by then, and of a suppressed one what has not been passed on, unless it waits by now. */
static bool collide(const struct type *a, const struct type *b)
{
	if (!(a->sources & b->sources))
		return false;
	if (a->topics && b->topics && a->topics != b->topics)
		return true;
	/* Which of two streams of changes is told first: Kafka Streams' toStream is a step, weir's is none. */
	if ((a->is & b->is & CHANGES) && (a->is & b->is & STREAM))
		return true;
	bool changes = (a->is & TABLE) || (a->is & CHANGES);

	if ((b->is & SUPPRESSED) || ((a->is | b->is) & UNCACHED))
		return true;
	return changes && (b->is & TABLE) && (a->store != b->store || !a->store);
}

static unsigned new_topic(struct making *m)
{
	return 1u << m->internal_topics++ % 32;
}

/* The size of windows; that of a session is none. */
static int size_of(const char *options, int of_input)
{
	int size = option_of(options, " size="), difference = option_of(options, " difference=");

	return strstr(options, "unlimited") ? -1 : size ? size : difference ? difference : of_input;
}

/* The inputs as the step sees them: behind the repartitions that it makes. */
static size_t inputs_of(struct making *m, const struct operator* o, struct made *const *made, struct type in[2])
{
	size_t n = 0;

	for (; n < 2 && made[n]; n++) {
		in[n] = made[n]->type;
		bool makes = (o->set & REPARTITIONS) && (in[n].is & STREAM) && (in[n].is & REKEYED);

		if (makes || (o->set & TOPIC))
			in[n].topics = new_topic(m);
		if (makes || (o->set & TOPIC))
			in[n].is = (in[n].is & ~(REKEYED | MIXED | BURST)) | BEHIND;
	}
	return n;
}

static struct type type_of(struct making *m, const struct operator* o, const struct type *in, size_t n,
			   const char *options)
{
	struct type type = { .records = n ? 0 : 1, .length = 3 };
	uint64_t from = 0, all = ALL;

	for (size_t i = 0; i < n; i++) {
		from |= in[i].is;
		all &= in[i].is;
		type.records += in[i].records;
		type.length += in[i].length;
		type.sources |= in[i].sources;
		type.topics |= in[i].topics;
	}
	if (!n)
		type.sources = 1u << m->topics;
	if (strcmp(o->op, "flat-map-values") == 0 && strstr(options, "letters"))
		type.records *= type.length;
	else
		type.records *= o->records > 0 ? o->records : 1;
	type.length = o->length > 3 ? type.length * o->length : type.length + o->length;
	type.is = (from & o->keep & ~NO_NULLS) | (all & o->keep & NO_NULLS) | (o->set & ~EFFECTS);
	type.is |= strstr(options, "cache=off") ? UNCACHED : 0;
	type.size = size_of(options, n ? in[0].size : 0);
	type.store = o->set & PLAIN || (o->set & (TABLE | WINDOWED)) == (TABLE | WINDOWS) ? (int)m->t->count
		     : n == 1                                                             ? in[0].store
											  : 0;
	return type;
}

/* The parts of a branch are steps of their own for those that take them as their inputs. */
static void add_branches(struct making *m, size_t branch)
{
	size_t n = 1 + weir_rng_below(&m->rng, 3);

	for (size_t i = 0; i < n; i++) {
		struct made *part = add_made(m, NULL, m->t->made[branch].type), *s = &m->t->made[branch];
		char word[32];

		part->inputs[part->input_count++] = branch;
		if (i > 0 && i == n - 1 && weir_rng_chance(&m->rng, 0.5)) {
			size_t at = strlen(s->options);

			snprintf(s->options + at, sizeof s->options - at, " default=%s", part->name);
			continue;
		}
		snprintf(word, sizeof word, "%s=$predicate", part->name);
		add_word(m, s, word, strlen(word));
	}
}

static bool is_allowed(const struct making *m, const struct operator* o)
{
	if (m->grouped && o->in[0].is != GROUPED)
		return false;
	if (!o->in[0].is && (m->topics == 4 || (m->wants & ONE_TOPIC)))
		return false;
	if ((o->set & ONE_TOPIC) && (m->topics != 1 || (m->wants & WALL)))
		return false;
	if ((o->set & WALL) && (m->wants & ONE_TOPIC))
		return false;
	if ((m->without & WITHOUT_OWN_STATE) && (o->set & OWN_STATE))
		return false;
	return !(m->without & WITHOUT_STREAM_TIME) || !(o->set & (STREAM_TIME | ONE_TOPIC));
}

/* Rows that a commit passes on in another order than in Kafka Streams. */
static bool is_shuffled(const struct operator* o, const struct type *in)
{
	uint64_t mixes = o->set & SEVERAL ? MIXED | BURST : MIXED;

	return (o->set & TABLE) && (in->is & STREAM) && (in->is & mixes);
}

/* False if the operator has found no inputs. */
static bool add_step(struct making *m, const struct operator* o)
{
	struct made *in[3] = { NULL, NULL, NULL };
	size_t before = m->t->count;

	for (size_t i = 0; i < 2 && o->in[i].is; i++) {
		bool guarded = (o->in[i].is & NO_NULLS) != 0;

		in[i] = m->grouped ? &m->t->made[m->t->count - 1]
				   : find_input(m, o->in[i].is & ~NO_NULLS, o->in[i].not, i ? in[0] : NULL);
		if (in[i] && guarded)
			in[i] = without_nulls(m, in[i]);
		if (!in[i] || m->t->count + 8 > MADE_MAX)
			goto none;
	}
	struct type types[2];
	size_t n = inputs_of(m, o, in, types);

	if (n == 2 && collide(&types[0], &types[1]))
		goto none;
	for (size_t i = 0; i < n; i++)
		if (is_shuffled(o, &types[i]))
			goto none;
	/* Of a stream merged with itself Kafka Streams makes one. */
	if (strcmp(o->op, "merge") == 0 && (in[0] == in[1] || ((in[0]->type.is ^ in[1]->type.is) & NUMBER)))
		goto none;
	struct made *s = add_made(m, o->op, (struct type){ 0 });

	add_options(m, s, o->options);
	for (size_t i = 0; in[i]; i++)
		s->inputs[s->input_count++] = (size_t)(in[i] - m->t->made);
	s->type = type_of(m, o, types, n, s->options);
	if ((o->set & STORE) && !(s->type.is & WINDOWED) && weir_rng_chance(&m->rng, 0.3)) {
		size_t at = strlen(s->options);

		snprintf(s->options + at, sizeof s->options - at, " store=%s-store", s->name);
		s->type.is = (s->type.is & ~(NO_SERDE | VERSIONS)) | PLAIN;
		s->type.store = (int)m->t->count;
	}
	if (s->type.records > 30 || s->type.length > 3000) {
		m->t->count--;
		goto none;
	}
	m->wants |= o->set & (DISTINCT | ONE_TOPIC | WALL);
	m->topics += !o->in[0].is;
	m->grouped = (o->set & GROUPED) != 0;
	if (strcmp(o->op, "branch") == 0)
		add_branches(m, (size_t)(s - m->t->made));
	return true;
none:
	m->t->count = before;
	return false;
}

static void add_random_step(struct making *m)
{
	bool first = m->t->count == 0;

	for (int tries = 0; tries < 1000; tries++) {
		int sum = 0;

		for (size_t i = 0; i < LENGTH(operators); i++)
			sum += operators[i].in[0].is || first ? operators[i].often : operators[i].often / 3;
		int which = (int)weir_rng_below(&m->rng, (uint64_t)sum);
		const struct operator* o = operators;

		for (;; o++) {
			which -= o->in[0].is || first ? o->often : o->often / 3;
			if (which < 0)
				break;
		}
		if (is_allowed(m, o) && add_step(m, o))
			return;
	}
}

static bool is_used(const struct topology *t, size_t step)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->made[i].input_count; k++)
			if (t->made[i].inputs[k] == step)
				return true;
	return false;
}

static void add_sinks(struct making *m)
{
	size_t n = m->t->count;

	for (size_t i = 0; i < n && m->t->count < MADE_MAX; i++) {
		const struct made *from = &m->t->made[i];

		if (!(from->type.is & (STREAM | TABLE)) || (from->op && strcmp(from->op, "branch") == 0))
			continue;
		if (is_used(m->t, i) && !weir_rng_chance(&m->rng, 0.2))
			continue;
		struct made *s = add_made(m, "sink", (struct type){ 0 });

		snprintf(s->name, sizeof s->name, "%s-out", from->name);
		s->inputs[s->input_count++] = i;
		if (!weir_rng_chance(&m->rng, 0.05))
			continue;
		char options[64]; /* a topic of its own: two tasks write at one time in one order or another */

		snprintf(options, sizeof options, "route=$predicate else=%s-else", from->name);
		add_options(m, s, weir_rng_chance(&m->rng, 0.5) ? options : "partition-if=$predicate");
	}
}

static void choose_input(struct making *m)
{
	static const char *const values[] = { "mixed", "mixed", "numbers", "foreign" };
	weir_rng *r = &m->rng;
	int64_t edge = weir_rng_chance(r, 0.6) ? 10 : weir_rng_between(r, 3, 20);

	snprintf(
		m->t->gen, sizeof m->t->gen,
		"records=%lld keys=%lld edge=%lld late=%lld gap=%lld null-key=%d null-value=%d wall=%d distinct=%d "
		"values=%s start=100",
		(long long)weir_rng_between(r, 20, 45), (long long)weir_rng_between(r, 2, 6), (long long)edge,
		(long long)weir_rng_between(r, 0, 6 * edge), (long long)weir_rng_between(r, edge, 10 * edge),
		weir_rng_chance(r, 0.6) ? 5 : 0, weir_rng_chance(r, 0.7) ? 10 : 0, m->wants & WALL ? 120 : 0,
		m->wants & DISTINCT ? 1 : 0, values[weir_rng_below(r, LENGTH(values))]);
}

void topology_make(struct topology *t, uint64_t seed, unsigned without)
{
	struct making m = { .t = t, .rng = weir_rng_seeded(seed), .without = without };

	*t = (struct topology){ 0 };
	size_t steps = (size_t)weir_rng_between(&m.rng, 4, 14);

	while (t->count < steps || m.grouped) {
		size_t before = t->count;

		add_random_step(&m);
		if (t->count == before)
			break;
	}
	add_sinks(&m);
	choose_input(&m);
}

/* --- its text ------------------------------------------------------------------------------------------------- */

void topology_text(const struct topology *t, struct text *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct made *s = &t->made[i];

		if (s->gone || !s->op)
			continue;
		text_add(out, "%s %s", s->op, s->name);
		for (size_t k = 0; k < s->input_count; k++)
			text_add(out, " %s", t->made[s->inputs[k]].name);
		text_add(out, "%s\n", s->options);
	}
	text_add(out, "gen %s\n", t->gen);
	if (*t->config)
		text_add(out, "config %s\n", t->config);
}

/* --- smaller -------------------------------------------------------------------------------------------------- */

bool topology_remove(struct topology *t, size_t step)
{
	if (t->made[step].gone || !t->made[step].op)
		return false;
	t->made[step].gone = true;
	for (size_t i = step + 1; i < t->count; i++) /* inputs stand above */
		for (size_t k = 0; k < t->made[i].input_count; k++)
			t->made[i].gone |= t->made[t->made[i].inputs[k]].gone;
	return true;
}

bool topology_bypass(struct topology *t, size_t step)
{
	const struct made *s = &t->made[step];

	if (s->gone || s->input_count == 0 || !(s->type.is & (STREAM | TABLE)) ||
	    strcmp(s->op ? s->op : "", "branch") == 0)
		return false;
	size_t in = s->inputs[0];

	if (!s->op)
		in = t->made[in].inputs[0];
	const uint64_t matter = KINDS | WINDOWED | NUMBER | NO_NULLS | NO_SERDE | CACHED | SUPPRESSED;
	const struct type *type = &t->made[in].type;

	if ((type->is & matter) != (s->type.is & matter) || type->size != s->type.size ||
	    type->topics != s->type.topics || type->store != s->type.store)
		return false;
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->made[i].input_count; k++)
			if (t->made[i].inputs[k] == step)
				t->made[i].inputs[k] = in;
	if (s->op)
		t->made[step].gone = true;
	return true;
}

size_t topology_size(const struct topology *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		n += !t->made[i].gone && t->made[i].op;
	return n;
}

bool topology_runs(const struct topology *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct made *s = &t->made[i];
		bool taken = false;

		if (s->gone)
			continue;
		for (size_t k = 0; k < t->count; k++)
			taken |= !t->made[k].gone && t->made[k].input_count && t->made[k].inputs[0] == i;
		if ((s->type.is & GROUPED) && !taken)
			return false;
	}
	return true;
}
