"""`vismark selftest`: can what this machine's instruments measure be trusted?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vismark import registry
from vismark.cards import BenchmarkCard, InstrumentCard
from vismark.instruments.base import Tools
from vismark.problems import Missing, Problems, Usage


def selftest(
    names: Sequence[str], tools: Tools | None = None, tell: Callable[[str], None] = lambda line: None
) -> Problems:
    """Test instruments, or those that a benchmark's first protocol names.

    An instrument without weights here is tested as far as it can be without them, and noted.

    Args:
        names: of instruments and benchmarks.
        tell: is called with one line a test.

    Returns:
        What was found: an error means that scores of this machine are not to be trusted.

    Raises:
        Usage: a name is neither, or the benchmark measures without instruments.
    """
    chosen, problems = tools or Tools(), Problems()
    for card in {card.name: card for name in names for card in _cards(name)}.values():
        if card.canary:
            tell(f"{card.name}: known weights, known answers")
            problems.extend(registry.load(card.canary)(chosen.device))
        tell(f"{card.name}: its own test")
        try:
            problems.extend(registry.load(card.code)(card, chosen).selftest())
        except Missing as reason:
            fix = "Get it, and test again."
            problems.add("INSTRUMENT_ABSENT", str(reason), severity="warning", item=card.name, fix=fix)
    return problems


def _cards(name: str) -> list[InstrumentCard]:
    kind, card = registry.find(name)
    if kind == "instruments":
        return [card]
    known = registry.cards("instruments")
    used = []
    if isinstance(card, BenchmarkCard):
        settings = next(iter(card.protocols.values()))
        used = [registry.card("instruments", value) for value in settings.values() if value in known]
    if not used:
        raise Usage(f"{name} names no instruments; `vismark list instruments` shows what can be tested.")
    return used
