"""Elsewhere: labeled cases in the place of a split's test cases, such as a folder of another hospital."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from calib_monai.arguments import check_choice
from calib_monai.case_keys import LABEL_VALUES
from calib_monai.datalists.folders import dataset_folder
from calib_monai.datalists.patients import with_patients
from calib_monai.datalists.patterns import check_pattern, find_cases
from calib_monai.datalists.split_files import OtherCases
from calib_monai.datalists.splits import Case, Split
from calib_monai.label_values import MOST_EXACT
from calib_monai.path_options import check_path
from calib_monai.spelling import did_you_mean
from calib_monai.whole_files import read_json

KINDS = {
    "folder": str,
    "images": list,
    "label": str,
    "labels": dict,
    "labels_are_right": bool,
    "patient": str,
    "several_masks": bool,
}  # in a JSON
PARTS = ("test", "validation")  # of a split, that can be measured
EXAMPLE = '"labels": {"1": "lv", "2": "myo", "3": "rv"}'


def check_part(part: str, calibrator: str) -> None:
    """Raise ValueError if a part of the split cannot be measured, or not with this calibrator."""
    check_choice("part", part, PARTS)
    if part == "validation" and calibrator != "none":
        raise ValueError(f"calibrator is {calibrator}, which was fitted to the validation cases: leave out --part")


class Described(NamedTuple):
    """Where the files of other data lie, and what their labels mean.

    Attributes:
        folder: the folder that holds them.
        images: a pattern for each channel, as in `find_cases`; empty where the folder has the layout of the bundle.
        label: the pattern of the labels, or "".
        classes: the class of each value in the labels; empty where they have the values of the bundle's data set.
        patient: as in `with_patients`, or "".
        several_masks: as in `find_cases`.
    """

    folder: Path
    images: Sequence[str] = ()
    label: str = ""
    classes: Mapping[int, int] = {}
    patient: str = ""
    several_masks: bool = False


class OtherData:
    """The data that an evaluation measures in the place of the test cases of the training; nothing is read at first.

    Args:
        test_dir: a folder in the layout of the bundle's data set, or a JSON file, as in `described`; "" for cases of
            the training's split.
        part: which of these, "test" or "validation". All cases of a folder are test cases.
    """

    def __init__(self, test_dir: str = "", part: str = "test") -> None:
        self.test_dir = test_dir
        self.part = part

    def __bool__(self) -> bool:
        """Whether there are other data."""
        return bool(self.test_dir)

    @property
    def name(self) -> str:
        """The name of the folder or of the JSON file; "" where there are no other data."""
        path = Path(self.test_dir)
        return (path.stem if self._is_json else path.resolve().name) if self else ""

    def named(self, dataset: str) -> str:
        """The name of the measured data, beside the test cases of a data set, which have its own."""
        return self.name or (dataset if self.part == "test" else f"{dataset}_{self.part}")

    @property
    def suffix(self) -> str:
        """The end of the name of a folder for results: "", "_validation" or "_on_NAME"."""
        if self:
            return f"_on_{re.sub(r'[^A-Za-z0-9.-]+', '_', self.name)}"
        return "" if self.part == "test" else f"_{self.part}"

    def may_have_other_labels(self) -> bool:
        """Whether there are other data whose labels may be wrong: no JSON file says that they are right."""
        return bool(self) and not (self._is_json and self._content().get("labels_are_right", False))

    @property
    def _is_json(self) -> bool:
        return self.test_dir.lower().endswith(".json")

    def described(self, class_names: Sequence[str], ignore_index: int | None = None) -> Described:
        """Where the files lie, and what their labels mean.

        A JSON file has the key "folder", a path from its own place. "images", "label", "patient" and "several_masks"
        are those of a bundle's `datalist`. "labels" gives the name of a class for each value of a label; 0 is the
        background unless it says otherwise. "labels_are_right" is for `calib_monai.handlers.FitCheck`.

        Args:
            class_names: the names of the model's classes, the background first.
            ignore_index: a label that is no class and stays, or None.

        Raises:
            ValueError: a path that does not lead to a folder, a JSON that cannot be read or says something else, or
                labels that do not fit the classes.
        """
        check_path("test_dir", self.test_dir)
        if self.part != "test":
            raise ValueError(f"part is {self.part} and test_dir {self.test_dir}, whose cases are all tested: give one")
        if not self._is_json:
            return Described(self._folder(self.test_dir))
        file, content = Path(self.test_dir), self._content()
        if "folder" not in content:
            raise ValueError(f"{file} has no 'folder', the path of the folder that holds the files")
        if ("images" in content) != ("label" in content):
            raise ValueError(f"{file} must have both 'images' and 'label', or none of them for the bundle's own layout")
        folder = self._folder(str(file.parent / content.pop("folder")))
        content.pop("labels_are_right", None)
        try:
            for pattern in (*content.get("images", ()), *filter(None, [content.get("label")])):
                check_pattern(pattern)
            classes = _classes(content.pop("labels"), class_names) if "labels" in content else {}
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        if classes and ignore_index is not None:
            classes.setdefault(ignore_index, ignore_index)
        return Described(folder, classes=classes, **content)

    def told(self, class_names: Sequence[str]) -> dict[str, Any]:
        """What the results of an evaluation note: "name", "test_dir", "folder" and the "labels", each as text.

        Args:
            class_names: as in `described`.

        Raises:
            ValueError: as `described`.
        """
        described = self.described(class_names)
        labels = {str(value): class_names[place] for value, place in described.classes.items()}
        paths = {"test_dir": str(Path(self.test_dir).resolve()), "folder": str(described.folder.resolve())}
        return {"name": self.name, **paths, "labels": labels}

    def datalist(
        self,
        of_bundle: Callable[..., Split],
        class_names: Sequence[str],
        ignore_index: int | None,
    ) -> Callable[[], OtherCases]:
        """What gives the cases, all of them for testing, as `checked_split` takes it.

        Args:
            of_bundle: gives the split of the training.
            class_names: as in `described`.
            ignore_index: as in `described`.

        Raises:
            ValueError: as `described`, or the folder is that of the training; and when it is called, as `find_cases`,
                `with_patients` or `of_bundle`.
        """
        described = self.described(class_names, ignore_index)
        trained_in = getattr(of_bundle, "keywords", {}).get("dataset_dir")
        if trained_in is not None and Path(trained_in).resolve() == described.folder.resolve():
            raise ValueError(
                f"test_dir {described.folder} is the dataset_dir of the training: leave out --test_dir to measure the "
                "test cases of the training"
            )
        return partial(self._tested, described, of_bundle, dataset_dir=str(described.folder))

    def _tested(self, described: Described, of_bundle: Callable[..., Split], *, dataset_dir: str) -> OtherCases:
        """All cases of the folder."""
        try:
            if described.images:
                cases = find_cases(
                    dataset_dir,
                    described.images,
                    described.label,
                    unlabeled=True,
                    several_masks=described.several_masks,
                )
            else:
                cases = _of_layout(of_bundle, dataset_dir)
            cases = with_patients(cases, dataset_dir, described.patient) if described.patient else cases
        except ValueError as error:
            raise ValueError(str(error).replace("dataset_dir", "test_dir")) from None
        if not cases:
            raise ValueError(f"test_dir {dataset_dir} holds no labeled case")
        told = {LABEL_VALUES: dict(described.classes)} if described.classes else {}
        return OtherCases({"training": [], "validation": [], "test": [{**case, **told} for case in cases]})

    def _folder(self, path: str) -> Path:
        """A folder; raise ValueError if there is none."""
        try:
            return dataset_folder(path, "other labeled data")
        except ValueError as error:
            said = str(error).replace("dataset_dir", "test_dir")
            raise ValueError(f"{self.test_dir}: {said}" if self._is_json else said) from None

    def _content(self) -> dict[str, Any]:
        """The content of the JSON file; raise ValueError if it cannot be read, or has an unknown key or kind."""
        file = Path(self.test_dir)
        content = read_json(file, "test_dir")
        if not isinstance(content, dict):
            raise ValueError(f"test_dir {file} must hold an object, {{ ... }}")  # noqa: TRY004 - as all refusals
        for key, value in content.items():
            if key not in KINDS:
                raise ValueError(f"{file} sets {key!r}; it may have {', '.join(KINDS)}{did_you_mean(key, KINDS)}")
            texts = value if isinstance(value, list) else []
            empty = value in ("", [], {})
            if not isinstance(value, KINDS[key]) or empty or not all(isinstance(one, str) for one in texts):
                raise ValueError(f"{file} sets {key} to {value!r}; docs/evaluate.md says what it may be")
        return content


def _of_layout(of_bundle: Callable[..., Split], dataset_dir: str) -> list[Case]:
    """All cases of a folder in the layout of a bundle, sorted by name."""
    known = getattr(of_bundle, "keywords", {})
    if "dataset_dir" not in known:
        raise ValueError("the datalist of this bundle takes no folder: say in a JSON file how files are named")
    changed = {"dataset_dir": dataset_dir} | ({"fold": None} if "fold" in known else {})
    return sorted(chain(*partial(of_bundle, **changed)().values()), key=lambda case: str(case["case"]))


def _classes(labels: Mapping[str, Any], class_names: Sequence[str]) -> dict[int, int]:
    """The class of each value; raise ValueError if the names and the model's classes do not fit."""
    classes = {0: 0}
    for value, name in labels.items():
        if not re.fullmatch(r"\d+", value) or not isinstance(name, str):
            raise ValueError(f"labels has {value!r}: {name!r}; it must give a class for each value, as {EXAMPLE}")
        if int(value) > MOST_EXACT:
            raise ValueError(f"labels has {value}; it may be at most {MOST_EXACT}, because labels are read as float32")
        if name not in class_names:
            near = did_you_mean(name, class_names)
            raise ValueError(f"labels calls {value} {name!r}; the model's classes are {', '.join(class_names)}{near}")
        classes[int(value)] = list(class_names).index(name)
    missing = [name for place, name in enumerate(class_names) if place not in classes.values()]
    if missing:
        raise ValueError(
            f"labels has no value for {', '.join(missing)}; each class of the model must have one, or all that the "
            "network finds of it counts as wrong"
        )
    return classes
