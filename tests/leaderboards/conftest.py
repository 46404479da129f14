"""Results and rows to rank, made by hand."""

from collections.abc import Callable

import pytest

from vismark.leaderboards.boards import Board, Column
from vismark.leaderboards.rows import Cell, Row
from vismark.results import Basis, Made, Part, ProtocolId, Result

PQ = Column(metric="PQ", heading="PQ", better="higher", scale=100.0, digits=1, low=0.0, high=1.0, published="PQ")
SQ = Column(metric="SQ", heading="SQ", better="higher", scale=100.0, digits=1, low=0.0, high=1.0, published="SQ")


@pytest.fixture
def board() -> Board:
    return Board(name="toy", title="Toy", benchmark="toy", track="panoptic", headline="PQ", columns=(PQ, SQ))


@pytest.fixture
def result() -> Callable[..., Result]:
    def make(
        model: str = "m",
        pq: float | None = 0.5,
        *,
        kind: str = "scored",
        benchmark: str = "toy",
        protocol: str = "official",
        split: str = "val",
        interval: tuple[float, float] | None = None,
        why: str = "",
        partial: Part | None = None,
        references: str = "sha256:11",
    ) -> Result:
        identity = ProtocolId(benchmark=benchmark, version=1, name=protocol, dataset="toy", split=split)
        basis = Basis(kind="deviates" if why else "official", why=why, interval=interval)
        return Result(
            model=model,
            kind=kind,
            protocol=identity,
            protocol_digest=identity.digest,
            mode="strict",
            references=references,
            reference_samples="sha256:44",
            submission="sha256:22",
            partial=partial,
            samples=9,
            metrics={"PQ": pq},
            basis={"PQ": basis},
            made=Made(vismark="0.1.0", code="", packages={}, python="3.11"),
        )

    return make


@pytest.fixture
def row() -> Callable[..., Row]:
    def make(model: str, value: float, interval: tuple[float, float] | None = None, **fields: object) -> Row:
        given = {"state": "reported", "variant": "", "source": "paper", "note": "", "split": "val"} | fields
        return Row(model=model, cells={"PQ": Cell(value, interval=interval)}, **given)

    return make
