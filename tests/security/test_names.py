"""Text from strangers in what we print: nothing moves the cursor, reorders the line or hides in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bounded import vismark
from panoptic_builder import Case, build

HOSTILE = (
    "\x1b[2J\x1b]8;;https://example.org\x07click\x1b]8;;\x07"  # clears the screen, makes a link
    "\u202eevil\u202c\u2066\u200b\ufeff"  # reorders, hides
    "\x00\x07\x08\r\x85\u2028"  # bells, backspaces, line ends
    "[bold red]markup[/bold red][/]\\"  # markup of the terminal library
    "\ud800"  # half a character
)


def hostile(case: Case) -> None:
    """Hostile text wherever a submission can have text."""
    first, second, third = case.prediction["annotations"]
    first["file_name"] = HOSTILE
    second["segments_info"][0].update(id=HOSTILE, isthing=HOSTILE)
    second["segments_info"][1].update(category_id=HOSTILE)
    third[HOSTILE] = {HOSTILE: HOSTILE}
    case.prediction["annotations"] += [HOSTILE, {"image_id": HOSTILE}, {HOSTILE: 1}]


def top_level(case: Case) -> None:
    case.prediction = {HOSTILE: 1}


def no_json(case: Case) -> None:
    """Raw bytes that no parser accepts; the parsers quote some of them."""
    case.save()
    case.submission.write_bytes(HOSTILE.encode("utf-8", "surrogatepass"))


def repeated(case: Case) -> None:
    case.save()
    key = json.dumps(HOSTILE)
    case.submission.write_text(f'{{{key}: 1, {key}: 2, "annotations": []}}')


def names(case: Case) -> None:
    """A file that no annotation names, with a hostile name of its own."""
    case.save()
    name = HOSTILE.replace("\0", "").replace("/", "").replace("\ud800", "")
    (case.png.parent / f"{name}.png").write_bytes(b"")
    case.png.unlink()


def manifest(case: Case) -> None:
    case.save()
    text = HOSTILE.replace("\ud800", "")
    (case.folder / "manifest.json").write_text(json.dumps({"benchmark": text, "predictor": text}))


CASES = {one.__name__: one for one in (hostile, top_level, no_json, repeated, names, manifest)}


def sane(output: bytes) -> bool:
    """Whether every character can be seen, in the place where it stands."""
    return all(c == "\n" or c.isprintable() for c in output.decode())


_MANIFEST = "manifest"


@pytest.mark.parametrize("name", [*(name for name in CASES if name != "manifest"), _MANIFEST])
def test_the_command_line_prints_nothing_raw(name: str, tmp_path: Path) -> None:
    case = build(tmp_path)
    CASES[name](case)
    if not case.submission.exists():
        case.save()
    words = [case.submission, "--references", case.references]
    for options in ([], ["--mode", "official"], ["--json"]):
        ran = vismark("check", "coco-panoptic", *words, *options)
        assert ran.returncode == 1, ran.stderr.decode()
        assert b"Traceback" not in ran.stderr
        assert sane(ran.stdout), ran.stdout
        assert sane(ran.stderr), ran.stderr
        if "--json" in options:
            problems = json.loads(ran.stdout)["problems"]
            assert all(c.isprintable() for one in problems for text in one.values() for c in text)


def test_markup_is_shown_not_obeyed(tmp_path: Path) -> None:
    case = build(tmp_path)
    case.first["file_name"] = "[bold red]first.png"
    case.save()
    ran = vismark("check", "coco-panoptic", case.submission, "--references", case.references)
    assert b"predictions/[bold red]first.png" in ran.stdout
