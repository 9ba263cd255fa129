"""The page as text and on the disk: hostile texts stay texts, and a reader never sees half a page."""

import json
import os
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.evaluation_dashboard.data import DashboardData
from evals.evaluation_dashboard.export import KEEP_SECONDS, write_folder, write_single_file
from evals.evaluation_dashboard.page import Page, _inline, _json, page_of
from rag_assets.platform.errors import StorageError

from .history import HOSTILE

texts = st.text() | st.sampled_from([HOSTILE, "<!--<script>", "\u2028", "]]>", "&lt;"])


class Elements(HTMLParser):
    """What a browser would take for elements, and what they load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, int] = {}
        self.loaded: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] = self.found.get(tag, 0) + 1
        if tag != "a":
            self.loaded += [value for name, value in attrs if name in ("src", "href", "srcset")]


@given(st.recursive(texts | st.integers(), st.lists, max_leaves=5))
def test_json_in_a_script_is_the_same_and_never_markup(value: object) -> None:
    text = _json(value)
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)


def test_a_script_cannot_end_its_element() -> None:
    assert "</script" not in _inline("a = '</script>'")
    assert "<!--" not in _inline("a = '<!--<script>'")


def test_hostile_texts_add_no_element(data: DashboardData, page: Page) -> None:
    tame = data.regressed.with_columns(pl.lit("a question").alias("question"))
    without = page_of(replace(data, regressed=tame)).folder()["index.html"]
    index = page.folder()["index.html"]
    assert "&lt;/script&gt;" in index
    assert "&lt;/script&gt;" not in without or HOSTILE in str(tame["tags"].to_list())
    assert Elements(index).found == Elements(without).found


def test_the_single_file_holds_everything_and_loads_nothing(page: Page) -> None:
    html = page.single_file()
    assert Elements(html).loaded == []
    assert Elements(html).found["script"] == 3
    assert len(Elements(page.folder()["index.html"]).loaded) == 4
    assert "'unsafe" not in html.split("</head>")[0][:1000]


def test_the_same_data_gives_the_same_files(page: Page, data: DashboardData) -> None:
    assert set(page_of(data).folder()) == set(page.folder())
    other = page_of(replace(data, min_coverage=0.2))
    changed = set(other.folder()) ^ set(page.folder())
    assert {name.split("-")[0] for name in changed} == {"data"}


def test_a_new_page_replaces_the_old_and_leaves_other_files_alone(
    page: Page, data: DashboardData, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_folder(page, tmp_path)
    first = {item.name for item in tmp_path.iterdir()}
    other = page_of(replace(data, min_coverage=0.2))
    write_folder(other, tmp_path)
    # somebody may have the page before open: its parts stay for a while
    assert first <= {item.name for item in tmp_path.iterdir()}
    old = time.time() - 2 * KEEP_SECONDS
    for item in tmp_path.iterdir():
        os.utime(item, (old, old))
    write_folder(other, tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == {*other.folder(), "notes.txt"}


def test_a_write_that_fails_leaves_the_page_before(
    page: Page, data: DashboardData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_folder(page, tmp_path)
    before = index.read_text()
    other = page_of(replace(data, min_coverage=0.2))
    files = dict(other.folder())
    [part] = [name for name in files if name.startswith("data")]
    (tmp_path / part).mkdir()  # in the way of a part
    (tmp_path / part / "x").touch()
    monkeypatch.setattr(type(other), "folder", lambda self: files)
    monkeypatch.setattr("evals.evaluation_dashboard.export.LocalStorage.size", lambda *_: None)
    with pytest.raises(StorageError):
        write_folder(other, tmp_path)
    assert index.read_text() == before
    assert not list(tmp_path.glob("*.writing"))


def test_the_single_file_is_written_where_it_is_wanted(page: Page, tmp_path: Path) -> None:
    file = write_single_file(page, tmp_path / "artefacts" / "report.html")
    assert file.read_text(encoding="utf-8") == page.single_file()
