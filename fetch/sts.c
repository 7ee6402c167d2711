/* AWS STS: AssumeRole and AssumeRoleWithWebIdentity.
 * Source: AWS Security Token Service API Reference. */
#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fetch/credentials_internal.h"
#include "fetch/sigv4.h"

#define TRIES      3
#define TIMEOUT_MS 10000
#define SKEW_MAX_S 240 /* STS refuses dates that are 5 minutes off */
#define FORM       "application/x-www-form-urlencoded; charset=utf-8"
#define TEXT_MAX   8192 /* of one element */

/* ---- the answer ---- */

struct reader {
    char text[TEXT_MAX];
    size_t len;
    bool bad;
    char *keys[3];
    int64_t expires_s;
    char *code, *message; /* the caller's room: 64 and 256 bytes */
};

static void XMLCALL on_start(void *user, const char *name, const char **attributes)
{
    struct reader *r = user;
    (void)name;
    (void)attributes;
    r->len = 0;
}

static void XMLCALL on_text(void *user, const char *text, int len)
{
    struct reader *r = user;
    if (r->len + (size_t)len >= sizeof(r->text)) {
        r->bad = true;
        return;
    }
    memcpy(r->text + r->len, text, (size_t)len);
    r->len += (size_t)len;
}

static void XMLCALL on_end(void *user, const char *name)
{
    static const char *const keys[3] = {"AccessKeyId", "SecretAccessKey", "SessionToken"};
    struct reader *r = user;
    r->text[r->len] = '\0';
    const char *text = r->text + strspn(r->text, " \t\r\n");
    for (int i = 0; i < 3; i++)
        if (strcmp(name, keys[i]) == 0 && *text && !r->keys[i])
            r->keys[i] = strdup(text);
    if (strcmp(name, "Expiration") == 0)
        r->expires_s = credentials_time(text);
    else if (strcmp(name, "Code") == 0)
        snprintf(r->code, 64, "%s", text);
    else if (strcmp(name, "Message") == 0)
        snprintf(r->message, 256, "%s", text);
    r->len = 0;
}

static void XMLCALL on_doctype(void *user, const char *name, const char *system_id,
                               const char *public_id, int has_subset)
{
    struct reader *r = user;
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    r->bad = true; /* STS sends none, and what it may define is unbounded */
}

static void drop(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

bool sts_parse(const char *text, size_t len, struct credentials *out, char code[64],
               char message[256])
{
    struct reader r = {.code = code, .message = message};
    char ignored[256];
    const struct search quiet = {.why = ignored, .why_size = sizeof(ignored)};
    static const char *const names[3] = {"AccessKeyId", "SecretAccessKey", "SessionToken"};
    code[0] = message[0] = '\0';
    XML_Parser parser = XML_ParserCreate(NULL);
    if (!parser)
        return false;
    XML_SetUserData(parser, &r);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    bool whole = XML_Parse(parser, text, (int)len, 1) == XML_STATUS_OK && !r.bad;
    XML_ParserFree(parser);
    const char *const values[3] = {r.keys[0], r.keys[1], r.keys[2]};
    bool found = whole && r.keys[2] && search_take_keys(&quiet, out, "STS", names, values) == 1;
    if (found)
        out->expires_s = r.expires_s;
    for (int i = 0; i < 3; i++)
        drop(r.keys[i]);
    OPENSSL_cleanse(r.text, sizeof(r.text));
    return found;
}

/* ---- the request ---- */

/* Where STS is, and what a signature needs to know of it. */
struct place {
    char url[512];
    char host[256];
    char region[64];
};

static int find_place(const struct search *s, struct place *p)
{
    const char *where;
    const char *region = aws_region(s->env, s->profile);
    const char *url = aws_endpoint_url(s->env, s->profile, "sts", &where);
    struct s3_endpoint checked = {0};
    char usual[160];

    snprintf(p->region, sizeof(p->region), "%s", region ? region : "us-east-1");
    snprintf(usual, sizeof(usual), "https://sts%s%.60s.amazonaws.com%s", region ? "." : "",
             region ? region : "", strncmp(p->region, "cn-", 3) == 0 ? ".cn" : "");
    if (!url) {
        url = usual;
        where = "AWS_REGION";
    }
    if (aws_endpoint_parse(url, where, &checked, s->why, s->why_size) != 0)
        return -EACCES;
    snprintf(p->host, sizeof(p->host), "%s", checked.authority);
    snprintf(p->url, sizeof(p->url), "%s://%s%s/", checked.scheme, checked.authority,
             checked.base_path);
    s3_endpoint_clear(&checked);
    return 1;
}

static void put_field(UT_string *out, const char *name, const char *value)
{
    if (!value)
        return;
    utstring_printf(out, "&%s=", name);
    sigv4_put_encoded(out, value, 0);
}

static char *make_form(const struct sts_role *role)
{
    UT_string form;
    char name[64];
    text_init(&form);
    snprintf(name, sizeof(name), "warmpath-%" PRId64, clock_wall_s());
    utstring_printf(&form, "Action=AssumeRole%s&Version=2011-06-15",
                    role->web_identity_token ? "WithWebIdentity" : "");
    put_field(&form, "RoleArn", role->arn);
    put_field(&form, "RoleSessionName", role->session_name ? role->session_name : name);
    put_field(&form, "ExternalId", role->external_id);
    put_field(&form, "DurationSeconds", role->duration_s);
    put_field(&form, "WebIdentityToken", role->web_identity_token);
    return utstring_body(&form);
}

/* Headers of the request, signed where there is something to sign with. */
struct lines {
    char date[64], token[TEXT_MAX], authorization[1024];
    const char *all[5];
};

static bool sign(const struct place *p, const struct credentials *source, const char *form,
                 int64_t now_s, struct lines *l)
{
    static const char content_type[] = "Content-Type: " FORM;
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_CHARS + 1], date[17], value[900];
    size_t n = 0;
    memset(l, 0, sizeof(*l));
    l->all[n++] = content_type;
    if (!source)
        return true;
    sha256(form, strlen(form), digest);
    sha256_hex(digest, hex);
    sigv4_date(now_s, date);
    const char *path = strchr(strstr(p->url, "://") + 3, '/');
    const struct sigv4_header headers[4] = {{"content-type", FORM},
                                            {"host", p->host},
                                            {"x-amz-date", date},
                                            {"x-amz-security-token", source->session_token}};
    const struct sigv4_request request = {.method = "POST",
                                          .path = path,
                                          .query = "",
                                          .payload_sha256 = hex,
                                          .headers = headers,
                                          .n_headers = source->session_token ? 4 : 3,
                                          .region = p->region,
                                          .service = "sts",
                                          .when_s = now_s};
    if (sigv4_authorization(&request, source, value, sizeof(value)) < 0)
        return false;
    snprintf(l->date, sizeof(l->date), "x-amz-date: %s", date);
    snprintf(l->authorization, sizeof(l->authorization), "Authorization: %s", value);
    l->all[n++] = l->date;
    l->all[n++] = l->authorization;
    if (!source->session_token)
        return true;
    l->all[n] = l->token;
    return (size_t)snprintf(l->token, sizeof(l->token), "x-amz-security-token: %s",
                            source->session_token) < sizeof(l->token);
}

/* What STS said, as a sentence. */
static int refused(const struct search *s, const struct place *p, const struct sts_role *role,
                   const struct ask_answer *answer, const char *code, const char *message)
{
    if (answer->status == 0)
        return search_fail(
            s, "STS does not answer (%s): check AWS_ENDPOINT_URL_STS and the network", answer->why);
    return search_fail(s, "STS at %.80s refused the role %.120s: HTTP %d %.60s%s%.160s", p->host,
                       role->arn, answer->status, code, *message ? ": " : "", message);
}

static bool is_passing(const struct ask_answer *answer, const char *code)
{
    return answer->status == 0 || answer->status >= 500 || answer->status == 429 ||
           strcmp(code, "IDPCommunicationError") == 0 || strcmp(code, "Throttling") == 0;
}

/* One request after the other until one is answered for good. */
static int converse(const struct search *s, const struct place *p, const struct sts_role *role,
                    const char *form, const char *ca_bundle, struct credentials *out)
{
    int64_t skew_s = 0;
    for (int tries = 1;; tries++) {
        struct lines lines;
        struct ask_answer answer;
        char code[64] = "", message[256] = "";
        int64_t now_s = clock_wall_s();
        if (!sign(p, role->source, form, now_s + skew_s, &lines))
            return search_fail(s, "the keys to assume the role %.120s with cannot be used",
                               role->arn);
        struct ask question = {.method = "POST",
                               .url = p->url,
                               .headers = lines.all,
                               .content = form,
                               .ca_bundle = ca_bundle,
                               .connect_timeout_ms = search_timeout_ms(s, TIMEOUT_MS / 2),
                               .timeout_ms = search_timeout_ms(s, TIMEOUT_MS),
                               .stop = s->patience->stop};
        ask(&question, &answer);
        OPENSSL_cleanse(&lines, sizeof(lines));
        bool found = answer.status && sts_parse(answer.body, answer.len, out, code, message);
        int64_t off_s = answer.date_s ? answer.date_s - now_s : 0;
        bool skewed = off_s > SKEW_MAX_S || off_s < -SKEW_MAX_S;
        bool again = !found && tries < TRIES &&
                     ((is_passing(&answer, code) && search_pause(s, 300L * tries)) ||
                      (skewed && skew_s == 0));
        if (!found && !again)
            refused(s, p, role, &answer, code, message);
        ask_answer_clear(&answer);
        if (skewed)
            skew_s = off_s;
        if (found && out->expires_s && skewed)
            out->expires_s -= off_s; /* by this machine's clock */
        if (!again)
            return found ? 1 : -EACCES;
    }
}

int sts_assume(const struct search *s, const struct sts_role *role, struct credentials *out)
{
    struct place place;
    char ca_path[4096];
    const char *ca = aws_env_get(s->env, "AWS_CA_BUNDLE");
    if (!ca)
        ca = aws_profile_get(s->profile, "ca_bundle");
    if (ca && !aws_expand_path(s->env, ca, ca_path, sizeof(ca_path)))
        return search_fail(s, "the path in AWS_CA_BUNDLE is too long");
    int found = find_place(s, &place);
    if (found != 1)
        return found;
    char *form = make_form(role);
    found = converse(s, &place, role, form, ca ? ca_path : NULL, out);
    if (found == 1)
        snprintf(out->source, sizeof(out->source), "role %.55s", role->arn);
    OPENSSL_cleanse(form, strlen(form));
    free(form);
    return found;
}
