#include "fetch/s3_xml.h"

#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"

#define MAX_DEPTH      8
#define MAX_NAME       40
#define MAX_TEXT_BYTES 8192 /* a key of 1024 bytes, percent-encoded, is 3072 */

/* What both kinds of document share: where we are, and the text of the innermost element. */
struct reader {
    XML_Parser expat;
    char path[MAX_DEPTH][MAX_NAME];
    int depth;
    char text[MAX_TEXT_BYTES];
    size_t text_len;
    size_t total_bytes;
    int error; /* the first one; sticks */
    void (*opened)(struct reader *r);
    void (*closed)(struct reader *r);
};

struct s3_list_parser {
    struct reader reader;
    struct s3_page page;
    size_t room;
    struct s3_entry entry; /* under construction */
    bool url_encoded;
    bool truncated;
};

static void stop(struct reader *r, int error)
{
    if (!r->error)
        r->error = error;
    XML_StopParser(r->expat, XML_FALSE);
}

static void XMLCALL on_open(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = user;
    (void)attributes;

    if (r->depth == MAX_DEPTH || strlen(name) >= MAX_NAME) {
        stop(r, -EBADMSG);
        return;
    }
    strcpy(r->path[r->depth++], name);
    r->text_len = 0;
    if (r->opened)
        r->opened(r);
}

static void XMLCALL on_text(void *user, const XML_Char *data, int len)
{
    struct reader *r = user;
    if (r->error) /* expat may go on for a moment after it was stopped */
        return;
    if (r->text_len + (size_t)len >= sizeof(r->text)) {
        stop(r, -E2BIG);
        return;
    }
    memcpy(r->text + r->text_len, data, (size_t)len);
    r->text_len += (size_t)len;
}

static void XMLCALL on_close(void *user, const XML_Char *name)
{
    struct reader *r = user;
    (void)name;
    if (r->error)
        return;
    r->text[r->text_len] = '\0';
    r->closed(r);
    r->depth--;
    r->text_len = 0;
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal_subset)
{
    (void)name, (void)sysid, (void)pubid, (void)has_internal_subset;
    stop(user, -EBADMSG);
}

static bool reader_init(struct reader *r)
{
    r->expat = XML_ParserCreate(NULL);
    if (!r->expat)
        return false;
    XML_SetUserData(r->expat, r);
    XML_SetElementHandler(r->expat, on_open, on_close);
    XML_SetCharacterDataHandler(r->expat, on_text);
    XML_SetStartDoctypeDeclHandler(r->expat, on_doctype);
    return true;
}

static int reader_feed(struct reader *r, const void *data, size_t len, bool last)
{
    if (r->error)
        return r->error;
    if (len > S3_XML_MAX_BYTES - r->total_bytes)
        return r->error = -E2BIG;
    r->total_bytes += len;
    if (XML_Parse(r->expat, data, (int)len, last) != XML_STATUS_OK && !r->error)
        r->error = XML_GetErrorCode(r->expat) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
    return r->error;
}

/* Is the innermost element /a/b or, with b NULL, /a below the root? */
static bool at(const struct reader *r, const char *a, const char *b)
{
    return r->depth == (b ? 3 : 2) && strcmp(r->path[1], a) == 0 &&
           (!b || strcmp(r->path[2], b) == 0);
}

/* ---- values ---- */

bool s3_etag_copy(char out[S3_ETAG_MAX], const char *in)
{
    size_t len = strlen(in);
    if (len >= 2 && in[0] == '"' && in[len - 1] == '"') {
        in++;
        len -= 2;
    }
    if (len == 0 || len + 3 > S3_ETAG_MAX || strncmp(in, "W/", 2) == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (in[i] <= ' ' || in[i] == '"' || in[i] == 127)
            return false;
    snprintf(out, S3_ETAG_MAX, "\"%.*s\"", (int)len, in);
    return true;
}

int64_t s3_parse_iso8601(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return rest ? (int64_t)timegm(&tm) : 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Undoes encoding-type=url in place. AWS and others write a space as '+' and a plus as %2B;
 * Ceph writes %20 and %2B: decoding both is right for all. False when a NUL would come out. */
static bool url_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (low >= 0) {
            *to = (char)(unsigned char)(high * 16 + low);
            if (!*to)
                return false;
            to++;
            from += 2;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
    return true;
}

/* ---- listings ---- */

static struct s3_list_parser *list_of(struct reader *r)
{
    return (struct s3_list_parser *)((char *)r - offsetof(struct s3_list_parser, reader));
}

static void list_opened(struct reader *r)
{
    if (r->depth == 1 && strcmp(r->path[0], "ListBucketResult") != 0)
        stop(r, -EBADMSG);
}

static void set_name(struct s3_list_parser *p)
{
    free((char *)p->entry.name);
    p->entry.name = strdup(p->reader.text);
    if (!p->entry.name)
        stop(&p->reader, -ENOMEM);
}

static void set_size(struct s3_list_parser *p)
{
    char *end;
    errno = 0;
    p->entry.meta.size_bytes = strtoull(p->reader.text, &end, 10);
    if (errno || *end || p->reader.text[0] < '0' || p->reader.text[0] > '9')
        stop(&p->reader, -EBADMSG);
}

static void add_entry(struct s3_list_parser *p, bool is_prefix)
{
    if (!p->entry.name) {
        stop(&p->reader, -EBADMSG);
        return;
    }
    if (p->page.n_entries == S3_XML_MAX_ENTRIES) {
        stop(&p->reader, -E2BIG);
        return;
    }
    if (p->page.n_entries == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        void *longer = realloc(p->page.entries, room * sizeof(p->page.entries[0]));
        if (!longer) {
            stop(&p->reader, -ENOMEM);
            return;
        }
        p->page.entries = longer;
        p->room = room;
    }
    p->entry.is_prefix = is_prefix;
    p->page.entries[p->page.n_entries++] = p->entry;
    memset(&p->entry, 0, sizeof(p->entry));
}

static void list_closed(struct reader *r)
{
    struct s3_list_parser *p = list_of(r);

    if (at(r, "Contents", "Key") || at(r, "CommonPrefixes", "Prefix"))
        set_name(p);
    else if (at(r, "Contents", "Size"))
        set_size(p);
    else if (at(r, "Contents", "LastModified"))
        p->entry.meta.mtime_s = s3_parse_iso8601(r->text);
    else if (at(r, "Contents", "ETag")) {
        if (!s3_etag_copy(p->entry.meta.etag, r->text))
            p->entry.meta.etag[0] = '\0'; /* a HEAD will tell */
    } else if (at(r, "Contents", NULL))
        add_entry(p, false);
    else if (at(r, "CommonPrefixes", NULL))
        add_entry(p, true);
    else if (at(r, "IsTruncated", NULL))
        p->truncated = strcmp(r->text, "true") == 0;
    else if (at(r, "EncodingType", NULL))
        p->url_encoded = strcmp(r->text, "url") == 0;
    else if (at(r, "NextContinuationToken", NULL)) {
        free(p->page.next_token);
        p->page.next_token = strdup(r->text);
        if (!p->page.next_token)
            stop(r, -ENOMEM);
    }
}

struct s3_list_parser *s3_list_parser_new(void)
{
    struct s3_list_parser *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->reader.opened = list_opened;
    p->reader.closed = list_closed;
    if (!reader_init(&p->reader)) {
        free(p);
        return NULL;
    }
    return p;
}

void s3_list_parser_free(struct s3_list_parser *p)
{
    if (!p)
        return;
    XML_ParserFree(p->reader.expat);
    free((char *)p->entry.name);
    s3_page_clear(&p->page);
    free(p);
}

int s3_list_parser_feed(struct s3_list_parser *p, const void *data, size_t len)
{
    return reader_feed(&p->reader, data, len, false);
}

int s3_list_parser_finish(struct s3_list_parser *p, struct s3_page *page)
{
    int error = reader_feed(&p->reader, "", 0, true);
    if (error)
        return error;
    /* A page that goes on but doesn't say where would look like the last one. */
    if (p->truncated && (!p->page.next_token || !*p->page.next_token))
        return -EBADMSG;
    for (size_t i = 0; p->url_encoded && i < p->page.n_entries; i++)
        if (!url_decode((char *)p->page.entries[i].name))
            return -EBADMSG;
    *page = p->page;
    memset(&p->page, 0, sizeof(p->page));
    if (!p->truncated) {
        free(page->next_token);
        page->next_token = NULL;
    }
    return 0;
}

void s3_page_clear(struct s3_page *page)
{
    for (size_t i = 0; i < page->n_entries; i++)
        free((char *)page->entries[i].name);
    free(page->entries);
    free(page->next_token);
    memset(page, 0, sizeof(*page));
}

/* ---- errors ---- */

struct error_reader {
    struct reader reader;
    struct s3_error *out;
};

static void error_opened(struct reader *r)
{
    if (r->depth == 1 && strcmp(r->path[0], "Error") != 0)
        stop(r, -EBADMSG);
}

/* As much of the text as there is room for. */
static void keep_text(const struct reader *r, char *out, size_t size)
{
    size_t len = r->text_len < size ? r->text_len : size - 1;
    memcpy(out, r->text, len);
    out[len] = '\0';
}

static void error_closed(struct reader *r)
{
    struct s3_error *out =
        ((struct error_reader *)((char *)r - offsetof(struct error_reader, reader)))->out;

    if (at(r, "Code", NULL))
        keep_text(r, out->code, sizeof(out->code));
    else if (at(r, "Message", NULL))
        keep_text(r, out->message, sizeof(out->message));
    else if (at(r, "Region", NULL))
        keep_text(r, out->region, sizeof(out->region));
    else if (at(r, "Endpoint", NULL))
        keep_text(r, out->endpoint, sizeof(out->endpoint));
}

bool s3_error_parse(const void *document, size_t len, struct s3_error *out)
{
    memset(out, 0, sizeof(*out));
    struct error_reader *e = calloc(1, sizeof(*e));
    if (!e)
        return false;
    e->out = out;
    e->reader.opened = error_opened;
    e->reader.closed = error_closed;
    if (reader_init(&e->reader)) {
        reader_feed(&e->reader, document, len, true); /* as far as it goes */
        XML_ParserFree(e->reader.expat);
    }
    free(e);
    return out->code[0] != '\0';
}
