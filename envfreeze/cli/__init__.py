"""The command line: one thin file a command, with only parsing, progress and exit codes.

To add a command, add a file with ``COMMAND = …`` (a click command); the registry finds it.
"""
