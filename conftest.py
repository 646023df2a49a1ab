"""For every test: in the gate a missing component fails and is never skipped; no time is asserted."""

from __future__ import annotations

import os

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings

# How fast examples are made and tried says more of the machine than of dagfs.
settings.register_profile("dagfs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dagfs")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("DAGFS_GATE") and isinstance(reporter, TerminalReporter):
        for report in reporter.stats.get("skipped", ()):
            reporter.write_line(f"skipped, which the gate does not allow: {report.nodeid}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
