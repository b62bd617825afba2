import type { Polarity } from '../survey/types.ts';

/** What a request tells the scripted model beside its messages, one shape a kind of call. `seed` varies the reply. */
export type Rehearsal =
  | {
      kind: 'turn';
      seed: string;
      language: string;
      theme: string;
      statement: string;
      /** 0 (against the statement) to 1 (for it); null where the persona has no stance. */
      agreement: number | null;
      idx: number;
      /** Agreement of the speaker that was heard last; null when nobody spoke or without stance. */
      otherAgreement: number | null;
      country: string;
      sentences: number;
    }
  | { kind: 'moderator'; seed: string; language: string; statement: string; idx: number }
  | {
      kind: 'private';
      seed: string;
      language: string;
      theme: string;
      statement: string;
      agreement: number | null;
      codes: readonly number[];
      code: number | null;
    }
  | {
      kind: 'extract';
      /** The sentences that a quote can be chosen from; null where it is copied. */
      choices: readonly string[] | null;
      /** What is asked beside the words of an opinion, by class its subtypes. */
      asks: readonly string[];
      subtypes: Readonly<Record<string, readonly string[]>>;
      seed: string;
      turns: readonly { idx: number; text: string }[];
      language: string;
      statement: string;
    }
  | {
      kind: 'verify';
      seed: string;
      language: string;
      opinions: readonly { text: string; rewritten: boolean }[];
      /** Null where the answers take no sides. */
      agreements: readonly (number | null)[];
    }
  | { kind: 'gate'; seed: string }
  | {
      kind: 'read';
      seed: string;
      language: string;
      texts: readonly { name: string; text: string }[];
      options: readonly { letter: string; agreement: number | null }[];
    }
  | {
      kind: 'rewrite';
      seed: string;
      language: string;
      theme: string;
      statement: string;
      opinions: readonly string[];
      agreements: readonly (number | null)[];
    };

/** The side of the statement that an agreement between 0 and 1 takes. */
export function polarityOf(agreement: number): Exclude<Polarity, 'unknown'> {
  return agreement > 0.5 ? 'agree' : agreement < 0.5 ? 'disagree' : 'middle';
}
