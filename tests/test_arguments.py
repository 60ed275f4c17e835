"""Arguments: what is no number is refused, True and False among it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from calib_monai import arguments

NUMBERS = {
    "number": partial(arguments.check_number, "size"),
    "above zero": partial(arguments.check_above_zero, "size"),
    "share": partial(arguments.check_share, "size", one=True),
    "odd": partial(arguments.check_odd, "size"),
    "whole": partial(arguments.check_whole, "size", least=0),
    "range": lambda value: arguments.check_range("size", [0, value], 0),
    "ignore_index": arguments.check_ignore_index,
    "ignored label": partial(arguments.check_ignored_label, num_classes=1),
}


@pytest.mark.parametrize("check", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("value", [True, False, "1", float("nan"), 1j])
def test_what_is_no_number_is_refused(check: Callable[[object], None], value: object) -> None:
    check(1)
    with pytest.raises(ValueError, match=r"must be"):
        check(value)


def test_the_background_is_the_first_class() -> None:
    arguments.check_class_names("class_names", ["Background", "femur"])
    arguments.check_class_names("class_names", ["femur", "tibia"])
    with pytest.raises(ValueError, match=r"^class_names is femur, background; the background must be the first"):
        arguments.check_class_names("class_names", ["femur", "background"])


@pytest.mark.parametrize("name", ["number", "above zero", "share", "odd", "whole"])
def test_of_a_number_in_quotation_marks_this_is_said(name: str) -> None:
    with pytest.raises(ValueError, match=r"is '1e-3'; .*: leave out the quotation marks$"):
        NUMBERS[name]("1e-3")
    with pytest.raises(ValueError, match=r"is 'much'; it must be .*\d$"):
        NUMBERS[name]("much")
