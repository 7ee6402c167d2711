/* Opening and closing the store: its directory is made, is one's own and nobody else's to write,
 * and locked; the boot in which it was used last tells which blocks must be verified. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/thread.h"

#define LOCK_TRIES   250 /* five seconds */
#define LOCK_WAIT_US 20000

static int make_dirs(const char *path)
{
    char part[4096];
    size_t len = strlen(path);
    if (len >= sizeof(part))
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int make_layout(struct store *s)
{
    if (mkdirat(s->dir_fd, "tmp", 0700) < 0 && errno != EEXIST)
        return -errno;
    if (mkdirat(s->dir_fd, "blocks", 0700) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static void empty_tmp(struct store *s)
{
    int fd = openat(s->dir_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSEDIR DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            unlinkat(fd, e->d_name, 0);
}

/* The time that the file system would give to a block that is written now. */
static struct timespec time_of_a_write(int fd)
{
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    struct stat st;
    if (futimens(fd, now) == 0 && fstat(fd, &st) == 0)
        return st.st_mtim;
    return (struct timespec){.tv_sec = clock_wall_s() + 1};
}

/* Blocks that were written before this moment may have suffered from a crash of the machine: the
 * first use of the store in a boot. DIR/boot holds the boot's name and that moment, to the
 * nanosecond: in whole seconds, all that a job's first second brings would be verified, too. */
static struct timespec suspect_before(struct store *s)
{
    char boot[64] = "", mark[128] = "";
    long long since_s;
    long since_ns;
    CLEANUP_CLOSE int id = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    CLEANUP_CLOSE int fd =
        openat(s->dir_fd, "boot", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct timespec now = time_of_a_write(fd);
    if (id < 0 || fd < 0 || read(id, boot, sizeof(boot) - 1) <= 0)
        return now;
    boot[strcspn(boot, "\n")] = '\0';
    ssize_t len = read(fd, mark, sizeof(mark) - 1);
    size_t boot_len = strlen(boot);
    if (len > 0 && strncmp(mark, boot, boot_len) == 0 &&
        sscanf(mark + boot_len, " %lld.%9ld", &since_s, &since_ns) == 2)
        return (struct timespec){since_s, since_ns};
    int mark_len =
        snprintf(mark, sizeof(mark), "%s %lld.%09ld\n", boot, (long long)now.tv_sec, now.tv_nsec);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, mark, (size_t)mark_len, 0) < 0)
        log_warn("store", "cannot write %s/boot: %s", s->dir, strerror(errno));
    return now;
}

static bool is_own(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && !(st.st_mode & 022);
}

static bool probe_write(struct store *s)
{
    int fd = openat(s->dir_fd, "tmp/probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return unlinkat(s->dir_fd, "tmp/probe", 0) == 0;
}

static void *maintain(void *user)
{
    store_evict_run(user);
    return NULL;
}

/* An agent that is just ending still holds the lock for a moment. */
static bool take_lock(int fd)
{
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        usleep(LOCK_WAIT_US);
    }
    return false;
}

static bool prepare(struct store *s, char *why, size_t why_size)
{
    int r = make_dirs(s->dir);
    if (r == 0) {
        s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = s->dir_fd < 0 ? -errno : make_layout(s);
    }
    if (r == 0 &&
        !(is_own(s->dir_fd, ".") && is_own(s->dir_fd, "blocks") && is_own(s->dir_fd, "tmp")))
        r = -EPERM; /* who may write there can give the jobs any bytes */
    if (r == 0 && !probe_write(s))
        r = -errno;
    if (r < 0) {
        snprintf(why, why_size,
                 "the cache directory %s can't be used: %s; set WARMPATH_CACHE_DIR to a directory "
                 "of your own that nobody else may write",
                 s->dir, strerror(-r));
        return false;
    }
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0 || !take_lock(s->lock_fd)) {
        snprintf(why, why_size,
                 "the cache directory %s is used by another agent; give this one its own "
                 "WARMPATH_CACHE_DIR, or the same WARMPATH_SOCKET",
                 s->dir);
        return false;
    }
    return true;
}

/* It was to be published once the disk had caught up: nobody is to wait for that any more. */
static void on_left_memory(void *user, const struct version *v, uint64_t index)
{
    store_tell_kept(user, v, index);
}

struct store *store_open(const char *dir, char *why, size_t why_size)
{
    struct store *s = must_calloc(1, sizeof(*s));
    s->dir = must_strndup(dir, strlen(dir));
    s->dir_fd = s->lock_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->lag_lock, NULL);
    pthread_mutex_init(&s->leaving_lock, NULL);
    pthread_rwlock_init(&s->watch_lock, NULL);
    pthread_cond_init(&s->wanted, NULL);
    s->memory = store_memory_new(on_left_memory, s);
    s->disk = disk_new(thread_carriers()); /* one for each that receives */
    if (!s->disk)
        snprintf(why, why_size, "the agent cannot start: no threads for the disk");
    if (!s->disk || !prepare(s, why, why_size)) {
        store_close(s);
        return NULL;
    }
    empty_tmp(s);
    s->suspect_before = suspect_before(s);
    store_is_closed(s); /* a disk that stalls before anybody asks doesn't make it open */
    struct statvfs disk;
    uint64_t disk_bytes = fstatvfs(s->dir_fd, &disk) == 0 ? disk.f_blocks * disk.f_frsize : 0;
    s->limit_bytes = option_share(OPT_CACHE_SIZE, disk_bytes);
    if (pthread_create(&s->maintainer, NULL, maintain, s) == 0)
        s->has_maintainer = true;
    log_info("store", "%s: at most %llu MiB", s->dir, (unsigned long long)(s->limit_bytes >> 20));
    return s;
}

void store_close(struct store *s)
{
    atomic_store(&s->ends, true);
    if (!disk_free(s->disk))
        return; /* its threads may come back, and need the store then */
    if (s->has_maintainer) {
        pthread_mutex_lock(&s->lock);
        s->closing = true;
        pthread_cond_signal(&s->wanted);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->maintainer, NULL);
    }
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_rwlock_destroy(&s->watch_lock);
    store_memory_free(s->memory);
    free(s->dir);
    free(s);
}
