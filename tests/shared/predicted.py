"""Cases to predict, as an inference finds and checks them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from monai.data import Dataset
from monai.transforms import Compose

from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.loading import LoadCased
from calib_monai.orientation import Reorientd
from calib_monai.predicted_cases import Inputs, InputsOnDemand

IMAGE = "imagesTr/phantom_002.nii.gz"
LOADING = LoadCased("image")


def on_demand(path: Path | str, folder: Path, endings: tuple[str, ...] = (), preparation: Any = ()) -> InputsOnDemand:
    preprocessing = Compose([LOADING, Reorientd("stored"), Compose(preparation)])
    told = {"in_channels": max(1, len(endings)), "network": None, "num_classes": 3}
    made_for: Any = SimpleNamespace(transforms=preprocessing, **told)
    return InputsOnDemand(str(path), partial(hippocampus_split, str(folder)), made_for, str(folder.parent), endings)


def inputs(path: Path | str, folder: Path, *arguments: Any, **options: Any) -> Inputs:
    """The checked cases to predict at `path`, or the test cases of a Decathlon folder."""
    cases = on_demand(path, folder, *arguments, **options)
    return used_by(cases, cases)


def used_by(cases: InputsOnDemand, data: Any) -> Inputs:
    """The cases of a data set of these data, after an evaluator has asked for them."""
    dataset = Dataset(data, cases.made_for.transforms)
    cases.used(dataset)
    assert cases.checked is not None
    assert list(dataset.data) == cases.checked
    return cases.checked
