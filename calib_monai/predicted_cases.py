"""Predicted cases: finds the images of an inference, reads and checks each once, and tells at the end what was done."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

from monai.data import Dataset

from calib_monai.case_checks import check_workers, read_or_refused, told_of
from calib_monai.checks import SPLIT_FILE
from calib_monai.contrasts import scaling_after
from calib_monai.datalists.inputs import ended_in, listed_cases, listed_in
from calib_monai.datalists.split_files import Drawn, kept_split, options_of, read_split, tell_known
from calib_monai.datalists.splits import Case, Split
from calib_monai.ensembles import check_predicted
from calib_monai.found_cases import settle, tell_doubts, tell_odd_voxels
from calib_monai.made_for import MadeFor, far_from_training, read_model_json
from calib_monai.networks import folders_of
from calib_monai.orientation import at_reorientation
from calib_monai.path_options import check_path
from calib_monai.same_images import tell_seen
from calib_monai.seen import SeenImage
from calib_monai.volumes import files_of, read_image
from calib_monai.windows import tell_doubted_units, window_of

NO_NOTES: Mapping[str, str] = MappingProxyType({})

logger = logging.getLogger(__name__)


class Inputs(list[Case]):
    """The cases that can be predicted, and for each of the others a line with the reason.

    Attributes:
        failed: a line for each case that is skipped.
        lost: the names of the cases that were read, but not predicted, or whose results could not be written.
        notes: how a case differs much from the training images, by its name.
    """

    def __init__(self, cases: Iterable[Case], failed: Iterable[str] = (), notes: Mapping[str, str] = NO_NOTES) -> None:
        super().__init__(cases)
        self.failed = list(failed)
        self.lost: list[str] = []
        self.notes = dict(notes)

    def lose(self, case: str, why: str) -> None:
        """Note that a case could not be predicted, or its results not be written; the others are predicted."""
        logger.warning("skipped: %s", why)
        self.lost.append(case)
        self.failed.append(why)


class InputsOnDemand(Sequence[Case]):
    """The cases of an inference, `{"image": path or paths, "case": name}`; every file is read once, when they are used.

    A case that cannot be predicted is skipped with a warning, unless it is the only case. A warning names an image that
    differs much from the training images. A program may put a list of its own into the data set, see `used`. If the
    network is an ensemble, no member may have been trained on a test case.

    Args:
        path: an image, a folder of images, a JSON list of them, or "" for the test cases of `datalist`.
        datalist: what gives the split. If it finds labels by a pattern, these are no images of a folder.
        made_for: the channels of an image, and the transforms from its files to the input of the network. Those after
            the reorientation are tried, too, unless one `takes_long`.
        ckpt_dir: folder of the model, whose own split is kept.
        endings: how the names of the images end after their case. If the channels of an image are files of their own,
            there is one for each, in order, and `path` is the folder of a case, or holds those.
        spatial_dims: axes of an image, 2 or 3.
        is_label: of the data set's labels, as in `images_in`.

    Attributes:
        checked: the cases that are predicted, None until they are asked for.

    Raises:
        ValueError: when the cases are used and input is wrong; the message is one line with the file, the value and the
            rule.
    """

    def __init__(
        self,
        path: str,
        datalist: Callable[[], Split],
        made_for: MadeFor,
        ckpt_dir: str,
        endings: Sequence[str] = (),
        *,
        spatial_dims: int = 3,
        is_label: Callable[[Path], bool] | None = None,
    ) -> None:
        self.path = path
        self.datalist = datalist
        self.made_for = made_for
        self.ckpt_dir = ckpt_dir
        self.endings = endings
        self.spatial_dims = spatial_dims
        self.is_label = is_label
        self.checked: Inputs | None = None

    @overload
    def __getitem__(self, place: int) -> Case: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Case]: ...
    def __getitem__(self, place: int | slice) -> Case | Sequence[Case]:
        """A case, or several."""
        return self._checked(None)[place]

    def __len__(self) -> int:
        """The number of cases that can be predicted."""
        return len(self._checked(None))

    @property
    def notes(self) -> Mapping[str, str]:
        """Those of the cases that are predicted, as of `Inputs`."""
        return NO_NOTES if self.checked is None else self.checked.notes

    def lose(self, case: str, why: str) -> None:
        """Note that a case could not be predicted, or its results not be written; the others are predicted."""
        self._checked(None).lose(case, why)

    def used(self, dataset: Dataset, num_workers: int = 0) -> None:
        """Give a data set the cases that can be predicted: these, or those of the list that it has in their place.

        Args:
            dataset: its data are these cases or a list of paths, of `{"image": PATH or [PATHS]}` with a name under
                "case" or without, and with images that are in memory in the place of paths.
            num_workers: of the loader. What worker processes load is not kept for them.

        Raises:
            ValueError: a list with something else, or that is empty, or a data set whose transforms are not those that
                are taken back from a prediction.
        """
        if dataset.transform is not self.made_for.transforms:
            raise ValueError(
                "the dataset has transforms of its own, which the postprocessing does not take back: change those of "
                'preprocessing, and give other cases as "dataset#data"'
            )
        if dataset.data is self:
            self._checked(None, num_workers)
            return
        if not isinstance(dataset.data, Sequence) or isinstance(dataset.data, str):
            kind = type(dataset.data).__name__
            raise ValueError(f"dataset#data is of the type {kind}; it must be a list of images")  # noqa: TRY004
        if self.path:
            logger.warning("the list of dataset#data takes the place of --input %s, which is not predicted", self.path)
        listed = listed_cases(dataset.data, "dataset#data", endings=self.endings)
        for file in (file for case in listed for file in files_of(case)):
            check_path("dataset#data", file)
        self.checked = None
        dataset.data = self._checked(listed, num_workers)

    def _checked(self, listed: list[Case] | None, num_workers: int = 0) -> Inputs:
        """The cases that can be predicted, of a list or of the path; they are checked once."""
        if self.checked is None:
            cases = self._found() if listed is None else listed
            splits = _splits_in(folders_of(self.made_for.network) or [self.ckpt_dir])
            if self.path or listed is not None:
                for file, kept in splits.items():
                    tell_known({"test": cases}, kept, file)
            self.checked = self._check(cases, num_workers, splits)
        return self.checked

    def _found(self) -> list[Case]:
        """The cases at the path."""
        check_path("input", self.path)
        if self.path.lower().endswith(".json"):
            return listed_in(Path(self.path), self.endings)
        if not self.path:
            found = _test_cases(self.datalist, Path(self.ckpt_dir) / SPLIT_FILE, self.endings)
            check_predicted(folders_of(self.made_for.network), [case["case"] for case in found])
            return found
        label = getattr(self.datalist, "keywords", {}).get("label", "")
        return ended_in(Path(self.path), self.endings, self.is_label, label)

    def _check(self, cases: list[Case], num_workers: int, splits: Mapping[Path, Drawn]) -> Inputs:
        """The cases of a list that can be predicted; a warning tells images that a model has seen."""
        for case in cases:
            _check_order(case, self.endings)
        settle(cases)
        tell_doubts(cases)
        loading, preparation = at_reorientation(self.made_for.transforms)
        window = window_of(self.made_for.transforms)
        takes_long = any(getattr(step, "takes_long", False) for step in preparation.transforms)
        read = partial(
            read_image,
            loading=loading,
            in_channels=self.made_for.in_channels,
            spatial_dims=self.spatial_dims,
            num_classes=self.made_for.num_classes,
            preparation=None if takes_long else preparation,
            window=window,
            scaling=scaling_after(loading, self.made_for.transforms),
        )
        found = read_or_refused(cases, read, again=[] if num_workers else cases)
        failed = [line for line in found if isinstance(line, str)]
        if len(failed) == len(cases):
            raise ValueError(told_of(failed, len(cases)))
        for line in failed:
            logger.warning("skipped: %s", line)
        trained = read_model_json(self.ckpt_dir)
        good = [(case, seen) for case, seen in zip(cases, found, strict=True) if isinstance(seen, SeenImage)]
        check_workers([case for case, _ in good], num_workers)
        tell_odd_voxels({str(case["case"]): seen.geometry.spacing for case, seen in good})
        tell_doubted_units({str(case["case"]): seen.units for case, seen in good}, window)
        tell_seen(splits, {str(case["case"]): seen.digest for case, seen in good})
        notes = {}
        for case, seen in good:
            if far := far_from_training(seen.geometry, trained):
                notes[str(case["case"])] = f"far outside of what the model was trained on: {far}"
        for name, note in notes.items():
            logger.warning("%s is %s", name, note)
        return Inputs([case for case, _ in good], failed, notes)


def end(cases: Any, folder: str) -> None:
    """Say what was predicted, and raise ValueError if a case was skipped.

    Args:
        cases: the `InputsOnDemand` of the inference; others are not counted.
        folder: of the results, which has the predictions in `predictions`.

    Raises:
        ValueError: cases were skipped; the message has their number. A line on stderr names each. If none is
            left, the message is that of the first.
    """
    checked = getattr(cases, "checked", None)
    told = "" if checked is None else f"{len(checked) - len(checked.lost)} case(s): "
    sys.stdout.write(f"{told}the maps and the structures in numbers are in {folder}/predictions\n")
    sys.stdout.flush()
    if checked is not None and checked.failed:
        if len(checked.lost) == len(checked):
            raise ValueError(told_of(checked.failed, len(checked.failed)))
        sys.stderr.writelines(f"{line}\n" for line in checked.failed)
        raise ValueError(f"{len(checked.failed)} case(s) were skipped, as the lines above say")


def _check_order(case: Case, endings: Sequence[str]) -> None:
    """Raise ValueError if the file of a channel is by its ending that of another one: the network would take it so.

    A warning names two files whose names before their endings differ, or, without such names, whose folders do: they
    may be of two cases.
    """
    for place, file in enumerate(files_of(case)):
        of = [ending for ending in endings if file.endswith(ending)]
        if of and endings[place % len(endings)] not in of:
            raise ValueError(
                f"{file} is listed as channel {place + 1} of {case['case']}, whose files end in "
                f"{endings[place % len(endings)]}: list the files in the order {', '.join(endings)}"
            )
    ended = [(Path(file), ending) for file, ending in zip(files_of(case), endings, strict=False)]
    stems = [file.name.removesuffix(ending) or str(file.parent) for file, ending in ended]
    other = next((place for place, stem in enumerate(stems) if stem != stems[0]), None)
    if other is not None and all(map(str.endswith, files_of(case), endings)):
        first, second = (files_of(case)[place] for place in (0, other))
        logger.warning(
            "%s and %s are listed as one image, and their names or folders differ: are they of one case?", first, second
        )


def _splits_in(folders: Sequence[str]) -> dict[Path, Drawn]:
    """The split beside a model, or beside each member of an ensemble, by its file; a warning tells a damaged one."""
    splits: dict[Path, Drawn] = {}
    for file in filter(Path.is_file, (Path(folder) / SPLIT_FILE for folder in folders)):
        try:
            kept = read_split(file)
        except ValueError as error:  # nothing of it is needed to predict
            logger.warning("%s", error)
            continue
        if kept is not None:
            splits[file] = kept
    return splits


def _test_cases(datalist: Callable[[], Split], path: Path, endings: Sequence[str]) -> list[Case]:
    """The test cases of a data set, without their labels; ValueError with what to set where there is no data set."""
    try:
        split = datalist()
    except ValueError as error:
        wanted = f"a folder of files that end in {', '.join(endings)}" if endings else "an image or a folder of images"
        raise ValueError(
            f"set --input to {wanted}; without it the test cases of dataset_dir are predicted, and {error}"
        ) from None
    kept, _ = kept_split(split, options_of(datalist), path, ["test"])
    return [{"image": case["image"], "case": case["case"]} for case in kept["test"]]
