"""Options that several commands share, and the completion of names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vismark.problems import Usage

if TYPE_CHECKING:
    from vismark.instruments.base import Tools


def benchmark_names(incomplete: str) -> list[str]:
    """Names of benchmarks that begin so, for the shell."""
    from vismark.registry import cards

    return [name for name in cards("benchmarks") if name.startswith(incomplete)]


def card_names(incomplete: str) -> list[str]:
    """Names of anything that begin so, for the shell."""
    from vismark.registry import KINDS, cards

    return [name for kind in KINDS for name in cards(kind) if name.startswith(incomplete)]


Benchmark = Annotated[
    str, typer.Argument(help="Name of a benchmark, see `vismark list`.", autocompletion=benchmark_names)
]
Submission = Annotated[Path, typer.Argument(help="The submission: a JSON file or a folder.")]
ReferencesOption = Annotated[
    str | None,
    typer.Option("--references", "--gt", help="Official files: PATH, or name=PATH,… where there are several."),
]
Root = Annotated[
    Path | None, typer.Option(help="Folder of the data sets; else VISMARK_DATA, else DETECTRON2_DATASETS.")
]
Mode = Annotated[
    Literal["strict", "official"],
    typer.Option(
        help="strict refuses what makes the number meaningless; official accepts what the official tool does."
    ),
]
Protocol = Annotated[str | None, typer.Option(help="A protocol of the benchmark; the first by default.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Score the samples that have a prediction; the result says so.")
]
Jobs = Annotated[int | None, typer.Option(help="Number of threads; all cores by default.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Shard = Annotated[
    str | None,
    typer.Option(help="I/N: only every N-th sample from the I-th; by default from SLURM_ARRAY_TASK_ID or RANK."),
]

Engine = Annotated[
    str | None,
    typer.Option(help="dask or ray: networks run on the workers of a cluster; dask=tcp://HOST:8786 joins one."),
]

Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting, name=value; may be repeated.")]
Instruments = Annotated[
    list[str] | None, typer.Option("--instrument", help="Measure with this instrument, see `vismark list instruments`.")
]
Weights = Annotated[
    list[str] | None, typer.Option(help="Weights of an instrument: PATH, or NAME=PATH; else the downloaded ones.")
]
Device = Annotated[str, typer.Option(help="Where networks run, e.g. cpu or cuda:0; by default the best there is.")]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"],
    typer.Option(help="Of networks; anything but float32 departs from the official numbers, and the result says so."),
]
BatchSize = Annotated[int | None, typer.Option(help="Samples given to a network at once.", min=1)]


def tools(
    instruments: list[str] | None,
    weights: list[str] | None,
    settings: list[str] | None,
    root: Path | None,
    device: str,
    dtype: str,
    batch_size: int | None,
) -> Tools:
    """What the options say of instruments; a setting is ``ROLE.name=value``.

    Raises:
        Usage: a setting has no role.
    """
    from vismark.instruments.base import Tools

    chosen: dict[str, dict[str, Any]] = {}
    for text in settings or ():
        name, value = setting(text)
        role, dot, key = name.partition(".")
        if not dot:
            raise Usage(f"--set {text!r}: write ROLE.name=value, e.g. judge.model=NAME.")
        chosen.setdefault(role, {})[key] = value
    places = [("", one) if "=" not in one else tuple(one.split("=", 1)) for one in weights or ()]
    paths = {name: Path(path) for name, path in places}
    return Tools(tuple(instruments or ()), paths, chosen, root, device, dtype, batch_size)


def setting(text: str) -> tuple[str, Any]:
    """``name=value`` with the value read as a number or boolean where it is one.

    Raises:
        Usage: it has another form.
    """
    import msgspec

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Usage(f"--set {text!r}: write name=value.")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def again(references: str | None, root: Path | None) -> str:
    """The options that name the references, for the next command that is suggested."""
    found = [("--references", references), ("--root", root)]
    return "".join(f" {name} {value}" for name, value in found if value is not None)


def references(text: str | None) -> str | dict[str, str] | None:
    """The value of ``--references``: a path, or paths by name.

    Raises:
        Usage: a part of a list has no name.
    """
    if text is None or "=" not in text:
        return text
    parts = [part.partition("=") for part in text.split(",")]
    for name, _, path in parts:
        if not name or not path:
            raise Usage(f"--references {text!r}: write name=PATH,name=PATH, or a single PATH.")
    return {name.strip(): path.strip() for name, _, path in parts}
