/* CivetWeb does not give its sockets out; the kernel does. */
#include "web/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool has_port(int fd, int port)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return false;
	if (address.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&address)->sin_port) == port;
	return address.ss_family == AF_INET6 && ntohs(((struct sockaddr_in6 *)&address)->sin6_port) == port;
}

static int number_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

void web_sockets_shut(int port, bool listening)
{
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return; /* then stopping takes up to two seconds */
	for (struct dirent *entry; (entry = readdir(dir));) {
		int fd = atoi(entry->d_name);
		if (number_of(fd, SO_TYPE) == SOCK_STREAM && number_of(fd, SO_ACCEPTCONN) == listening &&
		    has_port(fd, port))
			shutdown(fd, SHUT_RDWR);
	}
	closedir(dir);
}
