import type { Facts } from '../../host/session.js';
import { formatDuration } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Looked, SetUp } from '../../reporting/report.js';
import type { Settings } from '../../settings/settings.js';
import { healthIn } from './health.js';

/** Whether WAL reaches the repository, as far as it can be seen without sending any. */
export function archiveInWords(facts: Facts): Looked {
  const { findings, figures } = healthIn(facts, new Date());
  const [first] = findings;
  if (first !== undefined) {
    return { level: first.level, code: first.code, found: first.message, todo: first.todo };
  }
  const age = figures.archiveAgeSeconds;
  const timeout = figures.archiveTimeoutSeconds;
  if (timeout === 0) {
    return {
      level: 'warning',
      found: 'WAL is archived, but archive_timeout is 0: a quiet server may keep what was committed for hours',
      todo: 'Set `archive_timeout = 60` in postgresql.conf, and reload.',
    };
  }
  return `WAL is archived${typeof age === 'number' ? `, the newest ${formatDuration(age * 1000)} ago` : '; none is there yet'}`;
}

/** The exact settings, of the server and of pgBackRest, for a repository on a disk and for one in S3. Nothing is changed here. */
export function setUpOf(stanza: string, facts: Facts | null, { runAs }: Settings): SetUp[] {
  const told = facts?.get('cluster') ?? null;
  const cluster = told === null ? '/var/lib/postgresql/15/main' : quoteOutside(told, 300);
  const owner = runAs ?? 'postgres';
  const [, major, name] = /^\/var\/lib\/postgresql\/(\d+)\/([\w-]+)$/.exec(cluster) ?? [];
  const version = major ?? facts?.get('cluster_version') ?? '15';
  const unit = name === undefined ? `postgresql-${version}` : `postgresql@${version}-${name}`;
  const guess = told === null ? ' The path is a guess, because the data directory is not known: correct it.' : '';
  return [
    {
      title: '/etc/pgbackrest.conf, with a repository on a disk',
      why: `Owner ${owner}, mode 0640. Leave out repo1-retention-full: \`keep\` decides what goes.${guess}`,
      language: 'text',
      text: `[global]\nrepo1-path=/var/lib/pgbackrest\n${COMMON}\n[${stanza}]\npg1-path=${cluster}`,
    },
    {
      title: '/etc/pgbackrest.conf, with an encrypted repository in S3 instead',
      why: `Owner ${owner}, mode 0640: it holds secrets. Without repo1-cipher-pass no backup can be restored: keep it somewhere else as well.`,
      language: 'text',
      text: `[global]\n${IN_S3}\n${COMMON}\n[${stanza}]\npg1-path=${cluster}`,
    },
    {
      title: 'postgresql.conf',
      why: 'archive_mode needs a restart of the server; the other two need a reload.',
      language: 'text',
      text: `archive_mode = on\narchive_command = 'pgbackrest --stanza=${stanza} archive-push %p'\narchive_timeout = 60`,
    },
    {
      title: 'The stanza',
      why: 'Run this on the host, once both files are there.',
      language: 'sh',
      text: `sudo systemctl restart ${unit}\nsudo -u ${owner} pgbackrest --stanza=${stanza} stanza-create\nsudo -u ${owner} pgbackrest --stanza=${stanza} check`,
    },
  ];
}

const COMMON = 'compress-type=zst\nprocess-max=2\nstart-fast=y\n';

const IN_S3 = `repo1-type=s3
repo1-path=/pg
repo1-s3-bucket=BUCKET
repo1-s3-endpoint=s3.REGION.amazonaws.com
repo1-s3-region=REGION
repo1-s3-key=ACCESS-KEY-ID
repo1-s3-key-secret=SECRET-ACCESS-KEY
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=A-LONG-RANDOM-PASSPHRASE`;
