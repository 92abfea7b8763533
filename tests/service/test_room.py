from __future__ import annotations

from threading import Thread

from lungflag.service.room import Room


def test_no_more_is_held_than_there_is() -> None:
    room = Room(10)
    assert room.take(6)
    assert not room.take(5)
    assert room.free == 4
    assert room.take(4)
    room.give(10)
    assert room.free == 10


def test_threads_share_it() -> None:
    room = Room(100)

    def work() -> None:
        for _ in range(2000):
            if room.take(60):
                room.give(60)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.free == 100
