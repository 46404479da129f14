"""Weights from files, as named tensors; nothing that a file holds beside tensors is ever run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vismark.problems import refuse

if TYPE_CHECKING:
    import torch


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """Name → tensor from a ``.safetensors`` file, or from what ``torch.save`` wrote of a state dict.

    Raises:
        vismark.problems.Refused: the file is damaged, or holds something else (WEIGHTS_FILE).
    """
    try:
        found = _read(path)
    except Exception as error:  # the readers raise whatever a broken file leads them to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refused(path, f"cannot be read as weights: {reason}") from error
    if not isinstance(found, Mapping) or not all(_is_tensor(value) for value in found.values()):
        raise _refused(path, "holds something else than named tensors")
    return dict(found)


def load(network: torch.nn.Module, path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Put `state` into `network`, name by name.

    Raises:
        vismark.problems.Refused: names or shapes do not fit; the first of each are named (WEIGHTS_OTHER_NETWORK).
    """
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = {
        "missing": [name for name in own if name not in given],
        "unknown": [name for name in given if name not in own],
        "of another shape": [name for name in own if name in given and own[name] != given[name]],
    }
    if any(wrong.values()):
        listed = "; ".join(f"{len(names)} {what}, e.g. {names[0]}" for what, names in wrong.items() if names)
        raise refuse(
            "WEIGHTS_OTHER_NETWORK",
            f"holds the weights of another network: {listed}",
            file=path.name,
            fix="Name the file that the instrument's card names, see `vismark info`.",
        )
    network.load_state_dict(state)


def _read(path: Path) -> Any:
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _refused(path: Path, message: str) -> Exception:
    fix = "Download it again; weights are read from .safetensors and from torch.save of a state dict."
    return refuse("WEIGHTS_FILE", message, file=path.name, fix=fix)
