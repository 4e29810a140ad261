import { describe, expect, test } from '@jest/globals';
import { declared, INPUT_NAMES, type InputName } from '../../src/settings/declared-inputs.js';
import { action, CALLED, called, EXAMPLES, PINNED, textOf, workflow } from './workflow-files.js';

test('there are examples, and docs/workflows.md names each', () => {
  expect(EXAMPLES.length).toBeGreaterThan(7);
  for (const name of EXAMPLES) expect(textOf('docs/workflows.md')).toContain(`(../examples/${name})`);
});

describe.each(EXAMPLES)('examples/%s', (name) => {
  const file = workflow(`examples/${name}`);
  const jobs = Object.entries(file.jobs);

  test('says at its head that `org` is to be replaced', () => {
    expect(textOf(`examples/${name}`).split('\nname: ')[0]).toContain('# Replace `org` with the owner of the action.');
  });

  test('starts in a time zone that there is, and at no time that clocks skip or repeat', () => {
    for (const { cron, timezone } of file.on.schedule ?? []) {
      expect(Intl.supportedValuesOf('timeZone')).toContain(timezone);
      expect(Number(cron.split(' ')[1])).toBeGreaterThan(3);
    }
  });

  test('grants nothing at the top, and each job says what it needs', () => {
    expect(file.permissions).toEqual({});
    for (const [, job] of jobs) expect(job.permissions).toBeDefined();
  });

  test('calls what there is, with inputs, secrets and outputs that there are', () => {
    const calls = jobs.flatMap(([id, job]) => {
      const which = PINNED.exec(job.uses ?? '')?.[1];
      return which === undefined ? [] : [{ id, job, which }];
    });
    expect(jobs.filter(([, { uses }]) => uses !== undefined)).toHaveLength(calls.length);
    for (const { id, job, which } of calls) {
      expect(CALLED).toContain(which);
      const call = called(which).on.workflow_call;
      if (call === undefined) throw new Error(`${which} can not be called`);
      expect(Object.keys(call.inputs)).toEqual(expect.arrayContaining(Object.keys(job.with ?? {})));
      expect(Object.keys(call.secrets)).toEqual(expect.arrayContaining(Object.keys(job.secrets ?? {})));
      for (const [, output = ''] of textOf(`examples/${name}`).matchAll(
        new RegExp(`needs\\.${id}\\.outputs\\.([\\w-]+)`, 'g'),
      )) {
        expect(Object.keys(call.outputs)).toContain(output);
      }
    }
    const steps = jobs.flatMap(([, job]) => job.steps ?? []).filter(({ uses }) => uses?.startsWith('org/'));
    expect(calls.length + steps.length).toBeGreaterThan(0);
    for (const { uses, with: given = {} } of steps) {
      expect(uses).toMatch(PINNED);
      expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(Object.keys(given)));
      for (const input of Object.keys(given)) {
        expect(INPUT_NAMES).toContain(input);
        expect(declared[input as InputName].usedBy).toContain(given.command ?? 'backup');
      }
    }
  });
});
