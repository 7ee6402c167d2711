/* The quick no: most paths of most programs are not ours. On the way of every path of the program,
 * so inline and without calls: after a system call each call, return and indirect jump more is
 * likely to be mispredicted. */
#ifndef WARMPATH_PRELOAD_ELSEWHERE_H
#define WARMPATH_PRELOAD_ELSEWHERE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "preload/state.h"

/* Can this path hold a "..", "." or empty component? On the way of every path of the program:
 * sixteen bytes at a time. Aligned reads may go beyond the string's end, never beyond its page. */
#ifdef __SSE2__
static inline bool elsewhere_is_tangled(const char *path)
{
    const __m128i *at = (const __m128i *)(const void *)((uintptr_t)path & ~(uintptr_t)15);
    unsigned skip = (unsigned)((uintptr_t)path & 15);
    unsigned valid = 0xffffu << skip & 0xffffu;
    unsigned after_slash = 0; /* the byte before this chunk was a slash */
    for (;; at++, valid = 0xffff) {
        __m128i chunk = _mm_load_si128(at);
        unsigned zero =
            (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_setzero_si128())) & valid;
        if (zero)
            valid &= (zero & -zero) - 1; /* what comes before the end */
        unsigned slash =
            (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('/'))) & valid;
        unsigned dot =
            (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('.'))) & valid;
        if ((slash << 1 | after_slash) & (slash | dot))
            return true;
        if (zero)
            return false;
        after_slash = slash >> 15;
    }
}
#else
static inline bool elsewhere_is_tangled(const char *path)
{
    for (const char *p = path; *p; p++)
        if (*p == '/' && (p[1] == '.' || p[1] == '/'))
            return true;
    return false;
}
#endif

static inline bool elsewhere_begins_with(const char *path, const struct mapping *m)
{
    return path[1] == m->prefix[1] && strncmp(path, m->prefix, m->prefix_len) == 0 &&
           (path[m->prefix_len] == '/' || path[m->prefix_len] == '\0');
}

static inline __attribute__((always_inline)) bool elsewhere_absolute(const char *path)
{
    if (__builtin_expect(!(state.first_chars >> (path[1] & 63) & 1), 1))
        return !elsewhere_is_tangled(path);
    for (int i = 0; i < state.map.n; i++)
        if (elsewhere_begins_with(path, &state.map.entries[i]))
            return false;
    /* Our descriptors have names in /proc and /dev. */
    if ((path[1] == 'p' && strncmp(path, "/proc/", 6) == 0) ||
        (path[1] == 'd' && strncmp(path, "/dev/", 5) == 0))
        return false;
    return !elsewhere_is_tangled(path);
}

/* For paths that are not absolute (target.c). */
bool target_relative_is_elsewhere(int at, const char *path);

/* True: surely not ours. False: ask target_find(). `at` as for openat(). */
static inline __attribute__((always_inline)) bool target_is_elsewhere(int at, const char *path)
{
    if (__builtin_expect(!atomic_load_explicit(&state.ready, memory_order_acquire), 0))
        state_init();
    /* libc's headers promise the compiler that `path` is never NULL; programs (Rust's std, to see
     * whether there is a statx) pass NULL all the same and expect EFAULT. */
    __asm__("" : "+r"(path));
    if (__builtin_expect(!state.active || !path, 0))
        return true;
    return __builtin_expect(path[0] == '/', 1) ? elsewhere_absolute(path)
                                               : target_relative_is_elsewhere(at, path);
}

#endif
