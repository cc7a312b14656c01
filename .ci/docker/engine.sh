# Sourced by bash: a container engine for the tests, with Compose and buildx.
#
#   engine_start   uses the engine that answers; else, on Debian as root, installs one and starts it
#                  with folders, a socket and an idea of its own
#   engine_stop    stops what was started, and removes what it kept
#
# Compose and buildx come from Debian 13's packages where they are missing: Debian 12 has neither.

ENGINE_DIR=""
ENGINE_PID=""

engine_say() { printf 'docker: %s\n' "$*" >&2; }

engine_start() {
  ENGINE_DIR="$(mktemp -d "${TMPDIR:-/tmp}/elava-docker.XXXXXX")"
  engine_memory
  docker info >/dev/null 2>&1 || engine_own || return 1
  docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 || engine_plugins || return 1
}

# Images are tens of thousands of files, which some disks take minutes to remove: with 8 GiB free, they
# are kept in memory, of which they take about 3.
engine_memory() {
  if ((EUID == 0 && $(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo) >= 8)); then
    mount -t tmpfs -o size=20g,mode=711 tmpfs "$ENGINE_DIR" 2>/dev/null || true
  fi
}

engine_own() {
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    engine_say "no engine answers, and only root on Debian can install and start one"
    return 1
  fi
  if ! command -v dockerd >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables; } \
      >"$ENGINE_DIR/apt.log" 2>&1 || { engine_say "docker.io cannot be installed:"; tail -n 20 "$ENGINE_DIR/apt.log" >&2; return 1; }
  fi
  export DOCKER_HOST="unix://$ENGINE_DIR/docker.sock"
  # Compose makes its own networks: none of the engine's is left behind.
  setsid dockerd --host "$DOCKER_HOST" --bridge none --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/run" \
    --pidfile "$ENGINE_DIR/docker.pid" >"$ENGINE_DIR/dockerd.log" 2>&1 </dev/null &
  ENGINE_PID=$!
  local tries
  for ((tries = 0; tries < 120; tries++)); do
    docker info >/dev/null 2>&1 && return 0
    kill -0 "$ENGINE_PID" 2>/dev/null || break
    sleep 0.5
  done
  engine_say "the engine does not start:"
  tail -n 20 "$ENGINE_DIR/dockerd.log" >&2
  return 1
}

engine_plugins() {
  local mirror apt
  mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | sed -n 1p)"
  if [[ -z "$mirror" ]]; then
    engine_say "Compose or buildx is missing; they are fetched on Debian 12 only"
    return 1
  fi
  mkdir -p "$ENGINE_DIR"/apt/{lists/partial,cache/archives/partial} "$ENGINE_DIR/config/cli-plugins"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$ENGINE_DIR/apt/sources.list"
  apt=(-qq -o "Dir::Etc::sourcelist=$ENGINE_DIR/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$ENGINE_DIR/apt/lists" -o "Dir::Cache=$ENGINE_DIR/apt/cache"
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
  (
    cd "$ENGINE_DIR/apt"
    apt-get "${apt[@]}" update
    apt-get "${apt[@]}" download docker-compose docker-buildx
    for package in *.deb; do dpkg -x "$package" unpacked; done
    cp unpacked/usr/libexec/docker/cli-plugins/* "$ENGINE_DIR/config/cli-plugins/"
  ) || { engine_say "Compose and buildx cannot be fetched"; return 1; }
  export DOCKER_CONFIG="$ENGINE_DIR/config"
  docker compose version >/dev/null
}

engine_stop() {
  if [[ -n "$ENGINE_PID" ]]; then
    kill "$ENGINE_PID" 2>/dev/null
    wait "$ENGINE_PID" 2>/dev/null
  fi
  [[ -n "$ENGINE_DIR" ]] || return 0
  if mountpoint --quiet "$ENGINE_DIR"; then umount "$ENGINE_DIR"; fi
  # not another file system: should something still be mounted, it is left alone
  rm -rf --one-file-system "$ENGINE_DIR"
}
