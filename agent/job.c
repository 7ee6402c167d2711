#include "agent/job.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "common/alloc.h"

#define REMEMBERED_JOBS 64

struct page {
    struct page *prev, *next;
    uint32_t number;
    struct counters *counters;
};

struct job {
    UT_hash_handle hh;
    char name[64];
    int refs;
    struct counters ended; /* ended processes, and the agent's own counts */
    struct page *pages;    /* live processes */
};

static struct job *jobs;
static struct counters forgotten; /* jobs that are no longer remembered */

static void forget_old_jobs(void)
{
    struct job *j, *next;
    if (HASH_COUNT(jobs) <= REMEMBERED_JOBS)
        return;
    HASH_ITER(hh, jobs, j, next)
    {
        if (j->refs > 0)
            continue;
        counters_fold(&forgotten, &j->ended);
        HASH_DEL(jobs, j);
        free(j);
        return;
    }
}

struct job *job_get(const char *name)
{
    struct job *j;
    HASH_FIND_STR(jobs, name, j);
    if (!j) {
        j = must_calloc(1, sizeof(*j));
        snprintf(j->name, sizeof(j->name), "%s", name);
        HASH_ADD_STR(jobs, name, j);
    }
    j->refs++;
    forget_old_jobs();
    return j;
}

void job_ref(struct job *j)
{
    if (j)
        j->refs++;
}

void job_unref(struct job *j)
{
    if (j)
        j->refs--;
}

int job_page_new(struct job *j, uint32_t *page)
{
    static uint32_t numbers;
    int fd = memfd_create("warmpath counters", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, COUNTERS_PAGE_BYTES) < 0) {
        close(fd);
        return -errno;
    }
    void *at = mmap(NULL, COUNTERS_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        close(fd);
        return -ENOMEM;
    }
    struct page *p = must_calloc(1, sizeof(*p));
    p->number = *page = ++numbers;
    p->counters = at;
    DL_APPEND(j->pages, p);
    return fd;
}

void job_page_done(struct job *j, uint32_t page)
{
    struct page *p;
    DL_SEARCH_SCALAR(j->pages, p, number, page);
    if (!p)
        return;
    counters_fold(&j->ended, p->counters);
    munmap(p->counters, COUNTERS_PAGE_BYTES);
    DL_DELETE(j->pages, p);
    free(p);
}

void job_count(struct job *j, enum counter_id id, uint64_t n)
{
    if (j && n)
        counters_add(&j->ended, id, n);
}

void job_total(struct job *j, struct counters *out)
{
    struct page *p;
    counters_fold(out, &j->ended);
    DL_FOREACH(j->pages, p)
    counters_fold(out, p->counters);
}

void jobs_total(struct counters *out)
{
    struct job *j, *next;
    counters_fold(out, &forgotten);
    HASH_ITER(hh, jobs, j, next)
    job_total(j, out);
}

size_t jobs_running(void)
{
    struct job *j, *next;
    size_t n = 0;
    HASH_ITER(hh, jobs, j, next)
    n += j->refs > 0;
    return n;
}
