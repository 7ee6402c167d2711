"""Nodes that come, go, and come back as another."""

import os
import shutil
import time

import check
from node import wait_until
from trouble import kill_node
from world import PEER_PORT, World, blocks_of, finish, sh

MOST_S = 5  # a wait for another node lasts 8 s


def move_to(node, address):
    """The node gets another address: the old one is gone, nginx and the agent begin anew."""
    node.tool("node", "stop", "--now")
    sh("ip", "-n", node.space, "addr", "flush", "dev", "eth0")
    sh("ip", "-n", node.space, "addr", "add", f"{address}/24", "dev", "eth0")
    node.address = address
    node.settings["WARMPATH_PEER_URL"] = f"http://{address}:{PEER_PORT}"
    node.serve()


def case_node_changes_address(bed):
    """The same store at another place: found there, and nobody asks at the old one for long."""
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.stop()
        check.that(wait_until(lambda: second.cluster()["peers"] == 0, 5), "a node that has left is still one to ask")
        move_to(first, first.address + "9")
        w.right(first.cat("small"), "small")
        check.that(wait_until(lambda: second.cluster()["peers"] == 1, 10), "the node is not found again", second.log())
        asked = len(w.proxy.seen)
        w.right(second.cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)) + second.log())
        check.equal("peer_errors", second.counters()["peer_errors"], 0)


def comes_back_empty(bed, leave):
    """How often the node is asked for blocks that it once had."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        w.right(second.cat("small"), "small")
        known = first.cluster()["node"]
        leave(first, second)
        shutil.rmtree(first.cache)
        first.serve()
        w.right(first.cat("small"), "small")
        check.that(first.cluster()["node"] != known, "an emptied store is still the same node")
        w.right(second.cat("big"), "big")
        check.equal("peer_errors", second.counters()["peer_errors"], 0)
        return second.counters()["peer_requests"]


def case_node_comes_back_with_an_empty_store(bed):
    """It has left before: what it held is not looked for."""
    def leave(node, other):
        node.stop()
        node.tool("node", "stop", "--now")
        check.that(wait_until(lambda: other.cluster()["peers"] == 0, 5), "a node that has left is still one to ask")
    check.equal("requests to the peer", comes_back_empty(bed, leave), 0)


def case_nobody_waits_for_a_node_that_has_left(bed):
    """The index still names it as the one holder: neither who knew it nor who never did believes that it comes back."""
    with World(bed, 3) as w:
        first, second, third = w.nodes
        w.right(first.cat("big"), "big")
        w.right(second.cat("small"), "small")
        first.stop()
        first.tool("node", "stop", "--now")
        check.that(wait_until(lambda: second.cluster()["peers"] == 0, 5), "a node that has left is still one to ask")
        for node in (second, third):
            began = time.monotonic()
            w.right(node.cat("big"), "big")
            took = time.monotonic() - began
            check.that(took < MOST_S, f"{took:.1f} s: it waited for those who are gone", node.log())
            node.stop()


def case_node_comes_back_when_it_was_forgotten(bed):
    """All that Redis knew of it is gone. It says so itself, before anybody opens anything there."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big", "wide"), "big", "wide")
        blocks = blocks_of(w.objects["big"]) + blocks_of(w.objects["wide"])
        check.that(wait_until(lambda: len(first.block_files()) == blocks, 10), "not all is on the disk")
        first.stop()
        w.redis.cli("flushall")
        w.right(first.cat("small"), "small")
        check.that(wait_until(lambda: len(w.redis.cli("keys", "*s0").split()) == 3, 10), "it does not announce what it has",
                   first.log())
        asked = len(w.proxy.seen)
        w.right(second.cat("big", "wide"), "big", "wide")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def case_node_dies_and_comes_back_with_an_empty_store(bed):
    """Nobody was told: its old name is believed until its lease is over, and its blocks are not there."""
    comes_back_empty(bed, lambda node, other: kill_node(node))


def case_node_under_anothers_address(bed):
    """The second node leaves; the third takes its address with blocks of its own."""
    with World(bed, 3) as w:
        first, second, third = w.nodes
        w.right(second.cat("big"), "big")
        w.right(third.cat("wide"), "wide")
        kill_node(second)
        third.tool("node", "stop", "--now")
        second.link_is("down")
        sh("ip", "-n", third.space, "addr", "add", f"{second.address}/24", "dev", "eth0")
        third.stop()
        third.settings["WARMPATH_PEER_URL"] = second.settings["WARMPATH_PEER_URL"]
        third.serve()
        w.right(third.cat("small"), "small")
        w.right(first.cat("big", "wide"), "big", "wide")
        check.that(first.counters()["peer_hit_blocks"] >= blocks_of(w.objects["wide"]) * 3 // 4,
                   "the third node's blocks were not found at its new address")


def case_node_that_was_cut_off_is_found_again(bed):
    """From everybody, until its lease is over: when it is back its blocks are taken as before."""
    with World(bed, 3) as w:
        w.joined()
        first, second, third = w.nodes
        w.right(first.cat("big"), "big")
        first.link_is("down")
        check.that(wait_until(lambda: all(n.cluster()["nodes"] == 1 for n in (second, third)), 15),
                   "it is cut off and still one to ask")
        check.that(wait_until(lambda: first.cluster()["index"] == "away", 10), "it doesn't notice")
        first.link_is("up")
        check.that(wait_until(lambda: third.cluster()["peers"] == 2, 30), "it is back and nobody asks it", first.log())
        asked = len(w.proxy.seen)
        w.right(third.cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def case_node_leaves_in_good_order(bed):
    """`warmpath node stop`, then `warmpath stop`, while it serves: nobody runs into a closed door."""
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        first.slow_link("200mbit")
        reader = second.start("wide")
        check.that(wait_until(lambda: second.counters()["peer_hit_blocks"] > 3, 20), "the second node reads nothing")
        done = first.tool("node", "stop")
        check.equal("warmpath node stop", done.status, 0, done.errors)
        check.match("warmpath node stop", done.text, "not offered any more")
        check.that(w.nodes[1].cluster()["peers"] == 0, "it is still one to ask")
        first.stop()
        w.right(finish(reader), "wide")
        check.equal("peer_errors", second.counters()["peer_errors"], 0, second.log())
        first.serve()
        w.right(first.cat("small"), "small")
        check.that(wait_until(lambda: second.cluster()["peers"] == 1, 10), "it is back and nobody asks it")


def case_node_stop_was_interrupted(bed):
    """It has said that the node leaves, and nginx goes on: `warmpath node start` offers the blocks again."""
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        with open(os.path.join(first.cache, "blocks", "closed"), "wb"):
            pass
        check.that(wait_until(lambda: second.cluster()["peers"] == 0, 10), "a node that is closed is still one to ask")
        done = first.tool("node", "start")
        check.equal("warmpath node start", done.status, 0, done.errors)
        check.match("warmpath node start", done.text, "already serving")
        check.that(wait_until(lambda: second.cluster()["peers"] == 1, 10), "it is not offered again")
