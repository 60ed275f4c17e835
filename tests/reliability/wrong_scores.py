"""Ways to be wrong with probabilities of another program, and what the last line must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from saved_probs import AFFINE, NAMES, Folders

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class WrongScore:
    """One way to be wrong.

    Attributes:
        name: what is wrong.
        said: regular expression of the last line.
        write: writes the probabilities of two cases.
        options: of the command line, after those that are right; "{}" stands for the folder.
    """

    name: str
    said: str
    write: Callable[[Folders], object]
    options: Sequence[str] = ()


def last(probs: Values) -> Values:
    """The classes as the last axis."""
    return np.moveaxis(probs, 0, -1)


def niftis(change: Callable[[Any], Any] = lambda p: p, affine: Values = AFFINE) -> Callable[[Folders], object]:
    """Writes 4D NIfTI of changed probabilities, (X, Y, Z, C)."""
    return lambda given: [
        given.write(case, "{}.nii.gz", change(last(one.probs)), affine) for case, one in given.cases.items()
    ]


def arrays(given: Folders) -> list[Path]:
    """Write nnU-Net's files."""
    return [given.write(case, "{}.npz", one.probs.transpose(0, 3, 2, 1)) for case, one in given.cases.items()]


def hard(probs: Values) -> Values:
    """1 where a class is the most probable, else 0."""
    return (probs == probs.max(-1, keepdims=True)).astype(np.float32)


def with_nan(probs: Values) -> Values:
    """One value that is none."""
    return np.where(probs == probs.max(), np.nan, probs)


def label_of(probs: Values) -> Values:
    """The most probable class."""
    return probs.argmax(-1).astype(np.uint8)


def overlapping(probs: Values) -> Values:
    """What sums to less than 1 here and to more there."""
    return np.sqrt(probs) * (1 - probs)


def broken(given: Folders) -> None:
    """Cut a file in half."""
    path = arrays(given)[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(given: Folders) -> None:
    """Change a byte of the values."""
    path = arrays(given)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])


def with_label(value: int) -> Callable[[Folders], object]:
    """Gives a voxel of a label this value, which is no class."""

    def write(given: Folders) -> None:
        arrays(given)
        label = given.cases["case_1"].label.copy()
        label[0, 0, 0] = value
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), given.labels / "case_1.nii.gz")

    return write


def empty_labels(given: Folders) -> None:
    """Take the structures out of all labels."""
    arrays(given)
    for case, one in given.cases.items():
        nibabel.save(nibabel.Nifti1Image(0 * one.label, AFFINE), given.labels / f"{case}.nii.gz")


def named_twice(given: Folders) -> None:
    """Give a label two names, behind the mark that editors of Windows put before a text."""
    arrays(given)
    text = '{"labels": {"background": 0, "liver": 1, "tumor": 2, "cyst": 2}}'
    (given.labels / "dataset.json").write_text(text, encoding="utf-8-sig")


def no_label(given: Folders) -> None:
    """Take a label away."""
    arrays(given)
    (given.labels / "case_1.nii.gz").unlink()


def two_arrays(given: Folders) -> None:
    """Write two arrays of which nobody knows which is meant."""
    np.savez(arrays(given)[0], a=np.zeros(3), b=np.zeros(3))


def any_program(given: Folders) -> None:
    """Write an array of objects, which only a pickle can hold."""
    np.savez(arrays(given)[0], probabilities=np.array([{}], dtype=object))


def twice(given: Folders) -> None:
    """Write the probabilities of a case twice."""
    arrays(given)
    given.write("case_0", "{}_probs.npy", given.cases["case_0"].probs)


def no_background(given: Folders) -> None:
    """Write a file for each class but the background."""
    for case, one in given.cases.items():
        for index in (1, 2):
            given.write(case, f"{{}}_{NAMES[index]}.nii.gz", one.probs[index])


def files_by_name(given: Folders, names: Sequence[str] = NAMES) -> None:
    """Write a file for each class, called by its name."""
    for case, one in given.cases.items():
        for name, probs in zip(names, one.probs, strict=True):
            given.write(case, f"{{}}_{name}.nii.gz", probs)


def named(name: str) -> Callable[[Folders], object]:
    """Writes nnU-Net's files under other names."""
    return lambda given: [given.write(case, name, one.probs.transpose(0, 3, 2, 1)) for case, one in given.cases.items()]


def placed_elsewhere(given: Folders) -> None:
    """Let nnU-Net's `.pkl` name another place."""
    arrays(given)
    stuff = {"spacing": (1.5, 1.5, 3.0), "origin": (9.0, 9.0, 9.0), "direction": (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)}
    given.place("case_0", {"sitk_stuff": stuff})


def image_elsewhere(given: Folders) -> None:
    """Write images that lie elsewhere than their labels."""
    arrays(given)
    (given.probs.parent / "images").mkdir()
    for case, one in given.cases.items():
        nibabel.save(nibabel.Nifti1Image(one.probs[0], ELSEWHERE), given.probs.parent / "images" / f"{case}.nii.gz")


def with_key(change: Callable[[Any], Any], key: str = "probs") -> Callable[[Folders], object]:
    """Writes `.npz` of changed probabilities, (C, X, Y, Z), under a key; nnU-Net's has its axes."""
    return lambda given: [
        np.savez(given.probs / f"{case}.npz", **{key: turned if key == "probs" else turned.transpose(0, 3, 2, 1)})
        for case, one in given.cases.items()
        for turned in [change(one.probs)]
    ]


def half_empty(probs: Values) -> Values:
    """All classes 0 in half of the voxels."""
    return np.where(np.arange(probs.shape[1])[:, None, None] < 4, 0, probs)


def with_hole(probs: Values) -> Values:
    """All classes 0 in a voxel amid the others."""
    probs = probs.copy()
    probs[:, 3, 4, 5] = 0
    return probs


def wrapped(probs: Values) -> Values:
    """Bytes in which 1, as 256, has become 0."""
    sure = probs.max(0) > 0.9
    probs = np.where(sure, probs == probs.max(0), probs)
    return np.asarray((probs * 256).astype(np.int64).astype(np.uint8))


def nested(probs: Values) -> Values:
    """The structures as regions, of which one holds the other."""
    return np.stack([probs[..., 0], probs[..., 1] + probs[..., 2], probs[..., 2]], axis=-1)


def with_slope(change: Callable[[Any], Any], dtype: Any, slope: float) -> Callable[[Folders], object]:
    """Writes 4D NIfTI whose header has a slope."""

    def write(given: Folders) -> None:
        for case, one in given.cases.items():
            values = change(last(one.probs)) / slope
            raw = (np.round(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)
            write_with_slope(given.probs / f"{case}.nii", raw, slope)

    return write


def write_with_slope(path: Path, raw: Values, slope: float) -> None:
    """Write stored values and what they are multiplied with."""
    image: Any = nibabel.Nifti1Image(raw, AFFINE)
    image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)


def one_in_quarters(given: Folders) -> None:
    """Write a file for each class; only that of the background is in quarters, and the others are regions."""
    for case, one in given.cases.items():
        values = np.moveaxis(nested(last(one.probs)), -1, 0)
        write_with_slope(given.probs / f"{case}_0.nii", np.round(4 * values[0]).astype(np.uint8), 0.25)
        for index in (1, 2):
            given.write(case, f"{{}}_{index}.nii", values[index])


def of_two_types(given: Folders) -> None:
    """Write a file for each class, of bytes and of single precision."""
    for case, one in given.cases.items():
        given.write(case, "{}_0.nii", np.round(255 * one.probs[0]).astype(np.uint8))
        for index in (1, 2):
            given.write(case, f"{{}}_{index}.nii", one.probs[index])


def overshot(probs: Values) -> Values:
    """What a spline makes of probabilities: the sums stay, and some are below 0."""
    high = probs == probs.max(-1, keepdims=True)
    return np.where(high, probs + 0.02 * (probs.shape[-1] - 1), probs - 0.02)


def whole(of: int) -> Callable[[Any], Any]:
    """Makes whole numbers that sum to about this."""
    return lambda probs: (probs * of).astype(np.uint16)


ELSEWHERE = AFFINE + np.array([[0, 0, 0, 4.0], *[[0.0] * 4] * 3])
LOGITS = ("--logits",)
FIT = ("--calibrate", "ts", "--fit")
WRONG_SCORES = [
    WrongScore("NaN", r"case_0.nii.gz holds 1 value\(s\) that are NaN", niftis(with_nan)),
    WrongScore("logits", r"holds values from -.*probabilities lie in 0..1 .*--logits", niftis(np.log)),
    WrongScore("a spline's overshoot", r"values from -0.0.*interpolated\? cut them at 0", niftis(lambda p: p - 0.01)),
    WrongScore(
        "saturated logits", "case_0.nii.gz holds logits .* only 0 and 1", niftis(lambda p: 1e9 * np.log(p)), LOGITS
    ),
    WrongScore(
        "labels without structures", "no label shows a structure, first .*case_0.nii.gz; one must", empty_labels
    ),
    WrongScore(
        "a label with two names",
        "calls the label 2 cyst and tumor",
        named_twice,
        ("--classes", "{}/labels/dataset.json"),
    ),
    WrongScore("sums below 1", r"whose sums lie between 0.9 and 0.9;.* be 1", niftis(lambda p: p * 0.9)),
    WrongScore("regions that overlap", "whose sums lie between .*overlap are not measured", niftis(overlapping)),
    WrongScore("percent", "in percent", niftis(lambda p: 100 * p)),
    WrongScore(
        "logits that are probabilities", "channels sum to 1 in each voxel: .*leave out --logits", niftis(), LOGITS
    ),
    WrongScore("logits that are bytes", "holds no value below 0.*leave out --logits", niftis(whole(255)), LOGITS),
    WrongScore(
        "logits of one structure that are its probability",
        "holds values from .* to .*: probabilities; leave out --logits",
        niftis(lambda p: p[..., 1:2]),
        (*LOGITS, "--foreground", "--classes", "background", "lesion", "--ignore_label", "2"),
    ),
    WrongScore(
        "logits of regions",
        "case_0.nii.gz is of 2 channels; --logits with --foreground takes one",
        niftis(lambda p: np.log(p[..., 1:])),
        (*LOGITS, "--foreground"),
    ),
    WrongScore(
        "an order of files that say their classes",
        "--order is background, tumor, liver, and .*case_0_background.nii.gz says its class by its name; leave out",
        files_by_name,
        ("--order", "background", "tumor", "liver"),
    ),
    WrongScore(
        "files that say other classes",
        "the files of the classes look like those of other classes: .*; correct their names",
        lambda given: files_by_name(given, ("background", "tumor", "liver")),
    ),
    WrongScore(
        "names of no probabilities",
        "first .*case_0_probs_v2.npz of case_0: 'probs_v2' must be nothing, probs, .* as in case_0.npz and case_0_p",
        named("{}_probs_v2.npz"),
    ),
    WrongScore(
        "other names in folders",
        "first .*case_0/any.npz of case_0: 'any' must be nothing, .*name of the class.es. background, liver, tumor",
        named("{0}/any.npz"),
    ),
    WrongScore("whole numbers of another sum", r"between 99\d\d and .* be 255 or 65535", niftis(whole(10000))),
    WrongScore("voxels of zeros", "whose sums lie between 0 and 1; .*give the background 1", with_key(half_empty)),
    WrongScore("bytes that wrapped", "whose sums lie between 0 and .*in each voxel they must be 1", with_key(wrapped)),
    WrongScore(
        "a hole in nnU-Net's own file",
        r"case_0.npz has 1 voxel\(s\) among the others in which each class is 0; .* crop, which is a box",
        with_key(with_hole, "probabilities"),
    ),
    *(
        WrongScore(
            f"regions as {dtype.__name__} with a slope of {slope:g}",
            "whose sums lie between 1.* and .*overlap",
            with_slope(nested, dtype, slope),
        )
        for dtype, slope in ((np.float32, 0.5), (np.float64, 2.0), (np.uint8, 0.25), (np.int16, 1 / 32767))
    ),
    WrongScore("regions of which one is in quarters", "whose sums lie between .*in each voxel", one_in_quarters),
    WrongScore(
        "files of classes of two types",
        "case_0_0.nii holds uint8, and .*case_0_1.nii float32; the files of the classes must be of one type",
        of_two_types,
    ),
    WrongScore(
        "logits that are probabilities of a spline",
        "holds values from -0.0.*channels sum to 1 in each voxel: .*leave out --logits",
        niftis(overshot),
        LOGITS,
    ),
    WrongScore(
        "logits that are percent of a spline",
        "channels sum to 100 in each voxel: .*leave out --logits",
        niftis(lambda p: 100 * overshot(p)),
        LOGITS,
    ),
    WrongScore(
        "logits that are bytes with a slope",
        "channels sum to 1.* in each voxel: .*leave out --logits",
        with_slope(lambda p: p, np.uint8, 1 / 255),
        LOGITS,
    ),
    WrongScore(
        "logits that are sigmoids of regions",
        "holds values from .*: probabilities; leave out --logits",
        niftis(nested),
        LOGITS,
    ),
    WrongScore(
        "a background where none should be",
        "leave nothing to the background.*leave out --foreground",
        niftis(),
        ("--foreground", "--classes", *NAMES, "another"),
    ),
    WrongScore("a label that is perhaps ignored", r"value\(s\) 255; .*\(give --ignore_label 255 if", with_label(255)),
    WrongScore(
        "images elsewhere", "images/case_0.nii.gz lies elsewhere than", image_elsewhere, ("--images", "{}/images")
    ),
    WrongScore("hard labels", "holds only 0 and 1: a segmentation", niftis(hard)),
    WrongScore("hard labels as bytes", "holds only 0 and 1", niftis(lambda p: hard(p).astype(np.uint8))),
    WrongScore("a segmentation", "holds one channel.* looks like a segm", niftis(label_of)),
    WrongScore("one channel", "holds one channel.* give --foreground if", niftis(lambda p: p[..., 1])),
    WrongScore(
        "bytes in a wider type",
        "nothing says which number stands for 1",
        niftis(lambda p: np.round(255 * p[..., 1:]).astype(np.uint16)),
        ("--foreground",),
    ),
    WrongScore(
        "percent as bytes",
        "nothing says which number stands for 1",
        niftis(lambda p: np.round(100 * p[..., 1:]).astype(np.uint8)),
        ("--foreground",),
    ),
    WrongScore("a class too many", "and each class of 3", niftis(lambda p: np.concatenate([p, p[..., :1]], -1))),
    WrongScore("another size", r"is \(7, 9, 10, 3\) and .* is \(8, 9, 10\) voxels", niftis(lambda p: p[:-1])),
    WrongScore("complex numbers", "complex numbers", niftis(lambda p: p.astype(np.complex64))),
    WrongScore(
        "channels in another order",
        "look like those of other classes.*--order background tumor liver",
        niftis(lambda p: p[..., [0, 2, 1]]),
    ),
    WrongScore("reversed axes", "arrays look turned: .* with x reversed it is", niftis(lambda p: p[::-1])),
    WrongScore("another grid", "lies elsewhere than .*labels/case_0.nii.gz, by 4 mm", niftis(affine=ELSEWHERE)),
    WrongScore("another grid by the .pkl", "case_0.pkl lies elsewhere than", placed_elsewhere),
    WrongScore("a label of no class", r"case_1.nii.gz holds the label value\(s\) 7; with 3 classes", with_label(7)),
    WrongScore("a missing label", r"1 file\(s\) .* have no label .*, first .*case_1.npz.*--cases", no_label),
    WrongScore("nothing", "holds no .nii.gz, .nii, .npz, .npy; it is empty", lambda _: None),
    WrongScore(
        "other names",
        "no file of --probs .* has the name of a label .*, first .*other.npy",
        lambda given: given.write("other", "{}.npy", given.cases["case_0"].probs),
    ),
    WrongScore("a case twice", "are both the probabilities of case_0", twice),
    WrongScore("no file of the background", "but none of background; .* give --foreground", no_background),
    WrongScore("half a file", "case_0.npz is damaged", broken),
    WrongScore("a changed byte", "case_0.npz is damaged", changed),
    WrongScore("two arrays", "case_0.npz holds a, b; needed is one array", two_arrays),
    WrongScore("an array of objects", "case_0.npz holds values of the type object", any_program),
    *(
        WrongScore(" ".join(options), said, arrays, options)
        for options, said in (
            (("--probs", "{}/nowhere"), "--probs .*nowhere is not a folder"),
            (("--labels", "{}/nowhere"), "--labels .*nowhere is not a folder"),
            (("--images", "{}/nowhere"), "--images .*nowhere is not a folder"),
            (("--classes", "background"), "there must be at least two"),
            (("--classes", "a", "b", "b"), "each with a name of its own"),
            (("--classes", "{}/nowhere.json"), "nowhere.json cannot be read"),
            (("--classes", "background", "liver"), "and each class of 2"),
            (("--order", "background", "liver"), "--order is background, liver; it must be the classes"),
            (("--axes", "xyzc"), "with axes as xyzc"),
            (("--cases", "case_7"), "there is no case case_7 with probabilities and a label; did you mean"),
            (("--ignore_label", "1"), "--ignore_label is 1; with 3 classes it must be a whole number from 3 to 255"),
            (
                ("--ignore_label", "300"),
                "--ignore_label is 300; with 3 classes it must be a whole number from 3 to 255",
            ),
            (("--out", "{}/probs/out"), "--out .*/out lies in --probs .*set another --out"),
            (("--out", "{}/labels"), "--out .*labels lies in --labels"),
            (("--fit_region", "plausible"), "--fit_region is plausible, and nothing is fitted"),
            (("--fit_labels", "{}/labels"), "--fit_labels is .*labels, and nothing is fitted"),
            (FIT[:2], "needs both --calibrate and --fit"),
            (("--fit", "case_0"), "needs both --calibrate and --fit"),
            ((*FIT, "case_9"), "--fit case_9 is neither a folder nor a case"),
            ((*FIT, "case_0", "--cases", "case_1"), "--fit case_0 is neither .*, or --cases leaves it out"),
            ((*FIT, "case_0", "case_1"), "none is left to measure"),
            ((*FIT, "{}/probs"), "what is fitted to a case cannot be measured on it"),
            ((*FIT, "case_0", "--fit_region", "cubic"), "^--fit_region is 'cubic'"),
            (
                (*FIT, "case_0", "--fit_labels", "{}/labels"),
                "--fit_labels is .*, and --fit names case_0, which is no folder: .*leave out --fit_labels",
            ),
            ((*FIT, "case_0", "--fit_images", "{}/labels"), "--fit_images is .*, and --fit names case_0"),
            (("--calibrate", "lts", "--fit", "case_0"), "give --images FOLDER, or take --calibrate ts"),
        )
    ),
]


def options_of(wrong: WrongScore, given: Folders) -> list[str]:
    """The arguments of the command line."""
    return given.line(*(option.format(given.probs.parent) for option in wrong.options))
