"""`validate` of an instances file against the fastest JSON parser and against pycocotools' index, in one run.

The file is as large as train2017's (860,001 annotations, 470 MB); `VISMARK_PERF_ANNOTATIONS` makes it smaller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vismark.formats.coco_categories import official_categories

HEIGHT, WIDTH = 480, 640
PER_IMAGE = 7.27  # annotations an image in train2017

OURS = "from vismark.jobs.validate import validate; problems = validate({file!r}); assert not len(problems)"
MSGSPEC = "import msgspec; value = msgspec.json.decode(open({file!r}, 'rb').read())"
PYCOCOTOOLS = "from pycocotools.coco import COCO; value = COCO({file!r})"

# The time of the last line alone, without the start of the interpreter, and the peak of the whole process.
CHILD = """
import json, resource, sys, time
import numpy, msgspec, pycocotools.coco, vismark.jobs.validate, vismark.datasets.coco.validate
before = time.perf_counter()
{code}
seconds = time.perf_counter() - before
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def shapes(random: np.random.Generator, count: int) -> list[str]:
    """The fields segmentation, area and bbox of `count` star-shaped polygons of about 20 points, as JSON text."""
    found = []
    for points in random.integers(10, 37, count):
        radius = random.lognormal(3.3, 0.7) * random.uniform(0.6, 1.0, points)
        angle = np.sort(random.uniform(0, 2 * np.pi, points))
        x = np.clip(random.uniform(0, WIDTH) + radius * np.cos(angle), 0, WIDTH).round(2)
        y = np.clip(random.uniform(0, HEIGHT) + radius * np.sin(angle), 0, HEIGHT).round(2)
        area = abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
        box = [float(x.min()), float(y.min()), round(float(np.ptp(x)), 2), round(float(np.ptp(y)), 2)]
        outline = np.stack([x, y], axis=1).ravel().tolist()
        found.append(f'"segmentation": [{json.dumps(outline)}], "area": {area!r}, "bbox": {json.dumps(box)}')
    return found


def generate(file: Path, annotations: int) -> None:
    """An instances file in the format of COCO's."""
    random = np.random.default_rng(0)
    pool, images = shapes(random, 5000), int(annotations / PER_IMAGE) + 1
    picture = '{{"license": 3, "file_name": "{0:012}.jpg", "coco_url": "http://images.cocodataset.org/train2017/{0:012}.jpg", "height": 480, "width": 640, "date_captured": "2013-11-14 17:02:52", "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg", "id": {0}}}'  # noqa: E501
    things = list(islice(official_categories().values(), 80))
    categories = [{"supercategory": one.supercategory, "id": one.id, "name": one.name} for one in things]
    drawn = random.integers(0, len(pool), annotations).tolist()
    kinds = random.choice([one.id for one in things], annotations).tolist()
    with file.open("w") as out:
        out.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        out.write(", ".join(picture.format(number) for number in range(1, images + 1)))
        out.write('], "annotations": [')
        for start in range(0, annotations, 10_000):
            entries = (
                f'{{{pool[drawn[n]]}, "iscrowd": 0, "image_id": {n % images + 1}, '
                f'"category_id": {kinds[n]}, "id": {n + 1}}}'
                for n in range(start, min(start + 10_000, annotations))
            )
            out.write((", " if start else "") + ", ".join(entries))
        out.write(f'], "categories": {json.dumps(categories)}}}')


def measure(code: str) -> tuple[float, int]:
    """Seconds, and the peak of memory in bytes, of some code in a process of its own."""
    done = subprocess.run([sys.executable, "-c", CHILD.format(code=code)], capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


@pytest.mark.perf
@pytest.mark.timeout(1200)
def test_validate_instances(tmp_path: Path) -> None:
    count = int(os.environ.get("VISMARK_PERF_ANNOTATIONS", "860001"))
    file = tmp_path / "instances.json"
    generate(file, count)
    size = file.stat().st_size
    ours, memory = min(measure(OURS.format(file=str(file))) for _ in range(2))
    parser, parser_memory = min(measure(MSGSPEC.format(file=str(file))) for _ in range(2))
    peer, peer_memory = measure(PYCOCOTOOLS.format(file=str(file)))
    idle = measure("pass")[1]
    print(
        f"\n{count:,} annotations, {size / 1e6:.0f} MB (times without start-up, memory above that of an idle process)"
    )
    for name, seconds, peak in (
        ("vismark validate", ours, memory),
        ("msgspec.json.decode", parser, parser_memory),
        ("json.load + pycocotools index", peer, peer_memory),
    ):
        print(f"{name:30} {seconds:7.2f} s   {(peak - idle) / size:5.2f} × the file")
    print(f"validate takes {ours / parser:.2f} × msgspec, {ours / peer:.2f} × pycocotools")
    assert memory - idle < 2 * size
