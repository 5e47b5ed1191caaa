"""Tests of the Kubernetes manifests: schemas, Compose's commands, and scaling on real Redis data."""

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import redis
import yaml
from kombu import Connection, Producer

from bench.harness.services import valkey
from tasks.broker.queues import CPU, GPU, PRIORITY_STEPS
from tasks.broker.transport import Broker, queue
from tasks.settings import PREFIX, load
from tests.deploy.compose import COMPOSE
from tests.tools import thorough, tool

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "kubernetes"
KEDA = "keda.sh/v1alpha1"
KEDA_MODELS = "@kubernetes-models/keda@2.0.0"


def documents(folder: Path = FOLDER) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from filter(None, yaml.safe_load_all(path.read_text()))


ALL = list(documents())


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {entry["metadata"]["name"]: entry for entry in ALL if entry["kind"] == kind}


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_are_valid_by_the_schemas_of_kubernetes(version: str) -> None:
    kinds = set()
    for entry in ALL:
        if entry["apiVersion"] != KEDA:
            kubernetes_validate.validate(entry, version, strict=True)
            kinds.add(entry["kind"])
    assert kinds >= {"Deployment", "StatefulSet", "ConfigMap", "Secret", "Service", "PodDisruptionBudget"}


@thorough
def test_scaling_is_valid_by_the_schema_of_keda(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    npm = [tool("npm"), "install", "--no-audit", "--no-fund", "--silent", KEDA_MODELS]
    subprocess.run(npm, cwd=tmp_path, check=True, timeout=300, capture_output=True)
    (tmp_path / "check.mjs").write_text(
        'import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";\n'
        'import { readFileSync } from "node:fs";\n'
        "for (const entry of JSON.parse(readFileSync(0))) new keda[entry.kind](entry).validate();\n"
    )
    entries = [entry for entry in ALL if entry["apiVersion"] == KEDA]

    def check(given: Any) -> int:
        command = [tool("node"), "check.mjs"]
        text = json.dumps(given)
        return subprocess.run(
            command, cwd=tmp_path, input=text, text=True, timeout=60, capture_output=True, check=False
        ).returncode

    assert check(entries) == 0
    wrong = json.loads(json.dumps(entries[1]))
    wrong["spec"]["triggers"][0]["metadata"] = "no mapping"
    assert check([wrong]) != 0


def test_kustomization_lists_every_file_and_no_namespace() -> None:
    for folder in (FOLDER, FOLDER / "servers"):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        there = {path.name for path in folder.glob("*.yaml")}
        assert set(listed) == there - {"kustomization.yaml", "secret.example.yaml"}
    assert not any("namespace" in entry["metadata"] for entry in ALL)


@pytest.mark.parametrize(
    ("name", "service"), [("intake", "intake"), ("cpu", "cpu"), ("gpu", "gpu0"), ("flower", "flower")]
)
def test_manifests_start_the_commands_and_probes_of_compose(name: str, service: str) -> None:
    ours, theirs = container(of_kind("Deployment")[name]), COMPOSE["services"][service]
    assert ours["command"] == theirs["command"]
    assert ours["resources"]["limits"]["memory"].removesuffix("i").lower() == theirs["mem_limit"]
    if name != "flower":
        worker = theirs["healthcheck"]["test"][-1].partition("@")[0]
        check = " ".join(theirs["healthcheck"]["test"][1:-1])
        for probe in ("startupProbe", "readinessProbe"):
            assert ours[probe]["exec"]["command"] == ["sh", "-c", f"exec {check} {worker}@$(hostname)"]


def test_settings_are_known_and_secrets_are_referenced() -> None:
    given = dict(of_kind("ConfigMap")["voxchord"]["data"])
    secrets = of_kind("Secret")
    for name, deployment in of_kind("Deployment").items():
        environment = dict(given)
        for source in container(deployment)["envFrom"]:
            if "secretRef" in source:
                environment |= secrets[source["secretRef"]["name"]]["stringData"]
        load({key: value for key, value in environment.items() if key.startswith(PREFIX)})
        assert ("VOXCHORD_FLOWER_PASSWORD" in environment) == (name == "flower")
    assert not re.search("password|secret|key", json.dumps(given), re.IGNORECASE)


def test_pods_are_confined_and_have_a_grace_period() -> None:
    for kind in ("Deployment", "StatefulSet"):
        for name, entry in of_kind(kind).items():
            pod = entry["spec"]["template"]["spec"]
            security = container(entry)["securityContext"]
            assert pod["securityContext"]["runAsNonRoot"], name
            assert not pod["automountServiceAccountToken"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert not security["allowPrivilegeEscalation"], name
            assert not pod["enableServiceLinks"], f"{name}: a variable VOXCHORD_…_PORT would be refused"
            if kind == "Deployment":
                assert security["readOnlyRootFilesystem"], name
                own = COMPOSE["services"].get("gpu0" if name == "gpu" else name)["stop_grace_period"]
                assert name in ("flower", "serve") or f"{pod['terminationGracePeriodSeconds']}s" == own
    assert container(of_kind("Deployment")["gpu"])["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert set(of_kind("PodDisruptionBudget")) == {"intake", "cpu", "gpu"}


def test_flower_state_is_on_a_persistent_volume() -> None:
    pod = of_kind("Deployment")["flower"]["spec"]["template"]["spec"]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    (mount,) = (
        each for each in container(of_kind("Deployment")["flower"])["volumeMounts"] if each["name"] in claims
    )
    assert mount["mountPath"] == of_kind("ConfigMap")["voxchord"]["data"]["VOXCHORD_STATE"]
    assert set(claims.values()) == set(of_kind("PersistentVolumeClaim"))


@pytest.mark.parametrize(("name", "queues"), [("gpu", GPU), ("cpu", CPU)])
def test_scaling_metrics_match_redis(name: str, queues: tuple[str, ...]) -> None:
    """Read messages of every priority and queue, some unacknowledged, as KEDA does."""
    with valkey() as url, redis.Redis.from_url(url) as client:
        broker = Broker(url, 60, "", "")
        with Connection(url, transport_options=broker.transport_options()) as connection:
            producer = Producer(connection.channel())
            sent = 0
            for target, step in itertools.product(queues, PRIORITY_STEPS):
                queue(target)(connection.default_channel).declare()
                for _ in range(step + 1):
                    producer.publish({}, routing_key=target, priority=step)
                    sent += 1
            assert value(name, client) == 2 * sent
            channel: Any = connection.channel()
            held = [channel.basic_get(queues[0]) for _ in range(5)]
            assert all(held)
            assert value(name, client) == 2 * (sent - 5) + 5
            spec = of_kind("ScaledObject")[name]["spec"]["advanced"]["scalingModifiers"]
            assert 1 <= float(spec["activationTarget"]) < 2, "one message wakes; the reconciler alone doesn't"
            for message in held:
                channel.basic_ack(message.delivery_tag)
            assert value(name, client) == 2 * (sent - 5)


def value(name: str, client: Any) -> float:
    """Evaluate the formula on lengths, which KEDA's scaler reads with LLEN of a list and HLEN of a hash."""
    spec = of_kind("ScaledObject")[name]["spec"]
    lengths = {}
    for trigger in spec["triggers"]:
        key = trigger["metadata"]["listName"]
        kind = client.type(key)
        lengths[trigger["name"]] = client.hlen(key) if kind == b"hash" else client.llen(key)
    formula = spec["advanced"]["scalingModifiers"]["formula"]
    weight, waiting, held = re.fullmatch(r"(\d+) \* \((.+)\) \+ (\w+)", formula).groups()  # type: ignore[union-attr]
    return float(int(weight) * sum(lengths[part] for part in waiting.split(" + ")) + lengths[held])
