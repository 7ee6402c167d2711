"""The missed-door detector, WARMPATH_LOG=debug:doors: it tells what went past the library, and nothing else."""

import os
import re

import check
import job
from scene import Scene

UNSEEN = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
#ifdef __x86_64__
static long raw(long n, long a, long b, long c) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory"); return r; }
#else
static long raw(long n, long a, long b, long c) { register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory"); return x0; }
#endif
int main(int argc, char **argv)
{
    char buf[64];
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : 0;
    long r = raw(SYS_read, fd, (long)buf, sizeof(buf));
    printf("%ld\n", r);
    return 0;
}
"""


def compiled(s, *options):
    source, program = os.path.join(s.node.dir, "unseen.c"), os.path.join(s.node.dir, "unseen")
    with open(source, "w") as file:
        file.write(UNSEEN)
    done = job.run(["gcc", *options, "-o", program, source], s.bed.base_env())
    check.equal("gcc", done.status, 0, done.errors)
    return program


def reports(done):
    return [line for line in done.errors.splitlines() if line.startswith("warmpath: doors: ")]


def case_doors_missed_read_is_told(bed):
    with Scene(bed, "doors") as s:
        done = job.run([compiled(s), s.path("small")], s.env(WARMPATH_LOG="debug:doors"))
        check.equal("what the program saw", done.text, "-9\n", done.errors)
        check.equal("reports", len(reports(done)), 1, done.errors)
        check.match("report", done.errors, r"doors: \S*/unseen \(\d+\) went past the library: read\(\d+\) on .*/small")


def case_doors_static_child_is_told(bed):
    with Scene(bed, "doorstat") as s:
        program = compiled(s, "-static")
        done = job.run(["/bin/sh", "-c", f"exec 5<{s.path('small')}; env -i {program} <&5"], s.env(WARMPATH_LOG="debug:doors"))
        told = reports(done)
        check.that(done.text != "-9\n" or (told and "/unseen " in told[0]),
                   "a read was refused and nobody told", done.errors)


def case_doors_silent_where_nothing_is_missed(bed):
    """Reads, maps, listings, children of every kind: all through the library, so no line."""
    script = ("import mmap, os, subprocess, sys, threading\n"
              "d = sys.argv[1]\n"
              "data = open(f'{d}/big', 'rb').read()\n"
              "file = open(f'{d}/big', 'rb')\n"
              "view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
              "threads = [threading.Thread(target=lambda: os.pread(file.fileno(), 9999, 4194000)) for _ in range(8)]\n"
              "for t in threads: t.start()\n"
              "for t in threads: t.join()\n"
              "out = subprocess.run(['sh', '-c', 'cat; cat dir/file | wc -c; ls'], cwd=d, stdin=open(f'{d}/dir/file'), capture_output=True).stdout\n"
              "print(view[:] == data, sorted(os.listdir(d))[:2], out)\n")
    with Scene(bed, "doorsno") as s:
        command = [bed.python, "-c", script, s.path("").rstrip("/")]
        plain, watched = (job.run(command, s.env(WARMPATH_LOG=level)) for level in ("warn", "debug:doors"))
        check.equal("exit status", watched.status, 0, watched.errors)
        check.equal("standard error", watched.errors, "")
        check.equal("output", watched.text, plain.text)


def case_doors_not_watched_unless_asked(bed):
    """Neither by default nor under plain `debug`: setuid programs must go on to work."""
    with Scene(bed, "doorsoff") as s:
        for level in (None, "debug"):
            done = job.run(["grep", "NoNewPrivs", "/proc/self/status"], s.env(WARMPATH_LOG=level))
            check.that(re.search(r"NoNewPrivs:\s+0", done.text), f"WARMPATH_LOG={level}: {done.text}", done.errors)
