"""A cache disk that is full, by blocks or by inodes (needs root and a loop device): every byte is right, each block is
fetched once, memory takes what the disk doesn't, within bounds, and the disk is used again when it has room."""

import contextlib
import os
import re
import threading

import check
import job
from disk import MIB, own_disk
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import Node, wait_until

BLOCK = 4 * MIB
MEMORY_MAX = 256 * MIB      # blocks in the agent's memory
SLACK = 48 * MIB            # readers' own, and those under way
SIZE = 640 * MIB
FETCHED_MOST = SIZE + SIZE // 10    # late answers are asked for twice (policy/hedge), and what the disk took first may go
MOUNTED = "/mapped/many"

# Compares the mapped file with a local one.
READ = ("import sys\nn = int(sys.argv[3])\na, b = (open(p, 'rb', buffering=0) for p in sys.argv[1:3])\n"
        "while True:\n    x, y = a.read(n), b.read(n)\n    assert x == y\n    if not x: break\n")
SLOWLY = READ.replace("import sys", "import sys, time").replace("    assert", "    if a.tell() % (8 << 20) == 0: time.sleep(0.3)\n    assert")
PREAD = ("import os, random, sys\na, b = (os.open(p, os.O_RDONLY) for p in sys.argv[1:3])\nsize = os.fstat(a).st_size\n"
         "seeded = random.Random(1)\nfor _ in range(1000):\n    at = seeded.randrange(size - 9000)\n"
         "    assert os.pread(a, 9000, at) == os.pread(b, 9000, at)\n")
MAP = ("import mmap, os, sys\na, b = (mmap.mmap(os.open(p, os.O_RDONLY), 0, prot=mmap.PROT_READ) for p in sys.argv[1:3])\n"
       "for at in range(0, len(a), 1 << 20): assert a[at:at + (1 << 20)] == b[at:at + (1 << 20)]\n")


@contextlib.contextmanager
def full_disk(bed, name, size=SIZE, disk_size=96 * MIB, inodes=None, objects=1, **settings):
    """A node on a disk of its own, before a server of objects that are all like one local file."""
    with Node(bed, name) as node:
        content = os.path.join(node.dir, "content")
        with open(content, "wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        with ManyObjects(content, objects) as server, own_disk(node, disk_size, inodes) as disk:
            node.settings = {"AWS_ENDPOINT_URL_S3": server.url, "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}", **settings}
            yield node, server, disk


def compare(bed, node, server, program=READ, argument=1 << 18, number=0):
    done = job.run([bed.python, "-c", program, f"{MOUNTED}/{server.name(number)}", server.path, str(argument)], node.env())
    check.equal("exit status", done.status, 0, done.errors)
    check.equal("standard error", done.errors, "")


def memory_files(pids):
    """Bytes of the blocks in memory that these processes hold: open, or mapped."""
    found = {}
    for pid in pids:
        for folder in ("fd", "map_files"):
            with contextlib.suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/{folder}"):
                    path = f"/proc/{pid}/{folder}/{name}"
                    with contextlib.suppress(OSError):
                        if os.readlink(path).startswith("/memfd:warmpath block"):
                            status = os.stat(path)
                            found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


class Watch:
    """The most that all processes of a node hold of blocks in memory, while the `with` block runs."""

    def __init__(self, node):
        self.node, self.most, self.ended = node, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.wait(0.02):
            pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]
            self.most = max(self.most, memory_files([pid for pid in pids if self.is_ours(pid)]))

    def is_ours(self, pid):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"WARMPATH_SOCKET={self.node.socket}\0".encode() in file.read()
        return False

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        self.ended.set()
        self.thread.join()


def read_at_full_disk(bed, name, program, argument=0, most_bytes=MEMORY_MAX + SLACK):
    with full_disk(bed, name) as (node, server, disk):
        disk.fill(6 * MIB)
        with Watch(node) as watch:
            compare(bed, node, server, program, argument)
        check.that(watch.most <= most_bytes, f"{watch.most / MIB:.0f} MiB of blocks in memory")
        status = node.status()
        store = status["store"]
        check.that(store["full"] and 0 < store["memory_bytes"] <= store["memory_limit_bytes"] == MEMORY_MAX, f"status: {store}")
        check.match("status", node.tool("status").text, "FULL")
        with open(os.path.join(node.cache, "agent.log")) as file:
            said = re.findall("the disk is full.*free space there.*WARMPATH_CACHE_SIZE", file.read())
        check.equal("lines in agent.log", len(said), 1)
        return status["counters"]["s3_bytes"]


def case_full_disk_large_reads(bed):
    got = read_at_full_disk(bed, "large", READ, 1 << 18)
    check.that(got <= FETCHED_MOST, f"{got / MIB:.0f} MiB fetched")


def case_full_disk_small_reads(bed):
    """These map what is on the disk; what is in memory they must not, as it would stay as long as the file is open."""
    got = read_at_full_disk(bed, "small", READ, 1 << 14)
    check.that(got <= FETCHED_MOST, f"{got / MIB:.0f} MiB fetched")


def case_full_disk_random_reads(bed):
    read_at_full_disk(bed, "random", PREAD)


def case_full_disk_mapped(bed):
    """A map holds what was touched of it, and no more."""
    got = read_at_full_disk(bed, "map", MAP, most_bytes=SIZE + MEMORY_MAX + SLACK)
    check.that(got <= FETCHED_MOST, f"{got / MIB:.0f} MiB fetched")


def case_full_disk_many_readers(bed):
    """Of one object: what one fetched serves the others, out of memory."""
    with full_disk(bed, "many", 64 * MIB) as (node, server, disk):
        disk.fill(6 * MIB)
        jobs = [job.start(["cmp", f"{MOUNTED}/{server.name(0)}", server.path], node.env()) for _ in range(8)]
        for process in jobs:
            check.equal("cmp", process.wait(60), 0)
        got = node.counters()["s3_bytes"]
        check.that(got <= 64 * MIB + 5 * BLOCK, f"{got / MIB:.0f} MiB fetched")
        compare(bed, node, server)
        again = node.counters()["s3_bytes"] - got   # perhaps what the disk took first, and let go of
        check.that(again <= 3 * BLOCK, f"{again / MIB:.0f} MiB fetched by another reading")


def case_full_disk_many_objects(bed):
    """Each of them would be read ahead of its slow reader, by more than memory holds for all: that is held back, and
    nothing comes twice."""
    size, count = 64 * MIB, 12
    with full_disk(bed, "objects", size, objects=count) as (node, server, disk):
        disk.fill(6 * MIB)
        server.rule = lambda path: 0.03
        with Watch(node) as watch:
            jobs = [job.start([bed.python, "-c", SLOWLY, f"{MOUNTED}/{server.name(number)}", server.path, str(1 << 18)], node.env())
                    for number in range(count)]
            for process in jobs:
                check.equal("exit status", process.wait(90), 0)
        check.that(watch.most <= MEMORY_MAX + count * BLOCK + SLACK, f"{watch.most / MIB:.0f} MiB of blocks in memory")
        got = node.counters()["s3_bytes"]
        check.that(got <= count * (size + 2 * BLOCK), f"{got / MIB:.0f} MiB fetched of {count * size / MIB:.0f}")


def case_full_disk_small_files(bed):
    """Whole objects of one block, as an open brings them."""
    with full_disk(bed, "files", MIB, objects=400) as (node, server, disk):
        disk.fill(2 * MIB)
        with Watch(node) as watch:
            for program, argument in ((READ, 1 << 14), (READ, 1 << 20)):
                text = ("import sys\nfor number in range(400):\n    sys.argv[1] = f'" + MOUNTED + "/{number:07d}'\n    exec(" + repr(program) + ")\n")
                compare(bed, node, server, text, argument)
        check.that(watch.most <= MEMORY_MAX + SLACK, f"{watch.most / MIB:.0f} MiB of blocks in memory")


def case_full_disk_gets_room(bed):
    """Somebody else's file goes: the disk takes blocks again, and what it took is found without S3."""
    with full_disk(bed, "room", 128 * MIB, 512 * MIB) as (node, server, disk):
        ballast = disk.fill(6 * MIB)
        compare(bed, node, server)
        check.that(node.status()["store"]["full"], "the disk isn't full")
        os.unlink(ballast)
        node.tool("evict")
        check.that(wait_until(lambda: not node.status()["store"]["emptying"], 10), "still emptying")

        def stored():
            node.tool("evict")
            compare(bed, node, server)
            return not node.status()["store"]["full"]
        check.that(wait_until(stored, 30), f"nothing is stored again: {node.status()['store']}")
        compare(bed, node, server)
        server.rule = lambda path: 60
        asked = server.requests["GET"]
        compare(bed, node, server)
        check.equal("GETs", server.requests["GET"], asked)
        store = node.status()["store"]
        check.that(store["used_bytes"] >= 100 * MIB, f"status: {store}")


def case_full_disk_lets_old_blocks_go(bed):
    """Without inodes no file can be made, though statvfs tells of room: the oldest blocks make way."""
    with full_disk(bed, "inodes", 32 * MIB, 1 << 30, inodes=48, objects=4, WARMPATH_BLOCK_SIZE="1M") as (node, server, disk):
        for number in range(4):
            compare(bed, node, server, number=number)
        check.that(node.counters()["evicted_blocks"] > 0, "nothing was evicted")
        check.that(wait_until(lambda: (compare(bed, node, server, number=3), not node.status()["store"]["full"])[1], 30),
                   f"status: {node.status()['store']}")
