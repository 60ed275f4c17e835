"""Label tables: 3D Slicer and ITK-SNAP read the names and colors that the classes have."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL.ImageColor import getrgb

from calib_monai.colors import class_color
from calib_monai.label_tables import ITK_SNAP, SLICER, check_label_tables, names_in_table, write_label_tables

NAMES = [
    "background",
    "left ventricle",
    "O'Brien's \"zone\"",
    'the "core"',
    "Gl\u00e4ser 3",
    "3rd ventricle",
    "two\nlines\tand # marks",
    "\u5fc3\u810f",
]

Told = dict[int, tuple[str, tuple[int, ...], float]]


def as_slicer_reads(path: Path) -> Told:
    """Number -> name, color and opacity, as vtkMRMLColorTableStorageNode reads them: fields end at blanks."""
    told: Told = {}
    for line in path.read_bytes().decode().split("\n"):
        assert len(line.encode()) < 1024
        if line and not line.startswith("#"):
            number, name, red, green, blue, alpha = line.split()
            told[int(number)] = (name.strip("'").replace("_", " "), (int(red), int(green), int(blue)), int(alpha) / 255)
    return told


def as_itk_snap_reads(path: Path) -> Told:
    """Number -> name, color and opacity, as ColorLabelTable reads them: a name is what two quotation marks enclose."""
    told: Told = {}
    for line in path.read_bytes().decode().split("\n"):
        if line and not line.startswith("#"):
            before, name, _ = line.split('"')
            number, red, green, blue, alpha, visible, mesh = before.split()
            assert visible == mesh == str(int(float(alpha) > 0))
            told[int(number)] = (name, (int(red), int(green), int(blue)), float(alpha))
    return told


def test_both_programs_read_the_names_and_colors_of_the_classes(tmp_path: Path) -> None:
    write_label_tables(tmp_path, NAMES)
    slicer, snap = as_slicer_reads(tmp_path / SLICER), as_itk_snap_reads(tmp_path / ITK_SNAP)
    for told in (slicer, snap):
        assert [*told] == [*range(len(NAMES))]
        assert told[0] == ("background", (0, 0, 0), 0)  # which is seen through
        assert [color for _, color, _ in told.values()][1:] == [getrgb(class_color(k)) for k in range(1, len(NAMES))]
        assert {alpha for _, _, alpha in told.values()} == {0, 1}
        assert told[1][0] == "left ventricle"
        assert (told[4][0], told[5][0], told[7][0]) == (NAMES[4], NAMES[5], NAMES[7])
        assert told[6][0] == "two lines and # marks"
    assert slicer[2][0] == 'O\u2019Brien\u2019s "zone"'
    assert slicer[3][0] == NAMES[3]
    assert (snap[2][0], snap[3][0]) == ("O'Brien's 'zone'", "the 'core'")


def test_each_class_has_a_color_of_its_own_that_stays() -> None:
    colors = [getrgb(class_color(k)) for k in range(256)]
    assert len(set(colors)) == 256
    assert (0, 0, 0) not in colors
    assert [class_color(k) for k in (0, 1, 7, 8, 255)] == ["#7F7F7F", "#E69F00", "#CC79A7", "#990838", "#1871F2"]


def test_colors_that_a_user_changed_stay_and_names_of_others_are_refused(tmp_path: Path) -> None:
    write_label_tables(tmp_path, ["background", "tumor"])
    table = tmp_path / SLICER
    changed = table.read_text().replace("1 tumor 230 159 0 255", "1 tumor 1 2 3 255")
    table.write_text(changed)
    write_label_tables(tmp_path, ["background", "tumor"])
    assert table.read_text() == changed
    refused = rf"{SLICER} does not tell the classes of this inference \(background, edema\)"
    for content in (changed, "\x00", "1", "", "0 background 0 0 0 0\n"):
        table.write_text(content)
        with pytest.raises(ValueError, match=refused):
            check_label_tables(tmp_path, ["background", "edema"])
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="--overwrite True"):
        write_label_tables(tmp_path, ["background", "edema"])
    write_label_tables(tmp_path, ["background", "edema"], overwrite=True)
    assert as_slicer_reads(table)[1][0] == as_itk_snap_reads(tmp_path / ITK_SNAP)[1][0] == "edema"


def test_classes_whose_names_are_the_same_in_a_program_are_told_apart(tmp_path: Path) -> None:
    names = ["background", "left lobe", "left_lobe", "left_lobe_2", 'a "b"', "a 'b'", "x" * 250 + "1", "x" * 250 + "2"]
    write_label_tables(tmp_path, names)
    slicer, snap = as_slicer_reads(tmp_path / SLICER), as_itk_snap_reads(tmp_path / ITK_SNAP)
    for told in (slicer, snap):
        assert len({name for name, _, _ in told.values()}) == len(names)
        assert told[7][0] == f"{told[6][0]}_7".replace("_", " " if told is slicer else "_")
    assert [slicer[k][0] for k in (1, 2, 3)] == ["left lobe", "left lobe 2 2", "left lobe 2"]
    assert [snap[k][0] for k in (1, 2, 3, 4, 5)] == [*names[1:4], "a 'b'", "a 'b'_5"]


def test_names_of_a_table_that_lacks_a_class_are_none(tmp_path: Path) -> None:
    write_label_tables(tmp_path, ["background", "tumor", "cyst"])
    assert names_in_table(tmp_path) == ["background", "tumor", "cyst"]
    table = tmp_path / ITK_SNAP
    table.write_text("\n".join(line for line in table.read_text().splitlines() if "tumor" not in line))
    assert names_in_table(tmp_path) == names_in_table(tmp_path / "none") == []
