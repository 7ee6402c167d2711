"""Worlds that a FUSE file system mounts: s3fs, rclone, Mountpoint."""

import contextlib
import os
import signal
import subprocess
import time

from measure import CannotRun
from worlds import STOP_TIMEOUT_S, Local, begun, put_away

MOUNT_TIMEOUT_S = 30


class Mount(Local):
    """A FUSE file system that runs in the foreground as our child.

    A peer can be measured in several variants at once: its name is "peer variant".
    """

    def __init__(self, setup, variant):
        self.name = f"{self.peer} {variant}"
        place = f"{setup.work}/{self.name.replace(' ', '-')}"
        super().__init__(f"{place}-mount")
        self.setup = setup
        self.cache = f"{place}-cache"
        self.log = f"{place}.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.stop()
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise CannotRun(f"{self.name}: cannot run here: /dev/fuse is missing or not ours to open")
        begun.add(self)
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.cache)
        with open(self.log, "w", encoding="utf-8") as log:
            try:
                # In a session of its own: Ctrl-C must not end it before it is unmounted.
                self.process = subprocess.Popen(self.command(), env=self.setup.env, stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, start_new_session=True)
            except FileNotFoundError as error:
                raise CannotRun(f"{self.name}: not installed: run scripts/deps bench") from error
        self._wait_mounted()

    def _wait_mounted(self):
        deadline = time.monotonic() + MOUNT_TIMEOUT_S
        while not (os.path.ismount(self.folder) and self._answers()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                reason = self._last_log_line()
                self.stop()
                raise CannotRun(f"{self.name}: cannot be mounted: {reason}")
            time.sleep(0.01)

    def _answers(self):
        return os.path.exists(self.path(self.setup.probe))

    def _last_log_line(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().strip().splitlines()
        return lines[-1] if lines else "it says nothing"

    def stop(self):
        if os.path.ismount(self.folder):
            self._unmount()
        elif self.process is not None:
            self._signal(signal.SIGTERM)  # not mounted yet, or not any more
        if self.process is not None:
            self._end_process()
        put_away(self.cache)
        begun.discard(self)

    def _unmount(self):
        for lazily in ("-u", "-uz"):
            if subprocess.run(["fusermount3", lazily, self.folder], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.5)

    def _end_process(self):
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def _signal(self, number):
        """To its session: a peer may be a process and its child. Only while it is not waited for."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class S3fs(Mount):
    """Variants: what is added to s3fs's defaults, or "default"."""

    peer = "s3fs"

    def __init__(self, setup, variant, cached):
        super().__init__(setup, variant)
        options = ["ro", "umask=0022"]
        options += [f"use_cache={self.cache}"] if cached else []
        options += [variant] if variant != "default" else []
        self.options = options
        self.flags = " ".join(f"-o {option}" for option in options).replace(self.cache, "DIR")

    def command(self):
        env = self.setup.env
        options = ["use_path_request_style", f"url={env['AWS_ENDPOINT_URL_S3']}",
                   f"endpoint={env['AWS_REGION']}", *self.options]
        return ["s3fs", self.setup.bucket, self.folder, "-f",
                *(word for option in options for word in ("-o", option))]


class Rclone(Mount):
    """Variants: rclone's --vfs-cache-mode."""

    peer = "rclone"

    def __init__(self, setup, variant):
        super().__init__(setup, variant)
        self.options = ["--read-only", "--vfs-cache-mode", variant]
        self.flags = " ".join(self.options)

    def command(self):
        # The remote "bench" is described by RCLONE_CONFIG_BENCH_* in the environment.
        return ["rclone", "mount", f"bench:{self.setup.bucket}", self.folder, "--config=",
                "--cache-dir", self.cache, *self.options]


class Mountpoint(Mount):
    """Amazon's mount-s3. No registry has it, so it takes part only where it is installed."""

    peer = "mountpoint"
    program = "mount-s3"

    def __init__(self, setup, cached):
        super().__init__(setup, "default")
        self.options = ["--read-only", *(["--cache", self.cache] if cached else [])]
        self.flags = " ".join(self.options).replace(self.cache, "DIR")

    def command(self):
        env = self.setup.env
        return [self.program, self.setup.bucket, self.folder, "--foreground", "--force-path-style",
                "--endpoint-url", env["AWS_ENDPOINT_URL_S3"], "--region", env["AWS_REGION"], *self.options]
