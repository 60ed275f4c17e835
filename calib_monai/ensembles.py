"""Checks of ensembles: their members must be made for the same images, and none trained on what is measured."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib_monai.checks import SPLIT_FILE
from calib_monai.datalists.split_files import read_split
from calib_monai.descriptions import OTHERS
from calib_monai.made_for import FILE, HELD, differences, kind_of, read_model_json
from calib_monai.path_options import check_path
from calib_monai.posthoc.files import MODEL

LEAST_MEMBERS = 2  # members
ONE_SPLIT = "train the members with one --split_seed and --fold"


def check_ckpt_dirs(ckpt_dirs: Any) -> None:
    """Raise ValueError if folders are no list of two or more that differ; an empty list is none."""
    if not isinstance(ckpt_dirs, list | tuple) or not all(isinstance(one, str) for one in ckpt_dirs):
        raise ValueError(f"ckpt_dirs is {ckpt_dirs!r}; it must be a list of folders, as \"['a/models','b/models']\"")
    for folder in ckpt_dirs:
        check_path("ckpt_dirs", folder)
    if ckpt_dirs and len({Path(folder).resolve() for folder in ckpt_dirs}) < max(LEAST_MEMBERS, len(ckpt_dirs)):
        raise ValueError(f"ckpt_dirs is {ckpt_dirs!r}; an ensemble has two or more folders that differ")


def check_members(ckpt_dir: str, ckpt_dirs: Sequence[str]) -> None:
    """Raise ValueError if the members of an ensemble were not made for the same images, classes and network.

    Args:
        ckpt_dir: of the run, whose split and calibrators are used; it must be the first member's.
        ckpt_dirs: the folder of each member.
    """
    first, *others = ckpt_dirs
    if Path(ckpt_dir).resolve() != Path(first).resolve():
        raise ValueError(f"ckpt_dir is {ckpt_dir} and ckpt_dirs begin with {first}: give ckpt_dirs alone")
    told = {folder: read_model_json(folder) for folder in ckpt_dirs}
    for folder, content in told.items():
        if content is None:
            raise ValueError(f"there is no {Path(folder) / FILE}: nothing says what this member of the ensemble is for")
    for folder in others:
        one, other = (Path(of) / MODEL for of in (folder, first))
        if one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False):
            raise ValueError(f"{one} is a copy of {other}; the members of an ensemble must be trainings that differ")
        here, there = told[folder] or {}, told[first] or {}
        kinds = [kind_of(one) for one in (here, there)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"{Path(folder) / FILE} is of {kinds[0]} and {Path(first) / FILE} of {kinds[1]}; the members of an "
                "ensemble must be of one network, for slices or for volumes"
            )
        for name in HELD:
            if name == OTHERS and OTHERS not in here.keys() & there.keys():  # an earlier version did not write it
                continue
            for what, one, other in differences(name, here.get(name), there.get(name)):
                raise ValueError(
                    f"{what} is {json.dumps(one)} in {Path(folder) / FILE} and {json.dumps(other)} in "
                    f"{Path(first) / FILE}; the members of an ensemble must be made for the same"
                )


def check_splits(ckpt_dirs: Sequence[str], cases: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError if a member but the first, whose split is that of the run, was trained on a case that is read.

    Args:
        ckpt_dirs: the folder of each member.
        cases: the names of the cases of each set that the run reads: "validation" or "test".
    """
    for name, of_set in cases.items():
        rest = f"and it is a {name} case here", f"{ONE_SPLIT}, or measure other data with --test_dir"
        _check_unknown(ckpt_dirs[1:], of_set, name, *rest)


def check_predicted(ckpt_dirs: Sequence[str], cases: Iterable[str]) -> None:
    """Raise ValueError if a member of an ensemble was trained on a case that is predicted as a test case.

    Args:
        ckpt_dirs: the folder of each member.
        cases: the names of the test cases.
    """
    rest = "and it is a test case here", f"{ONE_SPLIT}, or give other images by --input"
    _check_unknown(ckpt_dirs, cases, "test", *rest)


def _check_unknown(folders: Sequence[str], cases: Iterable[str], name: str, here: str, remedy: str) -> None:
    """Raise ValueError if a member knows one of these cases from its training or validation.

    Args:
        folders: of the members.
        cases: their names.
        name: the set that the cases are of; a member may have seen cases of its own set of this name.
        here: what the cases are in this run, for the message.
        remedy: what to do.
    """
    taken = list(cases)
    for file in (Path(folder) / SPLIT_FILE for folder in folders):
        kept = read_split(file)
        if kept is None:  # which is told
            continue
        seen = {case for of_set in kept.names if of_set not in (name, "test") for case in kept.names[of_set]}
        if again := [case for case in taken if case in seen]:
            more = f" (and {len(again) - 1} more)" if len(again) > 1 else ""
            raise ValueError(f"{file} has {again[0]} for training or validation, {here}{more}: {remedy}")
