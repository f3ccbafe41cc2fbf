/*
 * web_fixture [--port N] [--at MOMENT] [--window SECONDS]: the dashboard over a made-up source, for the browser
 * test and for looking at it.
 *
 * Forty cities post by size and hour of the day. What a window holds depends on nothing but its start, the city
 * and how much of it has passed, so that the past is the same on each run; the newest window fills as the clock
 * moves. --at starts the clock at that moment. Lines on standard input change the world: "away", "back", "empty",
 * "full", "quit".
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schemas/post.h"
#include "web/web.h"

#define DAY_MS 86400000
#define KEPT_MS DAY_MS

struct city {
	const char *place;
	double thousands; /* people */
	double loud;      /* posts against what its size suggests */
	double shared;    /* share of retweets */
};

static const struct city cities[] = {
	{ "Toronto, Ontario", 2794, 1.0, 0.31 },
	{ "Montréal, Quebec", 1763, 1.1, 0.27 },
	{ "Calgary, Alberta", 1307, 0.8, 0.36 },
	{ "Ottawa, Ontario", 1017, 1.6, 0.44 },
	{ "Edmonton, Alberta", 1011, 0.9, 0.33 },
	{ "Winnipeg, Manitoba", 750, 0.8, 0.29 },
	{ "Mississauga, Ontario", 718, 0.6, 0.28 },
	{ "Vancouver, British Columbia", 662, 1.7, 0.30 },
	{ "Brampton, Ontario", 656, 0.5, 0.26 },
	{ "Hamilton, Ontario", 569, 0.9, 0.32 },
	{ "Surrey, British Columbia", 568, 0.5, 0.25 },
	{ "Québec, Quebec", 549, 0.8, 0.18 },
	{ "Halifax, Nova Scotia", 439, 1.3, 0.35 },
	{ "Laval, Quebec", 438, 0.4, 0.17 },
	{ "London, Ontario", 422, 0.9, 0.30 },
	{ "Markham, Ontario", 339, 0.4, 0.22 },
	{ "Vaughan, Ontario", 323, 0.4, 0.21 },
	{ "Gatineau, Quebec", 291, 0.5, 0.20 },
	{ "Saskatoon, Saskatchewan", 266, 0.9, 0.34 },
	{ "Kitchener, Ontario", 257, 0.9, 0.30 },
	{ "Longueuil, Quebec", 254, 0.3, 0.16 },
	{ "Burnaby, British Columbia", 249, 0.6, 0.24 },
	{ "Windsor, Ontario", 230, 0.8, 0.31 },
	{ "Regina, Saskatchewan", 226, 0.9, 0.38 },
	{ "Richmond, British Columbia", 210, 0.5, 0.20 },
	{ "Oakville, Ontario", 214, 0.5, 0.24 },
	{ "Sherbrooke, Quebec", 173, 0.5, 0.14 },
	{ "Trois-Rivières, Quebec", 139, 0.4, 0.12 },
	{ "Guelph, Ontario", 144, 0.9, 0.28 },
	{ "Kingston, Ontario", 132, 1.0, 0.30 },
	{ "Kelowna, British Columbia", 145, 0.7, 0.22 },
	{ "St. John's, Newfoundland and Labrador", 111, 1.4, 0.33 },
	{ "Victoria, British Columbia", 92, 2.0, 0.29 },
	{ "Fredericton, New Brunswick", 63, 1.2, 0.22 },
	{ "Prince George, British Columbia", 77, 0.4, 0.05 },
	{ "Charlottetown, Prince Edward Island", 39, 1.1, 0.10 },
	{ "Whitehorse, Yukon", 28, 1.0, 0.06 },
	{ "Yellowknife, Northwest Territories", 20, 0.9, 0.0 },
	{ "Saint-Louis-du-Ha! Ha!, Quebec", 9, 0.9, 0.0 },
	{ "Iqaluit, Nunavut", 7, 1.5, 0.02 },
	{ "O'Brien\"; DROP TABLE city_windows;-- <script>", 30, 1.2, 0.10 },
};

struct world {
	int64_t window_ms, skew_ms; /* skew: the made-up clock against the machine's */
	atomic_bool away, empty;
	atomic_int turns; /* of away and empty */
};

static int64_t now_ms(void *user)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ((struct world *)user)->skew_ms;
}

/* 0 to 1 from a city and a window, the same for ever */
static double dice(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9E3779B97F4A7C15u ^ b * 0xC2B2AE3D27D4EB4Fu;

	x = (x ^ x >> 31) * 0xD6E8FEB86659FD93u;
	return (double)((x ^ x >> 32) % 100000) / 100000.0;
}

static struct web_row row_of(const struct world *world, size_t i, int64_t start_ms, int64_t now)
{
	const struct city *city = &cities[i];
	uint64_t window = (uint64_t)(start_ms / world->window_ms);
	double passed =
		now >= start_ms + world->window_ms ? 1.0 : (double)(now - start_ms) / (double)world->window_ms;
	double hour = (double)((start_ms + world->window_ms / 2) % DAY_MS) / 3600000.0 - 5; /* in Toronto, nearly */
	double rhythm = 0.62 - 0.38 * cos((hour - 4) / 24 * 2 * M_PI) + 0.2 * dice(77, window);
	double per_quarter = city->thousands * 0.22 * city->loud * rhythm * (0.7 + 0.6 * dice(i, window));
	int64_t tweets = (int64_t)(per_quarter * (double)world->window_ms / 900000.0 * passed);

	return (struct web_row){
		.place = weir_str(city->place),
		.window_start_ms = start_ms,
		.window_seconds = world->window_ms / 1000,
		.tweets = tweets,
		.retweets = (int64_t)((double)tweets * city->shared * (0.8 + 0.4 * dice(i + 1000, window))),
		.users = (int64_t)((double)tweets * (0.55 + 0.2 * dice(i + 2000, window))) + (tweets > 0),
	};
}

static bool rows(void *self, weir_bytes place, int64_t from_ms, int64_t to_ms, web_row_fn *fn, void *user,
		 weir_error *err)
{
	struct world *world = self;
	int64_t now = now_ms(world), start = now - KEPT_MS > from_ms ? now - KEPT_MS : from_ms;

	if (atomic_load(&world->away))
		return weir_fail(err, WEIR_IO, "the made-up source was told to be away");
	if (atomic_load(&world->empty))
		return true;
	start = (start + world->window_ms - 1) / world->window_ms * world->window_ms;
	for (; start < to_ms && start <= now; start += world->window_ms)
		for (size_t i = 0; i < sizeof cities / sizeof *cities; i++) {
			struct web_row row = row_of(world, i, start, now);
			if (row.tweets && (!place.data || weir_bytes_equal(place, row.place)))
				fn(&row, user);
		}
	return true;
}

static uint64_t version(void *self)
{
	struct world *world = self;

	return (uint64_t)(now_ms(world) / 250) + (uint64_t)atomic_load(&world->turns);
}

static void usage(void)
{
	fprintf(stderr, "usage: web_fixture [--port N] [--at MOMENT] [--window SECONDS]\n");
	exit(2);
}

static int read_arguments(int argc, char **argv, struct world *world)
{
	int port = 0;
	int64_t at;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--port") == 0)
			port = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--window") == 0 && atoi(argv[i + 1]) > 0)
			world->window_ms = atoi(argv[i + 1]) * 1000LL;
		else if (strcmp(argv[i], "--at") == 0 && time_parse_rfc3339(weir_str(argv[i + 1]), &at))
			world->skew_ms = at - now_ms(world);
		else
			usage();
	}
	if (argc % 2 == 0)
		usage();
	return port;
}

int main(int argc, char **argv)
{
	static struct world world = { .window_ms = 900000 };
	int port = read_arguments(argc, argv, &world);
	const struct web_source source = { &world, rows, version, world.window_ms };
	const struct web_opts opts = { .port = port, .user = &world, .now_ms = now_ms, .source = &source };
	weir_error err;
	char line[64];

	struct web *web = web_start(&opts, &err);
	if (!web) {
		fprintf(stderr, "web_fixture: %s\n", err.message);
		return 1;
	}
	printf("http://127.0.0.1:%d\n", web_port(web));
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
		if (strcmp(line, "away\n") == 0 || strcmp(line, "back\n") == 0)
			atomic_store(&world.away, line[0] == 'a');
		else if (strcmp(line, "empty\n") == 0 || strcmp(line, "full\n") == 0)
			atomic_store(&world.empty, line[0] == 'e');
		atomic_fetch_add(&world.turns, 1);
	}
	web_stop(web);
	return 0;
}
