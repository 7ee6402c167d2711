"""A tiny S3 with any number of objects that are all alike: names from a number, bytes from one local file.

    with ManyObjects(path, count=64) as server:
        ... a job with AWS_ENDPOINT_URL_S3=server.url and WARMPATH_MAP=/many=s3://many/DIRECTORY ...

Objects are DIRECTORY/0000000, DIRECTORY/0000001 and so on; nothing is held in memory, so a million of
them costs nothing. Listings come in pages as S3 sends them. `rule(path)` may delay an answer, or fail
it: it gives None, or seconds to wait before the first byte.
"""

import collections
import email.utils
import http.server
import os
import re
import socket
import threading
import time
import urllib.parse

import loopback

BUCKET, DIRECTORY, ETAG = "many", "d", '"0123456789abcdef"'
DIGITS = 7
ENTRY = ('<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>'
         '<ETag>&quot;0123456789abcdef&quot;</ETag><Size>{size}</Size></Contents>')


class ManyObjects(loopback.Loopback):
    def __init__(self, path, count, host="127.0.0.1", tls=None):
        self.path, self.count = path, count
        self.size = os.path.getsize(path)
        self.rule = lambda path: None
        self.closes = False     # each connection after its answer
        self.lock = threading.Lock()
        self.requests = collections.Counter()   # by "GET", "HEAD", "LIST"
        self.addresses = collections.Counter()  # by the address that was connected to
        self.tls, self.resumed = tls, []        # with a context: https, one answer a connection; was its session resumed?
        self.serve(self._handler(), host)
        self.url = self.url.replace("http:", "https:") if tls else self.url

    @staticmethod
    def name(number):
        return f"{number:0{DIGITS}d}"

    def page(self, prefix, token, most):
        """One page of ListObjectsV2 with delimiter "/"."""
        inside, first = prefix == DIRECTORY + "/", int(token or 0)
        numbers = range(first, min(first + most, self.count)) if inside else ()
        entries = "".join(ENTRY.format(key=f"{DIRECTORY}/{self.name(n)}", size=self.size) for n in numbers)
        if not inside and (DIRECTORY + "/").startswith(prefix):
            entries = f"<CommonPrefixes><Prefix>{DIRECTORY}/</Prefix></CommonPrefixes>"
        more = inside and first + most < self.count
        rest = f"<NextContinuationToken>{first + most}</NextContinuationToken>" if more else ""
        return ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><MaxKeys>{most}</MaxKeys>"
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{rest}{entries}</ListBucketResult>").encode()

    def _handler(many):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16

            def setup(self):
                if many.tls:
                    self.request = many.tls.wrap_socket(self.request, server_side=True)
                    many.resumed.append(self.request.session_reused)
                many.addresses[self.request.getsockname()[0]] += 1
                super().setup()

            def log_message(self, *ignored):
                pass

            def do_GET(self):
                path, _, query = self.path.partition("?")
                form = dict(urllib.parse.parse_qsl(query))
                with many.lock:
                    many.requests["LIST" if "list-type" in form else self.command] += 1
                if delay_s := many.rule(path):
                    time.sleep(delay_s)
                if "list-type" in form:
                    self.answer(200, many.page(form.get("prefix", ""), form.get("continuation-token"), int(form["max-keys"])))
                elif (found := re.fullmatch(rf"/{BUCKET}/{DIRECTORY}/(\d{{{DIGITS}}})", path)) and int(found.group(1)) < many.count:
                    self.object()
                else:
                    self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

            do_HEAD = do_GET

            def object(self):
                first, last = 0, many.size - 1
                span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if span:
                    first, last = int(span.group(1)), min(int(span.group(2) or last), last)
                headers = {"Content-Range": f"bytes {first}-{last}/{many.size}"} if span else {}
                self.head(206 if span else 200, last - first + 1, ETag=ETAG, **headers)
                if self.command == "GET":
                    with open(many.path, "rb") as file:
                        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        if many.tls:
                            file.seek(first)
                            self.wfile.write(file.read(last + 1 - first))
                            return
                        while first <= last:
                            first += os.sendfile(self.connection.fileno(), file.fileno(), first, last + 1 - first)

            def head(self, status, length, **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.send_header("Last-Modified", email.utils.formatdate(1704067200, usegmt=True))
                for name, value in headers.items():
                    self.send_header(name, value)
                if many.tls or many.closes:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.flush()

            def answer(self, status, body):
                self.head(status, len(body))
                if self.command == "GET":
                    self.wfile.write(body)

        return Handler
