"""What is left of a first start is measured by this run's own pace; a log has plain lines, a terminal one bar."""

import io

import pytest
from rich.console import Console

from tools.progress import Job, Meter, Report


class Clock:
    """Shows what it is set to, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_rest_takes_as_long_as_this_runs_pace_says() -> None:
    clock = Clock()
    meter = Meter({"one": 3, "two": 1}, clock)
    assert meter.minutes_left is None
    clock.seconds = 180
    meter.advance("one", 0.5)
    assert meter.minutes_left == pytest.approx(5)
    meter.advance("one", 1)
    assert meter.minutes_left == pytest.approx(1)


def test_no_job_seems_less_done_than_before_or_more_than_all() -> None:
    meter = Meter({"one": 1})
    meter.advance("one", 0.6)
    meter.advance("one", 0.2)
    assert meter.share == pytest.approx(0.6)
    meter.advance("one", 1.4)
    assert meter.share == 1


def test_a_log_has_a_line_where_a_program_begins_and_ends() -> None:
    clock, words = Clock(), io.StringIO()
    with Report(
        Console(file=words), {"etcd": Job(verb="building", weight=2), "kwok": Job(verb="fetching", weight=1)}, clock
    ) as report:
        report.advance("etcd", 0.1)
        report.advance("etcd", 0.4)
        clock.seconds = 240
        report.finish("etcd")
        report.advance("kwok", 1)
        report.finish("kwok")
    assert words.getvalue().splitlines() == [
        "  building etcd",
        "  etcd is ready, 1 of 2, about 2 min left",
        "  fetching kwok",
        "  kwok is ready, 2 of 2",
    ]


def test_a_terminal_has_one_bar() -> None:
    words = io.StringIO()
    console = Console(file=words, force_terminal=True, width=120)
    with Report(console, {"etcd": Job(verb="building", weight=1), "kwok": Job(verb="building", weight=1)}) as report:
        report.advance("etcd", 0.5)
        report.advance("kwok", 0.5)
    assert "building etcd, building kwok" in words.getvalue()
    assert words.getvalue().count("\n") <= 1
