import io
import tarfile

import pytest

from digit.archive import headers


def blocks(info, tar_format):
    return info.tobuf(tar_format)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("size", [0, 1, 511, 31_000, 8**11 - 1])
def test_a_header_is_read_as_tarfile_wrote_it(tar_format, size):
    info = tarfile.TarInfo("InterHand2.6M_5fps_batch1/images/val/Capture0/x/cam1/image7.jpg")
    info.size = size if size < headers.LARGEST_MEMBER else 7
    header = headers.parse(blocks(info, tar_format)[:512])
    assert header == (ord("0"), info.size, info.name.encode())


def test_a_prefix_belongs_to_the_name():
    info = tarfile.TarInfo("a" * 90 + "/" + "b" * 60 + ".jpg")
    assert headers.parse(info.tobuf(tarfile.USTAR_FORMAT)[:512]).name == info.name.encode()


def test_binary_sizes_are_read_and_absurd_ones_are_no_header():
    info = tarfile.TarInfo("x")
    info.size = 2**32
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
    assert headers.parse(bytes(block)).size == 2**32

    def with_size(field):
        changed = bytearray(block)
        changed[124:136] = field
        changed[148:156] = b" " * 8
        changed[148:156] = b"%06o\0 " % sum(changed)
        return bytes(changed)

    assert headers.parse(with_size(b"\x80" + (70_000).to_bytes(11))).size == 70_000
    assert headers.parse(with_size(b"\x80" + (2**40).to_bytes(11))) is None
    assert headers.parse(with_size(b"\xff" * 12)) is None


def test_every_changed_byte_is_noticed():
    block = tarfile.TarInfo("images/val/x.jpg").tobuf(tarfile.GNU_FORMAT)[:512]
    for place in range(512):
        changed = bytearray(block)
        changed[place] ^= 0x21
        found = headers.parse(bytes(changed))
        assert found is None or 148 <= place < 156, "digits of the checksum may be written in other ways"


@pytest.mark.parametrize("offset", [0, 1, 511, 512, 700])
def test_the_next_header_is_found_at_any_byte(offset):
    block = tarfile.TarInfo("images/val/x.jpg").tobuf(tarfile.GNU_FORMAT)[:512]
    assert headers.find_header(b"ustar" * (offset // 5) + b"u" * (offset % 5) + block + b"rest") == offset
    assert headers.find_header(block[1:] + b"ustar") is None


def test_pax_records_are_read_and_nonsense_is_refused():
    info = tarfile.TarInfo("ä" * 200)
    info.pax_headers = {"comment": "two\nlines = 1"}
    content = info.tobuf(tarfile.PAX_FORMAT)[512:]
    records = headers.pax_records(content[: content.index(b"\0")])
    assert records == {b"path": ("ä" * 200).encode(), b"comment": b"two\nlines = 1"}
    for nonsense in (b"12", b"5 a=b\n\n\n", b"x path=y\n", b"0 path=y\n"):
        with pytest.raises(ValueError):
            headers.pax_records(nonsense)


def test_a_whole_tar_is_what_tarfile_reads(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for size in (0, 5, 512, 600):
            info = tarfile.TarInfo(f"images/val/{size}.jpg")
            info.size = size
            tar.addfile(info, io.BytesIO(bytes(size)))
    content, place, sizes = buffer.getvalue(), 0, []
    while (header := headers.parse(content[place : place + 512])) is not None:
        sizes.append(header.size)
        place += 512 + headers.padded(header.size)
    assert sizes == [0, 5, 512, 600] and not content[place:].strip(b"\0")
