"""Brings one file over HTTP into a ``.part`` file beside its place, and goes on where an earlier attempt stopped.

The server is believed in nothing: bytes are counted, a resumed piece must start where it was asked to, and what a
changed file left behind is thrown away (``If-Range`` with the validator that a small side file remembers).
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from vismark import __version__
from vismark.problems import Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.runtime.space import need_room

Progress = Callable[[int, int | None], None]

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
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

    attempts: int = 6
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
        digest: what the caller will compare, or None: then halves are joined only where a validator says they fit.
        progress: is told (bytes so far, total or None).
    """

    def __init__(
        self, url: str, part: Path, size: int | None, digest: str | None, patience: Patience, progress: Progress | None
    ) -> None:
        self.url = url
        self.part = part
        self.resumed = False
        self._size = size
        self._digest = digest
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
        known = origin.total if origin and self._size is None else self._size
        self.resumed = start > 0
        if start and start == known:
            return
        headers = {}
        if start:
            headers["Range"] = f"bytes={start}-"
            if origin and origin.validator:
                headers["If-Range"] = origin.validator
        with self._errors(), client.stream("GET", self.url, headers=headers) as response:
            self._check_status(response)
            start = self._check_range(response, start) if response.status_code == 206 else 0
            self._receive(response, start, self._total(response, known if start else self._size))

    def _resume_point(self) -> tuple[_Origin | None, int]:
        """What the part file belongs to and how many of its bytes can be kept."""
        try:
            origin = msgspec.json.decode(self._side.read_bytes(), type=_Origin)
        except (OSError, msgspec.DecodeError):
            origin = None
        have = self._have()
        # Without a validator only the digest can tell whether the halves fit: `fetch` then starts over once.
        usable = origin is not None and origin.url == self.url and bool(origin.validator or self._digest)
        if have and (not usable or (self._size is not None and have > self._size)):
            self.discard()
            return None, 0
        return origin, have

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

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

    def _total(self, response: httpx.Response, known: int | None) -> int | None:
        """Size of the whole file; what the server says must agree with what is known."""
        said = _announced(response)
        if said is not None and known is None and said > self._patience.most_bytes:
            raise self._wrong_size(f"{said:,}", f"at most {self._patience.most_bytes:,}")
        if said is not None and known not in (None, said):
            raise self._wrong_size(f"{said:,}", f"{known:,}")
        if said is None and known is None and not self._digest and not _is_chunked(response):
            raise refuse(
                "FETCH_LENGTH",
                "neither the server nor any source says how long the file is: a cut-off file would look whole",
                file=self.part.stem,
                value=self.url,
                fix="Download it by hand and give its folder with --mirror.",
            )
        return known if known is not None else said

    def _receive(self, response: httpx.Response, start: int, total: int | None) -> None:
        bound = self._patience.most_bytes if total is None else total
        self.resumed = start > 0
        if start == 0:
            # In this order, so that a kill in between never leaves old bytes under a new validator.
            self.discard()
            write_bytes(self._side, msgspec.json.encode(_Origin(self.url, _validator(response), total)))
        need_room(self.part.parent, (total or start) - start)
        with self.part.open("ab") as file:
            for piece in response.iter_raw():
                start += len(piece)
                if start > bound:
                    raise self._wrong_size(f"more than {bound:,}", f"{bound:,}")
                file.write(piece)
                self._progress(start, total)
        if total is not None and start < total:
            raise _Again(f"the connection ended after {start:,} of {total:,} bytes")

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

    def _wait(self, failures: int, asked: float) -> None:
        wish = self._patience.pause * 2.0 ** (max(failures, 1) - 1) * random.uniform(0.5, 1.5)
        time.sleep(min(max(wish, asked), self._patience.longest))

    def _wrong_size(self, got: str, expected: str) -> Refused:
        self.discard()
        return refuse(
            "FETCH_SIZE",
            f"the server sends {got} bytes, expected {expected}: the file was changed, or this is an error page",
            file=self.part.stem,
            value=self.url,
            fix="Try again later or from a --mirror; if it stays, the file has a new version: report it.",
        )

    def _failed(self, why: str) -> Refused:
        return refuse(
            "FETCH_FAILED",
            f"could not be fetched after {self._patience.attempts} attempts: {why}",
            file=self.part.stem,
            value=self.url,
            fix="What has arrived is kept: run the same command again to go on, or use --mirror.",
        )


def _announced(response: httpx.Response) -> int | None:
    """Size of the whole file, as the server states it."""
    piece = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    text = piece[3] if piece and response.status_code == 206 else response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _is_chunked(response: httpx.Response) -> bool:
    return "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def _validator(response: httpx.Response) -> str:
    """What ``If-Range`` may carry: a strong ETag, else the date of the last change, else ""."""
    tag = str(response.headers.get("ETag", ""))
    if tag.startswith('"'):
        return tag
    return str(response.headers.get("Last-Modified", ""))


def _asked_wait(response: httpx.Response) -> float:
    """Seconds that ``Retry-After`` asks for (a number or a date); 0 without one."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _status_refusal(status: int, url: str) -> Refused:
    name = url.rpartition("/")[2]
    if status in (404, 410):
        fix = "It has moved or was withdrawn: look at the data set's homepage, or give a copy with --mirror."
        return refuse("FETCH_NOT_FOUND", f"is not there ({status})", file=name, value=url, fix=fix)
    if status in (401, 403, 407, 451):
        fix = "It may need a licence to be accepted or a proxy: fetch it by hand and give its folder with --mirror."
        return refuse("FETCH_FORBIDDEN", f"the server does not give it to us ({status})", file=name, value=url, fix=fix)
    fix = "Try again later, or give a copy with --mirror."
    return refuse("FETCH_STATUS", f"the server answers {status}", file=name, value=url, fix=fix)


def _bad_address(url: str, why: str) -> Refused:
    return refuse(
        "FETCH_ADDRESS",
        f"cannot be fetched from this address: {why}",
        value=url,
        fix="Only http and https are followed, and never from https to http.",
    )
