import subprocess
import sys

import pytest

from alg_factories import write_recordings
from algengine.cli.main import COMMANDS, main


def test_help_loads_no_framework():
    code = (
        "import sys\nfrom algengine.cli.main import main\n"
        "try: main(['--help'])\nfinally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("False"), done.stdout + done.stderr


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_has_help_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert f"algengine {verb}" in capsys.readouterr().out


@pytest.mark.mm
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vadv2_demo", "/nowhere/weights.pth"], "there is no checkpoint at"),
        (["/nowhere/weights.pth"], "there is no checkpoint at /nowhere/weights.pth"),
        (["--model", "nothing"], "no shipped model"),
        ([], "give one of the two"),
    ],
)
def test_serve_without_weights_says_one_sentence(arguments, said, capsys, tmp_path):
    assert main(["serve", *arguments, "--address", f"ipc://{tmp_path}/a.sock", "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_vocabulary_from_recordings(tmp_path, capsys):
    write_recordings(tmp_path / "observations", 16, decisions=12)
    assert main(["vocabulary", str(tmp_path / "observations"), str(tmp_path / "v.npy"), "--size", "8"]) == 0
    assert "8 plans" in capsys.readouterr().out
    assert main(["vocabulary", str(tmp_path / "nothing"), str(tmp_path / "v.npy")]) == 1
