#ifndef WEIR_VERSION_H
#define WEIR_VERSION_H
/* Which weir this is. */

/** "0.1.0": of the library that the program is linked with (pkg-config --modversion weir), by semantic versioning.
 * Static text; any thread. */
const char *weir_version(void);

#endif
