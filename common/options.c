#include "common/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/hash.h"

extern char **environ;

const struct option_row option_rows[OPT_COUNT] = {
#define OPTION(id, variable, type, fallback, help)                                                 \
    [OPT_##id] = {variable, OPTION_##type, fallback, help},
#include "common/options.def"
#undef OPTION
};

bool parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno)
        return false;

    static const char units[] = "KMGT";
    unsigned shift = 0;
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
        if (strcmp(end, "iB") == 0)
            end += 2;
    }
    if (*end || n > UINT64_MAX >> shift)
        return false;
    *bytes = (uint64_t)n << shift;
    return true;
}

static bool parse_seconds(const char *text, uint64_t *seconds)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *seconds = strtoull(text, &end, 10);
    return !errno && (*end == '\0' || strcmp(end, "s") == 0) && *seconds <= 10ull * 365 * 86400;
}

/* A share gives its percentage with `is_percent`, else bytes. */
static bool parse_share(const char *text, uint64_t *value, bool *is_percent)
{
    size_t len = strlen(text);
    *is_percent = len > 1 && text[len - 1] == '%';
    if (!*is_percent)
        return parse_size(text, value) && *value > 0;
    char *end;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && end == text + len - 1 && *value >= 1 && *value <= 100;
}

bool option_block_size_fits(uint64_t bytes)
{
    return (bytes & (bytes - 1)) == 0 && bytes >= 65536 && bytes <= 64ull << 20;
}

bool option_read_piece_fits(uint64_t bytes)
{
    return (bytes & (bytes - 1)) == 0 && bytes >= 4096 && bytes <= 1u << 20;
}

static bool size_fits(enum option_id id, uint64_t bytes)
{
    switch (id) {
    case OPT_BLOCK_SIZE:
        return option_block_size_fits(bytes);
    case OPT_READ_PIECE:
        return option_read_piece_fits(bytes);
    default:
        return true;
    }
}

static bool parse_number(enum option_id id, const char *text, uint64_t *number)
{
    bool is_percent;
    switch (option_rows[id].type) {
    case OPTION_SIZE:
        return parse_size(text, number) && size_fits(id, *number);
    case OPTION_SECONDS:
        return parse_seconds(text, number);
    case OPTION_LIMIT:
        *number = UINT64_MAX;
        return strcmp(text, "whole") == 0 || parse_size(text, number);
    case OPTION_SHARE:
        return parse_share(text, number, &is_percent);
    default:
        return true;
    }
}

const char *option_text(enum option_id id)
{
    const char *value = getenv(option_rows[id].variable);
    return value && *value ? value : option_rows[id].fallback;
}

uint64_t option_number(enum option_id id)
{
    uint64_t number = 0;
    if (!parse_number(id, option_text(id), &number))
        parse_number(id, option_rows[id].fallback, &number);
    return number;
}

uint64_t option_share(enum option_id id, uint64_t disk_bytes)
{
    uint64_t value;
    bool is_percent;
    if (!parse_share(option_text(id), &value, &is_percent))
        parse_share(option_rows[id].fallback, &value, &is_percent);
    return is_percent ? disk_bytes / 100 * value : value;
}

static const char *wanted(enum option_id id)
{
    switch (option_rows[id].type) {
    case OPTION_SIZE:
        return id == OPT_BLOCK_SIZE   ? "a power of two from 64K to 64M"
               : id == OPT_READ_PIECE ? "a power of two from 4K to 1M"
                                      : "a size such as 4M or 200G";
    case OPTION_SHARE:
        return "a size such as 200G or a share such as 80%";
    case OPTION_SECONDS:
        return "a number of seconds";
    case OPTION_LIMIT:
        return "a size such as 32M, or 'whole'";
    default:
        return "a text";
    }
}

/* Names that later parts read, and that nobody should be warned about. */
static bool is_known_elsewhere(const char *name, size_t len)
{
    static const char *const others[] = {"WARMPATH_JOB", "WARMPATH_COMPLAINED"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strlen(others[i]) == len && strncmp(others[i], name, len) == 0)
            return true;
    return strncmp(name, "WARMPATH_TEST_", 14) == 0;
}

static bool is_option(const char *name, size_t len)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (strlen(option_rows[id].variable) == len &&
            strncmp(option_rows[id].variable, name, len) == 0)
            return true;
    return is_known_elsewhere(name, len);
}

int options_check(void (*complain)(const char *sentence))
{
    int bad = 0;
    char sentence[512];
    for (enum option_id id = 0; id < OPT_COUNT; id++) {
        uint64_t number;
        const char *value = option_text(id);
        if (parse_number(id, value, &number))
            continue;
        snprintf(sentence, sizeof(sentence), "%s='%.80s' is not %s; using %s",
                 option_rows[id].variable, value, wanted(id), option_rows[id].fallback);
        complain(sentence);
        bad++;
    }
    for (char **var = environ; var && *var; var++) {
        if (strncmp(*var, "WARMPATH_", 9) != 0)
            continue;
        size_t len = strcspn(*var, "=");
        if (is_option(*var, len))
            continue;
        snprintf(sentence, sizeof(sentence),
                 "%.*s is not an option; 'warmpath help options' lists them",
                 (int)(len < 80 ? len : 80), *var);
        complain(sentence);
        bad++;
    }
    return bad;
}

bool option_cache_dir(char *out, size_t size)
{
    const char *dir = option_text(OPT_CACHE_DIR);
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int len;
    if (*dir)
        len = snprintf(out, size, "%s", dir);
    else if (xdg && *xdg == '/')
        len = snprintf(out, size, "%s/warmpath", xdg);
    else if (home && *home == '/')
        len = snprintf(out, size, "%s/.cache/warmpath", home);
    else
        return false;
    return len > 0 && (size_t)len < size && out[0] == '/';
}

int option_runtime_dir(char *out, size_t size)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    int len = xdg && *xdg == '/' ? snprintf(out, size, "%s/warmpath", xdg)
                                 : snprintf(out, size, "/tmp/warmpath-%u", (unsigned)geteuid());
    if (len < 0 || (size_t)len >= size)
        return -ENAMETOOLONG;
    if (mkdir(out, 0700) == 0)
        return chmod(out, 0700) < 0 ? -errno : 0; /* whatever the umask */
    if (errno != EEXIST)
        return -errno;
    struct stat st;
    if (lstat(out, &st) < 0)
        return -errno;
    /* In /tmp anybody may have made it first. */
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return -EPERM;
    return 0;
}

bool option_copies_dir(int choice, char *out, size_t size)
{
    char cache[4096], runtime[256];
    int len = 0;
    if (!option_cache_dir(cache, sizeof(cache)))
        cache[0] = '\0';
    if (choice == 0 && cache[0])
        len = snprintf(out, size, "%s/files", cache);
    if (choice == 1 && option_runtime_dir(runtime, sizeof(runtime)) == 0)
        len = snprintf(out, size, "%s/%016llx.files", runtime,
                       (unsigned long long)hash_bytes(cache, strlen(cache), 0));
    return len > 0 && (size_t)len < size;
}

bool option_socket_path(char *out, size_t size)
{
    const char *given = option_text(OPT_SOCKET);
    size_t limit = sizeof(((struct sockaddr_un *)0)->sun_path);
    int len;
    if (*given) {
        len = snprintf(out, size, "%s", given);
    } else {
        char runtime[1024], cache[4096];
        if (!option_cache_dir(cache, sizeof(cache)) ||
            option_runtime_dir(runtime, sizeof(runtime)) < 0)
            return false;
        len = snprintf(out, size, "%s/%016llx.sock", runtime,
                       (unsigned long long)hash_bytes(cache, strlen(cache), 0));
    }
    return len > 0 && (size_t)len < size && (size_t)len < limit;
}
