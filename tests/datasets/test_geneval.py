"""GenEval's prompts: made as the official sampler makes them, read strictly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vismark.datasets.geneval import prompts
from vismark.formats.geneval import COLOURS, TAGS, object_names, read_prompts
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "geneval"


def test_the_sampler_makes_the_published_file() -> None:
    data = prompts.published()
    assert digest_of(data) == prompts.DIGEST
    path = prompts.ensure() / prompts.PLACE
    assert path.read_bytes() == data
    read = read_prompts(path, object_names(), Problems())
    assert read is not None
    assert Counter(one.tag for one in read) == dict(zip(TAGS, (80, 99, 80, 94, 100, 100), strict=True))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the official files are not here")
def test_the_files_are_the_official_ones() -> None:
    assert prompts.published() == (SHARED / "evaluation_metadata.jsonl").read_bytes()
    assert "".join(f"{name}\n" for name in object_names()) == (SHARED / "object_names.txt").read_text()


def test_another_seed_gives_other_prompts_of_the_same_kind() -> None:
    made = prompts.sample(1, 10, object_names())
    assert Counter(one.tag for one in made) == {tag: 80 if tag == "single_object" else 10 for tag in TAGS}
    assert made != prompts.sample(2, 10, object_names())
    clauses = [clause for one in made for clause in one.include]
    assert {clause.color for clause in clauses} <= {None, *COLOURS}
    assert not any(clause.color and clause.category == "person" for clause in clauses)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense", "GENEVAL_PROMPT_FORMAT"),
        ('{"tag": "single_object"}', "GENEVAL_PROMPT_FORMAT"),
        ('{"tag": "smells", "include": [{"class": "cow", "count": 1}]}', "GENEVAL_PROMPT_UNKNOWN"),
        ('{"tag": "colors", "include": [{"class": "unicorn", "count": 1}]}', "GENEVAL_PROMPT_UNKNOWN"),
        ('{"tag": "colors", "include": [{"class": "cow", "count": 1, "color": "gray"}]}', "GENEVAL_PROMPT_UNKNOWN"),
        (
            '{"tag": "position", "include": [{"class": "cow", "count": 1, "position": ["near", 0]}]}',
            "GENEVAL_PROMPT_UNKNOWN",
        ),
        (
            '{"tag": "position", "include": [{"class": "cow", "count": 1, "position": ["above", 0]}]}',
            "GENEVAL_PROMPT_TARGET",
        ),
        ("", "GENEVAL_PROMPTS_EMPTY"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said(line: str, code: str, tmp_path: Path) -> None:
    path, problems = tmp_path / "prompts.jsonl", Problems()
    path.write_text(f"{line}\n")
    assert read_prompts(path, object_names(), problems) is None
    assert code in problems
