/** zod's JSON Schema as AsyncAPI 3.0 takes it: draft-07 and no `$schema` on each of many parts. Pure. */
import { z } from 'zod';

export type Json = { readonly [key: string]: unknown };

export const ref = (section: string, name: string): Json => ({ $ref: `#/components/${section}/${name}` });

/** What a sender may write: what has a default may be left out, what is not named is refused. */
export function inputSchema(schema: z.ZodType): Json {
  return plain(z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }));
}

/** What a reader gets. A later minor version may add fields, so others than those named are not excluded. */
export function outputSchema(schema: z.ZodType): Json {
  return plain(
    z.toJSONSchema(schema, {
      target: 'draft-7',
      io: 'output',
      override: ({ jsonSchema }) => {
        if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // Of a TypeScript type, not of the wire; and a default is nothing to one who reads what is always there.
        delete jsonSchema.readOnly;
        delete jsonSchema.default;
      },
    }),
  );
}

function plain(schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema'));
}

/** A text that is JSON itself; JSON Schema's own words for it (`contentSchema` since 2019-09). */
export function jsonText(schema: Json, about: string): Json {
  return { type: 'string', description: about, contentMediaType: 'application/json', contentSchema: schema };
}
