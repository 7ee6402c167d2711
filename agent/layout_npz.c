/* npz, and any other zip file: members one behind the other, then the central directory, which says
 * where each begins, then a record that says where that is. A part is a member with its header; the
 * directory is one, too. Looked at from the end, as its readers do.
 *
 * With sizes that don't fit in 32 bits the numbers are in the records of Zip64. Source: PKWARE's
 * APPNOTE 6.3, 4.3 and 4.5. A comment at the end, which numpy doesn't write, is not looked for. */
#include <string.h>

#include "agent/layout_format.h"

#define END_BYTES     22 /* end of central directory */
#define LOCATOR_BYTES 20 /* where the Zip64 end is; before the end */
#define END64_BYTES   56
#define ENTRY_BYTES   46 /* of the central directory, before its names */
#define IN_ZIP64      UINT32_MAX

static bool is(const unsigned char *at, const char *signature)
{
    return memcmp(at, signature, 4) == 0;
}

static void begin(struct layout_scan *s)
{
    if (s->size_bytes >= END_BYTES)
        layout_scan_needs(s, s->size_bytes - END_BYTES, END_BYTES);
    else
        layout_scan_none(s);
}

/* The directory lies at `from`, and ends before `most`. */
static void need_directory(struct layout_scan *s, uint64_t from, uint64_t bytes, uint64_t most)
{
    if (from > most || bytes > most - from) {
        layout_scan_none(s);
        return;
    }
    s->zip.next = ZIP_DIRECTORY;
    s->zip.directory = from;
    s->zip.directory_bytes = bytes;
    layout_scan_needs(s, from, bytes);
}

static void read_end(struct layout_scan *s, const unsigned char *end)
{
    uint64_t bytes = layout_number(end + 12, 4), from = layout_number(end + 16, 4);
    uint64_t at = s->size_bytes - END_BYTES;
    if (!is(end, "PK\5\6") || layout_number(end + 20, 2) != 0) {
        layout_scan_none(s);
    } else if (from != IN_ZIP64 && bytes != IN_ZIP64) {
        need_directory(s, from, bytes, at);
    } else if (at >= LOCATOR_BYTES) {
        s->zip.next = ZIP_LOCATOR;
        layout_scan_needs(s, at - LOCATOR_BYTES, LOCATOR_BYTES);
    } else {
        layout_scan_none(s);
    }
}

static void read_locator(struct layout_scan *s, const unsigned char *locator)
{
    s->zip.next = ZIP_END64;
    if (is(locator, "PK\6\7"))
        layout_scan_needs(s, layout_number(locator + 8, 8), END64_BYTES);
    else
        layout_scan_none(s);
}

static void read_end64(struct layout_scan *s, const unsigned char *end)
{
    if (is(end, "PK\6\6"))
        need_directory(s, layout_number(end + 48, 8), layout_number(end + 40, 8), s->need.at);
    else
        layout_scan_none(s);
}

/* The 8 bytes of the Zip64 field that are an offset, which come last of those that it has. False:
 * there is none. */
static bool offset64(const unsigned char *entry, const unsigned char *extra, size_t extra_bytes,
                     uint64_t *offset)
{
    size_t before = 0;
    before += layout_number(entry + 24, 4) == IN_ZIP64 ? 8 : 0; /* its sizes */
    before += layout_number(entry + 20, 4) == IN_ZIP64 ? 8 : 0;
    while (extra_bytes >= 4) {
        size_t bytes = (size_t)layout_number(extra + 2, 2);
        if (bytes > extra_bytes - 4)
            return false;
        if (layout_number(extra, 2) == 1 && bytes >= before + 8) {
            *offset = layout_number(extra + 4 + before, 8);
            return true;
        }
        extra += 4 + bytes;
        extra_bytes -= 4 + bytes;
    }
    return false;
}

/* A member ends where the next begins, or the directory. False: that is no directory. */
static bool add_members(struct layout_scan *s, const unsigned char *at, size_t left)
{
    while (left > 0) {
        if (left < ENTRY_BYTES || !is(at, "PK\1\2"))
            return false;
        size_t name = (size_t)layout_number(at + 28, 2), extra = (size_t)layout_number(at + 30, 2);
        size_t bytes = ENTRY_BYTES + name + extra + (size_t)layout_number(at + 32, 2);
        uint64_t offset = layout_number(at + 42, 4);
        if (bytes > left ||
            (offset == IN_ZIP64 && !offset64(at, at + ENTRY_BYTES + name, extra, &offset)) ||
            !layout_scan_add(s, offset, s->zip.directory))
            return false;
        at += bytes;
        left -= bytes;
    }
    return true;
}

static void feed(struct layout_scan *s, const unsigned char *data, size_t len)
{
    (void)len; /* at least what was asked for */
    switch (s->zip.next) {
    case ZIP_END:
        read_end(s, data);
        return;
    case ZIP_LOCATOR:
        read_locator(s, data);
        return;
    case ZIP_END64:
        read_end64(s, data);
        return;
    case ZIP_DIRECTORY:
        break;
    }
    if (add_members(s, data, s->zip.directory_bytes) &&
        layout_scan_add(s, s->zip.directory, s->size_bytes))
        layout_scan_done(s);
    else
        layout_scan_none(s);
}

const struct layout_format layout_npz = {.ending = ".npz", .begin = begin, .feed = feed};
