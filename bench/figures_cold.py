"""What nobody has read before: one large object, in sequence, at random, in several streams, from afar."""

import contextlib
import shlex
import subprocess

from downloads import CURLS, FLOOR_NOTE, KEPT_NOTE, baselines, parallel_curls, sequential_url
from figures import RANDOM_SEED, Row, rate_process, values
from measure import CannotRun, run, take_rounds
from stage import MIB
from worlds import stop_quietly

STREAMS = 8
FAR_CURLS = 32
FAR_MS = 30
COLD_APART = 4 * MIB
WARM_TIMES = 3  # as much memory as the sequential object: its page cache, a peer's or S3's buffers, and more


class ColdReader:
    """Reads the sequential object in a world with an empty cache, and looks once at what came."""

    def __init__(self, bench):
        self.bench = bench
        self.checked = set()

    def read(self, world, program, *args):
        bench, name, expected = self.bench, self.bench.stage.sequential_file, self.bench.sizes.sequential_mib * MIB
        try:
            world.start()
            result = bench.programs.in_world(world, program, world.path(name), *args)
            if result["bytes"] != expected:
                raise CannotRun(f"{world.name}: read {result['bytes']} of {expected} bytes")
            if world.name == "warmpath":
                must_be_cold(world, result)
            if world.name not in self.checked:  # after the clock, on what was just fetched
                bench.check_content(world, name)
                self.checked.add(world.name)
            return result
        finally:
            stop_quietly(world)


def sequential_row(bench, letter, title, arms, goal, notes):
    """Arms that bring the whole sequential object, compared with the first of them."""
    base = next(iter(arms))
    arms = {name: lambda m=measure: in_warm_memory(bench, m) for name, measure in arms.items()}
    samples, failed = take_rounds(letter, bench.sizes.cold_rounds, arms)
    if base in failed:
        raise CannotRun(failed[base])
    samples = values(samples, lambda r: rate_process(r) * 1000)
    return Row(letter, title, "MB/s", base, samples, goal, failed=failed, notes=notes)


# e. one reader, in sequence

def cold_reads(bench):
    reader, worlds = ColdReader(bench), bench.prepared(bench.cold_worlds())
    notes = [f"curl: {CURLS} processes, a range of the object each, to /dev/null", KEPT_NOTE, FLOOR_NOTE,
             "whole processes are timed; mounting is not, starting Warmpath's agent is"]
    arms = {**baselines(bench, sequential_url(bench)),
            **{world.name: lambda w=world: reader.read(w, "read_seq") for world in worlds}}
    return [sequential_row(bench, "e", f"cold 1 MiB sequential read, {bench.sizes.sequential_mib} MiB", arms,
                           ">= 0.9", notes)]


def in_warm_memory(bench, measure):
    """Measures right after the machine's memory was made warm (see warm_memory.c)."""
    run([f"{bench.programs.folder}/warm_memory", f"{bench.stage.work}/warm", str(WARM_TIMES * bench.sizes.sequential_mib)],
        bench.stage.env, "warm_memory")
    return measure()


def must_be_cold(world, result):
    fetched = world.counters()["s3_bytes"]
    if fetched < result["bytes"]:
        raise CannotRun(f"warmpath: only {fetched} bytes came from S3, so this was no cold read")


# f. random reads of an object that is not cached

def cold_random_reads(bench):
    """Every read is the first in its block; the peer is as many small ranged GETs on one connection."""
    stage, sizes = bench.stage, bench.sizes
    name, count = stage.sequential_file, sizes.sequential_mib * MIB // COLD_APART // 2
    config = f"{stage.work}/ranges.cfg"
    starts = [(i * 7919) % (2 * count) * COLD_APART for i in range(count)]
    with open(config, "w", encoding="ascii") as file:
        file.write("next\n".join(f'url = "{stage.url(name)}"\noutput = /dev/null\nrange = {at}-{at + 4095}\n'
                                 for at in starts))

    def small_gets():
        result = bench.programs.timed("curl", {}, "/bin/sh", "-c", f"exec curl -q -sS --fail -K {shlex.quote(config)}")
        return {"us_per_op": result["process_ns"] / 1000 / count}

    def reads(world):
        try:
            world.start()
            return bench.programs.in_world(world, "pread_cold", world.path(name), count, RANDOM_SEED, COLD_APART)
        finally:
            stop_quietly(world)

    worlds = bench.prepared(bench.cold_worlds())
    arms = {"curl": small_gets, **{world.name: lambda w=world: reads(w) for world in worlds}}
    samples, failed = take_rounds("f", sizes.cold_rounds, arms)
    if "curl" in failed:
        raise CannotRun(failed["curl"])
    expected = {result["sum"] for results in samples.values() for result in results if "sum" in result}
    if len(expected) > 1:
        raise CannotRun(f"cold random reads: the worlds read different data: {sorted(expected)}")
    return [Row("f", f"cold 4 KiB random pread, {sizes.sequential_mib} MiB", "us", "curl",
                values(samples, lambda r: r["us_per_op"]), "<= 1.3", failed=failed,
                notes=[f"curl: {count} GETs of 4 KiB by one process on one connection, its start included"])]


# h. eight streams at once, by one descriptor

def cold_streams(bench):
    reader = ColdReader(bench)

    def streams(world, count):
        return lambda: reader.read(world, "read_streams", count)

    worlds = bench.cold_worlds()
    warmpath = [world for world in worlds if world.peer == "warmpath"]
    if not warmpath:
        return []
    arms = {"one": streams(warmpath[0], 1), "warmpath": streams(warmpath[0], STREAMS)}
    return [sequential_row(bench, "h", f"{STREAMS} cold streams in turns, {bench.sizes.sequential_mib} MiB together", arms,
                           ">= 0.8", ["one: the same program with one stream; both on Warmpath"])]


# i. an S3 that is far away

def far_reads(bench):
    """S3 behind a relay that makes every request wait (bench/src/far_away.c)."""
    warmpath = [world for world in bench.cold_worlds() if world.peer == "warmpath"]
    if not warmpath:
        return []
    reader = ColdReader(bench)
    with far_away(bench) as endpoint:
        world = warmpath[0].through(endpoint)
        curls = parallel_curls(bench, sequential_url(bench, endpoint), FAR_CURLS)
        notes = [f"curl: {FAR_CURLS} processes, a range of the object each; a relay holds every request back for "
                 f"{FAR_MS} ms, the first of a connection for twice that"]
        return [sequential_row(bench, "i", f"the same from {FAR_MS} ms away", {
            "curl": curls, "warmpath": lambda: reader.read(world, "read_seq")}, ">= 0.9", notes)]


@contextlib.contextmanager
def far_away(bench):
    port = bench.stage.env["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]
    with subprocess.Popen([f"{bench.programs.folder}/far_away", port, str(FAR_MS)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as relay:
        try:
            yield f"http://127.0.0.1:{relay.stdout.readline().strip()}"
        finally:
            relay.stdin.close()  # it ends then


FIGURES = {"e": cold_reads, "f": cold_random_reads, "h": cold_streams, "i": far_reads}
