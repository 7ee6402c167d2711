"""What is cached or not mapped. Each function measures one figure and returns rows for the table.

Every figure brings its worlds up with empty caches, warms and checks them, takes its rounds,
and puts them away again, so figures do not share anything but the data.
"""

import contextlib
import dataclasses

from juicefs import JuiceFs, Volume
from measure import CannotRun, each_round, median, run, say, take_rounds
from mounts import Mountpoint, Rclone, S3fs
from worlds import Local, Warmpath, stop_quietly

RANDOM_SEED = 7


@dataclasses.dataclass
class Row:
    """One line of the table: samples of each arm, compared round by round with the base arm."""

    figure: str
    name: str
    unit: str
    base: str
    samples: dict
    goal: str = ""  # "<= 0.7": what Warmpath's comparison with the base should be
    compare: str = "ratio"  # or "difference", in the row's unit
    failed: dict = dataclasses.field(default_factory=dict)
    notes: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self._choose_variants()

    def more_is_better(self):
        return self.unit in ("GB/s", "MB/s")

    def _choose_variants(self):
        """Of a peer's variants ("s3fs default") the best one stands for the peer; all stay in the raw numbers."""
        names = [name for name in {**self.samples, **self.failed} if " " in name]
        for peer in dict.fromkeys(name.split()[0] for name in names):
            variants = [name for name in names if name.startswith(f"{peer} ")]
            working = [name for name in variants if self.samples.get(name)]
            if not working:
                self.failed[peer] = self.failed.get(variants[0], f"{variants[0]}: no samples")
                continue
            choose = max if self.more_is_better() else min
            self.samples[peer] = self.samples[choose(working, key=lambda name: median(self.samples[name]))]
            if len(variants) > 1:
                medians = ", ".join(f"{name.split()[1]} {median(self.samples[name]):.4g}" for name in working)
                self.notes = [*self.notes, f"{peer} is the best of {medians} {self.unit}"]

    def compared(self, arm):
        """The median over all rounds of this arm against the base."""
        operation = (lambda a, b: a - b) if self.compare == "difference" else (lambda a, b: a / b)
        return median(each_round(self.samples.get(arm, []), self.samples[self.base], operation))

    def verdict(self):
        """yes, no, failed, or empty when there is nothing to judge."""
        if "warmpath" in self.failed:
            return "failed"
        value = self.compared("warmpath")
        if not self.goal or value is None:
            return ""
        relation, limit = self.goal.split()
        met = value <= float(limit) if relation == "<=" else value >= float(limit)
        return "yes" if met else "no"


class Bench:
    """What every figure needs: the stage, the programs, and which worlds were asked for."""

    def __init__(self, stage, programs, wanted, juicefs):
        self.stage = stage
        self.sizes = stage.sizes
        self.programs = programs
        self.wanted = wanted
        self.local = Local(stage.local)
        self.volume = Volume(stage, juicefs)

    def warm_worlds(self):
        """Local files and the others with their caches on."""
        stage = self.stage
        return [self.local] + self._of_those_wanted([
            Warmpath(stage), S3fs(stage, "default", cached=True), S3fs(stage, "kernel_cache", cached=True),
            Rclone(stage, "full"), JuiceFs(stage, self.volume, "default", ["--read-only"]),
            Mountpoint(stage, cached=True)])

    def cold_worlds(self):
        """Those that can read with or without a cache on disk: the best each can do."""
        stage = self.stage
        return self._of_those_wanted([
            Warmpath(stage), S3fs(stage, "default", cached=False), Rclone(stage, "full"), Rclone(stage, "off"),
            JuiceFs(stage, self.volume, "default", ["--read-only"]),
            JuiceFs(stage, self.volume, "uncached", ["--read-only", "--cache-size", "0"]),
            Mountpoint(stage, cached=False)])

    def prepared(self, worlds):
        """The same worlds. Those that could not be prepared say so again when they are started."""
        for world in worlds:
            with contextlib.suppress(CannotRun):
                world.prepare()
        return worlds

    def _of_those_wanted(self, worlds):
        return [world for world in worlds if world.peer in self.wanted]

    @contextlib.contextmanager
    def started(self, worlds, warm):
        """Starts and warms the worlds; gives those that work, and why the others do not."""
        failed = {}
        with contextlib.ExitStack() as stack:
            for world in worlds:
                stack.callback(stop_quietly, world)
                try:
                    world.start()
                    warm(world)
                except CannotRun as error:
                    failed[world.name] = str(error)
                    say(f"  {error}")
            yield [world for world in worlds if world.name not in failed], failed

    def check_content(self, world, name):
        """Reads a whole file with sha256sum: warms the cache, and nothing wrong gets measured."""
        env = {**self.stage.env, **world.env}
        digest = run(["sha256sum", world.path(name)], env, world.name).split()[0]
        if digest != self.stage.sha256[name]:
            raise CannotRun(f"{world.name}: wrong data in {name}: SHA-256 {digest} "
                            f"instead of {self.stage.sha256[name]}")


def must_agree(samples, failed, key):
    """Drops the worlds that read something else than the first one (local files) did."""
    expected = next((results[0][key] for results in samples.values() if results), None)
    for name, results in samples.items():
        if any(result[key] != expected for result in results):
            failed[name] = f"{name}: wrong data: {key} {results[0][key]} instead of {expected}"
            samples[name] = []
            say(f"  {failed[name]}")


def values(samples, convert):
    return {name: [convert(result) for result in results] for name, results in samples.items()}


@contextlib.contextmanager
def counting_fetches(worlds, notes):
    """Notes how many blocks Warmpath fetched meanwhile: a warm figure must fetch none."""
    warmpath = next((world for world in worlds if world.name == "warmpath"), None)
    before = warmpath.counters() if warmpath else None
    yield
    if before is not None:
        with contextlib.suppress(CannotRun):  # an agent that is gone is reported by its samples
            after = warmpath.counters()
            fetched = after["s3_get_requests"] - before["s3_get_requests"]
            notes.append(f"S3 GETs by warmpath while timed: {fetched}" + (": opens or reads still asked S3" if fetched else ""))


# a. random reads of a cached object

def random_reads(bench):
    name, sizes = bench.stage.random_file, bench.sizes
    notes = []
    with bench.started(bench.warm_worlds(), lambda w: bench.check_content(w, name)) as (worlds, failed):
        arms = {world.name: lambda w=world: bench.programs.in_world(
            w, "pread_random", w.path(name), sizes.random_ops, RANDOM_SEED) for world in worlds}
        with counting_fetches(worlds, notes):
            samples, lost = take_rounds("a", sizes.rounds, arms)
    failed.update(lost)
    must_agree(samples, failed, "sum")
    return [Row("a", f"4 KiB random pread, {sizes.random_mib} MiB cached", "ns/op", "local",
                values(samples, lambda r: r["ns_per_op"]), "<= 0.7", failed=failed, notes=notes)]


# b. sequential re-reads of a cached object

def rate_inside(result):
    return result["bytes"] / result["inside_ns"]  # bytes per ns are GB/s


def rate_process(result):
    return result["bytes"] / result["process_ns"]


def sequential_rereads(bench):
    name, sizes = bench.stage.sequential_file, bench.sizes
    notes = []
    with bench.started(bench.warm_worlds(), lambda w: bench.check_content(w, name)) as (worlds, failed):
        arms = {world.name: lambda w=world: bench.programs.in_world(w, "read_seq", w.path(name))
                for world in worlds}
        with counting_fetches(worlds, notes):
            samples, lost = take_rounds("b", sizes.rounds, arms)
    failed.update(lost)
    must_agree(samples, failed, "bytes")
    title = f"1 MiB re-read, {sizes.sequential_mib} MiB cached"
    return [Row("b", f"{title}, open to close", "GB/s", "local", values(samples, rate_inside), ">= 0.8",
                failed=failed, notes=notes),
            Row("b", f"{title}, whole process", "GB/s", "local", values(samples, rate_process), failed=failed)]


# c. many small files

def small_files(bench):
    sizes, stage = bench.sizes, bench.stage
    notes = ["before each timed process the same program runs once, not timed"]

    def one_pass(world):
        return bench.programs.in_world(world, "small_files", world.path(stage.small_folder), stage.small_list)

    def warm_then_timed(world):
        # The first one renews what a world believes only for a while (size, version).
        one_pass(world)
        return one_pass(world)

    with bench.started(bench.warm_worlds(), one_pass) as (worlds, failed):
        arms = {world.name: lambda w=world: warm_then_timed(w) for world in worlds}
        with counting_fetches(worlds, notes):
            samples, lost = take_rounds("c", sizes.small_rounds, arms)
    failed.update(lost)
    must_agree(samples, failed, "sum")
    must_agree(samples, failed, "bytes")
    return [Row("c", f"open to close of {sizes.small_files} cached small files", "us/file", "local",
                values(samples, lambda r: r["us_per_file"]), "<= 6", failed=failed, notes=notes),
            reopening(bench)]


def reopening(bench):
    """The same small file again and again: what a process that reads its data in epochs does."""
    with open(bench.stage.small_list, encoding="ascii") as file:
        name = f"{bench.stage.small_folder}/{file.readline().strip()}"
    with bench.started(bench.warm_worlds(), lambda w: None) as (worlds, failed):
        arms = {world.name: lambda w=world: bench.programs.in_world(w, "reopen", w.path(name), bench.sizes.reopens)
                for world in worlds}
        samples, lost = take_rounds("c", bench.sizes.rounds, arms)
    failed.update(lost)
    must_agree(samples, failed, "sum")
    return Row("c", "open+close of a cached small file, once more", "ns", "local",
               values(samples, lambda r: r["ns_per_open"]), "<= 2", failed=failed)


# d. files that are not mapped

def pass_through(bench):
    warmpath = Warmpath(bench.stage)
    if warmpath.name not in bench.wanted:
        return []
    failed, rows = {}, []
    try:
        warmpath.start()
        rows += unmapped_reads(bench, warmpath) + [process_start(bench, warmpath)]
    except CannotRun as error:
        failed[warmpath.name] = str(error)
        rows.append(Row("d", "unmapped files under the preload", "ns/op", "plain", {"plain": []}, failed=failed))
    finally:
        stop_quietly(warmpath)
    return rows


def unmapped_reads(bench, warmpath):
    program, path = f"{bench.programs.folder}/passthrough", bench.stage.unmapped_file

    def under(env):
        return bench.programs.timed("passthrough", env, program, path, bench.sizes.pass_ops)

    arms = {"plain": lambda: under({}), "warmpath": lambda: under(warmpath.env), "control": lambda: under({})}
    samples, failed = take_rounds("d", bench.sizes.pass_rounds, arms, rotate=True)
    rows = []
    for name, key in (("4 KiB pread", "pread_ns"), ("stat", "stat_ns")):
        row = Row("d", f"{name} of an unmapped file", "ns/op", "plain",
                  values(samples, lambda r, k=key: r[k]), "<= 1.03", failed=failed)
        row.notes.append(noise_note(row))
        rows.append(row)
    return rows


def process_start(bench, warmpath):
    times = bench.programs.spawn_compare(bench.sizes.spawns, warmpath.env, "/bin/true")
    samples = {"plain": times["plain_ns"], "warmpath": times["added_ns"], "control": times["control_ns"]}
    row = Row("d", "start and end of `true`", "us", "plain",
              {name: [ns / 1000 for ns in all_ns] for name, all_ns in samples.items()}, "<= 1000", "difference")
    row.notes.append(noise_note(row))
    return row


def noise_note(row):
    """What no preload differs from no preload by: differences below it mean nothing."""
    value = row.compared("control")
    if value is None:
        return "control: not measured"
    return f"control, no preload against itself: {value:+.1f} {row.unit}" if row.compare == "difference" \
        else f"control, no preload against itself: {value:.3f}"


FIGURES = {"a": random_reads, "b": sequential_rereads, "c": small_files, "d": pass_through}
