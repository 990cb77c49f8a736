import type { StructuralSchema } from "./structural.ts";

const text = (description: string, maxLength?: number): StructuralSchema => ({
  description,
  type: "string",
  ...(maxLength === undefined ? {} : { maxLength }),
});
const whole = (description: string, format = "int32"): StructuralSchema => ({
  description,
  type: "integer",
  format,
  minimum: 0,
});

const condition: StructuralSchema = {
  type: "object",
  required: ["type", "status", "lastTransitionTime", "reason", "message"],
  properties: {
    type: text("Accepted, ResolvedRefs, Conflicted or Programmed.", 316),
    status: { description: "Whether it is so.", type: "string", enum: ["True", "False", "Unknown"] },
    observedGeneration: whole("The metadata.generation that it speaks of.", "int64"),
    lastTransitionTime: { description: "When its status last changed.", type: "string", format: "date-time" },
    reason: text("Why, in one word.", 1024),
    message: text("Why, for people.", 32_768),
  },
};

const laggard: StructuralSchema = {
  type: "object",
  required: ["nodeId", "reason", "message"],
  properties: {
    nodeId: text("NAMESPACE/NAME of the pod or Workload."),
    reason: text("Rejected, Disconnected or Pending."),
    message: text("Envoy's words where it refused, else ours."),
  },
};

/** What the control plane writes into an object's status. The same for every kind. */
export const statusSchema: StructuralSchema = {
  description: "Whether it took effect. Written by the control plane.",
  type: "object",
  properties: {
    observedGeneration: whole("The metadata.generation that this status speaks of.", "int64"),
    effective: text("Whether what the object says is what the mesh does: yes, partly or no."),
    conditions: {
      description: "Accepted, ResolvedRefs, Conflicted, Programmed.",
      type: "array",
      maxItems: 16,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: condition,
    },
    proxies: {
      description: "The proxies that need the object.",
      type: "object",
      properties: {
        total: whole("How many need it."),
        programmed: whole("How many of them run its current content."),
        summary: text("Both, as in 11/12."),
      },
    },
    laggards: {
      description: "Proxies that do not run its current content: the first of them.",
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "atomic",
      items: laggard,
    },
  },
};
