import type { z } from "zod";
import { accessPolicy } from "../kinds/access-policy.ts";
import { auditPolicy } from "../kinds/audit-policy.ts";
import { type CelRule, celMatches } from "../kinds/fields.ts";
import { meshConfig } from "../kinds/mesh-config.ts";
import { trafficPolicy } from "../kinds/traffic-policy.ts";
import { workload } from "../kinds/workload.ts";
import { statusSchema } from "./status.ts";
import { type StructuralSchema, structuralSchema } from "./structural.ts";

/** As apiextensions.k8s.io/v1 has it; what is read of it here and where it is compared. */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly scope: "Namespaced";
    readonly versions: readonly {
      readonly name: string;
      readonly served: true;
      readonly storage: true;
      readonly schema: { readonly openAPIV3Schema: StructuralSchema };
      readonly subresources: { readonly status: object };
      readonly additionalPrinterColumns: readonly Readonly<Record<string, unknown>>[];
    }[];
  };
}

interface Definition {
  readonly kind: "MeshConfig" | "Workload" | "AccessPolicy" | "AuditPolicy" | "TrafficPolicy";
  readonly plural: string;
  readonly shortName: string;
  readonly schema: z.ZodType;
  /** What `metadata.name` must be beyond what every object's must. */
  readonly name: Readonly<Record<string, unknown>>;
  readonly rules: readonly CelRule[];
}

const definitions: readonly Definition[] = [
  {
    kind: "MeshConfig",
    plural: "meshconfigs",
    shortName: "mesh",
    schema: meshConfig.shape.spec,
    name: { enum: ["mesh"] },
    rules: [],
  },
  {
    kind: "Workload",
    plural: "workloads",
    shortName: "wl",
    schema: workload.shape.spec,
    name: { maxLength: 63 },
    rules: [
      {
        rule: celMatches(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/).replace("self", "self.metadata.name"),
        message: "metadata.name must be lower-case letters, digits and '-', starting and ending with a letter or digit",
      },
    ],
  },
  {
    kind: "AccessPolicy",
    plural: "accesspolicies",
    shortName: "ap",
    schema: accessPolicy.shape.spec,
    name: {},
    rules: [],
  },
  {
    kind: "AuditPolicy",
    plural: "auditpolicies",
    shortName: "audit",
    schema: auditPolicy.shape.spec,
    name: {},
    rules: [],
  },
  {
    kind: "TrafficPolicy",
    plural: "trafficpolicies",
    shortName: "traffic",
    schema: trafficPolicy.shape.spec,
    name: {},
    rules: [],
  },
];

const printerColumns = [
  {
    name: "Effective",
    type: "string",
    description: "Whether the mesh does what it says",
    jsonPath: ".status.effective",
  },
  {
    name: "Proxies",
    type: "string",
    description: "Proxies that run it, of those that need it",
    jsonPath: ".status.proxies.summary",
  },
  {
    name: "Why",
    type: "string",
    description: "What keeps it from being in effect",
    // Of what is well only Programmed has words: how many proxies run it.
    jsonPath: '.status.conditions[?(@.message!="")].message',
    priority: 1,
  },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

/** The definitions of our kinds, as an API server is to have them. */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return definitions.map((definition) => customResourceDefinition(definition));
}

function customResourceDefinition({
  kind,
  plural,
  shortName,
  schema,
  name,
  rules,
}: Definition): CustomResourceDefinition {
  const spec = structuralSchema(schema);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.hedgerow.dev`, labels: { "app.kubernetes.io/part-of": "hedgerow" } },
    spec: {
      group: "hedgerow.dev",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["hedgerow"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          additionalPrinterColumns: printerColumns,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              ...(spec.description === undefined ? {} : { description: spec.description }),
              type: "object",
              required: ["spec"],
              ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }),
              "x-kubernetes-preserve-unknown-fields": true,
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: {
                  type: "object",
                  ...(Object.keys(name).length === 0 ? {} : { properties: { name: { type: "string", ...name } } }),
                },
                spec,
                status: statusSchema,
              },
            },
          },
        },
      ],
    },
  };
}
