#include "agent/pinned.h"

#include <stdio.h>
#include <uthash.h>

#include "common/alloc.h"
#include "fetch/s3.h"

#define PINNED_MAX 65536

struct pinned {
    UT_hash_handle hh;
    struct version_id id;
    char version_id[S3_VERSION_MAX];
};

static struct pinned *table;

static struct pinned *find(const struct version_id *id)
{
    struct pinned *p;
    HASH_FIND(hh, table, id, sizeof(*id), p);
    return p;
}

void pinned_put(const struct version_id *id, const char *version_id)
{
    struct pinned *p = find(id);
    if (!p) {
        if (HASH_COUNT(table) >= PINNED_MAX) {
            struct pinned *oldest = table;
            HASH_DEL(table, oldest);
            free(oldest);
        }
        p = must_calloc(1, sizeof(*p));
        p->id = *id;
        HASH_ADD(hh, table, id, sizeof(p->id), p);
    }
    snprintf(p->version_id, sizeof(p->version_id), "%s", version_id);
}

const char *pinned_get(const struct version_id *id)
{
    const struct pinned *p = find(id);
    return p ? p->version_id : "";
}
