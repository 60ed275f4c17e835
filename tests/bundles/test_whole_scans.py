"""The JSON in docs/whole_scans.md takes the place of a transform that it begins with, in every bundle."""

from __future__ import annotations

import json
import re

from committed import BUNDLES, REPOSITORY, config_of
from monai.bundle import ConfigParser

PAGE = (REPOSITORY / "docs" / "whole_scans.md").read_text(encoding="utf-8")


def test_the_largest_piece_is_kept_of_the_label_map_that_is_made_there() -> None:
    [block] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    [(key, compose)] = json.loads(block).items()
    [added] = re.findall(r"file is `(.*?)`", PAGE)
    assert json.loads(added) == {"+validate#postprocessing#transforms": compose["transforms"][1:]}
    for bundle in BUNDLES:
        assert ConfigParser(config_of(bundle, "inference"))[key] == compose["transforms"][0]
        *_, last = config_of(bundle, "train")["validate"]["postprocessing"]["transforms"]
        assert last["_target_"] == "calib_monai.transforms.LeaveOutd"  # after which pred is a label map still
