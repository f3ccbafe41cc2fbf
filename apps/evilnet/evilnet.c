#include "apps/evilnet/evilnet.h"

#include <stdio.h>

int evilnet_failed(const struct evilnet *e, const char *what, const weir_error *err)
{
	/* Most often nothing answers because the address is wrong. */
	bool no_broker = err->retriable && (err->code == WEIR_KAFKA || err->code == WEIR_TIMEOUT);

	fprintf(stderr, "evilnet: %s%s%s%s%s%s\n", what ? what : "", what ? ": " : "", err->message,
		no_broker ? " (bootstrap.servers is " : "",
		no_broker ? weir_config_string(e->cfg, "bootstrap.servers") : "", no_broker ? ")" : "");
	return err->code == WEIR_CONFIG || err->code == WEIR_USAGE || err->code == WEIR_TOPOLOGY ? EVILNET_USAGE
												 : EVILNET_FAILED;
}
