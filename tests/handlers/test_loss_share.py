"""The share of each process in the loss makes the steps of several processes those of the whole batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from committed import config_of
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer

from calib_monai.handlers import ShareOfLoss
from calib_monai.slices import SliceLoader

METHODS = ["ce", "dice_ce", "focal", "ls", "ecp", "svls", "soft_dice", "ace", "mbls", "nacl", "crac"]


def volumes(slices: int) -> list[dict[str, Any]]:
    """A volume of labels in blobs, three classes in each slice, and an image that follows them."""
    generator = torch.Generator().manual_seed(3)
    label = torch.randint(3, (1, 4, 4, slices), generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2)
    return [{"image": label + torch.randn(label.shape, generator=generator), "label": label.byte(), "case": "a"}]


def loss_of(method: str) -> torch.nn.Module:
    """The loss of a method, as its bundle has it."""
    parser = ConfigParser({"loss": config_of(f"hippocampus_{method}", "train")["loss"], "num_classes": 3})
    loss: torch.nn.Module = parser.get_parsed_content("loss")
    return loss


def gradient(loss: torch.nn.Module, process: int, num_processes: int) -> torch.Tensor:
    """What an epoch of batches of four adds up to, weighed as a trainer weighs it."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 3, 3, padding=1).double()
    loader = SliceLoader(volumes(9), batch_size=4, process=process, num_processes=num_processes)
    for batch in loader:
        engine: Any = SimpleNamespace(state=SimpleNamespace(batch=batch))
        engine.state.output = {"loss": loss(network(batch["image"].double()), batch["label"]).mean()}
        if num_processes > 1:
            ShareOfLoss()(engine)
        engine.state.output["loss"].backward()
    assert network.weight.grad is not None
    return network.weight.grad


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_of_processes_is_the_gradient_of_the_whole_batch(method: str) -> None:
    loss = loss_of(method).double()
    alone = gradient(loss, 0, 1)
    for count in (2, 3):  # batches of 4, 4 and 1: they do not divide, and the last has none for all but one
        parts = [gradient(loss, process, count) for process in range(count)]
        torch.testing.assert_close(torch.stack(parts).mean(dim=0), alone, rtol=1e-6, atol=1e-9)


def test_a_trainer_steps_by_the_weighed_loss() -> None:
    network = torch.nn.Conv2d(1, 2, 1)
    batch = {"image": torch.ones(2, 1, 2, 2), "label": torch.zeros(2, 1, 2, 2), "share": 0.25}
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[batch],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=lambda logits, _: 8 + 0 * logits.sum(),
        train_handlers=[ShareOfLoss()],
        decollate=False,
    )
    trainer.run()
    assert trainer.state.output["loss"].item() == 2
