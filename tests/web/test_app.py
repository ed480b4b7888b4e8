"""The server as other programs see it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import numpy as np
import pytest
import requests

from digit.predictor.engine import Picture
from digit.web import app, uploads


def post(address, content, name="hand.png", **headers):
    return requests.post(f"{address}predict", params={"name": name}, data=content, headers=headers, timeout=60)


def joints(record):
    hands = record["crops"][0]["hands"].values()
    return [[j["x_px"], j["y_px"], j["depth_mm"]] for hand in hands for j in hand["joints"].values()]


def test_the_answer_is_the_engines(server, picture, engine):
    content, pixels = picture
    answer = post(server, content, "h\u00e4nd.png").json()
    (result,) = engine([Picture(pixels, "h\u00e4nd.png")])
    assert answer["record"] == json.loads(json.dumps(result.record()))
    (pose,) = (crop.pose for crop in result.crops)
    np.testing.assert_allclose(joints(answer["record"]), np.column_stack([pose.joints_px, pose.depth_mm]), atol=1e-3)
    entry = answer["entry"]
    assert (entry["name"], entry["width"], entry["height"]) == ("h\u00e4nd.png", 80, 60)
    assert entry["hands"] == "right and left hand" and entry["picture"].startswith("data:image/jpeg;base64,")


def test_what_is_no_picture_gets_a_sentence(server, picture, with_size):
    for content, reason in (
        (b"", "a.png: is empty; copy it again"),
        (b"%PDF-1.7 hello", "a.png: is not a JPEG, PNG, "),
        (picture[0][:300], "a.png: is damaged or cut off"),
        (with_size(10_000), "a.png: has 100 million pixels, and at most 64 million are read; make it smaller"),
    ):
        answer = post(server, content, "a.png")
        assert answer.status_code == 422 and answer.json()["error"].startswith(reason)


def test_a_picture_beyond_what_any_decoder_takes_gets_the_same_limit(server, with_size):
    assert "has 3,600 million pixels, and at most 64 million" in post(server, with_size(60_000)).json()["error"]


@pytest.mark.parametrize("time_s", ["inf", "-inf", "nan"])
def test_a_time_that_is_no_number_does_not_reach_the_hands_that_are_followed(server, picture, time_s):
    def live(time_s):
        return requests.post(server + "live", picture[0], params={"session": "a", "time_s": time_s}, timeout=60)

    assert live(1).status_code == 200
    assert live(time_s).status_code == 422
    assert live(2).status_code == 200


def test_too_many_bytes_are_refused_in_a_sentence(server, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 2_000_000)
    whole = post(server, bytes(3_000_000), "big.png")
    pieces = post(server, (bytes(1_000_000) for _ in range(5)), "big.png")  # without a Content-Length
    assert whole.status_code == pieces.status_code == 413
    assert whole.json()["error"] == "big.png: has 3 MB, and at most 2 MB are taken; make it smaller"
    assert "has 5 MB" in pieces.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "0.0.0.0:80"])
def test_a_foreign_name_that_leads_here_is_refused(server, picture, host):
    for answer in (requests.get(server, headers={"Host": host}, timeout=9), post(server, picture[0], Host=host)):
        assert answer.status_code in (400, 403) and "<html" not in answer.text


def test_pages_of_other_sites_are_refused(server, picture):
    own = server.rstrip("/")
    others = (own + "1", own.replace("http", "https"), own.replace("127.0.0.1", "localhost"))
    for origin in ("http://evil.example", "null", *others):
        answer = post(server, picture[0], Origin=origin)
        assert answer.status_code == 403 and "answers its own page only" in answer.json()["error"]
    assert post(server, picture[0], Origin=own).status_code == 200
    port = own.rpartition(":")[2]
    through_a_tunnel = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert post(server, picture[0], **through_a_tunnel).status_code == 200


def test_every_answer_says_what_its_page_may_do(server):
    for path in ("", "page.js", "style.css", "nothing"):
        headers = requests.get(server + path, timeout=9).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_ten_pictures_at_once_get_their_own_answers(server, engine):
    from digit.pages.inline import encode

    rng = np.random.default_rng(0)
    contents = [encode(rng.integers(0, 256, (60 + 7 * k, 90, 3), np.uint8), "webp", 80) for k in range(10)]
    alone = [post(server, content, f"{k}.webp").json()["record"] for k, content in enumerate(contents)]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda k: post(server, contents[k], f"{k}.webp").json()["record"], range(10)))
    assert together == alone and len({json.dumps(record["crops"]) for record in alone}) == 10


class Slow:
    """An engine that waits for a sign first."""

    checkpoint = "best.ckpt"

    def __init__(self, engine):
        self.engine, self.may_go = engine, threading.Event()

    def __call__(self, pictures):
        self.may_go.wait(60)
        return self.engine(pictures)


def test_the_queue_has_an_end(serve, engine, picture, monkeypatch):
    monkeypatch.setattr(app, "MOST_WAITING", 3)
    slow = Slow(engine)
    with serve(slow) as address, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(post, address, picture[0]) for _ in range(8)]
        refused = [answer.result() for answer in islice(as_completed(answers), 5)]
        slow.may_go.set()
        codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [200] * 3 + [503] * 5 and {answer.status_code for answer in refused} == {503}
    assert "are waiting already; try again" in refused[0].json()["error"]


def test_trouble_of_our_own_is_called_so(serve, picture, caplog):
    class Broken:
        checkpoint = "best.ckpt"

        def __call__(self, pictures):
            raise RuntimeError("out of luck")

    with serve(Broken()) as address:
        answer = post(address, picture[0])
    assert answer.status_code == 500 and "that is not the picture's fault" in answer.json()["error"]
    assert "out of luck" not in answer.text and "out of luck" in caplog.text
