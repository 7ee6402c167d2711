"""A tiny job for the tests: does what its arguments say and prints what it saw, a line each.

    cat PATH            read to the end     PATH SIZE DIGEST, or PATH ERRNO after SIZE DIGEST
    open PATH           keep it open        opened PATH, or ERRNO
    read OFFSET LENGTH  pread of that       OFFSET SIZE DIGEST, or OFFSET ERRNO
    map OFFSET LENGTH   mmap of that        as read
    stat PATH           size and kind       PATH SIZE file
    list PATH           names               PATH a b c
    wait                prints "waiting", goes on at a line of standard input

Every failure is one of the system's: an errno's name in the output, exit status 0.
"""

import errno
import hashlib
import mmap
import os
import stat
import sys


def digest(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()[:16]}"


def name(error):
    return errno.errorcode.get(error.errno, str(error.errno))


def cat(path):
    pieces = []   # joined once: a file of 64 MiB that grows by 256 KiB at a time is copied for seconds
    try:
        fd = os.open(path, os.O_RDONLY)
        while piece := os.read(fd, 1 << 18):
            pieces.append(piece)
    except OSError as error:
        return f"{path} {name(error)} after {digest(b''.join(pieces))}"
    os.close(fd)
    return f"{path} {digest(b''.join(pieces))}"


class Reader:
    def __init__(self, words):
        self.words = iter(words)
        self.fd = -1

    def run(self):
        for verb in self.words:
            try:
                text = getattr(self, "do_" + verb)()
            except OSError as error:
                text = f"{verb} {name(error)}"
            print(text, flush=True)

    def do_cat(self):
        return cat(next(self.words))

    def do_open(self):
        path = next(self.words)
        self.fd = os.open(path, os.O_RDONLY)
        return f"opened {path}"

    def do_random(self):
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_RANDOM)
        return "random"

    def do_read(self):
        offset, length = int(next(self.words)), int(next(self.words))
        try:
            data = b""
            while len(data) < length and (piece := os.pread(self.fd, length - len(data), offset + len(data))):
                data += piece
        except OSError as error:
            return f"{offset} {name(error)} after {digest(data)}" if data else f"{offset} {name(error)}"
        return f"{offset} {digest(data)}"

    def do_map(self):
        offset, length = int(next(self.words)), int(next(self.words))
        with mmap.mmap(self.fd, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset) as view:
            return f"{offset} {digest(view)}"

    def do_stat(self):
        path = next(self.words)
        s = os.stat(path)
        return f"{path} {s.st_size} file" if stat.S_ISREG(s.st_mode) else f"{path} dir"

    def do_list(self):
        path = next(self.words)
        return " ".join([path, *sorted(os.listdir(path))])

    def do_wait(self):
        print("waiting", flush=True)
        sys.stdin.readline()
        return "went on"


if __name__ == "__main__":
    Reader(sys.argv[1:]).run()
