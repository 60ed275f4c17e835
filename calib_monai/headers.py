"""Headers: checks the header of a file before memory is used for its voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import itk
import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Image
from nibabel.openers import ImageOpener
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from PIL import Image

from calib_monai.data_files import check_data_file, check_regular
from calib_monai.dicom import header_of, is_dicom
from calib_monai.file_cache import cached_until_changed
from calib_monai.memory import memory_here
from calib_monai.pictures import SUFFIXES

NIFTI = (".nii", ".nii.gz")
ITK_SUFFIXES, DETACHED = (".nrrd", ".nhdr", ".mha", ".mhd"), (".nhdr", ".mhd")  # the last have their voxels elsewhere
MOST_COMPRESSED = 1032  # to one: deflate can do no more
LARGE, MOST_OF_A_SCAN = 10**8, 200  # voxels from which an image may be compressed to one so many'th
LOADED = 12  # bytes that the loading of a voxel takes: measured are 8.2, and a preparation takes a copy
KEPT = 4  # of these
BYTES_OF_DOUBLE = 8  # more where it is read as float64
BYTES_OF_DICOM = 2
GIB = 2**30
MOST_APART = 0.5  # of a voxel, between the places that qform and sform give the corners


class Promised(NamedTuple):
    """What a header promises.

    Attributes:
        shape: of the voxels.
        stored: bytes of a voxel in the file, before compression.
        needed: bytes that the loading of a voxel takes.
        dtype: of the stored values, where it is known.
    """

    shape: tuple[int, ...]
    stored: int
    needed: int
    dtype: np.dtype[Any] | None = None

    @property
    def voxels(self) -> int:
        """Their number."""
        return math.prod(self.shape)

    @property
    def loaded(self) -> int:
        """The bytes that loading takes."""
        return self.voxels * self.needed

    @property
    def told(self) -> str:
        """The shape in words."""
        return " x ".join(map(str, self.shape))


def is_nifti(file: str) -> bool:
    """Whether a file has the name of a NIfTI."""
    return file.lower().endswith(NIFTI)


def check_header(file: str) -> None:
    """Raise ValueError if a file cannot be opened, or its header promises voxels that cannot be loaded.

    Voxels must fit into memory, with what loading takes beside them. Those of a NIfTI must be real numbers, and no more
    than the file can hold. Files that only have the name of a format are left to their readers.
    """
    check_regular(file)
    try:
        if not Path(file).is_dir():  # a DICOM series is one
            Path(file).open("rb").close()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    check_data_file(file)
    if is_nifti(file) and (opened := Nifti1Image.filespec_to_file_map(file)["image"].filename) != file:
        raise ValueError(f"{file} ends in mixed capitals, and nibabel would read {opened}: rename it")
    check_offset(file)
    found = promised(file)
    if found is None:
        return
    if found.dtype is not None and found.dtype.kind not in "iufb":
        raise ValueError(f"{file} holds {_kind(found.dtype)} ({found.dtype}); it must hold real numbers")
    held = Path(file).stat().st_size * (MOST_COMPRESSED if file.lower().endswith(".gz") else 1)
    if is_nifti(file) and found.voxels * found.stored > held:
        raise ValueError(
            f"{file} is damaged: its header promises {found.told} voxels, more than a file of its size can hold"
        )
    check_fits(f"{file} is {found.told} voxels,", found.loaded)


def check_image_header(file: str) -> None:
    """Raise ValueError if an image is large and compressed as no scan can be; a label may be that simple."""
    found = promised(file)
    if found is None or found.voxels < LARGE or file.lower().endswith(DETACHED):
        return
    size = Path(file).stat().st_size
    if found.voxels * found.stored > MOST_OF_A_SCAN * size:
        raise ValueError(
            f"{file} promises {found.told} voxels in {size} bytes; no scan is compressed to less than one part in "
            f"{MOST_OF_A_SCAN}, so it is damaged, or made to fill the memory"
        )


def check_label_header(file: str, images: Sequence[str]) -> None:
    """Raise ValueError if a label is large, and larger than its image: an empty one has no size on disk.

    Args:
        file: of the label.
        images: the files of its image.
    """
    found = promised(file)
    most = sum(map(bytes_once_loaded, images)) // LOADED
    if images and found is not None and found.voxels >= LARGE and found.voxels > most:
        raise ValueError(f"{file} is {found.told} voxels, more than {images[0]} has; they must be equal")


def check_room(files: Sequence[str]) -> None:
    """Raise ValueError if files that are loaded together do not fit into memory; images in memory have none."""
    if files:
        check_fits(f"{files[0]} (with {len(files) - 1} more) takes", bytes_together(files))


def check_fits(told: str, loaded: int) -> None:
    """Raise ValueError if something takes more memory than there is.

    Args:
        told: what it is, the beginning of the message.
        loaded: the bytes that it takes.
    """
    memory = memory_here()
    if loaded > memory:
        raise ValueError(f"{told} {loaded / GIB:.1f} GiB once loaded; there are {memory / GIB:.1f} GiB here")


def promised(file: str) -> Promised | None:
    """What the header of a file promises; None for a folder, another format, or a file whose reader says what is wrong.

    Pictures, NRRD, MetaImage and DICOM are read by the headers alone, too.
    """
    try:
        check_regular(file)
        return _promised(file)
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return None


@cached_until_changed
def _promised(file: str) -> Promised | None:
    """`promised`, with the errors of readers."""
    check_data_file(file)
    name = file.lower()
    if is_nifti(file):
        return _nifti(file).promised
    if name.endswith(SUFFIXES):
        with Image.open(file) as picture:
            return Promised(picture.size, len(picture.getbands()), LOADED * len(picture.getbands()))
    if name.endswith(ITK_SUFFIXES):
        return _of_itk(itk.ImageIOFactory.CreateImageIO(file, itk.CommonEnums.IOFileMode_ReadMode), file)
    header = header_of(file) if is_dicom(file) else None
    return Promised(header.size, header.colors * BYTES_OF_DICOM, LOADED * header.colors) if header else None


def _of_nifti(image: Any) -> Promised | None:
    """What the header of a NIfTI promises; None for an image that is no volume."""
    if not isinstance(image, SpatialImage):
        return None
    dtype, proxy = image.get_data_dtype(), cast(Any, image.dataobj)
    as_double = dtype.itemsize > BYTES_OF_DOUBLE // 2 or (proxy.slope, proxy.inter) != (1, 0)
    return Promised(image.shape, dtype.itemsize, LOADED + BYTES_OF_DOUBLE * as_double, dtype)


def _of_itk(reader: Any, file: str) -> Promised:
    """What the header of a file promises that ITK reads."""
    reader.SetFileName(file)
    reader.ReadImageInformation()
    shape = tuple(int(reader.GetDimensions(axis)) for axis in range(reader.GetNumberOfDimensions()))
    components = int(reader.GetNumberOfComponents())
    return Promised(shape, components * int(reader.GetComponentSize()), components * LOADED)


def check_offset(file: str) -> None:
    """Raise ValueError if a NIfTI of one file has its voxels within its header, by that header."""
    try:
        offset, least = _nifti(file).offsets if is_nifti(file) else (0, 0)
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return
    if offset < least:
        raise ValueError(f"{file} has vox_offset {offset}; it must be {least} or more, because its header comes first")


def doubt_of_place(file: str) -> str:
    """A doubt about the place that the header of a NIfTI gives its voxels, or an empty text."""
    try:
        return _nifti(file).doubt
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return ""


def _doubt_of(header: Any) -> str:
    """`doubt_of_place`, of a header."""
    try:
        codes = int(header["sform_code"]), int(header["qform_code"])
        if not any(codes):
            return "say nothing of their orientation (sform and qform codes are 0); LAS is taken"
        if not all(codes):
            return ""
        ends = [(0, size - 1) for size in (*header.get_data_shape(), 1, 1, 1)[:3]]
        corners = np.array([*np.meshgrid(*ends), np.ones((2, 2, 2))]).reshape(4, -1)
        sform = header.get_sform()
        apart = np.linalg.norm(((sform - header.get_qform()) @ corners)[:3], axis=0).max()
        smallest = np.linalg.norm(sform[:3, :3], axis=0).min()
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return ""
    return "lie elsewhere by their qform than by their sform, which is taken" if apart > MOST_APART * smallest else ""


def stored_affine(file: str) -> NDArray[np.float64] | None:
    """The affine in the header of a NIfTI, (4, 4); None if the file is not a NIfTI or has too few axes.

    nibabel replaces a size of 0 by 1.
    """
    try:
        kind = _nifti(file).kind
        with ImageOpener(file) as content:
            header = kind.from_fileobj(content, check=False)
        return np.asarray(header.get_best_affine(), dtype=np.float64) if len(header.get_data_shape()) > 1 else None
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return None


def bytes_once_loaded(file: str) -> int:
    """About the bytes that the loading of a file takes, or of a folder of DICOM."""
    path = Path(file)
    found = promised(file)
    if found is not None:
        return found.loaded
    try:
        inside = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else []
        return sum(bytes_once_loaded(str(one)) for one in inside) if inside else path.stat().st_size
    except OSError:  # the reader says what is wrong
        return 0


def bytes_together(files: Sequence[str]) -> int:
    """About the bytes that files take that are loaded one after the other: of a loaded NIfTI only float32 is kept.

    The files of other formats may be the slices of one volume, which are loaded at once.
    """
    most, kept = 0, 0
    for file in files:
        loaded = bytes_once_loaded(file)
        stays = loaded * KEPT // LOADED if is_nifti(file) else loaded
        most, kept = max(most, loaded - stays), kept + stays
    return most + kept


class _Nifti(NamedTuple):
    """Of a NIfTI: what it promises, a doubt about its place, its header's class, and the first byte of its voxels.

    The last of `offsets` is the first byte at which they may begin.
    """

    promised: Promised | None
    doubt: str
    kind: Any
    offsets: tuple[int, int]


def _nifti(file: str) -> _Nifti:
    """The header of a NIfTI, which is read once until the file changes."""
    check_regular(file)
    return _read(file)


@cached_until_changed
def _read(file: str) -> _Nifti:
    """`_nifti` of a regular file."""
    image: Any = nibabel.load(file)
    header = image.header
    least = header.single_vox_offset if getattr(header, "is_single", False) else 0
    offset = int(image.dataobj.offset) if least else 0
    return _Nifti(_of_nifti(image), _doubt_of(header), type(header), (offset, least))


def _kind(dtype: np.dtype[np.generic]) -> str:
    """The name for values of a type that are not real numbers."""
    return "complex numbers" if dtype.kind == "c" else "colors"
