"""Read part masks quickly: PNG files of large flat areas, several times as fast as a general decoder does.

A general decoder writes such a picture byte by byte. Here a run of one label is one assignment. Only what
``digit parts`` writes is understood: 8 bits, one channel, one block of data (IDAT), no filter. The format is that of
RFC 1950 and 1951 (deflate) and of the PNG specification.
"""

import numpy as np

from digit.run.compiled import compiled

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GREY_8_BIT = b"\x08\0\0\0\0"
_DATA = 41
"""Offset of the content of the first block after the header."""
_TRAILER_BYTES = 16
"""Checksum of the block, and the closing block."""
_LONGEST_CODE = 15
_END_OF_BLOCK = 256
_STORED, _FIXED, _DYNAMIC = 0, 1, 2
_CODE_LENGTH_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
_LENGTH_BITS = np.array([0] * 8 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [0])
_LENGTH_START = np.append(3 + np.cumsum(np.append(0, 1 << _LENGTH_BITS[:27])), 258)
_DISTANCE_BITS = np.array([0, 0, *np.repeat(np.arange(14), 2)])
_DISTANCE_START = 1 + np.cumsum(np.append(0, 1 << _DISTANCE_BITS[:29]))


def read_labels(png: bytes) -> np.ndarray | None:
    """Decode a mask to (H, W) uint8, or None when it is damaged or a PNG of another kind than ``digit parts`` writes.

    The rows are not contiguous.
    """
    if len(png) < _DATA + _TRAILER_BYTES or png[:16] != _START or png[24:29] != _GREY_8_BIT or png[37:41] != b"IDAT":
        return None
    width, height, size = (int.from_bytes(png[place : place + 4]) for place in (16, 20, 33))
    if len(png) < _DATA + size + _TRAILER_BYTES or 1032 * size < height * (width + 1):
        return None
    rows = np.empty((height, width + 1), np.uint8)
    content = np.frombuffer(png, np.uint8, offset=_DATA)
    filters = rows[:, 0]
    return rows[:, 1:] if _inflate(content, size, rows.reshape(-1)) and not filters.any() else None


@compiled
def _inflate(content: np.ndarray, size: int, out: np.ndarray) -> bool:
    """Decompress the first ``size`` bytes of ``content`` into exactly the bytes of ``out``; False if they do not fit.

    At least five bytes must follow in ``content``.
    """
    literals = np.empty(1 << _LONGEST_CODE, np.int32)
    distances = np.empty(1 << _LONGEST_CODE, np.int32)
    at, done, last = 16, 0, False
    while not last:
        if at >> 3 >= size:
            return False
        head = _peek(content, at)
        last, kind = (head & 1) == 1, (head >> 1) & 3
        at += 3
        if kind == _DYNAMIC:
            at, literal_bits, distance_bits = _read_codes(content, size, at, literals, distances)
        elif kind == _FIXED:
            literal_bits, distance_bits = _fixed_codes(literals, distances)
        else:
            return False
        while at >= 0:
            if at >> 3 >= size:
                return False
            code = literals[_peek(content, at) & ((1 << literal_bits) - 1)]
            at += code & 15
            symbol = code >> 4
            if code == 0 or symbol >= _END_OF_BLOCK + 30:
                return False
            if symbol == _END_OF_BLOCK:
                break
            if symbol < _END_OF_BLOCK:
                if done >= len(out):
                    return False
                out[done] = symbol
                done += 1
                continue
            kind = symbol - _END_OF_BLOCK - 1
            length = _LENGTH_START[kind] + (_peek(content, at) & ((1 << _LENGTH_BITS[kind]) - 1))
            at += _LENGTH_BITS[kind]
            code = distances[_peek(content, at) & ((1 << distance_bits) - 1)]
            at += code & 15
            kind = code >> 4
            if code == 0 or kind >= 30 or at >> 3 >= size:
                return False
            distance = _DISTANCE_START[kind] + (_peek(content, at) & ((1 << _DISTANCE_BITS[kind]) - 1))
            at += _DISTANCE_BITS[kind]
            if distance > done or done + length > len(out):
                return False
            if distance == 1:
                out[done : done + length] = out[done - 1]
            else:
                for place in range(done, done + length):
                    out[place] = out[place - distance]
            done += length
        if at < 0:
            return False
    return done == len(out)


@compiled
def _peek(content: np.ndarray, at: int) -> int:
    """Return the 32 bits from bit ``at``."""
    place = at >> 3
    word = np.int64(0)
    for k in range(5):
        word |= np.int64(content[place + k]) << (8 * k)
    return int(word >> (at & 7)) & 0xFFFFFFFF


@compiled
def _fixed_codes(literals: np.ndarray, distances: np.ndarray) -> tuple[int, int]:
    """Fill both tables with the codes that deflate assumes when a block brings none."""
    lengths = np.full(288, 8, np.uint8)
    lengths[144:256] = 9
    lengths[256:280] = 7
    return _fill_table(lengths, literals), _fill_table(np.full(30, 5, np.uint8), distances)


@compiled
def _read_codes(
    content: np.ndarray, size: int, at: int, literals: np.ndarray, distances: np.ndarray
) -> tuple[int, int, int]:
    """Read the codes of a block at bit ``at`` into both tables: the bit after them, or -1, and the codes' widths."""
    counts = _peek(content, at)
    literal_count, distance_count = (counts & 31) + 257, ((counts >> 5) & 31) + 1
    at += 14
    lengths = np.zeros(len(_CODE_LENGTH_ORDER), np.uint8)
    for k in range(((counts >> 10) & 15) + 4):
        if at >> 3 >= size:
            return -1, 0, 0
        lengths[_CODE_LENGTH_ORDER[k]] = _peek(content, at) & 7
        at += 3
    width = _fill_table(lengths, literals)
    lengths = np.zeros(literal_count + distance_count, np.uint8)
    done = 0
    while done < len(lengths):
        if at >> 3 >= size:
            return -1, 0, 0
        bits = _peek(content, at)
        code = literals[bits & ((1 << width) - 1)]
        symbol, bits = code >> 4, bits >> (code & 15)
        at += code & 15
        if code == 0:
            return -1, 0, 0
        value, repeats, extra = symbol, 1, 0
        if symbol == 16:
            if done == 0:
                return -1, 0, 0
            value, repeats, extra = np.int64(lengths[done - 1]), 3 + (bits & 3), 2
        elif symbol == 17:
            value, repeats, extra = 0, 3 + (bits & 7), 3
        elif symbol == 18:
            value, repeats, extra = 0, 11 + (bits & 127), 7
        at += extra
        if done + repeats > len(lengths):
            return -1, 0, 0
        lengths[done : done + repeats] = value
        done += repeats
    return at, _fill_table(lengths[:literal_count], literals), _fill_table(lengths[literal_count:], distances)


@compiled
def _fill_table(lengths: np.ndarray, table: np.ndarray) -> int:
    """Make the table that leads from the next bits to ``symbol << 4 | length``, 0 where there is no code.

    Args:
        lengths: of each symbol's code in bits, 0 if it has none.
        table: to be filled in.

    Returns:
        How many bits lead into the table.
    """
    counts = np.zeros(_LONGEST_CODE + 1, np.int64)
    for length in lengths:
        counts[length] += 1
    counts[0], width, code = 0, 1, 0
    following = np.zeros(_LONGEST_CODE + 1, np.int64)
    for length in range(1, _LONGEST_CODE + 1):
        code = (code + counts[length - 1]) << 1
        following[length] = code
        if counts[length]:
            width = length
    table[: 1 << width] = 0
    for symbol, length in enumerate(lengths):
        if length:
            code, reversed_code = following[length], 0
            following[length] += 1
            for _ in range(length):
                reversed_code = reversed_code << 1 | (code & 1)
                code >>= 1
            table[reversed_code : 1 << width : 1 << np.int64(length)] = symbol << 4 | np.int64(length)
    return width
