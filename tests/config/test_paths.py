"""Paths that a shell would understand and a configuration does not."""

from pathlib import Path

import pytest

from digit.config import resolve
from digit.run.errors import UserError


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("~/data", f"data.root: '~/data': ~ and $NAME are not replaced .*; write {Path.home()}/data"),
        ("$HOME/data", f"data.root: .*; write {Path.home()}/data"),
        ("/tmp/${HOME}", "data.root: .*; write /tmp/.*"),
        ("$NO_SUCH_NAME/data", "data.root: .*; write the path in full"),
        ("~nobody_here/data", "data.root: .*; write the path in full"),
        ("/data/{x}/ih", "data.root: '/data/{x}/ih': braces are Snakemake's wildcards; rename the folder"),
    ],
)
def test_what_nothing_replaces_is_named(path, message):
    with pytest.raises(UserError, match=message.replace("$", "[$]").replace("{", "[{]").replace("~", "[~]")):
        resolve({"data": {"source": "interhand", "root": path}})


def test_every_path_key_is_looked_at():
    experiment = {"load_ckpt": "~/a.ckpt", "training": {"load_from": "~/b.ckpt"}, "model": {"pretrained": "~/c.pth"}}
    with pytest.raises(UserError) as caught:
        resolve({"run": {"folder": "~/runs"}, "data": {"hand_model": "~/mano"}, "experiments": {"mine": experiment}})
    keys = ("run.folder", "data.hand_model", "load_ckpt", "training.load_from", "model.pretrained")
    assert all(f"{key}: " in str(caught.value) for key in keys) and "has 5 problems" in str(caught.value)


def test_a_folder_that_is_called_so_is_fine(tmp_path):
    (tmp_path / "$a").mkdir()
    assert resolve({"run": {"folder": str(tmp_path / "$a")}}).run.folder.endswith("$a")
