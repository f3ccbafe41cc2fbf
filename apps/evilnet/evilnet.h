#ifndef EVILNET_H
#define EVILNET_H
/* What the parts of EvilNet share: configuration, the stop flag, and one function per command. */
#include <signal.h>
#include <weir/config.h>
#include <weir/kafka.h>

enum { EVILNET_DONE = 0, EVILNET_FAILED = 1, EVILNET_USAGE = 2 }; /* exit codes */

struct evilnet {
	weir_config *cfg;            /* all keys, see config_keys.c */
	weir_cluster *cluster;       /* opened by the command (embedded in `demo`) */
	volatile sig_atomic_t *stop; /* non-zero: finish and leave; set by SIGINT and SIGTERM */
	bool exit_at_end;            /* --exit-at-end */
	/* set once *stop is looked at; before, a signal ends all at once. Or NULL */
	volatile sig_atomic_t *watched;
};

/** From now on *stop is looked at often. */
static inline void evilnet_watch_stop(const struct evilnet *e)
{
	if (e->watched)
		*e->watched = 1;
}

/** Tells an error on standard error, "evilnet: <what>: ..." (what NULL: without it). Returns the exit code. */
int evilnet_failed(const struct evilnet *e, const char *what, const weir_error *err);

/** Adds EvilNet's keys to cfg (defaults in place). */
void evilnet_config_keys(weir_config *cfg);

/* Commands: return an exit code; errors have been told on standard error. */
int evilnet_ingest(struct evilnet *e);
int evilnet_process(struct evilnet *e);
int evilnet_serve(struct evilnet *e);
int evilnet_run(struct evilnet *e);
int evilnet_demo(struct evilnet *e);
int evilnet_reprocess(struct evilnet *e);
int evilnet_reset(struct evilnet *e);

/** Makes the application's topics if they are not there: posts (retention.ms=-1: weir purges by event time),
 *  metrics, dead letters. */
bool evilnet_topics_ensure(struct evilnet *e, weir_error *err);

#endif
