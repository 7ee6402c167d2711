/* Every way to execute a program and a script that lie in the tree. */
#include "case.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char *args[] = {"show", "a", "b c", NULL};
static char *none[] = {"show", NULL};

enum how { EXECVE, EXECV, EXECVP, EXECVPE, EXECL, EXECLP, EXECLE, FEXECVE, EXECVEAT, EXECVEAT_EMPTY, WAYS };

static const char *const names[] = {"execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve", "execveat", "execveat, empty path"};

static void run(enum how how)
{
    const char *path = at("bin/show");
    int dir = how == EXECVEAT ? open(at("bin"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int file = how == FEXECVE || how == EXECVEAT_EMPTY ? must_open("bin/show") : -1;
    switch (how) {
    case EXECVE: execve(path, args, environ); break;
    case EXECV: execv(path, none); break;
    case EXECVP: execvp("show", args); break;
    case EXECVPE: execvpe("show", args, environ); break;
    case EXECL: execl(path, "show", "one", NULL); break;
    case EXECLP: execlp("show", "show", "one", "two", NULL); break;
    case EXECLE: execle(path, "show", "one", NULL, environ); break;
    case FEXECVE: fexecve(file, args, environ); break;
    case EXECVEAT: execveat(dir, "show", args, environ, 0); break;
    case EXECVEAT_EMPTY: execveat(file, "", args, environ, AT_EMPTY_PATH); break;
    default: break;
    }
    printf("failed: %s\n", strerrorname_np(errno));
    fflush(stdout);
    _exit(9);
}

static int ended(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
    char path[8192];
    tree = argv[argc - 1];
    setvbuf(stdout, NULL, _IONBF, 0);
    snprintf(path, sizeof(path), "%s/nothing:%s/bin:%s", tree, tree, getenv("PATH"));
    setenv("PATH", path, 1);
    for (enum how how = 0; how < WAYS; how++) {
        printf("%s: ", names[how]);
        pid_t pid = fork();
        if (pid == 0)
            run(how);
        printf("-> %d\n", ended(pid));
    }

    pid_t pid = vfork();
    if (pid == 0) {
        execv(at("bin/show"), args);
        _exit(9);
    }
    printf("vfork -> %d\n", ended(pid));
    pid = vfork();
    if (pid == 0) {
        execlp("script", "script", "after vfork", NULL);
        _exit(9);
    }
    printf("vfork, script -> %d\n", ended(pid));
    char *words[] = {"script", "spawned", NULL};
    int r = posix_spawn(&pid, at("bin/script"), NULL, NULL, words, environ);
    int status = ended(pid);
    printf("posix_spawn: %d -> %d\n", r, status);
    r = posix_spawnp(&pid, "show", NULL, NULL, args, environ);
    status = ended(pid);
    printf("posix_spawnp: %d -> %d\n", r, status);
    r = posix_spawnp(&pid, "script", NULL, NULL, words, environ);
    status = ended(pid);
    printf("posix_spawnp, script: %d -> %d\n", r, status);
    printf("posix_spawn of a directory: %s\n", strerrorname_np(posix_spawn(&pid, at("text"), NULL, NULL, words, environ)));
    printf("posix_spawnp of nothing: %s\n", strerrorname_np(posix_spawnp(&pid, "no-such-program", NULL, NULL, words, environ)));

    snprintf(path, sizeof(path), "%s/bin/show by system", tree);
    printf("system: %d\n", WEXITSTATUS(system(path)));
    FILE *pipe = popen("script by-popen", "r");
    printf("popen: %s", fgets(path, sizeof(path), pipe));
    printf("pclose: %d\n", pclose(pipe));
    return 0;
}
