"""Runs the user's command and watches it, without changing it and without ever breaking it."""
