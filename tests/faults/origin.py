"""S3 says no, or isn't there, or isn't S3."""

import socket
import threading
import time

import check
import proxy
from node import wait_until
from scene import MOUNT, Scene

HTML = b"<!DOCTYPE html><html><body>Please log in to the hotel's network</body></html>"


def case_bucket_missing(bed):
    with Scene(bed, "bucket") as s:
        done = s.read("cat", s.path("x"), "list", MOUNT, "stat", MOUNT + "/x",
                      mapping=f"{MOUNT}=s3://no-such-bucket-here")
        check.equal("answers", done.text, f"{MOUNT}/x ENOENT after 0 e3b0c44298fc1c14\nlist ENOENT\nstat ENOENT\n",
                    done.errors)
        s.says(done, "no-such-bucket-here", "bucket")


def case_key_missing(bed):
    """An everyday answer: ENOENT and no noise."""
    with Scene(bed, "key") as s:
        done = s.read("cat", s.path("no/such/key"), "stat", s.path("none"), "list", s.path("none"), "cat", s.path("small"))
        check.match("open", done.text, "no/such/key ENOENT")
        check.match("stat", done.text, "^stat ENOENT")
        check.match("list", done.text, "^list ENOENT")
        check.match("what is there", done.text, "small 100 ")
        s.silent(done)


def denied(bed, name, says, **settings):
    with Scene(bed, name) as s:
        done = s.read("cat", s.path("small"), "stat", s.path("big"), "list", MOUNT, "cat", "/etc/hostname", deadline_s=30, **settings)
        check.match("open", done.text, "small EACCES after 0 ", done.errors)
        check.match("stat", done.text, "^stat EACCES", done.errors)
        check.match("list", done.text, "^list EACCES", done.errors)
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")
        s.says(done, *says)


def case_wrong_secret(bed):
    denied(bed, "secret", ["SignatureDoesNotMatch|denied|secret", "AWS_SECRET_ACCESS_KEY|credentials"], AWS_SECRET_ACCESS_KEY="wrong" * 8)


def case_unknown_access_key(bed):
    denied(bed, "access", ["InvalidAccessKeyId|denied|access key", "AWS_ACCESS_KEY_ID|credentials"], AWS_ACCESS_KEY_ID="NOBODY")


def case_no_credentials(bed):
    denied(bed, "none", ["no AWS credentials|credentials", "AWS_ACCESS_KEY_ID"], AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


def case_half_credentials(bed):
    denied(bed, "half", ["AWS_SECRET_ACCESS_KEY"], AWS_SECRET_ACCESS_KEY=None)


def case_wrong_secret_does_not_spread(bed):
    """What a job with good credentials cached is not opened for one with wrong credentials."""
    with Scene(bed, "spread") as s:
        s.right(s.read("cat", s.path("small")), "small")
        s.refused(s.read("cat", s.path("small"), AWS_SECRET_ACCESS_KEY="wrong"), "small", "EACCES")
        s.right(s.read("cat", s.path("small")), "small")


def unreachable(bed, name, url, says, deadline_s=40, **settings):
    with Scene(bed, name, WARMPATH_DEADLINE="4", AWS_ENDPOINT_URL_S3=url, **settings) as s:
        done = s.read("cat", s.path("small"), deadline_s=deadline_s)
        s.refused(done, "small", "EIO")
        s.says(done, *says)
        done = s.read("stat", s.path("small"), "list", MOUNT, "cat", "/etc/hostname", deadline_s=deadline_s)
        check.match("stat", done.text, "^stat EIO", done.errors)
        check.match("list", done.text, "^list EIO", done.errors)
        check.match("a local file", done.text, r"^/etc/hostname \d+ ")


def case_endpoint_down(bed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    unreachable(bed, "down", f"http://127.0.0.1:{port}", [f"127.0.0.1:{port}", "refused|connect", "AWS_ENDPOINT_URL"])


def case_endpoint_silent(bed):
    """Connections are accepted, nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        unreachable(bed, "silent", f"http://127.0.0.1:{silent.getsockname()[1]}", ["no answer|nothing|time|within", "AWS_ENDPOINT_URL|WARMPATH_DEADLINE"])


def case_status_names_a_silent_endpoint(bed):
    """Since when and why S3 is left alone; and nothing any more once it has answered."""
    with Scene(bed, "status-silent", WARMPATH_DEADLINE="3", WARMPATH_META_TTL="0") as s:
        s.through_proxy(lambda r: None)
        s.right(s.read("cat", s.path("small")), "small")
        check.equal("silent endpoints", s.node.status()["silent_endpoints"], [])
        s.proxy.rule = lambda r: proxy.hang(10)
        s.refused(s.read("cat", s.path("small"), deadline_s=40), "small", "EIO")
        silent = s.node.status()["silent_endpoints"]
        check.equal("silent endpoints", [each["endpoint"] for each in silent], [s.proxy.url])
        check.that(0 <= time.time() - silent[0]["since_s"] < 20, f"since_s {silent[0]['since_s']}")
        check.match("status", s.node.tool("status").text, f"{s.proxy.url} gives no sign of life since 2.*: .")
        s.proxy.rule = lambda r: None
        check.that(wait_until(lambda: "100" in s.read("cat", s.path("small")).text, 20), "it is never asked again")
        check.equal("silent endpoints", s.node.status()["silent_endpoints"], [])


def case_endpoint_malformed(bed):
    unreachable(bed, "malformed", "not a url", ["AWS_ENDPOINT_URL_S3"])


def case_endpoint_no_http(bed):
    """Something else listens there and sends bytes that are no HTTP."""
    with Scene(bed, "garbage", WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: proxy.garbage())
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "AWS_ENDPOINT_URL|endpoint|S3")


def case_endpoint_error_document(bed):
    """A login page with status 200 for everything. It must not become data."""
    with Scene(bed, "portal", WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: proxy.status(200, HTML, "text/html"))
        done = s.read("cat", s.path("small"), "list", MOUNT, deadline_s=60)
        check.match("open", done.text, "small EIO after 0 ", done.errors)
        check.match("list", done.text, "^list EIO", done.errors)
        s.says(done, "AWS_ENDPOINT_URL|endpoint|S3")


def case_error_document_for_a_block(bed):
    """The name is found, then the bytes come as a page: with the right length, even."""
    with Scene(bed, "page", WARMPATH_DEADLINE="4") as s:
        page = (HTML * 2)[:100]
        s.through_proxy(lambda r: proxy.status(200, page, "text/html") if r.is_block else None)
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "small|AWS_ENDPOINT_URL|S3")


def always(bed, name, fault, errnos, says, deadline_s=60, key="small"):
    """Every request gets the same fault."""
    with Scene(bed, name, WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: fault)
        done = s.read("cat", s.path(key), deadline_s=deadline_s)
        s.refused(done, key, *errnos)
        s.says(done, *says)


def case_always_500(bed):
    always(bed, "500", proxy.status(500, b"<Error><Code>InternalError</Code></Error>"), ["EIO"], ["500|InternalError"])


def case_always_503(bed):
    always(bed, "503", proxy.status(503, b"<Error><Code>SlowDown</Code></Error>"), ["EIO"], ["503|SlowDown"])


def case_always_redirect(bed):
    """A bucket in another region: the line names the region to set."""
    body = b"<Error><Code>PermanentRedirect</Code><Region>eu-central-1</Region></Error>"
    always(bed, "301", proxy.status(301, body, headers=[("x-amz-bucket-region", "eu-central-1")]),
           ["EIO", "EACCES"], ["region", "eu-central-1"])


def case_always_html_500(bed):
    always(bed, "html", proxy.status(502, HTML, "text/html"), ["EIO"], ["502"])


def case_busy_twice_then_fine(bed):
    """Errors that pass are retried; the job does not notice."""
    with Scene(bed, "busy") as s:
        s.through_proxy(lambda r: proxy.status(503, b"") if r.number <= 2 else None)
        s.right(s.read("cat", s.path("big")), "big")


def case_500_once_then_fine(bed):
    with Scene(bed, "once") as s:
        s.through_proxy(lambda r: proxy.status(500, b"oops") if r.number == 1 else None)
        done = s.read("cat", s.path("small"), "list", s.path("dir"))
        check.match("file", done.text, "small 100 ", done.errors)
        check.match("list", done.text, "dir file", done.errors)


def case_denied_at_the_block(bed):
    """The name may be looked up, the bytes may not be read."""
    with Scene(bed, "late") as s:
        s.through_proxy(lambda r: proxy.status(403, b"<Error><Code>AccessDenied</Code></Error>") if r.is_block else None)
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EACCES")
        s.says(done, "AccessDenied|denied|403")


def list_is_refused(bed, name, spoil, said):
    """A listing whose pages are spoiled is an error that is told, not a directory that lacks names."""
    with Scene(bed, name, WARMPATH_DEADLINE="4") as s:
        s.through_proxy(lambda r: proxy.change(spoil) if r.is_list else None)
        done = s.read("list", MOUNT)
        check.equal("list", done.text, "list EIO\n", done.errors)
        s.says(done, said)


def case_list_truncated(bed):
    """It isn't whole XML."""
    def halve(answer):
        answer.body = answer.body[:len(answer.body) // 2]
    list_is_refused(bed, "list", halve, "list|XML|answer")


def case_list_pages_too_long(bed):
    """A page of more names than were asked for."""
    def lengthen(answer):
        more = b"".join(b"<Contents><Key>z%04d</Key><Size>1</Size></Contents>" % number for number in range(1001))
        answer.body = answer.body.replace(b"</ListBucketResult>", more + b"</ListBucketResult>")
    list_is_refused(bed, "long", lengthen, "more names")


def case_list_pages_in_a_circle(bed):
    """A page that says of itself that it is the next."""
    def to_itself(answer):
        answer.body = (b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
                       b"<Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>")
    list_is_refused(bed, "circle", to_itself, "names itself as the next")


def case_silent_for_blocks_in_many_threads(bed):
    """A hanging endpoint holds no reader beyond the deadline, however many there are."""
    with Scene(bed, "hang", WARMPATH_DEADLINE="3") as s:
        s.through_proxy(lambda r: proxy.stall(0, 30) if r.is_block else None)
        failures = []

        def one():
            try:
                s.refused(s.read("cat", s.path("small"), deadline_s=40), "small", "EIO")
            except check.Failure as failure:
                failures.append(str(failure))
        threads = [threading.Thread(target=one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check.equal("failures", failures, [])
