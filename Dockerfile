# Builds the server and puts it alone into a small image. docs/deploy.md says how to run it.
FROM rust:1.95-bookworm AS build
RUN apt-get update --quiet=2 \
 && apt-get install --yes --quiet=2 --no-install-recommends cmake nasm \
 && rm --recursive --force /var/lib/apt/lists/*
WORKDIR /zongzi
COPY . .
RUN cargo build --release --locked --package zongzi --bin zongzi

FROM debian:bookworm-slim
RUN useradd --system --uid 990 --home-dir /data zongzi && install --directory --owner zongzi --mode 700 /data
COPY --from=build /zongzi/target/release/zongzi /usr/local/bin/zongzi
COPY config/zongzi.toml /etc/zongzi/zongzi.toml
USER zongzi
VOLUME /data
EXPOSE 1935/tcp 8080/tcp 8444/udp 8090/tcp
ENTRYPOINT ["zongzi"]
CMD ["serve", "--config", "/etc/zongzi/zongzi.toml", "--data", "/data"]
