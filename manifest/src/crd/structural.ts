import { z } from "zod";

/** What is read of the JSON Schema that zod makes; whatever else it should say one day stops the generator. */
const jsonSchema = z.strictObject({
  type: z.enum(["object", "array", "string", "integer", "boolean"]),
  description: z.string().optional(),
  default: z.json().optional(),
  nullable: z.literal(true).optional(),
  enum: z.array(z.string()).optional(),
  minLength: z.int().optional(),
  maxLength: z.int().optional(),
  // Said by the rule in CEL beside it, in our words.
  pattern: z.string().optional(),
  minimum: z.int().optional(),
  maximum: z.int().optional(),
  minItems: z.int().optional(),
  maxItems: z.int().optional(),
  required: z.array(z.string()).optional(),
  // Said by the webhook, with the names that were meant.
  additionalProperties: z.literal(false).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  "x-kubernetes-list-type": z.literal("map").optional(),
  "x-kubernetes-list-map-keys": z.array(z.string()).optional(),
  "x-kubernetes-validations": z.array(z.strictObject({ rule: z.string(), message: z.string() })).optional(),
});

/** A structural schema of OpenAPI v3, as a CustomResourceDefinition holds it. */
export interface StructuralSchema {
  readonly description?: string;
  readonly type: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly [keyword: string]: unknown;
}

const maxInt32 = 2 ** 31 - 1;

/** The structural schema of what people write for a zod schema. Throws where a schema says what none can say. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return structural(z.toJSONSchema(schema, { io: "input", target: "openapi-3.0" }));
}

function structural(from: unknown): StructuralSchema {
  const { pattern, additionalProperties: _closed, properties, items, required, ...schema } = jsonSchema.parse(from);
  if (pattern !== undefined && schema["x-kubernetes-validations"] === undefined)
    throw new Error(`a pattern without a rule in CEL: ${pattern}`);
  const { description, type, ...rest } = schema;
  return {
    ...(description === undefined ? {} : { description }),
    type,
    ...(type === "integer" ? { format: (schema.maximum ?? Infinity) <= maxInt32 ? "int32" : "int64" } : {}),
    ...rest,
    ...(type === "array" && rest["x-kubernetes-list-type"] === undefined ? { "x-kubernetes-list-type": "atomic" } : {}),
    ...(type === "array" ? { items: structural(items) } : {}),
    ...(required === undefined ? {} : { required }),
    ...(type === "object" ? members(properties) : {}),
  };
}

function members(properties: Readonly<Record<string, unknown>> = {}) {
  return {
    // Else an API server drops a field that it does not know before anybody can refuse it: a misspelt condition of an
    // AccessPolicy would be no condition at all.
    "x-kubernetes-preserve-unknown-fields": true,
    properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, structural(inner)])),
  };
}
