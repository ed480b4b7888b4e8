"""The page, and the answer to a picture."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import jinja2
import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse

from digit import __version__
from digit.pages.entry import described, entry_of
from digit.pages.inline import data_uri, script_json, shared, skeleton
from digit.pages.views import large
from digit.predictor.camera import EXIF, Intrinsics
from digit.predictor.engine import Engine, Picture
from digit.predictor.pictures import decode_photograph
from digit.predictor.stream import Stream
from digit.run.console import log
from digit.run.errors import UserError
from digit.web.guard import Guard
from digit.web.uploads import MOST_BYTES, MOST_PIXELS, RefusalError, read_body

HERE = Path(__file__).parent
MOST_WAITING, MOST_SESSIONS = 32, 8
LONGEST_NAME = 200
BUSY = f"{MOST_WAITING} pictures are waiting already; try again when some of them are done"
TROUBLE = "something went wrong here that is not the picture's fault; the terminal of digit serve says what"


def create_app(engine: Engine) -> FastAPI:
    """The application around an engine, which sees one picture after the other, in the order of their arrival."""
    app = FastAPI(title="digit", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")
    streams = Streams(engine)
    waiting = 0
    style = shared("style.css") + (HERE / "style.css").read_text()
    script = shared("viewer.js") + shared("overlay.js") + (HERE / "web.js").read_text()

    async def in_turn(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        nonlocal waiting
        if waiting >= MOST_WAITING:
            raise RefusalError(503, BUSY)
        waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(queue, answer)
        except UserError as error:
            raise RefusalError(422, str(error)) from error
        finally:
            waiting -= 1

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse(_page(engine))

    @app.get("/style.css")
    def style_sheet() -> Response:
        return Response(style, media_type="text/css")

    @app.get("/page.js")
    def page_script() -> Response:
        return Response(script, media_type="text/javascript")

    @app.post("/predict")
    async def predict(request: Request, name: str = "picture") -> Response:
        name = name[-LONGEST_NAME:]
        content = await read_body(request, name)
        return _json(200, await in_turn(lambda: _answer(engine, content, name)))

    @app.post("/live")
    async def live(request: Request, session: str, time_s: Annotated[float, Query(allow_inf_nan=False)]) -> Response:
        content = await read_body(request, "camera")
        return _json(200, await in_turn(lambda: _live_answer(streams[session], content, time_s)))

    @app.exception_handler(RefusalError)
    def refused(_: Request, error: RefusalError) -> Response:
        return _json(error.status, {"error": error.sentence})

    @app.exception_handler(Exception)
    def failed(_: Request, error: Exception) -> Response:
        log.error("serve: %s", error, exc_info=error)
        return _json(500, {"error": TROUBLE})

    return app


class Streams:
    """The hands that live sessions follow, of those that asked last."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.known = engine, OrderedDict[str, Stream]()

    def __getitem__(self, session: str) -> Stream:
        stream = self.known.pop(session, None) or Stream(self.engine)
        self.known[session] = stream
        if len(self.known) > MOST_SESSIONS:
            self.known.popitem(last=False)
        return stream


def _answer(engine: Engine, content: bytes, name: str) -> dict[str, Any]:
    """What the page shows of a picture.

    Raises:
        UserError: for what is no picture, or a too large one.
    """
    pixels, focal_px = decode_photograph(content, name, MOST_PIXELS)
    height, width = pixels.shape[:2]
    camera = None if focal_px is None else Intrinsics.of(width, height, focal_px, EXIF)
    (result,) = engine([Picture(pixels, name, intrinsics=camera)])
    record = result.record()
    picture = data_uri(large(pixels), "jpeg")
    return {"entry": entry_of(record) | {"hands": described(record), "picture": picture}, "record": record}


def _live_answer(stream: Stream, content: bytes, time_s: float) -> dict[str, Any]:
    """What the page shows over a camera's picture, which it has itself.

    Raises:
        UserError: as :func:`_answer`.
    """
    pixels, _ = decode_photograph(content, "camera", MOST_PIXELS)
    record = stream(Picture(pixels, "camera", time_s=time_s)).record()
    return {"entry": entry_of(record) | {"hands": described(record)}}


def _page(engine: Engine) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    data = skeleton() | {"mostBytes": MOST_BYTES}
    return environment.from_string((HERE / "page.html").read_text()).render(
        version=__version__,
        checkpoint=engine.checkpoint,
        most_mb=MOST_BYTES // 1_000_000,
        most_mp=MOST_PIXELS // 1_000_000,
        data=script_json(data),
    )


def _json(status: int, value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
