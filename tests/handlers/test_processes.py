"""The update of multipliers in several processes: the voxels of all, each once."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.distributed
from committed import in_two_processes
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from calib_monai.handlers import MultiplierUpdate
from calib_monai.losses import CRaCLoss

SPLITS = {"uneven": ((1, 2, 3), (4,)), "one without a case": ((1, 2, 3, 4), ())}  # seeds of cases, of each process


def updated(seeds: tuple[int, ...]) -> torch.Tensor:
    """Multipliers, coefficients and violations after validations of these cases, and those of other processes."""

    def step(engine: Engine, seed: int) -> None:
        if seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            engine.state.output = {
                "pred": 5 * torch.randn(1, 3, 6, 5, generator=generator),
                "label": torch.randint(3, (1, 1, 2, 1), generator=generator).repeat_interleave(3, 2).expand(1, 1, 6, 5),
            }
            engine.fire_event(IterationEvents.FORWARD_COMPLETED)

    engine, loss = Engine(step), CRaCLoss(3, growth_interval=1)
    engine.register_events(*IterationEvents)
    MultiplierUpdate(loss).attach(engine, "crac")
    for _ in range(2):
        loss(torch.zeros(1, 3, 4, 4, requires_grad=True), torch.zeros(1, 1, 4, 4))
        engine.run([1, 2, 3, 4])
    return torch.stack([loss.multipliers.multiplier, loss.multipliers.coefficient, loss.multipliers.violation])


def run(rank: int, folder: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    torch.save({name: updated(split[rank]) for name, split in SPLITS.items()}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_update_as_one_does(tmp_path: Path) -> None:
    in_two_processes(run, str(tmp_path))
    alone = updated((1, 2, 3, 4))
    assert (alone[0] > 1e-3).all()  # in both regions
    for rank in range(2):
        for name, together in torch.load(tmp_path / f"{rank}.pt").items():
            torch.testing.assert_close(together, alone, rtol=1e-6, atol=0, msg=name)
