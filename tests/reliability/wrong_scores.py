"""Ways to be wrong with probabilities of another program, and what the last line must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from saved_probs import NAMES, Folders
from wrong_probs import (
    ELSEWHERE,
    any_program,
    arrays,
    broken,
    changed,
    empty_labels,
    files_by_name,
    half_empty,
    hard,
    image_elsewhere,
    image_with_infinity,
    label_of,
    last,
    named,
    named_twice,
    nested,
    niftis,
    no_background,
    no_label,
    of_two_types,
    one_in_quarters,
    overlapping,
    overshot,
    placed_elsewhere,
    twice,
    two_arrays,
    whole,
    with_hole,
    with_key,
    with_label,
    with_nan,
    with_slope,
    wrapped,
)


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


LOGITS = ("--logits",)
FIT = ("--calibrate", "ts", "--fit")
WRONG_SCORES = [
    WrongScore("NaN", r"case_0.nii.gz holds 1 value\(s\) that are NaN", niftis(with_nan)),
    WrongScore("logits", r"holds values from -.*probabilities lie in 0..1 .*--logits", niftis(np.log)),
    WrongScore("a spline's overshoot", r"values from -0.0.*interpolated\? cut them at 0", niftis(lambda p: p - 0.01)),
    WrongScore("saturated logits", "holds logits .* only 0 and 1", niftis(lambda p: 1e9 * np.log(p)), LOGITS),
    WrongScore("labels without structures", "no label shows a structure, first .*case_0.nii.gz", empty_labels),
    WrongScore(
        "a label with two names",
        "calls the label 2 cyst and tumor",
        named_twice,
        ("--classes", "{}/labels/dataset.json"),
    ),
    WrongScore("sums below 1", r"whose sums lie between 0.9 and 0.9;.* be 1", niftis(lambda p: p * 0.9)),
    WrongScore("regions that overlap", "whose sums lie between .*overlap are not measured", niftis(overlapping)),
    WrongScore("percent", "in percent", niftis(lambda p: 100 * p)),
    WrongScore("logits that are probabilities", "channels sum to 1 .*leave out --logits", niftis(), LOGITS),
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
        "first .*case_0_probs_v2.npz of case_0: after the case, .* may end in _probs, .* as case_0.npz or case_0_p",
        named("{}_probs_v2.npz"),
    ),
    WrongScore(
        "other names in folders",
        "first .*case_0/any.npz of case_0: .*the number or name of one of the classes background, liver, tumor",
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
    WrongScore(
        "an infinite voxel of an image",
        r"images/case_0.nii.gz holds 1 value\(s\) that are NaN or infinite",
        image_with_infinity,
        ("--images", "{}/images"),
    ),
    WrongScore(
        "no channel of the background",
        r"holds the label value\(s\) 2; .*give --foreground if no channel is of the background, or --ignore_label 2",
        niftis(lambda p: p[..., 1:]),
        ("--classes", *NAMES[:2]),
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
    WrongScore(
        "a class too many",
        "4 class.*, and must hold 3; name each class, the background first",
        niftis(lambda p: np.concatenate([p, p[..., :1]], -1)),
    ),
    WrongScore(
        "a background that is not left out",
        "3 class.*, and must hold 2; .* and give --foreground if the file has none",
        niftis(lambda p: p),
        ("--classes", "background", "liver", "tumor", "--foreground"),
    ),
    WrongScore(
        "more classes than a byte has",
        "case_0.nii.gz is of 300 classes; at most 256 are measured",
        niftis(lambda p: np.repeat(p / 100, 100, axis=-1)),
        ("--classes", *map(str, range(300))),
    ),
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
    WrongScore(
        "a case twice, as array and volume",
        "case_0.npz and .*case_0_probs.nii.gz are both the probabilities of case_0",
        lambda given: (arrays(given), given.write("case_0", "{}_probs.nii.gz", last(given.cases["case_0"].probs))),
    ),
    *(
        WrongScore(
            f"another scan called {name}",
            "case_0.* and .*case_0.* are both the probabilities of case_0; there must be one",
            lambda given, name=name: [
                given.write("case_0", place, given.cases["case_0"].probs[1]) for place in ("{}.nii.gz", name)
            ],
            ("--foreground", "--classes", "background", "lesion", "--cases", "case_0"),
        )
        for name in ("{}_1.nii.gz", "{}_lesion.nii.gz", "{}_probs.nii.gz")
    ),
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
            (("--classes", "liver", "Background", "tumor"), "the background must be the first, because its label is 0"),
            (("--classes", "{}/nowhere.json"), "nowhere.json cannot be read"),
            (("--classes", "background", "liver"), "values of 3 .*, and must hold 2; name each class"),
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
