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

static inline void text_put(UT_string *t, const char *piece)
{
    utstring_bincpy(t, piece, strlen(piece));
}

static inline void text_put_char(UT_string *t, char c)
{
    utstring_reserve(t, 2);
    t->d[t->i++] = c;
    t->d[t->i] = '\0';
}

#endif
