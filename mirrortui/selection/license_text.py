"""Licence texts read into a tree of licences, AND and OR.

`license` in repodata is free text: SPDX expressions, R's `GPL (>= 2)`, distributions' lists, remarks. SPDX
expressions are read by `license-expression`, everything else by the small grammar of `_FreeText`. Nothing
here raises on any text. “Or any later version” is a choice: `GPL-2.0-or-later` has versions 2 and 3.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

MAX_TEXT = 2000  # the longest real one has 190 characters; more is not a licence but its text, or an attack
_MAX_DEPTH = 20

_GNU_TEXT = re.compile(
    r"(?<![A-Z])(A|L)?GPL(?![B-KM-UW-Z])[- ]?V?(?:ERSION)?[-. ]*([123])?(?:\.(\d))?[.\d]*(\+|-OR-LATER)?"
)
_SPELLED_OUT = (
    (re.compile(r"(?:GNU )?AFFERO G(?:ENERAL|NU) PUBLIC(?: LICEN[CS]E)?,?"), "AGPL"),
    (re.compile(r"(?:GNU )?(?:LESSER|LIBRARY)(?: GENERAL)? PUBLIC(?: LICEN[CS]E)?,?"), "LGPL"),
    (re.compile(r"(?:GNU )?GENERAL PUBLIC(?: LICEN[CS]E)?,?"), "GPL"),
    (re.compile(r"LIB(?:RARY)? ?GPL"), "LGPL"),
)
_NO_GPL = re.compile(r"G?FDL|FREE DOCUMENTATION|PROPRIETARY|COMMERCIAL|\bEULA\b")
# Asked in this order; the first that occurs names the family.
_FAMILY_TEXTS = tuple(
    (family, re.compile(pattern))
    for family, pattern in (
        ("OTHER", r"G?FDL|FREE DOCUMENTATION"),
        ("PROPRIETARY", r"PROPRIETARY|(?<!NON)(?<!NON-)COMMERCIAL|\bEULA\b|END[- ]USER|ALL RIGHTS RESERVED"),
        ("PROPRIETARY", r"CLOSED[- ]SOURCE|NO MODIFICATION|INTEL SIMPLIFIED|\bISSL\b|NVIDIA"),
        ("CC", r"\bCC(?:[- ]?BY|[- ]?0|-PD|-SA|-NC)|CREATIVE COMMONS"),
        ("MOZILLA", r"\bMPL(?![A-UW-Z])|MOZILLA"),
        ("APACHE", r"\bAPACHE|\bASL\b"),
        ("PSF", r"\bPSF|PYTHON SOFTWARE|\bPYTHON-2|CNRI-PYTHON"),
        ("BSD", r"BSD"),
        ("MIT", r"\bMIT(?![A-Z])|\bX11\b|\bEXPAT\b"),
        ("PUBLIC-DOMAIN", r"PUBLIC[-_ ]?DOMAIN|\bUNLICEN[CS]E\b|^BLESSING$"),
        ("OTHER", r"^OTHER$|^UNLIMITED$|OSI[- ]APPROVED|OPEN PUBLICATION|ARTISTIC|\bZLIB|\bBOOST|\bBSL\b"),
        ("OTHER", r"\bZPL|\bZOPE|\bEPL|\bEUPL|EUROPEAN UNION PUBLIC|\bCECILL|OPEN FONT|FONT LICEN|\bIJG\b|\bTCL"),
        ("OTHER", r"LIBTIFF|LIBPNG|\bFTL\b|FREETYPE|\bRUBY\b|\bHDF5\b|\bMPICH|\bSGI\b|OPENLDAP|\bJASPER|BITSTREAM"),
        ("OTHER", r"ACADEMIC FREE|\bAFL\b|\bLUCENT|WXWI(?:DGETS|NDOWS)|NETSCAPE|\bUIUC\b|\bUCD\b|\bW3C\b|SLEEPYCAT"),
        ("OTHER", r"COPYRIGHT ONLY"),
    )
)
_NO_ANSWER = re.compile(r"(?:NONE|UNKNOWN|VARIOUS|CUSTOM|N/?A|SEE .*|COPYING|FILE LICEN[CS]E.*|LICEN[CS]E(?:\.\w+)?|)")
# SPDX exceptions that leave what is built with, or linked to, the work under its own terms.
_RUNTIME = re.compile(
    r"RUNTIME|GCC|LLVM|CLASSPATH|ASSEMBLY|AUTOCONF|BISON|LIBTOOL|BOOTLOADER|LINKING|FONT|WXWINDOWS|ECOS|FREERTOS"
    r"|FLTK|GNAT|QT-|SYSCALL-NOTE|SWIFT|U-BOOT"
)


class Term(NamedTuple):
    """One licence: its family ("" if unknown), a key to compare with SPDX ids, GNU versions, exception."""

    family: str
    key: str
    versions: frozenset[int] = frozenset()
    exempt: bool = False


class Group(NamedTuple):
    """Licences joined: `choice` for OR, else AND."""

    choice: bool
    parts: tuple["Term | Group", ...]


Node = Term | Group


# ------------------------------------------------------------------------------------------ one licence


@cache
def _spdx() -> Any:
    """license-expression's SPDX licensing; 45 ms, so only when a text needs it."""
    import license_expression

    return license_expression.get_spdx_licensing()


@cache
def spdx_ids() -> dict[str, str]:
    """Map every SPDX id and alias, in lower case, to the id as SPDX writes it; without exceptions."""
    ids: dict[str, str] = {}
    for key, symbol in _spdx().known_symbols.items():
        if not symbol.is_exception:
            ids |= dict.fromkeys((name.casefold() for name in (*symbol.aliases, key)), key)
    return ids


def _gnu(upper: str) -> Term | None:
    for pattern, word in _SPELLED_OUT:
        upper = pattern.sub(word, upper)
    match = _GNU_TEXT.search(upper)
    if match is None:
        return None
    family = f"{match[1] or ''}GPL"
    first, later = int(match[2] or 2), bool(match[4]) or not match[2]
    versions = frozenset(range(max(first, 2), 4)) if later else frozenset({first})
    key = f"{family}-{first}.{match[3] or 0}-{'or-later' if later else 'only'}" if match[2] else family
    exempt = _RUNTIME.search(upper, match.end()) is not None
    return Term(family, key.casefold(), versions, exempt)


def _key(upper: str) -> str:
    """`Apache License, Version 2.0` -> `apache-2.0`, so that an SPDX id as a rule meets old spellings."""
    text = re.sub(r"\b(?:THE|LICEN[CS]E|VERSION|SOFTWARE)\b|,", " ", upper)
    return "-".join(re.split(r"[\s_]+", text.strip())).casefold()


@lru_cache(maxsize=4096)
def term(text: str) -> Term:
    """Classify one licence name; family "" when nothing is known of it."""
    text = " ".join(_PREFIX.sub("", text).split())
    upper = text.upper()
    if _NO_ANSWER.fullmatch(upper):
        return Term("", upper.casefold())
    gnu = None if _NO_GPL.search(upper) else _gnu(upper)
    if gnu is not None:
        return gnu
    for family, pattern in _FAMILY_TEXTS:
        if pattern.search(upper):
            return Term(family, _key(upper))
    return Term("OTHER" if text.casefold() in spdx_ids() else "", _key(upper))


# ------------------------------------------------------------------------------------------- free text

_URL = re.compile(r"https?://[^\s()]*", re.IGNORECASE)
_AT_LEAST = re.compile(r"\(\s*(>=?|==?)\s*(\d[\d.]*)[^()]*\)")  # R: GPL (>= 2), LGPL (>= 2.0, < 3)
_LATER = r"or\s+(?:any\s+)?(?:later|newer|higher|greater|above)(?:\s+version)?"
_OR_LATER = re.compile(rf"\s*\(\s*{_LATER}\s*\)|[\s,]+{_LATER}\b", re.IGNORECASE)
_COMPANY = re.compile(r",?\s+(?:Inc|Ltd|LLC|GmbH|Corp)\b\.?", re.IGNORECASE)
_REMARK = re.compile(r"\s*\(([^()]*)\)")
_OPERAND_NEXT = re.compile(r"(?:^|[(,;|&/]|\s\+|(?<![\w-])(?:and|or))\s*$", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<open>\()|(?P<close>\))|(?P<list>[,;])|(?P<or>\||/|(?<![\w-])(?:and/or|or)(?![\w-]))"
    r"|(?P<and>&|\s\+\s|\+(?=[A-Za-z])|(?<![\w-])and(?![\w-]))",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^\s*(?:custom|partial|documentation)\s*:\s*", re.IGNORECASE)
_ONE_NAME = re.compile(r"\b(MIT|Tcl)\s*/\s*(?:X(?:11)?|Tk)\b|,(?=\s*v(?:ersion)?\.?\s*\d)", re.IGNORECASE)


def _tidy(text: str) -> str:
    """Bring ways of writing one thing into one form, before anything is split."""
    text = _URL.sub("", _ONE_NAME.sub(r"\1", text.replace("\x01", " ").replace("\x02", " ")))
    text = _AT_LEAST.sub(lambda m: f" v{m[2]}{'+' if m[1][0] == '>' else ''}", text)
    text = _COMPANY.sub("", _OR_LATER.sub("+", text))
    return text.replace(",", "|") if re.search(r",\s*or\s", text, re.IGNORECASE) else text


def _mark_remarks(text: str) -> str:
    r"""Set a bracket that follows a name, as in `GPL v2 (UMFPACK, SPQR)`, between \x01 and \x02: no group."""

    def mark(match: re.Match[str]) -> str:
        if _OPERAND_NEXT.search(text[max(0, match.start() - 16) : match.start()]):
            return match[0]
        inner = match[1].strip()
        if re.match(r"(?:or|and)\s", inner, re.IGNORECASE):
            return f" {inner}"
        return f" \x01{_TOKEN.sub(' ', inner)}\x02"

    return _REMARK.sub(mark, text)


class _FreeText:
    """`list := choice {, choice}`, `choice := all {or all}`, `all := unit {and unit}`; lists are AND."""

    def __init__(self, text: str) -> None:
        self.tokens = list(self._split(_mark_remarks(text)))
        self.at = 0

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, str]]:
        at = 0
        for match in _TOKEN.finditer(text):
            if words := text[at : match.start()].strip():
                yield "name", words
            yield match.lastgroup or "", match[0]
            at = match.end()
        if words := text[at:].strip():
            yield "name", words

    def parse(self) -> Node | None:
        parts = []
        while self.at < len(self.tokens):  # a stray closing bracket ends a list early
            parts.append(self._joined(("list", "or", "and"), 0))
            self.at += 1
        return _group(parts, choice=False)

    def _joined(self, levels: tuple[str, ...], depth: int) -> Node | None:
        if not levels:
            return self._unit(depth)
        parts = [self._joined(levels[1:], depth)]
        while self.at < len(self.tokens) and self.tokens[self.at][0] == levels[0]:
            self.at += 1
            parts.append(self._joined(levels[1:], depth))
        return _group(parts, choice=levels[0] == "or")

    def _unit(self, depth: int) -> Node | None:
        found: Node | None = None
        while self.at < len(self.tokens) and self.tokens[self.at][0] in ("name", "open"):
            kind, words = self.tokens[self.at]
            self.at += 1
            if kind == "name":
                node = self._name(words)
            else:
                node = self._joined(("list", "or", "and"), depth + 1) if depth < _MAX_DEPTH else None
                if self.at < len(self.tokens) and self.tokens[self.at][0] == "close":
                    self.at += 1
            found = found or node
        return found

    @staticmethod
    def _name(words: str) -> Node | None:
        main, _, remark = words.replace("\x02", "").partition("\x01")
        if re.match(r"\s*file\s+licen[cs]e", main, re.IGNORECASE):
            return None  # R: the file completes or repeats the licence named beside it
        found = term(main.strip())
        if not found.family:
            return term(remark.strip()) if term(remark.strip()).family else found
        exempt = "EXCEPTION" in remark.upper() and _RUNTIME.search(remark.upper()) is not None
        return found._replace(exempt=found.exempt or exempt)


def _group(parts: Sequence[Node | None], *, choice: bool) -> Node | None:
    kept = tuple(dict.fromkeys(part for part in parts if part is not None))
    return Group(choice, kept) if len(kept) > 1 else (kept[0] if kept else None)


# -------------------------------------------------------------------------------------------- reading


def _expression(text: str) -> Node | None:
    """Read an SPDX expression; None where the text is none."""
    from license_expression import ExpressionError

    try:
        parsed = _spdx().parse(text, validate=False)
    except (ExpressionError, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError):
        return None  # license-expression meets free text with more than its own two errors
    return None if parsed is None else _convert(parsed)


def _convert(parsed: Any) -> Node | None:
    operator = getattr(parsed, "operator", None)
    if operator is not None:
        return _group([_convert(part) for part in parsed.args], choice=operator.strip().upper() == "OR")
    exception = getattr(parsed, "exception_symbol", None)
    if exception is None:
        return term(parsed.key)
    found = term(parsed.license_symbol.key)
    return found._replace(exempt=_RUNTIME.search(str(exception.key).upper()) is not None)


@lru_cache(maxsize=4096)
def read(license_text: str) -> Node | None:
    """Read a licence text of at most MAX_TEXT characters; None where it says nothing."""
    text = " ".join("".join(c if c.isprintable() else " " for c in license_text).split())
    if not text or text.count("(") > _MAX_DEPTH:
        return None
    text = _tidy(text)
    if " " not in text and not _TOKEN.search(text):
        return term(text)
    return _expression(text) or _FreeText(text).parse()
