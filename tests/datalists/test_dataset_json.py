"""`dataset.json`: names of classes that it gives to other labels are refused, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib_monai.datalists.dataset_json import check_class_names

NAMES = ("background", "anterior", "posterior")


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "Anterior", "2": "Posterior"},
        {"background": 0, "anterior": 1, "posterior": 2},
    ],
    ids=["Decathlon", "nnU-Net"],
)
def test_names_in_another_order_are_refused(labels: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    check_class_names(str(tmp_path), NAMES)
    check_class_names(str(tmp_path), ("background", "head", "tail"))  # names of one's own
    with pytest.raises(
        ValueError, match=r"dataset.json calls the labels from 0 on background, anterior, posterior: give"
    ):
        check_class_names(str(tmp_path), ("background", "posterior", "anterior"))


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[1]", "{}", '{"labels": 3}', '{"labels": {"a": "b"}}'),
        '{"labels": {"background": 0, "posterior": 1, "anterior": 4}}',  # which a loading may map
        '{"labels": {"background": 0, "whole": [1, 2], "posterior": 1}}',
    ],
)
def test_what_does_not_say_it_is_passed_over(content: str, tmp_path: Path) -> None:
    check_class_names(str(tmp_path), NAMES)
    (tmp_path / "dataset.json").write_text(content)
    check_class_names(str(tmp_path), NAMES)
