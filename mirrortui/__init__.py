"""mirrortui: set up, run and watch a mirror of conda channels."""

__version__ = "0.1.0"
