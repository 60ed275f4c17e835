"""What preparation does to real labels: `python tests/reliability/round_trip.py DATA [SET ...]` prints a table.

Each label goes through its bundle's loading and preparation, is taken for a perfect prediction, and comes back to the
grid of its file as predictions do. "dice" is that with the label itself, the lowest of all cases; "cut off" the largest
share of a label that no prediction can reach, and that the box of training leaves out. Where images are missing the
label stands in for its image, where labels are missing a ball in the image; FLARE's organs are KiTS's kidneys, and
PROMISE12's prostates those of the Decathlon. DATA holds ACDC, Dataset_BUSI_with_GT, KiTS19_labels, NCI-ISBI2013,
Task04_Hippocampus and Task05_Prostate_labels; what is not there is passed over.
"""

from __future__ import annotations

import argparse
import sys
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
sys.path.insert(0, str(ROOT / "tests" / "bundles"))

from committed import config_of  # noqa: E402 - once the path is set

from calib_monai.inverses import InvertProbsd  # noqa: E402
from calib_monai.loading import LoadCased  # noqa: E402

QUICK = {"n4_iterations": [1]}  # where the intensities are of no matter
MERGED = {"flare": "KiTS19_labels", "promise12": "Task05_Prostate_labels"}  # labels of others, all structures as one


@dataclass
class Trip:
    """What became of one label: for each structure its Dice, and the shares of it that were cut off."""

    dice: dict[int, float]
    unseen: float
    outside_box: float


def cases_of(dataset: str, data: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """The cases of a data set; files that stand in for others are written to a folder."""
    if dataset in ("kits", "flare"):
        for label in sorted((data / "KiTS19_labels").glob("*/segmentation.nii.gz")):
            yield {"image": str(label), "label": str(label), "case": label.parent.name}
    elif dataset in ("msd_prostate", "promise12"):
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
    return parser


def trip(case: dict[str, Any], parser: ConfigParser, *, merge: bool) -> Trip:
    """What became of a case's label."""
    loading, preparation = (parser.get_parsed_content(name) for name in ("loading", "preparation"))
    box = parser.get_parsed_content("train#box")
    box.elsewhere = 0
    truth = np.asarray(loading.transforms[0](dict(case))["label"])[0].astype(np.uint8)
    loaded = loading(dict(case))
    if merge:
        truth, loaded["label"] = (truth > 0).astype(np.uint8), (loaded["label"] > 0).float()
    classes = [int(value) for value in np.unique(truth) if value > 0]
    prepared = preparation(loaded)
    label = prepared["label"].as_tensor()[0]
    inverse = InvertProbsd("pred", Compose([loading, preparation]), "image")

    def back(maps: list[torch.Tensor]) -> np.ndarray:
        """Which of these maps is the highest, on the grid of the file."""
        given = {"image": prepared["image"], "pred": MetaTensor(torch.stack(maps))}
        return np.asarray(inverse(given)["pred"].argmax(dim=0).to(torch.uint8))

    seen = back([torch.zeros(label.shape), torch.ones(label.shape)])
    predicted = back([(label == value).float() for value in (0, *classes)])
    dice = {}
    for index, value in enumerate(classes, start=1):
        one, other = predicted == index, truth == value
        dice[value] = 2 * float((one & other).sum()) / float(one.sum() + other.sum())
    unseen = float((seen[truth > 0] == 0).mean())
    boxed = box({"image": prepared["image"], "label": prepared["label"], "case": case["case"]})["label"]
    shown = int((label > 0).sum())
    lost = [1 - int((boxed == value).sum()) / max(1, int((label == value).sum())) for value in classes]
    return Trip(dice, unseen, max(lost, default=0.0) if shown else 0.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    known = ["acdc", "busi", "flare", "hippocampus", "kits", "msd_prostate", "nci_isbi", "promise12"]
    parser.add_argument("datasets", nargs="*", metavar="SET", help=f"some of {', '.join(known)}; all without any")
    parser.add_argument("--every", type=int, default=1, help="of so many cases one")
    options = parser.parse_args()
    if unknown := set(options.datasets) - set(known):
        parser.error(f"there is no {min(unknown)}; there are {', '.join(known)}")
    head = ["data set", "labels", "dice, mean (lowest)", "cut off in test and inference", "by the box of training"]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")  # noqa: T201
    for dataset in options.datasets or known:
        with TemporaryDirectory() as folder:
            config = config_parser(dataset)
            names = config["class_names"]
            cases = list(cases_of(dataset, options.data, Path(folder)))[:: options.every]
            trips = [trip(case, config, merge=dataset in MERGED) for case in cases]
        if not trips:
            continue
        values = {
            key: [one.dice[key] for one in trips if key in one.dice] for key in {k for t in trips for k in t.dice}
        }
        told = ", ".join(
            f"{'all' if dataset in MERGED else names[int(key)]} {np.mean(dice):.3f} ({min(dice):.3f})"
            for key, dice in sorted(values.items())
        )
        unseen, lost = ([getattr(one, name) for one in trips] for name in ("unseen", "outside_box"))
        print(f"| `{dataset}` | {len(trips)} | {told} | {shares(unseen)} | {shares(lost)} |", flush=True)  # noqa: T201


def shares(values: list[float]) -> str:
    """Mean and largest of shares."""
    return f"{100 * np.mean(values):.1f} % (at most {100 * max(values):.1f} %)"


if __name__ == "__main__":
    main()
