"""What a plugin's author tests with: contracts as test classes, a home of its own, a clock, and edits.

    from dagfs.hooks.testing import ExecutorContract

    class TestNice(ExecutorContract):
        executor = Nice()
        accepted = ({"by": 7},)
        refused = ({"by": 99}, {"unheard_of": 1})

pytest finds the tests that the class inherits. Nothing here imports pytest.
"""

from dagfs.hooks.testing.contracts import SECRET, ExecutorContract, NotifierContract, RuleContract
from dagfs.hooks.testing.edits import edit
from dagfs.hooks.testing.place import Clock, Outcome, TemporaryHome, run

__all__ = [
    "SECRET",
    "Clock",
    "ExecutorContract",
    "NotifierContract",
    "Outcome",
    "RuleContract",
    "TemporaryHome",
    "edit",
    "run",
]
