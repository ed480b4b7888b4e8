"""Users' pictures from any source: upright 8-bit RGB, or a sentence that says why not.

The data stages decode for themselves: there annotations refer to pixels as they are stored.
"""

import io
import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import ExifTags, Image

from digit.predictor.camera import exif_focal_px
from digit.run.console import log
from digit.run.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
"""What Pillow decodes without further packages, by its names; JPEG includes the MPO of phones."""
SUFFIXES = {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pjpeg",
    ".png", ".tif", ".tiff", ".webp",
}  # fmt: skip
"""Files named like this are taken for pictures before anybody has looked into them."""
KINDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"

UNREADABLE = (
    OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, EOFError, MemoryError, RecursionError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What decoders raise over foreign bytes."""

HEIC_BRANDS = set(b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1".split())
HEIC_ADVICE = "is a HEIC picture; run `pip install pillow-heif` to have it read, or convert it to JPEG"
SIDECAR = bytes.fromhex("00051607")
"""How the AppleDouble files begin that macOS leaves beside files on other file systems."""

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, MAX_SAMPLE_VALUE = 258, 262, 339, 281
NEW_SUBFILE_TYPE, SUB_IFDS, DNG_VERSION = 254, 330, 50706
"""Tags of TIFF."""
REDUCED_OR_MASK = 0b101
"""Bits of NEW_SUBFILE_TYPE: a smaller copy of another page, a transparency mask."""
MIN_IS_BLACK, RGB, UNSIGNED = 1, 2, 1
DEPTHS = (8, 10, 12, 14, 16)
"""Bits that the samples of 16-bit pictures may use."""
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
"""Colours that Pillow turns into RGB."""
BEHIND = "white"
"""What shows through where a picture is transparent."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""


def read_picture(path: str | Path) -> np.ndarray:
    """Read a picture as any viewer shows it.

    Returns:
        (H, W, 3) uint8 RGB, turned as its orientation says, transparency over white.

    Raises:
        UserError: when it cannot be read, as :func:`decode_picture`.

    Examples:
        >>> image = digit.read_picture("photo.jpg")
    """
    return decode_picture(read_content(path), str(path))


def read_content(path: str | Path) -> bytes:
    """Read a file.

    Raises:
        UserError: when it cannot be read, or is larger than the memory.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except MemoryError as error:
        raise UserError(f"{path}: is larger than the memory; take it out") from error


def decode_picture(content: bytes, name: str) -> np.ndarray:
    """Decode a picture, judging by its content alone; see :func:`read_picture`.

    Raises:
        UserError: as :func:`decode_photograph`.
    """
    return decode_photograph(content, name)[0]


def decode_photograph(content: bytes, name: str, most_pixels: int | None = None) -> tuple[np.ndarray, float | None]:
    """Decode a picture, judging by its content alone, and say how long its focal length was.

    Args:
        content: of the file.
        name: of the picture, for messages.
        most_pixels: a picture whose header tells of more is refused before anything is decoded.

    Returns:
        (H, W, 3) uint8 RGB, upright, and px; None when the file does not tell.

    Raises:
        UserError: for what is no picture, damaged, too large, several pictures in one file, or stored in numbers whose
            scale is not known.
    """
    if not content:
        raise UserError(f"{name}: is empty; copy it again, or take it out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about size, metadata and trailing bytes
            with open_picture(io.BytesIO(content)) as image:
                if most_pixels is not None and image.width * image.height > most_pixels:
                    raise UserError(_too_many(image.width * image.height, most_pixels))
                _require_one_picture(image)
                pixels = _deep_pixels(image, content, name) if _is_deep(image) else _pixels(image)
                _warn_of_damage(image, content, name)
                return pixels, exif_focal_px(_lens_tags(image), image.width, image.height)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{name}: {_what_else(content)}") from error
    except Image.DecompressionBombError as error:
        size = re.search(r"\d+", str(error))
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) if most_pixels is None else most_pixels
        raise UserError(f"{name}: {_too_many(int(size[0]) if size else None, most)}") from error
    except Exception as error:  # foreign bytes make decoders fail in every way there is
        reason = str(error) or type(error).__name__
        raise UserError(f"{name}: is damaged or cut off ({reason}); copy it again, or take it out") from error


def _too_many(pixels: int | None, most: int) -> str:
    counted = "too many pixels" if pixels is None else f"{pixels / 1e6:,.0f} million pixels"
    return f"has {counted}, and at most {most / 1e6:.0f} million are read; make it smaller"


def open_picture(file: Path | io.BytesIO) -> Image.Image:
    """Open a picture without decoding it.

    Raises:
        UserError: for HEIC that is damaged, or when pillow-heif is not installed; the message begins with what the file
            is.
        UnidentifiedImageError: when it is no picture.
    """
    if _is_heic(file):
        try:
            import pillow_heif
        except ImportError as error:
            raise UserError(HEIC_ADVICE) from error
        pillow_heif.register_heif_opener()
        try:
            return Image.open(file, formats=("HEIF",))
        except Image.UnidentifiedImageError as error:
            raise UserError("is a HEIC picture that is damaged or cut off; copy it again, or take it out") from error
    return Image.open(file, formats=FORMATS)


def _is_heic(file: Path | io.BytesIO) -> bool:
    """Whether an ISO media file says that it holds HEVC pictures, and not that it holds AV1 ones."""
    if isinstance(file, Path):
        with file.open("rb") as stream:
            head = stream.read(64)
    else:
        head = file.getvalue()[:64]
    if head[4:8] != b"ftyp":
        return False
    brands = {head[place : place + 4] for place in range(8, min(int.from_bytes(head[:4]), 64), 4)}
    return bool(brands & HEIC_BRANDS) and not brands & {b"avif", b"avis"}


def _what_else(content: bytes) -> str:
    if content.startswith(SIDECAR):
        return "is no picture but what macOS leaves beside one (AppleDouble); delete it"
    return f"is not a {KINDS} picture, or is damaged; convert it to JPEG, or take it out"


def _require_one_picture(image: Image.Image) -> None:
    """Refuse several pictures in one file, unless the others are small copies or belong to a camera's main picture."""
    count = getattr(image, "n_frames", 1)
    if image.format == "TIFF":
        kinds = []
        for page in range(count):
            image.seek(page)
            kinds.append(_tags(image).get(NEW_SUBFILE_TYPE, 0))
        image.seek(0)
        if DNG_VERSION in _tags(image) or (kinds[0] & REDUCED_OR_MASK and SUB_IFDS in _tags(image)):
            raise UserError("is a camera's raw file, of which only a preview could be read; export it as JPEG")
        count = sum(not kind & REDUCED_OR_MASK for kind in kinds)
    if count > 1 and image.format not in ("MPO", "HEIF"):
        raise UserError(f"holds {count} pictures (an animation, or pages); save the one to use as a file of its own")


def _pixels(image: Image.Image) -> np.ndarray:
    """Decode 8-bit colours."""
    if image.mode not in MODES:
        raise UserError(f"has colours of another kind ({image.mode}) than RGB, grey and CMYK; save it as RGB")
    image.load()  # after which TIFF files are upright already and say so
    upright = _turn(image, _orientation(image))
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, BEHIND), upright)
    return np.array(upright.convert("RGB"))


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture has samples of more than 8 bits, of which Pillow would keep the upper 8."""
    if image.format == "TIFF":
        return max(_tags(image).get(BITS_PER_SAMPLE, (1,))) > 8
    return image.format == "PNG" and ";16" in str(image.tile)  # type: ignore[attr-defined]


def _deep_pixels(image: Image.Image, content: bytes, name: str) -> np.ndarray:
    """Decode 16-bit samples, and scale them by the bits that they use."""
    orientation, declared = _orientation(image), 0
    if image.format == "TIFF":
        tags = _tags(image)
        kind, formats = tags.get(PHOTOMETRIC), set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
        if formats != {UNSIGNED} or max(tags[BITS_PER_SAMPLE]) > 16 or kind not in (MIN_IS_BLACK, RGB):
            raise UserError("is a TIFF of numbers without a known scale; save it with 8 bits per channel")
        declared = max(tags.get(MAX_SAMPLE_VALUE, (0,)))
        orientation = 1  # OpenCV turns TIFF files itself, but no PNG files
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[2:] not in ((), (3,), (4,)):
        raise UserError("has more than 8 bits per channel in a way that is not read; save it with 8 bits per channel")
    pixels = np.atleast_3d(pixels)
    samples, bits = _to_8_bits(pixels[..., :3], declared)
    if bits < DEPTHS[-1]:
        log.info("%s: uses %d of the %d bits of its samples, and is scaled by them", name, bits, DEPTHS[-1])
    colors = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples[..., ::-1].copy()).convert("RGB")
    if pixels.shape[2] == 4:
        opacity = Image.fromarray(_to_8_bits(pixels[..., 3:], 0)[0][..., 0])
        colors = Image.composite(colors, Image.new("RGB", colors.size, BEHIND), opacity)
    return np.array(_turn(colors, orientation))


def _to_8_bits(samples: np.ndarray, declared: int) -> tuple[np.ndarray, int]:
    """Samples as uint8, and how many bits they use: the fewest of DEPTHS that hold the largest, or the declared one."""
    largest = max(int(samples.max()), declared)
    bits = next(depth for depth in DEPTHS if largest < 1 << depth or depth == DEPTHS[-1])
    scaled = cv2.convertScaleAbs(np.ascontiguousarray(samples), alpha=255 / ((1 << bits) - 1))
    return scaled.reshape(samples.shape), bits


def _orientation(image: Image.Image) -> int:
    """How a picture is stored, 1 to 8, wherever its format keeps that."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # of foreign bytes, too; the pixels may be sound all the same
        log.warning("a picture's metadata are damaged (%s), so it is taken as stored", error)
        return 1


def _lens_tags(image: Image.Image) -> dict[int, Any]:
    """What a picture's metadata say of how it was taken; nothing when they are damaged."""
    try:
        return dict(image.getexif().get_ifd(ExifTags.IFD.Exif))
    except Exception as error:  # of foreign bytes, too
        log.warning("a picture's metadata are damaged (%s), so its focal length is not known", error)
        return {}


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _warn_of_damage(image: Image.Image, content: bytes, name: str) -> None:
    """Say of a JPEG what libjpeg patches up without a word; its other pixels may be worth a prediction."""
    if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
        try:
            simplejpeg.decode_jpeg(content, "gray", fastdct=True, fastupsample=True, strict=True)
        except ValueError as error:
            log.warning("%s: is damaged inside (%s); look at the overlay", name, error)


def _tags(image: Image.Image) -> Any:
    return image.tag_v2  # type: ignore[attr-defined]
