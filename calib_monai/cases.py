"""Cases of a run: finds them, reads and checks every file once, and writes their split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from calib_monai.case_checks import check_workers, read_all
from calib_monai.checks import SPLIT_FILE
from calib_monai.datalists.dataset_json import check_pairs, tell_listed_tests
from calib_monai.datalists.given_splits import given_split
from calib_monai.datalists.patients import warn_of_one_patient
from calib_monai.datalists.split_files import (
    Drawn,
    Listed,
    Options,
    OtherCases,
    check_same_split,
    kept_split,
    names_of,
    options_of,
    patients_of_split,
    write_split,
)
from calib_monai.datalists.splits import Case, Split, fewer_cases
from calib_monai.ensembles import check_splits
from calib_monai.far_voxels import tell_far_voxels
from calib_monai.found_cases import check_found, settle, tell_doubts, tell_left_out, tell_unseen_classes
from calib_monai.inside_out import tell_inside_out
from calib_monai.misplaced_files import tell_misplaced, told_by
from calib_monai.model_splits import is_another, one_by_one, split_of_models
from calib_monai.near_copies import are_nearly_the_same
from calib_monai.orientation import Geometry, check_axcodes, training_axcodes
from calib_monai.pictures.palettes import check_palettes
from calib_monai.processes import is_first_process
from calib_monai.same_images import SEEN, check_unseen, tell_unseen, without_copies
from calib_monai.seen import Seen
from calib_monai.split_settings import SplitSettings
from calib_monai.volumes import Loading, read_pair
from calib_monai.windows import tell_doubted_units
from calib_monai.zones import ZoneShapes

logger = logging.getLogger(__name__)


class Cases(dict[str, list[Case]]):
    """A split with the geometries of its images and the options of its draw.

    Attributes:
        geometries: the geometries of the training images by case; empty if these were not read.
        options: the options with which the split was drawn.
        replaced: the file of another split beside a model, which `write_split` replaces; None if there is none.
        left_out: the cases that are in no set, because their images are in another one.
        images: a digest of the image of each training and validation case of a training.
        labels: a digest of the label of each of these cases.
    """

    def __init__(
        self,
        split: Split,
        geometries: Mapping[str, Geometry],
        options: Options,
        replaced: Path | None = None,
        left_out: Sequence[str] = (),
        images: Mapping[str, str] = MappingProxyType({}),
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(split)
        self.geometries = dict(geometries)
        self.options = options
        self.replaced = replaced
        self.left_out = list(left_out)
        self.images = dict(images)
        self.labels = dict(labels)

    def training_axcodes(self, axcodes: str) -> str:
        """The axis codes of the training, see `calib_monai.orientation.training_axcodes`."""
        return training_axcodes(axcodes, self.geometries)

    def write_split(self, path: Path, *, beside_model: bool = True) -> None:
        """Write the names of the cases, the options of their draw, their patients, and what is left out.

        Digests of images and labels are written beside a model, where other runs look for them.
        """
        digests = (self.images, self.labels) if beside_model else ()
        write_split(Drawn(names_of(self), self.options, patients_of_split(self), self.left_out, *digests), path)


def checked_split(datalist: Callable[[], Split], settings: SplitSettings) -> Cases:
    """The cases of a run; every file is read and checked once, and the split is written.

    The split is written as `split.json` to the output folder and beside the model, because a model must be tested on
    cases that it was not trained on. The file also holds the seed, the fold and the other options that drew it. A
    training leaves a patient out whose image is also in validation or test, unless `split_file` says which is where. Up
    to 1 GiB of what was read is kept for the run: `calib_monai.read_once.forget` frees it if none follows.

    Args:
        datalist: gives the split.
        settings: what the run asks of the cases.

    Raises:
        ValueError: input is wrong; the message is one line with the file, the value and the rule.
    """
    keep, ckpt_dir, overwrite = settings.keep, settings.ckpt_dir, settings.overwrite
    beside_model, earlier = Path(ckpt_dir) / SPLIT_FILE, None
    check_axcodes(settings.made_for.axcodes)
    split, options = datalist(), options_of(datalist)
    with_copies = keep or options.get("group_duplicates") is False
    settle(chain(*split.values()))
    check_pairs(datalist, chain(*split.values()))
    tell_doubts(chain(*split.values()))
    tell_left_out(datalist, split)
    if settings.split_file:
        split, options = _split_of_file(settings.split_file, split, options, beside_model if keep else None)
    own = not isinstance(split, Listed)
    if keep:
        split, options = kept_split(split, options, beside_model, settings.use)
        check_splits(settings.ckpt_dirs if own else [], {name: names_of(split)[name] for name in settings.use})
    else:
        earlier = _fewer(split, options, settings)
        tell_listed_tests(datalist, [*split["training"], *split["validation"]])
    sets = {name: split[name] for name in settings.use}
    seen = _read(sets, settings)
    digests = [one.digest for one in seen.values()]
    if keep and (not own or options.get("group_duplicates") is not False):
        check = partial(check_unseen, own=own) if own or isinstance(split, OtherCases) else tell_unseen
        check(_split_files(settings.ckpt_dirs or [ckpt_dir]), sets, digests)
    split, left_out = without_copies(split, settings.use, digests, apart=with_copies, given=bool(settings.split_file))
    images, labels = ({}, {}) if keep else _digests(split, seen)
    # Copies may have come or gone, and images and labels may have changed.
    drawn = Drawn(names_of(split), options, images=images, labels=labels)
    other_split = earlier is not None and is_another(earlier, drawn, ckpt_dir, overwrite=overwrite)
    check_found(sets, list(seen.values()), None if own else ckpt_dir)
    check_palettes(chain.from_iterable(one.palettes for one in seen.values()))
    tell_doubted_units({name: one.units for name, one in seen.items()}, settings.rules.window)
    tell_inside_out({name: one.inside_out for name, one in seen.items()})
    _tell_misplaced(sets, seen, settings.loading)
    trained = {str(case["case"]): seen[case["case"]] for case in split["training"] if case["case"] in seen}
    if not keep:
        tell_unseen_classes([one.classes for one in trained.values()], settings.made_for.class_names)
        tell_far_voxels({name: one.geometry for name, one in seen.items()}, settings.made_for.axcodes)
    geometries = {name: one.geometry for name, one in trained.items()}
    checked = Cases(split, geometries, options, beside_model if other_split else None, left_out, images, labels)
    _write(checked, settings, beside_model)
    return checked


def _fewer(split: Split, options: Options, settings: SplitSettings) -> Drawn | None:
    """Keep a share of the training patients, in place; return the split of the model that lies in the folder, if any.

    Raises:
        ValueError: that model has another split, and may not be replaced.
    """
    share, ckpt_dir = settings.train_fraction, settings.ckpt_dir
    split["training"] = fewer_cases(split["training"], share, int(options.get("split_seed", 0)))
    options["train_fraction"] = share
    earlier = split_of_models(Path(ckpt_dir))
    if earlier is not None:
        drawn = Drawn(names_of(split, earlier.left_out), options)
        is_another(earlier, drawn, ckpt_dir, overwrite=settings.overwrite)
    warn_of_one_patient(split)
    return earlier


def _read(sets: Mapping[str, list[Case]], settings: SplitSettings) -> dict[str, Seen]:
    """What each case shows, by its name and in order; what the run reads again in this process is kept."""
    shapes = ZoneShapes(*settings.zones) if settings.zones else None
    read = partial(read_pair, look=shapes.look if shapes else None, loading=settings.loading, rules=settings.rules)
    of_evaluator = ("validation", "test") if settings.keep else ("validation",)
    evaluated = [case for name, cases in sets.items() if name in of_evaluator for case in cases]
    again = [*sets.get("training", []), *([] if settings.num_workers else evaluated)]
    seen = read_all([*sets.values()], read, again)
    check_workers(evaluated, settings.num_workers)
    if shapes:
        shapes.warn()
    return {case["case"]: one for case, one in zip(chain(*sets.values()), seen, strict=True)}


def _tell_misplaced(sets: Mapping[str, list[Case]], seen: Mapping[str, Seen], loading: Loading) -> None:
    """Warn as `tell_misplaced`, with the set of each case; a few images are read again if their labels agree."""
    by_name = {str(case["case"]): case for case in chain(*sets.values())}
    told = [told_by(case, seen[case["case"]], name) for name, of_set in sets.items() for case in of_set]
    tell_misplaced(told, lambda one, other: are_nearly_the_same(by_name[one], by_name[other], loading))


def _write(checked: Cases, settings: SplitSettings, beside_model: Path) -> None:
    """Log the numbers of cases, and write the split to the run's folders, but not over one that is replaced later."""
    if is_first_process():
        logger.info("cases: %s", ", ".join(f"{len(checked[name])} for {name}" for name in settings.use))
        folders = [settings.output_dir, *([] if settings.keep else [settings.ckpt_dir])]
        for path in set(_split_files(folders)) - {checked.replaced}:
            checked.write_split(path, beside_model=path == beside_model)


def _split_of_file(file: str, split: Split, options: Options, beside_model: Path | None) -> tuple[Split, Options]:
    """The split that a file gives, and the options that are told of it.

    Args:
        file: with the names of the cases.
        split: all cases, which is returned if the split beside the model is to be kept.
        options: of this run.
        beside_model: the split beside a model; the file must give the same. None if a training draws a new one.
    """
    apart = one_by_one(name for name, on in options.items() if on is True)
    given = given_split(Path(file), split, f" ({apart} takes each case for a patient)" if apart else "")
    if options.get("fold"):
        logger.warning("--fold %s changes nothing: the split is that of %s", options["fold"], file)
    if beside_model is not None and beside_model.is_file():
        check_same_split(given, beside_model, file)
        given = split
    return given, {"split": Path(file).name, "split_seed": options.get("split_seed", 0)}


def _split_files(folders: Iterable[str]) -> list[Path]:
    """The files of the splits in these folders."""
    return [Path(folder) / SPLIT_FILE for folder in folders]


def _digests(split: Split, seen: Mapping[str, Seen]) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of images and labels of training and validation by case, as text; none if some were not read.

    That of an image of one value is empty.
    """
    names = [case["case"] for name in SEEN for case in split[name]]
    if not seen.keys() >= set(names):
        return {}, {}
    return {name: seen[name].digest.hex() for name in names}, {name: seen[name].label_digest.hex() for name in names}
