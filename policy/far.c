#include "policy/far.h"

#include <stdlib.h>

#include "policy/placement.h"

void far_read(struct far *f, uint64_t block)
{
    if (!f->reads || block + FAR_JUMP_BLOCKS < f->at || block > f->at + FAR_JUMP_BLOCKS) {
        *f = (struct far){.first = block, .at = block, .reads = true};
        return;
    }
    if (block > f->at)
        f->at = block;
}

bool far_is_due(const struct far *f)
{
    return f->at - f->first >= FAR_READ_FIRST;
}

bool far_is_active(const struct far *f)
{
    return far_is_due(f) && f->planned_readers > 0;
}

bool far_needs_plan(const struct far *f, size_t readers)
{
    return readers * 4 > f->planned_readers * 5 || readers * 5 < f->planned_readers * 4 ||
           f->at - f->planned_at >= FAR_HORIZON_BLOCKS / 4;
}

struct ranked {
    size_t rank;
    uint64_t score;
    uint16_t offset;
};

static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* What was given stays given when the order begins further on. */
static void move_given(struct far *f)
{
    uint64_t by = f->at - f->planned_at;
    for (uint64_t i = 0; i < FAR_HORIZON_BLOCKS; i++)
        f->is_given[i] = i + by < FAR_HORIZON_BLOCKS && f->is_given[i + by];
    f->planned_at = f->at;
}

void far_plan(struct far *f, uint64_t content, uint64_t blocks, const uint64_t *readers, size_t n,
              uint64_t self)
{
    struct ranked ranked[FAR_HORIZON_BLOCKS];
    uint64_t extent = UINT64_MAX;
    size_t rank = 0;
    move_given(f);
    f->n = f->next = 0;
    f->planned_readers = n;
    for (uint64_t b = f->at; b < blocks && b < f->at + FAR_HORIZON_BLOCKS; b++) {
        if (f->is_given[b - f->at])
            continue;
        if (placement_extent(b) != extent) {
            extent = placement_extent(b);
            rank = placement_rank(content, extent, readers, n, self);
        }
        ranked[f->n++] = (struct ranked){.rank = rank,
                                         .score = placement_score(content, b, self),
                                         .offset = (uint16_t)(b - f->at)};
    }
    qsort(ranked, f->n, sizeof(ranked[0]), compare);
    for (size_t i = 0; i < f->n; i++)
        f->order[i] = ranked[i].offset;
}

static uint64_t given_and_not_read(const struct far *f)
{
    uint64_t count = 0;
    for (uint64_t i = f->at - f->planned_at; i < FAR_HORIZON_BLOCKS; i++)
        count += f->is_given[i];
    return count;
}

bool far_next(struct far *f, size_t under_way, uint64_t *block)
{
    if (under_way >= FAR_AT_ONCE || given_and_not_read(f) >= f->at - f->first + FAR_BLOCKS_FIRST)
        return false;
    while (f->next < f->n) {
        uint16_t offset = f->order[f->next++];
        *block = f->planned_at + offset;
        if (*block < f->at)
            continue;
        f->is_given[offset] = true;
        return true;
    }
    return false;
}
