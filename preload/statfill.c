#include "preload/statfill.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "common/hash.h"
#include "common/wire.h"

#define DEVICE_MAJOR 0
#define DEVICE_MINOR 0x57a9 /* as unnamed devices have, far above those in use */

/* Directories have no time in S3. 1980-01-02: the first that a zip archive can hold, whatever the
 * time zone; Python's zipfile refuses earlier ones. */
#define DIRECTORY_TIME_S 315619200

uint64_t statfill_inode(const struct mapping *m, const char *key, size_t key_len)
{
    return hash_inode(m->bucket, m->bucket_len, key, key_len);
}

void statfill(struct stat *st, const struct target *t, uint8_t kind, uint64_t size_bytes,
              int64_t mtime_s)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = makedev(DEVICE_MAJOR, DEVICE_MINOR);
    st->st_ino = statfill_inode(t->mapping, t->key, t->key_len);
    st->st_uid = state.uid;
    st->st_gid = state.gid;
    st->st_blksize = 4096;
    st->st_mtim.tv_sec = st->st_ctim.tv_sec = st->st_atim.tv_sec = mtime_s;
    /* One link: a directory that can't tell how many it holds says so, and find then looks. */
    st->st_nlink = 1;
    if (kind == WIRE_DIR) {
        st->st_mtim.tv_sec = st->st_ctim.tv_sec = st->st_atim.tv_sec = DIRECTORY_TIME_S;
        st->st_mode = S_IFDIR | 0555;
        st->st_size = 4096;
    } else {
        /* S3 knows no permissions: any object may be a program, and exec asks what it is. */
        st->st_mode = S_IFREG | 0555;
        st->st_size = (off_t)size_bytes;
        st->st_blocks = (blkcnt_t)((size_bytes + 511) / 512);
    }
}
