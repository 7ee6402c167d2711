"""Small files that come ahead of their open: how many, for whom, and what a wrong guess costs."""

import random
import re

import check
import proxy
from access import profiles
from node import wait_until
from scene import MOUNT, Scene, content

FIRST, WINDOW, SWEEP = 8, 64, 1024  # policy/siblings.h


class Folder:
    """A scene with a directory of small files of this case's own, and a proxy that counts."""

    def __init__(self, bed, name, count, spell="{:04d}", **settings):
        self.bed, self.settings, self.case = bed, settings, name
        self.names = [spell.format(number) for number in range(count)]

    def __enter__(self):
        self.s = s = Scene(self.bed, self.case, **self.settings)
        self.below = s.put("x", b"").rpartition("/")[0] + "/few"
        new = {f"{self.below}/{name}": content(name, 3000) for name in self.names}
        s.objects.update(new)
        self.bed.store.put_all(s.bucket, new.items())
        s.through_proxy(lambda r: None)
        return self

    def __exit__(self, *ignored):
        self.s.__exit__()

    def keys(self, names):
        return [f"{self.below}/{name}" for name in names]

    def read(self, names, first=(), **settings):
        keys = self.keys(names)
        return keys, self.s.read(*first, *[word for key in keys for word in ("cat", self.s.path(key))], **settings)

    def right(self, names, first=(), lines=0):
        keys, done = self.read(names, first)
        done.out = "".join(done.text.splitlines(True)[lines:]).encode()
        self.s.right(done, *keys)
        self.s.silent(done)

    def settled(self):
        """The agent's counters once it asks S3 nothing more."""
        seen = [-1]

        def quiet():
            before, seen[0] = seen[0], self.s.proxy.count()
            return before == seen[0]
        wait_until(quiet, 20, 0.3)
        return self.s.node.counters()

    def gets(self, names=None):
        wanted = set(self.keys(names)) if names else None
        asked = [r.path.split("/", 2)[2] for r in self.s.proxy.seen if r.is_block]
        return [key for key in asked if key.startswith(self.below) and (wanted is None or key in wanted)]

    def lists(self):
        """Requests for names; looking whether there is a directory asks for one."""
        return self.s.proxy.count(lambda r: r.is_list and "max-keys=1&" not in r.target)


def nothing_twice(f):
    """But for answers so late that an open asked a second time (policy/hedge)."""
    gets, hedges = f.gets(), f.settled()["s3_hedges"]
    twice = sorted({key for key in gets if gets.count(key) > 1})
    check.that(len(gets) - len(set(gets)) <= hedges, f"asked for more than once, with {hedges} late answers: {twice}")


def case_siblings_in_order_come_ahead(bed):
    """Nobody listed the directory: it is learned by one request after the third open."""
    with Folder(bed, "order", 120) as f:
        f.right(f.names)
        counters = f.settled()
        check.equal("lists", f.lists(), 1)
        check.that(counters["ahead_files"] >= 90, f"{counters['ahead_files']} of 120 came ahead")
        check.equal("given up", counters["ahead_unused_files"], 0)
        check.equal("of the store", counters["store_hit_blocks"], 0)
        nothing_twice(f)


def case_siblings_backwards_from_a_listing(bed):
    with Folder(bed, "backwards", 120) as f:
        f.right(f.names[::-1], first=("list", f.s.path(f.below)), lines=1)
        counters = f.settled()
        check.equal("lists", f.lists(), 1)
        check.that(counters["ahead_files"] >= 100, f"{counters['ahead_files']} of 120 came ahead")
        nothing_twice(f)


def case_small_files_of_a_listing_are_got_whole(bed):
    """Without a range, where the listing told that there is no need for one; one was replaced since."""
    with Folder(bed, "whole", 12) as f:
        f.s.read("list", f.s.path(f.below))
        grown = f.keys(f.names[5:6])[0]
        f.s.objects[grown] = content("grown", 3 << 20)
        f.bed.store.put_all(f.s.bucket, [(grown, f.s.objects[grown])])
        f.right(f.names)
        f.settled()
        ranged = [r.path for r in f.s.proxy.seen if r.fetched and r.range]
        check.that(ranged and all(path.endswith(grown) for path in ranged), f"asked for with a range: {ranged}")


def case_siblings_numbered_without_zeros(bed):
    with Folder(bed, "numbered", 120, "img{}.bin") as f:
        f.right(f.names)
        counters = f.settled()
        check.that(counters["ahead_files"] >= 90, f"{counters['ahead_files']} of 120 came ahead")
        nothing_twice(f)


def case_siblings_shuffled_are_swept(bed):
    """A shuffled pass over a listed directory: once a quarter was opened, the rest comes ahead."""
    with Folder(bed, "shuffled", 200) as f:
        f.right(random.Random(4).sample(f.names, 200), first=("list", f.s.path(f.below)), lines=1)
        counters = f.settled()
        check.that(counters["ahead_files"] >= 100, f"{counters['ahead_files']} of 200 came ahead")
        nothing_twice(f)


def case_siblings_of_two_processes(bed):
    """What one process' opens brought ahead is there for the next."""
    with Folder(bed, "shared", 60) as f:
        f.right(f.names[:20])
        f.settled()
        asked = f.s.proxy.count()
        f.right(f.names[20:28])
        ahead = f.keys(f.names[20:28])
        later = [r.path for r in f.s.proxy.seen[asked:] if any(r.path.endswith(key) for key in ahead)]
        check.equal("asked for again", later, [])


def case_wrong_guesses_are_few(bed):
    """Three opens in order, and no more: the first window is all that comes in vain."""
    with Folder(bed, "wrong", 200) as f:
        f.right(f.names[:3], first=("list", f.s.path(f.below)), lines=1)
        f.settled()
        check.that(3 < len(f.gets()) <= 3 + FIRST + 2, f"{len(f.gets())} GETs for three opens")


def case_random_opens_bring_nothing_ahead(bed):
    with Folder(bed, "random", 200) as f:
        f.right([f.names[at] for at in (150, 20, 90, 190, 60, 120, 3, 170)], first=("list", f.s.path(f.below)), lines=1)
        f.settled()
        check.equal("GETs", len(f.gets()), 8)


def case_nothing_ahead_where_every_open_asks(bed):
    with Folder(bed, "aheadttl", 40, WARMPATH_META_TTL="0") as f:
        f.right(f.names)
        check.equal("ahead", f.settled()["ahead_files"], 0)
        check.equal("GETs", len(f.gets()), 40)


def case_ahead_gives_nobody_else_the_right(bed):
    """Fetched ahead with one job's keys; another's, which S3 refuses, are refused here too."""
    with Folder(bed, "rights", 60) as f:
        s = f.s
        f.right(f.names[:20])
        f.settled()
        check.that(f.gets(f.names[20:21]), "the name behind the last open did not come ahead")
        files = profiles(s, "[profile bad]\naws_access_key_id = NOBODY\naws_secret_access_key = x\n")
        key = f.keys(f.names[20:21])[0]
        s.refused(s.read("cat", s.path(key), mapping=f"{MOUNT}=s3://{s.bucket}?profile=bad", **files), key, "EACCES")


def case_ahead_that_fails_is_silent(bed):
    """Objects that S3 refuses come in vain; the job hears of it only where it opens one."""
    with Folder(bed, "silent", 60) as f:
        s, refused = f.s, proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>")
        s.proxy.rule = lambda r: refused if r.is_block and re.search(r"/00[2-5]\d$", r.path) else None
        f.right(f.names[:20])
        f.settled()
        check.that(f.gets(f.names[20:21]), "nothing came ahead")
        check.that(len(f.gets(f.names[20:])) <= 32 + 1, "guesses went on where S3 refused them")
        _, done = f.read(f.names[20:21])
        s.refused(done, f.keys(f.names[20:21])[0], "EACCES")
        s.says(done, "AccessDenied")
        s.proxy.rule = lambda r: None
        f.right(f.names[30:40])


def case_ahead_of_a_deleted_name(bed):
    """A name that the listing had and that is gone when it is opened: ENOENT, as without guesses."""
    with Folder(bed, "gone", 60) as f:
        f.s.read("list", f.s.path(f.below))
        key = f.keys(f.names[30:31])[0]
        f.bed.store.client.delete_object(Bucket=f.s.bucket, Key=key)
        f.right(f.names[:30])
        f.settled()
        f.s.refused(f.s.read("cat", f.s.path(key)), key, "ENOENT")
        f.right(f.names[31:])
