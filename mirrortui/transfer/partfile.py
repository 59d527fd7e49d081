"""A file being received: running hash, size watch, resume, verification."""

import hashlib
import os
from typing import Any

from mirrortui.errors import TransferError
from mirrortui.naming import display
from mirrortui.transfer.job import Job

_READ = 1 << 20


class PartFile:
    """`job.part`, opened for writing. What it holds already counts as received and is hashed first.

    `received` counts bytes from the file's start. More than the record's size is refused at once.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.kind = job.digest[0] if job.digest else "sha256"
        self.fd = os.open(job.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self.hash = _new(self.kind)
        self.received = 0
        self.held = os.fstat(self.fd).st_size

    def resume(self) -> int:
        """Hash what is there; returns how many bytes that is. A part that is as long as the file or longer is started anew."""
        if self.held == 0:
            return 0
        if self.job.size < 0 or self.held >= self.job.size:
            self.restart()
            return 0
        os.lseek(self.fd, 0, os.SEEK_SET)
        while block := os.read(self.fd, _READ):
            self.hash.update(block)
            self.received += len(block)
        return self.received

    def restart(self) -> None:
        """Throw away what was received."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.hash = _new(self.kind)
        self.received = 0

    def write(self, data: Any) -> None:
        """Append; raises `TransferError` (size) when the record's size is passed."""
        size = len(data)
        if 0 <= self.job.size < self.received + size:
            raise TransferError(f"is longer than the {self.job.size} bytes of its record", reason="size")
        self.hash.update(data)
        done = os.write(self.fd, data)
        while done < size:
            done += os.write(self.fd, memoryview(data)[done:])
        self.received += size

    def verify(self) -> bytes:
        """Return the digest if size and hash are the record's; raises `TransferError` (size, hash) else."""
        if self.job.size >= 0 and self.received != self.job.size:
            raise TransferError(f"has {self.received} bytes, its record says {self.job.size}", reason="size")
        digest: bytes = self.hash.digest()
        if self.job.digest is not None and digest != self.job.digest[1]:
            raise TransferError(
                f"has {self.kind} {digest.hex()[:16]}…, its record says {self.job.digest[1].hex()[:16]}…", reason="hash"
            )
        return digest

    def finish(self) -> tuple[int, int, bytes]:
        """Verify, close, rename to `job.final`; returns size, mtime_ns and digest. Raises as `verify`, and `OSError`."""
        digest = self.verify()
        found = os.fstat(self.fd)
        self.close()  # some file systems tell only now that there was no room
        os.rename(self.job.part, self.job.final)  # noqa: PTH104 - Path.rename would make another Path for each file
        return found.st_size, found.st_mtime_ns, digest

    def close(self) -> None:
        """Close the file, leaving it where it is."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _new(kind: str) -> Any:
    """A running hash; the constructor by name would look for the name each time."""
    if kind == "sha256":
        return hashlib.sha256(usedforsecurity=False)
    return hashlib.new(kind, usedforsecurity=False)


def check(job: Job) -> bytes | None:
    """Hash `job.final`; returns its digest if it is the record's file, else None."""
    kind = job.digest[0] if job.digest else "sha256"
    try:
        with job.final.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if job.size >= 0 and size != job.size:
                return None
            digest = hashlib.file_digest(stream, kind).digest()
    except OSError:
        return None
    if job.digest is not None and digest != job.digest[1]:
        return None
    return digest if job.digest is not None or job.size >= 0 else None


def describe(job: Job) -> str:
    """The file as a log names it."""
    return display(f"{job.channel}/{job.subdir}/{job.fn}")
