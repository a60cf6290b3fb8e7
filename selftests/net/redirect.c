// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into a program, turns its packet sockets into sockets of another
 * family, the number of which is in RPACKET_FAMILY. Nothing else is changed:
 * what the program does with the socket afterwards is what it does with
 * AF_PACKET. Each socket is noted in the file REDIRECT_LOG, so that a test
 * knows that the program really used the other family.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int socket(int domain, int type, int protocol)
{
	static int (*next)(int domain, int type, int protocol);
	const char *family = getenv("RPACKET_FAMILY");
	const char *log = getenv("REDIRECT_LOG");
	int fd, saved;

	if (!next)
		next = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
	if (!next) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (domain != AF_PACKET || !family)
		return next(domain, type, protocol);

	fd = next(atoi(family), type, protocol);
	saved = errno;
	if (fd >= 0 && log) {
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		if (out >= 0) {
			dprintf(out, "type %d protocol %#x\n", type, protocol);
			close(out);
		}
	}
	errno = saved;
	return fd;
}
