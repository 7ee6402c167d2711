/* Children that don't have the library get mapped descriptors all the same: static ones, and those
 * that are started with an empty environment. And what posix_spawn is asked to do in the child. */
#include "case.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

static const char source[] =
    "#include <stdio.h>\n#include <unistd.h>\n#include <sys/stat.h>\n"
    "int main(void) { char b[9]; struct stat s; fstat(0, &s); long n = read(0, b, 8);\n"
    "  printf(\"static: %ld %.8s, size %ld, then at %ld\\n\", n, n > 0 ? b : \"\", (long)s.st_size, (long)lseek(0, 0, SEEK_CUR)); return 0; }\n";

static char *child[] = {"child", NULL};
static char *cat[] = {"cat", NULL};
static char *no_env[] = {NULL};

static int ended(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void spawned(const char *what, const char *path, posix_spawn_file_actions_t *actions, char **args, char **env)
{
    pid_t pid = 0;
    printf("%s: ", what);
    int r = posix_spawn(&pid, path, actions, NULL, args, env);
    if (r)
        printf("%s\n", strerrorname_np(r));
    else
        printf("-> %d\n", ended(pid));
    posix_spawn_file_actions_destroy(actions);
    posix_spawn_file_actions_init(actions);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    setvbuf(stdout, NULL, _IONBF, 0);
    FILE *file = fopen("child.c", "w");
    fputs(source, file);
    fclose(file);
    if (system("gcc -static -o child child.c") != 0)
        return 1;
    char text[16] = "";
    int fd = must_open("text/alpha.txt");
    read(fd, text, 5);

    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, 0);
        execv("./child", child);
        _exit(9);
    }
    printf("fork -> %d\n", ended(pid));
    lseek(fd, 100, SEEK_SET); /* what such a child reads does not move its parent's offset */
    pid = vfork();
    if (pid == 0) {
        dup2(fd, 0);
        execv("./child", child);
        _exit(9);
    }
    printf("vfork -> %d\n", ended(pid));
    lseek(fd, -30, SEEK_END);
    pid = vfork();
    if (pid == 0) {
        dup2(fd, 0);
        execve("/bin/cat", cat, no_env);
        _exit(9);
    }
    printf("vfork, no environment -> %d\n", ended(pid));
    pid = fork();
    if (pid == 0) {
        int mine = must_open("text/crlf.txt");
        read(mine, text, 5);
        dup2(mine, 0);
        execve("/bin/cat", cat, no_env);
        _exit(9);
    }
    printf("opened in the child, no environment -> %d\n", ended(pid));

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int other = must_open("text/beta.txt");
    lseek(other, 7, SEEK_SET);
    posix_spawn_file_actions_adddup2(&actions, other, 0);
    spawned("posix_spawn, dup2, static", "./child", &actions, child, environ);
    posix_spawn_file_actions_addopen(&actions, 0, at("text/crlf.txt"), O_RDONLY, 0);
    spawned("posix_spawn, open, static", "./child", &actions, child, environ);
    posix_spawn_file_actions_addopen(&actions, 0, at("text/crlf.txt"), O_RDONLY, 0);
    spawned("posix_spawn, open", "/bin/cat", &actions, cat, environ);
    posix_spawn_file_actions_addopen(&actions, 0, at("text/none"), O_RDONLY, 0);
    spawned("posix_spawn, open of nothing", "/bin/cat", &actions, cat, environ);
    char *list[] = {"sh", "-c", "pwd; cat crlf.txt", NULL};
    posix_spawn_file_actions_addchdir_np(&actions, at("text"));
    spawned("posix_spawn, chdir", "/bin/sh", &actions, list, environ);
    int dir = open(at("text"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    posix_spawn_file_actions_addfchdir_np(&actions, dir);
    spawned("posix_spawn, fchdir", "/bin/sh", &actions, list, environ);
    posix_spawn_file_actions_addchdir_np(&actions, at("one-byte"));
    spawned("posix_spawn, chdir to a file", "/bin/sh", &actions, list, environ);

    dup2(fd, 0);
    lseek(0, 20, SEEK_SET);
    unsetenv("LD_PRELOAD");
    printf("system: %d\n", system("head -c 10"));
    lseek(0, 40, SEEK_SET);
    printf("the parent reads on: %zd", read(0, text, 8));
    printf(" %.8s, %zd", text, pread(other, text, 8, 0));
    printf(" %.8s\n", text);
    return 0;
}
