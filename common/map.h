/* WARMPATH_MAP: which local path prefixes stand for which S3 prefixes.
 *
 * Parsed once, before main, without allocating; read-only from then on. */
#ifndef WARMPATH_MAP_H
#define WARMPATH_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_MAX_ENTRIES 64
#define MAP_MAX_BYTES   16384 /* of WARMPATH_MAP */
#define MAP_ACCESS_MAX  512   /* of `access`, with its zero */

enum map_style { MAP_STYLE_AUTO, MAP_STYLE_PATH, MAP_STYLE_VIRTUAL };

struct mapping {
    const char *prefix; /* "/data": absolute, normalised, no trailing slash */
    size_t prefix_len;
    const char *bucket;
    size_t bucket_len;
    const char *key_prefix; /* "v1/" or "": put before what follows `prefix/` */
    size_t key_prefix_len;
    enum map_style style;
    const char
        *access; /* options that are the agent's to read: "profile=x&requester_pays"; or "" */
    size_t access_len;
};

struct map {
    int n;
    struct mapping entries[MAP_MAX_ENTRIES]; /* longest prefix first */
    char text[3 * MAP_MAX_BYTES];            /* what the entries point into */
    size_t text_len;
};

/* Fills `map` from `spec`. Each entry that is malformed is left out after `complain` got a
 * sentence that names it and says what to write instead. */
void map_parse(struct map *map, const char *spec, void (*complain)(const char *sentence));

/* The mapping that a normalised absolute path lies in, or NULL. */
const struct mapping *map_find(const struct map *map, const char *path, size_t len);

/* Does a mapping lie at or below this normalised absolute directory? */
bool map_below(const struct map *map, const char *dir, size_t len);

/* Removes "//", "/./", "/../" and a trailing slash from an absolute path, lexically, in place.
 * Returns the new length ("/" stays "/"). */
size_t path_normalise(char *path, size_t len);

#endif
