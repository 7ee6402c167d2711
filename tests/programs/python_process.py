"""Many processes and threads in Python: pools of every start method, futures, what children inherit."""

from worlds import py, venv

WORK = """
        import hashlib, multiprocessing
        def work(n):
            with open(f"{D}/sizes/9MiB", "rb") as file:
                file.seek(n * 1000003)
                return hashlib.sha256(file.read(1000003)).hexdigest() + open(f"{D}/many/file-{n:03d}.txt").read()
"""

PROGRAMS = [
    py("py-pool-forkserver", WORK + """
        if __name__ == "__main__":
            open(f"{D}/one-byte").read()
            with multiprocessing.get_context("forkserver").Pool(3) as pool:
                print(pool.map(work, range(10)))
    """),
    py("py-futures-threads", WORK + """
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            print(list(pool.map(work, [n % 10 for n in range(80)])))
            print(sorted(future.result()[:8] for future in concurrent.futures.as_completed([pool.submit(work, n) for n in range(9)])))
    """),
    py("py-futures-processes", WORK + """
        import concurrent.futures
        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
                    print(method, list(pool.map(work, range(5))))
    """),
    py("py-fork-of-threads", WORK + """
        import threading
        stop = threading.Event()
        def busy(seed):
            while not stop.is_set():
                work(seed)
        threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
        for thread in threads: thread.start()
        seen = []
        for n in range(12):
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.write(writer, work(n % 9)[:20].encode())
                os._exit(0)
            os.close(writer)
            seen.append((os.read(reader, 100), os.waitpid(pid, 0)[1]))
            os.close(reader)
        stop.set()
        for thread in threads: thread.join()
        print(seen)
    """),
    py("py-send-descriptor", """
        import socket
        left, right = socket.socketpair()
        fd = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        os.read(fd, 3)
        pid = os.fork()
        if pid == 0:
            os.close(fd)
            _, fds, _, _ = socket.recv_fds(right, 10, 2)
            os.write(1, b"%d %r %r\\n" % (os.fstat(fds[0]).st_size, os.pread(fds[0], 4, 0), os.read(fds[0], 5)))
            os._exit(0)
        socket.send_fds(left, [b"x"], [fd, 0])
        print(os.waitpid(pid, 0)[1], os.lseek(fd, 0, os.SEEK_CUR))
    """),
    py("py-reduction-of-descriptors", """
        import multiprocessing
        from multiprocessing import reduction
        def work(pipe, number):
            fd = reduction.recv_handle(pipe)
            with open(fd, "rb") as file:
                pipe.send((number, file.tell(), len(file.read()), pipe.recv().detach() > 0))
        if __name__ == "__main__":
            for number, method in enumerate(("fork", "spawn", "forkserver")):
                context = multiprocessing.get_context(method)
                ours, theirs = context.Pipe()
                child = context.Process(target=work, args=(theirs, number))
                child.start()
                with open(f"{D}/sizes/9MiB", "rb") as file:
                    file.seek(9_000_000 - number)
                    os.lseek(file.fileno(), file.tell(), os.SEEK_SET)
                    reduction.send_handle(ours, file.fileno(), child.pid)
                    ours.send(reduction.DupFd(file.fileno()))
                    print(ours.recv(), os.lseek(file.fileno(), 0, os.SEEK_CUR))
                child.join()
    """),
    py("py-long-name-goes-to-children", """
        import shutil, subprocess
        name = max(os.listdir(f"{D}/names"), key=len)
        with open(f"{D}/names/{name}", "rb") as file:
            os.lseek(file.fileno(), 3, os.SEEK_SET)
            print(subprocess.run(["cat"], stdin=file, capture_output=True).stdout, os.lseek(file.fileno(), 0, os.SEEK_CUR))
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            print(subprocess.run([sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"], stdin=file, capture_output=True).stdout)
        print(subprocess.run(["sh", "-c", 'cat <"$1"; (cat; cat) <"$1"', "sh", f"{D}/names/{name}"], capture_output=True).stdout)
    """),
    py("py-sendfile-splice", """
        import socket, threading
        left, right = socket.socketpair()
        def drain(out):
            while piece := right.recv(1 << 20): out.append(piece)
        for send in ("sendfile", "socket", "loop"):
            got = []
            left, right = socket.socketpair()
            thread = threading.Thread(target=drain, args=(got,)); thread.start()
            with open(f"{D}/sizes/9MiB", "rb") as file:
                if send == "sendfile":
                    at = 0
                    while n := os.sendfile(left.fileno(), file.fileno(), at, 1 << 20): at += n
                elif send == "socket":
                    left.sendfile(file, 5, 9_000_000)
                else:
                    file.seek(100)
                    while os.sendfile(left.fileno(), file.fileno(), None, 1 << 20): pass
                print(send, file.tell())
            left.close(); thread.join()
            import hashlib
            data = b"".join(got)
            print(len(data), hashlib.sha256(data).hexdigest())
    """),
    py("py-descriptors-run-out", """
        if len(sys.argv) == 1:
            os.execv("/bin/sh", ["sh", "-c", "ulimit -n 512; exec /usr/bin/python3 $T/snippet.py again"])
        fds = []
        try:
            while True:
                fds.append(os.open(f"{D}/one-byte", os.O_RDONLY))
        except OSError as error:
            print(error.errno, len(fds) > 300)
        for fd in fds[:10]: os.close(fd)
        print({os.pread(fd, 9, 0) for fd in fds[10:]}, open(f"{D}/text/crlf.txt").read())
        for fd in fds[10:]: os.close(fd)
        print(open(f"{D}/one-byte").read())
    """),
    py("py-close-range-and-closefrom", """
        import subprocess
        a = os.open(f"{D}/one-byte", os.O_RDONLY)
        os.dup2(a, 70); os.dup2(a, 80)
        os.closerange(75, 90)
        print(os.read(70, 5), err(os.read, 80, 1), err(os.fstat, 85))
        print(subprocess.run(["sh", "-c", "exec 3<&-; cat /dev/fd/9 2>/dev/null; echo $?"], close_fds=True, stdout=subprocess.PIPE).stdout)
        os.closerange(3, 1000)
        print(open(f"{D}/text/crlf.txt").read(), err(os.read, 70, 1))
    """),
    py("py-signals", """
        import hashlib, signal
        count = busy = 0
        def tick(*ignored):
            global count, busy
            if busy: return     # an open takes longer than the time between two signals
            busy = count = count + 1
            with open(f"{D}/many/file-{count % 300:03d}.txt") as file: file.read()
            busy = 0
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        seen = set()
        for n in range(40):
            with open(f"{D}/sizes/9MiB", "rb") as file: seen.add(hashlib.sha256(file.read()).hexdigest())
            os.listdir(f"{D}/many")
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(seen, count > 0)
    """),
    py("py-mmap-outlives", WORK + """
        import mmap
        fd = os.open(f"{D}/sizes/9MiB", os.O_RDONLY)
        view, some = mmap.mmap(fd, 0, prot=mmap.PROT_READ), mmap.mmap(fd, 70000, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=4190208)
        os.close(fd)
        some[0:4] = b"mine"
        pid = os.fork()
        if pid == 0:
            os.write(1, hashlib.sha256(view).hexdigest().encode() + some[:4] + b"\\n")
            some[0:4] = b"kid!"
            os._exit(0)
        os.waitpid(pid, 0)
        print(some[:4], view[4190208:4190212].hex(), hashlib.sha256(some[4:]).hexdigest(), view.find(view[5000000:5000016]), view.rfind(b"\\0\\0\\0"))
        view.madvise(mmap.MADV_SEQUENTIAL); view.madvise(mmap.MADV_DONTNEED)
        print(hashlib.sha256(view).hexdigest(), len(view), view.size() if False else "")
    """),
    venv("torch-style-loader", """
        import multiprocessing, numpy
        class Data:
            def __init__(self): self.view = None
            def __getitem__(self, n):
                if self.view is None: self.view = numpy.load(f"{D}/data/array.npy", mmap_mode="r")
                return float(self.view[n % 700].sum()), open(f"{D}/pages/{n % 1100:04d}").read()
        data = Data()
        data[0]
        def work(bounds): return [data[n] for n in range(*bounds)]
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(4) as pool:
                print(pool.map(work, [(n, n + 25) for n in range(0, 500, 25)]))
    """),
]
