// SPDX-License-Identifier: GPL-2.0
/*
 * Sends data from one network namespace to another as fast as it goes, for a given time.
 *
 * usage: stream tcp|udp FROM TO ADDRESS SIZE MILLISECONDS
 *
 * FROM and TO are names of namespaces, or - for that of the caller; ADDRESS belongs to TO, SIZE is
 * that of a write or a datagram. Prints "BYTES SECONDS": what the receiver got from a tenth of the
 * time on, so that the beginning of a connection does not count, and how long the rest of it is,
 * pauses included.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define PORT 5008
#define STEP (256 << 10)

static char data[STEP];
static int sender, size, own;
static double deadline;

static void enter(const char *namespace)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	fd = strcmp(namespace, "-") ? open(path, O_RDONLY) : dup(own);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

/*
 * The calls of a socket end, whatever happens to the packets, and so does the socket: one that went
 * on sending what nobody acknowledges would hold its namespace.
 */
static int be_impatient(int fd)
{
	struct timeval soon = { 0, 200000 };
	struct linger no = { 1, 0 };

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &no, sizeof(no)))
		die("SO_RCVTIMEO");
	return fd;
}

static void *send_all(void *unused)
{
	while (seconds() < deadline)
		if (send(sender, data, size, MSG_NOSIGNAL) < 0)
			sched_yield();
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	double length, began;
	int one = 1, receiver, type;
	long bytes = 0;
	pthread_t thread;
	bool tcp;

	if (argc != 7 || inet_pton(AF_INET, argv[4], &address.sin_addr) != 1 || atoi(argv[5]) < 1 ||
	    atoi(argv[5]) > STEP) {
		fprintf(stderr, "usage: stream tcp|udp FROM TO ADDRESS SIZE MILLISECONDS\n");
		return 2;
	}
	tcp = !strcmp(argv[1], "tcp");
	type = tcp ? SOCK_STREAM : SOCK_DGRAM;
	size = atoi(argv[5]);
	length = atoi(argv[6]) / 1e3;

	own = open("/proc/self/ns/net", O_RDONLY);
	if (own < 0)
		die("/proc/self/ns/net");
	enter(argv[3]);
	receiver = be_impatient(socket(AF_INET, type, 0));
	if (receiver < 0)
		die("socket");
	setsockopt(receiver, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(receiver, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	if (tcp && listen(receiver, 1))
		die("listen");
	enter(argv[2]);
	sender = be_impatient(socket(AF_INET, type, 0));
	if (sender < 0)
		die("socket");
	/* A connection that does not come about is one over which nothing arrives. */
	if (!connect(sender, (struct sockaddr *)&address, sizeof(address)) && tcp)
		receiver = be_impatient(accept(receiver, NULL, NULL));
	else if (tcp)
		receiver = -1;
	if (receiver < 0) {
		printf("0 1\n");
		return 0;
	}

	began = seconds();
	deadline = began + length;
	if (pthread_create(&thread, NULL, send_all, NULL))
		die("pthread_create");
	while (seconds() < deadline) {
		static char got[STEP];
		ssize_t count = recv(receiver, got, sizeof(got), 0);
		double now = seconds();

		if (count > 0 && now >= began + length / 10 && now < deadline)
			bytes += count;
	}
	pthread_join(thread, NULL);
	printf("%ld %.6f\n", bytes, length * 0.9);
	return 0;
}
