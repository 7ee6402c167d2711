/* S3's XML: pages of ListObjectsV2 and error documents, by expat as a push parser.
 * No I/O; each parser belongs to one thread at a time. Everything is bounded, and a document that
 * declares a DTD (and with it entities) is refused: S3 sends none.
 * Source: Amazon S3 API Reference, "ListObjectsV2" and "Error responses". */
#ifndef WARMPATH_FETCH_S3_XML_H
#define WARMPATH_FETCH_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "fetch/s3.h"

#define S3_XML_MAX_BYTES   (16UL * 1024 * 1024) /* of one document */
#define S3_XML_MAX_ENTRIES 10000                /* of one page; S3 sends 1000 at most */

/* One page of a listing, complete. */
struct s3_page {
    struct s3_entry *entries; /* in the document's order; owned, as are their names */
    size_t n_entries;
    char *next_token; /* owned; NULL on the last page */
};

struct s3_list_parser;

struct s3_list_parser *s3_list_parser_new(void);
void s3_list_parser_free(struct s3_list_parser *p);

/* Takes the next piece of the document. 0; -EBADMSG: no XML, or not a listing; -E2BIG: beyond the
 * bounds above; -ENOMEM. After an error every further call gives the same one. */
int s3_list_parser_feed(struct s3_list_parser *p, const void *data, size_t len);

/* The document is over. Fills `page` (cleared by the caller), or the errors of feed: an incomplete
 * document is -EBADMSG too. */
int s3_list_parser_finish(struct s3_list_parser *p, struct s3_page *page);
void s3_page_clear(struct s3_page *page);

/* What an error document says; members are "" where it doesn't. */
struct s3_error {
    char code[64];
    char message[256];
    char region[64]; /* the right one, with AuthorizationHeaderMalformed and redirects */
    char endpoint[128];
};

/* Reads an error document, also one that is cut off. False, and all members "", when it is none
 * (HTML of a proxy, JSON, nothing). */
bool s3_error_parse(const void *document, size_t len, struct s3_error *out);

/* Copies an ETag with exactly one pair of quotes, whether or not `in` has them. False when it is
 * empty, weak (it would not tell versions apart), too long or not printable. */
bool s3_etag_copy(char out[S3_ETAG_MAX], const char *in);

/* "2009-10-12T17:50:30.000Z" in seconds since 1970; 0 when it is no such date. */
int64_t s3_parse_iso8601(const char *text);

#endif
