"""What an evaluator holds, from the network to the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents


def batch(seed: int) -> dict[str, torch.Tensor]:
    """What MONAI's evaluator holds after the network has run: logits, and labels as a map."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "pred": 30 * torch.randn(1, 3, 6, 5, 4, generator=generator),
        "label": torch.randint(3, (1, 1, 6, 5, 4), generator=generator).float(),
    }


@pytest.fixture
def engine() -> Engine:
    """An evaluator of two cases that fires what MONAI's does, then postprocesses."""

    def step(engine: Engine, seed: int) -> list[dict[str, Any]]:
        output = engine.state.output = batch(seed)
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.state.batch = [{"case": f"case_{seed}"}]
        return [{"prob": output["pred"][0].softmax(dim=0), "label": output["label"][0]}]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    return engine


@pytest.fixture
def batch_of() -> Callable[[int], dict[str, torch.Tensor]]:
    return batch
