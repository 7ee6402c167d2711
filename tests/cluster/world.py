"""A cluster on one machine: a bridge, a network namespace for each node, S3 and Redis at its hub.

    with World(bed, 4) as w:
        w.right(w.nodes[0].cat("big"), "big")

The hub is this machine's own namespace: at 10.213.N.1 is S3 behind the fault proxy, which counts
what S3 is asked for, at 10.213.N.2 Redis. Node i is at 10.213.N.(10+i), with a store, an agent and an
nginx of its own; a node is cut off by taking its link down. Needs root.
"""

import itertools
import os
import secrets
import signal
import socket
import subprocess
import threading

import check
import job
from node import Node, wait_until
from proxy import Proxy
from scene import MOUNT, READER, content, digest

BLOCK = 1 << 20
PEER_PORT = 9470
_numbers = itertools.count(os.getpid() % 120 * 2 + 1)
_lock = threading.Lock()
_shared = {}


def sh(*words):
    """Runs a command of the set-up; its failure is the case's."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    check.that(done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def shared_bucket(bed):
    with _lock:
        if "bucket" not in _shared:
            _shared["objects"] = {"small": content("small", 100), "big": content("big", 9 * BLOCK + 77),
                                  "wide": content("wide", 64 * BLOCK)}
            _shared["bucket"] = bed.store.make_bucket("cluster")
            bed.store.put_all(_shared["bucket"], _shared["objects"].items())
        return _shared["bucket"], dict(_shared["objects"])


def blocks_of(data):
    return (len(data) + BLOCK - 1) // BLOCK


class ClusterNode(Node):
    def __init__(self, world, index):
        super().__init__(world.bed, f"node{index}")
        self.world = world
        self.space = f"wp{world.number}n{index}"
        self.address = f"10.213.{world.number}.{10 + index}"
        self.link = f"wp{world.number}v{index}"
        sh("ip", "netns", "add", self.space)
        sh("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        sh("ip", "link", "set", self.link, "master", world.bridge, "up")
        sh("ip", "-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        sh("ip", "-n", self.space, "link", "set", "eth0", "up")
        sh("ip", "-n", self.space, "link", "set", "lo", "up")
        self.settings = {"AWS_ENDPOINT_URL_S3": world.proxy.url, "WARMPATH_REDIS": world.redis.url,
                         "WARMPATH_PEER_URL": f"http://{self.address}:{PEER_PORT}",
                         "WARMPATH_CLUSTER_SECRET": world.secret, "WARMPATH_BLOCK_SIZE": BLOCK,
                         "XDG_RUNTIME_DIR": self.dir, "WARMPATH_LOG": "info"}

    def command(self, words):
        return ["ip", "netns", "exec", self.space, *map(str, words)]

    def tool(self, *words, deadline_s=30, **settings):
        env = self.env(**settings)
        del env["LD_PRELOAD"]
        return job.run(self.command([self.bed.tool, *words]), env, deadline_s=deadline_s)

    def serve(self):
        """Starts this node's nginx."""
        done = self.tool("node", "start")
        check.equal("warmpath node start", done.status, 0, done.errors)

    def start(self, *keys):
        """Starts a job that reads these objects."""
        words = [word for key in keys for word in ("cat", f"{MOUNT}/{key}")]
        return job.start(self.command([self.bed.python, READER, *words]), self.env(self.world.mapping),
                         out=subprocess.PIPE, err=subprocess.PIPE)

    def start_open(self, key):
        """The same for one object that is open already, and read when go_on() says so."""
        path = f"{MOUNT}/{key}"
        process = job.start(self.command([self.bed.python, READER, "open", path, "wait", "cat", path]),
                            self.env(self.world.mapping), stdin=subprocess.PIPE, out=subprocess.PIPE, err=subprocess.PIPE)
        for line in process.stdout:
            if line == b"waiting\n":
                return process
        raise check.Failure("the reader ended instead of waiting", process.stderr.read().decode())

    def cat(self, *keys, deadline_s=60):
        return finish(self.start(*keys), deadline_s)

    def link_is(self, state):
        sh("ip", "link", "set", self.link, state)

    def slow_link(self, rate):
        """What the node sends goes no faster than this."""
        sh("tc", "-n", self.space, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "64kb",
           "latency", "400ms")

    def lose_packets_to(self, address):
        """They vanish, without a word to the sender: nobody has the card that they are sent to."""
        sh("ip", "-n", self.space, "neigh", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent")

    def lose_nothing_to(self, address):
        sh("ip", "-n", self.space, "neigh", "del", address, "dev", "eth0")

    def cluster(self):
        return self.status()["cluster"]

    def log(self):
        try:
            with open(os.path.join(self.cache, "agent.log"), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def block_files(self):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.cache, "blocks"))
                      for name in names if "-" in name)

    def close(self):
        self.tool("node", "stop", "--now")
        super().close()
        # The link by name: a connection that isn't closed yet may keep the namespace for a while.
        subprocess.run(["ip", "link", "del", self.link], check=False)
        subprocess.run(["ip", "netns", "del", self.space], check=False)


def finish(process, deadline_s=60):
    try:
        out, err = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        job.kill(process)
        raise check.Failure(f"a job was still reading after {deadline_s} s") from None
    return job.Job([], process.returncode, out, err, 0)


def go_on(process):
    process.stdin.write(b"\n")
    process.stdin.flush()


def finish_open(process, deadline_s=60):
    done = finish(process, deadline_s)
    done.out = done.out.rpartition(b"went on\n")[2]
    return done


class Redis:
    """A server of this world's own, that may be killed, stopped and filled."""

    def __init__(self, world, *options):
        self.host = world.redis_host
        self.dir = os.path.join(world.dir, f"redis{next(_numbers)}")
        os.mkdir(self.dir)
        with socket.create_server((self.host, 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"redis://{self.host}:{self.port}"
        self.options = options
        self.process = None
        self.start()

    def start(self):
        self.process = job.start(["redis-server", "--bind", self.host, "--port", str(self.port), "--save", "",
                                  "--protected-mode", "no", "--dir", self.dir, *self.options],
                                 {"PATH": os.environ["PATH"]}, out=subprocess.DEVNULL)
        check.that(wait_until(lambda: self.cli("ping").strip() == "PONG", 10), "redis-server did not start")

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), *words], capture_output=True,
                              text=True, check=False, timeout=10)
        return done.stdout

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            job.kill(self.process)


class World:
    def __init__(self, bed, n_nodes, redis_options=(), **settings):
        check.equal("user id (network namespaces need root)", os.geteuid(), 0)
        self.bed = bed
        self.number = next(_numbers) % 250
        self.bridge = f"wpbr{self.number}"
        self.hub = f"10.213.{self.number}.1"
        self.redis_host = f"10.213.{self.number}.2"
        self.dir = bed.fresh_dir("world")
        self.bucket, self.objects = shared_bucket(bed)
        self.secret = secrets.token_hex(16)
        self.nodes, self.proxy, self.redis = [], None, None
        try:
            sh("ip", "link", "add", self.bridge, "type", "bridge")
            sh("ip", "addr", "add", f"{self.hub}/24", "dev", self.bridge)
            # A network of its own: what one Redis sends to another must come from this address.
            sh("ip", "addr", "add", f"{self.redis_host}/32", "dev", self.bridge)
            sh("ip", "link", "set", self.bridge, "up")
            self.proxy = Proxy(bed.endpoint, self.hub)
            self.redis = Redis(self, *redis_options)
            for index in range(n_nodes):
                self.nodes.append(ClusterNode(self, index))
                self.nodes[-1].settings.update(settings)
                self.nodes[-1].serve()
        except BaseException:
            self.close()
            raise

    def close(self):
        for node in self.nodes:
            node.close()
        if self.redis:
            self.redis.stop()
        if self.proxy:
            self.proxy.close()
        subprocess.run(["ip", "link", "del", self.bridge], check=False)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    @property
    def mapping(self):
        return f"{MOUNT}=s3://{self.bucket}"

    def right(self, done, *keys):
        want = "".join(f"{MOUNT}/{key} {digest(self.objects[key])}\n" for key in keys)
        check.equal("data", done.text, want, done.errors)

    def gets(self, since=0):
        """GETs of blocks that S3 answered with bytes."""
        return sum(1 for r in self.proxy.seen[since:] if r.fetched)

    def joined(self):
        """Starts the agents and waits until each knows all others."""
        for node in self.nodes:
            self.right(node.cat("small"), "small")
        others = len(self.nodes) - 1
        for node in self.nodes:
            check.that(wait_until(lambda node=node: node.cluster()["nodes"] == others, 10),
                       f"a node knows {node.cluster()['nodes']} others instead of {others}", node.log())
