"""Targets: what a component names is there, or is refused with what was probably meant."""

from __future__ import annotations

import pytest
from monai.bundle import ComponentLocator
from monai.transforms import utils

from calib_monai.targets import check_needed, check_targets, located


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("DiceFoclLoss", "; did you mean DiceFocalLoss?"),
        ("UNett", "; did you mean UNet?"),
        ("torch.optim.Adan", "; did you mean Adam?"),
        ("calib_monai.losses.NACLoss", "; did you mean NACLLoss?"),
        ("nowhere.at.all.Loss", ""),
        ("calib_monai.__version__", ""),
    ],
)
def test_a_component_that_is_not_there_is_refused(target: str, meant: str) -> None:
    config = {"train": {"parts": [{"_target_": "DiceLoss"}, {"_target_": target}]}}
    with pytest.raises(ValueError, match=f"^there is no {target}, the _target_ of train#parts#1") as error:
        check_targets(config)
    assert str(error.value).endswith(f"train#parts#1{meant}")


@pytest.mark.parametrize(
    ("argument", "hint"),
    [("kernel_sze", "did you mean kernel_size[?]"), ("margin", r"it takes (\w+, )*kernel_size, .*\w+")],
)
def test_an_argument_that_a_component_of_ours_does_not_take_is_refused(argument: str, hint: str) -> None:
    config = {"loss": {"_target_": "calib_monai.losses.NACLLoss", argument: 3, "_disabled_": False}}
    said = f"^calib_monai.losses.NACLLoss takes no '{argument}', as loss says; {hint}$"
    with pytest.raises(ValueError, match=said):
        check_targets(config)


@pytest.mark.parametrize("missing", ["has_measure", "has_morphology"])
@pytest.mark.parametrize("target", ["KeepLargestConnectedComponentd", "monai.transforms.RemoveSmallObjectsD"])
def test_a_component_without_its_library_is_refused(target: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"postprocessing": {"_target_": "Compose", "transforms": [{"_target_": target, "keys": "pred"}]}}
    check_targets(config)
    monkeypatch.setattr(utils, missing, False)
    said = f"^{target}, the _target_ of postprocessing#transforms#0, needs scikit-image: pip install scikit-image$"
    with pytest.raises(ValueError, match=said):
        check_targets(config)


def test_what_is_there_or_not_known_yet_passes() -> None:
    check_targets({"a": {"_target_": "$some.expression"}, "b": {"_target_": 5}, "c": {"_target_": "UNet"}})


def test_a_target_is_found_by_the_name_of_its_class_or_by_its_whole_name() -> None:
    assert located("DiceLoss") is located("monai.losses.DiceLoss")
    assert located("no.such.module") is None


def test_of_a_name_that_monai_has_twice_its_first_is_taken() -> None:
    check_targets({"transform": {"_target_": "Affine"}, "block": {"_target_": "DenseBlock"}})


def test_monai_is_searched_once_for_all_components(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    search = ComponentLocator._find_classes_or_functions
    monkeypatch.setattr(
        ComponentLocator, "_find_classes_or_functions", lambda *given: searched.append(given) or search(*given)
    )
    for name in ("UNet", "DiceLoss", "LoadImaged"):
        assert located(name)
    assert len(searched) <= 1


def test_an_argument_that_a_component_of_ours_lacks_is_named_before_it_is_built() -> None:
    saver = {"_target_": "calib_monai.handlers.SliceSaver"}
    said = "^calib_monai.handlers.SliceSaver needs output_dir, which handlers#0 does not give"
    with pytest.raises(ValueError, match=said):
        check_needed({"handlers": [saver]})
    for later in ({"_mode_": "partial"}, {"_disabled_": True}, {"output_dir": "eval"}):
        check_needed({"handlers": [saver | later]})
