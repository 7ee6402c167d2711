/*
 * pread_cold FILE COUNT SEED APART
 *
 * Opens FILE, then times COUNT preads of 4 KiB, each in another part of APART
 * bytes, in a seeded order. Prints the mean time of one; the open is not timed.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static void shuffle(uint64_t *numbers, uint64_t count, uint64_t seed)
{
	for (uint64_t i = 0; i < count; i++)
		numbers[i] = i;
	for (uint64_t i = count; i > 1; i--) {
		uint64_t other = next_random(&seed) % i, kept = numbers[i - 1];

		numbers[i - 1] = numbers[other];
		numbers[other] = kept;
	}
}

int main(int argc, char **argv)
{
	char *buf = new_buffer(PAGE_BYTES);
	uint64_t count, seed, apart, parts, sum = 0, start_ns, took_ns, *order;
	struct stat st;
	int fd;

	if (argc != 5)
		usage("pread_cold FILE COUNT SEED APART");
	count = parse_count(argv[2]);
	seed = parse_count(argv[3]);
	apart = parse_count(argv[4]);
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", argv[1]);
	/* Not the first part: opening may have brought it along. */
	parts = (uint64_t)st.st_size / apart - 1;
	order = calloc(parts, sizeof(*order));
	if (order == NULL || count > parts) {
		fprintf(stderr, "%s: has no %" PRIu64 " parts\n", argv[1], count);
		return 1;
	}
	shuffle(order, parts, seed);

	start_ns = now_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t inside = next_random(&seed) % (apart / PAGE_BYTES) * PAGE_BYTES;

		if (pread(fd, buf, PAGE_BYTES, (off_t)((order[i] + 1) * apart + inside)) != PAGE_BYTES)
			die("pread", argv[1]);
		sum = mix(sum, buf);
	}
	took_ns = now_ns() - start_ns;

	printf("{\"us_per_op\": %.2f, \"sum\": \"%016" PRIx64 "\"}\n", (double)took_ns / 1000.0 / (double)count, sum);
	return 0;
}
