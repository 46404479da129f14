"""`vismark predict`: run a predictor over a benchmark's questions, resumable and in shards."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark import registry
from vismark.benchmarks import controls
from vismark.benchmarks.base import Benchmark
from vismark.jobs.manifest import Manifest
from vismark.jobs.prepare import References, read_references, source
from vismark.jobs.submission import Submission
from vismark.problems import Problems, Usage, refuse
from vismark.runtime.parallel import chunks
from vismark.runtime.progress import Bar
from vismark.runtime.shards import shard as parse_shard
from vismark.tasks import Predictor, Request


def predict(
    who: str | Predictor,
    benchmark: str,
    output: str | Path,
    *,
    references: References = None,
    root: str | Path | None = None,
    limit: int | None = None,
    settings: Mapping[str, Any] | None = None,
    shard: str | None = None,
    seed: int = 0,
    batch_size: int = 1,
) -> Submission:
    """Answer a benchmark's questions and write a submission; call it again after a kill and it goes on.

    Args:
        who: a control (``oracle``, ``blank``, ``majority``), a baseline, ``module:Class``, or a predictor object.
        benchmark: name of the benchmark.
        output: folder of the submission.
        references: the official files, or paths by name (``images`` is the folder of pictures).
        limit: only the first so many samples of the protocol's order; the score is then stamped PARTIAL.
        settings: arguments of the predictor.
        shard: ``I/N``: only ids[I::N]; by default from SLURM_ARRAY_TASK_ID/COUNT or RANK/WORLD_SIZE.
        seed: of everything random; a sample's own seed is derived from it and the sample's id.
        batch_size: questions given to the predictor at once.

    Returns:
        The submission; its ``finished`` tells whether all shards are complete.

    Raises:
        Refused: an answer does not fit, the predictor failed, or the folder holds other work.
        Missing: references or a package of the predictor are not there.
        Usage: an argument is wrong.
    """
    if batch_size < 1 or (limit is not None and limit < 1):
        raise Usage("--batch-size and --limit are at least 1.")
    problems = Problems()
    bench = registry.benchmark(benchmark)
    truth = read_references(bench, source(references, root), problems)
    model = _predictor(who, bench, truth, dict(settings or {})) if isinstance(who, str) else who
    described = model.describe() if hasattr(model, "describe") else {}
    manifest = _manifest(model.name, bench, truth, {**(settings or {}), **described}, limit, seed, batch_size, shard)
    with Submission(bench, truth, Path(output), manifest, parse_shard(shard)) as folder:
        _run(model, folder, batch_size)
    if hasattr(model, "close"):
        model.close()
    return folder


def submission(
    benchmark: str,
    output: str | Path,
    *,
    model: str = "",
    references: References = None,
    root: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    shard: str | None = None,
) -> Submission:
    """A submission folder for people with their own loop; resumable like `predict`.

    Example::

        with vismark.submission("coco-panoptic", "out", references="panoptic_val2017.json") as s:
            for request in s.pending():
                s.write(request, my_model(request.image.pixels()))

    Args:
        model: name of the model for the record; by default that of the folder.
    """
    bench = registry.benchmark(benchmark)
    truth = read_references(bench, source(references, root), Problems())
    name = model or Path(output).resolve().name
    manifest = _manifest(name, bench, truth, {}, limit, seed, 1, shard)
    return Submission(bench, truth, Path(output), manifest, parse_shard(shard))


def _manifest(
    name: str,
    bench: Benchmark,
    truth: Any,
    settings: dict[str, Any],
    limit: int | None,
    seed: int,
    batch: int,
    shard: str | None,
) -> Manifest:
    every = tuple(bench.requests(truth, seed).ids)
    part = every[:limit] if limit is not None and limit < len(every) else None
    return Manifest(
        benchmark=bench.card.name,
        predictor=name,
        settings=settings,
        seed=seed,
        batch=batch,
        world=parse_shard(shard).world,
        ids=part,
        total=len(every),
    )


def _predictor(who: str, bench: Benchmark, truth: Any, settings: dict[str, Any]) -> Predictor:
    """The predictor that `who` names."""
    if who in controls.NAMES:
        return controls.control(who, bench, truth, settings)
    if ":" not in who:
        card = registry.card("baselines", who) if registry.cards("baselines") else None
        if card is None:
            known = ", ".join(controls.NAMES)
            raise Usage(f"There is no predictor {who!r}. Controls: {known}. Your own: my_module:MyModel.")
        who = card.code
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    made = registry.load(who)
    try:
        model = made(**settings) if callable(made) else made
    except TypeError as error:
        raise Usage(f"{who} does not take these settings: {error}.") from error
    if not isinstance(model, Predictor):
        raise Usage(f"{who} is no predictor: it needs `name`, `tasks` and `predict(requests)`.")
    return model


def _run(model: Predictor, folder: Submission, batch_size: int) -> None:
    left = folder.left
    if not left:
        return
    asked = type(folder.requests[0])
    if not any(issubclass(asked, task) for task in model.tasks):
        known = ", ".join(task.__name__ for task in model.tasks)
        raise Usage(f"{model.name} answers {known}; {folder.manifest.benchmark} asks {asked.__name__}.")
    place = {id: number for number, id in enumerate(folder.requests.ids)}
    with Bar(f"predicting with {model.name}", len(folder.ids), len(folder.ids) - len(left)) as bar:
        for ids in chunks(left, batch_size):
            batch = [folder.requests[place[id]] for id in ids]
            started = time.perf_counter()
            answers = _answers(model, batch, folder.path)
            folder.write_batch(batch, answers, time.perf_counter() - started)
            bar.advance(len(batch))


def _answers(model: Predictor, batch: Sequence[Request], path: Path) -> Sequence[Any]:
    try:
        answers = list(model.predict(batch))
    except Exception as error:
        # The predictor is the user's own code: its trace is kept for them, the message says where it broke.
        log = path / "predictor-error.txt"
        log.write_text(traceback.format_exc())
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        raise refuse(
            "PREDICTOR_FAILED",
            f"{model.name}.predict raised {type(error).__name__}: {error} ({where})",
            item=batch[0].id,
            fix=f"The full trace is in {log.name} in the output folder; finished predictions are kept.",
        ) from error
    if len(answers) != len(batch):
        message = f"{model.name}.predict gave {len(answers)} answers to {len(batch)} requests"
        raise refuse("PREDICTOR_COUNT", message, item=batch[0].id, fix="Return one answer a request, in order.")
    return answers
