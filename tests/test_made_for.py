"""What a model was made for: it comes back as written, and what differs from it is told with both values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from monai.transforms import (
    Compose,
    CopyItemsd,
    EnsureTyped,
    Flipd,
    Lambdad,
    MapTransform,
    NormalizeIntensityd,
    RandFlipd,
    Resized,
    ScaleIntensityRanged,
    Spacingd,
    SpatialPadd,
    ThresholdIntensityd,
)

from calib_monai.made_for import (
    FILE,
    MadeFor,
    check_axes,
    check_made_for,
    far_from_training,
    model_axcodes,
    read_model_json,
)
from calib_monai.orientation import Geometry
from calib_monai.presets import channel
from calib_monai.whole_files import write_json

SEEN = {
    "a": Geometry((40, 50, 10), (1.0, 1.0, 3.0), "RAS"),
    "b": Geometry((12, 60, 44), (4.0, 1.0, 1.0), "SPL"),
}


def made_for(**changes: Any) -> MadeFor:
    """What a run does, but for some values."""
    window = changes.pop("window", (-160, 240))
    pixdim = changes.pop("pixdim", (2.0, 2.0, -1.0))
    transforms = Compose(
        [Compose([Spacingd("image", pixdim)]), ScaleIntensityRanged("image", *window, b_min=0, b_max=1, clip=True)]
    )
    given: dict[str, Any] = {
        "dataset": "flare",
        "class_names": ["background", "liver"],
        "channels": ["CT"],
        "slice_size": [48, 64],
        "axcodes": "RAS",
        "network": torch.nn.Conv2d(1, 2, 3),
        "transforms": transforms,
    }
    return MadeFor(**given | changes)


def test_what_a_training_writes_is_what_it_was_made_for(tmp_path: Path) -> None:
    write_json(tmp_path / FILE, made_for().written(SEEN, {"split_seed": 1, "fold": 2}))
    content = read_model_json(str(tmp_path))
    assert content is not None
    assert content["spacing"] == [2, 2, -1]
    assert content["spatial_dims"] == 2
    assert dict(content["intensity"])["ScaleIntensityRanged"]["a_min"] == -160
    assert content["network"]["_target_"] == "torch.nn.modules.conv.Conv2d"
    assert content["network"]["in_channels"] == 1
    assert content["split"] == {"split_seed": 1, "fold": 2}
    ranges = {"count": 2, "size": [[40, 44], [50, 60], [10, 12]], "spacing": [[1, 1], [1, 1], [3, 4]]}
    assert content["training_images"] == ranges
    check_made_for(made_for(), str(tmp_path), "unused.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slice_size": [64, 64]}, r"slice_size is \[64, 64\], and .*model.json says .* trained with \[48, 64\]"),
        ({"pixdim": (1.0, 2.0, -1.0)}, r"spacing is \[1.0, 2.0, -1.0\], and .* \[2.0, 2.0, -1.0\]"),
        ({"window": (-100, 240)}, r"ScaleIntensityRanged's a_min is -100, and .* -160"),
        ({"transforms": Compose([Spacingd("image", (2.0, 2.0, -1.0))])}, r"intensity is \[\], and "),
        ({"class_names": ["background", "spleen"]}, r'class_names is \["background", "spleen"\]'),
        ({"channels": ["CT", "PET"]}, r'channels is \["CT", "PET"\], and .* \["CT"\]'),
        ({"axcodes": "LPS"}, 'axcodes is "LPS", and .* "RAS": .*; give --axcodes RAS$'),
    ],
)
def test_a_run_that_differs_is_refused_with_both_values(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_json(tmp_path / FILE, made_for().written(SEEN, {}))
    with pytest.raises(ValueError, match=f"^{said}") as stop:
        check_made_for(made_for(**changes), str(tmp_path), "unused.json")
    assert "\n" not in str(stop.value)


def test_patches_of_another_size_are_refused_with_the_option_to_give(tmp_path: Path) -> None:
    write_json(tmp_path / FILE, made_for(spatial_dims=3, slice_size=[48, 64, 48]).written(SEEN, {}))
    said = r'^slice_size is \[40, 56, 40\], and .* \[48, 64, 48\].*; give --patch_size "\[48, 64, 48\]"$'
    with pytest.raises(ValueError, match=said):
        check_made_for(made_for(spatial_dims=3, slice_size=[40, 56, 40]), str(tmp_path), "unused.json")


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(
    ("here", "there", "mend"), [(2, 3, "give configs/volumes.json as"), (3, 2, "leave out configs/v")]
)
def test_a_model_of_volumes_is_none_of_slices(here: int, there: int, mend: str, earlier: bool, tmp_path: Path) -> None:  # noqa: FBT001
    sizes = {2: [48, 64], 3: [40, 56, 40]}
    content = made_for(spatial_dims=there, slice_size=sizes[there]).written(SEEN, {})
    if earlier:  # before a model.json said spatial_dims
        del content["spatial_dims"]
    write_json(tmp_path / FILE, content)
    check_axes(made_for(spatial_dims=there, slice_size=sizes[there]), str(tmp_path))
    with pytest.raises(ValueError, match=f"says that the model is of .*: {mend}"):
        check_axes(made_for(spatial_dims=here, slice_size=sizes[here]), str(tmp_path))


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        (
            [ThresholdIntensityd("image", -1), ThresholdIntensityd("image", 2)],
            [ThresholdIntensityd("image", -2), ThresholdIntensityd("image", 2)],
            "ThresholdIntensityd's threshold is -1, and .* -2",
        ),
        (
            [ThresholdIntensityd("image", 2)],
            2 * [ThresholdIntensityd("image", 2)],
            r"intensity is \[\[.*, and .*\], \[",
        ),
        (
            [NormalizeIntensityd("image", subtrahend=np.array([0.5]))],
            [NormalizeIntensityd("image", subtrahend=torch.tensor([0.25]))],
            r"NormalizeIntensityd's subtrahend is \[0.5\], and .* \[0.25\]",
        ),
        (
            [NormalizeIntensityd("image", dtype=np.float32)],
            [NormalizeIntensityd("image", dtype=np.float64)],
            "NormalizeIntensityd's dtype is .*float32.*, and .*float64",
        ),
        (
            [NormalizeIntensityd("image", divisor=2.0)],
            [NormalizeIntensityd("image")],
            "NormalizeIntensityd's divisor is 2.0, and .* null",
        ),
    ],
)
def test_each_argument_of_each_transform_counts(here: list[Any], there: list[Any], said: str, tmp_path: Path) -> None:
    write_json(tmp_path / FILE, made_for(transforms=Compose(there)).written(SEEN, {}))
    check_made_for(made_for(transforms=Compose(there)), str(tmp_path), "unused.json")
    with pytest.raises(ValueError, match=said):
        check_made_for(made_for(transforms=Compose(here)), str(tmp_path), "unused.json")


def test_what_a_transform_keeps_beside_its_arguments_does_not_count() -> None:
    later = ThresholdIntensityd("image", 2)
    later.new_in_monai = 3
    [told] = made_for(transforms=Compose([later, ThresholdIntensityd("label", 1)])).settings["intensity"]
    assert told == ["ThresholdIntensityd", {"above": True, "cval": 0.0, "threshold": 2}]


@pytest.mark.parametrize("intensity", [None, 3, {"ScaleIntensityRanged": {}}, [["ScaleIntensityRanged", 3]], ["ab"]])
def test_an_intensity_that_no_training_wrote_is_refused(intensity: Any, tmp_path: Path) -> None:
    write_json(tmp_path / FILE, {"intensity": intensity})
    with pytest.raises(ValueError, match="intensity is "):
        check_made_for(made_for(), str(tmp_path), "unused.json")


def test_a_model_that_does_not_say_takes_the_codes_of_its_bundle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert model_axcodes("LPS", str(tmp_path)) == "LPS"
    assert model_axcodes("auto", str(tmp_path)) == "stored"
    assert caplog.text.count("model.json is not there or has no axcodes") == 2
    (tmp_path / FILE).write_text('{"axcodes": "ASR"}')
    assert model_axcodes("auto", str(tmp_path)) == "ASR"
    assert len(caplog.records) == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"axcodes": "RAR"}', '{"axcodes": "auto"}'])
def test_a_file_that_no_training_wrote_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ValueError, match=r".*model.json is damaged"):
        read_model_json(str(tmp_path))


def test_an_image_far_outside_of_the_training_is_told() -> None:
    known = json.loads(json.dumps(made_for().written(SEEN, {})))
    assert far_from_training(SEEN["b"], known) == ""
    assert far_from_training(Geometry((40, 11, 50), (1.4, 3.0, 1.0), "RSA"), known) == ""
    thin = far_from_training(Geometry((40, 50, 60), (1.0, 1.0, 1.0), "RAS"), known)
    assert thin.startswith("a spacing of 1 x 1 x 1 mm, in training 1 x 1 x 3..4 mm and a size of 40 x 50 x 60")
    assert far_from_training(Geometry((40, 50), (1.0, 1.0), ""), known) == ""
    del known["axcodes"]
    assert "a spacing of" in far_from_training(Geometry((40, 50, 60), (1.0, 1.0, 1.0), "RAS"), known)
    assert far_from_training(SEEN["a"], None) == far_from_training(SEEN["a"], {"axcodes": "RAS"}) == ""


def test_a_network_of_the_same_weights_and_other_strides_is_refused(tmp_path: Path) -> None:
    def unet(*strides: int) -> MadeFor:
        channels = (2,) * (len(strides) + 1)
        return made_for(network=UNet(spatial_dims=2, in_channels=1, out_channels=2, channels=channels, strides=strides))

    write_json(tmp_path / FILE, unet(1, 2).written(SEEN, {}))
    check_made_for(unet(1, 2), str(tmp_path), "")
    with pytest.raises(ValueError, match=r"the network's strides is \[2, 1\], and .* \[1, 2\]: a model must"):
        check_made_for(unet(2, 1), str(tmp_path), "")


def test_layers_are_told_apart_where_a_network_keeps_no_arguments(tmp_path: Path) -> None:
    with_slope = made_for(network=torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.LeakyReLU(0.2)))
    without = made_for(network=torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU()))
    content = with_slope.written(SEEN, {})
    write_json(tmp_path / FILE, content)
    with pytest.raises(ValueError, match="the network's layers, by what tells them, is"):
        check_made_for(without, str(tmp_path), "")
    write_json(tmp_path / FILE, content | {"network": content["network"] | {"torch": "1.0"}})
    check_made_for(without, str(tmp_path), "")  # another version prints the same layers otherwise


def test_what_moves_voxels_is_as_in_training(tmp_path: Path) -> None:
    def moving(*transforms: Any) -> MadeFor:
        return made_for(transforms=Compose(transforms))

    moved = moving(Flipd("image", 0), Resized(["image", "label"], [8, 8]))
    write_json(tmp_path / FILE, moving(Flipd("label", 0)).written(SEEN, {}))
    with pytest.raises(ValueError, match=r'geometry is \[\["Flipd", .*\["Resized", .*, and .* \[\]: a model'):
        check_made_for(moved, str(tmp_path), "")
    write_json(tmp_path / FILE, moving(Flipd("image", 1), Resized("image", [8, 8])).written(SEEN, {}))
    with pytest.raises(ValueError, match=r"Flipd's spatial_axis is 0, and .* 1: a model"):
        check_made_for(moved, str(tmp_path), "")


class Halved(MapTransform):
    """A transform of a person's own."""

    def __init__(self, keys: Any, factor: float = 0.5) -> None:
        super().__init__(keys)
        self.factor = factor

    def __call__(self, data: Any) -> dict[Any, Any]:
        """The data with the keys halved."""
        return {**data, **{key: data[key] * self.factor for key in self.keys}}


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        (channel(0), channel(1), r"Lambdad's func is .* start=0, .* start=1, "),
        (Lambdad("image", lambda x: 1 - x), Lambdad("image", lambda x: 2 - x), "Lambdad's func, its code in Python 3"),
        (Lambdad("image", lambda x: 1 - x), Lambdad("image", lambda x: x - 1), "Lambdad's func, its code in Python 3"),
        (Halved("image"), Halved("image", 0.25), "Halved's factor is 0.5, and .* 0.25"),
        (Halved("label"), Halved("image"), r"other_transforms is \[\], and .* \[\[\"Halved\""),
        (
            SpatialPadd("image", [8, 8], mode="edge"),
            SpatialPadd(["label", "image"], [8, 8]),
            'mode is "edge", and .*"con',
        ),
    ],
)
def test_every_other_transform_of_the_image_is_as_in_training(here: Any, there: Any, said: str, tmp_path: Path) -> None:
    write_json(tmp_path / FILE, made_for(transforms=Compose([there])).written(SEEN, {}))
    check_made_for(made_for(transforms=Compose([there])), str(tmp_path), "unused.json")
    with pytest.raises(ValueError, match=said):
        check_made_for(made_for(transforms=Compose([here])), str(tmp_path), "unused.json")


def test_what_changes_no_value_of_the_image_does_not_count() -> None:
    copied = CopyItemsd("image", names="scan")
    random = RandFlipd("image")
    same = [
        copied,
        random,
        EnsureTyped("image"),
        Halved("label"),
        Lambdad("label", lambda x: x + 1),
        torch.nn.Identity(),
    ]
    assert made_for(transforms=Compose(same)).settings["other_transforms"] == []


def test_an_earlier_model_does_not_say_what_else_changed_its_images(tmp_path: Path) -> None:
    content = made_for(transforms=Compose([channel(1)])).written(SEEN, {})
    del content["other_transforms"]
    write_json(tmp_path / FILE, content)
    check_made_for(made_for(transforms=Compose([channel(0)])), str(tmp_path), "unused.json")
