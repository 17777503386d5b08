# A static program on an empty image: no shell, no package manager, no root. It writes nothing outside /data (used only
# by `outpost dev`) and /tmp, so the root file system may be read-only.
# There is no HEALTHCHECK: ask /healthz and /readyz from outside, on PORT (api) or METRICS_ADDR (worker, scheduler).
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags "-s -w" -o /out/outpost ./cmd/outpost
RUN mkdir -p /image/data /image/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /image/ /
COPY --from=build /out/outpost /outpost
# A platform that sets PORT itself has its way; LISTEN_ADDR overrides both.
ENV PORT=8080 \
    METRICS_ADDR=0.0.0.0:9464 \
    OUTPOST_DATA=/data
USER 65532:65532
EXPOSE 8080 9464
ENTRYPOINT ["/outpost"]
CMD ["api"]
