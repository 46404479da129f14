"""Random pairs of a true and a predicted panoptic map, for hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from vismark.metrics.panoptic import TrueSegment

CATEGORIES = {1: True, 2: True, 3: True, 91: False, 92: False}


@st.composite
def images(draw: st.DrawFn) -> dict[str, Any]:
    """A random pair: blocks of ids, void, crowds, ids of all three channels, and areas that the JSON may misstate."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    pool = draw(st.lists(st.integers(1, 2**24 - 1), min_size=1, max_size=6, unique=True))
    cells = st.lists(st.sampled_from([0, *pool]), min_size=height * width, max_size=height * width)
    truth = np.array(draw(cells), dtype=np.uint32).reshape(height, width)
    noise = np.array(draw(cells), dtype=np.uint32).reshape(height, width)
    keep = np.array(draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))).reshape(
        height, width
    )
    predicted = np.where(keep, truth, noise).astype(np.uint32)
    category = st.sampled_from(sorted(CATEGORIES))
    listed = sorted(set(np.unique(truth).tolist()) - {0})
    if len(listed) > 1 and draw(st.booleans()):
        listed = listed[1:]  # an id in the PNG that the JSON does not list
    segments = [
        TrueSegment(
            t, draw(category), int((truth == t).sum()) + draw(st.sampled_from([0, 0, 0, 1])), draw(st.booleans())
        )
        for t in listed
    ]
    same = {s.id: s.category for s in segments}
    predictions = {
        int(p): same.get(int(p)) if int(p) in same and draw(st.booleans()) else draw(category)
        for p in np.unique(predicted)
        if p
    }
    return {"truth": truth, "segments": segments, "predicted": predicted, "predictions": predictions}
