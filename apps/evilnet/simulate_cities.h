#ifndef EVILNET_SIMULATE_CITIES_H
#define EVILNET_SIMULATE_CITIES_H

struct simulate_city {
	const char *name; /* as X names it */
	int thousands;    /* of people, 2021 census, rounded */
	int utc_minutes;  /* its standard time, roughly */
};

extern const struct simulate_city simulate_cities[];
extern const int simulate_cities_count;

#endif
