"""Shards: the one rule by which work is divided over machines, for predictions and measurements alike."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

import msgspec

from vismark.problems import Usage

# Launchers and the variables in which they tell (index, count).
_LAUNCHERS = (("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"), ("RANK", "WORLD_SIZE"))


class Shard(msgspec.Struct, frozen=True):
    """Part `rank` of `world`: the ids ``ids[rank::world]``. No process group, no order of arrival."""

    rank: int = 0
    world: int = 1

    def of(self, ids: Sequence[str]) -> Sequence[str]:
        """This shard's ids, in the protocol's order."""
        return ids[self.rank :: self.world]

    def __str__(self) -> str:
        return f"{self.rank}of{self.world}"


def shard(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard that ``I/N`` (0 ≤ I < N) names; without text, that of a SLURM array or torchrun; else the whole.

    Raises:
        Usage: the text has another form or the numbers are out of range.
    """
    if text is not None:
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if not found:
            raise Usage(f"--shard {text!r} is not of the form I/N, e.g. 0/8.")
        return _checked(int(found[1]), int(found[2]), f"--shard {text}")
    for index, count in _LAUNCHERS:
        if index in environment and count in environment:
            first = int(environment.get("SLURM_ARRAY_TASK_MIN", 0)) if index.startswith("SLURM") else 0
            return _checked(int(environment[index]) - first, int(environment[count]), f"{index}={environment[index]}")
    return Shard()


def _checked(rank: int, world: int, source: str) -> Shard:
    if not 0 <= rank < world:
        raise Usage(f"{source}: the shard index {rank} is not in 0 … {world - 1}.")
    return Shard(rank, world)
