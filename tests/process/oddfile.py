"""A channel of which one file goes wrong, and a mirror of it."""

from tests.process import published
from tests.process.faulty import Asked, FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree

SIZE = 300_000


class Case:
    """A mirror of a channel with five good files and one, `fn`, to do things to."""

    def __init__(self, mirror: Mirror, lab: ChannelTree, upstream: FaultyUpstream) -> None:
        self.mirror, self.lab, self.upstream = mirror, lab, upstream
        for number in range(5):
            lab.put(f"good{number}")
        self.fn = lab.put("odd", size=SIZE)
        lab.index()
        mirror.write({"lab": f"{upstream.url}/lab"}, transfer={"retries": 3})
        self.path = f"/lab/linux-64/{self.fn}"
        self.part = mirror.root / "lab" / "linux-64" / f".{self.fn}.part"

    @property
    def asked(self) -> list[Asked]:
        return self.upstream.requests(self.fn)

    @property
    def sent(self) -> int:
        return sum(asked.sent for asked in self.asked)

    def arrives(self) -> None:
        """One run brings everything."""
        run = self.mirror.sync()["run"]
        assert (run["added"], run["failed"]) == (6, [])
        self.complete()

    def complete(self) -> None:
        shown = published.published(self.mirror.root, "lab", "linux-64")
        assert shown == self.lab.records["linux-64"]
        assert published.wrong(self.mirror.root) == []
        assert not self.part.exists()
