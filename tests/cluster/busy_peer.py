"""A node that has no time for anybody: busy_peer.py PORT answers every GET late, with 503. Prints a line once it listens."""

import http.server
import sys
import time

ANSWERS_AFTER_S = 0.06   # longer than a busy node is left alone (policy/want)


class Busy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(ANSWERS_AFTER_S)
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *ignored):
        pass


server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Busy)
print("listening", flush=True)
server.serve_forever()
