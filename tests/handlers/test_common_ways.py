"""The common way: mirrored, shifted and renumbered files are told; networks that are poor or biased are not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import torch
import torch.distributed
from committed import in_two_processes
from ignite.engine import Engine
from scipy.ndimage import binary_erosion, grey_dilation, shift

from calib_monai.handlers import FitCheck
from calib_monai.handlers.common_ways import LEAST_CASES
from calib_monai.handlers.engine_state import start_cautions

NAMES = ["background", "inner", "outer"]
Change = Callable[[torch.Tensor], torch.Tensor]


def label_map(case: int, dims: int = 3) -> torch.Tensor:
    """Two structures, not far from the middle, whose place and size differ from case to case; (1, H, W[, D])."""
    size = (24, 28, 18)[:dims]
    draw = torch.Generator().manual_seed(case)
    middle = [length / 2 + 0.25 + 0.75 * torch.rand((), generator=draw).item() for length in size]
    radius = 4.5 + 3 * torch.rand((), generator=draw).item()
    places = torch.meshgrid(*(torch.arange(length) for length in size), indexing="ij")
    distance = sum((place - at) ** 2 for place, at in zip(places, middle, strict=True)) ** 0.5
    return ((distance < radius).to(torch.uint8) + (distance < radius - 2).to(torch.uint8))[None]


def prediction_of(label: torch.Tensor, case: int, errors: float = 0.1) -> torch.Tensor:
    """The label with some wrong voxels."""
    draw = torch.Generator().manual_seed(1000 + case)
    wrong = torch.rand(label.shape, generator=draw) < errors
    return torch.where(wrong & (label > 0), 0 * label, label)


def moved(by: tuple[float, ...]) -> Change:
    """Moves a map by parts of voxels."""
    return lambda label: torch.as_tensor(shift(label[0].numpy(), by, order=0))[None]


def cautions(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], check: FitCheck | None = None) -> list[str]:
    """What an evaluation of these labels and predictions tells."""
    cases = list(pairs)

    def step(engine: Engine, case: int) -> list[dict[str, torch.Tensor]]:
        label, predicted = cases[case]
        engine.state.batch = [{"case": f"case_{case}", "label": label.float()}]
        prob = torch.nn.functional.one_hot(predicted[0].long(), len(NAMES)).movedim(-1, 0).float()
        return [{"pred": predicted, "prob": prob}]

    engine = Engine(step)
    (check or FitCheck(NAMES)).attach(engine)
    start_cautions(engine)
    told: list[str] = engine.run(range(len(cases))).cautions
    return told


def pairs_of(of_label: Change, of_prediction: Change, cases: Sequence[int], dims: int = 3, errors: float = 0.1) -> list:
    """Changed labels and changed predictions."""
    labels = [label_map(case, dims) for case in cases]
    found = [prediction_of(label, case, errors) for label, case in zip(labels, cases, strict=True)]
    return [(of_label(label), of_prediction(one)) for label, one in zip(labels, found, strict=True)]


def as_is(label: torch.Tensor) -> torch.Tensor:
    return label


@pytest.mark.parametrize(
    ("change", "dims", "said"),
    [
        (
            lambda one: one.flip(1),
            3,
            "the labels better with x reversed, with a median Dice of 0.9. instead of 0.*mirr",
        ),
        (lambda one: one.flip(2), 2, "the labels better with y reversed, .*: are the files mirrored"),
        (lambda one: one.roll(1, 3), 3, r"the labels better if they are moved by -1 voxel along z, .* files shifted"),
        (
            lambda one: one.roll(-2, 2),
            2,
            r"the labels better if they are moved by \+2 voxels along y, .* files shifted",
        ),
    ],
)
@pytest.mark.parametrize("of", ["", "of the cases of --fit, "])
def test_mirrored_and_shifted_files_are_told(change: Change, dims: int, said: str, of: str) -> None:
    [caution] = cautions(pairs_of(as_is, change, range(6), dims), FitCheck(NAMES, of=of))
    assert re.match(f"{of}in 6 of 6 cases the predictions fit {said}", caution), caution
    few = cautions(pairs_of(as_is, change, range(LEAST_CASES - 1), dims))
    assert not [told for told in few if "instead of" in told]


@pytest.mark.parametrize(("step", "neighbor"), [(1, "next"), (-1, "previous")])
@pytest.mark.parametrize("dims", [2, 3])
def test_renumbered_files_are_told(step: int, neighbor: str, dims: int) -> None:
    pairs = pairs_of(as_is, as_is, [0, 5, 1, 4, 2, 3, 7, 6], dims)
    labels, predictions = zip(*pairs, strict=True)
    renumbered = predictions[step:] + predictions[:step]
    [caution] = cautions(zip(labels, renumbered, strict=True))
    assert f"cases the predictions fit the label of the {neighbor} case better than their own, with a median" in caution
    assert caution.endswith(": are the files renumbered?")


def test_exchanged_axes_are_told() -> None:
    square = [(label[:, :, 3:-1], found[:, :, 3:-1]) for label, found in pairs_of(as_is, as_is, range(6), 2)]
    [caution] = cautions([(label, found.transpose(1, 2)) for label, found in square])
    assert caution.endswith("are the files stored with axes exchanged?")


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        as_is,
        lambda one: torch.as_tensor(grey_dilation(one.numpy(), size=(1, *[5] * (one.ndim - 1)))),
        lambda one: one * torch.as_tensor(binary_erosion(one[0].numpy(), iterations=2))[None],
        lambda one: (one > 0).to(torch.uint8) * 2,
        torch.zeros_like,
    ],
)
def test_a_good_a_biased_and_a_useless_network_are_not_told(change: Change, dims: int) -> None:
    assert cautions(pairs_of(as_is, change, range(12), dims)) == []


@pytest.mark.parametrize("dims", [2, 3])
def test_a_poor_network_whose_errors_differ_from_case_to_case_is_not_told(dims: int) -> None:
    draw = torch.Generator().manual_seed(0)
    labels = [label_map(case, dims) for case in range(12)]
    aside = [tuple((torch.randn(dims, generator=draw) * 3).tolist()) for _ in labels]
    pairs = [(label, moved(by)(prediction_of(label, 0, 0.5))) for label, by in zip(labels, aside, strict=True)]
    assert [told for told in cautions(pairs) if "instead of" in told] == []


def test_the_way_of_some_cases_is_not_that_of_all() -> None:
    half = pairs_of(as_is, lambda one: one.roll(1, 1), range(8)) + pairs_of(as_is, as_is, range(8, 16))
    assert cautions(half) == []


def test_cases_without_structures_do_not_count() -> None:
    empty = torch.zeros_like(label_map(0))
    pairs = pairs_of(as_is, lambda one: one.roll(1, 1), range(6))
    [caution] = cautions([(empty, empty), *pairs, (empty, empty)])
    assert caution.startswith("in 6 of 6 cases")


def in_one_of_two(rank: int, folder: str) -> None:
    """Evaluate the half of one process; the first one writes what it tells."""
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    told = cautions(pairs_of(as_is, lambda one: one.roll(1, 1), range(3 * rank, 3 * rank + 3)))
    torch.distributed.destroy_process_group()
    (Path(folder) / str(rank)).write_text("\n".join(told))


def test_the_cases_of_all_processes_decide(tmp_path: Path) -> None:
    in_two_processes(in_one_of_two, str(tmp_path))
    assert (tmp_path / "0").read_text().startswith("in 6 of 6 cases the predictions fit the labels better if")
    assert (tmp_path / "1").read_text() == ""
