"""Options of the speed suites, and the environment at the head of every report."""

from __future__ import annotations

import os

import alternate


def pytest_addoption(parser):
    group = parser.getgroup("speed")
    group.addoption(
        "--bars", action="store_true", help="assert the promised ratios (on a quiet machine)"
    )
    group.addoption("--rounds", type=int, default=7, help="turns of each variant")
    group.addoption(
        "--threads", type=int, default=1, help="1: CPU time of one pinned core; more: wall time"
    )
    group.addoption(
        "--compiled",
        action="store_true",
        help="measure torch.compile, too (minutes of compilation)",
    )


def pytest_report_header():
    return [f"{name}: {text}" for name, text in alternate.environment().items()] + [
        f"load: {os.getloadavg()}"
    ]


def pytest_terminal_summary(terminalreporter):
    for title, text in alternate.reports.items():
        terminalreporter.section(title)
        terminalreporter.write_line(text)
