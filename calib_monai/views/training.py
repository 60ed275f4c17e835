"""Views in training: two of each batch for consistency (BWCR), or one of image and label for any method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from monai.engines import PrepareBatch, default_prepare_batch
from monai.inferers import Inferer
from torch import Tensor

from calib_monai.views.augmentation import RandomViews


class Views(NamedTuple):
    """Logits of two views on the grid of the images, with a mask and a weight for the loss.

    `first` and `second` are (B, K, H, W[, D]). `valid` is (B, 2, H, W[, D]), bool: for each view, the pixels whose
    logits came only from inside the image. `weight` is (B, 1, H, W[, D]), from
    `calib_monai.boundaries.boundary_weight`, or None.
    """

    first: Tensor
    second: Tensor
    valid: Tensor
    weight: Tensor | None = None


class TwoViewInferer(Inferer):
    """The logits of two random views of each image, taken back to its grid, for `calib_monai.losses.BWCRLoss`.

    The network makes a pass for each view, as in the authors' code. A single pass with 2 B images takes a tenth longer
    on a CPU.

    Args:
        random_views: draws the views; None uses the defaults of `RandomViews`.

    Note:
        The authors' code makes a third pass for the unchanged images. Only the running statistics of batch
        normalization keep a trace of it.
    """

    def __init__(self, random_views: RandomViews | None = None) -> None:
        self.random_views = random_views or RandomViews()

    def __call__(
        self, inputs: Tensor, network: Callable[..., Any], *args: Any, weight: Tensor | None = None, **kwargs: Any
    ) -> Views:
        """Both views' logits.

        Args:
            inputs: images, (B, C, H, W[, D]).
            network: called once for each view, with images (B, C, H, W[, D]); gives logits (B, K, H, W[, D]).
            args: further arguments of the network.
            weight: passed on to the loss; `PrepareBatchExtraInput(extra_keys={"weight": "weight"})` takes it from the
                batch.
            kwargs: further arguments of the network.

        Raises:
            ValueError: images that `RandomViews` refuses, or logits of another size than the images.
        """
        view = self.random_views(torch.cat([inputs, inputs]))
        logits = [network(half, *args, **kwargs) for half in view.image.chunk(2)]
        first, second = view.back(torch.cat(logits)).chunk(2)
        return Views(first, second, torch.cat(view.valid().chunk(2), dim=1), weight)


class AugmentedBatch(PrepareBatch):
    """Image and label of a batch, seen in one random view: augmentation for any method.

    Args:
        augment: whether to augment; False leaves MONAI's `default_prepare_batch`.
        random_views: draws the views; None uses the defaults of `RandomViews`.

    Note:
        Pixels outside the image have the label background, and the network learns them as background.
    """

    def __init__(self, augment: bool = True, random_views: RandomViews | None = None) -> None:  # noqa: FBT001, FBT002 - a key in JSON
        self.augment = augment
        self.random_views = random_views or RandomViews()

    def __call__(
        self,
        batchdata: Any,
        device: str | torch.device | None = None,
        non_blocking: bool = False,  # noqa: FBT001, FBT002 - MONAI's
        **kwargs: Any,
    ) -> Any:
        """Image and label on the device.

        Args:
            batchdata: what `default_prepare_batch` takes: `{"image": (B, C, H, W[, D]), "label": (B, 1, H, W[, D])}`.
            device: the device to move them to.
            non_blocking: as in `Tensor.to`.
            kwargs: further arguments of `Tensor.to`.

        Raises:
            ValueError: images that `RandomViews` refuses.
        """
        prepared = default_prepare_batch(batchdata, device, non_blocking, **kwargs)
        if not self.augment:
            return prepared
        image, label = prepared
        view = self.random_views(image)
        return view.image, None if label is None else view.labels(label)
