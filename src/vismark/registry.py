"""Finds cards and the code they name. Reading 80 TOML files takes a few milliseconds; no code runs until `load`."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from vismark.cards import BaselineCard, BenchmarkCard, Card, DatasetCard, InstrumentCard
from vismark.problems import Missing, Usage

KINDS: dict[str, type[Card]] = {
    "datasets": DatasetCard,
    "benchmarks": BenchmarkCard,
    "instruments": InstrumentCard,
    "baselines": BaselineCard,
}

_HOUSE = Path(__file__).parent


@cache
def cards(kind: str) -> dict[str, Card]:
    """All cards of a kind (`datasets`, `benchmarks`, `instruments` or `baselines`) by name, in alphabetical order."""
    found = {}
    for path in sorted((_HOUSE / kind).rglob("*.toml")):
        try:
            card = msgspec.toml.decode(path.read_bytes(), type=KINDS[kind])
        except msgspec.DecodeError as error:
            raise ValueError(f"{path.relative_to(_HOUSE)}: {error}") from error
        found[card.name] = card
    return dict(sorted(found.items()))


def card(kind: str, name: str) -> Any:
    """The card `name` of a kind.

    Raises:
        Usage: there is none; the message names the nearest ones.
    """
    known = cards(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none yet'}."
        raise Usage(f"There is no {kind.removesuffix('s')} called {name!r}: {hint} `vismark list {kind}` shows all.")
    return known[name]


def find(name: str) -> tuple[str, Any]:
    """(kind, card) of the card called `name`, whatever its kind; benchmarks before data sets.

    Raises:
        Usage: no kind has it.
    """
    for kind in ("benchmarks", "datasets", "baselines", "instruments"):
        if name in cards(kind):
            return kind, cards(kind)[name]
    every = [known for kind in KINDS for known in cards(kind)]
    near = difflib.get_close_matches(name, every, n=3, cutoff=0.5)
    raise Usage(
        f"Nothing is called {name!r}"
        + (f"; did you mean {' or '.join(near)}?" if near else "")
        + " — try `vismark list`."
    )


def load(code: str) -> Any:
    """The object that ``module:Name`` names.

    Raises:
        Usage: the name has another form, or the module lacks it.
        Missing: the module needs a package that is not installed.
    """
    module, _, name = code.partition(":")
    if not module or not name:
        raise Usage(f"{code!r} is no `module:Class`.")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise Usage(f"There is no module {error.name!r} on the Python path (wanted for {code!r}).") from error
        raise Missing(
            f"{code} needs the package {error.name!r}, which is not installed: `pip install {error.name}`."
        ) from error
    except AttributeError as error:
        raise Usage(f"The module {module!r} has no {name!r}.") from error


def benchmark(name: str) -> Any:
    """The benchmark called `name`, built from its card."""
    found = card("benchmarks", name)
    return load(found.code)(found)
