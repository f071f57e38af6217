"""The form of what is under deploy/: every YAML and JSON file is read by its own parser, Kubernetes' manifests are held
against Kubernetes' schemas, and what has no checker that runs without a container engine is held against what it must say.

    .ci/form.py        with PyYAML and kubernetes-validate
"""

import copy
import json
import pathlib
import re
import shlex
import sys

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
# The oldest and the newest that the schemas are held against.
KUBERNETES = ["1.30.0", "1.37.0"]


def main():
    files = sorted(path for path in DEPLOY.rglob("*") if path.suffix in (".yml", ".yaml", ".json"))
    for path in files:
        read(path)
    compose()
    provisioning()
    dockerfile()
    manifests = kubernetes()
    print(f"ok: {len(files)} YAML and JSON files under deploy/, {manifests} Kubernetes manifests as of {' and '.join(KUBERNETES)}")


class Strict(yaml.SafeLoader):
    """Without keys that are given twice, of which YAML's readers take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        expect(len(keys) == len(set(keys)), f"{node.start_mark}: a key twice in {keys}")
        return super().construct_mapping(node, deep)


def read(path):
    with open(path) as file:
        if path.suffix == ".json":
            return json.load(file, object_pairs_hook=unique)
        return yaml.load(file, Strict)


def unique(pairs):
    keys = [key for key, _ in pairs]
    expect(len(keys) == len(set(keys)), f"a key twice in {keys}")
    return dict(pairs)


def expect(holds, otherwise):
    if not holds:
        sys.exit(f"form.py: {otherwise}")


def compose():
    path = DEPLOY / "docker/compose.yml"
    whole = read(path)
    expect(set(whole) == {"name", "services", "volumes"}, f"{path}: {set(whole)}")
    expect(set(whole["services"]) == {"weir", "prometheus", "grafana"}, f"{path}: {set(whole['services'])}")
    known = {
        "image", "build", "command", "network_mode", "pid", "volumes", "read_only", "cap_drop", "security_opt", "restart",
        "environment", "depends_on",
    }
    for name, service in whole["services"].items():
        expect(set(service) <= known, f"{path}: {name}: {set(service) - known}")
        expect(service["network_mode"] == "host" and service["cap_drop"] == ["ALL"], f"{path}: {name}")
        expect(service["security_opt"] == ["no-new-privileges:true"], f"{path}: {name}")
        for mount in service["volumes"]:
            source, target, *options = mount.split(":")
            expect(target.startswith("/"), f"{path}: {name}: {mount}")
            if not source.startswith((".", "/")):
                expect(source in whole["volumes"], f"{path}: {name}: no volume {source}")
                continue
            expect(options and "ro" in options[0].split(","), f"{path}: {name}: {mount} can be written")
            expect((path.parent / source).exists(), f"{path}: {name}: {source} is not there")
    weir = whole["services"]["weir"]
    expect((path.parent / weir["build"]["context"]).resolve() == ROOT, f"{path}: build.context")
    expect((ROOT / weir["build"]["dockerfile"]).exists(), f"{path}: build.dockerfile")
    expect(weir["read_only"] is True and weir["pid"] == "host", f"{path}: weir")


def provisioning():
    """What compose.yml mounts is where Grafana is told that it is."""
    services = read(DEPLOY / "docker/compose.yml")["services"]
    mounted = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    expect(mounted.get("./grafana/provisioning") == "/etc/grafana/provisioning", "provisioning is not mounted")
    base = DEPLOY / "docker/grafana/provisioning"
    [source] = read(base / "datasources/prometheus.yml")["datasources"]
    expect(source["type"] == "prometheus" and source["isDefault"], "datasources/prometheus.yml")
    port = re.search(r"--web\.listen-address=.*:(\d+)$", "\n".join(services["prometheus"]["command"]), re.MULTILINE)[1]
    expect(source["url"] == f"http://localhost:{port}", f"datasources/prometheus.yml: {source['url']}")
    [provider] = read(base / "dashboards/weir.yml")["providers"]
    expect(provider["type"] == "file", "dashboards/weir.yml")
    expect(provider["options"]["path"] == mounted["../grafana"], "dashboards/weir.yml: path")
    config = read(DEPLOY / "prometheus/prometheus.yml")
    [job] = config["scrape_configs"]
    expect(job["static_configs"][0]["targets"] == ["localhost:2112"], "prometheus.yml: targets")


def dockerfile():
    path = DEPLOY / "docker/Dockerfile"
    lines = path.read_text().replace("\\\n", " ").splitlines()
    instructions = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    known = {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "ENTRYPOINT"}
    expect({name for name, _ in instructions} <= known, f"{path}: an instruction that is none")
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().split("\n")
    sent = [line[1:] for line in ignored if line.startswith("!")]
    stages, arguments = [], {}
    for name, rest in instructions:
        if name == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
        rest = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], rest)
        if name == "FROM":
            words = rest.split()
            stages.append((words[0], words[2] if len(words) == 3 else None))
        elif name == "COPY":
            words = shlex.split(rest)
            if words[0].startswith("--from="):
                expect(words[0][7:] in [stage for _, stage in stages], f"{path}: {rest}")
                continue
            for source in words[:-1]:
                expect(any(pathlib.PurePath(source).match(pattern) for pattern in sent), f"{path}: {source} is not sent to the builder")
                expect(source.startswith("target/") or (ROOT / source).exists(), f"{path}: no {source}")
    expect(stages[-1] == ("scratch", None), f"{path}: the last stage is {stages[-1]}")
    last = dict(instructions[max(index for index, (name, _) in enumerate(instructions) if name == "FROM"):])
    expect(last["USER"] == "65534:65534", f"{path}: USER")
    expect(json.loads(last["ENTRYPOINT"]) == ["/weir"], f"{path}: ENTRYPOINT")


def kubernetes():
    """The base, and the base with every single component and with all of them."""
    base = DEPLOY / "kubernetes/base"
    resources = [read(base / name) for name in read(base / "kustomization.yml")["resources"]]
    components = sorted(path.parent for path in DEPLOY.glob("kubernetes/components/*/kustomization.yml"))
    offered = re.findall(r"^#  - (components/\w+)", (DEPLOY / "kubernetes/kustomization.yml").read_text(), re.MULTILINE)
    named = [f"components/{component.name}" for component in components]
    expect(sorted(offered) == named, f"kubernetes/kustomization.yml names {offered}, there are {named}")
    count = 0
    for chosen in [[], *([component] for component in components), components]:
        manifests = copy.deepcopy(resources)
        for component in chosen:
            manifests = with_component(manifests, component)
        for manifest in manifests:
            if manifest["kind"] == "ServiceMonitor":
                expect(set(manifest["spec"]) == {"jobLabel", "selector", "endpoints"}, "servicemonitor.yml")
                continue
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)
            count += 1
        belong_together(manifests)
    return count


def with_component(manifests, component):
    settings = read(component / "kustomization.yml")
    expect(settings["kind"] == "Component", f"{component}: {settings['kind']}")
    for patch in settings.get("patches", []):
        [target] = [one for one in manifests if one["kind"] == patch["target"]["kind"]]
        for operation in read(component / patch["path"]):
            apply(target, operation)
    return manifests + [read(component / name) for name in settings.get("resources", [])]


def apply(document, operation):
    """One operation of a JSON patch (RFC 6902)."""
    *parents, last = operation["path"].split("/")[1:]
    for name in parents:
        document = document[int(name) if isinstance(document, list) else name]
    place = int(last) if isinstance(document, list) and last != "-" else last
    match operation["op"]:
        case "test":
            expect(document[place] == operation["value"], f"{operation}: found {document[place]}")
        case "replace":
            document[place]
            document[place] = operation["value"]
        case "remove":
            del document[place]
        case "add" if last == "-":
            document.append(operation["value"])
        case "add":
            expect(isinstance(document, dict), operation)
            document[place] = operation["value"]
        case other:
            expect(False, f"no operation {other}")


def belong_together(manifests):
    """What schemas do not know: that selectors find what they should, and how little the pods may do."""
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    [pods] = [manifest["spec"] for manifest in manifests if manifest["kind"] == "DaemonSet"]
    labels = pods["template"]["metadata"]["labels"].items()
    service = by_kind["Service"]
    expect(pods["selector"]["matchLabels"].items() <= labels and service["spec"]["selector"].items() <= labels, "selectors")
    pod = pods["template"]["spec"]
    [container] = pod["containers"]
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    expect(container["image"] == f"weir:{version}", f"{container['image']}: expected weir:{version}")
    ports = {port["name"] for port in container["ports"]}
    wanted = {port["targetPort"] for port in service["spec"]["ports"]}
    wanted |= {container[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")}
    expect(wanted <= ports, f"ports {wanted} of {ports}")
    expect({mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}, "volumes")
    expect(all(mount["readOnly"] for mount in container["volumeMounts"]), "a volume that can be written")
    security = container["securityContext"]
    expect(not security["allowPrivilegeEscalation"] and security["readOnlyRootFilesystem"] and security["capabilities"]["drop"] == ["ALL"], "securityContext")
    expect("privileged" not in security and not pod["automountServiceAccountToken"], "privileges")
    expect(bool(security["capabilities"]["add"]) != pod["securityContext"]["runAsNonRoot"], "capabilities are given to root only")
    if "ServiceMonitor" in by_kind:
        monitor = by_kind["ServiceMonitor"]["spec"]
        expect(monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items(), "ServiceMonitor")
        expect({one["port"] for one in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}, "ServiceMonitor")


main()
