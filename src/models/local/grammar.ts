import { ModelFault } from '../port.ts';

/** A sentence's tokens when the reply's length is planned, and the room that a next sentence needs. */
export const sentenceTokens = 45;

/** Character classes of the grammars: what ends a sentence, and what plain talk has no use for. */
const ends = '.!?。！？؟۔।';
const never = String.raw`…\n\r\t<>*#|=_\x60\[\]{}~\\`;

/** A text that ends as a sentence does. */
export const sentenceEnd = /[.!?。！？؟۔।]["'”’»)」』]?$/u;

/**
 * Grammar (GBNF) of plain sentences on one line, as many as the token limit holds: a small model neither runs into
 * the limit in mid-sentence nor trails off in dots, nor writes headings, lists, markup or stage directions. A dot
 * inside a word (3.5, U.S.) ends no sentence.
 */
export function sentenceGrammar(maxTokens: number): string {
  const count = Math.max(1, Math.floor(maxTokens / sentenceTokens));
  return [
    `root ::= sentence (space sentence){0,${count - 1}}`,
    `space ::= " "?`,
    `sentence ::= first char{7,400} ("?!" | [${ends}]) ["'”’»)」』]?`,
    `first ::= [^ ,;:)(${ends}${never}-]`,
    `char ::= [^${ends}${never}] | [0-9] "." [0-9] | [A-Z] "." [A-Z] "."`,
  ].join('\n');
}

type JsonSchema = Record<string, unknown>;

/**
 * Grammar (GBNF) of a JSON schema as `z.toJSONSchema` writes it: objects (every property, in order), arrays, enums,
 * constants, unions, strings, numbers. It holds no more than the token limit: first arrays are kept short, then strings.
 * From a small model each list has an item and each longer string is one sentence: left free, the default model gave
 * empty lists and quotes like `,`; so, two quotes in three stood in the conversation (measured).
 *
 * @throws ModelFault `bad-request` for a schema with other parts.
 */
export function jsonGrammar(root: JsonSchema, maxTokens: number, small: boolean): string {
  let chars = 240;
  let items = 32;
  const literal = (value: unknown) => JSON.stringify(JSON.stringify(value));
  const propertiesOf = (schema: JsonSchema) =>
    Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const leastOf = (schema: JsonSchema) =>
    (schema.minItems ?? (small && schema.maxItems !== 0 ? 1 : 0)) as number;
  const mostOf = (schema: JsonSchema) =>
    Math.max(leastOf(schema), Math.min(items, (schema.maxItems ?? items) as number));
  const lengthOf = (schema: JsonSchema) => Math.floor(Math.min(chars, (schema.maxLength ?? chars) as number));
  const choicesOf = (schema: JsonSchema) => {
    const types = Array.isArray(schema.type)
      ? schema.type.map((type: unknown) => ({ ...schema, type }))
      : undefined;
    return (schema.anyOf ?? schema.oneOf ?? types) as JsonSchema[] | undefined;
  };

  /** Most tokens of a value; a token is taken to hold three characters, which is few. */
  function cost(schema: JsonSchema): number {
    const choices = choicesOf(schema);
    if (choices) return Math.max(...choices.map(cost));
    if (schema.type === 'object') return propertiesOf(schema).reduce((sum, [, of]) => sum + 5 + cost(of), 2);
    if (schema.type === 'array') return 2 + mostOf(schema) * (1 + cost(schema.items as JsonSchema));
    return schema.type === 'string' && !schema.enum && !('const' in schema) ? 2 + lengthOf(schema) / 3 : 4;
  }

  function rule(schema: JsonSchema): string {
    const choices = choicesOf(schema);
    if ('const' in schema) return literal(schema.const);
    if (Array.isArray(schema.enum)) return `(${schema.enum.map(literal).join(' | ')})`;
    if (choices) return `(${choices.map(rule).join(' | ')})`;
    switch (schema.type) {
      case 'object': {
        const properties = propertiesOf(schema).map(([key, of]) => `${literal(key)} ": " ${rule(of)}`);
        return `"{" ${properties.join(' ", " ')} "}"`;
      }
      case 'array': {
        const [least, most, item] = [leastOf(schema), mostOf(schema), rule(schema.items as JsonSchema)];
        const list = `${item} (", " ${item}){${Math.max(0, least - 1)},${most - 1}}`;
        return most === 0 ? '"[]"' : `"[" ${least > 0 ? list : `(${list})?`} "]"`;
      }
      case 'string': {
        const most = lengthOf(schema);
        const least = Math.min(most, (schema.minLength ?? 0) as number);
        if (!small || most < 40) return `"\\"" char{${least},${most}} "\\""`;
        return `"\\"" start text{${Math.max(7, least - 2)},${most - 2}} [${ends}] "\\""`;
      }
      case 'integer': {
        const [low, high] = [schema.minimum as number, schema.maximum as number];
        if (high - low < 100)
          return `(${Array.from({ length: high - low + 1 }, (_, i) => `"${low + i}"`).join(' | ')})`;
        return low >= 0 ? '("0" | [1-9] [0-9]{0,8})' : '("0" | "-"? [1-9] [0-9]{0,8})';
      }
      case 'number':
        return '("-"? ("0" | [1-9] [0-9]{0,8}) ("." [0-9]{1,4})?)';
      case 'boolean':
        return '("true" | "false")';
      case 'null':
        return '"null"';
      default:
        throw new ModelFault(
          'bad-request',
          `Local models know no JSON schema like ${JSON.stringify(schema).slice(0, 80)}.`,
        );
    }
  }

  while (cost(root) > maxTokens && (items > 1 || chars > 24)) {
    if (items > 3 || (items > 1 && chars < 100)) items--;
    else chars /= 1.25;
  }
  return `root ::= ${rule(root)}\nstart ::= [A-ZÀ-Þ\\u0370-\\u1FFF\\u3040-\\uFFFF]\ntext ::= [^${ends}${never}"()]\nchar ::= [^"\\\\\\x00-\\x1F\\x7F] | "\\\\" ["\\\\/n]`;
}
