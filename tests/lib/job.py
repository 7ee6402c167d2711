"""Running one program: with a deadline, in a process group of its own, outputs in files.

Outputs go to files, not pipes: a process left behind that kept them open would make a pipe
reader wait for it. The group gets SIGKILL at the deadline, so nothing outlives its case.
"""

import dataclasses
import os
import signal
import subprocess
import tempfile
import time
import weakref

from check import Failure


@dataclasses.dataclass
class Job:
    command: list
    status: int         # exit status, or minus the signal
    out: bytes
    err: bytes
    seconds: float

    @property
    def text(self):
        return self.out.decode("utf-8", "backslashreplace")

    @property
    def errors(self):
        return self.err.decode("utf-8", "backslashreplace")


_started = weakref.WeakSet()


def start(command, env, cwd="/", stdin=None, out=None, err=None, pass_fds=(), **more):
    """Starts a program as leader of its own group. The caller waits for it, or ends it with `kill`."""
    process = subprocess.Popen(command, env=env, cwd=cwd, start_new_session=True, pass_fds=pass_fds,
                               stdin=subprocess.DEVNULL if stdin is None else stdin,
                               stdout=out, stderr=err, **more)
    _started.add(process)
    return process


def kill_all():
    """Ends every program that is still running, so that the cases that wait for them end too."""
    for process in list(_started):
        if process.poll() is None:
            kill(process)


def kill(process):
    """Ends a program that `start` started, and its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(command, env, cwd="/", stdin=None, deadline_s=60):
    """Runs a program to its end. Failure when the deadline passes."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(command, env, cwd, stdin, out, err)
        try:
            status = process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            kill(process)
            raise Failure(f"still running after {deadline_s} s (deadline): {command_text(command)}",
                          _read(err)) from None
        except BaseException:
            kill(process)
            raise
        out.seek(0)
        err.seek(0)
        return Job(command, status, out.read(), err.read(), time.monotonic() - begin)


def _read(file):
    file.seek(0)
    return file.read().decode("utf-8", "backslashreplace")


def command_text(command):
    return " ".join(str(word) for word in command)
