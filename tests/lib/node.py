"""One private node: a cache directory, a socket, and the agent that belongs to them.

Every test that reads through the library has one, so that tests neither share an agent nor
meet one of the user's. `close` ends the agent; it is found by the socket's path in its
environment, so only an agent that this test caused is ever ended.
"""

import json
import os
import shutil
import signal
import time

import job
from check import Failure


class Node:
    def __init__(self, bed, name):
        self.bed = bed
        self.dir = bed.fresh_dir(name)
        self.cache = os.path.join(self.dir, "cache")
        self.socket = os.path.join(self.dir, "s")
        self.settings = {}

    def env(self, mapping=None, **settings):
        """The environment of a job under the library. A setting of None is left out."""
        env = self.bed.base_env()
        env.update(self.bed.s3_env())
        env.update(LD_PRELOAD=self.bed.preload, WARMPATH_CACHE_DIR=self.cache,
                   WARMPATH_SOCKET=self.socket)
        if mapping is not None:
            env["WARMPATH_MAP"] = mapping
        for name, value in {**self.settings, **settings}.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = str(value)
        return env

    def tool(self, *words, deadline_s=20, **settings):
        env = self.env(**settings)
        del env["LD_PRELOAD"]
        return job.run([self.bed.tool, *words], env, deadline_s=deadline_s)

    def status(self):
        """What `warmpath status --json` prints, as a dict."""
        done = self.tool("status", "--json")
        try:
            return json.loads(done.text)
        except ValueError:
            raise Failure(f"`warmpath status --json` printed no JSON (exit {done.status})",
                          done.text + done.errors) from None

    def counters(self):
        """The agent's counters; all zero before it was ever started."""
        return dict(self.status()["counters"])

    def pids(self):
        """The agents that run with this node's socket."""
        return [pid for pid in processes("warmpathd")
                if environ(pid).get("WARMPATH_SOCKET") == self.socket]

    def descriptors(self):
        """How many descriptors the agent holds, by kind: block (and temporary) files, memory, sockets,
        others."""
        held = {"block": 0, "memory": 0, "socket": 0, "other": 0}
        for pid in self.pids():
            for number in os.listdir(f"/proc/{pid}/fd"):
                try:
                    held[self._kind(os.readlink(f"/proc/{pid}/fd/{number}"))] += 1
                except OSError:
                    continue
        return held

    def _kind(self, target):
        inside = target.removeprefix(self.cache + "/").split("/")
        if target.startswith("/memfd:"):
            return "memory"
        if target.startswith("socket:"):
            return "socket"
        return "block" if inside[0] == "tmp" or (inside[0] == "blocks" and len(inside) == 3) else "other"

    def stop(self):
        """Ends the agent the way a user does."""
        done = self.tool("stop")
        if not wait_until(lambda: not self.pids(), 10):
            raise Failure("the agent was still there 10 s after `warmpath stop`", done.errors)

    def close(self):
        """Ends the agent at any price and removes the directory."""
        if self.pids():
            try:
                self.tool("stop")
            except Failure:
                pass
            wait_until(lambda: not self.pids(), 3)
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def processes(name):
    """Process ids of all live processes with this program name."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and comm(entry) == name and state(entry) != "Z":
            found.append(int(entry))
    return found


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def state(pid):
    """The one-letter state of a process, '' when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def environ(pid):
    """The environment a process was started with; {} when it can't be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def wait_until(condition, seconds, step_s=0.05):
    """True as soon as the condition holds, False when it did not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step_s)
    return True
