"""The start of a run: the cheap checks come first, and a check runs only with what it checks."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.handlers import CheckpointLoader
from monai.inferers import SimpleInferer
from monai.transforms import Compose

from calib_monai.handlers import CalibratorFit, check_run, check_training
from calib_monai.losses import NACLLoss
from calib_monai.made_for import MadeFor


def made_for(*, classes: int = 2, slice_size: tuple[int, int] = (16, 16)) -> MadeFor:
    network, names = torch.nn.Conv2d(1, 2, 1), [str(number) for number in range(classes)]
    return MadeFor("phantoms", names, ["T1"], slice_size, "RAS", network=network, transforms=Compose([]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    for name in ("metadata", "train"):
        (tmp_path / "configs" / f"{name}.json").write_text("{}")
    return tmp_path


def loader_of(path: Path, network: torch.nn.Module) -> CheckpointLoader:
    return CheckpointLoader(load_path=str(path), load_dict={"network": network})


@pytest.mark.parametrize("wrong", range(5))
def test_of_many_faults_the_cheapest_is_told_first(root: Path, wrong: int) -> None:
    (root / "file").touch()
    faults: list[tuple[str, Any, Any, str]] = [
        ("bundle_root", str(root / "nowhere"), str(root), "holds no configs/metadata.json"),
        ("folders", [str(root / "file" / "models")], [str(root)], "^nothing can be written to"),
        ("made_for", made_for(classes=3, slice_size=(16, 17)), made_for(classes=3), "^slice_size is"),
        ("handlers", [loader_of(root / "model.pt", torch.nn.Conv2d(1, 2, 1))], [], "^there is no model at"),
        ("made_for", made_for(classes=3), made_for(), r"^Conv2d gives \(1, 2, 16, 16\)"),
    ]
    arguments = {name: good for name, _, good, _ in faults} | {"loss": torch.nn.MSELoss(), "inferer": SimpleInferer()}
    arguments |= {name: bad for name, bad, _, _ in reversed(faults[wrong:])}
    with pytest.raises(ValueError, match=faults[wrong][3]):
        check_run(**arguments)


def test_a_fold_is_checked_before_the_network_and_the_first_needs_no_look(root: Path) -> None:
    calls = []

    def datalist(fold: int = 0) -> None:
        calls.append(fold)
        raise ValueError(f"fold is {fold}")

    given: dict[str, Any] = {"bundle_root": str(root), "folders": [str(root)], "made_for": made_for(classes=3)}
    with pytest.raises(ValueError, match=r"^Conv2d gives"):
        check_run(**given, datalist=partial(datalist, fold=0))
    assert not calls
    with pytest.raises(ValueError, match=r"^fold is 9"):
        check_run(**given, datalist=partial(datalist, fold=9))


def test_a_training_is_checked_with_its_loss(root: Path) -> None:
    given: dict[str, Any] = {"bundle_root": str(root), "folders": [str(root)], "made_for": made_for()}
    check_run(**given, loss=NACLLoss(), inferer=SimpleInferer(), batch_size=1)
    with pytest.raises(ValueError, match=r"^CrossEntropyLoss cannot take logits"):
        check_run(**given, loss=torch.nn.CrossEntropyLoss(), inferer=SimpleInferer())


def test_a_model_is_checked_where_it_is_loaded_alone(root: Path) -> None:
    """A program that brings weights of its own disables the loader of the file."""
    made = made_for()
    given: dict[str, Any] = {"bundle_root": str(root), "folders": [], "made_for": made}
    check_run(**given)
    torch.save(made.network.state_dict(), root / "model.pt")
    loader = loader_of(root / "model.pt", made.network)
    check_run(**given, handlers=[loader])
    (root / "model.json").write_text(json.dumps({"class_names": ["background", "tumor"]}))
    with pytest.raises(ValueError, match=r"^class_names is"):
        check_run(**given, handlers=[loader])


def test_a_calibrator_is_fitted_where_the_split_of_the_model_is(root: Path) -> None:
    fit = CalibratorFit("ts", made_for(), str(root), str(root))
    with pytest.raises(ValueError, match=r"^there is no split\.json in"):
        check_run(str(root), [], made_for(), handlers=[fit])


def training(root: Path, **changed: Any) -> ConfigParser:
    """The configuration of a training, of which nothing but the checks is run."""
    parts = {
        "bundle_root": str(root),
        "ckpt_dir": str(root / "models"),
        "output_dir": str(root / "eval"),
        "slice_size": [16, 16],
        "epochs": 2,
        "val_interval": 1,
        "made_for": made_for(),
        "batch_size": 1,
        "loss": NACLLoss(),
        "train": {"inferer": SimpleInferer()},
        "validate": {"key_metric": {"val_dice_foreground": None}, "additional_metrics": None},
        "lr_scheduler": None,
        "resume": False,
        "overwrite": False,
    }
    return ConfigParser({**parts, **changed})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"slice_size": [16, 17]}, "^slice_size is"),
        ({"val_interval": 3}, "^epochs is 2 and val_interval 3"),
        ({"made_for": made_for(classes=3)}, "^Conv2d gives"),
        ({"loss": torch.nn.CrossEntropyLoss()}, "^CrossEntropyLoss cannot take logits"),
    ],
)
def test_a_training_is_checked_by_its_configuration(changed: dict[str, Any], said: str, root: Path) -> None:
    with pytest.raises(ValueError, match=said):
        check_training(training(root, **changed))


@pytest.mark.parametrize("removed", ["epochs", "batch_size", "train", "validate", "loss", "lr_scheduler", "resume"])
def test_parts_that_a_training_lacks_are_passed_over(removed: str, root: Path) -> None:
    config = training(root)
    del config.get()[removed]
    check_training(config)


def test_an_earlier_training_is_looked_for_last(root: Path) -> None:
    (root / "models").mkdir()
    (root / "models" / "checkpoint_epoch=1.pt").touch()
    with pytest.raises(ValueError, match="of an earlier training"):
        check_training(training(root))
    check_training(training(root, overwrite=True))
    with pytest.raises(ValueError, match="needs the configuration of a training: no configuration runs"):
        check_training()
