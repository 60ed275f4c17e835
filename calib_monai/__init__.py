"""Calibration losses, metrics, handlers and reports that MONAI lacks."""

__version__ = "0.1.0"
