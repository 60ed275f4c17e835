"""A network with its calibrator: the same numbers in one module, and in a file that needs torch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.networks.nets import UNet
from spared import fresh
from torch import nn

from calib_monai.posthoc import CalibratedNetwork, LocalTemperatureScaling, TemperatureScaling

SCRIPTED = pytest.mark.filterwarnings("ignore:The TorchScript type system")


def network(spatial_dims: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return UNet(spatial_dims, 1, 3, channels=(4, 8), strides=(2,)).eval()


def calibrators(spatial_dims: int = 2) -> dict[str, TemperatureScaling | LocalTemperatureScaling]:
    """Both, with temperatures that are not 1."""
    single, local = TemperatureScaling(), LocalTemperatureScaling(3, 1, spatial_dims)
    nn.init.constant_(single.log_temperature, 0.7)
    nn.init.constant_(local.of_image.weight, 0.05)
    return {"ts": single, "lts": local}


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 8)])
@pytest.mark.parametrize("name", ["ts", "lts"])
def test_its_output_is_that_of_the_two_one_after_the_other(name: str, shape: tuple[int, ...]) -> None:
    net, calibrator = network(len(shape)), calibrators(len(shape))[name]
    image = torch.randn(2, 1, *shape)
    logits = calibrator(net(image), image)
    assert torch.equal(CalibratedNetwork(net, calibrator, output="logits")(image), logits)
    assert torch.equal(CalibratedNetwork(net, calibrator)(image), logits.softmax(dim=1))
    assert not torch.allclose(logits, net(image), atol=1e-3)


@SCRIPTED
@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 8)])
@pytest.mark.parametrize("name", ["ts", "lts"])
def test_it_scripts_to_torchscript(name: str, shape: tuple[int, ...]) -> None:
    calibrated = CalibratedNetwork(network(len(shape)), calibrators(len(shape))[name]).eval()
    image = torch.randn(2, 1, *shape)
    torch.testing.assert_close(torch.jit.script(calibrated)(image), calibrated(image))


def test_a_network_that_gives_probabilities_is_refused_in_the_first_call() -> None:
    calibrated = CalibratedNetwork(nn.Sequential(network(), nn.Softmax(1)), TemperatureScaling())
    with pytest.raises(ValueError, match=r"^network_def gives probabilities"):
        calibrated(torch.randn(2, 1, 16, 16))


LOADING = """
import sys
sys.modules["monai"] = sys.modules["calib_monai"] = None
import torch
folder = sys.argv[1]
for name in ("ts", "lts"):
    image, expected = torch.load(f"{folder}/{name}.pt")
    torch.testing.assert_close(torch.jit.load(f"{folder}/{name}.ts")(image), expected)
"""


@SCRIPTED
def test_the_scripted_file_is_loaded_with_torch_alone(tmp_path: Path) -> None:
    for name, calibrator in calibrators().items():
        calibrated = CalibratedNetwork(network(), calibrator).eval()
        image = torch.randn(1, 1, 16, 16)
        torch.save((image, calibrated(image).detach()), tmp_path / f"{name}.pt")
        torch.jit.script(calibrated).save(tmp_path / f"{name}.ts")
    run = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-W", "ignore", "-c", LOADING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=fresh(),
    )
    assert run.returncode == 0, run.stderr


def test_its_state_is_that_of_both() -> None:
    net = network()
    calibrated, other = (
        CalibratedNetwork(net, calibrators()["ts"]),
        CalibratedNetwork(network(), TemperatureScaling()),
    )
    other.load_state_dict(calibrated.state_dict())
    image = torch.randn(1, 1, 16, 16)
    assert torch.equal(other(image), calibrated(image))


def test_wrong_arguments_are_refused_by_value() -> None:
    with pytest.raises(ValueError, match="calibrator is Softmax"):
        CalibratedNetwork(network(), nn.Softmax(dim=1))
    with pytest.raises(ValueError, match="output is 'labels'; it must be one of"):
        CalibratedNetwork(network(), TemperatureScaling(), output="labels")
