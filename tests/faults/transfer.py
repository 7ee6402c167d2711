"""The bytes on the way: cut, stalled, lied about. Never wrong data; right data where a retry helps."""

import threading
import time

import check
import proxy
from scene import MOUNT, Scene, digest


def once(fault):
    """The fault at the first request for each block, then the truth."""
    return lambda r: fault if r.is_block and r.number == 1 else None


def every(fault):
    return lambda r: fault if r.is_block else None


SLOW_DOWN = b"<Error><Code>SlowDown</Code></Error>"

# Faults that a retry mends: (name, fault). The data must be right in the end.
PASSING = [
    ("cut-at-once", proxy.cut(0)),
    ("cut-in-the-middle", proxy.cut(70_001)),
    ("cut-before-the-last-byte", proxy.cut(4194303)),
    ("reset", proxy.reset()),
    ("garbage", proxy.garbage()),
    ("short-body", proxy.shorten(1)),
    ("slow", proxy.delay(0.5)),
    ("cut-in-the-headers", proxy.cut_headers(40)),
    ("drip", proxy.drip(1000, 0.1, 10)),
    ("slow-down-for-a-second", proxy.status(503, SLOW_DOWN, headers=[("Retry-After", "1")])),
    ("throttled", proxy.status(429, b"")),
    ("hang-once", proxy.hang(15)),
]

# Faults that stay: (name, fault). EIO, and not a wrong byte.
LASTING = [
    ("cut", proxy.cut(1000)),
    ("reset", proxy.reset()),
    ("stall", proxy.stall(1000, 30)),
    ("hang", proxy.hang(30)),
    ("drip-without-end", proxy.drip(100, 0.2, 10_000)),
    ("slow-down", proxy.status(503, SLOW_DOWN)),
    ("slow-down-for-an-hour", proxy.status(503, SLOW_DOWN, headers=[("Retry-After", "3600")])),
    ("short-body", proxy.shorten(1)),
    ("empty-body", proxy.change(lambda a: setattr(a, "body", b""))),
    ("no-content-range", proxy.with_header("Content-Range", None)),
]

# Lies: an answer that isn't what was asked for. Right data or an error, the errnos given.
LIES = [
    ("other-content-range", proxy.with_header("Content-Range", "bytes 5-104/9437184"), ("EIO",)),
    ("malformed-content-range", proxy.with_header("Content-Range", "bytes ?"), ("EIO",)),
    ("other-total", proxy.change(lambda a: other_total(a)), ("EIO", "ESTALE")),
    ("other-etag", proxy.with_header("ETag", '"00000000000000000000000000000000"'), ("EIO", "ESTALE")),
    ("too-long-content-length", proxy.change(lambda a: proxy.set_header(a, "Content-Length", "99999999")), ("EIO",)),
]


def other_total(answer):
    old = dict((name.lower(), value) for name, value in answer.headers).get("content-range", "bytes 0-0/1")
    proxy.set_header(answer, "Content-Range", old.rpartition("/")[0] + "/77")


def table(bed):
    for name, fault in PASSING:
        yield "passing-" + name, lambda f=fault: passing(bed, f)
    for name, fault in LASTING:
        yield "lasting-" + name, lambda f=fault: lasting(bed, f)
    for name, fault, errnos in LIES:
        yield "lie-" + name, lambda f=fault, e=errnos: lie(bed, f, e)


def passing(bed, fault):
    with Scene(bed, "pass", WARMPATH_DEADLINE="30") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("dir/file")), "dir/file")
        before = s.node.descriptors()
        s.proxy.rule = once(fault)
        s.right(s.read("cat", s.path("big"), "cat", s.path("small")), "big", "small")
        s.nothing_leaked(before)


def lasting(bed, fault):
    with Scene(bed, "last", WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("dir/file")), "dir/file")
        before = s.node.descriptors()
        s.proxy.rule = every(fault)
        begin = time.monotonic()
        done = s.read("cat", s.path("big"))
        check.that(time.monotonic() - begin < 30, "the deadline of 4 s was not kept")
        s.refused(done, "big", "EIO")
        s.nothing_leaked(before)
        s.says(done, "big|127.0.0.1|S3", "attempts|gave up|deadline|within|WARMPATH_DEADLINE|AWS_ENDPOINT_URL|SlowDown")


def lie(bed, fault, errnos):
    with Scene(bed, "lie", WARMPATH_DEADLINE="4") as s:
        s.through_proxy(every(fault))
        s.right_or_refused(s.read("cat", s.path("big")), "big", *errnos)


def case_range_ignored(bed):
    """A server that answers every range with 200 and the whole object: right data or EIO."""
    with Scene(bed, "range", WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: proxy.whole(s.objects["big"]) if r.is_block and r.path.endswith("big") else None)
        s.right_or_refused(s.read("cat", s.path("big")), "big", "EIO")


def case_total_changes_on_the_way(bed):
    """Later answers name another size of the object under the same ETag: one of them is a lie, so the read ends."""
    def longer(answer):
        before, _, total = dict((name.lower(), value) for name, value in answer.headers)["content-range"].rpartition("/")
        proxy.set_header(answer, "Content-Range", f"{before}/{int(total) + 1000}")
    with Scene(bed, "total", WARMPATH_DEADLINE="4") as s:
        later = lambda r: r.is_block and r.range and not r.range.startswith("bytes=0-")
        s.through_proxy(lambda r: proxy.change(longer) if later(r) else None)
        done = s.read("cat", s.path("big"))
        s.refused(done, "big", "EIO", "ESTALE")


def case_second_block_fails(bed):
    """Bytes read before the fault are right; the error comes where the block is missing."""
    with Scene(bed, "second", WARMPATH_DEADLINE="4") as s:
        later = lambda r: r.is_block and r.range and int(r.range[6:].split("-")[0]) >= 1 << 22
        s.through_proxy(lambda r: proxy.status(500) if later(r) else None)
        done = s.read("cat", s.path("big"))
        s.refused(done, "big", "EIO")
        check.that(int(done.text.split()[3]) >= 1 << 22, f"the first block was not served: {done.text}", done.errors)


def case_fault_then_recovery_in_one_job(bed):
    """After an EIO the same job reads on when S3 is back."""
    with Scene(bed, "back", WARMPATH_DEADLINE="3") as s:
        broken = [True]
        s.through_proxy(lambda r: proxy.status(500) if r.is_block and broken[0] else None)
        with s.start("cat", s.path("small"), "wait", "cat", s.path("small")) as reader:
            check.match("while it fails", "\n".join(reader.until_waiting()), "small EIO after 0")
            broken[0] = False
            check.match("afterwards", reader.rest().text, "small 100 ")


def case_slow_within_the_deadline(bed):
    """An answer that takes longer than the job gives a greeting, and less than the deadline, is waited for."""
    with Scene(bed, "slow", WARMPATH_BLOCK_SIZE="64K") as s:
        s.through_proxy(lambda r: proxy.delay(12) if r.is_block and not r.range.startswith("bytes=0-") else None)
        far = len(s.objects["big"]) - 100
        done = s.read("open", s.path("big"), "read", far, 100)
        check.equal("data", done.text.splitlines()[1:], [f"{far} {digest(s.objects['big'][far:])}"], done.errors)


def case_away_for_a_while(bed):
    """S3 goes away for longer than a wrong endpoint would be given, and comes back before the deadline: the read waits."""
    with Scene(bed, "away", WARMPATH_DEADLINE="40") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("small")), "small")
        s.proxy.go_away()
        back = threading.Timer(8, s.proxy.come_back)
        back.start()
        s.right(s.read("cat", s.path("big")), "big")
        back.join()


def case_list_pages_fail_late(bed):
    """The second page of a listing fails: EIO, not a directory of the first thousand names."""
    with Scene(bed, "pages", WARMPATH_DEADLINE="4") as s:
        tree = bed.tree()
        s.through_proxy(lambda r: proxy.status(500) if "continuation-token" in r.target else None)
        done = s.read("list", MOUNT, mapping=f"{MOUNT}=s3://{tree.bucket}/tree/pages")
        check.equal("list", done.text, "list EIO\n", done.errors)


def case_head_lies_about_the_size(bed):
    """The look-up gives a size that the object hasn't: an error, never zeros to fill it."""
    with Scene(bed, "size", WARMPATH_DEADLINE="4") as s:
        longer = proxy.change(lambda a: proxy.set_header(a, "Content-Length", "5000"))
        s.through_proxy(lambda r: longer if r.method == "HEAD" else None)
        done = s.read("cat", s.path("small"))
        s.right_or_refused(done, "small", "EIO", "ESTALE")
