"""COCONut-PanCap: captions joined with masks, the meaning of the numbers decided, every fault listed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from running import run
from vismark.datasets.coconut_pancap.load import PanCap, load
from vismark.datasets.coconut_pancap.unpack import tars_to_folder
from vismark.datasets.coconut_pancap.validate import check
from vismark.datasets.shapes.write import ensure
from vismark.formats.panoptic import read_ids
from vismark.problems import Problems, Refused

LONG = " Beside them lies the rest of the picture," + " described at length" * 10 + "."


def written(folder: Path, offset: int) -> tuple[Path, Path]:
    """Captions for the shapes miniature that name every region; `offset` 0 counts from 0, 1 from 1."""
    shapes = ensure()
    panoptic = shapes / "annotations" / "panoptic_val.json"
    from vismark.formats.panoptic import read_truth

    truth = read_truth(panoptic, None, None, Problems())
    assert truth is not None
    folder.mkdir()
    for id, annotation in truth.annotations.items():
        tags = [f"<{n + offset}:a region of kind {s.category_id}>" for n, s in enumerate(annotation.segments_info)]
        (folder / f"{id}.txt").write_text(" and ".join(tags) + "." + LONG, encoding="utf-8")
    return folder, panoptic


def test_numbers_from_zero_are_positions(tmp_path: Path) -> None:
    data = load(*written(tmp_path / "captions", 0))
    assert data.decision.base == "position" and data.decision.out_of_range["position"] == 0.0
    assert len(data) == 60
    for record in data:
        assert [phrase.segment_ids for phrase in record.phrases] == [(s.id,) for s in record.segments]
        assert set(read_ids(record.mask).ravel().tolist()) - {0} == {s.id for s in record.segments}
        for phrase in record.phrases:
            assert record.caption_plain[phrase.start : phrase.stop] == phrase.text
            assert phrase.text.endswith(str(phrase.category_ids[0]))
    problems = Problems()
    check(data, problems)
    assert [(problem.code, problem.severity, problem.value) for problem in problems] == [
        ("TAG_BASE", "note", "position")
    ]


def test_numbers_that_are_segment_ids_are_recognised(tmp_path: Path) -> None:
    captions, panoptic = written(tmp_path / "captions", 0)
    data = load(captions, panoptic)
    for record in list(data):
        tags = " and ".join(f"<{s.id}:region {s.category_id}>" for s in record.segments)
        (captions / f"{record.id}.txt").write_text(tags + LONG)
    again = load(captions, panoptic)
    assert again.decision.base == "segment_id"
    assert again.decision.out_of_range == {"position": 1.0, "segment_id": 0.0}
    assert all(len(phrase.segment_ids) == 1 for record in again for phrase in record.phrases)


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    captions, panoptic = written(tmp_path / "captions", 0)
    ids = [f"{n:012}" for n in range(1, 10)]
    (captions / f"{ids[0]}.txt").unlink()
    (captions / "stranger.txt").write_text("nobody")
    (captions / f"{ids[1]}.txt").write_bytes(b"<0:caf\xe9>")
    (captions / f"{ids[2]}.txt").write_text("<99:nothing>" + LONG)
    (captions / f"{ids[3]}.txt").write_text("<0:short>")
    (captions / f"{ids[4]}.txt").write_text("a > b <0:c <0:d> > <x:e> <0:1f> <0:g" + LONG)
    (captions / f"{ids[5]}.txt").write_text("no tag at all." + LONG)
    (captions / f"{ids[6]}.txt").write_text("x" * (2 << 20))
    data: PanCap = load(captions, panoptic)
    problems = Problems()
    check(data, problems)
    found = {(problem.code, problem.item) for problem in problems}
    assert {
        ("CAPTION_FILE_UNPAIRED", ids[0]),
        ("CAPTION_FILE_UNPAIRED", "stranger"),
        ("CAPTION_ENCODING", ids[1]),
        ("TAG_ID_OUT_OF_RANGE", ids[2]),
        ("CAPTION_SHORT", ids[3]),
        ("TAG_STRAY_CLOSE", ids[4]),
        ("TAG_NESTED", ids[4]),
        ("TAG_MALFORMED", ids[4]),
        ("TAG_PHRASE_STARTS_WITH_DIGIT", ids[4]),
        ("TAG_UNCLOSED", ids[4]),
        ("TAG_NONE", ids[5]),
        ("FILE_TOO_LARGE", ""),
    } <= found
    assert all(problem.fix and problem.file for problem in problems if problem.severity != "note")


def test_captions_of_other_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions" / "000000999999.txt").write_text("<0:a>")
    with pytest.raises(Refused, match="none of the 1 captions"):
        load(tmp_path / "captions", ensure() / "annotations" / "panoptic_val.json")


MALFORMED = {
    "TAG_NONE": "no tag at all." + LONG,
    "TAG_STRAY_CLOSE": "a > b <0:c>" + LONG,
    "TAG_PHRASE_STARTS_WITH_DIGIT": "<0:11skateboard>" + LONG,
    "TAG_NESTED": "<0:a man with <1:a bag> >" + LONG,
    "TAG_UNCLOSED": "<0:a man" + LONG,
    "TAG_MALFORMED": "<x:a man> <0:b>" + LONG,
    "TAG_ID_OUT_OF_RANGE": "<0,99:a man>" + LONG,
    "CAPTION_EMPTY": " \n",
    "CAPTION_SHORT": "<0:a man>.",
    "CAPTION_LINE_BREAK_CHAR": "<0:a\u2028man>" + LONG,
    "CAPTION_CONTROL_CHAR": "<0:a\u200bman>" + LONG,
}


@pytest.mark.parametrize("code", MALFORMED)
def test_the_command_line_names_every_fault(code: str, tmp_path: Path) -> None:
    captions, panoptic = written(tmp_path / "captions", 0)
    (captions / "000000000003.txt").write_text(MALFORMED[code], encoding="utf-8")
    ran = run(f"vismark validate {captions} --panoptic {panoptic} --json")
    found = json.loads(ran.output)
    wanted = [one for one in found["problems"] if one["code"] == code]
    assert [one["item"] for one in wanted] == ["000000000003"] and all(one["fix"] for one in wanted)
    assert ran.code == (1 if wanted[0]["severity"] == "error" else 0)
    assert [one["severity"] for one in found["problems"] if one["code"] == "TAG_BASE"] == ["note"]


def test_captions_alone_are_checked_as_far_as_that_goes(tmp_path: Path) -> None:
    captions, _ = written(tmp_path / "captions", 0)
    (captions / "000000000003.txt").write_text(MALFORMED["TAG_NESTED"] + " <500:far>", encoding="utf-8")
    ran = run(f"vismark validate {captions}")
    assert ran.code == 0 and "TAG_NESTED" in ran.output and "numbers of regions are not checked" in ran.output
    assert "TAG_ID_OUT_OF_RANGE" not in ran.output
    ran = run(f"vismark validate {captions} --panoptic {captions / 'absent.json'}")
    assert ran.code == 1 and "FILE_MISSING" in ran.output


def test_the_release_becomes_a_folder_of_captions(tmp_path: Path) -> None:
    """Tars with a folder inside, as the hub has them, through `vismark prepare`."""
    captions, _ = written(tmp_path / "caption_train2017", 0)
    hub = tmp_path / "data" / "coconut_pancap" / "hub" / "coconut_pancap"
    hub.mkdir(parents=True)
    names = sorted(path.name for path in captions.iterdir())
    for part, chosen in enumerate((names[:40], names[40:])):
        with tarfile.open(hub / f"caption_train2017-{part}.tar", "w") as tar:
            for name in chosen:
                tar.add(captions / name, f"caption_train2017/{name}")
    command = f"vismark prepare coconut-pancap --root {tmp_path / 'data'}"
    assert run(command).code == 0
    target = tmp_path / "data" / "coconut_pancap" / "caption_train2017"
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        path.name: path.read_bytes() for path in captions.iterdir()
    }
    assert run(command).code == 0  # what is there is left alone
    ran = run(f"vismark validate coconut-pancap --root {tmp_path / 'data'}")
    assert ran.code == 0 and "numbers of regions are not checked" in ran.output


def test_tars_that_lead_out_or_hold_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "text.txt").write_text("<0:a>")
    target = tmp_path / "out"
    with pytest.raises(Refused, match="CAPTION_FILE_NONE"):
        tars_to_folder(tmp_path / "hub", target)
    with tarfile.open(tmp_path / "hub" / "a.tar", "w") as tar:
        tar.add(tmp_path / "text.txt", "../evil.txt")
    with pytest.raises(Refused, match="ARCHIVE_"):
        tars_to_folder(tmp_path / "hub", target)
    assert not target.exists() and not (tmp_path / "evil.txt").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
