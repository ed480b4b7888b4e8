"""What is sent from outside, within limits; it is held in memory and nowhere else."""

from starlette.requests import Request

MOST_BYTES = 40_000_000
MOST_PIXELS = 64_000_000


class RefusalError(Exception):
    """A request without an answer: HTTP status and a sentence for the user."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


async def read_body(request: Request, name: str) -> bytes:
    """What was sent.

    A body that is too large is read to its end, or browsers would show a broken connection instead of the sentence,
    but not kept.

    Raises:
        RefusalError: when it is larger than :data:`MOST_BYTES`.
    """
    chunks: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total <= MOST_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
    if total > MOST_BYTES:
        raise RefusalError(
            413, f"{name}: has {total / 1e6:.0f} MB, and at most {MOST_BYTES / 1e6:.0f} MB are taken; make it smaller"
        )
    return b"".join(chunks)
