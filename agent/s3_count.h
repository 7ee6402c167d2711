/* Books a finished S3 request to the job that caused it. Loop thread only. */
#ifndef WARMPATH_AGENT_S3_COUNT_H
#define WARMPATH_AGENT_S3_COUNT_H

#include "agent/job.h"
#include "fetch/s3.h"

void s3_count(struct job *j, const struct s3_request *r);

#endif
