from __future__ import annotations

import numpy as np
import pytest

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
        touching = (label[:, :-1] == 1) & (label[:, 1:] == 2)
        assert touching.sum() > 20


def test_the_border_is_ambiguous_and_the_inside_is_not() -> None:
    # Many readers of one image would disagree at the border alone: the image's own classes overlap there.
    image, label = make_phantoms(1)["phantom_000"]
    scaled = image / image.max()
    inside, outside = scaled[label > 0], scaled[label == 0]
    assert inside.mean() - outside.mean() > 0.1
    assert np.percentile(inside, 5) < np.percentile(outside, 95)


def test_no_phantom_is_no_request() -> None:
    with pytest.raises(ValueError, match="0"):
        make_phantoms(0)
