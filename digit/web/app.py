"""The page, and the answer to a picture."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jinja2
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from digit import __version__
from digit.pages.entry import described, entry_of
from digit.pages.inline import data_uri, script_json, shared, skeleton
from digit.pages.views import large
from digit.predictor.camera import EXIF, Intrinsics
from digit.predictor.engine import Engine, Picture
from digit.predictor.pictures import decode_photograph
from digit.run.console import log
from digit.run.errors import UserError
from digit.web.guard import Guard
from digit.web.uploads import MOST_BYTES, MOST_PIXELS, RefusalError, read_body

HERE = Path(__file__).parent
MOST_WAITING = 32
LONGEST_NAME = 200
BUSY = f"{MOST_WAITING} pictures are waiting already; try again when some of them are done"
TROUBLE = "something went wrong here that is not the picture's fault; the terminal of digit serve says what"


def create_app(engine: Engine) -> FastAPI:
    """The application around an engine, which sees one picture after the other, in the order of their arrival."""
    app = FastAPI(title="digit", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")
    waiting: set[object] = set()
    style = shared("style.css") + (HERE / "style.css").read_text()
    script = shared("viewer.js") + shared("overlay.js") + (HERE / "web.js").read_text()

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
    async def predict(request: Request, name: str = "picture", live: bool = False) -> Response:
        name = name[-LONGEST_NAME:]
        content = await read_body(request, name)
        if len(waiting) >= MOST_WAITING:
            raise RefusalError(503, BUSY)
        ticket = object()
        waiting.add(ticket)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(queue, _answer, engine, content, name, live)
        except UserError as error:
            raise RefusalError(422, str(error)) from error
        finally:
            waiting.discard(ticket)
        return _json(200, answer)

    @app.exception_handler(RefusalError)
    def refused(_: Request, error: RefusalError) -> Response:
        return _json(error.status, {"error": error.sentence})

    @app.exception_handler(Exception)
    def failed(_: Request, error: Exception) -> Response:
        log.error("serve: %s", error, exc_info=error)
        return _json(500, {"error": TROUBLE})

    return app


def _answer(engine: Engine, content: bytes, name: str, live: bool) -> dict[str, Any]:
    """What the page shows of a picture; of a camera's, which the page has itself, without the picture.

    Raises:
        UserError: for what is no picture, or a too large one.
    """
    pixels, focal_px = decode_photograph(content, name, MOST_PIXELS)
    height, width = pixels.shape[:2]
    camera = None if focal_px is None else Intrinsics.of(width, height, focal_px, EXIF)
    (result,) = engine([Picture(pixels, name, intrinsics=camera)])
    record = result.record()
    picture = None if live else data_uri(large(pixels), "jpeg")
    return {
        "entry": entry_of(record) | {"hands": described(record), "picture": picture},
        "record": None if live else record,
    }


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
