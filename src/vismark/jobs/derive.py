"""`vismark prepare`: files that are made from downloaded ones, such as COCO panoptic files from COCONut's tables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from vismark import registry
from vismark.cards import DatasetCard, Derived
from vismark.problems import Missing, Problems, Usage
from vismark.runtime.folders import data_root


def derive(
    dataset: str,
    root: str | Path | None = None,
    *,
    split: str | None = None,
    only: Collection[str] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Problems:
    """Make the derived files of a data set that are not there yet, each from its source; a killed run goes on.

    Args:
        root: the data root; by default VISMARK_DATA, else DETECTRON2_DATASETS.
        split: only those of this split.
        only: only what is needed for these paths below the root.
        tell: is called with one line a file.

    Returns:
        What was noticed in the sources.

    Raises:
        Missing: a source is not there; the message says how to get it.
        Usage: there is no such data set or split, or nothing is derived in it.
    """
    card: DatasetCard = registry.card("datasets", dataset)
    if split is not None and split not in card.splits:
        raise Usage(f"{dataset} has no split {split!r}; it has {', '.join(card.splits)}.")
    if not card.derived and only is None:
        raise Usage(f"Nothing of {dataset} is derived: it is used as it is downloaded.")
    folder = data_root(Path(root) if root is not None else None)
    problems = Problems()
    for step in _steps(card, split, only):
        source, target = folder / step.source, folder / step.target
        if target.exists():
            continue
        if not source.exists():
            raise Missing(
                f"{step.target} is made from {step.source}, which is not there: `vismark download {dataset}`."
            )
        tell(f"{step.target}: making it from {step.source}")
        problems.extend(registry.load(step.code)(source, target))
    return problems


def source_of(path: str, card: DatasetCard, root: Path) -> str:
    """What has to be downloaded so that `path` can be there: itself, or the first source it is derived from."""
    while not (root / path).exists():
        step = next((step for step in card.derived if step.makes(path)), None)
        if step is None:
            break
        path = step.source
    return path


def _steps(card: DatasetCard, split: str | None, only: Collection[str] | None) -> list[Derived]:
    """The derivations to make, in the order of the card, in which sources come first."""
    if only is None:
        return [step for step in card.derived if split in (None, step.split)]
    wanted, chosen = set(only), []
    for step in reversed(card.derived):
        if any(step.makes(path) for path in wanted):
            chosen.append(step)
            wanted.add(step.source)
    return chosen[::-1]
