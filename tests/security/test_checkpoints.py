"""Weights from strangers: calls inside them never run, lies about shapes and places are refused."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from vismark.problems import Refused
from vismark.runtime.checkpoints import tensors

TRACE = "VISMARK_WEIGHTS_RAN"


class Call:
    """Sets a variable when it is unpickled by a careless reader."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"import os; os.environ['{TRACE}'] = '1'",)


def header(entries: dict[str, Any], data: bytes, length: int | None = None) -> bytes:
    """A safetensors file; `length` is what it says of its header."""
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


SAFETENSORS = {
    "overlap": header({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
    "shape larger than the data": header({"a": entry([1000], 0, 8)}, bytes(8)),
    "shape whose product overflows": header({"a": entry([2**33, 2**33], 0, 8)}, bytes(8)),
    "negative shape": header({"a": entry([-2], 0, 8)}, bytes(8)),
    "data behind the end": header({"a": entry([2], 4096, 4104)}, bytes(8)),
    "a hole": header({"a": entry([2], 0, 8), "b": entry([2], 16, 24)}, bytes(24)),
    "unknown type": header({"a": entry([2], 0, 8, "X99")}, bytes(8)),
    "header of 2**60 bytes": header({"a": entry([2], 0, 8)}, bytes(8), 2**60),
    "header that is no JSON": struct.pack("<Q", 4) + b"\xff\xfe{{" + bytes(8),
    "empty": b"",
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_lying_safetensors_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(SAFETENSORS[name])
    with pytest.raises(Refused) as refused:
        tensors(path)
    assert [problem.code for problem in refused.value.problems] == ["WEIGHTS_FILE"]


def torch_file(path: Path, value: Any) -> None:
    import torch

    torch.save(value, path)


@pytest.mark.parametrize("written", ["by torch.save", "by the protocol alone"])
def test_a_call_inside_a_checkpoint_does_not_run(written: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if written == "by torch.save":
        torch_file(path, {"a": Call()})
    else:
        path.write_bytes(pickle.dumps({"a": Call()}))
    with pytest.raises(Refused) as refused:
        tensors(path)
    assert [problem.code for problem in refused.value.problems] == ["WEIGHTS_FILE"]
    assert TRACE not in os.environ


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, "text", None])
def test_what_holds_no_tensors_is_refused(value: Any, tmp_path: Path) -> None:
    torch_file(tmp_path / "weights.pt", value)
    with pytest.raises(Refused, match="something else than named tensors"):
        tensors(tmp_path / "weights.pt")


def test_honest_weights_are_read(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"a": torch.arange(6.0).reshape(2, 3)}
    torch_file(tmp_path / "weights.pth", state)
    save_file(state, tmp_path / "weights.safetensors")
    for name in ("weights.pth", "weights.safetensors"):
        assert torch.equal(tensors(tmp_path / name)["a"], state["a"])
