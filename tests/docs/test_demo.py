"""The demo: its figures are held to those of docs/get_started.md."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import check_demo
import pytest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"ece_foreground": 0.009}, ""),
        (
            {"ece_foreground": 0.011},
            r"ece_foreground of NACL and CE\+Dice is 0\.057 and 0\.086 in demo; .* says",
        ),
        ({"ece_plausible": -0.03}, r"ece_plausible of NACL and CE\+Dice is 0\.015 and -0\.007"),
        ({"nll_all": 0.0}, "better likelihood"),
    ],
)
def test_other_figures_than_those_of_the_page_are_told(
    change: dict[str, float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "hippocampus_nacl": {"ece_foreground": 0.046, "ece_plausible": 0.045, "nll_all": 0.07},
        "hippocampus_dice_ce": {"ece_foreground": 0.075, "ece_plausible": 0.023, "nll_all": 0.04},
    }

    def read(folder: Path) -> SimpleNamespace:
        found = {name: value + change.get(name, 0) for name, value in measured[folder.name].items()}
        return SimpleNamespace(metrics=found | ({"nll_all": 0.05} if "nll_all" in change else {}))

    monkeypatch.setattr(check_demo, "read_run", read)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    if said:
        with pytest.raises(ValueError, match=said):
            check_demo.check_demo(Path("demo"))
    else:
        check_demo.check_demo(Path("demo"))
