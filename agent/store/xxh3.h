/* XXH3, in the form that suits this processor. The library's plain entry points are compiled for
 * the oldest processor of an architecture; on x86-64 it can choose at run time (SSE2, AVX2,
 * AVX-512), which hashes three times as fast, but only those get that who ask for it by name. The
 * values are the same. Source: xxh_x86dispatch.h of libxxhash. */
#ifndef WARMPATH_AGENT_STORE_XXH3_H
#define WARMPATH_AGENT_STORE_XXH3_H

#include <xxhash.h>

#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

#endif
