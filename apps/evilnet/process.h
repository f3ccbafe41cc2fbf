#ifndef EVILNET_PROCESS_H
#define EVILNET_PROCESS_H
/* What process, run and demo share. */
#include "apps/evilnet/cities.h"
#include "apps/evilnet/evilnet.h"

#define EVILNET_WEB_PORT 8080

/** Runs the topology on e->cluster, which must be open, until *e->stop or, with exit_at_end, the end; with or
 * without the dashboard. Returns an
 *  exit code; errors have been told on standard error. */
int evilnet_process_run(struct evilnet *e, bool dashboard);

/** Whether a key has been set by anybody, rather than standing at its default. */
bool evilnet_config_is_set(const weir_config *cfg, const char *name);
/** Sets a key unless somebody has set it. */
bool evilnet_config_default(weir_config *cfg, const char *name, const char *value, weir_error *err);

#endif
