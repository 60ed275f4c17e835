"""NCI-ISBI 2013, zones of the prostate in MRI of two sites: its folder is read and written here."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Container, Iterable
from itertools import chain, zip_longest
from pathlib import Path

from calib_monai.arguments import check_whole
from calib_monai.datalists.files import Volumes, save_dicom, save_nrrd
from calib_monai.datalists.folders import dataset_folder, files_below, held
from calib_monai.datalists.splits import SPLITS, Case, PartialSplit, Split, split_cases
from calib_monai.dicom import is_dicom

logger = logging.getLogger(__name__)

SITES = {"Prostate3T": 30, "ProstateDx": 40}  # volumes that BWCR had
VALIDATION, TEST = 2, 15  # of each site
PATIENT = re.compile(r"(Prostate3T|ProstateDx)-\d+-\d+")
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
LABEL_SUFFIX = ".nrrd"
IMAGE_FOLDER = "image"  # what the names of folders begin with in which a .nrrd is an image
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms


def nci_isbi_split(dataset_dir: str, seed: int = 0, fold: int = 0, num_train: int = 36) -> Split:
    """Training, validation and test cases: 36, 4 and 30 as in BWCR, drawn at each site.

    Each site has 2 validation cases and 15 test cases. With fewer cases than BWCR had, the proportions are the same.

    Args:
        dataset_dir: the folder that holds images and labels.
        seed: another seed draws another split.
        fold: fold of a cross-validation.
        num_train: number of training cases, from both sites in turn; the paper uses 6, 12 and 36.

    Raises:
        ValueError: as `read_nci_isbi` and `split_cases`, or a `num_train` below 1.
    """
    check_whole("num_train", num_train, 1)
    cases = read_nci_isbi(dataset_dir)
    of_sites = {site: [case for case in cases if case["case"].startswith(site)] for site in SITES}
    splits = [
        split_cases(found, (max(len(found), SITES[site]) - VALIDATION - TEST, VALIDATION, TEST), seed, fold)
        for site, found in of_sites.items()
        if found
    ]
    split = {name: list(chain(*(of_site[name] for of_site in splits))) for name in SPLITS}
    for of_site in splits:
        random.Random(seed).shuffle(of_site["training"])  # noqa: S311 - not for secrets
    in_turn = chain(*zip_longest(*(of_site["training"] for of_site in splits)))
    drawn = [case for case in in_turn if case is not None]
    left_out = [case[key] for case in drawn[num_train:] for key in ("image", "label")]
    taken = sorted(drawn[:num_train], key=lambda case: str(case["case"]))
    return PartialSplit(split | {"training": taken}, left_out)


def read_nci_isbi(dataset_dir: str) -> list[Case]:
    """Cases `{"image": path, "label": path, "case": patient}`, sorted by name.

    A label is `PATIENT*.nrrd`, at any depth, with patients such as `Prostate3T-01-0001` or `ProstateDx-01-0001`. Its
    image is a DICOM series below a folder with the patient's name, or a file that begins with this name: NIfTI or
    MetaImage, or NRRD in a folder whose name begins with "image". DICOM is recognized by its content.

    Raises:
        ValueError: a folder that is missing or holds no label, a label without its image, or several of one patient
            (named).
    """
    root = dataset_folder(dataset_dir, "images and labels")
    files = [path.relative_to(root) for path in files_below(root)[0]]
    labels = _by_patient(root, [path for path in files if path.suffix == LABEL_SUFFIX and not _is_image(path)])
    if not labels:
        raise ValueError(
            f"dataset_dir {root} holds no label Prostate3T-*{LABEL_SUFFIX} or ProstateDx-*{LABEL_SUFFIX}; {held(root)}"
        )
    others = [path for path in files if not _is_image(path) and path.suffix not in (LABEL_SUFFIX, ".raw")]
    series = sorted({path.parent for path in others if is_dicom(root / path)})
    paths = [*series, *(path for path in files if _is_image(path))]
    images = _by_patient(root, paths, labels)
    unlabeled = [path for path in paths if (patient := _patient_of(path)) and patient not in labels]
    if unlabeled:
        logger.warning("%d image(s) without a label are skipped, first %s", len(unlabeled), root / min(unlabeled))
    alone = sorted(labels.keys() - images.keys())
    if alone:
        raise ValueError(
            f"{len(alone)} label(s) without an image, first {labels[alone[0]]}: there is no folder {alone[0]} with "
            f"DICOM files, and no file {alone[0]}*.nii.gz"
        )
    return [{"image": str(images[name]), "label": str(labels[name]), "case": name} for name in sorted(labels)]


def is_label(path: Path) -> bool:
    """Whether a file has the name of a label of this data set, by its path inside the folder."""
    return path.suffix == LABEL_SUFFIX and PATIENT.match(path.name) is not None and not _is_image(path)


def _is_image(path: Path) -> bool:
    """Whether a file holds an image, by its path inside the data set."""
    in_image_folder = any(part.lower().startswith(IMAGE_FOLDER) for part in path.parts[:-1])
    return path.name.endswith(IMAGE_SUFFIXES) and (in_image_folder or not path.name.endswith(LABEL_SUFFIX))


def _by_patient(root: Path, paths: Iterable[Path], patients: Container[str] | None = None) -> dict[str, Path]:
    """Files or folders inside `root` by the last patient in their path, for all patients or for these."""
    found: dict[str, Path] = {}
    for path in paths:
        patient = _patient_of(path)
        if not patient or (patients is not None and patient not in patients):
            continue
        other = found.setdefault(patient, root / path)
        if other != root / path:
            raise ValueError(f"{other} and {root / path} are of one patient, {patient}; there must be one of them")
    return found


def _patient_of(path: Path) -> str:
    """The last patient in a path inside the folder, "" if it has none."""
    matches = [PATIENT.match(part) for part in path.parts]
    return next((match[0] for match in reversed(matches) if match), "")


def write_nci_isbi(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, sites in turn, images as DICOM series, labels as NRRD."""
    root = Path(dataset_dir)
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        patient = f"{list(SITES)[number % 2]}-01-{number // 2 + 1:04d}"
        save_dicom(root / "DICOM" / patient / "study" / "series", image.astype("int16"), SPACING)
        save_nrrd(root / "Training" / f"{patient}.nrrd", label, SPACING)
