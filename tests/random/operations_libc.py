"""More operations for operations.py, by libc's own names through ctypes: streams, directory positions, statx, maps."""

import ctypes
import errno
import mmap
import os
import socket
import subprocess
import threading

libc = ctypes.CDLL(None, use_errno=True)
PAGE = 4096
AT_FDCWD, AT_EMPTY_PATH, STATX_BASIC = -100, 0x1000, 0x7ff
BAD_ADDRESS = ctypes.c_void_p(-1).value

for name, result in (("fopen", ctypes.c_void_p), ("fdopen", ctypes.c_void_p), ("opendir", ctypes.c_void_p), ("readdir", ctypes.c_void_p),
                     ("mmap", ctypes.c_void_p), ("telldir", ctypes.c_long), ("ftello", ctypes.c_long), ("fread", ctypes.c_size_t),
                     ("fgets", ctypes.c_void_p), ("preadv2", ctypes.c_ssize_t)):
    getattr(libc, name).restype = result
libc.fread.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
libc.fgets.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
libc.fseeko.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_int]
libc.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.ungetc.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for name in ("fclose", "fgetc", "ftello", "feof", "fileno", "rewind", "fflush", "readdir", "telldir", "rewinddir", "dirfd", "closedir"):
    getattr(libc, name).argtypes = [ctypes.c_void_p]


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_ushort), ("type", ctypes.c_ubyte),
                ("name", ctypes.c_char * 256)]


def check(result):
    """The result, or the errno as OSError."""
    if result in (None, -1, BAD_ADDRESS):
        raise OSError(ctypes.get_errno(), "libc")
    return result


def op_stream(w):
    """A stream by name or over a copy of an open descriptor: every way to move and read, mixed."""
    ctypes.set_errno(0)
    if w.rng.random() < 0.5:
        path = w.path()
        stream, size = check(libc.fopen(os.fsencode(path), b"r")), os.path.getsize(path)
    else:
        fd, path = w.pick()
        stream, size = check(libc.fdopen(os.dup(fd), b"rb")), os.fstat(fd).st_size
    if w.rng.random() < 0.4:
        libc.setvbuf(stream, None, w.rng.choice([0, 0, 2]), w.rng.choice([64, 1000, 65536]))
    said, pushed_back = [], False
    for _ in range(w.rng.randint(1, 8)):
        kind = w.rng.randrange(7)
        if kind == 0:
            said.append(libc.fseeko(stream, w.offset(size), os.SEEK_SET))
        elif kind == 1 and not pushed_back:     # glibc counts from the wrong place after ungetc() of another character
            said.append(libc.fseeko(stream, w.rng.randint(-3000, 3000), os.SEEK_CUR))
        elif kind == 2:
            said.append(libc.fseeko(stream, -w.rng.randint(0, min(size, 9000)), os.SEEK_END))
        elif kind == 3:
            pushed_back = True
            said.append((libc.fgetc(stream), libc.ungetc(65, stream), libc.fgetc(stream)))
        elif kind == 4:
            line = ctypes.create_string_buffer(300)
            said.append(w.digest(line.raw) if libc.fgets(line, 300, stream) else "end")
        else:
            data = ctypes.create_string_buffer(w.length() or 1)
            said.append(w.digest(data.raw[:libc.fread(data, 1, len(data), stream)]))
        said.append((libc.ftello(stream), libc.feof(stream) != 0))
    position, number = libc.ftello(stream), libc.fileno(stream)
    said.append(libc.fflush(stream))
    if not pushed_back:     # the descriptor is where the stream is now
        said.append(os.lseek(number, 0, os.SEEK_CUR) == position)
    os.lseek(number, position, os.SEEK_SET)     # how far libc read ahead is its own affair
    return f"{w.short(path)} {said} {libc.fclose(stream)}"


def op_dir_positions(w):
    """telldir() and seekdir() lead back to where they were taken, rewinddir() to the start."""
    folder = w.rng.choice(w.folders)
    directory = check(libc.opendir(os.fsencode(folder)))

    def read(most):
        names = []
        while len(names) < most and (entry := libc.readdir(directory)):
            e = ctypes.cast(entry, ctypes.POINTER(Dirent)).contents
            names.append((e.name, e.type, e.ino))
        return names

    before = read(w.rng.randint(0, 20))
    position = libc.telldir(directory)
    rest = read(10**6)
    libc.seekdir(directory, position)
    again = read(10**6) == rest
    libc.rewinddir(directory)
    whole = read(10**6) == before + rest
    number = os.fstat(libc.dirfd(directory)).st_ino == os.stat(folder).st_ino
    libc.closedir(directory)
    names = sorted((name, kind) for name, kind, _ in before + rest)
    return f"{w.short(folder)} {w.digest(repr(names).encode())} {again} {whole} {number}"


def op_statx(w):
    path = w.rng.choice(w.files + w.folders)
    raw = (ctypes.c_uint32 * 64)()
    if w.rng.random() < 0.5:
        check(libc.statx(AT_FDCWD, os.fsencode(path), w.rng.choice([0, 0x100, 0x2000]), STATX_BASIC, ctypes.byref(raw)))
    else:
        fd = os.open(path, w.rng.choice([os.O_RDONLY, os.O_PATH]))
        result = libc.statx(fd, b"", AT_EMPTY_PATH, STATX_BASIC, ctypes.byref(raw))
        os.close(fd)
        check(result)
    words, st = bytes(raw), os.stat(path)
    mode, inode, size = (int.from_bytes(words[a:b], "little") for a, b in ((28, 30), (32, 40), (40, 48)))
    changed = int.from_bytes(words[112:120], "little", signed=True)
    return f"{mode:o} {inode == st.st_ino} {size == st.st_size} {changed == int(st.st_mtime)} {raw[0] & STATX_BASIC == STATX_BASIC}"


def op_map_raw(w):
    """Maps with any offset and length, also over the end: the last page's rest reads as zeros. The map outlives its descriptor."""
    path = w.path()
    size = os.path.getsize(path)
    fd = os.open(path, os.O_RDONLY)
    offset = w.rng.randint(0, size // PAGE) * PAGE
    length = w.rng.choice([1, 100, PAGE, 70000, 3 << 20])
    flags, protection = w.rng.choice([(mmap.MAP_SHARED, mmap.PROT_READ), (mmap.MAP_PRIVATE, mmap.PROT_READ),
                                      (mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE), (mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)])
    at = libc.mmap(None, length, protection, flags, fd, offset)
    why = ctypes.get_errno()
    os.close(fd)
    if at == BAD_ADDRESS:
        raise OSError(why, "mmap")
    whole = max(0, min(length, -(-size // PAGE) * PAGE - offset))
    text = w.digest(ctypes.string_at(at, whole))
    if protection & mmap.PROT_WRITE and whole:
        ctypes.memset(at, 42, 1)
        pid = os.fork()
        if pid == 0:
            ctypes.memset(at, 43, 1)
            os._exit(0)
        os.waitpid(pid, 0)
        text += f" {ctypes.string_at(at, 1)}"
    return f"{text} {libc.munmap(ctypes.c_void_p(at), length)}"


def op_dup2_over(w):
    """One open file over another, or a local one over a mapped one and back."""
    fd, path = w.pick()
    other, length = w.rng.choice(w.fds)[0], w.length()
    if fd == other or w.rng.random() < 0.4:
        extra = os.open(w.local, os.O_RDONLY)
        os.dup2(fd, extra) if w.rng.random() < 0.5 else os.dup2(extra, other)
        said = w.digest(os.read(extra, length)) + w.digest(os.pread(other, length, 3))
        os.close(extra)
        if said and os.fstat(other).st_ino == os.stat(w.local).st_ino:
            w.fds = [pair for pair in w.fds if pair[0] != other]
            os.close(other)
        return said
    os.dup2(fd, other)
    w.fds = [pair if pair[0] != other else (other, path) for pair in w.fds]
    return f"{w.short(path)} {w.digest(os.read(other, length))} {os.lseek(fd, 0, os.SEEK_CUR)}"


def op_preadv2(w):
    fd, _ = w.pick()
    pieces = [ctypes.create_string_buffer(w.rng.choice([1, 700, 66000])) for _ in range(w.rng.randint(1, 4))]
    vector = (ctypes.c_size_t * (2 * len(pieces)))(*[x for p in pieces for x in (ctypes.addressof(p), len(p))])
    count = check(libc.preadv2(fd, vector, len(pieces), ctypes.c_long(w.rng.choice([-1, w.offset(5 << 20)])), 0))
    return f"{count} {w.digest(b''.join(p.raw for p in pieces)[:count])} {os.lseek(fd, 0, os.SEEK_CUR)}"


def op_fork_turns(w):
    """Parent and child take turns on one offset; the child also seeks and closes."""
    fd, _ = w.pick()
    ours, theirs = socket.socketpair()
    steps = [(w.rng.choice(["read", "read", "seek"]), w.rng.choice([1, 500, 70000])) for _ in range(6)]

    def step(kind, number):
        return w.digest(os.read(fd, number)) if kind == "read" else str(os.lseek(fd, number, os.SEEK_SET))

    pid = os.fork()
    if pid == 0:
        try:
            for kind, number in steps[1::2]:
                theirs.recv(1)
                theirs.send(step(kind, number).encode())
            os.close(fd)
        finally:
            os._exit(0)
    said = []
    for turn in range(3):
        said.append(step(*steps[2 * turn]))
        ours.send(b"x")
        said.append(ours.recv(200).decode())
    ours.close(), theirs.close()
    return f"{said} {os.waitpid(pid, 0)[1]} {os.lseek(fd, 0, os.SEEK_CUR)}"


def op_child(w):
    """An executed child reads from where the parent is, and leaves its position behind."""
    fd, _ = w.pick()
    length = w.rng.choice([1, 5000, 100_000])
    done = subprocess.run(["dd", f"bs={length}", "count=1", "status=none"], stdin=fd, capture_output=True, close_fds=w.rng.random() < 0.5,
                          cwd=w.rng.choice([None, *w.folders]))
    return f"{w.digest(done.stdout)} {done.returncode} {done.stderr} {os.lseek(fd, 0, os.SEEK_CUR)} {w.digest(os.read(fd, 100))}"


def op_sendfile(w):
    fd, _ = w.pick()
    size = os.fstat(fd).st_size
    out = os.memfd_create("out")
    at = w.rng.choice([None, w.offset(size)])
    count = os.sendfile(out, fd, at, w.length() or 1)
    text = f"{count} {w.digest(os.pread(out, count, 0))} {os.lseek(fd, 0, os.SEEK_CUR)}"
    os.close(out)
    return text


def op_close_meanwhile(w):
    """Another thread is reading a descriptor when it is closed: the right bytes or EBADF."""
    path = w.path()
    with open(path, "rb") as file:
        whole = file.read()
    fd = os.open(path, os.O_RDONLY)
    wrong = []

    def read():
        try:
            if os.pread(fd, len(whole) + 1, 0) != whole:
                wrong.append("bytes")
        except OSError as error:
            if error.errno != errno.EBADF:
                wrong.append(error.errno)

    # One: with more, the number may by then be another's, as ever with descriptors.
    thread = threading.Thread(target=read)
    thread.start()
    os.close(fd)
    thread.join()
    return f"{w.short(path)} {wrong}"


def op_shared_by_threads(w):
    """Threads that read one descriptor get every byte once."""
    fd = os.open(w.path(), os.O_RDONLY)
    pieces = []

    def read():
        while piece := os.read(fd, 50_000):
            pieces.append(piece)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(fd)
    return w.digest(repr(sorted(w.digest(piece) for piece in pieces)).encode())


def op_path_only(w):
    """O_PATH: good for fstat and as a place to start from, not for reading."""
    path = w.rng.choice(w.files + w.folders)
    fd = os.open(path, os.O_PATH)
    try:
        said = [os.fstat(fd).st_size if not os.path.isdir(path) else 0]
        for call in (lambda: os.read(fd, 10), lambda: os.pread(fd, 10, 0), lambda: os.lseek(fd, 0, 0), lambda: os.listdir(fd)):
            try:
                said.append(len(call()))
            except OSError as error:
                said.append(errno.errorcode[error.errno])
        if os.path.isdir(path):
            said.append(sorted(os.stat(name, dir_fd=fd).st_mode for name in sorted(os.listdir(path))[:5]))
        return f"{w.short(path)} {said}"
    finally:
        os.close(fd)


def op_dir_fd_chain(w):
    """From directory descriptor to directory descriptor, down and up again."""
    path = w.path()
    parts = w.short(path).split("/")
    at = os.open(w.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, w.rng.choice([os.O_RDONLY, os.O_PATH]) | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        fd = os.open(parts[-1], os.O_RDONLY, dir_fd=at)
        text = w.digest(os.read(fd, 1000))
        os.close(fd)
        up = os.open("/".join([".."] * (len(parts) - 1)) or ".", os.O_RDONLY, dir_fd=at)
        text += f" {os.path.samestat(os.fstat(up), os.stat(w.root))} {os.access(parts[-1], os.R_OK, dir_fd=at)}"
        os.close(up)
        os.fchdir(at)       # and stays there for the operations that follow
        return f"{w.short(os.getcwd())} {text} {os.path.getsize(parts[-1])}"
    finally:
        os.close(at)


def op_fwalk(w):
    top = w.rng.choice(w.folders)
    seen = []
    for folder, folders, files, at in os.fwalk(top):
        folders.sort()
        seen.append((w.short(folder), folders[:], sorted((name, os.stat(name, dir_fd=at).st_size) for name in files[:20] if len(files) <= 20)))
        if len(seen) > 15:
            break
    return w.digest(repr(seen).encode())


OPERATIONS = [op_stream, op_stream, op_stream, op_dir_positions, op_statx, op_map_raw, op_map_raw, op_dup2_over, op_dup2_over,
              op_preadv2, op_preadv2, op_fork_turns, op_child, op_sendfile, op_close_meanwhile, op_shared_by_threads, op_path_only,
              op_path_only, op_dir_fd_chain, op_fwalk]
