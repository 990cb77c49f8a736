// What the readers beside this file read, for lists in protobuf. Field numbers: k8s.io/api and k8s.io/apimachinery,
// generated.proto; they never change.
import type { Shape } from "../kubernetes/protobuf.ts";

/** All that is read of a pod: one that is missing here would count only once the pod changes. */
const annotations = ["hedgerow.dev/drain", "hedgerow.dev/inbound-ports", "hedgerow.dev/exclude-inbound-ports"];

const metadata: Shape = {
  1: { name: "name", type: "text" },
  3: { name: "namespace", type: "text" },
  5: { name: "uid", type: "text" },
  6: { name: "resourceVersion", type: "text" },
  7: { name: "generation", type: "number" },
  8: { name: "creationTimestamp", type: "time" },
  9: { name: "deletionTimestamp", type: "time" },
  11: { name: "labels", type: "textMap" },
  12: { name: "annotations", type: "textMap", keys: annotations },
};

const container: Shape = {
  1: { name: "name", type: "text" },
  6: {
    name: "ports",
    type: "messages",
    shape: {
      1: { name: "name", type: "text" },
      3: { name: "containerPort", type: "number" },
      4: { name: "protocol", type: "text" },
    },
  },
  24: { name: "restartPolicy", type: "text" },
};

/** What `readPod` reads. */
export const podShape: Shape = {
  1: { name: "metadata", type: "message", shape: metadata },
  2: {
    name: "spec",
    type: "message",
    shape: {
      2: { name: "containers", type: "messages", shape: container },
      8: { name: "serviceAccountName", type: "text" },
      10: { name: "nodeName", type: "text" },
      20: { name: "initContainers", type: "messages", shape: container },
    },
  },
  3: {
    name: "status",
    type: "message",
    shape: { 1: { name: "phase", type: "text" }, 6: { name: "podIP", type: "text" } },
  },
};

/** What `readService` reads. */
export const serviceShape: Shape = {
  1: { name: "metadata", type: "message", shape: metadata },
  2: {
    name: "spec",
    type: "message",
    shape: {
      1: {
        name: "ports",
        type: "messages",
        shape: {
          1: { name: "name", type: "text" },
          2: { name: "protocol", type: "text" },
          3: { name: "port", type: "number" },
          4: { name: "targetPort", type: "intOrString" },
          6: { name: "appProtocol", type: "text" },
        },
      },
      2: { name: "selector", type: "textMap" },
      3: { name: "clusterIP", type: "text" },
      4: { name: "type", type: "text" },
      18: { name: "clusterIPs", type: "texts" },
    },
  },
};

/** What `readEndpointSlice` reads. */
export const endpointSliceShape: Shape = {
  1: { name: "metadata", type: "message", shape: metadata },
  2: {
    name: "endpoints",
    type: "messages",
    shape: {
      1: { name: "addresses", type: "texts" },
      2: {
        name: "conditions",
        type: "message",
        shape: { 1: { name: "ready", type: "boolean" }, 3: { name: "terminating", type: "boolean" } },
      },
      4: {
        name: "targetRef",
        type: "message",
        shape: {
          1: { name: "kind", type: "text" },
          2: { name: "namespace", type: "text" },
          3: { name: "name", type: "text" },
        },
      },
    },
  },
  3: {
    name: "ports",
    type: "messages",
    shape: {
      1: { name: "name", type: "text" },
      2: { name: "protocol", type: "text" },
      3: { name: "port", type: "number" },
    },
  },
  4: { name: "addressType", type: "text" },
};
