/*
 * timed [NAME=VALUE …] -- CMD …
 *
 * Runs CMD once with these additions to its environment. After CMD's own output
 * it prints how long CMD took as a whole process.
 */
#include "spawn.h"

#include <inttypes.h>

int main(int argc, char **argv)
{
	size_t additions;
	char **command = argc < 2 ? NULL : find_command(argv + 1, &additions);

	if (command == NULL)
		usage("timed [NAME=VALUE ...] -- CMD ...");
	printf("{\"process_ns\": %" PRIu64 "}\n", spawn_ns(command, environment_with(argv + 1, additions)));
	return 0;
}
