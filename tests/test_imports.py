"""The packages import downwards only, Ignite and Matplotlib in one place each."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "calib_monai"
ALLOWED = {
    "handlers": {
        *("lagrangian", "metrics", "networks", "posthoc", "reports", "views", "grids", "patches", "ensembles"),
        *(
            "arguments",
            "generators",
            "bins",
            "case_names",
            "checks",
            "composed",
            "conformal",
            "descriptions",
            "label_tables",
            "labels",
            "loss_checks",
        ),
        *("made_for", "measures", "methods", "other_ways", "outputs", "path_options", "processes", "regions"),
        *("running", "same_images", "slices", "spelling", "tensor_checks"),
        *("datalists", "inferers", "locks", "memory", "risk_coverage", "stored", "targets", "turns", "whole_files"),
    },
    "command_lines": {"spelling"},
    "apply": {"command_lines", "refusals", "scoring"},
    "score": {"command_lines", "refusals", "scoring"},
    "scoring": {
        *("arguments", "case_names", "checks", "datalists", "engines", "grids", "handlers", "headers", "label_tables"),
        *("label_values", "labels", "loading", "locks", "metrics", "posthoc", "refusals", "regions", "reports"),
        *("path_options", "spelling", "stored", "transforms", "voxel_sizes", "whole_files"),
    },
    "nnunet": {"lagrangian", "losses", "processes", "whole_files"},
    "experiments": {
        "path_options",
        "bins",
        "command_lines",
        "estimates",
        "intervals",
        "measures",
        "ranks",
        "refusals",
        "reports",
        "stored",
        "whole_files",
    },
    "reports": {
        "path_options",
        "command_lines",
        "refusals",
        "archives",
        "bins",
        "colors",
        "conformal",
        "intervals",
        "measures",
        "ranks",
        "regions",
        "risk_coverage",
        *("case_names", "spelling", "stored"),
        "whole_files",
    },
    "stored": {"case_names", "whole_files"},
    "intervals": {"arguments"},
    "risk_coverage": {"intervals"},
    "locks": {"processes", "whole_files"},
    "estimates": {"intervals"},
    "measures": {"regions"},
    "priors": {"arguments", "labels"},
    "presets": {"case_keys", "arguments", "grids", "relabeled"},
    "relabeled": {"case_keys", "label_values"},
    "ranks": {"arguments", "intervals"},
    "refusals": {"worker_errors"},
    "regions": {"arguments", "spelling"},
    "boundaries": {"arguments"},
    "phantoms": {"arguments"},
    "metrics": {"arguments", "bins", "grids", "labels", "regions", "spelling"},
    "lagrangian": {"arguments"},
    "losses": {"arguments", "boundaries", "fills", "labels", "lagrangian", "priors", "tensor_checks"},
    "posthoc": {"arguments", "conformal", "losses", "metrics", "regions", "spelling", "tensor_checks", "whole_files"},
    "misplaced_files": {"datalists", "processes", "same_images", "seen"},
    "near_copies": {"datalists", "same_images"},
    "cases": {
        *("case_checks", "checks", "datalists", "ensembles", "found_cases", "misplaced_files", "pictures"),
        *("far_voxels", "inside_out", "model_splits", "near_copies", "orientation", "path_options"),
        *("processes", "same_images", "seen", "split_settings", "volumes", "windows", "zones"),
    },
    "far_voxels": {"orientation", "processes"},
    "split_settings": {"contrasts", "datalists", "grids", "made_for", "volumes", "windows"},
    "model_splits": {"checks", "datalists"},
    "predicted_cases": {
        *("case_checks", "checks", "contrasts", "datalists", "ensembles", "found_cases"),
        *("made_for", "networks", "orientation", "path_options", "same_images", "seen", "volumes", "windows"),
    },
    "listed_cases": {
        *("case_keys", "cases", "checks", "datalists", "label_values", "processes", "split_settings", "volumes"),
    },
    "case_checks": {"budgets", "datalists", "headers", "memory", "processes", "read_once", "volumes"},
    "headers": {"data_files", "dicom", "file_cache", "memory", "pictures"},
    "same_images": {"datalists", "processes"},
    "zones": {"processes"},
    "found_cases": {
        "case_keys",
        "case_names",
        "datalists",
        "headers",
        "made_for",
        "held_images",
        "left_labels",
        *("nrrd_spaces", "other_spelling", "processes", "seen"),
        "spelling",
        "volumes",
    },
    "other_spelling": {"datalists", "pictures"},
    "other_ways": {"turns"},
    "left_labels": {"case_keys", "case_names", "datalists"},
    "label_grids": {"case_keys", "grids", "orientation"},
    "volumes": {
        "case_keys",
        "arguments",
        "checks",
        "contrasts",
        "copies",
        "grids",
        "headers",
        "held_images",
        "inside_out",
        "label_grids",
        "label_values",
        "same_images",
        "orientation",
        "pictures",
        "readers",
        "refusals",
        "seen",
        "windows",
    },
    "inside_out": {"processes"},
    "seen": {"orientation"},
    "contrasts": {"case_keys", "composed", "processes", "windows"},
    "windows": {"case_keys", "composed", "processes"},
    "loading": {
        *("case_keys", "data_files", "dicom", "grids", "headers", "held_images", "intensities", "label_values"),
        *("nrrd_spaces", "packed_voxels", "pictures", "read_once", "readers", "series", "voxel_sizes"),
    },
    "intensities": {"text_headers"},
    "nrrd_spaces": {"grids", "text_headers"},
    "voxel_sizes": {"grids", "text_headers"},
    "data_files": {"text_headers"},
    "packed_voxels": {"text_headers"},
    "readers": {"headers", "nifti"},
    "label_values": {"composed", "processes", "spelling"},
    "held_images": {"grids"},
    "pictures": {"case_keys", "data_files", "held_images", "read_once"},
    "read_once": {"memory"},
    "kept_items": {"composed", "memory"},
    "series": {"dicom", "dicom_lengths", "rescales"},
    "rescales": {"dicom", "text_headers"},
    "dicom": {"dicom_lengths", "file_cache"},
    "text_headers": {"file_cache"},
    "conformal": {"arguments", "spelling"},
    "checks": {
        *(
            "arguments",
            "case_keys",
            "generators",
            "grids",
            "made_for",
            "path_options",
            "processes",
            "slices",
            "spelling",
        ),
        "weights",
    },
    "weights": {"grids"},
    "loss_checks": {"checks", "generators", "grids", "losses", "tensor_checks"},
    "inverses": {"case_keys", "slabs"},
    "made_for": {"__version__", "descriptions", "grids", "orientation", "networks", "stored"},
    "ensembles": {"checks", "datalists", "descriptions", "made_for", "path_options", "posthoc"},
    "carried": {"__version__"},
    "methods": {"made_for"},
    "loaders": {"copies", "processes"},
    "slices": {"arguments", "blocks", "grids", "processes", "refusals"},
    "patches": {"arguments", "blocks", "case_keys", "composed", "descriptions", "grids", "processes", "slices"},
    "datalists": {
        *("arguments", "case_keys", "case_names", "dicom", "dicom_lengths", "held_images", "path_options", "pictures"),
        *("label_values", "series", "spelling", "stored", "whole_files"),
    },
    "writers": {"grids", "whole_files"},
    "predictions": {"case_keys", "case_names", "inverses", "tensor_checks", "transforms"},
    "outputs": {"case_names", "checks", "transforms", "writers"},
    "label_tables": {"case_names", "colors", "whole_files"},
    "option_values": {
        *("arguments", "checks", "conformal", "datalists", "ensembles", "former_networks", "grids", "measures"),
        "networks",
        *("orientation", "path_options", "shifts", "spelling", "targets"),
    },
    "overlays": {"former_options", "spelling", "targets"},
    "overrides": {
        *("former_networks", "former_options", "option_values", "overlays"),
        *("path_options", "refusals", "running", "spelling", "targets"),
    },
    "former_options": {"former_networks", "networks", "spelling", "targets"},
    "shifts": {"case_keys", "processes", "spelling"},
    "targets": {"spelling"},
    "transforms": {"boundaries", "case_keys", "fills", "grids", "labels"},
    "crops": {"case_keys", "grids"},
    "descriptions": {"case_keys", "composed"},
    "orientation": {"case_keys", "composed", "grids"},
    "bins": {"arguments", "labels", "regions"},
    "views": {"arguments", "labels"},
    "engines": {
        *(
            "case_names",
            "composed",
            "inferers",
            "loaders",
            "losses",
            "lost_cases",
            "memory",
            "networks",
            "patches",
            "processes",
        ),
        *("slices", "tensor_checks", "transforms", "views"),
    },
    "lost_cases": {"case_names", "checks", "predictions", "refusals", "volumes"},
    "inferers": {"labels", "networks", "tensor_checks"},
    "networks": {"archives", "arguments", "spelling", "weights"},
}
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_a_module_imports_only_what_lies_below_it() -> None:
    assert len(FILES) > 200
    for path in FILES:
        own, names = path.parts[0].removesuffix(".py"), imported(path)
        ours = {name.split(".")[1] for name in names if name.startswith("calib_monai.")}
        assert ours <= ALLOWED.get(own, set()) | {own}, path
        others = {name.split(".")[0] for name in names}
        assert "ignite" not in others or own == "handlers", path
        assert "matplotlib" not in others or own == "reports", path
        assert not others & {"bundles", "scripts"}, path


def test_a_module_says_what_it_is_and_stays_short() -> None:
    for path in FILES:
        text = (PACKAGE / path).read_text(encoding="utf-8")
        assert text.startswith('"""'), path
        assert text.count("\n") <= 300, path
