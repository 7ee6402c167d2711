#include "common/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct span {
    const char *at;
    size_t len;
};

typedef void complain_fn(const char *sentence);

static bool span_is(struct span s, const char *text)
{
    return strlen(text) == s.len && memcmp(s.at, text, s.len) == 0;
}

/* Cuts the text up to `separator` off the front of `rest`. */
static struct span cut(struct span *rest, char separator)
{
    const char *stop = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    struct span head = {rest->at, stop ? (size_t)(stop - rest->at) : rest->len};
    size_t used = head.len + (stop ? 1 : 0);
    rest->at += used;
    rest->len -= used;
    return head;
}

__attribute__((format(printf, 3, 4))) static void
complain_about(complain_fn *complain, struct span entry, const char *format, ...)
{
    char what[256], sentence[640];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    snprintf(sentence, sizeof(sentence),
             "WARMPATH_MAP: '%.*s': %s; this mapping is not served (write "
             "/data=s3://bucket/prefix)",
             (int)(entry.len < 200 ? entry.len : 200), entry.at, what);
    complain(sentence);
}

/* Copies a text into the map's own storage, with a terminating zero. */
static char *keep(struct map *map, struct span text, const char *suffix)
{
    size_t suffix_len = strlen(suffix);
    if (map->text_len + text.len + suffix_len + 1 > sizeof(map->text))
        return NULL;
    char *copy = map->text + map->text_len;
    memcpy(copy, text.at, text.len);
    memcpy(copy + text.len, suffix, suffix_len + 1);
    map->text_len += text.len + suffix_len + 1;
    return copy;
}

size_t path_normalise(char *path, size_t len)
{
    size_t out = 0;
    size_t in = 0;
    while (in < len) {
        while (in < len && path[in] == '/')
            in++;
        size_t start = in;
        while (in < len && path[in] != '/')
            in++;
        size_t part = in - start;
        if (part == 0 || (part == 1 && path[start] == '.'))
            continue;
        if (part == 2 && path[start] == '.' && path[start + 1] == '.') {
            while (out > 0 && path[--out] != '/')
                ;
            continue;
        }
        path[out++] = '/';
        memmove(path + out, path + start, part);
        out += part;
    }
    if (out == 0)
        path[out++] = '/';
    path[out] = '\0';
    return out;
}

/* The value behind "name="; its `at` is NULL when the option is another one. */
static struct span value_of(struct span option, const char *name)
{
    size_t len = strlen(name);
    if (option.len <= len || memcmp(option.at, name, len) != 0 || option.at[len] != '=')
        return (struct span){NULL, 0};
    return (struct span){option.at + len + 1, option.len - len - 1};
}

/* Options that say as whom and how S3 is asked: kept as they are, for the agent. */
static bool is_access(struct span option)
{
    struct span path = value_of(option, "sse_c_key_file");
    return span_is(option, "requester_pays") || span_is(option, "requester_pays=1") ||
           value_of(option, "profile").len || (path.len && path.at[0] == '/');
}

static bool add_access(struct mapping *m, struct map *map, struct span option)
{
    char joined[MAP_ACCESS_MAX];
    int len = snprintf(joined, sizeof(joined), "%.*s%s%.*s", (int)m->access_len, m->access,
                       m->access_len ? "&" : "", (int)option.len, option.at);
    if (len < 0 || (size_t)len >= sizeof(joined))
        return false;
    m->access = keep(map, (struct span){joined, (size_t)len}, "");
    m->access_len = (size_t)len;
    return m->access != NULL;
}

static bool parse_style(struct mapping *m, struct span option)
{
    if (span_is(option, "style=auto"))
        m->style = MAP_STYLE_AUTO;
    else if (span_is(option, "style=path"))
        m->style = MAP_STYLE_PATH;
    else if (span_is(option, "style=virtual"))
        m->style = MAP_STYLE_VIRTUAL;
    else
        return false;
    return true;
}

static bool parse_options(struct map *map, struct mapping *m, struct span options,
                          struct span entry, complain_fn *complain)
{
    while (options.len) {
        struct span option = cut(&options, '&');
        if (span_is(option, "ro") || option.len == 0 || parse_style(m, option))
            continue;
        if (is_access(option)) {
            if (!add_access(m, map, option)) {
                complain_about(complain, entry, "its options are too long");
                return false;
            }
        } else if (span_is(option, "rw")) {
            complain_about(complain, entry, "writing is not supported yet: leave ?rw out");
            return false;
        } else {
            complain_about(complain, entry,
                           "unknown option '%.*s': known are ro, style=auto, style=path, "
                           "style=virtual, profile=NAME, requester_pays, sse_c_key_file=/PATH",
                           (int)(option.len < 60 ? option.len : 60), option.at);
            return false;
        }
    }
    return true;
}

static bool valid_bucket(struct span bucket)
{
    if (bucket.len < 3 || bucket.len > 255)
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_';
        if (!fine)
            return false;
    }
    return true;
}

/* What AWS has besides buckets: named here, because S3 itself would answer with a riddle. */
static const char *why_no_bucket(struct span bucket)
{
    static const char directory[] = "--x-s3";
    size_t len = sizeof(directory) - 1;
    if (bucket.len > 4 && memcmp(bucket.at, "arn:", 4) == 0)
        return "is an ARN: write the access point's alias (…-s3alias) instead";
    if (bucket.len > len && memcmp(bucket.at + bucket.len - len, directory, len) == 0)
        return "is a directory bucket (S3 Express One Zone), which is not supported";
    return valid_bucket(bucket) ? NULL : "is no bucket name";
}

/* Local side: "/data". False after complaining. */
static bool parse_prefix(struct map *map, struct mapping *m, struct span prefix, struct span entry,
                         complain_fn *complain)
{
    if (prefix.len == 0 || prefix.at[0] != '/') {
        complain_about(complain, entry, "the path before '=' must be absolute");
        return false;
    }
    char *copy = keep(map, prefix, "");
    if (!copy)
        return false;
    m->prefix_len = path_normalise(copy, prefix.len);
    m->prefix = copy;
    if (m->prefix_len == 1) {
        complain_about(complain, entry, "'/' itself can't be mapped: name a directory");
        return false;
    }
    for (int i = 0; i < map->n; i++)
        if (map->entries[i].prefix_len == m->prefix_len &&
            memcmp(map->entries[i].prefix, copy, m->prefix_len) == 0) {
            complain_about(complain, entry, "'%.100s' is mapped already", copy);
            return false;
        }
    return true;
}

/* Remote side: "s3://bucket/prefix". False after complaining. */
static bool parse_url(struct map *map, struct mapping *m, struct span url, struct span entry,
                      complain_fn *complain)
{
    if (url.len < 5 || memcmp(url.at, "s3://", 5) != 0) {
        complain_about(complain, entry, "after '=' comes a URL that begins with s3://");
        return false;
    }
    url.at += 5;
    url.len -= 5;
    struct span bucket = cut(&url, '/');
    const char *why = why_no_bucket(bucket);
    if (why) {
        complain_about(complain, entry, "'%.*s' %s", (int)(bucket.len < 80 ? bucket.len : 80),
                       bucket.at, why);
        return false;
    }
    while (url.len && url.at[url.len - 1] == '/')
        url.len--;
    if (url.len > 1000) {
        complain_about(complain, entry, "the prefix is longer than S3 allows");
        return false;
    }
    m->bucket = keep(map, bucket, "");
    m->bucket_len = bucket.len;
    m->key_prefix = keep(map, url, url.len ? "/" : "");
    m->key_prefix_len = url.len ? url.len + 1 : 0;
    return m->bucket && m->key_prefix;
}

static void insert(struct map *map, const struct mapping *m)
{
    int at = map->n++;
    while (at > 0 && map->entries[at - 1].prefix_len < m->prefix_len) {
        map->entries[at] = map->entries[at - 1];
        at--;
    }
    map->entries[at] = *m;
}

static void parse_entry(struct map *map, struct span entry, complain_fn *complain)
{
    struct mapping m = {.style = MAP_STYLE_AUTO, .access = ""};
    if (!memchr(entry.at, '=', entry.len)) {
        complain_about(complain, entry, "there is no '='");
        return;
    }
    if (map->n == MAP_MAX_ENTRIES) {
        complain_about(complain, entry, "more than %d mappings", MAP_MAX_ENTRIES);
        return;
    }
    struct span rest = entry;
    struct span prefix = cut(&rest, '=');
    struct span url = cut(&rest, '?');
    if (parse_prefix(map, &m, prefix, entry, complain) &&
        parse_url(map, &m, url, entry, complain) && parse_options(map, &m, rest, entry, complain))
        insert(map, &m);
}

void map_parse(struct map *map, const char *spec, void (*complain)(const char *sentence))
{
    map->n = 0;
    map->text_len = 0;
    if (!spec)
        return;
    struct span rest = {spec, strlen(spec)};
    if (rest.len > MAP_MAX_BYTES) {
        complain("WARMPATH_MAP is longer than 16384 bytes; no mapping is served");
        return;
    }
    while (rest.len) {
        struct span entry = cut(&rest, ',');
        while (entry.len && (entry.at[0] == ' ' || entry.at[0] == '\n')) {
            entry.at++;
            entry.len--;
        }
        while (entry.len && (entry.at[entry.len - 1] == ' ' || entry.at[entry.len - 1] == '\n'))
            entry.len--;
        if (entry.len)
            parse_entry(map, entry, complain);
    }
}

const struct mapping *map_find(const struct map *map, const char *path, size_t len)
{
    for (int i = 0; i < map->n; i++) {
        const struct mapping *m = &map->entries[i];
        if (len >= m->prefix_len && memcmp(path, m->prefix, m->prefix_len) == 0 &&
            (len == m->prefix_len || path[m->prefix_len] == '/'))
            return m;
    }
    return NULL;
}

bool map_below(const struct map *map, const char *dir, size_t len)
{
    if (len == 1)
        return map->n > 0;
    for (int i = 0; i < map->n; i++) {
        const struct mapping *m = &map->entries[i];
        if (m->prefix_len >= len && memcmp(m->prefix, dir, len) == 0 &&
            (m->prefix_len == len || m->prefix[len] == '/'))
            return true;
    }
    return false;
}
