import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scenarioNames } from '../../src/pipeline/scenario.ts';
import { terminal } from '../helpers/terminal.ts';

const readme = readFileSync('README.md', 'utf8');

test('every command that the README names is one', async () => {
  const { out: stdout } = await terminal('--help');
  const commands = new Set([...stdout.matchAll(/^ +\S+ ([a-z]+)/gm)].map((match) => match[1]));
  const named = new Set([...readme.matchAll(/culturepark ([a-z]+)(?= |`|$)/gm)].map((match) => match[1]));
  for (const name of ['makes']) named.delete(name);
  expect([...named].filter((name) => !commands.has(name))).toEqual([]);
});

test('every file that the README links is there, and every shipped scenario is named', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] as string);
  expect(links.filter((link) => !existsSync(join('.', link)))).toEqual([]);
  expect(scenarioNames().filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
});
