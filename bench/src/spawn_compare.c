/*
 * spawn_compare ROUNDS NAME=VALUE … -- CMD …
 *
 * Starts CMD in turn as it is, with the additions to its environment, and as it
 * is once more. The second plain start is the control: what it differs from the
 * first by is noise. Prints every time.
 */
#include "spawn.h"

#include <inttypes.h>

#define ARMS 3

static const char *const arm_name[ARMS] = {"plain_ns", "added_ns", "control_ns"};

static void print_arm(const char *name, const uint64_t *ns, uint64_t rounds)
{
	printf("\"%s\": [", name);
	for (uint64_t i = 0; i < rounds; i++)
		printf("%s%" PRIu64, i == 0 ? "" : ", ", ns[i]);
	printf("]");
}

int main(int argc, char **argv)
{
	size_t additions;
	char **command = argc < 4 ? NULL : find_command(argv + 2, &additions);
	uint64_t *ns[ARMS], rounds;
	char **env[ARMS];

	if (command == NULL)
		usage("spawn_compare ROUNDS NAME=VALUE ... -- CMD ...");
	rounds = parse_count(argv[1]);
	for (int arm = 0; arm < ARMS; arm++) {
		env[arm] = arm == 1 ? environment_with(argv + 2, additions) : environ;
		ns[arm] = calloc(rounds, sizeof(**ns));
		if (ns[arm] == NULL)
			die("memory", "times");
		spawn_ns(command, env[arm]); /* not counted: loads the files */
	}

	/* Each round starts with another arm, so that none always follows the same one. */
	for (uint64_t i = 0; i < rounds; i++)
		for (uint64_t turn = 0; turn < ARMS; turn++) {
			uint64_t arm = (i + turn) % ARMS;

			ns[arm][i] = spawn_ns(command, env[arm]);
		}

	printf("{");
	for (int arm = 0; arm < ARMS; arm++) {
		printf("%s", arm == 0 ? "" : ", ");
		print_arm(arm_name[arm], ns[arm], rounds);
	}
	printf("}\n");
	return 0;
}
