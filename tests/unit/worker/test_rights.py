"""Who may steer the runs of a state folder."""

import os
import pwd
from pathlib import Path

from mirrortui.worker import schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.rights import bystander
from tests.unit.accounts import as_nobody, only_root, open_folder

__all__ = ["open_folder"]  # a fixture


def test_whoever_may_write_there_may_steer(tmp_path: Path) -> None:
    assert bystander(tmp_path / "not" / "yet") == ""
    Journal(tmp_path).finish("done")
    assert bystander(tmp_path) == ""


@only_root
def test_another_account_only_looks_on(open_folder: Path) -> None:
    owner = pwd.getpwuid(os.geteuid()).pw_name
    for state in (open_folder / "not" / "yet", open_folder):
        words = as_nobody(lambda state=state: bystander(state))
        assert words.startswith(f"This account can only watch: {open_folder} belongs to {owner}.")
        assert words.endswith(f"as {owner}.")
    Journal(open_folder).finish("done")
    open_folder.chmod(0o777)
    schema.path(open_folder).chmod(0o644)
    assert "can only watch" in as_nobody(lambda: bystander(open_folder))
    schema.path(open_folder).chmod(0o666)
    assert as_nobody(lambda: bystander(open_folder)) == ""
