"""The trainer of slices: what it does at its start, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import Dataset, MetaTensor
from monai.inferers import Inferer, SimpleInferer
from monai.transforms import Compose, Flipd, RandFlipd
from torch import nn

from calib_monai import engines
from calib_monai.boundaries import boundary_weight
from calib_monai.engines import InputEvaluator, SliceTrainer, VolumeEvaluator
from calib_monai.handlers import PredictionsSaver
from calib_monai.losses import BWCRLoss, NACLLoss
from calib_monai.predicted_cases import Inputs
from calib_monai.predictions import ProbsAndLabeld
from calib_monai.processes import OwnPart
from calib_monai.refusals import OneLine
from calib_monai.views import TwoViewInferer


def trainer(**given: Any) -> SliceTrainer:
    image = torch.rand(1, 8, 8, 4, generator=torch.Generator().manual_seed(0))
    volumes = Dataset([{"image": image, "label": (image > 0.5).float(), "case": "one"}])
    network = nn.Conv2d(1, 2, 3, padding=1)
    made: dict[str, Any] = {
        "network": network,
        "optimizer": torch.optim.SGD(network.parameters(), lr=0.1),
        "batch_size": 4,
    }
    made |= {"dataset": volumes, "loss_function": NACLLoss()}
    return SliceTrainer(device=torch.device("cpu"), max_epochs=1, **made | given)


def test_later_rounds_of_one_trainer_keep_their_weights_and_epochs() -> None:
    made = trainer()
    starts: list[int] = []
    made.starts.append(lambda: starts.append(made.state.epoch))
    for epoch in (1, 2):
        made.state.max_epochs = epoch
        made.run()
    assert starts == [0]
    assert made.state.epoch == 2


@pytest.mark.parametrize("inferer", [SimpleInferer(), TwoViewInferer()])
def test_a_network_that_gives_probabilities_is_refused_in_its_first_step(inferer: Inferer) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Softmax(1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    loss = BWCRLoss() if isinstance(inferer, TwoViewInferer) else NACLLoss()
    made = trainer(network=network, optimizer=optimizer, inferer=inferer, loss_function=loss)
    with pytest.raises(ValueError, match=r"^network_def gives probabilities"):
        made.run()
    assert made.state.iteration == 1


def test_a_start_that_is_refused_is_tried_again() -> None:
    made = trainer()

    def refuse() -> None:
        raise ValueError("there is an earlier training")

    made.starts.append(refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="an earlier training"):
            made.run()


def test_processes_do_not_share_the_batches_of_networks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: Callable[[], int] = lambda: 2  # noqa: E731
    monkeypatch.setattr(engines, "num_processes", joined)
    with pytest.raises(ValueError, match=r"^2 processes run together, .* train with configs/multi_gpu_train.json"):
        trainer()


@pytest.mark.parametrize("augment", [False, True])
def test_views_are_not_left_out_silently_where_there_are_further_maps(augment: bool) -> None:  # noqa: FBT001
    with pytest.raises(ValueError, match=rf"^augment is {augment} and extra_keys are \['weight'\]"):
        trainer(augment=augment, extra_keys=["weight"])


@pytest.mark.parametrize("augment", [None, False, True])
def test_a_random_transform_that_would_be_drawn_once_is_refused(augment: bool | None) -> None:  # noqa: FBT001
    volumes = Dataset([{}], Compose([Flipd("image"), Compose([RandFlipd(["image", "label"], prob=0.5)])]))
    with pytest.raises(ValueError, match=r"^the preprocessing of the training has RandFlipd, .* leave it out") as stop:
        trainer(dataset=volumes, augment=augment)
    assert ("--augment True" in str(stop.value)) == (augment is not None)


def test_the_weights_of_a_boundary_weighted_loss_are_computed_once_for_each_volume() -> None:
    for weighted in (True, False):
        loss = BWCRLoss(width=2, boundary_weighted=weighted)
        slices = trainer(loss_function=loss, inferer=TwoViewInferer()).data_loader.slices
        assert ("weight" in slices) == weighted
    with pytest.raises(KeyError, match="weight"):  # where the volumes are said to have them, as in earlier bundles
        trainer(loss_function=BWCRLoss(width=2), inferer=TwoViewInferer(), extra_keys=["weight"])
    near = trainer(loss_function=BWCRLoss(width=2), inferer=TwoViewInferer())
    [batch] = near.data_loader
    expected = boundary_weight(batch["label"], 2, 1.0, 0.01)
    assert torch.allclose(batch["weight"], expected, atol=1e-3)  # kept as float16


def test_an_evaluation_of_two_cases_of_one_name_is_refused_before_it_begins() -> None:
    cases = [{"image": "/a/image.nii.gz"}, {"image": "/b/image.nii.gz"}]
    evaluator = VolumeEvaluator(dataset=Dataset(cases), device=torch.device("cpu"), network=nn.Conv2d(1, 2, 3))
    with pytest.raises(ValueError, match=r"^/a/image.nii.gz and /b/image.nii.gz are both of the case image"):
        evaluator.run()


def test_what_an_inference_refuses_is_told_without_the_name_of_the_evaluator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is of an image, and not of an argument of the evaluator."""
    part = {"_target_": "calib_monai.engines.input_evaluator", "cases": ["a.nii"], "dataset": None, "device": "cpu"}
    with pytest.raises(RuntimeError) as error:
        ConfigParser({"evaluator": part}).get_parsed_content("evaluator")
    OneLine(lambda *_: None)(error.type, error.value, error.tb)
    said = "error: cases is a list, and nothing checks it: a list of cases is given as dataset#data\n"
    assert capsys.readouterr().err == said


def test_processes_that_run_together_do_not_each_evaluate_all_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [{"image": "/a/one.nii.gz"}, {"image": "/a/two.nii.gz"}]
    given: dict[str, Any] = {"device": torch.device("cpu"), "network": nn.Conv2d(1, 2, 3)}
    made_before = VolumeEvaluator(dataset=Dataset(cases), **given)
    joined: Callable[[], int] = lambda: 2  # noqa: E731
    monkeypatch.setattr(engines, "num_processes", joined)
    for evaluate in (made_before.run, lambda: VolumeEvaluator(dataset=Dataset(cases), **given)):
        with pytest.raises(ValueError, match=r"^2 processes run together, and each would evaluate all 2 case\(s\)"):
            evaluate()
    VolumeEvaluator(dataset=Dataset(OwnPart(cases[:1], cases)), **given)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_case_that_is_not_loaded_or_predicted_does_not_cost_the_others(num_workers: int, tmp_path: Path) -> None:
    values = {"one": 1.0, "gone": -1.0, "vast": float("inf"), "last": 2.0}
    cases: Any = Inputs({"image": f"{name}.nii", "case": name} for name in values)

    def loading(case: dict[str, Any]) -> dict[str, Any]:
        value = values[case["case"]]
        if value < 0:
            raise OSError("the disk is gone")
        return case | {"image": MetaTensor(torch.full((1, 8, 8, 2), value), torch.eye(4))}

    transform = Compose([loading, Flipd("image", 0)])
    saver = PredictionsSaver(str(tmp_path), ["background", "structure"], ["label"])
    evaluator = InputEvaluator(
        dataset=Dataset(cases, transform),
        lose=cases.lose,
        device=torch.device("cpu"),
        num_workers=num_workers,
        network=nn.Conv3d(1, 2, 1),
        postprocessing=ProbsAndLabeld(transform),
        val_handlers=[saver],
    )
    evaluator.run()
    assert cases.lost == ["gone", "vast"]
    assert cases.failed[0] == "gone.nii cannot be loaded or prepared: the disk is gone"
    assert re.match(r"the network gives a probability that is no number \(NaN\) for vast: ", cases.failed[1])
    assert {path.parent.name for path in tmp_path.glob("predictions/*/*_label.nii.gz")} == {"one", "last"}
