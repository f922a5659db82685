"""Sweeps: a frozen command run many times under other seeds, and what its metrics do.

Layout, below ``<project>/.envfreeze/sweeps/<id>``::

    sweep.json            the metrics of all runs; small, to be committed
    runs/<number>/        run.json, stdout, stderr, and the outputs that hold metrics; can be made again

A run appears under its number only when it is whole, so that a sweep that was killed goes on where it was.
The id follows from the lock, the engine and what is varied: the same sweep with more seeds continues.
"""
