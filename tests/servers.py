"""A server of the tests at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread


@contextmanager
def at_work(server: ThreadingHTTPServer) -> Iterator[None]:
    """Have the server answer in a thread of its own until it is left."""
    # So often it looks whether it is to stop: by default every test with a server would wait half a second at its end.
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
