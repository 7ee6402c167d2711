"""Reads at even distances, backwards among them: what they need next comes ahead, and comes once."""

import collections
import re

import check
from node import wait_until
from scene import Scene, content, digest

MIB = 1 << 20
SIZE = 24 * MIB         # of the object


def fetched(bed, name, offsets, length, **settings):
    """A job reads at these offsets. The ranges that were fetched beside the open's, as (from, to), in order."""
    data = content("huge", SIZE)
    with Scene(bed, name, **settings) as s:
        s.through_proxy(lambda r: None)
        done = s.read("open", s.path("huge"), *[word for at in offsets for word in ("read", at, length)])
        want = [f"{at} {digest(data[at:at + length])}" for at in offsets]
        check.equal("bytes", done.text.splitlines()[1:], want, done.errors)
        wait_until(lambda: s.node.status()["blocks_in_flight"] == 0, 10)
        found = [re.findall(r"\d+", r.range) for r in s.proxy.seen if r.fetched and r.range]
        return [(int(first), int(last) + 1) for first, last in found if int(last) >= MIB]


def covered(ranges, at, length):
    return any(first <= at and at + length <= to for first, to in ranges)


def once(ranges, unit):
    count = collections.Counter(piece for first, to in ranges for piece in range(first // unit, -(-to // unit)))
    check.equal("fetched twice", [piece * unit for piece, times in count.items() if times > 1], [])


def ahead_of(bed, name, first, step, length, reads):
    """After so many reads, the four places that would follow are here, and no others."""
    offsets = [first + n * step for n in range(reads + 5)]
    ranges = fetched(bed, name, offsets[:reads], length)
    check.equal("ahead", [covered(ranges, at, length) for at in offsets[reads:]], [True] * 4 + [False], str(ranges))
    once(ranges, 65536)


def case_every_other_megabyte_comes_ahead(bed):
    ahead_of(bed, "strided", 2 * MIB, 2 * MIB, 4096, 4)


def case_places_before_each_other_come_ahead(bed):
    ahead_of(bed, "before", SIZE - MIB, -2 * MIB, 4096, 4)


def case_three_reads_are_no_run(bed):
    ranges = fetched(bed, "three", [2 * MIB, 4 * MIB, 6 * MIB], 4096)
    check.equal("ranges", [to - first for first, to in ranges], [65536] * 3)


def case_backwards_comes_ahead(bed):
    """Blocks before those that were read, the nearest first; to the beginning, and each once."""
    block = 1 * MIB
    for length in (65536, MIB):
        offsets = [SIZE - (n + 1) * length for n in range(4 * MIB // length)]
        ranges = fetched(bed, "backwards", offsets, length, WARMPATH_BLOCK_SIZE="1M")
        check.that(covered(ranges, SIZE - 5 * block, block), "the next block was not fetched", str(ranges))
        once(ranges, 16384)
    offsets = [SIZE - (n + 1) * MIB for n in range(24)]
    once(fetched(bed, "all", offsets, MIB, WARMPATH_BLOCK_SIZE="1M"), 16384)
