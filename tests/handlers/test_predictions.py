"""What an inference says of a structure: numbers that can be counted by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from torch import nn

from calib_monai.handlers import PredictionsSaver, ViewSpread
from calib_monai.handlers.predictions import structure
from calib_monai.posthoc import TemperatureScaling, save_calibrator
from calib_monai.predicted_cases import Inputs
from calib_monai.views import RandomViews

PROBS = torch.tensor(
    [
        [0.00, 0.04, 0.06, 0.04, 0.00],
        [0.04, 0.60, 0.74, 0.60, 0.04],
        [0.10, 0.80, 0.97, 0.80, 0.10],
        [0.04, 0.90, 0.96, 0.76, 0.04],
        [0.00, 0.04, 0.06, 0.04, 0.00],
    ]
)


def test_the_numbers_of_a_structure_are_what_they_are_called() -> None:
    told = structure(PROBS, PROBS > 0.5, "area_pixels", 2.0, uncertain_below=0.75)
    assert told == {
        "area_pixels": 18.0,
        "area_pixels_expected": pytest.approx(2 * PROBS.sum().item(), abs=1e-4),
        "mean_confidence": pytest.approx(PROBS[PROBS > 0.5].mean().item(), abs=1e-4),
        "uncertain_surface": 3 / 8,  # all but the one in the middle lie at the surface; 0.60, 0.74 and 0.60
    }


def test_tiny_probabilities_of_a_large_background_are_no_expected_volume() -> None:
    probs = torch.full((300, 300), 0.002)  # 180 pixels in all
    probs[:5, :5] = PROBS
    told = structure(probs, probs > 0.5, "area_pixels", 2.0, uncertain_below=0.75)
    assert told["area_pixels_expected"] == pytest.approx(2 * PROBS[PROBS >= 0.01].sum().item(), abs=1e-4)
    assert "note" not in told


def test_an_interval_is_told_in_the_unit_of_the_volume() -> None:
    told = structure(PROBS, PROBS > 0.5, "volume_ml", 0.5, uncertain_below=0.75, interval=(2.5, 11.0))
    assert told["volume_ml_interval"] == [1.25, 5.5]
    assert not any("low" in name or "high" in name for name in told)


def test_a_structure_that_is_not_there_has_an_expected_volume_and_no_confidence() -> None:
    told = structure(PROBS / 2, torch.zeros(5, 5, dtype=torch.bool), "area_pixels", 1.0, uncertain_below=0.75)
    assert told["area_pixels"] == 0
    assert told["area_pixels_expected"] == pytest.approx(PROBS.sum().item() / 2, abs=1e-4)
    assert told["mean_confidence"] is told["uncertain_surface"] is None


def saved(folder: Path, pred: torch.Tensor) -> dict[str, Any]:
    """What is written of a case whose probabilities of class 1 are `PROBS` in all slices."""
    of_one = PROBS if pred.ndim == 3 else PROBS.unsqueeze(-1).expand(5, 5, pred.shape[-1])
    engine: Any = Engine(lambda _engine, _batch: None)
    engine.state.batch = [{"case": "one"}]
    engine.state.output = [{"prob": torch.stack([1 - of_one, of_one]), "pred": pred}]
    PredictionsSaver(str(folder), ["background", "tumor"])(engine)
    told: dict[str, Any] = json.loads((folder / "predictions" / "one" / "one_structures.json").read_text())
    return told["structures"]["tumor"]


def test_the_volume_of_a_voxel_follows_from_the_affine(tmp_path: Path) -> None:
    affine = torch.tensor([[0.0, 2, 0, 5], [-0.5, 0, 0, 1], [0, 0, 3, 2], [0, 0, 0, 1]], dtype=torch.float64)
    label = (PROBS > 0.5).float()[None, ..., None].expand(1, 5, 5, 4)
    assert saved(tmp_path, MetaTensor(label, affine=affine))["volume_ml"] == pytest.approx(9 * 4 * 3 / 1000)


def test_a_picture_is_told_in_pixels(tmp_path: Path) -> None:
    assert saved(tmp_path, MetaTensor((PROBS > 0.5).float()[None]))["area_pixels"] == 9


def test_only_what_an_inference_wrote_of_a_case_is_removed(tmp_path: Path) -> None:
    saver, engine = PredictionsSaver(str(tmp_path), ["background", "tumor"]), Engine(lambda _engine, _batch: None)
    folder = tmp_path / "predictions" / "one"
    folder.mkdir(parents=True)
    for name in ("one_probs.nii.gz", "one_structures.json", "one_corrected.nii.gz", "notes.txt"):
        (folder / name).touch()
    engine.state.batch = {"case": ["one"]}
    saver.clear(engine)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "one_corrected.nii.gz"]
    for name in ("..", ".", "", "../../other"):
        engine.state.batch = {"case": [name]}
        with pytest.raises(ValueError, match="a case is called"):
            saver.clear(engine)


def test_predictions_with_another_calibrator_are_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    saved(tmp_path, MetaTensor((PROBS > 0.5).float()[None]))

    def predict(calibrator: str, *, overwrite: bool = False) -> None:
        engine = Engine(lambda _engine, _batch: None)
        options: dict[str, Any] = {"calibrator": calibrator, "overwrite": overwrite}
        PredictionsSaver(str(tmp_path), ["background", "tumor"], **options).attach(engine)
        engine.fire_event(Events.STARTED)

    predict("none")
    with pytest.raises(
        ValueError, match=r"one_structures.json is of an inference with the calibrator none, .* with ts"
    ):
        predict("ts")
    predict("ts", overwrite=True)


def test_predictions_of_another_network_are_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    """A new training of the same bundle replaces those of the old one, and what was written before says nothing."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for time, folder in enumerate(folders, start=1):
        folder.mkdir()
        (folder / "model.pt").write_bytes(bytes([time]))
        os.utime(folder / "model.pt", (time, time))

    def predict(ckpt_dir: str | list[str], *, overwrite: bool = False) -> dict[str, Any]:
        engine: Any = Engine(lambda _engine, _batch: None)
        saver = PredictionsSaver(str(tmp_path), ["background", "tumor"], ckpt_dir=ckpt_dir, overwrite=overwrite)
        saver.start(engine)
        engine.state.batch = [{"case": "one"}]
        engine.state.output = [{"prob": torch.stack([1 - PROBS, PROBS]), "pred": PROBS[None]}]
        saver(engine)
        told: dict[str, Any] = json.loads((tmp_path / "predictions" / "one" / "one_structures.json").read_text())
        return told

    first, second = map(str, folders)
    assert predict(first)["model"]["path"] == f"{first}/model.pt"
    os.utime(folders[0] / "model.pt", (3, 3))
    predict(first)
    with pytest.raises(ValueError, match=r"is of an inference of .*first/model.pt, and this one is of .*second"):
        predict(second)
    with pytest.raises(ValueError, match=r"is of an inference of a single network, and this one is of the ensemble"):
        predict([first, second])
    assert predict([first, second], overwrite=True)["members"] == [f"{first}/model.pt", f"{second}/model.pt"]


@pytest.mark.parametrize("changed", ["model.pt", "calibrator_ts.safetensors"])
def test_other_cases_of_a_model_or_a_fit_that_has_changed_since_are_told(
    changed: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "model.pt").touch()
    save_calibrator(TemperatureScaling(), "ts", str(tmp_path))

    def predict(case: str) -> None:
        engine: Any = Engine(lambda _engine, _batch: None)
        folder = str(tmp_path)
        PredictionsSaver(folder, ["background", "tumor"], calibrator="ts", ckpt_dir=folder).attach(engine)
        engine.fire_event(Events.STARTED)
        engine.state.batch = {"case": [case]}
        engine.fire_event(Events.ITERATION_STARTED)
        engine.state.batch = [{"case": case}]
        engine.state.output = [{"prob": torch.stack([1 - PROBS, PROBS]), "pred": PROBS[None]}]
        engine.fire_event(Events.ITERATION_COMPLETED)
        engine.fire_event(Events.COMPLETED)

    predict("one")
    predict("two")
    os.utime(tmp_path / changed, (1, 1))
    predict("one")
    assert "holds 1 case(s), first two, that were predicted with another model or calibrator" in caplog.text
    predict("two")
    assert caplog.text.count("were predicted") == 1


def test_the_same_image_has_the_same_spread_whatever_came_before() -> None:
    """Batch normalization, which would learn, and dropout, which would draw, are those of an evaluation."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 1))
    images = torch.rand(3, 1, 16, 16)
    images[2] = images[0]
    found = []
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"image": image[None]} for image in images],
        network=network,
        val_handlers=[
            ViewSpread(RandomViews(blur=0), TemperatureScaling(), num_views=3),
            IterationKeeper(found),
        ],
        decollate=False,
    )
    state = torch.get_rng_state()
    evaluator.run()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(found[0]["spread"], found[2]["spread"])
    assert torch.equal(found[0]["pred"], found[2]["pred"])
    assert found[0]["spread"].shape == (1, 1, 16, 16)
    assert found[0]["spread"].max() > 0
    assert network.training


class IterationKeeper:
    """Keeps what each iteration puts out."""

    def __init__(self, kept: list[dict[str, torch.Tensor]]) -> None:
        self.kept = kept

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: self.kept.append(dict(engine.state.output)))


def test_an_earlier_inference_leaves_nothing_behind(tmp_path: Path) -> None:
    old = tmp_path / "predictions" / "one" / "one_probs.nii.gz"
    old.parent.mkdir(parents=True)
    old.touch()
    other = tmp_path / "predictions" / "two" / "two_probs.nii.gz"
    other.parent.mkdir()
    other.touch()
    engine: Any = Engine(lambda _engine, _batch: None)
    engine.state.batch = {"case": ["one"]}
    PredictionsSaver(str(tmp_path), ["background", "tumor"]).clear(engine)
    assert not old.exists()
    assert other.exists()


def test_two_cases_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    engine: Any = Engine(lambda _engine, _batch: None)
    saver = PredictionsSaver(str(tmp_path), ["background", "tumor"])
    saver.start(engine)
    engine.state.batch = {"case": ["one"]}
    saver.clear(engine)
    with pytest.raises(ValueError, match="two cases are called one: give each"):
        saver.clear(engine)
    saver.start(engine)  # another run, which replaces the first
    saver.clear(engine)


def test_two_cases_of_one_name_are_refused_before_the_first_is_predicted(tmp_path: Path) -> None:
    def start(data: list[Any]) -> None:
        loader = SimpleNamespace(dataset=Dataset(data))
        engine: Any = SimpleNamespace(data_loader=loader)
        PredictionsSaver(str(tmp_path), ["background", "tumor"]).start(engine)

    start([{"image": "a/x.nii"}, {"image": "b/y.nii"}])
    start([torch.zeros(1), torch.zeros(1)])  # of which nothing is known
    with pytest.raises(ValueError, match=r"a/x\.nii and b/x\.nii are both of the case x"):
        start([{"image": "a/x.nii"}, {"image": "b/x.nii"}])


def test_a_place_that_is_taken_is_told(tmp_path: Path) -> None:
    saver, engine = PredictionsSaver(str(tmp_path), ["background", "tumor"]), Engine(lambda _engine, _batch: None)
    folder = tmp_path / "predictions"
    (folder / "one" / "one_probs.nii.gz").mkdir(parents=True)
    engine.state.batch = {"case": ["one"]}
    with pytest.raises(ValueError, match=r"one_probs\.nii\.gz cannot be written or replaced: Is a directory"):
        saver.clear(engine)
    taken = PredictionsSaver(str(folder / "one"), ["background", "tumor"])
    (folder / "one" / "predictions").touch()
    with pytest.raises(ValueError, match=r"nothing can be written to .*/one/predictions: it is not a folder"):
        taken.start(engine)


def test_a_case_that_cannot_be_written_does_not_cost_the_others(tmp_path: Path) -> None:
    folder, cases = tmp_path / "predictions", Inputs([{"case": name} for name in ("one", "two", "three")])
    (folder / "one" / "one_probs.nii.gz").mkdir(parents=True)
    (folder / "two").touch()
    engine: Any = Engine(lambda _engine, _batch: None)
    engine.data_loader = SimpleNamespace(dataset=Dataset(cases))
    saver = PredictionsSaver(str(tmp_path), ["background", "tumor"])
    saver.start(engine)
    probs = torch.stack([1 - PROBS, PROBS])[..., None]
    for name in ("one", "two", "three"):
        engine.state.batch = {"case": [name]}
        saver.clear(engine)
        engine.state.batch = [{"case": name}]
        engine.state.output = [{"prob": probs, "pred": (probs[1:] > 0.5).float()}]
        saver(engine)
    assert cases.lost == ["one", "two"]
    assert [line.rsplit(": ")[1] for line in cases.failed] == ["Is a directory", "Not a directory"]
    assert (folder / "three" / "three_structures.json").is_file()


def test_an_image_in_memory_has_a_name_or_is_called_case(tmp_path: Path) -> None:
    saver, engine = PredictionsSaver(str(tmp_path), ["background", "tumor"]), Engine(lambda _engine, _batch: None)
    engine.state.batch = {"image": MetaTensor(torch.zeros(1, 1, 2, 2))}
    saver.clear(engine)
    assert saver.seen == {"case"}


def test_label_maps_have_their_names_and_colors_beside_them(tmp_path: Path) -> None:
    saved(tmp_path, MetaTensor((PROBS > 0.5).float()[None]))
    found = {path.name for path in (tmp_path / "predictions").iterdir()}
    assert found == {"one", "label_colors.ctbl", "label_colors.txt"}
    engine: Any = Engine(lambda _engine, _batch: None)
    PredictionsSaver(str(tmp_path), ["background", "tumor"]).start(engine)
    with pytest.raises(ValueError, match=r"label_colors.ctbl does not tell the classes of this inference"):
        PredictionsSaver(str(tmp_path), ["background", "vessel"]).start(engine)
    PredictionsSaver(str(tmp_path), ["background", "vessel"], overwrite=True).start(engine)
    PredictionsSaver(str(tmp_path), ["background", "vessel"], outputs=["probs"]).start(engine)
