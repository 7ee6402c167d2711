/*
 * read_streams FILE STREAMS
 *
 * Times STREAMS sequential reads through equal parts of FILE, in turns, by one
 * thread on one descriptor, in pieces of 1 MiB; from before open to after
 * close. Prints the time and the number of bytes.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (1024 * 1024)

int main(int argc, char **argv)
{
	char *buf = new_buffer(PIECE_BYTES);
	uint64_t bytes = 0, start_ns, took_ns, part, streams;
	struct stat st;
	int fd;

	if (argc != 3)
		usage("read_streams FILE STREAMS");
	streams = parse_count(argv[2]);

	start_ns = now_ns();
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", argv[1]);
	part = ((uint64_t)st.st_size + streams - 1) / streams;
	for (uint64_t at = 0; at < part; at += PIECE_BYTES) {
		for (uint64_t i = 0; i < streams; i++) {
			uint64_t want = part - at < PIECE_BYTES ? part - at : PIECE_BYTES;
			ssize_t n = pread(fd, buf, want, (off_t)(i * part + at));

			if (n < 0)
				die("pread", argv[1]);
			bytes += (uint64_t)n;
		}
	}
	if (close(fd) < 0)
		die("close", argv[1]);
	took_ns = now_ns() - start_ns;

	printf("{\"inside_ns\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", took_ns, bytes);
	return 0;
}
