"""An exported bundle runs where calib_monai is not installed, and passes the steps of the zoo's verification there."""

from __future__ import annotations

import hashlib
import json
import logging
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import nibabel as nib
import numpy as np
import pytest
import torch
from committed import COLLECTION, REPOSITORY, SCHEMA
from monai.bundle import ConfigParser

from calib_monai.carried import tell_other_version

EXPORT = runpy.run_path(str(REPOSITORY / "scripts" / "export_bundle.py"))
CLEAN = Path(__file__).with_name("clean_python.py")
INFERENCE = "import runpy, sys\nsys.argv[1:] = {options}\nrunpy.run_module('monai.bundle', None, '__main__', True)\n"
VERIFIED = """
    import sys
    from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out

    root, schema, digest = {root!r}, {schema!r}, {digest!r}
    files = {{"meta_file": root + "/configs/metadata.json", "config_file": root + "/configs/inference.json"}}
    if schema:
        verify_metadata(files["meta_file"], schema, hash_val=digest, hash_type="sha256")
    verify_net_in_out("network_def", device="cpu", p=1, n=1, any=1, bundle_root=root, **files)
    weights = root + "/models/model.pt"
    ckpt_export("network_def", root + "/models/verify_model.ts", weights, bundle_root=root, **files)
"""


def laid_over(configs: Path, *names: str) -> ConfigParser:
    """Configurations of a folder, each laid over those before it."""
    return ConfigParser(ConfigParser.load_config_files([str(configs / f"{name}.json") for name in names]))


def unpacked(bundle: Path, folder: Path, *overlay: str) -> Path:
    """The folder of a bundle that was exported with weights, of the network with this overlay, and unzipped."""
    config = laid_over(bundle / "configs", "inference", *overlay)
    torch.save(config.get_parsed_content("network_def").state_dict(), folder / "best.pt")
    assert EXPORT["main"]([str(bundle), "--model", str(folder / "best.pt"), "--out", str(folder)]) == 0
    [path] = folder.glob("*.zip")
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder / "zoo")
    return folder / "zoo" / bundle.name


def ran(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Code in a Python without calib_monai, in a working directory that holds nothing of ours."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-W", "ignore", str(CLEAN), dedent(code)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603


def test_exported_bundles_infer_and_are_verified_without_the_package(bundle: Path, tmp_path: Path) -> None:
    """One of slices and one of volumes, in one process: to import MONAI takes longer than both."""
    sizes = {"slices": [48, 64], "volumes": [40, 56, 40]}
    image = np.random.default_rng(0).normal(size=(40, 50, 3)).astype(np.float32)
    nib.save(nib.Nifti1Image(image, np.eye(4)), tmp_path / "scan.nii.gz")
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest() if SCHEMA.is_file() else ""
    code, roots = "", {}
    for name in sizes:
        (tmp_path / name).mkdir()
        root = roots[name] = unpacked(bundle, tmp_path / name, *["volumes"] * (name == "volumes"))
        options = ["run", "--config_file", str(root / "configs" / "inference.json"), "--bundle_root", str(root)]
        options += ["--input", str(tmp_path / "scan.nii.gz")]
        known = {"root": str(root), "schema": str(SCHEMA) if digest else "", "digest": digest}
        code += INFERENCE.format(options=options) + dedent(VERIFIED).format(**known)
    found = ran(code, tmp_path / "elsewhere")
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[-1] == f"calib_monai of {roots['slices'] / 'calib_monai'}"
    for name, root in roots.items():
        written = [nib.load(path) for path in (root / "eval" / "predictions").rglob("*.nii.gz")]
        assert {one.shape for one in written} == {image.shape, (*image.shape, 3)}
        exported = torch.jit.load(root / "models" / "verify_model.ts")
        assert exported(torch.zeros(1, 1, *sizes[name])).shape == (1, 3, *sizes[name])


@pytest.mark.parametrize("names", [("train",), ("train", "evaluate"), ("train", "calibrate"), ("inference",)])
def test_a_package_of_volumes_runs_as_its_bundle_does_with_volumes_json(
    names: tuple[str, ...], bundle: Path, tmp_path: Path
) -> None:
    root = unpacked(bundle, tmp_path, "volumes")
    assert not (root / "configs" / "volumes.json").exists()
    wanted = laid_over(bundle / "configs", *names, "volumes").get()
    found = laid_over(root / "configs", *names).get()
    of_training = {"batch_size", "learning_rate", "patches_per_volume", "training_box", "augmentation"}
    passed = {"imports", "initialize"} | (of_training if names == ("inference",) else set())
    assert {key: value for key, value in found.items() if key not in passed} == {
        key: value for key, value in wanted.items() if key not in passed
    }


def test_a_package_of_volumes_says_so(bundle: Path, tmp_path: Path) -> None:
    root = unpacked(bundle, tmp_path, "volumes")
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    for side, name in (("inputs", "image"), ("outputs", "pred")):
        tensor = metadata["network_data_format"][side][name]
        assert (tensor["spatial_shape"], tensor["is_patch_data"]) == ([40, 56, 40], True)
    assert metadata["description"].startswith("3D UNet")
    page = (root / "docs" / "README.md").read_text(encoding="utf-8")
    assert "`hippocampus_nacl` trains a 3D UNet" in page
    assert "Patches have 40 x 56 x 40 voxels." in page
    assert not [word for word in ("2D", "volumes.json'", "The network sees slices", "0.844") if word in page]
    train = json.loads((root / "configs" / "train.json").read_text())
    assert f"`--batch_size {train['batch_size']}`" in page
    weights = torch.load(tmp_path / "best.pt")
    assert f"| `unet` | {sum(value.numel() for value in weights.values()):,} | MONAI's UNet" in page
    assert EXPORT["bundle_files"](root) == EXPORT["bundle_files"](bundle, tmp_path / "best.pt")


@pytest.mark.parametrize("name", ["hippocampus_nacl", "flare_consistency", "acdc_crac"])
def test_the_page_of_a_package_of_volumes_tells_the_settings_of_its_own_training(name: str) -> None:
    root = COLLECTION / name
    page_of_volumes = runpy.run_path(str(REPOSITORY / "scripts" / "bundle_page_of_volumes.py"))["page_of_volumes"]
    before = (root / "docs" / "README.md").read_text(encoding="utf-8")
    train = laid_over(root / "configs", "train", "volumes").get()
    page = page_of_volumes(before, train, {"unet": 12345, "dynunet": 6}, "volumes.json")
    of_slices = (
        "This collection's settings",
        "The papers chose",
        "batches of 16 slices",
        "`transunet` |",
        "multiples of 32",
        "four classes",
    )
    assert [word for word in of_slices if word not in before] == []
    assert [word for word in of_slices if word in page] == []
    schedule = train["lr_scheduler"]["_target_"].rpartition(".")[2]
    for told in (
        f"`--learning_rate {train['learning_rate']}`",
        f'`--patches_per_volume 1`, `--patch_size "{train["patch_size"]}"`, ',
        f"The optimizer is `Adam`. The schedule of the learning rate is `{schedule}`.",
        "| `unet` | 12,345 | MONAI's UNet",
    ):
        assert told in page
    assert ("`pixdim` is 1.5 x 1.5 x 3 mm" in page) == (name == "flare_consistency")


def test_without_the_package_inside_there_is_none(tmp_path: Path) -> None:
    found = ran("import calib_monai", tmp_path)
    assert "No module named 'calib_monai'" in found.stderr


def test_the_whole_package_travels_with_its_license(bundle: Path) -> None:
    sources = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "calib_monai").rglob("*.py")}
    wanted = sources | {f"calib_monai/{name}" for name in ("LICENSE", "py.typed", "reports/page.html")}
    assert {name for name in EXPORT["bundle_files"](bundle) if name.startswith("calib_monai/")} == wanted


def test_own_code_travels_where_a_configuration_names_it_and_nothing_else_does(bundle: Path) -> None:
    for name in ("scripts/prepare.py", "mine/__init__.py", "mine/loss.py", "other/a.py", "mine/__pycache__/a.pyc"):
        (bundle / name).parent.mkdir(exist_ok=True, parents=True)
        (bundle / name).write_text("a = 1\n")
    train = bundle / "configs" / "train.json"
    train.write_text(json.dumps(json.loads(train.read_text()) | {"loss": {"_target_": "mine.loss.Loss"}}))
    (bundle / "configs" / f"{bundle.name}_v0.1.0.zip").write_bytes(b"an earlier package")
    files = EXPORT["bundle_files"](bundle)
    assert not [name for name in files if name.endswith(".zip")]
    assert {name for name in files if name.endswith(".py") and not name.startswith("calib_monai/")} == {
        *("scripts/prepare.py", "mine/__init__.py", "mine/loss.py")
    }
    assert not [name for name in files if name.endswith(".pyc")]


def test_a_bundle_that_carries_the_package_is_exported_with_its_own_copy(bundle: Path) -> None:
    (bundle / "calib_monai").mkdir()
    (bundle / "calib_monai" / "__init__.py").write_text('__version__ = "0.0.9"\n')
    files = EXPORT["bundle_files"](bundle)
    assert [name for name in files if name.startswith("calib_monai/")] == ["calib_monai/__init__.py"]


def test_an_exported_bundle_is_exported_again_as_it_is(bundle: Path, tmp_path: Path) -> None:
    root = unpacked(bundle, tmp_path)
    files = EXPORT["bundle_files"](bundle, tmp_path / "best.pt")
    assert EXPORT["bundle_files"](root) == files


def test_another_version_than_the_one_inside_is_told(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tell_other_version(str(bundle))
        assert not caplog.messages
        metadata = bundle / "configs" / "metadata.json"
        metadata.write_text(
            metadata.read_text().replace('"calib_monai_version": "0.1.0"', '"calib_monai_version": "9"')
        )
        tell_other_version(str(bundle))
    [said] = caplog.messages
    assert said.startswith(f"{bundle} carries calib_monai 9, but 0.1.0 in {REPOSITORY / 'calib_monai'} was imported")
