/* Libraries that are loaded with RTLD_DEEPBIND look for symbols in what they need before they look
 * at what was preloaded, and so find libc's open() instead of the hook. After such a dlopen() their
 * references to libc's functions are led to the hooks. */
#ifndef WARMPATH_PRELOAD_DEEPBIND_H
#define WARMPATH_PRELOAD_DEEPBIND_H

#include <link.h>

/* The object that was loaded last. Before the dlopen(). */
struct link_map *deepbind_mark(void);

/* Redirects what was loaded since. After it, in the same thread. */
void deepbind_redirect(struct link_map *mark);

#endif
