# Zongzi in a container. Build: docker build --tag zongzi .
# Run on the host's network, which is the simplest for media:
#   docker run --network host --volume zongzi:/data zongzi
# or with ports, and the address that viewers reach the host by:
#   docker run -p 1935:1935 -p 8080:8080 -p 8444:8444/udp -e ZONGZI__MEDIA__PUBLIC_IPS='["203.0.113.7"]' \
#     --volume zongzi:/data zongzi

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ make nasm \
    && rm -rf /var/lib/apt/lists/*
# The image brings the toolchain that rust-toolchain.toml names; without this rustup would fetch lints and formatter too.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package zongzi --bin zongzi \
    && strip target/release/zongzi

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home --skel /dev/null --shell /usr/sbin/nologin zongzi
COPY --from=build /src/target/release/zongzi /usr/local/bin/zongzi
COPY config/zongzi.toml /etc/zongzi/zongzi.toml
USER 10001
WORKDIR /data
VOLUME /data
# `docker exec CONTAINER zongzi key create demo` finds the same data.
ENV ZONGZI__DATA__DIR=/data
EXPOSE 1935/tcp 8080/tcp 8444/udp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/zongzi"]
CMD ["serve", "--config", "/etc/zongzi/zongzi.toml"]
