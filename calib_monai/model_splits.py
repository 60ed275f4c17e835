"""Splits of models: whether a training has another split than the model that lies in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from calib_monai.checks import REPLACED, SPLIT_FILE
from calib_monai.datalists.split_files import Drawn, read_split


def split_of_models(ckpt_dir: Path) -> Drawn | None:
    """The split beside the models of a folder; None if there is no model, or no split."""
    models = chain(*(ckpt_dir.glob(pattern) for pattern in ("*.pt", f"{REPLACED}/*.pt")))
    return read_split(ckpt_dir / SPLIT_FILE, of_training=False) if any(models) else None  # which may be replaced


def is_another(kept: Drawn, drawn: Drawn, ckpt_dir: str, *, overwrite: bool) -> bool:
    """Whether a split has other names, images or labels than that of a model.

    Args:
        kept: the split of the model.
        drawn: the split of this run, with the digests that are known by now.
        ckpt_dir: folder of the model.
        overwrite: whether the model may be replaced.

    Raises:
        ValueError: it has, and the model may not be replaced.
    """
    changed = [
        f"{what} of {case}"
        for what, now, then in (("image", drawn.images, kept.images), ("label", drawn.labels, kept.labels))
        for case, digest in now.items()
        if then.get(case, digest) != digest
    ]
    another = kept.names != drawn.names or bool(changed)
    if another and not overwrite:
        apart = one_by_one(name for name, on in drawn.options.items() if on is True and name not in kept.options)
        earlier = f" (of an earlier version? It drew with {apart})" if apart else ""
        what = f"another {changed[0]}" if kept.names == drawn.names else f"another split{earlier}"
        raise ValueError(
            f"{ckpt_dir} holds a model that was trained with {what}, which --resume does not take: set another "
            "--ckpt_dir and --output_dir, or replace it by --overwrite True"
        )
    return another


def one_by_one(names: Iterable[str]) -> str:
    """The options that draw cases one by one, of the names of options; "" if there are none."""
    return " ".join(f"--{name} False" for name in names if name.startswith("group_"))
