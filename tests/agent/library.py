"""What the built library shows to the programs that load it: names, needs, versions (scripts/check-library)."""

import os
import shutil
import subprocess

import check
import job
from scene import Scene
from testbed import ROOT

CHECK = os.path.join(ROOT, "scripts", "check-library")


def case_library_needs_and_exports_what_it_may(bed):
    with Scene(bed, "needs") as s:
        copy = shutil.copy(bed.preload, s.node.dir)     # what fails the check is removed
        done = job.run([CHECK, copy], bed.base_env(), cwd=ROOT)
        check.equal("exit status", done.status, 0, done.text + done.errors)


def built(s, name, text, *flags):
    path = os.path.join(s.node.dir, name)
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-x", "none", "-o", path, *flags], input=text.encode(), check=True)
    return path


def case_library_check_finds_what_it_may_not(bed):
    """A name too many, another library, a newer libc: each is told."""
    with Scene(bed, "library") as s:
        for text, flags, says in (("int stranger(void) { return 1; }", (), "stranger"),
                                  ("", ("-Wl,--no-as-needed", "-lm"), "libm"),
                                  ("int close_range(unsigned, unsigned, int); int close(int fd) { return close_range(fd, fd, 0); }", (), "close_range")):
            done = job.run([CHECK, built(s, "lib.so", text, *flags)], bed.base_env(), cwd=ROOT)
            check.that(done.status != 0, f"{says} went through", done.text + done.errors)
            check.match("what it says", done.text + done.errors, says)


def case_library_names_are_visible_once(bed):
    """A program that defines a name of its own like one of the library's inner functions keeps it."""
    with Scene(bed, "names") as s:
        program = os.path.join(s.node.dir, "names")
        text = ('#include <stdio.h>\nint file_open(void) { return 7; }\nint state_init(void) { return 8; }\n'
                'int main(int argc, char **argv) { FILE *f = fopen(argv[1], "r"); printf("%d %d %d\\n", file_open(), state_init(), f && fgetc(f) >= 0); return 0; }\n')
        subprocess.run(["gcc", "-rdynamic", "-x", "c", "-", "-o", program], input=text.encode(), check=True)
        done = job.run([program, s.path("small")], s.env())
        check.equal("output", done.text, "7 8 1\n", done.errors)
