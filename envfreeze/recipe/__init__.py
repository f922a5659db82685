"""From a lock to a build context: base image, requirements with hashes, vendored wheels, the Dockerfile."""
