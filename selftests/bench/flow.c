// SPDX-License-Identifier: GPL-2.0
/*
 * Offers packets to a packet socket at a given rate: what of it the program gets, and how late.
 *
 * usage: flow FAMILY OUT IN SIZE RATE MILLISECONDS [latency]
 *
 * OUT and IN are the two ends of a veth. A thread on the first CPU sends RATE packets a second
 * (as fast as it can if RATE is 0); a socket of the family, with the buffer that a socket has by
 * default, is read by a thread on the last CPU. Prints "SENT RECEIVED SECONDS", and with
 * `latency` the percentiles 50, 99 and 99.9 of the nanoseconds from the packet's time stamp,
 * which the kernel takes just before the family's hook, to the return of recvmsg().
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define PROBE 0x88b5
#define MOST 1000000

static unsigned char frame[2048];
static long *late;
static int sender, receiver, size;
static double rate, length;
static bool timed;
static long sent, received;
static double took;
static atomic_bool done;

static int packet_socket(int family, const char *device, int protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = if_nametoindex(device),
	};
	int fd = socket(family, SOCK_RAW, 0);

	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	return fd;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *send_all(void *unused)
{
	double began;

	stay_on(0);
	began = seconds();
	while (seconds() < began + length) {
		if (rate > 0 && seconds() < began + sent / rate)
			continue;
		if (send(sender, frame, size, 0) == size)
			sent++;
	}
	took = seconds() - began;
	/* What is queued may still be read. */
	usleep(300000);
	done = true;
	return NULL;
}

static void receive_one(void)
{
	static unsigned char data[2048];
	char control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct timespec at, stamp;

	if (recvmsg(receiver, &message, 0) < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &at);
	if (timed && received < MOST) {
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		if (!header || header->cmsg_type != SCM_TIMESTAMPNS)
			die("no time stamp");
		memcpy(&stamp, CMSG_DATA(header), sizeof(stamp));
		late[received] = (at.tv_sec - stamp.tv_sec) * 1000000000L;
		late[received] += at.tv_nsec - stamp.tv_nsec;
	}
	received++;
}

static int ascending(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static long percentile(double share)
{
	long count = received < MOST ? received : MOST;

	return count ? late[(long)(share * (count - 1))] : 0;
}

int main(int argc, char **argv)
{
	struct timeval soon = { 0, 100000 };
	pthread_t thread;
	int on = 1;

	if (argc < 7) {
		fprintf(stderr, "usage: flow FAMILY OUT IN SIZE RATE MILLISECONDS [latency]\n");
		return 2;
	}
	size = atoi(argv[4]);
	rate = atof(argv[5]);
	length = atoi(argv[6]) / 1e3;
	timed = argc > 7;
	if (size < 60 || size > 1514)
		return 2;
	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[12] = PROBE >> 8;
	frame[13] = PROBE & 0xff;
	late = calloc(MOST, sizeof(*late));
	if (!late)
		die("calloc");

	receiver = packet_socket(atoi(argv[1]), argv[3], PROBE);
	if (setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)))
		die("SO_RCVTIMEO");
	if (timed && setsockopt(receiver, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		die("SO_TIMESTAMPNS");
	sender = packet_socket(AF_PACKET, argv[2], 0);
	stay_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	if (pthread_create(&thread, NULL, send_all, NULL))
		die("pthread_create");
	while (!done)
		receive_one();
	pthread_join(thread, NULL);
	printf("%ld %ld %.6f", sent, received, took);
	if (timed) {
		qsort(late, received < MOST ? received : MOST, sizeof(*late), ascending);
		printf(" %ld %ld %ld", percentile(0.5), percentile(0.99), percentile(0.999));
	}
	printf("\n");
	return 0;
}
