import { describe, expect, test } from 'vitest';
import type { LedgerRow } from '../../src/dialogue/types.ts';
import { persuasion } from '../../src/evaluation/persuasion.ts';
import { breaks, convergence, coursesOf, drift, rankStability } from '../../src/evaluation/stances.ts';

/** Ledger rows of one persona on a scale of five answers, by place (null: no position); private before, turns, private after. */
function rowsOf(
  dialogueKey: string,
  personaKey: string,
  answers: { assigned?: number; before?: number; turns?: (number | null)[]; after?: number },
  more: Partial<LedgerRow> = {},
): LedgerRow[] {
  const control = more.protocol === 'control';
  const row = (moment: LedgerRow['moment'], idx: number | null, place: number | null): LedgerRow => ({
    ...{
      dialogueKey,
      dialogueId: dialogueKey,
      personaKey,
      personaId: personaKey,
      topicId: 'Q33',
      language: 'en',
      arm: 'main',
    },
    ...{
      protocol: 'debate',
      culture: 'turkish',
      country: 'TUR',
      role: 'delegate',
      places: 5,
    },
    ...{ moment, idx, place, code: place, agreement: place === null ? null : place / 4 },
    ...more,
  });
  const { assigned, before, turns = [], after } = answers;
  return [
    ...(assigned === undefined ? [] : [row('assigned', null, assigned)]),
    ...(before === undefined ? [] : [row(control ? 'control-first' : 'private-before', 0, before)]),
    ...turns.map((place, at) => row('turn', at + 1, place)),
    ...(after === undefined ? [] : [row(control ? 'control-second' : 'private-after', 9, after)]),
  ];
}
const control = { protocol: 'control' };

describe('drift', () => {
  const courses = coursesOf([
    ...rowsOf('a', 'one', { before: 4, after: 3 }),
    ...rowsOf('a', 'two', { before: 3, after: 0 }),
    ...rowsOf('b', 'three', { before: 1, after: 1 }),
    ...rowsOf('c', 'silent', { before: 1 }),
    ...rowsOf('k', 'one', { before: 4, after: 3 }, control),
    ...rowsOf('k', 'two', { before: 3, after: 3 }, control),
  ]);

  test('is in places of the persona’s scale, and as a share of it; only who answered twice counts', () => {
    expect(drift(courses).personas).toEqual([
      { dialogueKey: 'a', personaKey: 'one', control: false, moved: -1, share: -0.25, crossed: false },
      { dialogueKey: 'a', personaKey: 'two', control: false, moved: -3, share: -0.75, crossed: true },
      { dialogueKey: 'b', personaKey: 'three', control: false, moved: 0, share: 0, crossed: false },
      { dialogueKey: 'k', personaKey: 'one', control: true, moved: -1, share: -0.25, crossed: false },
      { dialogueKey: 'k', personaKey: 'two', control: true, moved: 0, share: 0, crossed: false },
    ]);
  });

  test('has the control’s value beside it, and what it is more', () => {
    const { towards, distance, moved, crossed } = drift(courses);
    expect(towards).toEqual({ dialogues: -1 / 3, control: -0.125, excess: -1 / 3 + 0.125 });
    expect(distance).toEqual({ dialogues: 1 / 3, control: 0.125, excess: 1 / 3 - 0.125 });
    expect(moved).toEqual({ dialogues: 2 / 3, control: 0.5, excess: 2 / 3 - 0.5 });
    expect(crossed).toEqual({ dialogues: 1 / 3, control: 0, excess: 1 / 3 });
  });

  test('without a control, or without an answer, gives no excess instead of a zero', () => {
    expect(drift(courses.filter((course) => !course.control)).moved).toEqual({
      dialogues: 2 / 3,
      control: null,
      excess: null,
    });
    expect(drift([]).moved).toEqual({ dialogues: null, control: null, excess: null });
  });

  test('is that of places, not of codes: answers without an order have none', () => {
    const [course] = coursesOf(rowsOf('a', 'one', { before: 4, after: 3 }, { place: null, agreement: null }));
    expect(course).toMatchObject({ before: null, after: null });
  });
});

describe('breaks', () => {
  const courses = coursesOf([
    ...rowsOf('a', 'firm', { assigned: 4, turns: [4, 3, null] }),
    ...rowsOf('a', 'breaks', { assigned: 0, turns: [0, 3, 2, 4] }),
    ...rowsOf('b', 'middle', { assigned: 2, turns: [0, 4] }),
    ...rowsOf('b', 'silent', { assigned: 1, turns: [null, null] }),
    ...rowsOf('k', 'breaks', { assigned: 0, before: 0, after: 3 }, control),
  ]);

  test('are turns on the other side; the middle, or no position, is none', () => {
    expect(breaks(courses).personas).toEqual([
      { dialogueKey: 'a', personaKey: 'firm', turns: 3, positions: 2, off: 0 },
      { dialogueKey: 'a', personaKey: 'breaks', turns: 4, positions: 4, off: 2 },
      { dialogueKey: 'b', personaKey: 'silent', turns: 2, positions: 0, off: 0 },
    ]);
  });

  test('are shares of the turns with a position and of the personas, beside the controls’ answers', () => {
    const { turns, some } = breaks(courses);
    expect(turns).toEqual({ dialogues: 2 / 6, control: 1 / 2, excess: 2 / 6 - 1 / 2 });
    expect(some).toEqual({ dialogues: 1 / 2, control: 1, excess: -1 / 2 });
  });

  test('go by the readings after the end, and by those in the dialogue where there are no others', () => {
    const spoken = rowsOf('a', 'one', { assigned: 4, turns: [0, 0] }).map((row): LedgerRow =>
      row.moment === 'turn' ? { ...row, moment: 'check' } : row,
    );
    expect(breaks(coursesOf(spoken)).personas[0]?.off).toBe(2);
    const both = [...spoken, ...rowsOf('a', 'one', { turns: [4] })];
    expect(breaks(coursesOf(both)).personas[0]).toMatchObject({ turns: 1, off: 0 });
  });
});

test('convergence is the distance before less the distance after, of the pairs of a dialogue', () => {
  const courses = coursesOf([
    ...rowsOf('a', 'one', { before: 4, after: 3 }),
    ...rowsOf('a', 'two', { before: 0, after: 1 }),
    ...rowsOf('alone', 'three', { before: 0, after: 4 }),
    ...rowsOf('k', 'one', { before: 4, after: 4 }, control),
    ...rowsOf('k', 'two', { before: 0, after: 1 }, control),
  ]);
  expect(convergence(courses)).toEqual({
    dialogues: [
      { dialogueKey: 'a', control: false, before: 1, after: 0.5 },
      { dialogueKey: 'k', control: true, before: 1, after: 0.75 },
    ],
    closer: { dialogues: 0.5, control: 0.25, excess: 0.25 },
  });
});

test('convergence compares two scales by their shares', () => {
  const three = { places: 3 };
  const courses = coursesOf([
    ...rowsOf('a', 'one', { before: 4, after: 4 }),
    ...rowsOf('a', 'two', { before: 0, after: 2 }, three),
  ]);
  expect(convergence(courses).dialogues).toEqual([{ dialogueKey: 'a', control: false, before: 1, after: 0 }]);
});

test('rank stability is the correlation within a topic, not across topics', () => {
  const courses = coursesOf([
    ...rowsOf('a', 'one', { before: 0, after: 1 }),
    ...rowsOf('b', 'two', { before: 2, after: 3 }),
    ...rowsOf('c', 'three', { before: 4, after: 4 }, { topicId: 'Q28' }),
    ...rowsOf('k', 'one', { before: 0, after: 0 }, control),
  ]);
  const asked: unknown[] = [];
  const found = rankStability(courses, (before, after) => {
    asked.push([before, after]);
    return before.length < 2 ? null : 0.8;
  });
  expect(asked).toEqual([
    [
      [0, 0.5],
      [0.25, 0.75],
    ],
    [[1], [1]],
    [[0], [0]],
  ]);
  expect(found.topics).toEqual([{ topicId: 'Q33', control: false, personas: 2, stability: 0.8 }]);
  expect(found.mean).toEqual({ dialogues: 0.8, control: null, excess: null });
});

describe('who persuaded whom', () => {
  const english = (table: readonly (readonly number[])[]) => new Map([['en', table]]);
  // For the statement speaks the main contact, against it the delegate, who gives way by a quarter of the scale.
  const rows = [
    ...rowsOf(
      'a',
      'host',
      { before: 4, turns: [4, 3], after: 4 },
      { culture: 'english', role: 'main_contact' },
    ),
    ...rowsOf('a', 'guest', { before: 1, turns: [0, 1], after: 2 }),
    ...rowsOf('k', 'guest', { before: 1, after: 1 }, control),
  ];
  const perfect = [
    [9, 0, 0],
    [0, 9, 0],
    [0, 0, 9],
  ];

  test('is not computed without a calibrated reader, and says why', () => {
    expect(persuasion(coursesOf(rows), new Map())).toEqual({
      pulls: null,
      reason: 'the reader is not calibrated (dialogues in en)',
    });
  });

  test('is not computed where one language has no calibrated reader, and says which', () => {
    const german = rowsOf('d', 'gast', { before: 1, turns: [0], after: 2 }, { language: 'de' });
    const readers = new Map<string, number[][] | string>([
      ['en', perfect],
      ['de', 'no better than chance'],
    ]);
    expect(persuasion(coursesOf([...rows, ...german]), readers)).toEqual({
      pulls: null,
      reason: 'the reader is no better than chance (dialogues in de)',
    });
    expect(persuasion(coursesOf(rows), readers).pulls).toHaveLength(2);
  });

  test('is not computed where the reader tells two sides apart no better than chance', () => {
    const blind = [
      [5, 0, 5],
      [0, 9, 0],
      [5, 0, 5],
    ];
    expect(persuasion(coursesOf(rows), english(blind)).pulls).toBeNull();
    expect(persuasion(coursesOf(rows), english([[1], [0], [1]])).pulls).toBeNull();
    expect(persuasion(coursesOf(rows), english([[0, 0, 0], ...perfect.slice(1)])).pulls).toBeNull();
  });

  test('is the move to the other’s side, less what the same persona moved with no talk between', () => {
    expect(persuasion(coursesOf(rows), english(perfect))).toEqual({
      pulls: [
        {
          from: 'english main contact',
          to: 'turkish delegate',
          pairs: 1,
          pull: 0.25,
          control: 0,
          excess: 0.25,
        },
        {
          from: 'turkish delegate',
          to: 'english main contact',
          pairs: 1,
          pull: 0,
          control: null,
          excess: null,
        },
      ],
    });
  });

  test('counts what a reader that errs leaves of a side at its true size, on average', () => {
    // It takes a third of each side for the other: read shares give a third of the true difference of sides.
    const errs = [
      [6, 0, 3],
      [0, 9, 0],
      [3, 0, 6],
    ];
    const seen = (turns: number[]) =>
      coursesOf([
        ...rowsOf('a', 'host', { before: 4, turns, after: 4 }, { culture: 'english', role: 'main_contact' }),
        ...rowsOf('a', 'guest', { before: 1, turns: [], after: 2 }),
      ]);
    // Of three turns for the statement such a reader reads one against it.
    const { pulls } = persuasion(seen([4, 4, 0]), english(errs));
    expect(pulls?.[0]?.pull).toBeCloseTo(0.25, 10);
  });

  test('needs a turn with a position', () => {
    const silent = rows.filter(({ moment, personaKey }) => moment !== 'turn' || personaKey === 'guest');
    expect(persuasion(coursesOf(silent), english(perfect)).pulls?.map(({ from }) => from)).toEqual([
      'turkish delegate',
    ]);
  });
});
