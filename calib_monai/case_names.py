"""Case names: rules for the name of a case, which is also the name of its folder and its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

MOST_BYTES = 200  # a file may have 255, and "_confidence.nii.gz" and what marks an unfinished file come to the name
NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f/\\:\ud800-\udfff]")  # and bytes that are no text
OF_TABLES = ("label_colors.ctbl", "label_colors.txt")  # for 3D Slicer and ITK-SNAP, beside the folders of the cases
RULE = (
    f"it must be a name that a folder can have: 1 to {MOST_BYTES} bytes, no slash, backslash, colon or control "
    "character, no dot at its beginning and no blank at either end"
)
MOST_SHOWN = 60  # characters of a name that is refused
NAMELESS = "case"  # of an image that came from no file


def check_case_name(name: object, where: str = "") -> None:
    """Raise ValueError if a name cannot be the name of a folder inside the results.

    Args:
        name: the name of the case.
        where: the place where it was found, such as a file; the message begins with it.
    """
    if not isinstance(name, str) or name != as_case_name(name):
        whole = repr(name)
        shown = whole if len(whole) <= MOST_SHOWN else f"{whole[:MOST_SHOWN]}..."
        quoted = f', which lacks quotation marks: write "{name}"' if isinstance(name, int | float) else ""
        rule = "a file beside the cases has this name" if str(name).casefold() in OF_TABLES else RULE
        raise ValueError(f"{f'{where}: ' if where else ''}a case is called {shown}{quoted}; {rule}")


def as_case_name(text: str) -> str:
    """A name that a case can have, made from a text; a text that is such a name stays as it is.

    Forbidden characters become "_". A long text is cut, and a digest keeps it different from others.
    """
    name = NOT_IN_A_NAME.sub("_", text).strip()
    name = re.sub(r"^(\.|$)", "_", name)
    if name.casefold() in OF_TABLES:
        name = f"_{name}"
    if len(_bytes(name)) <= MOST_BYTES:
        return name
    digest = hashlib.sha256(_bytes(text)).hexdigest()[:8]
    return f"{_bytes(name)[: MOST_BYTES - 9].decode('utf-8', 'ignore').strip()}_{digest}"


def name_by_file(file: str | PathLike[str]) -> str:
    """The name of a case from its image: the name of the file without suffix, or of the folder of a series."""
    path = Path(file)
    if path.is_dir():
        return as_case_name(path.resolve().name)
    name = path.name[:-3] if path.name.lower().endswith(".nii.gz") else path.name
    return as_case_name(Path(name).stem)


def case_of(item: Mapping[str, Any]) -> str:
    """The name of a loaded case: its "case", or the name of its file if it has none, as in MONAI's own programs.

    Args:
        item: the case, with its name under "case", or with an "image" or "pred" that has the metadata of MONAI's
            readers.

    Raises:
        ValueError: as `check_case_name`.
    """
    if "case" in item:
        check_case_name(item["case"])
        return str(item["case"])
    files = [getattr(item.get(key), "meta", {}).get("filename_or_obj") for key in ("image", "pred")]
    return next((name_by_file(file) for file in files if file), NAMELESS)


def names_in(batch: Mapping[str, Any]) -> list[str]:
    """The names of the cases in a batch of images (B, C, ...), as `case_of` has them; they are not checked.

    Args:
        batch: the batch that MONAI's loader makes of loaded cases.
    """
    if "case" in batch:
        return list(batch["case"])
    files: Any = getattr(batch["image"], "meta", {}).get("filename_or_obj")
    listed = [files] if isinstance(files, str | PathLike) else files  # without MONAI, which a report need not import
    return [name_by_file(file) for file in listed] if files else [NAMELESS] * len(batch["image"])


def shown_image(image: Any) -> str:
    """An image of a case in words: its first file, or that it is in memory."""
    file = _first_file(image)
    return "an image in memory" if file is None else str(file)


def check_different(cases: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError if there is no case, or if two have one name: their results would be written to one place.

    Args:
        cases: each has its name under "case", or is called after the first file of its "image".
    """
    if not cases:
        raise ValueError("the list of cases is empty")
    files: dict[str, str] = {}
    for case in cases:
        image = case.get("image")
        file = _first_file(image)
        by_file = case_of(case) if file is None else name_by_file(file)
        name, shown = str(case.get("case", by_file)), shown_image(image)
        if name in files:
            raise ValueError(
                f'{files[name]} and {shown} are both of the case {name}; name each by "case", or rename a file'
            )
        files[name] = shown


def _first_file(image: Any) -> str | PathLike[str] | None:
    """The first file of an image, None if it is in memory."""
    first = image[0] if isinstance(image, list | tuple) and image else image
    return first if isinstance(first, str | PathLike) else None


def _bytes(text: str) -> bytes:
    """A text as the bytes of a file name."""
    return text.encode("utf-8", "surrogateescape")
