"""Brought by PYTHONPATH into every Python of the watched command: starts the agent, then steps aside.

Python imports ``sitecustomize`` at startup (documentation of the ``site`` module). This file must import
without harm on every version, 2.7 included; the agent itself needs the audit hooks of Python 3.8 (PEP 578).
The environment's own ``sitecustomize``, if there is one, is imported afterwards as it would have been.
"""

import sys


def _observe():
    # type: () -> object
    """Start the agent; return what makes this module invisible, or None."""
    conceal = None
    folder = ""
    try:
        import os

        folder = os.path.dirname(os.path.abspath(__file__))
        if sys.version_info >= (3, 8):
            # Compiled once a run, into its own folder, whatever the user wants for other modules.
            settings = sys.dont_write_bytecode, sys.pycache_prefix
            sys.dont_write_bytecode, sys.pycache_prefix = False, None
            try:
                import envfreeze_agent  # type: ignore[import-not-found,unused-ignore]
            finally:
                sys.dont_write_bytecode, sys.pycache_prefix = settings
            conceal = envfreeze_agent.start(folder)
    except Exception:
        pass  # the run goes on unseen
    for name in ("envfreeze_agent", "envfreeze_agent_report"):
        sys.modules.pop(name, None)
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    sys.path_importer_cache.pop(folder, None)
    return conceal


def _import_the_environments_own():
    # type: () -> bool
    """Import the next ``sitecustomize`` of ``sys.path``; return whether there is one.

    What it raises is not caught: ``site`` treats it as it does without this file.
    """
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError as error:
        # Python 2 has no ``name``.
        if getattr(error, "name", str(error).rpartition(" ")[2]) != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours
        return False
    return True


_conceal = _observe()
if not _import_the_environments_own() and callable(_conceal):
    try:
        _conceal()
    except Exception:
        pass
