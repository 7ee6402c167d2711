"""One store for all processes of the node: what is fetched once is not fetched again."""

import os
import signal
import subprocess
import time

import check
import job
import proxy
from node import wait_until
from scene import MOUNT, READER, Scene, digest


def fetched(s):
    """GETs that brought bytes, seen at the proxy."""
    return s.proxy.count(lambda r: r.fetched)


def case_second_run_fetches_nothing(bed):
    with Scene(bed, "second") as s:
        s.right(s.read("cat", s.path("big"), "cat", s.path("dir/file")), "big", "dir/file")
        first = s.node.counters()
        check.that(first["s3_get_requests"] >= 3, f"GET requests of the first run: {first['s3_get_requests']}")
        check.that(first["s3_bytes"] >= len(s.objects["big"]), f"bytes of the first run: {first['s3_bytes']}")
        s.right(s.read("cat", s.path("big"), "cat", s.path("dir/file")), "big", "dir/file")
        second = s.node.counters()
        for name in ("s3_get_requests", "s3_bytes", "store_miss_blocks"):
            check.equal(f"{name} after the second run", second[name], first[name])


def only_looked_up(s, since, objects):
    """A new agent found the store: each object cost one request, whose body was cut short."""
    names = s.proxy.names(since)
    check.that(len(names) <= objects, f"{len(names)} requests for {objects} known objects", "\n".join(names))
    counters = s.node.counters()
    check.that(counters["s3_bytes"] < 2 << 20, f"s3_bytes of the new agent: {counters['s3_bytes']}", "\n".join(names))
    check.equal("store_miss_blocks of the new agent", counters["store_miss_blocks"], 0)


def case_store_found_again_after_restart(bed):
    with Scene(bed, "restart") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("big"), "cat", s.path("small")), "big", "small")
        asked = s.proxy.count()
        s.node.stop()
        s.right(s.read("cat", s.path("big"), "cat", s.path("small")), "big", "small")
        only_looked_up(s, asked, 2)


def case_store_found_again_after_kill(bed):
    """kill -9 loses at most what was being fetched."""
    with Scene(bed, "kill") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("big")), "big")
        asked = s.proxy.count()
        os.kill(s.node.pids()[0], signal.SIGKILL)
        wait_until(lambda: not s.node.pids(), 5)
        s.right(s.read("cat", s.path("big")), "big")
        only_looked_up(s, asked, 1)


def case_one_fetch_for_many_readers(bed):
    """Eight processes need the same cold block at the same time: one GET."""
    with Scene(bed, "together") as s:
        s.through_proxy(lambda r: proxy.delay(1) if r.is_block else None)
        s.read("stat", s.path("small"))
        readers = [job.start([bed.python, READER, "cat", s.path("small")], s.env(), out=subprocess.PIPE) for _ in range(8)]
        for reader in readers:
            out, _ = reader.communicate(timeout=60)
            check.equal("data", out.decode(), f"{s.path('small')} {digest(s.objects['small'])}\n")
        check.equal("GET requests", fetched(s), 1)


def case_one_fetch_for_many_readers_of_a_big_object(bed):
    """Four processes read the same cold object of 9 MiB at the same time: each byte comes once."""
    with Scene(bed, "big") as s:
        s.through_proxy(lambda r: proxy.delay(0.3) if r.is_block else None)
        readers = [job.start([bed.python, READER, "cat", s.path("big")], s.env(), out=subprocess.PIPE) for _ in range(4)]
        for reader in readers:
            out, _ = reader.communicate(timeout=60)
            check.equal("data", out.decode(), f"{s.path('big')} {digest(s.objects['big'])}\n")
        ranges = [r.range for r in s.proxy.seen if r.is_block]
        check.equal("ranges asked for more than once", sorted(r for r in set(ranges) if ranges.count(r) > 1), [])


def case_look_ups_are_remembered(bed):
    """Within WARMPATH_META_TTL a name is asked about once, also when it isn't there."""
    with Scene(bed, "ttl") as s:
        s.through_proxy(lambda r: None)
        words = ("stat", s.path("small"), "stat", s.path("none"), "stat", s.path("dir"), "stat", s.path("dir/file"))
        s.read(*words)
        asked = s.proxy.count()
        s.read(*words, *words)
        check.equal("requests for what is known", s.proxy.names(asked), [])


def case_ttl_zero_asks_every_time(bed):
    with Scene(bed, "ttl0", WARMPATH_META_TTL="0") as s:
        s.through_proxy(lambda r: None)
        s.read("cat", s.path("small"))
        asked = s.proxy.count()
        s.right(s.read("cat", s.path("small"), "cat", s.path("small")), "small", "small")
        check.that(s.proxy.count() - asked >= 2, f"{s.proxy.count() - asked} requests for two opens")
        check.equal("of these that brought bytes", fetched(s), 1, "\n".join(s.proxy.names()))


def case_new_name_is_seen_after_ttl(bed):
    """A name that was not there appears once WARMPATH_META_TTL has passed, or at once with 0."""
    with Scene(bed, "new", WARMPATH_META_TTL="0") as s:
        key = "appears/" + s.node.dir.rpartition("/")[2]
        check.match("before", s.read("stat", s.path(key)).text, "stat ENOENT")
        s.replace(key, b"now")
        s.right(s.read("cat", s.path(key)), key)


def case_new_name_is_not_seen_before_ttl(bed):
    """It was made by somebody else: within WARMPATH_META_TTL nobody asks, then it is there."""
    with Scene(bed, "later", WARMPATH_META_TTL="3") as s:
        s.through_proxy(lambda r: None)
        key, began = "appears/" + s.node.dir.rpartition("/")[2], time.monotonic()
        check.match("before", s.read("stat", s.path(key)).text, "stat ENOENT")
        s.replace(key, b"now")
        asked = s.proxy.count()
        text = s.read("stat", s.path(key)).text
        if time.monotonic() - began < 3:    # else the machine was too busy to tell
            check.match("within it", text, "stat ENOENT")
            check.equal("requests", s.proxy.names(asked), [])
        check.that(wait_until(lambda: "ENOENT" not in s.read("stat", s.path(key)).text, 10), "it never appears")
        s.right(s.read("cat", s.path(key)), key)


def case_listings_are_remembered(bed):
    """Within WARMPATH_META_TTL a directory is listed once for all processes, and tells their stat; afterwards, and with 0
    at once, what came and went is seen."""
    with Scene(bed, "listings", WARMPATH_META_TTL="8") as s:
        s.through_proxy(lambda r: None)
        folder = os.path.dirname(s.put("folder/one", b"1"))
        words = ("list", s.path(folder), "stat", s.path(folder + "/one"))
        before = f"{s.path(folder)} one\n{s.path(folder + '/one')} 1 file\n"
        check.equal("at first", s.read(*words).text, before)
        asked = s.proxy.count()
        s.replace(folder + "/two", b"22")
        s.replace(folder + "/one", b"111")
        check.equal("soon after", s.read(*words).text, before)
        check.equal("requests for it", s.proxy.names(asked), [])
        after = f"{s.path(folder)} one two\n{s.path(folder + '/one')} 3 file\n"
        check.equal("with 0", s.read(*words, WARMPATH_META_TTL="0").text, after)
        s.bed.store.client.delete_object(Bucket=s.bucket, Key=folder + "/two")
        time.sleep(8.2)
        check.equal("in the end", s.read(*words).text, after.replace(" two", ""))


def case_open_asks_little(bed):
    """The first open and read of a small cold object costs at most three requests."""
    with Scene(bed, "few") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("small")), "small")
        check.that(s.proxy.count() <= 3, f"{s.proxy.count()} requests: {[(r.method, r.target) for r in s.proxy.seen]}")


def case_ranges_carry_if_match(bed):
    """Every block is asked for by range, pinned to the version that was opened."""
    with Scene(bed, "match") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("big")), "big")
        gets = [r for r in s.proxy.seen if r.is_block]
        later = [r for r in gets if r.range and not r.range.startswith("bytes=0-")]
        check.that(later, "no ranged GET beyond the first block")
        check.equal("GETs without a range", [r.target for r in gets if not r.range], [])
        check.equal("later GETs without If-Match", [r.range for r in later if not r.header("if-match")], [])
        check.equal("unsigned requests", [r.target for r in s.proxy.seen if not r.header("authorization")], [])


def case_big_files_come_in_parallel(bed):
    """A sequential reader has several ranged GETs on the way at once."""
    with Scene(bed, "parallel", WARMPATH_BLOCK_SIZE="1M") as s:
        running, most = [0], [0]

        def slow(proxy_, connection, request):
            with s.proxy.lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            try:
                return proxy.delay(0.15)(proxy_, connection, request)
            finally:
                with s.proxy.lock:
                    running[0] -= 1
        s.through_proxy(lambda r: slow if r.is_block else None)
        s.right(s.read("cat", s.path("huge")), "huge")
        check.that(most[0] >= 3, f"at most {most[0]} GETs were on the way at once")


def case_connections_are_reused(bed):
    """A hundred small objects do not cost a hundred connections."""
    with Scene(bed, "reuse") as s:
        s.through_proxy(lambda r: None)
        tree = bed.tree()
        done = job.run(["/bin/sh", "-c", f"cat {MOUNT}/file-0* | wc -l"],
                       s.env(mapping=f"{MOUNT}=s3://{tree.bucket}/tree/many"), deadline_s=60)
        check.equal("lines", done.text.strip(), "100", done.errors)
        check.that(s.proxy.connections <= 40, f"{s.proxy.connections} connections for {s.proxy.count()} requests")


def case_same_object_by_two_mappings(bed):
    """Two prefixes onto the same bucket share the blocks."""
    with Scene(bed, "two") as s:
        s.through_proxy(lambda r: None)
        mapping = f"{s.mapping},/mapped/again=s3://{s.bucket}/dir"
        done = s.read("cat", s.path("dir/file"), "cat", "/mapped/again/file", mapping=mapping)
        check.equal("digests", len({line.split(" ", 1)[1] for line in done.text.splitlines()}), 1, done.errors)
        check.equal("GET requests", fetched(s), 1)


def case_another_block_size_under_an_open_file(bed):
    """The next agent may be started with other blocks; files that are open go on with theirs."""
    with Scene(bed, "blocks") as s:
        big = s.objects["big"]
        places = [(at, 5000) for at in range(0, len(big) - 5000, 700_001)]
        words = [word for at, length in places for word in ("read", at, length)]
        with s.start("open", s.path("big"), "read", 0, 1000, "wait", *words) as reader:
            reader.until_waiting()
            s.node.stop()
            s.right(s.read("cat", s.path("small"), WARMPATH_BLOCK_SIZE="64K"), "small")
            done = reader.rest()
        want = "".join(f"{at} {digest(big[at:at + length])}\n" for at, length in places)
        check.equal("data", done.text, want, done.errors)
