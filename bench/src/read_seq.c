/*
 * read_seq FILE
 *
 * Times one sequential read of FILE in pieces of 1 MiB, from before open to
 * after close. Prints the time and the number of bytes. Looks at no byte: the
 * driver compares the content apart from the timed runs.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define PIECE_BYTES (1024 * 1024)

int main(int argc, char **argv)
{
	char *buf = new_buffer(PIECE_BYTES);
	uint64_t bytes = 0, start_ns, took_ns;
	ssize_t n;
	int fd;

	if (argc != 2)
		usage("read_seq FILE");

	start_ns = now_ns();
	fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		die("open", argv[1]);
	while ((n = read(fd, buf, PIECE_BYTES)) > 0)
		bytes += (uint64_t)n;
	if (n < 0)
		die("read", argv[1]);
	if (close(fd) < 0)
		die("close", argv[1]);
	took_ns = now_ns() - start_ns;

	printf("{\"inside_ns\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", took_ns, bytes);
	return 0;
}
