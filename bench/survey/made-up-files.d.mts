export const topics: string[];
export const shippedCountries: Map<string, number>;
export function wvs7Columns(columns?: number): [string, string][];
export interface Wvs7Options {
  countries?: string[];
  respondents?: number;
  columns?: number;
  delimiter?: string;
  labels?: boolean;
  quotes?: boolean;
  bom?: boolean;
  newline?: string;
  town?: string;
  decimalComma?: boolean;
  header?: (names: string[]) => string[];
  row?: (fields: (string | number)[], number: number, names: string[]) => (string | number)[];
}
export function writeWvs7(path: string, options?: Wvs7Options): Map<string, Map<number, number>>;
export function correlatedRow(loading?: number): NonNullable<Wvs7Options['row']>;
export interface Question {
  question: string;
  options: string | unknown[];
  selections: string | Record<string, unknown>;
  source: string;
}
export function writeGlobalOpinions(path: string, questions: Iterable<Question>): void;
export function python(value: unknown): string;
