"""The official Java programs that caption metrics are compared with; a test that needs them is skipped without Java."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from vismark.instruments.caption_files import METEOR, official_file

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java runtime")


class JavaMeteor:
    """METEOR 1.5, called as pycocoevalcap 1.2 calls it."""

    def __init__(self) -> None:
        jar = official_file(METEOR)
        command = ["java", "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
        self.process = subprocess.Popen(
            command, cwd=jar.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def statistics(self, candidate: str, references: Sequence[str]) -> str:
        """The line of statistics of one image."""
        cleaned = candidate.replace("|||", "").replace("  ", " ")
        return self._ask(" ||| ".join(("SCORE", *references, cleaned)))

    def scores(self, statistics: Sequence[str]) -> tuple[list[float], float]:
        """The score of each image, and that of all."""
        first = float(self._ask(" ||| ".join(("EVAL", *statistics))))
        rest = [float(self._line()) for _ in statistics]
        return [first, *rest[:-1]], rest[-1]

    def close(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()


def java_meteor() -> Iterator[JavaMeteor]:
    """For a fixture."""
    program = JavaMeteor()
    yield program
    program.close()


def goldens() -> Path:
    """Where the recorded official numbers are, if they are there."""
    return Path(__file__).parents[2] / "shared" / "data" / "coco_small" / "captions"
