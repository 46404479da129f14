"""What the judge of video captions is told: the official text, read from the official file, or wording of our own.

The official text is not ours to ship. It stands in ``vicas/evaluation/caption_eval.py`` (github.com/Ali2500/ViCaS
3d10993), is read from there without running the file, and is known by its digests.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from vismark.formats.strict_json import read_bytes
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

_LIMIT = 1 << 20
_SYSTEM = "sha256:db6d83df882f9a43fb6bad1f11668ecd35befe83897c573e0075afe1956be8d7"
_USER = "sha256:ad22eb1b6d2d5d53abdd9a6764e1f45ee538aa8ff0b1c548afaa61eb1b0043a7"


@dataclass(frozen=True)
class Wording:
    """The system message and the user message, in which the two ``{}`` are the reference and the prediction."""

    system: str
    user: str
    official: bool

    @property
    def digest(self) -> str:
        """Identity of the text."""
        return digest_of([self.system, self.user])

    def asked(self, reference: str, prediction: str) -> str:
        """The user message about two captions, stripped as the official tool's chat format does."""
        return self.user.format(reference, prediction).strip()


OWN = Wording(
    system="You compare two texts and answer with a single number: how well the second agrees with the first. "
    "Write the number and nothing else.",
    user="""Here are two captions of the same video. GROUND-TRUTH was written by a person and is right. \
PREDICTED was written by a machine.

Give PREDICTED a number from 0 (it has nothing to do with the truth) to 5 (it says exactly the same). The rules:

1) Judge what is meant, not how it is worded. Other words for the same events deserve a high number, the same words \
for other events a low one.
2) Minor details that do not matter to the main events may be added or left out at no cost, such as trees in the \
background, and so may fine details of the truth.
3) What matters to the main events must be there: take points off where it is missing, and where PREDICTED tells of \
main events that the truth does not know, for they are probably wrong.
4) Take points off for contradictions, such as another kind or colour of vehicle.
5) Take some points off for statements about sound: the machine heard nothing.

Answer with the number only.

GROUND-TRUTH: {}

PREDICTED: {}
""",
    official=False,
)


def read_wording(path: Path | None, problems: Problems) -> Wording | None:
    """The official wording from the official file, `OWN` where there is none, or None with an error."""
    if path is None or not path.exists():
        return OWN
    data = read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return None
    found = _constants(data)
    system, user = found.get("SYSTEM_MSG", ""), found.get("USER_MSG", "")
    if (digest_of(system.encode()), digest_of(user.encode())) != (_SYSTEM, _USER):
        message = "does not hold the official text of the judge (SYSTEM_MSG, USER_MSG)"
        fix = "Use vicas/evaluation/caption_eval.py of github.com/Ali2500/ViCaS at 3d10993, or leave it out."
        problems.add("REF_PROMPT", message, file=path.name, fix=fix)
        return None
    return Wording(system.strip(), user, official=True)


def _constants(data: bytes) -> dict[str, str]:
    """The string constants that a Python file assigns at its top level; {} when it is no Python. Nothing runs."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
