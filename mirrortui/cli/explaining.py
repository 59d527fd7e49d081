"""explain: why a package is in the mirror, or why it is not."""

from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load_rules, say
from mirrortui.naming import display


@click.command()
@config_option
@json_option
@click.argument("question")
def explain(config_path: Path | None, as_json: bool, question: str) -> int:
    """Say for each record that a file name or MatchSpec names whether it is in or out, and which rule decided.

    Uses the cached indexes. Exit code 1 where no index holds such a record.
    """
    from mirrortui.mirror.survey import survey

    settings, _ = load_rules(config_path)
    answers = survey(settings).explain(settings, question)
    if as_json:
        emit([answer.to_json() for answer in answers])
        return 0 if answers else 1
    for answer in answers:
        mark = "in " if answer.kept else "out"
        rule = f" ({answer.rule})" if answer.rule else ""
        click.echo(display(f"{mark} {answer.channel}/{answer.subdir}/{answer.fn}: {answer.words}{rule}", 1000))
        for depth, (fn, text) in enumerate(answer.chain):
            click.echo(display(f"{'  ' * depth}      {fn} needs {text}", 1000))
    if not answers:
        say(f"no index at hand holds a record of {question}; “mirrortui estimate” reads them anew")
        return 1
    return 0
