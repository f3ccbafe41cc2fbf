#ifndef EVILNET_X_TOKEN_H
#define EVILNET_X_TOKEN_H
#include <weir/config.h>

/** The bearer token, from EVILNET_BEARER_TOKEN or the file that evilnet.token.file names. NULL and *err, which
 *  never shows any of it. */
char *x_token_read(const weir_config *cfg, weir_error *err);
/** Wipes it. NULL is fine. */
void x_token_free(char *token);

#endif
