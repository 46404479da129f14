"""The house as drawn: a room uses lower floors only, stays light, and keeps to its own trade."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "src" / "vismark"

# Top floor first; a module may import from its own floor's own room and from any floor below.
FLOORS = (
    ("cli",),
    ("jobs",),
    ("leaderboards", "pages"),
    ("benchmarks",),
    ("baselines", "datasets"),
    ("metrics", "instruments"),
    ("formats",),
    ("tasks", "cards", "results", "registry"),
    ("runtime",),
    ("problems",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Imported only inside the functions that need them, so that help and lists start at once.
HEAVY = {"torch", "transformers", "diffusers", "hotcoco", "pandas", "pyarrow", "plotly", "itables", "jinja2", "httpx",
         "huggingface_hub", "matplotlib", "joblib", "datasets", "scipy", "PIL"}  # fmt: skip
# Modules that are themselves imported only when needed may name their heavy library at the top.
LEAVES = {"pages", "runtime/fetch.py", "runtime/transfer.py", "runtime/hub.py", "datasets/shapes"}


def modules() -> list[Path]:
    return sorted(HOUSE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, *, top_only: bool = False) -> Iterator[str]:
    for node in tree.body if top_only and isinstance(tree, ast.Module) else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def typing_only(tree: ast.Module) -> set[int]:
    """Ids of the nodes below `if TYPE_CHECKING`."""
    guarded: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            guarded |= {id(inner) for inner in ast.walk(node)}
    return guarded


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_room_uses_a_higher_floor(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name in imports(ast.parse(path.read_text())):
        if not name.startswith("vismark."):
            continue
        other = name.split(".")[1]
        same_floor_other_room = FLOOR[other] == FLOOR[room] and other != room and FLOORS[FLOOR[room]] != FLOORS[7]
        assert FLOOR[other] >= FLOOR[room], f"{room} imports {name} from above"
        assert not same_floor_other_room, f"{room} imports {name} from the room next door"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    name = name_of(path)
    if any(name.startswith(leaf) for leaf in LEAVES):
        return
    tree = ast.parse(path.read_text())
    found = {one.split(".")[0] for one in imports(tree, top_only=True)}
    assert not found & HEAVY


def test_every_room_has_its_reason() -> None:
    for room in FLOOR:
        if (HOUSE / room).is_dir():
            tree = ast.parse((HOUSE / room / "__init__.py").read_text())
            assert ast.get_docstring(tree), f"{room}/__init__.py does not say what the room is for"


@pytest.mark.parametrize("path", [p for p in modules() if room_of(p) == "benchmarks"], ids=name_of)
def test_scoring_is_pure(path: Path) -> None:
    """`score` and what it calls in its class open no file, import no torch, start no worker."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "score":
            source = ast.unparse(node)
            assert not any(word in source for word in ("open(", "read_", "write_", "torch", "joblib", "Path("))
            assert (node.end_lineno or 0) - node.lineno < 40


def test_files_and_functions_stay_small() -> None:
    lines = [len(path.read_text().splitlines()) for path in modules()]
    functions = [
        (node.end_lineno or 0) - node.body[0].lineno + 1
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert statistics.median(lines) <= 150
    assert statistics.quantiles(lines, n=10)[-1] <= 400
    assert statistics.median(functions) <= 15
    assert statistics.quantiles(functions, n=10)[-1] <= 40
    assert max(functions) <= 80


def test_public_functions_are_documented() -> None:
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name_of(path)}: {node.name} has no docstring"
