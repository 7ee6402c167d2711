"""Figure g: many small files that nobody has read before, one process, one after the other.

The baseline is what a downloader made for it reaches: curl with 16 requests at a time, its
connections reused, everything to /dev/null; beside it the same with everything kept in files.
"""

import os
import random
import shlex
from concurrent.futures import ThreadPoolExecutor

from downloads import KEPT_NOTE, new_folder
from figures import Row, values
from figures_cold import in_warm_memory
from measure import CannotRun, take_rounds
from worlds import Local, stop_quietly

FOLDER = "cold-small"
FILE_BYTES = 64 * 1024
PARALLEL = 16

SMALL_FLOOR_NOTE = ("least work: the least that any reader can do that stores what it fetches and hands it to another process: "
                    f"{PARALLEL} plain connections, received into files, which a second process reads; no listing, no checksum, no retry")


def make_files(bench):
    """Uploads them, leaves them locally for JuiceFS, and writes lists of their names: in order, and shuffled."""
    stage, count = bench.stage, bench.sizes.cold_files
    names = [f"{number:05d}.bin" for number in range(count)]
    draw = random.Random(20240502)
    bodies = [draw.randbytes(FILE_BYTES) for _ in names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name, body: stage.s3.put_object(Bucket=stage.bucket, Key=f"{FOLDER}/{name}", Body=body),
                      names, bodies))
    os.makedirs(f"{stage.local}/{FOLDER}")
    for name, body in zip(names, bodies):
        with open(f"{stage.local}/{FOLDER}/{name}", "wb") as file:
            file.write(body)
    shuffled = draw.sample(names, count)
    lists = {}
    for order, chosen in (("in order", names), ("shuffled", shuffled)):
        lists[order] = f"{stage.work}/cold-{order.replace(' ', '-')}.list"
        with open(lists[order], "w", encoding="ascii") as file:
            file.writelines(f"{name}\n" for name in chosen)
    return names, lists


class ParallelGets:
    """One curl with many requests at a time, into nothing or into files."""

    def __init__(self, bench, names):
        self.bench = bench
        self.urls = {name: bench.stage.url(f"{FOLDER}/{name}") for name in names}

    def fetch(self, name, out):
        """out: where the file of this name goes."""
        bench, config = self.bench, f"{self.bench.stage.work}/cold-small.cfg"
        with open(config, "w", encoding="ascii") as file:
            file.write("".join(f'url = "{url}"\noutput = "{out(name)}"\n' for name, url in self.urls.items()))
        command = (f"exec curl -q -sS --fail --parallel --parallel-max {PARALLEL} -K {shlex.quote(config)} "
                   "-w '{\"bytes\": %{size_download}}\\n'")
        result = bench.programs.timed(name, {}, "/bin/sh", "-c", command)
        if result["bytes"] != len(self.urls) * FILE_BYTES:
            raise CannotRun(f"{name}: {result['bytes']} bytes arrived instead of {len(self.urls) * FILE_BYTES}")
        return result

    def thrown_away(self):
        return self.fetch("curl", lambda _name: "/dev/null")

    def kept(self, listed):
        """The sum, taken after the clock, is what readers of this list get."""
        with new_folder(self.bench, "kept") as folder:
            result = self.fetch("kept", lambda name: f"{folder}/{name}")
            read = self.bench.programs.in_world(Local(folder), "small_files", folder, listed)
            return {**result, "sum": read["sum"]}

    def least_work(self, listed):
        """Its files are numbered in the order of the URLs; the sum as above."""
        bench, places = self.bench, {name: f"{place:06d}" for place, name in enumerate(self.urls)}
        urls, numbers = f"{bench.stage.work}/cold-small.urls", f"{bench.stage.work}/cold-small.numbers"
        with open(urls, "w", encoding="ascii") as file:
            file.writelines(f"{url}\n" for url in self.urls.values())
        with open(listed, encoding="ascii") as names, open(numbers, "w", encoding="ascii") as file:
            file.writelines(f"{places[name.strip()]}\n" for name in names)
        with new_folder(bench, "floor") as folder:
            program = f"{bench.programs.folder}/download_and_read"
            result = bench.programs.timed("floor", {}, program, f"@{urls}", FILE_BYTES, folder)
            read = bench.programs.in_world(Local(folder), "small_files", folder, numbers)
            return {**result, "sum": read["sum"]}


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
    worlds, curl = bench.prepared(bench.cold_worlds()), ParallelGets(bench, names)
    curl.thrown_away()  # not counted: the server's and curl's own first time
    rows = []
    for order, listed, goal in (("in order", False, ">= 0.8"), ("shuffled", True, "")):
        arms = {"curl": curl.thrown_away, "kept": lambda: curl.kept(lists[order]),
                "floor": lambda: curl.least_work(lists[order]),
                **{world.name: lambda w=world: read_cold(bench, w, listed, lists[order]) for world in worlds}}
        arms = {name: lambda m=measure: in_warm_memory(bench, m) for name, measure in arms.items()}
        samples, failed = take_rounds("g", bench.sizes.cold_rounds, arms)
        if "curl" in failed:
            raise CannotRun(failed["curl"])
        sums = {result["sum"] for results in samples.values() for result in results if "sum" in result}
        if len(sums) > 1:
            raise CannotRun(f"cold small files: the worlds read different data: {sorted(sums)}")
        title = f"{len(names)} cold files of 64 KiB, {order}{' after ls' if listed else ''}"
        rows.append(Row("g", title, "MB/s", "curl",
                        values(samples, lambda r: r["bytes"] / r["process_ns"] * 1000), goal, failed=failed,
                        notes=[f"curl: one process, {PARALLEL} GETs at a time, to /dev/null; whole processes are timed",
                               KEPT_NOTE, SMALL_FLOOR_NOTE]))
    return rows
