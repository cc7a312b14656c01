# One image a binary: `docker build --build-arg BIN=elava-detector .`; compose.yaml builds them all.
#
# BINS=source compiles everything in here. BINS=prebuilt takes what scripts/docker-prebuilt put into
# .local/docker: nothing is fetched then but the base images.
#
# Kept to what Docker 20.10 understands: no syntax line, no here-documents, no COPY --link.
ARG BINS=source
ARG BIN=elava

# --- from source ---------------------------------------------------------------------------------

# as in rust-toolchain.toml, which stays outside: it asks for lints too
FROM rust:1.95.0-bookworm AS build
# npm and venv are what scripts/setup fetches DuckDB with
RUN apt-get update \
 && apt-get install --yes --no-install-recommends npm python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts/setup scripts/duckdb-extensions.txt scripts/
RUN scripts/setup duckdb
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY schemas schemas
COPY bus bus
COPY observer observer
COPY detector detector
COPY enforcer enforcer
COPY decider decider
COPY notifier notifier
COPY executor executor
COPY elava elava
COPY harness harness
COPY e2e e2e
COPY bench bench
COPY chaos chaos
# All binaries at once: the builds of all images share this step.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --workspace --bin elava --bin elava-observer --bin elava-detector \
      --bin elava-enforcer --bin elava-decider --bin elava-notifier --bin elava-executor \
 && mkdir /bins \
 && find target/release -maxdepth 1 -type f -executable -name 'elava*' -exec cp {} /bins/ \;

FROM scratch AS bins-source
COPY --from=build /bins /bin
COPY --from=build /src/.local/duckdb /duckdb

FROM python:3.11-slim-bookworm AS wheels
COPY scripts/requirements.txt docker/not-in-images.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    grep --invert-match --file=/not-in-images.txt /requirements.txt >/wanted.txt \
 && pip install --disable-pip-version-check --root-user-action=ignore --target /python --requirement /wanted.txt

FROM scratch AS python-source
COPY --from=wheels /python /python

# --- built before --------------------------------------------------------------------------------

FROM scratch AS bins-prebuilt
COPY .local/docker/bin /bin
COPY .local/duckdb /duckdb

FROM scratch AS python-prebuilt
COPY .local/docker/python /python

# --- what the images have in common --------------------------------------------------------------

FROM bins-${BINS} AS bins
FROM python-${BINS} AS python

# A folder to be copied: what is mounted over a folder of the image takes its owner.
FROM scratch AS empty
WORKDIR /empty

# Likewise, for what `elava nats access --apart` writes: a volume each in compose.yaml.
FROM scratch AS access
WORKDIR /access/server
WORKDIR /access/observer
WORKDIR /access/detector
WORKDIR /access/enforcer
WORKDIR /access/decider
WORKDIR /access/notifier
WORKDIR /access/executor
WORKDIR /access/elava
WORKDIR /access/admin

# glibc, libstdc++, certificates, a user `nonroot` (65532); no shell.
FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
WORKDIR /etc/elava
COPY elava.yaml ./
ENV ELAVA_CONFIG=/etc/elava/elava.yaml
USER 65532:65532

FROM runtime AS duckdb
COPY --from=bins /duckdb/libduckdb.so /usr/lib/
COPY --from=bins /duckdb/quack.duckdb_extension /duckdb/httpfs.duckdb_extension /usr/lib/elava/
COPY --from=empty --chown=65532:65532 /empty /data
ENV ELAVA_SQL_EXTENSION=/usr/lib/elava/quack.duckdb_extension

# --- one stage for each binary -------------------------------------------------------------------

FROM runtime AS for-elava-observer
COPY --from=empty --chown=65532:65532 /empty /home/nonroot/.aws
ENTRYPOINT ["elava-observer"]

FROM duckdb AS for-elava-detector
ENV ELAVA_DB=/data/history.duckdb
ENTRYPOINT ["elava-detector"]

FROM runtime AS for-elava-enforcer
COPY policies policies
ENV ELAVA_POLICIES=/etc/elava/policies
ENTRYPOINT ["elava-enforcer"]

FROM runtime AS for-elava-decider
ENTRYPOINT ["elava-decider"]

FROM runtime AS for-elava-notifier
ENTRYPOINT ["elava-notifier"]

# Its credentials are its own: a folder that no other container mounts.
FROM runtime AS for-elava-executor
COPY --from=empty --chown=65532:65532 /empty /home/nonroot/.aws
ENTRYPOINT ["elava-executor"]

FROM duckdb AS for-elava
COPY --from=access --chown=65532:65532 /access /access
ENTRYPOINT ["elava"]

# --- what compose.yaml needs beside them ---------------------------------------------------------

FROM nats:2.15.1-alpine AS nats
COPY --from=empty --chown=65532:65532 /empty /var/lib/nats
COPY docker/nats /etc/nats
USER 65532:65532
CMD ["nats-server", "--config", "/etc/nats/nats.conf"]

# The AWS emulator and the played day, with the command line that the day asks its questions with.
FROM gcr.io/distroless/python3-debian12:nonroot AS demo
COPY --from=python /python /usr/lib/elava/python
COPY --from=bins /duckdb/libduckdb.so /usr/lib/
COPY --from=bins /bin/elava /usr/local/bin/
COPY --from=empty --chown=65532:65532 /empty /home/nonroot/.aws
COPY demo/*.py /usr/lib/elava/demo/
ENV PYTHONPATH=/usr/lib/elava/python PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["/usr/bin/python3.11"]

# --- the default: the image of BIN ---------------------------------------------------------------

FROM for-${BIN} AS stage
ARG BIN
COPY --from=bins /bin/${BIN} /usr/local/bin/
