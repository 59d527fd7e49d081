"""What ruamel.yaml made of an rc file, as plain values and as flags in conda's sense."""

from typing import Any

FLAGS = frozenset({"final", "top", "bottom"})


def builtins_of(value: Any) -> Any:
    """Builtins instead of ruamel's own types."""
    if isinstance(value, dict):
        return {str(name): builtins_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [builtins_of(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value if value is None else str(value)


def flags_of(data: Any) -> tuple[dict[tuple[str, str], str], list[str]]:
    """Flags as conda reads them, (key, item) -> comment, and the keys of which a flag goes unread.

    conda takes the comment that ruamel joined to the key or item, following lines included, and knows it
    only if it is the bare flag (conda: common/configuration.py, YamlRawParameter).
    """
    flags: dict[tuple[str, str], str] = {}
    lost: list[str] = []
    for key, value in data.items():
        found = [("", _slot(data, key, 2))]
        if hasattr(value, "ca"):
            found += [(str(n), _slot(value, n, 2 if isinstance(value, dict) else 0)) for n in _children(value)]
        for name, comment in found:
            if comment.strip("!#") in FLAGS:
                item = str(value[int(name)]) if name and isinstance(value, list) else name
                flags[str(key), item] = comment
            elif comment.startswith(tuple(f"#!{flag}" for flag in FLAGS)):
                lost.append(str(key))
    return flags, lost


def _children(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value)))


def _slot(holder: Any, key: Any, slot: int) -> str:
    tokens: list[Any] = list(holder.ca.items.get(key) or ())
    token = tokens[slot] if len(tokens) > slot else None
    if token is None and slot == 0 and len(tokens) > 1 and tokens[1]:
        token = tokens[1][0]
    return str(token.value).strip() if token is not None and hasattr(token, "value") else ""
