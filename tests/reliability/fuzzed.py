"""What all fuzz tests share: how long they look, spoiled JSON, and what a reader may do.

`FUZZ_EXAMPLES=3000 pytest tests/reliability/test_fuzz.py` looks for ten minutes, the suite for seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20")),
    derandomize="FUZZ_EXAMPLES" not in os.environ,  # the suite passes or not, whenever it is run
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("fuzz")

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoiled(draw: st.DrawFn, good: Any) -> Any:
    """Good JSON in which one value is another, or missing."""
    content = deepcopy(good)
    place, key = None, None
    inner = content
    while isinstance(inner, dict | list) and inner and (place is None or draw(st.booleans())):
        place, key = inner, draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        inner = place[key]
    if draw(st.booleans()):
        del place[key]  # type: ignore[arg-type]
    else:
        place[key] = draw(JSON)  # type: ignore[index]
    return content


def refused_or_read(read: Callable[[], object]) -> None:
    """A ValueError of one line that says something, or no error."""
    try:
        read()
    except ValueError as error:
        said = str(error)
        assert said.strip()
        assert "\n" not in said
