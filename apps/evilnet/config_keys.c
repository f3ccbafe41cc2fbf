#include "apps/evilnet/evilnet.h"

#define S WEIR_CONFIG_STRING
#define I WEIR_CONFIG_INT
#define B WEIR_CONFIG_BOOL
#define D WEIR_CONFIG_DURATION

static const weir_config_key keys[] = {
	{ "evilnet.topic", S, "evilnet.posts", .help = "Topic of posts." },
	{ "evilnet.metrics.topic", S, "evilnet.metrics",
	  .help = "Topic of results, one record a change of a city's window." },
	{ "evilnet.dead.letters.topic", S, "evilnet.dead-letters",
	  .help = "Topic of what could not be used, with the reason." },
	{ "evilnet.partitions", I, "6", 1, 10000, .help = "Partitions of topics that EvilNet makes." },
	{ "evilnet.posts.retention", D, "2d", 60000, INT64_MAX,
	  .help = "Posts are kept this long, by event time." },

	{ "evilnet.window", D, "15m", 1000, 86400000, .help = "Width of a window." },
	{ "evilnet.grace", D, "5m", 0, 86400000,
	  .help = "How long after its end a window still takes late posts." },
	{ "evilnet.retention", D, "1d", 60000, INT64_MAX,
	  .help = "How long results are kept, back from the newest window." },
	{ "evilnet.time.skew.max", D, "1m", 0, 86400000,
	  .help = "A post dated further than this after its receipt is a dead letter; at most evilnet.grace." },
	{ "evilnet.users.exact.max", I, "10000", 16, 10000000,
	  .help = "Distinct authors of a city's window counted exactly; beyond it HyperLogLog estimates them." },
	{ "evilnet.rekey", B, "false",
	  .help = "Repartition posts by place first, for topics that others fill without keys." },

	{ "evilnet.source", S, NULL, .help = "Where ingest reads: x, file:PATH, - (standard input) or simulate." },
	{ "evilnet.rules", S, "place_country:CA",
	  .help = "Rules of the filtered stream, several parted by semicolons." },
	{ "evilnet.retweet.types", S, "retweeted,quoted,replied_to",
	  .help = "References that make a post a retweet." },
	{ "evilnet.x.url", S, "https://api.x.com", .help = "Base address of the X API." },
	{ "evilnet.token.file", S, NULL,
	  .help = "File with the bearer token, unless EVILNET_BEARER_TOKEN is set." },
	{ "evilnet.simulate.rate", I, "50", 1, 1000000, .help = "Made-up posts a second." },
	{ "evilnet.simulate.seed", I, "1",
	  .help = "Seed of the made-up stream; the same seed, rate and start give the same posts." },
	{ "evilnet.simulate.count", I, "0", 0, INT64_MAX, .help = "Stop after so many made-up posts; 0 = never." },
	{ "evilnet.simulate.start", S, NULL,
	  .help = "Where the made-up stream's time begins, like 2022-09-15T03:00:00Z; unset = now." },
	{ "evilnet.simulate.backfill", D, "0", 0, INT64_MAX / 2,
	  .help = "Begin so much earlier, and catch up at once." },
	{ "evilnet.ingest.buffer", WEIR_CONFIG_SIZE, "64m", 1 << 20, (int64_t)1 << 40,
	  .help = "So many bytes of posts may wait for Kafka's acknowledgement; then the source has to wait." },
	{ "evilnet.replay.speed", S, NULL,
	  .help = "Replay a file at so many times its event-time pace; unset = as fast as it goes." },

	{ "evilnet.reprocess.since", D, "1h", 1000, INT64_MAX / 2,
	  .help = "How far back reprocess begins; the start is rounded down to a window." },
	{ "evilnet.reset.yes", B, "false", .help = "Reset without asking." },

	{ "evilnet.mysql.host", S, NULL,
	  .help = "MySQL or MariaDB host; MySQL is used when this or the socket is set." },
	{ "evilnet.mysql.port", I, "3306", 1, 65535, .help = "Its port." },
	{ "evilnet.mysql.socket", S, NULL, .help = "Its Unix socket, instead of host and port." },
	{ "evilnet.mysql.user", S, "evilnet", .help = "User to log in as." },
	{ "evilnet.mysql.password.file", S, NULL,
	  .help = "File with the password, unless EVILNET_MYSQL_PASSWORD is set." },
	{ "evilnet.mysql.database", S, "evilnet", .help = "Database; made at start if the user may." },
	{ "evilnet.mysql.ssl", WEIR_CONFIG_ENUM, "preferred", .choices = "disabled|preferred|required|verify",
	  .help = "Encryption of the connection; verify also checks the server's certificate." },
	{ "evilnet.mysql.ssl.ca", S, NULL,
	  .help = "File with the authorities that verify trusts; unset = the system's." },

	{ "web.host", S, "127.0.0.1", .help = "Address that the web server listens on." },
	{ "web.port", I, NULL, 0, 65535,
	  .help = "Its port; serve, run and demo use 8080, ingest and process none unless set." },
};

void evilnet_config_keys(weir_config *cfg)
{
	weir_config_add(cfg, keys, sizeof keys / sizeof *keys);
}
