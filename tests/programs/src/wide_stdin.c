/* Wide characters from an inherited standard input, in every way that libc has, by the names that
 * older and newer programs call. */
#include "case.h"

#include <locale.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <wchar.h>

int wscanf_89(const wchar_t *format, ...) __asm__("wscanf");
int wscanf_99(const wchar_t *format, ...) __asm__("__isoc99_wscanf");
int fwscanf_89(FILE *stream, const wchar_t *format, ...) __asm__("fwscanf");
int fwscanf_99(FILE *stream, const wchar_t *format, ...) __asm__("__isoc99_fwscanf");
int vwscanf_89(const wchar_t *format, va_list args) __asm__("vwscanf");

static int by_list(const wchar_t *format, ...)
{
    va_list args;
    va_start(args, format);
    int r = vwscanf_89(format, args);
    va_end(args);
    return r;
}

static void in_child(int way)
{
    wchar_t word[64] = L"";
    int r = 0;
    switch (way) {
    case 0:
        r = (int)getwchar();
        break;
    case 1:
        r = (int)getwchar_unlocked();
        break;
    case 2:
        r = wscanf_89(L"%60ls", word);
        break;
    case 3:
        r = wscanf_99(L"%60ls", word);
        break;
    case 4:
        r = fwscanf_89(stdin, L"%60ls", word);
        break;
    case 5:
        r = fwscanf_99(stdin, L"%60ls", word);
        break;
    case 6:
        r = by_list(L"%60ls", word);
        break;
    }
    long rest = 0;
    while (getwchar() != WEOF)
        rest++;
    printf("way %d: %d, %zu characters from %x, then %ld, error %d\n", way, r, wcslen(word), (unsigned)word[0], rest,
           ferror(stdin) != 0);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C.UTF-8");
    tree = argv[argc - 1];
    if (argc > 2) {
        in_child(atoi(argv[1]));
        return 0;
    }
    for (char way[2] = "0"; way[0] <= '6'; way[0]++) {
        int fd = open(at("text/utf8.txt"), O_RDONLY);
        if (fork() == 0) {
            dup2(fd, 0);
            execl(argv[0], argv[0], way, tree, NULL);
        }
        close(fd);
        wait(NULL);
    }
    return 0;
}
