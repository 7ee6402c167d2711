/*
 * touch_memory MIB
 *
 * Takes that much memory, touches every page, and gives it back. Under a
 * hypervisor that takes free memory away from its guests (free page reporting,
 * a balloon), the first to touch a page again pays for it, ten times the price
 * of writing to it: without this, that would be whoever runs after a pause.
 */
#include "bench.h"

#include <sys/mman.h>

int main(int argc, char **argv)
{
	size_t len_bytes;

	if (argc != 2)
		usage("touch_memory MIB");
	len_bytes = parse_count(argv[1]) << 20;
	if (mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		die("memory", argv[1]);
	return 0;
}
