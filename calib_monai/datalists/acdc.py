"""ACDC, the Automated Cardiac Diagnosis Challenge: its folder is read and written here."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from calib_monai.arguments import check_switch
from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.folders import dataset_folder, held
from calib_monai.datalists.splits import Case, Split, split_cases

PUBLISHED_COUNTS = (70, 10, 20)
OFFICIAL_COUNTS = (80, 10, 10)  # of the training patients; the last tenth is validated on
PLACES = (
    "patient*",
    "training/patient*",
    "testing/patient*",
    "database/training/patient*",
    "database/testing/patient*",
)
logger = logging.getLogger(__name__)

SPACING = (1.5, 1.5, 10.0)  # mm, of phantoms


def acdc_split(dataset_dir: str, seed: int = 0, fold: int | None = 0, *, official_split: bool = False) -> Split:
    """Training, validation and test cases: 70, 10 and 20 patients as in NACL, or the same proportions.

    The official split tests on the 50 patients in `testing`. It validates on a tenth of the 100 patients in `training`,
    with another tenth in each fold.

    Args:
        dataset_dir: the folder that holds `training` and `testing`, or the patients themselves.
        seed: another seed draws another split.
        fold: fold of a cross-validation; None tests all cases.
        official_split: whether to test on the release's own test patients.

    Raises:
        ValueError: as `read_acdc` and `split_cases`, an `official_split` that is neither True nor False, or one that
            lacks labeled patients in one of the folders.
    """
    check_switch("official_split", official_split)
    cases = read_acdc(dataset_dir)
    if not official_split or fold is None:
        return split_cases(cases, PUBLISHED_COUNTS, seed, fold)
    inside = {name: [case for case in cases if _folder_of(case) == name] for name in ("training", "testing")}
    if not all(inside.values()):
        lacking = next(name for name, found in inside.items() if not found)
        raise ValueError(
            f"dataset_dir {dataset_dir} holds no labeled patient in {lacking}; --official_split needs both"
        )
    parts = split_cases(inside["training"], OFFICIAL_COUNTS, seed, fold)
    trained = sorted(parts["training"] + parts["validation"], key=lambda case: str(case["case"]))
    return {"training": trained, "validation": parts["test"], "test": inside["testing"]}


def read_acdc(dataset_dir: str) -> list[Case]:
    """Cases `{"image": path, "label": path, "case": name, "patient": name}`, sorted by folder and frame.

    Each patient has two cases, at the end of diastole and of systole: the frames ED and ES of `Info.cfg`. Without this
    file, all frames with a label `patientNNN_frameMM_gt.nii.gz` are cases. If no patient in `testing` has a label, as
    in the challenge, these patients are skipped with a warning.

    Raises:
        ValueError: a folder that is missing or holds no patient, a frame without its image or its label (named), or an
            `Info.cfg` that is not UTF-8 or lacks a frame.
    """
    root = dataset_folder(dataset_dir, "training")
    patients = sorted(path for place in PLACES for path in root.glob(place) if path.is_dir())
    if not patients:
        raise ValueError(
            f"dataset_dir {root} holds no folder patientNNN, training/patientNNN or testing/patientNNN; {held(root)}"
        )
    tested = [patient for patient in patients if patient.parent.name == "testing" and patient.parent != root]
    if 0 < len(tested) < len(patients) and not any(next(patient.glob("*_gt.nii.gz"), None) for patient in tested):
        logger.warning("%d patient(s) without a label are skipped, first %s", len(tested), tested[0])
        patients = [patient for patient in patients if patient not in tested]
    return [case for patient in patients for case in _cases(patient)]


def _folder_of(case: Case) -> str:
    """The folder of the patient of a case."""
    return Path(case["label"]).parents[1].name


def _cases(patient: Path) -> list[Case]:
    """The cases of one patient's folder."""
    cases = []
    for frame in _frames(patient):
        name = f"{patient.name}_frame{frame:02d}"
        files = {"image": patient / f"{name}.nii.gz", "label": patient / f"{name}_gt.nii.gz"}
        for kind, file in files.items():
            if not file.is_file():
                raise ValueError(f"the {kind} {file} is not there; each labeled frame needs its image and its label")
        cases.append({kind: str(file) for kind, file in files.items()} | {"case": name, "patient": patient.name})
    return cases


def _frames(patient: Path) -> list[int]:
    """Numbers of the frames at the end of diastole and of systole."""
    info = patient / "Info.cfg"
    if info.is_file():
        found = re.findall(r"^(ED|ES)\s*:\s*(\d+)\s*$", _text(info), flags=re.MULTILINE)
        if sorted(phase for phase, _ in found) != ["ED", "ES"]:
            raise ValueError(f"{info} must have a line 'ED: NUMBER' and a line 'ES: NUMBER'")
        return sorted({int(number) for _, number in found})
    labeled = [
        re.fullmatch(rf"{re.escape(patient.name)}_frame(\d+)_gt\.nii\.gz", path.name) for path in patient.iterdir()
    ]
    frames = sorted(int(match[1]) for match in labeled if match)
    if not frames:
        raise ValueError(f"{patient} holds no label {patient.name}_frameMM_gt.nii.gz")
    return frames


def _text(path: Path) -> str:
    """The text of a file, which may begin with a byte order mark; raise ValueError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: save it as UTF-8") from None


def write_acdc(dataset_dir: str, cases: Volumes) -> None:
    """Write pairs of cases as the two frames of patients, in `training`, with `Info.cfg`.

    Args:
        dataset_dir: folder to make; files of the same name in it are replaced.
        cases: for each name the image (H, W, D) and the label (H, W, D) of classes 0, 1, 2, 3. The first two become
            `patient001`, and so on; a last one without a partner is left out.
    """
    volumes = [cases[name] for name in sorted(cases)]
    for number, pair in enumerate(zip(volumes[::2], volumes[1::2], strict=False), 1):
        name = f"patient{number:03d}"
        folder = Path(dataset_dir) / "training" / name
        for frame, (image, label) in zip((1, 12), pair, strict=True):
            for ending, array in (("", image.astype(np.int16)), ("_gt", label)):
                save_nifti(folder / f"{name}_frame{frame:02d}{ending}.nii.gz", array, np.diag([*SPACING, 1.0]))
        (folder / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: NOR\n", encoding="utf-8")
