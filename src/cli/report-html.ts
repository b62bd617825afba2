import type { Comparison } from '../evaluation/compare.ts';
import type { Report, ReportCell } from '../evaluation/report.ts';
import { groupBy } from '../group-by.ts';
import { html, Html } from './html.ts';
import {
  colours,
  costChart,
  distributionChart,
  driftChart,
  fidelityChart,
  funnelChart,
  legend,
  scrolling,
} from './report-charts.ts';
import { headLines } from './report-markdown.ts';
import { answerHead, answerRows, readOf, sections, type Section } from './report-sections.ts';
import { figure, interval, noFigure } from './report-words.ts';

/** The report as one HTML file that needs nothing else: no script, no request, charts as SVG, every text escaped. */
export function reportHtml(report: Report, comparison: Comparison | null): string {
  const { run } = report;
  const panels = sections(report, comparison).filter(({ id }) => id !== 'cells' && id !== 'answers');
  const cells = report.cells.filter(({ accepted }) => accepted > 0);
  const after = Math.max(
    ...panels.map(({ id }, at) => (['fidelity', 'runs', 'compare'].includes(id) ? at : -1)),
  );
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>Report of run ${run.id}</title>
        <style>
          ${new Html(css)}
        </style>
      </head>
      <body>
        <h1>Report of run ${run.id}</h1>
        <dl>
          ${headLines(report).map(
            ([name, value]) =>
              html`<dt>${name}</dt>
                <dd>${value}</dd>`,
          )}
        </dl>
        <section class="verdict">${report.verdict.map((sentence) => html`<p>${sentence}</p>`)}</section>
        ${panels.slice(0, after + 1).map((one) => panel(one, report))}
        ${cells.length > 0 ? cards(cells, report) : null}
        ${panels.slice(after + 1).map((one) => panel(one, report))}
      </body>
    </html> `;
  return page.text;
}

const charts: Partial<Record<string, (report: Report) => Html | null>> = {
  fidelity: ({ cultures }) => {
    const chart = fidelityChart(cultures);
    return (
      chart &&
      html`<p class="small">
          Dot: the figure (filled where noise and the survey's error explain the difference); bar: its 95%
          interval; line: the best that so many rows allow; dashed: by chance.
        </p>
        ${scrolling(chart)}`
    );
  },
  funnel: ({ funnel }) => funnelChart(funnel),
  drift: ({ drift }) => drift && driftChart(drift.lines),
  cost: ({ cost }) => costChart(cost),
};

function panel(section: Section, report: Report): Html {
  const chart = charts[section.id]?.(report) ?? null;
  return html`<section id="${section.id}">
    <h2>${section.title}</h2>
    <p class="note">${section.note}</p>
    ${chart}${section.id === 'coverage' ? coverage(report) : tableOf(section)}
  </section> `;
}

function tableOf({ head, rows }: Pick<Section, 'head' | 'rows'>): Html {
  const numeric = head.map((_, at) => rows.every((row) => isNumber(row[at] ?? '')));
  const kind = (at: number): Html | null => (numeric[at] ? new Html(' class="n"') : null);
  return scrolling(
    html`<table>
      <thead>
        <tr>
          ${head.map((name, at) => html`<th${kind(at)}>${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell, at) => html`<td${kind(at)}>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>`,
  );
}

const isNumber = (cell: string | number): boolean =>
  typeof cell === 'number' ||
  /^([-+$]?\d[\d.,%$()e \-+to]*|too few|not read|no answer found|no order|unknown|)$/.test(cell);

/** Cultures down, topics across; the more accepted opinions the darker. */
function coverage({ coverage: rows, run }: Report): Html {
  const most = Math.max(1, ...rows.map(({ accepted }) => accepted));
  const cell = ({ accepted, left_out, culture, topic }: Report['coverage'][number]): Html => {
    if (left_out !== null) return html`<td class="out" title="${culture}, ${topic}: ${left_out}">–</td>`;
    const depth = accepted === 0 ? 0 : 0.12 + 0.5 * (accepted / most);
    return html`<td class="n" style="background:rgba(31,95,153,${depth.toFixed(2)})">${accepted}</td>`;
  };
  return scrolling(
    html`<table class="matrix">
      <thead>
        <tr>
          <th>culture</th>
          ${run.topics.map(({ id, statement }) => html`<th title="${statement}">${id}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${[...groupBy(rows, ({ culture }) => culture)].map(
          ([culture, own]) =>
            html`<tr>
              <th>${culture}</th>
              ${own.map(cell)}
            </tr> `,
        )}
      </tbody>
    </table>`,
  );
}

/** A card a cell with its three distributions, topic by topic. */
function cards(cells: readonly ReportCell[], report: Report): Html {
  const topics = new Map(report.run.topics.map((topic) => [topic.id, topic]));
  const key = (['survey', 'assigned', 'read'] as const).map((name) => ({ name, colour: colours[name] }));
  return html`<section id="cells">
    <h2>Culture by topic: survey, personas, samples</h2>
    <p class="note">
      Survey: shares of the respondents, printed above the bars of up to five answers. Assigned: delegates by
      the answer drawn for them. Read: accepted opinions by the answer that a reader found in the text alone.
      Countries of a culture that were shown other answers have a card of their own.
    </p>
    ${legend(key)}
    ${[...groupBy(cells, ({ topic }) => topic)].map(
      ([topic, own]) =>
        html`<h3>${topic}: ${topics.get(topic)?.statement ?? ''}</h3>
          <div class="cards">${own.map(card)}</div> `,
    )}
  </section> `;
}

function card(cell: ReportCell): Html {
  const { fidelity: f, accepted, none } = cell;
  const read = readOf(cell);
  const words = f
    ? `1 - JSD ${figure(f.similarity.estimate)} (${interval(f.similarity)}), best ${figure(f.best)}`
    : noFigure(read);
  return html`<article>
    <h4>${cell.culture}${cell.split ? ` (${cell.countries.join(', ')})` : ''}</h4>
    <p class="small">
      ${words}; ${accepted} accepted, ${read.read} read${none > 0 ? `, ${none} without an answer` : ''};
      ${cell.respondents === null ? 'published as shares, respondents unknown' : `${cell.respondents} respondents`}
    </p>
    ${distributionChart(cell)}
    <details>
      <summary>Figures and yield</summary>
      ${tableOf({ head: answerHead, rows: answerRows(cell) })}
    </details>
  </article> `;
}

const css = `
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; color: #1c1f24; background: #fff; margin: 0 auto; padding: 16px; max-width: 1240px; }
h1 { font-size: 1.5em; margin: 0.4em 0; } h2 { font-size: 1.2em; margin: 1.8em 0 0.3em; border-top: 1px solid #ddd; padding-top: 0.8em; }
h3 { font-size: 1em; margin: 1.2em 0 0.4em; } h4 { font-size: 0.95em; margin: 0; }
h1, h2, h3, h4, p, dd, td, th { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; margin: 0.5em 0; } dt { color: #5a626e; } dd { margin: 0; }
.verdict { background: #f3f6fa; border-left: 4px solid #1f5f99; padding: 0.4em 1em; margin: 1em 0; } .verdict p { margin: 0.4em 0; max-width: 75em; }
.note, .small { color: #4a515c; max-width: 75em; } .note { margin: 0.3em 0 0.7em; font-size: 0.92em; } .small { font-size: 0.85em; margin: 0.2em 0; }
.wide { overflow-x: auto; margin: 0.4em 0; }
table { border-collapse: collapse; font-size: 0.88em; } th, td { padding: 3px 7px; border-bottom: 1px solid #e3e6ea; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #b8bfc8; } td, th { min-width: 2.2em; overflow-wrap: normal; } th.n, td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.matrix td { text-align: center; } td.out { color: #8a3a36; background: repeating-linear-gradient(45deg, #fff, #fff 4px, #f2e3e2 4px, #f2e3e2 8px); }
.legend span { margin-right: 1.2em; white-space: nowrap; font-size: 0.88em; } .legend i { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.4em; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 310px), 1fr)); gap: 12px; }
article { border: 1px solid #dfe3e8; border-radius: 4px; padding: 10px; min-width: 0; } article svg { width: 100%; height: auto; max-width: 340px; }
svg text { font: 11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #333; } article svg text { font-size: 9.5px; }
summary { cursor: pointer; font-size: 0.85em; color: #1f5f99; } details table { font-size: 0.8em; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } .wide { overflow: visible; } article, tr, svg { break-inside: avoid; } h2, h3 { break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
