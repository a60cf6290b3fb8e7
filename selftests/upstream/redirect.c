// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into a program, turns its packet sockets into sockets of another
 * family, the number of which is in RPACKET_FAMILY. Nothing else is changed:
 * what the program does with the socket afterwards is what it does with
 * AF_PACKET. The 17 in its addresses stays, since the family takes 17 as its
 * own number and answers with it.
 *
 * Children inherit it. If REDIRECT_PROGRAMS is set, a list of names with
 * spaces between, only those programs are redirected: a script's tcpdump or
 * arping is then served by AF_PACKET, as its tool, while the program under test
 * is not. A program that is linked statically, or enters the kernel without
 * the C library, is not reached: therefore each socket is noted in the file
 * REDIRECT_LOG, and a test has to look there whether it was about the family at
 * all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int is_meant(void)
{
	const char *names = getenv("REDIRECT_PROGRAMS");
	size_t length = strlen(program_invocation_short_name);
	const char *at;

	if (!names)
		return 1;
	for (at = names; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, " ") == length &&
		    !strncmp(at, program_invocation_short_name, length))
			return 1;
	}
	return 0;
}

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
	if (domain != AF_PACKET || !family || !is_meant())
		return next(domain, type, protocol);

	fd = next(atoi(family), type, protocol);
	saved = errno;
	if (fd >= 0 && log) {
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		if (out >= 0) {
			dprintf(out, "%s: type %d protocol %#x\n",
				program_invocation_short_name, type, protocol);
			close(out);
		}
	}
	errno = saved;
	return fd;
}
