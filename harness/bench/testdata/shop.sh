# What shop.yaml does, by hand and without any evidence.
set -eu
helm install shop "$CHART" --namespace "$NAMESPACE" --set backend.replicas=null,tag=v1 --wait=watcher
kubectl scale deployment/backend --namespace "$NAMESPACE" --replicas=5
helm upgrade shop "$CHART" --namespace "$NAMESPACE" --set backend.replicas=null,tag=v2 --wait=watcher
helm rollback shop 1 --namespace "$NAMESPACE" --wait=watcher
