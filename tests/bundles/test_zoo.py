"""Bundles and the MONAI model zoo: what its tests ask holds, and an export that would fail them is refused."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import BUNDLES, REPOSITORY, SCHEMA, SOME_BUNDLES, config_of
from monai.apps.utils import extractall
from monai.bundle import ConfigParser, ckpt_export, verify_metadata, verify_net_in_out

EXPORT = runpy.run_path(str(REPOSITORY / "scripts" / "export_bundle.py"))
EXPORTED = ["LICENSE", *(f"configs/{name}.json" for name in ("calibrate", "evaluate", "inference"))]
EXPORTED += ["configs/logging.conf", *(f"configs/{name}.json" for name in ("metadata", "multi_gpu_evaluate"))]
EXPORTED += ["configs/multi_gpu_train.json", "configs/train.json", "docs/README.md", "docs/data_license.txt"]
EXPORTED += ["configs/volumes.json"]  # of all but pictures
PACKAGE = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "calib_monai").rglob("*.*")}
PACKAGE = {name for name in PACKAGE if not name.endswith(".pyc")} | {"calib_monai/LICENSE"}
FINDS_CODE = [
    "$sys.path.insert(0, @bundle_root)",
    {"_target_": "calib_monai.carried.tell_other_version", "bundle_root": "@bundle_root"},
]
METADATA, INFERENCE = "configs/metadata.json", "configs/inference.json"
WITHOUT_WEIGHTS = "the zoo takes a bundle without weights only if it is excluded from the preferred files"


# Of each data set its bundles, which have one network.
DATASETS: dict[str, list[Path]] = {}
for path in BUNDLES:
    DATASETS.setdefault(config_of(path, "train")["dataset"], []).append(path)


def network_of(bundle: Path) -> torch.nn.Module:
    parser = ConfigParser()
    parser.read_config(str(bundle / INFERENCE))
    return parser.get_parsed_content("network_def").eval()


def weights_of(bundle: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return network_of(bundle).state_dict()


@pytest.mark.parametrize("bundle", SOME_BUNDLES, ids=lambda path: path.name)
def test_an_export_is_the_bundle_in_the_format_of_the_zoo_with_the_package(bundle: Path, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("models", "eval")  # what a run may have written
    files = EXPORT["bundle_files"](shutil.copytree(bundle, tmp_path / bundle.name, ignore=ignore))
    assert EXPORT["check"](bundle.name, files) == config_of(bundle, "metadata")["version"]
    expected = [name for name in EXPORTED if not (name == "configs/volumes.json" and bundle.name.startswith("busi_"))]
    assert files.keys() == {*expected, *PACKAGE}
    for name in expected:
        exported, committed = files[name].decode(), (bundle / name).read_text("utf-8")
        if name.endswith(".json"):
            assert exported == json.dumps(json.loads(exported), indent=4) + "\n"
            assert without_what_finds_code(json.loads(exported)) == json.loads(committed)
        else:
            assert exported == committed


def test_the_zips_of_equal_files_are_equal(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zips = []
    for place, copy_function in (("one", shutil.copy2), ("two", shutil.copyfile)):  # at other times, with other rights
        copy = shutil.copytree(bundle, tmp_path / place / bundle.name, copy_function=copy_function)
        assert EXPORT["main"]([str(copy), "--out", str(tmp_path / place)]) == 0
        zips += (tmp_path / place).glob("*.zip")
    one, two = zips
    assert one.name == two.name == "hippocampus_nacl_v0.1.0.zip"
    remark = f"no models/model.pt: {WITHOUT_WEIGHTS}"
    assert capsys.readouterr().out.splitlines() == [remark, str(one), remark, str(two)]
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == sorted(f"{bundle.name}/{name}" for name in {*EXPORTED, *PACKAGE})


def without_what_finds_code(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration as it was before the export made it find the code inside the bundle."""
    if not isinstance(config.get("initialize"), list):
        return config
    assert config["initialize"][:2] == FINDS_CODE
    assert config.pop("imports", []) == (["$import sys"] if "bundle_root" in config else [])
    return {**config, "initialize": config["initialize"][2:]}


def test_weights_are_in_the_zip_and_what_runs_wrote_is_not(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("models/checkpoint_epoch=3.pt", "models/split.json", "eval/summary.json", "mine/a.nii.gz"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("{}")
    (bundle / "configs" / ".train.json.swp").touch()
    torch.save(weights_of(bundle), bundle / "models" / "model.pt")
    model = shutil.copyfile(bundle / "models" / "model.pt", tmp_path / "best.pt")
    assert EXPORT["main"]([str(bundle), "--out", str(tmp_path / "own")]) == 0
    (bundle / "models" / "model.pt").write_text("other weights")
    assert EXPORT["main"]([str(bundle), "--out", str(tmp_path / "given"), "--model", str(model)]) == 0
    own, given = (next((tmp_path / name).iterdir()) for name in ("own", "given"))
    remarks = [
        f"no eval_metrics in {METADATA}: evaluate these weights, and give the folder as --results",
        "no models/model.json beside the weights: nothing says which data and classes they are for",
    ]
    assert capsys.readouterr().out.splitlines() == [*remarks, str(own), *remarks, str(given)]
    assert own.read_bytes() == given.read_bytes()
    with zipfile.ZipFile(own) as archive:
        held = {*EXPORTED, *PACKAGE, "models/model.pt"}
        assert archive.namelist() == sorted(f"{bundle.name}/{name}" for name in held)
        assert archive.read(f"{bundle.name}/models/model.pt") == model.read_bytes()


def test_a_zip_is_imported_as_it_was_exported_and_never_outside_of_its_folder(bundle: Path, tmp_path: Path) -> None:
    assert EXPORT["main"]([str(bundle), "--out", str(tmp_path)]) == 0
    [path] = tmp_path.glob("*.zip")
    extractall(path, tmp_path / "zoo")
    found = {file.relative_to(tmp_path / "zoo" / bundle.name).as_posix() for file in files_in(tmp_path / "zoo")}
    assert found == {*EXPORTED, *PACKAGE}
    for name in ("../outside.json", str(tmp_path / "outside.json"), f"{bundle.name}/../../outside.json"):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, "{}")
        with pytest.raises(ValueError, match="Unsafe path"):
            extractall(path, tmp_path / "hostile" / name.replace("/", "_"))
    assert not list(tmp_path.rglob("outside.json"))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_letter_that_is_not_ascii_is_escaped_as_pre_commit_escapes_it(bundle: Path) -> None:
    path = bundle / METADATA
    path.write_text(path.read_text().replace("Antonelli, M.", "Müller, Ä."), encoding="utf-8")
    exported = EXPORT["bundle_files"](bundle)[METADATA]
    assert rb"M\u00fcller, \u00c4." in exported
    assert json.loads(exported) == json.loads(path.read_text(encoding="utf-8"))


GONE = object()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("version", "0.2.0", "version is '0.2.0' and changelog has 0.1.0; the zoo wants each version to be a key of"),
        ("version", "0.10.0", "version is '0.10.0'; the zoo wants three digits, as 0.1.0, for it sorts versions as"),
        ("changelog", GONE, "changelog is not there; the zoo wants all that its schema requires, changelog and name"),
        ("schema", GONE, "schema is not there; the zoo wants all that its schema requires"),
        ("authors", ["A", "B"], 'authors is ["A", "B"]; the zoo wants a text there'),
        ("name", 5, "name is 5; the zoo wants a text there"),
        ("required_packages_version#itk", ">=5.4", "required_packages_version.itk is '>=5.4'; the zoo wants one versi"),
        ("required_packages_version#scipy", "", "required_packages_version.scipy is ''; the zoo wants one version, fo"),
        ("pytorch_version", "2.13.0+cpu", "pytorch_version is '2.13.0+cpu'; the zoo wants one version, for pip insta"),
        (
            "network_data_format#inputs#image#spatial_shape",
            ["16*n", 64],
            'network_data_format.inputs.image.spatial_shape is ["16*n", 64]; the zoo wants whole numbers, for it tries',
        ),
        ("network_data_format#outputs#pred", GONE, "network_data_format.outputs.pred is not there; the zoo wants all"),
        (
            "network_data_format#outputs#pred#num_channels",
            "3",
            'network_data_format.outputs.pred.num_channels is "3"; the zoo wants a whole number there',
        ),
    ],
)
def test_metadata_that_break_a_rule_are_refused(
    bundle: Path, refused: Callable[..., str], key: str, value: object, said: str
) -> None:
    metadata = json.loads((bundle / METADATA).read_text())
    if key == "version":
        metadata["changelog"] = {"0.1.0": "first version"}
    *path, last = key.split("#")
    parent = metadata
    for name in path:
        parent = parent[name]
    parent[last] = value
    if value is GONE:
        del parent[last]
    (bundle / METADATA).write_text(json.dumps(metadata))
    assert refused(bundle).startswith(f"error: {METADATA}: {said}")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("LICENSE", None, "it is not there; the zoo wants LICENSE, configs/metadata.json and configs/inference.json"),
        (METADATA, None, "it is not there; the zoo wants LICENSE, configs/metadata.json and configs/inference.json"),
        (INFERENCE, None, "it is not there; the zoo wants LICENSE, configs/metadata.json and configs/inference.json"),
        (METADATA, "[]", "schema is not there; the zoo wants all that its schema requires, changelog and name"),
        ("configs/train.json", '{\n  "a": 1,\n}', r"it cannot be read, .*: line \d .*; the zoo wants JSON"),
        ("docs/README.md", "# Title", r"it ends with 'le'; the zoo wants one end of line at the end of a text"),
        ("docs/README.md", "# Title\n\n", r"it ends with '\\n\\n'; the zoo wants one end of line at the end of a text"),
        ("docs/README.md", "# Title\nwords \n", "line 2 ends with a space; the zoo wants none at the ends of lines"),
        ("docs/atlas.nii", "\0" * (25 * 10**6 + 10**5), "it has 25.1 MB; the zoo wants at most 25 MB of a file, and"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(
    bundle: Path, refused: Callable[..., str], file: str, text: str | None, said: str
) -> None:
    (bundle / file).unlink(missing_ok=True)
    if text is not None:
        (bundle / file).write_text(text, encoding="utf-8")
    assert re.match(f"error: {re.escape(file)}: {said}", refused(bundle))


def test_a_name_of_other_than_lower_case_words_is_refused(bundle: Path, refused: Callable[..., str]) -> None:
    renamed = bundle.rename(bundle.with_name("Hippocampus-NACL"))
    said = "error: Hippocampus-NACL: its folder is called so; the zoo wants lower-case words, with _ between them"
    assert refused(renamed) == said


def test_a_bundle_or_a_model_that_is_not_there_is_refused(bundle: Path, refused: Callable[..., str]) -> None:
    assert refused("/nowhere") == "error: /nowhere is not a folder"
    assert refused(bundle, "--model", "/nowhere.pt") == "error: /nowhere.pt is not a file"


def test_large_weights_are_wanted_by_url() -> None:
    others = {METADATA: b'{"eval_metrics": {}}', "docs/data_license.txt": b"", "models/model.json": b"{}"}
    large = others | {"models/model.pt": bytes(26 * 10**6)}
    said = "models/model.pt has 26.0 MB: above 25 MB the zoo wants it by URL, in large_files.yml"
    assert EXPORT["remarks"](large) == [said]
    assert EXPORT["remarks"](large | {"large_files.yml": b""}) == []
    assert EXPORT["remarks"](others | {"large_files.yml": b""}) == []
    said = "no docs/data_license.txt: the zoo wants it if the data have conditions"
    assert EXPORT["remarks"]({"large_files.yml": b""}) == [said]


def test_what_cannot_be_written_leaves_the_zip_that_was_there(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    EXPORT["main"]([str(bundle), "--out", str(out)])
    [before] = [path.read_bytes() for path in out.iterdir()]
    (bundle / "docs" / "README.md").write_text("# Other\n")

    def replace(*_paths: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(ValueError, match=r"^.*\.zip cannot be written: No space left on device$"):
        EXPORT["main"]([str(bundle), "--out", str(out)])
    assert [path.read_bytes() for path in out.iterdir()] == [before]


@pytest.mark.skipif(not SCHEMA.is_file(), reason="needs the zoo's schema")
@pytest.mark.parametrize("bundle", SOME_BUNDLES, ids=lambda path: path.name)
def test_monai_verifies_the_metadata(bundle: Path) -> None:
    # MONAI downloads no schema where one lies, and wants to know its hash.
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()
    verify_metadata(str(bundle / METADATA), str(SCHEMA), hash_val=digest, hash_type="sha256")


@pytest.mark.parametrize("bundles", DATASETS.values(), ids=DATASETS)
def test_monai_verifies_the_network(bundles: list[Path]) -> None:
    first, *others = bundles
    files = str(first / METADATA), str(first / INFERENCE)
    verify_net_in_out("network_def", *files, device="cpu", p=1, n=1, any=1)
    for other in others:
        for key in ("network_def", "in_channels", "num_classes"):
            assert config_of(other, "inference")[key] == config_of(first, "inference")[key]
        assert (
            config_of(other, "metadata")["network_data_format"] == config_of(first, "metadata")["network_data_format"]
        )


@pytest.mark.parametrize("dataset", ["brats", "busi", "mrbrains"])  # four channels, a picture, nine classes
def test_monai_exports_the_network_to_torchscript(dataset: str, tmp_path: Path) -> None:
    bundle = DATASETS[dataset][0]
    weights = weights_of(bundle)
    torch.save(weights, tmp_path / "model.pt")
    files = {"meta_file": str(bundle / METADATA), "config_file": str(bundle / INFERENCE)}
    ckpt_export("network_def", str(tmp_path / "model.ts"), str(tmp_path / "model.pt"), **files)
    stored = {"inference.json": "", "metadata.json": ""}
    scripted = torch.jit.load(tmp_path / "model.ts", _extra_files=stored)
    assert json.loads(stored["inference.json"]) == config_of(bundle, "inference")
    assert json.loads(stored["metadata.json"]) == config_of(bundle, "metadata")
    config = ConfigParser(json.loads(stored["inference.json"]))
    assert all(macro in config for macro in re.findall(r'"%([^"]*)"', json.dumps(config.get())))  # in no other file
    network = network_of(bundle)
    network.load_state_dict(weights)
    image = config_of(bundle, "metadata")["network_data_format"]["inputs"]["image"]
    batch = torch.randn(1, image["num_channels"], *image["spatial_shape"])
    with torch.no_grad():
        torch.testing.assert_close(scripted(batch), network(batch))
