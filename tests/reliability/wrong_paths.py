"""Ways to be wrong with paths, names and arguments: all are refused before any file is read, which are damaged here."""

from __future__ import annotations

from pathlib import Path

from spoiled import CASE, IMAGE, truncated
from wrong_inputs import Wrong

LIST = f'[{{"image": "data/{IMAGE}", "case": "%s"}}]'


def all_damaged(folder: Path) -> None:
    """Cut every file of the data in half."""
    for path in (folder / "data").rglob("*.nii.gz"):
        truncated(path)


WRONG_PATHS = [
    *(
        Wrong(f"--{option} {value}", said, all_damaged, config, {option: value}, after_training=config != "train")
        for option, value, config, said in (
            ("output_dir", "{}/run #1", "train", "--output_dir .*run #1 holds '#'"),
            ("ckpt_dir", "{}/run::1", "train", "--ckpt_dir .*run::1 holds '::'"),
            ("dataset_dir", "@data", "train", r"--dataset_dir @data is read as a reference: write \./@data"),
            ("output_dir", "$HOME/eval", "evaluate", "is read as an expression"),
            ("input", "{}/my #1", "inference", "--input .*my #1 holds '#'"),
            ("penalty_weight", 0.5, "train", "did you mean --loss#penalty_weight"),
            ("loss#prior", "cubic", "train", "prior is 'cubic'"),
            ("loss", "{'_target_': 'DiceFocalLoss', 'softmax': True}", "train", "DiceFocalLoss cannot take"),
            ("loss", "{'_target_': 'FocalLoss', 'reduction': 'none'}", "train", "FocalLoss "),
            ("network_def#channels", [16], "train", "unet: the length of `channels` should be no less than 2"),
            ("network_def#channel", [16, 32], "train", "did you mean --network_def#channels"),
            ("network_def#dropout", 1.5, "train", "unet: dropout is 1.5"),
            ("networks#unet#channels", [16, 32], "train", "query key: networks"),
            ("network_def", "@networks::dynunet", "train", "--network_def#_target_ calib_monai.networks.dynunet"),
            ("fitting#ts#region", "cubic", "calibrate", "fitting#ts#region is 'cubic'"),
        )
    ),
    *(
        Wrong(
            f"a list that calls a case {name}",
            f"a case is called .{name}.; it must be a name that a folder can have",
            lambda folder, name=name: (folder / "list.json").write_text(LIST % name),
            "inference",
            {"input": "{}/list.json"},
            after_training=True,
        )
        for name in (r"..", "../x", "a:b")
    ),
    Wrong(
        "a name of blanks before it",
        f"a case is called ' {CASE}'",
        lambda folder: [
            path.rename(path.with_name(f" {path.name}")) for path in (folder / "data").rglob(f"{CASE}.nii.gz")
        ],
    ),
]
