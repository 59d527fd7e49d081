"""Publish again what was published, from what is cached: for metadata that was damaged, whether the upstream is there or not."""

from collections.abc import Collection, Iterator

import numpy as np

from mirrortui.catalog import cache, extras
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.extras import Extra
from mirrortui.config import Channel, MirrorConfig
from mirrortui.mirror import channeldata, publish
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.presence import presence
from mirrortui.mirror.staging import Item
from mirrortui.mirror.store import Store
from mirrortui.selection.decide import decide
from mirrortui.selection.select import Selection, SubdirSelection

Pair = tuple[str, str]


def republish(config: MirrorConfig, store: Store, inventory: Inventory, channels: Collection[str]) -> list[str]:
    """Write the metadata of some channels anew; returns the names of those of which that could be done.

    It is done only where the cache and the rules give the very metadata that was published last: anything else is the
    business of a run. What is not damaged is left alone. Raises `MirrorError`.
    """
    pairs = [(channel.name, subdir) for channel in config.channels for subdir in channel.subdirs]
    catalog = cache.open_catalog(config.state, pairs)
    if set(catalog.indexes) != set(pairs):  # dependencies are closed over all of them
        return []
    selection = decide(catalog, config).selection
    chosen = [channel for channel in config.channels if channel.name in channels]
    return [channel.name for channel in chosen if _channel(config, store, inventory, channel, selection, catalog)]


def _channel(
    config: MirrorConfig,
    store: Store,
    inventory: Inventory,
    channel: Channel,
    selection: Selection,
    catalog: Catalog,
) -> bool:
    items, staying = list[Item](), list[str]()
    for subdir in dict.fromkeys((*channel.subdirs, "noarch")):
        pair = (channel.name, subdir)
        last, index = inventory.published(*pair), catalog.indexes.get(pair)
        if index is None or index.folder is None:
            if last is not None and last.records:  # gone upstream: it stays as it was
                staying.append(subdir)
                continue
            candidates = iter([Item(subdir, None, np.zeros(0, bool))] if subdir == "noarch" else [])
        else:
            exports = extras.cached(config.state, *pair) if config.publish.run_exports else None
            candidates = _candidates(store, inventory, selection.subdirs[pair], exports)
        same = (item for item in candidates if last is not None and publish.key_of(item, config.publish) == last.key)
        found = next(same, None)
        if found is not None:
            items.append(found)
        elif last is not None:
            return False
    about = extras.cached(config.state, channel.name, "") if config.publish.channeldata else None
    if about is None and channeldata.noted(inventory, channel.name) is not None:
        return False
    publish.publish(store, inventory, channel.name, items, config.publish, config.state, about, staying)
    return True


def _candidates(store: Store, inventory: Inventory, chosen: SubdirSelection, exports: Extra | None) -> Iterator[Item]:
    """What may have been published: what is verified now, or was before files were doubted or lost."""
    index, here = chosen.index, presence(chosen.index, store, inventory)
    for there in (
        here.verified,
        here.verified | here.doubted,
        here.verified | here.unchecked,
        np.ones(index.rows, bool),
    ):
        yield Item(index.subdir, index, chosen.mask & there, exports)
