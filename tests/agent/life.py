"""The agent's life: started once, apart from the job, again after a kill, gone when idle."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import check
import job
import proxy
from node import environ, processes, wait_until
from scene import READER, Scene, digest


def case_starts_once_for_64_processes(bed):
    """All start at the same moment, from many groups; all read right; one agent is there."""
    with Scene(bed, "many") as s:
        gate, opener = os.pipe()        # all wait for its end of file
        # bash: dash knows no descriptor above 9
        command = ["/bin/bash", "-c", f'read -u {gate} _; exec cat "$1"', "bash", s.path("small")]
        readers = [job.start(command, s.env(), out=subprocess.PIPE, err=subprocess.PIPE, pass_fds=[gate])
                   for _ in range(64)]
        time.sleep(0.5)
        os.close(opener)
        os.close(gate)
        for reader in readers:
            out, err = reader.communicate(timeout=90)
            check.equal("data", digest(out), digest(s.objects["small"]), err.decode())
            check.equal("exit status", reader.returncode, 0, err.decode())
        check.equal("agents", len(s.node.pids()), 1)
        check.equal("pid in the status", s.node.status()["pid"], s.node.pids()[0])
        time.sleep(0.5)
        check.equal("agents a moment later", len(s.node.pids()), 1)


def case_keeps_nothing_of_the_job(bed):
    """No LD_PRELOAD, no descriptor, no directory, no terminal, no session, no signals of the job."""
    with Scene(bed, "apart") as s:
        marker = os.path.join(s.node.dir, "marker")
        text = (f"import os, signal, sys\n"
                f"keep = os.open({marker!r}, os.O_CREAT | os.O_RDWR); os.set_inheritable(keep, True)\n"
                f"r, w = os.pipe(); os.set_inheritable(r, True); os.set_inheritable(w, True)\n"
                f"signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])\n"
                f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                f"open({s.path('small')!r}).close()\n"
                f"print(os.readlink(f'/proc/self/fd/{{w}}'), os.getsid(0))\n")
        done = job.run([bed.python, "-c", text], s.env(), cwd=s.node.dir)
        check.equal("exit status", done.status, 0, done.errors)
        pipe, session = done.text.split()
        pid = s.node.pids()[0]
        check.that("LD_PRELOAD" not in environ(pid), "the agent has LD_PRELOAD in its environment")
        check.that("libwarmpath" not in open(f"/proc/{pid}/maps").read(), "the library is loaded in the agent")
        links = descriptors(pid)
        check.that(marker not in links, f"the agent holds the job's file: {links}")
        check.that(pipe not in links, f"the agent holds the job's pipe: {links}")
        check.that(not any(link.startswith(("/dev/pts", "/dev/tty")) for link in links), f"a terminal: {links}")
        check.equal("working directory", os.readlink(f"/proc/{pid}/cwd"), "/")
        check.that(os.getsid(pid) != int(session), "the agent is in the job's session")
        os.kill(pid, signal.SIGTERM)    # which the job had blocked and ignored
        check.that(wait_until(lambda: not s.node.pids(), 10), "the agent does not end on SIGTERM")


def case_is_private_whatever_the_umask(bed):
    """The store is the user's own and usable, under the most open and the closest umask of a job."""
    for mask in ("0000", "0777"):
        with Scene(bed, "umask") as s:
            done = job.run(["/bin/sh", "-c", f"umask {mask}; cat {s.path('small')} | wc -c"], s.env())
            check.equal("output", done.text.strip(), "100", done.errors)
            check.equal(f"mode of the cache directory under umask {mask}", oct(os.stat(s.node.cache).st_mode & 0o777), oct(0o700))
            check.equal(f"others' access to the socket under umask {mask}", oct(os.stat(s.node.socket).st_mode & 0o077), oct(0))


# Connects and waits for a word: "closed" when the agent hangs up, "open" when it waits for one too.
CONNECT = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(1)
s.connect(sys.argv[1])
try:
    print("closed" if s.recv(1) == b"" else "spoken to")
except socket.timeout:
    print("open")
except ConnectionResetError:
    print("closed")
"""


def case_serves_no_other_user(bed):
    """Were the socket within another user's reach, he would be hung up on all the same."""
    check.equal("user id (taking on another needs root)", os.geteuid(), 0)
    with Scene(bed, "stranger") as s, tempfile.TemporaryDirectory(prefix="warmpath-", dir="/tmp") as folder:
        s.node.socket = os.path.join(folder, "s")
        s.right(s.read("cat", s.path("small")), "small")
        os.chmod(folder, 0o755)
        os.chmod(s.node.socket, 0o666)
        said = [subprocess.run([bed.python, "-c", CONNECT, s.node.socket], user=user, cwd="/", capture_output=True, text=True).stdout.strip()
                for user in (0, 65534)]
        check.equal("this user, another", said, ["open", "closed"])


def descriptors(pid):
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    return links


def case_holds_no_output_open(bed):
    """A pipeline ends when the job ends: the agent keeps neither end of it."""
    with Scene(bed, "pipe") as s:
        begin = time.monotonic()
        done = subprocess.run(["/bin/sh", "-c", 'cat "$0" | wc -c', s.path("small")], env=s.env(),
                              capture_output=True, timeout=30)
        check.equal("output", done.stdout.strip(), b"100", done.stderr.decode())
        check.that(time.monotonic() - begin < 10, "the pipe stayed open")


def case_is_no_child_of_the_job(bed):
    """No zombie, nothing for wait() to find, no SIGCHLD."""
    with Scene(bed, "child") as s:
        text = (f"import os, signal\nseen = []\nsignal.signal(signal.SIGCHLD, lambda *a: seen.append(1))\n"
                f"open({s.path('small')!r}).close()\n"
                f"try: print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError: print('ECHILD')\n"
                f"print(len(seen), open('/proc/self/task/%d/children' % os.getpid()).read().split())\n")
        done = job.run([bed.python, "-c", text], s.env())
        check.equal("output", done.text, "ECHILD\n0 []\n", done.errors)


def case_survives_the_jobs_signals(bed):
    """A Ctrl-C to the job's group does not reach the agent."""
    with Scene(bed, "signals") as s:
        with s.start("cat", s.path("small"), "wait") as reader:
            reader.until_waiting()
            pid = s.node.pids()[0]
            os.killpg(reader.process.pid, signal.SIGINT)
            os.killpg(reader.process.pid, signal.SIGHUP)
            os.killpg(reader.process.pid, signal.SIGKILL)
            reader.process.wait()
        time.sleep(0.3)
        check.equal("agents", s.node.pids(), [pid])
        s.right(s.read("cat", s.path("small")), "small")
        check.equal("agents", s.node.pids(), [pid])


def case_no_mapped_path_no_agent(bed):
    with Scene(bed, "none") as s:
        done = job.run(["/bin/sh", "-c", "ls / >/dev/null; cat /etc/hostname >/dev/null; cd /tmp; stat -c %F /mapped/scenery 2>&1 | tail -c 26; find /etc -maxdepth 1 | wc -l"], s.env())
        check.match("a neighbour's name", done.text, "No such file")
        time.sleep(0.2)
        check.equal("agents", s.node.pids(), [])
        check.that(not os.path.exists(s.node.socket), "there is a socket")


def case_killed_between_reads(bed):
    """kill -9 while a job has files open: the job goes on, with a new agent."""
    with Scene(bed, "killed", WARMPATH_BLOCK_SIZE="1M") as s:
        whole = len(s.objects["huge"])
        words = ("open", s.path("huge"), "read", 0, 1000, "wait", "read", 0, 1000, "read", 0, whole, "cat", s.path("big"), "stat", s.path("small"), "list", s.path("dir"))
        with s.start(*words) as reader:
            reader.until_waiting()
            first = s.node.pids()
            check.equal("agents", len(first), 1)
            os.kill(first[0], signal.SIGKILL)
            wait_until(lambda: not s.node.pids(), 5)
            done = reader.rest()
        huge = s.objects["huge"]
        check.equal("output", done.text.splitlines(), [
            f"0 {digest(huge[:1000])}", f"0 {digest(huge)}", f"{s.path('big')} {digest(s.objects['big'])}",
            f"{s.path('small')} 100 file", f"{s.path('dir')} file"], done.errors)
        check.that(len(s.node.pids()) == 1 and s.node.pids() != first, f"agents: {first}, then {s.node.pids()}")


def case_killed_again_and_again(bed):
    """The agent is killed every half second under four readers; their output stays right."""
    with Scene(bed, "rain", WARMPATH_BLOCK_SIZE="64K") as s:
        words = [word for _ in range(12) for word in ("cat", s.path("big"))]
        readers = [job.start([bed.python, READER, *words], s.env(), stdin=None, out=subprocess.PIPE, err=subprocess.PIPE) for _ in range(4)]
        try:
            kills = 0
            end = time.monotonic() + 60
            while any(r.poll() is None for r in readers) and time.monotonic() < end:
                time.sleep(0.5)
                for pid in s.node.pids() if kills < 10 else ():
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            want = f"{s.path('big')} {digest(s.objects['big'])}\n" * 12
            for reader in readers:
                out, err = reader.communicate(timeout=60)
                check.equal("output", out.decode(), want, err.decode())
        finally:
            for reader in readers:
                if reader.poll() is None:
                    job.kill(reader)
        check.that(kills > 0, "the readers were done before the first kill")
        check.that(len(s.node.pids()) <= 1, f"{len(s.node.pids())} agents")


def case_killed_while_fetching(bed):
    """kill -9 in the middle of a slow fetch: no half block is ever served, then or later."""
    with Scene(bed, "fetching", WARMPATH_BLOCK_SIZE="1M") as s:
        s.through_proxy(lambda r: proxy.delay(0.4) if r.is_block else None)
        with s.start("wait", "cat", s.path("big")) as reader:
            reader.until_waiting()
            reader.go_on()
            check.that(wait_until(lambda: s.proxy.count(lambda r: r.is_block) >= 2, 20), "no block was asked for")
            for pid in s.node.pids():
                os.kill(pid, signal.SIGKILL)
            done = reader.rest()
        s.right(done, "big")
        s.node.stop()
        s.proxy.rule = lambda r: None
        s.right(s.read("cat", s.path("big")), "big")


def case_ends_when_idle(bed):
    with Scene(bed, "idle", WARMPATH_IDLE_TIMEOUT="1") as s:
        with s.start("cat", s.path("small"), "wait", "cat", s.path("big")) as reader:
            reader.until_waiting()
            time.sleep(2.5)
            check.equal("agents while a job is connected", len(s.node.pids()), 1)
            s.right(reader.rest(), "big")
        check.that(wait_until(lambda: not s.node.pids(), 6), "the agent was still there 6 s after the last job")
        check.that(not os.path.exists(s.node.socket), "its socket was left over")
        s.right(s.read("cat", s.path("small")), "small")


def case_store_removed(bed):
    """`rm -r` of the cache while a job reads: a new agent makes a new store, and the job notices nothing."""
    with Scene(bed, "removed") as s:
        with s.start("cat", s.path("small"), "wait", "cat", s.path("big")) as reader:
            reader.until_waiting()
            agents = s.node.pids()
            shutil.rmtree(s.node.cache)
            check.that(wait_until(lambda: not s.node.pids(), 10), "the agent stays without a store")
            s.right(reader.rest(), "big")
        check.that(s.node.pids() not in ([], agents), "no new agent")
        check.that(os.listdir(f"{s.node.cache}/blocks"), "it kept nothing")


def case_stop(bed):
    """`warmpath stop` ends it; a second stop is no error; the next job starts a new one."""
    with Scene(bed, "stop") as s:
        s.right(s.read("cat", s.path("small")), "small")
        first = s.node.pids()
        check.equal("stop: exit status", s.node.tool("stop").status, 0)
        check.that(wait_until(lambda: not s.node.pids(), 5), "the agent is still there")
        check.that(not os.path.exists(s.node.socket), "its socket was left over")
        check.equal("second stop: exit status", s.node.tool("stop").status, 0)
        s.right(s.read("cat", s.path("small")), "small")
        check.that(s.node.pids() != first, "no new agent")


def case_sigterm(bed):
    """A polite end from outside: like stop. The jobs go on with a new agent."""
    with Scene(bed, "term") as s:
        with s.start("cat", s.path("small"), "wait", "cat", s.path("big")) as reader:
            reader.until_waiting()
            os.kill(s.node.pids()[0], signal.SIGTERM)
            wait_until(lambda: not s.node.pids(), 5)
            s.right(reader.rest(), "big")


def case_two_stores_two_agents(bed):
    with Scene(bed, "one") as a, Scene(bed, "two") as b:
        a.right(a.read("cat", a.path("small")), "small")
        b.right(b.read("cat", b.path("small")), "small")
        check.equal("agents", (len(a.node.pids()), len(b.node.pids())), (1, 1))
        check.that(a.node.pids() != b.node.pids(), "they share an agent")


def case_leaves_no_descriptors(bed):
    """Opening and closing ten thousand files leaves the agent's descriptors and memory as they were."""
    with Scene(bed, "leak") as s:
        text = (f"import os\n"
                f"def go(n):\n"
                f"    for _ in range(n):\n"
                f"        fd = os.open({s.path('small')!r}, os.O_RDONLY); os.read(fd, 10); os.close(fd)\n"
                f"go(200); print('half', flush=True); input(); go(5000); print(len(os.listdir('/proc/self/fd')), flush=True); input()\n")
        process = job.start([bed.python, "-c", text], s.env(), stdin=subprocess.PIPE,
                            out=subprocess.PIPE, text=True)
        try:
            process.stdout.readline()
            pid = s.node.pids()[0]
            before = len(descriptors(pid))
            process.stdin.write("\n")
            process.stdin.flush()
            mine = int(process.stdout.readline())
            after = len(descriptors(pid))
        finally:
            job.kill(process)
            process.stdin.close()
            process.stdout.close()
        check.that(after <= before + 3, f"the agent held {before} descriptors, then {after}")
        check.that(mine < 20, f"the job held {mine} descriptors")


def case_no_stray_processes(bed):
    """After all of the above no agent of these tests is left but those of running cases."""
    scratch = bed.scratch + "/"
    left = [pid for pid in processes("warmpathd") if environ(pid).get("WARMPATH_SOCKET", "").startswith(scratch)]
    check.equal("agents left over", left, [])
