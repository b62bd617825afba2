import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { protocols } from '../../src/dialogue/protocols.ts';
import { loadDialoguePrompts } from '../../src/dialogue/prompts.ts';
import { protocolNames, type ProtocolName } from '../../src/dialogue/types.ts';

const { prompts } = loadDialoguePrompts('en', 'standard');
const { self_guidance: guide, debate, panel, direct } = prompts;

const beats = (name: ProtocolName, turnCount: number, seats = 2, answering = [...Array(seats).keys()]) =>
  protocols[name]({ turnCount, seats, answering, prompts });
const seatsOf = (name: ProtocolName, turnCount: number, seats = 2) =>
  beats(name, turnCount, seats).map(({ seat }) => seat);
const toldOf = (name: ProtocolName, turnCount: number, seats = 2) =>
  beats(name, turnCount, seats).map(({ instruction }) => instruction);

describe('self-guidance', () => {
  const [own, agree, further, culture, closing] = guide.steps;

  test('the two speak in turn, and are led from opinion to what they take away', () => {
    expect(seatsOf('self-guidance', 10)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    expect(toldOf('self-guidance', 10)).toEqual([
      guide.open,
      own,
      agree,
      agree,
      further,
      further,
      culture,
      culture,
      closing,
      closing,
    ]);
  });

  test('in a long talk the middle steps come again, and the last round closes', () => {
    const told = toldOf('self-guidance', 14);
    expect(told.slice(8)).toEqual([agree, agree, further, further, closing, closing]);
  });

  test('an odd number of turns ends with the opener, who closes alone', () => {
    expect(seatsOf('self-guidance', 7)).toEqual([0, 1, 0, 1, 0, 1, 0]);
    expect(toldOf('self-guidance', 7).slice(-2)).toEqual([further, closing]);
  });

  test('the shortest talks open before anything else', () => {
    expect(toldOf('self-guidance', 1)).toEqual([guide.open]);
    expect(toldOf('self-guidance', 2)).toEqual([guide.open, own]);
    expect(toldOf('self-guidance', 4)).toEqual([guide.open, own, closing, closing]);
  });
});

test('in free chat nobody is told anything after the opening', () => {
  expect(toldOf('free-chat', 5)).toEqual([prompts.free_chat.open, '', '', '', '']);
  expect(seatsOf('free-chat', 5)).toEqual([0, 1, 0, 1, 0]);
});

describe('debate', () => {
  test('both answer in private before and after what is said aloud', () => {
    const moments = beats('debate', 6).map(({ kind, seat, moment }) => [kind, seat, moment]);
    expect(moments.slice(0, 2)).toEqual([
      ['private', 0, 'private-before'],
      ['private', 1, 'private-before'],
    ]);
    expect(moments.slice(-2)).toEqual([
      ['private', 0, 'private-after'],
      ['private', 1, 'private-after'],
    ]);
    expect(moments.slice(2, -2).every(([kind]) => kind === 'public')).toBe(true);
    expect(moments).toHaveLength(2 + 6 + 2);
  });

  test('claims are followed by rebuttals and closing words', () => {
    const { opening, rebuttal, closing } = debate;
    expect(toldOf('debate', 6).slice(2, -2)).toEqual([
      opening,
      opening,
      rebuttal,
      rebuttal,
      closing,
      closing,
    ]);
    expect(toldOf('debate', 7).slice(2, -2)).toEqual([
      opening,
      opening,
      rebuttal,
      rebuttal,
      rebuttal,
      closing,
      closing,
    ]);
    expect(toldOf('debate', 4).slice(2, -2)).toEqual([opening, opening, closing, closing]);
  });

  test('who has no answers to choose from is not asked for one', () => {
    expect(
      beats('debate', 4, 2, [1])
        .filter(({ kind }) => kind === 'private')
        .map(({ seat }) => seat),
    ).toEqual([1, 1]);
    expect(beats('debate', 4, 2, []).map(({ kind }) => kind)).toEqual(Array(4).fill('public'));
  });
});

describe('panel', () => {
  test('the moderator opens, leads into each further round, and closes', () => {
    expect(seatsOf('panel', 9, 4)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0]);
    expect(toldOf('panel', 9, 4)).toEqual([
      panel.open,
      panel.first,
      panel.first,
      panel.first,
      panel.next,
      panel.reply,
      panel.reply,
      panel.reply,
      panel.close,
    ]);
  });

  test('only whole rounds are held, so that each delegate speaks as often as the others', () => {
    expect(beats('panel', 12, 4)).toHaveLength(9);
    expect(beats('panel', 13, 4)).toHaveLength(13);
  });

  test('there is one round at least', () => {
    expect(seatsOf('panel', 1, 4)).toEqual([0, 1, 2, 3, 0]);
  });
});

test('direct is one agent alone, which gives another opinion each turn', () => {
  expect(seatsOf('direct', 3, 1)).toEqual([0, 0, 0]);
  expect(toldOf('direct', 3, 1)).toEqual([direct.first, direct.more, direct.more]);
});

test('whatever the number of turns, so many are spoken aloud, by those at the table, in fair shares', () => {
  const name = fc.constantFrom(...protocolNames.filter((one) => one !== 'panel'));
  fc.assert(
    fc.property(name, fc.integer({ min: 1, max: 100 }), (protocol, turnCount) => {
      const seats = protocol === 'direct' ? 1 : 2;
      const aloud = beats(protocol, turnCount, seats).filter(({ kind }) => kind === 'public');
      expect(aloud).toHaveLength(turnCount);
      const spoken = Array.from(
        { length: seats },
        (_, seat) => aloud.filter((beat) => beat.seat === seat).length,
      );
      expect(spoken.reduce((a, b) => a + b)).toBe(turnCount);
      expect(Math.max(...spoken) - Math.min(...spoken)).toBeLessThanOrEqual(1);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 13 }), fc.integer({ min: 1, max: 100 }), (seats, turnCount) => {
      const all = seatsOf('panel', turnCount, seats);
      expect(all.length).toBeLessThanOrEqual(Math.max(turnCount, seats + 1));
      const delegates = Array.from(
        { length: seats - 1 },
        (_, at) => all.filter((seat) => seat === at + 1).length,
      );
      expect(new Set(delegates).size).toBe(1);
      expect([all[0], all.at(-1)]).toEqual([0, 0]);
    }),
  );
});
