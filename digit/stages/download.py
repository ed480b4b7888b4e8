"""download: annotations and images of InterHand2.6M from its mirrors, verified; what a person has to get is named."""

from pathlib import Path

from digit.archive.checksums import Verified, read_checksums
from digit.archive.members import KEPT, writable_place
from digit.archive.pieces import archive_folder
from digit.config import Config
from digit.download.annotations import ARCHIVE, lacking_annotations, unpack
from digit.download.by_hand import missing_by_hand
from digit.download.files import Fetcher
from digit.download.release import fetch_all, lacking, piece_sums
from digit.download.terms import Terms
from digit.release.interhand import Release
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import write_json
from digit.run.layout import Layout
from digit.run.processes import only_writer


def download(config: Config, accepted: bool = False, fetcher: Fetcher | None = None) -> None:
    """Fetch what the data folder lacks, and write ``download.json`` when all of it is there.

    Args:
        config: the resolved configuration; ``data.image_archive`` says where the pieces go.
        accepted: whether the user accepts the terms now; ``data.accept_licence`` says it for good.
        fetcher: how to fetch; by default from ``data.mirrors``.

    Raises:
        UserError: when the terms are not accepted, the disk has no room, or naming every file that could not be had.
    """
    if config.data.source != "interhand":
        raise UserError(
            "data.source: is synthetic, whose data set is made and not downloaded; set data.source to interhand and "
            "data.root to the folder that the data go to, or use --config workflow/configs/paper.yaml"
        )
    release = Release.of(config)
    folder = archive_folder(config) or release.root / "archive"
    place = writable_place(folder / KEPT, Layout.of(config).members())
    fetcher, terms = fetcher or Fetcher(config.data.mirrors), Terms(config.data.accept_licence or accepted)
    with only_writer(place / ".downloading"):
        sums = _fetch(config, release.root, folder, Verified(place / Verified.NAME), terms, fetcher)
        if lacking_annotations(release.root):
            unpack(folder / ARCHIVE, release.root)
    by_hand = missing_by_hand(config)
    write_json(
        Layout.of(config).download(),
        {"format": "digit-download", "version": 1, "pieces": sums, "by_hand": by_hand},
    )
    _tell(config, release, folder, by_hand)


def _fetch(
    config: Config, root: Path, folder: Path, verified: Verified, terms: Terms, fetcher: Fetcher
) -> dict[str, str]:
    """Fetch the pieces that are not here as the checksum file says, and the annotations; the MD5 of all pieces."""
    sums: dict[str, str] = {}
    wanted = []
    if config.data.image_lmdb is None:
        if not read_checksums(folder):
            terms.require()
        sums = piece_sums(folder, fetcher)
        wanted = lacking(folder, sums, verified)
    if lacking_annotations(root) and not (folder / ARCHIVE).is_file():
        wanted.append(ARCHIVE)
    if wanted:
        terms.require()
        fetch_all(wanted, sums, folder, fetcher, verified)
    if sums:
        log.info("download: %d pieces of the images are in %s, each with its MD5", len(sums), folder)
    return sums


def _tell(config: Config, release: Release, folder: Path, by_hand: list[str]) -> None:
    """Say what is still missing, and what comes next."""
    for line in by_hand:
        log.warning("to get by hand: %s", line)
    if archive_folder(config) is None and config.data.image_lmdb is None:
        log.warning("set data.image_archive: %s, so that images are read from there", folder)
    log.info("download: all that can be downloaded is below %s; next: digit check", release.root)
