"""A judge: questions in, raw replies out. What a reply means is the business of the benchmark that asks.

Behind one interface: a model at an OpenAI-compatible address, a local transformers model, a file of recorded replies.
A judge is deterministic as far as its model is, unless sampling is asked for; then each draw is a question of its own.
Every raw reply goes into a log as soon as it arrives, is never asked for again, and can be handed to others, who then
need no model (``judge-recorded``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from vismark.problems import Problems, Refused, Usage, refuse
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root
from vismark.runtime.journal import Journal, Locked

Settings = TypeVar("Settings")

_UNREACHABLE = "JUDGE_UNREACHABLE"

# Processes that may write replies of one judge at the same time.
_MOST_WRITERS = 1024


class Question(msgspec.Struct, frozen=True):
    """What a judge is asked.

    Attributes:
        id: of the sample, for messages and the log.
        turns: what is said, turn by turn; each is answered before the next is said.
        system: the system prompt, or "".
        images: PNG or JPEG bytes, shown with the first turn.
        draw: number of the attempt of a judge that samples; the same question drawn again is another question.
    """

    id: str
    turns: tuple[str, ...]
    system: str = ""
    images: tuple[bytes, ...] = ()
    draw: int = 0

    @property
    def digest(self) -> str:
        """Identity of what is asked, whatever its `id`."""
        asked = [self.turns, self.system, [digest_of(image) for image in self.images]]
        return digest_of([*asked, self.draw] if self.draw else asked)


class Reply(msgspec.Struct, frozen=True):
    """A line of the log: `id` is the digest of the question, `item` its id, `answers` the raw text of each turn."""

    id: str
    item: str
    answers: tuple[str, ...]


class Speaker(Protocol):
    """Whatever answers: `identity` is all that its words depend on, `at_once` how many questions it takes together."""

    @property
    def identity(self) -> Mapping[str, str]: ...
    @property
    def at_once(self) -> int: ...
    def answer(self, question: Question, /) -> tuple[str, ...]: ...


class Judge:
    """An instrument over a `Speaker`.

    Args:
        name: of its card.
        speaker: what answers.
        log: folder of the replies; by default in the cache.
    """

    def __init__(self, name: str, speaker: Speaker, log: Path | None = None) -> None:
        self.name = name
        self.speaker = speaker
        self.identity: Mapping[str, str] = dict(speaker.identity)
        self.folder = (log or cache_root() / "judge") / digest_of(self.identity).removeprefix("sha256:")[:16]

    def measure(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question, in order: from the log where it is there, else from the speaker.

        Raises:
            Refused: questions could not be answered; every reply that arrived is kept.
        """
        known = self._logged()
        asked = {question.digest: question for question in questions}
        left = [question for digest, question in asked.items() if digest not in known]
        faults = Problems()
        if left:
            with self._journal() as journal:
                for reply in self._ask(left, faults):
                    journal.append([reply])
                    known[reply.id] = reply
        if faults.errors:
            missing = sum(digest not in known for digest in asked)
            message = (
                f"{len(asked) - missing} of {len(asked)} questions have a reply, which is kept; {missing} have none"
            )
            fix = "Run the same command again: only those are asked."
            faults.add("JUDGE_LEFT", message, severity="note", fix=fix)
            raise Refused(faults)
        return [msgspec.structs.replace(known[question.digest], item=question.id) for question in questions]

    def selftest(self) -> Problems:
        """Ask whether two and two is four; a warning when the reply does not have a 4 in it."""
        problems = Problems()
        (reply,) = self.measure([Question("selftest", ("How much is 2 + 2? Answer with the number only.",))])
        if "4" not in reply.answers[-1]:
            message = f"{self.name} does not answer that 2 + 2 is 4"
            problems.add(
                "JUDGE_SELFTEST", message, severity="warning", value=reply.answers[-1], fix="Use another model."
            )
        return problems

    def _ask(self, questions: Sequence[Question], faults: Problems) -> Iterator[Reply]:
        """Replies as they arrive. Out of reach of the speaker nothing more is asked; what is under way still counts."""
        waiting: dict[Future[tuple[str, ...]], Question] = {}
        left = iter(questions)
        with ThreadPoolExecutor(self.speaker.at_once) as pool:
            while True:
                free = self.speaker.at_once - len(waiting) if _UNREACHABLE not in faults else 0
                waiting |= {pool.submit(self.speaker.answer, one): one for one in islice(left, free)}
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    question = waiting.pop(future)
                    try:
                        yield Reply(question.digest, question.id, future.result())
                    except Refused as refused:
                        faults.extend(refused.problems)

    def _logged(self) -> dict[str, Reply]:
        """Every reply in the log, those of other processes included."""
        key = digest_of(self.identity)
        return {
            reply.id: reply
            for path in sorted(self.folder.glob("*.jsonl"))
            for reply in Journal(path, key, Reply).read()
        }

    def _journal(self) -> Journal[Reply]:
        """A file of the log that no other process writes."""
        for number in range(_MOST_WRITERS):
            journal = Journal(self.folder / f"{number}.jsonl", digest_of(self.identity), Reply)
            try:
                journal.open()
            except Locked:
                continue
            return journal
        raise refuse("JUDGE_LOG_BUSY", f"{_MOST_WRITERS} processes write replies of {self.name}", fix="Start fewer.")


def chosen(settings: Mapping[str, Any], kind: type[Settings], who: str) -> Settings:
    """The settings of a judge as a typed struct.

    Raises:
        Usage: one is missing, unknown, or of the wrong type.
    """
    try:
        return msgspec.convert(dict(settings), kind, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)  # type: ignore[attr-defined]
        raise Usage(f"{who}: {error}. Settings of {who}: {known}.") from error
