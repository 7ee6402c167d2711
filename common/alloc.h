/* Memory for the agent; the library has none of this. It cannot do its work without, and the next
 * job starts a new one: running out ends it with a line in its log. */
#ifndef WARMPATH_COMMON_ALLOC_H
#define WARMPATH_COMMON_ALLOC_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *must(void *p)
{
    if (!p) {
        fputs("warmpath: out of memory\n", stderr);
        abort();
    }
    return p;
}

static inline void *must_calloc(size_t n, size_t size)
{
    return must(calloc(n, size));
}

static inline char *must_strndup(const char *text, size_t len)
{
    return must(strndup(text, len));
}

__attribute__((format(printf, 1, 2))) static inline char *must_printf(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    must(vasprintf(&text, format, args) < 0 ? NULL : text);
    va_end(args);
    return text;
}

#endif
