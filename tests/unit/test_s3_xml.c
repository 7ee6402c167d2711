#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/s3_xml.h"

#define HEAD      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define LIST_OPEN "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define LIST_END  "</ListBucketResult>"

static const char typical[] = HEAD LIST_OPEN
    "<Name>corpus</Name><Prefix>v1%2F</Prefix><KeyCount>4</KeyCount><MaxKeys>1000</MaxKeys>"
    "<Delimiter>%2F</Delimiter><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>1/x+y==</NextContinuationToken><EncodingType>url</EncodingType>"
    "<Contents><Key>v1/a+b%2Bc%20d%25</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>"
    "<ETag>&quot;fba9dede5f27731c9771645a39863328-3&quot;</ETag><Size>434234</Size>"
    "<StorageClass>STANDARD</StorageClass><Owner><ID>75aa</ID><DisplayName>me</DisplayName></Owner>"
    "</Contents>\n"
    "<Contents><Size>0</Size><Key>v1/%C3%BC</Key><ETag>d41d8</ETag></Contents>"
    "<CommonPrefixes><Prefix>v1/dir/</Prefix></CommonPrefixes>"
    "<CommonPrefixes><Prefix>v1/%E6%97%A5/</Prefix></CommonPrefixes>" LIST_END;

/* Feeds the document in pieces of `step` bytes. */
static int parse(const char *text, size_t len, size_t step, struct s3_page *page)
{
    struct s3_list_parser *p = s3_list_parser_new();
    int error = 0;
    assert_non_null(p);
    for (size_t at = 0; at < len && !error; at += step)
        error = s3_list_parser_feed(p, text + at, len - at < step ? len - at : step);
    if (!error)
        error = s3_list_parser_finish(p, page);
    s3_list_parser_free(p);
    return error;
}

static int parse_text(const char *text, struct s3_page *page)
{
    return parse(text, strlen(text), 4096, page);
}

static void check_typical(const struct s3_page *page)
{
    assert_int_equal(page->n_entries, 4);
    assert_string_equal(page->next_token, "1/x+y==");
    const struct s3_entry *e = page->entries;
    assert_string_equal(e[0].name, "v1/a b+c d%");
    assert_int_equal(e[0].meta.size_bytes, 434234);
    assert_int_equal(e[0].meta.mtime_s, 1255369830);
    assert_string_equal(e[0].meta.etag, "\"fba9dede5f27731c9771645a39863328-3\"");
    assert_false(e[0].is_prefix);
    assert_string_equal(e[1].name, "v1/\xc3\xbc");
    assert_string_equal(e[1].meta.etag, "\"d41d8\"");
    assert_true(e[2].is_prefix);
    assert_string_equal(e[2].name, "v1/dir/");
    assert_true(e[3].is_prefix);
    assert_string_equal(e[3].name, "v1/\xe6\x97\xa5/");
}

static void test_typical_page_in_pieces_of_any_size(void **unused)
{
    (void)unused;
    for (size_t step = 1; step <= sizeof(typical); step++) {
        struct s3_page page;
        assert_int_equal(parse(typical, strlen(typical), step, &page), 0);
        check_typical(&page);
        s3_page_clear(&page);
    }
}

static void test_no_truncation_passes_for_a_page(void **unused)
{
    (void)unused;
    for (size_t len = 0; len < strlen(typical); len++) {
        struct s3_page page;
        assert_int_equal(parse(typical, len, 4096, &page), -EBADMSG);
    }
}

static void test_names_stay_as_they_are_without_encoding_type(void **unused)
{
    (void)unused;
    struct s3_page page;
    assert_int_equal(parse_text(LIST_OPEN
                                "<Contents><Key>a+b%20&amp;&lt;&#x41;</Key></Contents>" LIST_END,
                                &page),
                     0);
    assert_string_equal(page.entries[0].name, "a+b%20&<A");
    s3_page_clear(&page);
}

static void test_half_an_escape_stays_as_it_is(void **unused)
{
    (void)unused;
    struct s3_page page;
    assert_int_equal(parse_text(LIST_OPEN "<Contents><Key>%zz%4</Key></Contents>"
                                          "<Contents><Key>%</Key></Contents>"
                                          "<EncodingType>url</EncodingType>" LIST_END,
                                &page),
                     0);
    assert_string_equal(page.entries[0].name, "%zz%4");
    assert_string_equal(page.entries[1].name, "%");
    s3_page_clear(&page);
}

static void test_last_page_has_no_token(void **unused)
{
    (void)unused;
    struct s3_page page;
    assert_int_equal(parse_text(LIST_OPEN "<IsTruncated>false</IsTruncated><NextContinuationToken>x"
                                          "</NextContinuationToken>" LIST_END,
                                &page),
                     0);
    assert_null(page.next_token);
    assert_int_equal(page.n_entries, 0);
    s3_page_clear(&page);
}

static void test_what_is_no_page_is_refused(void **unused)
{
    (void)unused;
    static const char *const rows[] = {
        "",
        "ok",
        "{\"a\": 1}",
        "<!DOCTYPE html><html><body>It works</body></html>",
        "<html><body>It works</body></html>",
        "<Error><Code>InternalError</Code></Error>",
        "<ListAllMyBucketsResult/>",
        LIST_OPEN "<Contents><Key>a</Key></Contents>",
        LIST_OPEN LIST_END "<more/>",
        LIST_OPEN "<Contents><Size>1</Size></Contents>" LIST_END, /* no key */
        LIST_OPEN "<Contents><Key>a</Key><Size>-1</Size></Contents>" LIST_END,
        LIST_OPEN "<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>" LIST_END,
        LIST_OPEN "<Contents><Key>a</Key><Size>1x</Size></Contents>" LIST_END,
        LIST_OPEN "<IsTruncated>true</IsTruncated>" LIST_END, /* goes on, but where? */
        LIST_OPEN "<Contents><Key>a%00b</Key></Contents><EncodingType>url</EncodingType>" LIST_END,
        LIST_OPEN "<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a>" LIST_END,
        LIST_OPEN "<an_element_whose_name_is_longer_than_any_of_s3/>" LIST_END,
        "<an_element_whose_name_is_longer_than_any_of_s3/>",
        /* Entities, the kind that explodes and the kind that reads files. */
        "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;\">]>" LIST_OPEN
        "<Contents><Key>&b;</Key></Contents>" LIST_END,
        "<!DOCTYPE l [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" LIST_OPEN
        "<Contents><Key>&a;</Key></Contents>" LIST_END,
        LIST_OPEN "<Contents><Key>&unknown;</Key></Contents>" LIST_END,
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step < 4096; step += 4094) {
            struct s3_page page;
            int error = parse(rows[i], strlen(rows[i]), step, &page);
            if (error != -EBADMSG)
                fail_msg("%s: %d", rows[i], error);
        }
    }
}

static void test_bounds(void **unused)
{
    (void)unused;
    struct s3_list_parser *p = s3_list_parser_new();
    static char long_text[16 * 1024];
    int error = s3_list_parser_feed(p, LIST_OPEN, strlen(LIST_OPEN));
    static const char entry[] = "<Contents><Key>k</Key></Contents>";

    for (int i = 0; i < S3_XML_MAX_ENTRIES; i++)
        error |= s3_list_parser_feed(p, entry, strlen(entry));
    assert_int_equal(error, 0);
    assert_int_equal(s3_list_parser_feed(p, entry, strlen(entry)), -E2BIG);
    assert_int_equal(s3_list_parser_feed(p, "x", 1), -E2BIG); /* and it stays that way */
    s3_list_parser_free(p);

    p = s3_list_parser_new();
    memset(long_text, 'k', sizeof(long_text));
    s3_list_parser_feed(p, LIST_OPEN "<Contents><Key>", strlen(LIST_OPEN "<Contents><Key>"));
    assert_int_equal(s3_list_parser_feed(p, long_text, sizeof(long_text)), -E2BIG);
    s3_list_parser_free(p);

    p = s3_list_parser_new();
    memset(long_text, '\n', sizeof(long_text));
    s3_list_parser_feed(p, LIST_OPEN "<a/>", strlen(LIST_OPEN "<a/>"));
    size_t fed = 0, piece = sizeof(long_text) / 4; /* white space between elements, for ever */
    for (error = 0; !error && fed < S3_XML_MAX_BYTES; fed += piece + 4) {
        error = s3_list_parser_feed(p, long_text, piece);
        error = error ? error : s3_list_parser_feed(p, "<a/>", 4);
    }
    assert_int_equal(error, -E2BIG);
    assert_true(fed > S3_XML_MAX_BYTES / 2);
    s3_list_parser_free(p);
}

static void test_error_documents(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *code, *message, *region;
    } rows[] = {
        {HEAD "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
              "<Key>a</Key><RequestId>1</RequestId></Error>",
         "NoSuchKey", "The specified key does not exist.", ""},
        {"<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>"
         "<Region>eu-west-1</Region></Error>",
         "AuthorizationHeaderMalformed", "wrong", "eu-west-1"},
        {"<Error><Code>SlowDown</Code><Message>cut in the mid", "SlowDown", "", ""},
        {"<html><Code>x</Code></html>", "", "", ""},
        {"<!DOCTYPE Error [<!ENTITY x \"y\">]><Error><Code>&x;</Code></Error>", "", "", ""},
        {"<Error><Deep><Code>no</Code></Deep></Error>", "", "", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct s3_error e;
        assert_int_equal(s3_error_parse(rows[i].text, strlen(rows[i].text), &e),
                         *rows[i].code != 0);
        assert_string_equal(e.code, rows[i].code);
        assert_string_equal(e.message, rows[i].message);
        assert_string_equal(e.region, rows[i].region);
    }
}

static void test_a_long_message_is_cut(void **unused)
{
    (void)unused;
    char text[2048];
    struct s3_error e;
    snprintf(text, sizeof(text), "<Error><Code>X</Code><Message>%01000d</Message></Error>", 7);
    assert_true(s3_error_parse(text, strlen(text), &e));
    assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
}

static void test_etags(void **unused)
{
    (void)unused;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"\"abc\"", "\"abc\""},
        {"abc", "\"abc\""},
        {"\"abc-12\"", "\"abc-12\""},
        {"", NULL},
        {"\"\"", NULL},
        {"W/\"abc\"", NULL},
        {"\"a\"b\"", NULL},
        {"\"a b\"", NULL},
        {"a\nb", NULL},
        {"\"abc", NULL},
    };
    char out[S3_ETAG_MAX];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(s3_etag_copy(out, rows[i].in), rows[i].want != NULL);
        if (rows[i].want)
            assert_string_equal(out, rows[i].want);
    }
    char long_etag[S3_ETAG_MAX + 1];
    memset(long_etag, 'e', sizeof(long_etag));
    long_etag[S3_ETAG_MAX - 3] = '\0';
    assert_true(s3_etag_copy(out, long_etag));
    assert_int_equal(strlen(out), S3_ETAG_MAX - 1);
    long_etag[S3_ETAG_MAX - 3] = 'e';
    long_etag[S3_ETAG_MAX - 2] = '\0';
    assert_false(s3_etag_copy(out, long_etag));
}

static void test_dates(void **unused)
{
    (void)unused;
    assert_int_equal(s3_parse_iso8601("1970-01-02T00:00:00.000Z"), 86400);
    assert_int_equal(s3_parse_iso8601("2024-02-29T23:59:59Z"), 1709251199);
    assert_int_equal(s3_parse_iso8601("yesterday"), 0);
    assert_int_equal(s3_parse_iso8601(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_page_in_pieces_of_any_size),
        cmocka_unit_test(test_no_truncation_passes_for_a_page),
        cmocka_unit_test(test_names_stay_as_they_are_without_encoding_type),
        cmocka_unit_test(test_half_an_escape_stays_as_it_is),
        cmocka_unit_test(test_last_page_has_no_token),
        cmocka_unit_test(test_what_is_no_page_is_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_error_documents),
        cmocka_unit_test(test_a_long_message_is_cut),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests_name("s3_xml", tests, NULL, NULL);
}
