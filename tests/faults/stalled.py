"""A disk that does not answer: a file system of the cache's own is frozen, so that whoever creates, writes, renames or
removes a file there hangs until it is thawed. Jobs go on (needs root and a loop device)."""

import contextlib
import os
import subprocess
import time

import check
import job
import proxy
from disk import MIB, own_disk
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import wait_until
from scene import READER, Scene

SOON_S = 20         # a hang ends at the reader's deadline of 60 s
MEMORY_MAX = 256 * MIB


def soon(s, *words, **settings):
    begin = time.monotonic()
    done = s.read(*words, **settings)
    check.that(time.monotonic() - begin < SOON_S, f"it took {time.monotonic() - begin:.1f} s", done.errors)
    return done


def store_of(s):
    return s.node.status()["store"]


def back_to_normal(s):
    check.that(wait_until(lambda: not store_of(s)["stalled"], 10), "the disk was thawed, and counts as stalled")
    check.that(wait_until(lambda: not os.listdir(os.path.join(s.node.cache, "tmp")), 10),
               f"left in tmp: {os.listdir(os.path.join(s.node.cache, 'tmp'))}")
    s.node.tool("evict")    # what is in memory: the disk is to take it now
    s.right(s.read("cat", s.path("big"), "cat", s.path("huge")), "big", "huge")
    asked = s.proxy.count(lambda r: r.fetched)
    s.right(s.read("cat", s.path("big"), "cat", s.path("huge")), "big", "huge")
    check.equal("blocks fetched once more", s.proxy.count(lambda r: r.fetched), asked)


def case_stalled_disk(bed):
    """What is cached and what isn't: both are read while the disk hangs, and `status` answers. Later blocks are stored again."""
    with Scene(bed, "frozen") as s, own_disk(s.node) as disk:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("small")), "small")
        agents, before = s.node.pids(), s.node.descriptors()
        disk.freeze()
        s.right(soon(s, "cat", s.path("small")), "small")
        s.right(soon(s, "cat", s.path("big"), "cat", s.path("huge"), "cat", s.path("dir/file")), "big", "huge", "dir/file")
        store = store_of(s)
        check.that(store["stalled"] and 0 < store["memory_bytes"] <= MEMORY_MAX, f"status: {store}")
        disk.thaw()
        back_to_normal(s)
        check.equal("the agent", s.node.pids(), agents)
        s.nothing_leaked(before)
        with open(os.path.join(s.node.cache, "agent.log")) as file:
            check.match("agent.log", file.read(), "does not answer.*WARMPATH_CACHE_DIR")


def case_slow_disk(bed):
    """It answers, but late, again and again: readers don't wait for it, and it gets later what it didn't take."""
    with Scene(bed, "slow") as s, own_disk(s.node) as disk:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("small")), "small")
        with disk.slow():
            def is_behind():
                s.node.tool("evict")
                s.right(s.read("cat", s.path("big"), "cat", s.path("huge")), "big", "huge")
                return "SLOW" in s.node.tool("status").text
            check.that(wait_until(is_behind, 30), f"status: {store_of(s)}")
        check.that(wait_until(lambda: store_of(s)["memory_bytes"] == 0, 10), f"status: {store_of(s)}")
        asked = s.proxy.count(lambda r: r.fetched)
        s.right(s.read("cat", s.path("big"), "cat", s.path("huge")), "big", "huge")
        check.equal("blocks fetched once more", s.proxy.count(lambda r: r.fetched), asked)
        with open(os.path.join(s.node.cache, "agent.log")) as file:
            check.that("does not answer" not in file.read(), "a slow disk counts as a stalled one")


def case_stalled_in_the_middle(bed):
    """The disk freezes while blocks are on their way: what was written is read from it, the rest from memory."""
    with Scene(bed, "middle") as s, own_disk(s.node) as disk:
        s.through_proxy(lambda r: proxy.drip(200_000, 0.1, 20) if r.is_block else None)
        s.right(s.read("cat", s.path("small")), "small")
        begin = time.monotonic()
        with contextlib.closing(subprocess.Popen([bed.python, READER, "cat", s.path("huge")], env=s.env(), text=True,
                                                 stdout=subprocess.PIPE).stdout) as out:
            time.sleep(0.7)
            disk.freeze()
            text = out.read()
        s.right(job.Job([], 0, text.encode(), b"", 0), "huge")
        check.that(time.monotonic() - begin < SOON_S, f"it took {time.monotonic() - begin:.1f} s")
        check.that(store_of(s)["stalled"], "the test froze the disk too late")
        disk.thaw()
        s.proxy.rule = lambda r: None
        back_to_normal(s)


def case_stalled_beyond_the_bound(bed):
    """Memory holds so much; a job that reads more reads on, and what is held stays bounded."""
    with Scene(bed, "bound") as s, own_disk(s.node) as disk:
        content = os.path.join(s.node.dir, "content")
        with open(content, "wb") as file:
            file.truncate(2 * MEMORY_MAX)
        with ManyObjects(content, 1) as server:
            env = s.env(mapping=f"/mapped/many=s3://{BUCKET}/{DIRECTORY}", AWS_ENDPOINT_URL_S3=server.url)
            s.right(s.read("cat", s.path("small")), "small")
            disk.freeze()
            done = job.run(["cmp", f"/mapped/many/{server.name(0)}", content], env)
            check.equal("cmp", done.status, 0, done.errors)
            store = store_of(s)
            check.that(store["stalled"] and MEMORY_MAX // 2 < store["memory_bytes"] <= MEMORY_MAX, f"status: {store}")
            disk.thaw()
            check.that(wait_until(lambda: not store_of(s)["stalled"], 10), "the disk was thawed, and counts as stalled")


# Looks at a name that the agent knows, over and over, for two seconds; prints the longest wait in milliseconds.
LOOK = ("import os, sys, time\nos.stat(sys.argv[1])\nprint('up', flush=True)\nend, longest = time.monotonic() + 2, 0\n"
        "while (begin := time.monotonic()) < end:\n    os.stat(sys.argv[1])\n"
        "    longest = max(longest, time.monotonic() - begin)\n    time.sleep(0.001)\nprint(int(longest * 1000))\n")
HELD_UP_MS = 300        # somebody who waits for the disk waits for 500
TRIES = (9, 2, 5)       # objects, in no order; one must be fine: the machine may be busy


def longest_look(s, disk, looked_at, opened):
    """While the disk freezes and another job opens an object, how long does one wait for an answer out of memory?"""
    looker = job.start([s.bed.python, "-c", LOOK, looked_at], s.node.env(), out=subprocess.PIPE, text=True)
    with contextlib.closing(looker.stdout) as out:
        check.equal("the looker", out.readline(), "up\n")
        disk.freeze()
        try:
            done = job.run([s.bed.python, READER, "open", opened, "read", "1000", "10"], s.node.env())
            check.match("the reader", done.text, "1000 10 ", done.errors)
            longest = int(out.readline())
        finally:
            disk.thaw()
    looker.wait()
    check.that(wait_until(lambda: not store_of(s)["stalled"], 10), "the disk was thawed, and counts as stalled")
    return longest


def case_stalled_disk_and_an_open(bed):
    """The beginning of a large object goes to the disk when it is opened. Others, who need no disk, don't wait for that."""
    with Scene(bed, "opening") as s, own_disk(s.node) as disk:
        content = os.path.join(s.node.dir, "content")
        with open(content, "wb") as file:
            file.write(os.urandom(9 * MIB))
        with ManyObjects(content, 10) as server:
            s.node.settings = {"AWS_ENDPOINT_URL_S3": server.url, "WARMPATH_MAP": f"/mapped/many=s3://{BUCKET}/{DIRECTORY}"}
            waits = []
            for number in TRIES:
                if min(waits, default=HELD_UP_MS) >= HELD_UP_MS:
                    waits.append(longest_look(s, disk, *(f"/mapped/many/{server.name(n)}" for n in (0, number))))
            check.that(min(waits) < HELD_UP_MS, f"others waited for {waits} ms")
