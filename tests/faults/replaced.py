"""Objects that change or go while they are open: bytes of two versions never mix."""

import os
import signal
import time

import check
import proxy
from node import wait_until
from scene import MOUNT, Scene, content, digest

BLOCK = 65536
SIZE = 24 << 20
DENIED = proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>")


def versions(size_of_new=SIZE):
    return content("old", SIZE), content("new", size_of_new)


def small_blocks(bed, name, **settings):
    return Scene(bed, name, WARMPATH_BLOCK_SIZE="64K", **settings)


def judge(text, offset, old):
    """One line of the reader: the old bytes or ESTALE, nothing else. True when it was ESTALE."""
    words = text.split()
    if words[1] == "ESTALE":
        return True
    want = f"{offset} {digest(old[offset:offset + int(words[1])])}" if words[1].isdigit() else "ESTALE"
    check.equal(f"bytes at {offset}", text, want)
    return False


def replaced_while_open(bed, name, new_data):
    old = versions()[0]
    with small_blocks(bed, name) as s:
        key = s.put("object", old)
        offsets = [0, 10, BLOCK * 100, SIZE // 2 + 5, SIZE - BLOCK]
        words = [word for offset in offsets for word in ("read", offset, 1000)]
        with s.start("open", s.path(key), "read", 0, 1000, "wait", *words, "read", 0, 1000) as reader:
            judge(reader.until_waiting()[1], 0, old)
            if new_data is None:
                bed.store.client.delete_object(Bucket=s.bucket, Key=key)
            else:
                s.replace(key, new_data)
            done = reader.rest()
        lines = done.text.splitlines()
        check.equal("lines", len(lines), len(offsets) + 1, done.errors)
        stale = [judge(line, offset, old) for line, offset in zip(lines, [*offsets, 0])]
        check.equal("stale at offset 0, which was cached", (stale[0], stale[-1]), (False, False))
        check.that(stale[len(offsets) - 1], "the far end, which was not cached, was served", done.errors)
        s.says(done, "object", "replaced|changed|deleted|gone")
        return lines


def case_replaced_while_open(bed):
    replaced_while_open(bed, "replaced", versions()[1])


def case_replaced_by_a_shorter_one(bed):
    replaced_while_open(bed, "shorter", versions(1000)[1])


def case_replaced_by_a_longer_one(bed):
    replaced_while_open(bed, "longer", versions(SIZE + 5_000_000)[1])


def case_deleted_while_open(bed):
    replaced_while_open(bed, "deleted", None)


def case_replaced_then_opened_again(bed):
    """After ESTALE a new open gives the new version, whole."""
    old, new = versions(7 << 20)
    with small_blocks(bed, "again") as s:
        key = s.put("object", old)
        words = ("open", s.path(key), "read", 0, 10, "wait", "read", SIZE - BLOCK, 10, "cat", s.path(key), "stat", s.path(key))
        with s.start(*words) as reader:
            reader.until_waiting()
            s.replace(key, new)
            done = reader.rest()
        lines = done.text.splitlines()
        check.equal("far end", lines[0], f"{SIZE - BLOCK} ESTALE", done.errors)
        check.equal("opened again", lines[1], f"{s.path(key)} {digest(new)}", done.errors)
        check.equal("looked up again", lines[2], f"{s.path(key)} {len(new)} file", done.errors)


def case_replaced_with_ttl_zero(bed):
    """WARMPATH_META_TTL=0 asks at every open: the new version is there at once."""
    with Scene(bed, "ttl0", WARMPATH_META_TTL="0") as s:
        key = s.put("object", content("one", 100_000))
        with s.start("cat", s.path(key), "wait", "cat", s.path(key), "stat", s.path(key)) as reader:
            check.equal("first", reader.until_waiting()[0], f"{s.path(key)} {digest(content('one', 100_000))}")
            s.replace(key, content("two", 50_000))
            done = reader.rest()
        check.equal("second", done.text.splitlines()[0], f"{s.path(key)} {digest(content('two', 50_000))}", done.errors)
        check.equal("size", done.text.splitlines()[1], f"{s.path(key)} 50000 file", done.errors)


def case_replaced_within_ttl(bed):
    """Within WARMPATH_META_TTL a new open may give the old version, but it gives one of the two."""
    with small_blocks(bed, "ttl") as s:
        old, new = content("one", 300_000), content("two", 200_000)
        key = s.put("object", old)
        with s.start("cat", s.path(key), "wait", "cat", s.path(key)) as reader:
            reader.until_waiting()
            s.replace(key, new)
            done = reader.rest()
        check.that(done.text.strip() in (f"{s.path(key)} {digest(old)}", f"{s.path(key)} {digest(new)}"),
                   f"neither version: {done.text}", done.errors)


def case_ttl_passes(bed):
    """When WARMPATH_META_TTL has passed, a new open sees the new version."""
    with Scene(bed, "passes", WARMPATH_META_TTL="2") as s:
        key = s.put("object", b"one")
        s.right(s.read("cat", s.path(key)), key)
        s.replace(key, b"second")
        time.sleep(2.5)
        s.right(s.read("cat", s.path(key)), key)


def case_replaced_and_mapped(bed):
    """mmap of a replaced object: the old bytes, an error, or a signal; never the new bytes."""
    old, new = versions()
    with small_blocks(bed, "mapped") as s:
        key = s.put("object", old)
        far = SIZE - 4 * BLOCK
        with s.start("open", s.path(key), "read", 0, 10, "wait", "map", far, 2 * BLOCK) as reader:
            reader.until_waiting()
            s.replace(key, new)
            done = reader.rest()
        text = done.text.strip()
        fine = text in ("map ESTALE", "map EIO", f"{far} {digest(old[far:far + 2 * BLOCK])}")
        check.that(fine or done.status == -7, f"mmap gave {text!r}, exit status {done.status}", done.errors)


def case_two_jobs_two_versions(bed):
    """A job that has the old version open and one that opens the new: each sees its own."""
    old, new = content("old", 3 << 20), content("new", 3 << 20)
    with small_blocks(bed, "two", WARMPATH_META_TTL="0") as s:
        key = s.put("object", old)
        words = ("open", s.path(key), "read", 0, len(old), "wait", "read", 0, len(old))
        with s.start(*words) as reader:
            check.equal("old", reader.until_waiting()[1], f"0 {digest(old)}")
            s.replace(key, new)
            s.right(s.read("cat", s.path(key)), key)
            check.equal("old, still", reader.rest().text.strip(), f"0 {digest(old)}")


def case_permission_withdrawn(bed):
    """S3 lets the job read no longer: what is open goes on as far as it is cached, the rest of it and every new open is
    refused, cached or not; and when it is allowed again, all is as before."""
    old = versions()[0]
    with small_blocks(bed, "withdrawn", WARMPATH_META_TTL="0") as s:
        key, allowed = s.put("object", old), [True]
        s.through_proxy(lambda r: None if allowed[0] else DENIED)
        path, far = s.path(key), SIZE - BLOCK
        words = ("open", path, "read", 0, 1000, "wait", "read", 0, 1000, "read", far, 10, "cat", path, "stat", path, "wait",
                 "read", far, 10, "cat", path)
        with s.start(*words) as reader:
            check.equal("at first", reader.until_waiting()[1], f"0 {digest(old[:1000])}")
            allowed[0] = False
            reader.go_on()
            lines = [line for line in reader.until_waiting() if line != "went on"]
            check.equal("open and cached", lines[0], f"0 {digest(old[:1000])}")
            check.equal("open and not cached", lines[1], f"{far} EACCES")
            check.match("opened anew", lines[2], f"{path} EACCES after 0 ")
            check.match("looked up anew", lines[3], "stat EACCES")
            allowed[0] = True
            lines = reader.rest().text.splitlines()
        check.equal("afterwards", lines, [f"{far} {digest(old[far:far + 10])}", f"{path} {digest(old)}"])


def case_listed_is_not_readable(bed):
    """Who may list but not read gets sizes, and not a byte, though all is cached for somebody else."""
    with Scene(bed, "listed") as s:
        denied = [False]
        s.through_proxy(lambda r: DENIED if denied[0] and not r.is_list else None)
        s.right(s.read("cat", s.path("small")), "small")
        denied[0] = True
        done = s.read("list", MOUNT, "stat", s.path("small"), "cat", s.path("small"), AWS_OF="somebody else")
        lines = done.text.splitlines()
        check.equal("size", lines[1], f"{s.path('small')} 100 file", done.errors)
        check.match("content", lines[2], "small EACCES after 0 ")


def case_permission_withdrawn_while_no_agent_ran(bed):
    """A new agent has not seen S3 allow anything: of a file that was opened under the former one it asks, cached or not."""
    data = content("old", 3 << 20)
    with small_blocks(bed, "anew") as s:
        key, denied = s.put("object", data), [False]
        s.through_proxy(lambda r: DENIED if denied[0] else None)
        far = len(data) - 100
        with s.start("open", s.path(key), "wait", "read", far, 100, "wait", "read", far, 100) as reader:
            reader.until_waiting()
            s.right(s.read("cat", s.path(key)), key)    # all is in the store
            os.kill(s.node.pids()[0], signal.SIGKILL)
            check.that(wait_until(lambda: not s.node.pids(), 5), "the agent did not end")
            denied[0] = True
            reader.go_on()
            lines = [line for line in reader.until_waiting() if line != "went on"]
            check.equal("refused", lines, [f"{far} EACCES"])
            denied[0] = False
            done = reader.rest()
        check.equal("allowed again", done.text.strip(), f"{far} {digest(data[far:])}", done.errors)
