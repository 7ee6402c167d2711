"""Connections to S3: over all addresses that its name has, and with TLS sessions that go on."""

import collections
import os
import ssl
import subprocess

import check
import job
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import Node

MIB = 1 << 20
NAME = "s3.many.test"
ADDRESSES = 8
MOUNTED = "/mapped/many"


def content(node, size):
    path = os.path.join(node.dir, "content")
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    return path


def case_all_addresses_are_used(bed):
    """S3's name has eight: a cold read in parallel goes to more than two of them (needs root, for an /etc/hosts of its own)."""
    with Node(bed, "addresses") as node, ManyObjects(content(node, 128 * MIB), 1, host="0.0.0.0") as server:
        server.rule = lambda path: 0.03
        hosts = os.path.join(node.dir, "hosts")
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"127.0.1.{n} {NAME}\n" for n in range(1, ADDRESSES + 1)))
        node.settings = {"AWS_ENDPOINT_URL_S3": f"http://{NAME}:{server.server.server_port}",
                         "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}"}
        script = 'mount --bind "$0" /etc/hosts && LD_PRELOAD="$1" exec cmp "$2" "$3"'
        env = node.env()
        library = env.pop("LD_PRELOAD")
        done = job.run(["unshare", "-m", "sh", "-c", script, hosts, library, f"{MOUNTED}/{server.name(0)}", server.path], env)
        check.equal("cmp", done.status, 0, done.errors)
        check.that(len(server.addresses) > 2, f"connections: {dict(server.addresses)}")


def case_tls_sessions_go_on(bed):
    """A server that ends each connection after one answer: all but the first few are resumed."""
    count = 60
    with Node(bed, "sessions") as node:
        pem = os.path.join(node.dir, "server.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem + ".key", "-out", pem],
                       check=True, stderr=subprocess.DEVNULL)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pem, pem + ".key")
        with ManyObjects(content(node, 1000), count, tls=tls) as server:
            node.settings = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_CA_BUNDLE": pem,
                             "WARMPATH_META_TTL": "0", "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}"}
            paths = [f"{MOUNTED}/{server.name(number)}" for number in range(count)]
            done = job.run(["cat", *paths], node.env())
            check.equal("cat", (done.status, len(done.out)), (0, count * 1000), done.errors)
            sessions = collections.Counter(server.resumed)
            check.that(sessions[True] >= count // 2 and sessions[False] <= 8, f"resumed: {dict(sessions)}")
