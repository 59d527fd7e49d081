"""The exception tree. Each error says what went wrong, where, and what to do next.

MirrorError                 exit 1
├── UsageError              exit 2   the command line asks for something that cannot be
├── ConfigError             exit 2   mirror.toml cannot be read, or says something impossible
├── NameRefused             exit 2   a name or URL from outside did not pass the gate (naming.py)
├── UpstreamError           exit 1   the upstream did not deliver what was asked
│   ├── UpstreamUnreachable          no connection, DNS, TLS, timeout
│   ├── UpstreamStatus               an HTTP status that is not success (carries `status`)
│   └── BadRepodata                  it came, but is not repodata: HTML, truncated, too large
├── TransferError           exit 1   one package could not be had (carries `reason`)
├── StateError              exit 1   journal or inventory cannot be used
├── TargetError             exit 1   a file on this machine cannot be read or written
├── BusyError               exit 4   another run holds the lock
└── RefusedError            exit 5   a guard said no
├── NoSpace                      the plan does not fit the free disk
└── PruneRefused                 more would be deleted than max_share allows
"""

from typing import ClassVar


class MirrorError(Exception):
    """Anything an operator can cause or meet; printed as one line, never as a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.hint}" if self.hint else text


class UsageError(MirrorError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(MirrorError):
    """mirror.toml cannot be read, or says something impossible."""

    exit_code = 2


class NameRefused(MirrorError):
    """A channel, subdir, file name or URL from outside did not pass the gate."""

    exit_code = 2


class UpstreamError(MirrorError):
    """The upstream did not deliver what was asked."""


class UpstreamUnreachable(UpstreamError):
    """No connection: refused, DNS, TLS, timeout."""


class UpstreamStatus(UpstreamError):
    """The upstream answered with a status that is not success; `retry_after` is that header, as it came."""

    def __init__(self, what: str, *, status: int, where: str = "", hint: str = "", retry_after: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status
        self.retry_after = retry_after


class BadRepodata(UpstreamError):
    """The answer is not usable repodata: HTML, truncated, too large, of an unknown version."""


class TransferError(MirrorError):
    """One package could not be had; `reason` is the short word that journal and JSON carry."""

    def __init__(self, what: str, *, reason: str, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.reason = reason


class StateError(MirrorError):
    """Journal or inventory cannot be used."""


class TargetError(MirrorError):
    """A file or folder on this machine cannot be read or written."""


class BusyError(MirrorError):
    """Another run holds the lock."""

    exit_code = 4


class RefusedError(MirrorError):
    """A guard said no; nothing was changed."""

    exit_code = 5


class NoSpace(RefusedError):
    """The plan does not fit on the free disk."""


class PruneRefused(RefusedError):
    """More would be deleted than `max_share` allows."""
