"""All networks: logits of every class for every voxel, gradients, TorchScript."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from committed import config_of
from monai.bundle import ConfigParser
from torch import nn

from calib_monai.networks import FACTORIES

PARTS = Path(__file__).parents[2] / "scripts" / "parts"
NETWORKS = sorted(FACTORIES)
# of one channel, four classes and slices of 224 x 224; dynunet and those of papers have as many as the authors' own
PARAMETERS = {
    "attention_unet": 31_739_380,
    "dynunet": 21_037_508,
    "transunet": 105_270_084,
    "unet": 663_686,
    "unet_papers": 7_846_180,
    "unetpp": 2_410_180,
    "unetpp_papers": 26_072_772,
}
METHODS = sorted(path.stem for path in (PARTS / "methods").glob("*.json"))
QUICKER = {"transunet": {"num_layers": 1}}  # of twelve alike


def built(name: str, slice_size: list[int], **changes: int) -> nn.Module:
    return FACTORIES[name](1, 4, slice_size, **changes)


@pytest.fixture(params=NETWORKS, scope="module")
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return built(request.param, [64, 64], **QUICKER.get(request.param, {}))


def test_a_slice_becomes_logits_and_every_loss_reaches_every_weight(network: nn.Module) -> None:
    image, target = torch.randn(2, 1, 64, 64), torch.randint(4, (2, 1, 64, 64)).float()
    logits = network.train()(image)
    assert logits.shape == (2, 4, 64, 64)
    for method in METHODS:
        parser = ConfigParser(config_of(f"hippocampus_{method}", "train") | {"num_classes": 4})
        predicted, loss = logits, parser.get_parsed_content("loss")
        if method in ("consistency", "bwcr"):
            predicted = parser.get_parsed_content("train#inferer")(image, network)
        [slope] = torch.autograd.grad(loss(predicted, target), getattr(predicted, "first", logits))
        assert torch.isfinite(slope).all()
        assert (slope != 0).any(), method
    logits.square().mean().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


@pytest.mark.filterwarnings("ignore:The TorchScript type system")
def test_it_scripts_to_torchscript(network: nn.Module) -> None:
    image = torch.randn(1, 1, 64, 64)
    scripted = torch.jit.script(network.eval())
    torch.testing.assert_close(scripted(image), network(image))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_the_number_of_weights_that_the_docs_say(name: str) -> None:
    with torch.device("meta"):
        count = sum(weights.numel() for weights in built(name, [224, 224]).parameters())
    assert count == PARAMETERS[name]
    assert f"| `{name}` | {count:,} |" in (PARTS / "README.md").read_text(encoding="utf-8")
