"""Calls that run what a stranger wrote are not in the package, not even in a comment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vismark

FORBIDDEN = {
    "pickle": r"\bc?pickle\b",
    "eval": r"(?<![\w.])eval\(",
    "exec": r"(?<![\w.])exec\(",
    "shell": r"\bshell\s*=\s*True",
    "os.system": r"\bos\.(system|popen)\(",
    "allow_pickle": r"\ballow_pickle\s*=\s*True",
    "weights_only": r"\bweights_only\s*=\s*False",
    "extractall": r"\bextractall\b",
    "trust_remote_code": r"\btrust_remote_code\b",
    "yaml.load": r"\byaml\.(unsafe_)?load\(",
    "marshal": r"\b(marshal|shelve|dill|joblib)\.loads?\(",
}
SOURCES = sorted(Path(vismark.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("name", FORBIDDEN)
def test_not_in_the_package(name: str) -> None:
    assert len(SOURCES) > 50
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(FORBIDDEN[name], line)
    ]
    assert not found


@pytest.mark.parametrize(
    ("name", "guilty", "innocent"),
    [
        ("pickle", "import pickle", "the pickled herring"),
        ("eval", "x = eval(text)", "model.eval()"),
        ("exec", "exec(code)", "re.compile(text); executor(1)"),
        ("shell", "run(x, shell = True)", "shell=False"),
        ("weights_only", "load(f, weights_only=False)", "weights_only=True"),
        ("extractall", "archive.extractall(path)", "extract_all"),
    ],
)
def test_the_patterns_find_what_they_should(name: str, guilty: str, innocent: str) -> None:
    assert re.search(FORBIDDEN[name], guilty)
    assert not re.search(FORBIDDEN[name], innocent)
