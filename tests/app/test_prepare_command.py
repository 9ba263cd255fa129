"""``ragline prepare`` and ``ragline exec``: what containers do before and as their processes."""

import sys
from pathlib import Path

from rag_assets.encoders import make_encoder
from rag_assets.encoders.exported import adopt_exported, exported_folder
from rag_assets.platform.platform import Platform
from tests.app.commands import ragline
from tests.conftest import Deploy


def test_everything_shared_is_there_after_prepare(deploy: Deploy, model_cache: Path) -> None:
    folder = deploy()
    state = folder / ".ragline"
    platform = Platform.load()
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    encoder.prepare()  # into the cache, which stands for the folder of an image
    (state / "models").unlink()
    done = ragline("prepare", "--models", str(model_cache), "--json").json
    assert done["adopted_models"] == [encoder.fingerprint]
    assert done["deployment"] == Platform.load().deployment_id
    assert Path(done["dagster_home"], "dagster.yaml").is_file()
    assert exported_folder(state, encoder.fingerprint).is_dir()
    again = ragline("prepare", "--models", str(model_cache), "--json").json
    assert again == done | {"adopted_models": []}


def test_half_a_model_is_not_adopted(tmp_path: Path) -> None:
    source = tmp_path / "image"
    (source / "half").mkdir(parents=True)
    (source / "half" / "agreement.json").write_text('{"files": {"model.bin": 3}}')
    assert adopt_exported(source, tmp_path / "state") == []
    assert not (tmp_path / "state" / "models" / "half").exists()


def test_a_folder_of_models_that_is_not_there_is_an_error(deploy: Deploy) -> None:
    deploy()
    done = ragline("prepare", "--models", "absent")
    assert done.code == 1
    assert "no folder absent" in done.errors


def test_a_program_runs_with_the_deployments_dagster_home(deploy: Deploy) -> None:
    folder = deploy()
    show = "import os, sys; print(os.environ['DAGSTER_HOME'], sys.argv[1:])"
    done = ragline("exec", Path(sys.executable).name, "-c", show, "-p", "1", "--flag")
    home = folder / ".ragline" / "dagster"
    assert done.output.strip() == f"{home} ['-p', '1', '--flag']"
    assert (home / "dagster.yaml").is_file()


def test_the_exit_code_is_the_programs(deploy: Deploy) -> None:
    deploy()
    program = Path(sys.executable).name
    assert ragline("exec", program, "-c", "raise SystemExit(7)").code == 7


def test_a_program_that_is_not_there_is_an_error(deploy: Deploy) -> None:
    deploy()
    for arguments in ([], ["no-such-program"]):
        done = ragline("exec", *arguments)
        assert done.code == 1
        assert "There is no program" in done.errors
