"""Plan checks: options that a plan sets itself are not among those that are given."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from committed import REPOSITORY
from plan import Plan

WORKFLOW = REPOSITORY / "workflow"
CONFIG = yaml.safe_load((WORKFLOW / "config.yaml").read_text(encoding="utf-8"))
EXPERIMENTS = yaml.safe_load((WORKFLOW / "experiments.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"options": {"seed": 5}}, r"options has seed, which would be that of every training: give 'seeds=\[0, 1\]'"),
        ({"method_options": {"ce": {"fold": 1}}}, r"method_options#ce has fold, .*: give 'folds=\[0, 1\]' instead"),
        ({"options": {"ckpt_dir": "x"}}, "options has ckpt_dir, .*: give out instead"),
        ({"options": {"epochs": 5}}, "options has epochs, .*: give epochs instead"),
    ],
)
def test_options_that_the_plan_sets_itself_are_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Plan(CONFIG | {"dataset_dir": str(REPOSITORY)} | config, EXPERIMENTS)
