"""Random damage for property tests: to the values of JSON, and to the bytes of any file."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2, 139, 285, 187, 2**24, 2**53, 2**63, 2**64, 10**400, "139", "000000000285.png", ".."])
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, one in inner for place in places(one, (*path, key))]


def change(data: st.DataObject, content: Any) -> None:
    """Replace, remove or double one value inside `content`."""
    *way, last = data.draw(st.sampled_from(places(content)))
    for key in way:
        content = content[key]
    what = data.draw(st.sampled_from(["replace", "remove", "double"]))
    if what == "replace":
        content[last] = data.draw(json_values)
    elif what == "remove":
        del content[last]
    elif isinstance(content, list):
        content.insert(data.draw(st.integers(0, len(content))), copy.deepcopy(content[last]))


edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4
)


def damage(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Replace, at places between 0 and 1, so many bytes by others."""
    for place, removed, added in changes:
        start = int(place * len(data))
        data = data[:start] + added + data[start + removed :]
    return data
