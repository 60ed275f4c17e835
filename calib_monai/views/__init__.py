"""Random views of images: drawn, seen by a network in training, and taken back to the images exactly."""

from calib_monai.views.augmentation import RandomViews, SmallViews, View
from calib_monai.views.spread import spread_over_views
from calib_monai.views.training import AugmentedBatch, TwoViewInferer, Views

__all__ = ["AugmentedBatch", "RandomViews", "SmallViews", "TwoViewInferer", "View", "Views", "spread_over_views"]
