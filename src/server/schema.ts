/** JSON Schema of 2020-12, as OpenAPI 3.1 has it. */
export type Schema = Record<string, unknown>;

export const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
export const truth = (description: string): Schema => ({ type: 'boolean', description });
export const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
export const time = (description: string): Schema => text(description, { format: 'date-time' });
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema.type, 'null'] });
/** Keys may be added to what is answered. */
export const object = (properties: Record<string, Schema>, optional: readonly string[] = []): Schema => ({
  type: 'object',
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  properties,
});
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
