"""Every call that would change something, with every kind of name: what a mapping answers is what a file system
answers that is mounted read-only. Locally the tree is mounted so, in a mount namespace of the program's own."""

from worlds import py

NAMES = """
        import ctypes, itertools, stat
        libc = ctypes.CDLL(None, use_errno=True)
        long = "x" * 300
        NAMES = ["one-byte", "text", "marker", "text/alpha.txt", "new", "new/x", "new/x/y", "one-byte/x", "one-byte/x/y", "one-byte/", "text/", "new/",
                 "text/new/", "text/.", "text/..", "text/../new", "one-byte/.", "one-byte/..", "new/.", "new/..", "text/./", "text//alpha.txt", "nested/a/..", "nested/a/../x",
                 long, "text/" + long, long + "/x", "one-byte/" + long, "new/" + long, long + "/", "y/" * 2500 + "z", "x" * 255]

        def say(call, *words, bad=-1):
            ctypes.set_errno(0)
            result = call(*(word.encode() if isinstance(word, str) else word for word in words))
            return errno.errorcode[ctypes.get_errno()] if result == bad else "ok"

        def short(name):
            return name if len(name) < 40 else name[:12] + "..." + str(len(name))

        def table(title, base, call):
            print(title, *(f"{short(name)}={call(base + name)}" for name in NAMES + ([""] if not base else [])))
"""

CALLS = """
        times = ctypes.create_string_buffer(64)
        CALLS = {
            "mkdir": lambda p: say(libc.mkdir, p, 0o777), "rmdir": lambda p: say(libc.rmdir, p), "unlink": lambda p: say(libc.unlink, p),
            "remove": lambda p: say(libc.remove, p), "mknod": lambda p: say(libc.mknod, p, stat.S_IFREG | 0o600, 0), "mkfifo": lambda p: say(libc.mkfifo, p, 0o600),
            "symlink": lambda p: say(libc.symlink, "x", p), "truncate": lambda p: say(libc.truncate, p, ctypes.c_long(0)),
            "chmod": lambda p: say(libc.chmod, p, 0o600), "chown": lambda p: say(libc.chown, p, 0, 0), "lchown": lambda p: say(libc.lchown, p, 0, 0),
            "utime": lambda p: say(libc.utime, p, None), "utimes": lambda p: say(libc.utimes, p, None), "lutimes": lambda p: say(libc.lutimes, p, None),
            "setxattr": lambda p: say(libc.setxattr, p, "user.a", "b", ctypes.c_size_t(1), 0), "lsetxattr": lambda p: say(libc.lsetxattr, p, "user.a", "b", ctypes.c_size_t(1), 0),
            "removexattr": lambda p: say(libc.removexattr, p, "user.a"), "access": lambda p: say(libc.access, p, os.W_OK),
            "mkstemp": lambda p: say(libc.mkstemp, ctypes.create_string_buffer(p.encode() + b"XXXXXX")), "mkdtemp": lambda p: say(libc.mkdtemp, ctypes.create_string_buffer(p.encode() + b"XXXXXX"), bad=0),
        }
"""

AT_CALLS = """
        AT_CALLS = {
            "mkdirat": lambda p: say(libc.mkdirat, at, p, 0o777), "unlinkat": lambda p: say(libc.unlinkat, at, p, 0), "unlinkat dir": lambda p: say(libc.unlinkat, at, p, 0x200),
            "mknodat": lambda p: say(libc.mknodat, at, p, stat.S_IFREG | 0o600, 0), "mkfifoat": lambda p: say(libc.mkfifoat, at, p, 0o600),
            "symlinkat": lambda p: say(libc.symlinkat, "x", at, p), "fchmodat": lambda p: say(libc.fchmodat, at, p, 0o600, 0), "fchownat": lambda p: say(libc.fchownat, at, p, 0, 0, 0),
            "utimensat": lambda p: say(libc.utimensat, at, p, None, 0), "futimesat": lambda p: say(libc.futimesat, at, p, None), "faccessat": lambda p: say(libc.faccessat, at, p, os.W_OK, 0),
        }
"""

BY_NUMBER = """
        import platform
        x86 = platform.machine() == "x86_64"
        NUMBER = {"mkdirat": 258, "unlinkat": 263, "symlinkat": 266, "renameat2": 316, "linkat": 265} if x86 else {"mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "renameat2": 276, "linkat": 37}
        def number(name, *words):
            return say(libc.syscall, ctypes.c_long(NUMBER[name]), *words)
        table("mkdirat", D + "/", lambda p: number("mkdirat", -100, p, 0o777))
        table("unlinkat", D + "/", lambda p: number("unlinkat", -100, p, 0))
        table("symlinkat", D + "/", lambda p: number("symlinkat", "x", -100, p))
        table("renameat2", D + "/", lambda p: number("renameat2", -100, p, -100, D + "/new", 0))
        table("linkat", D + "/", lambda p: number("linkat", -100, p, -100, D + "/new", 0))
"""


def readonly(name, text):
    return py(name, NAMES + text, read_only=True)


PROGRAMS = [
    readonly("ro-names-absolute", CALLS + """
        for title, call in CALLS.items(): table(title, D + "/", call)
    """),
    readonly("ro-names-in-working-directory", CALLS + """
        os.chdir(D)
        for title, call in CALLS.items(): table(title, "", call)
    """),
    readonly("ro-names-at-a-directory", AT_CALLS + """
        at = os.open(D, os.O_RDONLY | os.O_DIRECTORY)
        for title, call in AT_CALLS.items(): table(title, "", call)
    """),
    readonly("ro-names-by-number", BY_NUMBER),
    readonly("ro-names-opened", """
        WAYS = ["O_RDONLY", "O_WRONLY", "O_RDWR|O_CREAT", "O_RDONLY|O_CREAT", "O_RDONLY|O_CREAT|O_EXCL", "O_WRONLY|O_CREAT|O_EXCL", "O_WRONLY|O_CREAT|O_TRUNC", "O_WRONLY|O_TRUNC",
                "O_RDONLY|O_TRUNC", "O_WRONLY|O_APPEND|O_CREAT", "O_RDONLY|O_DIRECTORY", "O_WRONLY|O_DIRECTORY", "O_RDWR|O_TMPFILE", "O_PATH", "O_PATH|O_DIRECTORY", "O_RDONLY|O_NOFOLLOW"]
        def opened(path, flags):
            fd = err(os.open, path, flags)
            if isinstance(fd, str): return fd
            os.close(fd)
            return "ok"
        for way in WAYS:
            flags = 0
            for flag in way.split("|"): flags |= getattr(os, flag)
            table(way, D + "/", lambda path: opened(path, flags))
        libc.fopen.restype = ctypes.c_void_p
        for mode in "r", "w", "a", "r+", "wx": table("fopen " + mode, D + "/", lambda path: "ok" if err(open, path, mode.replace("wx", "x")).__class__ is not str else err(open, path, mode.replace("wx", "x")))
    """),
    readonly("ro-names-two", """
        outside = [f"{T}/here", f"{T}/none", f"{T}/none/x", f"{T}/here/x"]
        open(f"{T}/here", "w").close()
        PAIRS = [f"{D}/{name}" for name in ("one-byte", "text", "marker", "new", "new/x", "one-byte/x", "one-byte/", "text/", "new/", "text/.", "text/..", "new/.", long, "text/alpha.txt")] + outside
        for title, call in {
            "rename": lambda p, q: say(libc.rename, p, q), "link": lambda p, q: say(libc.link, p, q),
            "renameat2 noreplace": lambda p, q: say(libc.renameat2, -100, p, -100, q, 1), "renameat2 exchange": lambda p, q: say(libc.renameat2, -100, p, -100, q, 2),
            "renameat2 wrong": lambda p, q: say(libc.renameat2, -100, p, -100, q, 3),
        }.items():
            for one in PAIRS:
                print(title, short(one.replace(D, "D").replace(T, "T")), *(f"{short(two.replace(D, 'D').replace(T, 'T'))}={call(one, two)}" for two in PAIRS if one.startswith(D) or two.startswith(D)))
        print(sorted(os.listdir(T)), sorted(os.listdir(f"{D}/text"))[:3])
    """),
    py("ro-names-descriptors", """
        import ctypes
        for name in ("one-byte", "text"):
            fd = os.open(f"{D}/{name}", os.O_RDONLY)
            print(name, err(os.fchmod, fd, 0o600), err(os.fchown, fd, 0, 0), err(os.utime, fd), err(os.ftruncate, fd, 0), err(os.setxattr, fd, "user.a", b"b"), err(os.removexattr, fd, "user.a"),
                  err(os.write, fd, b"x"), err(os.pwrite, fd, b"x", 0), err(os.posix_fallocate, fd, 0, 1), err(os.fsync, fd), err(os.fdatasync, fd))
    """, read_only=True),
]
