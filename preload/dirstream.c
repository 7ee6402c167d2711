#include "preload/dirstream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "preload/border.h"
#include "preload/client.h"
#include "preload/file.h"
#include "preload/memory.h"
#include "preload/statfill.h"

#define NAME_BYTES 256

struct dirstream {
    struct target target;
    uint64_t position; /* entries given, "." and ".." included */
    uint32_t left;     /* entries of the page not yet given */
    bool listed, last_page;
    int lent;         /* mappings looked at, of a bare directory */
    char token[4096]; /* of the next page */
    struct wire_buf page;

    /* An object and a prefix of one name make one entry, the object. Names come sorted, so an
     * object "a" whose prefix "a/" is still to come is a prefix of every name between them: it is
     * enough to remember which leading parts of the current name were objects. */
    char name[NAME_BYTES + 1];
    size_t name_len;
    uint64_t object_lens[(NAME_BYTES + 63) / 64];

    struct dir_entry last;
    bool pushed_back;

    uint8_t room[WIRE_MAX_BYTES];
};

struct dirstream *dirstream_new(const struct target *t)
{
    struct dirstream *s = memory_map(sizeof(*s));
    if (s)
        s->target = *t;
    return s;
}

void dirstream_free(struct dirstream *s)
{
    if (s)
        memory_unmap(s, sizeof(*s));
}

struct dirstream *dirstream_of(struct file *f)
{
    struct dirstream *s = atomic_load(&f->dir);
    if (s)
        return s;
    struct dirstream *fresh = dirstream_new(&f->target);
    if (fresh && !atomic_compare_exchange_strong(&f->dir, &s, fresh)) {
        dirstream_free(fresh);
        return s;
    }
    return fresh;
}

/* --- pages ------------------------------------------------------------------------------ */

static int next_page(struct dirstream *s)
{
    struct client_call c;
    char prefix[WIRE_KEY_MAX + 2];
    int n = snprintf(prefix, sizeof(prefix), "%s%s", s->target.key, s->target.key_len ? "/" : "");
    client_begin(&c, WIRE_LIST);
    client_put_name(&c, s->target.mapping, prefix, (size_t)n);
    wire_put_str(&c.out, s->token, strlen(s->token));
    state_count(COUNTER_lists, 1);
    int r = client_call(&c, s->target.path, s->room, sizeof(s->room));
    if (r < 0)
        return r;
    struct wire_str token = wire_get_str(&c.in);
    if (token.len >= sizeof(s->token))
        return -EIO;
    memcpy(s->token, token.at, token.len);
    s->token[token.len] = '\0';
    s->last_page = token.len == 0;
    s->left = wire_get_u32(&c.in);
    s->page = c.in;
    s->listed = true;
    return c.in.bad ? -EIO : 0;
}

/* --- entries ---------------------------------------------------------------------------- */

static bool was_object(struct dirstream *s, size_t len)
{
    return s->object_lens[len / 64] >> (len % 64) & 1;
}

/* Moves on to a name. False when it repeats an object as a directory. */
static bool advance_name(struct dirstream *s, struct wire_str name, uint8_t kind)
{
    size_t same = 0;
    while (same < s->name_len && same < name.len && s->name[same] == name.at[same])
        same++;
    for (size_t len = same + 1; len <= s->name_len && len < NAME_BYTES; len++)
        s->object_lens[len / 64] &= ~(1ull << (len % 64));
    bool repeats = kind == WIRE_DIR && same >= name.len && was_object(s, name.len);
    memcpy(s->name, name.at, name.len);
    s->name[name.len] = '\0';
    s->name_len = name.len;
    if (kind == WIRE_FILE)
        s->object_lens[name.len / 64] |= 1ull << (name.len % 64);
    return !repeats;
}

static int next_listed(struct dirstream *s, struct dir_entry *e)
{
    for (;;) {
        while (s->left == 0) {
            if (s->listed && s->last_page)
                return 0;
            int r = next_page(s);
            if (r < 0)
                return r;
        }
        struct wire_str name = wire_get_str(&s->page);
        uint8_t kind = wire_get_u8(&s->page);
        wire_get_u64(&s->page);
        wire_get_u64(&s->page);
        s->left--;
        if (s->page.bad)
            return -EIO;
        /* Longer names than NAME_MAX can't be told in a listing (they can be opened). */
        if (name.len == 0 || name.len >= NAME_BYTES || memchr(name.at, '\0', name.len))
            continue;
        if (!advance_name(s, name, kind))
            continue;
        char key[2 * WIRE_KEY_MAX];
        int n = snprintf(key, sizeof(key), "%s%s%s", s->target.key, s->target.key_len ? "/" : "",
                         s->name);
        *e = (struct dir_entry){.name = s->name,
                                .name_len = s->name_len,
                                .kind = kind,
                                .inode = statfill_inode(s->target.mapping, key, (size_t)n)};
        return 1;
    }
}

/* A directory that exists only for the mappings below it. */
static int next_lent(struct dirstream *s, struct dir_entry *e)
{
    const char *name;
    size_t len;
    struct target t;
    while (s->lent < state.map.n) {
        if (!border_name(s->target.path, s->target.path_len, s->lent++, &name, &len) ||
            len >= NAME_BYTES ||
            border_target(&t, s->target.path, s->target.path_len, name, len) < 0)
            continue;
        memcpy(s->name, name, len);
        s->name[len] = '\0';
        *e = (struct dir_entry){.name = s->name,
                                .name_len = len,
                                .kind = WIRE_DIR,
                                .inode = statfill_inode(t.mapping, t.key, t.key_len)};
        return 1;
    }
    return 0;
}

static void dot_entry(struct dirstream *s, struct dir_entry *e)
{
    size_t key_len = s->target.key_len;
    bool parent = s->position == 1;
    if (parent) {
        while (key_len > 0 && s->target.key[key_len - 1] != '/')
            key_len--;
        key_len -= key_len > 0;
    }
    *e = (struct dir_entry){.name = parent ? ".." : ".",
                            .name_len = parent ? 2 : 1,
                            .kind = WIRE_DIR,
                            .inode = statfill_inode(s->target.mapping, s->target.key, key_len)};
}

int dirstream_next(struct dirstream *s, struct dir_entry *e)
{
    int r = 1;
    if (s->pushed_back)
        *e = s->last;
    else if (s->position < 2)
        dot_entry(s, e);
    else
        r = s->target.bare ? next_lent(s, e) : next_listed(s, e);
    s->pushed_back = false;
    if (r > 0) {
        s->position++;
        s->last = *e;
    }
    return r;
}

void dirstream_push_back(struct dirstream *s)
{
    s->pushed_back = true;
    s->position--;
}

/* --- positions -------------------------------------------------------------------------- */

uint64_t dirstream_tell(const struct dirstream *s)
{
    return s->position;
}

static void rewind_all(struct dirstream *s)
{
    s->position = 0;
    s->left = 0;
    s->listed = s->last_page = false;
    s->lent = 0;
    s->token[0] = '\0';
    s->pushed_back = false;
    s->name_len = 0;
    memset(s->object_lens, 0, sizeof(s->object_lens));
}

int dirstream_seek(struct dirstream *s, uint64_t position)
{
    struct dir_entry e;
    if (position < s->position)
        rewind_all(s);
    while (s->position < position) {
        int r = dirstream_next(s, &e);
        if (r <= 0)
            return r;
    }
    return 0;
}

off_t dirstream_seek_fd(struct file *f, off_t offset, int whence)
{
    struct dirstream *s = dirstream_of(f);
    if (!s)
        return -ENOMEM;
    if (whence == SEEK_CUR)
        offset += (off_t)s->position;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (offset < 0)
        return -EINVAL;
    int r = dirstream_seek(s, (uint64_t)offset);
    return r < 0 ? r : (off_t)s->position;
}
