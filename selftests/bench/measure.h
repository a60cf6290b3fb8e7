/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs that measure share. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Ends the program, with the reason of the call that failed. */
static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The clock that only goes forward. */
static inline long nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static inline double seconds(void)
{
	return nanoseconds() / 1e9;
}
