"""An HTTP proxy between agent and S3 that can be told to misbehave.

    proxy = Proxy(endpoint)                 # starts, listens on loopback
    proxy.rule = lambda r: cut(1000) if r.method == "GET" and r.number == 1 else None
    ... jobs with AWS_ENDPOINT_URL_S3=proxy.url ...
    proxy.close()

A rule gets a Request and gives None (forward as it is) or a fault, made by the functions below.
Headers travel unchanged, Host among them: the client signs for the proxy's address, and the
signature must hold at the other end. Every request is kept in `proxy.seen`.
"""

import collections
import dataclasses
import http.client
import socket
import struct
import threading
import time
import urllib.parse


@dataclasses.dataclass
class Request:
    method: str
    target: str             # as sent, with the query
    headers: list           # (name, value) in order
    body: bytes
    number: int             # counts the requests with this method, path and Range, from 1
    total: int              # counts all requests, from 1
    status: int = 0         # what S3 answered; 0 when it wasn't asked

    @property
    def path(self):
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def is_list(self):
        return "list-type=" in self.target

    @property
    def is_block(self):
        """A GET of an object, whole or in part."""
        return self.method == "GET" and "?" not in self.target

    @property
    def fetched(self):
        """A GET that brought bytes of an object (not a 304 or an error)."""
        return self.is_block and self.status in (200, 206)

    @property
    def range(self):
        return self.header("range")

    def header(self, wanted):
        return next((value for name, value in self.headers if name.lower() == wanted.lower()), None)


@dataclasses.dataclass
class Answer:
    status: int
    reason: str
    headers: list
    body: bytes


class Proxy:
    def __init__(self, endpoint, host="127.0.0.1"):
        url = urllib.parse.urlsplit(endpoint)
        self.upstream = (url.hostname, url.port)
        self.rule = lambda request: None
        self.seen = []
        self.numbers = collections.Counter()
        self.connections = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.away = False
        self.listener = socket.create_server((host, 0), backlog=128)
        self.url = f"http://{host}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing.set()
        self.listener.close()

    def go_away(self):
        """Nobody listens any more: connections are refused, and those that there are get no answer."""
        self.away = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def come_back(self):
        """At the same address."""
        url = urllib.parse.urlsplit(self.url)
        self.listener = socket.create_server((url.hostname, url.port), backlog=128)
        self.away = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def count(self, want=lambda request: True):
        with self.lock:
            return sum(1 for request in self.seen if want(request))

    def names(self, since=0):
        """What was asked, in short, for messages."""
        return [f"{r.method} {r.target[-60:]} {r.range or ''} {r.status}" for r in self.seen[since:]]

    def _accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while True:
                    request = self._read(stream)
                    if request is None or self.away or not self._answer(connection, request):
                        return
            except (OSError, http.client.HTTPException):
                return

    def _read(self, stream):
        line = stream.readline()
        if not line.strip():
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        request = Request(method, target, headers, b"", 0, 0)
        request.body = stream.read(int(request.header("content-length") or 0))
        name = (method, request.path, request.range)
        with self.lock:
            self.numbers[name] += 1
            request.number = self.numbers[name]
            request.total = len(self.seen) + 1
            self.seen.append(request)
        return request

    def _answer(self, connection, request):
        """Answers one request. True when the connection can go on."""
        fault = self.rule(request)
        if fault is None:
            send(connection, request, self.forward(request))
            return True
        return bool(fault(self, connection, request))

    def forward(self, request):
        """What S3 says to this request."""
        upstream = http.client.HTTPConnection(*self.upstream, timeout=60)
        try:
            upstream.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                upstream.putheader(name, value)
            upstream.endheaders(request.body or None)
            reply = upstream.getresponse()
            headers = [(name, value) for name, value in reply.getheaders()
                       if name.lower() not in ("transfer-encoding", "connection", "keep-alive")]
            request.status = reply.status
            return Answer(reply.status, reply.reason, headers, reply.read())
        finally:
            upstream.close()


def head_of(request, answer):
    """Status line and headers, with a Content-Length where S3 sent chunks."""
    headers = list(answer.headers)
    if request.method != "HEAD" and not any(name.lower() == "content-length" for name, _ in headers):
        headers.append(("Content-Length", str(len(answer.body))))
    text = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (text + "\r\n").encode("latin-1")


def send(connection, request, answer):
    body = b"" if request.method == "HEAD" else answer.body
    connection.sendall(head_of(request, answer) + body)


# The faults. Each gives a function (proxy, connection, request) -> "may the connection go on?"

def cut(after_bytes):
    """The right headers and the first bytes of the body, then the connection closes."""
    def fault(proxy, connection, request):
        answer = proxy.forward(request)
        connection.sendall(head_of(request, answer) + answer.body[:after_bytes])
        return False
    return fault


def stall(after_bytes, seconds):
    """The right headers and the first bytes of the body, then silence, then the end."""
    def fault(proxy, connection, request):
        answer = proxy.forward(request)
        connection.sendall(head_of(request, answer) + answer.body[:after_bytes])
        proxy.closing.wait(seconds)
        return False
    return fault


def reset():
    """The connection is reset before any answer."""
    def fault(proxy, connection, request):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return fault


def status(code, body=b"", content_type="application/xml", headers=()):
    """An answer of our own; S3 isn't asked."""
    def fault(proxy, connection, request):
        send(connection, request, Answer(code, "Fault", [
            ("Content-Type", content_type), ("Content-Length", str(len(body))), *headers], body))
        return True
    return fault


def hang(seconds):
    """Accepted, never answered, ended after so many seconds."""
    def fault(proxy, connection, request):
        proxy.closing.wait(seconds)
        return False
    return fault


def drip(piece_bytes, pause_s, pieces):
    """The right answer, its first pieces in small portions with pauses between them."""
    def fault(proxy, connection, request):
        answer = proxy.forward(request)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head_of(request, answer))
        body = b"" if request.method == "HEAD" else answer.body
        for number in range(pieces):
            connection.sendall(body[number * piece_bytes:(number + 1) * piece_bytes])
            if proxy.closing.wait(pause_s):
                return False
        connection.sendall(body[pieces * piece_bytes:])
        return True
    return fault


def cut_headers(after_bytes):
    """The connection ends in the middle of the answer's headers."""
    def fault(proxy, connection, request):
        connection.sendall(head_of(request, proxy.forward(request))[:after_bytes])
        return False
    return fault


def garbage():
    """Bytes that aren't HTTP."""
    def fault(proxy, connection, request):
        connection.sendall(bytes(range(256)) * 4)
        return False
    return fault


def delay(seconds):
    """The right answer, late."""
    def fault(proxy, connection, request):
        time.sleep(seconds)
        send(connection, request, proxy.forward(request))
        return True
    return fault


def change(edit):
    """S3's answer after `edit(answer)`. Content-Length stays right unless `edit` sets one."""
    def fault(proxy, connection, request):
        answer = proxy.forward(request)
        before = len(answer.body)
        edit(answer)
        if len(answer.body) != before:
            set_header(answer, "Content-Length", str(len(answer.body)))
        send(connection, request, answer)
        return True
    return fault


def set_header(answer, name, value):
    answer.headers = [(n, v) for n, v in answer.headers if n.lower() != name.lower()]
    if value is not None:
        answer.headers.append((name, value))


def with_header(name, value):
    """S3's answer with one header changed, or left out when the value is None."""
    return change(lambda answer: set_header(answer, name, value))


def whole(content):
    """A server that does not know ranges: status 200 and all of the object."""
    def edit(answer):
        answer.status, answer.reason, answer.body = 200, "OK", content
        set_header(answer, "Content-Range", None)
        set_header(answer, "Content-Length", str(len(content)))
    return change(edit)


def shorten(by_bytes):
    """A body that is shorter than its Content-Range says, with a Content-Length that agrees."""
    def edit(answer):
        answer.body = answer.body[:-by_bytes]
    return change(edit)
