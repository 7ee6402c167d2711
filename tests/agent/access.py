"""Options of a mapping that say as whom and how S3 is asked; buckets that keep versions."""

import base64
import os

import check
import proxy
from scene import MOUNT, Scene, content, digest

BLOCK = 65536


def profiles(s, text):
    path = os.path.join(s.node.dir, "config")
    with open(path, "w") as file:
        file.write(text)
    return {"AWS_CONFIG_FILE": path, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def case_profile_for_a_mapping(bed):
    """Two mappings of one bucket with two profiles: each is asked with its own keys, and at its own
    endpoint; the environment's keys are for the third."""
    key, secret = bed.services["AWS_ACCESS_KEY_ID"], bed.services["AWS_SECRET_ACCESS_KEY"]
    with Scene(bed, "profiles") as s:
        s.through_proxy(lambda r: None)
        files = profiles(s, f"[profile good]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
                            f"endpoint_url = {bed.endpoint}\n"
                            "[profile bad]\naws_access_key_id = NOBODY\naws_secret_access_key = x\n")
        mapping = ",".join(f"{MOUNT}{path}=s3://{s.bucket}{option}" for path, option in
                           (("", ""), ("/good", "?profile=good"), ("/bad", "?profile=bad"), ("/none", "?profile=none")))
        words = [word for path in ("small", "good/small", "bad/small", "none/small", "small", "good/dir/file")
                 for word in ("cat", s.path(path))]
        done = s.read(*words, mapping=mapping, **files)
        lines = done.text.splitlines()
        for number, wanted in enumerate(("small 100 ", "good/small 100 ", "bad/small EACCES", "none/small EACCES", "small 100 ", "good/dir/file 18 ")):
            check.match(f"line {number + 1}", lines[number], f"^{MOUNT}/{wanted}", done.errors)
        s.says(done, "InvalidAccessKeyId")
        s.says(done, "profile none", "profile= in WARMPATH_MAP")
        asked = {r.header("authorization").split("Credential=")[1].split("/")[0] for r in s.proxy.seen}
        check.equal("keys at the environment's endpoint", asked, {key, "NOBODY"})
        check.that(not any("dir/file" in r.target for r in s.proxy.seen), "the profile's endpoint was not used")


def case_requester_pays(bed):
    with Scene(bed, "pays") as s:
        refusal = proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>")
        s.through_proxy(lambda r: None if r.header("x-amz-request-payer") == "requester" else refusal)
        words = ("cat", s.path("small"), "list", s.path("dir"), "stat", s.path("big"))
        done = s.read(*words, mapping=s.mapping + "?requester_pays")
        check.equal("the rest", done.text.splitlines()[1:], [f"{MOUNT}/dir file", f"{MOUNT}/big {len(s.objects['big'])} file"], done.errors)
        s.refused(s.read("cat", s.path("small")), "small", "EACCES")


def case_customer_keys(bed):
    """SSE-C: right with the key, as bytes or base64; refused without it or with another."""
    with Scene(bed, "ssec", WARMPATH_BLOCK_SIZE="64K") as s:
        secret, data = os.urandom(32), content("encrypted", 300_000)
        key = s.put("encrypted", b"")
        s.objects[key] = data
        bed.store.client.put_object(Bucket=s.bucket, Key=key, Body=data, SSECustomerAlgorithm="AES256", SSECustomerKey=secret)
        paths = {}
        for name, text in (("raw", secret), ("text", base64.b64encode(secret) + b"\n"), ("other", os.urandom(32)), ("short", b"x" * 31)):
            paths[name] = os.path.join(s.node.dir, name)
            with open(paths[name], "wb") as file:
                file.write(text)
        mapped = lambda name: f"{s.mapping}?sse_c_key_file={paths[name]}"
        s.refused(s.read("cat", s.path(key)), key, "EIO", "EACCES")
        for name in ("raw", "text"):
            done = s.read("cat", s.path(key), "stat", s.path(key), mapping=mapped(name))
            check.equal(name, done.text.splitlines(), [f"{s.path(key)} {digest(data)}", f"{s.path(key)} {len(data)} file"], done.errors)
        s.refused(s.read("cat", s.path(key), mapping=mapped("other")), key, "EACCES", "EIO")
        done = s.read("cat", s.path(key), mapping=mapped("short"))
        s.refused(done, key, "EACCES")
        s.says(done, "holds no key", "sse_c_key_file")
        done = s.read("cat", s.path(key), mapping=f"{s.mapping}?sse_c_key_file=/no/such/file")
        s.refused(done, key, "EACCES")
        s.says(done, "/no/such/file")


def case_keys_that_s3_holds(bed):
    """SSE-KMS: S3 decrypts for who may read. The ETag is no MD5, and the mapping says nothing of it."""
    with Scene(bed, "kms", WARMPATH_BLOCK_SIZE="64K") as s:
        data = content("kms", 300_000)
        key = s.put("kms", b"")
        s.objects[key] = data
        told = bed.store.client.put_object(Bucket=s.bucket, Key=key, Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId="test-key")
        check.equal("encrypted", told["ServerSideEncryption"], "aws:kms")
        s.right(s.read("cat", s.path(key)), key)
        s.right(s.read("cat", s.path(key)), key)


def case_public_bucket(bed):
    """AWS_NO_SIGN_REQUEST: what all may read is read and listed, unsigned; the rest is refused."""
    anonymous = {"AWS_NO_SIGN_REQUEST": "true", "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    with Scene(bed, "public") as s:
        s.through_proxy(lambda r: None)
        s.bucket, client = bed.store.make_bucket("public"), bed.store.client
        client.put_bucket_acl(Bucket=s.bucket, ACL="public-read")
        client.put_object(Bucket=s.bucket, Key="open/file", Body=b"for all", ACL="public-read")
        client.put_object(Bucket=s.bucket, Key="closed", Body=b"for some", ACL="private")
        done = s.read("cat", s.path("open/file"), "list", MOUNT, "cat", s.path("closed"), **anonymous)
        lines = done.text.splitlines()
        check.equal("open to all", lines[:2], [f"{MOUNT}/open/file {digest(b'for all')}", f"{MOUNT} closed open"], done.errors)
        check.match("closed", lines[2], "closed EACCES")
        check.equal("signed requests", [r.target for r in s.proxy.seen if r.header("authorization")], [])
        check.match("with keys", s.read("cat", s.path("closed")).text, f"closed {digest(b'for some')}")


def versioned(bed, name, change):
    """An object of a bucket with versions that is changed while it is open: the old bytes, all of
    them; a new open sees what is there now."""
    old = content("old", 24 << 20)
    with Scene(bed, name, WARMPATH_BLOCK_SIZE="64K", WARMPATH_META_TTL="0") as s:
        s.bucket = bed.store.make_bucket("versions")
        bed.store.client.put_bucket_versioning(Bucket=s.bucket, VersioningConfiguration={"Status": "Enabled"})
        bed.store.put(s.bucket, "object", old)
        path, far = s.path("object"), len(old) - 5 * BLOCK
        with s.start("open", path, "read", 0, 1000, "wait", "read", far, 3 * BLOCK, "read", 12 << 20, 1000, "cat", path) as reader:
            reader.until_waiting()
            change(bed.store.client, s.bucket)
            done = reader.rest()
        lines = done.text.splitlines()
        check.equal("the far end", lines[0], f"{far} {digest(old[far:far + 3 * BLOCK])}", done.errors)
        check.equal("the middle", lines[1], f"{12 << 20} {digest(old[12 << 20:][:1000])}", done.errors)
        return lines[2]


def case_versioned_replaced(bed):
    new = content("new", 100_000)
    line = versioned(bed, "vreplaced", lambda client, bucket: client.put_object(Bucket=bucket, Key="object", Body=new))
    check.equal("opened again", line, f"{MOUNT}/object {digest(new)}")


def case_versioned_deleted(bed):
    line = versioned(bed, "vdeleted", lambda client, bucket: client.delete_object(Bucket=bucket, Key="object"))
    check.match("opened again", line, "object ENOENT")
