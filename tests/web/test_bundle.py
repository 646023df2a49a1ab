"""The editor that another package brings, and pages without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagfs.web import bundle
from dagfs.web.role import Role
from tests.store.scenarios import RUN, failed

from .serving import bearer, server


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What was found is not remembered for other tests."""
    yield
    bundle.bundle_file.cache_clear()
    bundle.bundle_url.cache_clear()


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """As if a package of that name held that script, or none."""
    folder = tmp_path / "packages" / "an_editor" / "static"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "editor.js").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setattr(bundle, "PACKAGE", "an_editor")
    bundle.bundle_file.cache_clear()
    bundle.bundle_url.cache_clear()


def test_an_installed_editor_is_served_to_everybody_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "export {};")
    failed(tmp_path / "home")
    client = server(tmp_path / "home")
    url = bundle.bundle_url()
    answer = client.get(url)
    assert (answer.status_code, answer.text) == (200, "export {};")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert url in client.get(f"/runs/{RUN}/edit", headers=bearer(Role.EDIT)).text
    assert url not in client.get(f"/runs/{RUN}/edit", headers=bearer(Role.VIEW)).text
    client.close()


def test_without_it_the_page_has_a_text_field_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, None)
    failed(tmp_path / "home")
    client = server(tmp_path / "home")
    assert bundle.bundle_url() == ""
    assert client.get("/static/editor/editor.js").status_code == 404
    html = client.get(f"/runs/{RUN}/edit", headers=bearer(Role.EDIT)).text
    assert '<textarea name="spec"' in html
    assert "/static/editor/" not in html
    client.close()
