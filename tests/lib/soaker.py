"""A job that reads at random for a while and compares every byte: for the soak.

    soaker.py SEED READS NAME=PATH:CONTENT_SEED:SIZE ...

Contents are what scene.content() makes of their seeds, so nothing but the bytes under test comes
from S3. Prints one line of JSON: what it read, what failed how, what was wrong.
"""

import collections
import errno
import json
import mmap
import os
import random
import sys


class Soaker:
    def __init__(self, seed, files):
        self.random = random.Random(seed)
        self.files = files
        self.open = {}
        self.errors = collections.Counter()
        self.wrong = []
        self.bytes = self.reads = 0

    def compare(self, path, offset, data, wanted_length):
        want = self.files[path][offset:offset + wanted_length]
        self.bytes += len(data)
        self.reads += 1
        if data != want:
            at = next((i for i, (a, b) in enumerate(zip(data, want)) if a != b), min(len(data), len(want)))
            self.wrong.append(f"{path} [{offset}, +{wanted_length}): {len(data)} bytes, wrong from {at}")

    def descriptor(self, path):
        if path in self.open and self.random.random() < 0.1:
            os.close(self.open.pop(path))
        if path not in self.open:
            self.open[path] = os.open(path, os.O_RDONLY)
            if os.fstat(self.open[path]).st_size != len(self.files[path]):
                self.wrong.append(f"{path}: wrong size")
        return self.open[path]

    def range(self, path):
        size = len(self.files[path])
        offset = self.random.randrange(size)
        return offset, self.random.choice((1, 100, 4096, 65536, 200_000))

    def step(self, path):
        kind = self.random.random()
        fd = self.descriptor(path)
        offset, length = self.range(path)
        if kind < 0.75:
            data = b""      # a read may end where a block can't be had; the next one says why
            while len(data) < length and (piece := os.pread(fd, length - len(data), offset + len(data))):
                data += piece
            self.compare(path, offset, data, length)
        elif kind < 0.9:
            os.lseek(fd, offset, os.SEEK_SET)
            for _ in range(4):
                data = os.read(fd, length)
                at_end = offset + len(data) == len(self.files[path])
                self.compare(path, offset, data, len(data) if data and not at_end else length)
                offset += len(data)
        elif kind < 0.95:
            offset -= offset % mmap.PAGESIZE
            length = min(length, len(self.files[path]) - offset)
            with mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset) as view:
                self.compare(path, offset, bytes(view), length)
        else:
            names = os.listdir(os.path.dirname(path))
            if os.path.basename(path) not in names:
                self.wrong.append(f"{path} is not listed")

    def run(self, reads):
        while self.reads + sum(self.errors.values()) < reads and len(self.wrong) < 5:
            path = self.random.choice(list(self.files))
            try:
                self.step(path)
            except OSError as error:
                self.errors[errno.errorcode.get(error.errno, str(error.errno))] += 1
                if path in self.open:
                    os.close(self.open.pop(path))
        return {"reads": self.reads, "bytes": self.bytes, "errors": self.errors, "wrong": self.wrong}


def main():
    files = {}
    for word in sys.argv[3:]:
        path, seed, size = word.rsplit(":", 2)
        files[path] = random.Random(seed).randbytes(int(size))
    print(json.dumps(Soaker(int(sys.argv[1]), files).run(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
