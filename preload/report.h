/* WARMPATH_REPORT: what the cache did for a job, told when its first process ends.
 *
 * The first process names the job in WARMPATH_JOB ("PID.START_MS", in its own environment and so in
 * its children's); it is still the first after it executed something else. */
#ifndef WARMPATH_PRELOAD_REPORT_H
#define WARMPATH_PRELOAD_REPORT_H

/* Names the job; before client_init(). Nothing unless a report is wanted. */
void report_name_job(void);

/* Tells children by the environment; from the constructor, as it needs malloc. */
void report_publish_job(void);

/* The job's name, "" when nobody named it. */
const char *report_job(void);

/* Writes the report if this is the job's first process; once. */
void report_at_end(void);

#endif
