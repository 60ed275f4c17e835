"""Misplaced files: labels and channels that are those of another case are told."""

from __future__ import annotations

import pytest

from calib_monai.misplaced_files import CaseDigests, tell_misplaced


def of(case: str, channels: tuple[bytes, ...] = (), label: bytes | None = None) -> CaseDigests:
    """A case whose image and label are its own."""
    return CaseDigests(case, case, case.encode(), channels, case.encode() if label is None else label)


def test_a_label_and_a_channel_of_another_case_are_told(caplog: pytest.LogCaptureFixture) -> None:
    first, second = of("a", (b"1", b"2")), of("b", (b"3", b"2"), label=b"a")
    tell_misplaced([first, second, of("c", (b"4", b"4")), of("d", label=b"a")])
    of_label, of_channel, within = [record.getMessage() for record in caplog.records]
    assert of_label.startswith(
        "the label of b has the voxels of the label of a, whose image is another one (and 1 more)"
    )
    assert of_channel.startswith(
        "channel 2 of b shows the same as channel 2 of a, whose image is another one: is it at"
    )
    assert within == "1 case(s) show the same in two channels, first c: is one file a copy of the other?"


def test_copies_of_whole_cases_and_labels_without_a_structure_are_not(caplog: pytest.LogCaptureFixture) -> None:
    copy = of("a", (b"1", b"2"))._replace(case="copy")
    same_patient = [of("x")._replace(patient="one"), of("y", label=b"x")._replace(patient="one")]
    tell_misplaced(
        [of("a", (b"1", b"2")), copy, of("b", (b"", b""), label=b""), of("c", (b"", b""), label=b""), *same_patient]
    )
    assert not caplog.text


def test_the_sets_of_two_cases_with_one_label_are_told(caplog: pytest.LogCaptureFixture) -> None:
    tell_misplaced([of("a")._replace(of_set="test"), of("b", label=b"a")._replace(of_set="training")])
    [line] = caplog.messages
    assert line.startswith("the label of b (training) has the voxels of the label of a (test), whose image is another")


def test_cases_of_one_label_and_nearly_one_image_are_near_copies(caplog: pytest.LogCaptureFixture) -> None:
    cases = [of("a"), of("b", label=b"a"), of("c", label=b"a"), of("d", label=b"a")]
    sets = ("test", "test", "training", "training")
    asked = []

    def nearly(case: str, other: str) -> bool:
        asked.append((case, other))
        return case != "d"

    tell_misplaced((one._replace(of_set=name) for one, name in zip(cases, sets, strict=True)), nearly)
    near, misplaced = caplog.messages
    assert near == (
        "the label of c (training) is that of a (test), and their images are nearly the same (and 1 more): leave one "
        "out. Results on an image that was trained on say too much"
    )
    assert misplaced.startswith("the label of d (training) has the voxels of the label of a (test), whose image is")
    assert sorted(asked) == [("b", "a"), ("c", "a"), ("d", "a")]
