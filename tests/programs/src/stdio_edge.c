/* The corners of stdio: wide characters, encodings, reopening, buffers of one's own, errors that stay. */
#include "case.h"

#include <locale.h>
#include <stdio_ext.h>
#include <sys/wait.h>
#include <wchar.h>

static void say(const char *what, int r)
{
    printf("%s: %d %s\n", what, r, r == -1 ? strerrorname_np(errno) : "");
}

static void wide(void)
{
    wchar_t line[400], word[64];
    FILE *f = fopen(at("text/utf8.txt"), "r");
    printf("fwide: %d %d\n", fwide(f, 0) != 0, fwide(f, 1) > 0);
    wint_t c = fgetwc(f);
    printf("fgetwc: %x %x", (unsigned)c, (unsigned)getwc(f));
    printf(" %x", (unsigned)ungetwc(L'z', f));
    printf(" %x\n", (unsigned)fgetwc(f));
    printf("fgetws: %d", fgetws(line, 400, f) != NULL);
    printf(" %zu %x\n", wcslen(line), (unsigned)line[wcslen(line) - 2]);
    printf("fwscanf: %d", fwscanf(f, L"%63ls", word));
    printf(" %zu, position %ld, error %d\n", wcslen(word), ftell(f), ferror(f));
    long lines = 0;
    while (fgetws(line, 400, f))
        lines++;
    printf("lines: %ld, eof %d\n", lines, feof(f) != 0);
    printf("fgetwc: %d\n", fgetwc(f) == WEOF);
    fclose(f);

    f = fopen(at("text/utf8.txt"), "r,ccs=UTF-8");
    printf("ccs: %d", f != NULL);
    if (f) {
        printf(" %d", fgetws(line, 400, f) != NULL);
        printf(" %zu\n", wcslen(line));
        fclose(f);
    }
    f = fopen(at("sizes/4095"), "r");
    int ended = 0;
    while (!ended)
        ended = fgetwc(f) == WEOF;
    printf("not characters: %d %s\n", ferror(f) != 0, strerrorname_np(errno));
    fclose(f);
}

static void reopened(void)
{
    char line[512];
    FILE *f = fopen(at("text/alpha.txt"), "r");
    fgets(line, sizeof(line), f);
    FILE *g = freopen(at("text/utf8.txt"), "r", f);
    printf("freopen: %d", g == f);
    printf(" %s", fgets(line, sizeof(line), g));
    say("seek", fseek(g, -4, SEEK_END));
    printf("at %ld\n", ftell(g));
    say("byte", fgetc(g));
    g = freopen(at("missing"), "r", g);
    say("missing", g ? 0 : -1);

    f = fopen("/dev/null", "w");
    f = freopen(at("text/crlf.txt"), "rb", f);
    printf("from local: %d\n", fgetc(f));
    f = freopen("/etc/hostname", "r", f);
    printf("to local: %d\n", f != NULL && fgetc(f) != EOF);
    fclose(f);

    int in = dup(0);
    printf("stdin: %d", freopen(at("text/crlf.txt"), "r", stdin) == stdin);
    printf(" %d %c", fileno(stdin), getchar());
    printf("%c\n", getchar());
    fflush(stdout);
    if (fork() == 0) {
        execlp("cat", "cat", (char *)0);
        _exit(9);
    }
    int status;
    wait(&status);
    printf("child: %d\n", status);
    dup2(in, 0);
}

static void buffers(void)
{
    static char own[3000], data[9000];
    FILE *f = fopen(at("sizes/64KiB"), "r");
    setvbuf(f, own, _IOFBF, sizeof(own));
    show("own buffer", data, (ssize_t)fread(data, 1, 1000, f));
    printf("size %zu, reading %d, pending %zu\n", __fbufsize(f), __freading(f) != 0, __fpending(f));
    printf("stream at %ld\n", ftell(f));
    show("unlocked", data, (ssize_t)fread_unlocked(data, 3, 3000, f));
    fpos64_t position;
    fgetpos64(f, &position);
    int c = fgetc(f);
    fseeko64(f, 10, SEEK_SET);
    say("fsetpos64", fsetpos64(f, &position));
    printf("same: %d\n", fgetc_unlocked(f) == c);
    flockfile(f);
    printf("trylock: %d\n", ftrylockfile(f));
    funlockfile(f);
    funlockfile(f);
    __fpurge(f);
    printf("purged: %ld\n", ftell(f) > 0 ? 1L : 0L);
    fclose(f);

    f = fopen(at("text/numbers.txt"), "r");
    setlinebuf(f);
    int n[3], used = 0;
    char rest[20];
    printf("fscanf: %d", fscanf(f, "%d%d %i%n%*[\n]%19[^\n]", &n[0], &n[1], &n[2], &used, rest));
    printf(" %d %d %d %d %s\n", n[0], n[1], n[2], used, rest);
    fclose(f);
}

static void errors(void)
{
    FILE *f = fopen(at("one-byte"), "r");
    int c = fgetc(f);
    int d = fgetc(f);
    int e = fgetc(f);
    printf("after the end: %d %d %d %d\n", c, d, e, feof(f) != 0);
    rewind(f);
    say("again", fgetc(f));
    say("not at the end", feof(f));
    say("fputs", fputs("x", f));
    clearerr(f);
    say("fprintf", fprintf(f, "%d", 1));
    say("fflush", fflush(f));
    say("fseek before the start", fseek(f, -10, SEEK_SET));
    printf("fclose: %d\n", fclose(f));

    int fd = must_open("one-byte");
    printf("fdopen to write: %s\n", result(fdopen(fd, "w") ? 0 : -1));
    printf("fdopen, nonsense: %s\n", result(fdopen(fd, "q") ? 0 : -1));
    FILE *one = fdopen(fd, "r"), *two = fdopen(dup(fd), "r");
    say("one stream", fgetc(one));
    say("two streams", fgetc(two));
    fclose(one);
    say("the other", fgetc(two));
    say("closed", fcntl(fd, F_GETFD));
    fclose(two);
    printf("fopen, nonsense: %s\n", result(fopen(at("one-byte"), "q") ? 0 : -1));
    FILE *streams[300];
    int sum = 0;
    for (int i = 0; i < 300; i++)
        streams[i] = fopen(at("text/alpha.txt"), "r");
    for (int i = 0; i < 300; i++)
        sum += fseek(streams[i], i * 10, SEEK_SET) == 0 ? fgetc(streams[i]) : 0;
    printf("300 streams: %d\n", sum);
    say("closed", fcloseall());
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    setlocale(LC_ALL, "C.UTF-8");
    setvbuf(stdout, NULL, _IOLBF, 0);
    wide();
    reopened();
    buffers();
    errors();
    return 0;
}
