"""Methods: a training whose loss is another than its bundle's is not called as the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.losses import DiceCELoss, FocalLoss

from calib_monai.losses import CompoundLoss, CRaCLoss, NACLLoss
from calib_monai.made_for import FILE
from calib_monai.methods import described_loss, method_of_model, with_method
from calib_monai.whole_files import write_json

CONFIG = str(Path(__file__).parents[1] / "bundles" / "hippocampus_nacl" / "configs" / "train.json")


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (NACLLoss(), "nacl"),
        (NACLLoss(penalty_weight=0.5, kernel_size=5), "nacl, kernel_size 5, penalty_weight 0.5"),
        (FocalLoss(to_onehot_y=True, use_softmax=True), "FocalLoss"),
        (CompoundLoss({"nacl": NACLLoss()}, {"nacl": 1.0}), "CompoundLoss"),
    ],
    ids=["the bundle's", "other arguments", "another", "a compound"],
)
def test_a_training_is_called_by_its_loss(loss: torch.nn.Module, told: str, tmp_path: Path) -> None:
    content = with_method({"dataset": "a"}, "nacl", loss, CONFIG)
    assert content["dataset"] == "a"
    assert set(content["method"].split(", ")) == set(told.split(", "))
    assert content["loss"]["loss"] == type(loss).__name__
    write_json(tmp_path / FILE, content)
    assert method_of_model(str(tmp_path), "nacl") == content["method"]
    assert method_of_model(str(tmp_path), "mine") == "mine"  # an option of the evaluation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CompoundLoss({"a": NACLLoss()}, {"a": 1.0}), CompoundLoss({"a": NACLLoss()}, {"a": 0.2})),
        (FocalLoss(weight=[1.0, 2.0]), FocalLoss(weight=[1.0, 9.0])),
        (DiceCELoss(weight=torch.tensor([1.0, 2.0])), DiceCELoss()),
    ],
)
def test_weights_of_terms_and_classes_make_another_training(one: torch.nn.Module, other: torch.nn.Module) -> None:
    assert described_loss(one) != described_loss(other)


def test_the_state_of_a_loss_is_no_argument() -> None:
    before, loss = described_loss(CRaCLoss(2)), CRaCLoss(2)
    loss.multipliers.multiplier.fill_(0.5)
    assert described_loss(loss) == before


def test_a_file_without_a_loss_or_a_model_that_says_nothing_changes_no_name(tmp_path: Path) -> None:
    assert method_of_model(str(tmp_path), "ce") == "ce"
    assert with_method({}, "ce", NACLLoss(), str(tmp_path / "none.json"))["method"] == "NACLLoss"
