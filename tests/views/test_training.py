"""Two views of a batch through a network, and one of image and label, inside MONAI's trainer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ignite.handlers import EMAHandler
from monai.bundle import ConfigParser
from monai.engines import PrepareBatchExtraInput, SupervisedEvaluator, SupervisedTrainer, default_prepare_batch
from monai.inferers import Inferer, SimpleInferer
from torch import nn

from calib_monai.handlers import EpochMean, NonFiniteLossGuard
from calib_monai.losses import BWCRLoss, NACLLoss
from calib_monai.slices import SliceLoader
from calib_monai.transforms import BoundaryWeightd
from calib_monai.views import AugmentedBatch, TwoViewInferer, Views
from calib_monai.views.augmentation import RandomViews

PLAIN = RandomViews(gamma=(1, 1), intensity_scale=(1, 1), intensity_shift=0, blur=0, sharpen=(0, 0), noise=(0, 0))


def images(*shape: int) -> torch.Tensor:
    """Images that rise linearly from 0 to 1."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, size) for size in shape[2:]), indexing="ij")
    return (0.3 * y + 0.7 * x).expand(shape)


def network(channels: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)
    )


def loader(**options: Any) -> SliceLoader:
    generator = torch.Generator().manual_seed(0)
    volumes = []
    for _ in range(2):
        coarse = torch.rand(1, 3, 4, 4, 3, generator=generator)
        label = nn.functional.interpolate(coarse, size=(20, 24, 6)).argmax(dim=1)
        noise = 0.1 * torch.rand(label.shape, generator=generator)
        volumes.append(BoundaryWeightd()({"image": label / 3 + noise, "label": label, "case": "c"}))
    return SliceLoader(volumes, batch_size=4, **options)


def trainer(
    net: nn.Module,
    inferer: Inferer,
    loss: nn.Module,
    prepare_batch: Callable[..., Any],
    *handlers: Any,
    epochs: int = 2,
) -> Any:
    return SupervisedTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=loader(extra_keys=("weight",)),
        network=net,
        optimizer=torch.optim.Adam(net.parameters(), 0.01),
        loss_function=loss,
        inferer=inferer,
        prepare_batch=prepare_batch,
        train_handlers=list(handlers),
    )


def surprise(net: nn.Module) -> float:
    """The network's cross-entropy on the slices as they are."""
    with torch.no_grad():
        batch = {key: kept.take(torch.arange(len(kept))) for key, kept in loader().slices.items()}
        return nn.functional.cross_entropy(net.eval()(batch["image"]), batch["label"].squeeze(1).long()).item()


def test_what_the_network_says_of_a_view_comes_back_to_where_it_saw_it() -> None:
    ramps, weight = images(16, 2, 48, 64), torch.rand(16, 1, 48, 64)
    views = TwoViewInferer(PLAIN)(ramps, lambda image: image, weight=weight)
    assert views.valid.shape == (16, 2, 48, 64)
    assert views.weight is weight
    assert (views.valid[:, 0] != views.valid[:, 1]).any()
    for channel, logits in enumerate((views.first, views.second)):
        assert (logits - ramps).abs()[views.valid[:, [channel]].expand_as(ramps)].max() < 1e-4
    assert not torch.equal(views.first, views.second)


def test_the_network_sees_each_view_with_the_arguments_given() -> None:
    seen = []

    def recorded(image: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append((image, args, kwargs))
        return image

    views = TwoViewInferer()(images(3, 1, 24, 32), recorded, 7, scale=2)
    assert [(image.shape, *given) for image, *given in seen] == 2 * [((3, 1, 24, 32), (7,), {"scale": 2})]
    assert not torch.equal(seen[0][0], seen[1][0])
    assert views.weight is None


def test_gradients_of_both_views_reach_the_network() -> None:
    for chosen in range(2):
        net = network()
        views = TwoViewInferer()(images(4, 1, 24, 32), net)
        (views[chosen] * views.valid[:, [chosen]]).square().sum().backward()
        assert all(weights.grad.abs().sum() > 0 for weights in net.parameters())


def test_logits_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(6, 1, 12, 16\)"):
        TwoViewInferer()(images(3, 1, 24, 32), lambda image: image[..., ::2, ::2])


def test_autocast_gives_views_in_single_precision() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        views = TwoViewInferer()(images(2, 1, 24, 32), network())
        loss = BWCRLoss()(views, torch.zeros(2, 1, 24, 32))
    assert views.first.dtype == views.second.dtype == loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("boundary_weighted", [False, True])
def test_a_trainer_learns_with_views_weights_from_the_batch_and_a_moving_average(
    boundary_weighted: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, seen = network(), []
    before = {name: values.clone() for name, values in net.state_dict().items()}
    ema = EMAHandler(net, momentum=0.01, handle_buffers="update")
    prepare = PrepareBatchExtraInput(extra_keys={"weight": "weight"})
    loss = BWCRLoss(boundary_weighted=boundary_weighted)
    forward = loss.forward
    monkeypatch.setattr(loss, "forward", lambda views, target: seen.append(views) or forward(views, target))
    mean, guard = EpochMean("train_loss"), NonFiniteLossGuard(".")
    engine = trainer(net, TwoViewInferer(), loss, prepare, mean, guard, ema, epochs=12)
    expected = {name: values.clone() for name, values in ema.ema_model.state_dict().items()}

    def average() -> None:
        for name, values in net.state_dict().items():
            new = 0.99 * expected[name] + 0.01 * values if values.is_floating_point() else values.clone()
            expected[name] = new

    engine.add_event_handler("ITERATION_COMPLETED", average)
    engine.run()
    assert 0 < engine.state.metrics["train_loss"] < 1
    assert surprise(net) < 0.9 * math.log(3)
    assert len(seen) == 36
    assert all(isinstance(views, Views) and views.weight.shape == (4, 1, 20, 24) for views in seen)
    averaged = ema.ema_model.state_dict()
    torch.testing.assert_close(averaged, expected)
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        assert not torch.equal(averaged[name], before[name])
        assert not torch.equal(averaged[name], net.state_dict()[name])


def test_a_bundle_says_so_in_json_and_validates_the_moving_average() -> None:
    parser = ConfigParser(
        {
            "network": network(),
            "ema": {"_target_": "ignite.handlers.EMAHandler", "model": "@network", "momentum": 0.01},
            "inferer": {
                "_target_": "calib_monai.views.TwoViewInferer",
                "random_views": {"_target_": "calib_monai.views.augmentation.RandomViews", "scale": [0.8, 1.2]},
            },
            "prepare_batch": {"_target_": "calib_monai.views.AugmentedBatch", "augment": False},
            "loss": {"_target_": "calib_monai.losses.BWCRLoss", "boundary_weighted": False},
            "validated": "$@ema.ema_model",
        }
    )
    names = ("network", "ema", "inferer", "prepare_batch", "loss", "validated")
    net, ema, inferer, prepare, loss, validated = (parser.get_parsed_content(name) for name in names)
    assert inferer.random_views.scale == (0.8, 1.2)
    trainer(net, inferer, loss, prepare, ema).run()
    evaluator = SupervisedEvaluator("cpu", loader(), validated, inferer=SimpleInferer(), decollate=False)
    evaluator.run()
    batch = evaluator.state.output
    with torch.no_grad():
        assert torch.equal(batch["pred"], ema.ema_model(batch["image"]))
        assert not torch.allclose(batch["pred"], net.eval()(batch["image"]), atol=1e-4)


def test_an_average_that_copies_buffers_shares_them_with_the_network() -> None:
    # Which is why `handle_buffers` is "update": what one then learns of a validation, the other forgets.
    for how, shared in (("copy", True), ("update", False)):
        net = network()
        ema = EMAHandler(net, momentum=0.01, handle_buffers=how)
        trainer(net, TwoViewInferer(), BWCRLoss(), default_prepare_batch, ema).run()
        assert (ema.ema_model[1].running_mean.data_ptr() == net[1].running_mean.data_ptr()) == shared


def test_without_augmentation_a_batch_is_monais() -> None:
    image, label = images(2, 1, 24, 32), torch.ones(2, 1, 24, 32, dtype=torch.uint8)
    plain = AugmentedBatch(augment=False)
    for batch in ({"image": image, "label": label}, (image, label), {"image": image}, image, {"reals": image}):
        made, expected = plain(batch, "cpu"), default_prepare_batch(batch, "cpu")
        assert type(made) is type(expected)
        assert all(one is other for one, other in zip(made, expected, strict=True)) or made is image


def test_image_and_label_are_seen_in_one_view() -> None:
    image, label = images(4, 1, 24, 32), (images(4, 1, 24, 32) * 4).floor()
    torch.manual_seed(1)
    seen, moved = AugmentedBatch()({"image": image, "label": label}, device="cpu")
    torch.manual_seed(1)
    view = RandomViews()(image)
    assert torch.equal(seen, view.image)
    assert torch.equal(moved, view.labels(label))
    assert not torch.equal(moved, label)
    assert set(moved.unique().tolist()) <= {0, 1, 2, 3, 4}
    assert AugmentedBatch()(image)[1] is None


def test_any_method_trains_on_augmented_batches() -> None:
    engine = trainer(network(), SimpleInferer(), NACLLoss(), AugmentedBatch(), EpochMean("train_loss"))
    engine.run()
    assert 0 < engine.state.metrics["train_loss"] < 2
