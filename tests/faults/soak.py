"""All faults mixed, by seed, over thousands of reads of several processes: every byte compared.

    tests/run --only faults --filter soak --seed 7 --ops 100000      longer, or the same again
"""

import json
import os
import random
import subprocess
import threading
import time

import check
import job
import proxy
from scene import MOUNT, Scene, content
from surroundings import Surroundings

SOAKER = os.path.join(os.path.dirname(os.path.abspath(job.__file__)), "soaker.py")
JOBS = 12
READS = 2000            # of all jobs together, where nothing else is asked for
FILES = {"one": 5_000_001, "two": 2_000_000, "tiny": 10, "three": 6 << 20}
SLOW_DOWN = b"<Error><Code>SlowDown</Code></Error>"


def other_range(answer):
    proxy.set_header(answer, "Content-Range", "bytes 7-70/4096")


def flip(answer):
    """Says it is another version."""
    proxy.set_header(answer, "ETag", '"00000000000000000000000000000000"')


def shift(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


def faults(dice):
    """(weight, fault) for one request; sizes and times are drawn anew."""
    return [
        (3, lambda: proxy.cut(dice.randrange(70_000))),
        (2, lambda: proxy.cut_headers(dice.randrange(1, 200))),
        (3, lambda: proxy.reset()),
        (2, lambda: proxy.shorten(dice.randrange(1, 1000))),
        (2, lambda: proxy.garbage()),
        (2, lambda: proxy.delay(dice.random() * 0.3)),
        (2, lambda: proxy.drip(dice.randrange(1, 9000), 0.02, 5)),
        (1, lambda: proxy.stall(dice.randrange(70_000), 1.5)),
        (1, lambda: proxy.hang(1.5)),
        (2, lambda: proxy.status(500, b"<Error><Code>InternalError</Code></Error>")),
        (2, lambda: proxy.status(503, b"")),
        (1, lambda: proxy.status(503, SLOW_DOWN)),
        (1, lambda: proxy.status(503, SLOW_DOWN, headers=[("Retry-After", "1")])),
        (1, lambda: proxy.status(503, SLOW_DOWN, headers=[("Retry-After", shift(1))])),
        (1, lambda: proxy.status(429, b"", headers=[("Retry-After", "0")])),
        (1, lambda: proxy.change(other_range)),
        (1, lambda: proxy.with_header("Content-Range", None)),
        (1, lambda: proxy.status(200, b"<html>log in</html>" * 9, "text/html")),
        (1, lambda: proxy.status(200, b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>")),
        (1, lambda: proxy.change(flip)),
    ]


class Mixer:
    """The proxy's rule: most requests pass, some meet a fault, a few expired keys."""

    def __init__(self, seed, around):
        self.dice = random.Random(seed)
        self.around = around
        self.lock = threading.Lock()
        self.on = True
        self.count = 0
        self.table = faults(self.dice)
        self.expired_s = time.monotonic()

    def rule(self, request):
        fault = self.around.rule(request)
        with self.lock:
            if fault or not self.on:
                return fault
            if time.monotonic() - self.expired_s > 3:       # keys younger than a second are not renewed
                self.expired_s = time.monotonic()
                return proxy.status(400, b"<Error><Code>ExpiredToken</Code></Error>")
            if self.dice.random() > 0.1:
                return None
            self.count += 1
            weights = [weight for weight, _ in self.table]
            return self.dice.choices([make for _, make in self.table], weights)[0]()


def put_files(s):
    """Objects of this case alone: (path, seed, size)."""
    found = []
    for name, size in FILES.items():
        key = s.put(name, content(f"soak-{name}", size))
        found.append(f"{s.path(key)}:soak-{name}:{size}")
    return found


def start(s, seed, reads, words, env):
    return job.start([s.bed.python, SOAKER, str(seed), str(reads), *words], s.env(**env),
                     out=subprocess.PIPE, err=subprocess.PIPE)


def finish(process, deadline_s):
    try:
        out, err = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        job.kill(process)
        raise check.Failure(f"a job of the soak was still running after {deadline_s} s") from None
    check.equal("exit status", process.returncode, 0, err.decode(errors="replace"))
    return json.loads(out), err.decode(errors="replace")


def case_soak(bed):
    seed = bed.chosen_seed if bed.chosen_seed is not None else 20_260
    reads = bed.chosen_ops or READS
    with Scene(bed, "soak", WARMPATH_DEADLINE="6", WARMPATH_BLOCK_SIZE="64K", WARMPATH_META_TTL="2", WARMPATH_CACHE_SIZE="8M") as s, \
            Surroundings(bed, s.node.dir) as around:
        around.lifetime_s = 6
        mixer = Mixer(seed, around)
        words, env = put_files(s), around.container()
        s.through_proxy(mixer.rule)
        mixer.on = False
        s.right(s.read("cat", s.path("small"), **env), "small")
        before, first = s.node.descriptors(), s.node.pids()
        mixer.on = True
        jobs = [start(s, seed + number, reads // JOBS, words, env) for number in range(JOBS)]
        results = [finish(process, 60 + reads // 20) for process in jobs]
        mixer.on = False
        check.equal("the agent", s.node.pids(), first, results[0][1])
        total = sum(result["reads"] for result, _ in results)
        errors = [name for result, _ in results for name, times in result["errors"].items() for _ in range(times)]
        for result, err in results:
            check.equal(f"wrong bytes (seed {seed})", result["wrong"], [], err)
        check.that(set(errors) <= {"EIO", "ESTALE"}, f"errnos that are not documented (seed {seed}): {set(errors)}", results[0][1])
        check.that(mixer.count > reads // 100, f"only {mixer.count} faults in {total} reads")
        check.that(len(errors) < total // 10, f"{len(errors)} of {total} reads failed: retries do not help", results[0][1])
        check.that(around.handed > 2, "the keys were never renewed")
        s.right(s.read("cat", s.path("big"), **env), "big")
        s.nothing_leaked(before)
