/*
 * pread_random FILE COUNT SEED
 *
 * Opens FILE once, reads all of it, then times COUNT preads of 4 KiB at seeded
 * page-aligned offsets. Prints the mean time of one.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define WARM_BYTES (1024 * 1024)

static void read_all(int fd, const char *path, off_t size)
{
	char *buf = new_buffer(WARM_BYTES);
	off_t at = 0;

	while (at < size) {
		ssize_t n = pread(fd, buf, WARM_BYTES, at);

		if (n <= 0)
			die("pread", path);
		at += n;
	}
	free(buf);
}

static off_t *draw_offsets(uint64_t count, uint64_t seed, off_t size)
{
	off_t *offsets = calloc(count, sizeof(*offsets));
	uint64_t pages = (uint64_t)size / PAGE_BYTES;

	if (offsets == NULL)
		die("memory", "offsets");
	for (uint64_t i = 0; i < count; i++)
		offsets[i] = (off_t)(next_random(&seed) % pages * PAGE_BYTES);
	return offsets;
}

int main(int argc, char **argv)
{
	char *buf = new_buffer(PAGE_BYTES);
	uint64_t count, sum = 0, start_ns, took_ns;
	struct stat st;
	off_t *offsets;
	int fd;

	if (argc != 4)
		usage("pread_random FILE COUNT SEED");
	count = parse_count(argv[2]);
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", argv[1]);
	if (st.st_size < PAGE_BYTES) {
		fprintf(stderr, "%s: smaller than a page\n", argv[1]);
		return 1;
	}
	offsets = draw_offsets(count, parse_count(argv[3]), st.st_size);
	read_all(fd, argv[1], st.st_size);

	start_ns = now_ns();
	for (uint64_t i = 0; i < count; i++) {
		if (pread(fd, buf, PAGE_BYTES, offsets[i]) != PAGE_BYTES)
			die("pread", argv[1]);
		sum = mix(sum, buf);
	}
	took_ns = now_ns() - start_ns;

	printf("{\"ns_per_op\": %.2f, \"sum\": \"%016" PRIx64 "\"}\n", (double)took_ns / (double)count, sum);
	return 0;
}
