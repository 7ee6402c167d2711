"""A file system of a node's own at its cache directory, on a loop device (root): to be frozen, filled, or made with too
few inodes."""

import contextlib
import os
import subprocess
import threading
import time

import check

MIB = 1 << 20


class Disk:
    """A file system at the node's cache directory."""

    def __init__(self, node, size, inodes=None):
        self.image, self.place = os.path.join(node.dir, "image"), node.cache
        with open(self.image, "wb") as file:
            file.truncate(size)
        os.makedirs(self.place)
        self.call("mkfs.ext4", "-q", "-m", "0", *(["-N", str(inodes)] if inodes else []), self.image)
        self.call("mount", "-o", "loop", self.image, self.place)
        self.call("chmod", "700", self.place)

    @staticmethod
    def call(*words):
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def fill(self, left):
        """With a file that is not the store's; returns its path."""
        path, disk = os.path.join(self.place, "ballast"), os.statvfs(self.place)
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - left)
        return path

    def freeze(self):
        self.call("fsfreeze", "-f", self.place)

    def thaw(self):
        self.call("fsfreeze", "-u", self.place)

    @contextlib.contextmanager
    def slow(self, held_s=0.15, free_s=0.05):
        """Holds its writers up again and again, as the kernel does with those of a disk that is too slow."""
        ended = threading.Event()

        def hold():
            while not ended.wait(free_s):
                self.freeze()
                time.sleep(held_s)
                self.thaw()
        thread = threading.Thread(target=hold)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextlib.contextmanager
def own_disk(node, size=1 << 30, inodes=None):
    disk = Disk(node, size, inodes)
    try:
        yield disk
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            disk.thaw()
        with contextlib.suppress(check.Failure):
            node.stop()
        subprocess.run(["umount", "-l", disk.place], check=False, capture_output=True)
