/* Locks in Redis: "this node fetches this block from the origin, wait for it". They expire unless
 * they are renewed, and are let go once the block is announced, or when it could not be had. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/index_batch.h"

#define LOCK_OUR_MOST 20000 /* fetched, but never published: let go */

static const char release_script[] =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0";
static const char renew_script[] = "if redis.call('get',KEYS[1])==ARGV[1] then return "
                                   "redis.call('pexpire',KEYS[1],ARGV[2]) end return 0";

/* FNV-1a. Source: G. Fowler and others, http://www.isthe.com/chongo/tech/comp/fnv. */
static uint32_t zone_hash(const char *zone)
{
    uint32_t hash = 0x811c9dc5u;
    for (; *zone; zone++)
        hash = (hash ^ (uint8_t)*zone) * 0x01000193u;
    return hash;
}

void index_lock_key(struct index *ix, const uint8_t *version, uint64_t number,
                    char out[INDEX_LOCK_KEY_SIZE])
{
    char tag[INDEX_TAG_SIZE];
    uint64_t block = number & ~index_lock_number(0, true);
    segment_tag(&ix->config.secret, version, tag);
    int len = snprintf(out, INDEX_LOCK_KEY_SIZE, "%sl%llu", tag, (unsigned long long)block);
    if (block != number)
        snprintf(out + len, (size_t)(INDEX_LOCK_KEY_SIZE - len), "z%08x",
                 (unsigned)zone_hash(ix->config.zone));
}

static void add_script(struct index *ix, struct index_batch *b, const char *script,
                       const struct segment_id *id)
{
    char key[INDEX_LOCK_KEY_SIZE];
    index_lock_key(ix, id->version, id->number, key);
    struct redis_command *c = &b->commands[b->n];
    b->steps[b->n++] = (struct batch_step){.kind = STEP_LOCK};
    *c = (struct redis_command){.key_at = 3};
    redis_arg(c, "EVAL", 4);
    redis_arg(c, script, strlen(script));
    redis_arg(c, "1", 1);
    batch_arg(b, c, key, strlen(key));
    redis_arg(c, ix->token, strlen(ix->token));
    if (script == renew_script)
        batch_arg_number(b, c, WANT_LOCK_MS);
}

void index_end_locks(struct index *ix, struct segment_id id)
{
    uint64_t block = id.number;
    for (int is_zone = 0; is_zone < 2; is_zone++) {
        struct index_lock *l;
        id.number = index_lock_number(block, is_zone);
        HASH_FIND(hh, ix->locks, &id, sizeof(id), l);
        if (l)
            l->release = true;
    }
}

void index_take_ends(struct index *ix)
{
    for (size_t i = 0; i < ix->n_ends; i++)
        index_end_locks(ix, ix->ends[i]);
    ix->n_ends = 0;
}

void index_add_locks(struct index *ix, struct index_batch *b, int64_t now)
{
    struct index_lock *l, *next;
    HASH_ITER(hh, ix->locks, l, next)
    {
        if (!batch_has_room(b))
            return;
        if (l->release || now >= l->give_up_ms) {
            if (l->release)
                add_script(ix, b, release_script, &l->id);
            HASH_DEL(ix->locks, l);
            free(l);
        } else if (now >= l->renew_ms) {
            add_script(ix, b, renew_script, &l->id);
            l->renew_ms = now + WANT_LOCK_RENEW_MS;
        }
    }
}

void index_note_lock(struct index *ix, const struct index_want *w, bool is_zone, int64_t now,
                     bool release)
{
    struct index_lock *l = calloc(1, sizeof(*l));
    if (!l)
        abort();
    memcpy(l->id.version, w->what.version, sizeof(l->id.version));
    l->id.number = index_lock_number(w->what.block, is_zone);
    l->renew_ms = now + WANT_LOCK_RENEW_MS;
    l->give_up_ms = now + LOCK_OUR_MOST;
    l->release = release;
    struct index_lock *old;
    HASH_FIND(hh, ix->locks, &l->id, sizeof(l->id), old);
    if (old) {
        HASH_DEL(ix->locks, old);
        free(old);
    }
    HASH_ADD(hh, ix->locks, id, sizeof(l->id), l);
}
