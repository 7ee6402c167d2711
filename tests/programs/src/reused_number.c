/* A descriptor's number after its file is gone, however it went: what is opened there next is what is read. */
#include "case.h"

#include <pty.h>
#include <sys/wait.h>

static void reads_pipe(const char *how)
{
    int fds[2];
    char text[8] = "";
    if (pipe(fds) < 0 || write(fds[1], "pipe", 4) != 4)
        return;
    printf("%s: %zd", how, read(fds[0], text, sizeof(text) - 1));
    printf(" %s\n", text);
    close(fds[0]);
    close(fds[1]);
}

static void after_freopen(void)
{
    char text[8] = "";
    FILE *stream = fopen(at("text/crlf.txt"), "r");
    stream = freopen("/dev/null", "r", stream);
    printf("freopen: %zd\n", read(fileno(stream), text, 4));
    fclose(stream);
    reads_pipe("fclose after freopen");
}

static void after_dup_over_stream(void)
{
    FILE *stream = fopen("/dev/null", "r");
    int fd = open(at("text/crlf.txt"), O_RDONLY);
    dup2(fd, fileno(stream));
    fclose(stream);
    reads_pipe("fclose of a stream that was written over");
    close(fd);
    reads_pipe("close");
}

/* A vfork child shares its parent's memory, not its descriptors. */
static void after_vfork(void)
{
    fflush(stdout);
    const char *path = at("one-byte");
    pid_t child = vfork();
    if (child == 0) {
        int fd = open(path, O_RDONLY);
        dup2(fd, 0);
        close(fd);
        execlp("head", "head", "-c", "1", NULL);
        _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf(" head of a vfork child: %d\n", status);
    reads_pipe("vfork");
}

/* What the child puts at its parent's number, and does with it there, moves nothing of the parent's. */
static void after_vfork_over(const char *name, int flags)
{
    char text[6] = "";
    int fd = open(at("text/alpha.txt"), O_RDONLY), other = open(at(name), flags);
    if (read(fd, text, 5) != 5)
        return;
    fflush(stdout);
    pid_t child = vfork();
    if (child == 0) {
        dup2(other, fd);
        dup2(fd, other + 1);
        close(fd);
        execlp("true", "true", NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    ssize_t n = read(fd, text, 5);
    printf("vfork, %s at the number: %zd %s, then at %ld\n", name, n, text, (long)lseek(fd, 0, SEEK_CUR));
    close(other);
    close(fd);
}

static void in_forkpty(void)
{
    int terminal;
    fflush(stdout);
    int fd = open(at("text/crlf.txt"), O_RDONLY);
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0) {
        pid_t other = vfork();
        if (other == 0) {
            execlp("true", "true", NULL);
            _exit(1);
        }
        waitpid(other, NULL, 0);
        close(fd);
        reads_pipe("forkpty, vfork, close");
        fflush(stdout);
        _exit(0);
    }
    char line[128] = "";
    size_t len = 0;
    for (ssize_t n; len < sizeof(line) - 1 && (n = read(terminal, line + len, sizeof(line) - 1 - len)) > 0;)
        len += (size_t)n;
    waitpid(child, NULL, 0);
    line[strcspn(line, "\r\n")] = '\0';
    printf("%s\n", line);
    close(fd);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    after_freopen();
    after_dup_over_stream();
    after_vfork();
    after_vfork_over("text", O_RDONLY | O_DIRECTORY);
    after_vfork_over("text/crlf.txt", O_RDONLY);
    in_forkpty();
    return 0;
}
