/* warmpath node config|start|stop|status: nginx over this node's store, for the other nodes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/hash.h"
#include "common/loopback.h"
#include "common/options.h"
#include "tool/agent_call.h"
#include "tool/commands.h"
#include "tool/nginx_conf.h"

#define STOP_TRIES   100
#define START_TRIES  100
#define WAIT_US      50000
#define DEFAULT_PORT "9470"
/* An agent renews its lease every two seconds, and as often looks who else is there. */
#define LEAVE_US 4500000

static const char usage_text[] =
    "usage: warmpath node config|start|stop|status [--listen ADDR:PORT] [--now]\n"
    "  config   print the nginx configuration that serves this node's blocks\n"
    "  start    start nginx with it, and offer the blocks to other nodes\n"
    "  stop     offer them no more, wait until all nodes know (not with --now), end nginx\n"
    "  status   whether it serves; the exit status is 0 if it does\n"
    "Other nodes learn of it from WARMPATH_PEER_URL, which has to lead to ADDR:PORT.\n";

/* --- what to serve, and where --------------------------------------------------------- */

static bool find_dirs(struct nginx_conf *n)
{
    char runtime[1024];
    if (!option_cache_dir(n->store, sizeof(n->store))) {
        fprintf(stderr, "warmpath: there is no place for the cache: set WARMPATH_CACHE_DIR\n");
        return false;
    }
    if (option_runtime_dir(runtime, sizeof(runtime)) < 0) {
        fprintf(stderr, "warmpath: no directory of your own in XDG_RUNTIME_DIR or /tmp\n");
        return false;
    }
    snprintf(n->run, sizeof(n->run), "%s/node-%016llx", runtime,
             (unsigned long long)hash_bytes(n->store, strlen(n->store), 0));
    return true;
}

/* What --listen leaves open comes from WARMPATH_PEER_URL: host and port there are as others see us,
 * which is where we listen unless something stands between. */
static bool find_listen(struct nginx_conf *n, const char *given)
{
    const char *url = option_text(OPT_PEER_URL);
    const char *host = strstr(url, "://");
    if (given) {
        snprintf(n->listen, sizeof(n->listen), "%s", given);
    } else if (host) {
        host += 3;
        int len = (int)strcspn(host, "/");
        bool has_port = memchr(host, ':', (size_t)len) && host[len - 1] != ']';
        snprintf(n->listen, sizeof(n->listen), "%.*s%s", len, host,
                 has_port                        ? ""
                 : strncmp(url, "https", 5) == 0 ? ":443"
                                                 : ":80");
    } else {
        snprintf(n->listen, sizeof(n->listen), "127.0.0.1:%s", DEFAULT_PORT);
    }
    if (strchr(n->listen, ':'))
        return true;
    fprintf(stderr, "warmpath: --listen wants ADDR:PORT\n");
    return false;
}

static const char *option_or_null(enum option_id id)
{
    const char *text = option_text(id);
    return *text ? text : NULL;
}

static bool find_access(struct nginx_conf *n)
{
    struct secret secret;
    char why[400];
    if (secret_load(&secret, why, sizeof(why)) < 0) {
        fprintf(stderr, "warmpath: %s\n", why);
        return false;
    }
    n->signs = secret.is_set;
    secret_link_key(&secret, n->link_key);
    n->ca = option_or_null(OPT_PEER_CA);
    n->cert = option_or_null(OPT_PEER_CERT);
    n->key = option_or_null(OPT_PEER_KEY);
    if ((n->ca || n->cert || n->key) && !(n->ca && n->cert && n->key)) {
        fprintf(stderr, "warmpath: for TLS set all of WARMPATH_PEER_CA, WARMPATH_PEER_CERT and "
                        "WARMPATH_PEER_KEY\n");
        return false;
    }
    if (n->signs || n->cert)
        return true;
    if (loopback_is(n->listen)) {
        fprintf(stderr,
                "warmpath: no WARMPATH_CLUSTER_SECRET and no certificates: serving %s only, "
                "to anybody on this machine\n",
                n->listen);
        return true;
    }
    fprintf(stderr,
            "warmpath: anybody who reaches %s could read this node's blocks: set "
            "WARMPATH_CLUSTER_SECRET, or WARMPATH_PEER_CA, _CERT and _KEY. Without either only "
            "loopback is served (--listen 127.0.0.1:%s)\n",
            n->listen, DEFAULT_PORT);
    return false;
}

/* --- nginx ------------------------------------------------------------------------------- */

static pid_t running(const struct nginx_conf *n)
{
    char path[1200], text[4200] = "";
    long pid = 0;
    snprintf(path, sizeof(path), "%s/pid", n->run);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%ld", &pid) != 1 || pid <= 1)
        return 0;
    /* The number may be another process's by now. */
    snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    return len > 0 && memmem(text, (size_t)len, n->run, strlen(n->run)) ? (pid_t)pid : 0;
}

static bool write_conf(const struct nginx_conf *n, char *path, size_t size)
{
    if (mkdir(n->run, 0700) < 0 && errno != EEXIST) {
        fprintf(stderr, "warmpath: %s can't be made: %s\n", n->run, strerror(errno));
        return false;
    }
    snprintf(path, size, "%s/nginx.conf", n->run);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    CLEANUP_FCLOSE FILE *file = fd >= 0 ? fdopen(take_fd(fd), "w") : NULL;
    if (!file || !nginx_conf_write(n, file) || fflush(file) != 0) {
        fprintf(stderr, "warmpath: %s can't be written: %s\n", path,
                errno ? strerror(errno) : "a path has a character that nginx takes for its own");
        return false;
    }
    return true;
}

static int run_nginx(const struct nginx_conf *n, const char *conf, const char *flag)
{
    char log[1200];
    snprintf(log, sizeof(log), "%s/error.log", n->run);
    pid_t child = fork();
    if (child == 0) {
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
        unsetenv("LD_PRELOAD");
        unsetenv("WARMPATH_CLUSTER_SECRET");
        execlp("nginx", "nginx", "-e", log, "-c", conf, flag, (char *)NULL);
        execl("/usr/sbin/nginx", "nginx", "-e", log, "-c", conf, flag, (char *)NULL);
        fprintf(stderr, "warmpath: nginx can't be started: %s (Debian: apt install nginx-light)\n",
                strerror(errno));
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Do we listen where we said? */
static bool answers(const char *listen)
{
    char host[128];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    snprintf(host, sizeof(host), "%s", listen);
    char *colon = strrchr(host, ':');
    *colon = '\0';
    char *name = host;
    if (*name == '[') {
        name++;
        name[strcspn(name, "]")] = '\0';
    }
    if (strcmp(name, "0.0.0.0") == 0 || strcmp(name, "*") == 0)
        name = (char[]){"127.0.0.1"};
    if (getaddrinfo(name, colon + 1, &hints, &found) != 0)
        return false;
    CLEANUP_CLOSE int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool fine = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    return fine;
}

static void closed_path(const struct nginx_conf *n, char *out, size_t size)
{
    snprintf(out, size, "%s/" NODE_CLOSED_FILE, n->store);
}

/* --- the four words ----------------------------------------------------------------------- */

static int start(struct nginx_conf *n)
{
    char conf[1200], closed[4200];
    closed_path(n, closed, sizeof(closed));
    unlink(closed); /* in any case: a `stop` that was interrupted leaves it, and nginx running */
    pid_t pid = running(n);
    if (pid) {
        printf("already serving %s (nginx, pid %d)\n", n->store, (int)pid);
        return 0;
    }
    if (!write_conf(n, conf, sizeof(conf)))
        return 1;
    int status = run_nginx(n, conf, "-q");
    if (status != 0) {
        fprintf(stderr, "warmpath: nginx did not start (status %d); look into %s/error.log\n",
                status, n->run);
        return 1;
    }
    for (int i = 0; i < START_TRIES; i++) {
        if (running(n) && answers(n->listen)) {
            printf("serving %s on %s (nginx, pid %d)%s\n", n->store, n->listen, (int)running(n),
                   *option_text(OPT_PEER_URL)
                       ? ""
                       : "; set WARMPATH_PEER_URL so that other nodes learn of it");
            return 0;
        }
        usleep(WAIT_US);
    }
    fprintf(stderr, "warmpath: nginx runs but does not answer on %s; look into %s/error.log\n",
            n->listen, n->run);
    return 1;
}

/* Does an agent tell the cluster of this node? */
static bool is_offered(void)
{
    char reply[WIRE_MAX_BYTES];
    ssize_t len = agent_call(WIRE_STATUS, reply, sizeof(reply));
    json_t *status = len > 0 ? json_loadb(reply, (size_t)len, 0, NULL) : NULL;
    bool offered = json_is_true(json_object_get(json_object_get(status, "cluster"), "offered"));
    json_decref(status);
    return offered;
}

/* Others learn that there is nothing to be had here before the door closes. */
static void leave(const struct nginx_conf *n, bool wait)
{
    char path[4200];
    closed_path(n, path, sizeof(path));
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        if (errno != ENOENT) /* no store yet: nothing is offered */
            fprintf(stderr, "warmpath: %s can't be made: %s; other nodes go on asking this one\n",
                    path, strerror(errno));
        return;
    }
    if (wait && is_offered()) {
        usleep(LEAVE_US);
        puts("blocks of this node are not offered any more");
    }
}

static int stop(const struct nginx_conf *n, bool wait)
{
    pid_t pid = running(n);
    leave(n, wait && pid);
    if (!pid) {
        puts("nginx is not running for this store");
        return 0;
    }
    kill(pid, SIGQUIT); /* what is being sent is sent */
    for (int i = 0; i < STOP_TRIES; i++) {
        if (!running(n)) {
            puts("nginx has ended");
            return 0;
        }
        if (i == STOP_TRIES / 2)
            kill(pid, SIGTERM);
        usleep(WAIT_US);
    }
    fprintf(stderr, "warmpath: nginx (pid %d) has not ended yet\n", (int)pid);
    return 1;
}

static int status(const struct nginx_conf *n)
{
    pid_t pid = running(n);
    bool fine = pid && answers(n->listen);
    if (!pid)
        printf("nginx is not running for %s\n", n->store);
    else
        printf("nginx (pid %d) serves %s; %s %s\n", (int)pid, n->store, n->listen,
               fine ? "answers" : "does not answer");
    return fine ? 0 : 1;
}

int cmd_node(int n_args, char **args)
{
    struct nginx_conf n = {.is_root = geteuid() == 0};
    const char *word = n_args > 1 ? args[1] : "", *listen = NULL;
    bool wait = true;
    if (strcmp(word, "--help") == 0)
        return fputs(usage_text, stdout) < 0;
    for (int i = 2; i < n_args; i++) {
        if (strcmp(args[i], "--listen") == 0 && i + 1 < n_args)
            listen = args[++i];
        else if (strcmp(args[i], "--now") == 0 && strcmp(word, "stop") == 0)
            wait = false;
        else
            return fputs(usage_text, stderr), 2;
    }
    if (!find_dirs(&n) || !find_listen(&n, listen))
        return 1;
    if (strcmp(word, "stop") == 0)
        return stop(&n, wait);
    if (strcmp(word, "status") == 0)
        return status(&n);
    if (strcmp(word, "config") != 0 && strcmp(word, "start") != 0)
        return fputs(usage_text, stderr), 2;
    if (!find_access(&n))
        return 1;
    if (strcmp(word, "start") == 0)
        return start(&n);
    return nginx_conf_write(&n, stdout) ? 0 : 1;
}
