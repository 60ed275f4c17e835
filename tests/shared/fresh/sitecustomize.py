"""Run first by each Python that a test starts: a third of the time of MONAI's import is to look for garbage."""

import gc

gc.disable()
