"""Where a server may listen, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagfs.errors import UsageError
from dagfs.web.server import Address, check


def test_its_address_is_what_a_browser_needs() -> None:
    assert Address().url(8091) == "http://127.0.0.1:8091"
    assert Address("::1").url(80) == "http://[::1]:80"
    assert Address(names=("flows.example",), behind_proxy=True).url(8090) == "https://flows.example"
    assert Address("0.0.0.0", names=("a",), certificate="c", key="k").url(443) == "https://a:443"


def test_strangers_are_not_let_in_by_mistake() -> None:
    check(Address(), has_token=False)
    check(Address("192.0.2.1", behind_proxy=True), has_token=True)
    with pytest.raises(UsageError, match="it needs a token"):
        check(Address("0.0.0.0", behind_proxy=True), has_token=False)
    with pytest.raises(UsageError, match="would travel in clear"):
        check(Address("0.0.0.0"), has_token=True)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belong together"):
        check(Address(certificate="c"), has_token=True)
    with pytest.raises(UsageError, match=r"--tls-cert /nowhere/c with --tls-key /nowhere/k: No such file"):
        check(Address(certificate="/nowhere/c", key="/nowhere/k"), has_token=True)
    odd = tmp_path / "odd.pem"
    odd.write_text("no certificate")
    with pytest.raises(UsageError, match="cannot use --tls-cert"):
        check(Address(certificate=str(odd), key=str(odd)), has_token=True)
