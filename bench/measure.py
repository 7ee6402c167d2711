"""Running the small programs, taking rounds, and the arithmetic on their samples.

A round runs every arm once, in the same order, and ratios are taken inside a round: what
slows the machine down for a while slows all arms of that round alike.
"""

import json
import os
import signal
import statistics
import subprocess
import sys

PROGRAM_TIMEOUT_S = 300


class CannotRun(Exception):
    """One arm cannot be measured. The text says why; the table shows it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(argv, env, what, timeout_s=PROGRAM_TIMEOUT_S, ended_by=signal.SIGKILL):
    """Standard output of a command that must succeed. Interrupted, it takes the whole command with it."""
    try:
        # A session, so a process group, of its own: Ctrl-C reaches the driver alone, which decides.
        child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, start_new_session=True)
    except FileNotFoundError as error:
        raise CannotRun(f"{what}: {error.filename} is missing: run scripts/deps and make") from error
    with child:
        try:
            out, err = child.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(child.pid, ended_by)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CannotRun(f"{what}: no end after {timeout_s} s: {' '.join(argv)}") from error
            raise
    if child.returncode != 0:
        said = (err.strip() or out.strip() or "no message").splitlines()
        raise CannotRun(f"{what}: exit status {child.returncode}: {' / '.join(said[:3])}")
    return out


class Programs:
    """The compiled programs of bench/src, each run under the stopwatch `timed`."""

    def __init__(self, folder, env):
        self.folder = folder
        self.env = env

    def timed(self, world_name, added_env, *argv):
        """What the program printed, and the time of the whole process, as one dictionary."""
        additions = [f"{name}={value}" for name, value in added_env.items()]
        command = [f"{self.folder}/timed", *additions, "--", *map(str, argv)]
        out = {}
        for line in run(command, self.env, world_name).splitlines():
            for key, value in json.loads(line).items():
                # Parallel curls print a line each; their bytes add up.
                out[key] = out[key] + value if key == "bytes" and key in out else value
        return out

    def in_world(self, world, program, *args):
        return self.timed(world.name, world.env, f"{self.folder}/{program}", *args)

    def spawn_compare(self, rounds, added_env, *argv):
        additions = [f"{name}={value}" for name, value in added_env.items()]
        command = [f"{self.folder}/spawn_compare", str(rounds), *additions, "--", *argv]
        return json.loads(run(command, self.env, "spawn_compare"))


def take_rounds(label, count, arms, rotate=False):
    """Calls every arm once a round. Returns ({arm: [result, …]}, {arm: why it cannot run}).

    An arm that fails is left out of the rounds that follow. With rotate, each round starts
    with another arm, so that none always runs right after the same other one.
    """
    samples = {name: [] for name in arms}
    failed = {}
    names = list(arms)
    for number in range(count):
        if number % max(1, count // 5) == 0:
            say(f"  {label}: round {number + 1} of {count}")
        shift = number % len(names) if rotate else 0
        for name in names[shift:] + names[:shift]:
            if name in failed:
                continue
            try:
                samples[name].append(arms[name]())
            except CannotRun as error:
                failed[name] = str(error)
                samples[name] = []
                say(f"  {label}: {error}")
    return samples, failed


def each_round(values, base, operation):
    """operation(value, base value) for every round that has both."""
    return [operation(value, other) for value, other in zip(values, base)]


def median(values):
    return statistics.median(values) if values else None
