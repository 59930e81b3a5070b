"""The remaining time is estimated from the speed of this run. A log gets plain lines, a terminal one bar."""

import io

import pytest
from rich.console import Console

from tools.progress import Job, Meter, Report


class Clock:
    """A clock that shows the seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_remaining_time_follows_from_the_speed_of_this_run() -> None:
    clock = Clock()
    meter = Meter({"etcd": 3, "kwok": 1}, clock)
    assert meter.remaining_minutes is None
    clock.seconds = 180
    meter.advance("etcd", 0.5)
    assert meter.remaining_minutes == pytest.approx(5)
    meter.advance("etcd", 1)
    assert meter.remaining_minutes == pytest.approx(1)


def test_a_share_never_decreases_and_never_exceeds_1() -> None:
    meter = Meter({"etcd": 1})
    meter.advance("etcd", 0.6)
    meter.advance("etcd", 0.2)
    assert meter.share == pytest.approx(0.6)
    meter.advance("etcd", 1.4)
    assert meter.share == 1


def test_a_log_has_a_line_for_the_start_and_the_end_of_each_program() -> None:
    clock, output = Clock(), io.StringIO()
    jobs = {"etcd": Job(verb="building", weight=2), "kwok": Job(verb="downloading", weight=1)}
    with Report(Console(file=output), jobs, clock) as report:
        report.advance("etcd", 0.1)
        report.advance("etcd", 0.4)
        clock.seconds = 240
        report.finish("etcd")
        report.advance("kwok", 1)
        report.finish("kwok")
    assert output.getvalue().splitlines() == [
        "  building etcd",
        "  etcd is ready, 1 of 2, about 2 min left",
        "  downloading kwok",
        "  kwok is ready, 2 of 2",
    ]


def test_a_terminal_has_one_bar() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120)
    with Report(console, {"etcd": Job(verb="building", weight=1), "kwok": Job(verb="building", weight=1)}) as report:
        report.advance("etcd", 0.5)
        report.advance("kwok", 0.5)
    assert "building etcd, building kwok" in output.getvalue()
    assert output.getvalue().count("\n") <= 1
