"""A package of a network for volumes: what configs/volumes.json sets is laid over the other files of its bundle."""

from __future__ import annotations

import json
from typing import Any

from bundle_page_of_volumes import page_of_volumes
from zoo_rules import INFERENCE, METADATA, MODEL, TRAIN, VOLUMES, Files

PAGE = "docs/README.md"
OF_TRAINING = ("batch_size", "learning_rate", "patches_per_volume", "training_box", "augmentation")


def laid_over(files: Files) -> Files:
    """The files of a bundle; if its weights are of a network for volumes, with volumes.json laid over the others.

    The package has no volumes.json: each of its runs is one of volumes.
    """
    if not {VOLUMES, MODEL, TRAIN, INFERENCE, METADATA} <= files.keys():
        return files
    # Imported here, for it takes seconds that a bundle without weights need not wait.
    from bundle_weights import are_of_volumes, weights_by_network  # noqa: PLC0415

    volumes, metadata = (json.loads(files[name]) for name in (VOLUMES, METADATA))
    if not are_of_volumes(files[MODEL]):
        return files
    of_inference = {key: value for key, value in volumes.items() if key not in OF_TRAINING}
    train, inference = (
        _with(json.loads(files[name]), laid) for name, laid in ((TRAIN, volumes), (INFERENCE, of_inference))
    )
    changed = {
        TRAIN: train,
        INFERENCE: inference,
        METADATA: _of_patches(metadata, volumes["patch_size"]),
    }
    kept = {name: content for name, content in files.items() if name != VOLUMES}
    if PAGE in kept:
        page = page_of_volumes(kept[PAGE].decode(), train, weights_by_network(inference), VOLUMES)
        kept[PAGE] = page.encode()
    return kept | {name: f"{json.dumps(content, indent=4)}\n".encode() for name, content in changed.items()}


def _with(config: dict[str, Any], volumes: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the keys of another laid over it, as MONAI does: "+" adds to a dictionary."""
    both = dict(config)
    for key, value in volumes.items():
        both[key.removeprefix("+")] = {**config[key[1:]], **value} if key.startswith("+") else value
    return both


def _of_patches(metadata: dict[str, Any], patch_size: list[int]) -> dict[str, Any]:
    """metadata.json of a network for patches of this size."""
    sides = metadata["network_data_format"].values()
    for tensor in (one for side in sides for one in side.values()):
        tensor |= {"spatial_shape": patch_size, "is_patch_data": True}
    description = str(metadata["description"]).replace("2D", "3D").replace("the slices of each", "patches of each")
    return metadata | {"description": description}
