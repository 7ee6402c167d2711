/* Jobs: the processes that belong together, and what they and the agent counted for them.
 * Loop thread only. */
#ifndef WARMPATH_AGENT_JOB_H
#define WARMPATH_AGENT_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "common/counters.h"

struct job;

/* The job of this name; made if need be. Counts a reference. Jobs without a connection are
 * remembered for a while (the last 64), so that a report at the end finds their numbers. */
struct job *job_get(const char *name);
void job_ref(struct job *j);
void job_unref(struct job *j);

/* A new page of counters for a process of the job: a descriptor for the process (owned by the
 * caller), or -errno. The page is folded into the job's numbers when `job_page_done` names it. */
int job_page_new(struct job *j, uint32_t *page);
void job_page_done(struct job *j, uint32_t page);

/* Counts for the job, on the agent's side. */
void job_count(struct job *j, enum counter_id id, uint64_t n);

/* The job's sum over live and ended processes. */
void job_total(struct job *j, struct counters *out);
/* The sum over all jobs since the agent's start. */
void jobs_total(struct counters *out);
size_t jobs_running(void);

#endif
