import type { Option, Polarity } from '../survey/types.ts';

/** A persona's answer among those that people in its country were offered; the label in the dialogue's language. */
export interface Answered {
  code: number;
  label: string;
  options: readonly Option[];
}

/** What a request tells the scripted model beside its messages, one shape a kind of call. `seed` varies the reply. */
export type Rehearsal =
  | {
      kind: 'turn';
      seed: string;
      language: string;
      theme: string;
      statement: string;
      /** Null where the persona has no stance. */
      answer: Answered | null;
      idx: number;
      /** Agreement (0 to 1) of the speaker that was heard last; null when nobody spoke or without stance. */
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
      answer: Answered | null;
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
      options: readonly (Pick<Option, 'code' | 'agreement'> & { letter: string })[];
    }
  | {
      kind: 'rewrite';
      seed: string;
      language: string;
      theme: string;
      statement: string;
      opinions: readonly string[];
      answers: readonly (Answered | null)[];
    };

/** The side of the statement that an agreement between 0 and 1 takes. */
export function polarityOf(agreement: number): Exclude<Polarity, 'unknown'> {
  return agreement > 0.5 ? 'agree' : agreement < 0.5 ? 'disagree' : 'middle';
}
