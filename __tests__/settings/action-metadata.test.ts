import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { outputsOf } from '../../src/reporting/outputs.js';
import { newReport } from '../../src/reporting/report.js';
import { declared, INPUT_NAMES } from '../../src/settings/declared-inputs.js';
import { COMMANDS } from '../../src/settings/settings.js';

interface Action {
  description: string;
  inputs: Record<string, { description: string; required: boolean; default: unknown }>;
  outputs: Record<string, { description: string }>;
  runs: Record<string, string>;
}

const action: Action = parse(readFileSync(fileURLToPath(new URL('../../action.yml', import.meta.url)), 'utf8'));

test('the action runs the bundle on Node 24, also after the job', () => {
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js', post: 'dist/post.js' });
});

test('the description fits the Marketplace', () => {
  expect(action.description.length).toBeLessThan(125);
});

describe('inputs', () => {
  test('are those that the settings read, in the same order', () => {
    expect(Object.keys(action.inputs)).toEqual(INPUT_NAMES);
  });

  // A default that YAML reads as a number or a boolean would reach the action in another spelling: 077 as 77.
  test.each(INPUT_NAMES)('%s has the default of the settings, as a string, and a description', (name) => {
    const input = action.inputs[name];
    expect(input?.default).toBe(declared[name].default);
    expect(input?.description).toMatch(/^.{20,}\.$/);
    expect(input?.description.startsWith('Secret. ')).toBe(declared[name].secret === true);
  });

  test.each(INPUT_NAMES)('%s says with which commands it can be used, unless it is with all', (name) => {
    const description = action.inputs[name]?.description ?? '';
    const { usedBy } = declared[name];
    const only = /\bOnly with `command: .*$/.exec(description)?.[0];
    if (usedBy.length === COMMANDS.length) expect(only).toBeUndefined();
    else if (only === undefined) {
      // said of each command with what it means there
      for (const command of usedBy) expect(description).toMatch(new RegExp(`command: .*\`?${command}\``));
    } else {
      const named = [...only.matchAll(/`(?:command: )?([a-z]+)`/g)].map(([, word]) => word);
      expect(COMMANDS.filter((command) => named.includes(command)).sort()).toEqual([...usedBy].sort());
    }
  });
});

describe('outputs', () => {
  test('are those that are written', () => {
    const written = outputsOf(newReport(new Date(0))).map(([name]) => name);
    expect(Object.keys(action.outputs).sort()).toEqual(written.sort());
  });

  test.each(Object.entries(action.outputs))('%s has a description', (_, { description }) => {
    expect(description).toMatch(/^.{20,}\.$/);
  });
});
