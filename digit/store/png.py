"""What can be said about a PNG image without decoding it: pictures in the original's store. Masks: :mod:`masks`."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BYTES_AROUND = 12
"""Length, type and checksum of a chunk."""


def is_png(content: bytes) -> bool:
    """Whether this begins as a PNG file does."""
    return content.startswith(SIGNATURE)


def find_png_damage(content: bytes, width: int, height: int) -> str | None:
    """Say what is wrong with a file that should be a PNG of this size (px), or None; every checksum is compared."""
    if not is_png(content) or content[12:16] != b"IHDR":
        return "not a PNG"
    size = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(content):
            return "cut off: no end chunk"
        if zlib.crc32(memoryview(content)[place + 4 : end]) != int.from_bytes(content[end : end + 4]):
            return "damaged: a checksum does not fit"
        place += _BYTES_AROUND + length
    if size != (width, height):
        return f"{size[0]}x{size[1]} px, annotated as {width}x{height}"
    return None
