"""Colors that the color-blind tell apart: Okabe and Ito's."""

BACKGROUND = "#7F7F7F"
FOREGROUND = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def class_color(k: int) -> str:
    """Color of class k; the background is gray, and from the ninth class on the colors repeat."""
    return BACKGROUND if k == 0 else FOREGROUND[(k - 1) % len(FOREGROUND)]
