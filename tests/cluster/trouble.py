"""What breaks in a cluster: the job gets the right bytes all the same, a little later."""

import os
import signal
import socket
import threading
import time

import check
import job
import proxy
from node import processes, state, wait_until
from world import Redis, World, blocks_of, finish, sh


def kill_node(node):
    """Agent and nginx, at once and without a word."""
    for pid in node.pids():
        os.kill(pid, signal.SIGKILL)
    for pid in processes("nginx"):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            mine = node.dir.encode() in file.read()
        if mine or state(pid) and parent_is_killed(pid, node):
            os.kill(pid, signal.SIGKILL)


def parent_is_killed(pid, node):
    """A worker's command line does not name its configuration; its namespace does."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(f"/run/netns/{node.space}").st_ino
    except OSError:
        return False


def slow_down(w, seconds=0.1):
    w.proxy.rule = lambda r: proxy.delay(seconds) if r.is_block else None


def case_node_killed_while_it_serves(bed):
    with World(bed, 3) as w:
        first, second, third = w.nodes
        w.right(first.cat("wide"), "wide")
        readers = [second.start("wide"), third.start("wide")]
        check.that(wait_until(lambda: second.pids() and second.block_files(), 20), "the second node reads nothing")
        kill_node(first)
        for reader in readers:
            w.right(finish(reader), "wide")


def case_node_killed_while_it_fetches(bed):
    """It has announced that it fetches from S3; those that wait for it don't wait for ever."""
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        slow_down(w, 1.0)
        reader = first.start("big")
        check.that(wait_until(lambda: w.redis.cli("keys", "*l0").strip() != "", 10), "no lock was taken")
        other = second.start("big")
        time.sleep(0.2)
        kill_node(first)
        job.kill(reader)
        reader.communicate()
        w.right(finish(other, 40), "big")


def case_node_stopped_while_it_fetches(bed):
    """The same, but it only stalls: its lock is renewed no more."""
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        slow_down(w, 1.0)
        reader = first.start("big")
        check.that(wait_until(lambda: w.redis.cli("keys", "*l0").strip() != "", 10), "no lock was taken")
        agent = first.pids()[0]
        os.kill(agent, signal.SIGSTOP)
        try:
            w.right(second.cat("big", deadline_s=40), "big")
        finally:
            os.kill(agent, signal.SIGCONT)
        w.right(finish(reader), "big")


def case_peer_is_cut_off(bed):
    """A node whose packets go nowhere: a bounded wait, then S3."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        w.right(second.cat("small"), "small")
        first.link_is("down")
        w.right(second.cat("big"), "big")
        check.match("status", second.tool("status").text, f"trouble with http://{first.address}")
        first.link_is("up")


def case_nginx_stopped(bed):
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.tool("node", "stop")
        w.right(second.cat("big"), "big")
        counters = second.counters()
        check.that(1 <= counters["peer_errors"] <= 8, f"peer_errors {counters['peer_errors']}")


def case_corrupted_block_of_a_peer(bed):
    """It is not used, its holder is avoided, S3 is asked instead."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        for path in first.block_files():
            os.chmod(path, 0o600)
            with open(path, "r+b") as file:
                file.seek(os.path.getsize(path) // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
        w.right(second.cat("big"), "big")
        counters = second.counters()
        check.equal("peer_hit_blocks", counters["peer_hit_blocks"], 0)
        check.that(counters["peer_errors"] >= 1, "nobody noticed")
        check.match("log", second.log(), "does not verify")


def case_blocks_gone_from_a_peer(bed):
    """Removed behind its agent's back: what the index says is stale."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        for path in first.block_files():
            os.unlink(path)
        w.right(second.cat("big"), "big")


def case_swapped_blocks_of_a_peer(bed):
    """Good blocks under each other's names: right checksums, wrong identity."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        whole = [path for path in first.block_files() if os.path.getsize(path) > 1 << 20]
        os.rename(whole[0], whole[0] + ".x")
        for here, there in zip(whole, whole[1:]):
            os.rename(there, here)
        os.rename(whole[0] + ".x", whole[-1])
        w.right(second.cat("big"), "big")
        check.equal("peer_hit_blocks", second.counters()["peer_hit_blocks"] <= 1, True)


def case_redis_killed(bed):
    with World(bed, 2) as w:
        w.joined()
        w.redis.stop()
        for node in w.nodes:
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: w.nodes[0].cluster()["index"] == "away", 10), "status does not say so")
        check.match("status", w.nodes[0].tool("status").text, "index away since 2.*Redis at")
        w.redis.start()
        check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                   "Redis is back and nobody noticed")


def case_redis_killed_while_reading(bed):
    with World(bed, 2) as w:
        w.joined()
        slow_down(w, 0.05)
        readers = [node.start("wide") for node in w.nodes]
        check.that(wait_until(lambda: len(w.nodes[0].block_files()) > 5, 20), "nothing is read")
        w.redis.stop()
        for reader in readers:
            w.right(finish(reader, 90), "wide")


def case_redis_hangs(bed):
    """SIGSTOP: it takes connections and says nothing."""
    with World(bed, 2) as w:
        w.joined()
        w.redis.signal(signal.SIGSTOP)
        for node in w.nodes:
            w.right(node.cat("big"), "big")
        w.redis.signal(signal.SIGCONT)
        check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                   "Redis is back and nobody noticed")


def case_redis_flushed(bed):
    """What is known is announced again, without anybody opening anything."""
    with World(bed, 3) as w:
        w.joined()
        first, second, third = w.nodes
        w.right(first.cat("big"), "big")
        w.redis.cli("flushall")
        w.right(second.cat("big"), "big")
        check.that(wait_until(lambda: len(w.redis.cli("keys", "*s0").split()) >= 1, 10), "nothing is announced again")
        check.that(wait_until(lambda: third.cluster()["nodes"] == 2, 10), "nodes are not found again")
        asked = len(w.proxy.seen)
        w.right(third.cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0)


def case_redis_full(bed):
    with World(bed, 2, redis_options=("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")) as w:
        w.joined()
        w.redis.cli("eval", "for i=1,4000 do redis.call('set','x'..i,string.rep('x',1000)) end", "0")
        for node in w.nodes:
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: w.nodes[0].cluster()["index"] == "full", 10), "status does not say so",
                   w.nodes[0].log())


def case_redis_refuses(bed):
    """An ACL that allows nothing of what is needed."""
    with World(bed, 2) as w:
        w.redis.cli("acl", "setuser", "guest", "on", ">pw", "~*", "+ping")
        for node in w.nodes:
            node.settings["WARMPATH_REDIS"] = w.redis.url.replace("//", "//guest:pw@")
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: w.nodes[0].cluster()["index"] == "refused", 10), "status does not say so",
                   w.nodes[0].log())


def case_redis_with_least_rights(bed):
    """The rights that the documentation names are enough."""
    with World(bed, 2) as w:
        w.redis.cli("acl", "setuser", "wp", "on", ">pw", "~w{*", "-@all", "+time", "+hset", "+hdel", "+hgetall", "+expire",
                    "+set", "+eval", "+get", "+del", "+pexpire", "+select")
        for node in w.nodes:
            node.settings["WARMPATH_REDIS"] = w.redis.url.replace("//", "//wp:pw@")
        w.right(w.nodes[0].cat("big"), "big")
        asked = len(w.proxy.seen)
        w.right(w.nodes[1].cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, w.nodes[1].log())


def case_redis_is_something_else(bed):
    """A server that answers nonsense."""
    with World(bed, 1) as w, socket.create_server((w.hub, 0)) as listener:
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        threading.Thread(target=serve, daemon=True).start()
        w.nodes[0].settings["WARMPATH_REDIS"] = f"redis://{w.hub}:{listener.getsockname()[1]}"
        w.right(w.nodes[0].cat("big"), "big")
        check.equal("index", w.nodes[0].cluster()["index"], "away")


def case_redis_not_there_at_start(bed):
    with World(bed, 1) as w:
        w.nodes[0].settings["WARMPATH_REDIS"] = f"redis://{w.hub}:1"
        w.right(w.nodes[0].cat("big"), "big")


def case_bad_options_are_named(bed):
    """The node then stands alone, and its log says why."""
    with World(bed, 1) as w:
        node = w.nodes[0]
        for name, value, said in (("WARMPATH_REDIS", "http://x", "WARMPATH_REDIS"),
                                  ("WARMPATH_CLUSTER_SECRET", "short", "WARMPATH_CLUSTER_SECRET needs 16"),
                                  ("WARMPATH_CLUSTER_SECRET", "@/nonexistent/file", "/nonexistent/file"),
                                  ("WARMPATH_PEER_URL", "ftp://x", "WARMPATH_PEER_URL")):
            before, node.settings[name] = node.settings[name], value
            w.right(node.cat("big"), "big")
            check.match(f"{name}={value}", node.log(), said)
            node.stop()
            node.settings[name] = before


def case_without_secret_only_loopback_is_served(bed):
    with World(bed, 1) as w:
        node = w.nodes[0]
        node.tool("node", "stop")
        done = node.tool("node", "start", WARMPATH_CLUSTER_SECRET=None)
        check.equal("exit status", done.status, 1)
        check.match("what it says", done.errors, "WARMPATH_CLUSTER_SECRET")
        done = node.tool("node", "start", "--listen", "127.0.0.1:9470", WARMPATH_CLUSTER_SECRET=None)
        check.equal("exit status", done.status, 0, done.errors)
        check.match("what it says", done.errors, "only")


def case_node_under_anothers_address(bed):
    """The second node leaves; the third takes its address with blocks of its own."""
    with World(bed, 3) as w:
        first, second, third = w.nodes
        w.right(second.cat("big"), "big")
        w.right(third.cat("wide"), "wide")
        kill_node(second)
        third.tool("node", "stop")
        second.link_is("down")
        sh("ip", "-n", third.space, "addr", "add", f"{second.address}/24", "dev", "eth0")
        third.stop()
        third.settings["WARMPATH_PEER_URL"] = second.settings["WARMPATH_PEER_URL"]
        third.serve()
        w.right(third.cat("small"), "small")
        w.right(first.cat("big", "wide"), "big", "wide")
        check.that(first.counters()["peer_hit_blocks"] >= blocks_of(w.objects["wide"]) * 3 // 4,
                   "the third node's blocks were not found at its new address")


def case_sentinel(bed):
    """A master, a replica, three Sentinels; the master dies; the replica takes over."""
    with World(bed, 2) as w:
        host, port = w.redis.host, str(w.redis.port)
        replica = Redis(w, "--replicaof", host, port)
        sentinels = []
        try:
            for _ in range(3):
                sentinels.append(Sentinel(w, host, port))
            url = "redis+sentinel://" + ",".join(f"{host}:{s.port}" for s in sentinels) + "/main"
            for node in w.nodes:
                node.settings["WARMPATH_REDIS"] = url
            w.joined()
            check.that(wait_until(lambda: "num-other-sentinels\n2\n" in sentinels[0].cli("sentinel", "master", "main"), 20),
                       "the Sentinels don't know each other")
            w.right(w.nodes[0].cat("big"), "big")
            w.redis.stop()
            w.right(w.nodes[0].cat("wide"), "wide")
            check.that(wait_until(lambda: "role:master" in replica.cli("info", "replication"), 40), "no failover")
            check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                       "the new master isn't used", w.nodes[0].log())
            check.that(wait_until(lambda: all(n.cluster()["nodes"] == 1 for n in w.nodes), 10), "nodes lost each other")
            asked = len(w.proxy.seen)
            w.right(w.nodes[1].cat("big"), "big")
            check.that(w.gets(asked) <= 1, f"{w.gets(asked)} GETs after the failover")
        finally:
            for server in (*sentinels, replica):
                server.stop()


class Sentinel(Redis):
    def __init__(self, world, host, port):
        self.master = (host, port)
        super().__init__(world)

    def start(self):
        conf = os.path.join(self.dir, "sentinel.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"port {self.port}\nbind {self.host}\nprotected-mode no\ndir {self.dir}\n"
                       f"sentinel monitor main {self.master[0]} {self.master[1]} 2\n"
                       "sentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 5000\n")
        self.process = job.start(["redis-server", conf, "--sentinel"], {"PATH": os.environ["PATH"]},
                                 out=open(os.devnull, "wb"))
        check.that(wait_until(lambda: self.cli("ping").strip() == "PONG", 10), "the Sentinel did not start")


def case_redis_cluster(bed):
    """Three masters, three replicas; one master dies; its replica takes over."""
    with World(bed, 2) as w:
        servers = []
        try:
            for _ in range(6):
                servers.append(Redis(w, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                                     "--cluster-require-full-coverage", "no",
                                     "--repl-diskless-sync-delay", "0"))
            addresses = [f"{s.host}:{s.port}" for s in servers]
            made = job.run(["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"],
                           bed.base_env())
            check.equal("redis-cli --cluster create", made.status, 0, made.text + made.errors)
            check.that(wait_until(lambda: all("cluster_state:ok" in s.cli("cluster", "info") for s in servers), 20),
                       "the cluster is not up")
            replicas = [s for s in servers if "role:slave" in s.cli("info", "replication")]
            check.that(wait_until(lambda: all("master_link_status:up" in s.cli("info", "replication") for s in replicas), 30),
                       "the replicas don't follow")
            for node in w.nodes:
                node.settings["WARMPATH_REDIS"] = "redis://" + ",".join(addresses[:2])
            w.joined()
            w.right(w.nodes[0].cat("big"), "big")
            asked = len(w.proxy.seen)
            w.right(w.nodes[1].cat("big"), "big")
            check.equal("GETs that brought bytes", w.gets(asked), 0)
            servers[0].stop()
            readers = [node.start("wide") for node in w.nodes]
            for reader in readers:
                w.right(finish(reader, 90), "wide")
            check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                       "the index is not used after the failover", w.nodes[0].log())
        finally:
            for server in servers:
                server.stop()
