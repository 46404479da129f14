"""The tables of pycocoevalcap: read once, then mapped; what is not there is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vismark.formats.paraphrases import Paraphrases, pack
from vismark.instruments import caption_data, caption_files
from vismark.instruments.caption_data import meteor_tables
from vismark.problems import Missing

LINES = [b"0.5\n", b"a lot of\n", b"many\n", b"0.1\n", b"a lot of\n", b"lots of\n", b"0.2\n", b"big\n", b"large\n"]


def test_paraphrases_keep_their_order(tmp_path: Path) -> None:
    told: list[int] = []
    pack(LINES, tmp_path / "t", told.append)
    table = Paraphrases(tmp_path / "t")
    assert table.of("a lot of") == ["many", "lots of"]
    assert table.of("big") == ["large"]
    assert table.of("a lot") is None
    assert sum(told) == 9


def test_a_phrase_at_two_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two places"):
        pack([*LINES, *LINES[:3]], tmp_path / "t")


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"{}\n" + data, lambda data: b"\xff" + data])
def test_a_damaged_table_is_refused(tmp_path: Path, damage: object) -> None:
    pack(LINES, tmp_path / "t")
    (tmp_path / "t").write_bytes(damage((tmp_path / "t").read_bytes()))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"no table of paraphrases|not whole"):
        Paraphrases(tmp_path / "t")


def test_the_whole_table_against_the_official_one() -> None:
    import gzip

    tables = meteor_tables()
    assert len(tables.function_words) == 93
    expected: dict[str, list[str]] = {}
    with gzip.open(caption_files.official_file(caption_files.PARAPHRASES), "rt", encoding="utf-8") as lines:
        for _, (_, phrase, other) in zip(range(30_000), zip(lines, lines, lines, strict=False), strict=False):
            expected.setdefault(phrase[:-1], []).append(other[:-1])
    # The last block was cut by the range.
    expected.popitem()
    assert {phrase: tables.paraphrases.of(phrase) for phrase in expected} == expected


def test_a_damaged_table_in_the_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(caption_data, "_make", lambda source, path: (made.append(path), pack(LINES, path)))
    for content in (None, b"", b"{}"):
        if content is not None:
            made[0].write_bytes(content)
        else:
            (tmp_path / "captions").mkdir()
        assert caption_data._paraphrases().of("big") == ["large"]
    assert len(made) == 3
    assert caption_data._paraphrases().of("big") == ["large"]
    assert len(made) == 3


def test_loading_is_quick_after_the_first_time() -> None:
    meteor_tables()
    code = (
        "import time; start = time.perf_counter()\n"
        "from vismark.instruments.caption_data import meteor_tables; meteor_tables()\n"
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Under 0.5 s on an idle core; the promise is 2 s.
    assert float(done.stdout) < 10


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_files, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"vismark\[captions\]"):
        caption_files.present(caption_files.METEOR)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.jar").write_bytes(b"x")
    monkeypatch.setattr(caption_files, "present", lambda name: tmp_path / "other.jar")
    with pytest.raises(Missing, match=r"not that of version 1\.2"):
        caption_files.official_file.__wrapped__(caption_files.METEOR)
