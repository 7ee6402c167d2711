"""Who may talk to whom: certificates between nodes, TLS to Redis."""

import os
import subprocess

import check
import job
from node import wait_until
from world import Redis, World, blocks_of, sh

# A certificate's life: from so many years before or after 2000. `openssl ca` takes any dates.
GOOD = ("20200101000000Z", "20600101000000Z")
EXPIRED = ("20200101000000Z", "20210101000000Z")
CA_CONF = """\
[ca]
default_ca = this
[this]
dir = {dir}
database = {dir}/index.txt
serial = {dir}/serial
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """Certificates by openssl, as an operator would make them."""

    def __init__(self, folder, name):
        self.dir = os.path.join(folder, name)
        os.mkdir(self.dir)
        self.pem, self.key, self.conf = (os.path.join(self.dir, n) for n in ("ca.pem", "ca.key", "ca.conf"))
        for file, text in (("index.txt", ""), ("serial", "01\n"), ("ca.conf", CA_CONF.format(dir=self.dir))):
            with open(os.path.join(self.dir, file), "w", encoding="utf-8") as out:
                out.write(text)
        sh("openssl", "req", "-x509", *self._new_key(self.key), "-days", "30", "-subj", f"/CN={name}", "-out", self.pem)

    @staticmethod
    def _new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    def issue(self, name, address, life=GOOD):
        """A certificate for an address, and its key."""
        pem, key, request = (os.path.join(self.dir, f"{name}.{end}") for end in ("pem", "key", "csr"))
        sh("openssl", "req", "-new", *self._new_key(key), "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{address}",
           "-out", request)
        sh("openssl", "ca", "-batch", "-config", self.conf, "-cert", self.pem, "-keyfile", self.key, "-startdate", life[0],
           "-enddate", life[1], "-in", request, "-out", pem, "-notext")
        return pem, key


def show_certificates(node, authority, issuer=None, life=GOOD, secret=True):
    """From now on this node trusts `authority` and shows a certificate of `issuer`."""
    pem, key = (issuer or authority).issue(node.space, node.address, life)
    node.tool("node", "stop", "--now")
    node.settings.update(WARMPATH_PEER_CA=authority.pem, WARMPATH_PEER_CERT=pem, WARMPATH_PEER_KEY=key,
                         WARMPATH_PEER_URL=node.settings["WARMPATH_PEER_URL"].replace("http:", "https:"))
    if not secret:
        node.settings["WARMPATH_CLUSTER_SECRET"] = None
    node.serve()


def curl(node, path, *more):
    """What nginx of a node says to a client on that node: HTTP status, 000 for no TLS."""
    url = node.settings["WARMPATH_PEER_URL"] + path
    return job.run(node.command(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *more, url]),
                   node.bed.base_env()).text


def case_certificates_on_both_sides(bed):
    """Nodes with certificates of one authority share blocks; nobody else gets a byte."""
    with World(bed, 2) as w:
        ours, other = Authority(w.dir, "ours"), Authority(w.dir, "other")
        first, second = w.nodes
        for node in w.nodes:
            show_certificates(node, ours, secret=False)
        w.right(first.cat("big"), "big")
        asked = len(w.proxy.seen)
        w.right(second.cat("big"), "big")
        check.equal("GETs that brought bytes", w.gets(asked), 0, second.log())
        check.equal("peer_hit_blocks", second.counters()["peer_hit_blocks"], blocks_of(w.objects["big"]))

        block = "/blocks/" + first.block_files()[0].rpartition("/blocks/")[2]
        strange, stale = (other.issue("strange", second.address), ours.issue("stale", second.address, EXPIRED))
        trust = ("--cacert", ours.pem)
        mine = second.settings
        check.equal("a client with a certificate", curl(first, block, *trust, "--cert", mine["WARMPATH_PEER_CERT"], "--key",
                                                        mine["WARMPATH_PEER_KEY"]), "200")
        check.equal("a client without", curl(first, block, *trust), "400")
        check.equal("a client of another authority", curl(first, block, *trust, "--cert", strange[0], "--key", strange[1]), "400")
        check.equal("a client whose certificate is over", curl(first, block, *trust, "--cert", stale[0], "--key", stale[1]), "400")
        first.settings["WARMPATH_PEER_URL"] = first.settings["WARMPATH_PEER_URL"].replace("https:", "http:")
        check.equal("a client without TLS", curl(first, block), "400")


def nobody_uses(w, said):
    """The second node does without the first one's blocks, and says why."""
    first, second = w.nodes
    w.right(first.cat("big"), "big")
    w.right(second.cat("big"), "big")
    counters = second.counters()
    check.equal("peer_hit_blocks", counters["peer_hit_blocks"], 0)
    check.that(counters["peer_errors"] >= 1, "the first node was not even asked", second.log())
    check.match("status", second.tool("status").text, said, second.tool("status").text)


def case_holder_with_an_expired_certificate(bed):
    with World(bed, 2) as w:
        ours = Authority(w.dir, "ours")
        show_certificates(w.nodes[0], ours, life=EXPIRED)
        show_certificates(w.nodes[1], ours)
        nobody_uses(w, "expired")


def case_holder_of_another_authority(bed):
    """An impostor at a node's address: its certificate is nobody's that we trust."""
    with World(bed, 2) as w:
        ours, other = Authority(w.dir, "ours"), Authority(w.dir, "other")
        show_certificates(w.nodes[0], ours, issuer=other)
        show_certificates(w.nodes[1], ours)
        nobody_uses(w, "certificate")


def case_reader_of_another_authority(bed):
    """nginx lets it in no further than the handshake."""
    with World(bed, 2) as w:
        ours, other = Authority(w.dir, "ours"), Authority(w.dir, "other")
        show_certificates(w.nodes[0], ours)
        show_certificates(w.nodes[1], ours, issuer=other)
        nobody_uses(w, "status 400")


def knows_tls(bed):
    """Was the agent built with a hiredis that has TLS?"""
    return "libhiredis_ssl" in subprocess.run(["ldd", bed.agent], capture_output=True, text=True, check=True).stdout


def case_redis_over_tls(bed):
    """Where hiredis has TLS the index works over it, and takes no other's certificate; else the log says what is missing."""
    with World(bed, 2) as w:
        ours, other = Authority(w.dir, "ours"), Authority(w.dir, "other")
        pem, key = ours.issue("redis", w.redis_host)
        server = Redis(w, "--tls-port", "0", "--tls-cert-file", pem, "--tls-key-file", key, "--tls-ca-cert-file", ours.pem,
                       "--tls-auth-clients", "no")
        try:
            port = server.port + 1
            check.equal("CONFIG SET", server.cli("config", "set", "tls-port", str(port)).strip(), "OK")
            first, second = w.nodes
            for node in w.nodes:
                node.settings.update(WARMPATH_REDIS=f"rediss://{w.redis_host}:{port}", SSL_CERT_FILE=ours.pem)
            w.right(first.cat("big"), "big")
            if not knows_tls(bed):
                check.match("log", first.log(), "rediss:// needs TLS in hiredis .*the node stands alone")
                check.that("cluster" not in first.status(), "status speaks of a cluster")
                return
            check.that(wait_until(lambda: first.cluster()["index"] == "fine", 10), "no index over TLS", first.log())
            asked = len(w.proxy.seen)
            w.right(second.cat("big"), "big")
            check.equal("GETs that brought bytes", w.gets(asked), 0)
            for node, settings, said in ((first, {"SSL_CERT_FILE": other.pem}, "TLS: "),
                                         (second, {"WARMPATH_REDIS": f"rediss://localhost.localdomain:{port}"}, ".")):
                node.stop()
                node.settings.update(settings)
                w.right(node.cat("small"), "small")
                check.equal("index", node.cluster()["index"], "away")
                check.match("why", node.cluster()["index_why"], said)
        finally:
            server.stop()
