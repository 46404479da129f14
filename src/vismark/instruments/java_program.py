"""Runs an official Java program in a private temporary folder, without a shell and with a time limit."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vismark.problems import Missing, refuse

_VERSION = re.compile(rb'version "(?:1\.)?(\d+)')


def java() -> str:
    """The Java runtime.

    Raises:
        vismark.problems.Missing: there is none.
    """
    found = shutil.which("java")
    if found is None:
        raise Missing("This needs a Java runtime: install one, e.g. `apt install default-jre-headless`.")
    return found


@cache
def java_version() -> int:
    """The main version of the Java runtime: 8, 17, …; 0 when it does not say.

    Raises:
        vismark.problems.Missing: there is none.
    """
    told = subprocess.run([java(), "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    found = _VERSION.search(told.stderr)
    return int(found[1]) if found else 0


def output(arguments: Sequence[str], text: str, seconds: float, *, result: str = "") -> str:
    """What ``java ARGUMENTS…`` prints, or writes to the file `result` in its folder.

    Args:
        arguments: they name ``input.txt``, which holds `text` in UTF-8 in the folder that the program runs in.
        seconds: after which it is ended.

    Raises:
        vismark.problems.Missing: there is no Java runtime.
        vismark.problems.Refused: the program failed or took too long (JAVA_PROGRAM).
    """
    with tempfile.TemporaryDirectory(prefix="vismark-") as folder:
        (Path(folder) / "input.txt").write_bytes(text.encode())
        try:
            done = subprocess.run(
                [java(), *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=True,
                cwd=folder,
            )
            return ((Path(folder) / result).read_bytes() if result else done.stdout).decode("utf-8", "replace")
        except subprocess.TimeoutExpired as error:
            raise refuse("JAVA_PROGRAM", f"the Java program took more than {seconds:g} s and was ended") from error
        except subprocess.CalledProcessError as error:
            raise refuse("JAVA_PROGRAM", f"the Java program failed: {_reason(error.stderr)}") from error
        except FileNotFoundError as error:
            raise refuse("JAVA_PROGRAM", f"the Java program wrote nothing: {_reason(done.stderr)}") from error


def _reason(stderr: bytes) -> str:
    """The first line of what went wrong, without the trace below it."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if not line.startswith(("\t", "    "))]
    return next((line for line in lines if "Exception" in line or "Error" in line), "".join(lines[-1:]))
