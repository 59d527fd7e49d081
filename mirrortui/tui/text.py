"""The only way a string from outside reaches a widget: never as markup, never with control characters."""

from textual.content import Content

from mirrortui import naming
from mirrortui.errors import MirrorError


def safe(outside: object, limit: int = 300) -> str:
    """One printable line without secrets; see `naming.display`."""
    return naming.display(outside, limit)


def content(outside: object, limit: int = 2000) -> Content:
    """The same as `Content`, which Textual shows as it stands."""
    return Content(safe(outside, limit))


def block(outside: str) -> str:
    """Several lines, each made safe on its own."""
    return "\n".join(safe(line) for line in outside.splitlines())


def problem(error: BaseException) -> str:
    """One line for an error: what, where, hint; the kind and words of one nobody foresaw."""
    if isinstance(error, MirrorError):
        return safe(error, 600)
    if isinstance(error, OSError) and error.strerror:
        return safe(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return safe(f"{type(error).__name__}: {error}")
