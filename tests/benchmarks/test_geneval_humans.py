"""GenEval and people: the figures of the published annotations, bad tables, detections that were made to agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vismark import registry
from vismark.benchmarks.geneval_humans import agreement
from vismark.formats.geneval import Clause, Prompt
from vismark.formats.geneval_humans import read_votes, saw
from vismark.jobs.check import check
from vismark.jobs.prepare import read_references, source
from vismark.jobs.score import score
from vismark.problems import Problems

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "geneval"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the published annotations are not here")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "geneval").symlink_to(DATA)
    return tmp_path / "root"


@needs_data
def test_the_published_annotations_give_the_known_figures(root: Path) -> None:
    problems = Problems()
    truth = read_references(registry.benchmark("geneval-humans"), source(None, root), problems)
    assert not list(problems)
    assert len(truth.votes) == 1200
    known = {"sdv2": (0.568, 0.836, 0.655), "if-xl": (0.7175, 0.876, 0.733), "clip": (0.403, 0.892, 0.763)}
    for name, (accepted, people, unanimous) in known.items():
        ids = [id for id in truth.votes if id.startswith(f"{name}/")]
        numbers = agreement(ids, dict.fromkeys(ids, True), truth.votes)
        assert numbers["accepted"] == pytest.approx(accepted, abs=6e-4)
        assert numbers["people"] == pytest.approx(people, abs=6e-4)
        assert sum(len(set(truth.votes[id])) == 1 for id in ids) / len(ids) == pytest.approx(unanimous, abs=6e-4)


@needs_data
def test_detections_that_decide_as_the_majority_does_agree_with_it(root: Path, tmp_path: Path) -> None:
    truth = read_references(registry.benchmark("geneval-humans"), source(None, root), Problems())
    folder = tmp_path / "detections"
    folder.mkdir()
    lines: dict[str, list[str]] = {}
    for id, votes in truth.votes.items():
        name, prompt, _, sample = id.split("/")
        found = _objects(truth.prompts[int(prompt)]) if sum(votes) >= 3 else []
        picture = {"image": f"{prompt}/samples/{sample}.png", "prompt_index": int(prompt), "sample_index": int(sample)}
        lines.setdefault(name, []).append(json.dumps(picture | {"width": 512, "height": 512, "detections": found}))
    for name, own in lines.items():
        (folder / f"{name}.jsonl").write_text("\n".join(own))
    result = score("geneval-humans", folder, root=root)
    assert result.metrics["majority"] == 1.0
    assert result.metrics["unanimous"] == 1.0
    # The majority of five is right about more single verdicts than a pair of people about each other.
    assert result.metrics["people"] < result.metrics["agreement"] < 1.0
    assert set(result.breakdowns["source"]) == {"sdv2", "if-xl", "clip"}
    assert {basis.kind for basis in result.basis.values()} == {"extension"}
    (folder / "clip.jsonl").unlink()
    assert "GENEVAL_HUMANS_MISSING" in check("geneval-humans", folder, root=root)
    for path in folder.iterdir():
        path.unlink()
    assert "GENEVAL_HUMANS_EMPTY" in check("geneval-humans", folder, root=root)


def _objects(prompt: Prompt) -> list[dict[str, object]]:
    """Objects that fulfil a prompt: in a row, or beside the first as is asked."""
    steps = {"left of": (-150, 0), "right of": (150, 0), "above": (0, -150), "below": (0, 150), "": (90, 0)}
    objects: list[dict[str, object]] = []
    for clause in prompt.include:
        dx, dy = steps[clause.position[0] if clause.position else ""]
        for number in range(clause.count):
            far = len(objects) if clause.position is None else 1
            left, top = 200 + dx * far - 90 * (clause.position is None), 200 + dy * far
            box = [left, top, left + 40, top + 40]
            color = {"color": clause.color} if clause.color else {}
            objects.append({"class": clause.category, "box": box, "score": 0.95 - number / 100, **color})
    return objects


PLACED = Prompt("position", (Clause("cow", 1), Clause("dog", 1, position=("left of", 0))))
PAINTED = Prompt("colors", (Clause("cow", 1, color="red"),))
COUNTED = Prompt("counting", (Clause("cow", 3),), (Clause("cow", 4),))


@pytest.mark.parametrize(
    ("prompt", "answers", "verdict"),
    [
        (COUNTED, {"count-0": "3"}, True),
        (COUNTED, {"count-0": "4"}, False),
        (PAINTED, {"count-0": "2", "color-0": "red|white"}, True),
        (PAINTED, {"count-0": "2", "color-0": "white"}, False),
        (PAINTED, {"count-0": "0", "color-0": ""}, False),
        (PLACED, {"count-0": "1", "count-1": "1.0", "position-x": "left", "position-y": "above"}, True),
        (PLACED, {"count-0": "1", "count-1": "1.0", "position-x": "neither_x", "position-y": "above"}, False),
        (PLACED, {"count-0": "1", "count-1": "", "position-x": "left", "position-y": "above"}, False),
    ],
)
def test_what_people_saw(prompt: Prompt, answers: dict[str, str], verdict: bool) -> None:
    assert saw(prompt, {f"Answer.task-{name}": value for name, value in answers.items()}) is verdict


def test_bad_tables_are_told(tmp_path: Path) -> None:
    path = tmp_path / "annotations.csv"
    header = "Input.prompt_id,Input.image_id,Answer.task-count-0,Answer.task-count-1"
    for text, code in (
        ("a,b\n1,2\n", "GENEVAL_VOTE"),
        (f"{header}\n999,0,1,\n", "GENEVAL_VOTE"),
        (f"{header}\n0,0,1,\n", "GENEVAL_VOTES"),
    ):
        problems = Problems()
        path.write_text(text)
        read_votes(path, [COUNTED], problems)
        assert code in problems
