"""Ignite handlers: guards, checkpoints, multipliers, TensorBoard, and the files that a report reads."""

from calib_monai.handlers.calibration import CalibratedLogits, CalibratorFit
from calib_monai.handlers.class_maps import one_hot_from_engine
from calib_monai.handlers.collection import MetricCollectionHandler
from calib_monai.handlers.conformal import ConformalPromises
from calib_monai.handlers.copy_check import CopyCheck
from calib_monai.handlers.evaluating import LetGo, ModelCheckpointLoader, ProgressBar, close_tracking
from calib_monai.handlers.figures import FiguresSaver
from calib_monai.handlers.fit_check import FitCheck
from calib_monai.handlers.guards import CollapseGuard, NonFiniteLossGuard
from calib_monai.handlers.ignored import IgnoredLabel
from calib_monai.handlers.kept_bins import BinsSaver
from calib_monai.handlers.kept_slices import SliceSaver
from calib_monai.handlers.logits import LogitsSaver
from calib_monai.handlers.loss_share import ShareOfLoss
from calib_monai.handlers.multipliers import MultiplierUpdate
from calib_monai.handlers.predictions import PredictionsSaver
from calib_monai.handlers.resuming import go_on
from calib_monai.handlers.savers import ResultsSaver
from calib_monai.handlers.seeds import EpochSeed
from calib_monai.handlers.shapes import ASD, HD95, Dice, ExpectedDice, MissedStructures, PairwiseDice, VolumeDifference
from calib_monai.handlers.starting import check_run, check_training
from calib_monai.handlers.stats import EpochMean, EpochStats
from calib_monai.handlers.tensorboard import BoardStats, MaxLogitHistogram, ReliabilityImage
from calib_monai.handlers.training import BestModelSaver, MovingAverage, TrainingSaver, tell_best_model
from calib_monai.handlers.view_spread import ViewSpread

__all__ = [
    "ASD",
    "HD95",
    "BestModelSaver",
    "BinsSaver",
    "BoardStats",
    "CalibratedLogits",
    "CalibratorFit",
    "CollapseGuard",
    "ConformalPromises",
    "CopyCheck",
    "Dice",
    "EpochMean",
    "EpochSeed",
    "EpochStats",
    "ExpectedDice",
    "FiguresSaver",
    "FitCheck",
    "IgnoredLabel",
    "LetGo",
    "LogitsSaver",
    "MaxLogitHistogram",
    "MetricCollectionHandler",
    "MissedStructures",
    "ModelCheckpointLoader",
    "MovingAverage",
    "MultiplierUpdate",
    "NonFiniteLossGuard",
    "PairwiseDice",
    "PredictionsSaver",
    "ProgressBar",
    "ReliabilityImage",
    "ResultsSaver",
    "ShareOfLoss",
    "SliceSaver",
    "TrainingSaver",
    "ViewSpread",
    "VolumeDifference",
    "check_run",
    "check_training",
    "close_tracking",
    "go_on",
    "one_hot_from_engine",
    "tell_best_model",
]
