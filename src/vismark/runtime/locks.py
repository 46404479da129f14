"""Locks between processes. They live in the cache, because a data root may be read-only, and die with their process."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vismark.runtime.folders import cache_root


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of `path` (which need not exist) while the block runs; a second process waits its turn.

    The lock is advisory, between users of this function with the same cache, and is released even by ``kill -9``.

    Raises:
        OSError: the cache cannot be written.
    """
    locks = cache_root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = locks / (hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32] + ".lock")
    handle = _acquire(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _acquire(lock: Path) -> int:
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # The owner before us removes the file when it leaves: a lock on a removed file guards nothing.
        try:
            if os.path.samestat(os.fstat(handle), lock.stat()):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)
