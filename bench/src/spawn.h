/*
 * Starting a program and timing it from before posix_spawn to after wait, with
 * additions to the environment that only the new process sees: the program that
 * holds the clock never runs under the preload itself.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "bench.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* The caller's environment followed by the additions. The caller frees it. */
static inline char **environment_with(char **added, size_t count)
{
	size_t have = 0;
	char **env;

	while (environ[have] != NULL)
		have++;
	env = calloc(have + count + 1, sizeof(*env));
	if (env == NULL)
		die("memory", "environment");
	memcpy(env, environ, have * sizeof(*env));
	for (size_t i = 0; i < count; i++)
		env[have + i] = added[i];
	return env;
}

/* Runs argv[0] to its end; exits when it fails, because its time means nothing then. */
static inline uint64_t spawn_ns(char **argv, char **env)
{
	uint64_t start_ns = now_ns(), took_ns;
	int status;
	pid_t pid;

	errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, env);
	if (errno != 0)
		die("posix_spawn", argv[0]);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid", argv[0]);
	took_ns = now_ns() - start_ns;
	if (status != 0) {
		fprintf(stderr, "%s: ended with wait status %d\n", argv[0], status);
		exit(1);
	}
	return took_ns;
}

/* Splits "NAME=VALUE … -- CMD …": additions end at "--", the command follows it. */
static inline char **find_command(char **args, size_t *additions)
{
	size_t n = 0;

	while (args[n] != NULL && strcmp(args[n], "--") != 0)
		n++;
	*additions = n;
	return args[n] == NULL || args[n + 1] == NULL ? NULL : args + n + 1;
}

#endif
