"""Catalogs and configs of a few channels, made on the spot from file names and fields."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mirrortui.catalog.catalog import Catalog
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection
from mirrortui.selection.decide import Decision, decide
from mirrortui.selection.reasons import Reason
from tests.unit.catalog import made

Pair = tuple[str, str]
Entry = str | tuple[str, dict[str, Any]]
World = Mapping[Pair, Iterable[Entry]]


def pkg(fn: str, *depends: str, **fields: Any) -> Entry:
    """A record with its dependencies."""
    return fn, {"depends": list(depends), **fields}


def catalog(state: Path, world: World) -> Catalog:
    """Indexes of all subdirs, in that order."""
    out = {}
    for (channel, subdir), entries in world.items():
        body = made.table(*entries)
        body["info"]["subdir"] = subdir
        for record in (*body["packages"].values(), *body["packages.conda"].values()):
            record["subdir"] = subdir
        out[channel, subdir] = made.index(state, body, channel, subdir)
    return Catalog(out)


def config(
    base: Path, pairs: Iterable[Pair], own: Mapping[str, Mapping[str, Any]] | None = None, **rules: Any
) -> MirrorConfig:
    """A config with these subdirs; `own` are rules of single channels. Every format is kept unless a rule says otherwise."""
    subdirs: dict[str, list[str]] = {}
    for channel, subdir in pairs:
        subdirs.setdefault(channel, []).append(subdir)
    channels = [
        Channel(
            name=name,
            upstreams=(f"https://up/{name}",),
            subdirs=tuple(dict.fromkeys(found)),
            selection=dict((own or {}).get(name, {})),
        )
        for name, found in subdirs.items()
    ]
    return MirrorConfig(
        mirror=Mirror(name="lab", root=str(base / "root"), url="http://m", state=str(base / "state")),
        channels=tuple(channels),
        selection=msgspec.convert({"formats": "all"} | rules, Selection),
    )


class Lab:
    """One catalog, asked again and again with other rules."""

    def __init__(self, base: Path, world: World) -> None:
        self.base, self.catalog = base, catalog(base / "state", world)

    def config(self, own: Mapping[str, Mapping[str, Any]] | None = None, **rules: Any) -> MirrorConfig:
        return config(self.base, self.catalog.indexes, own, **rules)

    def decide(self, own: Mapping[str, Mapping[str, Any]] | None = None, **rules: Any) -> Decision:
        return decide(self.catalog, self.config(own, **rules))

    def kept(self, own: Mapping[str, Mapping[str, Any]] | None = None, **rules: Any) -> list[str]:
        return kept(self.decide(own, **rules))


def path(pair: Pair, fn: str) -> str:
    """`subdir/fn`, with the channel before it where it is not the usual “c”."""
    return f"{pair[1]}/{fn}" if pair[0] == "c" else f"{pair[0]}/{pair[1]}/{fn}"


def reasons(decision: Decision) -> dict[str, Reason]:
    """Path -> reason, over all subdirs."""
    return {
        path(pair, fn): Reason(int(code))
        for pair, item in decision.selection.subdirs.items()
        for fn, code in zip(item.index.fns(), item.reasons.tolist(), strict=True)
    }


def kept(decision: Decision) -> list[str]:
    """Paths of what is in, sorted."""
    return sorted(where for where, reason in reasons(decision).items() if reason < Reason.REPLACED)
