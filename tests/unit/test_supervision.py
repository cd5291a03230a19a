"""When a child process is started again, and who hears of it. Nothing here waits: time is told, or made short."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import pytest

from ari_assistant.supervision import Backoff, Supervisor, ended


class Died(Exception):
    """The test has seen enough."""


class Lives:
    """A child whose lives are over at once: `R` was ready in between, `x` was not. The test ends with the last one."""

    def __init__(self, lives: str) -> None:
        self.supervisor = Supervisor(Backoff(good_seconds=0.0, after_good_seconds=0.0, first_seconds=0.0))
        self.pauses: list[float] = []
        self._lives = lives

    async def live(self) -> None:
        life, self._lives = self._lives[:1], self._lives[1:]
        if not life:
            raise Died
        if life == "R":
            self.supervisor.up()
            self.supervisor.down()

    def restarting(self, end: None, pause: float) -> None:
        self.pauses.append(pause)


def test_a_process_that_dies_after_a_good_life_is_back_soon_and_one_that_dies_at_once_later_and_later() -> None:
    backoff = Backoff()
    assert backoff.after(lived_seconds=60, ready=True) == 0.1
    assert [backoff.after(lived_seconds=1, ready=True) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert backoff.after(lived_seconds=60, ready=True) == 0.1


def test_who_takes_long_to_fail_has_not_had_a_good_life() -> None:
    backoff = Backoff()
    assert [backoff.after(lived_seconds=12, ready=False) for _ in range(3)] == [0.1, 0.2, 0.4]


def test_asterisk_is_back_at_once_when_it_had_answered() -> None:
    backoff = Backoff(good_seconds=0.0, after_good_seconds=0.0, first_seconds=0.2)
    lives = [(5, True), (1, True), (20, False), (1, False), (1, True), (1, False)]
    assert [backoff.after(lived_seconds=seconds, ready=ready) for seconds, ready in lives] == [
        0,
        0,
        0.2,
        0.4,
        0,
        0.2,
    ]


async def test_every_end_is_told_and_followed_by_a_start() -> None:
    child = Lives("RxR")
    with suppress(Died):
        await child.supervisor.run(child)
    assert child.pauses == [0.0, 0.0, 0.0]
    assert child.supervisor.restarts == 3
    assert not child.supervisor.ready


async def test_the_first_start_is_waited_for_whether_it_succeeds_or_not() -> None:
    child = Lives("x")
    running = asyncio.create_task(child.supervisor.run(child))
    assert not await child.supervisor.wait_ready()
    with pytest.raises(Died):
        await running

    supervisor = Supervisor(Backoff())
    supervisor.up()
    assert await supervisor.wait_ready()


async def test_a_process_that_does_not_end_in_time_is_killed() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    await ended(process, within_seconds=0)
    assert process.returncode == -9
    await ended(process, within_seconds=0)  # harmless when it has ended
