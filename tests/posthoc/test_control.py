"""The control: a constant in the foreground's logits, chosen on validation cases, which only an evaluation takes."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from calib_monai.experiments.selection import TOLERANCE as OF_TRAININGS
from calib_monai.metrics import ECEMetric
from calib_monai.posthoc import CalibratedNetwork, ForegroundShift, load_calibrator, load_fitted, save_calibrator
from calib_monai.posthoc.control import CONSTANTS, TOLERANCE, Shifted, chosen_by_rule
from calib_monai.posthoc.errors import Errors

Case = tuple[Tensor, Tensor]


def exact_cases(number: int = 3) -> list[Case]:
    """Logits of a lesion in 64 x 64 pixels, and labels that are drawn from their exact probabilities."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for _ in range(number):
        rows = torch.linspace(-6, 2, 64).expand(1, 1, 64, 64)
        labels = torch.rand(1, 1, 64, 64, generator=generator) < rows.sigmoid()
        cases.append((torch.cat([torch.zeros_like(rows), rows], dim=1), labels.long()))
    return cases


def errors(ece: float) -> Errors:
    return Errors(0.1, 0.1, 0.1, ece, (0.1,))


def test_the_rule_takes_the_lowest_ece_among_those_with_nearly_the_best_dice() -> None:
    assert TOLERANCE == OF_TRAININGS
    tried = [Shifted(-1.0, 0.8, errors(0.01)), Shifted(0.0, 0.85, errors(0.06)), Shifted(1.0, 0.845, errors(0.04))]
    assert chosen_by_rule(tried).constant == 1
    assert chosen_by_rule([*tried, Shifted(2.0, 0.851, errors(0.05))]).constant == 2
    assert chosen_by_rule([*tried, Shifted(0.5, 0.845, errors(0.04))]).constant == 0.5
    with pytest.raises(ValueError, match="no validation case shows a structure"):
        chosen_by_rule([Shifted(0.0, nan, errors(nan))])


def test_of_exact_probabilities_it_lowers_the_papers_ece_and_costs_likelihood() -> None:
    control, cases = ForegroundShift(), exact_cases()
    report = control.fit(cases)
    before, after = report.before.errors, report.chosen.errors
    assert report.chosen.constant == control.shift > 0
    assert after.ece_foreground < 0.7 * before.ece_foreground
    assert after.nll_all > before.nll_all
    assert after.volume_error() > before.volume_error()
    metric = ECEMetric(region="foreground")
    for logits, labels in cases:
        metric(y_pred=control(logits).softmax(dim=1), y=labels)
    assert metric.aggregate().item() == pytest.approx(after.ece_foreground, abs=1e-9)
    best = max(one.dice for one in report.tried)
    assert all(one.dice < best - TOLERANCE for one in report.tried if one.errors.ece_foreground < after.ece_foreground)
    assert [one.constant for one in report.tried] == list(CONSTANTS)


def test_ignored_voxels_do_not_count() -> None:
    cases = exact_cases(1)
    labels = cases[0][1].clone()
    labels[..., :8] = 9
    changed = cases[0][0].clone()
    changed[:, 1, :, :8] = 7
    first, second = (ForegroundShift().fit([(logits, labels)], 9) for logits in (cases[0][0], changed))
    assert first == second


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model with its control, whose constant is 1.5."""
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    control = ForegroundShift()
    control.shift.fill_(1.5)
    assert save_calibrator(control, "control", str(tmp_path)) == tmp_path / "calibrator_control.safetensors"
    return tmp_path


def test_only_an_evaluation_takes_it_and_it_has_no_promises(models: Path) -> None:
    fitted = load_fitted("control", str(models), {"coverage": 0.9})
    assert fitted.calibrator(torch.zeros(1, 2, 1)).flatten().tolist() == [0, 1.5]
    assert fitted.promises == (None, None, "", "")
    with pytest.raises(ValueError, match="calibrator is control, which only an evaluation takes"):
        load_calibrator("control", str(models))
    with pytest.raises(ValueError, match="calibrator is ForegroundShift; it must be"):
        CalibratedNetwork(torch.nn.Conv2d(1, 2, 1), ForegroundShift())  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"other": torch.ones(())}, {"shift": torch.ones(2)}, {"shift": torch.tensor(nan)}])
def test_a_control_of_another_model_or_without_a_constant_is_refused(models: Path, wrong: dict[str, Any]) -> None:
    control = ForegroundShift()
    control.state_dict = lambda *_, **__: wrong  # type: ignore[method-assign, assignment]
    save_calibrator(control, "control", str(models))
    with pytest.raises(ValueError, match=r"calibrator_control.safetensors holds no constant: fit it .*control"):
        load_fitted("control", str(models))
    torch.save({"weight": torch.ones(2)}, models / "model.pt")
    with pytest.raises(ValueError, match=r"calibrator_control.safetensors was fitted to another model.pt"):
        load_fitted("control", str(models))
