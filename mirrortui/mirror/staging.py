"""Write the metadata of one subdir beside what is published: every encoding from the one upstream body."""

import bz2
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from mirrortui.catalog import cache
from mirrortui.catalog.extras import Extra
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.config import Publish
from mirrortui.errors import BadRepodata
from mirrortui.mirror import cut, extras, shards
from mirrortui.mirror.current import current

JSON, ZST, BZ2 = "repodata.json", "repodata.json.zst", "repodata.json.bz2"
CURRENT, CURRENT_ZST = "current_repodata.json", "current_repodata.json.zst"
RUN_EXPORTS, RUN_EXPORTS_ZST = "run_exports.json", "run_exports.json.zst"

ORDER = (shards.INDEX, ZST, JSON, BZ2, CURRENT_ZST, CURRENT, RUN_EXPORTS_ZST, RUN_EXPORTS)
"""The order in which files become visible. Shards themselves are in place before: nothing but the index names them."""

NEVER = (
    "current_repodata.json.bz2",
    "repodata.jlap",
    "repodata_from_packages.json",
    "repodata_shards_from_packages.msgpack.zst",
)
"""Metadata that this program does not make: removed where it lies, since a stale one would shadow what it does make."""


@dataclass(frozen=True)
class Item:
    """One subdir to publish: its index (None: publish an empty one) and the rows that are wanted and verified.

    `run_exports` is what upstream says of them, where it does.
    """

    subdir: str
    index: SubdirIndex | None
    keep: Mask
    run_exports: Extra | None = None


def wanted(options: Publish, *, run_exports: bool = False) -> tuple[str, ...]:
    """The files that the options ask for, in the order in which they are switched; `run_exports` if there are any."""
    chosen = {
        shards.INDEX: options.shards,
        ZST: options.zst,
        JSON: True,
        BZ2: options.bz2,
        CURRENT_ZST: options.current and options.zst,
        CURRENT: options.current,
        RUN_EXPORTS_ZST: run_exports and options.run_exports and options.zst,
        RUN_EXPORTS: run_exports and options.run_exports,
    }
    return tuple(name for name in ORDER if chosen[name])


def stage(folder: Path, item: Item, options: Publish, scratch: Path) -> dict[str, Path]:
    """Write the wanted files under names that are never served; returns final name -> staged path.

    A cached run_exports that cannot be read is left out: it must not stand in the way of repodata.
    """
    names = wanted(options, run_exports=item.run_exports is not None)
    out = {name: folder / f".{name}.new" for name in names}
    for path in out.values():
        path.unlink(missing_ok=True)  # perhaps a link that somebody put there
    try:
        _write(folder, item, out, scratch)
    except BaseException:
        for path in out.values():
            path.unlink(missing_ok=True)
        raise
    return out


def _write(folder: Path, item: Item, out: dict[str, Path], scratch: Path) -> None:
    _repodata(item, out)
    if CURRENT in out:
        _current(item, out)
    if shards.INDEX in out:
        index = item.index
        body = (
            shards.empty(item.subdir)
            if index is None or index.body is None
            else shards.write(index, item.keep, folder, scratch)
        )
        out[shards.INDEX].write_bytes(body)
    if RUN_EXPORTS in out:
        try:
            _run_exports(item, out)
        except BadRepodata:
            for name in (RUN_EXPORTS, RUN_EXPORTS_ZST):
                if name in out:
                    out.pop(name).unlink(missing_ok=True)
    for path in out.values():
        path.chmod(0o644)


def _repodata(item: Item, out: dict[str, Path]) -> None:
    index = item.index
    if index is not None and index.body is not None and cut.verbatim(index, item.keep):
        with _sink(out[JSON], None, out.get(BZ2)) as write:
            for chunk in cache.unpacked(index.body):
                write(chunk)
        if ZST in out:
            shutil.copyfile(index.body, out[ZST])
        return
    with _sink(out[JSON], out.get(ZST), out.get(BZ2)) as write:
        _cut(item, item.keep, write)


def _current(item: Item, out: dict[str, Path]) -> None:
    keep = item.keep if item.index is None else current(item.index, item.keep)
    with _sink(out[CURRENT], out.get(CURRENT_ZST), None) as write:
        _cut(item, keep, write)


def _run_exports(item: Item, out: dict[str, Path]) -> None:
    assert item.run_exports is not None
    body, packed = item.run_exports.body, out.get(RUN_EXPORTS_ZST)
    published = extras.Names(()) if item.index is None else extras.Names.of(item.index, item.keep)
    with _sink(out[RUN_EXPORTS], packed, None) as write:
        whole = extras.run_exports(body, published, write)
    if whole:  # then as upstream sent it
        with _sink(out[RUN_EXPORTS], None, None) as write:
            for chunk in cache.unpacked(body):
                write(chunk)
        if packed is not None:
            shutil.copyfile(body, packed)


def _cut(item: Item, keep: Mask, write: cut.Write) -> None:
    if item.index is None:
        write(cut.empty(item.subdir))
    else:
        cut.write(item.index, keep, write)


@contextmanager
def _sink(plain: Path, packed: Path | None, bzipped: Path | None) -> Iterator[cut.Write]:
    """Write the same bytes plain, as zstd and as bzip2, in one pass."""
    with ExitStack() as stack:
        writers: list[cut.Write] = [stack.enter_context(plain.open("wb")).write]
        if packed is not None:
            # With threads the frame does not depend on their number: the same JSON gives the same bytes anywhere.
            packer = zstandard.ZstdCompressor(level=3, threads=2, write_content_size=False)
            stream = stack.enter_context(packed.open("wb"))
            writers.append(stack.enter_context(packer.stream_writer(stream, closefd=False)).write)
        if bzipped is not None:
            writers.append(stack.enter_context(bz2.open(bzipped, "wb")).write)

        def write(data: bytes) -> None:
            for one in writers:
                one(data)

        yield write
