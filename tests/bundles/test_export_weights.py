"""Weights in an export: those of another network are refused by a few words, and no results of others are shown."""

from __future__ import annotations

import json
import re
import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from calib_monai.networks import unet
from calib_monai.posthoc import ConformalFit, MarginFit, TemperatureScaling, save_conformal
from calib_monai.posthoc.files import save_calibrator

REPOSITORY = Path(__file__).parents[2]
EXPORT = runpy.run_path(str(REPOSITORY / "scripts" / "export_bundle.py"))
METADATA, INFERENCE = "configs/metadata.json", "configs/inference.json"


def weights_of(bundle: Path, network: str = "unet") -> dict[str, torch.Tensor]:
    """The weights of a network as it starts, for the channels and classes of a bundle."""
    parser = ConfigParser(json.loads((bundle / INFERENCE).read_text()))
    parser["network_def#_target_"] = f"calib_monai.networks.{network}"
    return parser.get_parsed_content("network_def").state_dict()


def test_weights_of_another_network_are_refused(bundle: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    weights = weights_of(bundle)
    first, *_, last = weights
    wanted = "the zoo wants the weights of network_def in configs/inference.json, calib_monai.networks.unet"
    for model, said in (
        ({"network": weights, "optimizer": {}}, "it holds network, optimizer; the zoo wants a state dict of weights"),
        (weights | {last: torch.zeros(9)}, rf"of its weights 1 are of another size \(first {last}\); {wanted}$"),
        (
            {"mine": torch.zeros(1)},
            rf".*32 of 32 are missing \(first {first}\), 1 are not of the network \(first mine\); {wanted}$",
        ),
    ):
        torch.save(model, tmp_path / "best.pt")
        assert re.match(f"error: models/model.pt: {said}", refused(bundle, "--model", tmp_path / "best.pt"))
    (tmp_path / "best.pt").write_text("no weights")
    assert "it cannot be read, " in refused(bundle, "--model", tmp_path / "best.pt")
    metadata = json.loads((bundle / METADATA).read_text())
    metadata["network_data_format"]["outputs"]["pred"]["num_channels"] = 5
    (bundle / METADATA).write_text(json.dumps(metadata))
    torch.save(weights, tmp_path / "best.pt")
    assert "it must give (1, 5, 48, 64)" in refused(bundle, "--model", tmp_path / "best.pt")


def test_weights_of_another_network_of_the_bundle_are_told_by_its_name(
    bundle: Path, tmp_path: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(weights_of(bundle, "unetpp"), tmp_path / "best.pt")
    said = refused(bundle, "--model", tmp_path / "best.pt")
    assert said.endswith(
        "networks.unet; these fit calib_monai.networks.unetpp: write that there and in configs/train.json"
    )
    assert len(said) < 400
    for file in ("configs/train.json", INFERENCE):
        path = bundle / file
        path.write_text(path.read_text().replace('"calib_monai.networks.unet"', '"calib_monai.networks.unetpp"'))
    assert EXPORT["main"]([str(bundle), "--model", str(tmp_path / "best.pt"), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "hippocampus_nacl_v0.1.0.zip")


def test_weights_of_a_network_for_volumes_are_told_as_such(
    bundle: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    weights = unet(1, 3, [16, 16, 8], spatial_dims=3, spacing=[1, 1, 1]).state_dict()
    torch.save(weights, tmp_path / "best.pt")
    said = refused(bundle, "--model", tmp_path / "best.pt")
    assert "models/model.pt: of its weights" in said  # volumes.json has larger patches, which need more levels
    (tmp_path / "model.json").write_text(json.dumps({"slice_size": [48, 64, 64]}))
    larger = unet(1, 3, [40, 56, 40], spatial_dims=3, spacing=[1, 1, 1]).state_dict()
    torch.save(larger, tmp_path / "model.pt")
    said = refused(bundle, "--model", tmp_path / "model.pt")
    assert "models/model.json: slice_size is [48, 64, 64]; the zoo wants that of configs/train.json, [40, 56, 4" in said
    (bundle / "configs" / "volumes.json").unlink()
    said = refused(bundle, "--model", tmp_path / "best.pt")
    assert "models/model.pt: it is of a network for volumes; the zoo wants" in said
    assert said.endswith("and the bundle has no configs/volumes.json")


def test_the_results_of_the_repository_are_not_shown_beside_other_weights(bundle: Path, tmp_path: Path) -> None:
    shown = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert "0.844" in shown
    assert EXPORT["bundle_files"](bundle)["docs/README.md"].decode() == shown
    torch.save(weights_of(bundle), tmp_path / "best.pt")
    page = EXPORT["bundle_files"](bundle, tmp_path / "best.pt")["docs/README.md"].decode()
    before, results = shown.split("## Performance\n")
    _, after = results.split("## MONAI Bundle Commands\n")
    said = "Of these weights none are told here: evaluate them, and show what `eval/summary.csv` says."
    assert page == f"{before}## Performance\n\n{said}\n\n## MONAI Bundle Commands\n{after}"


@pytest.mark.parametrize(
    ("made_for", "said"),
    [
        ({"slice_size": [64, 64]}, r"slice_size is \[64, 64\]; .* that of configs/train.json, \[48, 64\]"),
        ({"class_names": ["background", "a", "b"]}, r'class_names is .*"a", "b"\]; .*"anterior", "posterior"\]'),
        ({"bundle_method": "svls"}, r'bundle_method is "svls"; .* that of configs/train.json, "nacl"'),
        ({"dataset": "acdc"}, r'dataset is "acdc"; .* that of configs/train.json, "hippocampus"'),
        ({"channels": ["T2"]}, r'channels is \["T2"\]; .*\["T1"\]'),
        ([], r"it holds \[\]"),
    ],
)
def test_weights_that_were_made_for_something_else_are_refused(
    bundle: Path, tmp_path: Path, refused: Callable[..., str], made_for: object, said: str
) -> None:
    torch.save(weights_of(bundle), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text(json.dumps(made_for))
    assert re.match(f"error: models/model.json: {said}", refused(bundle, "--model", tmp_path / "model.pt"))


def test_an_inference_that_contradicts_the_weights_is_refused(
    bundle: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    torch.save(weights_of(bundle), tmp_path / "model.pt")
    train, inference = (
        json.loads((bundle / "configs" / f"{name}.json").read_text()) for name in ("train", "inference")
    )
    (tmp_path / "model.json").write_text(json.dumps({"class_names": train["class_names"]}))
    inference["class_names"] = ["background", "posterior", "anterior"]
    (bundle / "configs" / "inference.json").write_text(json.dumps(inference))
    said = refused(bundle, "--model", tmp_path / "model.pt")
    assert said.startswith("error: models/model.json: class_names is ")
    assert 'that of configs/inference.json, ["background", "posterior", "anterior"]' in said


@pytest.mark.parametrize("own", [True, False], ids=["the bundle's own", "given"])
def test_a_calibrator_of_the_weights_goes_with_them(
    bundle: Path, tmp_path: Path, refused: Callable[..., str], *, own: bool
) -> None:
    folder = bundle / "models" if own else tmp_path / "m"
    folder.mkdir()
    given = [] if own else ["--model", str(folder / "model.pt")]
    weights = weights_of(bundle)
    torch.save(weights, folder / "model.pt")
    path = save_calibrator(TemperatureScaling(), "ts", str(folder))
    fits = ConformalFit(), MarginFit()
    for fit in fits:
        fit.add(torch.full((1, 3, 2, 2), 1 / 3), torch.ones(1, 1, 2, 2))
    conformal = [save_conformal(*fits, kind, str(folder)) for kind in ("none", "ts")]
    assert EXPORT["main"]([str(bundle), *given, "--out", str(tmp_path)]) == 0
    with zipfile.ZipFile(tmp_path / "hippocampus_nacl_v0.1.0.zip") as packed:
        for file in (path, *conformal):
            assert packed.read(f"hippocampus_nacl/models/{file.name}") == file.read_bytes()
    torch.save({name: value + 1 for name, value in weights.items()}, folder / "model.pt")
    said = "error: models/calibrator_ts.safetensors: it was fitted to other weights than models/model.pt; the zoo wants"
    assert refused(bundle, *given).startswith(said)
    path.write_bytes(b"no calibrator")
    assert "models/calibrator_ts.safetensors: it cannot be read; the zoo wants" in refused(bundle, *given)


def test_what_the_weights_were_made_for_goes_with_them(bundle: Path, tmp_path: Path) -> None:
    torch.save(weights_of(bundle), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text(json.dumps({"axcodes": "LPS"}))
    assert EXPORT["main"]([str(bundle), "--model", str(tmp_path / "model.pt"), "--out", str(tmp_path)]) == 0
    with zipfile.ZipFile(tmp_path / "hippocampus_nacl_v0.1.0.zip") as packed:
        assert json.loads(packed.read("hippocampus_nacl/models/model.json")) == {"axcodes": "LPS"}
