"""Brings one file over HTTP into a ``.part`` file beside its place, and goes on where an earlier attempt stopped.

The server is believed in nothing: bytes are counted, a resumed piece must start where it was asked to, and what a
changed file left behind is thrown away (``If-Range`` with the validator that a small side file remembers).
"""

from __future__ import annotations

import email.utils
import errno
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import msgspec

from vismark import __version__
from vismark.problems import Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.runtime.space import need_room

Progress = Callable[[int, int | None], None]

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_CHUNK = 1 << 16
# An attempt that brought this much was no failure, even if it was cut off.
_GOOD = 1 << 20


@dataclass(frozen=True)
class Patience:
    """How long a transfer goes on against a bad line.

    Attributes:
        attempts: failures in a row before giving up; one that brought a mebibyte starts the count anew.
        stall: seconds without a byte after which the connection is dropped.
        pause: seconds before the second attempt, doubled for each later one and spread at random.
        longest: most seconds to wait, also when the server asks for more.
        most_bytes: bound on a file of unknown size.
    """

    attempts: int = 8
    stall: float = 30.0
    pause: float = 1.0
    longest: float = 60.0
    most_bytes: int = 100 << 30


class _Origin(msgspec.Struct, frozen=True):
    """What a ``.part`` file is a part of: its address, its validator ("" is none), and its size where it is known."""

    url: str
    validator: str
    total: int | None


class _Again(Exception):
    """This attempt failed, the next one may not; `wait` is what the server asked for, in seconds."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class Transfer:
    """One file on its way.

    Args:
        url: http or https address.
        part: where the bytes are collected; kept for the next attempt unless `discard` is called.
        size: bytes that the file must have, or None.
        progress: is told (bytes so far, total or None).
    """

    def __init__(self, url: str, part: Path, size: int | None, progress: Progress | None, patience: Patience) -> None:
        self.url = url
        self.part = part
        self.resumed = False
        self._size = size
        self._progress = progress or (lambda done, total: None)
        self._patience = patience
        self._side = part.with_name(part.name + ".origin")

    def run(self) -> None:
        """Bring the file, whole as far as its size tells.

        Raises:
            vismark.problems.Refused: FETCH_NOT_FOUND, FETCH_FORBIDDEN, FETCH_STATUS, FETCH_ADDRESS, FETCH_SIZE,
                DISK_SPACE, or FETCH_FAILED after the last attempt.
        """
        left = self._patience.attempts
        with self._client() as client:
            while True:
                before = self._have()
                try:
                    return self._attempt(client)
                except _Again as error:
                    left = self._patience.attempts if self._have() >= before + _GOOD else left - 1
                    if left <= 0:
                        raise self._failed(str(error)) from error
                    self._wait(self._patience.attempts - left, error.wait)

    def discard(self) -> None:
        """Throw away what was brought."""
        self.part.unlink(missing_ok=True)
        self._side.unlink(missing_ok=True)

    def done(self) -> None:
        """Forget the side file, after the ``.part`` file has moved to its place."""
        self._side.unlink(missing_ok=True)

    def _attempt(self, client: httpx.Client) -> None:
        origin, start = self._resume_point()
        if origin and start and start == origin.total:
            self.resumed = True
            return
        headers = {}
        if start:
            headers["Range"] = f"bytes={start}-"
            if origin and origin.validator:
                headers["If-Range"] = origin.validator
        with self._errors(), client.stream("GET", self.url, headers=headers) as response:
            self._check_status(response)
            start = self._check_range(response, start) if response.status_code == 206 else 0
            self._receive(response, start)

    def _resume_point(self) -> tuple[_Origin | None, int]:
        """What the part file belongs to and how many of its bytes can be kept."""
        try:
            origin = msgspec.json.decode(self._side.read_bytes(), type=_Origin)
        except (OSError, msgspec.DecodeError):
            origin = None
        have = self._have()
        total = self._size if self._size is not None else origin and origin.total
        # Without a validator only the final digest can tell whether the halves fit: `fetch` then starts over once.
        usable = origin is not None and origin.url == self.url and (origin.validator or self._size is not None)
        if have and (not usable or (total is not None and have > total)):
            self.discard()
            return None, 0
        return origin, have

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (200, 206):
            return
        if status == 416:
            self.discard()
            raise _Again("the server has no bytes after those that are here (416)")
        if status in _AGAIN or status >= 500:
            raise _Again(f"the server answers {status}", _asked_wait(response))
        raise _status_refusal(status, self.url)

    def _check_range(self, response: httpx.Response, start: int) -> int:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start:
            self.discard()
            raise _Again("the server sent another piece of the file than the one that was asked for")
        return start

    def _receive(self, response: httpx.Response, start: int) -> None:
        total = self._total(response, start)
        bound = self._patience.most_bytes if total is None else total
        if start == 0:
            self.discard()
            write_bytes(self._side, msgspec.json.encode(_Origin(self.url, _validator(response), total)))
        else:
            self.resumed = True
        need_room(self.part.parent, (total or 0) - start)
        with self.part.open("ab") as file:
            for piece in response.iter_raw(_CHUNK):
                start += len(piece)
                if start > bound:
                    raise self._wrong_size(f"more than {bound:,}", bound)
                file.write(piece)
                self._progress(start, total)
        if total is not None and start < total:
            raise _Again(f"the connection ended after {start:,} of {total:,} bytes")

    def _total(self, response: httpx.Response, start: int) -> int | None:
        """Size of the whole file; what the server says must agree with what is known."""
        length = response.headers.get("Content-Length", "")
        said = start + int(length) if re.fullmatch(r"\d{1,18}", length) else None
        if said is not None and said > self._patience.most_bytes and self._size is None:
            raise self._wrong_size(f"{said:,}", self._patience.most_bytes)
        if self._size is not None and said not in (None, self._size):
            raise self._wrong_size(f"{said:,}", self._size)
        framed = said is not None or "chunked" in response.headers.get("Transfer-Encoding", "")
        if self._size is None and not framed:
            raise refuse(
                "FETCH_LENGTH",
                "the server does not say how long the file is, and no source does: a cut-off file would look whole",
                file=self.part.stem,
                value=self.url,
                fix="Download it by hand and give it with --mirror.",
            )
        return self._size if self._size is not None else said

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Faults of the line mean another attempt; faults of the address or of the disk end the work."""
        try:
            yield
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise _bad_address(self.url, str(error)) from error
        except httpx.HTTPError as error:
            raise _Again(str(error) or type(error).__name__) from error

    def _client(self) -> httpx.Client:
        def checked(request: httpx.Request) -> None:
            secure = self.url.startswith("https:")
            if request.url.scheme not in ("https", "http") or (secure and request.url.scheme != "https"):
                raise _bad_address(self.url, f"it leads to {request.url}")

        return httpx.Client(
            follow_redirects=True,
            max_redirects=10,
            timeout=self._patience.stall,
            headers={"Accept-Encoding": "identity", "User-Agent": f"vismark/{__version__}"},
            event_hooks={"request": [checked]},
        )
