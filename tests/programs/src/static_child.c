/* A statically linked child gets a mapped file as standard input: it may read the right bytes or
 * fail, but it must not see an empty file or zeros. The child is compiled here and now. */
#include "case.h"

#include <sys/wait.h>

static const char source[] =
    "#include <unistd.h>\n"
    "int main(void) { char b[64]; long n = read(0, b, 64); if (n < 0) return 3; write(1, b, n); return 0; }\n";

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    FILE *file = fopen("child.c", "w");
    fputs(source, file);
    fclose(file);
    if (system("gcc -static -o child child.c") != 0)
        return 1;
    char want[64], got[64] = "";
    int fd = must_open("sizes/64KiB"), ends[2];
    pread(fd, want, sizeof(want), 0);
    if (pipe(ends) != 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, 0);
        dup2(ends[1], 1);
        execl("./child", "child", NULL);
        _exit(3);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], got, sizeof(got));
    int status = 0;
    waitpid(pid, &status, 0);
    int refused = WIFEXITED(status) && WEXITSTATUS(status) == 3;
    int right = status == 0 && n == 64 && memcmp(got, want, 64) == 0;
    printf("static child: %s\n", refused || right ? "right or refused" : "wrong");
    return 0;
}
