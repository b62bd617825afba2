import { checkStance } from '../dialogue/check-stance.ts';
import { planTextReadings, planTurnReadings, type ReadingRequest } from '../dialogue/reader.ts';
import type { Dialogue, Turn } from '../dialogue/types.ts';
import type { ChatRequest } from '../models/port.ts';
import type { StageName } from '../refinement/types.ts';
import { cellOf, partOf, type CellKey, type Part, type Range, type Weight } from './load.ts';
import { readerSetting, type Props } from './stage.ts';

/** Output tokens an answer of the reader. */
const ANSWER = { low: 1.5, high: 16 };

/** What the reader is asked about a dialogue with these turns, after its end: its turns, and its opinions. */
export function readingsOf(
  dialogue: Dialogue,
  turns: readonly Turn[],
  props: Props,
  weighed: (request: ChatRequest) => Weight,
): Map<CellKey, Part> {
  const { readings, refinement } = props.scenario;
  const setting = readerSetting(props);
  const delegates = turns.filter(
    ({ kind, seat }) => kind === 'public' && dialogue.participants[seat]?.role === 'delegate',
  );
  // An opinion for half of the turns, or as long ones for each, or two where they are copied.
  const opinions = (times: number, words: number): ReadingRequest<number>[] => {
    const many = Array.from({ length: Math.ceil(delegates.length * times) }, (_, at) => at);
    const texts = many.map((subject) => ({
      subject,
      seat: delegates[subject % delegates.length]?.seat ?? 0,
      text: 'word '.repeat(words),
    }));
    return planTextReadings(dialogue, texts, setting);
  };
  const stages = new Map<CellKey, Part>();
  const stage = (
    name: StageName,
    low: readonly ReadingRequest<unknown>[],
    high: readonly ReadingRequest<unknown>[],
  ): void => {
    if (high.length === 0) return;
    const sum = (
      all: readonly ReadingRequest<unknown>[],
      of: (one: ReadingRequest<unknown>) => number,
    ): number => all.reduce((total, one) => total + of(one), 0);
    const range = (of: (one: ReadingRequest<unknown>, end: keyof Range) => number): Range => ({
      low: sum(low, (one) => of(one, 'low')),
      high: sum(high, (one) => of(one, 'high')),
    });
    const weight = {
      base: range(({ request }, end) => weighed(request).base[end]),
      heard: range(({ request }, end) => weighed(request).heard[end]),
    };
    const said = range(({ asked }, end) => asked.size * ANSWER[end]);
    stages.set(cellOf(name, 'reader'), partOf(weight, said, { low: low.length, high: high.length }));
  };
  if (readings.turns) {
    const asked = planTurnReadings(dialogue, turns, setting);
    stage('read_turns', asked, asked);
  }
  if (readings.opinions)
    stage('read_opinions', opinions(0.5, 12), opinions(refinement.quotes === 'copy' ? 2 : 1, 40));
  return stages;
}

/** What the reader is asked while the dialogue goes on, where turns off their stance are asked for again. */
export function checksOf(
  dialogue: Dialogue,
  turns: readonly Turn[],
  weighed: (request: ChatRequest) => Weight,
): Map<CellKey, Part> {
  const setting = dialogue.check;
  if (!setting) return new Map();
  const requests = turns.flatMap((turn, at) => {
    if (turn.kind !== 'public') return [];
    const asked = checkStance(dialogue, setting, turns.slice(0, at), turn, []);
    return asked.kind === 'request' ? [asked.request.request] : [];
  });
  if (requests.length === 0) return new Map();
  const weights = requests.map(weighed);
  const sum = (of: (one: Weight) => number): number => weights.reduce((total, one) => total + of(one), 0);
  const range = (of: keyof Weight): Range => ({
    low: sum((one) => one[of].low),
    high: AGAIN * sum((one) => one[of].high),
  });
  const n = requests.length;
  return new Map([
    [
      CHECKS,
      partOf(
        { base: range('base'), heard: range('heard') },
        { low: n * ANSWER.low, high: AGAIN * n * ANSWER.high },
        { low: n, high: AGAIN * n },
      ),
    ],
  ]);
}

/** What the reader's calls during a dialogue are counted by. */
export const CHECKS = cellOf('dialogue', 'reader');
/** A turn that is off its stance is asked for again, and read again: at most, one in two. */
const AGAIN = 1.5;
