"""Arrays on disk, in NIfTI, `.npz` and `.npy`: what they hold by their headers, and their values piece by piece."""

from __future__ import annotations

import gzip
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from calib_monai.checks import first_line
from calib_monai.headers import check_header, is_nifti, stored_affine
from calib_monai.voxel_sizes import mm_per_nifti_unit

NPZ, NPY = ".npz", ".npy"
NNUNET = "probabilities"  # the key under which nnU-Net writes, with its axes as z, y, x
PROBS, LOGITS = "probs", "logits"
KEYS = (NNUNET, "softmax", PROBS, LOGITS)
AT_A_TIME = 2**20  # bytes
HALF_BYTES = 2  # of half precision
MOST_OF_A_PIECE = 2**22  # bytes, of values that are read before they are put in their place
VECTOR = 5  # axes of a NIfTI whose fourth is of time and the fifth of vectors


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, whose values are not read yet.

    Attributes:
        file: its path.
        shape: of the array.
        dtype: of the stored values.
        fortran: whether the first axis runs fastest.
        slope: by which stored values are multiplied, 1 where the file says nothing.
        inter: what is added then.
        affine: of a NIfTI, (4, 4), in mm; None where the file has none.
        offset: of the first value, in bytes.
        key: of the array inside a `.npz`, else "".
    """

    file: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    slope: float = 1.0
    inter: float = 0.0
    affine: NDArray[np.float64] | None = None
    offset: int = 0
    key: str = ""

    @property
    def is_scaled(self) -> bool:
        """Whether the header says how stored values become others."""
        return (self.slope, self.inter) != (1.0, 0.0)

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers, and no header says what they become."""
        return self.dtype.kind in "iub" and not self.is_scaled

    @property
    def is_coarse(self) -> bool:
        """Whether values are stored less exactly than as float32."""
        return self.dtype.kind != "f" or self.dtype.itemsize <= HALF_BYTES

    def half_step(self, near: float = 0.0) -> float:
        """Half of the step between stored values of 0..1: what is stored as 0 may be that far from 0.

        Args:
            near: 0, or 1, below which the steps of floating point are wider.
        """
        if self.dtype.kind == "f":
            info = np.finfo(self.dtype)
            return float(info.epsneg if near else info.smallest_subnormal) / 2
        return (1 / float(np.iinfo(self.dtype).max) if self.is_whole else abs(self.slope)) / 2

    @property
    def called(self) -> str:
        """The name of the array in a `.npz`, as NumPy gives it."""
        return self.key.removesuffix(NPY)

    @property
    def is_of_nnunet(self) -> bool:
        """Whether the array has the key under which nnU-Net writes."""
        return self.called == NNUNET

    def has_fractions(self) -> bool:
        """Whether all values lie in 0..1, and some between."""
        found = False
        if not self.is_whole:
            for values in self._values():
                if not (values.min() >= 0 and values.max() <= 1):
                    return False
                found = found or bool(((values > 0) & (values < 1)).any())
        return found

    def is_mask(self) -> bool:
        """Whether there are at most two values, as in a segmentation of one structure."""
        values: set[float] = set()
        for _, piece in self.pieces():
            values.update(np.unique(piece).tolist())
            if len(values) > 2:  # noqa: PLR2004 - inside and outside
                return False
        return True

    def is_hard(self) -> bool:
        """Whether all values are 0 or 1, and some are 1."""
        found = False
        for values in self._values():
            if not ((values == 0) | (values == 1)).all():
                return False
            found = found or bool(values.any())
        return found

    def _values(self) -> Iterator[NDArray[Any]]:
        """The values, as the header scales them, piece by piece."""
        for _, piece in self.pieces():
            yield piece * self.slope + self.inter if self.is_scaled else piece

    def pieces(self) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
        """The stored values, a few megabytes at most of a large array: the place of each piece, and the piece.

        The place is its index along the axes that run slowest, which the piece lacks. The axes of both are those of the
        array, the first one running slowest: in the order of Fortran they are those of the transposed array.

        Raises:
            ValueError: the file is damaged; the message names it.
        """
        sizes = self.shape[::-1] if self.fortran else self.shape
        outer = 1
        while prod(sizes[outer:]) * self.dtype.itemsize > MOST_OF_A_PIECE and outer < len(sizes) - 1:
            outer += 1
        with _told_as_damaged(self.file), self._stream() as stream:
            for place in np.ndindex(*sizes[:outer]):
                piece: NDArray[Any] = np.empty(sizes[outer:], self.dtype)
                _fill(stream, piece)
                yield place, piece
            while stream.read(AT_A_TIME):  # to the end, where the checksum is
                pass

    @contextmanager
    def _stream(self) -> Iterator[BinaryIO]:
        """The file, uncompressed, at its first value."""
        with ExitStack() as stack:
            if self.key:
                archive = stack.enter_context(zipfile.ZipFile(self.file))
                stream = cast(BinaryIO, stack.enter_context(archive.open(self.key)))
                stream.read(self.offset)
            else:
                opened: Any = gzip.open if self.file.lower().endswith(".gz") else open
                stream = cast(BinaryIO, stack.enter_context(opened(self.file, "rb")))
                stream.seek(self.offset)
            yield stream


def stored_in(file: str, *, logits: bool = False) -> StoredArray:
    """The array in a file.

    Args:
        file: its path.
        logits: whether those of a `.npz` with several arrays are wanted.

    Raises:
        ValueError: a file that cannot be read, or that holds no array of real numbers.
    """
    check_header(file)
    with _told_as_damaged(file):
        if is_nifti(file):
            stored = _nifti(file)
        else:
            stored = _npz(file, logits=logits) if file.lower().endswith(NPZ) else _npy(file)
    if stored.dtype.kind not in "iufb":
        raise ValueError(f"{file} holds values of the type {stored.dtype}; they must be real numbers")
    if not all(stored.shape):
        raise ValueError(f"{file} has the shape {stored.shape}: it holds no value")
    return stored


def _nifti(file: str) -> StoredArray:
    """The array of a NIfTI."""
    image: Any = nibabel.load(file)
    proxy = image.dataobj
    affine = stored_affine(file)
    if affine is not None:
        affine = np.diag([mm_per_nifti_unit(file, int(image.header["xyzt_units"]))] * 3 + [1.0]) @ affine
    shape = tuple(int(size) for size in proxy.shape)
    if len(shape) == VECTOR and shape[3] == 1:
        shape = (*shape[:3], shape[4])
    slope, inter = float(proxy.slope), float(proxy.inter)
    return StoredArray(file, shape, proxy.dtype, True, slope, inter, affine, int(proxy.offset))  # noqa: FBT003


def _npz(file: str, *, logits: bool) -> StoredArray:
    """The array of an `.npz`: the only one, or the one under a key that says what it is."""
    wanted = (LOGITS, *KEYS) if logits else KEYS
    with zipfile.ZipFile(file) as archive:
        keys = [name.removesuffix(NPY) for name in archive.namelist()]
        key = next((key for key in wanted if key in keys), keys[0] if len(keys) == 1 else None)
        if key is None:
            raise ValueError(f"{file} holds {', '.join(keys) or 'nothing'}; needed is one array, or {', '.join(KEYS)}")
        name = f"{key}{NPY}" if f"{key}{NPY}" in archive.namelist() else key
        with archive.open(name) as stream:
            shape, fortran, dtype, offset = _npy_header(cast(BinaryIO, stream))
    return StoredArray(file, shape, dtype, fortran, offset=offset, key=name)


def holds_labels(file: Path) -> bool:
    """Whether this is what nnU-Net's cascade hands on: an `.npz` of a segmentation alone."""
    try:
        return file.suffix == NPZ and set(zipfile.ZipFile(file).namelist()) == {f"seg{NPY}"}
    except (OSError, zipfile.BadZipFile):
        return False  # which is told where it is read


def _npy(file: str) -> StoredArray:
    """The array of an `.npy`."""
    with Path(file).open("rb") as stream:
        shape, fortran, dtype, offset = _npy_header(stream)
    return StoredArray(file, shape, dtype, fortran, offset=offset)


def _npy_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order and type of an array, and the place of its first value."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)  # which runs no code
    return shape, fortran, dtype, stream.tell()


def _fill(stream: BinaryIO, values: NDArray[Any]) -> None:
    """Read the values of a C-contiguous array."""
    left = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type] # as any array
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it ends before its values")
        left = left[count:]


@contextmanager
def _told_as_damaged(file: str) -> Iterator[None]:
    """Raise ValueError with the file where it cannot be read."""
    try:
        yield
    except (
        OSError,
        EOFError,
        KeyError,
        RuntimeError,  # an archive with a password, or in a way of compression that Python does not have
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        tokenize.TokenError,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
    ) as error:
        raise ValueError(f"{file} is damaged: {first_line(error)}") from None
    except ValueError as error:
        if file in str(error):
            raise
        raise ValueError(f"{file} is damaged: {first_line(error)}") from None
