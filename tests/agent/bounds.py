"""What the agent and its jobs hold stays within the bounds that docs/operations.md states, however much they read."""

import contextlib
import os
import re
import subprocess

import check
import job
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import Node, wait_until
from scene import Scene, MOUNT

MIB = 1 << 20
READERS = 64
AGENT_MAX = 256 * MIB       # resident, with 64 readers of 64 cold objects
WALKER_MAX = 64 * MIB       # resident, of a Python that walks a million names
MOUNTED = "/mapped/many"


@contextlib.contextmanager
def many(bed, name, size, count, **settings):
    """A node before a server of so many objects, and the local file that all of them are like."""
    with Node(bed, name) as node:
        path = os.path.join(node.dir, "content")
        with open(path, "wb") as file:
            file.write(os.urandom(size))
        with ManyObjects(path, count) as server:
            node.settings = {"AWS_ENDPOINT_URL_S3": server.url, "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}", **settings}
            yield node, server


def peak(pid):
    """The most that a process ever had in memory, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+) kB", file.read()).group(1)) << 10


def sanitized(bed):
    """Shadow memory and quarantine would be measured, not the agent."""
    with open(bed.agent, "rb") as file:
        return b"__asan_init" in file.read() or b"__tsan_init" in open(bed.agent, "rb").read()


def case_memory_of_many_readers(bed):
    """64 processes read 64 cold objects at once, over a network where all windows open."""
    with many(bed, "readers", 32 * MIB, READERS) as (node, server):
        server.rule = lambda path: 0.03
        jobs = [job.start(["cmp", f"{MOUNTED}/{server.name(number)}", server.path], node.env(), err=subprocess.PIPE)
                for number in range(READERS)]
        for process in jobs:
            err = process.communicate(timeout=120)[1]
            check.equal("cmp: exit status", process.returncode, 0, err.decode())
        pid, = node.pids()
        if not sanitized(bed):
            check.that(peak(pid) < AGENT_MAX, f"the agent took {peak(pid) / MIB:.0f} MiB for {READERS} readers")
        memory = node.status()["memory"]
        check.that(memory["resident_peak_bytes"] >= 16 * MIB, f"status: {memory}")
        check.that(0 < memory["buffer_bytes"] <= memory["buffer_peak_bytes"] < AGENT_MAX, f"status: {memory}")


def case_memory_of_a_walk(bed):
    """A Python that walks a million names, and looks at some of them: neither it nor the agent grows with them."""
    count = 1_000_000
    text = (f"import os\nn = size = 0\nfor e in os.scandir({MOUNTED!r}):\n"
            "    n += e.is_file()\n    if n % 50 == 0: size += e.stat().st_size\n"
            "print(n, size, [line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0])\n")
    with many(bed, "walk", 4096, count) as (node, server):
        done = job.run([bed.python, "-c", text], node.env(), deadline_s=240)
        check.equal("exit status", done.status, 0, done.errors)
        seen, size, most_kib = map(int, done.text.split())
        check.equal("names", seen, count)
        check.equal("sizes", size, count // 50 * 4096)
        check.equal("requests", (server.requests["LIST"] <= 1001, server.requests["HEAD"], server.requests["GET"]), (True, 1, 0),
                    str(server.requests))
        if not sanitized(bed):
            check.that(most_kib << 10 < WALKER_MAX, f"the walker took {most_kib >> 10} MiB")
            pid, = node.pids()
            check.that(peak(pid) < AGENT_MAX // 2, f"the agent took {peak(pid) / MIB:.0f} MiB for {count} names")
        memory = node.status()["memory"]
        check.that(0 < memory["metadata_bytes"] <= memory["metadata_limit_bytes"], f"status: {memory}")
        check.that(memory["metadata_names"] < count, f"status: {memory}")
        check.that(0 < memory["listing_bytes"] <= memory["listing_limit_bytes"], f"status: {memory}")


def case_ls_costs_ten_requests(bed):
    """`ls -l` of 10,000 objects of a real S3: ten pages (and two looks at the directory's own name), not one look at
    a single object."""
    bucket = bed.store.make_bucket("ten")
    bed.store.put_all(bucket, [(f"ten/{number:05d}", b"x" * (number % 7)) for number in range(10_000)])
    with Scene(bed, "ls") as s:
        s.through_proxy(lambda r: None)
        done = job.run(["ls", "-ln", MOUNT], s.env(mapping=f"{MOUNT}=s3://{bucket}/ten"))
        check.equal("exit status", done.status, 0, done.errors)
        rows = done.text.splitlines()[1:]
        check.equal("names", len(rows), 10_000)
        check.equal("sizes", [int(row.split()[4]) for row in rows], [number % 7 for number in range(10_000)])
        lists = s.proxy.count(lambda r: r.is_list)
        check.that(lists <= 11 and s.proxy.count() <= 12, f"{lists} listings of {s.proxy.count()} requests",
                   "\n".join(s.proxy.names()))


def random_reads(bed, name, offsets, **settings):
    """The ranges that reads of 4 KiB at these offsets fetched, without the open's."""
    with Scene(bed, name, **settings) as s:
        s.through_proxy(lambda r: None)
        s.read("open", s.path("huge"), *[word for at in offsets for word in ("read", at, 4096)])
        wait_until(lambda: s.node.status()["blocks_in_flight"] == 0, 10)  # what nobody waited for comes, too
        ranges = [re.findall(r"\d+", r.range) for r in s.proxy.seen if r.fetched]
        return sorted((int(begin), int(to) + 1) for begin, to in ranges if begin != "0")


def case_random_reads_fetch_pieces(bed):
    """Of a 64th of a block, or of WARMPATH_READ_PIECE; the eighth brings the rest."""
    apart = [(5 << 20) + at * (1 << 20) for at in (0, 4, 9)]
    for piece, size, block in ((65536, "4K", "4M"), (16384, "4K", "1M"), (262144, "256K", "4M"), (1 << 20, "1M", "1M")):
        got = random_reads(bed, "piece", apart, WARMPATH_READ_PIECE=size, WARMPATH_BLOCK_SIZE=block)
        check.equal(f"pieces of {piece}", got, [(at, at + piece) for at in apart])
    across = [(5 << 20) - 100]
    check.equal("across", random_reads(bed, "across", across), [((5 << 20) - 65536, (5 << 20) + 65536)])


def case_the_eighth_random_read_brings_the_block(bed):
    places = [(8 << 20) + at * 262144 for at in (3, 12, 0, 7, 10, 5, 1, 14)]
    got = random_reads(bed, "eighth", places[:7])
    check.equal("bytes of seven", sum(to - begin for begin, to in got), 7 * 65536)
    got = random_reads(bed, "eighth", places)
    check.equal("bytes of eight", sum(to - begin for begin, to in got), 4 << 20)
