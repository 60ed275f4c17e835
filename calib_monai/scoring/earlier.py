"""Earlier results: whether a run may replace them, and where they are until it has succeeded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from calib_monai.locks import hold
from calib_monai.whole_files import UNFINISHED, read_json

SCORED = "scored.json"  # says what was scored, in the place of a model
KINDS = ("ts", "lts")
RUNS = ("", "eval", *(f"eval_{kind}" for kind in KINDS))  # folders in which a run has its summary
RESULTS = (
    *(SCORED, "summary.json", "summary.csv", "cases.csv", "bins.json", "logits.json", "slices", "report"),
    *(*RUNS[1:], "calibrated"),
    *(name for kind in KINDS for name in (f"calibrator_{kind}.safetensors", f"calibration_{kind}.json")),
)  # whatever a run may write
EARLIER = ".earlier"  # folder of the earlier results while a run writes its own
MOVING = f"{UNFINISHED}earlier"  # that folder while it is filled or emptied
REPLACED = f"{UNFINISHED}replaced"  # that folder once the new results are there
SLICES = f"{UNFINISHED}slices"  # which a run that fails leaves
SCORING = "scoring"
OF_FIT = ("calibrate", "fitted_to")  # what `SCORED` says of a fit


def check_out(out: Path, folders: Mapping[str, Path | None], *, overwrite: bool) -> None:
    """Raise ValueError if a folder of results holds others than of these probabilities and labels.

    Args:
        out: the folder of results.
        folders: what is read, by the names of the options, the probabilities and the labels first.
        overwrite: whether the results of others may be replaced.
    """
    place = out.resolve()
    for name, folder in folders.items():
        if folder is None:
            continue
        above = (folder.resolve(), *folder.resolve().parents)
        if any(place / result in above for result in RESULTS):
            raise ValueError(
                f"{name} {folder} lies among the results of --out {out}, which this run would replace: set another "
                "--out"
            )
    if overwrite or not out.is_dir():
        return
    if (out / SCORED).is_file():
        before = {f"--{name}": value for name, value in _content_of(out / SCORED).items()}
        of_these = all(before.get(name) == str(folder and folder.resolve()) for name, folder in [*folders.items()][:2])
        known = before.keys() >= {"--probs", "--labels"}
        of = f"{before['--probs']} with the labels {before['--labels']}" if known else "something else"
    else:
        there = [name for name in RESULTS if os.path.lexists(out / name)]
        of_these = not there
        of = "an evaluation" if any((out / run / "summary.json").is_file() for run in RUNS) else "another program"
        of += f", first {there[0]}" if there else ""
    if not of_these:
        raise ValueError(f"--out {out} holds results of {of}: set another --out, or replace them by --overwrite")


def check_same_fit(out: Path, fit: Mapping[str, Any], *, overwrite: bool) -> None:
    """Raise ValueError if a folder of results holds a calibrator that this run would replace by another one, or none.

    Args:
        out: the folder of results.
        fit: what `SCORED` says of the fit of this run; empty if it fits nothing.
        overwrite: whether another calibrator may be replaced.
    """
    before = _content_of(out / SCORED)
    kind, cases = (before.get(name) for name in OF_FIT)
    if kind is None or overwrite or {"calibrate": kind, "fitted_to": cases} == fit:
        return
    of = f"fitted to {len(cases)} case(s), first {cases[0]}" if isinstance(cases, list) and cases else "fitted before"
    raise ValueError(
        f"--out {out} holds the calibrator {kind}, {of}, which this run would remove: set another --out, or replace it "
        "by --overwrite"
    )


def _content_of(file: Path) -> Mapping[str, Any]:
    """What the file of an earlier run says; nothing if it is no such file."""
    try:
        content = read_json(file) if file.is_file() else {}
    except ValueError:
        return {}
    return content if isinstance(content, Mapping) else {}


@contextmanager
def kept_apart(out: Path) -> Iterator[None]:
    """Keep the earlier results apart while a run writes; they go if it succeeds, and come back if it fails.

    If this process is killed, they come back by `come_back`.
    """
    hold(str(out), SCORING, [SCORED])
    there = [name for name in RESULTS if os.path.lexists(out / name)]
    if there:
        (out / MOVING).mkdir()
        for name in there:
            (out / name).rename(out / MOVING / name)
        (out / MOVING).rename(out / EARLIER)
    try:
        yield
    except BaseException:
        come_back(out)
        _remove(out / SLICES)
        if not there and not any((out / run / "summary.json").is_file() for run in RUNS):
            _remove_results(out)
        raise
    if there:
        (out / EARLIER).rename(out / REPLACED)
        _remove(out / REPLACED)


def come_back(out: Path) -> None:
    """Put earlier results back that a run has kept apart and not replaced, in the place of what it wrote."""
    if (out / EARLIER).is_dir():
        _remove_results(out)
        (out / EARLIER).rename(out / MOVING)
    if (out / MOVING).is_dir():
        for path in (out / MOVING).iterdir():
            path.rename(out / path.name)
        (out / MOVING).rmdir()
    _remove(out / REPLACED)


def _remove_results(out: Path) -> None:
    """Remove whatever a run has written into its folder."""
    for name in RESULTS:
        _remove(out / name)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        rmtree(path)
    else:
        path.unlink(missing_ok=True)
