import type { Dialogue } from './types.ts';

/** Scripts whose particles and endings stand at the word, so that a name is where a word begins with it. */
const ENDINGS = /[\p{sc=Hangul}\p{sc=Beng}\p{sc=Deva}\p{sc=Thai}]/u;
const HAN = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]+$/u;
const ARABIC = /\p{sc=Arab}/u;

const escaped = (name: string): string =>
  name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('-', '[-\u2010\u2011 ]?');

/** Where a name stands in a text: by itself, with the endings and particles that its script writes at the word. */
export function placesOf(name: string): string {
  if (HAN.test(name)) return escaped(name);
  const begins = String.raw`(?<![\p{L}\p{M}\p{N}])`;
  if (ENDINGS.test(name)) return begins + escaped(name);
  // "and", "to", "by" and the like are single letters before the word.
  if (ARABIC.test(name)) return String.raw`${begins}(?<before>[وفبلك]{0,2})${escaped(name)}(?![\p{L}\p{M}])`;
  // The German genitive ("Annas"); Turkish and English set an apostrophe.
  return String.raw`${begins}${escaped(name)}(?=s?(?![\p{L}\p{M}\p{N}]))`;
}

/**
 * A text with the names of the dialogue's personas taken out: each stands for the speaker of its seat, as `speaker`
 * calls that one. In the letters' own case, since many names are words too. Other people's names stay, and so does what
 * a text itself tells of a country. NFC, on one line.
 */
export function anonymous(dialogue: Dialogue, speaker: (seat: number) => string): (text: string) => string {
  const names = dialogue.participants
    .flatMap(({ seat, persona }) => (persona ? [{ seat, name: persona.name.normalize('NFC') }] : []))
    .filter(({ name }) => name !== '')
    // The longer of two names that begin alike comes first.
    .sort((a, b) => b.name.length - a.name.length)
    .map(({ seat, name }) => ({ seat, place: new RegExp(placesOf(name), 'gu') }));
  return (text) =>
    names.reduce(
      (masked, { seat, place }) =>
        masked.replace(place, (_, before?: unknown) =>
          typeof before === 'string' ? before + speaker(seat) : speaker(seat),
        ),
      text.normalize('NFC').replace(/\s+/g, ' ').trim(),
    );
}
