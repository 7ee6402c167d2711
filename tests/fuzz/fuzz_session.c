/* Messages of a job to the agent: a row of (length: 2 bytes, message), behind 4 bytes that say what
 * S3 answers. Every request but a hint gets one reply or ends the connection; the agent lives. S3
 * itself is left out: s3_submit() answers at once. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/session.h"
#include "common/log.h"
#include "common/wire.h"
#include "fetch/s3.h"
#include "tests/fuzz/fuzz.h"

static struct agent agent;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static _Atomic uint32_t s3_says;

static void answer_get(struct s3_request *r)
{
    static const char bytes[65536];
    uint64_t left = r->meta.size_bytes > r->offset ? r->meta.size_bytes - r->offset : 0;
    left = left < r->length ? left : r->length;
    r->result.http_status = left ? 206 : 416;
    for (uint64_t at = 0; at < left && !r->result.error; at += sizeof(bytes))
        r->result.error = r->write(r, r->offset + at, bytes,
                                   left - at < sizeof(bytes) ? (size_t)(left - at) : sizeof(bytes));
}

static void answer_list(struct s3_request *r, uint32_t says)
{
    char name[2048];
    for (uint32_t i = 0; i < says % 8; i++) {
        struct s3_entry e = {.name = name, .is_prefix = i & 1};
        snprintf(name, sizeof(name), "%.1000s%.*u%s", r->prefix ? r->prefix : "",
                 1 + (int)(says >> 8) % 300, i, e.is_prefix ? "/" : "");
        e.meta.size_bytes = i;
        strcpy(e.meta.etag, "\"e\"");
        r->entry(r, &e);
    }
    r->next_token = says & 16 ? strdup("token") : NULL;
}

int s3_submit(struct http_engine *engine, struct s3_request *r)
{
    static const int errors[] = {0, 0, 0, -ENOENT, -EACCES, -ESTALE, -EIO, -ENOMEM};
    uint32_t says = atomic_load(&s3_says);
    (void)engine;
    memset(&r->result, 0, sizeof(r->result));
    memset(&r->meta, 0, sizeof(r->meta));
    r->next_token = NULL;
    if (says == UINT32_MAX)
        return -ENOMEM;
    r->result.attempts = 1;
    r->result.error = errors[(says >> 5) % 8];
    r->result.http_status = 200;
    strcpy(r->meta.etag, says & 1 ? "\"e1\"" : "\"e2\"");
    strcpy(r->meta.version_id, says & 2 ? "v" : "");
    r->meta.size_bytes = (says >> 16) * 37;
    if (r->result.error)
        snprintf(r->result.why, sizeof(r->result.why), "so it is");
    else if (r->op == S3_GET)
        answer_get(r);
    else if (r->op == S3_LIST)
        answer_list(r, says);
    r->done(r);
    return 0;
}

static void on_tick(void *user)
{
    (void)user;
    sessions_tick();
}

static void *run(void *unused)
{
    loop_run(agent.loop, 100, on_tick, NULL);
    return unused;
}

static void start(void)
{
    static char dir[64] = "/tmp/warmpath-fuzz-XXXXXX";
    char why[512];
    pthread_t thread;
    FUZZ_MUST(mkdtemp(dir));
    log_setup("error");
    setenv("WARMPATH_CACHE_SIZE", "16M", 1);
    agent.block_bytes = 65536;
    agent.deadline_ms = 1000;
    agent.loop = loop_new();
    agent.store = store_open(dir, why, sizeof(why));
    FUZZ_MUST(agent.loop && agent.store);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    FUZZ_MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0);
    FUZZ_MUST(sessions_start(&agent, fd) == 0);
    FUZZ_MUST(pthread_create(&thread, NULL, run, NULL) == 0);
}

/* The fuzzer's own alarm, every 13 s, may strike meanwhile. */
static int wait_for(struct pollfd *wait)
{
    int n;
    do
        n = poll(wait, 1, 20000);
    while (n < 0 && errno == EINTR);
    return n;
}

/* False when the connection is over. */
static bool exchange(int fd, const uint8_t *message, size_t len)
{
    static uint8_t reply[WIRE_MAX_BYTES];
    int fds[WIRE_MAX_FDS], n = WIRE_MAX_FDS;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (wire_send(fd, message, len, NULL, 0) < 0)
        return false;
    if (message[0] == WIRE_WANT)
        return true; /* before a HELLO, too: the next message then finds the connection closed */
    FUZZ_MUST(wait_for(&wait) == 1); /* answered, or hung up */
    ssize_t got = wire_receive(fd, reply, sizeof(reply), fds, &n);
    for (int i = 0; got > 0 && i < n; i++)
        close(fds[i]);
    return got > 0;
}

static bool say_hello(int fd)
{
    static const char *const vars[] = {"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B",
                                       "AWS_CONFIG_FILE=/dev/null", "HOME=/nowhere",
                                       "AWS_EC2_METADATA_DISABLED=true"};
    uint8_t body[1024];
    struct wire_buf b = wire_buf(body, sizeof(body));
    wire_put_u8(&b, WIRE_HELLO);
    wire_put_u32(&b, WIRE_VERSION);
    wire_put_u32(&b, 1);
    wire_put_u32(&b, 0);
    wire_put_u64(&b, 60);
    wire_put_str(&b, "job", 3);
    wire_put_u16(&b, sizeof(vars) / sizeof(vars[0]));
    for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
        wire_put_str(&b, vars[i], strlen(vars[i]));
    return exchange(fd, body, (size_t)(b.at - body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t says;
    if (!agent.loop)
        start();
    if (size < 4)
        return 0;
    memcpy(&says, data, 4);
    atomic_store(&s3_says, says);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    FUZZ_MUST(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    bool open = !(says & 4) || say_hello(fd);
    for (data += 4, size -= 4; open && size >= 3;) {
        size_t len = data[0] | (size_t)data[1] << 8;
        data += 2, size -= 2;
        len = len == 0 ? 1 : len > size ? size : len;
        open = data[0] == WIRE_STOP || exchange(fd, data, len);
        data += len, size -= len;
    }
    close(fd);
    return 0;
}
