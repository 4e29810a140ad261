import { describe, expect, test } from '@jest/globals';
import { rightsInWords, rightsToSet } from '../../src/engines/postgres/rights.js';
import { Facts } from '../../src/host/facts.js';

function facts(role: string, more: Record<string, string> = {}): Facts {
  const made = new Facts();
  made.add('role', Buffer.from(role).toString('hex'));
  for (const [key, text] of Object.entries({ server_version_num: '170002', ...more })) made.add(key, text);
  return made;
}
const sql = (role: string, more: Record<string, string> = {}): string =>
  rightsToSet('shop', facts(role, more))[0]?.text ?? '';

describe('the statements', () => {
  test.each([
    ['app', 'TO app;'],
    ['"The ""App"""', 'TO "The ""App""";'],
  ])('are for the role of the connection: %s', (role, to) => {
    expect(sql(role)).toContain(`GRANT pg_read_all_data ${to}`);
    expect(sql(role)).not.toContain('CREATE ROLE');
  });

  // what a server says of itself is pasted by a superuser
  test.each(['x; DROP TABLE y', '"x"; DROP TABLE y; --"', '"a\nb"', 'x\nDROP', '"x', ''])(
    'name no role that is none: %j',
    (role) => {
      expect(sql(role)).toContain('CREATE ROLE db_backup LOGIN;');
      expect(sql(role)).not.toContain('DROP');
    },
  );

  test('are for another role where that of the connection is more than a backup needs', () => {
    expect(sql('admin', { superuser: 'true' })).toContain('CREATE ROLE db_backup LOGIN;');
    expect(sql('app', { owns: 'true' })).toContain('CREATE ROLE db_backup LOGIN;');
  });

  test('before version 14 there is no role that reads everything', () => {
    const old = sql('app', { server_version_num: '130014' });
    expect(old).not.toContain('pg_read_all_data');
    expect(old).toContain('GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO app;');
  });
});

test.each([
  [{ superuser: 'true' }, /is a superuser/],
  [{ owns: 'true', may_create: 'true' }, /loads beside it, and swaps; does not see the sessions of others/],
  [{ owns: 'true', may_create: 'false' }, /a restore is done in place/],
  [{ owns: 'false', sees_all: 'true' }, /give the URL of its owner; sees the sessions of others/],
])('in words: %j', (more, expected) => {
  const found = rightsInWords(facts('app', more));
  expect(typeof found === 'string' ? found : found.found).toMatch(expected);
});
