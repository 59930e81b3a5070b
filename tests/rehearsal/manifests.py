"""Manifests that the tests of a world apply, as YAML."""

import textwrap


def job(name: str, tag: str) -> str:
    """A Job with one pod. kwok simulates its result by the tag of the image."""
    return textwrap.dedent(f"""
        apiVersion: batch/v1
        kind: Job
        metadata: {{name: {name}}}
        spec:
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers: [{{name: app, image: "registry.invalid/app:{tag}"}}]
        """)


def deployment(name: str, tag: str, *, claim: str | None = None) -> str:
    """A Deployment with one pod, which mounts a volume claim if it is given."""
    volumes = f"[{{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}]" if claim else "[]"
    return textwrap.dedent(f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}}}
        spec:
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata: {{labels: {{app: {name}}}}}
            spec:
              containers: [{{name: app, image: "registry.invalid/app:{tag}"}}]
              volumes: {volumes}
        """)


VOLUME_CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: local-path, resources: {requests: {storage: 5Gi}}}
"""
PRIVILEGED_POD = """
apiVersion: v1
kind: Namespace
metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Pod
metadata: {name: privileged, namespace: strict}
spec: {containers: [{name: app, image: "registry.invalid/app:1", securityContext: {privileged: true}}]}
"""
