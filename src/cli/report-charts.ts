import { answerName } from '../evaluation/fidelity.ts';
import type { CultureLine, FunnelLine, Report, ReportCell } from '../evaluation/report.ts';
import type { DriftLine } from '../evaluation/report-drift.ts';
import { count, percent } from './inspect-text.ts';
import { html, type Html } from './html.ts';
import { figure, interval, role } from './report-words.ts';

/** Colours that differ in lightness too: they hold in print and for most colour blind readers. */
export const colours = { survey: '#b8bfc8', assigned: '#e0912b', read: '#1f5f99' } as const;
const reasons = [
  '#1f5f99',
  '#e0912b',
  '#7b5ea7',
  '#3f9c8a',
  '#c4504b',
  '#8a8f98',
  '#b7a33c',
  '#d59fc1',
  '#5b6b2f',
];

const svg = (width: number, height: number, label: string, inner: readonly Html[]): Html =>
  html`<svg
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${label}"
  >
    ${inner}
  </svg>`;

const text = (x: number, y: number, words: string, anchor = 'start'): Html =>
  html`<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${words}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;

const short = (words: string, most: number): string =>
  [...words].length <= most ? words : `${[...words].slice(0, Math.max(1, most - 1)).join('')}…`;

/** Words in two lines where one is too short for them. */
function inTwo(words: string, most: number): string[] {
  const [first = '', ...rest] = words.split(' ');
  if ([...words].length <= most || rest.length === 0) return [short(words, most)];
  return [short(first, most), short(rest.join(' '), most)];
}

/** A cell's three distributions: for each answer what the survey, the personas and the readings have. */
export function distributionChart(cell: ReportCell): Html {
  const [width, height, top, bottom] = [300, 132, 14, 100];
  const { options, survey } = cell;
  const all = { survey, assigned: toShares(cell.assigned), read: toShares(cell.read) };
  const series = (['survey', 'assigned', 'read'] as const).filter((name) => all[name] !== null);
  const most = Math.max(...series.flatMap((name) => all[name] as number[]), 0.01);
  const group = (width - 8) / options.length;
  const bar = Math.min(20, (group - 6) / 3);
  const bars = options.flatMap((option, at) => {
    const left = 4 + at * group + (group - 3 * bar) / 2;
    const own = series.map((name, nth) => {
      const value = (all[name] as number[])[at] as number;
      const tall = (value / most) * (bottom - top);
      return html`<rect
        x="${round(left + nth * bar)}"
        y="${round(bottom - tall)}"
        width="${round(bar - 1)}"
        height="${round(tall)}"
        fill="${colours[name]}"
        ><title>${answerName(option)}: ${name} ${percent(value)}</title></rect
      >`;
    });
    const middle = 4 + (at + 0.5) * group;
    const label =
      options.length > 5 ? [String(option.code)] : inTwo(answerName(option), Math.floor(group / 5.6));
    const peak = Math.max(...series.map((name) => (all[name] as number[])[at] as number));
    return [
      ...own,
      ...label.map((words, nth) => text(middle, bottom + 14 + 11 * nth, words, 'middle')),
      ...(options.length <= 5
        ? [text(middle, bottom - (peak / most) * (bottom - top) - 3, percent(survey[at] as number), 'middle')]
        : []),
    ];
  });
  const line = html`<line
    x1="2"
    x2="${width - 2}"
    y1="${bottom + 0.5}"
    y2="${bottom + 0.5}"
    stroke="#555"
  />`;
  return svg(width, height, `${cell.culture}, ${cell.topic}: ${series.join(', ')}`, [...bars, line]);
}

function toShares(counts: readonly number[]): number[] | null {
  const all = counts.reduce((sum, n) => sum + n, 0);
  return all > 0 ? counts.map((n) => n / all) : null;
}

/** Room for names at the left, the plot, room for words at the right. */
const NAME = 130;
const PLOT = 400;
const WORDS = 190;
const ROW = 24;

/** 1 - JSD of the cultures with interval, and the best and the chance value as marks; null where none has a figure. */
export function fidelityChart(lines: readonly CultureLine[]): Html | null {
  const told = lines.flatMap(({ culture, fidelity }) => (fidelity ? [{ culture, fidelity }] : []));
  if (told.length === 0) return null;
  const least = Math.min(...told.map(({ fidelity: f }) => Math.min(f.similarity.low, f.by_chance)));
  const from = Math.max(0, Math.floor((least - 0.005) * 50) / 50);
  const x = (value: number): number => NAME + ((value - from) / (1 - from)) * PLOT;
  const rows = told.flatMap(({ culture, fidelity: f }, at) => {
    const y = 16 + at * ROW;
    const { estimate, low, high } = f.similarity;
    return [
      text(NAME - 8, y + 4, short(culture, 20), 'end'),
      html`<line
        x1="${round(x(low))}"
        x2="${round(x(high))}"
        y1="${y}"
        y2="${y}"
        stroke="${colours.read}"
        stroke-width="3"
      />`,
      html`<line
        x1="${round(x(f.by_chance))}"
        x2="${round(x(f.by_chance))}"
        y1="${y - 7}"
        y2="${y + 7}"
        stroke="#444"
        stroke-dasharray="2 2"
        ><title>by chance ${figure(f.by_chance)}</title></line
      >`,
      html`<line x1="${round(x(f.best))}" x2="${round(x(f.best))}" y1="${y - 7}" y2="${y + 7}" stroke="#444"
        ><title>best ${figure(f.best)}</title></line
      >`,
      html`<circle
        cx="${round(x(estimate))}"
        cy="${y}"
        r="5"
        fill="${f.explained ? colours.read : '#fff'}"
        stroke="${colours.read}"
        stroke-width="2"
        ><title>${culture}: ${figure(estimate)}, ${interval(f.similarity)}</title></circle
      >`,
      text(NAME + PLOT + 12, y + 4, `${figure(estimate)} (n ${count(f.n)})`),
    ];
  });
  const base = 16 + told.length * ROW - 6;
  const ticks = [from, (from + 1) / 2, 1].flatMap((value) => [
    html`<line x1="${round(x(value))}" x2="${round(x(value))}" y1="4" y2="${base}" stroke="#ddd" />`,
    text(x(value), base + 14, value.toFixed(2), 'middle'),
  ]);
  return svg(NAME + PLOT + WORDS, base + 20, '1 - JSD by culture', [...ticks, ...rows]);
}

/** How the opinions of each culture ended, as parts of a bar; null without opinions. */
export function funnelChart(funnel: readonly FunnelLine[]): Html | null {
  const lines = funnel.filter(({ voiced }) => voiced > 0);
  if (lines.length === 0) return null;
  const names = ['accepted', ...new Set(lines.flatMap(({ dropped }) => dropped.map(({ reason }) => reason)))];
  const colour = (at: number): string => reasons[at % reasons.length] as string;
  const rows = lines.flatMap((line, at) => {
    const y = 4 + at * ROW;
    const all = line.voiced + line.rewritten;
    let left = NAME;
    const parts = names.map((name, nth) => {
      const n =
        name === 'accepted'
          ? line.accepted
          : (line.dropped.find(({ reason }) => reason === name)?.opinions ?? 0);
      const wide = (n / all) * PLOT;
      const part = html`<rect
        x="${round(left)}"
        y="${y}"
        width="${round(wide)}"
        height="${ROW - 6}"
        fill="${colour(nth)}"
        ><title>${line.culture}, ${name}: ${n}</title></rect
      >`;
      left += wide;
      return part;
    });
    return [
      text(NAME - 8, y + 13, short(line.culture, 20), 'end'),
      ...parts,
      text(NAME + PLOT + 12, y + 13, `${count(line.accepted)} of ${count(all)} accepted`),
    ];
  });
  const chart = svg(NAME + PLOT + WORDS, 8 + lines.length * ROW, 'How the opinions ended', rows);
  const key = names.map((name, at) => ({ name, colour: colour(at) }));
  return html`${legend(key)}${scrolling(chart)}`;
}

/** Mean moves in private: in a talk, and of the controls. */
export function driftChart(lines: readonly DriftLine[]): Html | null {
  if (lines.length === 0) return null;
  const most = Math.max(
    0.05,
    ...lines.flatMap(({ distance: { dialogues, control } }) => [dialogues ?? 0, control ?? 0]),
  );
  const rows = lines.flatMap((line, at) => {
    const y = 4 + at * (ROW + 6);
    const { dialogues, control } = line.distance;
    const bar = (value: number | null, nth: number, fill: string, name: string): Html =>
      value === null
        ? html``
        : html`<rect
            x="${NAME}"
            y="${y + nth * 11}"
            width="${round(Math.max(1, (value / most) * PLOT))}"
            height="10"
            fill="${fill}"
            ><title>${name}: ${percent(value)} of the scale</title></rect
          >`;
    const told = line.excess
      ? line.beyond_noise
        ? 'more than the controls'
        : 'not beyond noise'
      : 'too few controls';
    const words = `${percent(dialogues ?? 0)}, ${told}`;
    return [
      text(NAME - 8, y + 15, short(`${line.culture} ${role(line.role)}`, 22), 'end'),
      bar(dialogues, 0, colours.read, 'in the talk'),
      bar(control, 1, colours.survey, 'control'),
      text(NAME + PLOT + 12, y + 15, words),
    ];
  });
  const key = [
    { name: 'moved in the talk', colour: colours.read },
    { name: 'controls', colour: colours.survey },
  ];
  const chart = svg(NAME + PLOT + WORDS, 8 + lines.length * (ROW + 6), 'Moves in private', rows);
  return html`${legend(key)}
    <p class="small">The longest bar would be ${percent(most)} of the scale.</p>
    ${scrolling(chart)}`;
}

/** What each stage and role paid; null where nothing was paid or a price is unknown. */
export function costChart({ lines, total }: Report['cost']): Html | null {
  if (total === null || total === 0) return null;
  const paid = lines.filter(({ cost_usd }) => (cost_usd as number) > 0);
  const most = Math.max(...paid.map(({ cost_usd }) => cost_usd as number));
  const rows = paid.flatMap((line, at) => {
    const y = 4 + at * ROW;
    const cost = line.cost_usd as number;
    return [
      text(NAME - 8, y + 13, short(`${role(line.stage)}, ${role(line.role)}`, 22), 'end'),
      html`<rect
        x="${NAME}"
        y="${y}"
        width="${round(Math.max(1, (cost / most) * PLOT))}"
        height="${ROW - 6}"
        fill="${colours.read}"
      />`,
      text(NAME + PLOT + 12, y + 13, `$${cost.toPrecision(3)} (${percent(cost / total)})`),
    ];
  });
  return scrolling(svg(NAME + PLOT + WORDS, 8 + paid.length * ROW, 'Cost by stage and role', rows));
}

export const scrolling = (inner: Html): Html => html`<div class="wide">${inner}</div>`;

export const legend = (items: readonly { name: string; colour: string }[]): Html =>
  html`<p class="legend">
    ${items.map(({ name, colour }) => html`<span><i style="background:${colour}"></i>${name}</span> `)}
  </p>`;
