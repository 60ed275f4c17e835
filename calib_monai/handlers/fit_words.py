"""What the log says of a fit of a calibrator: its result in a few lines, and warnings of what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from calib_monai.posthoc.errors import Errors
from calib_monai.posthoc.report import FitReport
from calib_monai.regions import Region, region_of


def described_region(region: Region) -> str:
    """A region in a word, with its options if they are not the usual ones."""
    unusual = asdict(region) if region != region_of(region.name) else {}
    return ", ".join([region.name, *(f"{name} {value}" for name, value in unusual.items())])


def warning_of_worse(kind: str, report: FitReport) -> str:
    """The warning if the likelihood of the fitted voxels improved and the ECE of plausible voxels became worse."""
    before, after = report.before, report.after
    better = kind if after.nll_all < before.nll_all else "none"
    return (
        f"the labels of the voxels fitted to ({report.region}) became more likely, but ECE of plausible voxels rose "
        f"from {before.ece_plausible:.3f} to {after.ece_plausible:.3f}; NLL of all voxels of these validation cases "
        f"decides, {1000 * before.nll_all:.3g} -> {1000 * after.nll_all:.3g} per 1000: use --calibrator {better}"
    )


def warning_of_cost(option: str, report: FitReport, costs: str) -> str:
    """The warning that a fit to voxels chosen by the label has a cost for all others."""
    return (
        f"fitted to voxels that the label chose ({report.region}), which costs elsewhere: {costs}; "
        f"{option} all fits to all voxels"
    )


def changes(before: Errors, after: Errors, *, worse: bool = False) -> str:
    """Errors before and after, in words; only those that became `worse`, "" if none did."""
    changes = [
        ("NLL of all voxels", 1000 * before.nll_all, 1000 * after.nll_all, ".3g", " per 1000"),
        ("ECE of all voxels", before.ece_all, after.ece_all, ".4f", ""),
        ("ECE of plausible voxels", before.ece_plausible, after.ece_plausible, ".3f", ""),
        ("error of the expected volume", before.volume_error(), after.volume_error(), ".1%", ""),
    ]
    return ", ".join(
        f"{what} {first:{form}} -> {last:{form}}{unit}"
        for what, first, last, form, unit in changes
        if not worse or float(f"{last:{form}}".strip("%")) > float(f"{first:{form}}".strip("%"))
    )


def report_lines(report: FitReport, structures: Sequence[str], *, measured_grid: bool) -> list[str]:
    """The result of a fit in words; `measured_grid`, its errors are of the grid on which an evaluation measures."""
    network_grid, grid = (", on the network's grid", " on the grid of an evaluation") if measured_grid else ("", "")
    of = f"{report.voxels} voxels ({report.region}) of {report.volumes} case(s){network_grid}"
    low, high = report.temperature_min, report.temperature_max
    if not report.kept:
        return [f"no temperature improves the likelihood of {of}; T stays 1"]
    temperatures = f"temperatures from {low:.3f} to {high:.3f}"
    if low == high:
        temperatures = f"temperature {low:.3f} ({'softer' if low > 1 else 'sharper'})"
    before, after = report.before, report.after
    volumes = ", ".join(
        f"{name} {first:.1%} -> {last:.1%}"
        for name, first, last in zip(structures, before.volume_errors, after.volume_errors, strict=True)
    )
    rose = " (may rise, as it does not measure calibration)" if after.ece_foreground > before.ece_foreground else ""
    return [
        f"{temperatures}, fitted to {of}",
        f"before -> after{grid}: {changes(before, after)}",
        f"error of the expected volume: {volumes}",
        f"NLL of the fitted voxels: {1000 * report.nll_before:.3g} -> {1000 * report.nll_after:.3g} per 1000",
        f"as in papers: ECE of label foreground {before.ece_foreground:.3f} -> {after.ece_foreground:.3f}{rose}",
    ]
