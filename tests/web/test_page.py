"""The page of digit serve in a browser, with a camera that Chromium makes up."""

import json
import re

from tests.conftest import LOOKS


def upload(name, content, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": content}


def drawn(page):
    return page.locator("#hands").evaluate("canvas => canvas.toDataURL()")


def test_a_picture_is_shown_with_parts_skeletons_and_in_3d(server, open_page, picture):
    page = open_page(server)
    nothing = drawn(page)
    page.locator("#files").set_input_files(upload("<b>hand</b>.png", picture[0]))
    page.locator("#cards button[aria-pressed=true]").wait_for()
    assert page.locator("#cards b").inner_text() == "<b>hand</b>.png"
    assert page.locator("#large").get_attribute("alt") == "<b>hand</b>.png: right and left hand"
    assert page.locator("#large").evaluate("image => image.decode().then(() => image.naturalWidth)") == 80
    assert page.locator(".stage line.bone").count() == 40 and page.locator(".stage image.parts").count() == 1
    turned = drawn(page)
    page.locator("#hands").focus()
    page.keyboard.press("ArrowUp")
    assert len({nothing, turned, drawn(page)}) == 3
    page.keyboard.press("p")
    assert not page.locator(".stage image.parts").is_visible()
    with page.expect_download() as download:
        page.get_by_text("pose (JSON)").click()
    assert json.loads(download.value.path().read_text())["format"] == "digit.pose/2"


def test_pictures_are_dropped(server, open_page, picture):
    page = open_page(server)
    files = page.evaluate_handle(
        "bytes => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' })); return data; }",
        list(picture[0]),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": files})
    page.locator("#cards", has_text="dropped.png").wait_for()


def test_ten_pictures_at_once(server, open_page, picture):
    page = open_page(server)
    page.locator("#files").set_input_files([upload(f"{k}.png", picture[0]) for k in range(10)])
    page.locator("#cards button").nth(9).wait_for()
    assert sorted(page.locator("#cards b").all_inner_texts()) == [f"{k}.png" for k in range(10)]
    assert page.locator("#status").inner_text() == "" and page.locator("#errors").inner_text() == ""
    page.locator("#cards button", has_text="3.png").click()
    assert page.locator("#caption").inner_text().startswith("3.png: right and left hand.")


def test_what_is_refused_is_said_and_can_be_dismissed(server, open_page, picture, with_size):
    page = open_page(server)
    wrong = [upload("notes.txt", b"hello", "text/plain"), upload("huge.png", with_size(10_000))]
    page.locator("#files").set_input_files([*wrong, upload("a.png", picture[0])])
    page.locator("#cards", has_text="a.png").wait_for()
    page.locator("#errors p").nth(1).wait_for()
    huge, notes = sorted(page.locator("#errors p").all_inner_texts())
    assert re.match(r"notes.txt: is not a JPEG, PNG, .* picture", notes)
    assert huge == "huge.png: has 100 million pixels, and at most 64 million are read; make it smaller"
    assert page.locator("#cards button").count() == 1
    page.get_by_label("Dismiss").first.click()
    assert page.locator("#errors p").count() == 1
    assert all("422" in line for line in page.complaints)
    page.complaints.clear()


def test_a_file_that_is_too_large_is_not_even_sent(server, open_page, tmp_path):
    (tmp_path / "big.png").write_bytes(bytes(40_500_000))
    page = open_page(server)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#files").set_input_files(tmp_path / "big.png")
    page.locator("#errors p").wait_for()
    assert page.locator("#errors p").inner_text() == "big.png: has 41 MB, and at most 40 MB are taken; make it smaller"
    assert not asked


def test_a_picture_is_taken_with_the_camera(server, open_page):
    page = open_page(server)
    assert page.locator("#shoot").is_disabled() and page.locator("#live").is_disabled()
    page.locator("#camera").click()
    page.locator("#preview").wait_for()
    page.locator("#shoot").click()
    page.locator("#cards", has_text="camera-").wait_for()
    assert page.locator("#large").evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_live_mode_draws_frame_after_frame_until_it_is_ended(server, open_page):
    page = open_page(server)
    page.locator("#camera").click()
    page.locator("#preview").wait_for()
    page.locator("#live").click()
    page.locator("#caption", has_text="frames/s").wait_for()
    assert page.locator("#frame").is_visible() and page.locator(".stage line.bone").count() == 40
    first = page.locator("#frame").evaluate("canvas => canvas.toDataURL()")
    with page.expect_response(lambda answer: "/live?" in answer.url and answer.ok):
        pass
    with page.expect_response(lambda answer: "/live?" in answer.url and answer.ok):
        pass
    assert page.locator("#frame").evaluate("canvas => canvas.toDataURL()") != first
    assert page.locator("#cards button").count() == 0
    page.locator("#camera").click()
    assert page.locator("#live").is_disabled() and page.locator("#camera").get_attribute("aria-pressed") == "false"
    assert page.evaluate("document.getElementById('preview').srcObject") is None


def test_a_camera_that_may_not_be_used_is_said(server, open_page):
    page = open_page(server)
    refuse = "throw new DOMException('', 'NotAllowedError');"
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = async () => {{ {refuse} }}; }}")
    page.locator("#camera").click()
    page.locator("#errors p").wait_for()
    assert page.locator("#errors p").inner_text() == "The camera cannot be used: the browser does not allow it."


def test_a_server_that_has_ended_is_said(serve, engine, open_page, picture):
    with serve(engine) as address:
        page = open_page(address)
    page.locator("#files").set_input_files(upload("a.png", picture[0]))
    page.locator("#errors p").wait_for()
    assert page.locator("#errors p").inner_text() == "the server does not answer; is digit serve still running?"
    page.complaints.clear()


def test_foreign_scripts_do_not_run_in_the_page(server, open_page):
    page = open_page(server)
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); const image = new Image(); image.src = 'http://127.0.0.1:9/pixel.png'; }"
    )
    assert page.evaluate("window.ran === undefined")
    page.wait_for_timeout(200)
    assert page.complaints and all("Content Security Policy" in line for line in page.complaints)
    page.complaints.clear()


@LOOKS
def test_the_page_fits_the_window_and_has_no_barriers(server, open_page, picture, barriers, width, scheme):
    page = open_page(server, width=width, height=800, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(page)
    page.locator("#files").set_input_files(upload(f"{'long' * 30}.png", picture[0]))
    page.locator("#cards button").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", background)[0]) < 60) == (scheme == "dark")
    assert not barriers(page)
