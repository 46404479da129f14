"""Published rows: what is read, what is refused, and the numbers that the package carries."""

import csv
from pathlib import Path

import pytest

from vismark.leaderboards.boards import Board, board, boards
from vismark.leaderboards.rows import published_rows
from vismark.problems import Problems

HEADER = "model,variant,source,PQ,PQ_th,PQ_st,SQ,settings,kind,note,benchmark,split,track"


def read(board: Board, folder: Path, *lines: str, header: str = HEADER) -> tuple[list, Problems]:
    path = folder / "rows.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    problems = Problems()
    return published_rows(board, path, problems), problems


def test_a_row_keeps_the_printed_text(board: Board, tmp_path: Path) -> None:
    rows, problems = read(board, tmp_path, "Net,R50,paper,53.30,,,,s,reported,n,toy,val,panoptic")
    assert not len(problems)
    (row,) = rows
    assert (row.label, row.state, row.source, row.note, row.split) == ("Net (R50)", "reported", "paper", "n", "val")
    assert row.cells.keys() == {"PQ"}
    assert (row.cells["PQ"].value, row.cells["PQ"].printed) == (0.533, "53.30")


def test_rows_of_other_benchmarks_and_tracks_are_left_out(board: Board, tmp_path: Path) -> None:
    rows, _ = read(
        board,
        tmp_path,
        "A,,p,1,,,,s,reported,,other,val,panoptic",
        "B,,p,1,,,,s,reported,,toy,val,instance",
        "C,,p,1,,,,s,second-hand,,toy,val,panoptic",
        "D,,p,1,,,,s,withdrawn,wrong split,toy,val,panoptic",
    )
    assert [row.model for row in rows] == ["C", "D"]
    assert rows[0].source == "quoted by p"
    assert (rows[1].state, rows[1].unranked, rows[1].note) == ("withdrawn", "withdrawn", "wrong split")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "x", "533", "-1", "1e400", "5_3.3x"])
def test_a_bad_number_is_told_and_left_out(board: Board, tmp_path: Path, text: str) -> None:
    rows, problems = read(board, tmp_path, f"A,,p,{text},,,77.0,s,reported,,toy,val,panoptic")
    assert rows[0].cells.keys() == {"SQ"} and rows[0].unranked == "no PQ"
    (problem,) = problems
    assert (problem.code, problem.where, problem.value) == ("BOARD_NUMBER", "line 2", text)


def test_repeated_keys_and_ragged_rows_are_errors(board: Board, tmp_path: Path) -> None:
    line = "A,,p,50,,,,s,reported,,toy,val,panoptic"
    rows, problems = read(board, tmp_path, line, line.replace("50", "51"), line + ",more", "A,,p")
    assert [row.cells["PQ"].printed for row in rows] == ["50"]
    assert [problem.code for problem in problems] == ["PUBLISHED_TWICE", "PUBLISHED_SHAPE", "PUBLISHED_SHAPE"]
    assert problems.errors == 3


def test_missing_columns_are_named(board: Board, tmp_path: Path) -> None:
    rows, problems = read(board, tmp_path, "A,1", header="model,PQ")
    assert not rows
    assert "variant, settings, source" in next(iter(problems)).message


def test_pq_outside_things_and_stuff_is_noted(tmp_path: Path) -> None:
    coco = board("coco-panoptic")
    where = "s,reported,,coco-panoptic,val2017,panoptic"
    rows, problems = read(coco, tmp_path, f"A,,p,50,51,60,,{where}", f"B,,p,51,51,60,,{where}", f"C,,p,50,51,,,{where}")
    assert len(rows) == 3
    (problem,) = problems
    assert (problem.code, problem.severity, problem.item) == ("PUBLISHED_PQ", "note", "A")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("coco-panoptic", {"val2017": 11}),
        ("coconut-panoptic", {"relabeled-val": 12, "coconut-val": 11}),
        ("coconut-boundary", {"relabeled-val": 1}),
        ("coco-detection", {"val2017": 8}),
        ("coconut-detection", {"relabeled-val": 8, "coconut-val": 8}),
        ("coco-instance", {"val2017": 8}),
        ("coconut-instance", {"relabeled-val": 8, "coconut-val": 8}),
        ("coco-semantic", {"val2017": 19}),
        ("coconut-semantic", {"relabeled-val": 19, "coconut-val": 19}),
    ],
)
def test_the_published_rows_of_the_package(name: str, counts: dict[str, int]) -> None:
    found = board(name)
    problems = Problems()
    rows = published_rows(found, found.published_file, problems)
    assert not len(problems)
    assert {split: sum(row.split == split for row in rows) for split in counts} == counts
    assert sum(counts.values()) == len(rows)
    assert all(row.source for row in rows)


def test_known_numbers_of_the_package() -> None:
    """Read by eye from arXiv 2404.08639, Tables 5 and 6."""
    found = board("coconut-panoptic")
    rows = {(row.label, row.split): row for row in published_rows(found, found.published_file, Problems())}
    annotation = rows["COCO-val annotation as prediction (all)", "relabeled-val"]
    printed = {metric: cell.printed for metric, cell in annotation.cells.items()}
    assert printed == {"PQ": "67.1", "PQ_th": "65.0", "PQ_st": "70.2", "SQ": "86.2", "RQ": "77.4"}
    assert rows["kMaX-DeepLab (R50, trained on COCO)", "coconut-val"].cells["PQ"].value == 0.531


@pytest.mark.parametrize(
    ("name", "label", "split", "metric", "value"),
    [  # arXiv 2404.08639, Tables 5, 9, 10 and 13
        (
            "coconut-boundary",
            "COCO-val annotation as prediction (all, boundary)",
            "relabeled-val",
            "boundary_RQ",
            0.745,
        ),
        ("coco-instance", "kMaX-DeepLab (R50, trained on COCO)", "val2017", "AP", 0.441),
        ("coconut-instance", "kMaX-DeepLab (ConvNeXt-L, trained on COCONut-L)", "coconut-val", "AP", 0.538),
        ("coconut-semantic", "kMaX-DeepLab (R50, trained on COCONut-B)", "relabeled-val", "mIoU", 67.3),
        ("coco-detection", "DETA (Swin-L, trained on COCONut-L)", "val2017", "AP", 0.601),
    ],
)
def test_known_numbers_of_other_tasks(name: str, label: str, split: str, metric: str, value: float) -> None:
    found = board(name)
    rows = {(row.label, row.split): row for row in published_rows(found, found.published_file, Problems())}
    assert rows[label, split].cells[metric].value == value


FILES = {
    "coco_panoptic.csv": ({"panoptic", "boundary panoptic"}, "panoptic", 39),
    "coco_detection.csv": ({"detection", "instance"}, "detection", 48),
    "coco_semantic.csv": ({"semantic"}, "semantic", 57),
}


@pytest.mark.parametrize("name", FILES)
def test_benchmarks_splits_and_tracks_follow_from_the_settings(name: str) -> None:
    tracks, kind, count = FILES[name]
    splits = {
        "COCO-val": (f"coco-{kind}", "val2017"),
        "relabeled COCO-val": (f"coconut-{kind}", "relabeled-val"),
        "COCONut-val": (f"coconut-{kind}", "coconut-val"),
    }
    (path,) = {one.published_file for one in boards().values() if one.published == name}
    with path.open(encoding="utf-8", newline="") as file:
        entries = list(csv.DictReader(file))
    assert len(entries) == count
    for entry in entries:
        task, _, evaluated = entry["settings"].removeprefix("task ").partition("; eval ")
        assert task in tracks and (entry["benchmark"], entry["split"]) == splits[evaluated]
        # Rows over things or stuff alone are no panoptic quality of all categories.
        alone = {"thing": ", things only", "stuff": ", stuff only"}.get(entry["variant"].split(",")[0], "")
        assert entry["track"] == task + alone
