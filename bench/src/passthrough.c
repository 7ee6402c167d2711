/*
 * passthrough FILE COUNT
 *
 * COUNT preads of 4 KiB from FILE and COUNT stats of it, each timed in batches.
 * Prints the median batch's time for one operation: a batch that was interrupted
 * says nothing about the library, and 3 % is less than one interruption costs.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_OPS 500

struct target {
	const char *path;
	char *buf;
	int fd;
	uint64_t pages;
	uint64_t seed;
};

static void one_pread(struct target *t)
{
	off_t at = (off_t)(next_random(&t->seed) % t->pages * PAGE_BYTES);

	if (pread(t->fd, t->buf, PAGE_BYTES, at) != PAGE_BYTES)
		die("pread", t->path);
}

static void one_stat(struct target *t)
{
	struct stat st;

	if (stat(t->path, &st) < 0)
		die("stat", t->path);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_ns(void (*op)(struct target *), struct target *t, uint64_t count)
{
	size_t batches = count / BATCH_OPS + 1;
	double *ns = calloc(batches, sizeof(*ns)), median;

	if (ns == NULL)
		die("memory", "batches");
	for (size_t b = 0; b < batches; b++) {
		uint64_t start_ns = now_ns();

		for (int i = 0; i < BATCH_OPS; i++)
			op(t);
		ns[b] = (double)(now_ns() - start_ns) / BATCH_OPS;
	}
	qsort(ns, batches, sizeof(*ns), by_value);
	median = ns[batches / 2];
	free(ns);
	return median;
}

int main(int argc, char **argv)
{
	struct target t = {.seed = 1};
	struct stat st;
	uint64_t count;
	double pread_ns, stat_ns;

	if (argc != 3)
		usage("passthrough FILE COUNT");
	count = parse_count(argv[2]);
	t.path = argv[1];
	t.buf = new_buffer(PAGE_BYTES);
	t.fd = open(t.path, O_RDONLY);
	if (t.fd < 0 || fstat(t.fd, &st) < 0)
		die("open", t.path);
	t.pages = (uint64_t)st.st_size / PAGE_BYTES;
	if (t.pages == 0) {
		fprintf(stderr, "%s: smaller than a page\n", t.path);
		return 1;
	}
	for (uint64_t i = 0; i < t.pages; i++)
		one_pread(&t);

	pread_ns = median_ns(one_pread, &t, count);
	stat_ns = median_ns(one_stat, &t, count);
	printf("{\"pread_ns\": %.2f, \"stat_ns\": %.2f}\n", pread_ns, stat_ns);
	return 0;
}
