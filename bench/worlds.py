"""The places a program can read the same data from: local files and Warmpath here, mounts in mounts.py.

A world has a name, a folder, and what a program's environment needs there. start() begins
with an empty cache; stop() ends what start() began and puts the cache away. Both may be called
again and again. prepare() does once what must not fall into a measurement.
"""

import copy
import json
import os
import time

from measure import CannotRun, run, say

STOP_TIMEOUT_S = 30

begun = set()  # worlds that were started and whose stop() has not come to its end


def put_away(cache):
    """Frees the space of a cache and leaves its files to the end: ext4 is slow at making files
    for a minute after many were removed, which would be the next round's."""
    for folder, _, names in os.walk(cache):
        for path in (f"{folder}/{name}" for name in names):
            if os.path.isfile(path):
                os.truncate(path, 0)
    if os.path.exists(cache):
        os.rename(cache, f"{cache}.{time.monotonic_ns()}")


def stop_quietly(world):
    try:
        world.stop()
    except CannotRun as error:
        say(f"bench: {error}")


def stop_all():
    """For the end of a run: a signal may have come in the middle of a stop()."""
    for world in list(begun):
        stop_quietly(world)


class Local:
    name = peer = "local"
    flags = "plain files, in the page cache"

    def __init__(self, folder):
        self.folder = folder
        self.env = {}

    def path(self, name):
        return f"{self.folder}/{name}"

    def prepare(self):
        pass

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
        begun.add(self)
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
        begun.discard(self)

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
