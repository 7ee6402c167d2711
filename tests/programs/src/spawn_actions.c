/* posix_spawn with file actions: what the child opens, where it goes, what it is handed. */
#include "case.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void run(const char *what, posix_spawn_file_actions_t *actions, char *const args[])
{
    pid_t pid;
    int status = 0;
    int r = posix_spawnp(&pid, args[0], actions, NULL, args, environ);
    if (r == 0)
        waitpid(pid, &status, 0);
    printf("%s: %s, status %d\n", what, r ? strerrorname_np(r) : "ok", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    char *const cat[] = {"cat", NULL};
    char *const where[] = {"sh", "-c", "pwd; cat a.txt", NULL};
    char *const both[] = {"sh", "-c", "read x; echo \"$x\"; cat <&7", NULL};
    setvbuf(stdout, NULL, _IOLBF, 0);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    printf("addopen: %d\n", posix_spawn_file_actions_addopen(&actions, 0, at("text/crlf.txt"), O_RDONLY, 0));
    run("opened", &actions, cat);
    run("again, from the start", &actions, cat);
    posix_spawn_file_actions_addopen(&actions, 7, at("one-byte"), O_RDONLY, 0);
    run("two", &actions, both);
    printf("destroy: %d\n", posix_spawn_file_actions_destroy(&actions));

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, at("missing"), O_RDONLY, 0);
    run("missing", &actions, cat);
    posix_spawn_file_actions_destroy(&actions);

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, at("nested"));
    run("chdir", &actions, where);
    posix_spawn_file_actions_destroy(&actions);

    int fd = must_open("nested"), in = must_open("text/alpha.txt");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addfchdir_np(&actions, fd);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    lseek(in, -20, SEEK_END);
    run("fchdir", &actions, where);
    run("dup2", &actions, cat);
    posix_spawn_file_actions_destroy(&actions);

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, at("one-byte"));
    run("chdir to a file", &actions, cat);
    posix_spawn_file_actions_destroy(&actions);
    return 0;
}
