// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet costs on its way through a packet socket, in nanoseconds of the guest's clock.
 * Under `scripts/vm --icount` that clock counts instructions: one is one nanosecond.
 *
 * usage: packet_path FAMILY OUT IN SIZE
 *
 * OUT and IN are the two ends of a veth. Prints "WORKLOAD MIN MEDIAN" for each workload, by packet,
 * of several rounds:
 *
 *   nobody    AF_PACKET sends, and nobody receives
 *   hook      AF_PACKET sends, and a socket of the family queues
 *   recvmsg   the socket's program takes the packets out of the queue
 *   recvmmsg  likewise, 32 with one call
 *   sendmsg   the family sends, and nobody receives
 *   syscall   a system call that does nothing
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15
#define PACKETS 500
#define BATCH 32
#define PROBE 0x88b5

static unsigned char frame[2048];
static int size;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int packet_socket(int family, const char *device, int protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = if_nametoindex(device),
	};
	int buffer = 64 << 20;
	int fd = socket(family, SOCK_RAW, 0);

	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		die("SO_RCVBUFFORCE");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	return fd;
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void send_all(int fd)
{
	for (int i = 0; i < PACKETS; i++)
		if (send(fd, frame, size, 0) != size)
			die("send");
}

static void receive_all(int fd)
{
	static unsigned char data[2048];
	struct sockaddr_ll from;

	for (int i = 0; i < PACKETS; i++) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr message = {
			.msg_name = &from, .msg_namelen = sizeof(from),
			.msg_iov = &iov, .msg_iovlen = 1,
		};

		if (recvmsg(fd, &message, MSG_DONTWAIT) != size)
			die("recvmsg");
	}
}

static void receive_batches(int fd)
{
	static unsigned char data[BATCH][2048];
	struct mmsghdr messages[BATCH] = { };
	struct iovec iov[BATCH];
	int left = PACKETS;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (left > 0) {
		int got = recvmmsg(fd, messages, BATCH < left ? BATCH : left, MSG_DONTWAIT, NULL);

		if (got <= 0)
			die("recvmmsg");
		left -= got;
	}
}

static void nothing_all(int fd)
{
	(void)fd;
	for (int i = 0; i < PACKETS; i++)
		syscall(SYS_getppid);
}

static int ascending(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* Times `work`, with `before` done before each round and `after` after it, untimed. */
static void measure(const char *name, void (*work)(int fd), int fd,
		    void (*before)(int fd), int before_fd, void (*after)(int fd), int after_fd)
{
	long rounds[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		long began;

		if (before)
			before(before_fd);
		began = now();
		work(fd);
		rounds[i] = now() - began;
		if (after)
			after(after_fd);
	}
	qsort(rounds, ROUNDS, sizeof(*rounds), ascending);
	printf("%s %.1f %.1f\n", name, (double)rounds[0] / PACKETS,
	       (double)rounds[ROUNDS / 2] / PACKETS);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int family, sender, receiver, own;

	if (argc != 5) {
		fprintf(stderr, "usage: packet_path FAMILY OUT IN SIZE\n");
		return 2;
	}
	family = atoi(argv[1]);
	size = atoi(argv[4]);
	if (size < 60 || size > 1514)
		return 2;
	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[12] = PROBE >> 8;
	frame[13] = PROBE & 0xff;

	sender = packet_socket(AF_PACKET, argv[2], 0);
	measure("syscall", nothing_all, 0, NULL, 0, NULL, 0);
	measure("nobody", send_all, sender, NULL, 0, NULL, 0);
	own = packet_socket(family, argv[2], 0);
	measure("sendmsg", send_all, own, NULL, 0, NULL, 0);
	receiver = packet_socket(family, argv[3], PROBE);
	measure("hook", send_all, sender, NULL, 0, receive_all, receiver);
	measure("recvmsg", receive_all, receiver, send_all, sender, NULL, 0);
	measure("recvmmsg", receive_batches, receiver, send_all, sender, NULL, 0);
	return 0;
}
