"""Label tables: the names and colors of classes in files that 3D Slicer and ITK-SNAP read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from PIL.ImageColor import getrgb

from calib_monai.case_names import OF_TABLES
from calib_monai.colors import class_color
from calib_monai.whole_files import write_whole

SLICER, ITK_SNAP = OF_TABLES
NAME_PLACE = {SLICER: 1, ITK_SNAP: 7}  # number of fields before the name on a line
MOST_CHARACTERS = 200  # of a name; Slicer reads lines of up to 1023 bytes
SNAP_HEAD = "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL"


def write_label_tables(folder: Path, class_names: Sequence[str], *, overwrite: bool = False) -> None:
    """Write both files, each completely or not at all. Tables of the same names stay, so that colors can be changed.

    Args:
        folder: folder of the label maps.
        class_names: the names of the classes, the background, which is transparent, first.
        overwrite: whether tables of other names are replaced.

    Raises:
        ValueError: as `check_label_tables`, unless `overwrite`.
    """
    if not overwrite:
        check_label_tables(folder, class_names)
    for name, table in _tables(class_names).items():
        path = folder / name
        if not path.is_file() or not _has_names_of(path, table):
            write_whole(path, table)


def check_label_tables(folder: Path, class_names: Sequence[str]) -> None:
    """Raise ValueError if a folder holds a table of other classes: its label maps would get wrong names.

    Args:
        folder: folder of the label maps.
        class_names: of this run.
    """
    for name, table in _tables(class_names).items():
        path = folder / name
        if path.is_file() and not _has_names_of(path, table):
            raise ValueError(
                f"{path} does not tell the classes of this inference ({', '.join(class_names)}), but perhaps those of "
                "label maps that lie there: set another --output_dir, or replace it by --overwrite True"
            )


def names_in_table(folder: Path) -> list[str]:
    """The names of the classes in the table of a folder of predictions; empty without a table that gives each one.

    Args:
        folder: folder of predictions.
    """
    try:
        lines = _names_in((folder / ITK_SNAP).read_text(encoding="utf-8"), NAME_PLACE[ITK_SNAP])
    except (OSError, ValueError):
        return []
    names = [name.strip('"') for _, name in lines]
    return names if [label for label, _ in lines] == [str(k) for k in range(len(names))] else []


def _tables(class_names: Sequence[str]) -> dict[str, str]:
    """The text of each file."""
    slicer = ["# Color table file", f"# {len(class_names)} values"]
    snap = ["# ITK-SnAP Label Description File", SNAP_HEAD]
    in_slicer, in_snap = (_distinct(map(named, class_names)) for named in (_slicer_name, _snap_name))
    for k in range(len(class_names)):
        seen = int(k > 0)
        red, green, blue, *_ = getrgb(class_color(k)) if k else (0, 0, 0)
        slicer.append(f"{k} {in_slicer[k]} {red} {green} {blue} {255 * seen}")
        snap.append(f'{k:5d} {red:5d} {green:4d} {blue:4d} {seen:8d} {seen:2d} {seen:2d}    "{in_snap[k]}"')
    return {SLICER: "\n".join([*slicer, ""]), ITK_SNAP: "\n".join([*snap, ""])}


def _has_names_of(path: Path, table: str) -> bool:
    """Whether a file tells the names of a table, whatever its colors and comments."""
    place = NAME_PLACE[path.name]
    try:
        return _names_in(path.read_text(encoding="utf-8"), place) == _names_in(table, place)
    except (OSError, ValueError):
        return False


def _names_in(table: str, place: int) -> list[tuple[str, str]]:
    """The number and the name on each line of a table; ValueError if a line has none.

    Args:
        table: the text of a file.
        place: number of fields before the name.
    """
    lines = [line.strip() for line in table.splitlines() if line.strip() and not line.startswith("#")]
    fields = [line.split() if place == 1 else line.split(maxsplit=place) for line in lines]
    if any(len(one) <= place for one in fields):
        raise ValueError("a line has no name")
    return [(one[0], one[place]) for one in fields]


def _distinct(names: Iterable[str]) -> list[str]:
    """Names of which no two are the same: a name that an earlier class has gets the number of its class."""
    listed = list(names)
    for k, name in enumerate(listed):
        if name in listed[:k]:
            listed[k] = next(one for n in count(1) if (one := name + n * f"_{k}") not in listed)
    return listed


def _slicer_name(name: str) -> str:
    """A name as Slicer reads it: up to the next blank, with "_" for blanks; ticks around it would be removed."""
    return re.sub(r"\s", "_", _on_one_line(name)).replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def _snap_name(name: str) -> str:
    """A name as ITK-SNAP reads it: up to the next quotation mark."""
    return _on_one_line(name).replace('"', "'")


def _on_one_line(name: str) -> str:
    """A name on one line."""
    return "".join(one if one.isprintable() else " " for one in name).strip()[:MOST_CHARACTERS] or "-"
