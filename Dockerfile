# syntax=docker/dockerfile:1
# One image for every role: `docker build -t leadflow .`, then `docker run leadflow serve ROLE`.
# The same sources give the same binary: versions are locked, and no path or time of the build is in it.

ARG RUST=1.94-slim-bookworm

# What dependencies are: manifests and the lock, with nothing in the crates themselves. It changes when they do,
# so the layer that builds dependencies is made anew only then.
FROM rust:${RUST} AS skeleton
WORKDIR /src
COPY . .
RUN scripts/image/skeleton.sh /skeleton

FROM rust:${RUST} AS build
# Ours alone: a build script of a dependency compiles C.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV CARGO_INCREMENTAL=0 RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo" SOURCE_DATE_EPOCH=0
COPY --from=skeleton /skeleton .
RUN cargo build --release --locked -p leadflow
COPY . .
# Cargo goes by times, and the skeleton's files are younger than these.
RUN find proto services shared -name '*.rs' -exec touch {} + && cargo build --release --locked -p leadflow
RUN scripts/image/root.sh target/release/leadflow /image

# The binary, the four libraries that it needs, certificates, and a user: no shell, no package manager.
FROM scratch
COPY --from=build /image /
USER 65532:65532
ENV LISTEN_ADDRESS=0.0.0.0 METRICS_PORT=9464
# Ingest, bff, metrics; the others' ports are for each other (docs/settings.md).
EXPOSE 8080 3000 9464
ENTRYPOINT ["/leadflow"]
CMD ["serve"]
# Of all roles; whoever runs some says `health ROLE`.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/leadflow", "health"]
