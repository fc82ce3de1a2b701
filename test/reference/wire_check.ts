/** Checks bodies against the schemas of docs/asyncapi.yaml, looking into the JSON texts as a reader of the bus does. */
import { Ajv, type ErrorObject } from 'ajv';
import type { DataValidateFunction } from 'ajv/dist/types/index.js';
import { parse } from 'yaml';

type Schema = { readonly [key: string]: unknown };
type Document = {
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly messages: Readonly<
      Record<string, { readonly payload: Schema; readonly examples?: { payload: unknown }[] }>
    >;
  };
};

const SCHEMAS = '#/components/schemas/';

export class WireCheck {
  readonly document: Document;
  readonly #ajv = new Ajv({ strict: false, allErrors: true, formats: { uuid: true } });

  /** @param isClosed refuses fields that the document does not name, which it leaves open to readers. */
  constructor(text: string, isClosed = false) {
    this.document = parse(text);
    // ajv has it as a word without meaning.
    this.#ajv.removeKeyword('contentSchema');
    this.#ajv.addKeyword({
      keyword: 'contentSchema',
      type: 'string',
      errors: true,
      compile: (schema: Schema) => {
        const isRight = this.#ajv.compile(schema);
        const check: DataValidateFunction = (data: string) => {
          const isFitting = isRight(JSON.parse(data));
          check.errors = isRight.errors ?? [];
          return isFitting;
        };
        return check;
      },
    });
    for (const [name, schema] of Object.entries(this.document.components.schemas)) {
      this.#ajv.addSchema({ ...asIds(isClosed ? closed(schema) : schema), $id: name });
    }
    for (const [name, { payload }] of Object.entries(this.document.components.messages)) {
      this.#ajv.addSchema({ ...asIds(isClosed ? closed(payload) : payload), $id: `message ${name}` });
    }
  }

  get messageNames(): readonly string[] {
    return Object.keys(this.document.components.messages);
  }

  /** What is wrong with a body as a message of that name; empty where nothing is. */
  problems(message: string, body: string): readonly ErrorObject[] {
    this.#ajv.validate(`message ${message}`, JSON.parse(body));
    return this.#ajv.errors ?? [];
  }
}

/** References as ids of the schemas that were added: a `contentSchema` is compiled on its own. */
function asIds(schema: Schema): Schema {
  return copyOf(schema, (key, value) =>
    key === '$ref' && typeof value === 'string' ? value.replace(SCHEMAS, '') : value,
  );
}

/** Objects whose fields are all named, and that are no part of an `allOf`, take no others. */
function closed(schema: Schema): Schema {
  return copyOf(schema, (_key, value) => (hasAllFields(value) ? { additionalProperties: false, ...value } : value));
}

function hasAllFields(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || !('properties' in value)) return false;
  return 'type' in value && !('patternProperties' in value) && !('_msg_id' in Object(value.properties));
}

function copyOf(schema: Schema, change: (key: string, value: unknown) => unknown): Schema {
  return JSON.parse(JSON.stringify(schema, change));
}
