"""A file server on the loopback interface that misbehaves on demand.

A `Server` serves one file; `script` says how each request is treated, in order, and the last behaviour stays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Hands every GET to the next behaviour of the script."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer one request."""
        served = self.server
        with served.lock:
            served.requests.append({key.lower(): value for key, value in self.headers.items()})
            behaviour = served.script.pop(0) if len(served.script) > 1 else served.script[0]
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            behaviour(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def head(self, status: int, **headers: object) -> None:
        """Send status and headers, ``_`` standing for ``-``."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()


Behaviour = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    """The server; `requests` are the headers of every request so far."""

    daemon_threads = True

    def __init__(self, content: bytes, *script: Behaviour, etag: str = '"v1"') -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.script = list(script) or [honest]
        self.etag = etag
        self.requests: list[dict[str, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Address of the file."""
        return f"http://127.0.0.1:{self.server_address[1]}/file.bin"


@contextmanager
def serving(content: bytes, *script: Behaviour, etag: str = '"v1"') -> Iterator[Server]:
    """A running server of `content`."""
    server = Server(content, *script, etag=etag)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _offset(handler: Handler) -> int:
    """Where the asked piece starts, if a piece is asked for and the validator still holds."""
    wanted = handler.headers.get("Range", "")
    tag = handler.headers.get("If-Range", handler.server.etag)
    return int(wanted[6:-1]) if wanted and tag == handler.server.etag else 0


def _start(handler: Handler) -> bytes:
    """Honest headers; returns the body that belongs to them."""
    content, start, tag = handler.server.content, _offset(handler), handler.server.etag
    tags = {"ETag": tag} if tag else {}
    body = content[start:]
    if start >= len(content) > 0 and start:
        handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
        return b""
    if start:
        piece = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206, Content_Range=piece, Content_Length=len(body), **tags)
    else:
        handler.head(200, Content_Length=len(body), Accept_Ranges="bytes", **tags)
    return body


def honest(handler: Handler) -> None:
    """What a good server does."""
    handler.wfile.write(_start(handler))


def dropping(after: int) -> Behaviour:
    """Cut the connection after some bytes."""
    return lambda handler: void(handler.wfile.write(_start(handler)[:after]))


def stalling(after: int, seconds: float) -> Behaviour:
    """Send some bytes, then nothing."""

    def behave(handler: Handler) -> None:
        handler.wfile.write(_start(handler)[:after])
        handler.wfile.flush()
        time.sleep(seconds)

    return behave


def throttled(piece: int, pause: float) -> Behaviour:
    """Send slowly."""

    def behave(handler: Handler) -> None:
        body = _start(handler)
        for at in range(0, len(body), piece):
            handler.wfile.write(body[at : at + piece])
            handler.wfile.flush()
            time.sleep(pause)

    return behave


def without_range(handler: Handler) -> None:
    """Send all of it whatever is asked for."""
    content = handler.server.content
    handler.head(200, Content_Length=len(content), ETag=handler.server.etag)
    handler.wfile.write(content)


def wrong_piece(handler: Handler) -> None:
    """Answer a request for a piece with the piece that starts at 0."""
    content = handler.server.content
    piece = f"bytes 0-{len(content) - 1}/{len(content)}"
    handler.head(206, Content_Range=piece, Content_Length=len(content), ETag=handler.server.etag)
    handler.wfile.write(content)


def status(code: int, **headers: object) -> Behaviour:
    """Answer with a status and no content."""
    return lambda handler: handler.head(code, Content_Length=0, **headers)


def listing(files: dict[str, bytes]) -> Behaviour:
    """Serve several files by their paths, and nothing else."""

    def behave(handler: Handler) -> None:
        body = files.get(handler.path)
        handler.head(200 if body is not None else 404, Content_Length=len(body or b""))
        handler.wfile.write(body or b"")

    return behave


def claiming(length: int) -> Behaviour:
    """Send the file under another length."""

    def behave(handler: Handler) -> None:
        handler.head(200, Content_Length=length)
        handler.wfile.write(handler.server.content)

    return behave


def chunked(extra: bytes = b"", *, short: int = 0) -> Behaviour:
    """Send the file in chunks, without saying how long it is; with `extra` bytes behind it or `short` bytes less."""

    def behave(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked", ETag=handler.server.etag)
        body = handler.server.content[: len(handler.server.content) - short] + extra
        for at in range(0, len(body), 50_000):
            piece = body[at : at + 50_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return behave


def endless(handler: Handler) -> None:
    """Send chunks of zeros for ever."""
    handler.head(200, Transfer_Encoding="chunked")
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")


def unframed(handler: Handler) -> None:
    """Send the file without any length; its end is the end of the connection."""
    handler.head(200)
    handler.wfile.write(handler.server.content)


def void(_: object) -> None:
    """Nothing."""
