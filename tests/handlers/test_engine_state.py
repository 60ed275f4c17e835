"""What is taken from an engine, before and after MONAI has taken its batch apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ignite.engine import Engine

from calib_monai.handlers.engine_state import items, logits_and_target, loss_of, output_of
from calib_monai.handlers.ignored import IgnoredLabel


@pytest.fixture
def engine() -> Any:
    engine: Any = Engine(lambda *_: None)
    engine.state.output = {"pred": torch.zeros(1, 2, 2, 2), "label": torch.tensor([[[[0, 1], [1, 9]]]])}
    return engine


def test_an_ignored_voxel_keeps_its_label_in_the_target(engine: Any) -> None:
    IgnoredLabel(9).attach(engine)
    logits, target = logits_and_target(engine)
    assert logits.shape == (1, 2, 2, 2)
    assert target.tolist() == [[[[0, 1], [1, 9]]]]


def test_what_is_added_to_an_output_stays(engine: Any) -> None:
    output_of(engine)["spread"] = 1
    assert engine.state.output["spread"] == 1


def test_the_loss_of_an_iteration_is_found_in_a_batch_and_in_its_parts() -> None:
    loss = torch.tensor(2.0, requires_grad=True)
    for output in ({"loss": loss}, [{"loss": loss}]):
        found = loss_of(output)
        assert found == 2
        assert not found.requires_grad


def test_a_case_is_its_input_and_its_output(engine: Any) -> None:
    engine.state.batch, engine.state.output = [{"image": 1, "pred": None}], [{"pred": 2}]
    assert items(engine) == [{"image": 1, "pred": 2}]
    engine.state.output = []
    with pytest.raises(ValueError, match="shorter"):
        items(engine)
