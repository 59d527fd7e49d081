"""What a dependency in `v3` says beyond name, version and build (CEP 43, 44, 45): the bracket keys `when`, `extras`, `flags`.

A mirror cannot know the environments of its clients: what is needed under some condition is taken as needed.
"""

import re

_KEY = re.compile(
    r"""(?<=[\[,])\s*(?:when|extras|flags)\s*=\s*(?:"[^"]*"|'[^']*'|\[[^\[\]]*\]|[^,\[\]"']*)\s*(?:,|(?=\]))"""
)


def unconditional(text: str) -> str:
    """A dependency without the keys that only a solver can judge; the text itself where it has none."""
    if "[" not in text:
        return text
    plain = _KEY.sub("", text)
    return text if plain == text else plain.replace(",]", "]").replace("[]", "")
