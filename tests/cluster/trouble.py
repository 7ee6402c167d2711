"""What breaks in a cluster: the job gets the right bytes all the same, a little later."""

import contextlib
import os
import signal
import subprocess
import time

import check
import job
import proxy
from node import processes, state, wait_until
from world import PEER_PORT, World, finish

BUSY_PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "busy_peer.py")


def nginxes(node):
    for pid in processes("nginx"):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            mine = node.dir.encode() in file.read()
        if mine or state(pid) and is_worker_of(pid, node):
            yield pid


def kill_node(node):
    """Agent and nginx, at once and without a word."""
    for pid in node.pids():
        os.kill(pid, signal.SIGKILL)
    for pid in nginxes(node):
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def stopped_nginx(node):
    pids = list(nginxes(node))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def is_worker_of(pid, node):
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
        check.match("status", second.tool("status").text, f"trouble since 2.* with http://{first.address}")
        first.link_is("up")


def case_status_names_all_that_fail(bed):
    """Two of three nodes can't be asked: both are named, each with the time since when."""
    with World(bed, 3) as w:
        *holders, reader = w.nodes
        for node in holders:
            w.right(node.cat("big"), "big")
        w.right(reader.cat("small"), "small")
        for node in holders:
            node.tool("node", "stop", "--now")
            os.unlink(os.path.join(node.cache, "blocks", "closed"))   # nobody was told
        w.right(reader.cat("big"), "big")
        shown = reader.tool("status").text
        for node in holders:
            check.match("status", shown, f"trouble since 2.* with http://{node.address}", shown)


def case_silent_peer_is_given_up_soon(bed):
    """One of two holders is cut off in the middle of what it sends: it is known by then how long it is silent else,
    and the other one has everything."""
    with World(bed, 3) as w:
        first, second, third = w.nodes
        for node in (first, second):
            w.right(node.cat("wide"), "wide")
            node.slow_link("100mbit")
        asked = len(w.proxy.seen)
        reader = third.start("wide")
        check.that(wait_until(lambda: len(third.block_files()) > 20, 30), "nothing comes")
        first.link_is("down")
        noticed = wait_until(lambda: f"{first.address}:{PEER_PORT} is not asked" in third.log(), 1.9)
        w.right(finish(reader, 60), "wide")
        first.link_is("up")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))
        check.that(noticed, "nobody noticed in time", third.log())


def case_slow_holder_is_waited_for(bed):
    """The only one that has the blocks says nothing for a while, but lets itself be connected to: S3 is not asked."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        w.right(second.cat("small"), "small")
        asked = len(w.proxy.seen)
        with stopped_nginx(first):
            reader = second.start("big")
            time.sleep(2.5)   # longer than any silence that is borne without a sign of life
        w.right(finish(reader), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def case_holder_that_stays_silent_is_given_up(bed):
    """The same, but it never says anything again."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        w.right(second.cat("small"), "small")
        with stopped_nginx(first):
            w.right(second.cat("big", deadline_s=30), "big")
        check.that(1 <= second.counters()["peer_errors"] <= 10, f"peer_errors {second.counters()['peer_errors']}")


def case_peer_behind_a_slow_link(bed):
    """Its packets come, but few: what it sends in time is used, the rest comes from S3."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.slow_link("4mbit")
        began = time.monotonic()
        w.right(second.cat("big"), "big")
        took = time.monotonic() - began
        check.that(3 < took < 40, f"it took {took:.1f} s, which the link does not explain")
        check.that(second.counters()["peer_bytes"] > 0, "the slow node sent nothing")


def case_nginx_stopped(bed):
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.tool("node", "stop", "--now")
        w.right(second.cat("big"), "big")
        counters = second.counters()
        check.that(1 <= counters["peer_errors"] <= 8, f"peer_errors {counters['peer_errors']}")


def case_peers_that_are_always_busy(bed):
    """Both who hold a block say "later" whenever they are asked, and there is always one whose "later" is over:
    the reader goes to S3 after a third of its deadline, not never."""
    with World(bed, 3) as w:
        *holders, reader = w.nodes
        key = f"busy-{w.number}"
        w.objects[key] = key.encode() * 10000
        bed.store.put_all(w.bucket, [(key, w.objects[key])])
        reader.settings["WARMPATH_DEADLINE"] = 6
        w.joined()
        busy = []
        try:
            for node in holders:
                w.right(node.cat(key), key)
                node.tool("node", "stop", "--now")
                busy.append(job.start(node.command([bed.python, BUSY_PEER, PEER_PORT]), bed.base_env(),
                                      out=subprocess.PIPE))
                busy[-1].stdout.readline()   # it listens
                os.unlink(os.path.join(node.cache, "blocks", "closed"))   # the node still offers its blocks
            check.that(wait_until(lambda: reader.cluster()["peers"] == 2, 10), "the holders are not known")
            began = time.monotonic()
            w.right(reader.cat(key, deadline_s=40), key)
            took = time.monotonic() - began
        finally:
            for process in busy:
                job.kill(process)
        asked = reader.counters()["peer_requests"]
        check.that(asked > 10, f"{asked} requests to peers: this shows nothing")
        check.that(1 < took < 6, f"it took {took:.1f} s")


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
        node.tool("node", "stop", "--now")
        done = node.tool("node", "start", WARMPATH_CLUSTER_SECRET=None)
        check.equal("exit status", done.status, 1)
        check.match("what it says", done.errors, "WARMPATH_CLUSTER_SECRET")
        done = node.tool("node", "start", "--listen", "127.0.0.1:9470", WARMPATH_CLUSTER_SECRET=None)
        check.equal("exit status", done.status, 0, done.errors)
        check.match("what it says", done.errors, "only")
