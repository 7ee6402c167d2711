"""Small files that a process closed and opens again: from what it kept, and when it may not."""

import check
from scene import Scene

TIMES = 5


def reopened(bed, name, *words, **settings):
    """The counters of a job that read as told."""
    with Scene(bed, name, **settings) as s:
        s.right(s.read(*[s.path(word) if word in s.objects else word for word in words]),
                *[word for word in words if word in s.objects])
        return s.node.counters()


def case_opened_again_without_asking(bed):
    counters = reopened(bed, "again", *["cat", "small"] * TIMES)
    check.equal("opens", counters["opens"], TIMES)
    check.equal("from what was kept", counters["reopens"], TIMES - 1)


def case_other_names_are_asked_for(bed):
    counters = reopened(bed, "others", "cat", "small", "cat", "dir/file")
    check.equal("from what was kept", counters["reopens"], 0)


def case_several_blocks_are_not_kept(bed):
    counters = reopened(bed, "several", *["cat", "big"] * 2)
    check.equal("from what was kept", counters["reopens"], 0)


def case_not_kept_where_every_open_asks(bed):
    counters = reopened(bed, "ttl", *["cat", "small"] * TIMES, WARMPATH_META_TTL="0")
    check.equal("from what was kept", counters["reopens"], 0)
