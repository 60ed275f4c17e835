"""Colors of classes: those of Okabe and Ito, which the color-blind tell apart, then other hues."""

from __future__ import annotations

import colorsys

BACKGROUND = "#7F7F7F"
FOREGROUND = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
GOLDEN = 0.6180339887498949  # of the circle of hues: so far apart, hues never come close soon
TONES = ((0.9, 0.95), (0.55, 0.75), (0.95, 0.6))  # saturation and value, by turns


def class_color(k: int) -> str:
    """The color of class k as "#RRGGBB": always the same one, and another one for each class up to 255.

    The background is gray.
    """
    if k <= len(FOREGROUND):
        return (BACKGROUND, *FOREGROUND)[k]
    rgb = colorsys.hsv_to_rgb(k * GOLDEN % 1, *TONES[k % len(TONES)])
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)
