/* Small files ahead of their open: which directory's files are opened one after the other, and
 * which come next (policy/siblings). All processes of the node share it, for each credential
 * context apart, because S3 decides who may read. Loop thread only.
 *
 * Names come from the job's own listings. Where it opens siblings without having listed them, the
 * directory is learned by a list request of our own: from the third open in order on, from the
 * sixteenth in any. Bounded: the directories used least recently are forgotten. */
#ifndef WARMPATH_AGENT_SIBLINGS_H
#define WARMPATH_AGENT_SIBLINGS_H

#include "agent/guess.h"

/* A job opened this file. `asked`: S3 had to be asked for it. */
void siblings_file_opened(const struct guess_order *opened, bool asked);

/* A page of a directory ("dir/", "" for the bucket's own) was listed: `token` is what it was asked
 * with ("" for the first), `next_token` what brings the next (NULL: none). The list to which
 * siblings_add() adds the page's files, in their order; NULL: no use for them. */
struct family;
struct family *siblings_page(const struct context *context, const struct lookup_name *prefix,
                             const char *token, const char *next_token);
void siblings_add(struct family *f, const char *name, uint64_t size_bytes);

#endif
