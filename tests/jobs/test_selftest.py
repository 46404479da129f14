"""Self-tests of instruments: what is sound, what is absent, what is broken."""

from __future__ import annotations

import pytest

from running import run
from vismark.instruments.mask2former import canary
from vismark.jobs.selftest import selftest
from vismark.problems import Problems, Usage


def test_sound_instruments_have_no_problems() -> None:
    told: list[str] = []
    assert not list(selftest(["shapes-geneval"], tell=told.append))
    assert told == ["shapes-detector: its own test", "shapes-colour: its own test"]


def test_without_weights_the_canary_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "check", lambda name: Problems())
    problems = selftest(["mask2former-mmdet"])
    assert [(one.code, one.severity) for one in problems] == [("INSTRUMENT_ABSENT", "warning")]

    def broken(name: str) -> Problems:
        found = Problems()
        found.add("DETECTOR_DEVICE", "the network differs", fix="Another device.")
        return found

    monkeypatch.setattr(canary, "check", broken)
    assert "DETECTOR_DEVICE" in selftest(["geneval"])
    assert run("vismark selftest mask2former-mmdet").code == 1


def test_what_has_no_instruments_is_a_wrong_call() -> None:
    with pytest.raises(Usage, match="no instruments"):
        selftest(["coco-panoptic"])
    assert run("vismark selftest nonsense").code == 2
