/*
 * warm_memory FILE MIB
 *
 * Writes a file of that size and removes it, again and again until that does
 * not become faster. Under a hypervisor that takes free memory away from its
 * guests (free page reporting, a balloon) the first to write to a page again
 * pays for it, ten times the price of writing: without this, that would be
 * whoever fills the page cache next. Pages that were freed last are given out
 * first, so what follows gets these. Linux reports what became free two seconds
 * later, so first that has to pass: a report of earlier pages would take these,
 * too, in the middle of what follows. One file, because what ext4 makes slowly
 * after removals is inodes.
 */
#include "bench.h"

#include <fcntl.h>
#include <unistd.h>

#define CHUNK_BYTES (1 << 20)
#define PASSES_MAX  10
#define REPORT_US   2200000

static uint64_t pass_ns(const char *path, uint64_t mib, const char *chunk)
{
	uint64_t start = now_ns(), ns;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die("open", path);
	unlink(path);
	for (uint64_t i = 0; i < mib; i++)
		if (write(fd, chunk, CHUNK_BYTES) != CHUNK_BYTES)
			die("write", path);
	ns = now_ns() - start;
	close(fd);
	return ns;
}

int main(int argc, char **argv)
{
	static char chunk[CHUNK_BYTES];
	uint64_t mib, before, ns;

	if (argc != 3)
		usage("warm_memory FILE MIB");
	mib = parse_count(argv[2]);
	memset(chunk, 1, sizeof(chunk));
	usleep(REPORT_US);
	ns = pass_ns(argv[1], mib, chunk);
	for (int i = 1; i < PASSES_MAX; i++) {
		before = ns;
		ns = pass_ns(argv[1], mib, chunk);
		if (ns > before / 4 * 3)
			break;
	}
	return 0;
}
