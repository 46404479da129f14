"""A child process with hard limits on memory, processor time, file size and open files, for input from strangers.

The checks bound what a submission can make vismark do; this is the second wall, kept by the operating system.
"""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vismark.problems import Refused, refuse


@dataclass(frozen=True)
class Bounds:
    """Limits of a child process.

    Attributes:
        memory: address space, in bytes; more than is used, since libraries reserve addresses.
        cpu: processor time over all threads, in seconds.
        file: largest file it may write, in bytes.
        open_files: files open at once.
    """

    memory: int = 8 << 30
    cpu: int = 3600
    file: int = 4 << 30
    open_files: int = 256


def run(command: Sequence[str], bounds: Bounds, environment: Mapping[str, str] | None = None) -> int:
    """Run `command` within `bounds`, with this process's input and output; its exit code.

    Raises:
        Refused: a limit ended it (SANDBOX_LIMIT).
    """
    # The limits are set between fork and exec, so that there is no moment without them.
    child = subprocess.Popen(command, preexec_fn=lambda: _confine(bounds), env=environment)
    code = child.wait()
    if code < 0:
        raise _ended_by(-code, bounds)
    return code


def _confine(bounds: Bounds) -> None:
    for kind, limit in (
        (resource.RLIMIT_AS, bounds.memory),
        (resource.RLIMIT_CPU, bounds.cpu),
        (resource.RLIMIT_FSIZE, bounds.file),
        (resource.RLIMIT_NOFILE, bounds.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (wanted, wanted))


def _ended_by(number: int, bounds: Bounds) -> Refused:
    causes = {
        signal.SIGXCPU: f"more than {bounds.cpu} s of processor time were used",
        signal.SIGKILL: f"it was killed: more than {bounds.cpu} s of processor time, or no memory left on the machine",
        signal.SIGXFSZ: f"a file of more than {bounds.file:,} bytes was to be written",
        signal.SIGABRT: f"a library gave up, most likely at the limit of {bounds.memory:,} bytes of memory",
        signal.SIGSEGV: f"a library crashed, most likely at the limit of {bounds.memory:,} bytes of memory",
    }
    name = signal.Signals(number)
    why = causes.get(name, f"it was ended by {name.name}")
    fix = "Score it without --sandbox if you trust its origin; otherwise refuse it."
    return refuse("SANDBOX_LIMIT", f"the sandbox ended the scoring: {why}", fix=fix)
