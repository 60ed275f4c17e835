"""What large cases take: `python tests/reliability/large.py [brats flare] [--volumes]` prints memory and time of a run.

A case of (4, 155, 240, 240) and a CT of 512 x 512 x 600 are evaluated, with all metrics and figures, and predicted,
with all outputs but the spread, by an untrained network: its labels are everywhere, and no structure is a small one.
The peak is that of the process, Python and its libraries included. With `--volumes` the network is one for volumes,
and with `--inference` the cases are only predicted, with `--evaluation` only evaluated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bundles"), str(ROOT / "tests" / "reliability")]

from committed import COLLECTION, FILES, VOLUMES, config_of, write_dataset  # noqa: E402 - once the path is set
from monai.bundle import ConfigParser  # noqa: E402
from tried import command  # noqa: E402

from calib_monai.checks import SPLIT_FILE  # noqa: E402
from calib_monai.datalists.split_files import Drawn, write_split  # noqa: E402
from calib_monai.phantoms import Phantom, make_phantoms  # noqa: E402

SHAPES = {"brats": (240, 240, 155), "flare": (512, 512, 600)}
EDGES = {"brats": 4}  # voxels that writing adds on each side of a slice
SPACING = {"flare": (0.8, 0.8, 1.0)}  # mm, of such a CT


def enlarged(phantom: Phantom, shape: tuple[int, ...]) -> Phantom:
    """A phantom of this shape, each of its voxels many."""
    places = [np.arange(size) * old // size for size, old in zip(shape, phantom.label.shape, strict=True)]
    return Phantom(phantom.image[np.ix_(*places)], phantom.label[np.ix_(*places)])


def prepare(dataset: str, folder: Path, files: tuple[str, ...]) -> None:
    """Write four cases, the last large, an untrained model of these files, and a split that tests it on that one."""
    config = config_of(f"{dataset}_ce", "train")
    edge = EDGES.get(dataset, 0)
    shape = tuple(size - 2 * edge * (axis < 2) for axis, size in enumerate(SHAPES[dataset]))
    cases = make_phantoms(4, num_classes=len(config["class_names"]))
    last = max(cases)
    write_dataset(dataset, folder / "data", cases | {last: enlarged(cases[last], shape)})
    configs = COLLECTION / f"{dataset}_ce" / "configs"
    parser = ConfigParser(ConfigParser.load_config_files([str(configs / f"{name}.json") for name in files]))
    torch.manual_seed(0)
    (folder / "models").mkdir()
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "models" / "model.pt")
    said = {name: parser.get_parsed_content(name) for name in ("axcodes", "slice_size")}
    (folder / "models" / "model.json").write_text(json.dumps(said))
    parser["dataset_dir"] = str(folder / "data")
    found = {case["case"]: case for part in parser.get_parsed_content("datalist")().values() for case in part}
    large = max(found, key=lambda name: Path(np.ravel(found[name]["image"])[0]).stat().st_size)
    for path in (found[large]["image"], found[large]["label"]) if dataset in SPACING else ():
        image = nibabel.load(path)
        affine = image.affine * np.array([*SPACING[dataset], 1]) / np.array([*image.header.get_zooms(), 1])
        nibabel.save(nibabel.Nifti1Image(image.dataobj[:], affine, image.header), path)
    others = [name for name in found if name != large]
    split = {"training": others[:1], "validation": others[1:], "test": [large]}
    write_split(Drawn(split, {}), folder / "models" / SPLIT_FILE)


def run(dataset: str, config: str, folder: Path) -> tuple[float, float, float]:
    """Peak of the memory in GiB, seconds and seconds of the processor of a run."""
    options: dict[str, object] = {"output_dir": folder / config, "device": "$torch.device('cpu')"}
    if config.startswith("inference"):
        options["outputs"] = ["label", "probs", "confidence", "entropy"]
    arguments = command(folder, COLLECTION / f"{dataset}_ce", config, options)
    line = [sys.executable, "-W", "ignore", "-m", "monai.bundle", *arguments]
    begun = time.monotonic()
    with (folder / f"{config}.log").open("w") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)  # noqa: S603 - our own
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"error: {dataset} {config}: {(folder / f'{config}.log').read_text()[-2000:]}")
    return used.ru_maxrss / 2**20, time.monotonic() - begun, used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="brats or flare; both without any")
    parser.add_argument("--volumes", action="store_true", help="by configs/volumes.json")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--inference", action="store_true", help="predict only")
    one.add_argument("--evaluation", action="store_true", help="evaluate only")
    given = parser.parse_args()
    datasets, as_volumes = given.datasets or list(SHAPES), "_volumes" * given.volumes
    if unknown := set(datasets) - SHAPES.keys():
        parser.error(f"there is no {min(unknown)}; there are {', '.join(SHAPES)}")
    print(f"{'':28}{'GiB':>8}{'seconds':>10}{'CPU seconds':>13}")  # noqa: T201
    for dataset in datasets:
        with TemporaryDirectory() as name:
            prepare(dataset, Path(name), (FILES | VOLUMES)[f"train{as_volumes}"])
            for kind in ("evaluate",) * (not given.inference) + ("inference",) * (not given.evaluation):
                config = f"{kind}{as_volumes}"
                peak, seconds, of_processor = run(dataset, config, Path(name))
                print(f"{dataset + ' ' + config:28}{peak:8.1f}{seconds:10.0f}{of_processor:13.0f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
