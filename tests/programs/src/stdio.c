/* fopen and the reading half of stdio. */
#include "case.h"

static void positions(void)
{
    FILE *f = fopen(at("sizes/9MiB"), "rb");
    static const long offsets[] = {0, 1, 4194303, 4194304, 9437183, 9437184, 20000000};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        int r = fseek(f, offsets[i], SEEK_SET);
        int c = fgetc(f);
        printf("seek %ld: %d, %d, at %ld, eof %d, error %d\n", offsets[i], r, c, ftell(f), feof(f) != 0,
               ferror(f) != 0);
    }
    printf("from the end: %d, at %ld, ", fseek(f, -5, SEEK_END), ftell(f));
    char buffer[16];
    printf("%zu, %s\n", fread(buffer, 1, 16, f), result(fseek(f, -1, SEEK_SET)));
    rewind(f);
    fpos_t position;
    fread(buffer, 1, 10, f);
    fgetpos(f, &position);
    int before = fgetc(f);
    fsetpos(f, &position);
    printf("fsetpos comes back: %d\n", fgetc(f) == before);
    fclose(f);
}

static void text(void)
{
    FILE *f = fopen(at("text/alpha.txt"), "r");
    char line[512], word[64], other[64];
    fgets(line, sizeof(line), f);
    printf("first line: %s", line);
    printf("fscanf: %d", fscanf(f, "%63s %63s", word, other));
    printf(" %s %s\n", word, other);
    int c = fgetc(f);
    ungetc('!', f);
    printf("ungetc: %c, then %d\n", fgetc(f), c);
    char *whole = NULL;
    size_t size = 0;
    long lines = 0, bytes = 0;
    ssize_t n;
    while ((n = getline(&whole, &size, f)) > 0) {
        lines++;
        bytes += n;
    }
    printf("the rest: %ld lines, %ld bytes, eof %d\n", lines, bytes, feof(f) != 0);
    free(whole);
    fclose(f);
}

static void blocks(void)
{
    static char buffer[10 << 20];
    FILE *f = fopen(at("sizes/9MiB"), "r");
    size_t n = fread(buffer, 1, 100, f);
    n += fread(buffer + n, 4096, 2304, f) * 4096;
    n += fread(buffer + n, 1, sizeof(buffer) - n, f);
    show("fread", buffer, (ssize_t)n);
    fclose(f);

    f = fopen(at("sizes/64KiB"), "r");
    setvbuf(f, NULL, _IONBF, 0);
    n = fread(buffer, 1, 777, f);
    show("unbuffered", buffer, (ssize_t)n);
    printf("descriptor at %ld\n", (long)lseek(fileno(f), 0, SEEK_CUR));
    fclose(f);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    positions();
    text();
    blocks();
    FILE *none = fopen(at("missing"), "r");
    printf("missing: %s\n", none ? "opened" : strerrorname_np(errno));
    FILE *folder = fopen(at("text"), "r");
    printf("directory: %d", folder != NULL);
    printf(" %s\n", folder && fgetc(folder) == EOF ? strerrorname_np(errno) : "no error");
    FILE *empty = fopen(at("empty"), "r");
    printf("empty: %d %d\n", fgetc(empty), feof(empty) != 0);
    return 0;
}
