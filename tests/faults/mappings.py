"""WARMPATH_MAP and the other options: malformed, unknown, missing."""

import check
import job
from scene import MOUNT, Scene

# name, the entry (BUCKET stands for one that is there), what the line must speak of
BAD_ENTRIES = [
    ("no-equals-sign", "/mapped/bad", "="),
    ("relative-prefix", "mapped/bad=s3://BUCKET", "absolute"),
    ("empty-prefix", "=s3://BUCKET", "absolute"),
    ("root-prefix", "/=s3://BUCKET", "'/'"),
    ("no-url", "/mapped/bad=", "s3://"),
    ("no-scheme", "/mapped/bad=BUCKET/x", "s3://"),
    ("other-scheme", "/mapped/bad=https://BUCKET/x", "s3://"),
    ("unknown-option", "/mapped/bad=s3://BUCKET?foo=1", "unknown option.*foo"),
    ("unknown-style", "/mapped/bad=s3://BUCKET?style=odd", "style"),
    ("empty-bucket", "/mapped/bad=s3:///x", "bucket"),
    ("impossible-bucket", "/mapped/bad=s3://no bucket/x", "bucket"),
    ("too-long-prefix", "/mapped/bad=s3://BUCKET/" + "x" * 1100, "long"),
    ("read-write", "/mapped/bad=s3://BUCKET?rw", "rw"),
]

# name, settings, the variable the line must name, what else it must speak of
BAD_OPTIONS = [
    ("block-size-no-number", {"WARMPATH_BLOCK_SIZE": "large"}, "power of two"),
    ("block-size-no-power-of-two", {"WARMPATH_BLOCK_SIZE": "3M"}, "power of two"),
    ("block-size-too-small", {"WARMPATH_BLOCK_SIZE": "1K"}, "64K"),
    ("block-size-too-large", {"WARMPATH_BLOCK_SIZE": "1G"}, "64M"),
    ("block-size-zero", {"WARMPATH_BLOCK_SIZE": "0"}, "power of two"),
    ("read-piece-no-power-of-two", {"WARMPATH_READ_PIECE": "96K"}, "power of two"),
    ("read-piece-too-large", {"WARMPATH_READ_PIECE": "4M"}, "4K to 1M"),
    ("mmap-no-size", {"WARMPATH_MMAP": "lazy"}, "whole"),
    ("meta-ttl-negative", {"WARMPATH_META_TTL": "-1"}, "seconds"),
    ("meta-ttl-no-number", {"WARMPATH_META_TTL": "soon"}, "seconds"),
    ("cache-size-no-number", {"WARMPATH_CACHE_SIZE": "lots"}, "size"),
    ("cache-size-share-too-large", {"WARMPATH_CACHE_SIZE": "180%"}, "share"),
    ("deadline-no-number", {"WARMPATH_DEADLINE": "1 fortnight"}, "seconds"),
    ("idle-timeout-no-number", {"WARMPATH_IDLE_TIMEOUT": "never"}, "seconds"),
    ("log-unknown-level", {"WARMPATH_LOG": "loudly"}, "WARMPATH_LOG"),
    ("unknown-variable", {"WARMPATH_BLOKSIZE": "4M"}, "not an option"),
]


def table(bed):
    for name, entry, speaks_of in BAD_ENTRIES:
        yield "map-" + name, lambda e=entry, s=speaks_of: bad_entry(bed, e, s)
    for name, settings, speaks_of in BAD_OPTIONS:
        yield "option-" + name, lambda v=settings, s=speaks_of: bad_option(bed, v, s)


def bad_entry(bed, entry, speaks_of):
    """The bad entry is named and left out; its neighbour and local files are served."""
    with Scene(bed, "map") as s:
        entry = entry.replace("BUCKET", s.bucket)
        done = s.read("cat", s.path("small"), "cat", "/etc/hostname", "cat", "/mapped/bad/small",
                      mapping=f"{entry},{s.mapping}")
        lines = done.text.splitlines()
        check.that(lines[0].startswith(s.path("small") + " 100 "), f"the neighbour: {lines[0]}", done.errors)
        check.match("a local file", lines[1], r"^/etc/hostname \d+ ", done.errors)
        check.match("the bad mapping", lines[2], "/mapped/bad/small ENOENT", done.errors)
        s.says(done, "WARMPATH_MAP", speaks_of)
        check.that(entry[:60] in done.errors, "the line does not show the entry", done.errors)


def bad_option(bed, settings, speaks_of):
    """The variable is named; the default is used and reading works."""
    with Scene(bed, "option") as s:
        done = s.read("cat", s.path("big"), **settings)
        s.right(done, "big")
        s.says(done, next(iter(settings)), speaks_of)


def case_map_unset(bed):
    """The library without a mapping: the program just works and no agent starts."""
    with Scene(bed, "unset") as s:
        done = s.read("cat", "/etc/hostname", "cat", s.path("small"), mapping=None)
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")
        check.match("nothing is mapped", done.text, f"^{MOUNT}/small ENOENT")
        s.silent(done)
        check.equal("agents", s.node.pids(), [])


def case_map_empty(bed):
    with Scene(bed, "empty") as s:
        done = s.read("cat", "/etc/hostname", "cat", s.path("small"), mapping="")
        check.match("nothing is mapped", done.text, f"^{MOUNT}/small ENOENT")
        check.equal("agents", s.node.pids(), [])


def case_map_all_bad(bed):
    with Scene(bed, "bad") as s:
        done = s.read("cat", "/etc/hostname", "cat", s.path("small"), mapping=f"{MOUNT},{MOUNT}=nothing")
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")
        check.match("nothing is mapped", done.text, f"^{MOUNT}/small ENOENT")
        s.says(done, "WARMPATH_MAP")
        check.equal("agents", s.node.pids(), [])


def case_map_duplicate(bed):
    """The second mapping of a prefix is left out, the first is served."""
    with Scene(bed, "twice") as s:
        done = s.read("cat", s.path("small"), mapping=f"{s.mapping},{MOUNT}/=s3://other-bucket")
        s.right(done, "small")
        s.says(done, "WARMPATH_MAP", "already|twice")


def case_map_nested(bed):
    """A mapping inside a mapping: the longer prefix wins, and the outer one goes on beside it."""
    with Scene(bed, "nested") as s:
        inner = bed.store.make_bucket("inner")
        bed.store.put(inner, "file", b"from the inner bucket\n")
        done = s.read("cat", s.path("dir/inner/file"), "cat", s.path("dir/file"), "cat", s.path("small"),
                      mapping=f"{s.mapping},{MOUNT}/dir/inner=s3://{inner}")
        lines = done.text.splitlines()
        check.match("inner", lines[0], f"^{MOUNT}/dir/inner/file 22 ")
        check.match("beside it", lines[1], f"^{MOUNT}/dir/file 18 ")
        check.match("outer", lines[2], f"^{MOUNT}/small 100 ")


def case_map_said_once(bed):
    """A job of several processes does not repeat the line for each of them endlessly."""
    with Scene(bed, "once") as s:
        env = s.env(mapping=f"{s.mapping},bad-entry")
        done = job.run(["/bin/sh", "-c", "for n in 1 2 3 4 5 6 7 8 9; do /bin/true; done"], env)
        lines = [line for line in done.errors.splitlines() if "bad-entry" in line]
        check.equal("lines about the bad entry", len(lines), 1, done.errors)
