"""What metrics of any kind, a user's too, say of each case and of all."""

from __future__ import annotations

from math import isnan, nan

import pytest
import torch

from calib_monai.handlers.summaries import column_names, numbers_of_all, summary_of, values_of_cases

NAMES = ["background", "liver", "spleen"]


def test_only_tables_of_cases_are_kept() -> None:
    details = {
        "number": torch.tensor([1, 2]),
        "classes": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "counts": torch.zeros(2, 3, 4),
        "others": torch.zeros(5, 1),
        "nothing": None,
        "listed": [torch.zeros(2)],
        "empty": torch.zeros(2, 0),
    }
    kept = values_of_cases(details, 2)
    assert list(kept) == ["number", "classes"]
    assert kept["number"].tolist() == [[1.0], [2.0]]
    assert kept["number"].dtype == torch.float64


def test_a_metric_that_gives_no_number_is_averaged_or_told_of(caplog: pytest.LogCaptureFixture) -> None:
    of_cases = {"classes": torch.tensor([[1.0, nan], [3.0, 5.0]], dtype=torch.float64)}
    said = {"whole": 2, "tensor": torch.tensor([0.5]), "classes": torch.tensor([1.0, 2.0]), "text": "good"}
    assert numbers_of_all(said, of_cases) == {"whole": 2.0, "tensor": 0.5, "classes": 2.5}
    assert caplog.messages == ["text is in no result: it gives no number, and none for each case"]


@pytest.mark.parametrize(
    ("count", "own", "found"),
    [
        (1, None, ["m"]),
        (2, None, ["m_liver", "m_spleen"]),
        (3, None, ["m_background", "m_liver", "m_spleen"]),
        (4, None, ["m_0", "m_1", "m_2", "m_3"]),
        (2, ["core", "whole"], ["m_core", "m_whole"]),
        (2, ["core", "whole", "rim"], ["m_0", "m_1"]),
    ],
)
def test_columns_are_never_given_names_of_others(
    count: int, own: list[str] | None, found: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert column_names("m", torch.zeros(5, count), NAMES, own) == found
    assert ["they are numbered" in line for line in caplog.messages] == [True] * (found[-1][-1].isdigit())


def test_cases_are_averaged_or_counted() -> None:
    values = torch.tensor([[1.0, nan], [3.0, 5.0]], dtype=torch.float64)
    averaged = summary_of(2.5, values, ["m_a", "m_b"], 2, counts=False)
    assert (averaged["value"], averaged["sd"], averaged["num_cases"]) == (2.5, 1.5, 2)
    assert averaged["columns"]["m_b"] == {"value": 5.0, "sd": 0.0, "num_cases": 1}
    assert summary_of(9.0, values, ["m_a", "m_b"], 2, counts=True)["columns"]["m_a"]["value"] == 4.0
    assert summary_of(nan, None, [], 2, counts=False) == {"value": None, "sd": None, "num_cases": 2, "columns": {}}
    assert isnan(numbers_of_all({"m": nan}, {})["m"])
