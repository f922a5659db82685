"""Bundles: the artifact that goes with a paper, as one zip file that is readable without envfreeze.

Layout (see also the README.md inside each bundle)::

    README.md                    what it is, and how to run it
    run.sh                       runs the experiments with Docker, or with Python alone
    bundle.json                  what lies where (``records.artifact.Bundle``)
    SHA256SUMS                   digest of every other file; ``sha256sum -c`` checks it
    environments/<id>/           Dockerfile and what it copies; image/ is an OCI layout
    experiments/<name>/          envfreeze.lock, files/, outputs/, outside/, outputs-outside/, stdout, stderr
    objects/<digest>             recorded content that has no name of its own

A content that has several names is stored once; its other names are symbolic links. ``SHA256SUMS`` is also
the index by which a ``Store`` finds content in an unpacked bundle.
"""
