#include "fetch/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REDIS_PORT    6379
#define SENTINEL_PORT 26379

/* A piece of the text, not terminated. */
struct span {
    const char *at;
    size_t len;
};

static struct span span_until(struct span s, const char *stops)
{
    size_t len = 0;
    while (len < s.len && !strchr(stops, s.at[len]))
        len++;
    return (struct span){s.at, len};
}

static struct span span_after(struct span s, size_t n)
{
    return n > s.len ? (struct span){s.at + s.len, 0} : (struct span){s.at + n, s.len - n};
}

static bool take_prefix(struct span *s, const char *prefix)
{
    size_t len = strlen(prefix);
    if (s->len < len || strncasecmp(s->at, prefix, len) != 0)
        return false;
    *s = span_after(*s, len);
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool decode(struct span s, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex(s.at[i + 1]) : -1;
            int low = i + 2 < s.len ? hex(s.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || len + 1 >= size)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static bool copy(struct span s, char *out, size_t size)
{
    if (s.len == 0 || s.len >= size)
        return false;
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
    return true;
}

static bool number(struct span s, uint32_t most, uint32_t *out)
{
    uint32_t n = 0;
    if (s.len == 0 || s.len > 9)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(s.at[i] - '0');
    }
    *out = n;
    return n <= most;
}

/* "[user]:password@" before the host, if there is one. */
static bool take_login(struct span *s, struct redis_target *t)
{
    struct span authority = span_until(*s, "/?");
    const char *last = NULL;
    for (size_t i = 0; i < authority.len; i++)
        if (authority.at[i] == '@')
            last = authority.at + i;
    if (!last)
        return true;
    struct span login = {s->at, (size_t)(last - s->at)};
    struct span user = span_until(login, ":");
    *s = span_after(*s, login.len + 1);
    if (user.len == login.len)
        return decode(login, t->password, sizeof(t->password)); /* "password@", as some write it */
    return decode(user, t->user, sizeof(t->user)) &&
           decode(span_after(login, user.len + 1), t->password, sizeof(t->password));
}

static bool parse_host(struct span s, uint16_t default_port, struct redis_address *out)
{
    uint32_t port = default_port;
    struct span host, rest;
    if (s.len > 0 && s.at[0] == '[') {
        host = span_until(span_after(s, 1), "]");
        rest = span_after(s, host.len + 2);
    } else {
        host = span_until(s, ":");
        rest = span_after(s, host.len);
    }
    if (rest.len > 0 &&
        (rest.at[0] != ':' || !number(span_after(rest, 1), 65535, &port) || port == 0))
        return false;
    out->port = (uint16_t)port;
    return copy(host, out->host, sizeof(out->host));
}

static const char *parse_unix(struct span s, struct redis_target *t)
{
    struct span login = span_until(s, "/");
    if (login.len > 0 && !take_login(&s, t))
        return "user or password can't be read";
    struct span path = span_until(s, "?");
    struct span query = span_after(s, path.len);
    if (path.len == 0 || path.at[0] != '/' || !copy(path, t->seeds[0].host, 108))
        return "a socket's path is absolute and has less than 108 characters";
    if (query.len > 0 && (!take_prefix(&query, "?db=") || !number(query, 1 << 20, &t->db)))
        return "only ?db=NUMBER may follow the path";
    t->n_seeds = 1;
    return NULL;
}

/* What follows the last host: "/db", or "/master[/db]". */
static const char *parse_path(struct span path, struct redis_target *t)
{
    if (t->kind == REDIS_SENTINEL) {
        struct span master = span_until(span_after(path, 1), "/");
        if (!copy(master, t->master, sizeof(t->master)))
            return "the name of the master is missing: redis+sentinel://host:port/NAME";
        path = span_after(path, 1 + master.len);
    }
    path = span_after(path, path.len > 0);
    if (path.len > 0 && !number(path, 1 << 20, &t->db))
        return "the database after the host is a number";
    return NULL;
}

static bool take_scheme(struct span *s, struct redis_target *t)
{
    if (take_prefix(s, "rediss://")) {
        t->tls = true;
        return true;
    }
    if (take_prefix(s, "redis+sentinel://") || take_prefix(s, "sentinel://")) {
        t->kind = REDIS_SENTINEL;
        return true;
    }
    return take_prefix(s, "redis://");
}

static const char *parse_hosts(struct span s, struct redis_target *t)
{
    struct span path;
    if (!take_scheme(&s, t))
        return "it begins with redis://, rediss://, unix:// or redis+sentinel://";
    if (!take_login(&s, t))
        return "user or password can't be read";
    do {
        struct span host = span_until(s, ",");
        struct redis_target other = {.kind = REDIS_SINGLE};
        if (take_scheme(&host, &other) && (other.tls != t->tls || other.kind != REDIS_SINGLE))
            return "the servers of a cluster are all reached in the same way";
        struct span address = span_until(host, "/");
        s = span_after(s, (size_t)(host.at + host.len - s.at) + 1);
        path = span_after(host, address.len);
        if (s.len > 0 && path.len > 1)
            return "a path stands behind the last server only";
        if (t->n_seeds == REDIS_SEEDS_MAX)
            return "too many servers; some of them are enough";
        if (!parse_host(address, t->kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT,
                        &t->seeds[t->n_seeds++]))
            return "a server is HOST or HOST:PORT";
    } while (s.len > 0);
    return parse_path(path, t);
}

int redis_url_parse(const char *text, struct redis_target *out, char *why, size_t why_size)
{
    struct span s = {text, strlen(text)};
    memset(out, 0, sizeof(*out));
    const char *wrong = take_prefix(&s, "unix://") ? parse_unix(s, out) : parse_hosts(s, out);
    if (!wrong && out->n_seeds > 1 && out->kind == REDIS_SINGLE) {
        out->kind = REDIS_CLUSTER;
        if (out->db != 0)
            wrong = "a cluster has no databases but 0";
    }
    if (!wrong)
        return 0;
    snprintf(why, why_size, "WARMPATH_REDIS: %s", wrong);
    return -EINVAL;
}

void redis_address_text(const struct redis_address *a, char *out, size_t size)
{
    if (a->port == 0)
        snprintf(out, size, "%s", a->host);
    else
        snprintf(out, size, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
}
