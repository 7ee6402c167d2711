"""The places a program can read the same data from: local files, Warmpath, s3fs, rclone.

A world has a name, a folder, and what a program's environment needs there. start() begins
with an empty cache; stop() ends what start() began and puts the cache away. Both may be called
again and again.
"""

import copy
import json
import os
import subprocess
import time

from measure import CannotRun, run

MOUNT_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30


def put_away(cache):
    """Frees the space of a cache and leaves its files to the end: ext4 is slow at making files
    for a minute after many were removed, which would be the next round's."""
    for folder, _, names in os.walk(cache):
        for path in (f"{folder}/{name}" for name in names):
            if os.path.isfile(path):
                os.truncate(path, 0)
    if os.path.exists(cache):
        os.rename(cache, f"{cache}.{time.monotonic_ns()}")


class Local:
    name = peer = "local"
    flags = "plain files, in the page cache"

    def __init__(self, folder):
        self.folder = folder
        self.env = {}

    def path(self, name):
        return f"{self.folder}/{name}"

    def start(self):
        pass

    def stop(self):
        pass


class Warmpath(Local):
    name = peer = "warmpath"
    flags = "defaults; the agent is started by the program's first open"
    prefix = "/warmpath-bench"

    def __init__(self, setup):
        super().__init__(self.prefix)
        self.tool = f"{setup.root}/build/warmpath"
        self.preload = f"{setup.root}/build/libwarmpath.so"
        self.base_env = setup.env
        self.cache = f"{setup.work}/warmpath-cache"
        self.env = {
            "LD_PRELOAD": self.preload,
            "WARMPATH_MAP": f"{self.prefix}=s3://{setup.bucket}",
            "WARMPATH_CACHE_DIR": self.cache,
            "WARMPATH_SOCKET": f"{setup.short}/agent.sock",
        }

    def through(self, endpoint):
        """The same, with S3 at another address."""
        other = copy.copy(self)
        other.env = {**self.env, "AWS_ENDPOINT_URL_S3": endpoint}
        return other

    def start(self):
        if not os.path.exists(self.preload):
            raise CannotRun(f"warmpath: {self.preload} is missing: run make")
        self.stop()
        os.makedirs(self.cache)

    def status(self):
        """The agent's status as a dictionary, or None when no agent answers."""
        try:
            return json.loads(self._tool("status", "--json"))
        except (CannotRun, ValueError):
            return None

    def counters(self):
        status = self.status()
        if status is None or "counters" not in status:
            raise CannotRun("warmpath: `warmpath status --json` names no counters; is the agent up?")
        return status["counters"]

    def stop(self):
        status = self.status()
        if status is not None:
            self._tool("stop")
            self._wait_gone(status.get("pid"))
        put_away(self.cache)

    def _tool(self, *args):
        env = {**self.base_env, **self.env}
        del env["LD_PRELOAD"]
        return run([self.tool, *args], env, "warmpath", STOP_TIMEOUT_S)

    @staticmethod
    def _wait_gone(pid):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while pid and os.path.exists(f"/proc/{pid}"):
            if time.monotonic() > deadline:
                raise CannotRun(f"warmpath: the agent {pid} is still there {STOP_TIMEOUT_S} s after `warmpath stop`")
            time.sleep(0.01)


class Mount(Local):
    """A FUSE file system that runs in the foreground as our child.

    A peer can be measured in several variants at once: its name is "peer variant".
    """

    def __init__(self, setup, variant):
        self.name = f"{self.peer} {variant}"
        place = f"{setup.work}/{self.name.replace(' ', '-')}"
        super().__init__(f"{place}-mount")
        self.setup = setup
        self.cache = f"{place}-cache"
        self.log = f"{place}.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.stop()
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise CannotRun(f"{self.name}: cannot run here: /dev/fuse is missing or not ours to open")
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.cache)
        with open(self.log, "w", encoding="utf-8") as log:
            try:
                # In a session of its own: Ctrl-C must not end it before it is unmounted.
                self.process = subprocess.Popen(self.command(), env=self.setup.env, stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, start_new_session=True)
            except FileNotFoundError as error:
                raise CannotRun(f"{self.name}: not installed: run scripts/deps bench") from error
        self._wait_mounted()

    def _wait_mounted(self):
        deadline = time.monotonic() + MOUNT_TIMEOUT_S
        while not (os.path.ismount(self.folder) and os.path.exists(self.path(self.setup.probe))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                reason = self._last_log_line()
                self.stop()
                raise CannotRun(f"{self.name}: cannot be mounted: {reason}")
            time.sleep(0.01)

    def _last_log_line(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().strip().splitlines()
        return lines[-1] if lines else "it says nothing"

    def stop(self):
        if os.path.ismount(self.folder):
            for lazily in ("-u", "-uz"):
                if subprocess.run(["fusermount3", lazily, self.folder], check=False,
                                  stderr=subprocess.DEVNULL).returncode == 0:
                    break
                time.sleep(0.5)
        if self.process is not None:
            self._end_process()
        put_away(self.cache)

    def _end_process(self):
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class S3fs(Mount):
    """Variants: what is added to s3fs's defaults, or "default"."""

    peer = "s3fs"

    def __init__(self, setup, variant, cached):
        super().__init__(setup, variant)
        options = ["ro", "umask=0022"]
        options += [f"use_cache={self.cache}"] if cached else []
        options += [variant] if variant != "default" else []
        self.options = options
        self.flags = " ".join(f"-o {option}" for option in options).replace(self.cache, "DIR")

    def command(self):
        env = self.setup.env
        options = ["use_path_request_style", f"url={env['AWS_ENDPOINT_URL_S3']}",
                   f"endpoint={env['AWS_REGION']}", *self.options]
        return ["s3fs", self.setup.bucket, self.folder, "-f",
                *(word for option in options for word in ("-o", option))]


class Rclone(Mount):
    """Variants: rclone's --vfs-cache-mode."""

    peer = "rclone"

    def __init__(self, setup, variant):
        super().__init__(setup, variant)
        self.options = ["--read-only", "--vfs-cache-mode", variant]
        self.flags = " ".join(self.options)

    def command(self):
        # The remote "bench" is described by RCLONE_CONFIG_BENCH_* in the environment.
        return ["rclone", "mount", f"bench:{self.setup.bucket}", self.folder, "--config=",
                "--cache-dir", self.cache, *self.options]
