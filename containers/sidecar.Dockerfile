# The agent, Envoy, and what sets up capture. NOT RUN: no container builder and no registry were at hand; what is in
# assemble.sh was.
# NODE_IMAGE and ENVOY_IMAGE have no default, since their digests could not be verified: README.md says how to learn them.
#   docker build -f containers/sidecar.Dockerfile --build-arg NODE_IMAGE=… --build-arg ENVOY_IMAGE=… -t … .
ARG NODE_IMAGE
ARG ENVOY_IMAGE
FROM ${ENVOY_IMAGE} AS envoy

FROM ${NODE_IMAGE} AS build
WORKDIR /checkout
COPY . .
# Set-up generates code; with an Envoy given, it needs no Python.
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/envoy
RUN ENVOY_BIN=/usr/local/bin/envoy node scripts/setup.js \
 && containers/assemble.sh sidecar /opt/hedgerow \
 && mkdir -p /opt/hedgerow/node_modules/.bin \
 && ln -sf /usr/local/bin/node /opt/hedgerow/node_modules/.bin/node

FROM ${NODE_IMAGE}
# Debian's iptables programs nftables unless it is told otherwise.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/*
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/envoy
COPY --from=build /opt/hedgerow /opt/hedgerow
# The build fails here, not a pod later, where Envoy wants a newer C library than this image has.
RUN envoy --version && iptables --version | grep -q nf_tables
ENV PATH=/opt/hedgerow/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ENVOY_BIN=/usr/local/bin/envoy
# The user whose traffic is not captured. The init container alone runs as root, as its pod says.
USER 1337:1337
ENTRYPOINT ["/opt/hedgerow/sidecar/entrypoint.sh"]
