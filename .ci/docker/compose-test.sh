#!/usr/bin/env bash
# compose.yaml as people use it: images of the binaries that are built, the played day, and meanwhile a
# crash, a partition and changing numbers of replicas. The history, in four files, must be that of an
# undisturbed day in one; and nobody may do there what is not theirs.
# Needs the binaries (`make build`). Leaves nothing behind; says something only when it fails.
set -Eeuo pipefail
cd "$(dirname "$0")/../.."
. .ci/docker/engine.sh
. .ci/docker/images.sh

export COMPOSE_PROJECT_NAME="elava-test-$$" COMPOSE_PROFILES=demo ELAVA_TAG="test-$$" BINS=prebuilt
# how many of each there are for a while
MANY=(observer=3 detector=3 enforcer=4 decider=2 notifier=2)
# any free ones
export ELAVA_NATS_PORT=0 ELAVA_SQL_PORT=0 ELAVA_PROMETHEUS_PORT=0
# all detectors of MANY have some of the history
export ELAVA_SHARDS=4
unset AWS_PROFILE AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN ELAVA_AWS_DIR
unset ELAVA_CONFIG ELAVA_POLICIES ELAVA_INTERVAL ELAVA_REGIONS ELAVA_TYPES
unset OTEL_EXPORTER_OTLP_ENDPOINT

log="$(mktemp)" difference="$(mktemp)" found="$(mktemp -d)"
finish() {
  local code=$?
  trap '' INT TERM
  if ((code)) && docker info >/dev/null 2>&1; then
    docker compose ps --all >&2 || true
    docker compose logs --no-color --tail 40 >&2 || true
    tail -n 60 "$log" >&2
    cat "$difference" >&2
  fi
  # again, for what a start that failed was still making
  for _ in 1 2; do
    docker compose --profile demo --profile cli --profile observability down --volumes --remove-orphans --timeout 5 --rmi all >>"$log" 2>&1 || true
  done
  images_stop || true
  engine_stop || true
  rm -rf "$log" "$difference" "$found"
  # last, where it is read first
  if ((code)); then echo "compose test: ${reason:-interrupted}" >&2; fi
  exit "$code"
}
reason=""
trap finish EXIT
trap 'exit 130' INT TERM
trap 'reason="line $LINENO: $BASH_COMMAND"' ERR

fail() {
  reason="$*"
  echo "$reason" >&2
  exit 1
}

# within SECONDS WHAT COMMAND…
within() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "$what: not seen in time"
    sleep 0.5
  done
}

# No reader here ends before its writer does (head, grep -q): that would be a failure of the writer.
container() { docker compose ps --quiet "$1" | sed -n 1p; }
of() { docker inspect --format "$2" "$(container "$1")"; }
elava() { docker compose run --rm -T elava "$@" </dev/null 2>>"$log"; }

# --- what happens to it ------------------------------------------------------------------------------

# The process itself, from outside: `docker kill` would count as asked for, and not be mended.
crash() { kill -9 "$(of "$1" '{{.State.Pid}}')"; }
restarted() { [[ "$(of "$1" '{{.RestartCount}} {{.State.Running}}')" == [1-9]*" true" ]]; }
# replicas STAGE=NUMBER…
replicas() {
  local scale=("${@/#/--scale=}")
  docker compose up --detach --pull never --no-build --no-recreate --no-deps "${scale[@]}" "${@%=*}" >>"$log" 2>&1
}

partition() {
  local network="${COMPOSE_PROJECT_NAME}_default" container
  container="$(container "$1")"
  docker network disconnect "$network" "$container"
  sleep 5
  docker network connect --alias "$1" "$network" "$container"
}

told() { [[ "$(docker compose logs --no-log-prefix "$1" 2>/dev/null)" == *"$2"* ]]; }
played() { told day "$1"; }
day_ended() { [[ "$(docker compose ps --all --format '{{.State}}' day)" == exited ]]; }
reached() { played "$1" || day_ended; }

# --- what must hold ----------------------------------------------------------------------------------

hardened() {
  local line
  docker compose ps --all --quiet | xargs docker inspect --format \
    '{{.Name}} {{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' |
    while read -r line; do
      [[ "$line" == *" 65532:65532 true [ALL] [no-new-privileges:true]" ]] || fail "not locked in: $line"
    done
  [[ "$(docker compose ps --all --format '{{.Ports}}')" != *0.0.0.0* ]] || fail "a port is published to everybody"
}

# Each stage, and nobody else, can read its key.
own_keys() {
  local stage mounted
  for stage in nats observer detector enforcer decider notifier; do
    mounted="$(of $stage '{{range .Mounts}}{{println .Name}}{{end}}' | grep -oE '(access|key-.*)$')"
    [[ "$mounted" == "key-$stage" || "$stage $mounted" == "nats access" ]] || fail "$stage has $mounted"
  done
}

keys() { docker compose cp access:/access "$found/$1" >>"$log" 2>&1 || fail "the keys cannot be copied"; }

denied() {
  (. scripts/env.sh && "$ELAVA_ROOT/.local/venv/bin/python" .ci/docker/denied.py \
    "$(docker compose port nats 4222)" "$found/first/observer/observer.nk") >"$difference" 2>&1
}

# Every container that goes on has a check.
healthy() { [[ "$(docker compose ps --format '{{.Health}}' | sort -u)" == healthy ]]; }

# The stages are found, and every query of the dashboard and of the alerts has an answer.
observed() { python3 .ci/docker/observed.py "http://$(docker compose port prometheus 9090)" >"$difference" 2>&1; }

# What all shards together answer: in SQL, and by name.
answers() {
  elava sql --csv "SELECT k.key, v.valid_from, v.tags FROM versions v JOIN keys k USING (resource_id) ORDER BY ALL" &&
    elava sql --csv "SELECT type, count(*), max(first_seen) FROM resources GROUP BY ALL ORDER BY ALL" &&
    elava resources --table
}
same_answers() { answers >"$found/several" && diff "$found/one" "$found/several" >"$difference"; }
shared() { (($(elava status --json | grep '"stage":"detector"' | grep -c '"at work"') > 1)); }

same_history() {
  elava summary --json | grep -E '"measure":"(baseline|changes|decisions|deliveries|open_violations|resources)"' |
    diff .ci/docker/expected.ndjson - >"$difference"
}

engine_start || fail "there is no container engine"
images_start || fail "there are no base images"
scripts/docker-prebuilt
docker compose --profile demo --profile cli build --quiet >>"$log" 2>&1 || fail "the images cannot be built"
docker compose up --detach --pull never --no-build >>"$log" 2>&1 || fail "it does not start"
hardened
own_keys
keys first
denied || fail "NATS does not deny what it must"
docker compose up --detach --pull never --no-build --no-deps prometheus >>"$log" 2>&1 || fail "Prometheus does not start"

within 300 "a first look" reached "launches an instance"
crash enforcer
docker compose up --detach --pull never --no-build >>"$log" 2>&1 || fail "it does not start a second time"
keys second
diff -r "$found/first" "$found/second" >"$difference" || fail "a second start has changed keys"
within 300 "the next event" reached "worker-1 drifts"
replicas "${MANY[@]}"
within 300 "the next event" reached "opened to the world"
partition decider
within 300 "the next event" reached "orders-db is deleted"
crash detector
within 300 "the next event" reached "search-index is left"
crash nats
within 300 "the next event" reached "eight times as large"
replicas "${MANY[@]/=*/=1}"
within 600 "the end of the day" day_ended

[[ "$(docker compose ps --all --format '{{.ExitCode}}' day)" == 0 ]] || fail "the day was not played to its end"
for stage in enforcer detector nats; do restarted $stage || fail "$stage was not started again"; done
within 300 "every stage healthy" healthy
within 300 "the history of an undisturbed day" same_history
within 300 "figures of every stage" observed
answers >"$found/one" || fail "one detector does not answer"
replicas detector=3
within 300 "detectors that share the history" shared
within 300 "the answers of one detector" same_answers
told notifier 'Blessed resource disappeared: db orders-db' || fail "nobody was told"
