"""The JPEG files of one shard, of which those that have not changed are taken from an earlier shard."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from digit.run.errors import UserError
from digit.run.files import read_json
from digit.store.image_source import ImageSource
from digit.store.jpeg import Signature, find_damage, find_damage_inside
from digit.store.shard_cache import ShardCache, Sources

MOST_LEFT_OUT = 0.5
"""Share of the images of a shard, or of a split, that may be left out; of more than that, the folder is in doubt."""


def doubt(key: str) -> str:
    """Ask about a folder, given with its configuration key, that lacks more images than may be left out."""
    return f"is {key} the right folder, mounted and complete? At most {MOST_LEFT_OUT:.0%} may be left out"


def found_by_check(audit: Path) -> set[str] | None:
    """Names of the images that ``check`` found missing or damaged, or None when it has not looked.

    Raises:
        UserError: when the audit cannot be read.
    """
    if not audit.exists():
        return None
    remedy = "run `digit check` again"
    document = read_json(audit, remedy)
    try:
        return set(document["images"]["excluded"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{audit}: is not what check writes; {remedy}") from error


class ImageFiles:
    """The files of a shard in the order of ``names``.

    Raises:
        UserError: when a file cannot be looked at.
    """

    def __init__(self, source: ImageSource, names: Sequence[str], suspects: set[str], cache: ShardCache) -> None:
        """Look at the files that ``cache`` knows.

        Args:
            source: where they come from.
            names: their names there.
            suspects: those that are decoded, because ``check`` found them damaged.
            cache: the earlier shard of the job.
        """
        self.source, self._names, self._suspects = source, names, suspects.intersection(names)
        self._cache = cache
        self.sources = Sources(str(Path(source.place).absolute()))
        """What was read, once :meth:`read` has ended."""
        self.used = 0
        """Files that :meth:`read` took from the earlier shard."""
        self._known = cache.sources.files if cache.sources.root == self.sources.root else {}
        now = source.visit(source.signature, names) if self._known else ()
        self._now = dict(zip(names, now, strict=True)) if self._known else {}

    def unchanged(self) -> bool:
        """Say whether all files are those that the earlier shard was made from, and it lacks all suspects."""
        same = bool(self._known) and self._now == self._known
        return same and self._suspects <= self._cache.header.get("excluded", {}).keys()

    def read(self, widths: Sequence[int], heights: Sequence[int]) -> Iterator[bytes | str]:
        """Contents of sound files, and of the others what is wrong with them.

        Args:
            widths: of the images as annotated, px.
            heights: the same.

        Raises:
            UserError: when a file cannot be read for a reason that says nothing about it.
        """
        self.used, self.sources.files = 0, {}
        files = self.source.visit(self._file, self._names)
        for name, (content, signature, stored), *size in zip(self._names, files, widths, heights, strict=True):
            self.used += stored
            self.sources.files[name] = signature
            find = find_damage_inside if name in self._suspects else find_damage
            yield find(content, *size) or content

    def _file(self, name: str) -> tuple[bytes | str, Signature | None, bool]:
        """Content, or why there is none; signature; and whether it comes from the earlier shard."""
        now = self._now.get(name)
        if now is not None and now == self._known.get(name):
            content = self._cache.find(name)
            if content is not None:
                return content, now, True
        return *self.source.read(name), False
