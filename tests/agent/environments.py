"""Whole environments under a mapping: Python packages with compiled parts, programs that are
replaced while they run, and what becomes of the copies that are made of them."""

import os
import subprocess

import check
import job
from node import wait_until
from scene import MOUNT, Scene


def upload_folder(s, root, key, skip=("__pycache__", "tests")):
    """Uploads a local directory below `key`; links become what they lead to."""
    pairs = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name not in skip]
        below = os.path.relpath(folder, root)
        pairs += [(os.path.normpath(os.path.join(key, below, name)), os.path.join(folder, name)) for name in files]
    s.bed.store.put_all(s.bucket, pairs)


def upload_python(s):
    """This machine's Python, uploaded as an environment at env/. Its name with its version."""
    name = "python%d.%d" % os.sys.version_info[:2]
    library = f"/usr/lib/{name}"
    upload_folder(s, library, f"env/lib/{name}",
                  skip=("__pycache__", "tests", "test", "idlelib", "lib2to3", "dist-packages", f"config-{name[6:]}-x86_64-linux-gnu"))
    with open(f"/usr/bin/{name}", "rb") as file:
        s.replace("env/bin/python3", file.read())
    s.replace("env/bin/tool", f"#!{MOUNT}/env/bin/python3\nimport sys\nprint('script of the environment', sys.argv)\n".encode())
    return name


def build(s, text, *flags):
    path = os.path.join(s.node.dir, "built")
    subprocess.run(["gcc", "-x", "c", "-", "-o", path, *flags], input=text.encode(), check=True)
    with open(path, "rb") as file:
        return file.read()


def copies(s):
    return [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(s.node.cache, "files")) for name in names]


def case_replaced_program_runs_anew(bed):
    """After the object was replaced the new program runs, under the same name; none is left half."""
    with Scene(bed, "newer", WARMPATH_META_TTL=0) as s:
        for number in (1, 2, 3):
            key = "program/run"
            s.replace(key, build(s, f'#include <stdio.h>\nint main(void) {{ puts("version {number}"); return 0; }}'))
            done = job.run(["/bin/sh", "-c", f"{s.path(key)}; {s.path(key)}"], s.env())
            check.equal("output", done.text, f"version {number}\n" * 2, done.errors)
            check.equal("copies", len(copies(s)), 1)


def case_many_start_one_program(bed):
    """Thirty processes at once, while others fork: each runs the whole program."""
    with Scene(bed, "thirty") as s:
        s.replace("thirty/run", build(s, '#include <stdio.h>\nint main(void) { puts("whole"); return 0; }'))
        line = f"for i in 1 2 3 4 5 6 7 8 9 10; do {s.path('thirty/run')} & {s.path('thirty/run')} & {s.path('thirty/run')} & done; wait"
        done = job.run(["/bin/bash", "-c", line], s.env())
        check.equal("output", done.text, "whole\n" * 30, done.errors)
        check.equal("copies", len(copies(s)), 1)


def case_copies_go_with_the_agent(bed):
    with Scene(bed, "leave", WARMPATH_IDLE_TIMEOUT=1) as s:
        s.replace("leave/run", build(s, "int main(void) { return 5; }"))
        done = job.run(["/bin/sh", "-c", s.path("leave/run")], s.env())
        check.equal("exit status", done.status, 5, done.errors)
        check.that(wait_until(lambda: not s.node.pids(), 20), "the agent stays")
        check.equal("copies", copies(s), [])


def case_copies_elsewhere_when_the_cache_has_no_place(bed):
    """A cache directory that can't be used: the runtime directory holds the copies."""
    with Scene(bed, "noexec") as s:
        s.replace("noexec/run", build(s, "int main(void) { return 6; }"))
        runtime = os.path.join(s.node.dir, "run")
        os.mkdir(runtime, 0o700)
        os.mkdir(s.node.cache, 0o700)
        with open(os.path.join(s.node.cache, "files"), "w"):
            pass        # no directory can be made there
        done = job.run(["/bin/sh", "-c", s.path("noexec/run")], s.env(XDG_RUNTIME_DIR=runtime))
        check.equal("exit status", done.status, 6, done.errors)
        os.rename(os.path.join(runtime, "warmpath"), os.path.join(runtime, "gone"))
        with open(os.path.join(runtime, "warmpath"), "w"):
            pass
        done = job.run(["/bin/sh", "-c", s.path("noexec/run")], s.env(XDG_RUNTIME_DIR=runtime))
        check.equal("exit status without any place", done.status, 126, done.errors)
        s.says(done, "noexec/run", "cop(y|ies)")


def case_run_starts_a_mapped_program(bed):
    """`warmpath run -- /mapped/program`: the kernel can't see it, a shell with the library can."""
    with Scene(bed, "runmapped") as s:
        s.replace("runmapped/run", b'#!/bin/sh\necho "$# $1"\nexit 4\n')
        done = s.node.tool("run", "--map", s.mapping, "--", s.path("runmapped/run"), "a b", "c")
        check.equal("output", done.text, "2 a b\n", done.errors)
        check.equal("exit status", done.status, 4)
