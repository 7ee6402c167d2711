"""A few answers that come late: the request is sent again over another connection, and the first answer counts. Not
where all are late, nor where S3 asks for less."""

import os

import check
import proxy
from scene import Scene, content, digest

BLOCK = 65536
COUNT = 300
SIZE = COUNT * BLOCK
LATE_S = 3
SHARE, BURST = 0.05, 5      # of policy/hedge


def read_all(bed, name, rule_of, blocks=COUNT):
    """A job reads a block after the other, and says that it reads at random, so that nothing comes ahead. (seconds, counters, requests seen)"""
    data = content("late", SIZE)
    with Scene(bed, name, WARMPATH_BLOCK_SIZE="64K") as s:
        key = s.put("object", data)
        s.through_proxy(rule_of())
        order = sorted(range(blocks), key=lambda n: n * 7919 % COUNT)
        words = [word for n in order for word in ("read", n * BLOCK, 1000)]
        done = s.read("open", s.path(key), "random", *words, deadline_s=120)
        want = [f"{n * BLOCK} {digest(data[n * BLOCK:n * BLOCK + 1000])}" for n in order]
        check.equal("bytes", done.text.splitlines()[2:], want, done.errors)
        return done.seconds, s.node.counters(), s.proxy.seen


def blocks_only(fault):
    """After the first hundred requests, which tell what is usual."""
    return lambda: lambda r: fault(r) if r.is_block and r.range and r.total > 100 else None


def case_late_answers(bed):
    """One in thirty is late, the first time it is asked for."""
    late = proxy.delay(LATE_S)
    seconds, counters, _ = read_all(bed, "late", blocks_only(
        lambda r: late if r.number == 1 and int(r.range[6:].split("-")[0]) // BLOCK % 30 == 7 else None))
    check.that(4 <= counters["s3_hedges"] <= COUNT * SHARE + BURST, f"{counters['s3_hedges']} second requests")
    check.that(counters["s3_hedges_won"] >= 4, f"{counters['s3_hedges_won']} of {counters['s3_hedges']} helped")
    check.equal("retries", counters["s3_retries"], 0)
    check.that(seconds < 4 * LATE_S, f"{seconds:.1f} s: the late ones were waited for")


def case_late_and_broken(bed):
    """Of the two, the first breaks off and the second answers, and the other way round: no error, no retry needed."""
    def rule():
        slow, reset = proxy.delay(LATE_S / 2), proxy.hang(0.4)

        def choose(r):
            block = int(r.range[6:].split("-")[0]) // BLOCK
            if block % 40 == 7:
                return reset if r.number == 1 else proxy.delay(1)
            if block % 40 == 27:
                return slow if r.number == 1 else proxy.reset()
            return None
        return blocks_only(choose)()
    _, counters, _ = read_all(bed, "broken", rule)
    check.that(counters["s3_hedges"] >= 4, f"{counters['s3_hedges']} second requests")
    check.that(counters["s3_errors"] == 0, f"errors: {counters['s3_errors']}")


def case_late_ahead(bed):
    """What comes ahead is late, and the job comes to where it is: from then on it is asked for twice as well."""
    data, asked = content("late ahead", SIZE), []

    def one_late(r):
        """One of those that are made ahead."""
        if not (r.is_block and r.path.endswith("object")):
            return None
        asked.append(r.range)
        return proxy.delay(LATE_S) if len(asked) == 6 else None

    with Scene(bed, "ahead", WARMPATH_BLOCK_SIZE="64K") as s:
        usual, key = s.put("usual", data), s.put("object", data)
        s.through_proxy(one_late)
        words = [word for n in range(120) for word in ("read", n * 7919 % COUNT * BLOCK, 1000)]
        s.read("open", s.path(usual), "random", *words, deadline_s=60)
        done = s.read("cat", s.path(key), deadline_s=60)
        check.that(digest(data) in done.text, f"wrong bytes: {done.text}")
        check.that(s.node.counters()["s3_hedges_won"] >= 1, "nothing was asked for twice")
        check.that(done.seconds < LATE_S, f"{done.seconds:.1f} s: the late one was waited for")


def case_late_ahead_of_its_open(bed):
    """Small files that are opened in order are fetched before they are: where one is late, and the job comes to it, it is
    asked for twice."""
    count, opened, late = 300, 250, []

    def one_late(r):
        if late or not r.path.endswith(f"/{opened:03}"):
            return None
        late.append(r)
        return proxy.delay(LATE_S)

    with Scene(bed, "open") as s:
        folder = os.path.dirname(s.put("mark", b""))
        data = {f"{folder}/{number:03}": content(f"file {number}", 1000) for number in range(count)}
        for key, text in data.items():
            s.replace(key, text)
        s.through_proxy(one_late)
        done = s.read(*[word for key in data for word in ("cat", s.path(key))], deadline_s=60)
        check.that(all(digest(text) in done.text for text in data.values()), f"wrong bytes: {done.text}")
        check.that(late, "it was never asked for")
        check.that(s.node.counters()["ahead_files"] > count / 2, "nothing came ahead")
        check.that(s.node.counters()["s3_hedges_won"] >= 1, "nothing was asked for twice")
        check.that(done.seconds < LATE_S, f"{done.seconds:.1f} s: the late one was waited for")


def case_late_all(bed):
    """Everything has become slow: no more than the budget is asked for twice."""
    late = proxy.delay(0.05)
    _, counters, _ = read_all(bed, "all", blocks_only(lambda r: late))
    check.that(0 < counters["s3_hedges"] <= COUNT * SHARE + BURST, f"{counters['s3_hedges']} second requests")


def case_late_and_throttled(bed):
    """S3 has just said "slow down": nothing is asked for twice."""
    late, slow_down = proxy.delay(0.3), proxy.status(503, b"<Error><Code>SlowDown</Code></Error>")
    _, _, seen = read_all(bed, "throttled", blocks_only(
        lambda r: slow_down if r.total == 101 else late if r.number == 1 and r.total % 20 == 0 else None))
    twice = [r.range for r in seen if r.total > 102 and r.number > 1 and r.range != seen[100].range]
    check.equal("asked for twice", twice, [])
    check.that(sum(r.total % 20 == 0 for r in seen[102:]) >= 5, "nothing was late")
