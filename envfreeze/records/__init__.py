"""The typed records that the stages hand to each other, and the lockfile's reading and writing.

Each record is defined once, here; every stage's signature names the record it takes and the one it returns.
"""
