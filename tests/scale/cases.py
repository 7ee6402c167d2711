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
from world import MOUNT, World, finish  # noqa: E402

NODES = 8
SIZE = 1 << 30
BLOCK = 4 << 20
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


def case_eight_nodes_read_a_gigabyte(bed):
    """Together, with empty caches: each block leaves S3 once."""
    with World(bed, NODES, WARMPATH_BLOCK_SIZE=BLOCK) as w:
        source = os.path.join(w.dir, "gigabyte")
        with open(source, "wb") as file:
            for _ in range(SIZE >> 20):
                file.write(os.urandom(1 << 20))
        bed.store.put_all(w.bucket, [("gigabyte", source)])
        want = job.run(["sha256sum", source], bed.base_env()).text.split()[0]
        os.unlink(source)
        w.joined()
        began = time.monotonic()
        readers = [job.start(node.command(["sha256sum", f"{MOUNT}/gigabyte"]), node.env(w.mapping), out=-1, err=-1)
                   for node in w.nodes]
        for reader in readers:
            done = finish(reader, 150)
            check.equal("SHA-256", done.text.split()[:1], [want], done.errors)
        took = time.monotonic() - began
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
