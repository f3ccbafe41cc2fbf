#include <weir/version.h>

const char *weir_version(void)
{
	return WEIR_VERSION; /* from CMake's project() */
}
