"""checks.py NAME: one check of the benchmark's own parts, in a folder that is removed. See cases.py."""

import contextlib
import hashlib
import http.server
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import types

import bench
import mounts
import report
import worlds
from downloads import new_folder
from figures import Row
from juicefs import JuiceFs, Volume
from measure import CannotRun

SOURCES = os.path.dirname(bench.__file__) + "/src"
OBJECT = random.Random(7).randbytes((21 << 20) + 4097)  # more than two parts, and no whole block at its end


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def setup_in(folder):
    os.mkdir(f"{folder}/local")
    return types.SimpleNamespace(work=folder, local=f"{folder}/local", bucket="b", probe="p", env={
        "PATH": os.environ["PATH"], "WARMPATH_TEST_REDIS": "redis://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_REGION": "r"})


# The least work

SMALL = 5000


@contextlib.contextmanager
def serving(answer):
    """A server that answers ranges of OBJECT by answer(handler, piece); gives its URL."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
            answer(self, OBJECT[first:last + 1])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a client that gave up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/some/key?with=query"
    finally:
        server.shutdown()


def whole(handler, piece):
    handler.send_response(206)
    handler.send_header("Content-Length", str(len(piece)))
    handler.end_headers()
    handler.wfile.write(piece)


def cut(handler, piece):
    handler.send_response(206)
    handler.send_header("Content-Length", str(len(piece)))
    handler.end_headers()
    handler.wfile.write(piece[:-1])
    handler.close_connection = True


def refuse(handler, _piece):
    handler.send_response(403)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def download_and_read(folder, answer, objects=1):
    program, blocks = f"{folder}/program", f"{folder}/blocks"
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-o", program, f"{SOURCES}/download_and_read.c"], check=True)
    os.mkdir(blocks)
    with serving(answer) as url:
        what, size = url, len(OBJECT)
        if objects > 1:
            what, size = f"@{folder}/list", SMALL
            with open(f"{folder}/list", "w", encoding="ascii") as file:
                file.writelines(f"{url}&n={n}\n" for n in range(objects))
        child = subprocess.run([program, what, str(size), blocks], capture_output=True, text=True, timeout=30,
                               check=False)
    return child, blocks


def check_least_work_has_every_byte(folder):
    child, blocks = download_and_read(folder, whole)
    same((child.returncode, child.stderr), (0, ""))
    same(json.loads(child.stdout), {"bytes": len(OBJECT)})
    digest = hashlib.sha256()
    for name in sorted(os.listdir(blocks)):
        with open(f"{blocks}/{name}", "rb") as file:
            digest.update(file.read())
    same(digest.hexdigest(), hashlib.sha256(OBJECT).hexdigest())


def check_least_work_of_small_objects(folder):
    """Each is a file, in the list's order, and asked for from its beginning."""
    child, blocks = download_and_read(folder, whole, objects=50)
    same((child.returncode, child.stderr), (0, ""))
    same(json.loads(child.stdout), {"bytes": 50 * SMALL})
    same(sorted(os.listdir(blocks)), [f"{n:06}" for n in range(50)])
    for name in os.listdir(blocks):
        with open(f"{blocks}/{name}", "rb") as file:
            same(file.read(), OBJECT[:SMALL])


def check_least_work_fails_on_a_cut_answer(folder):
    child, _ = download_and_read(folder, cut)
    same((child.returncode, child.stdout), (1, ""))


def check_least_work_fails_on_a_refusal(folder):
    child, _ = download_and_read(folder, refuse)
    same((child.returncode, child.stdout), (1, ""))
    same("HTTP/1.1 403 Forbidden" in child.stderr, True)


def check_kept_files_free_their_space(folder):
    benchmark = types.SimpleNamespace(stage=types.SimpleNamespace(work=folder))
    for _ in range(2):
        with new_folder(benchmark, "kept") as kept:
            same(os.listdir(kept), [])
            with open(f"{kept}/0", "wb") as file:
                file.write(b"data")
    sizes = [os.path.getsize(f"{folder}/{name}/0") for name in os.listdir(folder)]
    same(sizes, [0, 0])


# Worlds

def check_mountpoint_is_left_out_where_it_is_not_installed(folder):
    os.environ["PATH"] = folder
    chosen, lines = bench.leave_out(["s3fs", "mountpoint"])
    same((chosen, len(lines)), (["s3fs"], 1))
    with open(f"{folder}/mount-s3", "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n")
    os.chmod(f"{folder}/mount-s3", 0o755)
    same(bench.leave_out(["s3fs", "mountpoint"]), (["s3fs", "mountpoint"], []))


def check_mountpoint_reads_only_and_in_the_foreground(folder):
    setup = setup_in(folder)
    for cached in (True, False):
        words = mounts.Mountpoint(setup, cached).command()
        same(words[:3], ["mount-s3", "b", f"{folder}/mountpoint-default-mount"])
        same({"--read-only", "--foreground"} <= set(words), True)
        same("--cache" in words, cached)


def check_a_missing_juicefs_is_told_each_time(folder):
    setup = setup_in(folder)
    os.mkdir(f"{setup.local}/small")
    world = JuiceFs(setup, Volume(setup, f"{folder}/juicefs"), "default", ["--read-only"])
    for _ in range(2):
        try:
            world.start()
        except CannotRun as error:
            same("juicefs: not installed" in str(error), True)
        else:
            raise AssertionError("it was started")
    same(worlds.begun, set())


def check_what_a_signal_left_running_is_ended(folder):
    """The signal comes in the middle of stop(); a peer may be a process and its child."""
    class Peer(mounts.Mount):
        peer = "peer"

        def command(self):
            return ["sh", "-c", "sleep 600 & wait"]

        def _answers(self):
            return True

        def _end_process(self):
            raise SystemExit(130)

    peer = Peer(setup_in(folder), "default")
    mounts.os.path.ismount = lambda _path: True
    mounts.Mount._unmount = lambda _self: None
    peer.start()
    pid = peer.process.pid
    with contextlib.suppress(SystemExit):
        peer.stop()
    same(alive(pid), True)
    del Peer._end_process
    mounts.os.path.ismount = lambda _path: False
    worlds.stop_all()
    same((gone(pid), worlds.begun), (True, set()))


def gone(group):
    """The child ends a moment after its parent, and then waits for init to notice."""
    deadline = time.monotonic() + 20
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(group)


def alive(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


# The report

def check_tables_show_who_took_part(_folder):
    row = Row("e", "cold read", "MB/s", "curl", {
        "curl": [100.0], "kept": [60.0], "floor": [80.0], "warmpath": [70.0], "s3fs default": [50.0],
        "juicefs default": [30.0], "juicefs uncached": [40.0]}, ">= 0.9", failed={"rclone full": "rclone: no"})
    head, _, line = report.others_table([row])
    same(re.split(r"  +", head.strip()),
         ["all to the baseline", "warmpath", "curl kept", "least work", "s3fs", "rclone", "juicefs"])
    same(re.split(r"  +", line),
         ["e", "cold read", "0.700x", "0.600x", "0.800x", "0.500x", "cannot run", "0.400x"])
    same(re.split(r"  +", report.table([row])[2]),
         ["e", "cold read", "MB/s", "curl 100.0", "70.00 (0.700x)", ">= 0.9x", "no"])


def check_tables_have_room(_folder):
    """120 columns, with the longest name that a figure has and every other taking part."""
    everybody = {arm: [0.1234] for _, arm in report.OTHERS}
    row = Row("b", "1 MiB re-read, 512 MiB cached, whole process", "us/file", "plain",
              {"plain": [1234.0], "warmpath": [1234.0], **everybody}, "<= 1000", compare="difference")
    widths = [len(line) for line in report.table([row]) + report.others_table([row])]
    same([width for width in widths if width > 120], [])


def main():
    check = globals()[f"check_{sys.argv[1]}"]
    with tempfile.TemporaryDirectory(prefix="wpt.") as folder:
        check(folder)


if __name__ == "__main__":
    main()
