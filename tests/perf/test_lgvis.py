"""`score vicas-lgvis` against the official algorithm: 300 videos of 30 frames of 1080 × 1920 pixels with three objects.

Two forms of the peer, each with the official JSON reading and loops: `decoded` decodes and intersects masks, `merged`
does as the official tool does, which merges compressed masks in C pair by pair.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from timed import cost, least
from vismark.formats.rle import compress

HEIGHT, WIDTH, FRAMES, OBJECTS = 1080, 1920, 30, 3
# Different videos; the others repeat them under another id.
DISTINCT = 20

Json = dict[str, Any]

OURS = "import sys; sys.argv = ['vismark', 'score', 'vicas-lgvis', {predictions!r}, '--references', 'annotations={annotations},split={split}', '--jobs', '{jobs}', '-o', {output!r}]; from vismark.cli.main import run; run()"  # noqa: E501
IMPORTS = "import typer, rich.table, typer._adapters, vismark.cli.main, hotcoco, numpy, pyarrow.parquet, joblib"

PEER = """
import json, sys
import numpy as np
from pathlib import Path
from pycocotools import mask as coco
sys.path[:0] = [{tests!r}]
from vicas_builder import assignment, pooled

def both_ways(one, other):
    if {decode}:
        first, second = coco.decode(one).astype(bool), coco.decode(other).astype(bool)
        return (first & second).sum(), (first | second).sum()
    return coco.area(coco.merge([one, other], True)), coco.area(coco.merge([one, other], False))

columns, targets = [], 0
for id in json.load(open({split!r}))[: {videos}]:
    truth = json.loads((Path({annotations!r}) / f"{{id:06d}}.json").read_text())
    found = json.loads((Path({predictions!r}) / f"{{id:06d}}.json").read_text())
    for entry, expression in zip(found["pred_lgvis_masks"], truth["object_referrals"]):
        predicted = list(zip(*[frame["mask_rles"] for frame in entry]))
        true = [[f["mask_rles"][f["track_ids"].index(id)] for f in truth["segmentations"]] for id in expression["track_ids"]]
        ious = np.zeros((len(predicted), len(true)), np.float32)
        for i, one in enumerate(predicted):
            for j, other in enumerate(true):
                shared = either = 0.0
                for first, second in zip(one, other):
                    both, union = both_ways(first, second)
                    shared, either = shared + both, either + union
                ious[i, j] = shared / either if either else 0.0
        columns.append(assignment(ious, len(predicted)))
        targets += len(true)
matches = np.concatenate(columns, axis=1)
json.dump(pooled(matches, matches.shape[1], targets, np.arange(matches.shape[1])), open({output!r}, "w"))
"""  # noqa: E501


def blob(x: float, y: float, radius: float, phase: float) -> Json:
    """A wobbly disc as run lengths, column by column."""
    columns = np.arange(max(0, int(x - radius)), min(WIDTH, int(x + radius)))
    half = np.sqrt(np.maximum(0, radius * radius - (columns - x) ** 2)) * (1 + 0.05 * np.sin(columns / 9 + phase))
    top, bottom = (np.clip(edge, 0, HEIGHT).astype(int) for edge in (y - half, y + half))
    edges = np.stack([columns * HEIGHT + top, columns * HEIGHT + bottom], axis=1).ravel()
    return compress(np.diff(np.concatenate([[0], edges, [HEIGHT * WIDTH]])), (HEIGHT, WIDTH))


def video(random: np.random.Generator) -> tuple[Json, Json]:
    """Three objects that drift; an expression for each and one for all; predictions a few pixels off."""
    start = random.uniform([300, 250, 80], [1600, 800, 250], (OBJECTS, 3))
    drift = random.uniform(-8, 8, (OBJECTS, 2))
    segmentations: list[Json] = []
    answers: list[list[Json]] = [[] for _ in range(OBJECTS + 1)]
    for frame in range(FRAMES):
        name = f"{frame:05d}.jpg"
        places = [(*(one[:2] + frame * way), one[2]) for one, way in zip(start, drift, strict=True)]
        true = [blob(*place, phase) for phase, place in enumerate(places)]
        found = [blob(x + 9, y - 6, 1.05 * r, phase + 1) for phase, (x, y, r) in enumerate(places)]
        ids = list(range(OBJECTS))
        segmentations.append({"filename": name, "is_gt": True, "track_ids": ids, "mask_rles": true})
        for number in ids:
            answers[number].append({"filename": name, "mask_rles": [found[number]]})
        answers[OBJECTS].append({"filename": name, "mask_rles": found})
    asked = [{"prompt": f"object {n}", "track_ids": [n]} for n in range(OBJECTS)]
    asked.append({"prompt": "all objects", "track_ids": list(range(OBJECTS))})
    truth = {
        "image_size": [HEIGHT, WIDTH], "object_referrals": asked, "segmentations": segmentations,
        "all_track_ids": list(range(OBJECTS)),
    }  # fmt: skip
    return truth, {"pred_lgvis_masks": answers}


def generate(folder: Path, videos: int) -> dict[str, str]:
    random = np.random.default_rng(0)
    drawn = [video(random) for _ in range(min(DISTINCT, videos))]
    for kind in ("annotations", "predictions"):
        (folder / kind).mkdir(parents=True)
    for id in range(videos):
        for kind, value in zip(("annotations", "predictions"), drawn[id % len(drawn)], strict=True):
            (folder / kind / f"{id:06d}.json").write_text(json.dumps({"video_id": id} | value))
    (folder / "split.json").write_text(json.dumps(list(range(videos))))
    names = {name: str(folder / name) for name in ("annotations", "predictions")}
    return names | {"split": str(folder / "split.json"), "output": str(folder / "result.json")}


def peer(names: dict[str, str], videos: int, decode: bool) -> str:
    tests = str(Path(__file__).parents[1])
    return PEER.format(**names, videos=videos, decode=decode, tests=tests)


@pytest.mark.perf
@pytest.mark.timeout(1200)
def test_whole_command_against_the_official_algorithm(tmp_path: Path) -> None:
    videos, few = 300, 3
    names = generate(tmp_path / "videos", videos)
    found = least(
        {
            "decoded": peer(names, few, decode=True),
            "merged": peer(names, videos, decode=False),
            "one core": OURS.format(**names, jobs=1),
            "two cores": OURS.format(**names, jobs=2),
        },
        tmp_path,
    )
    imports = least({"imports": IMPORTS}, tmp_path)["imports"]
    # Processor time where one core does all: other work on the machine does not count.
    ours, merged = (found[name].processor - imports.processor for name in ("one core", "merged"))
    decoded = found["decoded"].processor * videos / few
    one, two = (found[name].seconds - imports.seconds for name in ("one core", "two cores"))
    print(
        f"\nscore vicas-lgvis, {videos} videos × {FRAMES} frames × {OBJECTS} objects of {HEIGHT} × {WIDTH}, whole "
        f"command without imports ({imports.seconds:.2f} s), processor time: {ours:.2f} s"
        f"\n  {decoded / ours:.0f} × decoding and intersecting ({decoded:.0f} s, from {few} videos)"
        f"\n  {merged / ours:.1f} × the official merging in C ({merged:.1f} s)"
        f"\n  wall time on one core {one:.2f} s, on two {two:.2f} s: {one / max(two, 0.01):.2f} ×"
    )


@pytest.mark.perf
@pytest.mark.timeout(600)
def test_memory_is_flat_in_the_number_of_videos(tmp_path: Path) -> None:
    peaks = {}
    for videos in (20, 300):
        names = generate(tmp_path / str(videos), videos)
        peaks[videos] = cost(OURS.format(**names, jobs=1), tmp_path).bytes
    print("\npeak memory:", ", ".join(f"{n} videos {peak / 2**20:.0f} MiB" for n, peak in peaks.items()))
    # Fifteen times the videos, each with 190 kB of annotation and prediction: an outline of each stays, no mask.
    assert peaks[300] - peaks[20] < 280 * 20 * 1024


@pytest.mark.perf
@pytest.mark.timeout(600)
def test_what_one_process_has_to_do_for_all(tmp_path: Path) -> None:
    """What workers cannot share bounds the gain from cores; in processor time, as other work shares the machine."""
    from vismark.jobs.prepare import Options, measured, prepare

    names = generate(tmp_path / "videos", 300)
    spent = {}
    for jobs in (1, 2):
        start = time.process_time()
        options = Options({name: names[name] for name in ("annotations", "split")}, jobs=jobs)
        prepared, problems = prepare("vicas-lgvis", Path(names["predictions"]), options)
        assert prepared is not None
        measured(prepared, problems, jobs, keep=False)
        spent[jobs] = time.process_time() - start
    share = spent[2] / spent[1]
    print(
        f"\nprocessor time of the main process: {spent[1]:.2f} s alone, {spent[2]:.2f} s beside two workers; "
        f"with that share of {share:.0%} two cores are at the most {2 / (1 + share):.2f} × one"
    )


@pytest.mark.perf
def test_the_peer_is_right(tmp_path: Path) -> None:
    """Both peers and the command give the same numbers."""
    import vismark

    names = generate(tmp_path / "videos", 3)
    references = {name: names[name] for name in ("annotations", "split")}
    ours = vismark.score("vicas-lgvis", names["predictions"], references=references)
    for decode in (True, False):
        cost(peer(names, 3, decode), tmp_path)
        assert json.loads(Path(names["output"]).read_text()) == {
            name: ours.metrics[name] for name in ("mAP", "AP@50", "AP@75", "AP@90")
        }
