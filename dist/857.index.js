export const id = 857;
export const ids = [857];
export const modules = {

/***/ 5857:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  install: () => (/* reexport */ install),
  list: () => (/* reexport */ list),
  run: () => (/* reexport */ run),
  status: () => (/* reexport */ schedule_installed_status),
  uninstall: () => (/* reexport */ uninstall)
});

// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/platform/platform.ts + 1 modules
var platform = __webpack_require__(7460);
;// CONCATENATED MODULE: ./src/schedule/installation.ts
/** What can run by itself. */
const JOBS = ['backup', 'verify', 'health'];
const SYSTEMS = ['systemd', 'cron', 'task-scheduler'];
/** The command of a job, word by word. */
const commandOf = ({ node, cli, config }, job, ...more) => [node, cli, job, '--scheduled', '--config', config, ...more];

// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
;// CONCATENATED MODULE: ./src/schedule/machine.ts




const PATIENCE_MS = 60_000;
/** What these programs get of our variables, in which there may be secrets. */
const PASSED = [
    ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TZ', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'DBUS_SESSION_BUS_ADDRESS'],
    ...['SystemRoot', 'ComSpec', 'PATHEXT', 'TEMP', 'TMP'],
];
/** Runs a program of the system; in English, since some of what it says is understood. */
function call(program, args, input) {
    const { status, stdout, stderr, error } = (0,external_node_child_process_.spawnSync)(program, args, {
        ...{ input: input ?? '', timeout: PATIENCE_MS, maxBuffer: 16 << 20 },
        env: { ...Object.fromEntries(PASSED.map((name) => [name, process.env[name]])), LC_ALL: 'C' },
    });
    const said = (stderr ?? Buffer.alloc(0)).toString('utf8').trim();
    return { status, stdout: stdout ?? Buffer.alloc(0), stderr: said || (error === undefined ? '' : error.message) };
}
/** The path of a program; null: it is not there. */
function programPath(name) {
    const folders = [...(process.env.PATH ?? '').split(external_node_path_.delimiter), '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
    for (const folder of folders) {
        if (!folder.startsWith('/'))
            continue;
        try {
            (0,external_node_fs_.accessSync)((0,external_node_path_.join)(folder, name), external_node_fs_.constants.X_OK);
            return (0,external_node_path_.join)(folder, name);
        }
        catch {
            // not there
        }
    }
    return null;
}
const isRoot = () => process.getuid?.() === 0;
const isWindows = () => process.platform === 'win32';
/** As `sd_booted(3)` says it. */
const runsSystemd = () => isFolder('/run/systemd/system');
function isFolder(path) {
    return statOf(path)?.isDirectory() ?? false;
}
/** undefined: it is not there, or not for this user to see. */
function statOf(path) {
    try {
        return (0,external_node_fs_.statSync)(path, { throwIfNoEntry: false });
    }
    catch {
        return undefined;
    }
}
/** Whether an account has a home in which it can make files: many a one of a service has none, or that of somebody else. */
function hasHome({ uid, home }) {
    const found = statOf(home);
    return found?.isDirectory() === true && found.uid === uid && (found.mode & 0o300) === 0o300;
}
/** The one who calls. */
function caller() {
    const { username, uid, homedir } = (0,external_node_os_.userInfo)();
    return { name: username, uid, home: homedir };
}
/** An account of this machine; null: there is none of that name. */
function accountOf(name) {
    const asked = call('getent', ['passwd', '--', name]);
    const lines = asked.status === 0 ? asked.stdout.toString('utf8') : passwd();
    const fields = lines
        .split('\n')
        .map((line) => line.split(':'))
        .find(([first]) => first === name);
    const uid = Number(fields?.[2]);
    return fields === undefined || !Number.isInteger(uid) ? null : { name, uid, home: fields[5] ?? '/' };
}
function passwd() {
    try {
        return (0,external_node_fs_.readFileSync)('/etc/passwd', 'utf8');
    }
    catch {
        return '';
    }
}
/** Those of these paths that this account can not read, as far as that can be found out. */
function unreadableFor(account, paths) {
    const isOther = isRoot() && account.uid !== 0;
    const runuser = isOther ? programPath('runuser') : null;
    return paths.filter((path) => {
        if (!isOther)
            return !isReadable(path);
        return runuser !== null && call(runuser, ['-u', account.name, '--', 'test', '-r', path]).status !== 0;
    });
}
function isReadable(path) {
    try {
        (0,external_node_fs_.accessSync)(path, external_node_fs_.constants.R_OK);
        return true;
    }
    catch {
        return false;
    }
}
/** The file, or the folder on the way to it, that somebody else than this account and root can change; null: there is none. */
function changeableByOthers(path, uid) {
    const found = statOf(path);
    const isSticky = found !== undefined && (found.mode & 0o1000) !== 0;
    if (found !== undefined && ((found.uid !== 0 && found.uid !== uid) || ((found.mode & 0o002) !== 0 && !isSticky)))
        return path;
    return (0,external_node_path_.dirname)(path) === path ? null : changeableByOthers((0,external_node_path_.dirname)(path), uid);
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: ./src/settings/value-rules.ts
var value_rules = __webpack_require__(7722);
;// CONCATENATED MODULE: ./src/schedule/calendar.ts
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const MINUTE_MS = 60_000;
const FORMS = 'expected hourly, hourly :15, every 6 hours, daily 02:00, weekly sunday 03:00, monthly 1 05:00, or a cron expression for one of these, such as "0 2 * * *"';
/** Reads `daily 02:00` and its like. Throws an Error whose text is the rule. */
function parseCalendar(text) {
    const words = text.trim().toLowerCase().replace(/\s+/g, ' ');
    const parts = words.split(' ');
    return parts.length === 5 && /^[\d*]/.test(words) ? fromCron(parts) : fromWords(words);
}
function fromWords(words) {
    const [, every, minute] = /^(?:hourly|every (\d{1,2}) hours?)(?: :(\d\d))?$/.exec(words) ?? [];
    if (/^(?:hourly|every) ?/.test(words)) {
        if (!/^(?:hourly|every \d{1,2} hours?)(?: :\d\d)?$/.test(words))
            throw new Error(FORMS);
        return { unit: 'hours', every: hours(every ?? '1'), minute: number(minute ?? '0', 0, 59, 'minute') };
    }
    const [, unit, which = '', hour = '', past = ''] = /^(daily|weekly|monthly)(?: ([a-z]+|\d{1,2}))? (\d{1,2}):(\d\d)$/.exec(words) ?? [];
    const time = () => ({
        hour: number(hour, 0, 23, 'hour'),
        minute: number(past, 0, 59, 'minute'),
    });
    if (unit === 'daily' && which === '')
        return { unit: 'day', ...time() };
    if (unit === 'weekly')
        return { unit: 'week', day: dayOfWeek(which), ...time() };
    if (unit === 'monthly')
        return { unit: 'month', day: dayOfMonth(which), ...time() };
    throw new Error(FORMS);
}
/** As scripts have it: single numbers, and `*` or `*\/6` for the hours. */
function fromCron([minute = '', hour = '', date = '', month = '', day = '']) {
    const past = number(minute, 0, 59, 'minute');
    const step = /^\*(?:\/(\d{1,2}))?$/.exec(hour);
    if (month !== '*')
        throw new Error(FORMS);
    if (step !== null) {
        if (date !== '*' || day !== '*')
            throw new Error(FORMS);
        return { unit: 'hours', every: hours(step[1] ?? '1'), minute: past };
    }
    const time = { hour: number(hour, 0, 23, 'hour'), minute: past };
    if (date === '*' && day === '*')
        return { unit: 'day', ...time };
    if (date === '*')
        return { unit: 'week', day: dayOfWeek(day), ...time };
    if (day === '*')
        return { unit: 'month', day: dayOfMonth(date), ...time };
    throw new Error(FORMS);
}
function number(text, least, most, what) {
    if (!/^\d{1,2}$/.test(text))
        throw new Error(FORMS);
    if (Number(text) >= least && Number(text) <= most)
        return Number(text);
    throw new Error(`expected the ${what} to be from ${least} to ${most}`);
}
function hours(text) {
    if (Number(text) > 0 && Number(text) < 24 && 24 % Number(text) === 0)
        return Number(text);
    throw new Error('expected 1, 2, 3, 4, 6, 8 or 12 hours, which divide a day evenly');
}
function dayOfWeek(text) {
    const byNumber = /^[0-7]$/.test(text) ? Number(text) % 7 : -1;
    const found = byNumber >= 0 ? byNumber : DAYS.findIndex((day) => text.length >= 3 && (day === text || day.slice(0, 3) === text));
    if (found >= 0)
        return found;
    throw new Error(`expected a day of the week, such as weekly sunday 03:00: ${DAYS.join(', ')}`);
}
function dayOfMonth(text) {
    if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= 28)
        return Number(text);
    throw new Error('expected a day from 1 to 28, because every month has these, such as monthly 1 05:00');
}
const two = (value) => String(value).padStart(2, '0');
const clock = ({ hour, minute }) => `${two(hour)}:${two(minute)}`;
/** As parseCalendar reads it. */
function showCalendar(calendar) {
    switch (calendar.unit) {
        case 'hours': {
            const minute = calendar.minute === 0 ? '' : ` :${two(calendar.minute)}`;
            return calendar.every === 1 ? `hourly${minute}` : `every ${calendar.every} hours${minute}`;
        }
        case 'day':
            return `daily ${clock(calendar)}`;
        case 'week':
            return `weekly ${DAYS[calendar.day]} ${clock(calendar)}`;
        case 'month':
            return `monthly ${calendar.day} ${clock(calendar)}`;
    }
}
/** For `OnCalendar=`. */
function onCalendar(calendar) {
    switch (calendar.unit) {
        case 'hours':
            return `*-*-* ${calendar.every === 1 ? '*' : `00/${calendar.every}`}:${two(calendar.minute)}:00`;
        case 'day':
            return `*-*-* ${clock(calendar)}:00`;
        case 'week':
            return `${['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][calendar.day]} *-*-* ${clock(calendar)}:00`;
        case 'month':
            return `*-*-${two(calendar.day)} ${clock(calendar)}:00`;
    }
}
/** The first five fields of a line of cron. */
function cronFields(calendar) {
    switch (calendar.unit) {
        case 'hours':
            return `${calendar.minute} ${calendar.every === 1 ? '*' : `*/${calendar.every}`} * * *`;
        case 'day':
            return `${calendar.minute} ${calendar.hour} * * *`;
        case 'week':
            return `${calendar.minute} ${calendar.hour} * * ${calendar.day}`;
        case 'month':
            return `${calendar.minute} ${calendar.hour} ${calendar.day} * *`;
    }
}
/**
 * The next times after `from`, by the clock of the machine. One that the clock leaves out, when summer time begins, is none; of two that it
 * shows alike, when summer time ends, the first is one. What is hourly comes in each hour that passes, however the clock is set.
 */
function nextTimes(calendar, from, count) {
    if (calendar.unit === 'hours' && calendar.every === 1)
        return eachHour(calendar.minute, from, count);
    const found = [];
    for (let days = 0; found.length < count; days++) {
        const times = timesOn(calendar, from, days).filter(({ time, exists }) => exists && time > from);
        found.push(...times.map(({ time }) => time).slice(0, count - found.length));
    }
    return found;
}
function eachHour(minute, from, count) {
    const found = [];
    let time = Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS;
    while (found.length < count) {
        time += MINUTE_MS;
        const next = new Date(time);
        if (next.getMinutes() === minute)
            found.push(next);
    }
    return found;
}
/** The first time within a year that the clock leaves out; null: it has all, or the job comes more often than once a day. */
function leftOut(calendar, from) {
    if (calendar.unit === 'hours')
        return null;
    for (let days = 0; days < 366; days++) {
        const missing = timesOn(calendar, from, days).find(({ exists }) => !exists);
        if (missing !== undefined)
            return missing.time;
    }
    return null;
}
/** On the day that is so many days later. `exists`: the clock shows that hour on that day. */
function timesOn(calendar, from, days) {
    const day = new Date(from.getFullYear(), from.getMonth(), from.getDate() + days, 12);
    if (calendar.unit === 'week' && day.getDay() !== calendar.day)
        return [];
    if (calendar.unit === 'month' && day.getDate() !== calendar.day)
        return [];
    const all = calendar.unit === 'hours'
        ? Array.from({ length: 24 / calendar.every }, (_, nth) => nth * calendar.every)
        : [calendar.hour];
    return all.map((hour) => {
        const time = new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour, calendar.minute);
        return { time, exists: time.getHours() === hour && time.getMinutes() === calendar.minute };
    });
}

;// CONCATENATED MODULE: ./src/schedule/mark.ts




const BEGINNING = 'made by db-backup (`db-backup schedule` replaces and removes it): ';
/** The line, without a sign of a comment before it. ASCII alone, and nothing in it ends it. `text`: what the piece is besides. */
function markLine({ name, account, node, cli, config, jobs }, job, text) {
    const calendar = jobs.get(job);
    if (calendar === undefined)
        throw new Error(`${job} has no time to run at`);
    const facts = {
        name,
        job,
        calendar: showCalendar(calendar),
        user: account.name,
        node,
        cli,
        config,
        sum: sumOf(text),
    };
    return `${BEGINNING}${JSON.stringify(facts).replace(/[^ -~]/g, escaped)}`;
}
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
const sumOf = (text) => (0,external_node_crypto_.createHash)('sha256').update(text).digest('hex').slice(0, 16);
/** What such a line says, wherever in it that begins; null: it is none of ours. `isIntact`: whether the text is the one that it was made for. */
function readMark(line) {
    const at = line.indexOf(BEGINNING);
    if (at < 0)
        return null;
    try {
        const said = JSON.parse(line.slice(at + BEGINNING.length));
        const text = (key) => {
            const value = said[key];
            if (typeof value !== 'string')
                throw new Error(`${key} is not a string`);
            return value;
        };
        const job = JOBS.find((one) => one === said.job);
        if (job === undefined)
            return null;
        const mark = {
            ...{ name: (0,value_rules/* parseName */.$q)(text('name')), job, calendar: parseCalendar(text('calendar')) },
            ...{ user: text('user'), node: text('node'), cli: text('cli'), config: text('config') },
        };
        const sum = text('sum');
        return { mark, isIntact: (other) => sumOf(other) === sum };
    }
    catch {
        return null;
    }
}

;// CONCATENATED MODULE: ./src/schedule/task-xml.ts



// Tasks for the Task Scheduler of Windows (https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema).
/** LOCAL SERVICE, who has no rights beyond those of users, and needs no password. */
const LOCAL_SERVICE = 'S-1-5-19';
/** The name of the task, below the folder of ours. */
const taskName = (name, job) => `\\db-backup\\${name}-${job}`;
/** What `schtasks /create /xml` takes, as text. Throws an Error whose text is the rule, for what XML can not hold. */
function taskXml(wanted, job) {
    const calendar = wanted.jobs.get(job);
    if (calendar === undefined)
        throw new Error(`${job} has no time to run at`);
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
  <Actions Context="Author"><Exec><Command>${xml(program)}</Command><Arguments>${xml(words.map(argument).join(' '))}</Arguments><WorkingDirectory>${xml(external_node_path_.win32.dirname(wanted.config))}</WorkingDirectory></Exec></Actions>
</Task>
`;
    return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>db-backup</Author><Description>${xml(markLine(wanted, job, body))}</Description><URI>${xml(taskName(wanted.name, job))}</URI></RegistrationInfo>
${body}`;
}
/** As the file has to be: UTF-16, the lower byte first, with its mark. */
const utf16 = (text) => Buffer.from(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'utf16le');
const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const task_xml_DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
function triggerOf(calendar) {
    const two = (value) => String(value).padStart(2, '0');
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
            return `${start}${delay}<ScheduleByWeek><WeeksInterval>1</WeeksInterval><DaysOfWeek><${task_xml_DAYS[calendar.day]} /></DaysOfWeek></ScheduleByWeek>`;
        case 'month':
            return `${start}${delay}<ScheduleByMonth><DaysOfMonth><Day>${calendar.day}</Day></DaysOfMonth><Months>${MONTHS.map((month) => `<${month} />`).join('')}</Months></ScheduleByMonth>`;
    }
}
/** One argument as programs of Windows take a command line apart: "\" before a quote is doubled. */
function argument(text) {
    if (/^[^\s"]+$/.test(text))
        return text;
    return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
/** Text within an element. */
function xml(text) {
    if (/\p{Cc}|\p{Surrogate}|[\uFFFE\uFFFF]/u.test(text))
        throw new Error(`${JSON.stringify(text)} has characters that are not possible in a task`);
    return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
/** What a task says of itself, as `schtasks /query /xml` shows it; null: it is none of ours. */
function markOfTask(text) {
    const [, description = ''] = /<Description>([^<]*)<\/Description>/.exec(text) ?? [];
    const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
    return readMark(description.replace(/&(?:#(\d{1,3})|([a-z]+));/g, (whole, code, name) => code === undefined ? (named[name ?? ''] ?? whole) : String.fromCharCode(Number(code))));
}

// EXTERNAL MODULE: ./src/command-line/exit-status.ts
var exit_status = __webpack_require__(4259);
// EXTERNAL MODULE: ./src/platform/terminal.ts + 1 modules
var terminal = __webpack_require__(1511);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
// EXTERNAL MODULE: ./src/host/quoting.ts
var quoting = __webpack_require__(2437);
;// CONCATENATED MODULE: ./src/schedule/crontab.ts




// The block of one name in a crontab. All the rest of the table stays byte for byte, so tables are read as bytes: latin1, in which each
// byte is one character.
/** Debian's cron cuts what is longer. */
const LONGEST_COMMAND = 998;
/** For tools that are in neither of the two folders that cron itself has there. A line of its own would count for the lines of others as well. */
const PATH = 'PATH=/usr/local/bin:/usr/bin:/bin';
const begin = (name) => `# >>> db-backup ${name} (made by db-backup; changes here are lost)`;
const end = (name) => `# <<< db-backup ${name}`;
const BEGIN = /^# >>> db-backup (\S+) \(made by db-backup; changes here are lost\)$/m;
const END = /^# <<< db-backup (\S+)$/m;
/** The block, with a line end after each line. Throws an Error whose text is the rule, for a path that no crontab can hold. `env`, `flock`: paths; null: there is none. */
function blockOf(wanted, tools) {
    const lines = [...wanted.jobs].flatMap(([job, calendar]) => {
        const lock = tools.flock === null ? [] : [tools.flock, '-n', lockFile(wanted.name, wanted.account, job)];
        const path = tools.env === null ? [] : [tools.env, PATH];
        const words = [...path, ...lock, ...commandOf(wanted, job, '--quiet')];
        const line = `${cronFields(calendar)} umask 077; ${words.map(word).join(' ')}`;
        const { length } = Buffer.from(line);
        if (length > LONGEST_COMMAND)
            throw new Error(`the line of ${job} has ${length} bytes, but cron accepts at most ${LONGEST_COMMAND}`);
        return [`# ${markLine(wanted, job, line)}`, line];
    });
    return Buffer.from([begin(wanted.name), ...lines, end(wanted.name), ''].join('\n'), 'utf8').toString('latin1');
}
/** By which a run that is not over when the next one begins keeps that from it: in the home, and for no other user to open, who could hold it. */
const lockFile = (name, { home }, job) => `${home.replace(/\/$/, '')}/.db-backup-${name}-${job}.lock`;
/** A word of the shell in a line of cron, where `%` ends the command, and programs disagree about "\" before another "\". */
function word(text) {
    if (/\p{Cc}|\p{Surrogate}/u.test(text))
        throw new Error(`${JSON.stringify(text)} has control characters, which are not possible in a crontab`);
    if (text.includes('\\'))
        throw new Error(`${JSON.stringify(text)} has a "\\", which implementations of cron read in different ways`);
    return (/^[\w./:@+=,-]+$/.test(text) ? text : (0,quoting/* quote */.h)(text)).replaceAll('%', '\\%');
}
class Damaged extends Error {
}
/** The table without the block of that name. Throws Damaged when the marks of it are not one begin and one end, or are gone from its lines. */
const without = (table, name) => parted(table, name).rest;
/** The block of that name, with its marks; empty: there is none. Throws Damaged as `without` does. */
const blockIn = (table, name) => parted(table, name).block;
function parted(table, name) {
    const rest = [];
    const block = [];
    let inside = false;
    const lines = table.split(/(?<=\n)/);
    for (const [at, line] of lines.entries()) {
        const text = line.replace(/\n$/, '');
        if (text === begin(name)) {
            if (inside || block.length > 0)
                throw new Damaged();
            inside = true;
            block.push(line);
        }
        else if (text === end(name)) {
            if (!inside)
                throw new Damaged();
            inside = false;
            block.push(line);
        }
        else if (inside) {
            if (isMark(text))
                throw new Damaged(); // of another name, whose lines would go with this one's
            block.push(line);
        }
        else if (jobAt(lines, at) === name)
            throw new Damaged();
        else
            rest.push(line);
    }
    if (inside)
        throw new Damaged();
    return { rest: rest.join(''), block: block.join('') };
}
const isMark = (text) => /^# (?:>>>|<<<) db-backup /.test(text);
/** Of which name the job is that the line after this one runs, as this line says; null: of none. */
function jobAt(lines, at) {
    const read = (lines[at] ?? '').startsWith('#') ? readMark(lines[at] ?? '') : null;
    return read !== null && /^[\d*@]/.test(lines[at + 1] ?? '') ? read.mark.name : null;
}
/** The names whose marks are damaged, while lines of theirs may run. */
function damagedIn(table) {
    const lines = table.split(/(?<=\n)/);
    const names = lines.flatMap((line, at) => [BEGIN.exec(line)?.[1] ?? END.exec(line)?.[1] ?? jobAt(lines, at) ?? []].flat());
    return [...new Set(names)].filter((name) => {
        try {
            without(table, name);
            return false;
        }
        catch {
            return true;
        }
    });
}
/** The table with that block at its end, and no other of that name. */
function withBlock(table, name, block) {
    const rest = without(table, name);
    return `${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}${block}`;
}
/** The blocks in a table, as far as their beginnings are there. */
function blocksIn(table) {
    const text = Buffer.from(table, 'latin1').toString('utf8');
    return text.split(/^(?=# >>> db-backup )/m).flatMap((part) => {
        const [first = '', ...lines] = part.split('\n');
        const [, name] = BEGIN.exec(first) ?? [];
        if (name === undefined)
            return [];
        const inside = lines.slice(0, Math.max(0, lines.indexOf(end(name))));
        const jobs = inside.flatMap((line, at) => {
            const read = readMark(line);
            return read === null || read.mark.name !== name
                ? []
                : [{ mark: read.mark, isIntact: read.isIntact(inside[at + 1] ?? '') }];
        });
        // a line that is nobody's would go with the next installation
        const isWhole = inside.length === 2 * jobs.length;
        return [{ name, jobs: jobs.map(({ mark, isIntact }) => ({ mark, isIntact: isIntact && isWhole })) }];
    });
}

;// CONCATENATED MODULE: ./src/schedule/on-cron.ts





/** Where programs of cron keep the tables, a file for each user. */
const SPOOLS = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron', '/etc/crontabs'];
/** What crontab says when a user has no table: any other failure must not pass for an empty one, which would wipe it. */
const NONE = /\bno crontab for\b|No such file/;
const ATTEMPTS = 5;
const LONGEST_WAIT_MS = 5_000;
/** A block in the table of `account`; the caller is root, or that user. */
function onCron(account, me) {
    const of = (user) => (user === me.name ? [] : ['-u', user]);
    /** Each byte as a character. */
    function tableOf(user) {
        const { status, stdout, stderr } = call('crontab', [...of(user), '-l']);
        if (status === 0)
            return stdout.toString('latin1');
        if (status !== null && NONE.test(stderr))
            return '';
        throw new errors/* BackupError */.hj('E_PERM', `the crontab of ${user} cannot be read, so it is not changed either: ${stderr || `status ${status}`}`, 'Check that cron is installed, and that `crontab -l` works for that user (cron.allow, cron.deny).');
    }
    /** Others may change the table between our reading and our writing, since crontab has no lock: so it is looked whether ours was the last. */
    function change(user, name, make) {
        for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
            const began = Date.now();
            const table = unlessDamaged(user, name, () => make(tableOf(user)));
            const { status, stderr } = call('crontab', [...of(user), '-'], Buffer.from(table, 'latin1'));
            if (status !== 0) {
                throw new errors/* BackupError */.hj('E_PERM', `the crontab of ${user} could not be written, and did not change: ${stderr || `status ${status}`}`, 'Check that `crontab -e` works for that user.');
            }
            // who has read it before we wrote has written by then, when that takes as long for others as for us
            sleep(Math.min(Date.now() - began, LONGEST_WAIT_MS));
            if (unlessDamaged(user, name, () => blockIn(tableOf(user), name)) === blockIn(table, name))
                return;
        }
        throw new errors/* BackupError */.hj('E_LOCKED', `the crontab of ${user} was written ${ATTEMPTS} times, and each time something else changed it right afterwards, so it is not correct now`, 'Find out what else writes it (`crontab -l`), and try again.');
    }
    function unlessDamaged(user, name, deed) {
        try {
            return deed();
        }
        catch (error) {
            throw error instanceof Damaged ? damaged(user, name) : error;
        }
    }
    const damaged = (user, name) => new errors/* BackupError */.hj('E_INPUT', `the lines of ${name} in the crontab of ${user} have a missing or an extra marker, so it is not clear which lines are ours`, `Repair them with \`crontab -e\`: "# >>> db-backup ${name} ..." and "# <<< db-backup ${name}" must each occur once, with only our lines between them.`);
    /** Of what can not be read, which of these tables it is, is told by `unclear`. */
    function tableIfReadable(user) {
        try {
            return tableOf(user);
        }
        catch {
            return '';
        }
    }
    function unclearOf(user) {
        const where = `the crontab of ${user}`;
        const one = (name, fault) => ({ system: 'cron', name, user, where, fault });
        let table;
        try {
            table = tableOf(user);
        }
        catch (error) {
            // of others, nobody has asked for
            return user === account.name || user === me.name ? [one(null, (0,errors/* describe */.q0)(error))] : [];
        }
        const names = damagedIn(table);
        const unknown = blocksIn(table).filter(({ name, jobs }) => jobs.length === 0 && !names.includes(name));
        return [
            ...names.map((name) => one(name, damaged(user, name))),
            ...unknown.map(({ name }) => one(name, unknowable(user, name))),
        ];
    }
    const unknowable = (user, name) => new errors/* BackupError */.hj('E_INPUT', `the block of ${name} in the crontab of ${user} does not say which jobs it has`, 'Install it again, or uninstall it with `db-backup schedule uninstall`.');
    /** Those whose tables the caller may read. */
    const users = () => [...new Set([account.name, me.name, ...(isRoot() ? othersWithTables() : [])])];
    const block = (wanted) => blockOf(wanted, { env: programPath('env'), flock: hasHome(wanted.account) ? programPath('flock') : null });
    return {
        system: 'cron',
        whose: account.name,
        pieces: (wanted) => [
            { where: `the crontab of ${account.name}`, text: Buffer.from(block(wanted), 'latin1').toString('utf8') },
        ],
        install(wanted) {
            change(account.name, wanted.name, (table) => withBlock(table, wanted.name, block(wanted)));
            return ['cron has to be running; it mails the warnings and errors of the jobs if the machine can send mail'];
        },
        installed: () => users().flatMap((user) => blocksIn(tableIfReadable(user)).flatMap(({ jobs }) => jobs.map(({ mark, isIntact }) => ({
            ...{ system: 'cron', where: `the crontab of ${user}`, isIntact },
            mark: { ...mark, user },
        })))),
        unclear: () => users().flatMap(unclearOf),
        uninstall(name, user) {
            if (unlessDamaged(user, name, () => blockIn(tableOf(user), name)) === '')
                return [];
            change(user, name, (table) => without(table, name));
            const owner = accountOf(user);
            if (owner !== null)
                for (const job of JOBS)
                    forget(lockFile(name, owner, job));
            return [`the block of ${name} in the crontab of ${user}`];
        },
        state: ({ isIntact }) => ({
            facts: ['cron keeps no results: run `db-backup list` and `db-backup health` to see the state of the backups'],
            wrong: isIntact ? [] : ['its line was changed after installation: install it again'],
        }),
    };
}
const sleep = (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
function forget(lock) {
    try {
        (0,external_node_fs_.unlinkSync)(lock);
    }
    catch {
        // it has never run, or somebody else keeps something of that name
    }
}
function othersWithTables() {
    return SPOOLS.filter(isFolder)
        .flatMap((folder) => (0,external_node_fs_.readdirSync)(folder, { withFileTypes: true }))
        .filter((entry) => entry.isFile() && /^[a-z_][a-z0-9_.-]{0,31}$/i.test(entry.name) && accountOf(entry.name) !== null)
        .map(({ name }) => name);
}

;// CONCATENATED MODULE: ./src/schedule/marked-files.ts






// Files that are ours by their first line. What has none is never touched.
const MOST_BYTES = 1 << 20;
/** null: there is no file, or none for this user to see. `foreign`: it is not ours, or no regular file. */
function readMarked(path) {
    const found = lstatOf(path);
    if (found === undefined)
        return null;
    if (!found.isFile())
        return 'foreign';
    const text = textIn(path);
    const ending = text?.indexOf('\n') ?? -1;
    if (text === null || ending < 0)
        return 'foreign';
    const read = readMark(text.slice(0, ending));
    return read === null ? 'foreign' : { mark: read.mark, isIntact: read.isIntact(text.slice(ending + 1)) };
}
function lstatOf(path) {
    try {
        return (0,external_node_fs_.lstatSync)(path, { throwIfNoEntry: false });
    }
    catch {
        return undefined;
    }
}
function textIn(path) {
    let file = null;
    try {
        file = (0,external_node_fs_.openSync)(path, external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NOFOLLOW);
        const { size } = (0,external_node_fs_.fstatSync)(file);
        return size > MOST_BYTES ? null : (0,external_node_fs_.readFileSync)(file, 'utf8');
    }
    catch {
        return null;
    }
    finally {
        if (file !== null)
            (0,external_node_fs_.closeSync)(file);
    }
}
function isOurs(path) {
    const read = readMarked(path);
    return read !== null && read !== 'foreign';
}
/** Throws E_INPUT when there is a file of that name which is not ours. */
function expectOurs(path) {
    if (readMarked(path) !== 'foreign')
        return;
    throw new errors/* BackupError */.hj('E_INPUT', `${path} already exists, and was not made by db-backup`, 'Choose another --name, or move that file away.');
}
/** A whole new file in the place of the one that is there, for all to read. `owner`: as of `unwritable`. Throws E_PERM. */
function writeWhole(path, text, owner) {
    const made = (0,external_node_path_.join)((0,external_node_path_.dirname)(path), `.db-backup-${(0,external_node_crypto_.randomBytes)(6).toString('hex')}`);
    try {
        (0,external_node_fs_.mkdirSync)((0,external_node_path_.dirname)(path), { recursive: true });
        const file = (0,external_node_fs_.openSync)(made, 'wx', 0o644);
        try {
            (0,external_node_fs_.writeFileSync)(file, text);
            (0,external_node_fs_.fsyncSync)(file);
        }
        finally {
            (0,external_node_fs_.closeSync)(file);
        }
        (0,external_node_fs_.renameSync)(made, path);
    }
    catch (error) {
        try {
            (0,external_node_fs_.rmSync)(made, { force: true });
        }
        catch {
            // where it could not be made, it can not be removed either
        }
        throw unwritable(path, error, owner);
    }
}
/** `owner`: as of `unwritable`. Throws E_PERM. */
function removeFile(path, owner) {
    try {
        (0,external_node_fs_.rmSync)(path, { force: true });
    }
    catch (error) {
        throw unwritable(path, error, owner);
    }
}
/** `owner`: the user among whose own files it is; null: it is for the whole system. */
function unwritable(path, error, owner) {
    const { code } = error;
    const isDenied = code === 'EACCES' || code === 'EPERM';
    const folder = nearest((0,external_node_path_.dirname)(path));
    const hint = !isDenied
        ? `Find out why files cannot be written in ${folder}.`
        : owner === null
            ? 'Only root can change what is installed for the whole system: run it with sudo.'
            : `User units are stored in the home of ${owner}, who cannot write to ${folder}: correct that, or install it as root: sudo db-backup schedule install --user ${owner}.`;
    return new errors/* BackupError */.hj('E_PERM', `${path} could not be written: ${code ?? error}`, hint);
}
/** The folder, or the one above it that is there. */
function nearest(folder) {
    const above = (0,external_node_path_.dirname)(folder);
    return above === folder || isFolder(folder) ? folder : nearest(above);
}

;// CONCATENATED MODULE: ./src/schedule/systemd-units.ts




/** `db-backup-shop-verify`; of a configuration that is called db-backup.yml just `db-backup-verify`. */
const unitName = (name, job) => name === 'db-backup' ? `db-backup-${job}` : `db-backup-${name}-${job}`;
/** The service and the timer of each job. Throws an Error whose text is the rule, for a path that no unit can hold. */
function unitsOf(wanted, scope) {
    return [...wanted.jobs].flatMap(([job, calendar]) => {
        const name = unitName(wanted.name, job);
        const delay = calendar.unit === 'hours' ? '2min' : '15min';
        const timer = [
            ...['[Unit]', `Description=Timer: ${ABOUT[job]} of ${wanted.name} (db-backup)`, ''],
            ...['[Timer]', `OnCalendar=${onCalendar(calendar)}`],
            '# run what was missed while the machine was off',
            ...['Persistent=true', '# do not start on all machines at once', `RandomizedDelaySec=${delay}`, ''],
            ...['[Install]', 'WantedBy=timers.target', ''],
        ];
        return [
            { file: `${name}.service`, text: marked(wanted, job, serviceOf(wanted, job, scope)) },
            { file: `${name}.timer`, text: marked(wanted, job, timer) },
        ];
    });
}
const ABOUT = {
    backup: 'backup',
    verify: 'verification of the newest backup',
    health: 'health check of the backups',
};
function marked(wanted, job, lines) {
    const text = lines.join('\n');
    return `# ${markLine(wanted, job, text)}\n${text}`;
}
function serviceOf(wanted, job, scope) {
    const { name, account, needs } = wanted;
    const isSystem = scope === 'system';
    return [
        ...['[Unit]', `Description=${ABOUT[job]} of ${name} (db-backup)`],
        ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
        ...['', '[Service]', 'Type=oneshot'],
        ...(isSystem ? [`User=${account.name}`] : []),
        `ExecStart=${execLine(commandOf(wanted, job))}`,
        ...needs.credentials.map((one) => `LoadCredential=${one}:%E/credstore/${one}`),
        // each database has its own time-out; this ends what hangs all the same, before it keeps the next day's from running
        ...['UMask=0077', 'TimeoutStartSec=23h', 'TimeoutStopSec=2min', 'KillMode=mixed'],
        ...['Nice=10', 'IOSchedulingClass=best-effort', 'IOSchedulingPriority=7'],
        ...confinement(wanted, scope),
        '',
    ];
}
/** Tested under a real systemd. Not MemoryDenyWriteExecute=: Node can not live with it. */
function confinement({ account, needs, node, cli, config }, scope) {
    if (needs.startsOthers) {
        return [
            '# not confined: the configuration has run-as, container or commands of your own, which may need any right',
        ];
    }
    const ofCalls = [
        ...['NoNewPrivileges=yes', 'RestrictRealtime=yes', 'RestrictSUIDSGID=yes', 'LockPersonality=yes'],
        'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
        ...['SystemCallArchitectures=native', 'SystemCallFilter=@system-service', 'SystemCallErrorNumber=EPERM'],
    ];
    // what is about mounts and capabilities the systemd of a user can not do
    if (scope === 'user')
        return ofCalls;
    const used = [account.home, (0,external_node_path_.dirname)(node), (0,external_node_path_.dirname)(cli), config, ...needs.folders, ...needs.files];
    const isHome = used.some((path) => /^\/(?:home|root|run\/user)(?:\/|$)/.test(path));
    const isTemporary = used.some((path) => /^\/(?:var\/)?tmp(?:\/|$)/.test(path));
    return [
        ...ofCalls,
        `ProtectSystem=strict`,
        `ProtectHome=${isHome ? 'read-only' : 'yes'}`,
        ...(isTemporary ? [] : ['PrivateTmp=yes']),
        ...['PrivateDevices=yes', 'ProtectKernelTunables=yes', 'ProtectKernelModules=yes', 'ProtectKernelLogs=yes'],
        ...['ProtectControlGroups=yes', 'ProtectClock=yes', 'ProtectHostname=yes', 'ProtectProc=invisible'],
        ...['RestrictNamespaces=yes', 'RemoveIPC=yes'],
        // root goes on reading the databases of others
        `CapabilityBoundingSet=${account.uid === 0 ? 'CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER' : ''}`,
        'AmbientCapabilities=',
        // "-": one that is gone is for the run to tell
        ...[...(isTemporary ? ['/tmp', '/var/tmp'] : []), ...needs.folders].map((path) => `ReadWritePaths=${systemd_units_word(`-${path}`)}`),
    ];
}
/** A command that starts that program with these very words. */
function execLine([program = '', ...words]) {
    if (/[$"'\\\s]/.test(program)) {
        throw new Error(`${JSON.stringify(program)} cannot be started by systemd: expected a path without blanks, quotes, "\\" and "$"`);
    }
    return [systemd_units_word(program), ...words.map((one) => systemd_units_word(one).replaceAll('$', '$$$$'))].join(' ');
}
/** One word of a unit: `%` begins a specifier there; within quotes "\" and the quote itself are escaped. */
function systemd_units_word(text) {
    if (/\p{Cc}|\p{Surrogate}/u.test(text))
        throw new Error(`${JSON.stringify(text)} has control characters, which are not possible in a unit`);
    const escapedText = text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%');
    return /^[\w./:@%+=,-]+$/.test(text) ? escapedText : `"${escapedText}"`;
}

;// CONCATENATED MODULE: ./src/schedule/on-systemd.ts






const SYSTEM_UNITS = '/etc/systemd/system';
/** Timers of the system, or those of one user, who is the one who calls. */
function onSystemd(scope, { name: user, home }) {
    const folder = scope === 'system' ? SYSTEM_UNITS : (0,external_node_path_.join)(process.env.XDG_CONFIG_HOME || (0,external_node_path_.join)(home, '.config'), 'systemd', 'user');
    const owner = scope === 'system' ? null : user;
    const scoped = (...args) => [...(scope === 'user' ? ['--user'] : []), ...args];
    function systemctl(...args) {
        const { status, stderr } = call('systemctl', scoped(...args));
        if (status === 0)
            return;
        const noBus = scope === 'user' && /connect to (?:user scope )?bus/i.test(stderr);
        throw new errors/* BackupError */.hj('E_PERM', `systemctl ${args.join(' ')} failed: ${stderr || `status ${status}`}`, noBus
            ? `Log in as ${user} directly (not with su or sudo) to reach its systemd. Or install it as root: sudo db-backup schedule install --user ${user}.`
            : 'To remove what was already written, run `db-backup schedule uninstall`.');
    }
    /** Of both files of a unit; one alone is ours as well. */
    function installed() {
        const units = namesIn(folder).flatMap((file) => /^(db-backup-.+)\.(?:timer|service)$/.exec(file)?.[1] ?? []);
        return [...new Set(units)].sort().flatMap((unit) => {
            const ours = filesOf(unit).flatMap((file) => {
                const read = readMarked(file);
                // a copy under another name is somebody else's
                if (read === null || read === 'foreign' || unitName(read.mark.name, read.mark.job) !== unit)
                    return [];
                return [{ ...read, where: file }];
            });
            const [first] = ours;
            if (first === undefined)
                return [];
            const isIntact = ours.length === 2 && ours.every((one) => one.isIntact);
            return [{ system: 'systemd', mark: first.mark, where: first.where, isIntact }];
        });
    }
    const filesOf = (unit) => [(0,external_node_path_.join)(folder, `${unit}.timer`), (0,external_node_path_.join)(folder, `${unit}.service`)];
    function remove(units) {
        const ours = units.flatMap(filesOf).filter(isOurs);
        const timers = ours.filter((file) => file.endsWith('.timer')).map((file) => (0,external_node_path_.basename)(file));
        if (timers.length > 0)
            systemctl('disable', ...(runsSystemd() ? ['--now'] : []), ...timers);
        for (const file of ours)
            removeFile(file, owner);
        return ours;
    }
    function reload() {
        if (runsSystemd())
            systemctl('daemon-reload');
    }
    return {
        system: 'systemd',
        whose: scope === 'system' ? 'the system' : user,
        installed,
        unclear: () => [],
        pieces: (wanted) => unitsOf(wanted, scope).map(({ file, text }) => ({ where: (0,external_node_path_.join)(folder, file), text })),
        install(wanted) {
            const units = unitsOf(wanted, scope);
            for (const { file } of units)
                expectOurs((0,external_node_path_.join)(folder, file));
            reload(); // fails where nobody can be asked, before anything is written
            const timers = units.map(({ file }) => file).filter((file) => file.endsWith('.timer'));
            const gone = installed().filter(({ mark }) => mark.name === wanted.name && !wanted.jobs.has(mark.job));
            remove(gone.map(({ mark }) => unitName(mark.name, mark.job)));
            for (const { file, text } of units)
                writeWhole((0,external_node_path_.join)(folder, file), text, owner);
            reload();
            systemctl('enable', ...timers);
            const [first = ''] = timers;
            const now = `to run it now: systemctl ${scoped('start', first.replace(/timer$/, 'service')).join(' ')}`;
            if (!runsSystemd())
                return ['systemd is not running here: the timers start at the next boot'];
            systemctl('restart', ...timers);
            if (scope === 'system' || (0,external_node_fs_.existsSync)((0,external_node_path_.join)('/var/lib/systemd/linger', user)))
                return [now];
            return [
                now,
                `the timers run only while ${user} is logged in; to run them always: loginctl enable-linger ${user}`,
            ];
        },
        uninstall(name, of) {
            const ours = installed().filter(({ mark }) => mark.name === name && mark.user === of);
            const units = ours.map(({ mark }) => unitName(name, mark.job));
            if (units.length === 0)
                return [];
            const removed = remove(units);
            reload();
            // one that has failed would be shown for ever
            if (runsSystemd())
                call('systemctl', scoped('reset-failed', ...units.map((unit) => `${unit}.service`)));
            return removed;
        },
        state: ({ mark, isIntact }) => {
            const changed = isIntact ? [] : ['its files were changed after installation: install it again'];
            if (!runsSystemd())
                return { facts: [], wrong: [...changed, 'systemd is not running here'] };
            const { facts, wrong } = stateOf((unit, properties) => show(scoped('show', '-p', properties, unit)), mark.name, mark.job);
            return { facts, wrong: [...changed, ...wrong] };
        },
    };
}
/** None where it is not there, or not for this user to look into. */
function namesIn(folder) {
    try {
        return (0,external_node_fs_.readdirSync)(folder);
    }
    catch {
        return [];
    }
}
function show(args) {
    const lines = call('systemctl', args).stdout.toString('utf8').split('\n');
    return new Map(lines.map((line) => [line.replace(/=.*$/, ''), line.replace(/^[^=]*=/, '')]));
}
function stateOf(ask, name, job) {
    const unit = unitName(name, job);
    const timer = ask(`${unit}.timer`, 'ActiveState,UnitFileState,NextElapseUSecRealtime,LastTriggerUSec');
    const service = ask(`${unit}.service`, 'ActiveState,Result,ExecMainStatus,ExecMainExitTimestamp');
    const last = service.get('ExecMainExitTimestamp') ?? '';
    const result = service.get('Result') ?? '';
    const isRunning = service.get('ActiveState') === 'activating';
    const wrong = [];
    if (timer.get('ActiveState') !== 'active')
        wrong.push('its timer is not active');
    if (timer.get('UnitFileState') !== 'enabled')
        wrong.push('its timer is not enabled, and does not start at boot');
    if (!isRunning && result !== '' && result !== 'success') {
        wrong.push(`its last run failed: ${result}, status ${service.get('ExecMainStatus') ?? 'unknown'}`);
    }
    const facts = [
        isRunning ? 'running now' : last === '' ? 'has not run since the last boot' : `last run ended ${last}`,
        `next ${timer.get('NextElapseUSecRealtime') || 'unknown'}`,
    ];
    return { facts, wrong };
}

;// CONCATENATED MODULE: ./src/schedule/on-windows.ts






/** The Task Scheduler of Windows, by its own program. What is here was not run: there is no Windows where this is tested. */
function onWindows() {
    return {
        system: 'task-scheduler',
        whose: 'this machine',
        pieces: (wanted) => [...wanted.jobs.keys()].map((job) => ({
            where: `the task ${taskName(wanted.name, job)}`,
            text: taskXml(wanted, job),
        })),
        install(wanted) {
            for (const job of wanted.jobs.keys()) {
                const there = call('schtasks', ['/query', '/tn', taskName(wanted.name, job), '/xml']);
                if (there.status !== 0 || markOfTask(there.stdout.toString('utf8')) !== null)
                    continue;
                throw new errors/* BackupError */.hj('E_INPUT', `the task ${taskName(wanted.name, job)} already exists, and was not made by db-backup`, 'Choose another --name.');
            }
            const folder = (0,external_node_fs_.mkdtempSync)((0,external_node_path_.join)((0,external_node_os_.tmpdir)(), 'db-backup-'));
            try {
                for (const job of wanted.jobs.keys()) {
                    const file = (0,external_node_path_.join)(folder, `${job}.xml`);
                    (0,external_node_fs_.writeFileSync)(file, utf16(taskXml(wanted, job)), { flag: 'wx' });
                    done(call('schtasks', ['/create', '/tn', taskName(wanted.name, job), '/xml', file, '/f']));
                }
            }
            finally {
                (0,external_node_fs_.rmSync)(folder, { recursive: true, force: true });
            }
            remove(installed().filter(({ mark }) => mark.name === wanted.name && !wanted.jobs.has(mark.job)));
            return [];
        },
        installed,
        unclear: () => [],
        uninstall: (name, user) => remove(installed().filter(({ mark }) => mark.name === name && mark.user === user)),
        state: ({ where }) => {
            const { status, stdout } = call('schtasks', ['/query', '/tn', where, '/fo', 'list', '/v']);
            const facts = stdout.toString('utf8').split(/\r?\n/);
            return {
                facts: facts.filter((line) => line.trim() !== ''),
                wrong: status === 0 ? [] : ['it cannot be queried'],
            };
        },
    };
}
function installed() {
    const { stdout } = call('schtasks', ['/query', '/fo', 'csv', '/nh']);
    const names = [...stdout.toString('utf8').matchAll(/^"(\\db-backup\\[^"]+)"/gm)].map(([, name = '']) => name);
    return [...new Set(names)].flatMap((where) => {
        const read = markOfTask(call('schtasks', ['/query', '/tn', where, '/xml']).stdout.toString('utf8'));
        // Windows writes the text anew, so that nothing tells whether somebody has changed it
        return read === null ? [] : [{ system: 'task-scheduler', mark: read.mark, where, isIntact: true }];
    });
}
function remove(found) {
    for (const { where } of found)
        done(call('schtasks', ['/delete', '/tn', where, '/f']));
    return found.map(({ where }) => `the task ${where}`);
}
function done({ status, stderr }) {
    if (status === 0)
        return;
    throw new errors/* BackupError */.hj('E_PERM', `schtasks failed: ${stderr || `status ${status}`}`, "Run it from an administrator's prompt.");
}

// EXTERNAL MODULE: ./src/command-line/config.ts
var command_line_config = __webpack_require__(9854);
;// CONCATENATED MODULE: ./src/command-line/schedule-common.ts













// What the commands of `db-backup schedule` have in common.
async function told(deed) {
    schedule_common_begin();
    try {
        return await deed();
    }
    catch (error) {
        const { code, message, hint } = (0,errors/* describe */.q0)(error);
        (0,platform/* platform */.i)().error((0,neutralise/* neutralise */.$0)([code, ': ', message, hint === '' ? '' : `\n${hint}`].join('')));
        return code === 'E_INPUT' ? exit_status/* EXIT */.dc.input : exit_status/* EXIT */.dc.failed;
    }
}
const schedule_common_begin = () => (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)());
const say = (text) => (0,platform/* platform */.i)().info((0,neutralise/* neutralise */.$0)(text));
const warn = (...texts) => {
    for (const text of texts)
        (0,platform/* platform */.i)().warning((0,neutralise/* neutralise */.$0)(text));
};
const schedule_common_show = (text) => (0,platform/* platform */.i)().result((0,neutralise/* neutralise */.$0)(text));
const input = (...wrong) => new errors/* BackupError */.hj('E_INPUT', wrong.join('\n'), 'Run `db-backup schedule install --help` to see the options.');
const EXAMPLE = `databases:
  app:
    transport: local
    database: /srv/app/app.db
    directory: /var/backups/app`;
async function configured(given) {
    // a copy, since variables that the configuration names are taken out of ours
    const config = await (0,command_line_config/* readConfig */.X)(given.config ?? (process.env.DB_BACKUP_CONFIG || null), { ...process.env });
    if (config === null) {
        throw new errors/* BackupError */.hj('E_INPUT', 'there is no configuration, and a scheduled job has nobody to ask', `Write /etc/db-backup/db-backup.yml, for example:\n${EXAMPLE}`);
    }
    if (config.wrong.length > 0)
        throw input(...config.wrong);
    return config;
}
/** Reads an option; what is wrong with it goes to the others. */
const reading = (wrong) => (option, parse) => {
    try {
        return parse();
    }
    catch (error) {
        wrong.push(`--${option}: ${error.message}`);
        return null;
    }
};
function jobsOf(given, read) {
    const jobs = new Map();
    for (const job of JOBS) {
        const text = given[job] ?? 'none';
        const calendar = text.trim() === 'none' ? null : read(job, () => parseCalendar(text));
        if (calendar !== null)
            jobs.set(job, calendar);
    }
    return jobs;
}
/** null: there is none of that name. Throws an Error for another one than the caller, who is not root. */
function ofUser(given, command) {
    const me = caller();
    if (given === me.name)
        return me;
    const found = accountOf((0,value_rules/* parseRunAs */.P$)(given));
    if (found !== null && !isRoot())
        throw new Error(`only root can ${command} it for another user: sudo db-backup schedule ${command} --user ${given}`);
    return found;
}
const schedulerOf = (system, account) => system === 'systemd'
    ? onSystemd(isRoot() ? 'system' : 'user', caller())
    : system === 'cron'
        ? onCron(account, caller())
        : onWindows();
/** All that can run jobs here, as far as this user can see; `account`: who is meant besides. */
function schedulers(account = caller()) {
    if (isWindows())
        return [onWindows()];
    const me = caller();
    return [
        onSystemd('system', me),
        ...(isRoot() ? [] : [onSystemd('user', me)]),
        ...(programPath('crontab') === null ? [] : [onCron(account, me)]),
    ];
}
const schedule_common_all = (account) => schedulers(account).flatMap((scheduler) => scheduler.installed().map((one) => ({ one, scheduler })));
/** Which of the jobs are at an hour that the clock leaves out once a year. */
function gapsOf(jobs) {
    return [...jobs].flatMap(([job, calendar]) => {
        const gap = leftOut(calendar, new Date());
        return gap === null
            ? []
            : [
                `${job}: on ${timeOf(gap).slice(4, 14)} the clock of this machine skips that time, and the job may not run that day: choose another hour`,
            ];
    });
}
function lineOf(job, calendar) {
    const times = nextTimes(calendar, new Date(), 3).map(timeOf).join(', ');
    return `${job}: ${showCalendar(calendar)}; next ${times} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}
const timeOf = (time) => {
    if (time === undefined)
        return 'never';
    const two = (value) => String(value).padStart(2, '0');
    const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][time.getDay()];
    return `${day} ${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
};

// EXTERNAL MODULE: ./src/engines/lookup.ts + 53 modules
var lookup = __webpack_require__(8118);
// EXTERNAL MODULE: ./src/settings/declared-inputs.ts + 3 modules
var declared_inputs = __webpack_require__(4587);
// EXTERNAL MODULE: ./src/settings/host-path.ts
var host_path = __webpack_require__(3663);
// EXTERNAL MODULE: ./src/settings/inputs.ts + 14 modules
var settings_inputs = __webpack_require__(1364);
// EXTERNAL MODULE: ./src/command-line/all-databases.ts
var all_databases = __webpack_require__(8046);
;// CONCATENATED MODULE: ./src/command-line/schedule-needs.ts











/** What has others started; `run-as` does as well. */
const OTHERS = ['container', 'before-command', 'after-command'];
/**
 * Looks at each database of the configuration as these jobs will, without contacting anything. `variables`: the inputs that the environment
 * of the jobs gives, where it is that of this process; null: nobody knows it.
 */
async function judge(config, jobs, account, variables = null) {
    const wrong = atHomeOfCaller(config, account);
    const targets = variables === null ? config.targets : config.targets.map((target) => within(variables, target));
    const known = variables === null ? ['file'] : ['file', 'env', 'credential'];
    const warnings = [];
    const folders = new Set();
    const all = targets.flatMap(({ elsewhere }) => elsewhere);
    const of = (by) => [...new Set(all.flatMap((one) => (one.by === by ? [one.where] : [])))];
    let startsOthers = of('command').length > 0;
    for (const target of targets.map((one) => (one.all ? (0,all_databases/* asking */.os)(one) : one))) {
        const { name } = target;
        // a command may ask somebody, or take its time
        const unread = target.elsewhere.filter(({ by }) => !known.includes(by)).map(({ input }) => input);
        if (unread.length === 0)
            wrong.push(...(await faultsFor(target, jobs)));
        else
            warnings.push(`${name}: ${unread.join(', ')} cannot be read before it runs, so its inputs are not checked now`);
        const text = (input) => {
            const given = unread.includes(input) ? undefined : target.inputs.get(input);
            return (given === undefined ? '' : readable(given)).trim() || declared_inputs/* declared */.bu[input].default;
        };
        if (text('transport') !== 'local')
            continue;
        const isOther = text('run-as') !== '' && text('run-as') !== account.name;
        if (isOther || OTHERS.some((input) => text(input) !== ''))
            startsOthers = true;
        const file = fileOf(text('database'));
        if (file === null) {
            warnings.push(`${name}: database is not known now; if it is a file, the job must be able to write to its directory`);
        }
        const files = [file ?? '', text('metrics-file')].filter((path) => path !== '');
        for (const path of [text('directory'), ...files.map((one) => (0,external_node_path_.dirname)(one))]) {
            const folder = atHome(path, account);
            if (folder !== null)
                folders.add(schedule_needs_nearest(folder));
        }
    }
    const needs = {
        folders: [...folders].sort(),
        files: of('file'),
        credentials: of('credential'),
        variables: of('env'),
        startsOthers,
    };
    return { needs, wrong, warnings };
}
/** A variable counts before the configuration. */
const within = (variables, target) => ({
    ...target,
    inputs: new Map([...target.inputs, ...variables]),
    elsewhere: target.elsewhere.filter(({ input }) => !variables.has(input)),
});
/** `{ file: ~/pass }` is read here in the home of the caller, and by the job in its own: what is wrong with that. */
function atHomeOfCaller({ path, atHome }, { name, home }) {
    if (home === (0,external_node_os_.homedir)())
        return [];
    return atHome.map((file) => `${path}: ${file} would be read from the home of ${name}, who will run it: write the absolute path`);
}
function readable(given) {
    try {
        return given();
    }
    catch {
        return ''; // told among the faults
    }
}
/** What is wrong with the inputs, for which of the jobs where it is not for all. */
async function faultsFor(target, jobs) {
    const found = new Map();
    for (const job of jobs) {
        for (const line of await faultsOf(target, job))
            found.set(line, [...(found.get(line) ?? []), job]);
    }
    return [...found].map(([line, of]) => {
        const which = of.length === jobs.length ? '' : `, for ${of.join(' and ')}`;
        return `${target.name}${which}: ${line}`;
    });
}
/** What is wrong with the inputs of that command, a line each. */
async function faultsOf({ inputs }, command) {
    (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)({
        input: (name) => {
            if (name === 'command')
                return command;
            const given = inputs.get(name);
            return given !== undefined && declared_inputs/* declared */.bu[name].usedBy.includes(command) ? given().trim() : '';
        },
    }));
    try {
        await (0,settings_inputs/* readSettings */.s)();
        return [];
    }
    catch (error) {
        return (0,errors/* describe */.q0)(error).message.split('\n');
    }
}
/** The path of a database that is a file; empty: it is none. null: nobody knows. */
function fileOf(text) {
    try {
        const { source } = (0,lookup/* parseSource */.PJ)(text);
        return (0,lookup/* databaseOf */.zJ)(source, { format: 'custom', jobs: null, excludeTable: [], excludeTableData: [], schema: [] })
            .path;
    }
    catch {
        return null;
    }
}
/** Absolute, as the host takes it: relative to the home of who runs it. */
function atHome(path, { home }) {
    try {
        const read = path === '.' ? '' : (0,host_path/* parseHostPath */.z)(path);
        return read.startsWith('/') ? read : (0,external_node_path_.join)(home, read);
    }
    catch {
        return null; // told among the faults
    }
}
/** The folder, or the one above it that is there, in which it can then be made; never all of them. */
function schedule_needs_nearest(folder) {
    const above = (0,external_node_path_.dirname)(folder);
    return (0,external_node_fs_.existsSync)(folder) || above === '/' || above === folder ? folder : schedule_needs_nearest(above);
}

;// CONCATENATED MODULE: ./src/command-line/schedule-install.ts











// `db-backup schedule install`, which returns its exit status.
const install = (given) => told(async () => {
    const config = await configured(given);
    const { system, account, jobs, name } = choices(given, config);
    const { needs, wrong, warnings } = await judge(config, [...jobs.keys()], account);
    schedule_common_begin(); // after a look at other inputs
    if (wrong.length > 0)
        throw input(...wrong);
    const wanted = { name, jobs, account, ...programs(), config: config.path, needs };
    refuseCredentials(needs, system);
    const scheduler = schedulerOf(system, account);
    const pieces = piecesOf(scheduler, wanted);
    refuseOthers(wanted, scheduler);
    warn(...warnings, ...gapsOf(jobs), ...hints(wanted, system));
    if (system !== 'task-scheduler')
        expectReadable(wanted);
    say(`${given.dryRun ? 'would write' : 'writing'} for ${config.path}, to be run by ${account.name} with ${system}:`);
    if (system === 'task-scheduler')
        (0,platform/* platform */.i)().warning('this is for Windows, where it has not been tested');
    for (const { where, text } of pieces)
        schedule_common_show(`==> ${where} <==\n${text}`);
    for (const [job, calendar] of jobs)
        say(lineOf(job, calendar));
    if (given.dryRun)
        return exit_status/* EXIT */.dc.done;
    if (system === 'task-scheduler' && !isWindows()) {
        throw input('--with task-scheduler is for Windows: elsewhere you can only show it, with --dry-run');
    }
    for (const note of scheduler.install(wanted))
        say(note);
    say(`installed; check it with \`db-backup schedule status\`, remove it with \`db-backup schedule uninstall --name ${name}\``);
    return exit_status/* EXIT */.dc.done;
});
/** What the options say, all that is wrong with them at once. */
function choices(given, config) {
    const wrong = [];
    const read = reading(wrong);
    const jobs = jobsOf(given, read);
    const system = read('with', () => (given.with === undefined ? systemHere() : (0,value_rules/* oneOf */.yL)(SYSTEMS)(given.with)));
    const name = read('name', () => (0,value_rules/* parseName */.$q)(given.name ?? (0,external_node_path_.basename)(config.path).replace(/\.ya?ml$/, '')));
    const account = read('user', () => accountFor(given.user, system));
    if (wrong.length === 0 && jobs.size === 0)
        wrong.push('all jobs are none: to remove them, run `db-backup schedule uninstall`');
    if (system === null || name === null || account === null || wrong.length > 0)
        throw input(...wrong);
    return { jobs, system, name, account };
}
function systemHere() {
    if (isWindows())
        return 'task-scheduler';
    if (runsSystemd())
        return 'systemd';
    if (programPath('crontab') !== null)
        return 'cron';
    throw new Error('this machine has neither systemd nor cron: install cron, or give --with systemd if this is the image of a machine that has it');
}
function accountFor(given, system) {
    if (system === 'task-scheduler')
        return { name: given ?? LOCAL_SERVICE, uid: -1, home: '' };
    if (given === undefined)
        return caller();
    const found = ofUser(given, 'install');
    if (found === null)
        throw new Error(`there is no user ${JSON.stringify(given)} on this machine`);
    return found;
}
/** Where this program is, and what runs it. */
function programs() {
    const cli = (0,external_node_fs_.realpathSync)(process.argv[1] ?? '');
    if (/[/\\]_npx[/\\]/.test(cli)) {
        throw input('npx downloaded this program for this call only, and may remove it: npm install --global db-backup-action');
    }
    return { node: (0,external_node_fs_.realpathSync)(process.execPath), cli };
}
function piecesOf(scheduler, wanted) {
    try {
        return scheduler.pieces(wanted);
    }
    catch (error) {
        if (error instanceof errors/* BackupError */.hj)
            throw error;
        throw input(error.message);
    }
}
/** What has this name already, and would be lost, or run besides for the same user. Throws E_INPUT. */
function refuseOthers({ name, config, account }, { system, whose }) {
    for (const { one, scheduler } of schedule_common_all(account)) {
        const { mark, where } = one;
        // of the system: not in the way of what a user installs for himself
        if (mark.name !== name || (!isRoot() && scheduler.whose === 'the system'))
            continue;
        const isSame = one.system === system && (system === 'cron' ? mark.user === account.name : scheduler.whose === whose);
        if (!isSame && mark.user === account.name) {
            throw input(`${name} is already installed, in ${where}: run db-backup schedule uninstall --name ${name} --with ${one.system} --user ${mark.user}, or choose another --name`);
        }
        if (isSame && mark.config !== config) {
            throw input(`${name} is already installed for ${mark.config}, in ${where}: choose another --name`);
        }
    }
    for (const scheduler of schedulers(account)) {
        for (const one of scheduler.unclear()) {
            if (one.name === name && one.user === account.name && one.system !== system)
                throw one.fault;
        }
    }
}
/** Throws E_INPUT for credentials that are not handed over. */
function refuseCredentials({ credentials }, system) {
    if (system !== 'systemd' && credentials.length > 0) {
        throw input(`the configuration has systemd credentials (${credentials.join(', ')}), which ${system} does not support: use { file: ... }`);
    }
    const odd = credentials
        .filter((one) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(one))
        .map((one) => JSON.stringify(one));
    if (odd.length > 0) {
        throw input(`${odd.join(', ')}: expected names of credentials with only letters, digits, ".", "_" and "-"`);
    }
}
/** What may go wrong when nobody looks. */
function hints(wanted, system) {
    const { needs, account, cli, node } = wanted;
    const { credentials, variables } = needs;
    const sudo = process.env.SUDO_USER;
    const hidden = [node, cli].filter((path) => /^\/(?:home|root)\//.test(path) && account.uid !== 0 && !path.startsWith(`${account.home}/`));
    return [
        ...variables.map((one) => `the configuration names the variable ${one}, which is not set in scheduled jobs: use { file: ... }`),
        ...credentialHints(credentials, account),
        ...hidden.map((path) => `${path} is in the home of another user`),
        ...(system === 'task-scheduler' ? [] : changeable(wanted)),
        ...(isRoot() && account.uid === 0 && sudo !== undefined && sudo !== 'root'
            ? [`it will run as root; to run it as ${sudo}, give --user ${sudo}`]
            : []),
    ];
}
/** Who can change what is run does what he likes as the one who runs it. */
function changeable({ account, node, cli, config }) {
    const paths = [node, cli, config]
        .map((path) => changeableByOthers(path, account.uid))
        .filter((path) => path !== null);
    return [...new Set(paths)].map((path) => `another user can change ${path}, and so could do anything as ${account.name}`);
}
function credentialHints(credentials, { home }) {
    const folder = isRoot() ? '/etc/credstore' : `${process.env.XDG_CONFIG_HOME || `${home}/.config`}/credstore`;
    return credentials
        .map((one) => `${folder}/${one}`)
        .filter((path) => !(0,external_node_fs_.existsSync)(path))
        .map((path) => `${path} is missing: the credential is read from it, so write it before the first run`);
}
/** Throws E_INPUT when who runs it could not even begin. */
function expectReadable({ account, node, cli, config, needs }) {
    const unreadable = unreadableFor(account, [node, cli, config, ...needs.files]);
    if (unreadable.length === 0)
        return;
    throw input(...unreadable.map((path) => `${account.name}, who will run it, cannot read ${path}`));
}

;// CONCATENATED MODULE: ./src/command-line/schedule-installed.ts







// What `db-backup schedule` says of what is installed, and how it takes that away; each returns its exit status.
const schedule_installed_status = (given) => told(async () => {
    const isAsked = (name) => given.name === undefined || name === null || name === given.name;
    const found = schedule_common_all().filter(({ one }) => isAsked(one.mark.name));
    const unclear = schedulers().flatMap((scheduler) => scheduler.unclear().filter(({ name }) => isAsked(name)));
    if (found.length === 0 && unclear.length === 0) {
        say(given.name === undefined ? 'nothing is installed' : `nothing is installed under the name ${given.name}`);
        return exit_status/* EXIT */.dc.suspect;
    }
    let isWell = unclear.length === 0;
    const tell = (head, lines) => schedule_common_show([head, ...lines.map((line) => `  ${line}`)].join('\n'));
    for (const { one, scheduler } of found) {
        const { facts, wrong } = scheduler.state(one);
        const gone = [one.mark.node, one.mark.cli, one.mark.config].filter((path) => !(0,external_node_fs_.existsSync)(path));
        const faults = [...wrong, ...gone.map((path) => `${path} no longer exists`)];
        tell(headOf(one), [...facts, ...faults.map((fault) => `WRONG: ${fault}`)]);
        if (faults.length > 0)
            isWell = false;
    }
    for (const { name, where, fault } of unclear)
        tell(name === null ? where : `${name} in ${where}`, [`WRONG: ${fault.message}`, fault.hint]);
    return isWell ? exit_status/* EXIT */.dc.done : exit_status/* EXIT */.dc.suspect;
});
const list = (given) => told(async () => {
    for (const { fault } of schedulers().flatMap((scheduler) => scheduler.unclear()))
        warn(fault.message);
    for (const { one } of schedule_common_all()) {
        const { mark, system, where, isIntact } = one;
        const { name, job, calendar, user, config } = mark;
        const next = nextTimes(calendar, new Date(), 1)[0]?.toISOString();
        const facts = {
            name,
            job,
            calendar: showCalendar(calendar),
            next,
            with: system,
            user,
            config,
            where,
            intact: isIntact,
        };
        schedule_common_show(given.json ? JSON.stringify(facts) : headOf(one));
    }
    return exit_status/* EXIT */.dc.done;
});
const uninstall = (given) => told(async () => {
    const found = ours(given);
    const names = [...new Set(found.map(({ name }) => name))];
    if (given.name === undefined && names.length > 1)
        throw input(`--name: choose one of ${names.join(', ')}`);
    const place = onlyOne(found, names[0] ?? '');
    if (place === null) {
        const name = given.name === undefined ? '' : ` under the name ${given.name}`;
        say(`nothing to remove: nothing is installed${name}`);
    }
    else {
        const gone = given.dryRun ? place.heads : place.scheduler.uninstall(place.name, place.user);
        for (const one of gone)
            say(`${given.dryRun ? 'would remove' : 'removed'} ${one}`);
    }
    return exit_status/* EXIT */.dc.done;
});
/** What is ours, of that name, system and user where they are given. Throws E_INPUT, and why something can not be looked at. */
function ours({ name, with: chosen, user }) {
    const wrong = [];
    const read = reading(wrong);
    const system = chosen === undefined ? null : read('with', () => (0,value_rules/* oneOf */.yL)(SYSTEMS)(chosen));
    const account = user === undefined ? null : read('user', () => (isWindows() ? null : ofUser(user, 'uninstall')));
    if (wrong.length > 0)
        throw input(...wrong);
    const places = [];
    const add = (scheduler, place, head) => {
        if ((name !== undefined && place.name !== name) || (user !== undefined && place.user !== user))
            return;
        const same = places.find((one) => one.name === place.name && one.user === place.user && one.scheduler === scheduler);
        if (same === undefined)
            places.push({ ...place, scheduler, heads: [head] });
        else
            same.heads.push(head);
    };
    for (const scheduler of schedulers(account ?? undefined)) {
        if (system !== null && scheduler.system !== system)
            continue;
        for (const one of scheduler.installed())
            add(scheduler, one.mark, headOf(one));
        for (const one of scheduler.unclear()) {
            if (one.name !== null)
                add(scheduler, { name: one.name, user: one.user }, `${one.name} in ${one.where}`);
            else if (user === undefined || one.user === user)
                throw one.fault;
        }
    }
    // what is for the whole system only where a user has nothing of that name for himself
    const isOwn = ({ scheduler }) => isRoot() || scheduler.whose !== 'the system';
    return places.filter((place) => isOwn(place) || !places.some((one) => isOwn(one) && one.name === place.name));
}
/** null: there is none. Throws E_INPUT when there are several. */
function onlyOne(places, name) {
    const [first, ...more] = places;
    if (first === undefined || more.length === 0)
        return first ?? null;
    const differs = (of) => new Set(places.map(of)).size > 1;
    const options = [
        ...(differs(({ scheduler }) => scheduler.system) ? ['--with'] : []),
        ...(differs(({ user }) => user) ? ['--user'] : []),
    ];
    const each = places.map(({ scheduler, user }) => `--with ${scheduler.system} --user ${user}`);
    throw input(`${name} is installed more than once: choose with ${options.join(' and ')} one of ${each.join('; ')}`);
}
const headOf = ({ mark, system, isIntact, where }) => `${mark.name} ${mark.job}: ${showCalendar(mark.calendar)}, next ${timeOf(nextTimes(mark.calendar, new Date(), 1)[0])}, by ${mark.user} with ${system}, for ${mark.config}, in ${where}${isIntact ? '' : ', changed'}`;

// EXTERNAL MODULE: ./src/cancel.ts
var cancel = __webpack_require__(833);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(8500);
;// CONCATENATED MODULE: ./src/schedule/foreground.ts


/** No longer at once: the clock may be set meanwhile, and a laptop may sleep. */
const LONGEST_MS = 60_000;
/**
 * Starts each job at its time, one after another, until the signal. What falls due while another one runs is started after it, once
 * however often it was due. What was missed before the beginning is not made up for.
 */
async function inForeground(jobs, { now, wait, start, tell, signal }) {
    const begun = now();
    const due = new Map([...jobs].map(([job, calendar]) => [job, next(calendar, begun)]));
    while (!signal.aborted) {
        const [first] = [...due].sort(([, one], [, other]) => one.getTime() - other.getTime());
        if (first === undefined)
            return;
        const [job, at] = first;
        tell(job, at);
        while (!signal.aborted && now() < at)
            await wait(Math.min(LONGEST_MS, at.getTime() - now().getTime()));
        if (signal.aborted)
            return;
        await start(job);
        const calendar = jobs.get(job);
        if (calendar !== undefined)
            due.set(job, next(calendar, now()));
    }
}
function next(calendar, from) {
    const [time] = nextTimes(calendar, from, 1);
    if (time === undefined)
        throw new Error('a calendar without a next time');
    return time;
}
/** As `Around.wait`. */
const waiting = (signal) => (ms) => (0,promises_.setTimeout)(ms, undefined, { signal }).catch(() => { });

// EXTERNAL MODULE: ./src/command-line/environment.ts
var command_line_environment = __webpack_require__(3027);
;// CONCATENATED MODULE: ./src/command-line/schedule-run.ts











// `db-backup schedule run`, which returns its exit status.
/** Stays in the foreground, for containers, and starts the jobs by itself until a signal. */
const run = (given) => told(async () => {
    const environment = { ...process.env }; // for the jobs, whole: what may be a secret is taken out of ours
    const config = await configured(given);
    const wrong = [];
    const jobs = jobsOf(given, reading(wrong));
    if (wrong.length > 0)
        throw input(...wrong);
    if (jobs.size === 0)
        throw input('all jobs are none: there is nothing to wait for');
    // the jobs have our home and our variables
    const account = { ...caller(), home: (0,external_node_os_.homedir)() };
    const judged = await judge(config, [...jobs.keys()], account, (0,command_line_environment/* fromEnvironment */.AU)({ ...environment }));
    schedule_common_begin(); // after a look at other inputs
    if (judged.wrong.length > 0)
        throw input(...judged.wrong);
    warn(...judged.warnings, ...gapsOf(jobs));
    const program = { node: process.execPath, cli: (0,external_node_fs_.realpathSync)(process.argv[1] ?? ''), config: config.path };
    for (const [job, calendar] of jobs)
        say(lineOf(job, calendar));
    if (given.dryRun)
        return exit_status/* EXIT */.dc.done;
    const { signal } = cancel/* cancel */.Z;
    await inForeground(jobs, {
        now: () => new Date(),
        wait: waiting(signal),
        start: async (job) => {
            const [node = '', ...args] = commandOf(program, job);
            const ended = await carryOut(node, args, environment, signal);
            say(`${job} ended with ${ended}`);
        },
        tell: (job, at) => say(`next: ${job}, ${timeOf(at)}`),
        signal,
    });
    say('stopped by a signal');
    return exit_status/* EXIT */.dc.done;
});
/** A process of its own, which tells by itself. A signal is passed on, and its end waited for, since it leaves nothing behind. */
function carryOut(node, args, env, signal) {
    return new Promise((resolve) => {
        const child = (0,external_node_child_process_.spawn)(node, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
        const end = () => void child.kill('SIGTERM');
        signal.addEventListener('abort', end, { once: true });
        child.on('error', (error) => resolve(error.message));
        child.on('exit', (code, by) => {
            signal.removeEventListener('abort', end);
            resolve(by === null ? `status ${code}` : by);
        });
    });
}

;// CONCATENATED MODULE: ./src/command-line/schedule.ts
// All of `db-backup schedule`, loaded at once: so the bundle has what they share once.





/***/ })

};
