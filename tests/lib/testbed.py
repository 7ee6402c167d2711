"""Where everything is: build products, scratch space, services, the seeded tree.

One Testbed for a run of tests/run. Made by main.py from the environment that tests/run prepared.
"""

import glob
import itertools
import os
import re
import shutil
import sys
import threading

import objects
import tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAPPED_TOP = "/mapped"          # must not exist on this machine: only the library knows it
MAPPED = MAPPED_TOP + "/tree"
PREFIX = "tree"
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


class Testbed:
    def __init__(self, env, build):
        self.scratch = os.path.realpath(env["WARMPATH_TEST_SCRATCH"])
        self.services = {name: value for name, value in env.items()
                         if name.startswith(("AWS_", "WARMPATH_TEST_"))}
        self.build = build
        self.preload = os.path.join(build, "libwarmpath.so")
        self.agent = os.path.join(build, "warmpathd")
        self.tool = os.path.join(build, "warmpath")
        self.python = "/usr/bin/python3"
        self.venv_python = sys.executable
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.store = objects.Store(self.services)
        self._tree = None
        self.chosen_seed = self.chosen_ops = None
        self.doors = False
        self.root = self.other_library = None
        if os.path.exists(MAPPED_TOP):
            raise SystemExit(f"tests: {MAPPED_TOP} exists on this machine, but the tests map their "
                             "objects there; move it away")

    def leaked(self):
        """What reached the kernel under the mapped paths; it is removed. '' when nothing did."""
        found = [os.path.join(folder, name) for folder, folders, files in os.walk(MAPPED_TOP)
                 for name in folders + files]
        if os.path.exists(MAPPED_TOP):
            self.remove(MAPPED_TOP)
        return "\n".join(found)

    def fresh_dir(self, name):
        """A new empty directory with a short path."""
        path = os.path.join(self.scratch, f"{next(self.numbers)}-{name}"[:40])
        os.mkdir(path)
        return path

    def remove(self, path):
        """Removes a directory even where a test left it without write permission."""
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o755)
        shutil.rmtree(path, ignore_errors=True)

    def base_env(self):
        """What every program gets: nothing of the caller's but PATH."""
        return {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": self.home,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            **{name: f"log_path={self.scratch}/sanitizer" for name in SANITIZERS},
        }

    def sanitizer_reports(self):
        """What a sanitized agent, tool or unit test had to say, each once: (summary, text, times)."""
        found = {}
        for path in sorted(glob.glob(os.path.join(self.scratch, "sanitizer.*"))):
            with open(path, errors="replace") as file:
                text = file.read()
            where = re.findall(r"#\d+ \w+ in (\S+ \S+)", text) or [text]
            if text.strip():
                found.setdefault(tuple(where), []).append(text)
        summary = lambda text: (re.findall(r"^SUMMARY: .*|.*runtime error.*", text, re.M) or ["a report"])[0]
        return [(summary(texts[0]), texts[0], len(texts)) for texts in found.values()]

    def s3_env(self):
        """Credentials and endpoint; the metadata service stays unasked, it isn't on loopback."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3")
        env = {name: self.services[name] for name in names}
        env["AWS_EC2_METADATA_DISABLED"] = "true"
        return env

    @property
    def home(self):
        path = os.path.join(self.scratch, "home")
        os.makedirs(path, exist_ok=True)
        return path

    @property
    def endpoint(self):
        return self.services["AWS_ENDPOINT_URL_S3"]

    def tree(self):
        """The seeded tree, made and uploaded at first need."""
        with self.lock:
            if self._tree is None:
                local = os.path.join(self.scratch, "local")
                tree.make(local)
                bucket = self.store.make_bucket("tree")
                tree.upload(local, self.store, bucket, PREFIX)
                tree.freeze(local, self.store.modified_times(bucket, PREFIX + "/"))
                self._tree = Tree(local, bucket, f"{MAPPED}=s3://{bucket}/{PREFIX}")
        return self._tree


class Tree:
    """The same files twice: a local directory and a mapping."""

    def __init__(self, local, bucket, mapping):
        self.local = local
        self.bucket = bucket
        self.mapping = mapping
        self.mapped = MAPPED
        self.prefix = PREFIX
