"""The library beside others that interpose the same calls: allocators, small preloads, sanitizers."""

import glob
import os
import subprocess

import check
import job
from scene import Scene

WORK = r"""
cd "$D" && cat text && wc -c < text && (sort text | tail -n 1) && ls && ./script a b && cd /
python3 - <<END
import os, subprocess, threading
path = os.environ["D"] + "/text"
threads = [threading.Thread(target=lambda: [open(path).read() for _ in range(50)]) for _ in range(4)]
[t.start() for t in threads]
print(subprocess.run([os.environ["D"] + "/script", "child"], stdin=open(path), capture_output=True, text=True).stdout, end="")
[t.join() for t in threads]
print(os.path.getsize(path), sorted(os.listdir(os.environ["D"])))
END
"""
WANT = ("first\nsecond\n13\nsecond\nscript\ntext\nscript a b\nscript child \n13 ['script', 'text']\n")

SECOND = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int opens, reads;
#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define OPEN(name) int name(const char *path, int flags, ...) { REAL(name); va_list a; va_start(a, flags); \
    int mode = va_arg(a, int); va_end(a); opens++; return real(path, flags, mode); }
OPEN(open) OPEN(open64)
ssize_t read(int fd, void *buf, size_t n) { REAL(read); reads++; return real(fd, buf, n); }
FILE *fopen(const char *path, const char *mode) { REAL(fopen); opens++; return real(path, mode); }
static void look(const char *when) {
    char text[8] = "", line[99];
    const char *path = getenv("LOOK"), *out = getenv("LOOK_OUT");
    if (!path) return;
    int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : (int)read(fd, text, 5);
    int len = snprintf(line, sizeof(line), "%s %d %s %d\n", when, n, text, opens > 0 && reads > 0);
    fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(fd, line, len) != len) abort();
    close(fd);
}
__attribute__((constructor)) static void begin(void) { look("constructor"); }
__attribute__((destructor)) static void end(void) { look("destructor"); }
"""


def made(s, name, text, *flags):
    path = os.path.join(s.node.dir, name)
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", path, *flags], input=text.encode(), check=True)
    return path


def placed(s):
    s.replace("company/text", b"first\nsecond\n")
    s.replace("company/script", b'#!/bin/sh\necho "script $1 $2"\n')
    return s.path("company")


def in_both_orders(bed, name, other):
    """The same work with the other library before and behind ours."""
    with Scene(bed, name) as s:
        directory = placed(s)
        other = other(s) if callable(other) else other
        check.that(os.path.exists(other), f"{other} is not installed")
        for preload in (f"{other}:{bed.preload}", f"{bed.preload}:{other}"):
            done = job.run(["/bin/sh", "-c", WORK], s.env(LD_PRELOAD=preload, D=directory), deadline_s=60)
            check.equal(preload, done.text, WANT, done.errors)
            check.equal(f"{preload}: standard error", done.errors, "")


def installed(pattern):
    return (sorted(glob.glob("/usr/lib/*-linux-gnu/" + pattern)) or [pattern])[0]


def case_beside_jemalloc(bed):
    in_both_orders(bed, "jemalloc", installed("libjemalloc.so.2"))


def case_beside_tcmalloc(bed):
    in_both_orders(bed, "tcmalloc", installed("libtcmalloc_minimal.so.4"))


def case_beside_eatmydata(bed):
    in_both_orders(bed, "eatmydata", installed("libeatmydata.so.1"))


def case_beside_stdbuf(bed):
    in_both_orders(bed, "stdbuf", "/usr/libexec/coreutils/libstdbuf.so")


def case_beside_a_preload_that_wraps_the_same_calls(bed):
    """Whichever is asked first: its constructor and destructor read mapped files too."""
    second = lambda s: made(s, "second.so", SECOND, "-shared", "-fPIC", "-ldl")
    in_both_orders(bed, "second", second)
    with Scene(bed, "look") as s:
        directory, other, out = placed(s), second(s), os.path.join(s.node.dir, "out")
        for preload, counted in ((f"{other}:{bed.preload}", 1), (f"{bed.preload}:{other}", 0)):
            done = job.run(["/bin/true"], s.env(LD_PRELOAD=preload, LOOK=f"{directory}/text", LOOK_OUT=out))
            check.equal(f"{preload}: exit status", done.status, 0, done.errors)
            with open(out) as file:
                check.equal(preload, file.read(), f"constructor 5 first {counted}\ndestructor 5 first {counted}\n", done.errors)
            os.unlink(out)


SANITIZED = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char *text = malloc(14), line[32];
    struct stat st;
    int fd = open(argv[1], O_RDONLY);
    memset(text, 0, 14);
    printf("%zd %d", read(fd, text, 13), stat(argv[1], &st));
    printf(" %ld %s", (long)st.st_size, text);
    FILE *file = fopen(argv[1], "r");
    printf("%s", fgets(line, sizeof(line), file));
    fclose(file);
    fflush(stdout);
    if (argc > 2) free(text);
    return text[argc > 2 ? 0 : 1] != 'i';
}
"""


def case_programs_with_address_sanitizer(bed):
    """The runtime linked in: as it is. The runtime as a library: it has to come first. Faults are found."""
    with Scene(bed, "asan") as s:
        path = placed(s) + "/text"
        runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
        inside = made(s, "inside", SANITIZED, "-g", "-fsanitize=address", "-static-libasan")
        outside = made(s, "outside", SANITIZED, "-g", "-fsanitize=address")
        for program, preload in ((inside, bed.preload), (outside, f"{runtime}:{bed.preload}")):
            env = s.env(LD_PRELOAD=preload, ASAN_OPTIONS="detect_leaks=0")
            done = job.run([program, path], env)
            check.equal("output", done.text, "13 0 13 first\nsecond\nfirst\n", done.errors)
            check.equal("exit status", done.status, 0, done.errors)
            done = job.run([program, path, "wrong"], env)
            check.match("standard error", done.errors, "heap-use-after-free")
