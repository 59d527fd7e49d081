"""The terminal interface: a Textual app over the same rooms as the command line.

`app.run` is the entry. Everything below it sees the rest of the program through `rooms.Rooms` only.
"""
