"""Large files are cut without copying, and every fault of the text has its place in the file."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vismark.formats.document import open_document
from vismark.formats.findings import Report
from vismark.formats.records import BATCH, batches
from vismark.problems import Problems


class Entry(msgspec.Struct):
    id: Any = msgspec.UNSET
    text: Any = msgspec.UNSET


def opened(data: bytes) -> tuple[Any, Problems]:
    problems = Problems()
    return open_document(data, Report(problems, "file.json")), problems


def test_pieces_know_their_place() -> None:
    data = b' {"a" : [ {"id": 1},{"id":2} ] }'
    document, _ = opened(data)
    assert [data[document.offset(piece) :][:5] for piece in document.array("a")] == [b'{"id"', b'{"id"']


def test_batches_cover_everything_in_order() -> None:
    entries = [{"id": n, "text": "x:"} for n in range(2 * BATCH + 3)]
    document, problems = opened(json.dumps({"a": entries}).encode())
    found = [
        (number, one.id)
        for batch in batches(document, "a", Entry, Entry, owner="id")
        for number, one in zip(batch.numbers, batch.records, strict=True)
    ]
    assert found == [(n, n) for n in range(2 * BATCH + 3)]
    assert not len(problems)


@pytest.mark.parametrize("fault", [b"\xff", b"\xed\xa0\x80"])
def test_a_fault_in_a_later_batch_has_its_byte(fault: bytes) -> None:
    entries = b", ".join(b'{"id": %d}' % n for n in range(2 * BATCH))
    data = b'{"a": [' + entries + b', {"id": 1, "x": "' + fault + b'"}, {"id": 5}]}'
    document, problems = opened(data)
    assert sum(len(batch.records) for batch in batches(document, "a", Entry, Entry, owner="id")) == 2 * BATCH + 1
    assert [(one.code, one.where) for one in problems] == [("JSON_PARSE", f"byte {data.index(fault)}")]


KEYS = st.sampled_from(["id", "text", "other", 'quote"', "a:b"])
VALUES = st.recursive(
    st.one_of(st.integers(), st.text(max_size=5), st.sampled_from(['":', '" :', "\\", '"id":'])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
PAIRS = st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=5), min_size=1, max_size=5)


@settings(max_examples=120, deadline=None)
@given(PAIRS, st.sampled_from([":", ": ", " : ", "\n:"]))
def test_duplicate_keys_are_found_exactly(entries: list[list[tuple[str, Any]]], colon: str) -> None:
    texts = ["{" + ",".join(json.dumps(key) + colon + json.dumps(value) for key, value in one) + "}" for one in entries]
    document, problems = opened(('{"a": [' + ",".join(texts) + "]}").encode())
    for _ in batches(document, "a", Entry, Entry, owner="id"):
        pass
    repeated = {f"/a/{n}" for n, one in enumerate(entries) if len({key for key, _ in one}) < len(one)}
    assert {one.where for one in problems if one.code == "JSON_DUPLICATE_KEY"} == repeated


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_repeated_key_of_the_top_level(name: str) -> None:
    _, problems = opened(f'{{"a": [1, 2], "b": {{"a": 1}}, "{name}": []}}'.encode())
    assert [(one.code, one.value) for one in problems] == [("JSON_DUPLICATE_KEY", name)]
