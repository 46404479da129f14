"""The job: what `leaderboard show` gives, and what it says when there is nothing to show."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from vismark.jobs.leaderboard import show
from vismark.leaderboards.forms import render
from vismark.problems import Missing, Refused, Usage
from vismark.results import Result, write_result


def test_published_rows_alone() -> None:
    found = show("coco-panoptic")
    (track,) = found.tracks
    assert len(track.places) == 11 and not len(found.problems)
    best = track.places[0]
    assert (best.rank, best.row.label) == (1, "kMaX-DeepLab (ConvNeXt-L, trained on COCONut-L)")
    assert best.row.cells["PQ"].printed == "58.1"


def test_the_two_tracks_of_coconut_are_two_tables() -> None:
    assert [track.split for track in show("coconut-panoptic").tracks] == ["relabeled-val", "coconut-val"]


def test_a_result_ranks_among_published_rows(result: Callable[..., Result], tmp_path: Path) -> None:
    made = result("mine", 0.58, benchmark="coco-panoptic", split="val2017")
    write_result(tmp_path / "mine.json", made)
    (track,) = show("coco-panoptic", [tmp_path]).tracks
    assert {place.row.label: place.rank for place in track.places if place.shared} == {
        "mine": 2,
        "kMaX-DeepLab (ConvNeXt-L, trained on COCO-BM)": 2,
        "kMaX-DeepLab (ConvNeXt-L, trained on COCO)": 4,
        "kMaX-DeepLab (ConvNeXt-L, trained on COCONut-L, released checkpoint)": 4,
    }
    (alone,) = show("coco-panoptic", [tmp_path], published=False).tracks
    assert [place.row.model for place in alone.places] == ["mine"]


@pytest.mark.parametrize(("name", "other"), [("coco-detection", "coco-instance"), ("coco-instance", "coco-detection")])
def test_boxes_and_masks_have_a_board_each(
    result: Callable[..., Result], tmp_path: Path, name: str, other: str
) -> None:
    protocol = {"coco-detection": "boxes", "coco-instance": "masks"}
    for board in (name, other):
        made = result(board, 0.5, benchmark="coco-detection", protocol=protocol[board], split="val2017")
        write_result(tmp_path / f"{board}.json", msgspec.structs.replace(made, metrics={"AP": 0.5}))
    found = show(name, [tmp_path])
    assert [place.row.model for track in found.tracks for place in track.places if place.row.protocol] == [name]
    assert [(one.file, one.fix) for one in found.problems] == [
        (f"{other}.json", f"`vismark leaderboard show {other}` shows it.")
    ]


def test_nothing_to_show_says_what_to_type() -> None:
    with pytest.raises(Missing, match=r"vismark score shapes-panoptic SUBMISSION -o result\.json"):
        show("shapes-panoptic")
    with pytest.raises(Missing, match="no rows without published ones"):
        show("coco-panoptic", published=False)
    with pytest.raises(Usage, match="did you mean shapes-panoptic"):
        show("shape-panoptic")


def test_files_without_a_result_are_all_named(result: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    write_result(tmp_path / "b.json", result("b"))
    with pytest.raises(Refused) as refused:
        show("shapes-panoptic", [tmp_path])
    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["RESULT_FORMAT", "BOARD_OTHER", "BOARD_EMPTY"]
    assert show("coco-panoptic", [tmp_path]).tracks, "published rows still stand"


def test_problems_are_in_the_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert '"RESULT_FORMAT"' in render(show("coco-panoptic", [tmp_path]), "json")


def test_rich_numpy_and_pandas_are_not_imported_for_text() -> None:
    code = (
        "import sys; from vismark.jobs.leaderboard import show; from vismark.leaderboards.forms import render; "
        "render(show('coco-panoptic'), 'markdown'); sys.exit(bool({'rich', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
