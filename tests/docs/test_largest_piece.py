"""docs/predict.md: what keeps the largest piece begins with the transform whose place it takes, in every bundle."""

from __future__ import annotations

import json

from committed import BUNDLES, REPOSITORY, config_of
from monai.bundle import ConfigParser
from pages import jsons_of

PAGE = REPOSITORY / "docs" / "predict.md"


def test_the_largest_piece_is_kept_of_the_label_map_that_is_made_there() -> None:
    [(key, compose)] = json.loads(jsons_of(PAGE)["largest.json"]).items()
    assert json.loads(jsons_of(PAGE)["largest_measured.json"]) == {
        "+validate#postprocessing#transforms": compose["transforms"][1:]
    }
    for bundle in BUNDLES:
        assert ConfigParser(config_of(bundle, "inference"))[key] == compose["transforms"][0]
        *_, last = config_of(bundle, "train")["validate"]["postprocessing"]["transforms"]
        assert last["_target_"] == "calib_monai.transforms.LeaveOutd"  # after which pred is a label map still
