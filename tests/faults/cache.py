"""The node's own troubles: no place for the store, no agent, somebody else on the socket."""

import os
import shutil
import signal
import socket
import time

import check
import job
from scene import READER, Scene, digest


def case_cache_directory_below_a_file(bed):
    with Scene(bed, "file") as s:
        with open(os.path.join(s.node.dir, "plain"), "w"):
            pass
        done = s.read("cat", s.path("small"), WARMPATH_CACHE_DIR=os.path.join(s.node.dir, "plain", "cache"))
        s.right_or_refused(done, "small", "EIO")
        s.says(done, "WARMPATH_CACHE_DIR", "plain/cache")


def case_cache_directory_not_writable(bed):
    with Scene(bed, "proc") as s:
        done = s.read("cat", s.path("small"), "cat", "/etc/hostname", WARMPATH_CACHE_DIR="/proc/warmpath")
        check.match("open", done.text, "small (EIO after 0|100 )", done.errors)
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")
        s.says(done, "WARMPATH_CACHE_DIR", "/proc/warmpath")


def case_cache_directory_is_a_file(bed):
    with Scene(bed, "isfile") as s:
        path = os.path.join(s.node.dir, "plain")
        with open(path, "w") as file:
            file.write("precious")
        done = s.read("cat", s.path("small"), WARMPATH_CACHE_DIR=path)
        s.right_or_refused(done, "small", "EIO")
        s.says(done, "WARMPATH_CACHE_DIR")
        with open(path) as file:
            check.equal("the user's file", file.read(), "precious")


def small_disk(s):
    """A command that puts an 8 MiB file system at the cache directory and runs "$@" in it; where
    mounting isn't allowed, one that lets no file grow beyond 1 MiB. Both refuse to store blocks."""
    os.makedirs(s.node.cache, exist_ok=True)
    mount = f'mount -t tmpfs -o size=8M tmpfs "{s.node.cache}" && exec "$@"'
    for prefix in (["unshare", "-m"], ["unshare", "-rm"]):
        command = [*prefix, "/bin/sh", "-c", mount, "sh"]
        if job.run([*command, "/bin/true"], s.bed.base_env()).status == 0:
            return command
    return ["/bin/sh", "-c", 'ulimit -f 2048; exec "$@"', "sh"]


def case_cache_disk_full(bed):
    """Reads go on and are right, or fail with EIO and a line; three readings, more than fits."""
    with Scene(bed, "full") as s:
        command = small_disk(s)
        env = s.env()
        words = ["cat", s.path("big"), "cat", s.path("huge"), "cat", s.path("big")]
        # env(1) loads the library only for the reader, not for what makes the disk small.
        done = job.run([*command, "env", "LD_PRELOAD=" + env.pop("LD_PRELOAD"), bed.python, READER, *words], env, deadline_s=90)
        for line, key in zip(done.text.splitlines(), ("big", "huge", "big"), strict=True):
            s.right_or_refused(job.Job([], 0, line.encode(), done.err, 0), key, "EIO")
            if " EIO " in line:
                s.says(done, "space|ENOSPC|full", "WARMPATH_CACHE_(DIR|SIZE)|free")


def case_cache_file_size_limit(bed):
    """A job under `ulimit -f` starts the agent, which must not die of it."""
    with Scene(bed, "ulimit") as s:
        env = s.env()
        done = job.run(["/bin/sh", "-c", 'ulimit -f 2048; exec "$@"', "sh", "env", "LD_PRELOAD=" + env.pop("LD_PRELOAD"),
                        bed.python, READER, "cat", s.path("big")], env, deadline_s=90)
        s.right_or_refused(done, "big", "EIO")


def case_cache_smaller_than_the_data(bed):
    """A limit below what one pass needs: blocks come and go, the data is right."""
    with Scene(bed, "small", WARMPATH_CACHE_SIZE="6M", WARMPATH_BLOCK_SIZE="1M") as s:
        for _ in range(2):
            s.right(s.read("cat", s.path("huge"), "cat", s.path("big")), "huge", "big")
        used = sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(s.node.cache) for n in names)
        check.that(used < 30 << 20, f"the store holds {used} bytes against a limit of 6M")


def case_cache_block_damaged(bed):
    """Damage in the store while no agent ran is found and mended, not served."""
    with Scene(bed, "damaged") as s:
        s.right(s.read("cat", s.path("big")), "big")
        s.node.stop()
        files = [os.path.join(f, n) for f, _, names in os.walk(s.node.cache) for n in names]
        large = [path for path in files if os.path.getsize(path) >= 1 << 20]
        check.that(large, "no block files of 1 MiB or more in the store")
        os.chmod(large[0], 0o600)
        os.truncate(large[0], 1000)
        for path in large[1:2]:
            os.unlink(path)
        s.right(s.read("cat", s.path("big")), "big")


def case_cache_emptied_under_the_agent(bed):
    """Somebody removes the store's files while the agent runs."""
    with Scene(bed, "emptied") as s:
        s.right(s.read("cat", s.path("big")), "big")
        for folder, _, names in os.walk(s.node.cache):
            for name in names:
                os.unlink(os.path.join(folder, name))
        done = s.read("cat", s.path("big"), "cat", s.path("small"))
        s.right(done, "big", "small")


def case_cache_directory_removed_under_the_agent(bed):
    with Scene(bed, "removed") as s:
        s.right(s.read("cat", s.path("small")), "small")
        shutil.rmtree(s.node.cache)
        s.right_or_refused(s.read("cat", s.path("big")), "big", "EIO")


def no_agent(bed, name, agent, says, deadline_s=40):
    with Scene(bed, name, WARMPATH_DEADLINE="5") as s:
        path = agent(s.node.dir)
        done = s.read("cat", s.path("small"), "cat", "/etc/hostname", deadline_s=deadline_s, WARMPATH_AGENT=path)
        check.match("open", done.text, "small EIO after 0 ", done.errors)
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")
        s.says(done, *says)


def script(text, mode=0o755):
    def write(directory):
        path = os.path.join(directory, "agent")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path
    return write


def case_agent_missing(bed):
    no_agent(bed, "missing", lambda d: "/nonexistent/warmpathd", ["/nonexistent/warmpathd", "WARMPATH_AGENT"])


def case_agent_not_executable(bed):
    no_agent(bed, "noexec", script("#!/bin/sh\n", 0o644), ["WARMPATH_AGENT"])


def case_agent_ends_at_once(bed):
    no_agent(bed, "ends", script("#!/bin/sh\nexit 1\n"), ["agent"])


def case_agent_never_listens(bed):
    no_agent(bed, "sleeps", script("#!/bin/sh\nexec sleep 20\n"), ["agent"])


def case_socket_path_too_long(bed):
    with Scene(bed, "long") as s:
        done = s.read("cat", s.path("small"), WARMPATH_SOCKET="/tmp/" + "x" * 150)
        s.refused(done, "small", "EIO")
        s.says(done, "WARMPATH_SOCKET")


def case_socket_directory_missing(bed):
    with Scene(bed, "nodir", WARMPATH_DEADLINE="5") as s:
        done = s.read("cat", s.path("small"), WARMPATH_SOCKET="/nonexistent/dir/s")
        s.refused(done, "small", "EIO")
        s.says(done, "/nonexistent/dir/s|WARMPATH_SOCKET")


def case_socket_left_over(bed):
    """The socket of an agent that is gone: a new agent takes its place."""
    with Scene(bed, "left") as s:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as old:
            old.bind(s.node.socket)
        s.right(s.read("cat", s.path("small")), "small")


def case_socket_is_a_plain_file(bed):
    """A user's file at that path stays what it is."""
    with Scene(bed, "plain", WARMPATH_DEADLINE="5") as s:
        with open(s.node.socket, "w") as file:
            file.write("precious")
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "WARMPATH_SOCKET|socket")
        with open(s.node.socket) as file:
            check.equal("the user's file", file.read(), "precious")


def case_socket_of_a_silent_stranger(bed):
    """Somebody listens there and never answers: EIO within the deadline."""
    with Scene(bed, "stranger", WARMPATH_DEADLINE="3") as s:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.bind(s.node.socket)
            stranger.listen(8)
            done = s.read("cat", s.path("small"), deadline_s=45)
            s.refused(done, "small", "EIO")
            s.says(done, "agent|socket")


def case_agent_stopped(bed):
    """The agent is stopped in the middle of a job: a read ends some twenty seconds after its deadline, and says what to
    look at; once the agent goes on, so does the job."""
    with Scene(bed, "stopped", WARMPATH_DEADLINE="1", WARMPATH_BLOCK_SIZE="64K") as s:
        far = len(s.objects["huge"]) - 1000
        with s.start("open", s.path("huge"), "wait", "read", far, 10, "wait", "read", far, 10) as reader:
            reader.until_waiting()
            pid, = s.node.pids()
            os.kill(pid, signal.SIGSTOP)
            try:
                reader.go_on()
                begin = time.monotonic()
                text = "\n".join(reader.until_waiting())
                check.match("meanwhile", text, f"{far} EIO")
                check.that(time.monotonic() - begin < 40, "the read took far longer than its deadline")
            finally:
                os.kill(pid, signal.SIGCONT)
            done = reader.rest()
        check.equal("afterwards", done.text.strip(), f"{far} {digest(s.objects['huge'][far:far + 10])}", done.errors)
        s.says(done, "agent does not answer", "stopped")


def case_no_file_descriptors_left(bed):
    """At the descriptor limit: EMFILE as from a local file, and reading goes on afterwards."""
    with Scene(bed, "emfile") as s:
        text = (f"import os\nfds = []\ntry:\n    while True: fds.append(os.open({s.path('small')!r}, os.O_RDONLY))\n"
                f"except OSError as e: print(e.errno)\nfor fd in fds: os.close(fd)\n"
                f"print(len(fds) > 20, len(open({s.path('small')!r}, 'rb').read()))\n")
        done = job.run(["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh", bed.python, "-c", text], s.env())
        check.equal("output", done.text, "24\nTrue 100\n", done.errors)


def case_memory_limit(bed):
    """A job under `ulimit -v`: right data or an errno, no crash."""
    with Scene(bed, "memory") as s:
        s.right(s.read("cat", s.path("small")), "small")        # the agent itself has no limit
        done = job.run(["/bin/sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", bed.python, READER,
                        "cat", s.path("big"), "cat", s.path("huge")], s.env())
        for line, key in zip(done.text.splitlines(), ("big", "huge"), strict=True):
            check.that(line == f"{s.path(key)} {digest(s.objects[key])}" or " ENOMEM " in line or " EIO " in line,
                       f"{key}: {line}", done.errors)
