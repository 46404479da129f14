"""Paths that lead elsewhere: nothing outside the submission is opened, nothing at all is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bounded import MEGABYTES, SECONDS, Report, checked, tree, vismark
from panoptic_builder import Case, build, png_bytes

SECRET = "the secret text"

NAMES: dict[str, str] = {
    "parent": "../secret.png",
    "far parent": "../" * 20 + "etc/passwd",
    "parent in between": "deeper/../../secret.png",
    "parent with backslashes": "..\\secret.png",
    "only the parent": "..",
    "the folder itself": ".",
    "folder": "deeper/first.png",
    "absolute": "/etc/passwd",
    "device": "/dev/zero",
    "drive": "C:\\secret.png",
    "drive without a slash": "C:secret.png",
    "share": "\\\\host\\share\\secret.png",
    "web address": "https://example.org/secret.png",
    "file address": "file:///etc/passwd",
    "stream": "first.png:secret",
    "pattern": "*.png",
    "pipe": "first.png|id",
    "NUL": "000000000139.png\0.txt",
    "line break": "first\n.png",
    "carriage return": "first\r.png",
    "escape sequence": "\x1b[31mfirst.png",
    "bidi override": "first\u202egnp.exe",
    "bidi isolate": "\u2066first.png",
    "zero width": "fir\u200bst.png",
    "line separator": "first\u2028.png",
    "private use": "first\ue000.png",
    "leading dot": ".first.png",
    "empty": "",
    "5,000 characters": "x" * 5000,
    "256 bytes": "é" * 128,
}
ABSENT: dict[str, str] = {
    "home": "~secret.png",
    "variable": "$HOME.png",
    "percent code": "%2e%2e%2fsecret.png",
    "option": "-rf.png",
    "markup": "[red]first.png",
    "blank": " ",
    "look-alike digits": "００００００００0139.png",
    "look-alike letters": "р000000000139.png",
    "255 bytes": "x" * 255,
}


def named(case: Case, name: str) -> None:
    case.first["file_name"] = name
    case.save()
    (case.folder / "secret.png").write_bytes(png_bytes(30, 20) + SECRET.encode())
    (case.png.parent / "deeper").mkdir()
    case.png.rename(case.png.parent / "deeper" / "first.png")


def _instead(make: Callable[[Path], object], name: str = "predictions.json") -> Callable[[Case], None]:
    """Something else in place of a file of the submission."""

    def change(case: Case) -> None:
        path = case.folder / name
        path.unlink(missing_ok=True)
        make(path)

    return change


def _hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def _link_folder(case: Case) -> None:
    folder = case.submission.with_suffix("")
    folder.symlink_to(folder.rename(case.folder / "elsewhere"))


FILES: dict[str, tuple[str, Callable[[Case], None]]] = {
    "no file": ("FILE_MISSING", _instead(lambda p: None)),
    "JSON is a folder": ("SUB_FILE", _instead(lambda p: p.mkdir())),
    "JSON is a pipe": ("FILE_MISSING", _instead(os.mkfifo)),
    "JSON is a link to a device": ("FILE_MISSING", _instead(lambda p: p.symlink_to("/dev/zero"))),
    "JSON is a link to itself": ("FILE_MISSING", _instead(lambda p: p.symlink_to(p.name))),
    "folder is a link": ("SUB_PNG_FOLDER", _link_folder),
    "manifest is broken": ("MANIFEST_FORMAT", _instead(lambda p: p.write_text("[]"), "manifest.json")),
    "manifest is deep": ("MANIFEST_FORMAT", _instead(lambda p: p.write_text('{"settings":' * 99_999), "manifest.json")),
    "manifest of 2 GB": ("FILE_TOO_LARGE", _instead(_hole, "manifest.json")),
    "manifest of another benchmark": (
        "MANIFEST_BENCHMARK",
        _instead(lambda p: p.write_text('{"benchmark":"other","predictor":"p"}'), "manifest.json"),
    ),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("paths")
    calls = {}
    for number, (name, value) in enumerate((NAMES | ABSENT).items()):
        case = build(folder / str(number))
        named(case, value)
        calls[name] = {"submission": str(case.submission), "references": str(case.references)}
    for number, (name, (_, change)) in enumerate(FILES.items()):
        case = build(folder / f"f{number}").save()
        change(case)
        calls[name] = {"submission": str(case.submission), "references": str(case.references)}
    clean = build(folder / "clean").save()
    before = tree(folder)
    found = checked(calls, {"submission": str(clean.submission), "references": str(clean.references)})
    assert tree(folder) == before
    return found


@pytest.mark.parametrize("name", [*NAMES, *ABSENT, *FILES])
def test_refused(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    code = FILES[name][0] if name in FILES else "SUB_PATH" if name in NAMES else "SUB_PNG_MISSING"
    assert not report.raised, report.raised
    assert code in report.codes, report.text
    assert SECRET not in report.text
    assert report.seconds < SECONDS
    assert report.megabytes < MEGABYTES


def test_a_pipe_as_manifest_is_not_waited_for(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    os.mkfifo(tmp_path / "manifest.json")
    call = {"submission": str(case.submission), "references": str(case.references)}
    assert checked({"pipe": call}, call)["pipe"].codes == []


def _png_link(case: Case) -> None:
    secret = case.folder / "secret.png"
    secret.write_bytes(png_bytes(30, 20) + SECRET.encode())
    case.png.unlink()
    case.png.symlink_to(secret)


COMMAND: dict[str, tuple[str, Callable[[Case], object]]] = {
    "path": ("SUB_PATH", lambda c: named(c, "../secret.png")),
    "link": ("SUB_PATH", lambda c: (c.save(), _png_link(c))),
    "depth": ("JSON_DEPTH", lambda c: c.save().submission.write_bytes(b"[" * 100_000)),
    "pixel bomb": ("SUB_PNG_SIZE", lambda c: c.save().png.write_bytes(png_bytes(300_000, 300_000, idat=b""))),
}


@pytest.mark.parametrize("name", COMMAND)
def test_the_command_line_refuses_with_code_1(name: str, tmp_path: Path) -> None:
    code, change = COMMAND[name]
    case = build(tmp_path / "work")
    change(case)
    before = tree(tmp_path)
    words = [case.submission, "--references", case.references]
    for ran in (
        vismark("check", "coco-panoptic", *words),
        vismark("score", "coco-panoptic", *words, "-o", tmp_path / "result.json"),
    ):
        assert ran.returncode == 1
        output = (ran.stdout + ran.stderr).decode()
        assert code in output and "→" in output
        assert "Traceback" not in output and SECRET not in output
    assert tree(tmp_path) == before


def test_an_impossible_path_on_the_command_line(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    ran = vismark("check", "coco-panoptic", tmp_path / ("x" * 5000), "--references", case.references)
    assert ran.returncode in (1, 2)
    assert b"Traceback" not in ran.stderr
