"""The Ray engine on a real cluster: a head and workers in processes of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bulk.archives import archive, contents, kill, rows, shards, start
from tests.bulk.clusters import running_cluster
from tests.service.waiting import until

if TYPE_CHECKING:
    from lungflag.package import ModelPackage

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]


@pytest.fixture
def model(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


def test_a_lost_actor_a_lost_machine_and_a_killed_run_lose_no_row(
    model: Path, tmp_path: Path
) -> None:
    films, count = archive(tmp_path / "in", 20_000), 20_000
    here, there = tmp_path / "here", tmp_path / "there"
    start(films, "--engine", "local", "--table", here, "--batch", 64, model=model).communicate()
    with running_cluster(workers=2) as cluster:
        words: list[object] = [films, "--engine", "ray", "--ray-address", cluster.address]
        words += ["--resume", "--table", there, "--batch", 64]
        run = start(*words, model=model, **cluster.environment)
        until(lambda: len(shards(there)) >= 5, seconds=120, what="the first shards")
        cluster.kill_an_actor()
        until(lambda: len(shards(there)) >= 20, seconds=120, what="shards after a lost actor")
        cluster.add()
        cluster.lose(1)
        now = len(shards(there))
        until(lambda: len(shards(there)) >= now + 5, seconds=120, what="after a lost machine")
        kill(run)
        assert contents(there).items() <= contents(here).items()
        assert len(shards(there)) < len(shards(here))
        run = start(*words, model=model, **cluster.environment)
        out, err = run.communicate(timeout=300)
        assert run.returncode == 1, err
    assert f"{count} inputs in" in out
    assert len({row["path"] for row in rows(there)}) == count
    assert contents(there) == contents(here)


def test_a_private_cluster_stops_at_what_actors_say_and_goes_on(
    model: Path, tmp_path: Path
) -> None:
    films, table = archive(tmp_path / "in", 40), tmp_path / "out"
    words = ("--engine", "ray", "--jobs", 1, "--resume", "--table", table, "--batch", 8)
    (tmp_path / "list.csv").write_text(
        "path\n"
        + "".join(f"{path}\n" for path in sorted(films.rglob("*.png")))
        # Nobody listens there: that is no word on a film.
        + "http://127.0.0.1:9/film.dcm\n",
        encoding="utf-8",
    )
    run = start(tmp_path / "list.csv", *words, model=model)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 2
    assert "http://127.0.0.1:9/film.dcm: cannot be fetched" in err
    assert "with --resume goes on" in err
    shutil.rmtree(table)
    run = start(films, *words, model=model)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 1, err
    assert len(rows(table)) == 40


def test_a_cluster_that_is_not_there_is_named(model: Path, tmp_path: Path) -> None:
    films = archive(tmp_path / "in", 12)
    words = (films, "--engine", "ray", "--table", tmp_path / "out", "--ray-address")
    for address, message in (
        ("127.0.0.1:9", "127.0.0.1:9: cannot be reached"),
        ("ray://127.0.0.1:10001", "Ray's client is not supported"),
    ):
        run = start(*words, address, model=model)
        _, err = run.communicate(timeout=300)
        assert run.returncode == 2
        assert message in err
        assert not (tmp_path / "out").exists()
