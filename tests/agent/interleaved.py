"""Eight workers read one cold object through one descriptor, each a part of it from beginning to end: the agent sees eight
sequential readers, and has more than one block of each under way."""

import os
import threading
import time

import check
import job
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import Node

MIB = 1 << 20
SIZE = 64 * MIB
BLOCK = MIB
WORKERS = 8
LATENCY_S = 0.04
MOUNTED = "/mapped/many"

# mapped file, local one: each worker compares its part.
WORK = """
import os, sys, threading
a, b = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
part, step = os.fstat(b).st_size // {workers}, 131072
def work(number):
    for at in range(number * part, (number + 1) * part, step):
        assert os.pread(a, step, at) == os.pread(b, step, at), at
"""
BY_FORK = WORK + """
def child(number):
    if (pid := os.fork()) == 0:
        status = 1
        try:
            work(number)
            status = 0
        finally:
            os._exit(status)
    return pid
for pid in [child(number) for number in range({workers})]:
    assert os.waitpid(pid, 0)[1] == 0
"""
BY_THREADS = WORK + """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor({workers}) as pool:
    list(pool.map(work, range({workers})))
"""


class UnderWay:
    """A rule that holds each request for a while, and counts how many are held at once."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, path):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(LATENCY_S)
        with self.lock:
            self.now -= 1


def interleaved(bed, name, program):
    with Node(bed, name) as node:
        path = os.path.join(node.dir, "content")
        with open(path, "wb") as file:
            file.write(os.urandom(SIZE))
        with ManyObjects(path, 1) as server:
            server.rule = UnderWay()
            node.settings = {"AWS_ENDPOINT_URL_S3": server.url, "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}",
                             "WARMPATH_BLOCK_SIZE": str(BLOCK)}
            done = job.run([bed.python, "-c", program.format(workers=WORKERS), f"{MOUNTED}/{server.name(0)}", path], node.env(),
                           deadline_s=60)
            check.equal("exit status", done.status, 0, done.errors)
            got = node.counters()["s3_bytes"]
            check.that(got <= 1.1 * SIZE, f"{got / MIB:.0f} MiB fetched of {SIZE / MIB:.0f}")
            check.that(server.rule.most >= 2 * WORKERS, f"{server.rule.most} requests at once, at the most")


def case_forked_workers_share_a_descriptor(bed):
    interleaved(bed, "forked", BY_FORK)


def case_threads_share_a_descriptor(bed):
    interleaved(bed, "threads", BY_THREADS)
