"""The comments of a generated `.condarc`: ASCII, one line each, fixed, so that such a file is recognised again."""

import re

HEADER = "# Written by mirrortui for the mirror"
UNLOCKED = ("# conda and mamba read this file; 'conda config --show-sources' tells which file sets what.",)
LOCKED = (
    "# Locked: conda reads a flag only if no other comment stands on its line or on the next one,",
    "# so the reasons stand here and nothing may be added between the keys.",
)

CHANNELS = "searched from first to last"
STRICT = "strict: a package comes from the first channel that has it, so builds of different channels do not mix"
FLEXIBLE = "flexible: the mirror holds channels in part, so a lower channel may have what a higher one lacks here"
ALIAS = "where channels asked for by name are looked up"
DEFAULTS = "what 'defaults' stands for; channel_alias does not reach it"
BORROWED = "no pkgs/* is mirrored: 'defaults' stands for the first channel, not for the internet"
KEEP_NAME = "keeps that channel's own name in 'conda list' and in exported environments"
CUSTOM = "names hard-coded in conda and mamba; the name is appended to the location"
MIGRATED = "full URLs of these hosts lead to the mirror (conda only)"
NO_REDIRECT = "no user file may redirect a name"
ALLOW = "by URL, because names can be redirected"
NO_OVERRIDE = "--override-channels is refused"
SHOW = "shows where each package comes from"
AUTO_UPDATE = "conda itself is updated by the administrator"
OUTDATED = "no reminder of conda versions that the mirror may not have"
NOTICES = "no look-up of channel notices on every command"

_ALL = frozenset(
    {
        CHANNELS,
        STRICT,
        FLEXIBLE,
        ALIAS,
        DEFAULTS,
        BORROWED,
        KEEP_NAME,
        CUSTOM,
        MIGRATED,
        NO_REDIRECT,
        ALLOW,
        NO_OVERRIDE,
        SHOW,
        AUTO_UPDATE,
        OUTDATED,
        NOTICES,
    }
)
_BESIDE = re.compile(r"#   [a-z_]+: (.*)")


def beside(key: str, reason: str) -> str:
    """The reason for a key, for the head of a locked file."""
    return f"#   {key}: {reason}"


def is_own(comment: str) -> bool:
    """Tell whether a whole-line comment is one that `Condarc.text` writes."""
    if comment.startswith(HEADER) or comment in UNLOCKED or comment in LOCKED:
        return True
    match = _BESIDE.fullmatch(comment)
    return (match[1] if match else comment.removeprefix("# ")) in _ALL
