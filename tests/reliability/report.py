"""How wrong inputs are met: `python tests/reliability/report.py` tries all of them and prints a table."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("bundles", "shared", "reliability")]

from every_wrong import EVERY  # noqa: E402
from saved_probs import prepared  # noqa: E402 - once the path is set
from tried import good_data, run_line, tried  # noqa: E402
from wrong_scores import WRONG_SCORES, options_of  # noqa: E402


def main() -> int:
    """The number of those that were met badly, after the table."""
    verdicts: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        good = Path(name) / "good"
        good.mkdir()
        good_data(good)
        for index, wrong in enumerate(EVERY):
            done = tried(wrong, Path(name) / str(index), good)
            verdict = done.verdict(wrong)
            verdicts[verdict] += 1
            print(f"{verdict:8} {done.seconds:5.1f} s  {wrong.name}: {done.last_line[:200]}", flush=True)  # noqa: T201
        for index, wrong in enumerate(WRONG_SCORES):
            folder = Path(name) / f"score_{index}"
            folder.mkdir()
            given = prepared(folder)
            wrong.write(given)
            done = run_line(folder, options_of(wrong, given), module="calib_monai.score")
            verdict = done.verdict(wrong)
            verdicts[verdict] += 1
            print(f"{verdict:8} {done.seconds:5.1f} s  {wrong.name}: {done.last_line[:200]}", flush=True)  # noqa: T201
    told = f"refused clearly {verdicts['clear']}, worked as they should {verdicts['works']}, "
    told += f"refused unclearly {verdicts['unclear']}, accepted silently {verdicts['silent']}"
    print(f"\ntried {len(EVERY) + len(WRONG_SCORES)}: {told}")  # noqa: T201
    return verdicts["unclear"] + verdicts["silent"]


if __name__ == "__main__":
    raise SystemExit(main())
