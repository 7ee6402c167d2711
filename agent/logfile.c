#include "agent/logfile.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/thread.h"

#define LARGE_BYTES (16 << 20)
/* Room for what is to be said when the disk is full. */
#define RESERVED_BYTES (64 << 10)
#define END_WAIT_MS    1000

static int file_fd = -1, from_log = -1, ended[2] = {-1, -1};

static void *copy(void *user)
{
    char text[4096];
    ssize_t n;
    while ((n = read(from_log, text, sizeof(text))) > 0) {
        ssize_t ignored = write(file_fd, text, (size_t)n);
        (void)ignored;
    }
    close(ended[1]);
    return user;
}

static int open_file(const char *path)
{
    struct stat st;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    if (stat(path, &st) == 0 && st.st_size > LARGE_BYTES)
        flags |= O_TRUNC;
    int fd = open(path, flags, 0600);
    if (fd >= 0 && fstat(fd, &st) == 0)
        fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, RESERVED_BYTES); /* or not: no matter */
    return fd;
}

static int start_thread(void)
{
    pthread_t thread;
    int error = thread_start_deaf(&thread, "log", copy, NULL);
    if (!error)
        pthread_detach(thread);
    return error;
}

void logfile_start(const char *path)
{
    int to_thread[2];
    file_fd = open_file(path);
    if (file_fd < 0)
        return;
    if (pipe2(ended, O_CLOEXEC) == 0 && pipe2(to_thread, O_CLOEXEC) == 0) {
        from_log = to_thread[0];
        fcntl(to_thread[1], F_SETFL, O_NONBLOCK);
        if (start_thread() == 0) {
            dup2(to_thread[1], STDERR_FILENO);
            close(to_thread[1]);
        }
    }
    log_timestamps(true);
}

void logfile_end(void)
{
    if (from_log < 0)
        return;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return;
    dup2(nowhere, STDERR_FILENO); /* the pipe's last writer: the thread finds its end */
    close(nowhere);
    struct pollfd wait = {.fd = ended[0]};
    poll(&wait, 1, END_WAIT_MS);
}
