#ifndef WEB_SOCKETS_H
#define WEB_SOCKETS_H
#include <stdbool.h>

/** Shuts down this process's TCP sockets whose own end is `port`: those that listen, or those connected. */
void web_sockets_shut(int port, bool listening);

#endif
