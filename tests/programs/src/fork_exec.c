/* fork, vfork, exec, spawn, popen, system: children see the same files. */
#include "case.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

static int wait_for(pid_t pid)
{
    int status = 0;
    fflush(stdout);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    setvbuf(stdout, NULL, _IONBF, 0);
    char text[16] = "";
    int fd = open(at("text/alpha.txt"), O_RDONLY);
    read(fd, text, 5);

    pid_t pid = fork();
    if (pid == 0) {
        char mine[16] = "";
        read(fd, mine, 5);
        printf("child: %s\n", mine);
        close(fd);
        int other = must_open("text/crlf.txt");
        read(other, mine, 3);
        printf("child, other file: %s\n", mine);
        _exit(7);
    }
    printf("child's status: %d\n", wait_for(pid));
    memset(text, 0, sizeof(text));
    read(fd, text, 5);
    printf("parent goes on after it: %s at %ld\n", text, (long)lseek(fd, 0, SEEK_CUR));

    pid = vfork();
    if (pid == 0) {
        execl("/bin/cat", "cat", at("one-byte"), NULL);
        _exit(9);
    }
    printf(" vfork and exec: %d\n", wait_for(pid));

    lseek(fd, -20, SEEK_END);
    pid = fork();
    if (pid == 0) {
        dup2(fd, 0);
        execlp("cat", "cat", NULL);
        _exit(9);
    }
    printf("dup2 and exec: %d\n", wait_for(pid));

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    lseek(fd, -20, SEEK_END);
    posix_spawn_file_actions_adddup2(&actions, fd, 0);
    char *words[] = {"cat", NULL};
    int spawned = posix_spawnp(&pid, "cat", &actions, NULL, words, environ);
    int ended = wait_for(pid);
    printf("posix_spawn: %d %d\n", spawned, ended);

    char command[4200];
    snprintf(command, sizeof(command), "wc -c <%s/one-byte", tree);
    printf("system: %d\n", system(command));
    FILE *pipe = popen(command, "r");
    printf("popen: %s", fgets(text, sizeof(text), pipe));
    printf("pclose: %d\n", pclose(pipe));

    char *view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
    pid = fork();
    if (pid == 0) {
        show("mapping in the child", view, 4096);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            char deep[8] = "";
            pread(fd, deep, 5, 0);
            printf("grandchild: %s\n", deep);
            _exit(0);
        }
        _exit(wait_for(grandchild));
    }
    printf("chain: %d\n", wait_for(pid));
    printf("no other child: %s\n", waitpid(-1, NULL, WNOHANG) < 0 ? strerrorname_np(errno) : "there is one");
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    snprintf(command, sizeof(command), "( : <&%d ) 2>/dev/null || echo closed on exec", fd);
    fflush(stdout);
    return system(command) != 0;
}
