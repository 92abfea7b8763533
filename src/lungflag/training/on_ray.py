"""The same training as workers of Ray Train. The only module of this room that imports Ray."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag._extras import require
from lungflag.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

_RESTARTS = 3  # lost workers or machines: each time all go on from the last whole epoch


def on_ray(number: int, part: Callable[[], None], run: Path) -> None:
    """Run `part` in so many workers of Ray Train, which are one group.

    They join the cluster that ``RAY_ADDRESS`` names, or one that is started on this machine, and
    work in this process's folder: what it reads and writes must be visible from all machines.

    Parameters
    ----------
    number : int
        Workers; each has a GPU where the cluster has enough of them.
    part : Callable[[], None]
        What each does; it must be picklable.
    run : Path
        Where Ray keeps its own record.

    Raises
    ------
    TrainingError
        If the workers failed and restarts did not help.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = require("ray", feature="training on Ray", extra="ray")
    train: Any = require("ray.train", feature="training on Ray", extra="ray")
    trainers: Any = require("ray.train.torch", feature="training on Ray", extra="ray")
    started_here = not ray.is_initialized()
    if started_here:
        address = os.environ.get("RAY_ADDRESS")
        own = {
            "num_cpus": max(number, os.cpu_count() or 1),
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_system_config": {"worker_niceness": 0},  # as polite as the command itself
        }
        # Without an address Ray would join any cluster that it finds running on this machine.
        ray.init(
            address or "local",
            log_to_driver=False,
            configure_logging=False,
            **({} if address else own),
        )
    try:
        trainers.TorchTrainer(
            _worker,
            train_loop_config={"part": part, "folder": str(Path.cwd())},
            scaling_config=train.ScalingConfig(
                num_workers=number, use_gpu=ray.cluster_resources().get("GPU", 0) >= number
            ),
            run_config=train.RunConfig(
                name="ray",
                storage_path=str(run.resolve()),
                failure_config=train.FailureConfig(max_failures=_RESTARTS),
            ),
        ).fit()
    except train.TrainingFailedError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TrainingError(f"{run}: training on Ray failed: {reason}") from error
    finally:
        if started_here:
            ray.shutdown()


def _worker(config: dict[str, Any]) -> None:
    os.chdir(config["folder"])
    config["part"]()
