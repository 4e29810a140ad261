import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const PROGRAM = fileURLToPath(new URL('../../../src/engines/physical/programs/physical-set.sh', import.meta.url));

/** What the program takes from a list of files. */
const read = (awk: string, list: string): string[] =>
  execFileSync('sh', ['-c', `. '${PROGRAM}'; ${awk} "$set_reader"`], { input: list, encoding: 'utf8' })
    .split('\n')
    .slice(0, -1);

const listOf = (...targets: string[]): string =>
  [
    '[backup:db]',
    'db-catalog-version=202209061',
    'db-version="15"',
    '',
    '[backup:target]',
    'pg_data={"path":"/data","type":"path"}',
    ...targets,
    '',
    '[target:file]',
    'pg_data/PG_VERSION={"checksum":"00","repo-size":12000,"size":3,"timestamp":1796102549}',
    'pg_data/base/1/112={"repo-size":59,"size":8192}',
    'pg_data/empty={"timestamp":1796102549}',
    'pg_data/pg_tblspc/note={"size":1}',
    'pg_tblspc/16385/PG_15_202209061/5/1={"size":5000000000000,"timestamp":1}',
    'pg_tblspc/16385/PG_15_202209061/5/2={"size":4097}',
    'pg_tblspc/7/PG_15_202209061/5/2={"size":4096}',
    '',
    '[target:file:default]',
    'size={"size":9999999}',
  ].join('\n');

const target = (oid: number, place: string, name = 'x'): string =>
  `pg_tblspc/${oid}={"path":"${place}","tablespace-id":"${oid}","tablespace-name":"${name}","type":"link"}`;

const AWKS = ['awk', 'busybox awk'];

test.each(AWKS)('%s: what goes where, in blocks of 4 KiB', (awk) => {
  expect(read(awk, listOf(target(16385, "/srv/a b='é'", '\\"path\\":\\"/x'), target(7, '/srv/..c/.d')))).toEqual([
    'major 15',
    'data 16',
    'all 4882812528',
    "space 16385 4882812508 /srv/a b='é'",
    'space 7 4 /srv/..c/.d',
  ]);
});

test.each(
  AWKS.flatMap((awk) =>
    [
      '/',
      '',
      'relative/path',
      './x',
      '../x',
      '/srv//x',
      '/srv/',
      '/srv/../x',
      '/srv/..',
      '/srv/./x',
      '/x ',
      '/x\t',
    ].map((place) => [awk, place]),
  ),
)('%s: %j is no place to restore to', (awk, place = '') => {
  expect(read(awk, listOf(target(16385, '/srv/x'), target(7, place))).filter((line) => /^odd/.test(line))).toEqual([
    expect.stringContaining(`odd ${place === '' ? '{"path":"' : place}`),
  ]);
});

test.each(AWKS)('%s: nor is one that is written in another way', (awk) => {
  for (const place of ['/a\\"b', '/a\\\\b', '/a\\nspace 1 2 /etc']) {
    expect(read(awk, listOf(target(7, place)))).toContain(`odd ${target(7, place).slice('pg_tblspc/7='.length)}`);
  }
});
