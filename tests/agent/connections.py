"""Connections to S3: over all addresses that its name has, and with TLS sessions that go on."""

import collections
import os
import socket
import ssl
import subprocess

import check
import job
from many_objects import BUCKET, DIRECTORY, ManyObjects
from node import Node

MIB = 1 << 20
NAME = "s3.many.test"
ADDRESSES = 8
RESOLVER = "127.0.1.53"
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


LOSE_NAMES = ('mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf && export LD_PRELOAD="$1" && '
              'cmp "$2/0000000" "$3" && echo "127.0.0.1 localhost" > "$0/hosts" && cmp "$2/0000001" "$3" && cmp "$2/0000002" "$3"')


def lose_names(bed, name, options):
    """S3's name can't be resolved any more: new connections go where it led to (needs root, for an /etc/hosts of its own)."""
    with Node(bed, name) as node, ManyObjects(content(node, 16 * MIB), 3, host="0.0.0.0") as server:
        server.closes = True
        with open(os.path.join(node.dir, "hosts"), "w") as file:
            file.write(f"127.0.0.1 localhost\n127.0.1.1 {NAME}\n")
        with open(os.path.join(node.dir, "resolv.conf"), "w") as file:
            file.write(f"nameserver {RESOLVER}\noptions {options}\n")
        node.settings = {"AWS_ENDPOINT_URL_S3": f"http://{NAME}:{server.server.server_port}",
                         "WARMPATH_MAP": f"{MOUNTED}=s3://{BUCKET}/{DIRECTORY}"}
        env = node.env()
        library = env.pop("LD_PRELOAD")
        done = job.run(["unshare", "-m", "sh", "-c", LOSE_NAMES, node.dir, library, MOUNTED, server.path], env, deadline_s=60)
        check.equal("cmp", done.status, 0, done.errors)
        check.equal("errors of S3", node.counters()["s3_errors"], 0)


def case_names_may_be_lost(bed):
    lose_names(bed, "lost", "timeout:1 attempts:1")


def case_names_may_be_waited_for(bed):
    """The resolver is there, and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind((RESOLVER, 53))
        lose_names(bed, "waited", "timeout:30 attempts:2")


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
