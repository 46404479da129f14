"""What imports torchvision can be imported, whether or not its compiled library fits the torch that is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

LIBRARIES = [name for name in ("torchvision", "timm", "open_clip", "torch_fidelity") if find_spec(name)]

pytestmark = pytest.mark.skipif(
    not find_spec("torch") or not find_spec("torchvision"), reason="torch or torchvision is not installed"
)


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]


def test_libraries_on_torchvision_can_be_imported() -> None:
    code = "from vismark.runtime.torchvision import make_importable; make_importable(); import "
    run(code + ", ".join(LIBRARIES))


def test_declared_once_and_a_missing_operator_is_told_when_it_is_called() -> None:
    run("""
from vismark.runtime.torchvision import make_importable
declared = make_importable()
import torch, torchvision
assert make_importable() is declared
make_importable.cache_clear()
assert make_importable() is None  # already imported: nothing is declared twice

boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.9, 2.0]])
try:
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5)
    assert declared is None and kept.tolist() == [0]
except RuntimeError as error:
    assert declared is not None and "C++ ops" in str(error)
""")
