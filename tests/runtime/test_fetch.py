"""The download engine against a server that does everything wrong: the right file or a clear refusal, nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from loopback import (
    Behaviour,
    chunked,
    claiming,
    dropping,
    endless,
    honest,
    serving,
    stalling,
    status,
    throttled,
    unframed,
    without_range,
    wrong_piece,
)

from vismark.problems import Missing, Refused, Usage
from vismark.runtime.fetch import Patience, fetch, fetch_hub
from vismark.runtime.pins import Pin, pin, pinned

DATA = random.Random(1).randbytes(300_000)
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
OTHER = random.Random(2).randbytes(300_000)
QUICK = Patience(attempts=4, stall=0.3, pause=0.001, longest=0.05)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "root" / "sub" / "file.bin"


def refusal(caught: pytest.ExceptionInfo[Refused]) -> str:
    """The code of the one finding, which must come with a remedy."""
    (problem,) = caught.value.problems
    assert problem.fix or problem.code == "DISK_SPACE"
    return problem.code


def only(target: Path) -> bool:
    """Whether the finished file is all that is left in its folder."""
    return [path.name for path in target.parent.iterdir()] == [target.name]


RECOVERABLE: dict[str, list[Behaviour]] = {
    "honest": [honest],
    "drops": [dropping(100_000), dropping(50_000), dropping(0), honest],
    "drops, then ignores Range": [dropping(100_000), without_range],
    "drops, then sends the wrong piece": [dropping(100_000), wrong_piece, honest],
    "drops, then 416": [dropping(100_000), status(416), honest],
    "stalls": [stalling(100_000, 1.0), honest],
    "stalls before the first byte": [stalling(0, 1.0), honest],
    "429": [status(429, Retry_After="0"), honest],
    "500, 502, 503": [status(500), status(502), status(503, Retry_After="1"), honest],
    "chunked": [chunked()],
    "chunked but short": [chunked(short=1000), honest],
    "no length, the source states the size": [unframed],
    "redirect": [status(302, Location="/elsewhere"), honest],
}


@pytest.mark.parametrize("script", RECOVERABLE.values(), ids=RECOVERABLE.keys())
def test_ends_in_the_right_file(target: Path, script: list[Behaviour]) -> None:
    with serving(DATA, *script) as server:
        fetched = fetch(server.url, target, bytes=len(DATA), digest=DIGEST, patience=QUICK)
    assert target.read_bytes() == DATA
    assert (fetched.path, fetched.bytes, fetched.digest, fetched.pinned) == (target, len(DATA), DIGEST, False)
    assert only(target)


REFUSED: dict[str, tuple[str, int, list[Behaviour]]] = {
    "404": ("FETCH_NOT_FOUND", 1, [status(404)]),
    "403": ("FETCH_FORBIDDEN", 1, [status(403)]),
    "418": ("FETCH_STATUS", 1, [status(418)]),
    "500 for ever": ("FETCH_FAILED", 4, [status(500)]),
    "416 for ever": ("FETCH_FAILED", 4, [status(416)]),
    "drops for ever": ("FETCH_FAILED", 4, [dropping(0)]),
    "says more": ("FETCH_SIZE", 1, [claiming(len(DATA) + 1)]),
    "says less": ("FETCH_SIZE", 1, [claiming(len(DATA) - 1)]),
    "sends more": ("FETCH_SIZE", 1, [chunked(b"more")]),
    "endless": ("FETCH_SIZE", 1, [endless]),
    "file address": ("FETCH_ADDRESS", 1, [status(302, Location="file:///etc/passwd")]),
    "redirects in a circle": ("FETCH_ADDRESS", 11, [status(302, Location="/round")]),
}


@pytest.mark.parametrize(("code", "requests", "script"), REFUSED.values(), ids=REFUSED.keys())
def test_ends_in_a_refusal(target: Path, code: str, requests: int, script: list[Behaviour]) -> None:
    with serving(DATA, *script) as server, pytest.raises(Refused) as caught:
        fetch(server.url, target, bytes=len(DATA), digest=DIGEST, patience=QUICK)
    assert refusal(caught) == code
    assert len(server.requests) == requests
    assert not target.exists()


def test_https_is_never_left(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://127.0.0.1:9/plain"})

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    with pytest.raises(Refused) as caught:
        fetch("https://127.0.0.1:9/file.bin", target, patience=QUICK)
    assert refusal(caught) == "FETCH_ADDRESS"
    assert asked == ["https://127.0.0.1:9/file.bin"]


def test_wrong_bytes_are_removed_and_both_digests_named(target: Path) -> None:
    with serving(OTHER) as server, pytest.raises(Refused) as caught:
        fetch(server.url, target, bytes=len(DATA), digest=DIGEST, patience=QUICK)
    assert refusal(caught) == "FETCH_DIGEST"
    assert DIGEST in str(caught.value) and hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert list(target.parent.iterdir()) == []
    assert len(server.requests) == 1


def test_resumes_where_it_stopped(target: Path) -> None:
    with serving(DATA, dropping(100_000), honest) as server:
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
    assert server.requests[1]["range"] == "bytes=100000-"
    assert server.requests[1]["if-range"] == '"v1"'


def test_resumes_in_a_later_run(target: Path) -> None:
    with serving(DATA, dropping(100_000)) as server:
        with pytest.raises(Refused):
            fetch(server.url, target, digest=DIGEST, patience=Patience(attempts=1))
        server.script = [honest]
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
    assert server.requests[-1]["range"] == "bytes=100000-"
    assert target.read_bytes() == DATA and only(target)


def test_a_file_that_changed_meanwhile_is_started_over(target: Path) -> None:
    with serving(OTHER, dropping(100_000)) as server:
        with pytest.raises(Refused):
            fetch(server.url, target, patience=Patience(attempts=1))
        server.script, server.content, server.etag = [honest], DATA, '"v2"'
        fetch(server.url, target, patience=QUICK)
    assert target.read_bytes() == DATA


def test_halves_that_do_not_fit_are_started_over(target: Path) -> None:
    """Without a validator only the digest can tell; then all of it comes again, once."""
    with serving(OTHER, dropping(100_000), etag="") as server:
        with pytest.raises(Refused):
            fetch(server.url, target, digest=DIGEST, patience=Patience(attempts=1))
        server.script, server.content = [honest], DATA
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
        assert "range" not in server.requests[-1]
    assert target.read_bytes() == DATA


def test_a_whole_part_file_is_only_verified(target: Path) -> None:
    with serving(DATA, dropping(100_000)) as server:
        with pytest.raises(Refused):
            fetch(server.url, target, digest=DIGEST, patience=Patience(attempts=1))
        target.with_name("file.bin.part").write_bytes(DATA)
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
    assert len(server.requests) == 1 and only(target)


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 7])
def test_a_part_file_of_unknown_origin_is_not_trusted(target: Path, size: int) -> None:
    target.parent.mkdir(parents=True)
    target.with_name("file.bin.part").write_bytes(bytes(size))
    with serving(DATA) as server:
        fetch(server.url, target, bytes=len(DATA), digest=DIGEST, patience=QUICK)
    assert target.read_bytes() == DATA and only(target)


def test_retry_after_is_honoured_up_to_the_cap(target: Path) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with serving(DATA, status(503, Retry_After="3600"), status(503, Retry_After=later), honest) as server:
        start = time.monotonic()
        fetch(server.url, target, digest=DIGEST, patience=Patience(pause=0.0, longest=0.2))
        assert 0.4 <= time.monotonic() - start < 5


def test_never_more_than_the_bound_when_the_size_is_unknown(target: Path) -> None:
    for script in (endless, claiming(1_000_001)):
        with serving(DATA, script) as server, pytest.raises(Refused) as caught:
            fetch(server.url, target, patience=Patience(most_bytes=1_000_000))
        assert refusal(caught) == "FETCH_SIZE"
        assert list(target.parent.iterdir()) == []


def test_a_length_nobody_knows_is_refused(target: Path) -> None:
    with serving(DATA, unframed) as server, pytest.raises(Refused) as caught:
        fetch(server.url, target, patience=QUICK)
    assert refusal(caught) == "FETCH_LENGTH"


def test_disk_space_is_checked_before_anything_is_written(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**9, 10**9, 12_345))
    with serving(DATA) as server, pytest.raises(Refused) as caught:
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
    assert refusal(caught) == "DISK_SPACE"
    assert "12,345" in str(caught.value) and "300,000" in str(caught.value)
    assert not target.with_name("file.bin.part").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file in the way")
    with serving(DATA) as server, pytest.raises(Refused) as caught:
        fetch(server.url, tmp_path / "root" / "file.bin", patience=QUICK)
    assert refusal(caught) == "FETCH_WRITE"


def test_progress_reaches_the_total(target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(DATA, dropping(100_000), honest) as server:
        fetch(server.url, target, digest=DIGEST, patience=QUICK, progress=lambda *step: seen.append(step))
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


class TestFilesThatAreThere:
    def test_right_one_is_used_in_place_even_below_a_read_only_root(self, target: Path) -> None:
        target.parent.mkdir(parents=True)
        target.write_bytes(DATA)
        target.parent.chmod(0o555)
        try:
            fetched = fetch("http://127.0.0.1:9/nobody", target, bytes=len(DATA), digest=DIGEST)
        finally:
            target.parent.chmod(0o755)
        assert fetched.bytes == len(DATA) and only(target)

    def test_wrong_one_is_refused_and_kept(self, target: Path) -> None:
        target.parent.mkdir(parents=True)
        target.write_bytes(OTHER)
        with pytest.raises(Refused) as caught:
            fetch("http://127.0.0.1:9/nobody", target, digest=DIGEST)
        assert refusal(caught) == "FETCH_DIGEST"
        assert target.read_bytes() == OTHER


class TestPins:
    def test_first_use_pins_and_says_so(self, target: Path) -> None:
        with serving(DATA) as server:
            first = fetch(server.url, target, patience=QUICK)
            again = fetch(server.url, target.with_name("again.bin"), patience=QUICK)
        assert (first.digest, first.pinned) == (DIGEST, True)
        assert (again.digest, again.pinned) == (DIGEST, False)
        record = pinned(server.url)
        assert record is not None and (record.bytes, record.digest) == (len(DATA), DIGEST)

    def test_another_file_under_a_pinned_address_is_refused(self, target: Path) -> None:
        with serving(DATA) as server:
            fetch(server.url, target, patience=QUICK)
            server.content = OTHER
            with pytest.raises(Refused) as caught:
                fetch(server.url, target.with_name("again.bin"), patience=QUICK)
        assert refusal(caught) == "FETCH_DIGEST"
        assert DIGEST in str(caught.value) and hashlib.sha256(OTHER).hexdigest() in str(caught.value)
        assert "pinned" in str(caught.value)
        assert only(target)

    def test_a_broken_record_is_refused(self, target: Path, tmp_path: Path) -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "pins.jsonl").write_text("{\n")
        with pytest.raises(Refused) as caught:
            fetch("http://127.0.0.1:9/nobody", target)
        assert refusal(caught) == "PINS_BROKEN"


class TestMirrors:
    def test_folder_is_linked_after_verification(self, target: Path, tmp_path: Path) -> None:
        copy = tmp_path / "mirror" / "sub" / "file.bin"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(DATA)
        url = "http://127.0.0.1:9/nobody"
        fetched = fetch(url, target, digest=DIGEST, mirror=tmp_path / "mirror", name="sub/file.bin")
        assert target.read_bytes() == DATA and only(target)
        assert fetched.bytes == len(DATA)
        assert target.samefile(copy)

    def test_other_disk_is_copied(self, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse_link(*_: object) -> None:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", refuse_link)
        (tmp_path / "file.bin").write_bytes(DATA)
        fetch("http://127.0.0.1:9/nobody", target, digest=DIGEST, mirror=tmp_path)
        assert target.read_bytes() == DATA and not target.samefile(tmp_path / "file.bin")

    @pytest.mark.parametrize(("content", "code"), [(OTHER, "FETCH_DIGEST"), (None, "FETCH_MIRROR")])
    def test_wrong_or_absent_copy_is_refused(
        self, target: Path, tmp_path: Path, content: bytes | None, code: str
    ) -> None:
        copy = tmp_path / "file.bin"
        if content:
            copy.write_bytes(content)
        with pytest.raises(Refused) as caught:
            fetch("http://127.0.0.1:9/nobody", target, digest=DIGEST, mirror=tmp_path)
        assert refusal(caught) == code
        assert list(target.parent.iterdir()) == []
        assert copy.exists() == bool(content)

    def test_base_address_is_asked_instead(self, target: Path) -> None:
        with serving(DATA) as server:
            base = server.url.rpartition("/")[0]
            fetch("http://127.0.0.1:9/nobody", target, digest=DIGEST, mirror=base, name="a b/file.bin", patience=QUICK)
        assert target.read_bytes() == DATA


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "/etc/passwd", "hf://datasets/a/b/c"])
def test_other_addresses_are_wrong_usage(target: Path, url: str) -> None:
    with pytest.raises(Usage):
        fetch(url, target)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:12", "crc32:00000000", "0" * 64])
def test_malformed_digests_are_wrong_usage(target: Path, digest: str) -> None:
    with pytest.raises(Usage):
        fetch("http://127.0.0.1:9/nobody", target, digest=digest)


class TestHub:
    URL = "hf://datasets/owner/name@abc123/folder/file.bin"

    def test_file_comes_from_the_hubs_cache(
        self, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "blob").write_bytes(DATA)
        (tmp_path / "snapshot").symlink_to(tmp_path / "blob")
        asked = []

        def download(*where: str, **how: str) -> str:
            asked.append((where, how))
            return str(tmp_path / "snapshot")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        fetched = fetch_hub(self.URL, target, digest=DIGEST)
        assert asked == [(("owner/name", "folder/file.bin"), {"repo_type": "dataset", "revision": "abc123"})]
        assert target.read_bytes() == DATA and not target.is_symlink() and fetched.bytes == len(DATA)

    def test_offline_and_not_in_the_cache_is_missing(
        self, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        with pytest.raises(Missing, match=r"folder/file\.bin.*--mirror"):
            fetch_hub(self.URL, target)

    def test_unforeseen_failures_are_refusals(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def download(*_: str, **__: str) -> str:
            raise RuntimeError("the line is dead")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        with pytest.raises(Refused) as caught:
            fetch_hub(self.URL, target)
        assert refusal(caught) == "FETCH_FAILED"

    def test_mirror_is_used_instead(self, target: Path, tmp_path: Path) -> None:
        (tmp_path / "file.bin").write_bytes(DATA)
        assert fetch_hub(self.URL, target, mirror=tmp_path).pinned
        assert target.read_bytes() == DATA

    @pytest.mark.parametrize("url", ["hf://name", "http://x/y", "hf://datasets/owner/name"])
    def test_other_addresses_are_wrong_usage(self, target: Path, url: str) -> None:
        with pytest.raises(Usage):
            fetch_hub(url, target)


CHILD = """
import sys
from pathlib import Path
from vismark.runtime.fetch import fetch
fetched = fetch(sys.argv[1], Path(sys.argv[2]), digest=sys.argv[3] or None)
print(fetched.digest)
"""


def child(url: str, target: Path, digest: str = DIGEST) -> subprocess.Popen[str]:
    """Another process that fetches the same file."""
    command = [sys.executable, "-c", CHILD, url, str(target), digest]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_at_ten_random_points_ends_byte_identical(target: Path) -> None:
    """Each child dies after a random number of further bytes; the next one goes on. The last one finishes."""
    points = random.Random(3)
    part = target.with_name("file.bin.part")
    with serving(DATA, throttled(2_000, 0.001)) as server:
        for _ in range(10):
            have = part.stat().st_size if part.exists() else 0
            stop = have + points.randrange(0, 25_000)
            process = child(server.url, target)
            while process.poll() is None and (not part.exists() or part.stat().st_size <= stop):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert not target.exists(), "the file came too fast for the kills to mean anything"
        server.script = [honest]
        fetch(server.url, target, digest=DIGEST, patience=QUICK)
    assert target.read_bytes() == DATA and only(target)
    assert sum("range" in request for request in server.requests) >= 9


@pytest.mark.parametrize("digest", [DIGEST, ""], ids=["digest", "pinned"])
def test_two_processes_download_once(target: Path, digest: str, tmp_path: Path) -> None:
    with serving(DATA, throttled(10_000, 0.01)) as server:
        both = [child(server.url, target, digest) for _ in range(2)]
        outputs = [process.communicate(timeout=60) for process in both]
    assert [output for output, _ in outputs] == [DIGEST + "\n"] * 2, outputs
    assert len(server.requests) == 1
    assert target.read_bytes() == DATA and only(target)
    assert list((tmp_path / "cache" / "locks").iterdir()) == []


def test_the_pins_are_plain_lines(target: Path, tmp_path: Path) -> None:
    with serving(DATA) as server:
        fetch(server.url, target, patience=QUICK)
    line = {"url": server.url, "bytes": len(DATA), "digest": DIGEST}
    assert json.loads((tmp_path / "cache" / "pins.jsonl").read_text()) == line


def test_a_half_written_pin_is_none_and_thousands_cost_little(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "pins.jsonl"
    assert pin("http://a/1", Pin(1, DIGEST)) == Pin(1, DIGEST)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"url":"http://a/2","by')
    assert pinned("http://a/2") is None
    pin("http://a/3", Pin(3, DIGEST))
    assert file.read_bytes().startswith(whole) and len(file.read_bytes().splitlines()) == 2
    assert pin("http://a/1", Pin(9, DIGEST)) == Pin(1, DIGEST), "the first use counts"
    start = time.process_time()
    for number in range(3000):
        pin(f"http://b/{number}", Pin(number, DIGEST))
    assert time.process_time() - start < 3
    file.unlink()
    assert pinned("http://a/1") is None, "without the file everything is trusted anew"
