"""One side of the comparison in test_captions.py, run as a process of its own: ``caption_sides.py SIDE CORES``.

Prints a JSON object: `seconds` of each part and of the whole (of processor time on one core, which other work on the
machine does not stretch; of the clock on two), `peak`, the memory in MB of the greatest single process, and `numbers`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

IMAGES, REFERENCES = 5000, 5

WORDS = """man woman people person boy girl child group dog cat horse bird bear sheep cow elephant zebra giraffe street
road sidewalk building house kitchen bathroom bedroom table chair couch bed window door mirror sink toilet stove oven
refrigerator counter cabinet floor wall train bus car truck motorcycle bicycle airplane boat sign traffic light fire
hydrant clock bench tree grass field beach ocean water wave snow mountain hill sky cloud park zoo fence plate bowl cup
glass bottle fork knife spoon pizza sandwich cake donut banana apple orange carrot broccoli food vegetables fruit meat
laptop computer keyboard mouse phone television remote book paper bag suitcase umbrella tie hat shirt jacket helmet
skateboard snowboard surfboard skis tennis racket baseball bat ball glove frisbee kite player game riding standing
sitting walking running holding eating playing looking wearing flying jumping laying parked driving cutting talking
large small big little young old white black red blue green yellow brown wooden several two three many some other
different colorful tall long open empty city front side top middle next near behind under over through around along
across down up into while down with without his her their its T-shirt man's couple bunch lot variety slice piece pair
12:30 U.S. o'clock 3 "stop" don't""".split()  # noqa: SIM905
GLUE = ["a", "a", "a", "the", "on", "in", "of", "with", "and", "is", "are", "to", "at", "an"]


Clock = Callable[[str], contextlib.AbstractContextManager[None]]


def captions() -> tuple[list[str], list[list[str]]]:
    """Candidates and references: variations of one sentence an image, a function word about every second."""
    rng = random.Random(0)

    def word() -> str:
        # Few words are frequent, as in real captions.
        return rng.choice(GLUE) if rng.random() < 0.45 else WORDS[int(len(WORDS) * rng.random() ** 2)]

    def vary(sentence: list[str]) -> str:
        kept = [one if rng.random() < 0.7 else word() for one in sentence if rng.random() < 0.9]
        return " ".join(kept).capitalize() + rng.choice([".", ".", "", " ."])

    sentences = [[word() for _ in range(rng.randint(8, 13))] for _ in range(IMAGES)]
    return [vary(one) for one in sentences], [[vary(one) for _ in range(REFERENCES)] for one in sentences]


def official(clock: Clock) -> dict[str, float]:
    """pycocoevalcap, part by part; the numbers."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    candidates, references = captions()
    with clock("tokenizer"):
        tokenizer = PTBTokenizer()
        refs = tokenizer.tokenize({n: [{"caption": one} for one in many] for n, many in enumerate(references)})
        cands = tokenizer.tokenize({n: [{"caption": one}] for n, one in enumerate(candidates)})
    numbers: dict[str, Any] = {}
    for name, scorer in (("BLEU", Bleu), ("ROUGE-L", Rouge), ("CIDEr", Cider), ("METEOR", Meteor)):
        with clock(name), contextlib.redirect_stdout(io.StringIO()):
            numbers[name] = scorer().compute_score(refs, cands)[0]
    # It prints CIDEr-D under the name CIDEr: the same work again.
    numbers["CIDEr-D"] = numbers["CIDEr"]
    bleu = {f"BLEU-{n}": number for n, number in enumerate(numbers.pop("BLEU"), 1)}
    return {**bleu, **{name: float(number) for name, number in numbers.items()}}


def ours(clock: Clock) -> dict[str, float]:
    """The same with vismark on one core."""
    from vismark.instruments.caption_data import meteor_tables, ptb_automaton
    from vismark.metrics.captions.bleu import Bleu
    from vismark.metrics.captions.cider import Cider, CiderD
    from vismark.metrics.captions.meteor import Meteor
    from vismark.metrics.captions.ptb import Tokenizer
    from vismark.metrics.captions.rouge import RougeL

    candidates, references = captions()
    with clock("tokenizer"):
        tokenizer = Tokenizer(ptb_automaton())
        flat = tokenizer.lines([one for many in references for one in many])
        cands = tokenizer.lines(candidates)
    refs = [flat[n * REFERENCES : (n + 1) * REFERENCES] for n in range(IMAGES)]
    numbers: dict[str, Any] = {}
    for make in (Bleu, RougeL, Cider, CiderD, lambda: Meteor(meteor_tables())):
        name = make().name if make in (Bleu, RougeL, Cider, CiderD) else "METEOR"
        with clock(name):
            metric: Any = make()
            numbers |= metric.reduce([metric.row(*image) for image in zip(cands, refs, strict=True)])
    return numbers


def part(images: list[tuple[str, list[str]]]) -> list[tuple[Any, ...]]:
    """Rows of some images, in a worker."""
    from vismark.instruments.caption_data import meteor_tables
    from vismark.metrics.captions.bleu import Bleu
    from vismark.metrics.captions.meteor import Meteor
    from vismark.metrics.captions.rouge import RougeL

    metrics = (Bleu(), RougeL(), Meteor(meteor_tables()))
    return [tuple(metric.row(*image) for metric in metrics) for image in images]


def shared(clock: Clock) -> dict[str, float]:
    """The same with vismark on two cores: rows in workers, what needs all images here meanwhile."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from vismark.instruments.caption_data import meteor_tables, ptb_automaton
    from vismark.metrics.captions.bleu import Bleu
    from vismark.metrics.captions.cider import Cider, CiderD
    from vismark.metrics.captions.meteor import Meteor
    from vismark.metrics.captions.ptb import Tokenizer
    from vismark.metrics.captions.rouge import RougeL

    candidates, references = captions()
    tokenizer = Tokenizer(ptb_automaton())
    flat = tokenizer.lines([one for many in references for one in many])
    refs = [flat[n * REFERENCES : (n + 1) * REFERENCES] for n in range(IMAGES)]
    images = list(zip(tokenizer.lines(candidates), refs, strict=True))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pieces = pool.map(part, [images[start : start + 500] for start in range(0, IMAGES, 500)])
        rows = [row for piece in pieces for row in piece]
    captioned = [Cider().row(*image) for image in images]
    numbers: dict[str, Any] = {}
    for number, metric in enumerate((Bleu(), RougeL(), Meteor(meteor_tables()))):
        numbers |= metric.reduce([row[number] for row in rows])
    return numbers | Cider().reduce(captioned) | CiderD().reduce(captioned)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    side, cores = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    now = processor_seconds if cores == 1 else time.perf_counter
    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def clock(name: str) -> Iterator[None]:
        start = now()
        yield
        seconds[name] = now() - start

    with clock("whole"):
        run = official if side == "official" else ours if cores == 1 else shared
        numbers = run(clock)
    if side == "official":
        seconds["CIDEr-D"] = seconds["CIDEr"]
        seconds["whole"] += seconds["CIDEr"]
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "peak": peak / 1024, "numbers": numbers}))


if __name__ == "__main__":
    main()
