"""Lost cases: of an inference, a case that cannot be loaded or predicted does not cost the others."""

from __future__ import annotations

from typing import Any

from monai.data import Dataset

from calib_monai.case_names import case_of
from calib_monai.checks import first_line
from calib_monai.predictions import NotFiniteError
from calib_monai.refusals import causes_of
from calib_monai.volumes import named_in

LOST = "why_lost"  # in the place of the image of a case that cannot be loaded


class LosingDataset(Dataset):
    """A data set that gives, in the place of a case that cannot be loaded, `{"case": its name, LOST: the reason}`.

    Args:
        dataset: of cases, which were checked. A file may have changed since, or the check has left out what takes long.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.data, dataset.transform)
        self.dataset = dataset

    def __len__(self) -> int:
        """Number of cases."""
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        """A case, prepared or lost."""
        try:
            return self.dataset[index]
        except Exception as error:  # noqa: BLE001 - readers and transforms have errors of their own
            case = self.data[index]
            why = f"{named_in(case, 'image')} cannot be loaded or prepared: {first_line(causes_of(error)[-1])}"
            return {"case": case_of(case), LOST: why}


def why_lost(error: BaseException) -> str | None:
    """The reason why only one case has no result, where an error tells one."""
    return next((str(cause) for cause in causes_of(error) if isinstance(cause, NotFiniteError)), None)
