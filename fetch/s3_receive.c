#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "fetch/s3_attempt.h"
#include "fetch/s3_xml.h"

#define DRAIN_MAX_BYTES (256UL * 1024) /* of an error's body, to keep its connection */

bool s3_receive_head(struct http_request *http)
{
    struct s3_attempt *a = http->user;
    struct s3_request *r = a->request;
    bool success = http->status == 200 || (http->status == 206 && r->op == S3_GET);

    if (!success)
        return true; /* the body is an error document */
    if (a->diagnosing)
        return false; /* an object, and we did not ask for one */
    if (r->op == S3_GET) {
        const char *etag = *a->etag ? a->etag : r->if_match ? r->if_match : "";
        a->accepted = s3_answer_get(http, a->next, r->offset + r->length - 1, etag, &r->meta,
                                    &a->end, &a->verdict);
        if (a->accepted)
            strcpy(a->etag, r->meta.etag);
    } else if (r->op == S3_LIST) {
        a->parser = s3_list_parser_new();
        a->accepted =
            a->parser || s3_verdict_set(&a->verdict, -ENOMEM, RETRY_NEVER, "out of memory");
    } else {
        a->accepted = s3_answer_head(http, &r->meta, &a->verdict);
    }
    return a->accepted;
}

static bool take_object(struct s3_attempt *a, const void *data, size_t len)
{
    struct s3_request *r = a->request;
    if (len > a->end - a->next)
        return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER,
                              "more bytes than the answer's Content-Range names");
    int error = r->write(r, a->next, data, len);
    if (error)
        return s3_verdict_set(&a->verdict, error, RETRY_NEVER, "given up: %s", strerror(-error));
    a->next += len;
    a->progress = true;
    return true;
}

/* The first few KiB: an error document, or what came in place of a listing. */
static void keep_document(struct s3_attempt *a, const void *data, size_t len)
{
    size_t room = sizeof(a->document) - a->document_len;
    size_t part = len < room ? len : room;
    memcpy(a->document + a->document_len, data, part);
    a->document_len += part;
}

static bool list_fault(struct s3_attempt *a, int error)
{
    struct s3_error said;
    if (s3_error_parse(a->document, a->document_len, &said))
        return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER, "bucket %.64s: %s: %.200s",
                              a->request->bucket, said.code, said.message);
    if (error == -ENOMEM)
        return s3_verdict_set(&a->verdict, -ENOMEM, RETRY_NEVER, "out of memory");
    return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER,
                          "%s: not an S3 endpoint? check AWS_ENDPOINT_URL_S3",
                          error == -E2BIG ? "the listing is larger than S3 sends any"
                                          : "the answer is no S3 listing");
}

bool s3_receive_body(struct http_request *http, const void *data, size_t len)
{
    struct s3_attempt *a = http->user;

    a->request->result.body_bytes += len;
    if (a->accepted && a->request->op == S3_GET)
        return take_object(a, data, len);

    keep_document(a, data, len);
    if (a->accepted && a->parser) {
        int error = s3_list_parser_feed(a->parser, data, len);
        return error == 0 || list_fault(a, error);
    }
    a->drained += len;
    return a->drained <= DRAIN_MAX_BYTES; /* beyond, a new connection is cheaper */
}

static void fill_page(struct s3_attempt *a, struct s3_page *page)
{
    struct s3_request *r = a->request;
    for (size_t i = 0; i < page->n_entries; i++)
        r->entry(r, &page->entries[i]);
    r->next_token = take_ptr(page->next_token);
    s3_page_clear(page);
}

bool s3_receive_page(struct s3_attempt *a)
{
    struct s3_page page;
    int error = s3_list_parser_finish(a->parser, &page);
    if (error)
        return list_fault(a, error);
    const char *token = a->request->token;
    if (token && page.next_token && strcmp(token, page.next_token) == 0) {
        s3_page_clear(&page);
        return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER,
                              "bucket %.64s: a page of the listing names itself as the next",
                              a->request->bucket);
    }
    fill_page(a, &page);
    return true;
}
