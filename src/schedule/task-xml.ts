import { win32 } from 'node:path';
import type { Calendar } from './calendar.js';
import { commandOf, type Installation, type Job } from './installation.js';
import { markLine, readMark } from './mark.js';

// Tasks for the Task Scheduler of Windows (https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema).

/** LOCAL SERVICE, who has no rights beyond those of users, and needs no password. */
export const LOCAL_SERVICE = 'S-1-5-19';

/** The name of the task, below the folder of ours. */
export const taskName = (name: string, job: Job): string => `\\db-backup\\${name}-${job}`;

/** What `schtasks /create /xml` takes, as text. Throws an Error whose text is the rule, for what XML can not hold. */
export function taskXml(wanted: Installation, job: Job): string {
  const calendar = wanted.jobs.get(job);
  if (calendar === undefined) throw new Error(`${job} has no time to run at`);
  const [program = '', ...words] = commandOf(wanted, job, '--quiet');
  const { name } = wanted.account;
  // somebody with a name runs it also when he is not logged in, without his password being kept
  const logon = /^S-1-/.test(name) ? '' : '<LogonType>S4U</LogonType>';
  const body = `  <Triggers><CalendarTrigger>${triggerOf(calendar)}</CalendarTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>${xml(name)}</UserId>${logon}<RunLevel>LeastPrivilege</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <ExecutionTimeLimit>PT23H</ExecutionTimeLimit>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Author"><Exec><Command>${xml(program)}</Command><Arguments>${xml(words.map(argument).join(' '))}</Arguments><WorkingDirectory>${xml(win32.dirname(wanted.config))}</WorkingDirectory></Exec></Actions>
</Task>
`;
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>db-backup</Author><Description>${xml(markLine(wanted, job, body))}</Description><URI>${xml(taskName(wanted.name, job))}</URI></RegistrationInfo>
${body}`;
}

/** As the file has to be: UTF-16, the lower byte first, with its mark. */
export const utf16 = (text: string): Buffer => Buffer.from(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'utf16le');

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function triggerOf(calendar: Calendar): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const { minute } = calendar;
  const hour = calendar.unit === 'hours' ? 0 : calendar.hour;
  const start = `<StartBoundary>2026-01-01T${two(hour)}:${two(minute)}:00</StartBoundary><Enabled>true</Enabled>`;
  const daily = '<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>';
  const delay = '<RandomDelay>PT15M</RandomDelay>';
  switch (calendar.unit) {
    case 'hours':
      return `<Repetition><Interval>PT${calendar.every}H</Interval><Duration>P1D</Duration></Repetition>${start}${daily}`;
    case 'day':
      return `${start}${delay}${daily}`;
    case 'week':
      return `${start}${delay}<ScheduleByWeek><WeeksInterval>1</WeeksInterval><DaysOfWeek><${DAYS[calendar.day]} /></DaysOfWeek></ScheduleByWeek>`;
    case 'month':
      return `${start}${delay}<ScheduleByMonth><DaysOfMonth><Day>${calendar.day}</Day></DaysOfMonth><Months>${MONTHS.map((month) => `<${month} />`).join('')}</Months></ScheduleByMonth>`;
  }
}

/** One argument as programs of Windows take a command line apart: "\" before a quote is doubled. */
function argument(text: string): string {
  if (/^[^\s"]+$/.test(text)) return text;
  return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** Text within an element. */
function xml(text: string): string {
  if (/\p{Cc}|\p{Surrogate}|[\uFFFE\uFFFF]/u.test(text))
    throw new Error(`${JSON.stringify(text)} has characters that are not possible in a task`);
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** What a task says of itself, as `schtasks /query /xml` shows it; null: it is none of ours. */
export function markOfTask(text: string): ReturnType<typeof readMark> {
  const [, description = ''] = /<Description>([^<]*)<\/Description>/.exec(text) ?? [];
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return readMark(
    description.replace(/&(?:#(\d{1,3})|([a-z]+));/g, (whole, code?: string, name?: string) =>
      code === undefined ? (named[name ?? ''] ?? whole) : String.fromCharCode(Number(code)),
    ),
  );
}
