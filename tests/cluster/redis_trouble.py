"""What happens to Redis: killed, cut off, hanging, emptied, full, refusing, failing over."""

import os
import signal
import socket
import subprocess
import threading
import time

import check
import job
from node import wait_until
from trouble import slow_down
from world import Redis, World, blocks_of, finish, finish_open, go_on, sh


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


def case_redis_killed_while_four_read_together(bed):
    """Nodes know each other and who reads the object: they go on taking blocks from each other, those that were
    fetched after Redis was lost too."""
    with World(bed, 4) as w:
        w.joined()
        slow_down(w, 0.1)
        asked, blocks = len(w.proxy.seen), blocks_of(w.objects["wide"])
        readers = [node.start_open("wide") for node in w.nodes]
        for reader in readers:
            go_on(reader)
        check.that(wait_until(lambda: len(w.nodes[0].block_files()) > 5, 20), "nothing is read")
        w.redis.stop()
        before = w.gets(asked)
        for reader in readers:
            w.right(finish_open(reader, 90), "wide")
        check.that(before < blocks, f"{before} blocks were fetched before Redis was gone: this shows nothing")
        check.that(w.gets(asked) <= blocks * 1.5, f"{w.gets(asked)} GETs for {blocks} blocks")
        counters = [node.counters() for node in w.nodes]
        wrong, requests = (sum(c[name] for c in counters) for name in ("peer_wrong_guesses", "peer_requests"))
        check.that(0 < wrong < requests, f"{wrong} wrong guesses of {requests} requests to peers")


def case_redis_is_cut_off(bed):
    """Its packets go nowhere, and nobody says so: bounded waits, then none."""
    with World(bed, 2) as w:
        w.joined()
        for node in w.nodes:
            node.lose_packets_to(w.redis_host)
        for node in w.nodes:
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: all(n.cluster()["index"] == "away" for n in w.nodes), 10), "status does not say so")
        for node in w.nodes:
            node.lose_nothing_to(w.redis_host)
        check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                   "Redis can be reached again and nobody noticed")


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


NO_EVICTION = ("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")


def fill(redis):
    redis.cli("eval", "for i=1,4000 do redis.call('set','x'..i,string.rep('x',1000)) end", "0")


def case_redis_full(bed):
    with World(bed, 2, redis_options=NO_EVICTION) as w:
        w.joined()
        fill(w.redis)
        for node in w.nodes:
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: w.nodes[0].cluster()["index"] == "full", 10), "status does not say so",
                   w.nodes[0].log())


def case_nodes_know_each_other_while_redis_is_full(bed):
    """Nobody's lease can be renewed, and that says nothing of who is there: as without Redis they go on taking blocks
    from each other. Once there is room, all is as before."""
    with World(bed, 4, redis_options=NO_EVICTION) as w:
        w.joined()
        slow_down(w, 0.1)
        asked, blocks = len(w.proxy.seen), blocks_of(w.objects["wide"])
        readers = [node.start_open("wide") for node in w.nodes]
        fill(w.redis)
        check.that(wait_until(lambda: all(n.cluster()["index"] == "full" for n in w.nodes), 10), "nobody notices")
        time.sleep(9)   # every lease is over
        for node in w.nodes:
            check.equal("nodes", node.cluster()["nodes"], 3)
        for reader in readers:
            go_on(reader)
        for reader in readers:
            w.right(finish_open(reader, 90), "wide")
        # Without locks some are asked for twice; four nodes that didn't know each other would ask four times.
        check.that(w.gets(asked) <= blocks * 2.5, f"{w.gets(asked)} GETs for {blocks} blocks")
        w.redis.cli("flushall")
        check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 10), "nobody notices that there is room")
        check.that(wait_until(lambda: all(n.cluster()["nodes"] == 3 for n in w.nodes), 10), "nodes lost each other")


def case_node_starts_while_redis_is_full(bed):
    """It can't say that it is there, but learns who is and who holds what, though everybody's lease is over."""
    with World(bed, 3, redis_options=NO_EVICTION) as w:
        w.joined()
        first, _, third = w.nodes
        w.right(first.cat("wide"), "wide")
        blocks = blocks_of(w.objects["wide"])
        check.that(wait_until(lambda: len(w.redis.cli("keys", "*s0").split()) >= 1, 10), "nothing is announced")
        fill(w.redis)
        check.that(wait_until(lambda: all(n.cluster()["index"] == "full" for n in w.nodes), 10), "nobody notices")
        third.stop()
        time.sleep(9)   # every lease is over
        asked = len(w.proxy.seen)
        reader = third.start_open("wide")
        check.that(wait_until(lambda: third.cluster()["index"] == "full", 10), "status does not say so", third.log())
        check.equal("nodes", third.cluster()["nodes"], 2)
        go_on(reader)
        w.right(finish_open(reader, 60), "wide")
        check.that(w.gets(asked) <= blocks / 4, f"{w.gets(asked)} GETs for {blocks} blocks")


def case_redis_refuses(bed):
    """An ACL that allows nothing of what is needed."""
    with World(bed, 2) as w:
        w.redis.cli("acl", "setuser", "guest", "on", ">pw", "~*", "+ping")
        for node in w.nodes:
            node.settings["WARMPATH_REDIS"] = w.redis.url.replace("//", "//guest:pw@")
            w.right(node.cat("big"), "big")
        check.that(wait_until(lambda: w.nodes[0].cluster()["index"] == "refused", 10), "status does not say so",
                   w.nodes[0].log())


RIGHTS = ("+time", "+hset", "+hdel", "+hgetall", "+expire", "+set", "+eval", "+get", "+del", "+pexpire", "+select")


def log_in_with(w, *rights):
    w.redis.cli("acl", "setuser", "wp", "reset", "on", ">pw", "~w{*", *rights)
    for node in w.nodes:
        node.settings["WARMPATH_REDIS"] = w.redis.url.replace("//", "//wp:pw@")


def case_redis_refuses_one_command(bed):
    """`status` names it for as long as it is refused; no key stays for ever."""
    with World(bed, 1) as w:
        node = w.nodes[0]
        for lacking in ("set", "expire", "hdel", "hgetall"):
            log_in_with(w, *(right for right in RIGHTS if right != f"+{lacking}"))
            w.right(node.cat("big"), "big")
            check.that(wait_until(lambda: node.cluster()["index"] == "refused", 5), f"{lacking}: status does not say so")
            time.sleep(2.5)   # a lease is renewed every two seconds
            shown = node.tool("status").text
            check.match(f"status without {lacking}", shown, f"index refused since 2.*{lacking}", shown)
            for key in w.redis.cli("keys", "*").split():
                check.that(int(w.redis.cli("ttl", key)) != -1, f"{key} stays for ever")
            w.redis.cli("acl", "setuser", "wp", f"+{lacking}")
            check.that(wait_until(lambda: node.cluster()["index"] == "fine", 5), f"{lacking}: allowed, and nobody noticed")
            node.stop()
            w.redis.cli("flushall")


def case_redis_with_least_rights(bed):
    """The rights that the documentation names are enough."""
    with World(bed, 2) as w:
        log_in_with(w, "-@all", *RIGHTS)
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


def case_redis_by_a_socket(bed):
    """No port at all; a password that the URL has to escape, and a database."""
    with World(bed, 1) as w:
        path = os.path.join(w.dir, "redis.sock")
        server = job.start(["redis-server", "--port", "0", "--unixsocket", path, "--requirepass", "p@ss", "--save", ""],
                           {"PATH": os.environ["PATH"]}, out=subprocess.DEVNULL)
        try:
            check.that(wait_until(lambda: os.path.exists(path), 10), "redis-server did not start")
            w.nodes[0].settings["WARMPATH_REDIS"] = f"unix://:p%40ss@{path}?db=2"
            w.right(w.nodes[0].cat("big"), "big")
            check.equal("index", w.nodes[0].cluster()["index"], "fine", w.nodes[0].log())
            keys = sh("redis-cli", "-s", path, "-a", "p@ss", "-n", "2", "keys", "w{*").split()
            check.that(len(keys) == 2, f"keys: {keys}")
        finally:
            job.kill(server)


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
            masters = sum("role:master" in s.cli("info", "replication") for s in servers)
            servers[0].stop()
            readers = [node.start("wide") for node in w.nodes]
            for reader in readers:
                w.right(finish(reader, 90), "wide")
            check.that(wait_until(lambda: sum("role:master" in s.cli("info", "replication") for s in servers[1:]) == masters, 60),
                       "no replica took over", servers[1].cli("cluster", "nodes"))
            check.that(wait_until(lambda: all(n.cluster()["index"] == "fine" for n in w.nodes), 30),
                       "the index is not used after the failover", w.nodes[0].log())
        finally:
            for server in servers:
                server.stop()
