"""The Ray engine: Ray Data takes the list to actors that hold the model, on any number of machines.

The list goes out in *tasks* of a few films, and rows come back in any order. A shard is written
once its tasks are all there, so the shards are those of the local engine. Ray starts a lost actor
anew and repeats its tasks, also where a whole machine is lost.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from importlib import import_module
from logging import ERROR, getLogger
from typing import TYPE_CHECKING, Any

from lungflag._extras import require
from lungflag._session import one_line
from lungflag.bulk.judge import Judge, to_table
from lungflag.errors import BulkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lungflag.bulk.judge import Asked
    from lungflag.bulk.table import BulkTable

    Tasks = Mapping[int, Iterable[int]]  # shard -> where in it a task begins

_TASK = 64  # films: under a second of work, so that actors end together and little is repeated
_AHEAD = 2  # tasks an actor: it has the next one when it ends one
_STALLED = 300  # seconds without a row, after which the actors are counted anew
_STORE = 256 * 2**20  # bytes of a private object store: names and rows alone travel by it


class _Actor:
    """One loaded model in a process of its own."""

    def __init__(self, asked: Asked) -> None:
        self._judge = Judge(asked)

    def __call__(self, tasks: Any) -> Iterator[Any]:
        import pyarrow as pa

        for task in tasks.to_pylist():
            names = map(os.fsdecode, task["names"])
            rows = to_table(list(self._judge.rows(names, jobs=1)))
            buffer = pa.BufferOutputStream()
            with pa.ipc.new_stream(buffer, rows.schema) as stream:
                stream.write_table(rows)
            answer = {name: [task[name]] for name in ("shard", "start")}
            yield pa.table({**answer, "rows": [buffer.getvalue().to_pybytes()]})


def judge_on_ray(
    table: BulkTable, missing: Iterable[int], asked: Asked, *, jobs: int | None
) -> Iterator[tuple[int, Any]]:
    """Yield the shards `missing`, in any order, each with its rows as a `pyarrow.Table`.

    To be called within `cluster`. `jobs` is the number of actors: the cluster's CPUs if None.

    Raises
    ------
    BulkError
        If an actor cannot load the model, storage cannot be reached, or the cluster is lost.
    """
    import pyarrow as pa

    shards: dict[int, dict[int, Any]] = {shard: {} for shard in missing}
    while shards:
        left = {
            shard: [n for n in range(0, table.inputs.size(shard), _TASK) if n not in there]
            for shard, there in shards.items()
        }
        for task in _results(table, left, asked, jobs):
            shard = task["shard"]
            shards[shard][task["start"]] = pa.ipc.open_stream(task["rows"]).read_all()
            if len(shards[shard]) == -(-table.inputs.size(shard) // _TASK):
                parts = sorted(shards.pop(shard).items())
                yield shard, pa.concat_tables(part for _, part in parts)


def _results(
    table: BulkTable, left: Tasks, asked: Asked, jobs: int | None
) -> Iterator[dict[str, Any]]:
    """Yield what the actors answer, until all is there or nothing more comes.

    Ray waits for ever for the tasks of an actor that has no machine left to start anew on. A
    second pass then has as many actors as there is room for.
    """
    from ray.data.exceptions import ExecutionTimeoutError

    ray: Any = import_module("ray")  # which has few types
    actors = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
    data = ray.data.read_datasource(_source(table, left), override_num_blocks=1, num_cpus=0)
    judged = data.map_batches(
        _Actor,
        fn_constructor_args=(asked,),
        compute=ray.data.ActorPoolStrategy(
            min_size=1,
            max_size=actors,
            initial_size=actors,
            max_tasks_in_flight_per_actor=_AHEAD,
        ),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=1,
    )
    try:
        yield from judged.iter_rows()
    except ExecutionTimeoutError:
        return
    except Exception as error:  # what an actor raised, in Ray's own wrapping, or Ray's own
        cause = getattr(error, "cause", None) or error.__cause__ or error
        raise BulkError(f"the Ray engine: {one_line(cause)}") from error


def _source(table: BulkTable, left: Tasks) -> Any:
    """Return the list as a Ray Data source: read here, task by task, as it is asked for."""
    import pyarrow as pa
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    path = table.path.resolve()
    schema = pa.schema(
        [("shard", pa.int64()), ("start", pa.int64()), ("names", pa.list_(pa.binary()))]
    )

    def read() -> Iterator[Any]:
        from lungflag.bulk.plan import Inputs

        inputs = Inputs(path)
        for shard, starts in left.items():
            names = [os.fsencode(name) for name in inputs.names(shard)]
            for start in starts:
                task = {"shard": shard, "start": start, "names": names[start : start + _TASK]}
                yield pa.Table.from_pylist([task], schema=schema)

    class Names(Datasource):
        supports_distributed_reads = False  # the list lies on this machine

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: object, **__: object) -> list[Any]:
            return [ReadTask(read, BlockMetadata(None, None, None, None))]

    source: Any = Names
    return source()


@contextmanager
def cluster(address: str | None, *, jobs: int | None) -> Iterator[None]:
    """Join the Ray cluster at `address`; without one, start a private one on this machine.

    Parameters
    ----------
    address : str or None
        ``HOST:PORT`` of the head, or ``auto`` for the cluster that this machine belongs to.
    jobs : int or None
        CPUs of the private one: all that this process may use if None.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    BulkError
        If there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its own warnings are not the user's
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of tasks that we cancel
    ray: Any = require("ray", feature="--engine ray", extra="ray")
    require("ray.data", feature="--engine ray", extra="ray")
    if address and "://" in address:
        raise BulkError(
            f"{address}: Ray's client is not supported; run on a machine of the cluster"
        )
    if address and address != "auto":
        _reach(address)  # Ray itself would go on trying for minutes
    own = {
        "num_cpus": jobs,
        "include_dashboard": False,
        "object_store_memory": _STORE,
        "_node_ip_address": "127.0.0.1",
        "_system_config": {"worker_niceness": 0},  # as polite as the command itself
    }
    try:
        ray.init(
            address or "local",
            log_to_driver=False,
            logging_level="error",
            **({} if address else own),
        )
    except Exception as error:  # ConnectionError, RuntimeError, ValueError, as Ray likes
        raise BulkError(f"{address or 'Ray'}: cannot be reached ({one_line(error)})") from error
    try:
        _configure(ray.data.DataContext.get_current())
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=20).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BulkError(f"{address}: cannot be reached ({one_line(error)})") from error


def _configure(context: Any) -> None:
    getLogger("ray.data").setLevel(ERROR)
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A task is a block of its own: it is what an actor takes, and what is repeated if it is lost.
    context.target_max_block_size = 1
    context.target_min_block_size = 1
    stalled = min(_STALLED, context.execution_no_progress_timeout_s)  # tests cannot wait so long
    context.execution_no_progress_timeout_s = stalled
