"""Python's os, io and mmap: every way to open, position, read and look."""

from worlds import py

PROGRAMS = [
    py("py-open-read", """
        for name in ("text/utf8.txt", "empty", "one-byte"):
            with open(f"{D}/{name}") as file:
                print(name, repr(file.read()[:40]), repr(file.read()))
        with open(f"{D}/sizes/9MiB", "rb", buffering=0) as file:
            print(len(file.read(10)), len(file.read()), file.read(1), file.tell())
    """),
    py("py-readline", """
        with open(f"{D}/text/alpha.txt") as file:
            print(file.readline(), file.tell() > 0, len(file.readlines(5000)), sum(1 for _ in file))
        with open(f"{D}/text/crlf.txt", newline="") as file:
            print(list(file))
        with open(f"{D}/text/long-line.txt") as file:
            print([len(line) for line in file])
    """),
    py("py-seek-tell", """
        with open(f"{D}/sizes/9MiB", "rb") as file:
            for offset, whence in ((0, 2), (-10, 2), (4194300, 0), (8, 1), (-4, 1), (9437184, 0), (20000000, 0)):
                print(file.seek(offset, whence), file.tell(), file.read(12).hex())
            print(err(os.lseek, file.fileno(), -1, 0), err(os.lseek, file.fileno(), 0, 99))
    """),
    py("py-seek-hole-data", """
        fd = os.open(f"{D}/sizes/64KiB", os.O_RDONLY)
        print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE), os.lseek(fd, 100, os.SEEK_DATA),
              err(os.lseek, fd, 65536, os.SEEK_DATA), err(os.lseek, fd, 70000, os.SEEK_HOLE))
    """),
    py("py-buffered-reader", """
        import io
        with open(f"{D}/sizes/9MiB", "rb", buffering=0) as raw:
            reader = io.BufferedReader(raw, 777)
            total = bytearray()
            while piece := reader.read1(5000):
                total += piece
            import hashlib
            print(len(total), hashlib.sha256(total).hexdigest())
            reader.seek(4194303)
            print(reader.peek(2)[:2].hex(), reader.read(3).hex(), raw.readable(), raw.writable(), raw.seekable(), raw.isatty())
    """),
    py("py-readinto", """
        buffer = bytearray(6_000_000)
        with open(f"{D}/sizes/9MiB", "rb", buffering=0) as file:
            view = memoryview(buffer)
            print(file.readinto(view[:100]), file.readinto(view), file.readinto(view), file.readinto(view))
            print(bytes(view[-20:]).hex())
    """),
    py("py-pread", """
        import hashlib
        fd = os.open(f"{D}/sizes/9MiB", os.O_RDONLY)
        for offset in (0, 1, 4194303, 4194304, 4194305, 8388600, 9437183, 9437184, 10**12):
            print(offset, hashlib.sha256(os.pread(fd, 5000, offset)).hexdigest())
        print(os.lseek(fd, 0, 1), err(os.pread, fd, 1, -1), os.pread(fd, 0, 0), len(os.pread(fd, 10**8, 1)))
    """),
    py("py-readv-preadv", """
        fd = os.open(f"{D}/sizes/9MiB", os.O_RDONLY)
        parts = [bytearray(3), bytearray(4194304), bytearray(0), bytearray(17)]
        print(os.readv(fd, parts), [bytes(p[-3:]).hex() for p in parts], os.lseek(fd, 0, 1))
        print(os.preadv(fd, parts, 5_000_000), parts[3].hex(), os.preadv(fd, parts, 9437180), os.lseek(fd, 0, 1))
        print(os.preadv(fd, parts, 77, 0), parts[0].hex())
    """),
    py("py-dup", """
        fd = os.open(f"{D}/text/alpha.txt", os.O_RDONLY)
        other = os.dup(fd)
        print(os.read(fd, 5), os.read(other, 5), os.lseek(fd, 0, 1))
        third = os.dup2(fd, 50)
        os.close(fd)
        print(os.read(third, 5), os.fstat(50).st_size, err(os.read, fd, 1))
        os.lseek(other, 100, 0)
        print(os.read(50, 5), os.get_inheritable(50), os.get_inheritable(other))
    """),
    py("py-dup2-over", """
        a = os.open(f"{D}/one-byte", os.O_RDONLY)
        b = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        os.dup2(a, b)
        print(os.read(b, 10), os.read(a, 10), os.fstat(b).st_size)
        local = os.open("/dev/null", os.O_RDONLY)
        os.dup2(local, a)
        print(os.read(a, 10), os.fstat(b).st_size)
        os.dup2(b, b)
        os.close(b)
        print(err(os.read, b, 1), err(os.fstat, b), err(os.lseek, b, 0, 0))
    """),
    py("py-fcntl", """
        import fcntl
        fd = os.open(f"{D}/text/alpha.txt", os.O_RDONLY)
        os.read(fd, 10)
        copy = fcntl.fcntl(fd, fcntl.F_DUPFD, 40)
        cloexec = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 45)
        print(copy >= 40, cloexec >= 45, os.read(copy, 5), os.read(cloexec, 5))
        print(fcntl.fcntl(copy, fcntl.F_GETFD), fcntl.fcntl(cloexec, fcntl.F_GETFD))
        print(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, fcntl.fcntl(copy, fcntl.F_SETFD, 1), fcntl.fcntl(copy, fcntl.F_GETFD))
    """),
    py("py-locks", """
        import fcntl
        with open(f"{D}/data/words.sqlite", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 10, 100)
            fcntl.lockf(file, fcntl.LOCK_UN)
            print("locked", err(fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB))
    """),
    py("py-descriptor-odds-and-ends", """
        import array, select, stat
        fd = os.open(f"{D}/text/crlf.txt", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        print(poller.poll(0)[0][1] & select.POLLIN, select.select([fd], [], [], 0)[0] == [fd])
        print(err(select.epoll().register, fd), os.isatty(fd), stat.S_ISREG(os.fstat(fd).st_mode))
        print(os.fsync(fd), os.fdatasync(fd), os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED))
        print(err(os.write, fd, b"x"), err(os.ftruncate, fd, 1), err(os.pwrite, fd, b"x", 0), err(os.listdir, fd))
        print(err(os.read, os.open(D, os.O_RDONLY), 1), err(os.open, f"{D}/text/crlf.txt", os.O_DIRECTORY))
    """),
    py("py-sendfile", """
        source = os.open(f"{D}/text/alpha.txt", os.O_RDONLY)
        target = os.open(f"{T}/copy", os.O_RDWR | os.O_CREAT)
        offset, size = 0, os.fstat(source).st_size
        while offset < size:
            try:                        # as programs do: read and write where it is refused
                sent = os.sendfile(target, source, offset, size - offset)
            except OSError:
                sent = os.write(target, os.pread(source, 1 << 20, offset))
            assert sent > 0, "no bytes and no error"
            offset += sent
        print(open(f"{T}/copy", "rb").read() == open(f"{D}/text/alpha.txt", "rb").read())
    """),
    py("py-copy-file-range", """
        source = os.open(f"{D}/text/alpha.txt", os.O_RDONLY)
        target = os.open(f"{T}/copy", os.O_RDWR | os.O_CREAT)
        while True:
            try:
                count = os.copy_file_range(source, target, 1 << 20)
            except OSError:
                count = os.write(target, os.read(source, 1 << 20))
            if count == 0:
                break
        print(open(f"{T}/copy", "rb").read() == open(f"{D}/text/alpha.txt", "rb").read())
    """),
    py("py-splice-refuses-or-copies", """
        import fcntl
        source = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        reader, writer = os.pipe()
        try:
            os.splice(source, writer, 100)
        except OSError:
            os.write(writer, os.read(source, 100))
        print(os.read(reader, 100))
    """),
    py("py-mmap", """
        import hashlib, mmap
        with open(f"{D}/sizes/9MiB", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            print(len(view), hashlib.sha256(view).hexdigest(), view[4194300:4194310].hex(), view[-1])
            needle = view[5_000_000:5_000_020]
            print(view.find(needle), view.rfind(needle), view.find(b"not there at all"), view.size())
            view.seek(4194302)
            print(view.read(4).hex(), view.tell(), len(view.readline()))
    """),
    py("py-mmap-copy", """
        import mmap
        with open(f"{D}/text/alpha.txt", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
            before = view[:5]
            view[:5] = b"WROTE"
            print(before, view[:5], file.read(5))
        with open(f"{D}/text/alpha.txt", "rb") as file:
            print(file.read(5), err(mmap.mmap, file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
    """),
    py("py-mmap-private-across-blocks", """
        import mmap
        with open(f"{D}/sizes/9MiB", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
            view[4194300:4194310] = b"0123456789"
            print(view[4194295:4194315].hex(), os.pread(file.fileno(), 20, 4194295).hex())
            again = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
            print(again[4194295:4194315].hex())
    """),
    py("py-mmap-offset", """
        import hashlib, mmap
        with open(f"{D}/sizes/9MiB", "rb") as file:
            for offset, length in ((4096, 100), (4194304, 4096), (4190208, 8192), (8388608, 0), (9433088, 4096), (0, 1)):
                view = mmap.mmap(file.fileno(), length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)
                print(offset, len(view), hashlib.sha256(view).hexdigest())
            print(err(mmap.mmap, file.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ, offset=4194304)[:0])
    """),
    py("py-mmap-odd-sizes", """
        import hashlib, mmap
        for name in ("one-byte", "sizes/4095", "sizes/4MiB-1", "sizes/4MiB", "sizes/4MiB+1", "sizes/12MiB-exact", "text/alpha.txt"):
            with open(f"{D}/{name}", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                print(name, len(view), hashlib.sha256(view).hexdigest())
        with open(f"{D}/empty", "rb") as file:
            try:
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                print(error)
    """),
    py("py-mmap-outlives-close", """
        import gc, hashlib, mmap
        fd = os.open(f"{D}/sizes/9MiB", os.O_RDONLY)
        views = [mmap.mmap(fd, 0, access=mmap.ACCESS_READ) for _ in range(5)]
        os.close(fd)
        for view in views[:4]:
            view.close()
        print(hashlib.sha256(views[4]).hexdigest(), sum(views[4][::65536]))
        views[4].madvise(mmap.MADV_WILLNEED)
        views[4].madvise(mmap.MADV_SEQUENTIAL)
    """),
    py("py-mmap-fork", """
        import hashlib, mmap
        with open(f"{D}/sizes/9MiB", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            sys.stdout.flush()
            if os.fork() == 0:
                os.write(1, f"child {hashlib.sha256(view).hexdigest()}\\n".encode())
                os._exit(0)
            os.wait()
            print("parent", hashlib.sha256(view).hexdigest())
    """),
    py("py-stat-fields", """
        for name in ("text/alpha.txt", "empty", "one-byte", "sizes/9MiB", "names/plus+plus"):
            for look in (os.stat, os.lstat, lambda p: os.fstat(os.open(p, os.O_RDONLY))):
                s = look(f"{D}/{name}")
                print(name, oct(s.st_mode), s.st_size, s.st_nlink, s.st_uid == os.getuid(), s.st_gid == os.getgid(), int(s.st_mtime))
        for name in ("", "text", "nested/a", "marker", "pages"):
            s = os.stat(f"{D}/{name}")
            print(name, oct(s.st_mode), s.st_uid == os.getuid(), s.st_ino != 0)
        a, b = os.stat(f"{D}/text/alpha.txt"), os.stat(f"{D}/text/../text/alpha.txt")
        print(os.path.samestat(a, b), os.path.samefile(f"{D}/text", f"{D}/text/"), os.path.samefile(f"{D}/empty", f"{D}/one-byte"))
    """),
    py("py-inodes-differ", """
        seen = {}
        for folder, folders, files in os.walk(D):
            for name in files:
                s = os.stat(os.path.join(folder, name))
                seen.setdefault((s.st_dev, s.st_ino), []).append(name)
        print([names for names in seen.values() if len(names) > 1])
        entry = next(e for e in os.scandir(f"{D}/text") if e.name == "alpha.txt")
        print(entry.inode() == os.stat(f"{D}/text/alpha.txt").st_ino == os.fstat(os.open(entry.path, os.O_RDONLY)).st_ino)
    """),
    py("py-access-exists", """
        for name in ("one-byte", "text", "missing", "text/missing", "one-byte/x", ""):
            path = f"{D}/{name}"
            print(name, os.access(path, os.F_OK), os.access(path, os.R_OK), os.path.exists(path), os.path.isfile(path),
                  os.path.isdir(path), os.path.islink(path), os.path.lexists(path), os.path.ismount(path))
    """),
    py("py-errors", """
        for name in ("missing", "text/missing", "no/such", "one-byte/below", "one-byte/"):
            path = f"{D}/{name}"
            print(name, err(os.stat, path), err(os.open, path, os.O_RDONLY), err(os.listdir, path), err(os.scandir, path), err(os.chdir, path), err(os.readlink, path))
        print(err(os.listdir, f"{D}/one-byte"), err(os.readlink, f"{D}/one-byte"), err(os.readlink, f"{D}/text"))
        print(err(open, f"{D}/text"), err(open, f"{D}/missing"), err(os.open, "", os.O_RDONLY))
        try:
            open(f"{D}/missing")
        except FileNotFoundError as error:
            print(error)
    """),
    py("py-dot-dot-after-a-file", """
        print(err(os.stat, f"{D}/one-byte/../empty"), err(os.open, f"{D}/one-byte/../empty", os.O_RDONLY))
        print(err(os.stat, f"{D}/missing/../empty"), err(os.open, f"{D}/missing/../empty", os.O_RDONLY))
    """),
    py("py-first-access-in-a-vfork-child", """
        # The child's chdir is the first thing that is asked of the agent; its connection is not the parent's.
        import socket, subprocess
        print(subprocess.run(["cat", "crlf.txt"], cwd=f"{D}/text", capture_output=True).stdout)
        pairs = [socket.socketpair() for _ in range(8)]
        print(os.stat(f"{D}/one-byte").st_size)
        for a, b in pairs:
            a.setblocking(False)
            b.setblocking(False)
            print(err(a.recv, 100), err(b.recv, 100))
    """),
    py("py-listdir", """
        for name in ("", "text", "nested", "names", "marker", "pages"):
            print(name, sorted(os.listdir(f"{D}/{name}"))[:60], len(os.listdir(f"{D}/{name}")))
        print(sorted(os.listdir(os.fsencode(f"{D}/names"))))
    """),
    py("py-scandir", """
        for name in ("", "names", "nested", "sizes"):
            with os.scandir(f"{D}/{name}") as entries:
                for e in sorted(entries, key=lambda e: e.name):
                    print(e.name, e.is_dir(), e.is_file(), e.is_symlink(), oct(e.stat().st_mode), e.stat().st_size if e.is_file() else "", os.path.basename(e.path))
    """),
    py("py-walk", """
        for topdown in (True, False):
            for folder, folders, files in os.walk(D, topdown=topdown):
                folders.sort()
                if "pages" not in folder and "many" not in folder:
                    print(folder if topdown else "", sorted(folders) if topdown else "", sorted(files) if topdown else "")
            print(sum(len(files) for _, _, files in os.walk(D, topdown=topdown)))
    """),
    py("py-fwalk-and-dir-fd", """
        found = []
        for folder, folders, files, fd in os.fwalk(f"{D}/nested"):
            for name in files:
                found.append((folder, name, os.stat(name, dir_fd=fd).st_size, os.read(os.open(name, os.O_RDONLY, dir_fd=fd), 6)))
        for line in sorted(found):
            print(line)
        top = os.open(D, os.O_RDONLY | os.O_DIRECTORY)
        print(sorted(os.listdir(top))[:4], sorted(e.name for e in os.scandir(top))[-3:])
        print(os.stat("text/crlf.txt", dir_fd=top).st_size, os.access("one-byte", os.R_OK, dir_fd=top), err(os.stat, "none", dir_fd=top))
        print(os.stat("/dev/null", dir_fd=top).st_size, err(os.open, "x", os.O_RDONLY, dir_fd=os.open(f"{D}/one-byte", os.O_RDONLY)))
    """),
    py("py-o-path", """
        folder = os.open(f"{D}/text", os.O_PATH | os.O_DIRECTORY)
        file = os.open("crlf.txt", os.O_RDONLY, dir_fd=folder)
        print(os.read(file, 100), os.fstat(folder).st_mode & 0o170000 == 0o040000)
    """),
    py("py-chdir", """
        os.chdir(f"{D}/nested")
        print(os.getcwd(), sorted(os.listdir()), open("a.txt").read(), os.path.abspath("a"), os.path.realpath("a/../a.txt"))
        os.chdir("a")
        print(os.getcwd(), sorted(os.listdir("..")), os.stat("leaf-a.txt").st_size, err(os.chdir, "nowhere"))
        os.chdir(os.open(f"{D}/text", os.O_RDONLY))
        print(os.getcwd(), open("crlf.txt", "rb").read())
        os.chdir(T)
        print(os.getcwd(), os.path.exists("crlf.txt"))
    """),
    py("py-proc-self-fd", """
        fd = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        os.read(fd, 5)
        for path in (f"/proc/self/fd/{fd}", f"/dev/fd/{fd}", f"/proc/{os.getpid()}/fd/{fd}"):
            print(open(path, "rb").read(), os.stat(path).st_size)
        print(os.read(fd, 3))
    """),
    py("py-statvfs", """
        print(os.statvfs(f"{D}/text").f_bsize > 0, os.statvfs(os.open(f"{D}/one-byte", os.O_RDONLY)).f_namemax > 0, err(os.statvfs, f"{D}/missing"))
        print(os.pathconf(f"{D}", "PC_NAME_MAX"), os.fpathconf(os.open(D, os.O_RDONLY), "PC_NAME_MAX"))
    """),
    py("py-many-descriptors", """
        fds = [os.open(f"{D}/many/file-{n:03d}.txt", os.O_RDONLY) for n in range(300)]
        print(len(set(fds)), sum(os.fstat(fd).st_size for fd in fds))
        for fd in fds[::2]:
            os.close(fd)
        again = [os.open(f"{D}/pages/{n:04d}", os.O_RDONLY) for n in range(200)]
        print([os.read(fd, 50) for fd in fds[1:60:2]], [os.read(fd, 9) for fd in again[::20]])
    """),
    py("py-closerange-and-lowest", """
        fd = os.open(f"{D}/one-byte", os.O_RDONLY)
        others = [os.open(f"{D}/text/crlf.txt", os.O_RDONLY) for _ in range(5)]
        os.closerange(others[0], others[-1] + 1)
        print([err(os.fstat, other) for other in others], os.open("/dev/null", os.O_RDONLY) == others[0], os.read(fd, 2))
    """),
    py("py-fork-shared-offset", """
        fd = os.open(f"{D}/text/alpha.txt", os.O_RDONLY)
        first = os.read(fd, 7)
        sys.stdout.flush()
        if os.fork() == 0:
            os.write(1, b"child " + os.read(fd, 9) + b"\\n")
            other = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
            os.write(1, os.read(other, 5) + b"\\n")
            os._exit(0)
        os.wait()
        print(first, os.read(fd, 11), os.lseek(fd, 0, 1))
    """),
    py("py-threads-one-descriptor", """
        import concurrent.futures, hashlib
        fd = os.open(f"{D}/sizes/9MiB", os.O_RDONLY)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pieces = list(pool.map(lambda n: os.pread(fd, 65537, n * 65537), range(145)))
        print(hashlib.sha256(b"".join(pieces)).hexdigest())
    """),
    py("py-threads-many-files", """
        import concurrent.futures
        def size(n):
            with open(f"{D}/pages/{n:04d}", "rb") as file:
                return int(file.read()) - n
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            print(sum(map(abs, pool.map(size, range(1100)))), sum(pool.map(size, range(1100))), len(os.listdir(f"{D}/pages")))
    """),
]
