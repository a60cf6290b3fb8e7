// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet socket takes of the kernel's memory: thousands are made, bound, and counted.
 *
 * usage: socket_memory FAMILY COUNT
 *
 * Prints "SLAB PERCPU" in bytes for a socket: what its objects take, with those of the file that
 * it is, out of /proc/slabinfo, and what it has of each CPU's memory, out of /proc/meminfo. The
 * slabs count the objects that are in use, so that half-filled slabs do not matter.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

static long slab(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[512];
	long total = 0;

	if (!file)
		die("/proc/slabinfo");
	while (fgets(line, sizeof(line), file)) {
		long active, all, size;

		if (sscanf(line, "%*s %ld %ld %ld", &active, &all, &size) == 3)
			total += active * size;
	}
	fclose(file);
	return total;
}

static long percpu(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	if (!file)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Percpu: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(0x88b5),
		.sll_ifindex = if_nametoindex("lo"),
	};
	struct rlimit limit = { 1 << 16, 1 << 16 };
	long slab_before, percpu_before;
	int family, count;

	if (argc != 3) {
		fprintf(stderr, "usage: socket_memory FAMILY COUNT\n");
		return 2;
	}
	family = atoi(argv[1]);
	count = atoi(argv[2]);
	if (count < 1 || setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
	/* The table of the files has its size before the first is counted. */
	if (dup2(0, count + 64) < 0)
		die("dup2");
	slab_before = slab();
	percpu_before = percpu();
	for (int i = 0; i < count; i++) {
		int fd = socket(family, SOCK_RAW, 0);

		if (fd < 0)
			die("socket");
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
			die("bind");
	}
	printf("%.1f %.1f\n", (double)(slab() - slab_before) / count,
	       (double)(percpu() - percpu_before) / count);
	return 0;
}
