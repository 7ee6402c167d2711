"""Lazy maps whose blocks can't be had: SIGBUS and a line that names the cause, as a disk that fails; never zeros."""

import os
import signal
import threading
import time

import check
import job
import proxy
from node import wait_until
from scene import Conversation, Scene, content, digest

BLOCK = 65536
SIZE = 24 << 20
FAR = 20 << 20      # out of the reach of what is read ahead after the first touch

# Maps the file and does what the words say: `touch OFFSET`, `write OFFSET` (to a file), `wait`, `handle` (SIGBUS by
# faulthandler), `fork` (the rest happens in a child, whose signal is printed).
TOUCHER = """
import errno, faulthandler, hashlib, mmap, os, sys
view = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, access=mmap.ACCESS_READ)
words = iter(sys.argv[2:])
def part(at):
    return view[at:at + 1000]
for word in words:
    if word == "wait":
        print("waiting", flush=True)
        sys.stdin.readline()
    elif word == "handle":
        faulthandler.enable()
    elif word == "fork":
        child = os.fork()
        if child:
            print("child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            break
    else:
        at = int(next(words))
        if word == "write":
            try:
                print(at, os.write(os.memfd_create("copy"), memoryview(view)[at:at + 1000]), flush=True)
            except OSError as error:
                print(at, errno.errorcode[error.errno], flush=True)
            continue
        data = part(at)
        print(at, len(data), hashlib.sha256(data).hexdigest()[:16], flush=True)
"""


def lazy_scene(bed, name, **settings):
    return Scene(bed, name, WARMPATH_BLOCK_SIZE="64K", WARMPATH_MMAP="0", **settings)


def start(s, key, *words):
    return Conversation(s, [s.bed.python, "-c", TOUCHER, s.path(key), *map(str, words)], s.env())


def right(data, *offsets):
    return [f"{at} {digest(data[at:at + 1000])}" for at in offsets]


def origin_gone(bed, name, *words):
    """Up to `wait` S3 answers, then it fails. What the toucher said afterwards."""
    data = content(name, SIZE)
    with lazy_scene(bed, name, WARMPATH_DEADLINE=2) as s:
        key = s.put("object", data)
        fails = threading.Event()
        s.through_proxy(lambda request: proxy.status(503) if fails.is_set() else None)
        with start(s, key, "touch", 0, "wait", *words) as toucher:
            check.equal("while S3 answers", toucher.until_waiting(), right(data, 0))
            fails.set()
            return data, toucher.rest()


def case_lazy_origin_gone(bed):
    data, done = origin_gone(bed, "lazy-gone", "touch", 10, "touch", FAR, "touch", 0)
    check.equal("what was here", done.text.splitlines(), right(data, 10))
    check.equal("ended by", done.status, -signal.SIGBUS, done.errors)
    Scene.says(done, "object", "503|S3|origin")
    check.equal("lines", done.errors.count("warmpath: "), 1, done.errors)


def case_lazy_origin_gone_with_a_handler(bed):
    """The job's own handler is called, as for a disk that fails."""
    data, done = origin_gone(bed, "lazy-handler", "handle", "touch", 10, "touch", FAR)
    check.equal("what was here", done.text.splitlines(), right(data, 10))
    check.equal("ended by", done.status, -signal.SIGBUS, done.errors)
    check.match("faulthandler", done.errors, "Fatal Python error: Bus error")
    check.match("faulthandler", done.errors, "in part")


def case_lazy_origin_gone_in_a_call(bed):
    """A call that is handed what can't be had fails, and the job goes on."""
    data, done = origin_gone(bed, "lazy-call", "write", FAR, "write", 5, "touch", 20)
    check.equal("output", done.text.splitlines(), [f"{FAR} EFAULT", "5 1000", *right(data, 20)], done.errors)
    check.equal("exit status", done.status, 0, done.errors)
    Scene.says(done, "object", "503|S3|origin")


def case_lazy_origin_gone_in_a_child(bed):
    data, done = origin_gone(bed, "lazy-child", "fork", "touch", 10, "touch", FAR)
    check.equal("output", done.text.splitlines(), [*right(data, 10), f"child: {-signal.SIGBUS}"], done.errors)


def case_lazy_origin_comes_back(bed):
    """It fails for less than the deadline: the touch waits."""
    data = content("lazy-back", SIZE)
    with lazy_scene(bed, "lazy-back", WARMPATH_DEADLINE=30) as s:
        key = s.put("object", data)
        fails = threading.Event()
        s.through_proxy(lambda request: proxy.status(503) if fails.is_set() else None)
        with start(s, key, "touch", 0, "wait", "touch", FAR) as toucher:
            toucher.until_waiting()
            fails.set()
            threading.Timer(2, fails.clear).start()
            done = toucher.rest()
        check.equal("output", done.text.splitlines(), right(data, FAR), done.errors)


def replaced(bed, name, change):
    old = content(name, SIZE)
    with lazy_scene(bed, name) as s:
        key = s.put("object", old)
        with start(s, key, "touch", 0, "wait", "touch", 100, "touch", FAR) as toucher:
            check.equal("before", toucher.until_waiting(), right(old, 0))
            change(s, key)
            done = toucher.rest()
        check.equal("what was here", done.text.splitlines(), right(old, 100), done.errors)
        check.equal("ended by", done.status, -signal.SIGBUS, done.errors)
        Scene.says(done, "object", "replaced|changed|deleted|gone")


def case_lazy_object_replaced(bed):
    replaced(bed, "lazy-replaced", lambda s, key: s.replace(key, content("another", SIZE)))


def case_lazy_object_deleted(bed):
    replaced(bed, "lazy-deleted", lambda s, key: bed.store.client.delete_object(Bucket=s.bucket, Key=key))


def case_lazy_agent_killed(bed):
    """A touch starts another agent."""
    data = content("lazy-killed", SIZE)
    with lazy_scene(bed, "lazy-killed") as s:
        key = s.put("object", data)
        with start(s, key, "touch", 0, "wait", "touch", FAR, "fork", "touch", FAR // 2) as toucher:
            toucher.until_waiting()
            before = s.node.pids()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            check.that(wait_until(lambda: not s.node.pids(), 10), "the agent lives")
            done = toucher.rest()
        check.equal("output", done.text.splitlines(), [*right(data, FAR, FAR // 2), "child: 0"], done.errors)
        check.that(s.node.pids() and s.node.pids() != before, "no other agent")


def case_lazy_evicted(bed):
    """Blocks that were mapped stay when the cache lets go of them; others come anew."""
    data = content("lazy-evicted", SIZE)
    with lazy_scene(bed, "lazy-evicted") as s:
        key = s.put("object", data)
        with start(s, key, "touch", 0, "touch", FAR, "wait", "touch", 0, "touch", FAR, "touch", FAR // 2) as toucher:
            toucher.until_waiting()
            s.node.tool("evict")
            check.that(wait_until(lambda: s.node.status()["store"]["used_bytes"] == 0, 10), "blocks are left")
            done = toucher.rest()
        check.equal("output", done.text.splitlines(), right(data, 0, FAR, FAR // 2), done.errors)


STRESS = """
import hashlib, mmap, os, random, sys, threading
path, want, seed = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3])
def reader(n):
    rng = random.Random(seed * 100 + n)
    for _ in range(12):
        view = mmap.mmap(os.open(path, os.O_RDONLY), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE * (n % 2))
        for _ in range(40):
            at = rng.randrange(len(want) - 70000)
            if view[at:at + 70000] != want[at:at + 70000]:
                print("wrong at", at, flush=True)
            if rng.random() < .1:
                child = os.fork()
                if child == 0:
                    at = rng.randrange(len(want) - 70000)
                    os._exit(view[at:at + 70000] != want[at:at + 70000])
                if os.waitpid(child, 0)[1]:
                    print("a child was wrong", flush=True)
threads = [threading.Thread(target=reader, args=(n,)) for n in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")
"""


def case_lazy_stress(bed):
    """Threads that map and touch, children among them, a cache that never holds it all, and an agent that dies."""
    data = content("lazy-stress", SIZE)
    with lazy_scene(bed, "lazy-stress", WARMPATH_CACHE_SIZE="8M") as s:
        key = s.put("object", data)
        local = os.path.join(s.node.dir, "local")
        with open(local, "wb") as file:
            file.write(data)
        process = job.start([bed.python, "-c", STRESS, s.path(key), local, "1"], s.env(), out=-1, err=-1, text=True)
        for _ in range(4):
            time.sleep(1.5)
            for pid in s.node.pids():
                os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        check.equal("output", out, "done\n", err)
        check.equal("exit status", process.returncode, 0, err)
