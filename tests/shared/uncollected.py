"""Imported first by what forks processes: Python does not look through the rest of the imports, again and again."""

import gc

gc.disable()
