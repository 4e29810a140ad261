import { describe, expect, test } from '@jest/globals';
import { blockIn, blockOf, blocksIn, Damaged, damagedIn, withBlock, without } from '../../src/schedule/crontab.js';
import { installationOf } from './sample-installation.js';

const TOOLS = { env: '/usr/bin/env', flock: '/usr/bin/flock' };
const block = blockOf(installationOf(), TOOLS);
/** Bytes that are no text, a line that looks nearly like one of ours, and blanks at the end. */
const FOREIGN = 'MAILTO=ops\n# >>> db-backup shops (made by somebody)\n\n0 1 * * * echo "\xff\xe4" %a \\% \t \n';

test('a line runs the job by absolute paths, not twice at once, and says warnings and errors alone', () => {
  expect(block.split('\n')).toEqual([
    '# >>> db-backup shop (made by db-backup; changes here are lost)',
    expect.stringMatching(/^# made by db-backup .*"name":"shop","job":"backup","calendar":"daily 02:00","user":"app"/),
    '0 2 * * * umask 077; /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin /usr/bin/flock -n /var/lib/app/.db-backup-shop-backup.lock /usr/bin/node /usr/lib/db-backup/dist/cli.js backup --scheduled --config /etc/db-backup/shop.yml --quiet',
    '# <<< db-backup shop',
    '',
  ]);
  const bare = blockOf(installationOf(), { env: null, flock: null });
  expect(bare).toContain('\n0 2 * * * umask 077; /usr/bin/node /usr');
});

test.each([
  ["/etc/it's 100% $HOME `id`/a b.yml", `'/etc/it'\\''s 100\\% $HOME \`id\`/a b.yml'`],
  ['/etc/100%.yml', "'/etc/100\\%.yml'"],
  ['/etc/a;b&c.yml', "'/etc/a;b&c.yml'"],
])('a path %s is one word', (config, word) => {
  expect(blockOf(installationOf({ config }), TOOLS)).toContain(` --config ${word} --quiet\n`);
});

test.each([
  ['/etc/a\n* * * * * id', /control characters/],
  ['/etc/a\\b.yml', /has a "\\"/],
  [`/etc/${'a'.repeat(900)}.yml`, /the line of backup has \d+ bytes, but cron accepts at most 998/],
])('%j is refused', (config, rule) => {
  expect(() => blockOf(installationOf({ config }), TOOLS)).toThrow(rule);
});

describe('a table', () => {
  test('keeps every byte that is not ours, when a block comes, is replaced, and goes', () => {
    const table = withBlock(FOREIGN, 'shop', block);
    expect(table).toBe(`${FOREIGN}${block}`);
    const other = blockOf(installationOf({}, { health: 'hourly' }), TOOLS);
    const replaced = withBlock(`${table}# after\n`, 'shop', other);
    expect(replaced).toBe(`${FOREIGN}# after\n${other}`);
    expect(without(replaced, 'shop')).toBe(`${FOREIGN}# after\n`);
    expect(without(FOREIGN, 'shop')).toBe(FOREIGN);
    expect(withBlock('', 'shop', block)).toBe(block);
    expect(withBlock('0 1 * * * id', 'shop', block)).toBe(`0 1 * * * id\n${block}`);
  });

  test('another name is somebody else', () => {
    const both = withBlock(block, 'app', blockOf(installationOf({ name: 'app' }), TOOLS));
    expect(without(both, 'app')).toBe(block);
    expect(blocksIn(both).map(({ name }) => name)).toEqual(['shop', 'app']);
  });

  const [first = '', , , last = ''] = block.split('\n');
  test.each([
    ['no end', `${first}\n0 1 * * * id\n`],
    ['no begin', `0 1 * * * id\n${last}\n`],
    ['two begins', `${first}\n${first}\n${last}\n`],
    ['two blocks', `${block}${block}`],
    ['no mark at all, and a line that runs', block.split('\n').slice(1, 3).concat('').join('\n')],
    ['another block within', `${first}\n# >>> db-backup app (made by db-backup; changes here are lost)\n${last}\n`],
  ])('%s: nothing is made of it', (_, table) => {
    expect(() => without(table, 'shop')).toThrow(Damaged);
    expect(() => withBlock(table, 'shop', block)).toThrow(Damaged);
    expect(() => blockIn(table, 'shop')).toThrow(Damaged);
    expect(damagedIn(`${FOREIGN}${table}`)).toContain('shop');
  });

  test('with whole blocks has nothing damaged, wherever they are', () => {
    const both = `${block}${FOREIGN}${blockOf(installationOf({ name: 'app' }), TOOLS)}# after\n`;
    expect(damagedIn(both)).toEqual([]);
    expect(blockIn(both, 'shop')).toBe(block);
    expect(blockIn(both, 'other')).toBe('');
  });

  test('tells what is in it, and whether somebody has changed it', () => {
    const table = withBlock(FOREIGN, 'shop', blockOf(installationOf({ config: '/etc/ä.yml' }), TOOLS));
    expect(blocksIn(table)).toEqual([
      {
        name: 'shop',
        jobs: [{ mark: expect.objectContaining({ config: '/etc/ä.yml', user: 'app' }), isIntact: true }],
      },
    ]);
    expect(blocksIn(table.replace('0 2 * * *', '0 3 * * *'))[0]?.jobs[0]?.isIntact).toBe(false);
    expect(blocksIn(table.replace('# <<<', '1 1 * * * id\n# <<<'))[0]?.jobs[0]?.isIntact).toBe(false);
  });

  test('a mark outside of a block, or of another name, is none', () => {
    const [begin = '', mark = '', ...rest] = block.split('\n');
    expect(blocksIn(`${mark}\n`)).toEqual([]);
    const renamed = [begin, mark.replace('"shop"', '"app"'), ...rest].join('\n');
    expect(blocksIn(renamed)).toEqual([{ name: 'shop', jobs: [] }]);
  });
});
