import { describe, expect, test } from 'vitest';
import { confusionTable } from '../../src/evaluation/agreement.ts';
import { offStance } from '../../src/evaluation/off-stance.ts';
import { random } from '../../src/evaluation/random.ts';
import { breaks, type Answer, type Course } from '../../src/evaluation/stances.ts';
import { draw } from '../helpers/simulate.ts';

const answer = (side: number): Answer => ({ agreement: side / 2, place: side });

function course(dialogueKey: string, from: number, more: Partial<Course>): Course {
  return {
    ...{ dialogueKey, personaKey: dialogueKey, topicId: 'Q1', language: 'en', culture: 'turkish' },
    ...{ role: 'delegate', control: false, places: 3, assigned: answer(from), before: null, after: null },
    ...{ turns: [], ...more },
  };
}

/** Talks of three turns and as many controls; a share of the turns, and of the private answers, is off the stance. */
function held(n: number, off: number, alone: number, told: (side: number) => number, next: () => number) {
  return Array.from({ length: n }, (_, at) => {
    const from = next() < 0.5 ? 0 : 2;
    const side = (share: number) => (next() < share ? 2 - from : from);
    const turns = [0, 1, 2].map(() => answer(told(side(off))));
    return [
      course(`talk ${at}`, from, { turns }),
      course(`alone ${at}`, from, { control: true, before: answer(side(alone)), after: answer(side(alone)) }),
    ];
  }).flat();
}

const perfect = [
  [50, 0, 0],
  [0, 50, 0],
  [0, 0, 50],
];
const readers = (table: number[][]) => new Map([['en', table]]);

test('with a reader that never errs it is what was read', () => {
  const courses = held(200, 0.3, 0.1, (side) => side, random('perfect'));
  const found = offStance(courses, readers(perfect), 1, 200);
  const { dialogues, control } = breaks(courses).turns;
  expect(found?.treated).toBeCloseTo(dialogues as number, 12);
  expect(found?.control).toBeCloseTo(control as number, 12);
});

test('finds the share that is there where a reader takes agreement for disagreement more often than the other way', () => {
  const next = random('errs');
  const errs = [
    [0.95, 0, 0.05],
    [0.3, 0.4, 0.3],
    [0.3, 0.1, 0.6],
  ];
  const courses = held(4000, 0.2, 0.1, (side) => draw(errs[side] as number[], next), next);
  const items = errs.flatMap((row, truth) =>
    Array.from({ length: [4000, 1, 4000][truth] as number }, () => [truth, draw(row, next)] as const),
  );
  const found = offStance(courses, readers(confusionTable(items, [0, 1, 2])), 1, 60);
  expect(Math.abs((found?.asRead as number) - 0.1)).toBeGreaterThan(0.03);
  expect(Math.abs((found?.excess.estimate as number) - 0.1)).toBeLessThan(0.02);
});

describe('says nothing', () => {
  const courses = held(20, 0.2, 0.1, (side) => side, random('few'));
  test.each([
    ['without a calibration', courses, new Map([['en', 'not calibrated']])],
    ['with one of another language', courses, new Map([['de', perfect]])],
    [
      'of talks in several languages',
      courses.map((one, at) => ({ ...one, language: at % 4 === 0 ? 'de' : 'en' })),
      new Map([
        ['en', perfect],
        ['de', perfect],
      ]),
    ],
    ['without controls', courses.filter(({ control }) => !control), readers(perfect)],
    [
      'where no stance takes a side',
      courses.map((one) => ({ ...one, assigned: answer(1) })),
      readers(perfect),
    ],
  ])('%s', (_, some, known) => {
    expect(offStance(some, known, 1)).toBeNull();
  });
});
