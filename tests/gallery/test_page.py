"""The page in a browser, from its file."""

import json
import shutil

import numpy as np
import pytest

from digit.gallery.page import write_gallery
from digit.hand.mano import load_hands
from digit.pages.files import SIGNS, require_free
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.results import write_overlay
from tests.conftest import LOOKS

NAMES = ["hand.jpg", "sub folder/a&b <i>#1?%.png", "other.heic", "handle.jpg", "none.jpg"]


def drawn(page):
    """The 3D view's picture, as text."""
    return page.locator("dialog canvas").evaluate("canvas => canvas.toDataURL()")


def test_the_page_shows_what_there_is_without_a_network(run, open_page):
    output, _ = run
    asked = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.goto((output / "index.html").as_uri())
    assert page.locator("h1").inner_text() == "6 hands in 5 pictures"
    assert page.locator(".notice summary").inner_text() == "1 picture has no result"
    assert page.locator(".notice li").inner_text() == "cut.jpg: is damaged or cut off (<b>); copy it again"
    texts = page.locator(".card img").evaluate_all("images => images.map((image) => image.alt)")
    assert texts[:2] == ["hand.jpg: right and left hand", "sub folder/a&b <i>#1?%.png: right hand"]
    sizes = page.locator(".card img").evaluate_all("images => images.map((image) => image.naturalWidth)")
    assert sizes == [200] * 5
    assert page.locator("tbody tr").count() == 7  # six hands, and a picture without any
    assert page.locator(".card").first.locator("line.bone").count() == 40
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}


def test_layers_are_switched_by_key_and_by_mouse(run, open_page):
    page = open_page((run[0] / "index.html").as_uri())
    bone, parts = page.locator(".card line.bone").first, page.locator(".card image.parts").first
    assert bone.is_visible() and parts.is_visible()
    page.get_by_label("Skeletons").first.uncheck()
    assert not bone.is_visible() and parts.is_visible()
    page.keyboard.press("p")
    page.keyboard.press("s")
    assert bone.is_visible() and not parts.is_visible()
    assert not page.get_by_label("Parts").first.is_checked()


def test_a_picture_is_looked_at_and_turned_with_the_keyboard_alone(run, open_page):
    page = open_page((run[0] / "index.html").as_uri())
    page.locator(".card a").nth(1).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    dialog.wait_for()
    assert page.locator("#view-title").inner_text() == "sub folder/a&b <i>#1?%.png"
    page.wait_for_function("document.getElementById('large').naturalWidth === 640")
    page.keyboard.press("ArrowLeft")
    page.locator("#view-title", has_text="hand.jpg").wait_for()  # the address changes first
    assert page.locator("#before").is_disabled()
    page.locator("dialog canvas").focus()
    before = drawn(page)
    page.keyboard.press("ArrowRight")
    turned = drawn(page)
    page.keyboard.press("+")
    assert len({before, turned, drawn(page)}) == 3
    assert page.locator("#view-title").inner_text() == "hand.jpg"  # arrows turn what has the focus
    page.keyboard.press("Escape")
    page.wait_for_function("location.hash === ''")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.textContent").strip().startswith("hand.jpg")


def test_every_link_leads_to_a_file(run, open_page):
    output, _ = run
    page = open_page((output / "index.html").as_uri())
    links = set(page.locator(".downloads a").evaluate_all("links => links.map((link) => link.href)"))
    for number in range(5):
        page.goto(f"{(output / 'index.html').as_uri()}#view-{number}")
        page.wait_for_function("document.getElementById('large').naturalWidth === 640")
        links |= set(page.locator("#links a").evaluate_all("links => links.map((link) => link.href)"))
    assert len(links) == 3 + 5 * 3
    folder = page.url.rpartition("/")[0]
    assert all(link.startswith(folder) for link in links)
    for link in links:
        found = page.evaluate(
            "href => new Promise((done) => { const frame = new Image(); frame.onload = () => done(true);"
            " frame.onerror = () => done(false); frame.src = href; })",
            link,
        )
        assert found == link.endswith((".jpg", ".png"))


@pytest.fixture(scope="module")
def meshes():
    return HandMeshes(load_hands())


@pytest.fixture
def run_with_meshes(run, meshes):
    """The run, with files of meshes beside the first two pictures and the one without hands."""
    output, poses = run
    for pose in (*poses[:2], poses[4]):
        base = pose.name.removesuffix(".pose.json")
        write_overlay(pose.with_name(f"{base}.mesh.png"), np.full((480, 640, 3), (255, 0, 255), np.uint8))
        for suffix in (".glb", ".obj"):
            pose.with_name(base + suffix).write_bytes(b"a mesh")
    return output, poses, write_gallery(output, poses, meshes=meshes).as_uri()


def test_meshes_are_shown_over_the_picture_and_in_3d(run_with_meshes, open_page):
    page = open_page(f"{run_with_meshes[2]}#view-1")
    words = page.locator("#links a").all_inner_texts()
    assert words == ["picture", "overlay", "shaded meshes", "pose (JSON)", "meshes (glTF)"]  # not those of another run
    shaded = page.locator("dialog .stage image.meshes")
    where, picture = shaded.bounding_box(), page.locator("#large").bounding_box()
    assert {key: round(value) for key, value in where.items()} == {k: round(v) for k, v in picture.items()}
    with_meshes = drawn(page)
    page.keyboard.press("m")
    assert not shaded.is_visible() and not page.get_by_label("Meshes").is_checked()
    assert drawn(page) != with_meshes
    page.goto(f"{run_with_meshes[2]}#view-4")
    page.wait_for_function("document.getElementById('view-title').textContent === 'none.jpg'")
    assert page.locator("#links a").all_inner_texts() == ["picture", "overlay", "pose (JSON)"]
    assert page.locator("dialog .stage image.meshes").count() == 0


def test_the_browser_unpacks_meshes_as_they_were(run_with_meshes, open_page, meshes):
    _, poses, address = run_with_meshes
    page = open_page(address)
    unpacked = page.evaluate(
        "() => { const { entries, surfaces } = JSON.parse(document.getElementById('data').textContent);"
        " return layersOf(entries[1], surfaces).filter((layer) => layer.mesh).map((layer) => layer.mesh); }"
    )
    (mesh,) = unpacked
    mano = json.loads(poses[1].read_text())["crops"][0]["hands"]["right"]["mano"]
    pose = np.array([[*mano["global_orient"], *mano["hand_pose"]]])
    right = meshes.hands["right"]
    vertices = right.vertices_world_mm(pose, np.array([mano["betas"]]), np.array([mano["transl_mm"]]) / 1000)
    np.testing.assert_allclose(np.reshape(mesh["vertices"], (779, 3))[:778], vertices[0], atol=0.06)
    assert np.array_equal(np.reshape(mesh["faces"], (-1, 3)), right.sealed_faces)


def test_without_meshes_the_page_does_not_speak_of_them(run_with_meshes, open_page):
    output, poses, _ = run_with_meshes
    page = open_page(f"{write_gallery(output, poses).as_uri()}#view-1")
    assert page.locator("#links a").all_inner_texts() == ["picture", "overlay", "pose (JSON)"]
    assert page.get_by_label("Meshes").count() == 0


def test_pictures_are_found_by_name_and_hands(run, open_page):
    page = open_page((run[0] / "index.html").as_uri())
    shown = page.locator(".card:visible b")
    page.locator("#name").press_sequentially("HANDS")
    assert shown.count() == 0 and page.get_by_label("Skeletons").first.is_checked()  # S is a letter here
    page.keyboard.press("Backspace")
    assert shown.all_text_contents() == ["hand.jpg", "handle.jpg"] and page.locator("#count").inner_text() == "2 of 5"
    page.locator("#hands").select_option("1")
    assert shown.count() == 0
    page.locator("#name").fill("")
    assert shown.all_text_contents() == [name for name in NAMES if name.startswith(("sub", "other"))]
    page.locator("#hands").select_option("0")
    assert [row.split()[0] for row in page.locator("tbody tr:visible").all_inner_texts()] == ["none.jpg"]


@LOOKS
def test_the_page_fits_the_window_and_has_no_barriers(run, open_page, barriers, width, scheme):
    page = open_page((run[0] / "index.html").as_uri(), width=width, height=800, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(page)
    page.locator(".card a").first.click()
    assert not barriers(page)
    dialog = page.locator("dialog")
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    stage, canvas = (dialog.locator(name).bounding_box() for name in (".stage", "canvas"))
    assert stage["width"] / stage["height"] == pytest.approx(640 / 480, rel=0.01) and canvas["width"] >= 200


def test_dark_where_the_system_is_dark(run, open_page):
    page = open_page((run[0] / "index.html").as_uri(), color_scheme="dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(value) for value in background.removeprefix("rgb(").removesuffix(")").split(",")) < 60


def test_the_page_alone_shows_the_small_pictures(run, open_page, tmp_path):
    output, _ = run
    (tmp_path / "mailed").mkdir()
    shutil.copy(output / "index.html", tmp_path / "mailed")
    page = open_page((tmp_path / "mailed" / "index.html").as_uri())
    page.locator(".card a").first.click()
    page.wait_for_function("document.getElementById('large').naturalWidth === 200")
    assert all("ERR_FILE_NOT_FOUND" in line for line in page.complaints)
    page.complaints.clear()


def test_the_page_is_light_enough_for_a_thousand_pictures(run):
    output, poses = run
    one = write_gallery(output, poses[:1]).stat().st_size
    every = write_gallery(output, poses).stat().st_size
    assert (every - one) / 4 < 8000


def test_a_run_without_results_has_a_page(tmp_path, open_page):
    page = open_page(write_gallery(tmp_path, [], ["a.jpg: is empty"]).as_uri())
    assert page.locator("h1").inner_text() == "0 hands in 0 pictures"


def test_another_run_may_write_over_the_page(run):
    output, poses = run
    before = {name: (output / name).read_bytes() for name in SIGNS}
    for name in SIGNS:
        require_free(output / name)
    write_gallery(output, poses, ["cut.jpg: is damaged or cut off (<b>); copy it again"])
    assert {name: (output / name).read_bytes() for name in before} == before
