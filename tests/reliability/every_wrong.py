"""All ways in which the inputs of a bundle can be wrong."""

from __future__ import annotations

from wrong_cases import WRONG_CASES
from wrong_elsewhere import WRONG_ELSEWHERE
from wrong_files import WRONG_FILES
from wrong_inputs import WRONG
from wrong_models import WRONG_MODELS
from wrong_paths import WRONG_PATHS
from wrong_pictures import WRONG_PICTURES
from wrong_settings import WRONG_SETTINGS

EVERY = [
    *WRONG,
    *WRONG_CASES,
    *WRONG_ELSEWHERE,
    *WRONG_FILES,
    *WRONG_MODELS,
    *WRONG_PATHS,
    *WRONG_PICTURES,
    *WRONG_SETTINGS,
]
