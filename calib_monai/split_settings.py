"""Settings of a split: what a run asks of its cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calib_monai.contrasts import scaling_after
from calib_monai.datalists.splits import SPLITS
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.made_for import MadeFor
from calib_monai.volumes import Loading, Rules
from calib_monai.windows import window_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitSettings:
    """What a run asks of its cases, and where it keeps their split.

    Args:
        made_for: what the model is made for: classes, channels, size, axis codes and the label that is ignored.
        loading: the transforms from a case's files to its "image" (C, H, W[, D]) and its "label" (1, H, W[, D]).
        ckpt_dir: folder of the model.
        output_dir: folder of the results.
        use: the sets whose files are read.
        spatial_dims: axes of an image, 2 or 3.
        cropped: whether slices are made to fit; if not, no image may be larger than the slices that the network sees.
        empty_labels: whether a label may show nothing but background.
        same_grid: whether image and label must lie on one grid by their headers.
        zones: classes of the prostate's peripheral zone and central gland; a warning says where they look swapped.
        keep: take the split that lies beside the model, and warn where this run's options would have drawn
            another. Otherwise the run trains one, and the split is written there.
        overwrite: whether this may be beside a model that was trained with another split. That keeps its own until the
            training sets both aside (`calib_monai.handlers.go_on`).
        train_fraction: share of the training patients that are trained on.
        split_file: that gives the split, as in `given_split`; "" takes that of the data set.
        num_workers: of the loader of validation and test cases. What worker processes load is not kept for them.
        ckpt_dirs: of an ensemble, the folders of its members, none of which may have been trained on what is read.
    """

    made_for: MadeFor
    loading: Loading
    ckpt_dir: str
    output_dir: str
    use: Sequence[str] = SPLITS
    spatial_dims: int = 3
    cropped: bool = True
    empty_labels: bool = True
    same_grid: bool = True
    zones: tuple[int, int] | None = None
    keep: bool = False
    overwrite: bool = False
    train_fraction: float = 1.0
    split_file: str = ""
    num_workers: int = 0
    ckpt_dirs: Sequence[str] = ()

    @property
    def rules(self) -> Rules:
        """The rules for image and label. A patch is a part of a volume of any size."""
        any_size = self.cropped or self.made_for.spatial_dims == SPATIAL_DIMS
        return Rules(
            num_classes=self.made_for.num_classes,
            in_channels=self.made_for.in_channels,
            spatial_dims=self.spatial_dims,
            largest=None if any_size else tuple(self.made_for.slice_size),
            axcodes=self.made_for.axcodes,
            empty_labels=self.empty_labels,
            same_grid=self.same_grid,
            ignore_index=self.made_for.ignore_index,
            window=window_of(self.made_for.transforms),
            scaling=scaling_after(self.loading, self.made_for.transforms),
        )
