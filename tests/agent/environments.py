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


def packages_of(bed):
    return os.path.join(os.path.dirname(os.path.dirname(bed.venv_python)), "lib",
                        "python%d.%d" % os.sys.version_info[:2], "site-packages")


def case_numpy_and_pillow_from_mapped_site_packages(bed):
    """Extension modules with neighbours ($ORIGIN/../../numpy.libs) load and compute."""
    with Scene(bed, "numpy") as s:
        for name in ("numpy", "numpy.libs", "PIL", "pillow.libs"):
            upload_folder(s, os.path.join(packages_of(bed), name), f"site/{name}")
        text = ("import io, numpy, numpy.linalg, PIL.Image\n"
                "print(numpy.__file__, PIL.Image.core.__file__)\n"
                "print(numpy.linalg.solve(numpy.array([[3., 1.], [1., 2.]]), numpy.array([9., 8.])))\n"
                "file = io.BytesIO(); PIL.Image.new('RGB', (9, 9)).save(file, 'png'); print(file.getvalue()[:4])\n")
        done = job.run([bed.python, "-c", text], s.env(PYTHONPATH=s.path("site")), deadline_s=120)
        check.equal("exit status", done.status, 0, done.errors)
        lines = done.text.splitlines()
        check.that(lines[0].startswith(f"{MOUNT}/site/numpy/__init__.py {MOUNT}/site/PIL/_imaging"), lines[0])
        check.equal("results", lines[1:], ["[2. 3.]", "b'\\x89PNG'"], done.errors)


def case_python_environment(bed):
    """A Python whose program, library and scripts all lie under the mapping, found through PATH."""
    with Scene(bed, "env") as s:
        name = upload_python(s)
        env = s.env()
        env["PATH"] = f"{s.path('env/bin')}:{env['PATH']}"
        run = lambda line: job.run(["/bin/sh", "-c", line], env, deadline_s=120)
        done = run("python3 -c 'import sys, json, zlib, _ssl; print(sys.executable, sys.prefix, json.__file__)'")
        check.equal("python3", done.text, f"{MOUNT}/env/bin/python3 {MOUNT}/env {MOUNT}/env/lib/{name}/json/__init__.py\n",
                    done.errors)
        done = run("tool a b; python3 -c 'import subprocess, sys; "
                   "print(subprocess.run([sys.executable, \"-c\", \"print(6 * 7)\"], capture_output=True, text=True).stdout)'")
        check.equal("script and child", done.text, f"script of the environment ['{MOUNT}/env/bin/tool', 'a', 'b']\n42\n\n", done.errors)
        done = run("python3 -c 'import multiprocessing as m\nif __name__ == \"__main__\":\n"
                   "  print(m.get_context(\"spawn\").Pool(2).map(abs, [-1, -2]), m.get_context(\"forkserver\").Pool(2).map(abs, [-3]))'")
        check.equal("multiprocessing", done.text, "[1, 2] [3]\n", done.errors)


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
