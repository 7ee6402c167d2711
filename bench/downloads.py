"""What readers are compared with where data comes over a connection:

curl   throws away what it fetches
kept   the same curls write files, as a job does that downloads first
floor  the least that a reader can do that stores what it fetches and hands it to another process
       (bench/src/download_and_read.c); figures_small.py has its own
"""

import contextlib
import os
import shlex

from measure import CannotRun, run
from stage import MIB
from worlds import put_away

CURLS = 8

KEPT_NOTE = "curl kept: the same, but written to files: what a job pays that downloads its data before it reads them"
FLOOR_NOTE = ("least work: the least that any reader can do that stores what it fetches and hands it to another process: "
              "8 plain connections, received into files, which a second process reads; no checksum, no retry")


@contextlib.contextmanager
def new_folder(bench, name):
    """Empty, on the disk where the worlds have their caches; put away as these are."""
    folder = f"{bench.stage.work}/{name}"
    os.makedirs(folder)
    try:
        yield folder
    finally:
        put_away(folder)


def curl_ranges(bench, url, count, out="/dev/null"):
    """A shell's words: the whole sequential object by so many processes, a range each."""
    total = bench.sizes.sequential_mib * MIB
    part = total // count
    commands = [f"curl -q -sS --fail -o {out.format(i)} -w '{{\"bytes\": %{{size_download}}}}\\n' "
                f"-r {i * part}-{total - 1 if i == count - 1 else (i + 1) * part - 1} {shlex.quote(url)} &"
                for i in range(count)]
    return " ".join(commands) + " wait"


def must_be_whole(bench, name, result):
    total = bench.sizes.sequential_mib * MIB
    if result.get("bytes") != total:
        raise CannotRun(f"{name}: {result.get('bytes', 0)} bytes arrived instead of {total}")


def sequential_url(bench, endpoint=None):
    return bench.stage.url(bench.stage.sequential_file, endpoint)


def parallel_curls(bench, url, count=CURLS):
    """Measures curl. Runs once without counting: the server's and curl's own first time."""
    script = curl_ranges(bench, url, count)

    def measure():
        result = bench.programs.timed("curl", {}, "/bin/sh", "-c", script)
        must_be_whole(bench, "curl", result)
        return result

    measure()
    return measure


class Download:
    """Brings the sequential object into files of a new folder, and looks once at what came."""

    def __init__(self, bench, name, command):
        self.bench = bench
        self.name = name
        self.command = command  # of a folder
        self.checked = False

    def __call__(self):
        bench = self.bench
        with new_folder(bench, self.name) as folder:
            result = bench.programs.timed(self.name, {}, *self.command(folder))
            must_be_whole(bench, self.name, result)
            if not self.checked:  # after the clock
                self._check(folder)
                self.checked = True
            return result

    def _check(self, folder):
        script = f"cat {shlex.quote(folder)}/* | sha256sum"
        digest = run(["/bin/sh", "-c", script], self.bench.stage.env, self.name).split()[0]
        if digest != self.bench.stage.sha256[self.bench.stage.sequential_file]:
            raise CannotRun(f"{self.name}: wrong data: SHA-256 {digest}")


def baselines(bench, url):
    """The arms that need no world, by name."""
    program, total = f"{bench.programs.folder}/download_and_read", bench.sizes.sequential_mib * MIB
    return {
        "curl": parallel_curls(bench, url),
        "kept": Download(bench, "kept", lambda folder: [
            "/bin/sh", "-c", curl_ranges(bench, url, CURLS, shlex.quote(folder) + "/{}")]),
        "floor": Download(bench, "floor", lambda folder: [program, url, total, folder]),
    }
