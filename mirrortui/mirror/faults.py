"""What can be wrong with a file of the mirror, package or metadata."""

from typing import NamedTuple


class Bad(NamedTuple):
    """A file that is not what it is known to be. `reason`: missing, size, hash, unreadable or stray; hashes in hex.

    A stray one is metadata that was never published here, and that a client might read instead. `channel` begins with
    `snapshots/<name>` for a file of a snapshot; `subdir` is "" for a file of a whole channel or snapshot, and `fn` may
    lead into a folder (`shards/...`).
    """

    channel: str
    subdir: str
    fn: str
    reason: str
    expected: str
    found: str = ""

    @property
    def path(self) -> str:
        """The file's path below the root."""
        return "/".join(filter(None, (self.channel, self.subdir, self.fn)))

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that it is of, or ""."""
        first, _, rest = self.channel.partition("/")
        return rest.partition("/")[0] if first == "snapshots" else ""
