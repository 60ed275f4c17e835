"""Pictures: reads the values of photographs, ultrasound and masks, in any format and number of bits."""

from calib_monai.pictures.decoding import SUFFIXES, Picture, decoded, gray_values, picture_values
from calib_monai.pictures.loading import LoadPicturesd
from calib_monai.pictures.masks import mask_values

__all__ = ["SUFFIXES", "LoadPicturesd", "Picture", "decoded", "gray_values", "mask_values", "picture_values"]
