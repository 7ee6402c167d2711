"""The life of a fake server: on a free loopback port from the start, gone with its `with` block."""

import http.server
import sys
import threading


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *request):
        """A client that hung up (a request that was given up) is nothing to tell of; a fault of the fake is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*request)


class Loopback:
    def serve(self, handler, host="127.0.0.1"):
        self.server = Server((host, 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.server.shutdown()
        self.server.server_close()
