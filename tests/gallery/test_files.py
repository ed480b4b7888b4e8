import shutil

import pytest

from digit.gallery.files import link, prepare
from digit.run.errors import UserError

FILES = ("index.html", "joints.csv", "keypoints.coco.json", "mano.npz", "digit_files/about.txt")


@pytest.mark.parametrize("name", FILES)
def test_files_of_somebody_else_are_in_the_way(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(UserError, match=r"is there and was not (written|made) by digit"):
        prepare(tmp_path)
    assert path.read_text() == "mine"


def test_own_files_are_not(run):
    output, _ = run
    prepare(output)


def test_a_folder_of_somebody_else_is_in_the_way_even_when_it_is_empty(tmp_path):
    (tmp_path / "digit_files").mkdir()
    with pytest.raises(UserError, match="digit_files: is there and was not made by digit"):
        prepare(tmp_path)
    shutil.rmtree(tmp_path / "digit_files")
    prepare(tmp_path)


def test_links_lead_to_names_of_any_kind(tmp_path):
    assert link(tmp_path / "a b" / "c#?%\u00e4\udcff.jpg", tmp_path) == "a%20b/c%23%3F%25%C3%A4%FF.jpg"
