"""The benchmark's main program; bench/run starts it. See docs/benchmarks.md for the method."""

import argparse
import os
import shutil
import signal
import sys

from figures import FIGURES as WARM_FIGURES, Bench, Row
from figures_cold import FIGURES as COLD_FIGURES
from figures_peers import FIGURES as PEER_FIGURES
from figures_small import cold_small_files
from measure import CannotRun, Programs, say
from mounts import Mountpoint
from report import describe_setting, print_report, write_results
from stage import Sizes, Stage
from worlds import stop_all

FIGURES = dict(sorted({**WARM_FIGURES, **COLD_FIGURES, **PEER_FIGURES, "g": cold_small_files}.items()))
PEERS = ("warmpath", "s3fs", "rclone", "juicefs", "mountpoint")


def names_from(allowed):
    def parse(text):
        names = text.split(",")
        wrong = [name for name in names if name not in allowed]
        if wrong:
            raise argparse.ArgumentTypeError(f"'{wrong[0]}' is none of {','.join(allowed)}")
        return names
    return parse


def options():
    parser = argparse.ArgumentParser(prog="bench/run", description="Compares Warmpath with local files, "
                                     "other mounts of S3 and curl in one run. Writes results.json and plots to build/bench.")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: to try it, not to quote it")
    parser.add_argument("--only", type=names_from(FIGURES), default=list(FIGURES), metavar=",".join(FIGURES),
                        help="only these figures")
    parser.add_argument("--worlds", type=names_from(PEERS), default=list(PEERS), metavar=",".join(PEERS),
                        help="only these beside the baseline")
    parser.add_argument("--strict", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--root", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--juicefs", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def leave_out(worlds):
    """Those that can take part, and a line for each that no registry has and this machine has not."""
    if Mountpoint.peer not in worlds or shutil.which(Mountpoint.program):
        return worlds, []
    line = f"{Mountpoint.peer} is left out: there is no {Mountpoint.program} in PATH"
    say(f"bench: {line}")
    return [world for world in worlds if world != Mountpoint.peer], [line]


def stop_on(number, _frame):
    # The first signal unwinds everything; another one must not interrupt the clean-up. A handler
    # that does nothing, not SIG_IGN: programs started from now on would inherit that.
    take_signals(lambda _number, _frame: None)
    raise SystemExit(128 + number)


def take_signals(handler):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def measure_all(bench, letters):
    rows = []
    for letter in letters:
        say(f"bench: figure {letter}")
        try:
            rows += FIGURES[letter](bench)
        except CannotRun as error:
            say(f"  {error}")
            rows.append(Row(letter, "could not be measured", "", "baseline", {"baseline": []},
                            failed={"baseline": str(error)}))
    return rows


def describe_flags(bench):
    """How each arm was started, taken from the objects that start them."""
    warm = {world.name: world.flags for world in bench.warm_worlds()}
    cold = {f"{world.name}, cold": world.flags for world in bench.cold_worlds()
            if warm.get(world.name) != world.flags}
    return {**warm, **cold}


def outcome(rows, strict):
    failed = sorted({text for row in rows for text in row.failed.values()})
    missed = [row.name for row in rows if row.verdict() == "no"]
    for text in failed:
        say(f"bench: FAILED: {text}")
    for name in missed:
        say(f"bench: goal missed: {name}")
    return 1 if failed or (strict and missed) else 0


def main():
    chosen = options()
    take_signals(stop_on)
    folder = f"{chosen.root}/build/bench"
    if "warmpath" in chosen.worlds and not os.path.exists(f"{chosen.root}/build/libwarmpath.so"):
        say("bench: build/libwarmpath.so is missing: run make first, or choose --worlds s3fs,rclone")
        return 1
    worlds, left_out = leave_out(chosen.worlds)
    setting = {**describe_setting(chosen.root, chosen.quick, chosen.juicefs), "left_out": left_out}
    stage = Stage(chosen.root, Sizes(chosen.quick))
    try:
        stage.up()
        bench = Bench(stage, Programs(chosen.programs, stage.env), worlds, chosen.juicefs)
        rows = measure_all(bench, chosen.only)
    except CannotRun as error:
        say(f"bench: {error}")
        return 1
    finally:
        take_signals(lambda _number, _frame: None)  # nothing may interrupt this
        try:
            stop_all()
        finally:
            stage.down()
    flags = describe_flags(bench)
    write_results(f"{folder}/results.json", rows, setting, flags)
    print_report(rows, setting, flags)
    from plots import draw  # here: it is slow to load, and a failed run needs no pictures

    print("\n".join(["", f"raw numbers: {folder}/results.json", *(f"plot: {path}" for path in draw(rows, folder))]))
    return outcome(rows, chosen.strict)


if __name__ == "__main__":
    sys.exit(main())
