# The control plane. NOT RUN: no container builder and no registry were at hand; what is in assemble.sh was.
# NODE_IMAGE and ENVOY_IMAGE have no default, since their digests could not be verified: README.md says how to learn them.
#   docker build -f containers/control-plane.Dockerfile --build-arg NODE_IMAGE=… --build-arg ENVOY_IMAGE=… -t … .
ARG NODE_IMAGE
ARG ENVOY_IMAGE
FROM ${ENVOY_IMAGE} AS envoy

FROM ${NODE_IMAGE} AS build
WORKDIR /checkout
COPY . .
# Set-up generates code; with an Envoy given, it needs no Python. (This image itself has none.)
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/envoy
RUN ENVOY_BIN=/usr/local/bin/envoy node scripts/setup.js \
 && containers/assemble.sh control-plane /opt/hedgerow \
 && mkdir -p /opt/hedgerow/node_modules/.bin \
 && ln -sf /usr/local/bin/node /opt/hedgerow/node_modules/.bin/node

FROM ${NODE_IMAGE}
COPY --from=build /opt/hedgerow /opt/hedgerow
ENV PATH=/opt/hedgerow/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Numeric, so that a kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["node", "/opt/hedgerow/control-plane/src/main.ts"]
