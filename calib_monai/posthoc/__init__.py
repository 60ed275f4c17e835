"""Post-hoc calibration: temperatures for logits, and intervals of volumes, both fitted to validation cases."""

from calib_monai.posthoc.calibrated_network import CalibratedNetwork, load_calibrated_network
from calib_monai.posthoc.conformal import Conformal, ConformalFit
from calib_monai.posthoc.conformal_files import load_conformal, load_fitted, save_conformal
from calib_monai.posthoc.control import ForegroundShift
from calib_monai.posthoc.files import load_calibrator, save_calibrator
from calib_monai.posthoc.local_temperature_scaling import LocalTemperatureScaling
from calib_monai.posthoc.margins import MarginFit, Margins
from calib_monai.posthoc.temperature_scaling import TemperatureScaling

__all__ = [
    "CalibratedNetwork",
    "Conformal",
    "ConformalFit",
    "ForegroundShift",
    "LocalTemperatureScaling",
    "MarginFit",
    "Margins",
    "TemperatureScaling",
    "load_calibrated_network",
    "load_calibrator",
    "load_conformal",
    "load_fitted",
    "save_calibrator",
    "save_conformal",
]
