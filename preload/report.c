#include "preload/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/options.h"
#include "preload/client.h"
#include "preload/ownfd.h"
#include "preload/real.h"
#include "preload/state.h"

static pid_t first_pid; /* 0: this process tells nothing */
static int report_fd =
    -1; /* standard error as it was: many programs close theirs before they end */
static long long started_ms;
static char job_name[64];

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void report_name_job(void)
{
    const char *wanted = option_text(OPT_REPORT);
    const char *job = getenv("WARMPATH_JOB");
    int pid;
    snprintf(job_name, sizeof(job_name), "%s", job ? job : "");
    if (!*wanted || strcmp(wanted, "0") == 0)
        return;
    if (job && sscanf(job, "%d.%lld", &pid, &started_ms) == 2) {
        first_pid = pid == getpid() ? pid : 0;
    } else {
        first_pid = getpid();
        started_ms = now_ms();
        snprintf(job_name, sizeof(job_name), "%d.%lld", (int)first_pid, started_ms);
    }
    if (first_pid && !strchr(wanted, '/')) {
        int copy = REAL(dup)(STDERR_FILENO);
        report_fd = copy >= 0 ? ownfd_take(copy) : -1;
    }
}

void report_publish_job(void)
{
    if (first_pid)
        setenv("WARMPATH_JOB", job_name, 1);
}

const char *report_job(void)
{
    return job_name;
}

static void write_text(int fd, const char *text, size_t len)
{
    long ignored = syscall(SYS_write, fd, text, len);
    (void)ignored;
}

static void write_json(const char *path, const struct counters *total, double wall_s)
{
    char text[4096];
    int n = snprintf(text, sizeof(text), "{\"wall_s\":%.3f,\"job\":\"%s\",\"counters\":{", wall_s,
                     client_job());
    int more = counters_json(total, text + n, sizeof(text) - (size_t)n - 4);
    if (more < 0)
        return;
    n += more;
    memcpy(text + n, "}}\n", 4);
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        log_warn("report", "WARMPATH_REPORT: cannot write %s: %s", path, strerror(errno));
        return;
    }
    write_text(fd, text, (size_t)n + 3);
    syscall(SYS_close, fd);
}

static void ask_total(struct counters *total)
{
    struct client_call c;
    size_t len = 0;
    if (client_greet(false) < 0)
        return; /* no agent is started to say that nothing was done */
    client_begin(&c, WIRE_JOB);
    if (client_call_raw(&c, c.reply, sizeof(c.reply), &len) == 0 && len == sizeof(*total))
        memcpy(total, c.reply, sizeof(*total));
}

void report_at_end(void)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (!first_pid || first_pid != getpid() || atomic_flag_test_and_set(&told))
        return;
    struct counters total = {0};
    char text[2048];
    const char *where = option_text(OPT_REPORT);
    double wall_s = (double)(now_ms() - started_ms) / 1000;
    ask_total(&total);
    if (strchr(where, '/')) {
        write_json(where, &total, wall_s);
        return;
    }
    int n = counters_summary(&total, wall_s, text, sizeof(text));
    if (n > 0)
        write_text(report_fd, text, (size_t)n);
}
