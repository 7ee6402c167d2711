"""Hints (posix_fadvise, readahead, madvise, MAP_POPULATE): what they bring, what they cost, and that
they fail and stop nobody."""

import os
import re
import signal
import subprocess
import time

import check
import job
import proxy
from node import wait_until
from scene import Scene, content

MIB = 1 << 20
OPEN = MIB  # what an open fetches of a cold object

PROGRAM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* PATH, then words: open PATH | advise N FROM LEN | readahead FROM LEN | read FROM LEN | map FLAGS |
 * madvise N FROM LEN | posix_madvise N FROM LEN | touch FROM LEN | mark | wait */
int main(int argc, char **argv) {
    static char buf[1 << 20];
    volatile char *map = NULL;
    char line[8];
    int fd = open(argv[1], O_RDONLY);
    long size = lseek(fd, 0, SEEK_END), n[4];
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (char **word = argv + 2; *word; word++) {
        const char *verb = *word;
        for (int i = 0; word[1] && strspn(word[1], "-0123456789") == strlen(word[1]) && i < 4; i++) n[i] = atol(*++word);
        if (!strcmp(verb, "open")) fd = open(*++word, O_RDONLY);
        if (!strcmp(verb, "advise")) printf("%d\n", posix_fadvise(fd, n[1], n[2], n[0]));
        if (!strcmp(verb, "readahead")) printf("%ld\n", (long)readahead(fd, n[0], n[1]));
        if (!strcmp(verb, "read")) printf("%ld\n", (long)pread(fd, buf, n[1], n[0]));
        if (!strcmp(verb, "map")) printf("%d\n", (map = mmap(NULL, size, PROT_READ, MAP_SHARED | n[0], fd, 0)) != MAP_FAILED);
        if (!strcmp(verb, "madvise")) printf("%d\n", madvise((char *)map + n[1], n[2], n[0]));
        if (!strcmp(verb, "posix_madvise")) printf("%d\n", posix_madvise((char *)map + n[1], n[2], n[0]));
        if (!strcmp(verb, "touch")) { long sum = 0; for (long at = n[0]; at < n[0] + n[1]; at += 4096) sum += map[at] & 1; printf("%d\n", sum >= 0); }
        if (!strcmp(verb, "mark")) getppid();
        if (!strcmp(verb, "wait")) { puts("waiting"); if (!fgets(line, sizeof line, stdin)) return 1; }
    }
    return 0;
}
"""
SEQUENTIAL, RANDOM, WILLNEED, DONTNEED = 2, 1, 3, 4  # of posix_fadvise and madvise alike
POPULATE = 0x8000


class Hints:
    """A scene with the program above and a proxy that counts."""

    def __init__(self, bed, name, **settings):
        self.s = Scene(bed, name, **settings)

    def __enter__(self):
        self.program = os.path.join(self.s.node.dir, "hints")
        subprocess.run(["gcc", "-O2", "-w", "-x", "c", "-", "-o", self.program], input=PROGRAM.encode(), check=True)
        self.s.through_proxy(lambda r: None)
        return self

    def __exit__(self, *ignored):
        self.s.__exit__()

    def command(self, key, words):
        return [self.program, self.s.path(key), *map(str, words)]

    def run(self, key, *words):
        """Runs it to its end; every number that it printed."""
        done = job.run(self.command(key, words), self.s.env())
        check.equal("exit status", done.status, 0, done.errors)
        self.s.silent(done)
        return [int(line) for line in done.text.split() if line != "waiting"]

    def fetched(self, key):
        """The ranges that were fetched of an object, in the order of their begin, once the agent is quiet."""
        seen = [-1]

        def quiet():
            before, seen[0] = seen[0], self.s.proxy.count()
            return before == seen[0] and all(r.status for r in list(self.s.proxy.seen))
        wait_until(quiet, 30, 0.4)
        asked = [r.range for r in self.s.proxy.seen if r.fetched and r.path.endswith("/" + key)]
        return sorted(tuple(map(int, re.findall(r"\d+", text or "0-0"))) for text in asked)

    def bytes(self, key):
        return sum(to + 1 - begin for begin, to in self.fetched(key))

    def whole_is_here(self, key):
        """A reader finds all of it, and S3 is asked for nothing more."""
        before = self.fetched(key)
        done = self.s.read("cat", self.s.path(key))
        self.s.right(done, key)
        check.equal("fetched by the reader", self.fetched(key), before)


def case_willneed_brings_it_all(bed):
    with Hints(bed, "willneed") as h:
        check.equal("results", h.run("huge", "advise", WILLNEED, 0, 0), [0])
        check.equal("bytes", h.bytes("huge"), 24 * MIB)
        check.that(len(h.fetched("huge")) <= 1 + 6, f"{h.fetched('huge')}")
        check.equal("hints", h.s.node.counters()["hints"], 1)
        h.whole_is_here("huge")


def case_readahead_brings_a_range(bed):
    with Hints(bed, "readahead") as h:
        check.equal("results", h.run("huge", "readahead", 8 * MIB, 8 * MIB), [0])
        check.equal("bytes", h.bytes("huge") - OPEN, 8 * MIB)
        check.equal("from, to", (h.fetched("huge")[1][0], h.fetched("huge")[-1][1]), (8 * MIB, 16 * MIB - 1))


def case_willneed_of_little_brings_little(bed):
    """Pieces of the blocks in which a small range begins and ends."""
    with Hints(bed, "little") as h:
        h.run("huge", "advise", WILLNEED, 10 * MIB + 100, 4096, "advise", WILLNEED, 16 * MIB - 100, 200)
        check.equal("fetched", h.fetched("huge")[1:],
                    [(10 * MIB, 10 * MIB + 65535), (16 * MIB - 65536, 16 * MIB - 1), (16 * MIB, 16 * MIB + 65535)])


def case_willneed_twice_fetches_once(bed):
    with Hints(bed, "twice") as h:
        words = ("advise", WILLNEED, 0, 0, "advise", WILLNEED, 5 * MIB, 9 * MIB, "readahead", 0, 24 * MIB)
        h.run("huge", *words)
        h.run("huge", *words)
        check.equal("bytes", h.bytes("huge"), 24 * MIB)


def case_willneed_is_bounded(bed):
    """Hints of any size from many processes bring no more than a quarter of the cache."""
    with Hints(bed, "bounded", WARMPATH_CACHE_SIZE="40M", WARMPATH_BLOCK_SIZE="1M") as h:
        many = [job.start(h.command("huge", ["advise", WILLNEED, at * MIB, 0, "readahead", 0, 1 << 40, "wait"]), h.s.env(),
                          stdin=subprocess.PIPE, out=subprocess.PIPE, text=True) for at in range(8)]
        for one in many:
            one.communicate("\n")
        took = h.bytes("huge") - OPEN
        check.that(8 * MIB <= took <= 10 * MIB + MIB, f"{took} bytes were fetched")


def case_willneed_to_an_odd_end_is_paid_for(bed):
    """Whole blocks come; the allowance is not given back for what lies behind an object's end."""
    with Hints(bed, "oddend", WARMPATH_CACHE_SIZE="40M", WARMPATH_BLOCK_SIZE="1M") as h:
        odd = [h.s.put("odd", content("odd", 2 * MIB + MIB // 2)) for _ in range(4)]
        for key in odd:
            h.run(key, "advise", WILLNEED, 0, 0)
            check.equal("fetched", h.bytes(key), 2 * MIB + MIB // 2)
        h.run("huge", "advise", WILLNEED, 0, 0)
        took = sum(h.bytes(key) - OPEN for key in (*odd, "huge"))
        check.that(took <= 10 * MIB + MIB, f"{took} bytes were fetched")


def case_willneed_not_any_more(bed):
    """DONTNEED takes back what was not asked for yet."""
    with Hints(bed, "takenback", WARMPATH_BLOCK_SIZE="1M") as h:
        h.s.proxy.rule = lambda r: proxy.delay(1) if r.is_block and (r.range or "").startswith("bytes=") else None
        hints = [word for at in range(1, 24) for word in ("advise", WILLNEED, at * MIB, MIB)]
        h.run("huge", *hints, "advise", DONTNEED, 0, 0)
        check.that(h.bytes("huge") <= OPEN + 13 * MIB, f"{h.fetched('huge')}")


def case_dontneed_evicts_nothing(bed):
    with Hints(bed, "dontneed") as h:
        h.s.right(h.s.read("cat", h.s.path("huge")), "huge")
        h.run("huge", "advise", DONTNEED, 0, 0)
        h.whole_is_here("huge")


SMALL_READS = [word for at in range(0, 6 * 65536, 4096) for word in ("read", 4 * MIB + at, 4096)]


def case_random_fetches_nothing_ahead(bed):
    """Reads that would be taken for a run; of another descriptor they still are."""
    with Hints(bed, "random") as h:
        h.run("huge", "advise", RANDOM, 0, 0, *SMALL_READS[:3 * 16 * 3])
        check.equal("bytes", h.bytes("huge") - OPEN, 3 * 65536)
        check.equal("ahead", h.s.node.counters()["prefetched_blocks"], 0)
        h.run("huge", "advise", RANDOM, 0, 0, "open", h.s.path("huge"), *SMALL_READS)
        check.that(h.s.node.counters()["prefetched_blocks"] >= 4, "nothing came ahead of the other descriptor")


def case_sequential_begins_at_once(bed):
    """One small read in the middle is no run, but where the job says so."""
    with Hints(bed, "sequential", WARMPATH_BLOCK_SIZE="1M") as h:
        h.run("huge", "read", 8 * MIB, 4096)
        check.equal("bytes", h.bytes("huge") - OPEN, 16384)
        h.run("huge", "advise", SEQUENTIAL, 0, 0, "read", 12 * MIB, 4096)
        check.equal("ahead", h.s.node.counters()["prefetched_blocks"], 8)
        check.equal("bytes", h.bytes("huge") - OPEN - 16384, 9 * MIB)


def lazy(bed, name, *words):
    """What is fetched by the program after it mapped an object of which much is absent."""
    with Hints(bed, name, WARMPATH_MMAP="1M") as h:
        check.equal("mapped", h.run("huge", "map", 0, *words)[0], 1)
        return h.fetched("huge")


def case_willneed_of_a_lazy_map(bed):
    for call in ("madvise", "posix_madvise"):
        fetched = lazy(bed, "lazy" + call, call, WILLNEED, 8 * MIB, 8 * MIB)
        check.equal("fetched", (fetched[1][0], fetched[-1][1]), (8 * MIB, 16 * MIB - 1))
        check.equal("bytes", sum(to + 1 - begin for begin, to in fetched[1:]), 8 * MIB)


def case_random_touches_of_a_lazy_map(bed):
    """Two touched blocks are a run, unless the job says that they aren't."""
    touches = ("touch", 8 * MIB, 4096, "touch", 12 * MIB, 4096)
    fetched = lazy(bed, "lazyrun", *touches)
    check.equal("to", fetched[-1][1], 24 * MIB - 1)
    fetched = lazy(bed, "lazyrandom", "madvise", RANDOM, 0, 24 * MIB, *touches)
    check.equal("fetched", fetched[1:], [(8 * MIB, 12 * MIB - 1), (12 * MIB, 16 * MIB - 1)])
    fetched = lazy(bed, "lazysequential", "madvise", SEQUENTIAL, 0, 24 * MIB, *touches[:3])
    check.equal("to", fetched[-1][1], 24 * MIB - 1)


def case_populate_fetches_side_by_side(bed):
    """MAP_POPULATE waits for all of it, and asks for all of it at once."""
    with Hints(bed, "populate") as h:
        together = []

        def rule(r):
            together.append(h.s.proxy.count(lambda other: other.is_block and not other.status))
            return proxy.delay(1)
        h.s.proxy.rule = rule
        check.equal("results", h.run("huge", "map", POPULATE, "touch", 0, 24 * MIB), [1, 1])
        check.equal("bytes", h.bytes("huge"), 24 * MIB)
        check.equal("under way together", max(together), 6)


def case_hints_that_fail_are_silent(bed):
    """S3 refuses what a hint asks for: nobody hears of it but a reader, and the hint is dropped."""
    with Hints(bed, "hintfails", WARMPATH_BLOCK_SIZE="1M", WARMPATH_DEADLINE="1") as h:
        s, refused = h.s, proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>")
        s.proxy.rule = lambda r: refused if r.is_block and r.range != "bytes=0-1048575" else None
        check.equal("results", h.run("huge", *[w for at in range(1, 24) for w in ("advise", WILLNEED, at * MIB, MIB)]), [0] * 23)
        h.fetched("huge")
        asked = s.proxy.count(lambda r: r.is_block)
        check.that(asked <= 1 + 2 * 12, f"{asked} requests")
        s.proxy.rule = lambda r: None
        s.right(s.read("cat", s.path("huge")), "huge")


def case_hints_do_not_wait(bed):
    """Neither for S3, nor for an agent that is stopped or gone."""
    with Hints(bed, "nowait") as h:
        s, words = h.s, ["wait", *["advise", WILLNEED, 0, 0, "readahead", 0, 1 << 40] * 50, "wait"]
        s.proxy.rule = lambda r: proxy.hang(20) if r.is_block and r.range != "bytes=0-1048575" else None
        for fault in (None, signal.SIGSTOP, signal.SIGKILL):
            process = job.start(h.command("huge", words), s.env(), stdin=subprocess.PIPE, out=subprocess.PIPE, text=True, bufsize=1)
            check.equal("first", process.stdout.readline(), "waiting\n")
            agents = s.node.pids()
            for pid in agents if fault else ():
                os.kill(pid, fault)
            began = time.monotonic()
            process.stdin.write("\n")
            process.stdin.flush()
            results = [process.stdout.readline() for _ in range(100)]
            took = time.monotonic() - began
            for pid in agents if fault == signal.SIGSTOP else ():
                os.kill(pid, signal.SIGCONT)
            process.communicate("\n")
            check.equal("results", set(results), {"0\n"})
            check.that(took < 2, f"a hundred hints took {took:.1f} s")


def between_marks(h, *words):
    """The system calls that the program makes for these words, without its own lines of output, and without
    getpid(), by which every message begins."""
    record = os.path.join(h.s.node.dir, "record")
    env = h.s.env()
    preload = env.pop("LD_PRELOAD")
    command = h.command("huge", ["read", 0, 4096, "mark", *words, "mark"])
    done = job.run(["strace", "-o", record, "-E", f"LD_PRELOAD={preload}", *command], env)
    check.equal("exit status", done.status, 0, done.errors)
    with open(record) as file:
        names = re.findall(r"^(\w+)\(", file.read(), re.M)
    begin = names.index("getppid")
    return [name for name in names[begin + 1:names.index("getppid", begin + 1)] if name not in ("write", "getpid")]


def case_hints_cost_one_message(bed):
    with Hints(bed, "hintcost") as h:
        check.equal("willneed", between_marks(h, "advise", WILLNEED, 8 * MIB, MIB), ["sendmsg"])
        check.equal("readahead", between_marks(h, "readahead", 8 * MIB, MIB), ["sendmsg"])
        check.equal("others", between_marks(h, "advise", RANDOM, 0, 0, "advise", SEQUENTIAL, 0, 0, "advise", DONTNEED, 0, 0), [])
