"""What is fetched once for the cluster, and by whom."""

import base64
import hashlib
import os
import subprocess
import time

import check
import job
import proxy
from node import wait_until
from scene import MOUNT
from world import World, blocks_of, finish, finish_open, go_on


def case_second_node_asks_s3_for_nothing(bed):
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big", "small"), "big", "small")
        asked = len(w.proxy.seen)
        w.right(second.cat("big", "small"), "big", "small")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))
        counters = second.counters()
        check.equal("peer_hit_blocks", counters["peer_hit_blocks"], blocks_of(w.objects["big"]) + 1)
        check.equal("s3_bytes", counters["s3_bytes"], 0)
        check.that(counters["peer_bytes"] >= len(w.objects["big"]), f"peer_bytes {counters['peer_bytes']}")


def case_a_run_goes_on_behind_all_that_a_peer_gave(bed):
    """Blocks come from a peer whole and nearly at once, and are given to the reader together. What it asks for next lies
    behind all of them, and is still the same run: fetched ahead, not when the reader is there."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        w.right(second.cat("wide"), "wide")
        ahead, blocks = second.counters()["prefetched_blocks"], blocks_of(w.objects["wide"])
        check.that(ahead > blocks / 2, f"{ahead} of {blocks} blocks came before the reader did", "")


RANDOM = """
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
for block in 50, 7, 33, 21, 60, 12, 44:
    os.pread(file, 4096, (block << 20) + 500000)
"""


def case_random_reads_from_a_peer_stay_random(bed):
    """A whole block comes for a few bytes, and nothing behind it."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        command = second.command([bed.python, "-c", RANDOM, f"{MOUNT}/wide"])
        check.equal("exit status", job.run(command, second.env(w.mapping)).status, 0)
        counters = second.counters()
        check.that(counters["peer_hit_blocks"] > 0, "no block came from the peer", "")
        check.equal("prefetched_blocks", counters["prefetched_blocks"], 0)


HINT = """
import os, sys
os.posix_fadvise(os.open(sys.argv[1], os.O_RDONLY), 0, 0, os.POSIX_FADV_WILLNEED)
"""


def case_hints_are_served_by_other_nodes(bed):
    """What a job says it will read comes from the node that has it, before anybody reads."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        asked, blocks = len(w.proxy.seen), blocks_of(w.objects["wide"])
        command = second.command([bed.python, "-c", HINT, f"{MOUNT}/wide"])
        check.equal("exit status", job.run(command, second.env(w.mapping)).status, 0)
        wait_until(lambda: second.counters()["peer_hit_blocks"] == blocks, 30)
        check.equal("peer_hit_blocks", second.counters()["peer_hit_blocks"], blocks)
        w.right(second.cat("wide"), "wide")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def case_cold_start_together(bed):
    """Eight nodes read the same at the same moment: S3 is asked for each block once."""
    with World(bed, 8) as w:
        w.joined()
        asked = len(w.proxy.seen)
        readers = [node.start_open("wide") for node in w.nodes]
        for reader in readers:
            go_on(reader)
        for reader in readers:
            w.right(finish_open(reader, 120), "wide")
        blocks = blocks_of(w.objects["wide"])
        check.that(blocks <= w.gets(asked) <= blocks * 1.05,
                   f"{w.gets(asked)} GETs for {blocks} blocks", "\n".join(w.proxy.names(asked)))


def case_a_block_comes_into_a_zone_once(bed):
    """One node of zone a has everything; three of zone b read it together: it crosses about once, and S3 is not
    asked."""
    with World(bed, 4) as w:
        for node in w.nodes:
            node.settings["WARMPATH_ZONE"] = "b"
        w.nodes[0].settings["WARMPATH_ZONE"] = "a"
        w.joined()
        w.right(w.nodes[0].cat("wide"), "wide")
        asked = len(w.proxy.seen)
        before = sent_bytes(w.nodes[0])
        w.nodes[0].slow_link("200mbit")
        readers = [node.start_open("wide") for node in w.nodes[1:]]
        for reader in readers:
            go_on(reader)
        for reader in readers:
            w.right(finish_open(reader, 120), "wide")
        crossed = (sent_bytes(w.nodes[0]) - before) / len(w.objects["wide"])
        check.that(crossed < 2, f"{crossed:.2f} times its size left the zone; three, where each node takes its own")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def sent_bytes(node):
    with open(f"/sys/class/net/{node.link}/statistics/rx_bytes", encoding="ascii") as file:
        return int(file.read())


def case_small_objects_together(bed):
    """Many small objects, read by four nodes at once, each in its own order: one GET each."""
    with World(bed, 4) as w:
        w.joined()
        keys = [f"many-{w.number}/{i}" for i in range(40)]
        for i, key in enumerate(keys):
            w.objects[key] = f"{key} ".encode() * (i + 1)
        bed.store.put_all(w.bucket, [(key, w.objects[key]) for key in keys])
        asked = len(w.proxy.seen)
        orders = [keys[i * 10:] + keys[:i * 10] for i in range(4)]
        readers = [node.start(*order) for node, order in zip(w.nodes, orders, strict=True)]
        for reader, order in zip(readers, orders, strict=True):
            w.right(finish(reader), *order)
        check.that(w.gets(asked) <= 42, f"{w.gets(asked)} GETs for 40 objects", "\n".join(w.proxy.names(asked)))


def case_names_learned_while_a_block_is_on_its_way(bed):
    """The directory's list comes while one of its small objects is open and its block still missing: that block
    is guessed to be opened next, and is on its way already."""
    with World(bed, 1) as w:
        w.joined()
        keys = [f"learned-{w.number}/{i}" for i in range(10, 20)]
        w.objects.update((key, f"{key} ".encode()) for key in keys)
        bed.store.put_all(w.bucket, [(key, w.objects[key]) for key in keys])
        w.proxy.rule = lambda r: (proxy.delay(0.3) if r.is_list else
                                  proxy.delay(0.8) if r.is_block and r.path.endswith("/13") else None)
        w.right(w.nodes[0].cat(*keys, deadline_s=20), *keys)
        check.that(any(r.is_list for r in w.proxy.seen), "the names were not learned: this shows nothing")


def case_restarted_node_is_found_again(bed):
    """The store outlives the agent; so does what others know of it, once the agent is back."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.stop()
        w.right(first.cat("small"), "small")
        asked = len(w.proxy.seen)
        w.right(second.cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, "\n".join(w.proxy.names(asked)))


def case_evicted_blocks_are_not_looked_for(bed):
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        first.tool("evict")
        w.right(second.cat("big"), "big")
        check.equal("requests to the peer", second.counters()["peer_requests"], 0)


def case_keys_end_and_tell_nothing(bed):
    """Every key has a time to live, keys of one object share a slot, and no name is readable."""
    with World(bed, 2) as w:
        w.right(w.nodes[0].cat("big"), "big")
        w.right(w.nodes[1].cat("big"), "big")
        keys = w.redis.cli("keys", "*").split()
        check.that(len(keys) >= 2, f"keys: {keys}")
        for key in keys:
            check.that(int(w.redis.cli("ttl", key)) > 0, f"{key} stays for ever")
            check.that("{" in key and "}" in key, f"{key} has no hash tag")
        dump = w.redis.cli("--no-raw", "hgetall", keys[0]) + " ".join(keys)
        for word in (w.bucket, "big", w.secret):
            check.that(word not in dump, f"{word} is readable in Redis")


def case_no_stranger_is_served(bed):
    """nginx lets nobody in without a signature, lists nothing, and serves nothing but blocks."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        block = first.block_files()[0].rpartition("/blocks/")[2]
        url = first.settings["WARMPATH_PEER_URL"]

        def status(path, *more):
            return finish_curl(second, url + path, *more)
        check.equal("a block without a signature", status(f"/blocks/{block}"), "403")
        check.equal("a block with a wrong one", status(f"/blocks/{block}?t=AAAAAAAAAAAAAAAAAAAAAA&e=99999999999"), "403")
        for path in ("/", "/blocks/", "/blocks/node", "/agent.log", f"/blocks/{block[:3]}", "/blocks/../agent.log"):
            check.equal(path, status(path, "--path-as-is"), "404")
        check.equal("a PUT", status(f"/blocks/{block}", "-X", "PUT"), "403")


def signed(node, path, lasts_s=300):
    """As a node asks for it; what the signature is made with stands in nginx's configuration."""
    key = node.tool("node", "config").text.partition("$secure_link_expires$uri ")[2].partition('"')[0]
    ends = int(time.time()) + lasts_s
    token = base64.urlsafe_b64encode(hashlib.md5(f"{ends}{path} {key}".encode()).digest()).decode().rstrip("=")
    return f"{path}?t={token}&e={ends}"


def case_signatures_end(bed):
    """What was allowed a moment ago is not; nor is another block, another method, a link that stands in a block's place."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("big"), "big")
        folder, _, block = first.block_files()[0].rpartition("/")
        path = "/blocks/" + folder[-2:] + "/" + block
        link = path[:-8] + "0000ffff"
        os.symlink("/etc/passwd", os.path.join(folder, link.rpartition("/")[2]))

        def status(asked, *more):
            return finish_curl(second, first.settings["WARMPATH_PEER_URL"] + asked, *more)
        check.equal("a signature that holds", status(signed(first, path)), "200")
        check.equal("one that is over", status(signed(first, path, -5)), "410")
        check.equal("one with a later end", status(signed(first, path, -5)[:-10] + "9999999999"), "403")
        check.equal("one of another block", status(link + "?" + signed(first, path).partition("?")[2]), "403")
        check.equal("a symbolic link", status(signed(first, link)), "403")
        for method in ("POST", "PUT", "DELETE"):
            check.equal(method, status(signed(first, path), "-X", method), "403")


def case_uploads_are_capped(bed):
    """A node sends 32 blocks at a time; whoever comes then is told so at once."""
    with World(bed, 2) as w:
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        whole = next(path for path in first.block_files() if os.path.getsize(path) > 1 << 20)
        url = first.settings["WARMPATH_PEER_URL"] + signed(first, "/blocks/" + whole.rpartition("/blocks/")[2])
        first.slow_link("50mbit")
        curl = second.command(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url])
        clients = [job.start(curl, bed.base_env(), out=subprocess.PIPE) for _ in range(44)]
        codes = [finish(client).text for client in clients]
        check.equal("answers", set(codes), {"200", "503"})
        check.that(codes.count("503") >= 4, f"{codes.count('503')} of 44 were told to come again")


def case_one_look_up_at_open(bed):
    """What Redis is asked for while a node takes 64 blocks from another: who has them, once, and no locks. A holder
    that this machine's other work holds up is asked after again, and locks may follow: not five times in a row."""
    for _ in range(5):
        looks, locks = asked_of_redis(bed)
        if looks <= 2 and locks == 0:
            return
    raise check.Failure(f"{looks} look-ups, {locks} locks")


def asked_of_redis(bed):
    with World(bed, 2) as w:
        w.joined()
        first, second = w.nodes
        w.right(first.cat("wide"), "wide")
        # "small" by both, "wide" by one: its last blocks may be announced a moment after the job has them.
        check.that(wait_until(lambda: held_whole(w.redis) == 3, 10), "it does not announce all that it has", first.log())
        before = calls(w.redis)
        beats = time.monotonic()
        w.right(second.cat("wide"), "wide")
        after = calls(w.redis)
        beats = 2 * (1 + int((time.monotonic() - beats) / 2))   # each node lists the others every two seconds
        asked = {name: after.get(name, 0) - before.get(name, 0) for name in ("hgetall", "set")}
        return asked["hgetall"] - beats, asked["set"]


def held_whole(redis):
    """Segments by nodes that hold all of them, which is an empty value."""
    return sum(redis.cli("--no-raw", "hvals", key).count(') ""\n') for key in redis.cli("keys", "*s0").split())


def calls(redis):
    lines = (line.partition(":") for line in redis.cli("info", "commandstats").splitlines() if line.startswith("cmdstat_"))
    return {name[8:]: int(rest.partition("calls=")[2].partition(",")[0]) for name, _, rest in lines}


def finish_curl(node, url, *more):
    done = job.run(node.command(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *more, url]), node.bed.base_env())
    return done.text


def case_another_secret_shares_nothing(bed):
    """Two tenants on one Redis: neither finds the other's blocks or nodes."""
    with World(bed, 2) as w:
        first, second = w.nodes
        second.settings["WARMPATH_CLUSTER_SECRET"] = "another secret of another tenant"
        w.right(first.cat("big"), "big")
        w.right(second.cat("big"), "big")
        check.equal("nodes that the second knows", second.cluster()["nodes"], 0)
        check.equal("requests to peers", second.counters()["peer_requests"], 0)


def case_other_regions_are_not_asked(bed):
    with World(bed, 2) as w:
        first, second = w.nodes
        first.settings["WARMPATH_ZONE"] = "us/a"
        second.settings["WARMPATH_ZONE"] = "eu/a"
        w.right(first.cat("big"), "big")
        w.right(second.cat("big"), "big")
        check.equal("requests to peers", second.counters()["peer_requests"], 0)
        second.stop()
        second.tool("evict")
        for path in second.block_files():
            os.unlink(path)
        second.settings["WARMPATH_PEER_REGIONS"] = "any"
        w.right(second.cat("big"), "big")
        check.that(second.counters()["peer_hit_blocks"] > 0, "not asked although WARMPATH_PEER_REGIONS=any")


def case_alone_without_redis(bed):
    """Without WARMPATH_REDIS nothing of all this happens."""
    with World(bed, 1) as w:
        node = w.nodes[0]
        node.settings["WARMPATH_REDIS"] = None
        w.right(node.cat("big", "small"), "big", "small")
        check.that("cluster" not in node.status(), "status speaks of a cluster")
        check.that(not [r for r in w.proxy.seen if r.method == "HEAD"], "HEAD requests of a node that stands alone")


def case_status_shows_the_cluster(bed):
    with World(bed, 2) as w:
        w.joined()
        shown = w.nodes[0].tool("status").text
        check.match("status", shown, r"^cluster +index fine since 2\d\d\d-")
        check.match("status", shown, r"^peers +1 nodes, 1 to ask;")
        done = w.nodes[0].tool("node", "status")
        check.match("node status", done.text, "answers")
        check.that(wait_until(lambda: w.nodes[0].cluster()["peers"] == 1, 5), "no peer to ask")
