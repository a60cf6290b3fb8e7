// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet costs on its way through a packet socket, in nanoseconds of the guest's clock.
 * Under `scripts/vm --icount` that clock counts instructions: one is one nanosecond.
 *
 * usage: packet_path ROUNDS|profile SIZE FAMILY:OUT:IN...
 *
 * OUT and IN are the two ends of a veth, one pair for each family. The families take turns
 * within each round, every second round in the opposite order. Prints "WORKLOAD FAMILY TIME...":
 * for each round the time by packet. With `profile` QEMU logs the instructions of a second round,
 * of few packets (`scripts/vm --trace`), and what is printed is "WORKLOAD FAMILY ANSWER", QEMU's
 * answer with the place of the log.
 *
 *   syscall   a system call that does nothing (by call)
 *   nobody    AF_PACKET sends, and nobody receives
 *   sendmsg   the family sends, and nobody receives
 *   hook      AF_PACKET sends, and a filter on the family's socket refuses
 *   queue     AF_PACKET sends, and the family's socket queues
 *   recvmsg   the socket's program takes the packets out of the queue
 *   recvmmsg  likewise, 32 with one call
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define MOST_ROUNDS 1000
#define PACKETS 250
#define PROFILED 10
#define BATCH 32
#define PROBE 0x88b5
#define FAMILIES 4

struct subject {
	int family;
	char out[16], in[16];
	int sender, own, receiver;
	double times[MOST_ROUNDS];
};

static struct subject subjects[FAMILIES];
static int count, rounds, size, packets = PACKETS;
static bool profile;
static unsigned char frame[2048];

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

static void send_all(int fd)
{
	for (int i = 0; i < packets; i++)
		if (send(fd, frame, size, 0) != size)
			die("send");
}

static void receive_all(int fd)
{
	static unsigned char data[2048];
	struct sockaddr_ll from;

	for (int i = 0; i < packets; i++) {
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
	int left = packets;

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

static void nothing_all(void)
{
	for (int i = 0; i < packets; i++)
		syscall(SYS_getppid);
}

/* Refuse all, or no filter. */
static void refuse(int fd, bool all)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &none };
	int nothing = 0;

	if (all ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) :
		  setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof(nothing)))
		die("filter");
}

static bool is_empty(int fd)
{
	return recv(fd, frame, 0, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void do_syscall(struct subject *subject) { nothing_all(); }
static void do_nobody(struct subject *subject) { send_all(subject->sender); }
static void do_sendmsg(struct subject *subject) { send_all(subject->own); }
static void do_recvmsg(struct subject *subject) { receive_all(subject->receiver); }
static void do_recvmmsg(struct subject *subject) { receive_batches(subject->receiver); }
static void nothing(struct subject *subject) { }
static void begin_hook(struct subject *subject) { refuse(subject->receiver, true); }

static void end_hook(struct subject *subject)
{
	refuse(subject->receiver, false);
	if (!is_empty(subject->receiver))
		die("the filter let something in");
}

/* Asks what carries requests to QEMU (scripts/guest/qmp); returns its answer, a line of JSON. */
static const char *ask(const char *what)
{
	static char answer[512];
	static int port = -1;
	size_t length = 0;

	if (port < 0)
		port = open("/dev/virtio-ports/rpacket.qmp", O_RDWR);
	if (port < 0 || dprintf(port, "{\"execute\": \"%s\"}\n", what) < 0)
		die("rpacket.qmp");
	do {
		if (length == sizeof(answer) - 1 || read(port, answer + length, 1) != 1)
			die("rpacket.qmp");
	} while (answer[length++] != '\n');
	answer[length] = 0;
	return answer;
}

/* One round that is logged, after one that is not. */
static void log_instructions(const char *name, void (*before)(struct subject *),
			     void (*work)(struct subject *), void (*after)(struct subject *))
{
	packets = PROFILED;
	for (int j = 0; j < count; j++) {
		before(&subjects[j]);
		work(&subjects[j]);
		after(&subjects[j]);
		before(&subjects[j]);
		ask("profile-begin");
		work(&subjects[j]);
		printf("%s %d %s", name, subjects[j].family, ask("profile-end"));
		after(&subjects[j]);
	}
	fflush(stdout);
}

/* Times `work`, with `before` done before it and `after` after it, untimed. */
static void measure(const char *name, void (*before)(struct subject *),
		    void (*work)(struct subject *), void (*after)(struct subject *))
{
	if (profile)
		return log_instructions(name, before, work, after);
	for (int i = 0; i < rounds; i++) {
		for (int j = 0; j < count; j++) {
			struct subject *subject = &subjects[i & 1 ? count - 1 - j : j];
			long began;

			before(subject);
			began = nanoseconds();
			work(subject);
			subject->times[i] = (double)(nanoseconds() - began) / packets;
			after(subject);
		}
	}
	for (int j = 0; j < count; j++) {
		printf("%s %d", name, subjects[j].family);
		for (int i = 0; i < rounds; i++)
			printf(" %.1f", subjects[j].times[i]);
		printf("\n");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	profile = argc > 3 && !strcmp(argv[1], "profile");
	rounds = profile ? 1 : argc > 3 ? atoi(argv[1]) : 0;
	size = argc > 3 ? atoi(argv[2]) : 0;
	count = argc - 3;
	if (rounds < 1 || rounds > MOST_ROUNDS || size < 60 || size > 1514 || count > FAMILIES) {
		fprintf(stderr, "usage: packet_path ROUNDS|profile SIZE FAMILY:OUT:IN...\n");
		return 2;
	}
	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[12] = PROBE >> 8;
	frame[13] = PROBE & 0xff;

	for (int i = 0; i < count; i++) {
		struct subject *subject = &subjects[i];

		if (sscanf(argv[3 + i], "%d:%15[^:]:%15s", &subject->family, subject->out,
			   subject->in) != 3)
			return 2;
		subject->sender = packet_socket(AF_PACKET, subject->out, 0);
		subject->own = packet_socket(subject->family, subject->out, 0);
	}
	measure("syscall", nothing, do_syscall, nothing);
	measure("nobody", nothing, do_nobody, nothing);
	measure("sendmsg", nothing, do_sendmsg, nothing);
	for (int i = 0; i < count; i++)
		subjects[i].receiver = packet_socket(subjects[i].family, subjects[i].in, PROBE);
	measure("hook", begin_hook, do_nobody, end_hook);
	measure("queue", nothing, do_nobody, do_recvmsg);
	measure("recvmsg", do_nobody, do_recvmsg, nothing);
	measure("recvmmsg", do_nobody, do_recvmmsg, nothing);
	return 0;
}
