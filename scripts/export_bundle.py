"""Export a bundle: write the zip of the MONAI model zoo, if the zoo's rules hold.

NAME_vVERSION.zip unzips to a folder NAME, which runs where only MONAI and the packages of configs/metadata.json are
installed. It holds LICENSE, configs, docs, the package calib_monai, the bundle's own scripts and, if they exist,
large_files.yml, models/model.pt and what lies beside it: model.json and calibrators of these weights. It holds nothing
else of the bundle, no output of runs, and no earlier package. The same files give the same bytes. The network is
`network_def` in configs/inference.json. For weights of another network, write its name there and in configs/train.json,
in a copy of the bundle. Weights of a network for volumes make a package in which configs/volumes.json is laid over the
other files. `--results` is the folder of an evaluation of the weights: its values become `eval_metrics` in the metadata
and the table in docs/README.md. Without it, a bundle with weights shows no results, because those in docs/README.md
belong to other weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundle_laid_over import PAGE, laid_over
from bundle_results import page_with, results_of
from zoo_rules import FITTED, LINKS, MADE_FOR, METADATA, MODEL, TRAIN, VERSION, Files, check, refuse, remarks

from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line
from calib_monai.whole_files import whole_file

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = "calib_monai"
FOLDERS = ("configs", "docs", "scripts", PACKAGE)
WRITTEN_BY_RUNS = ("models", "eval")
WITH_MODEL = (MADE_FOR, *FITTED)  # which are of no use without the weights
MEASURED = "eval_weights_sha256"  # in the metadata: the weights that `eval_metrics` belong to
FIND_CODE = "$sys.path.insert(0, @bundle_root)"  # MONAI does it, too, but after `initialize`
TELL_OTHER = {"_target_": f"{PACKAGE}.carried.tell_other_version", "bundle_root": "@bundle_root"}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code 0, after the zip is written."""
    parser = Parser(description=__doc__)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE_DIR", help="folder of the bundle")
    parser.add_argument(
        "--model",
        type=Path,
        help="weights to put in as models/model.pt, of the network in network_def; the bundle's own by default",
    )
    parser.add_argument("--results", type=Path, help="folder of an evaluation of these weights, such as eval")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the zip")
    options = parser.parse_args(arguments)
    name = options.bundle.resolve().name
    files = bundle_files(options.bundle, options.model, options.results)
    version = check(name, files)
    path = options.out / f"{name}_v{version}.zip"
    try:
        with whole_file(path) as file:
            file.write(zipped(name, files))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None
    sys.stdout.writelines(f"{line}\n" for line in [*remarks(files), str(path)])
    return 0


def bundle_files(bundle: Path, model: Path | None = None, results: Path | None = None) -> Files:
    """The files of a bundle for the zoo, in its format: path inside the bundle -> content.

    Args:
        bundle: its folder.
        model: file of the weights, the bundle's own by default.
        results: folder of an evaluation of these weights.

    Raises:
        ValueError: there is no such bundle or model, a file is no JSON, or the results are of other weights.
    """
    if not bundle.is_dir():
        raise ValueError(f"{bundle} is not a folder")
    if model is not None and not model.is_file():
        raise ValueError(f"{model} is not a file")
    own = [Path("LICENSE"), *map(Path, LINKS), *map(Path, [MODEL, *WITH_MODEL] if model is None else [])]
    files = _read(bundle, [*own, *map(Path, FOLDERS)])
    files |= _read(bundle, [Path(folder) for folder in _named_folders(bundle, files)])
    if not any(name.startswith(f"{PACKAGE}/") for name in files):
        files |= _read(REPOSITORY, [Path(PACKAGE)])
        files[f"{PACKAGE}/LICENSE"] = (REPOSITORY / "LICENSE").read_bytes()
    files = {name: _in_format(name, content) for name, content in files.items()}
    if model is not None:
        beside = {name: model.with_name(Path(name).name) for name in WITH_MODEL}
        files |= {name: _in_format(name, path.read_bytes()) for name, path in beside.items() if path.is_file()}
        files[MODEL] = model.read_bytes()
    if MODEL in files:
        return _with_results(laid_over(files), bundle, model, results)
    if results is not None:
        raise ValueError(f"{results} is given, and no weights: results need weights")
    return {name: content for name, content in files.items() if name not in WITH_MODEL}


def zipped(name: str, files: Files) -> bytes:
    """A zip of these files in a folder of that name.

    Note:
        They are stored as they are: weights do not compress, and other versions of zlib give other bytes.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{name}/{path}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whose permissions follow
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return content.getvalue()


def _read(root: Path, taken: Sequence[Path]) -> Files:
    """The content of these files of a folder, and of all files in these folders of it; hidden ones are left out.

    Raises:
        ValueError: a link leads out of the folder, to another folder, to nothing, or to what is not exported itself.
    """
    places = [place for path in taken for place in (root / path, *(root / path).rglob("*"))]
    paths = {place.relative_to(root).as_posix(): place for place in places}
    paths = {name: path for name, path in paths.items() if not re.search(r"(^|/)(\.|__pycache__/)", name)}
    for name, path in paths.items():
        if not path.resolve().is_relative_to(root.resolve()):
            refuse(name, f"it leads out of the bundle, to {path.resolve()}", "files of the bundle's own folder")
        if path.is_symlink() and not path.is_file():
            refuse(name, f"it is a link to {path.resolve()}, which is no file", "files of the bundle's own folder")
        target = path.resolve().relative_to(root.resolve())
        beside = target.parent == Path(name).parent and not target.name.startswith(".")
        if path.is_symlink() and target.as_posix() not in paths and not beside:
            refuse(name, f"it is a link to {target}, which the package does not hold", "files that it holds themselves")
    packages = re.compile(rf"(^|/){re.escape(root.resolve().name)}_v{VERSION}\.zip$")  # of an earlier export
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file() and not packages.search(name)}


def _named_folders(bundle: Path, files: Files) -> list[str]:
    """Folders of the bundle's own code: those from which its configurations take components, such as "mine.Loss"."""
    configs = b"".join(content for name, content in files.items() if name.startswith("configs/"))
    named = set(re.findall(r'"\$?([A-Za-z_]\w*)\.', configs.decode(errors="replace")))
    return sorted(name for name in named - {*FOLDERS, *WRITTEN_BY_RUNS} if (bundle / name).is_dir())


def _in_format(name: str, content: bytes) -> bytes:
    """The content of a file, JSON as the zoo's pre-commit writes it, its keys in their order."""
    if not name.endswith(".json"):
        return content
    try:
        held = json.loads(content)
    except ValueError as error:
        refuse(name, f"it cannot be read, {error}", "JSON")
    if name.startswith("configs/") and isinstance(held, dict):
        held = _with_code(held)
    return f"{json.dumps(held, indent=4)}\n".encode()


def _with_code(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that finds the code in the bundle's folder before it is initialized."""
    steps = config.get("initialize")
    if not isinstance(steps, list) or FIND_CODE in steps:
        return config
    imports = {} if "bundle_root" not in config else {"imports": ["$import sys", *config.get("imports", [])]}
    return {**imports, **config, **imports, "initialize": [FIND_CODE, TELL_OTHER, *steps]}


def _with_results(files: Files, bundle: Path, model: Path | None, folder: Path | None) -> Files:
    """The metadata and the page with the results of the weights, from the folder of their evaluation.

    Without a folder, results in the metadata stay if they belong to these weights; else no results are shown.
    """
    metadata, train = (json.loads(files.get(name, b"{}")) for name in (METADATA, TRAIN))
    if not isinstance(metadata, dict) or not isinstance(train, dict):
        return files  # which will be refused
    digest = hashlib.sha256(files[MODEL]).hexdigest()
    if folder is None and model is None and "eval_metrics" in metadata and metadata.get(MEASURED, digest) == digest:
        return files
    metadata = {key: value for key, value in metadata.items() if key not in {"eval_metrics", MEASURED}}
    found = results_of(folder, model or bundle / MODEL, train.get("class_names")) if folder else None
    if found:
        metadata |= {"eval_metrics": found.metrics, MEASURED: digest}
    changed = {METADATA: f"{json.dumps(metadata, indent=4)}\n".encode()}
    changed |= {PAGE: page_with(files[PAGE].decode(), found.table if found else None).encode()} if PAGE in files else {}
    return files | {name: content for name, content in changed.items() if name in files}


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
