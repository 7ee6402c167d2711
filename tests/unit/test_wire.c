/* common/wire and common/options: what comes from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/options.h"
#include "common/wire.h"

static void test_round_trip(void **state)
{
    uint8_t bytes[256];
    char text[8];
    struct wire_buf out = wire_buf(bytes, sizeof(bytes));
    (void)state;
    wire_put_u8(&out, 200);
    wire_put_u16(&out, 60000);
    wire_put_u32(&out, 4000000000u);
    wire_put_u64(&out, UINT64_MAX - 1);
    wire_put_str(&out, "k\0y", 3);
    wire_put_str(&out, "text", 4);
    struct wire_buf in = wire_buf(bytes, (size_t)(out.at - bytes));
    assert_int_equal(wire_get_u8(&in), 200);
    assert_int_equal(wire_get_u16(&in), 60000);
    assert_int_equal(wire_get_u32(&in), 4000000000u);
    assert_true(wire_get_u64(&in) == UINT64_MAX - 1);
    struct wire_str s = wire_get_str(&in);
    assert_int_equal(s.len, 3);
    assert_int_equal(wire_get_text(&in, text, sizeof(text)), 4);
    assert_string_equal(text, "text");
    assert_false(in.bad);
    assert_int_equal(wire_get_u8(&in), 0);
    assert_true(in.bad);
}

/* Every shortened message reads as bad, never beyond its end. */
static void test_truncated(void **state)
{
    uint8_t bytes[64];
    struct wire_buf out = wire_buf(bytes, sizeof(bytes));
    (void)state;
    wire_put_u32(&out, 7);
    wire_put_str(&out, "hello", 5);
    size_t len = (size_t)(out.at - bytes);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* exact, for the address sanitizer */
        memcpy(copy, bytes, cut);
        struct wire_buf in = wire_buf(copy, cut);
        wire_get_u32(&in);
        struct wire_str s = wire_get_str(&in);
        assert_true(in.bad);
        assert_int_equal(s.len, 0);
        free(copy);
    }
}

static void test_overfull(void **state)
{
    uint8_t bytes[4];
    struct wire_buf out = wire_buf(bytes, sizeof(bytes));
    (void)state;
    wire_put_u64(&out, 1);
    assert_true(out.bad);
    assert_ptr_equal(out.at, bytes);
}

static void test_text_with_zero(void **state)
{
    uint8_t bytes[16];
    char text[8];
    struct wire_buf out = wire_buf(bytes, sizeof(bytes));
    (void)state;
    wire_put_str(&out, "a\0b", 3);
    struct wire_buf in = wire_buf(bytes, (size_t)(out.at - bytes));
    wire_get_text(&in, text, sizeof(text));
    assert_true(in.bad);
}

static void test_descriptors(void **state)
{
    int pair[2], pipes[2], got[WIRE_MAX_FDS], n = WIRE_MAX_FDS;
    char reply[8], c = 0;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(wire_send(pair[0], "hi", 2, pipes, 2), 0);
    assert_int_equal(wire_receive(pair[1], reply, sizeof(reply), got, &n), 2);
    assert_int_equal(n, 2);
    assert_int_equal(fcntl(got[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(got[1], "z", 1), 1);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    assert_int_equal(c, 'z');

    n = 1; /* no room for the second: it may not leak */
    assert_int_equal(wire_send(pair[0], "hi", 2, pipes, 2), 0);
    int before = dup(0);
    close(before);
    assert_int_equal(wire_receive(pair[1], reply, sizeof(reply), got, &n), 2);
    assert_int_equal(n, 1);
    close(got[0]);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);

    close(pair[0]);
    n = 1;
    assert_int_equal(wire_receive(pair[1], reply, sizeof(reply), got, &n), 0);
    assert_int_equal(wire_send(pair[1], "hi", 2, NULL, 0), -EPIPE);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: malformed */
    } cases[] = {
        {"0", 0},        {"1", 1},          {"64K", 65536},       {"4M", 4194304},
        {"4m", 4194304}, {"4MiB", 4194304}, {"2G", 2147483648},   {"1T", 1099511627776},
        {"", -1},        {"M", -1},         {"-1", -1},           {"4X", -1},
        {"4MB", -1},     {"4 M", -1},       {"99999999999T", -1}, {"18446744073709551616", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t bytes = 0;
        bool fine = parse_size(cases[i].text, &bytes);
        if (fine != (cases[i].bytes >= 0) || (fine && bytes != (uint64_t)cases[i].bytes))
            fail_msg("'%s' was read as %s%llu", cases[i].text, fine ? "" : "malformed ",
                     (unsigned long long)bytes);
    }
}

static int n_complaints;
static char last_complaint[512];

static void note_complaint(const char *sentence)
{
    n_complaints++;
    snprintf(last_complaint, sizeof(last_complaint), "%s", sentence);
}

static void test_option_values(void **state)
{
    static const struct {
        const char *variable, *value;
        enum option_id id;
        uint64_t number;
        int complaints;
    } cases[] = {
        {"WARMPATH_BLOCK_SIZE", "64K", OPT_BLOCK_SIZE, 65536, 0},
        {"WARMPATH_BLOCK_SIZE", "5M", OPT_BLOCK_SIZE, 4194304, 1},
        {"WARMPATH_MMAP", "whole", OPT_MMAP, UINT64_MAX, 0},
        {"WARMPATH_MMAP", "0", OPT_MMAP, 0, 0},
        {"WARMPATH_MMAP", "1M", OPT_MMAP, 1 << 20, 0},
        {"WARMPATH_MMAP", "lazy", OPT_MMAP, 32 << 20, 1},
        {"WARMPATH_BLOCK_SIZE", "1K", OPT_BLOCK_SIZE, 4194304, 1},
        {"WARMPATH_READ_PIECE", "256K", OPT_READ_PIECE, 262144, 0},
        {"WARMPATH_READ_PIECE", "1M", OPT_READ_PIECE, 1 << 20, 0},
        {"WARMPATH_READ_PIECE", "2M", OPT_READ_PIECE, 4096, 1},
        {"WARMPATH_READ_PIECE", "2K", OPT_READ_PIECE, 4096, 1},
        {"WARMPATH_READ_PIECE", "96K", OPT_READ_PIECE, 4096, 1},
        {"WARMPATH_META_TTL", "0", OPT_META_TTL, 0, 0},
        {"WARMPATH_META_TTL", "5s", OPT_META_TTL, 5, 0},
        {"WARMPATH_META_TTL", "-5", OPT_META_TTL, 60, 1},
        {"WARMPATH_META_TTL", "soon", OPT_META_TTL, 60, 1},
        {"WARMPATH_META_TTL", "", OPT_META_TTL, 60, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n_complaints = 0;
        setenv(cases[i].variable, cases[i].value, 1);
        options_check(note_complaint);
        assert_int_equal(n_complaints, cases[i].complaints);
        assert_true(option_number(cases[i].id) == cases[i].number);
        unsetenv(cases[i].variable);
    }
    setenv("WARMPATH_CACHE_SIZE", "101%", 1);
    n_complaints = 0;
    options_check(note_complaint);
    assert_int_equal(n_complaints, 1);
    setenv("WARMPATH_CACHE_SIZE", "50%", 1);
    assert_true(option_share(OPT_CACHE_SIZE, 1000) == 500);
    setenv("WARMPATH_CACHE_SIZE", "2K", 1);
    assert_true(option_share(OPT_CACHE_SIZE, 1000) == 2048);
    unsetenv("WARMPATH_CACHE_SIZE");
}

static void test_unknown_option(void **state)
{
    (void)state;
    setenv("WARMPATH_CACHEDIR", "/x", 1);
    n_complaints = 0;
    options_check(note_complaint);
    assert_int_equal(n_complaints, 1);
    assert_non_null(strstr(last_complaint, "WARMPATH_CACHEDIR is not an option"));
    unsetenv("WARMPATH_CACHEDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_overfull),      cmocka_unit_test(test_text_with_zero),
        cmocka_unit_test(test_descriptors),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_option_values), cmocka_unit_test(test_unknown_option),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
