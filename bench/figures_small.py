"""Figure g: many small files that nobody has read before, one process, one after the other.

The baseline is what a downloader made for it reaches: curl with 16 requests at a time, its
connections reused, everything to /dev/null.
"""

import random
import shlex
from concurrent.futures import ThreadPoolExecutor

from figures import Row, stop_quietly, values
from figures_cold import in_warm_memory
from measure import CannotRun, take_rounds

FOLDER = "cold-small"
FILE_BYTES = 64 * 1024
PARALLEL = 16


def make_files(bench):
    """Uploads them, and writes lists of their names: in order, and shuffled."""
    stage, count = bench.stage, bench.sizes.cold_files
    names = [f"{number:05d}.bin" for number in range(count)]
    draw = random.Random(20240502)
    bodies = [draw.randbytes(FILE_BYTES) for _ in names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name, body: stage.s3.put_object(Bucket=stage.bucket, Key=f"{FOLDER}/{name}", Body=body),
                      names, bodies))
    shuffled = draw.sample(names, count)
    lists = {}
    for order, chosen in (("in order", names), ("shuffled", shuffled)):
        lists[order] = f"{stage.work}/cold-{order.replace(' ', '-')}.list"
        with open(lists[order], "w", encoding="ascii") as file:
            file.writelines(f"{name}\n" for name in chosen)
    return names, lists


def parallel_gets(bench, names):
    config = f"{bench.stage.work}/cold-small.cfg"
    with open(config, "w", encoding="ascii") as file:
        file.write("".join(f'url = "{bench.stage.url(f"{FOLDER}/{name}")}"\noutput = /dev/null\n' for name in names))
    command = (f"exec curl -q -sS --fail --parallel --parallel-max {PARALLEL} -K {shlex.quote(config)} "
               "-w '{\"bytes\": %{size_download}}\\n'")

    def measure():
        result = bench.programs.timed("curl", {}, "/bin/sh", "-c", command)
        if result["bytes"] != len(names) * FILE_BYTES:
            raise CannotRun(f"curl: {result['bytes']} bytes arrived instead of {len(names) * FILE_BYTES}")
        return result

    return measure


def read_cold(bench, world, listed, names):
    program = f"{bench.programs.folder}/small_files"
    folder = shlex.quote(world.path(FOLDER))
    command = f"{'ls ' + folder + ' >/dev/null; ' if listed else ''}exec {program} {folder} {shlex.quote(names)}"
    try:
        world.start()
        result = bench.programs.timed(world.name, world.env, "/bin/sh", "-c", command)
        if world.name == "warmpath" and world.counters()["s3_bytes"] < result["bytes"]:
            raise CannotRun("warmpath: less came from S3 than was read, so this was no cold read")
        return result
    finally:
        stop_quietly(world)


def cold_small_files(bench):
    names, lists = make_files(bench)
    curls = parallel_gets(bench, names)
    curls()  # not counted: the server's and curl's own first time
    rows = []
    for order, listed, goal in (("in order", False, ">= 0.8"), ("shuffled", True, "")):
        arms = {"curl": curls, **{world.name: lambda w=world: read_cold(bench, w, listed, lists[order])
                                  for world in bench.cold_worlds()}}
        arms = {name: lambda m=measure: in_warm_memory(bench, m) for name, measure in arms.items()}
        samples, failed = take_rounds("g", bench.sizes.cold_rounds, arms)
        if "curl" in failed:
            raise CannotRun(failed["curl"])
        sums = {result["sum"] for results in samples.values() for result in results if "sum" in result}
        if len(sums) > 1:
            raise CannotRun(f"cold small files: the worlds read different data: {sorted(sums)}")
        title = f"{len(names)} cold files of 64 KiB, {order}{', listed before' if listed else ''}"
        rows.append(Row("g", title, "MB/s", "curl",
                        values(samples, lambda r: r["bytes"] / r["process_ns"] * 1000), goal, failed=failed,
                        notes=[f"curl: one process, {PARALLEL} GETs at a time; whole processes are timed"]))
    return rows
