"""Sharded models: what the open of an index brings of the files that it names, and a run to the end of one
of the next."""

import json

import numpy
from safetensors.numpy import save

import check
import job
import proxy
from hints import MIB
from node import wait_until
from scene import Scene, content

SHARDS, TENSORS, TENSOR = 5, 6, MIB
SHARD = TENSORS * TENSOR
AHEAD = 16
NAME = "model-{:05}-of-{:05}.safetensors"


class Model:
    """A scene with a model of some shards, or with an index that says what it likes."""

    def __init__(self, bed, name, index=None, **settings):
        self.s = Scene(bed, name, WARMPATH_BLOCK_SIZE=str(MIB), **settings)
        self.index = index

    def __enter__(self):
        self.s.through_proxy(lambda request: None)
        shards = {NAME.format(i + 1, SHARDS): save({f"t{i}-{k}": numpy.frombuffer(content(f"shard {i} {k}", TENSOR), dtype=numpy.uint8) for k in range(TENSORS)})
                  for i in range(SHARDS)}
        index = self.index or {"metadata": {}, "weight_map": {f"t{i}-{k}": name for i, name in enumerate(shards) for k in range(TENSORS)}}
        self.key = self.s.put("model.safetensors.index.json", json.dumps(index).encode())
        self.folder = self.key.rpartition("/")[0]
        self.keys = [f"{self.folder}/{name}" for name in shards]
        for key, data in zip(self.keys, shards.values()):
            self.s.replace(key, data)
        return self

    def __exit__(self, *ignored):
        self.s.__exit__()

    def read(self, *keys):
        self.s.right(self.s.read(*(word for key in keys for word in ("cat", self.s.path(key)))), *keys)

    def asked(self, key):
        """What S3 was asked of an object: the ranges, and whether it answered."""
        return [(r.method, r.range) for r in list(self.s.proxy.seen) if r.path.endswith("/" + key) and r.status]

    def bytes(self, key):
        spans = [range.removeprefix("bytes=").split("-") for method, range in self.asked(key) if method == "GET" and range]
        return sum(int(to) + 1 - int(begin) for begin, to in spans)


def case_shards_are_looked_up_ahead(bed):
    """The index alone is read: the beginnings of all its files come, and their opens ask for nothing."""
    with Model(bed, "shardindex") as m:
        m.read(m.key)
        check.that(wait_until(lambda: m.s.node.counters()["ahead_files"] == SHARDS, 10), f"{m.s.proxy.names()}")
        check.equal("asked", [m.asked(key) for key in m.keys], [[("GET", f"bytes=0-{MIB - 1}")]] * SHARDS)
        before = m.s.proxy.count()
        done = job.run(["stat", "-c", "%s", *map(m.s.path, m.keys)], m.s.env())
        check.equal("sizes", done.text.split(), [str(len(m.s.objects[key])) for key in m.keys], done.errors)
        check.equal("requests of the opens", m.s.proxy.count(), before)


def case_shards_next_one_is_begun(bed):
    """A run to the end of one brings the next, and no other."""
    with Model(bed, "shardnext") as m:
        m.read(m.key)
        wait_until(lambda: all(m.asked(key) for key in m.keys), 10)
        job.run(["cat", m.s.path(m.keys[1])], m.s.env())  # which says that it reads in sequence
        check.that(wait_until(lambda: m.bytes(m.keys[2]) >= SHARD, 10), f"{m.bytes(m.keys[2])} bytes of the next")
        check.equal("bytes of the others", [m.bytes(m.keys[i]) for i in (0, 3, 4)], [MIB] * 3)
        m.read(*m.keys)
        check.equal("bytes in the end", [m.bytes(key) for key in m.keys], [len(m.s.objects[key]) for key in m.keys])


def case_shards_without_an_index(bed):
    """The first one's name tells the others; who opens a second, too, is taken at its word."""
    with Model(bed, "shardfirst") as m:
        m.read(m.keys[0])
        check.that(wait_until(lambda: m.s.node.counters()["ahead_files"] == SHARDS - 1, 10), f"{m.s.proxy.names()}")
        check.equal("asked of the others", [m.asked(key) for key in m.keys[1:]], [[("GET", f"bytes=0-{MIB - 1}")]] * (SHARDS - 1))
        m.read(m.keys[1])
        check.that(wait_until(lambda: m.bytes(m.keys[2]) >= SHARD, 10), f"{m.bytes(m.keys[2])} bytes of the next")


def case_shards_alone_stay_alone(bed):
    """One in the middle tells nothing."""
    with Model(bed, "shardnone") as m:
        m.read(m.keys[1])
        check.equal("asked of the others", [m.asked(key) for key in m.keys[2:]], [[]] * 3)


def case_shards_of_a_long_index(bed):
    """As of a model with 90,000 tensors: its open brings a part of it, and the job reads the rest."""
    with Model(bed, "shardlong", {"metadata": {"note": "x" * 3 * MIB}, "weight_map": {f"t{i}": NAME.format(i % SHARDS + 1, SHARDS) for i in range(9000)}}) as m:
        m.read(m.key)
        m.read(m.keys[1])
        check.that(wait_until(lambda: all(m.asked(key) for key in m.keys), 10), f"{m.s.proxy.names()}")


def case_shards_of_a_liar(bed):
    """A million files, those of other directories, and more than there are."""
    for what in ({f"t{i}": f"m{i}" for i in range(30_000)}, {"a": NAME.format(1, SHARDS), "b": "../small"}):
        with Model(bed, "shardliar", {"weight_map": what}) as m:
            m.read(m.key)
            m.read(m.keys[4])
            check.equal("asked", {r.path.rpartition("/")[2] for r in m.s.proxy.seen},
                        {m.key.rpartition("/")[2], m.keys[4].rpartition("/")[2]})
    with Model(bed, "shardmore", {"weight_map": {f"t{i}": f"m{i:03}" for i in range(1000)}}) as m:
        m.read(m.key)
        m.read(m.keys[4])
        asked = {r.path for r in m.s.proxy.seen if "/m0" in r.path or "/m1" in r.path}
        check.that(len(asked) <= AHEAD, f"{len(asked)} files were asked for")


def case_shards_between_are_left(bed):
    """Who begins in the middle of a model is not given what lies before."""
    with Model(bed, "shardmiddle", {"weight_map": {f"t{i}": f"m{i:03}" for i in range(1000)}}) as m:
        middle = f"{m.folder}/m500"
        m.s.replace(middle, b"x" * 100)
        m.read(m.key)
        m.read(middle)
        check.that(wait_until(lambda: m.asked(f"{m.folder}/m{500 + AHEAD}"), 10), f"{m.s.proxy.names()}")
        between = {f"m{i:03}" for i in range(AHEAD, 500)}
        check.equal("asked", between & {r.path.rpartition("/")[2] for r in list(m.s.proxy.seen)}, set())


def case_shards_that_are_refused(bed):
    """Looking ahead fails in silence; the file's own open says why."""
    with Model(bed, "shardsecret") as m:
        m.s.proxy.rule = lambda r: proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>") if "model-0" in r.path else None
        m.read(m.key)
        done = job.run(["cat", m.s.path(m.keys[0])], m.s.env())
        check.that("Permission denied" in done.errors and done.status == 1, done.errors)
        check.equal("bytes", done.out, b"")
