"""Copies of a case under another name: refused where results would say too much."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
import torch
from checked_phantoms import check

from calib_monai.same_images import check_same_images, digest_of


def test_an_image_is_known_by_its_voxels_and_its_shape() -> None:
    image = torch.arange(24.0).reshape(1, 4, 6)
    assert digest_of(image) == digest_of(image.clone()) != b""
    assert digest_of(image) == digest_of(image.transpose(1, 2).contiguous().transpose(1, 2))
    assert digest_of(image) != digest_of(image.reshape(1, 6, 4))
    assert digest_of(image) != digest_of(image.flip(1))
    assert digest_of(torch.ones(1, 4, 6)) == b""
    large = torch.rand(2, 600, 700, generator=torch.Generator().manual_seed(0))
    assert digest_of(large) == digest_of(large.clone()) != digest_of(large.flip(2))


def named(*names: str) -> list[dict[str, str]]:
    return [{"case": name} for name in names]


def test_a_copy_in_another_set_is_refused_and_one_in_the_same_set_is_told(caplog: pytest.LogCaptureFixture) -> None:
    sets = {"training": named("a", "b"), "test": named("c")}
    check_same_images(sets, [b"", b"", b""], apart=False)
    check_same_images(sets, [b"1", b"2", b"3"], apart=False)
    assert not caplog.records
    with pytest.raises(
        ValueError, match=r"^the image of c \(test\) is that of a \(training\): remove one, or keep both"
    ):
        check_same_images(sets, [b"1", b"1", b"1"], apart=False)
    with caplog.at_level(logging.WARNING):
        check_same_images(sets, [b"1", b"1", b"2"], apart=False)
        check_same_images(sets, [b"1", b"2", b"1"], apart=True)
    assert [record.getMessage() for record in caplog.records] == [
        "1 case(s) are copies of others: the image of b (training) is that of a (training)",
        "1 case(s) are copies of others: the image of c (test) is that of a (training)",
    ]


def test_a_training_refuses_a_case_under_two_names(phantom_dir: Path) -> None:
    first = {folder: phantom_dir / folder / "phantom_000.nii.gz" for folder in ("imagesTr", "labelsTr")}
    for number in range(1, 8):
        for file in first.values():  # other bytes, one image
            packed = gzip.compress(gzip.decompress(file.read_bytes()), mtime=number)
            file.with_name(f"phantom_{number:03d}.nii.gz").write_bytes(packed)
    with pytest.raises(
        ValueError, match=r"^the image of phantom_00\d \((validation|test)\) is that of phantom_00\d \("
    ):
        check(phantom_dir)
