/** Text that every database can hold: no NUL (PostgreSQL has none), no lone surrogates (UTF-8 has none). */
export function cleanText(text: string): string {
  return text.replaceAll('\u0000', '\uFFFD').toWellFormed();
}
