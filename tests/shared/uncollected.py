"""Imported first by what forks processes: Python does not look through the rest of the imports, again and again."""

import gc

gc.disable()


def collect_seldom() -> None:
    """Collect garbage again, of what is made from now on, and seldom: most tests leave little."""
    gc.freeze()
    gc.set_threshold(20000, 50, 100)
    gc.enable()
