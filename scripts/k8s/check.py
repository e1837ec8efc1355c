#!/usr/bin/env python3
"""Builds each overlay and checks what comes out: Kubernetes' own schemas, those of KEDA, the Prometheus operator and CloudNativePG, and our own rules."""
import json
import os
import subprocess
import sys

import kubernetes_validate
import yaml

VERSION = "1.34"
OTHERS = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1", "postgresql.cnpg.io/v1"}
ROLES = {"accounts", "billing", "distribution", "notifier", "ingest", "bff"}
# Who may call whom: the arrows of ARCHITECTURE.md.
ARROWS = {
    ("bff", "accounts"), ("bff", "billing"), ("bff", "distribution"), ("bff", "notifier"), ("bff", "ingest"),
    ("distribution", "billing"), ("billing", "distribution"), ("ingest", "distribution"),
    ("notifier", "distribution"), ("notifier", "billing"),
}

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
wrong = []


def complain(overlay, resource, what):
    wrong.append(f"{overlay}: {resource['kind']} {resource['metadata']['name']}: {what}")


def build(kubectl, overlay):
    out = subprocess.run([kubectl, "kustomize", f"{root}/k8s/overlays/{overlay}"], capture_output=True, text=True)
    if out.returncode != 0 or out.stderr:
        sys.exit(f"k8s/overlays/{overlay} cannot be built: {out.stderr}")
    return [document for document in yaml.safe_load_all(out.stdout) if document]


def schemas(overlay, resources):
    others = []
    for resource in resources:
        if resource["apiVersion"] in OTHERS:
            others.append(resource)
        else:
            try:
                kubernetes_validate.validate(resource, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                complain(overlay, resource, error.message)
    if others:
        checked = subprocess.run(["node", "models.mjs"], input=json.dumps(others), capture_output=True, text=True,
                                 cwd=os.environ["LEADFLOW_K8S_MODELS"])
        wrong.extend(f"{overlay}: {line}" for line in checked.stdout.splitlines())
        if checked.returncode != 0 and not checked.stdout:
            sys.exit(f"the schemas of KEDA, the Prometheus operator and CloudNativePG cannot be used: {checked.stderr}")


def pods(resources):
    for resource in resources:
        if resource["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield resource, resource["spec"]["template"]


def hardened(overlay, resources):
    for resource, pod in pods(resources):
        spec = pod["spec"]
        if spec.get("automountServiceAccountToken") is not False:
            complain(overlay, resource, "mounts a token of Kubernetes' API")
        context = spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            complain(overlay, resource, "may run as root, or without seccomp")
        for container in spec["containers"]:
            own = container.get("securityContext", {})
            if (own.get("allowPrivilegeEscalation") is not False or own.get("readOnlyRootFilesystem") is not True
                    or own.get("capabilities", {}).get("drop") != ["ALL"]):
                complain(overlay, resource, f"container {container['name']} has rights that it does not need")
            for kind in ("requests", "limits"):
                if "memory" not in container.get("resources", {}).get(kind, {}):
                    complain(overlay, resource, f"container {container['name']} has no {kind} of memory")
            if resource["kind"] == "Deployment":
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    if probe not in container:
                        complain(overlay, resource, f"container {container['name']} has no {probe}")
            if ":" not in container["image"] or container["image"].endswith(":latest"):
                complain(overlay, resource, f"image {container['image']} is not pinned")


def complete(overlay, resources):
    names = {kind: {r["metadata"]["name"] for r in resources if r["kind"] == kind}
             for kind in ("Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject", "Job")}
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        for role in ROLES - names[kind]:
            wrong.append(f"{overlay}: {role} has no {kind}")
    if overlay == "production":
        for role in ROLES - names["HorizontalPodAutoscaler"] - names["ScaledObject"]:
            wrong.append(f"{overlay}: nothing scales {role}")
    if "migrate" not in names["Job"]:
        wrong.append(f"{overlay}: nothing migrates")
    for resource in resources:
        if resource["kind"] in {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}:
            complain(overlay, resource, "nothing in LeadFlow needs rights in Kubernetes")


def selects(selector, labels):
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    return all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions") or [])


def allowed(resources, direction, here, there, ports):
    """Whether some policy lets `here` reach (or be reached by) `there` on all of `ports`."""
    found = set()
    for policy in (r for r in resources if r["kind"] == "NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"], here):
            continue
        for rule in policy["spec"].get(direction) or []:
            peers = rule.get("to" if direction == "egress" else "from")
            if peers is None or any("podSelector" in p and "namespaceSelector" not in p and selects(p["podSelector"], there) for p in peers):
                found |= {p["port"] for p in rule.get("ports") or []}
    return bool(found & ports)


def arrows(overlay, resources):
    """Roles reach each other where the design says so, and nowhere else."""
    labels = {r["metadata"]["name"]: pod["metadata"]["labels"] for r, pod in pods(resources)}
    for one in ROLES:
        for other in ROLES - {one}:
            ports = {"grpc"} if other not in {"ingest", "bff"} else {"http"}
            out = allowed(resources, "egress", labels[one], labels[other], ports)
            into = allowed(resources, "ingress", labels[other], labels[one], ports)
            if (out and into) != ((one, other) in ARROWS) or out != into:
                wrong.append(f"{overlay}: {one} -> {other}: goes out {out}, comes in {into}")
        if not allowed(resources, "egress", labels[one], labels["nats"], {4222}):
            wrong.append(f"{overlay}: {one} cannot reach NATS")
    for one in ("ingest", "bff"):
        if allowed(resources, "egress", labels[one], {"app.kubernetes.io/name": "postgres", "cnpg.io/cluster": "postgres"}, {5432}):
            wrong.append(f"{overlay}: {one} may reach the database")


kubectl = sys.argv[1]
for overlay in ("dev", "production"):
    resources = build(kubectl, overlay)
    for check in (schemas, hardened, complete, arrows):
        check(overlay, resources)
    print(f"{overlay}: {len(resources)} resources")
for line in wrong:
    print(line)
print(f"k8s: {len(wrong)} wrong" if wrong else "k8s: all as it should be")
sys.exit(1 if wrong else 0)
