"""Generators: the CPU's is always restored, that of a GPU where there is one."""

from __future__ import annotations

from unittest.mock import patch

import torch

from calib_monai.generators import generators_on


def test_only_a_gpu_has_a_generator_of_its_own() -> None:
    gpu = torch.device("cuda:0")
    with patch("torch.cuda.is_available", return_value=True):
        assert generators_on(gpu) == [gpu]
        assert generators_on(torch.device("cpu")) == []
    with patch("torch.cuda.is_available", return_value=False):
        assert generators_on(gpu) == []
