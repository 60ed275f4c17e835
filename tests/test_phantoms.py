"""Phantoms: the same for a seed, ambiguous along the border alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from calib_monai import phantoms
from calib_monai.phantoms import make_phantoms


def test_the_same_seed_makes_the_same_phantoms_and_another_seed_others() -> None:
    one, same, other = make_phantoms(2, seed=1), make_phantoms(2, seed=1), make_phantoms(2, seed=2)
    for name in one:
        assert np.array_equal(one[name].image, same[name].image)
        assert np.array_equal(one[name].label, same[name].label)
        assert one[name].image.shape != other[name].image.shape or not np.array_equal(
            one[name].image, other[name].image
        )


def test_a_phantom_has_two_touching_structures_of_fair_size() -> None:
    for image, label in make_phantoms(4).values():
        assert image.shape == label.shape
        assert image.dtype == np.float32
        assert set(np.unique(label)) == {0, 1, 2}
        assert min((label == k).mean() for k in (1, 2)) > 0.005
        touching = (label[:, :-1] == 2) & (label[:, 1:] == 1)
        assert touching.sum() > 20


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 9])
def test_a_phantom_has_as_many_classes_as_asked_for(num_classes: int) -> None:
    for _, label in make_phantoms(4, num_classes=num_classes).values():
        assert np.unique(label).tolist() == list(range(num_classes))


def test_a_reader_errs_along_the_border_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    read = make_phantoms(3)
    monkeypatch.setattr(phantoms, "WANDER", 0.0)
    true = make_phantoms(3)
    for name, (image, label) in true.items():
        assert np.array_equal(image, read[name].image)
        depth = np.max([distance_transform_edt(label == k) for k in range(3)], axis=0)
        wrong = read[name].label != label
        assert 0.05 < wrong[depth <= 2].mean() < 0.5
        assert wrong[depth > 5].sum() == 0


def test_no_phantom_is_no_request() -> None:
    with pytest.raises(ValueError, match="0"):
        make_phantoms(0)
    with pytest.raises(ValueError, match="num_classes is 10"):
        make_phantoms(3, num_classes=10)
