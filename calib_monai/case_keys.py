"""Case keys: what the files of a case are called in every dictionary."""

from __future__ import annotations

IMAGE, LABEL = "image", "label"
IMAGE_AND_LABEL = (IMAGE, LABEL)
LABEL_VALUES = "label_values"  # of other data: the class of each value in the file of a label
