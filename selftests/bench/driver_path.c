// SPDX-License-Identifier: GPL-2.0
/*
 * What a frame costs on its way through a driver, in nanoseconds of the guest's clock. Under
 * `scripts/vm --icount` that clock counts instructions: one is one nanosecond.
 *
 * usage: driver_path send INTERFACE ADDRESS SIZE          a packet socket sends, one frame a call
 *        driver_path burst INTERFACE ADDRESS SIZE BURST   send_burst.ko sends that many in one go
 *        driver_path receive FRAMES                       so many come into null_nic.ko in one go
 *
 * Prints how many frames there were in all, and for each round the time by frame (by call, where
 * FRAMES is 0). Before each round the machine is idle for so long that it has done what the last
 * one left.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define ROUNDS 15
#define FRAMES 192
#define IDLE_US 120000
#define SEND "/sys/module/send_burst/parameters/send"
#define RECEIVE "/sys/module/null_nic/parameters/receive"

static unsigned char frame[2048];
static int fd, calls, size;
static char order[128];

static void send_all(void)
{
	for (int i = 0; i < calls; i++)
		if (send(fd, frame, size, 0) != size)
			die("send");
}

static void order_all(void)
{
	int length = strlen(order);

	for (int i = 0; i < calls; i++)
		if (pwrite(fd, order, length, 0) != length)
			die(order);
}

static void open_socket(const char *device, const unsigned char *to)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex(device),
	};
	int buffer = 64 << 20;

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	/* What is sent stays with the card for the whole round. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)))
		die("SO_SNDBUFFORCE");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	memcpy(frame, to, 6);
	frame[6] = 2;
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

static void open_parameter(const char *path)
{
	fd = open(path, O_WRONLY);
	if (fd < 0)
		die(path);
}

int main(int argc, char **argv)
{
	long rounds[ROUNDS];
	int each = 1;
	unsigned char to[6] = { };
	void (*work)(void) = order_all;

	if (argc >= 5 && sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2],
				&to[3], &to[4], &to[5]) != 6)
		argc = 0;
	if (argc == 5 && !strcmp(argv[1], "send")) {
		size = atoi(argv[4]);
		if (size < 60 || size > 1514)
			return 2;
		open_socket(argv[2], to);
		work = send_all;
		calls = FRAMES;
	} else if (argc == 6 && !strcmp(argv[1], "burst")) {
		each = atoi(argv[5]);
		calls = each > 0 ? FRAMES / each : 0;
		snprintf(order, sizeof(order), "%s %s %s %d %d", argv[2], argv[3], argv[4], each,
			 each);
		open_parameter(SEND);
	} else if (argc == 3 && !strcmp(argv[1], "receive")) {
		each = atoi(argv[2]);
		/* Of the same length as an order for up to 99 frames. */
		calls = FRAMES / (each > 0 ? each : 1);
		snprintf(order, sizeof(order), "%02d", each);
		open_parameter(RECEIVE);
	} else {
		calls = 0;
	}
	if (calls < 1) {
		fprintf(stderr, "usage: driver_path send|burst|receive ...\n");
		return 2;
	}
	if (each < 1)
		each = 1;
	for (int i = 0; i < ROUNDS; i++) {
		long began;

		usleep(IDLE_US);
		began = nanoseconds();
		work();
		rounds[i] = nanoseconds() - began;
	}
	printf("%d", ROUNDS * calls * each);
	for (int i = 0; i < ROUNDS; i++)
		printf(" %.1f", (double)rounds[i] / (calls * each));
	printf("\n");
	return 0;
}
