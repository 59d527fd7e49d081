"""Whether an account may steer the runs of a state folder, or can only look on."""

import os
from pathlib import Path

from mirrortui.naming import display
from mirrortui.worker import schema


def bystander(state: Path) -> str:
    """Why this account can only watch, in a sentence or two; empty where it may start runs and tell them something.

    A run makes files in the folder, and a command is a row of the journal.
    """
    folder = state
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    journal = schema.path(state)
    made = os.access(journal, os.F_OK)
    if os.access(folder, os.W_OK | os.X_OK) and (not made or os.access(journal, os.W_OK)):
        return ""
    place = journal if made else folder
    try:
        owner = place.owner()
    except (KeyError, OSError):  # an account that this host does not know by name
        owner = "another account"
    return f"This account can only watch: {display(place)} belongs to {owner}. Start, pause and stop runs as {owner}."
