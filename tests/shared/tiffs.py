"""TIFFs as Pillow cannot write them."""

from __future__ import annotations

import struct

import numpy as np

FORMATS = {"u": 1, "i": 2, "f": 3}


def tiff(values: np.ndarray, *, planar: bool = False, tiled: bool = False, extra: tuple[int, ...] = ()) -> bytes:
    """A TIFF of values (H, W) or channels (H, W, C) of any type, RGB from 3 on.

    `planar` stores one color after another, `tiled` makes the whole one tile, whose sides must be multiples of 16;
    `extra` says what further channels are.
    """
    height, width, *channels = values.shape
    count = channels[0] if channels else 1
    parts = [values[..., color] for color in range(count)] if planar else [values]
    size = {256: [width], 257: [height], 258: [8 * values.itemsize] * count, 259: [1], 262: [2 if count > 2 else 1]}
    places = {273: [0] * len(parts), 277: [count], 278: [height], 279: [part.nbytes for part in parts]}
    entries = size | places | {284: [1 + planar], 339: [FORMATS[values.dtype.kind]] * count}
    entries |= {338: list(extra)} if extra else {}
    at = 324 if tiled else 273
    if tiled:
        entries |= {322: [width], 323: [height], at: entries.pop(273), 325: entries.pop(279)}
        del entries[278]
    entries = dict(sorted(entries.items()))
    begin = 8 + 2 + 12 * len(entries) + 4  # of what does not fit into an entry
    beyond = sum(4 * len(numbers) for numbers in entries.values() if len(numbers) > 1)
    entries[at] = [begin + beyond + place * parts[0].nbytes for place in range(len(parts))]
    table, more = b"", b""
    for tag, numbers in entries.items():
        content = struct.pack(f"<{len(numbers)}I", *numbers)
        table += struct.pack("<HHI", tag, 4, len(numbers))
        table += content if len(content) == 4 else struct.pack("<I", begin + len(more))
        more += content if len(content) > 4 else b""
    pixels = b"".join(part.tobytes() for part in parts)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + more + pixels
