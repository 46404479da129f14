"""A judge that repeats recorded replies: the log of another judge, so that its numbers can be had without its model."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.judge.base import Judge, Question, Reply
from vismark.problems import Missing, Problems, Refused, refuse
from vismark.runtime.digests import digest_of

# Replies of a judge to a whole benchmark have a few megabytes.
_LIMIT = 4 << 30


class Recording:
    """Answers from a log file: JSON lines with ``id`` (digest of the question), ``item`` and ``answers``.

    Raises:
        Refused: lines are no replies; all are listed.
    """

    at_once = 1

    def __init__(self, path: Path) -> None:
        if path.stat().st_size > _LIMIT:
            raise refuse(
                "JUDGE_RECORD", f"has more than {_LIMIT:,} bytes", file=path.name, fix="Is this the right file?"
            )
        data = path.read_bytes()
        self.file = path.name
        self.identity = {"replies": digest_of(data)}
        self.replies = {reply.id: reply for reply in _replies(data, path.name)}

    def answer(self, question: Question) -> tuple[str, ...]:
        """The recorded replies.

        Raises:
            Refused: this question was never asked.
        """
        reply = self.replies.get(question.digest)
        if reply is None:
            fix = "Record it with the judge that the others were recorded with."
            message = "this question has no recorded reply: the prompt, the answer or the picture is another one"
            raise refuse("JUDGE_UNRECORDED", message, file=self.file, item=question.id, fix=fix)
        return reply.answers


def judge(card: InstrumentCard, tools: Tools) -> Judge:
    """The judge that repeats the file given with ``--weights judge-recorded=FILE``.

    Raises:
        Missing: no file was given, or it is not there.
    """
    path = tools.weights.get(card.name, tools.weights.get(""))
    if path is None or not path.is_file():
        raise Missing(f"{card.name} needs its replies: --weights {card.name}=FILE, a log of the judge that gave them.")
    return Judge(card.name, Recording(path))


def _replies(data: bytes, file: str) -> list[Reply]:
    found, problems = [], Problems()
    for number, line in enumerate(data.splitlines(), 1):
        # The first line of a log says which judge wrote it.
        if not line.strip() or (number == 1 and line.startswith(b'{"key":')):
            continue
        try:
            found.append(msgspec.json.decode(line, type=Reply))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fix = "Write objects with id, item and answers, as the log of a judge has them."
            problems.add("JUDGE_RECORD", f"is no reply: {error}", file=file, where=f"line {number}", fix=fix)
    if problems.errors:
        raise Refused(problems)
    return found
