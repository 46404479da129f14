"""Runs an official Java program on a private temporary file, without a shell and with a time limit."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vismark.problems import Missing, refuse


def output(arguments: Sequence[str], text: str, seconds: float) -> str:
    """What ``java ARGUMENTS… FILE`` prints, where FILE holds `text` in UTF-8.

    Raises:
        vismark.problems.Missing: there is no Java runtime.
        vismark.problems.Refused: the program failed or took longer than `seconds` (JAVA_PROGRAM).
    """
    java = shutil.which("java")
    if java is None:
        raise Missing("This needs a Java runtime: install one, e.g. `apt install default-jre-headless`.")
    with tempfile.TemporaryDirectory(prefix="vismark-") as folder:
        file = Path(folder) / "input.txt"
        file.write_bytes(text.encode())
        try:
            done = subprocess.run(
                [java, *arguments, str(file)],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=True,
                cwd=folder,
            )
        except subprocess.TimeoutExpired as error:
            raise refuse("JAVA_PROGRAM", f"the Java program took more than {seconds:g} s and was ended") from error
        except subprocess.CalledProcessError as error:
            last = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise refuse("JAVA_PROGRAM", f"the Java program failed: {''.join(last)}") from error
    return done.stdout.decode("utf-8", "replace")
