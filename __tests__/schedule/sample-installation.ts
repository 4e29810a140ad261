import { parseCalendar } from '../../src/schedule/calendar.js';
import type { Installation, Job, Needs } from '../../src/schedule/installation.js';

const NEEDS: Needs = { folders: [], files: [], credentials: [], variables: [], startsOthers: false };

export function installationOf(
  { needs, ...changed }: Partial<Omit<Installation, 'needs' | 'jobs'>> & { needs?: Partial<Needs> } = {},
  jobs: Partial<Record<Job, string>> = { backup: 'daily 02:00' },
): Installation {
  return {
    name: 'shop',
    jobs: new Map(Object.entries(jobs).map(([job, text]) => [job as Job, parseCalendar(text)])),
    account: { name: 'app', uid: 1000, home: '/var/lib/app' },
    node: '/usr/bin/node',
    cli: '/usr/lib/db-backup/dist/cli.js',
    config: '/etc/db-backup/shop.yml',
    needs: { ...NEEDS, ...needs },
    ...changed,
  };
}
