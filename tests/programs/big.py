"""One object of 5 GiB, most of it holes: offsets that don't fit 31 or 32 bits. Its S3 is a server of the test's own."""

import os
import random

import check
import job
from big_object import BUCKET, BigObject
from node import Node
from suite import Case
from worlds import Program

SIZE = 5 * (1 << 30) + 12345
MARKS = (0, (1 << 31) - 30, (1 << 32) - 30, 5368709000, SIZE - 30)
READS = 200 << 20   # far less than the whole is fetched


def cases(bed, worlds):
    return [Case("programs/c-beyond-4-gib", lambda: compare(bed, worlds))]


def compare(bed, worlds):
    folder = bed.fresh_dir("big")
    path = os.path.join(folder, "big")
    with open(path, "wb") as file:
        file.truncate(SIZE)
        for mark in MARKS:
            os.pwrite(file.fileno(), random.Random(mark).randbytes(100)[:SIZE - mark], mark)
    program = worlds.compiled(Program("c-beyond-4-gib", "c", "beyond.c"))
    want = job.run([program, folder], bed.base_env())
    check.equal("local: exit status", want.status, 0, want.errors)
    with BigObject(path) as server, Node(bed, "big") as node:
        env = node.env(f"/mapped/big=s3://{BUCKET}", AWS_ENDPOINT_URL_S3=server.url)
        for world in ("s3-cold", "s3-warm"):
            got = job.run([program, "/mapped/big"], env)
            check.same_text(f"{world}: output", got.text, want.text, (world, "local"))
            check.equal(f"{world}: standard error", got.errors, "")
        check.that(server.fetched < READS, f"{server.fetched} bytes were fetched")
    os.remove(path)
