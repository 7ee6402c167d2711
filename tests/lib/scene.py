"""What a fault or agent case plays in: a bucket with known objects, a node, the tiny reader.

    with Scene(bed, "cut") as s:
        job = s.read("cat", s.path("big"))
        s.right(job, "big")

Objects: `small` (100 bytes), `big` (9 MiB), `huge` (24 MiB), `dir/file`. They are the same for
all scenes; a case that changes an object puts one of its own with `put`.
"""

import hashlib
import itertools
import os
import random
import subprocess
import threading

import check
import job
from node import Node, wait_until
from proxy import Proxy

MOUNT = "/mapped/scene"
READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reader.py")
_lock = threading.Lock()
_shared = {}
_numbers = itertools.count(1)


def content(seed, size):
    return random.Random(seed).randbytes(size)


def objects():
    return {"small": content("small", 100), "big": content("big", 9 << 20),
            "huge": content("huge", 24 << 20), "dir/file": b"below a directory\n"}


def shared_bucket(bed):
    """The bucket that all scenes read, made at first need."""
    with _lock:
        if "bucket" not in _shared:
            _shared["objects"] = objects()
            _shared["bucket"] = bed.store.make_bucket("scene")
            bed.store.put_all(_shared["bucket"], _shared["objects"].items())
        return _shared["bucket"], dict(_shared["objects"])


def digest(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()[:16]}"


class Scene:
    def __init__(self, bed, name, **settings):
        self.bed = bed
        self.bucket, self.objects = shared_bucket(bed)
        self.node = Node(bed, name)
        self.node.settings = dict(settings)
        self.proxy = None

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        if self.proxy:
            self.proxy.close()
        self.node.close()

    @property
    def mapping(self):
        return f"{MOUNT}=s3://{self.bucket}"

    @staticmethod
    def path(key):
        return f"{MOUNT}/{key}"

    def put(self, key, data):
        """An object of this case's own. The key is made unique; returned is what to ask for."""
        key = f"own-{next(_numbers)}/{key}"
        self.replace(key, data)
        return key

    def replace(self, key, data):
        self.objects[key] = data
        self.bed.store.put(self.bucket, key, data)

    def through_proxy(self, rule):
        """Puts the fault proxy between the agent and S3."""
        self.proxy = Proxy(self.bed.endpoint)
        self.proxy.rule = rule
        self.node.settings["AWS_ENDPOINT_URL_S3"] = self.proxy.url
        return self.proxy

    def env(self, **settings):
        return self.node.env(settings.pop("mapping", self.mapping), **settings)

    def read(self, *words, deadline_s=60, **settings):
        """Runs the tiny reader to its end; it must exit with 0."""
        done = job.run([self.bed.python, READER, *map(str, words)], self.env(**settings),
                       deadline_s=deadline_s)
        check.equal("reader: exit status", done.status, 0, done.errors)
        return done

    def start(self, *words, **settings):
        """Starts the reader with pipes at standard input and output; see Conversation."""
        return Conversation(self, [self.bed.python, READER, *map(str, words)], self.env(**settings))

    def right(self, done, *keys):
        """The reader `cat` these keys and all was right."""
        want = "".join(f"{self.path(key)} {digest(self.objects[key])}\n" for key in keys)
        check.equal("data", done.text, want, done.errors)

    def refused(self, done, key, *errnos):
        """The reader's `cat` of this key failed with one of these, after nothing but right bytes."""
        self.right_or_refused(done, key, *errnos, right=False)

    def right_or_refused(self, done, key, *errnos, right=True):
        text = done.text.strip()
        path, data = self.path(key), self.objects.get(key, b"")
        if right and text == f"{path} {digest(data)}":
            return
        words = text.split()
        check.that(len(words) == 5 and words[0] == path and words[1] in errnos,
                   f"want {' or '.join(errnos)}{' or right data' if right else ''}, "
                   f"the reader printed {check.short(text)!r}", done.errors)
        check.equal("bytes read before the error", " ".join(words[3:]), digest(data[:int(words[3])]),
                    done.errors)

    def nothing_leaked(self, before):
        """Once no job runs, the agent lives and holds no more files than it did `before`."""
        pids, held = self.node.pids(), {}
        self.node.tool("evict")  # incomplete blocks are kept for the next reader, open

        def settled():
            held.update(self.node.descriptors())
            return held["block"] <= before["block"]
        check.equal("agents", len(pids), 1)
        check.that(wait_until(settled, 20), f"the agent holds {held}, before it was {before}")
        # Placeholders of files that were opened lately are kept, connections to S3 too.
        check.that(held["memory"] <= before["memory"] + 64, f"the agent holds {held}, before it was {before}")
        check.that(held["socket"] <= before["socket"] + 2 * 64 + 8, f"the agent holds {held['socket']} sockets")

    @staticmethod
    def says(done, *patterns):
        """One line of `warmpath:` on standard error matches all of these (without case)."""
        lines = [line for line in done.errors.splitlines() if line.startswith("warmpath: ")]
        wanted = "".join(f"(?=.*(?:{pattern}))" for pattern in patterns)
        check.match("standard error", "\n".join(lines), f"(?i)^{wanted}", done.errors)

    @staticmethod
    def silent(done):
        check.equal("standard error", done.errors, "")


class Conversation:
    """A running reader that waits where the test wants it to."""

    def __init__(self, scene, command, env):
        self.process = job.start(command, env, stdin=subprocess.PIPE, out=subprocess.PIPE,
                                 err=subprocess.PIPE, text=True, bufsize=1)
        self.watchdog = threading.Timer(60, self.process.kill)
        self.watchdog.start()

    def until_waiting(self):
        """The lines up to the reader's next `wait`."""
        lines = []
        for line in self.process.stdout:
            if line == "waiting\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise check.Failure(f"the reader ended instead of waiting: {lines}", self.process.stderr.read())

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rest(self):
        """Lets it go on to the end: its remaining lines and its standard error."""
        out, err = self.process.communicate("\n")
        self.watchdog.cancel()
        text = "".join(line for line in out.splitlines(True) if line != "went on\n")
        return job.Job([], self.process.returncode, text.encode(), err.encode(), 0)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.watchdog.cancel()
        if self.process.poll() is None:
            job.kill(self.process)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass
