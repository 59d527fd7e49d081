"""Widgets that render immutable values and speak by messages."""
