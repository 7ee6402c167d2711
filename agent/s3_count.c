#include "agent/s3_count.h"

#include <errno.h>

void s3_count(struct job *j, const struct s3_request *r)
{
    static const enum counter_id requests[] = {
        [S3_HEAD] = COUNTER_s3_head_requests,
        [S3_GET] = COUNTER_s3_get_requests,
        [S3_LIST] = COUNTER_s3_list_requests,
    };
    const struct s3_result *result = &r->result;
    job_count(j, requests[r->op], result->attempts + result->hedges);
    job_count(j, COUNTER_s3_hedges, result->hedges);
    job_count(j, COUNTER_s3_hedges_won, result->hedges_won);
    job_count(j, COUNTER_s3_retries, result->attempts > 1 ? result->attempts - 1 : 0);
    if (r->op == S3_GET)
        job_count(j, COUNTER_s3_bytes, result->body_bytes);
    /* That a name isn't there is an answer, not a failure. */
    job_count(j, COUNTER_s3_errors, result->error < 0 && result->error != -ENOENT);
}
