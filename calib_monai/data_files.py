"""Data files: the header of an image may name another file for its voxels, which must be its own and whole."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from calib_monai.text_headers import MOST_SHOWN, Stored, stored, text_header

HDF5 = b"\x89HDF\r\n\x1a\n"
SEVERAL_OF_META = re.compile("LIST|.*%")  # names that MetaImage and NRRD take for several files
SEVERAL_OF_NRRD = re.compile(r"(SKIP)?LIST|.*%\d*[du]")
RULE = "a header may name one file for its voxels, which lies in its own folder or below"


def check_regular(file: str) -> None:
    """Raise ValueError if a path is a pipe, a socket or a device: reading it would wait, or never end."""
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError):  # the reader says what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{file} is no regular file: a pipe, a socket or a device is not read")


def check_data_file(file: str) -> None:
    """Raise ValueError if an image takes its voxels from a file that is not its own.

    A MetaImage (.mhd, .mha) and a NRRD may name a file for their voxels. It must be a regular file in the folder of the
    header, or below, also where it is a link. Voxels that are not compressed must have the size that the header
    promises. Lists of files and HDF5, which may link to other files, are refused.

    Args:
        file: of an image, whatever its format.
    """
    check_regular(file)
    path = Path(file)
    if not path.is_file():
        return
    with path.open("rb") as content:
        if content.read(len(HDF5)) == HDF5:
            raise ValueError(f"{file} is HDF5, which may take its voxels from other files: save it as .nii.gz or .nrrd")
    header = text_header(file)
    if header is None:
        return
    voxels = stored(header)
    if voxels.name is not None:
        _check_own(path, voxels.name, SEVERAL_OF_NRRD if header.is_nrrd else SEVERAL_OF_META)
    _check_size(path, voxels)


def _check_own(path: Path, name: str, several: re.Pattern[str]) -> None:
    """Raise ValueError if what a header names is no file of its own, or if `several` says that it stands for many."""
    shown = _shown(name)
    if not name or "\0" in name:
        raise ValueError(f"{path} takes its voxels from {shown}; {RULE}")
    if several.match(name):
        raise ValueError(f"{path} takes its voxels from {shown}, which stands for several files; {RULE}")
    data = (path.parent / name).resolve()
    if Path(name).is_absolute() or not data.is_relative_to(path.parent.resolve()):
        raise ValueError(f"{path} takes its voxels from {shown}, {data}; {RULE}")
    if not data.is_file():
        raise ValueError(f"{path} takes its voxels from {shown}, which is no regular file there")


def _check_size(path: Path, voxels: Stored) -> None:
    """Raise ValueError if there are other voxels than a header promises, unless they are compressed or text.

    More bytes may follow voxels that are in the file of the header.
    """
    if not voxels.size or voxels.packing != "raw":
        return
    there = (path.parent / (voxels.name or path.name)).stat().st_size
    if voxels.name is None:
        held = there - max(voxels.start, 0)
        if held < voxels.size:
            raise ValueError(f"{path} is damaged: it promises {voxels.size} bytes of voxels, and has {held}")
    elif there < voxels.size if voxels.start < 0 else there != voxels.size + voxels.start:
        raise ValueError(
            f"{path} promises {voxels.size} bytes of voxels, and its file {_shown(voxels.name)} has {there}"
        )


def _shown(name: str) -> str:
    """The name of a file in quotes, cut if it is long."""
    return repr(name if len(name) < MOST_SHOWN else f"{name[:MOST_SHOWN]}...")
