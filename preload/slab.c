#include "preload/slab.h"

#include "preload/memory.h"

static size_t chunk_bytes(const struct slab *s)
{
    return sizeof(struct slab_chunk) + SLAB_CHUNK_ITEMS * s->item_bytes;
}

static struct slab_chunk *get_chunk(struct slab *s, int i)
{
    struct slab_chunk *chunk = atomic_load(&s->chunks[i]);
    if (chunk)
        return chunk;
    struct slab_chunk *fresh = memory_map(chunk_bytes(s));
    if (!fresh)
        return NULL;
    if (atomic_compare_exchange_strong(&s->chunks[i], &chunk, fresh))
        return fresh;
    memory_unmap(fresh, chunk_bytes(s));
    return chunk;
}

void *slab_take(struct slab *s)
{
    for (int i = 0; i < SLAB_CHUNKS; i++) {
        struct slab_chunk *chunk = get_chunk(s, i);
        if (!chunk)
            return NULL;
        uint64_t used = atomic_load(&chunk->used);
        while (~used) {
            int bit = __builtin_ctzll(~used);
            if (atomic_compare_exchange_weak(&chunk->used, &used, used | 1ull << bit))
                return chunk->items + (size_t)bit * s->item_bytes;
        }
    }
    return NULL;
}

void slab_give(struct slab *s, void *item)
{
    for (int i = 0; i < SLAB_CHUNKS; i++) {
        struct slab_chunk *chunk = atomic_load(&s->chunks[i]);
        if (!chunk)
            return;
        size_t at = (size_t)((char *)item - chunk->items);
        if ((char *)item < chunk->items || at >= SLAB_CHUNK_ITEMS * s->item_bytes)
            continue;
        atomic_fetch_and(&chunk->used, ~(1ull << (at / s->item_bytes)));
        return;
    }
}

void *slab_find(struct slab *s, int (*visit)(void *item, const void *user), const void *user)
{
    for (int i = 0; i < SLAB_CHUNKS; i++) {
        struct slab_chunk *chunk = atomic_load(&s->chunks[i]);
        if (!chunk)
            return NULL;
        uint64_t used = atomic_load(&chunk->used);
        while (used) {
            int bit = __builtin_ctzll(used);
            void *item = chunk->items + (size_t)bit * s->item_bytes;
            if (visit(item, user))
                return item;
            used &= used - 1;
        }
    }
    return NULL;
}

void slab_reset(struct slab *s)
{
    for (int i = 0; i < SLAB_CHUNKS && atomic_load(&s->chunks[i]); i++)
        atomic_store(&atomic_load(&s->chunks[i])->used, 0);
}

int slab_owns(struct slab *s, const void *item)
{
    for (int i = 0; i < SLAB_CHUNKS; i++) {
        struct slab_chunk *chunk = atomic_load(&s->chunks[i]);
        if (!chunk)
            return 0;
        if ((const char *)item >= chunk->items &&
            (const char *)item < chunk->items + SLAB_CHUNK_ITEMS * s->item_bytes)
            return 1;
    }
    return 0;
}
