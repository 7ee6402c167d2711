#include "fetch/aws_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

/* ---- where the files are ---- */

static bool home_of(const struct aws_env *env, char *out, size_t size)
{
    const char *home = aws_env_get(env, "HOME");
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (!home && getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found)
        home = entry.pw_dir;
    if (!home)
        home = "/";
    return (size_t)snprintf(out, size, "%s", home) < size;
}

bool aws_expand_path(const struct aws_env *env, const char *path, char *out, size_t size)
{
    char base[512];
    if (strncmp(path, "~/", 2) == 0) {
        if (!home_of(env, base, sizeof(base)))
            return false;
        return (size_t)snprintf(out, size, "%s/%s", base, path + 2) < size;
    }
    const char *cwd = aws_env_get(env, "PWD");
    if (path[0] == '/' || !cwd || cwd[0] != '/')
        return (size_t)snprintf(out, size, "%s", path) < size;
    return (size_t)snprintf(out, size, "%s/%s", cwd, path) < size;
}

/* ---- one line after the other ---- */

/* Where in a file we are: in the wanted section or not, and under which nested setting. */
struct scan {
    struct aws_profile *profile;
    const char *section; /* the wanted one */
    const char *prefix;  /* before the names: "" or "services." */
    bool from_credentials_file;
    bool inside;
    char parent[64];
};

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static bool add_setting(struct scan *s, const char *name, const char *value)
{
    struct aws_profile *p = s->profile;
    struct aws_setting *longer = realloc(p->settings, (p->n_settings + 1) * sizeof(*longer));
    if (!longer)
        return false;
    p->settings = longer;
    struct aws_setting *setting = &p->settings[p->n_settings];
    setting->from_credentials_file = s->from_credentials_file;
    setting->value = strdup(value);
    if (!setting->value)
        return false;
    if (asprintf(&setting->name, "%s%s%s%s", s->prefix, s->parent, *s->parent ? "." : "", name) <
        0) {
        free(setting->value);
        return false;
    }
    p->n_settings++;
    return true;
}

/* A comment may follow a value, after white space. */
static void cut_comment(char *value)
{
    for (char *c = value; *c; c++)
        if ((*c == '#' || *c == ';') && c > value && (c[-1] == ' ' || c[-1] == '\t')) {
            *c = '\0';
            return;
        }
}

/* "profile a b" may be written with more blanks, and its name in quotes. */
static bool is_section(char *text, const char *wanted)
{
    size_t word = strcspn(wanted, " ");
    if (strcmp(text, wanted) == 0)
        return true;
    if (!wanted[word] || strncmp(text, wanted, word) != 0 || !strchr(" \t", text[word]))
        return false;
    char *name = trim(text + word);
    size_t len = strlen(name);
    if (len >= 2 && strchr("\"'", *name) && name[len - 1] == *name) {
        name[len - 1] = '\0';
        name++;
    }
    return strcmp(name, wanted + word + 1) == 0;
}

static bool scan_line(struct scan *s, char *line)
{
    bool indented = line[0] == ' ' || line[0] == '\t';
    char *text = trim(line);

    if (!*text || *text == '#' || *text == ';')
        return true;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (end)
            *end = '\0';
        s->inside = end && is_section(trim(text + 1), s->section);
        s->parent[0] = '\0';
        s->profile->found |= s->inside && !*s->prefix;
        return true;
    }
    char *equals = strchr(text, '=');
    if (!s->inside || !equals)
        return true;
    *equals = '\0';
    cut_comment(equals + 1);
    const char *name = trim(text);
    const char *value = trim(equals + 1);
    if (!indented)
        s->parent[0] = '\0';
    if (*value)
        return add_setting(s, name, value);
    if (!indented) /* "s3 =": what is indented below belongs to it */
        snprintf(s->parent, sizeof(s->parent), "%s", name);
    return true;
}

static int cannot_read(const char *path, int error, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot read %s: %s", path, strerror(error));
    return -EACCES;
}

static int scan_file(const char *path, struct scan *s, char *why, size_t why_size)
{
    struct stat status;
    /* Not blocking: the path may name a FIFO, and the agent must not wait at it. */
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : cannot_read(path, errno, why, why_size);
    if (fstat(fd, &status) != 0)
        return cannot_read(path, errno, why, why_size);
    if (S_ISDIR(status.st_mode))
        return cannot_read(path, EISDIR, why, why_size);
    if (!S_ISREG(status.st_mode))
        return 0; /* /dev/null is a usual way to say "none" */

    CLEANUP_FCLOSE FILE *file = fdopen(fd, "r");
    if (!file)
        return cannot_read(path, errno, why, why_size);
    (void)take_fd(fd); /* the stream's from here on */
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    while (ok && getline(&line, &room, file) >= 0)
        ok = scan_line(s, line);
    int error = !ok ? ENOMEM : ferror(file) ? EIO : 0;
    if (line)
        OPENSSL_cleanse(line, room);
    free(line);
    return error ? cannot_read(path, error, why, why_size) : 0;
}

/* ---- the profile ---- */

static bool locate(const struct aws_env *env, const char *variable, const char *usual, char *out,
                   size_t size)
{
    const char *path = aws_env_get(env, variable);
    return aws_expand_path(env, path ? path : usual, out, size);
}

static int scan_config(struct aws_profile *p, const char *section, const char *prefix, char *why,
                       size_t why_size)
{
    struct scan s = {.profile = p, .section = section, .prefix = prefix};
    return scan_file(p->config_path, &s, why, why_size);
}

static int scan_both(struct aws_profile *p, char *why, size_t why_size)
{
    char section[sizeof(p->name) + 16];
    struct scan credentials = {
        .profile = p, .section = p->name, .prefix = "", .from_credentials_file = true};

    int error = scan_file(p->credentials_path, &credentials, why, why_size);
    if (error)
        return error;
    snprintf(section, sizeof(section), "profile %s", p->name);
    error = scan_config(p, section, "", why, why_size);
    if (!error && strcmp(p->name, "default") == 0)
        error = scan_config(p, "default", "", why, why_size);
    const char *services = error ? NULL : aws_profile_get(p, "services");
    if (services) {
        snprintf(section, sizeof(section), "services %.100s", services);
        error = scan_config(p, section, "services.", why, why_size);
    }
    return error;
}

int aws_profile_load(const struct aws_env *env, const char *name, struct aws_profile *p, char *why,
                     size_t why_size)
{
    const char *setting = name ? "the profile's name" : "AWS_PROFILE";
    memset(p, 0, sizeof(*p));
    if (!name && aws_env_get(env, AWS_PROFILE_FIRST)) {
        name = aws_env_get(env, AWS_PROFILE_FIRST);
        setting = "profile= in WARMPATH_MAP";
    }
    if (!name)
        name = aws_env_get(env, "AWS_PROFILE");
    if (!name)
        name = aws_env_get(env, "AWS_DEFAULT_PROFILE");

    if ((size_t)snprintf(p->name, sizeof(p->name), "%s", name ? name : "default") >=
            sizeof(p->name) ||
        !locate(env, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", p->credentials_path,
                sizeof(p->credentials_path)) ||
        !locate(env, "AWS_CONFIG_FILE", "~/.aws/config", p->config_path, sizeof(p->config_path))) {
        snprintf(why, why_size, "%s or the path of an AWS configuration file is too long", setting);
        return -EACCES;
    }
    int error = scan_both(p, why, why_size);
    if (!error && name && !p->found) {
        snprintf(why, why_size, "profile %s is neither in %.150s nor in %.150s: check %s", p->name,
                 p->credentials_path, p->config_path, setting);
        error = -EACCES;
    }
    if (error)
        aws_profile_clear(p);
    return error;
}

void aws_profile_clear(struct aws_profile *p)
{
    for (size_t i = 0; i < p->n_settings; i++) {
        OPENSSL_cleanse(p->settings[i].value, strlen(p->settings[i].value));
        free(p->settings[i].value);
        free(p->settings[i].name);
    }
    free(p->settings);
    memset(p, 0, sizeof(*p));
}

/* The last of several: a later line overrides an earlier one. */
const char *aws_profile_get_from(const struct aws_profile *p, const char *name,
                                 bool from_credentials_file)
{
    for (size_t i = p->n_settings; i > 0; i--) {
        const struct aws_setting *s = &p->settings[i - 1];
        if (s->from_credentials_file == from_credentials_file && strcmp(s->name, name) == 0)
            return s->value;
    }
    return NULL;
}

const char *aws_profile_get(const struct aws_profile *p, const char *name)
{
    const char *value = aws_profile_get_from(p, name, true);
    return value ? value : aws_profile_get_from(p, name, false);
}
