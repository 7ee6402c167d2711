"""Awkward keys and directories: what a bucket may hold that a file system can't."""

import itertools

import check
from scene import MOUNT, Scene

_numbers = itertools.count(1)


def listing(s, prefix, path=""):
    done = s.read("list", f"{MOUNT}{path}", mapping=f"{MOUNT}=s3://{s.bucket}/{prefix}")
    return done.text.rstrip("\n"), done


def fill(s, keys):
    """Puts the keys below a prefix of their own, which is returned."""
    prefix = f"keys-{next(_numbers)}"
    s.bed.store.put_all(s.bucket, [(f"{prefix}/{key}", f"content of {key}".encode()) for key in keys])
    return prefix


def case_key_and_prefix_of_the_same_name(bed):
    """`both` is an object and `both/inner` is one: the name lists once, and nothing breaks."""
    with Scene(bed, "both") as s:
        prefix = fill(s, ["both", "both/inner", "both.txt", "other"])
        mapping = f"{MOUNT}=s3://{s.bucket}/{prefix}"
        text, done = listing(s, prefix)
        check.equal("list", text, f"{MOUNT} both both.txt other", done.errors)
        done = s.read("cat", s.path("both/inner"), "cat", s.path("other"), "list", s.path("both"), "stat", s.path("both"), mapping=mapping)
        lines = done.text.splitlines()
        check.match("below it", lines[0], "both/inner 21 ", done.errors)
        check.match("beside it", lines[1], "other 16 ", done.errors)
        consistent = (lines[2] == f"{s.path('both')} inner" and lines[3] == f"{s.path('both')} dir",
                      lines[2] == "list ENOTDIR" and lines[3] == f"{s.path('both')} 15 file")
        check.that(any(consistent), f"list and stat disagree: {lines[2:]}", done.errors)


def case_unreachable_keys_do_not_break_a_listing(bed):
    """Keys that no path can name are left out or skipped; the others are there."""
    with Scene(bed, "weird") as s:
        prefix = fill(s, ["good", "a//b", "/leading", "./dot", "x/../y", "..", ".", "dir/", "dir/ok", "trail/"])
        text, done = listing(s, prefix)
        names = text.split(" ")[1:]
        for name in ("good", "a", "dir", "x", "trail"):
            check.that(names.count(name) == 1, f"{name!r} is listed {names.count(name)} times: {names}", done.errors)
        for name in ("", ".", ".."):
            check.that(name not in names, f"{name!r} is listed: {names}", done.errors)
        check.equal("below a directory with a marker", listing(s, prefix, "/dir")[0], f"{MOUNT}/dir ok")
        check.equal("a marker alone", listing(s, prefix, "/trail")[0].rstrip(), f"{MOUNT}/trail")


def case_marker_objects(bed):
    """Zero-byte `dir/` objects, also of directories that hold more, also nested."""
    with Scene(bed, "marker") as s:
        prefix = f"keys-{next(_numbers)}"
        for key in ("", "empty/", "full/", "full/file", "deep/er/", "deep/er/st/"):
            bed.store.put(s.bucket, f"{prefix}/{key}", b"")
        check.equal("top", listing(s, prefix)[0], f"{MOUNT} deep empty full")
        check.equal("empty", listing(s, prefix, "/empty")[0].rstrip(), f"{MOUNT}/empty")
        check.equal("full", listing(s, prefix, "/full")[0], f"{MOUNT}/full file")
        check.equal("deep", listing(s, prefix, "/deep/er")[0], f"{MOUNT}/deep/er st")
        mapping = f"{MOUNT}=s3://{s.bucket}/{prefix}"
        done = s.read("stat", s.path("empty"), "stat", s.path("deep/er/st"), "stat", MOUNT, "cat", s.path("empty"), mapping=mapping)
        check.equal("stat", done.text.splitlines()[:3], [f"{s.path('empty')} dir", f"{s.path('deep/er/st')} dir", f"{MOUNT} dir"], done.errors)
        check.match("reading a directory", done.text, "empty EISDIR", done.errors)


def case_percent_signs_are_taken_literally(bed):
    """`%2F`, `%25`, `+` and a blank in keys are themselves, in listings and in look-ups."""
    with Scene(bed, "percent") as s:
        keys = ["%2F", "%252F", "a%20b", "a b", "a+b", "%", "%zz", "a%2Bb", "&lt;", "<&>", "'\"", "~!@$^*()", "=", ",", ";", ":", "#", "?", "\u00e9", "e\u0301"]
        prefix = fill(s, keys)
        mapping = f"{MOUNT}=s3://{s.bucket}/{prefix}"
        text, done = listing(s, prefix)
        check.equal("list", sorted(text.replace("a b", "a_b").split(" ")[1:]), sorted(key.replace("a b", "a_b") for key in keys), done.errors)
        words = [word for key in keys for word in ("stat", s.path(key))]
        done = s.read(*words, mapping=mapping)
        check.equal("sizes", done.text.splitlines(), [f"{s.path(key)} {len(f'content of {key}'.encode())} file" for key in keys], done.errors)


def case_awkward_prefix_in_the_mapping(bed):
    """The prefix of a mapping may be awkward too."""
    with Scene(bed, "prefix") as s:
        for prefix in ("with space+plus", "100%", "\u00fcber/\u65e5\u672c", "%2F"):
            bed.store.put(s.bucket, f"{prefix}/file", b"here")
            done = s.read("cat", s.path("file"), "list", MOUNT, mapping=f"{MOUNT}=s3://{s.bucket}/{prefix}")
            check.match(prefix, done.text, f"^{MOUNT}/file 4 ", done.errors)
            check.match(prefix, done.text, f"^{MOUNT} file$", done.errors)


def case_mapping_with_slash_at_the_end(bed):
    with Scene(bed, "slash") as s:
        done = s.read("cat", s.path("file"), "list", MOUNT, mapping=f"{MOUNT}/=s3://{s.bucket}/dir/")
        check.match("file", done.text, f"^{MOUNT}/file 18 ", done.errors)
        check.match("list", done.text, f"^{MOUNT} file$", done.errors)


def case_mapping_of_one_object(bed):
    """A mapping whose URL names an object, not a prefix: the path is that file."""
    with Scene(bed, "object") as s:
        done = s.read("cat", MOUNT, "stat", MOUNT, mapping=f"{MOUNT}=s3://{s.bucket}/dir/file")
        check.match("file", done.text, f"^{MOUNT} 18 ", done.errors)
        check.match("stat", done.text, f"^{MOUNT} 18 file", done.errors)


def case_mapping_of_nothing(bed):
    """A prefix that holds nothing: an empty directory or ENOENT, no hang, no noise."""
    with Scene(bed, "nothing") as s:
        done = s.read("list", MOUNT, "stat", s.path("x"), mapping=f"{MOUNT}=s3://{s.bucket}/nothing/here")
        lines = done.text.splitlines()
        check.that(lines[0] in (MOUNT, "list ENOENT"), f"list: {lines[0]}", done.errors)
        check.equal("stat", lines[1], "stat ENOENT", done.errors)


def case_long_key(bed):
    """A key of 1000 bytes is reachable; what S3 can't hold is ENAMETOOLONG or ENOENT."""
    with Scene(bed, "long") as s:
        key = "/".join(["d" * 99] * 9) + "/file"
        prefix = fill(s, [key])
        done = s.read("cat", s.path(key), "stat", s.path("x" * 1500), mapping=f"{MOUNT}=s3://{s.bucket}/{prefix}")
        lines = done.text.splitlines()
        check.match("long key", lines[0], f"file {len('content of ' + key)} ", done.errors)
        check.that(lines[1] in ("stat ENAMETOOLONG", "stat ENOENT"), lines[1], done.errors)


def case_multipart_object(bed):
    """The ETag of a multipart upload is no MD5 and has a dash."""
    with Scene(bed, "parts") as s:
        key, data = f"keys-{next(_numbers)}/parts", s.objects["huge"][:11 << 20]
        client = bed.store.client
        upload = client.create_multipart_upload(Bucket=s.bucket, Key=key)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(data), 5 << 20), 1):
            answer = client.upload_part(Bucket=s.bucket, Key=key, UploadId=upload, PartNumber=number, Body=data[start:start + (5 << 20)])
            parts.append({"ETag": answer["ETag"], "PartNumber": number})
        client.complete_multipart_upload(Bucket=s.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
        s.objects[key] = data
        s.right(s.read("cat", s.path(key)), key)


def case_many_names_in_one_directory(bed):
    """More names than two pages of a listing, each once, also below a key that sorts between."""
    with Scene(bed, "names") as s:
        names = [f"{number:05d}" for number in range(2300)]
        prefix = fill(s, names + ["00999/below", "01000.txt/below", "zz/below"])
        text, done = listing(s, prefix)
        check.equal("names", len(text.split(" ")) - 1, 2300 + 2, done.errors)
        check.equal("each once", len(set(text.split(" "))), 2300 + 3, done.errors)
