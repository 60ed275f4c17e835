"""Runs code in a Python that has MONAI, but no calib_monai: `python -I clean_python.py CODE`.

It stands for an environment in which this package was never installed. The last line of its output tells where
calib_monai came from.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

gc.disable()  # as `tests/shared/fresh` does
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")]
sys.path[:] = [folder for folder in sys.path if not (Path(folder) / "calib_monai").exists()]
sys.path[0] = os.getcwd()  # noqa: PTH109 - as `python -m` does
exec(sys.argv.pop(1), {"__name__": "__main__"})  # noqa: S102 - our own
sys.stdout.write(f"calib_monai of {Path(sys.modules['calib_monai'].__file__).parent}\n")
