"""Ignite handlers: guards of a run, and what an evaluation leaves for the report."""

from calib_monai.handlers.guards import CollapseGuard, NonFiniteLossGuard
from calib_monai.handlers.savers import BinsSaver, ResultsSaver, SliceSaver

__all__ = ["BinsSaver", "CollapseGuard", "NonFiniteLossGuard", "ResultsSaver", "SliceSaver"]
