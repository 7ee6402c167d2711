/* An open mapped file or directory: what POSIX calls an open file description.
 *
 * Several descriptors may share one (dup), and a forked child has copies of all. The offset
 * lives here while the description belongs to one process. Once it may be shared (fork, exec,
 * spawn), it lives in the kernel, as the offset of the placeholder, which all sharers have
 * (offset.h). */
#ifndef WARMPATH_PRELOAD_FILE_H
#define WARMPATH_PRELOAD_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "preload/object.h"
#include "preload/target.h"

enum file_kind { FILE_REGULAR, FILE_DIRECTORY };

struct dirstream;

struct file {
    _Atomic uint32_t refs; /* 0: free */
    enum file_kind kind;
    bool path_only;                  /* O_PATH */
    struct object *object;           /* FILE_REGULAR */
    _Atomic(struct run *) run;       /* FILE_REGULAR; taken by exchange while in use */
    _Atomic int64_t offset;          /* offset.c's */
    atomic_bool leaving;             /* somebody moves the offset to the kernel */
    _Atomic(struct dirstream *) dir; /* FILE_DIRECTORY, for getdents64 */
    _Atomic uint8_t advice;          /* enum object_advice */
    atomic_bool wanted;              /* a hint told of bytes that will be read */
    bool changed;                    /* the job changed flags that stay with the placeholder */
    int kept_fd;                     /* keep.c's own descriptor of the placeholder, or -1 */
    int64_t fresh_until_ms;          /* keep_now_ms() until which another open needs no question */
    struct target target;
};

/* A new description with one reference, or NULL. */
struct file *file_new(void);
/* One more reference unless it is being freed. */
bool file_try_ref(struct file *f);
void file_unref(struct file *f);
/* It reads as nobody said how. */
static inline void file_forget_advice(struct file *f)
{
    atomic_store(&f->advice, OBJECT_NORMAL);
    atomic_store(&f->wanted, false);
}
/* The library's own descriptors for it are closed already. */
void file_lost_descriptors(struct file *f);
/* Frees what has no reference. */
void file_free(struct file *f);

/* libc's word (2.32 and later; else NULL) that the process has one thread: references then need no
 * lock. */
extern const char *file_single_threaded;
static inline bool file_one_thread(void)
{
    return file_single_threaded && *(const volatile char *)file_single_threaded;
}
/* Asks libc for it, at start. */
void file_init(void);

/* Opens: asks the agent. A descriptor (a placeholder at the lowest free number, registered in
 * fdtab) or -errno. Only for reading: the caller has refused the rest. */
int file_open(const struct target *t, int flags);

/* A vfork child of this process, whose memory is this one's, opened a mapped file. */
extern atomic_bool file_child_opened;

/* Opens an object for the library's own reading: it has no descriptor and is in no table, so a
 * vfork child may do it too. One reference, or NULL and -errno (-EISDIR: a directory). */
struct file *file_open_unlisted(const struct target *t, int *error);
/* The same where version and size are known already; nobody is asked. NULL: no memory. */
struct file *file_unlisted(const struct target *t, const struct object_name *name);
/* The same for a directory. */
struct file *file_unlisted_directory(const struct target *t);

/* Bytes read (short only at the end of the file) or -errno. `fd` is any descriptor of `f`. */
ssize_t file_read(struct file *f, int fd, void *buf, size_t n);
ssize_t file_pread(struct file *f, void *buf, size_t n, off_t offset);

void file_stat(const struct file *f, struct stat *st);

#endif
