"""What the official Helm chart of Dagster knows: its keys, and the instance that it makes of them.

The chart is not in a package registry, so its declarations are repeated here by name, as far as
the values use them; ``None`` stands for whatever Kubernetes or Dagster allow there.
"""

from typing import Any

Keys = dict[str, Any]

_IMAGE: Keys = {"repository": None, "tag": None, "pullPolicy": None}
_POD: Keys = {
    "env": None,
    "envConfigMaps": None,
    "envSecrets": None,
    "labels": None,
    "nodeSelector": None,
    "affinity": None,
    "tolerations": None,
    "podSecurityContext": None,
    "securityContext": None,
    "resources": None,
    "annotations": None,
    "livenessProbe": None,
    "readinessProbe": None,
    "startupProbe": None,
    "schedulerName": None,
    "volumeMounts": None,
    "volumes": None,
}
_THREADS: Keys = {"useThreads": None, "numWorkers": None, "numSubmitWorkers": None}
KNOWN: Keys = {
    "global": {
        "postgresqlSecretName": None,
        "dagsterHome": None,
        "serviceAccountName": None,
        "celeryConfigSecretName": None,
    },
    "generatePostgresqlPasswordSecret": None,
    "postgresql": {
        "image": _IMAGE,
        "enabled": None,
        "postgresqlHost": None,
        "postgresqlUsername": None,
        "postgresqlPassword": None,
        "postgresqlDatabase": None,
        "postgresqlParams": None,
        "postgresqlScheme": None,
        "service": {"port": None},
    },
    "dagster-user-deployments": {
        "enabled": None,
        "enableSubchart": None,
        "imagePullSecrets": None,
        "deployments": {
            **_POD,
            "name": None,
            "image": _IMAGE,
            "dagsterApiGrpcArgs": None,
            "codeServerArgs": None,
            "includeConfigInLaunchedRuns": {"enabled": None},
            "port": None,
        },
    },
    "runLauncher": {
        "type": None,
        "config": {
            "k8sRunLauncher": {
                "image": _IMAGE,
                "imagePullPolicy": None,
                "jobNamespace": None,
                "loadInclusterConfig": None,
                "kubeconfigFile": None,
                "envConfigMaps": None,
                "envSecrets": None,
                "envVars": None,
                "volumeMounts": None,
                "volumes": None,
                "labels": None,
                "failPodOnRunFailure": None,
                "resources": None,
                "schedulerName": None,
                "securityContext": None,
                "runK8sConfig": {
                    "containerConfig": None,
                    "podSpecConfig": None,
                    "podTemplateSpecMetadata": None,
                    "jobSpecConfig": None,
                    "jobMetadata": None,
                },
            }
        },
    },
    "dagsterWebserver": {
        **_POD,
        "replicaCount": None,
        "image": _IMAGE,
        "service": {"type": None, "port": None, "annotations": None},
        "enableReadOnly": None,
    },
    "dagsterDaemon": {
        **_POD,
        "enabled": None,
        "image": _IMAGE,
        "heartbeatTolerance": None,
        "runCoordinator": {
            "enabled": None,
            "type": None,
            "config": {
                "queuedRunCoordinator": {
                    "maxConcurrentRuns": None,
                    "tagConcurrencyLimits": None,
                    "dequeueIntervalSeconds": None,
                    "dequeueNumWorkers": None,
                    "dequeueUseThreads": None,
                }
            },
        },
        "runMonitoring": {
            "enabled": None,
            "startTimeoutSeconds": None,
            "cancelTimeoutSeconds": None,
            "maxResumeRunAttempts": None,
            "pollIntervalSeconds": None,
            "freeSlotsAfterRunEndSeconds": None,
        },
        "runRetries": {"enabled": None, "maxRetries": None},
        "sensors": _THREADS,
        "schedules": _THREADS,
    },
    "additionalInstanceConfig": None,
    "computeLogManager": {"type": None, "config": None},
    "telemetry": {"enabled": None},
    "retention": {"enabled": None, "sensor": None, "schedule": None, "autoMaterialize": None},
    "serviceAccount": {"create": None, "name": None, "annotations": None},
    "rabbitmq": {"enabled": None},
    "redis": {"enabled": None},
    "flower": {"enabled": None},
}


def unknown_keys(values: Any, known: Keys | None, path: str = "") -> list[str]:
    """The keys of values that the chart does not know, by their paths."""
    if known is None:
        return []
    if isinstance(values, list):
        return [found for item in values for found in unknown_keys(item, known, path)]
    found: list[str] = []
    for key, value in values.items():
        place = f"{path}.{key}".lstrip(".")
        if key not in known:
            found.append(place)
        else:
            found += unknown_keys(value, known[key], place)
    return found


def instance_of_values(values: Keys) -> Keys:
    """The ``dagster.yaml`` that the chart's templates make of values."""
    postgres = values["postgresql"]
    storage = {
        "postgres_db": {
            "username": postgres["postgresqlUsername"],
            "password": {"env": "DAGSTER_PG_PASSWORD"},
            "hostname": postgres["postgresqlHost"],
            "db_name": postgres["postgresqlDatabase"],
            "port": postgres["service"]["port"],
            "params": postgres["postgresqlParams"],
            "scheme": postgres["postgresqlScheme"],
        }
    }
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    run = launcher["runK8sConfig"]
    daemon = values["dagsterDaemon"]
    monitoring, queue = daemon["runMonitoring"], daemon["runCoordinator"]["config"]
    return {
        "storage": {"postgres": storage},
        "run_launcher": {
            "module": "dagster_k8s",
            "class": values["runLauncher"]["type"],
            "config": {
                "load_incluster_config": launcher["loadInclusterConfig"],
                "job_namespace": "ragline",
                "image_pull_policy": launcher["imagePullPolicy"],
                "service_account_name": "ragline-dagster",
                "dagster_home": values["global"]["dagsterHome"],
                "instance_config_map": "ragline-dagster-instance",
                "postgres_password_secret": values["global"]["postgresqlSecretName"],
                "env_config_maps": launcher["envConfigMaps"],
                "env_secrets": launcher["envSecrets"],
                "env_vars": launcher["envVars"],
                "volumes": launcher["volumes"],
                "volume_mounts": launcher["volumeMounts"],
                "labels": launcher["labels"],
                "fail_pod_on_run_failure": launcher["failPodOnRunFailure"],
                "resources": launcher["resources"],
                "security_context": launcher["securityContext"],
                "run_k8s_config": {
                    "pod_spec_config": run["podSpecConfig"],
                    "job_spec_config": run["jobSpecConfig"],
                },
            },
        },
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": daemon["runCoordinator"]["type"],
            "config": {
                "dequeue_interval_seconds": queue["queuedRunCoordinator"]["dequeueIntervalSeconds"],
                "dequeue_use_threads": queue["queuedRunCoordinator"]["dequeueUseThreads"],
            },
        },
        "run_monitoring": {
            "enabled": monitoring["enabled"],
            "start_timeout_seconds": monitoring["startTimeoutSeconds"],
            "cancel_timeout_seconds": monitoring["cancelTimeoutSeconds"],
            "max_resume_run_attempts": monitoring["maxResumeRunAttempts"],
            "poll_interval_seconds": monitoring["pollIntervalSeconds"],
            "free_slots_after_run_end_seconds": monitoring["freeSlotsAfterRunEndSeconds"],
        },
        "sensors": {
            "use_threads": daemon["sensors"]["useThreads"],
            "num_workers": daemon["sensors"]["numWorkers"],
        },
        "schedules": {
            "use_threads": daemon["schedules"]["useThreads"],
            "num_workers": daemon["schedules"]["numWorkers"],
        },
        "telemetry": values["telemetry"],
        **values["additionalInstanceConfig"],
    }
