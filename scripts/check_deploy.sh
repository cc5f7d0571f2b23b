#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks all of deploy/ and docker-compose.yml: the cheap part that ctest runs (tests/deploy/check_deploy.py), then with the
# tools themselves: kustomize builds every overlay, helm lints and renders every set of values, and what comes out is held
# to Kubernetes' own schemas, custom resources to their definitions; compose-go reads docker-compose.yml as docker compose
# does, Grafana's own types read the dashboard.
#
#   scripts/check_deploy.sh [--bin=build/bin] [--tools=build/deploy-tools]
#
# The tools come from the Go module proxy, once, into --tools (Go 1.22 or newer; some minutes). What is not to be had is said
# and left out, and the exit code is then 77; it is 1 where a check fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kubernetes=1.30
# kubectl-validate carries the schemas of the Kubernetes releases; the modules of Prometheus' operator, KServe and KEDA carry
# the definitions of their resources.
modules=(
  kustomize=sigs.k8s.io/kustomize/kustomize/v5@v5.5.0
  helm=helm.sh/helm/v3/cmd/helm@v3.16.4
  kubectl-validate=sigs.k8s.io/kubectl-validate@v0.0.4
  cmd=github.com/compose-spec/compose-go/v2/cmd@v2.16.2
)
# Definitions of custom resources: module, folder, files.
custom=(
  "github.com/prometheus-operator/prometheus-operator@v0.75.2 example/prometheus-operator-crd monitoring.coreos.com_servicemonitors.yaml,monitoring.coreos.com_prometheusrules.yaml"
  "github.com/kserve/kserve@v0.15.2 config/crd/full serving.kserve.io_clusterservingruntimes.yaml,serving.kserve.io_inferenceservices.yaml"
  "github.com/kedacore/keda/v2@v2.21.0 config/crd/bases keda.sh_scaledobjects.yaml"
)

bin=build/bin
tools=build/deploy-tools
for argument in "$@"; do
  case "$argument" in
    --bin=?*) bin=${argument#*=} ;;
    --tools=?*) tools=${argument#*=} ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "check_deploy: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
mkdir -p "$tools"
tools=$(realpath "$tools")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
skipped=()

run() {  # NAME COMMAND...: one line for each check, and the command's words where it fails
  local name=$1
  shift
  if "$@" > "$work/said" 2>&1; then
    echo "check_deploy: ok      $name"
  else
    echo "check_deploy: FAILED  $name"
    grep -v 'found symbolic link in path' "$work/said" | sed 's/^/    /'
    failures=$((failures + 1))
  fi
}
skip() {
  echo "check_deploy: SKIPPED $1: $2"
  skipped+=("$1")
}

run "names, flags, queries, alerts" python3 tests/deploy/check_deploy.py . "$bin"

have() { [[ -x "$tools/$1" ]]; }
for entry in "${modules[@]}"; do
  name=${entry%%=*} module=${entry#*=}
  have "$name" && continue
  command -v go > /dev/null || { skip "$name" "there is no go to install $module with"; continue; }
  echo "check_deploy: installing $module"
  GOBIN=$tools go install "$module" > "$work/said" 2>&1 || skip "$name" "go install $module: $(tail -n 1 "$work/said")"
done
if ! have dashboard_schema && command -v go > /dev/null; then
  echo "check_deploy: building tests/deploy/dashboard_schema"
  (cd tests/deploy/dashboard_schema && go build -o "$tools/dashboard_schema" .) > "$work/said" 2>&1 ||
    skip dashboard_schema "$(tail -n 1 "$work/said")"
fi
definitions=$tools/definitions
mkdir -p "$definitions"
for entry in "${custom[@]}"; do
  IFS=' ' read -r module folder files <<< "$entry"
  missing=()
  for file in ${files//,/ }; do [[ -f "$definitions/$file" ]] || missing+=("$file"); done
  ((${#missing[@]} > 0)) || continue
  if directory=$(command -v go > /dev/null && go mod download -json "$module" 2> /dev/null | sed -nE 's/^\t"Dir": "(.*)",$/\1/p') &&
    [[ -n "$directory" ]]; then
    for file in "${missing[@]}"; do install -m 644 "$directory/$folder/$file" "$definitions/$file"; done
  else
    skip "definitions of $module" "go mod download failed"
  fi
done
have_definitions() {  # all of them: what has none cannot be checked
  local entry module folder files file
  for entry in "${custom[@]}"; do
    IFS=' ' read -r module folder files <<< "$entry"
    for file in ${files//,/ }; do [[ -f "$definitions/$file" ]] || return 1; done
  done
}

validate() { "$tools/kubectl-validate" "$1" --version "$kubernetes" --local-crds "$definitions"; }
check_rendered() {  # NAME FILE
  have kubectl-validate && have_definitions || return 0
  run "$1: schemas of Kubernetes $kubernetes" validate "$2"
}

if have kustomize; then
  # The base with the components that no overlay has.
  mkdir "$work/other"
  base=$(realpath --relative-to="$work/other" deploy/kubernetes/base)
  components=$(realpath --relative-to="$work/other" deploy/kubernetes/components)
  printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' 'namespace: heed' \
    "resources: [$base]" "components: [$components/keda, $components/monitoring]" > "$work/other/kustomization.yaml"
  for overlay in deploy/kubernetes/base deploy/kubernetes/overlays/*/ "$work/other" deploy/kserve; do
    file=$work/$(basename "$overlay").yaml
    run "kustomize build $(basename "$overlay")" "$tools/kustomize" build "$overlay" -o "$file"
    check_rendered "$(basename "$overlay")" "$file"
  done
  for service in deploy/kserve/{translator,graph}-*.yaml; do check_rendered "$(basename "$service")" "$service"; done
fi
if have helm; then
  chart=deploy/helm/heed
  run "helm lint" "$tools/helm" lint --strict "$chart"
  for values in $chart/values.yaml $chart/ci/*.yaml; do
    file=$work/helm-$(basename "$values")
    run "helm lint $(basename "$values")" "$tools/helm" lint --strict "$chart" -f "$values"
    "$tools/helm" template heed "$chart" --namespace heed --kube-version "$kubernetes" -f "$values" > "$file" 2> "$work/err" || true
    run "helm template $(basename "$values")" grep -q '^kind: Deployment' "$file"
    check_rendered "helm $(basename "$values")" "$file"
  done
  # What must not render.
  refuses() { ! "$tools/helm" template heed "$chart" --kube-version "$kubernetes" --set "$1"; }
  for wrong in flags.listen=0.0.0.0:1 replicas=3 terminationGracePeriodSeconds=35 tls.enabled=perhaps \
    graphs.volume.emptyDir.medium=Memory sessions.place=/data sessions.place=redis://redis:6379 \
    flags.http_listen=:8080 http=true autoscaling.keda.serverAddress=prometheus \
    autoscaling.enabled=true,autoscaling.keda.enabled=true \
    tracing.endpoint=collector tracing.endpoint=http://collector:4317 tracing.sampleRatio=2; do
    run "helm refuses $wrong" refuses "$wrong"
  done
fi
if have dashboard_schema; then
  run "the dashboard: Grafana's schema" "$tools/dashboard_schema" deploy/grafana/dashboards/heed.json
  sed 's/"fillOpacity"/"fillOpacities"/' deploy/grafana/dashboards/heed.json > "$work/wrong.json"
  finds_in_dashboard() { ! "$tools/dashboard_schema" "$1"; }
  run "a wrong panel is found" finds_in_dashboard "$work/wrong.json"
fi
if have cmd; then run "docker-compose.yml: compose-go" "$tools/cmd" docker-compose.yml; fi
# The schemas' checker can fail.
if have kubectl-validate && have kustomize && have_definitions; then
  sed 's/failureThreshold: 150/failureThresholds: 150/' "$work/base.yaml" > "$work/wrong.yaml"
  sed 's/jobLabel:/jobLabels:/' "$work/production.yaml" > "$work/wrong-custom.yaml"
  finds() { ! validate "$1"; }
  run "a wrong Deployment is found" finds "$work/wrong.yaml"
  run "a wrong ServiceMonitor is found" finds "$work/wrong-custom.yaml"
  for wrong in supportedModelFormats:/supportedModelFormat: protocolVersions:/protocolVersion: containerPort:/containerPorts: \
    minReplicaCount:/minReplicas: behavior:\ currentReplicas/behavior:\ theSame; do
    sed "s/$wrong/" "$work/kserve.yaml" > "$work/wrong.yaml"
    run "a wrong ${wrong##*/} is found" finds "$work/wrong.yaml"
  done
fi

echo "check_deploy: $failures failed${skipped[*]:+; SKIPPED: ${skipped[*]}}"
((failures == 0)) || exit 1
((${#skipped[@]} == 0)) || exit 77
