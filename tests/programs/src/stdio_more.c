/* stdio around descriptors: fdopen, freopen, fileno, 64-bit names, standard input. */
#include "case.h"

#include <sys/stat.h>

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    char line[512];

    int fd = must_open("text/alpha.txt");
    lseek(fd, 1000, SEEK_SET);
    FILE *f = fdopen(fd, "r");
    printf("fdopen: at %ld, %s", ftell(f), fgets(line, sizeof(line), f));
    struct stat st;
    printf("fileno: %d %ld\n", fileno(f) == fd, fstat(fileno(f), &st) == 0 ? (long)st.st_size : -1L);
    rewind(f);
    printf("rewind: %s", fgets(line, sizeof(line), f));
    fclose(f);
    printf("closed: %s\n", result(fcntl(fd, F_GETFD)));

    f = fopen64(at("sizes/9MiB"), "rbe");
    printf("fopen64: %d %ld %d\n", fseeko64(f, 4194304, SEEK_SET), (long)ftello64(f), getc_unlocked(f));
    printf("close on exec: %d\n", fcntl(fileno(f), F_GETFD));
    f = freopen(at("text/crlf.txt"), "r", f);
    printf("freopen: %s", fgets(line, sizeof(line), f));
    f = freopen("/dev/null", "r", f);
    printf("freopen away: %d\n", fgetc(f));
    fclose(f);

    printf("stdin: %d", freopen(at("text/crlf.txt"), "r", stdin) != NULL);
    int c = getchar();
    printf(" %c\n", c);
    char word[32];
    printf("scanf: %d", scanf("%31s", word));
    printf(" %s\n", word);

    f = fopen(at("text/utf8.txt"), "r");
    printf("getdelim: ");
    char *part = NULL;
    size_t size = 0;
    ssize_t n = getdelim(&part, &size, ' ', f);
    printf("%zd %s\n", n, part);
    FILE *second = fopen(at("text/utf8.txt"), "r");
    fseek(second, n, SEEK_SET);
    printf("two files on one object: %d\n", fgetc(f) == fgetc(second));
    free(part);
    printf("write mode: %s\n", fputc('x', f) == EOF ? "refused" : "taken");
    printf("fclose: %d %d\n", fclose(f), fclose(second));

    char *mode[] = {"r", "rb", "re", "rm", "rce"};
    for (int i = 0; i < 5; i++) {
        f = fopen(at("one-byte"), mode[i]);
        printf("mode %s: %d\n", mode[i], f ? fgetc(f) : -2);
        if (f)
            fclose(f);
    }
    return 0;
}
