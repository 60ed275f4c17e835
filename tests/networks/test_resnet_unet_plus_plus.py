"""UNet++ over a ResNet-34: the logits of another implementation, and ImageNet's weights from a file of torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import ResNet
from torch import Tensor, nn

from calib_monai.networks import ResNetUNetPlusPlus, unetpp_papers

# logits that UnetPlusPlus("resnet34", in_channels=1, classes=4) of segmentation_models_pytorch 0.3.4 gives with the
# weights of `filled`, for the image of the first test, of each class at row 17 and columns 0, 32 and 64
EXPECTED = [
    [-0.2598, -0.3155, -0.2858],
    [0.0803, 0.0593, 0.0405],
    [0.2089, 0.2453, 0.2165],
    [-0.1080, 0.0618, 0.0800],
]
MEAN_SQUARE = 0.0439574
COUNTS = "num_batches_tracked"


def filled(network: nn.Module) -> nn.Module:
    """The network in evaluation, with weights that depend on their names and shapes alone."""
    generator = np.random.default_rng(0)
    weights = dict(sorted(network.state_dict().items()))
    for name, value in weights.items():
        if value.is_floating_point():
            drawn = torch.from_numpy(generator.standard_normal(value.shape, dtype=np.float32))
            if value.ndim == 4:
                weights[name] = drawn / value[0].numel() ** 0.5 * 0.9
            else:
                weights[name] = 1 + 0.3 * drawn.abs() if name.endswith(("running_var", "weight")) else 0.1 * drawn
    network.load_state_dict(weights)
    return network.eval()


def of_torchvision() -> dict[str, Tensor]:
    """Weights with the names and shapes of torchvision's ResNet-34: 21,797,672 in 110 tensors of weights."""
    resnet = ResNet(
        "basic",
        [3, 4, 6, 3],
        [64, 128, 256, 512],
        spatial_dims=2,
        conv1_t_stride=2,
        num_classes=1000,
        bias_downsample=False,
    )
    return filled(resnet).state_dict()


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return of_torchvision()


@pytest.fixture(scope="module")
def path(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet34.pth"
    torch.save(weights, path)
    return path


def test_it_computes_what_another_implementation_does() -> None:
    network = filled(ResNetUNetPlusPlus(1, 4))
    image = np.random.default_rng(1).standard_normal((1, 1, 64, 96), dtype=np.float32)
    with torch.no_grad():
        logits = network(torch.from_numpy(image))
    torch.testing.assert_close(logits[0, :, 17, ::32], torch.tensor(EXPECTED), atol=1e-4, rtol=0)
    assert logits.square().mean() == pytest.approx(MEAN_SQUARE, rel=1e-4)


def test_the_file_of_the_tests_has_the_weights_of_torchvision(weights: dict[str, Tensor]) -> None:
    counted = {name: value for name, value in weights.items() if not name.endswith((COUNTS, "mean", "var"))}
    assert sum(value.numel() for value in counted.values()) == 21_797_672
    assert len(counted) == 110
    assert weights["layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_encoder_starts_from_the_file(channels: int, path: Path, weights: dict[str, Tensor]) -> None:
    own = unetpp_papers(channels, 2, pretrained=str(path)).get_submodule("encoder").state_dict()
    differing = [name for name, value in own.items() if not torch.equal(value, weights[name])]
    assert differing == ([] if channels == 3 else ["conv1.weight"])
    image = torch.randn(1, 1, 16, 16)
    published = nn.functional.conv2d(image.expand(-1, 3, -1, -1), weights["conv1.weight"])
    if channels != 3:  # copies of one channel give the same however many there are
        computed = nn.functional.conv2d(image.expand(-1, channels, -1, -1), own["conv1.weight"])
        torch.testing.assert_close(computed, published, atol=1e-5, rtol=1e-4)


def test_a_file_of_an_early_pytorch_fits(weights: dict[str, Tensor], tmp_path: Path) -> None:
    early = {name: nn.Parameter(value) for name, value in weights.items() if not name.endswith(COUNTS)}
    torch.save(early, tmp_path / "resnet34-333f7ec4.pth", _use_new_zipfile_serialization=False)
    network = unetpp_papers(3, 2, pretrained=str(tmp_path / "resnet34-333f7ec4.pth"))
    own = network.get_submodule("encoder").state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in own.items() if not name.endswith(COUNTS))


def of_resnet18(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if ".2." not in name}


def of_nan(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"layer1.0.bn1.weight": torch.full((64,), torch.nan)}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (of_resnet18, r"of its weights \d+ of \d+ are missing \(first layer1.2"),
        (of_nan, "hold NaN or infinite values .*layer1.0.bn1.weight"),
        (lambda weights: {"state_dict": weights}, "holds no weights; it must be torchvision's"),
        (lambda weights: weights | {"conv1.weight": torch.zeros(64, 2, 7, 7)}, "of another size .*conv1.weight"),
    ],
)
def test_another_file_is_refused(changed: object, said: str, weights: dict[str, Tensor], tmp_path: Path) -> None:
    assert callable(changed)
    torch.save(changed(weights), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=f"^unetpp_papers: .*other.pth .*{said}"):
        unetpp_papers(1, 2, pretrained=str(tmp_path / "other.pth"))


@pytest.mark.parametrize("content", [b"", b"not a file of PyTorch", b"PK\x03\x04"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "resnet34.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"^unetpp_papers: .*resnet34.pth cannot be read"):
        unetpp_papers(1, 2, pretrained=str(tmp_path / "resnet34.pth"))
