"""What preparation does to real labels: `python tests/reliability/round_trip.py DATA [SET ...]` prints a table.

Each label goes through all that an inference of its bundle does to images, is taken for a perfect prediction, and comes
back to the grid of its file as predictions do. "dice" is that with the label itself; "cut off" the share of a label
that no prediction can reach, and that the box of training leaves out. With `--exact` the prediction is not the label as
preparation gives it, but the share of each voxel that a structure fills: the best that probabilities can say there.
A line in the log follows each label. Where images are missing the label stands in for its image, where labels are
missing a ball in the image or, in four data sets, the labels of another one (`STAND_INS`). DATA holds ACDC,
Dataset_BUSI_with_GT, KiTS19_labels, NCI-ISBI2013, Task04_Hippocampus and Task05_Prostate_labels; what is not there is
passed over.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bundles"), str(Path(__file__).parent)]

from committed import config_of  # noqa: E402 - once the path is set
from exact import exact_probabilities  # noqa: E402

from calib_monai.inverses import InvertProbsd  # noqa: E402
from calib_monai.loading import LoadCased  # noqa: E402
from calib_monai.transforms import MostProbabled  # noqa: E402

QUICK = {"n4_iterations": [1]}  # where the intensities are of no matter
STAND_INS = {"brats": "hippocampus", "flare": "kits", "mrbrains": "hippocampus", "promise12": "msd_prostate"}
KNOWN = sorted({"acdc", "busi", "hippocampus", "kits", "msd_prostate", "nci_isbi", *STAND_INS})


@dataclass
class Trip:
    """What became of one label: for each structure its Dice, and the shares of it that were cut off."""

    dice: dict[int, float]
    unseen: float
    outside_box: float


def cases_of(dataset: str, data: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """The cases of a data set; files that stand in for others are written to a folder."""
    if dataset in STAND_INS:
        channels = len(config_of(f"{dataset}_ce", "train")["made_for"]["channels"])
        for case in cases_of(STAND_INS[dataset], data, folder):
            yield case | {"image": [case["image"]] * channels}
    elif dataset == "kits":
        for label in sorted((data / "KiTS19_labels").glob("*/segmentation.nii.gz")):
            yield {"image": str(label), "label": str(label), "case": label.parent.name}
    elif dataset == "msd_prostate":
        for label in sorted((data / "Task05_Prostate_labels" / "labelsTr").glob("*.nii.gz")):
            yield {"image": str(label), "label": str(label), "case": label.name}
    elif dataset == "nci_isbi":
        for series in sorted({path.parent for path in (data / "NCI-ISBI2013").rglob("*.dcm")}):
            image = LoadCased(keys="image")({"image": str(series)})["image"]
            axes = np.ogrid[tuple(slice(-1, 1, size * 1j) for size in image.shape[1:])]
            ball = sum((axis / 0.3) ** 2 for axis in axes) < 1
            path = folder / f"{len(list(folder.iterdir()))}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(ball.astype(np.uint8), image.affine.numpy()), path)
            yield {"image": str(series), "label": str(path), "case": series.parent.parent.name}
    else:
        names = {"acdc": "ACDC", "busi": "Dataset_BUSI_with_GT", "hippocampus": "Task04_Hippocampus"}
        if (data / names[dataset]).is_dir():
            parser = config_parser(dataset)
            parser["dataset_dir"] = str(data / names[dataset])
            yield from (case for part in parser.get_parsed_content("datalist")().values() for case in part)


def config_parser(dataset: str) -> ConfigParser:
    """The configuration of a data set's training."""
    parser = ConfigParser(config_of(f"{dataset}_ce", "train"))
    parser.update({key: value for key, value in QUICK.items() if key in parser.config})
    parser["orientation"] = "@axcodes"
    return parser


def trip(case: dict[str, Any], parser: ConfigParser, *, merge: bool, exact: bool) -> Trip:
    """What became of a case's label, or of all its structures as one."""
    loading, reorientation, preparation = (
        parser.get_parsed_content(name) for name in ("loading", "reorientation", "preparation")
    )
    box = parser.get_parsed_content("training_box")
    box.elsewhere = 0
    read, loaded = Compose(loading).flatten().transforms[0](dict(case))["label"], loading(dict(case))
    if merge:
        read, loaded["label"] = (read > 0).float(), (loaded["label"] > 0).float()
    truth = np.asarray(read)[0].astype(np.uint8)
    classes = [int(value) for value in np.unique(truth) if value > 0]
    prepared = preparation(reorientation(loaded))
    label = prepared["label"].as_tensor()[0]
    inverse = InvertProbsd("pred", Compose([loading, reorientation, preparation]), "image")

    # What no class reaches on the way back is called 0, what is predicted to be background 1, and so on.
    maps = torch.stack([torch.zeros(label.shape), *((label == value).float() for value in (0, *classes))])
    if exact:
        maps[1:] = exact_probabilities(read, prepared["label"], classes)
    back = MostProbabled("pred")(inverse({"image": prepared["image"], "pred": MetaTensor(maps)}))["pred"]
    predicted = np.asarray(back)[0]
    dice = {value: dice_of(predicted == index, truth == value) for index, value in enumerate(classes, start=2)}
    unseen = float((predicted[truth > 0] == 0).mean())
    boxed = box({"image": prepared["image"], "label": prepared["label"], "case": case["case"]})["label"]
    shown = int((label > 0).sum())
    lost = [1 - int((boxed == value).sum()) / max(1, int((label == value).sum())) for value in classes]
    return Trip(dice, unseen, max(lost, default=0.0) if shown else 0.0)


def dice_of(one: np.ndarray, other: np.ndarray) -> float:
    """Dice of two masks."""
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def row(dataset: str, data: Path, every: int, *, exact: bool) -> str:
    """The row of a data set in the table, empty where nothing of it is there; each label is told as it is done."""
    parser, trips = config_parser(dataset), []
    merge = dataset in STAND_INS
    with TemporaryDirectory() as folder:
        for case in list(cases_of(dataset, data, Path(folder)))[::every]:
            begun = time.monotonic()
            trips.append(trip(case, parser, merge=merge, exact=exact))
            seconds = time.monotonic() - begun
            print(f"{dataset} {case['case']}: {trips[-1]}, {seconds:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
    if not trips:
        return ""
    names = ["", "all"] if merge else parser["class_names"]
    told = []
    for value in sorted({value for one in trips for value in one.dice}):
        dice = [one.dice[value] for one in trips if value in one.dice]
        told.append(f"{names[value]} {np.mean(dice):.3f} ({min(dice):.3f})")
    lost = [shares([getattr(one, name) for one in trips]) for name in ("unseen", "outside_box")]
    return f"| {' | '.join([f'`{dataset}`', str(len(trips)), ', '.join(told), *lost])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("datasets", nargs="*", metavar="SET", help=f"some of {', '.join(KNOWN)}; all without any")
    parser.add_argument("--every", type=int, default=1, help="of so many cases one")
    parser.add_argument("--exact", action="store_true", help="take the share of each voxel for its probability")
    options = parser.parse_args()
    if unknown := set(options.datasets) - set(KNOWN):
        parser.error(f"there is no {min(unknown)}; there are {', '.join(KNOWN)}")
    cut = ["cut off in test and inference", "cut off by the box of training"]
    head = ["data set", "labels", "Dice, mean (lowest)", *cut]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)  # noqa: T201
    for dataset in options.datasets or KNOWN:
        if line := row(dataset, options.data, options.every, exact=options.exact):
            print(line, flush=True)  # noqa: T201


def shares(values: list[float]) -> str:
    """Mean and largest of shares."""
    return f"{100 * np.mean(values):.1f} % (at most {100 * max(values):.1f} %)"


if __name__ == "__main__":
    main()
