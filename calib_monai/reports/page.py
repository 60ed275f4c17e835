"""The page: tables and figures of a report in one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import Run, worst_first
from calib_monai.reports.table import BEST, PAPERS, SECOND, Table, unmarked

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 1240px;
  padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .4rem; }
p { margin: .3rem 0 .9rem; max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .6rem 0; background:
  linear-gradient(to right, #fff 40%, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(to left, #fff 40%, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(to right, #777, transparent) left / 1.2rem 100% no-repeat scroll,
  linear-gradient(to left, #777, transparent) right / 1.2rem 100% no-repeat scroll; }
.scroll::-webkit-scrollbar { height: 9px; }
.scroll::-webkit-scrollbar-track { background: #eee; }
.scroll::-webkit-scrollbar-thumb { background: #888; border-radius: 5px; }
table { font-size: .9rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .55rem; text-align: right; border-bottom: 1px solid #d9d9d9; white-space: nowrap; }
th { font-weight: 600; border-bottom: 2px solid #1a1a1a; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; white-space: normal;
  min-width: 6rem; max-width: 15rem; box-shadow: inset -1px 0 #d9d9d9; }
.papers { background: #00000014; color: #444; font-style: italic; }
.best, .notable { font-weight: 700; background: #0072b228; }
.second { text-decoration: underline; text-underline-offset: 3px; }
img { display: block; width: 100%; height: auto; mix-blend-mode: multiply; }
"""

LEAST, MOST = 0.45, 0.6  # width of a figure over its pixels; below the least its letters are too small, and it scrolls


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set.

    Attributes:
        name: of the data set.
        runs: what is compared.
        tables: of results.
        figures: PNG of "reliability", of "classes" where there are more than two, of "logits" where they were kept, of
            "doubts" where an expected Dice was measured, and of "curves" where something was varied.
        cases: PNG of each case that is shown, by its name.
    """

    name: str
    runs: Sequence[Run]
    tables: Sequence[Table]
    figures: Mapping[str, bytes]
    cases: Mapping[str, bytes]


def html_page(sections: Sequence[Section], title: str, radar: bytes | None = None) -> str:
    """A whole HTML document.

    Args:
        sections: one for each data set.
        title: of the document.
        radar: PNG of the methods over the data sets.
    """
    overview = (
        f"<h2>All data sets</h2>{_image(radar, 'Dice and ECE of each method over the data sets')}" if radar else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>Each measure is taken of each case, then averaged over cases; "pooled" takes all cases as one. NLL and Brier score
look at all voxels, ECE, CECE and TACE at the voxels that the column names. Of Dice more is better, of HD95, ASD, missed
structures and all errors of probabilities less.</p>
{overview}
{"".join(_section(section) for section in sections)}
</body>
</html>
"""


def _section(section: Section) -> str:
    """Tables and figures of one data set."""
    runs, figures, names = section.runs, section.figures, worst_first(section.runs)
    pictures = "".join(
        f"<h3>{escape(case)}, number {names.index(case) + 1} of {len(names)}</h3>{_image(png, f'slice of {case}')}"
        for case, png in section.cases.items()
    )
    return f"""<h2>Results on {escape(section.name)}</h2>
<p>{len(names)} case(s), {len(runs)} network(s).</p>
{_result(section.tables[0])}
{_image(figures["curves"], "measures against what was varied") if "curves" in figures else ""}
{"".join(map(_result, section.tables[1:]))}
<h2>Reliability</h2>
<p>A calibrated network is right as often as it says: its bars end on the diagonal. Hatched is by how much it
is off. A network that looks at many more voxels than another has a smaller ECE for that alone; NLL compares them.</p>
{_image(figures["reliability"], "reliability diagrams of the networks")}
{_of_classes(figures, runs[0])}
{_logits(figures)}
{_doubts(figures)}
<h2>Cases</h2>
<p>Of each the slice with most foreground. Where a network is unsure the confidence is dark; a good map of it is
dark where the errors are. Cases are ordered by their Dice with {escape(runs[0].name)}, the lowest first.</p>
{pictures}
<h2>All cases, worst first</h2>
<div class="scroll">{_cases(runs)}</div>
"""


def _doubts(figures: Mapping[str, bytes]) -> str:
    """Expected against true Dice, where it was measured."""
    if "doubts" not in figures:
        return ""
    return f"""<h2>Expected and true Dice</h2>
<p>The Dice that the probabilities expect of the segmentation, without a label, if voxels err independently. Below the
line the network is too sure of the case, or its voxels err together, as a border does that is drawn too wide. Named are
the cases to look at first: those where no Dice is expected of a structure, then those of the lowest expected Dice.</p>
{_image(figures["doubts"], "expected against true Dice of each case")}"""


def _logits(figures: Mapping[str, bytes]) -> str:
    """The distributions of the logits, where they were kept."""
    if "logits" not in figures:
        return ""
    return f"""<h2>Logits by true class</h2>
<p>The further the logit of the true class lies from the others, the closer to 1 is its probability. What a calibration
loss holds back is this distance. All voxels of the grid that the network sees; the network's own logits, before any
calibrator.</p>
{_image(figures["logits"], "distributions of the logits by true class")}"""


def _of_classes(figures: Mapping[str, bytes], run: Run) -> str:
    """The class diagrams and what a reader of them must know; of two classes, why there are none."""
    inside = run.on_label_foreground
    if "classes" not in figures:
        one, other = map(escape, run.class_names)
        mean = f"As all voxels looked at are {other}, both are by how much its mean probability falls short of 1."
        return f"""<h2>Two classes</h2>
<p>The probability of {one} is one minus that of {other}, so the CECE of each mirrors that of the other, and but for the
smallest probabilities, which it leaves out, so does TACE: diagrams of each would show the same twice.
{mean * inside}</p>"""
    aside = """<p>As in the papers, only voxels whose label is foreground are looked at. There the background is never
the truth, so it has no diagram, and even exact probabilities of the others are too small.</p>"""
    return f"""<h2>Reliability of each class</h2>
{aside * inside}
{_image(figures["classes"], "reliability diagrams of each class")}"""


def _result(table: Table) -> str:
    """A table of results, its title, and what its marks and its numbers mean."""
    title = f"<h3>{escape(table.title)}</h3>" if table.title else ""
    marked = {mark for row in table.marks for mark in row}
    second = f' and <span class="{SECOND}">second best</span>' if SECOND in marked else ""
    sure = "where the 95 % interval of the difference from the next best, case by case, excludes 0"
    told = [f'<span class="{BEST}">Best</span>{second} of each column, {sure}.'] if BEST in marked else []
    if PAPERS in {*table.kinds, *table.row_kinds}:
        told.append(f'<span class="{PAPERS}">Gray</span>: as the papers measure.')
    notes = " ".join(([escape(table.note)] if table.note else []) + told)
    return f"""{title}<div class="scroll">{table.html()}</div>
{f"<p>{notes}</p>" if notes else ""}"""


def _cases(runs: Sequence[Run]) -> str:
    """A row a case: Dice and ECE of each run, worst Dice of the first run first."""
    rows = [["case", *(f"{what}, {run.name}" for run in runs for what in ("Dice", "ECE"))]]
    for case in worst_first(runs):
        values = [told for run in runs for told in (DICE.shown(run.dice(case)), ERROR.shown(run.ece_of(case)))]
        rows.append([case, *values])
    return Table("", rows[0], rows[1:], unmarked(rows[1:])).html()


def _image(png: bytes, alt: str) -> str:
    """A figure that carries its own bytes; where the window is too narrow for its letters it scrolls."""
    width = int.from_bytes(png[16:20])  # where a PNG file has it
    style = f"min-width: {LEAST * width:.0f}px; max-width: {MOST * width:.0f}px"
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<div class="scroll"><img alt="{escape(alt)}" style="{style}" src="{source}"></div>'
