import type { Fidelity } from '../evaluation/fidelity.ts';
import type { Interval } from '../evaluation/intervals.ts';
import type { ReportCell } from '../evaluation/report.ts';
import { count, percent } from './inspect-text.ts';

/** How figures read, the same in all three forms of the report. */
export const figure = (value: number | null, digits = 3): string =>
  value === null ? '' : value.toFixed(digits);

export const interval = ({ low, high }: Pick<Interval, 'low' | 'high'>, digits = 3): string =>
  `${low.toFixed(digits)} to ${high.toFixed(digits)}`;

/** The survey's own error; unknown where it does not say how many people it asked. */
export const surveyError = ({ survey_error }: Fidelity): string =>
  survey_error === null ? 'unknown' : survey_error.toFixed(4);

/** A distance on the answers' order, where they have one. */
export const ordered = ({ wasserstein }: Fidelity): string =>
  wasserstein === null ? 'no order' : wasserstein.toFixed(3);

export const share = (value: number | null): string => (value === null ? '' : percent(value));

/** A difference of shares in percentage points, with its sign. */
export const points = (value: number | null): string =>
  value === null ? '' : `${value > 0 ? '+' : ''}${(100 * value).toFixed(1)}`;

export const of = (part: number, whole: number): string =>
  whole > 0 ? `${count(part)} (${percent(part / whole)})` : count(part);

export const role = (name: string): string => name.replaceAll('_', ' ');

/** Unlike on other pages a price that is not known is told as what it is. */
export const money = (usd: number | null): string =>
  usd === null ? 'unknown' : usd === 0 ? '$0' : usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`;

/** A cell's topic, with its countries where the culture was shown several scales. */
export const cellName = ({
  topic,
  split,
  countries,
}: Pick<ReportCell, 'topic' | 'split' | 'countries'>): string =>
  split ? `${topic} (${countries.join(', ')})` : topic;

/** Why a cell has no figure. */
export const noFigure = ({
  accepted,
  read,
  unread,
}: {
  accepted: number;
  read: number;
  unread: number;
}): string =>
  accepted > 0 && unread === accepted
    ? 'not read'
    : accepted > 0 && read === 0
      ? 'no answer found'
      : 'too few';
