/* One line a message on standard error, chosen by level and part.
 *
 * WARMPATH_LOG is `LEVEL` or `LEVEL:part,part`: with parts named, only those
 * speak at that level, the others stay at the default (warn). Thread-safe, never
 * allocates, never changes errno. Secrets must not be handed to it. */
#ifndef WARMPATH_LOG_H
#define WARMPATH_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Sets level and parts from `spec` (WARMPATH_LOG's value, NULL for the default).
 * False when the spec is malformed; the default then stays. */
bool log_setup(const char *spec);

/* Would a message of this level and part be written? */
bool log_enabled(enum log_level level, const char *part);

/* The same, but only where the parts are listed and this is one of them: for what is too dear to
 * come along with a plain `debug`. */
bool log_names(enum log_level level, const char *part);

/* Agent only: put date and time before each line. */
void log_timestamps(bool on);

__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *part,
                                                    const char *format, ...);

#define log_error(part, ...) log_line(LOG_ERROR, part, __VA_ARGS__)
#define log_warn(part, ...)  log_line(LOG_WARN, part, __VA_ARGS__)
#define log_info(part, ...)  log_line(LOG_INFO, part, __VA_ARGS__)
#define log_debug(part, ...) log_line(LOG_DEBUG, part, __VA_ARGS__)

#endif
