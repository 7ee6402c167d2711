"""A tiny S3 with one object of any size: a sparse local file, served in ranges. Nothing is held in memory.

    with BigObject(path) as server:
        ... a job with AWS_ENDPOINT_URL_S3=server.url and WARMPATH_MAP=/big=s3://BUCKET ...
"""

import email.utils
import http.server
import os
import re

import loopback

BUCKET, KEY, ETAG = "big-bucket", "big", '"0123456789abcdef"'
LISTING = """<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{entries}
</ListBucketResult>"""
ENTRY = "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"


class BigObject(loopback.Loopback):
    def __init__(self, path, key=KEY):
        self.path = path
        self.key = key
        self.size = os.path.getsize(path)
        self.fetched = 0
        self.serve(self._handler())

    def _handler(big):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *ignored):
                pass

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if path == f"/{BUCKET}/{big.key}":
                    self.object()
                elif path.strip("/") == BUCKET and "list-type" in query:
                    prefix = re.search(r"(?:^|&)prefix=([^&]*)", query)
                    here = big.key.startswith(prefix.group(1) if prefix else "")
                    entries = ENTRY.format(key=big.key, etag=ETAG, size=big.size) if here else ""
                    self.answer(200, LISTING.format(bucket=BUCKET, prefix=prefix.group(1) if prefix else "", count=int(here), entries=entries).encode())
                else:
                    self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

            do_HEAD = do_GET

            def object(self):
                first, last = 0, big.size - 1
                if span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                    first, last = int(span.group(1)), min(int(span.group(2) or last), last)
                big.fetched += last - first + 1
                with open(big.path, "rb") as file:
                    body = os.pread(file.fileno(), last - first + 1, first) if self.command == "GET" else b""
                self.answer(206 if span else 200, body, **{"Content-Range": f"bytes {first}-{last}/{big.size}"} if span else {},
                            ETag=ETAG, **{"Accept-Ranges": "bytes"})

            def answer(self, status, body, **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) or (big.size if self.command == "HEAD" else 0)))
                self.send_header("Last-Modified", email.utils.formatdate(1704067200, usegmt=True))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        return Handler
