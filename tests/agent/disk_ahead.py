"""Blocks that are stored, but not in the page cache: who reads in sequence finds them there."""

import ctypes
import glob
import mmap
import os
import time

import check
from hints import MIB, Hints
from node import wait_until

BLOCK = 4 * MIB
libc = ctypes.CDLL(None, use_errno=True)


class Stored:
    """A scene in which all of `huge` is stored, and none of it in the page cache."""

    def __init__(self, bed, name):
        self.hints = Hints(bed, name)

    def __enter__(self):
        h = self.hints.__enter__()
        h.s.right(h.s.read("cat", h.s.path("huge")), "huge")
        self.files = sorted(glob.glob(f"{h.s.node.cache}/blocks/*/*-*"), key=lambda path: path[-8:])
        check.equal("blocks", len(self.files), 6)
        h.s.node.stop()  # and with it what it knows of who reads how
        for path in self.files:
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
        self.can_tell = not any(self.resident(i) for i in range(6))  # else: a file system in memory
        return self

    def __exit__(self, *ignored):
        self.hints.__exit__()

    def resident(self, i):
        """How much of a block's file is in the page cache, in pages."""
        with open(self.files[i], "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as view:
            there = (ctypes.c_ubyte * (len(view) // 4096 + 1))()
            byte = ctypes.c_char.from_buffer(view)
            failed = libc.mincore(ctypes.c_void_p(ctypes.addressof(byte)), ctypes.c_size_t(len(view)), there)
            del byte
            check.equal("mincore", failed, 0)
            return sum(page & 1 for page in there)

    def whole(self, i):
        return self.resident(i) >= BLOCK // 4096


def case_disk_read_ahead_of_a_run(bed):
    """Small reads of the first two blocks bring the next four, which nobody asked for."""
    with Stored(bed, "diskrun") as s:
        s.hints.run("huge", "read", 0, 4096, "read", BLOCK, 4096)
        if s.can_tell:
            check.that(wait_until(lambda: all(s.whole(i) for i in range(2, 6)), 10), f"{[s.resident(i) for i in range(6)]} pages")


def case_disk_random_reads_bring_nothing(bed):
    with Stored(bed, "diskrandom") as s:
        s.hints.run("huge", "read", 3 * BLOCK + 4096, 4096)
        time.sleep(0.3)
        if s.can_tell:
            check.equal("pages of the others", [s.resident(i) for i in (1, 2, 4, 5)], [0] * 4)


def case_disk_read_ahead_after_a_reboot(bed):
    """Blocks are verified ahead, too: their time says that they were."""
    with Stored(bed, "diskboot") as s:
        node = s.hints.s.node
        node.stop()
        with open(f"{node.cache}/boot", "r+") as file:
            text = file.read()
            file.seek(0)
            file.write("another" + text[7:])
        for path in s.files:
            os.utime(path, (1e9, 1e9))
        s.hints.run("huge", "read", 0, 4096, "read", BLOCK, 4096)
        verified = lambda i: os.stat(s.files[i]).st_mtime > 1e9
        check.that(wait_until(lambda: all(map(verified, range(6))), 10), f"{[verified(i) for i in range(6)]}")
