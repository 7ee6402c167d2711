/* Text that is put together piece by piece: utstring of uthash, with what happens when memory is
 * short. (A stream of open_memstream() zeroes 8 KiB each time.)
 *
 *     UT_string t;
 *     text_init(&t);
 *     text_put(&t, name);
 *     … utstring_body(&t), utstring_len(&t) …
 *     utstring_done(&t); or keep utstring_body(&t), to be freed by free()
 */
#ifndef WARMPATH_TEXT_H
#define WARMPATH_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define utstring_oom() (fputs("warmpath: out of memory\n", stderr), abort())
#include <utstring.h>

#define TEXT_ROOM 512 /* enough for most, so that it doesn't grow */

static inline void text_init(UT_string *t)
{
    *t = (UT_string){0};
    utstring_reserve(t, TEXT_ROOM);
    t->d[0] = '\0';
}

/* utstring itself makes room for no more than what comes, which is one character at times. */
static inline void text_grow(UT_string *t, size_t bytes)
{
    if (t->n - t->i < bytes)
        utstring_reserve(t, bytes > t->n ? bytes : t->n);
}

static inline void text_put(UT_string *t, const char *piece)
{
    size_t len = strlen(piece);
    text_grow(t, len + 1);
    utstring_bincpy(t, piece, len);
}

static inline void text_put_char(UT_string *t, char c)
{
    text_grow(t, 2);
    t->d[t->i++] = c;
    t->d[t->i] = '\0';
}

#endif
