"""The plan of a benchmark: the trainings and evaluations of its configuration and experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from paper_settings import paper_settings
from plan_checks import (
    EACH,
    OF_PAPERS,
    OURS,
    averages,
    check_among,
    check_config,
    check_elsewhere,
    check_experiment,
    check_folders,
    check_names,
    of_all_seeds,
    whole_numbers,
)
from training import IN_3D, Options, Training

OF_VOLUMES = ["attention_unet", "dynunet", "unet"]  # those that take volumes
BUNDLES = Path(__file__).parents[1] / "bundles"
PLAIN = "eval"  # the folder of an evaluation without further options
ENSEMBLE = "ensemble"  # the folder of what is fitted to the mean of all seeds, beside the first of them
VALIDATION = f"{PLAIN}_validation"  # the evaluation by which one is chosen
PHANTOMS = "phantoms"
CONTROL = "control"  # the calibrator without promises
NETWORK = "network_def#_target_"


class Plan:
    """Trainings and evaluations of the chosen experiments.

    Args:
        config: the values of `config.yaml`.
        experiments: the content of `experiments.yaml`.

    Raises:
        ValueError: a value that cannot be; the message names it and what it must be.
    """

    def __init__(self, config: Mapping[str, Any], experiments: Mapping[str, Mapping[str, Any]]) -> None:
        check_config(config)
        self.config = config
        self.dataset: str = config["dataset"]
        self.dims = whole_numbers("dims", config["dims"])
        check_among("dims", self.dims, [2, 3])
        self.seeds, self.folds = (whole_numbers(name, config[name]) for name in ("seeds", "folds"))
        chosen = list(experiments) if config["experiments"] == "all" else config["experiments"]
        check_among("experiments", chosen, list(experiments))
        self.experiments = {name: experiments[name] for name in chosen}
        for name, experiment in self.experiments.items():
            check_experiment(name, experiment)
        check_names(self.experiments)
        check_elsewhere(config["elsewhere"], self.experiments)
        self._check_experiments()
        check_folders({name: self.trainings(name) for name in self.experiments})
        self._check_papers()
        self._check_volumes()
        if self.on_phantoms and self.dataset != "hippocampus":
            raise ValueError(f"there are no phantoms of {self.dataset}: set dataset_dir to its folder")
        if not self.on_phantoms and not Path(self.dataset_dir).is_dir():
            raise ValueError(f"dataset_dir {self.dataset_dir} is not a folder")

    @property
    def on_phantoms(self) -> bool:
        """Whether there are no data, so that phantoms are made."""
        return bool(self.config["dataset_dir"] == PHANTOMS)

    @property
    def out(self) -> str:
        """The folder of the trainings and tables on these data."""
        return f"{self.config['out']}/{PHANTOMS if self.on_phantoms else self.dataset}"

    @property
    def dataset_dir(self) -> str:
        """The folder of the data."""
        given: str = self.config["dataset_dir"]
        return f"{self.out}/{PHANTOMS}" if self.on_phantoms else given

    def trainings(self, experiment: str) -> list[Training]:
        """The trainings of an experiment."""
        asked = self.experiments[experiment]
        methods = self._methods(experiment)
        networks = asked.get("networks", self.config["networks"])
        told = [network + (IN_3D if dims == 3 else "") for network in networks for dims in self.dims]  # noqa: PLR2004 - dimensions
        cells = product(methods, told, self.seeds, self.folds)
        return [
            Training(method, network, variant, seed, fold, options)
            for method, network, seed, fold in cells
            for variant, options in self._variants(experiment, method)
        ]

    def tested(self, experiment: str) -> list[Training]:
        """The trainings of an experiment whose evaluations it compares: of the first seed, if seeds are averaged."""
        seeds = self.seeds[:1] if averages(self.experiments[experiment]) else self.seeds
        return [training for training in self.trainings(experiment) if training.seed in seeds]

    def is_of_ensemble(self, evaluation: str) -> bool:
        """Whether an evaluation is one of the mean of all seeds."""
        return of_all_seeds(self._all_evaluations[evaluation])

    def members(self, folder: str) -> list[str]:
        """The places of the trainings that differ from the one in this folder in nothing but the seed, and its own."""
        return [f"{self.out}/{replace(self._all_trainings[folder], seed=seed).folder}" for seed in self.seeds]

    def evaluations(self, experiment: str) -> dict[str, Options]:
        """Folder and options of each evaluation of the trainings of an experiment."""
        asked = self.experiments[experiment]
        found: dict[str, Options] = {f"{PLAIN}_{name}": of for name, of in asked.get("evaluations", {}).items()}
        others: dict[str, Options] = self.config["elsewhere"] if asked.get("elsewhere") else {}
        measured = {name: of for name, of in others.items() if averages(asked) or not of_all_seeds(of)}
        return {PLAIN: {}} | found | {f"{PLAIN}_on_{name}": of for name, of in measured.items()}

    def results(self, experiment: str) -> list[str]:
        """The folders that the evaluations of an experiment write."""
        return [
            f"{self.out}/{training.folder}/{evaluation}"
            for training in self.tested(experiment)
            for evaluation in self.evaluations(experiment)
        ]

    def validations(self, experiment: str) -> list[str]:
        """The folders of the evaluations by which an experiment chooses."""
        return [f"{self.out}/{training.folder}/{VALIDATION}" for training in self.trainings(experiment)]

    def selections(self, folder: str) -> list[str]:
        """The files of the choices that this training is a candidate of: they are made before it is tested."""
        of = [name for name, one in self.experiments.items() if "select" in one]
        return [self.selected(name) for name in of if folder in {one.folder for one in self.trainings(name)}]

    def selected(self, experiment: str) -> str:
        """The file of an experiment's choice."""
        return f"{self.out}/tables/{experiment}/selected.json"

    def selection_options(self, experiment: str) -> list[str]:
        """The options of `python -m calib_monai.experiments.selection` for an experiment."""
        return ["--each"] if self.experiments[experiment]["select"] == EACH else []

    def title(self, experiment: str) -> str:
        """What an experiment asks, and which paper asked it."""
        asked = self.experiments[experiment]
        source = f" ({asked['source']})" if "source" in asked else ""
        return f"{asked['title']}{source}"

    def table_options(self, experiment: str) -> list[str]:
        """The options of `python -m calib_monai.experiments` for an experiment."""
        asked = self.experiments[experiment]
        axis = asked.get("axis", {})
        data = f"phantoms, not {self.dataset}" if self.on_phantoms else self.dataset
        volumes = " as volumes" if self.dims == [3] else ""  # where rows do not tell it
        options = {"title": f"{self.title(experiment)}: {data}{volumes}"}
        options |= {"selected": self.selected(experiment)} if "select" in asked else {}
        options |= {"axis": axis["title"], "plain": axis["plain"]} if axis else {}
        drawn = ["--cases", *map(str, self.config["cases"])] if self.config["cases"] else []
        return [*_on_command_line(options), *drawn]

    def training_options(self, folder: str) -> list[str]:
        """The options of the training in a folder of this data set, as given on a command line."""
        training = self._all_trainings[folder]
        return _on_command_line({"epochs": self.config["epochs"], "seed": training.seed, **self._of_data(folder)})

    def evaluation_options(self, folder: str, evaluation: str) -> list[str]:
        """The options of an evaluation of this training, in the folder of this name."""
        own = {"output_dir": f"{self.out}/{folder}/{evaluation}", "figures": False, **self._all_evaluations[evaluation]}
        own |= self._of_members(folder) if self.is_of_ensemble(evaluation) else {}
        return _on_command_line({**self._of_data(folder), **own})

    def calibration_options(self, folder: str, calibrator: str, *, ensemble: bool = False) -> list[str]:
        """The options of a calibration of this training, or of the mean of all seeds."""
        own = {"output_dir": f"{self.out}/{folder}/{ENSEMBLE}", **self._of_members(folder)} if ensemble else {}
        return _on_command_line({**self._of_data(folder), "calibrator": calibrator, **own})

    def bundle(self, folder: str) -> str:
        """The bundle that is trained in a folder of this data set."""
        return f"{self.dataset}_{self._all_trainings[folder].method}"

    def volumes(self, folder: str) -> list[str]:
        """What `run_bundle.py` is given besides for a network of volumes."""
        return ["--volumes"] if self._all_trainings[folder].network.endswith(IN_3D) else []

    def calibrators(self, folder: str, evaluation: str) -> list[str]:
        """The calibrators that are fitted to this training before the evaluation.

        Without a calibrator of its own, an evaluation waits for those of all others: each fit writes the promises that
        hold without a calibrator, too, and whether an evaluation measures them must not depend on the order.
        """
        own = self._all_evaluations[evaluation].get("calibrator")
        if own or evaluation == VALIDATION:  # which measures no promises
            return [own] if own else []
        of = [name for name in self.experiments if folder in {one.folder for one in self.trainings(name)}]
        others: set[str] = {
            options.get("calibrator", CONTROL)
            for name in of
            for other, options in self.evaluations(name).items()
            if self.is_of_ensemble(other) == self.is_of_ensemble(evaluation)
        }
        return sorted(others - {CONTROL})

    def _methods(self, experiment: str) -> list[str]:
        """The methods of an experiment; one that chooses does so among those that the configuration has, too."""
        asked, given = self.experiments[experiment], self.config["methods"]
        own = asked.get("methods", given)
        return [method for method in own if method in given] if "select" in asked else list(own)

    def _check_experiments(self) -> None:
        """Raise ValueError if an experiment averages seeds, of one, or chooses among methods, of none."""
        for name, experiment in self.experiments.items():
            if averages(experiment) and len(self.seeds) == 1:
                raise ValueError(f"seeds is {self.seeds}, and the experiment {name} averages seeds: give several")
            if not self._methods(name):
                raise ValueError(
                    f"methods is {self.config['methods']}, and the experiment {name} chooses among "
                    f"{', '.join(experiment['methods'])}: give one of them"
                )

    def _check_volumes(self) -> None:
        """Raise ValueError if networks or data are to be trained on as volumes, and are for slices alone."""
        if 3 not in self.dims:  # noqa: PLR2004 - dimensions
            return
        if not (BUNDLES / f"{self.dataset}_ce" / "configs" / "volumes.json").is_file():
            raise ValueError(f"dims has 3, and {self.dataset} has no volumes")
        for name, experiment in self.experiments.items():
            for network in experiment.get("networks", self.config["networks"]):
                if network not in OF_VOLUMES:
                    raise ValueError(
                        f"dims has 3, and {network}, of the experiment {name}, is for slices; volumes need "
                        f"{', '.join(OF_VOLUMES[:-1])} or {OF_VOLUMES[-1]}"
                    )

    def _check_papers(self) -> None:
        """Raise ValueError if trainings shall have the settings of papers, and no paper has a method on these data."""
        if self.config["settings"] != OF_PAPERS:
            return
        if 3 in self.dims:  # noqa: PLR2004 - dimensions
            raise ValueError("settings is papers, and dims has 3; the papers trained on slices: leave out one of them")
        methods = {method for name in self.experiments for method in self._methods(name)}
        unknown = sorted(method for method in methods if paper_settings(self.dataset, method) is None)
        if unknown:
            raise ValueError(
                f"settings is papers, and we know of none for {', '.join(unknown)} on {self.dataset}: choose other "
                f"methods, or settings={OURS}"
            )

    def _of_paper(self, method: str) -> Options:
        """What the paper of a method set otherwise, but for its network, which `networks` chooses."""
        found = paper_settings(self.dataset, method) if self.config["settings"] == OF_PAPERS else None
        return {name: value for name, value in found.options.items() if name != NETWORK} if found else {}

    def _of_data(self, folder: str) -> Options:
        """The options of a training that name data and network; every step needs them."""
        training = self._all_trainings[folder]
        return {
            "dataset_dir": self.dataset_dir,
            "ckpt_dir": f"{self.out}/{folder}/models",
            "output_dir": f"{self.out}/{folder}",
            NETWORK: f"calib_monai.networks.{training.network.removesuffix(IN_3D)}",
            "fold": training.fold,
            "split_seed": self.config["split_seed"],
            **self._of_paper(training.method),
            **self.config["options"],
            **self.config["method_options"].get(training.method, {}),
            **training.options,
        }

    def _of_members(self, folder: str) -> Options:
        """The option that names the models of all seeds."""
        return {"ckpt_dirs": [f"{member}/models" for member in self.members(folder)]}

    @cached_property
    def _all_evaluations(self) -> dict[str, Options]:
        """The options of every evaluation by its folder."""
        asked = {name: options for one in self.experiments for name, options in self.evaluations(one).items()}
        return asked | {VALIDATION: {"part": "validation"}}

    @cached_property
    def _all_trainings(self) -> dict[str, Training]:
        """Every training of the benchmark by its folder."""
        return {training.folder: training for name in self.experiments for training in self.trainings(name)}

    def _variants(self, experiment: str, method: str) -> Iterator[tuple[str, Options]]:
        """The variants of a method in an experiment, the bundle as it stands first."""
        asked = self.experiments[experiment].get("variants", {})
        yield "", {}
        yield from {**asked.get("each", {}), **asked.get(method, {})}.items()


def _on_command_line(options: Options) -> list[str]:
    """The options as MONAI's command line takes them."""
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]
