"""Seeded random operations on a tree, one digest line each.

    operations.py ROOT SEED COUNT

The same seed on equal trees must print the same lines. Knows nothing of Warmpath: run it once
on the local copy and once on the mapping and compare.
"""

import errno
import hashlib
import mmap
import os
import random
import signal
import stat
import sys
import tempfile
import threading

import operations_libc

BORDERS = [0, 1, 4095, 4096, 65535, 65536, 65537, 4194303, 4194304, 4194305, 8388608]
MOST_DESCRIPTORS = 24


def digest(data):
    return f"{len(data)}:{hashlib.blake2b(data, digest_size=6).hexdigest()}"


class Walker:
    def __init__(self, root, seed, out):
        self.root = root
        self.rng = random.Random(seed)
        self.out = out
        self.fds = []               # [(descriptor, path)]
        self.views = []
        self.files, self.folders = [], []
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(set(folders) - {".git"})  # git itself writes there, locally
            self.folders.append(folder)
            self.files += [os.path.join(folder, name) for name in files]
        self.files.sort()
        self.digest = digest
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.local = file.name      # on the local disk in every world
            file.write(random.Random(seed).randbytes(100_000))
        self.big = [path for path in self.files if os.path.getsize(path) > 60000]

    def step(self, number):
        operation = self.rng.choice(OPERATIONS)
        try:
            text = operation(self)
        except OSError as error:
            text = errno.errorcode.get(error.errno, str(error.errno))
        self.out(f"{number} {operation.__name__} {text}")

    def pick(self):
        """Some open descriptor; opens a file when there is none."""
        if not self.fds:
            op_open(self)
        return self.rng.choice(self.fds)

    def path(self):
        return self.rng.choice(self.big if self.rng.random() < 0.6 else self.files)

    def offset(self, size):
        kind = self.rng.random()
        if kind < 0.4:
            return max(0, self.rng.choice(BORDERS) + self.rng.randint(-3, 3))
        if kind < 0.5:
            return size + self.rng.randint(-5, 5) if size > 5 else 0
        return self.rng.randint(0, size)

    def length(self):
        return self.rng.choice([0, 1, 7, 100, 4096, 5000, 65536, 70001, 1 << 20, 5 << 20])

    def short(self, path):
        return os.path.relpath(path, self.root)

    def close(self):
        for fd, _ in self.fds:
            os.close(fd)
        for view in self.views:
            view.close()
        os.unlink(self.local)


def op_open(w):
    path = w.path()
    if len(w.fds) >= MOST_DESCRIPTORS:
        os.close(w.fds.pop(w.rng.randrange(len(w.fds)))[0])
    fd = os.open(path, os.O_RDONLY | w.rng.choice([0, os.O_CLOEXEC, os.O_NONBLOCK]))
    w.fds.append((fd, path))
    return w.short(path)


def op_open_missing(w):
    path = w.rng.choice(w.files) + w.rng.choice([".none", "/below", "/"])
    os.close(os.open(path, os.O_RDONLY))
    return "opened"


def op_close(w):
    fd, path = w.pick()
    w.fds.remove((fd, path))
    os.close(fd)
    return w.short(path)


def op_read(w):
    fd, _ = w.pick()
    data = os.read(fd, w.length())
    return f"{digest(data)} at {os.lseek(fd, 0, os.SEEK_CUR)}"


def op_pread(w):
    fd, path = w.pick()
    offset, length = w.offset(os.fstat(fd).st_size), w.length()
    return f"{w.short(path)} {offset} {digest(os.pread(fd, length, offset))}"


def op_readv(w):
    fd, _ = w.pick()
    parts = [bytearray(w.rng.choice([0, 1, 513, 4096, 100_000])) for _ in range(w.rng.randint(1, 5))]
    count = os.readv(fd, parts) if w.rng.random() < 0.5 else os.preadv(fd, parts, w.offset(5 << 20))
    return f"{count} {digest(b''.join(parts)[:count])}"


def op_seek(w):
    fd, path = w.pick()
    size = os.path.getsize(path)
    whence = w.rng.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
    target = {os.SEEK_SET: w.offset(size), os.SEEK_CUR: w.rng.randint(-5000, 5000),
              os.SEEK_END: w.rng.randint(-size - 2, 2)}[whence]
    return os.lseek(fd, target, whence)


def op_dup(w):
    fd, path = w.pick()
    if len(w.fds) < MOST_DESCRIPTORS:
        w.fds.append((os.dup(fd), path))
    else:
        other, _ = w.fds.pop()
        if other != fd:
            os.dup2(fd, other)
        w.fds.append((other, path))
    return w.short(path)


def op_fstat(w):
    fd, path = w.pick()
    s, t = os.fstat(fd), os.stat(path)
    return f"{s.st_size} {oct(s.st_mode)} {int(s.st_mtime)} {os.path.samestat(s, t)}"


def op_stat(w):
    path = w.rng.choice(w.files + w.folders) + w.rng.choice(["", "", "", "x", "/", "/.", "//"])
    s = os.stat(path)
    return f"{s.st_size if stat.S_ISREG(s.st_mode) else ''} {oct(s.st_mode)}"


def op_list(w):
    folder = w.rng.choice(w.folders)
    names = sorted(os.listdir(folder))
    if w.rng.random() < 0.3:
        with os.scandir(folder) as entries:
            names = sorted(f"{e.name} {e.is_dir()} {e.stat().st_mode}" for e in entries)
    return f"{w.short(folder)} {len(names)} {digest(repr(names).encode())}"


def op_map(w):
    fd, path = w.pick()
    size = os.fstat(fd).st_size
    if size == 0:
        return "empty"
    start = w.rng.randrange(size) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    length = min(size - start, w.rng.choice([1, 5000, 65536, 5 << 20]))
    kind, protection = w.rng.choice([(mmap.MAP_SHARED, mmap.PROT_READ), (mmap.MAP_PRIVATE, mmap.PROT_READ),
                                     (mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)])
    view = mmap.mmap(fd, length, kind, protection, offset=start)
    if protection & mmap.PROT_WRITE:
        view[:1] = b"!"
    w.views.append(view)
    if len(w.views) > 8:
        w.views.pop(0).close()
    return f"{w.short(path)} {start} {digest(view)}"


def op_map_again(w):
    if not w.views:
        return "none"
    view = w.rng.choice(w.views)
    start = w.rng.randrange(len(view))
    return digest(view[start:start + w.length()])


def op_buffered(w):
    with open(w.path(), "rb", buffering=w.rng.choice([512, 4096, 65536])) as file:
        size = os.fstat(file.fileno()).st_size
        parts = []
        for _ in range(w.rng.randint(1, 6)):
            file.seek(w.offset(size))
            parts.append(file.read(w.rng.choice([1, 100, 10_000])) if w.rng.random() < 0.7 else file.readline(200))
        return f"{digest(b''.join(parts))} {file.tell()}"


def op_whole(w):
    path = w.path()
    with open(path, "rb") as file:
        return f"{w.short(path)} {digest(file.read())}"


def op_fork(w):
    """A child reads on the shared position, closes some, opens one; the parent goes on after it."""
    fd, _ = w.pick()
    other, length = w.path(), w.length()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            text = digest(os.read(fd, length))
            for mine, _ in w.fds[::2]:
                os.close(mine)
            with open(other, "rb") as file:
                text += " " + digest(file.read(length))
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    status = os.waitpid(pid, 0)[1]
    return f"{text} status {status} at {os.lseek(fd, 0, os.SEEK_CUR)}"


def op_threads(w):
    """Two threads, each with its own seed, descriptors and lines."""
    fd, path = w.pick()
    size = os.path.getsize(path)
    texts = [[], []]

    def work(number, seed):
        rng = random.Random(seed)
        for _ in range(10):
            texts[number].append(digest(os.pread(fd, rng.choice([10, 5000, 300_000]), rng.randint(0, size))))
            with open(rng.choice(w.files), "rb") as file:
                texts[number].append(digest(file.read(rng.choice([10, 70_000]))))

    threads = [threading.Thread(target=work, args=(n, w.rng.random())) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return digest(repr(texts).encode())


def op_relative(w):
    folder, path = w.rng.choice(w.folders), w.path()
    os.chdir(folder)
    try:
        with open(os.path.relpath(path, folder), "rb") as file:
            text = digest(file.read(100))
        return f"{w.short(os.getcwd())} {text} {len(os.listdir())}"
    finally:
        os.chdir("/")


def op_dir_fd(w):
    path = w.path()
    top = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fd = os.open(os.path.basename(path), os.O_RDONLY, dir_fd=top)
        w.fds.append((fd, path))
        return f"{os.stat(os.path.basename(path), dir_fd=top).st_size} {len(os.listdir(top))}"
    finally:
        os.close(top)


OPERATIONS = [op_open, op_open, op_open_missing, op_close, op_read, op_read, op_read, op_pread, op_pread,
              op_pread, op_readv, op_seek, op_seek, op_dup, op_fstat, op_stat, op_list, op_map, op_map,
              op_map_again, op_buffered, op_whole, op_fork, op_threads, op_relative, op_dir_fd,
              *operations_libc.OPERATIONS]


def main():
    root, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Unbuffered: what was printed before a fork must not be printed by the child again.
    walker = Walker(root, seed, lambda line: os.write(1, os.fsencode(line) + b"\n"))
    for number in range(count):
        walker.step(number)
    walker.close()


if __name__ == "__main__":
    main()
