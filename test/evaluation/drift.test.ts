import { expect, test } from 'vitest';
import { confusionTable } from '../../src/evaluation/agreement.ts';
import { type DriftInput, excessDrift } from '../../src/evaluation/drift.ts';
import { random } from '../../src/evaluation/random.ts';
import { coverage, draw } from '../helpers/simulate.ts';

const reader = [
  [0.85, 0.1, 0.05],
  [0.15, 0.7, 0.15],
  [0.03, 0.12, 0.85],
];
const start = [0.4, 0.25, 0.35];

/** n dialogues of one to three personas, of whom a share really leaves its answer; the reader reads what they say. */
function group(n: number, moved: number, next: () => number) {
  return talks(n, moved, next, (side) => draw(reader[side] as number[], next));
}

/** The same where personas choose their answer, and nobody has to read it. */
const alone = (n: number, moved: number, next: () => number) => talks(n, moved, next, (side) => side);

function talks(n: number, moved: number, next: () => number, told: (side: number) => number) {
  return Array.from({ length: n }, () =>
    Array.from({ length: 1 + Math.floor(next() * 3) }, () => {
      const before = draw(start, next);
      const after = next() < moved ? (before + 1 + Math.floor(next() * 2)) % 3 : before;
      return { before, after: told(after) };
    }),
  );
}

function calibration(items: number, next: () => number) {
  const pairs = reader.flatMap((row, truth) =>
    Array.from({ length: items }, () => [truth, draw(row, next)] as const),
  );
  return confusionTable(pairs, [0, 1, 2]);
}

test('finds the drift that is there, where the readings alone show more', () => {
  const next = random('large');
  const input: DriftInput = {
    treated: group(8000, 0.3, next),
    control: alone(8000, 0.1, next),
    reader: calibration(8000, next),
  };
  const drift = excessDrift(input, 1, 40);
  expect(drift?.treated).toBeCloseTo(0.3, 1);
  expect(drift?.control).toBeCloseTo(0.1, 1);
  expect(Math.abs((drift?.excess.estimate as number) - 0.2)).toBeLessThan(0.02);
  expect(drift?.asRead).toBeGreaterThan(0.25);
});

test.each([
  [0, 0],
  [0.3, 0.05],
])('covers a drift of %f over %f 93 to 97 times in 100', (moved, controlMoved) => {
  const next = random('coverage', moved);
  const held = coverage(300, moved - controlMoved, (round) => {
    const input = { treated: group(80, moved, next), control: alone(80, controlMoved, next) };
    return excessDrift({ ...input, reader: calibration(60, next) }, round, 250)?.excess ?? null;
  });
  expect(held).toBeGreaterThan(0.93);
  expect(held).toBeLessThan(0.97);
});

const exact = [
  [50, 0, 0],
  [0, 50, 0],
  [0, 0, 50],
];
const still = Array.from({ length: 10 }, () => [{ before: 0, after: 0 }]);

test('a reader without errors leaves the readings as they are', () => {
  const treated = [
    ...still.slice(0, 6),
    ...Array.from({ length: 4 }, () => [
      { before: 0, after: 2 },
      { before: 1, after: 1 },
    ]),
  ];
  const drift = excessDrift({ treated, control: still, reader: exact }, 1);
  expect(drift?.treated).toBeCloseTo(4 / 14, 12);
  expect(drift?.control).toBe(0);
  expect(drift?.asRead).toBeCloseTo(4 / 14, 12);
  expect(drift?.excess.low).toBeGreaterThanOrEqual(0);
  expect(drift?.excess.high).toBeGreaterThan(4 / 14);
});

test('a loss of one’s own measures how far, or to which side', () => {
  const treated = still.map(() => [
    { before: 0, after: 2 },
    { before: 2, after: 1 },
  ]);
  const input: DriftInput = { treated, control: still, reader: exact };
  expect(excessDrift({ ...input, loss: (from, to) => Math.abs(to - from) }, 1)?.treated).toBeCloseTo(1.5, 12);
  expect(excessDrift({ ...input, loss: (from, to) => to - from }, 1)?.treated).toBeCloseTo(0.5, 12);
});

test('a reader that can’t tell two categories apart, or was tried on one of them only, corrects nothing', () => {
  const input = { treated: still, control: still } as const;
  expect(
    excessDrift(
      {
        ...input,
        reader: [
          [30, 30],
          [30, 30],
        ],
      },
      1,
    ),
  ).toBeNull();
  expect(
    excessDrift(
      {
        ...input,
        reader: [
          [30, 3],
          [0, 0],
        ],
      },
      1,
    ),
  ).toBeNull();
  // Two items a category: in one resample of eight the two rows are drawn alike.
  expect(
    excessDrift(
      {
        ...input,
        reader: [
          [1, 1],
          [0, 2],
        ],
      },
      1,
    ),
  ).toBeNull();
});

test('too few dialogues and unknown categories are refused', () => {
  const input: DriftInput = { treated: still, control: still, reader: exact };
  expect(() => excessDrift({ ...input, control: [[], [{ before: 0, after: 0 }]] }, 1)).toThrow(
    'two dialogues',
  );
  expect(() => excessDrift({ ...input, control: [...still, [{ before: 0, after: 3 }]] }, 1)).toThrow(
    'no category 3 of 3',
  );
});

test('is the same for the same seed', () => {
  const next = random('seed');
  const input: DriftInput = {
    treated: group(30, 0.3, next),
    control: alone(30, 0, next),
    reader: calibration(40, next),
  };
  expect(excessDrift(input, 5)).toEqual(excessDrift(input, 5));
  expect(excessDrift(input, 6)?.excess).not.toEqual(excessDrift(input, 5)?.excess);
});
