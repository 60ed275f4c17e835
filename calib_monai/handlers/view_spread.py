"""How much each voxel of an inference varies over random views of its image."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from monai.networks.utils import eval_mode

from calib_monai.generators import generators_on
from calib_monai.handlers.engine_state import logits_of, output_of
from calib_monai.metrics.inputs import plain
from calib_monai.posthoc import CalibratedNetwork
from calib_monai.posthoc.calibrated_network import calibrator_of
from calib_monai.posthoc.files import Calibrator
from calib_monai.views import RandomViews, spread_over_views


class ViewSpread:
    """Adds "spread" to the output of an evaluator: `calib_monai.views.spread_over_views` of each voxel.

    An image always has the same spread, independent of earlier images.

    Args:
        random_views: draws the views.
        calibrator: a calibrator that was fitted to the logits of the evaluator's network, or a network that has it.
        num_views: number of views; each takes as long as the prediction.
        seed: seed of the views.
    """

    def __init__(
        self,
        random_views: RandomViews,
        calibrator: Calibrator | CalibratedNetwork,
        num_views: int = 8,
        seed: int = 0,
    ) -> None:
        self.random_views = random_views
        self.calibrator = calibrator_of(calibrator)
        self.num_views = num_views
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Add it after every forward pass, on the device of the evaluator."""
        self.calibrator.to(getattr(engine.state, "device", None))
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Add it to this iteration's output."""
        output = output_of(engine)
        network = CalibratedNetwork(engine.network, self.calibrator, output="logits")
        image = plain(output["image"])
        half = torch.autocast("cuda", enabled=image.is_cuda and engine.amp, **engine.amp_kwargs)
        # MONAI is out of the evaluation's mode and precision here, and batch normalization would learn.
        with torch.random.fork_rng(generators_on(image.device)), eval_mode(network), half:
            torch.manual_seed(self.seed)
            output["spread"] = spread_over_views(
                image,
                logits_of(engine),
                engine.inferer,
                network,
                self.random_views,
                self.num_views,
            )
