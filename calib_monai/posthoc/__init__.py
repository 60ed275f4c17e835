"""Post-hoc calibration: temperatures for logits, and intervals of volumes, both fitted to validation cases."""

from calib_monai.posthoc.calibrated_network import CalibratedNetwork, calibrator_of, load_calibrated_network
from calib_monai.posthoc.conformal import Conformal, ConformalFit
from calib_monai.posthoc.conformal_files import (
    Fitted,
    Promises,
    conformal_path,
    load_conformal,
    load_fitted,
    promises_of,
    save_conformal,
)
from calib_monai.posthoc.control import ControlReport, ForegroundShift
from calib_monai.posthoc.errors import Errors, errors_of, mean_errors
from calib_monai.posthoc.files import (
    Calibrator,
    calibrator_path,
    check_kind,
    fitted_to,
    load_calibrator,
    load_temperature,
    new_calibrator,
    save_calibrator,
)
from calib_monai.posthoc.local_temperature_scaling import LocalTemperatureScaling
from calib_monai.posthoc.margins import MarginFit, Margins
from calib_monai.posthoc.report import FitReport
from calib_monai.posthoc.temperature_scaling import TemperatureScaling

__all__ = [
    "CalibratedNetwork",
    "Calibrator",
    "Conformal",
    "ConformalFit",
    "ControlReport",
    "Errors",
    "FitReport",
    "Fitted",
    "ForegroundShift",
    "LocalTemperatureScaling",
    "MarginFit",
    "Margins",
    "Promises",
    "TemperatureScaling",
    "calibrator_of",
    "calibrator_path",
    "check_kind",
    "conformal_path",
    "errors_of",
    "fitted_to",
    "load_calibrated_network",
    "load_calibrator",
    "load_conformal",
    "load_fitted",
    "load_temperature",
    "mean_errors",
    "new_calibrator",
    "promises_of",
    "save_calibrator",
    "save_conformal",
]
