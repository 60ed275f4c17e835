"""Cases of a run: the split of a data set, or the lists that another program puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy import ndarray
from torch import Tensor

from calib_monai.case_keys import IMAGE_AND_LABEL
from calib_monai.cases import Cases, checked_split
from calib_monai.datalists.dataset_json import check_class_names
from calib_monai.datalists.elsewhere import OtherData
from calib_monai.datalists.split_files import Listed, check_sets
from calib_monai.datalists.splits import SPLITS, Case, Split
from calib_monai.label_values import changes_classes, check_keeps_classes
from calib_monai.processes import OwnPart
from calib_monai.split_settings import SplitSettings
from calib_monai.volumes import files_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitOnDemand(SplitSettings, Mapping[str, list[Case]]):
    """The split of `checked_split`, which is read and checked when it is first asked for.

    If a program lists the cases of a run itself, the folder of the data set is never read.

    Args:
        datalist: gives the split.
        elsewhere: other data, whose labeled cases are tested in the place of those of `datalist`.
        others: as of `SplitSettings`.
    """

    datalist: Callable[[], Split]
    elsewhere: OtherData | None = None

    @cached_property
    def checked(self) -> Cases:
        """The checked split."""
        datalist = self._elsewhere(self.elsewhere) if self.elsewhere else self.datalist
        folder, names = getattr(datalist, "keywords", {}).get("dataset_dir"), self.made_for.class_names
        if folder and names and not changes_classes(self.loading, len(names)):
            check_class_names(str(folder), names)
        return self._check(datalist)

    def __getitem__(self, name: str) -> list[Case]:
        """The cases of a set.

        An evaluation may be asked for its training cases, as `check_properties` of MONAI does, although it reads none.

        Raises:
            ValueError: as `checked_split`, or files of this set are not read.
        """
        found = self.checked[name]
        if name not in self.use and not (self.keep and name == "training"):
            instead = f", or give --cases#use \"['{name}']\"" if self.keep else ""
            raise ValueError(
                f"cases#use is {list(self.use)}, and the run takes the {name} cases, whose files are then not checked: "
                f"leave it out{instead}"
            )
        return found

    def __iter__(self) -> Iterator[str]:
        """The names of the sets."""
        return iter(self.checked)

    def __len__(self) -> int:
        """The number of sets."""
        return len(self.checked)

    def used(self, training: Sequence[Case], validation: Sequence[Case]) -> Cases:
        """The cases of a training, which are the split's or the given lists.

        Lists are checked as the split is. If one of the two is the split's, its test cases stay test cases. Lists may
        replace a model that was trained with other cases, for whoever lists the cases decides this. A case without
        "case" is named after its image.

        Args:
            training: the cases that the training set has: those of this split, or others.
            validation: the same for the validation set; one of several processes may have its `OwnPart`.

        Raises:
            ValueError: as `checked_split`, or a case without image or label, or one in two sets.
        """
        training, validation = _whole(training), _whole(validation)
        known = self.checked if "checked" in vars(self) else {"training": None, "validation": None}
        are_of_split = training is known["training"], validation is known["validation"]
        if all(are_of_split) or self.keep:  # an evaluation has the test cases in the place of the validation
            return self.checked
        split = {"training": _named(training, "training"), "validation": _named(validation, "validation"), "test": []}
        if not split["training"]:
            raise ValueError("the list of training cases is empty")
        use = [name for name, cases in split.items() if cases]
        if any(are_of_split):
            split["test"] = self.checked["test"]
            _check_apart(split)
        return self._check(lambda: split, split_file="", train_fraction=1.0, overwrite=True, use=use)

    def _elsewhere(self, elsewhere: OtherData) -> Callable[[], Split]:
        """What gives the cases of other data; raise ValueError if these, or this run, do not allow it."""
        class_names = self.made_for.class_names
        if self.split_file:
            raise ValueError(
                f"--split {self.split_file} and --test_dir {elsewhere.test_dir} both say what is tested: give one"
            )
        if elsewhere.described(class_names).classes:
            check_keeps_classes(self.loading, len(class_names), elsewhere.test_dir)
        return elsewhere.datalist(self.datalist, class_names, self.made_for.ignore_index)

    def _check(self, datalist: Callable[[], Split], **others: Any) -> Cases:
        """The checked cases of a split; `others` replace settings."""
        check_sets(self.use, keep=self.keep)
        return checked_split(datalist, replace(self, **others))

    def check_measured(self, cases: Sequence[Case]) -> None:
        """Raise ValueError if an evaluation cannot measure the cases that it has.

        Those of the split are checked when they are asked for. A list of another program is checked here.

        Args:
            cases: the cases of the evaluation; one of several processes may have its `OwnPart`.

        Raises:
            ValueError: as `checked_split`, or a case without image or label.
        """
        cases = _whole(cases)
        known = self.checked if "checked" in vars(self) else {}
        if any(cases is known.get(name) for name in self.use):
            return
        name = next((one for one in SPLITS if one in self.use), SPLITS[-1])
        split = Listed({one: _named(cases, name) if one == name else [] for one in SPLITS})
        if not split[name]:
            raise ValueError(f"the list of {name} cases is empty")
        if self.elsewhere:
            raise ValueError("both --test_dir and a list of cases say what is measured: give one")
        self._check(lambda: split, split_file="", use=[name])


def _whole(cases: Sequence[Case]) -> Sequence[Case]:
    """The cases of all processes."""
    return cases.whole if isinstance(cases, OwnPart) else cases


def _named(cases: Sequence[Any], name: str) -> list[Case]:
    """A list of cases; raise ValueError if one lacks the files of its image or its label.

    Args:
        cases: as another program lists them.
        name: of the set that they stand for.
    """
    listed: list[Case] = []
    for place, case in enumerate(cases):
        missing = [key for key in IMAGE_AND_LABEL if not isinstance(case, dict) or key not in case]
        if missing:
            raise ValueError(f"case {place} of {name} has no {missing[0]!r}: each needs 'image' and 'label'")
        for key in IMAGE_AND_LABEL:
            case[key] = _as_text(case[key])
            files = case[key] if isinstance(case[key], list) else [case[key]]
            if not files or not all(isinstance(file, str | Tensor | ndarray) for file in files):
                kind = type(case[key]).__name__
                raise ValueError(
                    f"the {key} of case {place} of {name} is of {kind}; it must be a path, or a list of them"
                )
        listed.append(case)
    return listed


def _as_text(files: Any) -> Any:
    """Paths as text; what is in memory stays."""
    if isinstance(files, list | tuple):
        return [_as_text(file) for file in files]
    return str(files) if isinstance(files, Path) else files


def _check_apart(split: Split) -> None:
    """Raise ValueError if a file is the image of cases in two sets."""
    owners: dict[str, str] = {}
    for name, cases in split.items():
        for file in {str(Path(str(file)).absolute()) for case in cases for file in files_of(case)}:
            if owners.setdefault(file, name) != name:
                raise ValueError(
                    f"{file} is a {owners[file]} case and a {name} case: list both training and validation, or cases "
                    "that the split of the data set has not in another set"
                )
