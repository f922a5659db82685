"""CycloneDX: every Python, conda and system package of the experiments, with versions, digests and licences.

Sources: https://cyclonedx.org/docs/1.6/json/, package URLs: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from envfreeze.bundle.descriptions import Described, Description
from envfreeze.records.environment import CondaPackage, Package, SystemPackage
from envfreeze.records.lock import Lock

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_MANAGERS = {"dpkg": "deb", "rpm": "rpm", "apk": "apk"}


def write(described: Described) -> str:
    """The JSON of ``sbom.cdx.json``, without a date and with a serial number made of its content."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    bom = Bom()
    bom.metadata.component = Component(
        name=described.bundle.title or "artifact", type=ComponentType.APPLICATION, bom_ref="artifact"
    )
    components = list(_components(described))
    for component in components:
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, components)
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    content.pop("serialNumber", None)
    content["metadata"].pop("timestamp", None)
    text = json.dumps(content, indent=2, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    serial = f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    content["serialNumber"] = f"urn:uuid:{serial}"
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _components(described: Described) -> Iterator[Component]:
    seen: set[str] = set()
    for lock in described.locks.values():
        for component in _of_lock(lock):
            reference = str(component.bom_ref.value)
            if reference not in seen:
                seen.add(reference)
                yield component


def _of_lock(lock: Lock) -> Iterator[Component]:
    python = lock.interpreter
    yield _component("generic", python.implementation.lower(), python.version)
    for package in lock.packages:
        yield _python(package)
    for conda in lock.conda.packages if lock.conda else ():
        yield _conda(conda)
    distribution = lock.system.distribution.split()
    for system in lock.system.packages:
        yield _system(system, distribution[0] if distribution else "linux")


def _component(
    kind: str,
    name: str,
    version: str,
    *,
    namespace: str | None = None,
    qualifiers: dict[str, str] | None = None,
    sha256: str | None = None,
    license_name: str = "",
) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = PackageURL(type=kind, namespace=namespace, name=name, version=version, qualifiers=qualifiers)
    licenses = [LicenseFactory().make_from_string(license_name)] if license_name else []
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=url.to_string(),
        licenses=licenses,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
    )


def _python(package: Package) -> Component:
    return _component(
        "pypi", package.name, package.version, sha256=package.sha256, license_name=package.license
    )


def _conda(package: CondaPackage) -> Component:
    qualifiers = {"build": package.build} | ({"channel": package.channel} if package.channel else {})
    return _component(
        "conda", package.name, package.version, qualifiers=qualifiers, sha256=package.sha256 or None
    )


def _system(package: SystemPackage, distribution: str) -> Component:
    kind = _MANAGERS[package.manager]
    return _component(kind, package.name, package.version, namespace=distribution)


DESCRIPTION = Description(name="sbom.cdx.json", package="cyclonedx-python-lib", write=write)
