"""The demo's second act: two nodes with an index in Redis and an nginx each.

Both run on this machine, each with a cache, an agent and an address of its own. Node 1 reads
from S3; node 2 reads the same and asks S3 for none of it; then its cache is emptied, it reads
once more, and node 1 is killed meanwhile.
"""

import contextlib
import filecmp
import json
import os
import secrets
import signal
import socket
import subprocess
import time

PEER_BLOCKS_BEFORE_KILL = 20
WAIT_S = 60


class Node:
    """What makes a node: variables of its own."""

    def __init__(self, demo, number, shared):
        self.demo = demo
        self.number = number
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.variables = {
            **demo.variables, **shared,
            "WARMPATH_CACHE_DIR": str(demo.dir / f"node{number}"),
            "WARMPATH_SOCKET": str(demo.socket_dir / f"node{number}.sock"),
            "WARMPATH_PEER_URL": f"http://127.0.0.1:{port}",
            "XDG_RUNTIME_DIR": str(demo.socket_dir)}

    def tool(self, *words):
        return subprocess.run(["build/warmpath", *words], env=self.variables, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def status(self):
        try:
            return json.loads(self.tool("status", "--json").stdout)
        except ValueError:
            return {}

    def counters(self):
        return self.status().get("counters", {})

    def write_all(self):
        """What a slow disk hasn't taken yet is in memory, where other nodes don't get it."""
        until = time.monotonic() + WAIT_S
        while self.status().get("store", {}).get("memory_bytes", 0) > 0 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.1)   # the last block is announced

    def kill(self):
        """As if the machine were gone: no word to anybody."""
        with contextlib.suppress(KeyError, ProcessLookupError):
            os.kill(self.status()["pid"], signal.SIGKILL)
        self.tool("node", "stop")

    def close(self):
        for words in (("stop",), ("node", "stop")):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.tool(*words)


class SecondAct:
    def __init__(self, demo, redis_url):
        shared = {"WARMPATH_REDIS": redis_url, "WARMPATH_CLUSTER_SECRET": secrets.token_hex(16)}
        self.demo = demo
        self.nodes = [Node(demo, number, shared) for number in (1, 2)]
        self.rows = []

    def play(self, command, result_of_first_act):
        """Gives what went wrong, or None. `command` makes the job's command from a result's name."""
        first, second = self.nodes
        print("\nTwo nodes, Redis between them, an nginx over each node's cache:\n")
        for node in self.nodes:
            started = node.tool("node", "start")
            print(f"  $ build/warmpath node start\n    {started.stdout.strip()}{started.stderr.strip()}")
            if started.returncode != 0:
                return "nginx did not start"
        self.run(first, "node 1, cold", command, result_of_first_act)
        first.write_all()
        spent = self.run(second, "node 2, cold", command, result_of_first_act)
        if spent["s3_get_requests"] != 0:
            return f"node 2 sent S3 {spent['s3_get_requests']} GET requests for what node 1 has"
        second.tool("evict")
        self.run(second, "node 2, node 1 killed", command, result_of_first_act,
                 meanwhile=lambda before: self.kill_in_the_middle(before))
        self.print_table()
        if not all(same for *_, same in self.rows):
            return "the results differ from the first act's"
        return None

    def run(self, node, name, command, result_of_first_act, meanwhile=None):
        result = self.demo.dir / f"second-act.{len(self.rows)}"
        before = node.counters()
        started = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command(result)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, start_new_session=True,
            env={**node.variables, "LD_PRELOAD": os.path.abspath("build/libwarmpath.so")})
        try:
            if meanwhile:
                meanwhile(before)
            code = process.wait(WAIT_S * 5)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        took_s = time.monotonic() - started
        spent = {key: value - before.get(key, 0) for key, value in node.counters().items()}
        same = code == 0 and filecmp.cmp(result, result_of_first_act, shallow=False)
        self.rows.append((name, took_s, spent, same))
        return spent

    def kill_in_the_middle(self, before):
        first, second = self.nodes
        until = time.monotonic() + WAIT_S
        enough = before.get("peer_hit_blocks", 0) + PEER_BLOCKS_BEFORE_KILL
        while second.counters().get("peer_hit_blocks", 0) < enough and time.monotonic() < until:
            time.sleep(0.01)
        first.kill()

    def print_table(self):
        line = "  {:<22} {:>8} {:>13} {:>12} {:>9} {:>10} {:>10}"
        print("\nWhere the bytes came from:\n")
        print(line.format("run", "seconds", "MB from peer", "MB from S3", "S3 GETs", "S3 HEADs",
                          "identical"))
        for name, took_s, spent, same in self.rows:
            print(line.format(name, f"{took_s:.2f}", f"{spent['peer_bytes'] / 1e6:.1f}",
                              f"{spent['s3_bytes'] / 1e6:.1f}", spent["s3_get_requests"],
                              spent["s3_head_requests"], "yes" if same else "NO"))
        print("\nS3 still decides who may read: each node asks it (HEAD) with the job's own credentials.")

    def close(self):
        for node in self.nodes:
            node.close()
