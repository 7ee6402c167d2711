"""Maps whose blocks come when they are touched, on an object of which nothing is cached.

The rows are ordinary programs, in the three worlds, with blocks of 64 KiB and no patience in mmap (WARMPATH_MMAP=0),
so that every cold map is lazy. The cases below them count what was fetched, on a server of the test's own.
"""

import os
import random
import struct

import check
import job
from big_object import BUCKET, BigObject
from java import QUICK
from node import Node
from suite import Case
from worlds import Program, py, sh, venv

EAGER = {"WARMPATH_MMAP": "0", "WARMPATH_BLOCK_SIZE": "64K"}
GIB, MIB = 1 << 30, 1 << 20
WINDOWS = 64                    # of 768 KiB, as src/lazy.c takes them
HUGE = 12 * GIB
MARKS = (0, 5 * GIB + 123, HUGE - 8)
FEW_BYTES = 64 * MIB            # three blocks, the window behind the first of them, the first MiB for the open

PROGRAMS = [
    py("lazy-py-slices", """
        import hashlib, mmap, struct
        with open(f"{D}/sizes/12MiB-exact", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            print(struct.unpack_from("<4Q", view, 9000001), view[-5:], view.find(b"\\x00\\x00\\x00"))
            copy = open(f"{T}/copy", "wb+")
            print(copy.write(view), copy.write(memoryview(view)[70000:140000]), copy.seek(0), hashlib.sha256(copy.read()).hexdigest())
            print(os.pwrite(copy.fileno(), memoryview(view)[4194000:8000000], 10), hashlib.sha256(view).hexdigest())
        """, env=EAGER),
    py("lazy-py-behind-the-end", """
        import ctypes, mmap
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        fd, size = os.open(f"{D}/sizes/4MiB+1", os.O_RDONLY), os.stat(f"{D}/sizes/4MiB+1").st_size
        view = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
        print(size % 4096, ctypes.string_at(view + size, 8), ctypes.string_at(view + size - 1, 6)[1:])
        """, env=EAGER),
    py("lazy-py-faulthandler", """
        import faulthandler, hashlib, mmap, signal
        silent = open(os.devnull, "w")
        faulthandler.enable(silent)
        with open(f"{D}/sizes/9MiB", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            later = mmap.mmap(file.fileno(), 5000000, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ, offset=65536 * 50)
        view[8000000:8000005] = b"mine!"
        faulthandler.disable()
        print(hashlib.sha256(view).hexdigest(), faulthandler.is_enabled())
        faulthandler.enable(silent)
        print(hashlib.sha256(later).hexdigest(), faulthandler.is_enabled())
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGBUS)
        print(os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGBUS)
        """, env=EAGER),
    py("lazy-py-threads-and-sockets", """
        import hashlib, mmap, socket, threading
        view = mmap.mmap(os.open(f"{D}/sizes/9MiB", os.O_RDONLY), 0, access=mmap.ACCESS_READ)
        ends = socket.socketpair()
        sender = threading.Thread(target=lambda: (ends[0].sendall(memoryview(view)[1000000:]), ends[0].sendmsg([memoryview(view)[:100], b"end"]), ends[0].close()))
        sender.start()
        data = b"".join(iter(lambda: ends[1].recv(100000), b""))
        sender.join()
        print(len(data), hashlib.sha256(data).hexdigest())
        """, env=EAGER),
    py("lazy-py-multiprocessing", """
        import hashlib, mmap, multiprocessing
        view = mmap.mmap(os.open(f"{D}/sizes/12MiB-exact", os.O_RDONLY), 0, access=mmap.ACCESS_READ)
        def part(n):
            return hashlib.sha256(view[n * 1000000:(n + 2) * 1000000]).hexdigest()
        with multiprocessing.get_context("fork").Pool(4) as pool:
            print(pool.map(part, range(12)))
        print(part(3))
        """, env=EAGER),
    venv("lazy-numpy-memmap", """
        import numpy
        view = numpy.memmap(f"{D}/sizes/12MiB-exact", dtype="<u4", mode="r")
        print(view[::-70001].tolist()[:40], view.sum(dtype="u8"))
        copy = numpy.memmap(f"{D}/sizes/9MiB", dtype="<u2", mode="c", offset=66)
        copy[1000000:1100000] += 1
        print(copy.sum(dtype="u8"))
        copy.tofile(f"{T}/copy")
        print(numpy.fromfile(f"{T}/copy", dtype="<u2").sum(dtype="u8"))
        """, env=EAGER),
    venv("lazy-safetensors", """
        from safetensors import safe_open
        with safe_open(f"{D}/data/model.safetensors", framework="numpy") as file:
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name)
                print(name, tensor.shape, tensor.dtype, float(tensor.astype("f8").sum()))
        """, env=EAGER),
    sh("lazy-java-channels", f"{QUICK} -cp $D/code/java/reader.jar Channels $D", env=EAGER),
]


def cases(bed, worlds):
    return [Case("programs/c-lazy-map", lambda: in_parts(bed, worlds)),
            Case("programs/lazy-three-pages-of-12-gib", lambda: three_pages(bed)),
            Case("programs/lazy-safetensors-of-12-gib", lambda: one_tensor(bed))]


def in_parts(bed, worlds):
    """The same output locally, past the library, lazily, whole, and with everything cached."""
    folder, path = big_file(bed, "lazy", WINDOWS * 768 * 1024 + 12345)
    with open(path, "wb") as file:
        file.write(random.Random("lazy").randbytes(WINDOWS * 768 * 1024 + 12345))
    program = worlds.compiled(Program("c-lazy-map", "c", "lazy.c"))
    want = job.run([program, folder], bed.base_env() | {"T": folder})
    check.equal("local: exit status", want.status, 0, want.text + want.errors)
    with BigObject(path, "lazy") as server:
        for world, mmap, lazy in (("past it", "0", False), ("lazy", "0", True), ("whole", "whole", False)):
            with Node(bed, "lazy") as node:
                env = node.env(f"/mapped/lazy=s3://{BUCKET}", AWS_ENDPOINT_URL_S3=server.url, T=folder,
                               WARMPATH_MMAP=mmap, WARMPATH_BLOCK_SIZE="64K")
                directory = folder if world == "past it" else "/mapped/lazy"
                same(world, job.run([program, directory], env), want)
                if world == "past it":
                    continue
                counters = node.counters()
                check.equal(f"{world}: were maps lazy?", counters["map_faults"] > WINDOWS and counters["lazy_bytes"] > 0, lazy, str(counters))
                if lazy:
                    same("warm", job.run([program, directory], env), want)
                    check.equal("warm: touches that asked", node.counters()["map_faults"], counters["map_faults"])
    os.remove(path)


def same(world, got, want):
    check.same_text(f"{world}: output", got.text, want.text, (world, "local"))
    check.equal(f"{world}: standard error", got.errors, "")
    check.equal(f"{world}: exit status", got.status, want.status)


def big_file(bed, name, size):
    folder = bed.fresh_dir(name)
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.truncate(size)
    return folder, path


THREE_PAGES = """
import mmap, os, struct, sys
view = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, access=mmap.ACCESS_READ)
print(len(view), [struct.unpack_from("<Q", view, at)[0] for at in map(int, sys.argv[2:])])
"""


def three_pages(bed):
    """A map of all of it costs the blocks that are touched, and one memory map for each."""
    _, path = big_file(bed, "huge", HUGE)
    numbers = []
    with open(path, "r+b") as file:
        for mark in MARKS:
            numbers.append(random.Random(mark).getrandbits(64))
            os.pwrite(file.fileno(), struct.pack("<Q", numbers[-1]), mark)
    with BigObject(path, "huge") as server, Node(bed, "huge") as node:
        env = node.env(f"/mapped/huge=s3://{BUCKET}", AWS_ENDPOINT_URL_S3=server.url)
        done = job.run([bed.python, "-c", THREE_PAGES, "/mapped/huge/huge", *map(str, MARKS)], env)
        check.equal("pages", done.text, f"{HUGE} {numbers}\n", done.errors)
        check.that(server.fetched < FEW_BYTES, f"{server.fetched} bytes were fetched")
        counters = node.counters()
        check.equal("touches that asked", counters["map_faults"], len(MARKS))
        check.that(counters["lazy_bytes"] > HUGE - FEW_BYTES, f"{counters['lazy_bytes']} bytes were lazy")
    os.remove(path)


ONE_TENSOR = """
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="numpy") as file:
    names = list(file.keys())
    print(len(names), file.get_tensor(names[-1]).tolist(), file.get_slice(names[0])[7:9].tolist())
"""


def one_tensor(bed):
    """A model of 12 GiB of which a job wants one small tensor and a slice of a large one."""
    _, path = big_file(bed, "model.safetensors", 0)
    large, n = 1 * GIB, 12
    tensors = {f"layer.{i:02}": {"dtype": "F32", "shape": [large // 4], "data_offsets": [i * large, (i + 1) * large]} for i in range(n)}
    tensors["small"] = {"dtype": "F32", "shape": [4], "data_offsets": [n * large, n * large + 16]}
    head = repr(tensors).replace("'", '"').encode()
    head += b" " * (-len(head) % 8)
    with open(path, "r+b") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(8 + len(head) + n * large + 16)
        os.pwrite(file.fileno(), struct.pack("<4f", 1, 2, 3, 4), 8 + len(head) + n * large)
        os.pwrite(file.fileno(), struct.pack("<2f", 7, 8), 8 + len(head) + 7 * 4)
    with BigObject(path, "model.safetensors") as server, Node(bed, "model") as node:
        env = node.env(f"/mapped/model=s3://{BUCKET}", AWS_ENDPOINT_URL_S3=server.url)
        done = job.run([bed.venv_python, "-c", ONE_TENSOR, "/mapped/model/model.safetensors"], env)
        check.equal("tensors", done.text, f"{n + 1} [1.0, 2.0, 3.0, 4.0] [7.0, 8.0]\n", done.errors)
        check.that(server.fetched < FEW_BYTES, f"{server.fetched} bytes were fetched")
    os.remove(path)
