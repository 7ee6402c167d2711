"""What a run needs around it: services, a bucket with data, the same data on local disk.

Everything lives in two private folders: a large one for data (in build/bench, on disk) and a
short one in /tmp for sockets, whose paths have a length limit. Both are removed at the end.
"""

import hashlib
import os
import random
import shlex
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor

from measure import CannotRun, run, say

MIB = 1024 * 1024
SERVICES_TIMEOUT_S = 180
URL_LIFETIME_S = 6 * 3600

# Names the children must not inherit: the run must not depend on the caller's own settings.
FOREIGN = ("AWS_", "WARMPATH_", "RCLONE_", "LD_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Sizes:
    """How much of everything. Quick is for trying the benchmark, not for quoting it."""

    def __init__(self, quick):
        self.quick = quick
        self.random_mib = 32 if quick else 256
        self.sequential_mib = 64 if quick else 512
        self.small_files = 200 if quick else 1000
        self.cold_files = 500 if quick else 2000
        self.random_ops = 50_000 if quick else 200_000
        self.pass_ops = 10_000 if quick else 20_000
        self.pass_rounds = 15 if quick else 100
        self.reopens = 5_000 if quick else 50_000
        self.spawns = 30 if quick else 200
        self.rounds = 3 if quick else 11
        self.small_rounds = 3 if quick else 5
        self.cold_rounds = 2 if quick else 5

    def disk_mib(self):
        """Local copies, and six caches of the largest object side by side."""
        return self.random_mib + 7 * self.sequential_mib + 400


class Stage:
    bucket = "warmpath-bench"
    random_file = "random.bin"
    sequential_file = "sequential.bin"
    small_folder = "small"
    probe = random_file  # there when a mount answers

    def __init__(self, root, sizes):
        self.root = root
        self.sizes = sizes
        self.env = {}
        self.sha256 = {}
        self.s3 = None
        self.folders = []
        self.work = self._folder(f"{root}/build/bench", "work.")
        self.short = self._folder("/tmp", "warmpath-bench.")
        self.local = f"{self.work}/local"
        self.small_list = f"{self.work}/small.list"
        # On a short path: the longer the kernel's part of a stat, the less the library's would show.
        self.unmapped_file = f"{self.short}/unmapped.bin"

    def _folder(self, parent, prefix):
        os.makedirs(parent, exist_ok=True)
        self.folders.append(tempfile.mkdtemp(prefix=prefix, dir=parent))
        return self.folders[-1]

    # Up and down

    def up(self):
        self._check_disk()
        say("bench: starting S3")
        try:
            self._services("up")
        except CannotRun:
            self.folders.remove(self.short)  # the message names a log in it
            raise
        self.env = self._environment()
        say(f"bench: making {self.sizes.random_mib + self.sizes.sequential_mib} MiB of data and uploading it")
        self._make_data()
        self._upload()

    def down(self):
        """Never raises: it runs while something else may be going wrong."""
        try:
            self._services("down")
        except CannotRun as error:
            say(f"bench: {error}")
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _services(self, verb):
        argv = [f"{self.root}/scripts/services", verb, f"{self.short}/services"]
        return run(argv, None, f"scripts/services {verb}", SERVICES_TIMEOUT_S, ended_by=signal.SIGTERM)

    def _check_disk(self):
        free_mib = shutil.disk_usage(self.work).free // MIB
        if free_mib < self.sizes.disk_mib():
            raise CannotRun(f"{self.work} has {free_mib} MiB free and the run needs {self.sizes.disk_mib()}: "
                            "make room, or use --quick")

    def _environment(self):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(FOREIGN) and name.lower() not in PROXIES}
        for line in self._services("env").splitlines():
            words = shlex.split(line)
            if len(words) == 2 and words[0] == "export":
                name, _, value = words[1].partition("=")
                env[name] = value
        env["AWSACCESSKEYID"] = env["AWS_ACCESS_KEY_ID"]  # s3fs's names
        env["AWSSECRETACCESSKEY"] = env["AWS_SECRET_ACCESS_KEY"]
        env.update({
            "RCLONE_CONFIG_BENCH_TYPE": "s3",
            "RCLONE_CONFIG_BENCH_PROVIDER": "Ceph",
            "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
            "RCLONE_CONFIG_BENCH_ENDPOINT": env["AWS_ENDPOINT_URL_S3"],
            "RCLONE_CONFIG_BENCH_REGION": env["AWS_REGION"],
        })
        return env

    # Data

    def _make_data(self):
        draw = random.Random(20240501)
        os.makedirs(f"{self.local}/{self.small_folder}")
        for name, size_mib in ((self.random_file, self.sizes.random_mib),
                               (self.sequential_file, self.sizes.sequential_mib)):
            self.sha256[name] = write_large(f"{self.local}/{name}", size_mib, draw)
        write_large(self.unmapped_file, 4, draw)
        names = [f"{number:04d}.bin" for number in range(self.sizes.small_files)]
        for name in names:
            # 1 to 64 KiB, as many between 1 and 2 as between 32 and 64.
            size = int(1024 * 2 ** draw.uniform(0, 6))
            with open(f"{self.local}/{self.small_folder}/{name}", "wb") as file:
                file.write(draw.randbytes(size))
        draw.shuffle(names)
        with open(self.small_list, "w", encoding="ascii") as file:
            file.writelines(f"{name}\n" for name in names)

    def _client(self, endpoint):
        import boto3  # here: only a run that gets this far needs it
        from botocore.config import Config

        env = self.env
        return boto3.client(
            "s3", endpoint_url=endpoint, region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", proxies={},
                          request_checksum_calculation="when_required"))

    def _upload(self):
        self.s3 = self._client(self.env["AWS_ENDPOINT_URL_S3"])
        self.s3.create_bucket(Bucket=self.bucket)
        for name in (self.random_file, self.sequential_file):
            self.s3.upload_file(f"{self.local}/{name}", self.bucket, name)
        # A marker object, so that every peer's every version sees a directory.
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.small_folder}/")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._upload_small, os.listdir(f"{self.local}/{self.small_folder}")))

    def _upload_small(self, name):
        key = f"{self.small_folder}/{name}"
        with open(f"{self.local}/{key}", "rb") as file:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=file.read())

    def url(self, name, endpoint=None):
        """A URL that carries its own signature, for curl; at another address of the server if given."""
        return (self._client(endpoint) if endpoint else self.s3).generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": name},
                                              ExpiresIn=URL_LIFETIME_S)



def write_large(path, size_mib, draw):
    """Returns the SHA-256 of what it wrote."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size_mib):
            piece = draw.randbytes(MIB)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
