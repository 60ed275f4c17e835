"""Links in a bundle: an exported file never comes from outside of the bundle's folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        (
            "docs/notes.json",
            "outside/secret.json",
            "it leads out of the bundle, to .*outside/secret.json; the zoo wants",
        ),
        ("docs/notes", "outside", "it leads out of the bundle, to .*outside; the zoo wants files of the bundle's own"),
        ("scripts", "outside", "it leads out of the bundle, to .*outside; the zoo wants files of the bundle's own"),
        ("calib_monai", "outside", "it leads out of the bundle, to .*outside; the zoo wants files of the bundle's own"),
        (
            "docs/settings.txt",
            "hippocampus_nacl/.env",
            "it is a link to .env, which the package does not hold",
        ),
        (
            "docs/data.json",
            "hippocampus_nacl/eval/summary.json",
            "it is a link to eval/summary.json, which",
        ),
        ("docs/notes", "hippocampus_nacl/configs", "it is a link to .*/configs, which is no file; the zoo wants files"),
        ("docs/notes.json", "hippocampus_nacl/gone.json", "it is a link to .*/gone.json, which is no file; the zoo"),
    ],
)
def test_a_link_out_of_the_bundle_or_to_no_file_is_refused(
    bundle: Path, tmp_path: Path, refused: Callable[..., str], name: str, target: str, said: str
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.json").write_text("{}\n")
    (bundle / ".env").write_text("PASSWORD=1\n")
    (bundle / "eval").mkdir(exist_ok=True)
    (bundle / "eval" / "summary.json").write_text("{}\n")
    (bundle / name).symlink_to(tmp_path / target)
    assert re.search(f"^error: {name}: {said}", refused(bundle))
