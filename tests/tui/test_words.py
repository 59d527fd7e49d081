"""Numbers, words and edits, without an app."""

import pytest

from mirrortui.tui import draft, glyphs, terminal
from mirrortui.tui import format as fmt
from mirrortui.tui.bindings import ACTS, bindings
from mirrortui.tui.view import View
from mirrortui.tui.widgets.diff_view import diff_lines
from mirrortui.tui.widgets.fields import FIELDS, join_words, split_words
from mirrortui.tui.widgets.key_bar import LIMIT
from mirrortui.tui.widgets.lines import width
from mirrortui.tui.widgets.rate_line import figures_line, progress_line
from mirrortui.tui.widgets.status_bar import header
from mirrortui.worker.snapshot import Snapshot
from tests.tui.fake_rooms import NOW, RUN, crashed, ended, partial, paused, running, sample_config


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_340_000, "12.3 MB"), (620 * 10**9, "620 GB"),
        (1_830_000_000_000, "1.83 TB"), (999_999, "1.0 MB"), (54_000_000_000, "54.0 GB"),
    ],
)  # fmt: skip
def test_size(count: int, text: str) -> None:
    assert fmt.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.6, "1 min"),
        (240, "4 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_span(seconds: float | None, text: str) -> None:
    assert fmt.span(seconds) == text


def test_percent_is_100_only_when_all_is_done() -> None:
    assert fmt.percent(999, 1000) == "99 %"
    assert fmt.percent(1000, 1000) == "100 %"
    assert fmt.percent(1, 0) == "–"


@pytest.mark.parametrize("text", ["abc", "日本語パッケージ", "a日b本c語", "", "e\u0301" * 9])
def test_fit_is_exact_in_cells(text: str) -> None:
    from rich.cells import cell_len

    for cells in range(12):
        assert cell_len(fmt.fit(text, cells)) == cells
        assert cell_len(fmt.fit(text, cells, right=True)) == cells
        assert cell_len(fmt.fit_tail(text, cells)) <= max(cells, 0)


def test_bars_fill_their_width_and_show_the_smallest_addition() -> None:
    for cells in (0, 1, 10, 33):
        for done, total, new in ((0, 0, 0), (1, 3, 1), (5, 5, 0), (0, 10**12, 1), (9, 10, 5)):
            assert len("".join(fmt.bar(cells, done, total, new))) == cells
            assert len(fmt.thin_bar(cells, done, total)) == cells
    assert fmt.bar(10, 0, 10**12, 1)[1] == glyphs.BAR_NEW
    assert fmt.spark([0.0, 1.0, 8.0], 2) == "▁█" or len(fmt.spark([0.0, 1.0, 8.0], 2)) == 2
    assert fmt.spark([], 5) == ""


@pytest.mark.parametrize("state", [running(), paused(), partial(), crashed(), ended("done"), Snapshot("idle"), None])
@pytest.mark.parametrize("cells", [60, 80, 120])
def test_header_fits(state: Snapshot | None, cells: int) -> None:
    config = sample_config(root="/a/very/long/place/for/the/mirror/of/all/channels/conda")
    view = View(config, snapshot=state, free=812 * 10**9, now=NOW)
    assert width(header(view, cells)) == cells
    text = "".join(span[0] for span in header(view, cells))
    assert "812 GB free" in text
    assert "unsaved" in text


def test_run_lines_fit() -> None:
    for cells in (58, 78, 118, 158):
        assert width(progress_line(RUN, "running", cells)) == cells
        assert width(figures_line(RUN, "running", NOW, cells)) <= cells + 2


def test_words_of_a_field_are_read_back() -> None:
    for words in ((), ("a",), ("numpy >=1.20,<2", "b"), ("it's",), ('*[build="py*"]', "c d"), ("Ü", "\\x")):
        assert split_words(join_words(words)) == words
    assert split_words("gcc, gxx ,zlib") == ("gcc", "gxx", ",zlib")
    with pytest.raises(ValueError, match="quotation"):
        split_words('"numpy')


def test_every_field_is_a_key_of_the_config() -> None:
    config = sample_config()
    for field in FIELDS:
        section, _, key = field.key.partition(".")
        value = getattr(getattr(config, section), key)
        if field.choices:
            assert field.write(value) in field.choices
            assert [field.write(field.parse(choice)) for choice in field.choices] == list(field.choices)
        assert field.parse(field.write(value)) == value


def test_draft_edits() -> None:
    config = sample_config()
    less = draft.tick(config, "bioconda", ["noarch"], on=False)
    assert less.channels[1].subdirs == ("linux-64",)
    assert draft.tick(less, "bioconda", ["noarch", "zos-z"], on=True).channels[1].subdirs == (
        "noarch",
        "linux-64",
        "zos-z",
    )
    assert draft.ordered(["my-own1", "win-64", "noarch"]) == ("noarch", "win-64", "my-own1")
    more = draft.add_channel(config, "nvidia", ("https://x/nvidia",))
    assert more.channels[2].subdirs == ("noarch", "linux-64")
    assert draft.remove_channel(more, "nvidia") == config
    assert draft.set_mirror(config, "name", "b", new=False).mirror.state == config.mirror.state


def test_diff_has_signs_and_says_when_there_is_none() -> None:
    assert diff_lines("a\n", "a\n", "x")[0][0][0] == "no difference"
    shown = ["".join(span[0] for span in one) for one in diff_lines("a\nb\n", "a\nc\n", "x")]
    assert "-b" in shown
    assert "+c" in shown


@pytest.mark.parametrize(
    ("stdin", "stderr", "environ", "word"),
    [
        (False, True, {"TERM": "xterm"}, "keyboard"), (True, False, {"TERM": "xterm"}, "standard error"),
        (True, True, {"TERM": "dumb"}, "TERM=dumb"), (True, True, {}, "TERM="), (True, True, {"TERM": "xterm"}, ""),
    ],
)  # fmt: skip
def test_terminals_that_will_not_do(stdin: bool, stderr: bool, environ: dict[str, str], word: str) -> None:
    said = terminal.refusal(stdin, stderr, environ)
    assert word in said
    assert bool(said) == bool(word)
    assert "\n" not in said


def test_ascii_is_chosen_where_unicode_cannot_be_trusted() -> None:
    assert not glyphs.ascii_only("utf-8", {"TERM": "xterm"})
    assert not glyphs.ascii_only("UTF8", {"TERM": "screen"})
    assert glyphs.ascii_only("ascii", {"TERM": "xterm"})
    assert glyphs.ascii_only("latin-1", {"TERM": "xterm"})
    assert glyphs.ascii_only("utf-8", {"TERM": "vt100"})


def test_crash_record_has_no_values(tmp_path) -> None:  # type: ignore[no-untyped-def]
    def fail(password: str) -> None:
        raise RuntimeError("at https://user:hunter3@host/t/abc/x \x1b[2J")

    with pytest.raises(RuntimeError) as caught:
        fail("".join(reversed("2retnuh")))
    said = terminal.record_crash(caught.value, tmp_path)
    written = (tmp_path / "tui-crash.log").read_text()
    for text in (said, written):
        assert "hunter2" not in text
        assert "hunter3" not in text
        assert "/t/abc" not in text
        assert "\x1b" not in text
    assert said.count("\n") == 0
    assert "test_words.py" in said
    assert "nowhere" not in terminal.record_crash(RuntimeError("x"), tmp_path / "nowhere")


class TestRegistry:
    def test_ids_are_unique_and_all_is_described(self) -> None:
        assert len({act.id for act in ACTS}) == len(ACTS)
        assert all(act.label and act.help for act in ACTS)

    def test_no_key_clashes_within_what_is_active_together(self) -> None:
        for screen in ("setup", "browser", "plan", "sync", "clients", "history"):
            keys = [key for act in ACTS if act.place in (screen, "app", "room") for key in act.keys.split(",")]
            assert len(keys) == len(set(keys)), screen

    def test_keys_work_without_the_kitty_protocol(self) -> None:
        forbidden = {"ctrl+h", "ctrl+i", "ctrl+m", "ctrl+b", "ctrl+a", "ctrl+c", "ctrl+z"}
        for act in ACTS:
            for key in act.keys.split(","):
                assert key not in forbidden
                assert not key.startswith(("alt+", "super+"))
                assert key in ("shift+tab", "ctrl+s", "ctrl+q", "ctrl+p") or "+" not in key

    def test_the_footer_has_room(self) -> None:
        assert LIMIT <= 8
        for screen in ("setup", "browser", "plan", "sync", "clients", "history"):
            assert len(bindings(screen)) == sum(act.place == screen for act in ACTS)
