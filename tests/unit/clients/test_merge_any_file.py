"""Any file at all: foreign keys, their flags and all comments between keys survive the merge."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui.clients import Condarc, PublishedChannel, build
from mirrortui.clients.condarc import KEYS
from mirrortui.clients.defeats import defeats
from mirrortui.clients.merge import merge
from mirrortui.clients.rctext import parse
from mirrortui.errors import ConfigError

PUBLISHED = [PublishedChannel(name, ("linux-64", "noarch")) for name in ("conda-forge", "pkgs/main", "pkgs/r")]
USER = build(PUBLISHED, "http://m.lan", profile="user")
LOCK = build(PUBLISHED, "http://m.lan", profile="system", lock=True)

COMMENTS = st.sampled_from(["", "", "", "  # note", " # a: b", " #!final"])
BETWEEN = st.sampled_from(["", "", "", "\n", "# own line\n", "  # indented\n", "\n# two\n# lines\n\n"])
WORD = st.sampled_from(["a", "b-c", "http://x/y", "'q # q'", '"d: d"', "1.5", "yes", "~", "file:///srv/x"])


@st.composite
def value(draw: st.DrawFn) -> str:
    form = draw(st.sampled_from(["scalar", "flow", "list", "flat list", "map", "nested", "block", "wrapped", "empty"]))
    words = draw(st.lists(WORD, min_size=1, max_size=3))
    tail, inner = draw(COMMENTS), draw(st.sampled_from(["", "  # in\n", "    # deep\n", "\n"]))
    items = [f"{word}{draw(COMMENTS)}\n" for word in words]
    match form:
        case "scalar":
            return f" {words[0]}{tail}\n"
        case "flow":
            return f" [{', '.join(words)}]{tail}\n"
        case "list":
            return f":{tail}\n".removeprefix(":") + "".join(f"  - {item}{inner}" for item in items)
        case "flat list":
            return f"{tail}\n" + "".join(f"- {item}" for item in items)
        case "map":
            return f"{tail}\n" + "".join(f"  k{n}: {item}{inner}" for n, item in enumerate(items))
        case "nested":
            return f"{tail}\n" + "".join(f"    k{n}:\n      - {item}" for n, item in enumerate(items))
        case "block":
            return " |\n    text # no comment\n    # neither\n\n"
        case "wrapped":
            return f" [{words[0]},\n  {words[-1]}]{tail}\n"
        case _:
            return f"{tail}\n"


@st.composite
def rc_files(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """(text, the foreign keys' own bytes, comments that stand between keys)."""
    foreign = draw(
        st.lists(
            st.sampled_from(
                [
                    "envs_dirs",
                    "pkgs_dirs",
                    "x",
                    "proxy_servers",
                    "denylist_channels",
                    "subdirs",
                    "mirrored_channels",
                    "'quoted key'",
                    "Ünï",
                    "ssl_verify",
                ]
            ),
            unique=True,
        )
    )
    ours = draw(st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=4))
    text, blocks, comments = "", [], []
    for key in draw(st.permutations(foreign + ours)):
        between = draw(BETWEEN)
        comments += [line for line in between.splitlines() if line.strip()]
        block = f"{key}:{draw(value())}"
        text += between + block
        if key in foreign:
            blocks.append(block)
    return text, blocks, comments


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rc_files(), st.sampled_from([USER, LOCK]))
def test_any_file_keeps_its_foreign_keys_and_comments(file: tuple[str, list[str], list[str]], condarc: Condarc) -> None:
    text, blocks, comments = file
    try:
        new = merge(text, condarc, "rc").text
    except ConfigError:  # flags in a row with comments between them can exclude each other
        if "#!final" in text and "# " in text:
            return
        raise
    left = new
    for block in blocks:
        body = block.rstrip()
        assert body in left
        left = left.replace(body, "", 1)
    for comment in comments:
        assert comment in left
        left = left.replace(comment, "", 1)
    before, after = parse(text, "rc") if text.strip() else None, parse(new, "rc", strict=True)
    if before is not None:
        assert {k: v for k, v in after.values.items() if k not in KEYS} == {
            k: v for k, v in before.values.items() if k not in KEYS
        }
        assert {k: v for k, v in after.flags.items() if k[0] not in KEYS} == {
            k: v for k, v in before.flags.items() if k[0] not in KEYS
        }
    assert all(isinstance(line, str) for line in defeats(after.values, condarc))
    assert merge(new, condarc, "rc").text == new
