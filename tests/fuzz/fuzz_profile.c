/* The AWS SDKs' shared files. First line: the profile's name; then a config file. */
#include <sys/mman.h>
#include <unistd.h>

#include "fetch/credentials_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), path[64], file[64];
    char *rest = text, *name = strsep(&rest, "\n");
    char profile[160];
    int fd = memfd_create("config", MFD_CLOEXEC);
    FUZZ_MUST(fd >= 0);
    size_t len = rest ? size - (size_t)(rest - text) : 0;
    FUZZ_MUST(write(fd, rest ? rest : "", len) == (ssize_t)len);
    snprintf(path, sizeof(path), "AWS_CONFIG_FILE=/proc/self/fd/%d", fd);
    snprintf(file, sizeof(file), "AWS_SHARED_CREDENTIALS_FILE=/proc/self/fd/%d", fd);
    snprintf(profile, sizeof(profile), "AWS_PROFILE=%.140s", name);
    const char *vars[] = {
        "HOME=/nowhere", "AWS_EC2_METADATA_DISABLED=true", path, file, profile, NULL};
    const struct aws_env env = {.vars = vars};
    struct credentials c;
    struct s3_endpoint e;
    char why[384];
    int error = credentials_resolve(&env, NULL, &c, why, sizeof(why));
    FUZZ_MUST(error || c.anonymous || (*c.access_key && *c.secret_key));
    credentials_clear(&c);
    if (s3_endpoint_resolve(&env, S3_STYLE_AUTO, &e, why, sizeof(why)) == 0)
        FUZZ_MUST(*e.region && *e.authority && !strchr(e.authority, '/'));
    s3_endpoint_clear(&e);
    close(fd);
    free(text);
    return 0;
}
