"""Axes: which axis of a stored array is that of the classes, told by its shape beside that of the label."""

from __future__ import annotations

from collections.abc import Sequence

from calib_monai.grids import SPATIAL_DIMS

AXES = ("cxyz", "xyzc", "czyx", "zyxc")  # c is the axis of the classes; x, y and z are those of the label
OF_NIFTI = ("cxyz", "xyzc")
OF_NNUNET = ("czyx",)


def axes_of_array(
    file: str,
    stored: Sequence[int],
    label: tuple[str, Sequence[int]],
    num_channels: int | None,
    known: Sequence[str] = AXES,
) -> str:
    """The axes of a stored array, one of `AXES`; without "c" if it has no axis of classes.

    Args:
        file: of the array.
        stored: its shape.
        label: the file of the label, and its shape, (X, Y, Z).
        num_channels: the size of the axis of classes, None where nobody knows it.
        known: those of `AXES` that may be.

    Raises:
        ValueError: no axes fit, or several do.
    """
    of_label, size = label
    wanted = dict(zip("xyz", (*size, 1)[:SPATIAL_DIMS], strict=True))
    shape = list(stored)
    without_c = len(shape) <= SPATIAL_DIMS and num_channels in (1, None)
    alone = [axes.replace("c", "") for axes in known] if without_c else []
    fitting = [axes for axes in [*known, *alone] if _fits(axes, shape, wanted, num_channels)]
    fitting = list({_effect(axes, shape): axes for axes in reversed(fitting)}.values())
    if len(fitting) > 1:
        raise ValueError(
            f"{file} is {tuple(stored)} and {of_label} is {tuple(size)} voxels: both --axes "
            f"{' and --axes '.join(sorted(fitting))} fit; say which it is"
        )
    if not fitting:
        channels = "" if num_channels is None else f" of {num_channels} class(es)" if num_channels > 1 else ""
        of_others = [axes for axes in known if _fits(axes, shape, wanted, None)]
        if num_channels is not None and of_others and "c" in of_others[0]:
            held = shape[of_others[0].index("c")]
            raise ValueError(
                f"{file} is {tuple(stored)}: it holds values of {held} class(es), and must hold {num_channels}; name "
                "each class, the background first, and give --foreground if the file has none of the background"
            )
        others = [axes for axes in AXES if axes not in known and _fits(axes, shape, wanted, num_channels)]
        hint = f" (--axes {others[0]} fits)" if others else ""
        raise ValueError(
            f"{file} is {tuple(stored)} and {of_label} is {tuple(size)} voxels; it must hold a value for each of these "
            f"voxels and each class{channels}, with axes as {' or '.join(known)}{hint}"
        )
    return fitting[0]


def _fits(axes: str, shape: Sequence[int], wanted: dict[str, int], num_channels: int | None) -> bool:
    """Whether an array of this shape may have these axes."""
    if len(axes) != len(shape):
        return False
    found = dict(zip(axes, shape, strict=True))
    channels = found.pop("c", 1)
    return found == wanted and (num_channels is None or channels == num_channels)


def _effect(axes: str, shape: Sequence[int]) -> tuple[str, ...]:
    """What decides the place of each value: the axes that are longer than 1, in order."""
    return tuple(axis for axis, size in zip(axes, shape, strict=True) if size > 1)
