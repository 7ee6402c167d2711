#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/sha256.h"

/* Source: NIST, "Examples with Intermediate Values", SHA-256. */
static void test_sha256(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t digest[SHA256_BYTES];
        char hex[SHA256_HEX_CHARS + 1];
        sha256(rows[i].text, strlen(rows[i].text), digest);
        sha256_hex(digest, hex);
        assert_string_equal(hex, rows[i].want);
    }
}

/* Source: RFC 4231, test cases 1, 2 and 6: keys that are shorter and longer than a block. */
static void test_hmac(void **unused)
{
    (void)unused;
    uint8_t eleven[20], long_key[131];
    memset(eleven, 0x0b, sizeof(eleven));
    memset(long_key, 0xaa, sizeof(long_key));
    const struct {
        const void *key;
        size_t key_len;
        const char *text, *want;
    } rows[] = {
        {eleven, sizeof(eleven), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {long_key, sizeof(long_key), "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t digest[SHA256_BYTES];
        char hex[SHA256_HEX_CHARS + 1];
        sha256_hmac(rows[i].key, rows[i].key_len, rows[i].text, strlen(rows[i].text), digest);
        sha256_hex(digest, hex);
        assert_string_equal(hex, rows[i].want);
    }
}

static void test_the_key_may_be_overwritten(void **unused)
{
    (void)unused;
    uint8_t key[SHA256_BYTES] = {1, 2, 3}, apart[SHA256_BYTES];
    sha256_hmac(key, sizeof(key), "text", 4, apart);
    sha256_hmac(key, sizeof(key), "text", 4, key);
    assert_memory_equal(key, apart, sizeof(apart));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_the_key_may_be_overwritten),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
