"""What another node has: read from its store instead of S3, compared with nginx and curl alone."""

import contextlib
import os
import secrets
import socket
import subprocess
import time

from downloads import CURLS, FLOOR_NOTE, KEPT_NOTE, baselines
from figures_cold import sequential_row
from measure import CannotRun
from stage import MIB
from worlds import Warmpath, stop_quietly

WAIT_S = 10

NGINX_CONF = """\
{user}daemon off;
worker_processes auto;
pid "{dir}/raw-nginx.pid";
error_log "{dir}/raw-nginx.log" warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path "{dir}/raw-nginx-body";
    proxy_temp_path "{dir}/raw-nginx-proxy";
    fastcgi_temp_path "{dir}/raw-nginx-fastcgi";
    uwsgi_temp_path "{dir}/raw-nginx-uwsgi";
    scgi_temp_path "{dir}/raw-nginx-scgi";
    sendfile on;
    tcp_nopush on;
    server {{
        listen 127.0.0.1:{port};
        root "{root}";
    }}
}}
"""


class Node(Warmpath):
    """One of several nodes on this machine, each with a cache, an agent and an nginx of its own."""

    flags = "defaults, with Redis and a peer"

    def __init__(self, setup, number, secret):
        super().__init__(setup)
        self.cache = f"{setup.work}/node{number}-cache"
        self.env = {**self.env, "WARMPATH_CACHE_DIR": self.cache, "WARMPATH_SOCKET": f"{setup.short}/node{number}.sock",
                    "XDG_RUNTIME_DIR": setup.short, "WARMPATH_REDIS": setup.env["WARMPATH_TEST_REDIS"],
                    "WARMPATH_CLUSTER_SECRET": secret, "WARMPATH_PEER_URL": f"http://127.0.0.1:{free_port()}",
                    "WARMPATH_IDLE_TIMEOUT": "3600"}

    @contextlib.contextmanager
    def serving(self):
        """Its blocks can be had by the others."""
        self.start()
        try:
            self._tool("node", "start")
            yield
        finally:
            self._tool("node", "stop", "--now")
            stop_quietly(self)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def raw_nginx(bench):
    """The same object as a plain file behind nginx; gives its URL."""
    work, port = bench.stage.work, free_port()
    config = f"{work}/raw-nginx.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write(NGINX_CONF.format(user="user root;\n" if os.geteuid() == 0 else "", dir=work, port=port,
                                     root=bench.stage.local))
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    with subprocess.Popen(["nginx", "-e", f"{work}/raw-nginx.log", "-c", config], env={"PATH": path},
                          stdin=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            wait_for_port(server, port)
            yield f"http://127.0.0.1:{port}/{bench.stage.sequential_file}"
        finally:
            server.terminate()


def wait_for_port(server, port):
    deadline = time.monotonic() + WAIT_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise CannotRun("nginx did not start")


# j. from a peer's store

def peer_reads(bench):
    if "warmpath" not in bench.wanted:
        return []
    name, expected, secret = bench.stage.sequential_file, bench.sizes.sequential_mib * MIB, secrets.token_hex(16)
    holder, reader = (Node(bench.stage, number, secret) for number in (1, 2))
    checked = []

    def read():
        try:
            reader.start()
            result = bench.programs.in_world(reader, "read_seq", reader.path(name))
            counters = reader.counters()
            if result["bytes"] != expected or counters["peer_bytes"] < expected or counters["s3_bytes"] > 0:
                raise CannotRun(f"warmpath: {result['bytes']} of {expected} bytes read, {counters['peer_bytes']} from "
                                f"the peer, {counters['s3_bytes']} from S3")
            if not checked:
                bench.check_content(reader, name)
                checked.append(True)
            return result
        finally:
            stop_quietly(reader)

    with raw_nginx(bench) as url, holder.serving():
        bench.check_content(holder, name)  # now it has all of it
        notes = [f"curl: {CURLS} processes, a range each of the plain file, from an nginx with sendfile, to /dev/null",
                 KEPT_NOTE, FLOOR_NOTE,
                 "Warmpath: a second node's agent, start included; every block's checksum is verified and it is stored"]
        return [sequential_row(bench, "j", f"cold from a peer, {bench.sizes.sequential_mib} MiB",
                               {**baselines(bench, url), "warmpath": read}, ">= 0.8", notes)]


FIGURES = {"j": peer_reads}
