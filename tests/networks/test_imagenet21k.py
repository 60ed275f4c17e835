"""ImageNet-21k weights: a file with the published names and shapes, and what the network computes with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf, softmax
from torch import Tensor
from torch.nn import functional

from calib_monai.networks import TransUNet, imagenet21k
from calib_monai.networks.imagenet21k import load_imagenet21k
from calib_monai.networks.resnetv2 import ResNetV2
from calib_monai.networks.vit import VisionTransformer

LAYERS = 2  # of the file made here; the published one has 12
LAYER = "Transformer/encoderblock_1"
POSITION = "Transformer/posembed_input/pos_embedding"
NOT_TAKEN = {"cls": (1, 1, 768), "pre_logits/bias": (768,), "head/bias": (21843,)}

Arrays = dict[str, NDArray[np.float32]]


def published(layers: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the arrays of R50+ViT-B_16.npz that a segmentation network takes."""
    shapes: dict[str, tuple[int, ...]] = {"conv_root/kernel": (7, 7, 3, 64), "embedding/kernel": (1, 1, 1024, 768)}
    norms = {"gn_root": 64}
    for block, (units, width) in enumerate(((3, 64), (4, 128), (9, 256)), start=1):
        for unit in range(1, units + 1):
            name = f"block{block}/unit{unit}"
            entering = 4 * width if unit > 1 else max(64, 2 * width) if block > 1 else 64
            shapes[f"{name}/conv1/kernel"] = (1, 1, entering, width)
            shapes[f"{name}/conv2/kernel"] = (3, 3, width, width)
            shapes[f"{name}/conv3/kernel"] = (1, 1, width, 4 * width)
            norms |= {f"{name}/gn1": width, f"{name}/gn2": width, f"{name}/gn3": 4 * width}
            if unit == 1:
                shapes[f"{name}/conv_proj/kernel"] = (1, 1, entering, 4 * width)
                norms[f"{name}/gn_proj"] = 4 * width
    shapes |= {f"{name}/{part}": (1, 1, 1, size) for name, size in norms.items() for part in ("scale", "bias")}
    shapes |= {"embedding/bias": (768,), POSITION: (1, 197, 768)}
    shapes |= {f"Transformer/encoder_norm/{part}": (768,) for part in ("scale", "bias")}
    for layer in range(layers):
        name = f"Transformer/encoderblock_{layer}"
        for part in ("query", "key", "value"):
            shapes[f"{name}/MultiHeadDotProductAttention_1/{part}/kernel"] = (768, 12, 64)
            shapes[f"{name}/MultiHeadDotProductAttention_1/{part}/bias"] = (12, 64)
        shapes[f"{name}/MultiHeadDotProductAttention_1/out/kernel"] = (12, 64, 768)
        shapes[f"{name}/MultiHeadDotProductAttention_1/out/bias"] = (768,)
        shapes |= {f"{name}/LayerNorm_{norm}/{part}": (768,) for norm in (0, 2) for part in ("scale", "bias")}
        shapes |= {f"{name}/MlpBlock_3/Dense_0/kernel": (768, 3072), f"{name}/MlpBlock_3/Dense_0/bias": (3072,)}
        shapes |= {f"{name}/MlpBlock_3/Dense_1/kernel": (3072, 768), f"{name}/MlpBlock_3/Dense_1/bias": (768,)}
    return shapes


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    generator = np.random.default_rng(0)
    shapes = published(LAYERS) | NOT_TAKEN
    return {name: generator.standard_normal(shape, dtype=np.float32) / 20 for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def path(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(arrays, tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def network(path: str) -> TransUNet:
    return pretrained(path, in_channels=3)


def written(arrays: Arrays, folder: Path) -> str:
    np.savez(folder / "weights.npz", **arrays)
    return str(folder / "weights.npz")


def normalization(tokens: NDArray[np.float64], arrays: Arrays, name: str) -> NDArray[np.float64]:
    centered = tokens - tokens.mean(-1, keepdims=True)
    deviation = np.sqrt(tokens.var(-1, keepdims=True) + 1e-6)
    return centered / deviation * arrays[f"{name}/scale"] + arrays[f"{name}/bias"]


def pretrained(path: str, in_channels: int) -> TransUNet:
    return TransUNet(in_channels, 2, [224, 224], num_layers=LAYERS, pretrained=path).eval()


def test_the_published_arrays_are_as_many_numbers_as_encoder_and_transformer_have() -> None:
    with torch.device("meta"):
        network = TransUNet(3, 2, [224, 224])
    weights = [*network.encoder.parameters(), *network.transformer.parameters()]
    count = sum(int(np.prod(shape)) for shape in published(12).values())
    assert sum(weight.numel() for weight in weights) == count - 768  # the class token's position


def test_every_array_lands_in_the_weights(network: TransUNet, arrays: Arrays) -> None:
    weights: list[Tensor] = []
    for part in (network.encoder, network.transformer):
        for name, weight in part.named_parameters():
            weights += weight.chunk(3) if "in_proj" in name else [weight]
    taken = [array[:, 1:] if name == POSITION else array for name, array in arrays.items() if name not in NOT_TAKEN]
    landed = sorted(float(weight.detach().double().sum()) for weight in weights)
    assert landed == pytest.approx(sorted(float(array.sum(dtype=np.float64)) for array in taken))


def test_the_first_convolution_computes_with_the_kernels_of_the_file(network: TransUNet, arrays: Arrays) -> None:
    image = torch.randn(1, 3, 16, 16)
    kernel = arrays["conv_root/kernel"].astype(np.float64)
    kernel = (kernel - kernel.mean((0, 1, 2))) / kernel.std((0, 1, 2))
    padded = np.pad(image[0].numpy(), ((0, 0), (2, 3), (2, 3)))
    for row, column in ((0, 0), (3, 4), (7, 7)):
        window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
        expected = np.einsum("ihw,hwio->o", window, kernel)
        given = network.encoder.conv_root(image)[0, :, row, column]
        torch.testing.assert_close(given.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)


def test_a_unit_computes_with_the_arrays_of_the_file(network: TransUNet, arrays: Arrays) -> None:
    def step(features: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel, scale, bias = (
            torch.from_numpy(arrays[f"block2/unit1/{key}"]).double()
            for key in (f"conv{name}/kernel", f"gn{name}/scale", f"gn{name}/bias")
        )
        kernel = (kernel - kernel.mean((0, 1, 2))) / kernel.std((0, 1, 2), correction=0)
        features = functional.conv2d(features, kernel.permute(3, 2, 0, 1), stride=stride)
        return functional.group_norm(features, 32, scale.flatten(), bias.flatten(), eps=1e-6)

    features = torch.randn(1, 256, 6, 4, dtype=torch.float64)
    inside = functional.pad(step(features, "1").relu(), [0, 1, 0, 1])
    inside = step(inside, "2", stride=2).relu()
    expected = (step(inside, "3") + step(features, "_proj", stride=2)).relu()
    given = network.encoder.block2.unit1(features.float())
    torch.testing.assert_close(given.double(), expected, rtol=1e-4, atol=1e-4)


def test_attention_computes_with_the_query_kernel_of_the_file(network: TransUNet, arrays: Arrays) -> None:
    tokens = np.random.default_rng(1).standard_normal((5, 768))
    name = f"{LAYER}/MultiHeadDotProductAttention_1"
    normalized = normalization(tokens, arrays, f"{LAYER}/LayerNorm_0")
    query, key, value = (
        np.einsum("nc,chd->hnd", normalized, arrays[f"{name}/{part}/kernel"]) + arrays[f"{name}/{part}/bias"][:, None]
        for part in ("query", "key", "value")
    )
    seen = softmax(query @ key.transpose(0, 2, 1) / 8, axis=-1) @ value
    expected = np.einsum("hnd,hdc->nc", seen, arrays[f"{name}/out/kernel"]) + arrays[f"{name}/out/bias"]
    layer = network.transformer.layers[1]
    batch = layer.norm1(torch.from_numpy(tokens)[None].float())
    given = layer.attention(batch, batch, batch)[0][0]
    torch.testing.assert_close(given.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)


def test_the_perceptron_computes_with_the_kernels_of_the_file(network: TransUNet, arrays: Arrays) -> None:
    tokens = np.random.default_rng(2).standard_normal((5, 768))
    name = f"{LAYER}/MlpBlock_3"
    normalized = normalization(tokens, arrays, f"{LAYER}/LayerNorm_2")
    inside = normalized @ arrays[f"{name}/Dense_0/kernel"] + arrays[f"{name}/Dense_0/bias"]
    inside = inside * (1 + erf(inside / np.sqrt(2))) / 2
    expected = inside @ arrays[f"{name}/Dense_1/kernel"] + arrays[f"{name}/Dense_1/bias"]
    layer = network.transformer.layers[1]
    given = layer.mlp(layer.norm2(torch.from_numpy(tokens).float()))
    torch.testing.assert_close(given.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)


def test_a_position_keeps_its_place_and_another_grid_is_interpolated(
    network: TransUNet, path: str, arrays: Arrays
) -> None:
    grid = arrays[POSITION][0, 1:].reshape(14, 14, 768)
    assert np.array_equal(network.transformer.position.detach()[0, :, 2, 5], grid[2, 5])
    transformer = VisionTransformer(1024, [7, 7], num_layers=0)
    load_imagenet21k(path, network.encoder, transformer)
    coarse = transformer.position.detach()[0]
    assert coarse.shape == (768, 7, 7)
    np.testing.assert_allclose(coarse[:, 0, 6], grid[0, 13], rtol=1e-5)
    np.testing.assert_allclose(coarse[:, 3, 3], grid[6:8, 6:8].mean((0, 1)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("in_channels", [1, 4])
def test_any_number_of_channels_gives_what_three_copies_of_one_give(
    network: TransUNet, path: str, in_channels: int
) -> None:
    other = pretrained(path, in_channels)
    other.bridge, other.decoder, other.head = network.bridge, network.decoder, network.head
    image = torch.rand(2, 1, 32, 48)
    expected = network(image.expand(2, 3, 32, 48))
    copies = image.expand(2, in_channels, 32, 48)
    torch.testing.assert_close(other(copies), expected, rtol=1e-3, atol=1e-4)
    fresh = ResNetV2(in_channels)
    fresh.load_state_dict(other.encoder.state_dict())
    torch.testing.assert_close(fresh(copies), other.encoder(copies))


def test_a_file_that_lacks_an_array_or_holds_another_is_refused(arrays: Arrays, tmp_path: Path) -> None:
    few = {name: arrays[name] for name in ("conv_root/kernel", "gn_root/scale", "gn_root/bias")}
    gray, whole = few["conv_root/kernel"][:, :, :1], np.ones(64, dtype=np.int64)
    encoder, transformer = ResNetV2(3), VisionTransformer(1024, [14, 14], num_layers=0)
    for changed, message in (
        ({}, r"npz has no array 'block1/unit1/conv1/kernel'; it must have one of the shape \(1, 1, 64, 64\)"),
        (
            {"conv_root/kernel": gray},
            r"'conv_root/kernel' is float32 \(7, 7, 1, 64\); it must be floats \(7, 7, 3, 64\)",
        ),
        ({"gn_root/scale": whole}, r"'gn_root/scale' is int64 \(64,\); it must be floats \(64\)"),
        ({"conv_root/kernel": np.array([None])}, "'conv_root/kernel' cannot be read"),
        (arrays | {POSITION: arrays[POSITION][:, :-1]}, r"pos_embedding' has 196 rows; it must have 1 \+ n x n"),
    ):
        with pytest.raises(ValueError, match=message):
            load_imagenet21k(written(few | changed, tmp_path), encoder, transformer)


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet21k, "MOST_UNPACKED", 2**20)
    path = written({"conv_root/kernel": np.zeros((600, 600), np.float32)}, tmp_path)
    with pytest.raises(ValueError, match=r"is damaged \(it unpacks to 1 MiB; it may have 1\); it must be Google's"):
        load_imagenet21k(path, ResNetV2(3), VisionTransformer(1024, [14, 14], num_layers=0))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more"])
def test_what_is_no_such_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights.npz is missing or damaged; it must be Google's R50\+ViT-B_16.npz"):
        load_imagenet21k(str(path), ResNetV2(3), VisionTransformer(1024, [14, 14], num_layers=0))
