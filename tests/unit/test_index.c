/* fetch/index: who is asked for a block that is wanted, and who fetches it. */
#include "tests/unit/index_nodes.h"

/* Until somebody is known to have it: it may ask before the block is announced. */
static struct probe *ask_until_held(struct index *ix, struct index_block block)
{
    struct probe *p = ask(ix, block, 60000);
    while (answer_of(p) == INDEX_YOURS) {
        index_fetched(ix, &p->want, false, 1);
        free(p);
        p = ask(ix, block, 60000);
    }
    return p;
}

/* `a` announces the block, and `b`, who knows nobody else, asks for it. */
static struct probe *ask_holder(struct index *a, struct index *b, struct index_block block)
{
    wait_for_nodes(b, 1);
    index_publish(a, &block);
    return ask_until_held(b, block);
}

/* A holder that is busy is asked again in a moment, and its block not fetched from the origin. */
static void test_a_busy_holder_is_waited_for(void **state)
{
    struct index *a = join(1, 103), *b = join(2, 103);
    struct index_block block = {.version = {7, 7}, .block = 1, .blocks = 600};
    struct index_peer peer;
    (void)state;
    struct probe *p = ask_holder(a, b, block);
    for (int i = 0; i < 2 * INDEX_TRIES; i++) {
        assert_int_equal(index_take_peer(b, &p->want, &peer), INDEX_TAKEN);
        index_give_peer(b, &p->want, &peer, PEER_BUSY, "");
        assert_int_equal(index_take_peer(b, &p->want, &peer), INDEX_TAKE_NONE);
        assert_true(index_may_hold(b, &block));
        free(p);
        p = ask(b, block, 60000);
        assert_int_equal(answer_of(p), INDEX_PEER);
    }
    index_free(a);
    index_free(b);
    free(p);
}

static enum index_answer ask_again(struct index *ix, struct probe *p)
{
    p->answers = 0;
    index_want(ix, &p->want);
    return answer_of(p);
}

/* The only holder is silent, but its system takes connections: it is slow, and its block not
 * fetched from the origin; once. One that is not there is waited for no longer. */
static void test_a_slow_holder_is_waited_for(void **state)
{
    struct index *a = join(1, 105), *b = join(2, 105);
    struct index_block block = {.version = {9, 7}, .block = 1, .blocks = 600};
    struct index_peer peer;
    (void)state;
    struct probe *p = ask_holder(a, b, block);
    assert_int_equal(index_take_peer(b, &p->want, &peer), INDEX_TAKEN);
    assert_true(peer.is_only);
    peer.is_only = false; /* as if another one had had it, too */
    peer.was_silent = peer.was_reachable = true;
    index_give_peer(b, &p->want, &peer, PEER_FAILED, "silent");
    assert_int_equal(index_take_peer(b, &p->want, &peer), INDEX_TAKE_NONE);
    assert_true(index_may_hold(b, &block));
    assert_int_equal(ask_again(b, p), INDEX_PEER); /* once it may be asked again */

    assert_int_equal(index_take_peer(b, &p->want, &peer), INDEX_TAKEN);
    peer.was_silent = true;
    peer.was_reachable = false;
    index_give_peer(b, &p->want, &peer, PEER_FAILED, "gone");
    assert_int_equal(ask_again(b, p), INDEX_YOURS);
    index_fetched(b, &p->want, false, 1);
    index_free(a);
    index_free(b);
    free(p);
}

/* One of two gets the lock; the other is sent to it once it has the block, or may go on when it
 * failed. */
static void test_one_fetches_the_other_waits(void **state)
{
    struct index *a = join(1, 101), *b = join(2, 101);
    struct index_block block = {.version = {1, 2, 3}, .block = 5, .blocks = 600};
    struct index_peer peer;
    (void)state;
    wait_for_nodes(a, 1);
    wait_for_nodes(b, 1);
    struct probe *first = ask(a, block, 60000);
    assert_int_equal(answer_of(first), INDEX_YOURS);
    struct probe *second = ask(b, block, 60000);
    usleep(100000);
    assert_int_equal(second->answers, 0);
    index_publish(a, &block);
    index_fetched(a, &first->want, true, 1);
    assert_int_equal(answer_of(second), INDEX_PEER);
    assert_int_equal(index_take_peer(b, &second->want, &peer), INDEX_TAKEN);
    assert_int_equal(peer.node, 1);
    assert_int_equal(index_take_peer(b, &second->want, &peer),
                     INDEX_TAKE_NONE); /* each is asked once */
    index_give_peer(b, &second->want, &peer, PEER_GOOD, "");

    block.block = 6;
    struct probe *third = ask(a, block, 60000);
    assert_int_equal(answer_of(third), INDEX_YOURS);
    struct probe *fourth = ask(b, block, 60000);
    index_fetched(a, &third->want, false, 1);
    assert_int_equal(answer_of(fourth), INDEX_YOURS);
    index_fetched(b, &fourth->want, false, 1);

    block.block = 7; /* fetched, but kept where nobody gets it */
    struct probe *sixth = ask(a, block, 60000);
    assert_int_equal(answer_of(sixth), INDEX_YOURS);
    index_fetched(a, &sixth->want, true, 1);
    free(sixth);
    index_let_go(a, &block);
    sixth = ask(b, block, 60000);
    assert_int_equal(answer_of(sixth), INDEX_YOURS);
    index_fetched(b, &sixth->want, false, 1);
    free(sixth);

    block.block = 5; /* given up by its only holder: whoever comes now has to fetch it */
    index_withdraw(a, &block, 1, true);
    struct index *c = join(3, 101);
    struct probe *fifth = ask(c, block, 60000);
    assert_int_equal(answer_of(fifth), INDEX_YOURS);
    index_fetched(c, &fifth->want, false, 1);
    index_free(c);
    index_free(a);
    index_free(b);
    free(first);
    free(second);
    free(third);
    free(fourth);
    free(fifth);
}

/* A node has the lock of its zone, but got the block neither from the other zone nor from the
 * origin: the next one may try at once. */
static void test_a_zone_is_let_go(void **state)
{
    struct index *a = join_zone(1, 104, "r/a"), *b = join_zone(2, 104, "r/b"),
                 *c = join_zone(3, 104, "r/b");
    struct index_block block = {.version = {8, 8}, .block = 3, .blocks = 600};
    struct index_peer peer;
    (void)state;
    wait_for_nodes(b, 2);
    wait_for_nodes(c, 2);
    index_opened(b, block.version, block.blocks);
    index_opened(c, block.version, block.blocks);
    index_publish(a, &block);
    uint64_t readers[4];
    while (index_readers(b, block.version, readers, 4) < 2 ||
           index_readers(c, block.version, readers, 4) < 2) {
        index_opened(b, block.version, block.blocks);
        index_opened(c, block.version, block.blocks);
        usleep(20000);
    }
    struct probe *first = ask(b, block, 60000);
    assert_int_equal(answer_of(first), INDEX_PEER);
    assert_true(first->want.want.crosses);
    assert_int_equal(index_take_peer(b, &first->want, &peer), INDEX_TAKEN);
    index_give_peer(b, &first->want, &peer, PEER_MISSING, "");
    first->answers = 0;
    first->want.want.until_ms = clock_monotonic_ms();
    index_want(b, &first->want);
    assert_int_equal(answer_of(first), INDEX_ORIGIN);
    index_fetched(b, &first->want, false, 1);
    struct probe *second = ask(c, block, 5000);
    assert_int_equal(answer_of(second), INDEX_PEER);
    assert_true(second->want.want.crosses);
    index_free(a);
    index_free(b);
    index_free(c);
    free(first);
    free(second);
}

/* What is only read ahead asks a holder for so much at once, and then waits for its turn; who is
 * waited for doesn't. Meanwhile it is found out who has it now. */
static void test_a_holder_is_asked_in_turns(void **state)
{
    enum { AHEAD = PLACEMENT_AT_ONCE, DEMANDED, WANTS };
    struct index *a = join(1, 114), *b = join(2, 114), *c = join(3, 114);
    struct index_block block = {.version = {8, 8}, .blocks = 100};
    struct index_want wants[WANTS];
    struct index_peer peers[WANTS];
    char key[SEGMENT_KEY_SIZE];
    (void)state;
    memset(wants, 0, sizeof(wants));
    wait_for_nodes(b, 2);
    segment_key_of(c, &block, key);
    index_opened(c, block.version, block.blocks);
    while (!is_said(key, 3)) /* that it reads it, and has none of it yet */
        usleep(20000);
    for (; block.block < WANTS; block.block++)
        index_publish(a, &block);
    block.block = AHEAD;
    struct probe *last = ask_until_held(b, block);
    for (int i = 0; i < WANTS; i++) {
        wants[i].what = block;
        wants[i].what.block = (uint64_t)i;
    }
    wants[DEMANDED].want.is_demanded = true;
    for (int i = 0; i < AHEAD; i++)
        assert_int_equal(index_take_peer(b, &wants[i], &peers[i]), INDEX_TAKEN);
    assert_int_equal(index_take_peer(b, &wants[AHEAD], &peers[AHEAD]), INDEX_TAKE_LATER);
    assert_int_equal(index_take_peer(b, &wants[DEMANDED], &peers[DEMANDED]), INDEX_TAKEN);
    index_give_peer(b, &wants[DEMANDED], &peers[DEMANDED], PEER_GOOD, "");
    assert_int_equal(index_take_peer(b, &wants[AHEAD], &peers[AHEAD]), INDEX_TAKE_LATER);
    index_give_peer(b, &wants[1], &peers[1], PEER_GOOD, "");
    assert_int_equal(index_take_peer(b, &wants[AHEAD], &peers[AHEAD]), INDEX_TAKEN);
    index_give_peer(b, &wants[AHEAD], &peers[AHEAD], PEER_MISSING, "");

    wants[AHEAD].n_tried = 0;
    assert_int_equal(index_take_peer(b, &wants[AHEAD], &peers[AHEAD]), INDEX_TAKEN);
    struct index_want more = {.what = block};
    index_publish(c, &block);
    while (index_take_peer(b, &more, &peers[0]) == INDEX_TAKE_LATER)
        usleep(1000);
    assert_int_equal(peers[0].node, 3);
    free(last);
    index_free(a);
    index_free(b);
    index_free(c);
}

static void test_waiting_is_bounded(void **state)
{
    struct index *a = join(1, 102), *b = join(2, 102);
    struct index_block block = {.version = {4}, .block = 0, .blocks = 1};
    (void)state;
    struct probe *first = ask(a, block, 60000);
    assert_int_equal(answer_of(first), INDEX_YOURS);
    struct probe *second = ask(b, block, 150);
    assert_int_equal(answer_of(second), INDEX_ORIGIN);
    index_fetched(a, &first->want, false, 1);
    index_free(a);
    index_free(b);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_busy_holder_is_waited_for),
        cmocka_unit_test(test_a_slow_holder_is_waited_for),
        cmocka_unit_test(test_one_fetches_the_other_waits),
        cmocka_unit_test(test_a_zone_is_let_go),
        cmocka_unit_test(test_a_holder_is_asked_in_turns),
        cmocka_unit_test(test_waiting_is_bounded),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
