"""Bad input: a message that says what to do, a non-zero exit code, and the old release serving."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.app.commands import Result, ragline, start
from tests.conftest import Deploy

BOILER = "# Boiler\n\nThe boiler is serviced every October by Halden Heating.\n"


@pytest.fixture
def documents(deploy) -> Path:  # type: ignore[no-untyped-def]
    folder: Path = deploy() / "documents"
    (folder / "boiler.md").write_text(BOILER)
    return folder


@pytest.fixture
def released(documents: Path) -> Path:
    result = ragline("ingest", "--json")
    assert result.code == 0, result.errors
    return documents


def still_serves() -> None:
    hits = ragline("search", "boiler serviced", "--json").json["hits"]
    assert hits[0]["document_id"] == "docs/boiler.md"


def assert_refused(result: Result, *expected: str) -> None:
    assert result.code != 0
    assert "Traceback" not in result.errors
    for text in expected:
        assert text in result.errors


def test_a_missing_folder_deletes_nothing(released: Path) -> None:
    released.rename(released.with_name("elsewhere"))
    assert_refused(ragline("ingest"), "documents", "keeps serving")
    still_serves()
    status = ragline("status", "--json").json
    assert status["unavailable"]
    assert status["documents"]["indexed"] == 1


def test_nothing_is_released_where_no_source_could_ever_be_read(deploy: Deploy) -> None:
    folder = deploy()
    (folder / "documents").rename(folder / "elsewhere")
    for _ in range(2):
        assert_refused(ragline("ingest"), "documents", "Nothing is released yet.")
    assert_refused(ragline("search", "boiler"), "Nothing has been released")
    (folder / "documents").mkdir()
    assert ragline("ingest", "--json").json["release"] == 1, "an empty folder is one that was read"


def test_a_source_that_is_missing_does_not_stop_the_others(released: Path) -> None:
    settings = Path("ragline.toml")
    settings.write_text(settings.read_text() + '[sources.other]\npath = "absent"\n')
    (released / "pool.md").write_text("# Pool\n\nThe pool opens at seven.\n")
    result = ragline("ingest", "--json")
    assert result.code == 1
    assert "absent" in result.json["unavailable"]["other"]
    assert (result.json["added"], result.json["release"]) == (1, 2)


def test_an_unknown_key_is_named(released: Path) -> None:
    settings = Path("ragline.toml")
    text = settings.read_text()
    settings.write_text(text + "[chunking]\nmax_token = 3\n")
    assert_refused(ragline("ingest"), "max_token", "did you mean 'max_tokens'")
    settings.write_text(text)
    still_serves()


def test_no_source_and_no_release_are_explained(deploy) -> None:  # type: ignore[no-untyped-def]
    deploy("[query]\nlimit = 3\n")
    assert_refused(ragline("ingest"), "No source", "[sources.handbook]")
    assert_refused(ragline("search", "boiler"), "Nothing has been released", "ragline ingest")
    refused = ragline("search", "boiler", "--json")
    assert refused.json["error"]["type"] == "NoRelease"


def test_an_unknown_source_is_named(documents: Path) -> None:
    assert_refused(ragline("ingest", "--source", "dogs"), "'dogs'", "docs")


@pytest.mark.parametrize("question", ["", "   ", "x" * 5000])
def test_an_impossible_question_is_refused(released: Path, question: str) -> None:
    assert_refused(ragline("search", question), "question")


def test_a_second_ingest_at_the_same_time_is_refused(documents: Path) -> None:
    for number in range(400):
        (documents / f"note-{number}.md").write_text(
            f"# Note {number}\n\n" + f"Note {number}. " * 200
        )
    with start("ingest", "--json") as first:
        lock = Path(".ragline/locks/ingest.json")
        while not lock.exists():
            assert first.poll() is None
        second = ragline("ingest")
        assert first.poll() is None, "the first ingest ended too soon for this test"
        assert_refused(second, f"process {first.pid}", "Wait")
        _, errors = first.communicate(timeout=300)
    assert first.returncode == 0, errors
    assert ragline("status", "--json").json["documents"]["indexed"] == 401


def test_files_that_cannot_be_taken_are_quarantined_with_their_reasons(released: Path) -> None:
    outside = released.parent / "outside.md"
    outside.write_text("# Outside\n\nNobody may read this through the folder.\n")
    (released / "link.md").symlink_to(outside)
    with (released / "huge.txt").open("wb") as file:
        file.truncate(1_000_000_000)
    bomb = released / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.txt", b"0" * 300_000_000)
    (released / "latin.txt").write_bytes("Die Tür schließt um fünf.".encode("latin-1"))
    (released / "mixed.md").write_bytes(b"# Mixed\n\nGood text \xff\xfe\x80 and more good text.\n")
    for number in range(5):
        (released / f"good-{number}.md").write_text(f"# Good\n\nGood note number {number}.\n")
    (released / "wrong.md").write_text(
        "---\nacl: {a: 1}\n---\n# Wrong\n\nIts rights are unreadable.\n"
    )
    result = ragline("ingest", "--json")
    assert result.code == 0, result.errors
    status = ragline("status", "--json").json
    reasons = {item["document_id"]: item["error_kind"] for item in status["quarantine"]}
    assert reasons == {
        "docs/link.md": "path_escapes_root",
        "docs/huge.txt": "too_large",
        "docs/bomb.zip": "archive_bomb",
        "docs/wrong.md": "bad_metadata",
    }
    assert all(item["error"] for item in status["quarantine"])
    assert status["documents"]["indexed"] == 8
    assert status["documents"]["total"] == 12
    for word in ("Nobody may read this", "rights are unreadable"):
        assert word not in ragline("search", word, "--json").output


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_leaves_the_release_and_recovers(released: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        home, models = Path(".ragline"), Path(".ragline/models")
        target = models.resolve()
        models.unlink()
        shutil.copytree(home, disk / "home")
        shutil.rmtree(home)
        home.symlink_to(disk / "home")
        (disk / "home" / "models").symlink_to(target)
        still_serves()
        (released / "pool.md").write_text("# Pool\n\nThe pool opens at seven.\n")
        filler = disk / "filler"
        free = shutil.disk_usage(disk).free
        for number in range(60):
            (released / f"big-{number}.txt").write_text(f"{number} " + "pool " * 40_000)
        filler.write_bytes(b"\0" * (free - 3_000_000))
        full = ragline("ingest")
        assert full.code != 0
        assert "No space left" in full.errors
        assert "Traceback" not in full.errors
        still_serves()
        filler.unlink()
        for number in range(60):
            (released / f"big-{number}.txt").unlink()
        result = ragline("ingest", "--json")
        assert result.code == 0, result.errors
        hits = ragline("search", "when does the pool open", "--json").json["hits"]
        assert "docs/pool.md" in [hit["document_id"] for hit in hits]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
