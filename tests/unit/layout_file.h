/* A file that is written byte for byte, and scanned for its layout. */
#ifndef WARMPATH_TESTS_LAYOUT_FILE_H
#define WARMPATH_TESTS_LAYOUT_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/layout.h"

/* A file being written; what lies behind `len` is all zeros, and not looked at. */
struct file {
    unsigned char *bytes;
    size_t len;
};

static inline void put(struct file *f, const void *data, size_t len)
{
    f->bytes = realloc(f->bytes, f->len + len);
    memcpy(f->bytes + f->len, data, len);
    f->len += len;
}

static inline void put_number(struct file *f, uint64_t n, int n_bytes)
{
    unsigned char bytes[8];
    for (int i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(n >> 8 * i);
    put(f, bytes, (size_t)n_bytes);
}

static inline void put_string(struct file *f, const char *text)
{
    put_number(f, strlen(text), 8);
    put(f, text, strlen(text));
}

/* Feeds what the scan asks for, in pieces of `most` bytes where that is enough. NULL: no layout.
 * `*looked_at`, unless NULL: how many bytes it was fed. */
static inline struct layout *scan(const char *name, const struct file *f, uint64_t size,
                                  size_t most, size_t *looked_at)
{
    struct layout_scan *s = layout_scan_new(name, size);
    struct layout_need need;
    assert_non_null(s);
    while ((need = layout_scan_need(s)).least_bytes > 0 && need.at <= f->len &&
           need.least_bytes <= f->len - need.at) {
        size_t len = f->len - need.at;
        if (len > most)
            len = most > need.least_bytes ? most : need.least_bytes;
        layout_scan_feed(s, f->bytes + need.at, len);
        if (looked_at)
            *looked_at += len;
    }
    return layout_scan_take(s);
}

static inline void check_part(const struct layout *l, uint64_t at, uint64_t from, uint64_t to)
{
    struct layout_part p = layout_find(l, at);
    assert_int_equal(p.from, from);
    assert_int_equal(p.to, to);
}

#endif
