"""Artifacts for double-blind review: nothing in them says who made them.

``gather`` finds who the author is, ``identities`` how that may be written and what stands in for it,
``names`` finds it in bytes, ``content`` in files of any kind (one file a kind in ``formats/``), ``project``
makes a copy of locks and store without it, and ``search`` looks through the finished bundle for what is left.
"""
