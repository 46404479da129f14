"""`score --sandbox`: the limits hold, each of them, and an honest submission does not feel them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vismark
from detection_builder import results, truth, write
from vismark.problems import Refused
from vismark.results import read_result
from vismark.runtime.sandbox import Bounds, run

SMALL = Bounds(memory=512 << 20, cpu=1, file=1 << 20, open_files=64)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_memory_is_limited() -> None:
    assert run(python("import sys\ntry: bytearray(1 << 30)\nexcept MemoryError: sys.exit(7)"), SMALL) == 7


def test_processor_time_is_limited() -> None:
    with pytest.raises(Refused, match="1 s of processor time"):
        run(python("while True: pass"), SMALL)


def test_processor_time_is_limited_over_all_threads() -> None:
    code = "import hashlib, threading\nwork = lambda: [hashlib.sha256(bytes(1 << 20)) for _ in iter(int, 1)]\n"
    with pytest.raises(Refused, match="1 s of processor time"):
        run(python(code + "for _ in range(3): threading.Thread(target=work).start()"), SMALL)


def test_file_size_is_limited(tmp_path: Path) -> None:
    code = f"import sys\nf = open({str(tmp_path / 'big')!r}, 'wb', 0)\n"
    code += "try:\n  while True: f.write(bytes(1 << 16))\nexcept OSError as e: sys.exit(e.errno)"
    assert run(python(code), SMALL) == 27  # EFBIG
    assert (tmp_path / "big").stat().st_size == 1 << 20


def test_open_files_are_limited() -> None:
    code = "import sys\ntry: files = [open('/dev/null') for _ in range(100)]\nexcept OSError as e: sys.exit(e.errno)"
    assert run(python(code), SMALL) == 24  # EMFILE


LIMITS = {
    "memory": (Bounds(memory=400 << 20), "not enough memory|a library gave up|a library crashed"),
    "processor time": (Bounds(cpu=1), "1 s of processor time"),
    "size of files": (Bounds(file=1000), "File too large|more than 1,000 bytes"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_command_meets_each_limit_with_a_message(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Scoring a million detections of one image needs more than a second, 400 MB, and a thousand bytes of result."""
    gt, file = write(tmp_path, truth(3), "")
    file.write_text("[" + ",".join([json.dumps(results(truth(3), 3)[0])] * 1_000_000) + "]")
    bounds, message = LIMITS[name]
    words = ["score", "coco-detection", file, "--references", gt, "-o", tmp_path / "result.json"]
    start = "import sys; from vismark.cli.main import run; run()"
    try:
        code = run([sys.executable, "-c", start, *map(str, words)], bounds)
        said = capfd.readouterr().err
    except Refused as refused:
        code, said = 1, str(refused) + capfd.readouterr().err
    assert code == 1 and re.search(message, said), said
    assert "Traceback" not in said
    assert not (tmp_path / "result.json").exists()


def test_a_crash_of_a_library_is_explained() -> None:
    with pytest.raises(Refused, match="a library gave up"):
        run(python("import os; os.abort()"), SMALL)


def test_an_honest_submission_is_scored_the_same(tmp_path: Path) -> None:
    vismark.predict("oracle", "shapes-panoptic", tmp_path / "run")
    direct = vismark.score("shapes-panoptic", tmp_path / "run")
    command = [sys.executable, "-m", "vismark", "score", "shapes-panoptic", str(tmp_path / "run"), "--sandbox"]
    done = subprocess.run([*command, "-o", str(tmp_path / "r.json")], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "panopticapi" in done.stdout
    assert read_result(tmp_path / "r.json").metrics == direct.metrics


def test_a_bad_submission_is_refused_inside(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[" * 100_000)
    command = [sys.executable, "-m", "vismark", "score", "shapes-panoptic", str(tmp_path / "bad.json"), "--sandbox"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 1
    assert "JSON_DEPTH" in done.stderr and "Traceback" not in done.stderr
