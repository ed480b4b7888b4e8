import numpy as np
import pytest

from digit.pages.files import FOLDER, SIGNS, is_own, link, picture_path, require_free
from digit.pages.views import save_view
from digit.run.errors import UserError


@pytest.mark.parametrize("name", [*SIGNS, f"{FOLDER}/a.jpg"])
def test_files_of_somebody_else_are_in_the_way(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    require_free(path)
    path.write_text("mine")
    with pytest.raises(UserError, match="is there and was not written by digit"):
        require_free(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="is there and was not written by digit"):
        require_free(path)


def test_own_pictures_are_known_wherever_they_are(tmp_path):
    path = picture_path(tmp_path, "sub/a")
    save_view(path, np.zeros((20, 30, 3), np.uint8))
    assert is_own(path) and is_own(path.rename(tmp_path / "index.html"))


def test_links_lead_to_names_of_any_kind(tmp_path):
    assert link(tmp_path / "a b" / "c#?%\u00e4\udcff.jpg", tmp_path) == "a%20b/c%23%3F%25%C3%A4%FF.jpg"
