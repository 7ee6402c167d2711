"""What a hit costs: the system calls of loops over what is here already, counted between two marks."""

import os
import re
import subprocess

import check
import job
from scene import Scene

LOOPS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
enum { TURNS = 10000, PIECE = 4096 };
int main(int argc, char **argv) {
    static char buf[PIECE], other[PIECE];
    struct iovec pieces[2] = {{buf, PIECE / 2}, {other, PIECE / 2}};
    struct stat st;
    int fd = open(argv[2], O_RDONLY);
    long size = lseek(fd, 0, SEEK_END), sum = 0, got = 0;
    for (long at = 0; at < size; at += PIECE) got += pread(fd, buf, PIECE, at);
    const char *view = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    FILE *file = fopen(argv[2], "r");
    setvbuf(file, NULL, _IOFBF, PIECE);
    while (fread(buf, 1, PIECE, file) > 0) ;
    rewind(file);
    lseek(fd, 0, SEEK_SET);
    getppid(); /* the mark */
    for (int i = 0; i < TURNS; i++) {
        long at = (long)i * 7919 * 512 % (size - PIECE);
        if (!strcmp(argv[1], "pread")) got += pread(fd, buf, PIECE, at);
        if (!strcmp(argv[1], "preadv")) got += preadv(fd, pieces, 2, at);
        if (!strcmp(argv[1], "read") && (got += read(fd, buf, PIECE)) % size == 0) lseek(fd, 0, SEEK_SET);
        if (!strcmp(argv[1], "lseek")) got += lseek(fd, at, SEEK_SET) + lseek(fd, 0, SEEK_CUR);
        if (!strcmp(argv[1], "fread") && fread(buf, 1, PIECE, file) < PIECE) rewind(file);
        if (!strcmp(argv[1], "fstat")) got += fstat(fd, &st) + st.st_size;
        if (!strcmp(argv[1], "mapped")) sum += view[at];
        if (!strcmp(argv[1], "local")) got += pread(0, buf, 1, 0);
        sum += buf[0];
    }
    getppid();
    printf("%ld %ld\n", got, sum);
    return 0;
}
"""


def calls(s, program, loop):
    """The names of the system calls that the loop made."""
    record = os.path.join(s.node.dir, "record")
    env = s.env()
    preload = env.pop("LD_PRELOAD")
    done = job.run(["strace", "-o", record, "-E", f"LD_PRELOAD={preload}", program, loop, s.path("big")], env)
    check.equal("exit status", done.status, 0, done.errors)
    with open(record) as file:
        names = re.findall(r"^(\w+)\(", file.read(), re.M)
    begin = names.index("getppid")
    return names[begin + 1:names.index("getppid", begin + 1)]


def table(bed):
    """One case for each loop."""
    return [(f"hit-{loop}-makes-no-system-call", lambda loop=loop: no_system_call(bed, loop))
            for loop in ("pread", "preadv", "read", "lseek", "fread", "fstat", "mapped")]


def made(s):
    program = os.path.join(s.node.dir, "loops")
    subprocess.run(["gcc", "-O2", "-w", "-x", "c", "-", "-o", program], input=LOOPS.encode(), check=True)
    return program


def no_system_call(bed, loop):
    with Scene(bed, "hit") as s:
        check.equal("system calls of 10,000 turns", calls(s, made(s), loop), [])


def case_hit_count_sees_what_is_made(bed):
    """The same count over reads of a local file finds them all."""
    with Scene(bed, "hitlocal") as s:
        check.equal("system calls of 10,000 turns", set(calls(s, made(s), "local")), {"pread64"})
