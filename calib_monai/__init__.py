"""Calibration losses, metrics, calibrators, handlers and reports for segmentation with MONAI."""

__version__ = "0.1.0"
