import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planControls } from '../../src/pipeline/controls.ts';
import { omissionsOf, planDialogues, type PlanInput } from '../../src/pipeline/plan.ts';
import { prepare } from '../../src/pipeline/prepare.ts';
import type { PlannedDialogue } from '../../src/store/dialogues.ts';
import { cellKey } from '../../src/ids.ts';
import { scenarioFile, temporaryFolder } from '../helpers/run.ts';

const inputOf = (yaml: string, more: Partial<PlanInput> = {}, folder = temporaryFolder()): PlanInput => ({
  ...prepare(scenarioFile(folder, yaml)).plan,
  runId: 'run',
  seed: 1,
  ...more,
});
const plan = (yaml: string, more: Partial<PlanInput> = {}): PlannedDialogue[] => [
  ...planDialogues(inputOf(yaml, more)),
];

const culturesAt = ({ seats }: PlannedDialogue): (string | undefined)[] =>
  seats.map(({ persona }) => persona?.culture);
const delegates = ({ seats }: PlannedDialogue) =>
  seats.flatMap(({ role, persona }) => (role === 'delegate' && persona ? [persona] : []));

/** How often each value occurs. */
function tally(values: Iterable<string | number | undefined>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}

const small = 'cultures: [turkish, korean, german]\ntopics: [Q27, Q158]\ndialogues_per_cell: 3\n';
const kinds = {
  'cross-cultural': small,
  'in-cultural': `${small}pairing: in-cultural\n`,
  direct: `${small}protocol: direct\n`,
  panel: `${small}protocol: panel\n`,
};

describe.each(Object.entries(kinds))('%s', (_, yaml) => {
  test('the same inputs give the same plan', () => {
    expect(plan(yaml)).toEqual(plan(yaml));
  });

  test('another run has other ids but equal keys', () => {
    const [one, other] = [plan(yaml), plan(yaml, { runId: 'another' })];
    const keys = (dialogues: PlannedDialogue[]) =>
      dialogues.map(({ row, seats }) => [row.key, ...seats.map(({ persona }) => persona?.key)]);
    const ids = (dialogues: PlannedDialogue[]) =>
      dialogues.flatMap(({ row, seats }) => [row.id, ...seats.flatMap(({ persona }) => persona?.id ?? [])]);
    expect(keys(other)).toEqual(keys(one));
    expect(new Set([...ids(one), ...ids(other)]).size).toBe(new Set(ids(one)).size * 2);
  });

  test('another seed gives other people under other keys', () => {
    const [one, other] = [plan(yaml), plan(yaml, { seed: 2 })];
    expect(other).toHaveLength(one.length);
    expect(new Set([...one, ...other].map(({ row }) => row.key)).size).toBe(one.length * 2);
    expect(other.map(delegates)).not.toEqual(one.map(delegates));
  });

  test('no two dialogues and no two people share an id', () => {
    const dialogues = plan(yaml);
    const people = dialogues.flatMap(({ seats }) => seats.flatMap(({ persona }) => persona?.id ?? []));
    expect(new Set(dialogues.map(({ row }) => row.id)).size).toBe(dialogues.length);
    expect(new Set(people).size).toBe(people.length);
  });

  test("each delegate talks about the dialogue's topic and no other", () => {
    for (const dialogue of plan(yaml))
      for (const { stances } of delegates(dialogue))
        expect([...stances.keys()]).toEqual([dialogue.row.topic_id]);
  });

  test("the delegates of a cell hold its answers by the survey's shares", () => {
    const many = inputOf(yaml.replace('dialogues_per_cell: 3', 'dialogues_per_cell: 10'));
    const turkish = [...planDialogues(many)]
      .filter(({ row }) => row.topic_id === 'Q27')
      .flatMap((dialogue) => delegates(dialogue).filter(({ culture }) => culture === 'turkish'));
    const { counts, validN, scale } = many.survey.cells.get(cellKey('Q27', 'TUR'))!;
    const held = tally(turkish.map(({ stances }) => stances.get('Q27')));
    scale.options.forEach(({ code }, at) => {
      const expected = (turkish.length * (counts[at] as number)) / validN;
      expect(Math.abs((held[code] ?? 0) - expected)).toBeLessThan(1);
    });
  });
});

describe('across cultures', () => {
  test('each culture and topic has so many dialogues, opened by the main contact', () => {
    const dialogues = plan(small);
    expect(tally(dialogues.map(({ row, seats }) => `${row.topic_id} ${seats[1]?.persona?.culture}`))).toEqual(
      {
        'Q27 turkish': 3,
        'Q27 korean': 3,
        'Q27 german': 3,
        'Q158 turkish': 3,
        'Q158 korean': 3,
        'Q158 german': 3,
      },
    );
    expect(
      dialogues.every(({ seats }) => seats[0]?.role === 'main_contact' && seats[1]?.role === 'delegate'),
    ).toBe(true);
    expect(new Set(dialogues.map((dialogue) => culturesAt(dialogue)[0]))).toEqual(new Set(['english']));
  });

  test('an English delegate meets a German main contact, and only it does', () => {
    const dialogues = plan('cultures: [english, german, turkish]\ntopics: [Q27, Q28]\ndialogues_per_cell: 2');
    const meetings = tally(dialogues.map((dialogue) => culturesAt(dialogue).join(' ')));
    expect(meetings).toEqual({ 'german english': 4, 'english german': 4, 'english turkish': 4 });
  });

  test('the answers of all main contacts on a topic are spread as those of their country', () => {
    const input = inputOf(
      'cultures: [arabic, turkish, korean, german]\ntopics: [Q28, Q158]\ndialogues_per_cell: 5',
    );
    for (const topic of ['Q28', 'Q158']) {
      const openers = [...planDialogues(input)]
        .filter(({ row }) => row.topic_id === topic)
        .map(({ seats }) => seats[0]?.persona?.stances.get(topic));
      expect(openers).toHaveLength(20);
      const { counts, validN, scale } = input.survey.cells.get(cellKey(topic, 'USA'))!;
      const held = tally(openers);
      scale.options.forEach(({ code }, at) => {
        const expected = (20 * (counts[at] as number)) / validN;
        expect(Math.abs((held[code] ?? 0) - expected), `${topic} ${code}`).toBeLessThan(1);
      });
    }
  });

  test('a main contact whose country was not asked comes without a stance', () => {
    const folder = temporaryFolder();
    const topic = '{ id: tea, theme: food, statement: Tea., scale: agree4, distribution: { TUR: { 1: 5 } } }';
    writeFileSync(join(folder, 'mine.yaml'), `survey: mine\ntopics: [${topic}]\n`);
    const [dialogue] = [
      ...planDialogues(inputOf('cultures: [turkish]\ntopics: [tea]\ntopic_files: [mine.yaml]', {}, folder)),
    ] as [PlannedDialogue];
    expect(dialogue.seats[0]?.persona?.stances.size).toBe(0);
    expect(dialogue.seats[1]?.persona?.stances.get('tea')).toBe(1);
  });
});

describe('within a culture', () => {
  const dialogues = plan(
    'cultures: [turkish, korean]\ntopics: [Q27]\npairing: in-cultural\ndialogues_per_cell: 4',
  );

  test('a woman and a man of one culture talk, both delegates, and open in turn', () => {
    expect(dialogues).toHaveLength(8);
    for (const { seats } of dialogues) {
      expect(seats.map(({ role }) => role)).toEqual(['delegate', 'delegate']);
      expect(new Set(seats.map(({ persona }) => persona?.culture)).size).toBe(1);
      expect(seats.map(({ persona }) => persona?.gender).sort()).toEqual(['female', 'male']);
    }
    const openers = dialogues.map(({ seats }) => seats[0]?.persona?.gender);
    expect(openers).toEqual(['female', 'male', 'female', 'male', 'female', 'male', 'female', 'male']);
  });
});

describe('a panel', () => {
  test('seats every culture so many times a topic, at tables of at least that size', () => {
    const yaml = 'cultures: all\ntopics: [Q28, Q158]\nprotocol: panel\npanel_size: 4\ndialogues_per_cell: 3';
    for (const topic of ['Q28', 'Q158']) {
      const panels = plan(yaml).filter(({ row }) => row.topic_id === topic);
      const seated = tally(panels.flatMap((panel) => delegates(panel).map(({ culture }) => culture)));
      expect(Object.values(seated)).toEqual(Array(9).fill(3));
      for (const panel of panels) {
        expect(panel.seats[0]).toEqual({ role: 'moderator', persona: null });
        const cultures = delegates(panel).map(({ culture }) => culture);
        expect(cultures.length).toBeGreaterThanOrEqual(4);
        expect(new Set(cultures).size).toBe(cultures.length);
      }
    }
  });

  test('who meets whom changes from one time to the next', () => {
    const yaml = 'cultures: all\ntopics: [Q28]\nprotocol: panel\npanel_size: 3\ndialogues_per_cell: 6';
    const tables = plan(yaml).map((panel) =>
      delegates(panel)
        .map(({ culture }) => culture)
        .sort()
        .join(),
    );
    expect(tables).toHaveLength(18);
    expect(new Set(tables).size).toBeGreaterThan(12);
  });
});

describe('what is left out is listed', () => {
  test('China’s 18 topics, each with its reason, and nothing is planned for them', () => {
    const input = inputOf('cultures: [chinese, turkish]\ntopics: all');
    const omissions = omissionsOf(input);
    expect(omissions).toHaveLength(18);
    expect(new Set(omissions.map(({ culture }) => culture))).toEqual(new Set(['chinese']));
    expect(omissions[0]).toEqual({
      culture: 'chinese',
      topicId: 'Q125',
      reason: 'nobody was asked Q125 in CHN',
    });
    const left = new Set(omissions.map(({ topicId }) => topicId));
    const chinese = [...planDialogues(input)].filter((dialogue) => culturesAt(dialogue).includes('chinese'));
    expect(chinese).toHaveLength(32);
    expect(chinese.filter(({ row }) => left.has(row.topic_id))).toEqual([]);
  });

  test('a culture is kept while one of its countries was asked', () => {
    expect(omissionsOf(inputOf('cultures: [arabic]\ntopics: [Q36]'))).toEqual([]);
    for (const dialogue of plan('cultures: [arabic]\ntopics: [Q36]\ndialogues_per_cell: 5'))
      expect(delegates(dialogue)[0]?.country).toBe('LBY');
  });

  test('cultures that find no company for a panel', () => {
    const input = inputOf('cultures: [chinese, turkish, korean]\ntopics: [Q27, Q125]\nprotocol: panel');
    expect([...planDialogues(input)].map(({ row }) => row.topic_id)).toEqual(['Q27']);
    expect(omissionsOf(input)).toEqual([
      { culture: 'chinese', topicId: 'Q125', reason: 'nobody was asked Q125 in CHN' },
      {
        culture: 'turkish',
        topicId: 'Q125',
        reason: 'a panel needs 3 cultures, and Q125 was asked in 2 of these',
      },
      {
        culture: 'korean',
        topicId: 'Q125',
        reason: 'a panel needs 3 cultures, and Q125 was asked in 2 of these',
      },
    ]);
  });

  test('every cell that was chosen is either talked about or listed', () => {
    for (const protocol of ['self-guidance', 'direct', 'panel']) {
      const input = inputOf(`cultures: all\ntopics: all\nprotocol: ${protocol}`);
      const talked = [...planDialogues(input)].flatMap((dialogue) =>
        delegates(dialogue).map(({ culture }) => `${culture} ${dialogue.row.topic_id}`),
      );
      const listed = omissionsOf(input).map(({ culture, topicId }) => `${culture} ${topicId}`);
      const all = input.cultures.flatMap(({ id }) => input.topics.map((topic) => `${id} ${topic.id}`));
      expect([...new Set(talked), ...listed].sort()).toEqual(all.sort());
    }
  });
});

describe('arms', () => {
  const yaml = `cultures: [turkish, korean]
topics: [Q27]
dialogues_per_cell: 2
arms:
  - { name: alone, protocol: direct, turns: 4 }
  - { name: among, protocol: self-guidance, pairing: in-cultural, turns: 6 }
  - { name: across, protocol: debate, turns: 8 }
`;

  test('stand side by side, each with its protocol, pairing and turns', () => {
    const rows = plan(yaml).map(({ row: { arm, protocol, pairing, turn_count } }) => [
      arm,
      protocol,
      pairing,
      turn_count,
    ]);
    expect(tally(rows.map((row) => row.join(' ')))).toEqual({
      'alone direct cross-cultural 4': 4,
      'among self-guidance in-cultural 6': 4,
      'across debate cross-cultural 8': 4,
    });
  });

  test('do not share dialogues or people, even where they differ in their turns alone', () => {
    const arms = '{ name: short, protocol: direct, turns: 2 }, { name: long, protocol: direct, turns: 9 }';
    const dialogues = plan(`cultures: [turkish]\ntopics: [Q27]\narms: [${arms}]`);
    expect(new Set(dialogues.map(({ row }) => row.id)).size).toBe(2);
    const people = plan(yaml).flatMap(({ seats }) => seats.flatMap(({ persona }) => persona?.id ?? []));
    expect(new Set(people).size).toBe(people.length);
  });
});

test('with `language: own` the delegate speaks its language; a German main contact of an English one speaks English', () => {
  const yaml = 'cultures: [turkish, chinese, english]\ntopics: [Q27]\nlanguage: own';
  expect(plan(yaml).map(({ row, seats }) => [row.language, seats[1]?.persona?.culture])).toEqual([
    ['tr', 'turkish'],
    ['zh', 'chinese'],
    ['en', 'english'],
  ]);
});

test('the order in which topics and cultures are named decides who is first, not who is drawn', () => {
  const byKey = (dialogues: PlannedDialogue[]) =>
    new Map(dialogues.map((dialogue) => [dialogue.row.key, delegates(dialogue)] as const));
  const one = byKey(plan('cultures: [turkish, korean]\ntopics: [Q27, Q28]'));
  const other = byKey(plan('cultures: [korean, turkish]\ntopics: [Q28, Q27]'));
  expect(new Map([...other].sort())).toEqual(new Map([...one].sort()));
});

describe('controls', () => {
  const debates =
    'cultures: [turkish, korean, german]\ntopics: [Q27, Q158]\ndialogues_per_cell: 10\nprotocol: debate\n';
  const controls = (yaml: string, more: Partial<PlanInput> = {}): PlannedDialogue[] => [
    ...planControls(inputOf(yaml, more)),
  ];

  test.each([
    [0.1, 6],
    [0.25, 15],
    [1, 60],
    [0.001, 1],
    [0, 0],
  ])('a share of %s of 60 debates gives %i', (share, n) => {
    expect(controls(`${debates}readings: { control: ${share} }`)).toHaveLength(n);
  });

  test('seat the very people of a debate, in the same order and with the same ordinal, and nobody talks', () => {
    const byPeople = new Map(plan(debates).map((one) => [JSON.stringify(keysOf(one)), one.row]));
    for (const control of controls(debates)) {
      const debate = byPeople.get(JSON.stringify(keysOf(control))) as PlannedDialogue['row'];
      expect(control.row).toEqual({
        ...debate,
        id: expect.any(String),
        key: expect.any(String),
        protocol: 'control',
        turn_count: 0,
      });
      expect(control.row.key).not.toBe(debate.key);
    }
  });

  test('are spread over the debates in key order, the same ones for the same seed', () => {
    const keys = plan(debates)
      .map(({ row }) => row.key)
      .sort();
    const chosen = (seed: number): number[] => {
      const people = new Set(controls(debates, { seed }).map((one) => JSON.stringify(keysOf(one))));
      const own = plan(debates, { seed });
      const sorted = own.map(({ row }) => row.key).sort();
      return own
        .filter((one) => people.has(JSON.stringify(keysOf(one))))
        .map(({ row }) => sorted.indexOf(row.key))
        .sort((a, b) => a - b);
    };
    expect(keys).toHaveLength(60);
    const one = chosen(1);
    expect(one).toEqual(chosen(1));
    for (const [at, place] of one.entries()) expect(Math.floor(place / 10)).toBe(at);
    expect(new Set([1, 2, 3, 4, 5].map((seed) => chosen(seed)[0])).size).toBeGreaterThan(1);
  });

  test('there are none where nobody is asked in private', () => {
    expect(controls(small)).toEqual([]);
    expect(controls(`${small}protocol: panel\n`)).toEqual([]);
  });

  test('of several arms are those of the debates', () => {
    const arms = `${small}arms:\n  - { name: talk, protocol: free-chat, turns: 2 }\n  - { name: dispute, protocol: debate, turns: 2 }\n`;
    expect(new Set(controls(arms).map(({ row }) => row.arm))).toEqual(new Set(['dispute']));
  });
});

const keysOf = ({ row, seats }: PlannedDialogue) => [
  row.topic_id,
  ...seats.map(({ persona }) => persona?.key),
];
