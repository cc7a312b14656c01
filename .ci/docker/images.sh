# Sourced by bash, after engine.sh: base images for BINS=prebuilt.
#
#   images_start   where no image registry can be reached, stand-ins under the real names, made of
#                  Debian's packages and the NATS server of `make setup`
#   images_stop    removes the stand-ins: nobody else shall take them for the real ones

STANDINS=()

image_of() {
  case "$1" in
  prometheus) sed -n 's|^    image: \(prom/prometheus:.*\)$|\1|p' compose.yaml ;;
  *) sed -n "s/^FROM \([^ ]*\) AS $1\$/\1/p" Dockerfile ;;
  esac
}

images_start() {
  local stage image
  for stage in runtime demo nats prometheus; do
    image="$(image_of $stage)"
    docker image inspect "$image" >/dev/null 2>&1 && continue
    # one is enough to know
    if ((${#STANDINS[@]} == 0)) && timeout 120 docker pull --quiet "$image" >/dev/null 2>&1; then continue; fi
    standin_$stage "$image" >/dev/null || { printf 'docker: no stand-in for %s\n' "$image" >&2; return 1; }
    STANDINS+=("$image")
  done
}

images_stop() {
  ((${#STANDINS[@]} == 0)) || docker image rm --force "${STANDINS[@]}" >/dev/null 2>&1
}

# standin IMAGE FOLDER INSTRUCTION…
standin() {
  local image="$1" folder="$2" changes=() instruction
  shift 2
  for instruction in "$@"; do changes+=(--change "$instruction"); done
  tar --numeric-owner --owner 0 --group 0 -C "$folder" -c . | docker import "${changes[@]}" - "$image"
}

# As distroless images are: packages unpacked, no shell, a user.
debian() {
  local folder="$1"
  shift
  mkdir -p "$folder"/{tmp,home/nonroot,etc/ssl/certs} "$folder.packages"
  (
    cd "$folder.packages"
    download() { apt-get -qq -o APT::Sandbox::User=root download "$@"; }
    # the lists may be old, or not there
    download "$@" 2>/dev/null || { apt-get -qq update && download "$@"; }
  ) || return 1
  local package
  for package in "$folder.packages"/*.deb; do dpkg -x "$package" "$folder"; done
  chmod 1777 "$folder/tmp"
  cat "$folder"/usr/share/ca-certificates/mozilla/*.crt >"$folder/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n' >"$folder/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$folder/etc/group"
}

LIBRARIES=(base-files netbase tzdata ca-certificates libc6 libgcc-s1 libstdc++6)
PYTHON=(python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libbz2-1.0 libcrypt1 libexpat1 libffi8
  liblzma5 libsqlite3-0 libssl3 libuuid1 zlib1g media-types)

standin_runtime() {
  debian "$ENGINE_DIR/runtime" "${LIBRARIES[@]}" || return 1
  standin "$1" "$ENGINE_DIR/runtime" "USER 65532" "WORKDIR /home/nonroot"
}

standin_demo() {
  debian "$ENGINE_DIR/demo" "${LIBRARIES[@]}" "${PYTHON[@]}" || return 1
  standin "$1" "$ENGINE_DIR/demo" "USER 65532" "WORKDIR /home/nonroot"
}

# A server, and what its health check needs of Alpine.
standin_nats() {
  local folder="$ENGINE_DIR/nats"
  mkdir -p "$folder"/{bin,tmp,usr/local/bin}
  debian "$folder" "${LIBRARIES[@]}" busybox-static || return 1
  ln -sf busybox "$folder/bin/wget"
  cp "$(. scripts/env.sh && command -v nats-server)" "$folder/usr/local/bin/"
  standin "$1" "$folder" 'CMD ["nats-server"]'
}

# Of Debian 12, which takes the same configuration.
standin_prometheus() {
  local folder="$ENGINE_DIR/prometheus"
  debian "$folder" "${LIBRARIES[@]}" prometheus || return 1
  # an empty volume takes this folder's mode
  mkdir -m 777 "$folder/prometheus"
  standin "$1" "$folder" 'ENTRYPOINT ["/usr/bin/prometheus"]'
}
