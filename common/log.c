#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static struct {
    enum log_level level;
    char parts[128]; /* comma-separated, empty for all */
    bool timestamps;
} log_state = {.level = LOG_WARN};

bool log_setup(const char *spec)
{
    log_state.level = LOG_WARN;
    log_state.parts[0] = '\0';
    if (!spec || !*spec)
        return true;

    size_t name_len = strcspn(spec, ":");
    for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        const char *name = level_names[level];
        if (strlen(name) != name_len || strncmp(spec, name, name_len) != 0)
            continue;
        const char *parts = spec[name_len] == ':' ? spec + name_len + 1 : "";
        if (strlen(parts) >= sizeof(log_state.parts))
            return false;
        log_state.level = level;
        strcpy(log_state.parts, parts);
        return true;
    }
    return false;
}

static bool part_named(const char *part)
{
    const char *list = log_state.parts;
    size_t len = strlen(part);
    while (*list) {
        size_t item = strcspn(list, ",");
        if (item == len && strncmp(list, part, len) == 0)
            return true;
        list += item;
        if (*list == ',')
            list++;
    }
    return false;
}

bool log_enabled(enum log_level level, const char *part)
{
    if (level <= LOG_WARN && level <= log_state.level)
        return true;
    if (level > log_state.level)
        return false;
    return !log_state.parts[0] || part_named(part);
}

bool log_names(enum log_level level, const char *part)
{
    return level <= log_state.level && part_named(part);
}

void log_timestamps(bool on)
{
    log_state.timestamps = on;
}

static size_t put_timestamp(char *line, size_t size)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(line + len, size - len, ".%03ldZ ", now.tv_nsec / 1000000);
}

void log_line(enum log_level level, const char *part, const char *format, ...)
{
    if (!log_enabled(level, part))
        return;

    int saved_errno = errno;
    char line[LINE_MAX_BYTES];
    size_t room = sizeof(line) - 2;
    size_t len = log_state.timestamps ? put_timestamp(line, room) : 0;
    len += (size_t)snprintf(line + len, room - len, "warmpath: ");
    if (level != LOG_WARN && level != LOG_ERROR)
        len += (size_t)snprintf(line + len, room - len, "%s: ", part);

    va_list args;
    va_start(args, format);
    int wrote = vsnprintf(line + len, room - len, format, args);
    va_end(args);
    if (wrote > 0)
        len += (size_t)wrote < room - len ? (size_t)wrote : room - len - 1;

    /* A key may hold any byte: one message stays one line. */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    line[len++] = '\n';
    /* By number: inside the library the name `write` is one of its own hooks. */
    long ignored = syscall(SYS_write, STDERR_FILENO, line, len);
    (void)ignored;
    errno = saved_errno;
}
