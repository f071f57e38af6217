"""Checks the lists of components that deploy/static/build.sh --sbom writes: .ci/sbom.py TIME TARGET FEATURES FILE

The file is CycloneDX 1.5 by the project's own schema; its components are exactly the crates that `cargo tree` names for this
target and these features, in the versions and with the checksums of Cargo.lock, each with a licence; and nothing in it is
of this machine or of this hour, so that it comes out the same elsewhere. TIME is what SOURCE_DATE_EPOCH was.
"""

import datetime
import json
import os
import subprocess
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(time, target, features, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if found is not None:
        raise SystemExit(f"{path}: not CycloneDX 1.5: {found!r}")
    listed = json.loads(text)
    wrong = [*components(listed, target, features), *relations(listed), *stable(listed, text, time, target)]
    if wrong:
        raise SystemExit("\n".join(f"{path}: {line}" for line in wrong))
    print(f"ok: {os.path.basename(path)}, {len(listed['components'])} crates, those of cargo tree for {target} with features '{features}'")


def components(listed, target, features):
    """What is wrong with the components."""
    expected = tree(target, features)
    checksums = lock()
    root = listed["metadata"]["component"]
    found = [root, *listed["components"]]
    names = [(each["name"], each["version"]) for each in found]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"{name} is there {names.count(name)} times"
    for name in sorted(expected - set(names)):
        yield f"{name} is in cargo tree and not here"
    for name in sorted(set(names) - expected):
        yield f"{name} is not in cargo tree"
    for each in found:
        name = (each["name"], each["version"])
        if not each.get("licenses"):
            yield f"{name} has no licence"
        if not each.get("purl", "").startswith(f"pkg:cargo/{each['name']}@{each['version']}"):
            yield f"{name}: expected a purl of cargo, found {each.get('purl')}"
        if each is root:
            continue
        hashes = {each["alg"]: each["content"] for each in each.get("hashes", [])}
        if hashes.get("SHA-256") != checksums.get(name):
            yield f"{name}: expected the checksum of Cargo.lock, found {hashes}"


def relations(listed):
    """What is wrong with who needs whom: every reference is a component's, and each is reached from the program."""
    root = listed["metadata"]["component"]["bom-ref"]
    known = {root, *(each["bom-ref"] for each in listed["components"])}
    needs = {each["ref"]: each.get("dependsOn", []) for each in listed["dependencies"]}
    reached, open_ends = set(), [root]
    while open_ends:
        ref = open_ends.pop()
        if ref not in reached:
            reached.add(ref)
            open_ends.extend(needs.get(ref, []))
    for ref in sorted(reached ^ known):
        yield f"{ref} is {'not reached from the program' if ref in known else 'no component'}"


def stable(listed, text, time, target):
    """What would be different elsewhere or later."""
    if "serialNumber" in listed:
        yield f"a serial number: {listed['serialNumber']}"
    said = datetime.datetime.fromisoformat(listed["metadata"]["timestamp"])
    if said.timestamp() != int(time):
        yield f"the time: expected {time}, found {said}"
    for place in (os.getcwd(), os.path.expanduser("~")):
        if len(place) > 1 and place in text:
            yield f"the builder's path {place}"
    said = {each["name"]: each["value"] for each in listed["metadata"]["properties"]}
    if said.get("cdx:rustc:sbom:target:triple") != target:
        yield f"the target: expected {target}, found {said}"


def tree(target, features):
    """The crates of the program, by cargo: names and versions."""
    command = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    command += ["--target", target, "--features", features]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # name v1.2.3 (proc-macro), name v1.2.3 (/path)
    return {(line.split()[0], line.split()[1].removeprefix("v")) for line in answer.splitlines()}


def lock():
    with open("Cargo.lock", "rb") as file:
        packages = tomllib.load(file)["package"]
    return {(each["name"], each["version"]): each.get("checksum") for each in packages}


main(*sys.argv[1:])
