/*
 * What the benchmark's small programs share: a clock, a seeded sequence of
 * numbers, argument parsing, and one way to fail.
 *
 * Every program does its work between two readings of the clock and prints one
 * line of JSON on stdout. Nothing here knows which world it runs in: the same
 * binary reads local files, files under the preload, and files of a FUSE mount.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_BYTES 4096

__attribute__((noreturn)) static inline void die(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s: %s\n", what, name, strerror(errno));
	exit(1);
}

__attribute__((noreturn)) static inline void usage(const char *text)
{
	fprintf(stderr, "usage: %s\n", text);
	exit(2);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A plain linear congruential sequence (Knuth's MMIX constants): the same
 * offsets in every world, and cheap enough to be drawn before the clock starts. */
static inline uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 16;
}

static inline uint64_t parse_count(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || n == 0) {
		fprintf(stderr, "not a positive number: %s\n", text);
		exit(2);
	}
	return n;
}

/* Page-aligned and already touched, so that no page fault is timed. */
static inline char *new_buffer(size_t len_bytes)
{
	void *p = NULL;

	errno = posix_memalign(&p, PAGE_BYTES, len_bytes);
	if (errno != 0)
		die("memory", "buffer");
	memset(p, 1, len_bytes);
	return p;
}

/* Folded over what was read: equal in every world, or somebody read wrong bytes. */
static inline uint64_t mix(uint64_t sum, const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return (sum ^ word) * 1099511628211u;
}

#endif
