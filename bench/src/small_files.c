/*
 * small_files DIR LIST
 *
 * For each name in the file LIST: open, fstat, read all of it, close, under
 * DIR. The list is read and the paths are built before the clock starts.
 * Prints the mean time of one file.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_BYTES (64 * 1024)

struct paths {
	char **path;
	size_t count;
};

static struct paths build_paths(const char *dir, const char *list)
{
	struct paths p = {NULL, 0};
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *f = fopen(list, "r");

	if (f == NULL)
		die("open", list);
	while ((len = getline(&line, &room, f)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		p.path = realloc(p.path, (p.count + 1) * sizeof(*p.path));
		if (p.path == NULL || asprintf(&p.path[p.count], "%s/%s", dir, line) < 0)
			die("memory", list);
		p.count++;
	}
	free(line);
	fclose(f);
	return p;
}

static size_t read_one(const char *path, char *buf)
{
	size_t have = 0;
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die("open", path);
	if (fstat(fd, &st) < 0)
		die("fstat", path);
	while (have < (size_t)st.st_size) {
		n = read(fd, buf + have, LARGEST_BYTES - have);
		if (n <= 0)
			die("read", path);
		have += (size_t)n;
	}
	if (close(fd) < 0)
		die("close", path);
	return have;
}

int main(int argc, char **argv)
{
	char *buf = new_buffer(LARGEST_BYTES);
	uint64_t bytes = 0, sum = 0, start_ns, took_ns;
	struct paths p;

	if (argc != 3)
		usage("small_files DIR LIST");
	p = build_paths(argv[1], argv[2]);
	if (p.count == 0) {
		fprintf(stderr, "%s: no names\n", argv[2]);
		return 1;
	}

	start_ns = now_ns();
	for (size_t i = 0; i < p.count; i++) {
		bytes += read_one(p.path[i], buf);
		sum = mix(sum, buf);
	}
	took_ns = now_ns() - start_ns;

	printf("{\"us_per_file\": %.3f, \"files\": %zu, \"bytes\": %" PRIu64 ", \"sum\": \"%016" PRIx64 "\"}\n",
	       (double)took_ns / 1000.0 / (double)p.count, p.count, bytes, sum);
	return 0;
}
