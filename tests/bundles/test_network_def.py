"""The network of a bundle, as other programs choose it, set its options and load its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from committed import COLLECTION
from monai.bundle import ConfigParser, ckpt_export, load

from calib_monai.networks import FACTORIES, unet, unetpp

CONFIGS = COLLECTION / "hippocampus_nacl" / "configs"
SIZES = 1, 3, [48, 64]  # channels, classes and slices


def shares_of(network: torch.nn.Module) -> set[float]:
    """The shares that the layers of a network drop."""
    return {one.p for one in network.modules() if isinstance(one, torch.nn.Dropout | torch.nn.Dropout2d)}


@pytest.mark.parametrize("name", FACTORIES)
def test_dropout_is_set_in_the_dictionary_as_monai_label_does(name: str) -> None:
    parser = ConfigParser()
    parser.read_config(CONFIGS / "inference.json")
    parser["slice_size"] = [64, 64]  # unet_papers needs multiples of 32
    parser["network_def"]["_target_"] = f"calib_monai.networks.{name}"
    parser["network_def"]["dropout"] = 0.25
    network = parser.get_parsed_content("network_def", instantiate=True)
    assert 0.25 in shares_of(network)


@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_monai_loads_the_network_with_options(workflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundles" / "hippocampus_nacl" / "models").mkdir(parents=True)
    (tmp_path / "bundles" / "hippocampus_nacl" / "configs").symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
    trained = unet(*SIZES, channels=[4, 8], strides=[2])
    torch.save(trained.state_dict(), "bundles/hippocampus_nacl/models/model.pt")
    loaded = load(
        "hippocampus_nacl",
        bundle_dir=tmp_path / "bundles",
        workflow_type=workflow,
        device="cpu",
        load_ts_module=False,
        net_override={"channels": [4, 8], "strides": [2], "dropout": 0.25},
    )
    assert isinstance(loaded, torch.nn.Module)
    assert 0.25 in shares_of(loaded)
    assert all(torch.equal(weights, trained.state_dict()[name]) for name, weights in loaded.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles"]


@pytest.mark.filterwarnings("ignore:The TorchScript type system")
def test_monai_exports_another_network_by_an_option(tmp_path: Path) -> None:
    trained = unetpp(*SIZES, features=[4] * 6).eval()
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    ckpt_export(
        "network_def",
        str(tmp_path / "model.ts"),
        str(tmp_path / "model.pt"),
        meta_file=str(CONFIGS / "metadata.json"),
        config_file=str(CONFIGS / "inference.json"),
        **{"network_def#_target_": "calib_monai.networks.unetpp", "network_def#features": [4] * 6},
    )
    image = torch.randn(1, 1, 48, 64)
    torch.testing.assert_close(torch.jit.load(tmp_path / "model.ts")(image), trained(image))
