"""The suite "scale": what the cluster's cases show in small, at the size that is promised.

Eight nodes, a gigabyte, whole blocks of 4 MiB; S3's requests are counted by S3 itself (RGW's log).
Needs root, 10 GB of disk and 6 GB of memory. Not among the default suites: it takes minutes.
"""

import os
import re
import sys
import time

import check
import job
from node import wait_until
from suite import Case
from testbed import ROOT

sys.path.append(os.path.join(ROOT, "tests", "cluster"))
from world import MOUNT, World, finish, sh  # noqa: E402

NODES = 8
SIZE = 1 << 30
BLOCK = 4 << 20
THIN_SIZE = 128 << 20
THIN_MBIT = 400
MORE = 1.05     # times as many requests and bytes as there are
REQUEST = re.compile(r'"GET /(\S+) HTTP/1\.1" (\d+) (\d+) ')


def s3_gets(bed, path):
    """(requests that brought bytes of this object, bytes) by S3's own log."""
    found = []
    with open(bed.services["WARMPATH_TEST_RGW_LOG"], encoding="utf-8", errors="replace") as log:
        for line in log:
            request = REQUEST.search(line)
            if request and request[1] == path and request[2] in ("200", "206"):
                found.append(int(request[3]))
    return len(found), sum(found)


def upload(w, key, size):
    """Random bytes; their SHA-256."""
    source = os.path.join(w.dir, key)
    with open(source, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    w.bed.store.put_all(w.bucket, [(key, source)])
    want = job.run(["sha256sum", source], w.bed.base_env()).text.split()[0]
    os.unlink(source)
    return want


def read_together(w, key, want):
    """All nodes at once. Seconds."""
    began = time.monotonic()
    readers = [job.start(node.command(["sha256sum", f"{MOUNT}/{key}"]), node.env(w.mapping), out=-1, err=-1)
               for node in w.nodes]
    for reader in readers:
        done = finish(reader, 150)
        check.equal("SHA-256", done.text.split()[:1], [want], done.errors)
    return time.monotonic() - began


def case_eight_nodes_behind_a_thin_line(bed):
    """An S3 of fixed bandwidth: with peers eight nodes load together at least three times as fast as without."""
    took = {}
    for how in ("together", "alone"):
        with World(bed, NODES, WARMPATH_BLOCK_SIZE=BLOCK) as w:
            want = upload(w, "thin", THIN_SIZE)
            # What S3 and Redis send goes over the bridge's own port; what nodes send to each other doesn't.
            sh("tc", "qdisc", "add", "dev", w.bridge, "root", "tbf", "rate", f"{THIN_MBIT}mbit", "burst", "256kb",
               "latency", "400ms")
            if how == "together":
                w.joined()
            else:
                for node in w.nodes:
                    node.settings["WARMPATH_REDIS"] = None
            took[how] = read_together(w, "thin", want)
    bound = THIN_SIZE * 8 / THIN_MBIT / 1e6
    print(f"     8 nodes, {THIN_SIZE >> 20} MiB each, S3 with {THIN_MBIT} Mb/s (once through it: {bound:.1f} s): with peers "
          f"{took['together']:.1f} s, without {took['alone']:.1f} s: {took['alone'] / took['together']:.1f} times", flush=True)
    check.that(took["alone"] >= 3 * took["together"], f"{took}")


def case_eight_nodes_read_a_gigabyte(bed):
    """Together, with empty caches: each block leaves S3 once."""
    with World(bed, NODES, WARMPATH_BLOCK_SIZE=BLOCK) as w:
        want = upload(w, "gigabyte", SIZE)
        w.joined()
        took = read_together(w, "gigabyte", want)
        blocks = SIZE // BLOCK
        counted = lambda: s3_gets(bed, f"{w.bucket}/gigabyte")
        check.that(wait_until(lambda: counted()[1] >= SIZE, 10), f"S3's log tells of {counted()[1]} bytes only")
        gets, sent = counted()
        peers = [node.counters() for node in w.nodes]
        print(f"     8 nodes, 1 GiB, {took:.1f} s: S3 answered {gets} GETs with {sent / SIZE:.3f} GiB for {blocks} blocks; "
              f"peers {sum(c['peer_bytes'] for c in peers) / SIZE:.2f} GiB, {sum(c['peer_errors'] for c in peers)} errors; "
              f"{sum(c['s3_hedges'] for c in peers)} GETs a second time for being late",
              flush=True)
        check.that(gets <= blocks * MORE, f"{gets} GETs for {blocks} blocks")
        check.that(sent <= SIZE * MORE, f"S3 sent {sent} bytes for {SIZE}")
        check.that(all(c["errors"] == 0 for c in peers), "a read failed")


def cases(bed):
    return [Case("scale/" + name[5:].replace("_", "-"), lambda function=function: function(bed))
            for name, function in globals().items() if name.startswith("case_")]
