"""For every test there is: in the gate a missing component is a failure, never a skip."""

from __future__ import annotations

import os

import pytest
from _pytest.terminal import TerminalReporter


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("DAGFS_GATE") and isinstance(reporter, TerminalReporter):
        for report in reporter.stats.get("skipped", ()):
            reporter.write_line(f"skipped, which the gate does not allow: {report.nodeid}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
