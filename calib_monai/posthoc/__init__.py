"""Post-hoc calibration: temperatures fitted on the validation set, by which logits are divided."""

from calib_monai.posthoc.calibrated_network import CalibratedNetwork, calibrator_of, load_calibrated_network
from calib_monai.posthoc.errors import Errors, errors_of, mean_errors
from calib_monai.posthoc.files import (
    Calibrator,
    calibrator_path,
    check_kind,
    fitted_region,
    load_calibrator,
    new_calibrator,
    save_calibrator,
)
from calib_monai.posthoc.local_temperature_scaling import LocalTemperatureScaling
from calib_monai.posthoc.report import FitReport
from calib_monai.posthoc.temperature_scaling import TemperatureScaling

__all__ = [
    "CalibratedNetwork",
    "Calibrator",
    "Errors",
    "FitReport",
    "LocalTemperatureScaling",
    "TemperatureScaling",
    "calibrator_of",
    "calibrator_path",
    "check_kind",
    "errors_of",
    "fitted_region",
    "load_calibrated_network",
    "load_calibrator",
    "mean_errors",
    "new_calibrator",
    "save_calibrator",
]
