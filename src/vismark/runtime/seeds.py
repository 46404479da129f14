"""Seeds that depend on the run's seed and the sample's id alone, never on machine counts or batch order."""

from __future__ import annotations

import hashlib


def seed_for(seed: int, id: str) -> int:
    """A 63-bit seed for the sample `id` of a run with `seed`."""
    digest = hashlib.sha256(f"{seed}/{id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
