"""The same program in its worlds, and what must be equal.

    local           no library, the seeded tree on the local disk
    preload-local   the library is loaded, but another path is mapped: everything passes through
    s3-cold         the tree is a mapping, the case's own agent with an empty cache
    s3-warm         the same mapping through an agent that all cases share and that has it all

Standard output and exit status must be equal in all of them. A program reads the tree below
$D and may write below $T (its working directory); both are replaced by {D} and {T} in what it
prints. Programs marked `s3_only` (writes, which a local copy can't refuse in the same way) are
held against the text in the table instead.

A program with `places` finds in $D a local directory, in which parts of the tree lie at those places:
copies in the local worlds, mappings in the others. The place "over" is a local directory too,
with a file in it that the mapping hides.
"""

import dataclasses
import os
import shutil
import textwrap
import threading

import check
import doors
import job
from check import Failure
from node import Node

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE_S = 90

PRELUDE = '''\
import errno, os, sys
D, T = os.environ["D"], os.environ["T"]

def err(call, *args, **named):
    """The name of the errno with which a call fails, or what it gave."""
    try:
        return call(*args, **named)
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)

'''


# Kinds whose text is a script of its own: file name ending, program.
SCRIPTS = {"node": (".js", "node"), "esm": (".mjs", "node"), "ruby": (".rb", "ruby"), "perl": (".pl", "perl"),
           "php": (".php", "php"), "lua": (".lua", "lua5.4"), "tcl": (".tcl", "tclsh")}
SHELLS = {"sh": "/bin/sh", "bash": "/bin/bash", "zsh": "/bin/zsh", "busybox": "/bin/busybox"}

NO_RING = "warmpath: io_uring is refused (ENOSYS): its reads would not see mapped files\n"


@dataclasses.dataclass
class Program:
    name: str
    kind: str               # py, venv, c, c++, static, a key of SCRIPTS or SHELLS
    text: str               # the script, or the source's file name below src/
    exit: int = 0
    s3_only: str = None     # expected output where there is no local counterpart
    libraries: list = ()    # for the linker
    told: str = ""          # what the library says on standard error, whatever is mapped
    unseen: bool = False    # makes calls past the library on purpose
    env: dict = dataclasses.field(default_factory=dict)
    read_only: bool = False # locally the tree is on a file system that is mounted read-only
    places: dict = None     # mappings below a local directory: place in $D -> part of the tree


def sh(name, text, **more):
    return Program(name, "sh", text, **more)


def bash(name, text, **more):
    return Program(name, "bash", text, **more)


def py(name, text, **more):
    return Program(name, "py", text, **more)


def venv(name, text, **more):
    """A Python snippet that needs the packages of the private environment."""
    return Program(name, "venv", text, **more)


def script(kind):
    """A maker of cases of one of the kinds in SCRIPTS or SHELLS."""
    return lambda name, text, **more: Program(name, kind, text, **more)


def c(name, source, **more):
    return Program(name, "c", source, **more)


# A mount namespace of the program's own, as root or as root of a user namespace.
READ_ONLY = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c",
             'mount --bind "$D" "$D" && mount -o remount,bind,ro "$D" && exec "$@"', "sh"]


class Worlds:
    """Runs programs; keeps the agent that the warm world shares."""

    def __init__(self, bed):
        self.bed = bed
        self.lock = threading.Lock()
        self._shared = None
        self.bin = os.path.join(bed.scratch, "bin")
        os.makedirs(self.bin, exist_ok=True)

    def close(self):
        if self._shared:
            self._shared.close()

    def shared(self):
        """The warm agent: everything in the tree was read through it once."""
        with self.lock:
            if self._shared is None:
                node = Node(self.bed, "warm")
                tree = self.bed.tree()
                job.run(["/bin/sh", "-c", f"find {tree.mapped} -type f -print0 | xargs -0 -n 50 -P 8 cat >/dev/null"],
                        node.env(tree.mapping), deadline_s=DEADLINE_S)
                self._shared = node
        return self._shared

    def check(self, program):
        tree = self.bed.tree()
        program_path = self.compiled(program)
        if self.bed.doors:
            self.doors(program, program_path, tree)
            return
        if program.s3_only is None:
            mounted = READ_ONLY if program.read_only else ()
            want = self.run(program, program_path, tree.local, self.bed.base_env(), mounted)
            self.sound(program, want)
            with Node(self.bed, "pass") as node:
                env = node.env(f"/mapped/other=s3://{tree.bucket}/other")
                got = self.run(program, program_path, tree.local, env, mounted)
                self.equal(program, "preload-local", got, want)
                check.equal("preload-local: standard error", got.errors, want.errors + program.told)
                check.that(not node.pids(), "preload-local: an agent was started for no mapped path")
        else:
            want = job.Job([], program.exit, textwrap.dedent(program.s3_only).encode(), b"", 0)
        with Node(self.bed, "cold") as node:
            self.equal(program, "s3-cold",
                       self.run(program, program_path, tree.mapped, node.env(tree.mapping)), want)
            check.that(node.pids() or program.unseen, "s3-cold: no agent was started, so nothing mapped was touched")
        self.equal(program, "s3-warm", self.run(program, program_path, tree.mapped,
                                                self.shared().env(tree.mapping)), want)

    def doors(self, program, program_path, tree):
        """No call of the program, or of its children, reached the kernel with a path or descriptor of ours."""
        if program.unseen:
            return
        record = os.path.join(self.bed.scratch, f"doors-{program.name}")
        env = self.shared().env(tree.mapping, WARMPATH_LOG="debug:doors")
        done = self.run(program, program_path, tree.mapped, env, doors.traced(record))
        missed = doors.reports(done.errors) + doors.paths(record, tree.mapped)
        os.remove(record)
        check.that(not missed, f"past the library: {missed[:1]}", "\n".join(missed))

    def run(self, program, program_path, directory, env, before=()):
        """`before`: words of a tracer, which may make it several times as slow."""
        scratch = self.bed.fresh_dir("t")
        env = env | {"D": directory, "T": scratch, "TMPDIR": scratch} | program.env
        try:
            if program.places:
                directory = self.lay_out(program, scratch, env)
                env["D"] = directory
            done = job.run([*before, *self.command(program, program_path, scratch, directory)], env, cwd=scratch,
                           deadline_s=DEADLINE_S * (4 if before else 1))
        finally:
            self.bed.remove(scratch)
        for place, name in ((directory, b"{D}"), (scratch, b"{T}")):
            done.out = done.out.replace(place.encode(), name)
            done.err = done.err.replace(place.encode(), name)
        return done

    def lay_out(self, program, scratch, env):
        """Makes the local directory of a program with places, and maps or copies what lies there."""
        tree = self.bed.tree()
        top = os.path.join(scratch, "top")
        os.makedirs(os.path.join(top, "local"))
        for name in ("first", "local/file", "zz-last"):
            with open(os.path.join(top, name), "w") as file:
                file.write(f"this is {name}\n")
        mapped = tree.bucket in env.get("WARMPATH_MAP", "") and "/other" not in env["WARMPATH_MAP"]
        for place, part in program.places.items():
            if not mapped:
                shutil.copytree(os.path.join(tree.local, part), os.path.join(top, place))
            elif place == "over":
                os.mkdir(os.path.join(top, place))
                open(os.path.join(top, place, "hidden"), "w").close()
        if mapped:
            env["WARMPATH_MAP"] = ",".join(f"{top}/{place}=s3://{tree.bucket}/{tree.prefix}/{part}"
                                           for place, part in program.places.items())
        return top

    def command(self, program, program_path, scratch, directory):
        if program.kind in SHELLS:
            shell = [SHELLS[program.kind]] + (["sh"] if program.kind == "busybox" else [])
            return [*shell, "-c", program.text]
        if program.kind in ("c", "c++", "static"):
            return [program_path, directory]
        if program.kind in SCRIPTS:
            ending, interpreter = SCRIPTS[program.kind]
            path = os.path.join(scratch, "snippet" + ending)
            with open(path, "w") as file:
                file.write(textwrap.dedent(program.text).lstrip("\n"))
            return [interpreter, path]
        path = os.path.join(scratch, "snippet.py")
        with open(path, "w") as file:
            file.write(PRELUDE + textwrap.dedent(program.text))
        return [self.bed.python if program.kind == "py" else self.bed.venv_python, path]

    def compiled(self, program):
        """Compiles a C or C++ case; the program's path, or None for the other kinds."""
        if program.kind not in ("c", "c++", "static"):
            return None
        path = os.path.join(self.bin, program.name)
        compiler = ["g++", "-std=c++17"] if program.kind == "c++" else ["gcc", "-std=gnu11"]
        if program.kind == "static":
            compiler.append("-static")
        done = job.run([*compiler, "-O2", "-Wall", "-Wno-unused-result", "-Werror", "-D_GNU_SOURCE", "-D_FORTIFY_SOURCE=2",
                        "-pthread", "-o", path, os.path.join(HERE, "src", program.text), *(f"-l{name}" for name in program.libraries)],
                       self.bed.base_env())
        if done.status != 0:
            raise Failure(f"{program.text} does not compile", done.errors)
        return path

    @staticmethod
    def sound(program, want):
        """The local run must be one that shows something, or equality would mean nothing."""
        if want.status != program.exit or want.errors or not want.out.strip():
            raise Failure(f"the case itself is wrong: locally it ended with {want.status} "
                          f"(expected {program.exit}) and printed {check.short(want.text, 80)!r}",
                          want.text + want.errors)

    @staticmethod
    def equal(program, world, got, want):
        try:
            check.same_text(f"{world}: output", got.text, want.text, (world, "local"))
            check.equal(f"{world}: exit status", got.status, want.status)
        except Failure as failure:
            raise Failure(f"{failure} {check.short(got.errors, 200)}".rstrip(),
                          failure.detail + "\n" + got.errors) from None
