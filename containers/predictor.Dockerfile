# The predictor on CPUs, with the digits models of the demo; mount your own and set HEDGEROW_MODELS. NOT RUN: no container
# builder and no registry were at hand; what is in assemble.sh was.
# NODE_IMAGE and ENVOY_IMAGE have no default, since their digests could not be verified: README.md says how to learn them.
#   docker build -f containers/predictor.Dockerfile --build-arg NODE_IMAGE=… --build-arg ENVOY_IMAGE=… -t … .
ARG NODE_IMAGE
ARG ENVOY_IMAGE
FROM ${ENVOY_IMAGE} AS envoy

FROM ${NODE_IMAGE} AS build
WORKDIR /checkout
COPY . .
# Set-up generates code; with an Envoy given, it needs no Python. (This image itself has none.)
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/envoy
RUN ENVOY_BIN=/usr/local/bin/envoy node scripts/setup.js \
 && containers/assemble.sh predictor /opt/hedgerow \
 && mkdir -p /opt/hedgerow/node_modules/.bin \
 && ln -sf /usr/local/bin/node /opt/hedgerow/node_modules/.bin/node

FROM ${NODE_IMAGE}
COPY --from=build /opt/hedgerow /opt/hedgerow
# onnxruntime has telemetry: off, before anything loads it.
ENV PATH=/opt/hedgerow/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ORT_DISABLE_TELEMETRY=1 \
    HEDGEROW_MODELS=/opt/hedgerow/predictor/models
# Numeric, so that a kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["node", "/opt/hedgerow/predictor/src/main.ts"]
