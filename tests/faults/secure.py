"""https: certificates that hold, certificates that don't; where buckets are in the host's name."""

import os

import check
from scene import MOUNT, Scene


def https(bed, name, **settings):
    return Scene(bed, name, WARMPATH_DEADLINE="5", AWS_ENDPOINT_URL_S3=bed.services["WARMPATH_TEST_HTTPS_URL"], **settings)


def case_https(bed):
    with https(bed, "https", AWS_CA_BUNDLE=bed.services["WARMPATH_TEST_CA"]) as s:
        s.right(s.read("cat", s.path("big"), "cat", s.path("dir/file")), "big", "dir/file")


def case_https_unknown_ca(bed):
    with https(bed, "ca") as s:
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "certificate|trust", "AWS_CA_BUNDLE")


def case_https_wrong_ca(bed):
    with https(bed, "wrong") as s:
        other = os.path.join(s.node.dir, "other.pem")
        status = os.system(f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 2 -keyout {s.node.dir}/key.pem -out {other} 2>/dev/null")
        check.equal("openssl", status, 0)
        done = s.read("cat", s.path("small"), AWS_CA_BUNDLE=other)
        s.refused(done, "small", "EIO")
        s.says(done, "certificate|trust", "AWS_CA_BUNDLE")


def case_https_ca_file_missing(bed):
    with https(bed, "nofile", AWS_CA_BUNDLE="/no/such/ca.pem") as s:
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "/no/such/ca.pem", "AWS_CA_BUNDLE|CA")


def case_https_to_a_plain_port(bed):
    with Scene(bed, "plain", WARMPATH_DEADLINE="5", AWS_ENDPOINT_URL_S3=bed.endpoint.replace("http://", "https://")) as s:
        done = s.read("cat", s.path("small"))
        s.refused(done, "small", "EIO")
        s.says(done, "AWS_ENDPOINT_URL|TLS|SSL")


def styled(bed, name, option, url, **settings):
    with Scene(bed, name, AWS_ENDPOINT_URL_S3=url, **settings) as s:
        done = s.read("cat", s.path("big"), "list", s.path("dir"), "stat", s.path("small"),
                      mapping=f"{MOUNT}=s3://{s.bucket}{option}")
        lines = done.text.splitlines()
        check.match("data", lines[0], f"big {len(s.objects['big'])} ", done.errors)
        check.equal("list", lines[1], f"{MOUNT}/dir file", done.errors)
        check.equal("stat", lines[2], f"{MOUNT}/small 100 file", done.errors)


def case_style_path(bed):
    styled(bed, "path", "?style=path", bed.endpoint)


def case_style_virtual(bed):
    styled(bed, "virtual", "?style=virtual", bed.services["WARMPATH_TEST_VHOST_URL"])


def case_style_virtual_https(bed):
    styled(bed, "vtls", "?style=virtual", bed.services["WARMPATH_TEST_VHOST_HTTPS_URL"],
           AWS_CA_BUNDLE=bed.services["WARMPATH_TEST_CA"])


def case_style_auto(bed):
    styled(bed, "auto", "?style=auto", bed.endpoint)
