"""Augmented Lagrangian: penalties of violated constraints, and the multipliers that weigh them."""

from calib_monai.lagrangian.multipliers import AREAS, AVERAGES, BOTH, SHARES, Multipliers, ViolationSums
from calib_monai.lagrangian.penalties import PENALTIES, Penalty, p2, p3, phr, slope

__all__ = [
    "AREAS",
    "AVERAGES",
    "BOTH",
    "PENALTIES",
    "SHARES",
    "Multipliers",
    "Penalty",
    "ViolationSums",
    "p2",
    "p3",
    "phr",
    "slope",
]
