"""Where networks run, and that float32 there means float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vismark.problems import Missing, Usage

if TYPE_CHECKING:
    import torch


def device(name: str = "") -> torch.device:
    """The device called `name` (``cpu``, ``cuda:0``, ``mps``); "" is the best there is.

    Convolutions and products in float32 are not rounded to TF32 from then on, as every GPU would by default: features
    measured on a GPU then equal those of a CPU to about 1e-5.

    Raises:
        Missing: torch is not installed, or there is no such device.
        Usage: no device has such a name.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise Missing("Networks need torch, which is not installed: `pip install 'vismark[models]'`.") from error
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if not name:
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(best)
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise Usage(f"--device {name!r}: there is no such kind of device; write cpu, cuda or cuda:0.") from error
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (chosen.index or 0) >= there.get(chosen.type, 0):
        raise Missing(f"--device {name}: this machine has {there.get(chosen.type, 0)} of these.")
    return chosen
