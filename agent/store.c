#include "agent/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/alloc.h"
#include "agent/block_file.h"
#include "agent/store_behind.h"
#include "agent/store_evict.h"
#include "agent/store_internal.h"
#include "agent/store_jobs.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"

#define LOCK_TRIES    250 /* five seconds */
#define LOCK_WAIT_US  20000
#define TOUCH_EVERY_S 60 /* precision of "last used" */
#define DISK_THREADS  4  /* as many writes at once as there are threads that receive, and some */

void store_block_name(const struct version *v, uint64_t index, char out[STORE_NAME_MAX])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out + sprintf(out, "blocks/%02x/", v->id.bytes[0]);
    for (size_t i = 0; i < sizeof(v->id.bytes); i++) {
        *p++ = hex[v->id.bytes[i] >> 4];
        *p++ = hex[v->id.bytes[i] & 15];
    }
    sprintf(p, "-%08llx", (unsigned long long)index);
}

/* --- opening ------------------------------------------------------------------ */

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
    pthread_rwlock_init(&s->watch_lock, NULL);
    pthread_cond_init(&s->wanted, NULL);
    s->memory = store_memory_new(on_left_memory, s);
    s->disk = disk_new(DISK_THREADS);
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

const char *store_dir(const struct store *s)
{
    return s->dir;
}

void store_watch(struct store *s, const struct store_watcher *w)
{
    pthread_rwlock_wrlock(&s->watch_lock);
    s->watcher = w ? *w : (struct store_watcher){0};
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_published(struct store *s, const struct version *v, uint64_t index)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.published)
        s->watcher.published(s->watcher.user, v, index);
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_kept(struct store *s, const struct version *v, uint64_t index)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.kept)
        s->watcher.kept(s->watcher.user, v, index);
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_leaving(struct store *s, const struct store_place *places, size_t n, bool may_wait)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.leaving && n > 0)
        s->watcher.leaving(s->watcher.user, places, n, may_wait);
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_found(struct store *s, const struct store_place *place, uint64_t blocks)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.found)
        s->watcher.found(s->watcher.user, place, blocks);
    pthread_rwlock_unlock(&s->watch_lock);
}

/* --- reading ------------------------------------------------------------------ */

bool store_is_suspect(const struct store *s, const struct stat *st)
{
    const struct timespec *written = &st->st_mtim, *before = &s->suspect_before;
    return written->tv_sec < before->tv_sec ||
           (written->tv_sec == before->tv_sec && written->tv_nsec < before->tv_nsec) ||
           written->tv_sec > clock_wall_s();
}

void store_drop_bad(struct store *s, const struct version *v, uint64_t index, const char *name,
                    const struct stat *st)
{
    struct store_place place = {v->id, index};
    store_tell_leaving(s, &place, 1, false);
    log_warn("store", "%s/%s does not verify: dropped, it will be fetched again", s->dir, name);
    atomic_fetch_add(&s->bad_blocks, 1);
    if (unlinkat(s->dir_fd, name, 0) == 0)
        store_account(s, -(int64_t)st->st_blocks * 512);
}

/* Opens a name that the kernel knows without asking the disk: the descriptor, -ENOENT, or -EAGAIN
 * when it doesn't (or is too old to say). */
static int open_known(struct store *s, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, s->dir_fd, name, &how, sizeof(how));
    if (fd >= 0)
        return fd;
    return errno == ENOENT ? -ENOENT : -EAGAIN;
}

/* Right as it is: of its length, and not to be verified. */
static bool is_fine(const struct store *s, const struct stat *st, const struct version *v,
                    uint64_t index)
{
    return (uint64_t)st->st_size > block_file_trailer_at(version_block_len(v, index)) &&
           !store_is_suspect(s, st);
}

static int get_from_disk(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_block_name(v, index, name);
    int fd = open_known(s, name, O_RDONLY);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !is_fine(s, &st, v, index))) {
        close(fd);
        fd = -EAGAIN;
    }
    if (fd == -EAGAIN && (store_job_look(s, v, index, true, &fd) < 0 || fstat(fd, &st) < 0))
        return -ENOENT;
    if (fd >= 0 && clock_wall_s() - st.st_atim.tv_sec >= TOUCH_EVERY_S)
        store_job_touch(s, v, index);
    return fd;
}

int store_get(struct store *s, const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    int fd = store_memory_get(s->memory, &place, clock_monotonic_ms());
    if (fd < 0 && store_filter_may(&s->filter, &place))
        fd = get_from_disk(s, v, index);
    return fd;
}

bool store_has(struct store *s, const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    return store_memory_has(s->memory, &place) || store_has_file(s, v, index);
}

bool store_has_file(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct store_place place = {v->id, index};
    if (!store_filter_may(&s->filter, &place))
        return false;
    store_block_name(v, index, name);
    CLEANUP_CLOSE int fd = open_known(s, name, O_PATH);
    return fd >= 0 || (fd == -EAGAIN && store_job_look(s, v, index, false, &fd) == 0);
}

void store_read_block_ahead(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_block_name(v, index, name);
    CLEANUP_CLOSE int fd = open_known(s, name, O_RDONLY);
    if (fd >= 0 && fstat(fd, &st) == 0 && is_fine(s, &st, v, index))
        store_read_ahead(s, fd);
    else if (fd != -ENOENT)
        store_verify_ahead(s, v, index);
}

bool store_is_closed(struct store *s)
{
    int r = store_job_exists(s, NODE_CLOSED_FILE);
    if (r == 0 || r == -ENOENT)
        atomic_store(&s->closed, r == 0);
    return atomic_load(&s->closed);
}

bool store_is_removed(const struct store *s)
{
    struct statx st; /* as known: a network disk isn't asked */
    return statx(s->dir_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) == 0 &&
           st.stx_nlink == 0;
}

/* --- memory ------------------------------------------------------------------- */

bool store_keeps_in_memory(struct store *s, const struct store_place *place)
{
    return store_memory_has(s->memory, place);
}

bool store_is_memory(const struct store *s, int fd)
{
    return store_memory_is(s->memory, fd);
}

void store_note_used(struct store *s, const struct store_place *place)
{
    store_memory_used(s->memory, place);
}

uint64_t store_room_ahead(struct store *s)
{
    if (!atomic_load(&s->full) && !store_is_behind(s) && !disk_is_stalled(s->disk))
        return UINT64_MAX;
    uint64_t ahead = store_memory_ahead_bytes(s->memory, clock_monotonic_ms());
    return ahead < STORE_MEMORY_AHEAD_MAX ? STORE_MEMORY_AHEAD_MAX - ahead : 0;
}

_Static_assert(STORE_WATCH_MS <= DISK_WATCH_MS, "as often as the disk wants it");

void store_watch_disk(struct store *s)
{
    disk_watch(s->disk);
    store_memory_tick(s->memory, clock_monotonic_ms());
    store_behind_go_on(s);
}

void store_numbers(struct store *s, struct store_numbers *out)
{
    int64_t used = atomic_load(&s->used_bytes);
    out->used_bytes = used > 0 ? (uint64_t)used : 0;
    out->limit_bytes = s->limit_bytes;
    out->evicted_blocks = atomic_load(&s->evicted_blocks);
    out->bad_blocks = atomic_load(&s->bad_blocks);
    out->counted = atomic_load(&s->counted);
    out->stalled = disk_is_stalled(s->disk);
    out->full = store_was_full_lately(s);
    out->behind = store_is_behind(s);
    out->memory_bytes = store_memory_bytes(s->memory);
    pthread_mutex_lock(&s->lock);
    out->emptying = s->want_empty;
    pthread_mutex_unlock(&s->lock);
}
