/*
 * reopen FILE COUNT
 *
 * Opens FILE, reads its first bytes and closes it, then opens and closes it
 * COUNT times more. Prints the median time of one over batches of 100, because
 * one interruption costs more than a hundred of them.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define BATCH 100

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void open_and_close(const char *path, char *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("open", path);
	if (buf != NULL && read(fd, buf, PAGE_BYTES) <= 0)
		die("read", path);
	if (close(fd) < 0)
		die("close", path);
}

int main(int argc, char **argv)
{
	char *buf = new_buffer(PAGE_BYTES);
	uint64_t batches;
	double *times;

	if (argc != 3)
		usage("reopen FILE COUNT");
	batches = parse_count(argv[2]) / BATCH + 1;
	times = calloc(batches, sizeof(*times));
	if (times == NULL)
		die("memory", "times");
	open_and_close(argv[1], buf);
	for (uint64_t i = 0; i < batches; i++) {
		uint64_t start_ns = now_ns();

		for (int k = 0; k < BATCH; k++)
			open_and_close(argv[1], NULL);
		times[i] = (double)(now_ns() - start_ns) / BATCH;
	}
	qsort(times, batches, sizeof(*times), compare);

	printf("{\"ns_per_open\": %.2f, \"sum\": \"%016" PRIx64 "\"}\n", times[batches / 2], mix(0, buf));
	return 0;
}
