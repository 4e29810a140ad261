export const id = 624;
export const ids = [624];
export const modules = {

/***/ 9005:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   S: () => (/* binding */ judge)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(8161);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(node_os__WEBPACK_IMPORTED_MODULE_1__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2___default = /*#__PURE__*/__webpack_require__.n(node_path__WEBPACK_IMPORTED_MODULE_2__);
/* harmony import */ var _engines_lookup_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(2778);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(7452);
/* harmony import */ var _platform_platform_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(7460);
/* harmony import */ var _platform_terminal_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(1511);
/* harmony import */ var _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(2519);
/* harmony import */ var _settings_host_path_js__WEBPACK_IMPORTED_MODULE_10__ = __webpack_require__(3663);
/* harmony import */ var _settings_inputs_js__WEBPACK_IMPORTED_MODULE_8__ = __webpack_require__(1364);
/* harmony import */ var _all_databases_js__WEBPACK_IMPORTED_MODULE_9__ = __webpack_require__(8046);











/** What has others started; `run-as` does as well. */
const OTHERS = ['container', 'before-command', 'after-command'];
/**
 * Looks at each database of the configuration as these jobs will, without contacting anything. `variables`: the inputs that the environment
 * of the jobs gives, where it is that of this process; null: nobody knows it.
 */
async function judge(config, jobs, account, variables = null) {
    const wrong = await atHomeOfCaller(config, account);
    const targets = variables === null ? config.targets : config.targets.map((target) => within(variables, target));
    const known = variables === null ? ['file'] : ['file', 'env', 'credential'];
    const warnings = [];
    const folders = new Set();
    const all = targets.flatMap(({ elsewhere }) => elsewhere);
    const of = (by) => [...new Set(all.flatMap((one) => (one.by === by ? [one.where] : [])))];
    let startsOthers = of('command').length > 0;
    for (const target of targets.map((one) => (one.all ? (0,_all_databases_js__WEBPACK_IMPORTED_MODULE_9__/* .asking */ .os)(one) : one))) {
        const { name } = target;
        // a command may ask somebody, or take its time
        const unread = target.elsewhere.filter(({ by }) => !known.includes(by)).map(({ input }) => input);
        if (unread.length === 0)
            wrong.push(...(await faultsFor(target, jobs)));
        else
            warnings.push(`${name}: ${unread.join(', ')} can not be read before it runs, so its inputs are not checked now`);
        const text = (input) => {
            const given = unread.includes(input) ? undefined : target.inputs.get(input);
            return (given === undefined ? '' : readable(given)).trim() || _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_7__/* .declared */ .bu[input].default;
        };
        if (text('transport') !== 'local')
            continue;
        const isOther = text('run-as') !== '' && text('run-as') !== account.name;
        if (isOther || OTHERS.some((input) => text(input) !== ''))
            startsOthers = true;
        const file = fileOf(text('database'));
        if (file === null) {
            warnings.push(`${name}: database is not known now; when it is a file, its folder has to be writable for the job`);
        }
        const files = [file ?? '', text('metrics-file')].filter((path) => path !== '');
        for (const path of [text('directory'), ...files.map((one) => (0,node_path__WEBPACK_IMPORTED_MODULE_2__.dirname)(one))]) {
            const folder = atHome(path, account);
            if (folder !== null)
                folders.add(nearest(folder));
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
async function atHomeOfCaller({ path }, { name, home }) {
    if (home === (0,node_os__WEBPACK_IMPORTED_MODULE_1__.homedir)())
        return [];
    const yaml = await __webpack_require__.e(/* import() */ 815).then(__webpack_require__.t.bind(__webpack_require__, 8815, 19));
    const document = yaml.parseDocument((0,node_fs__WEBPACK_IMPORTED_MODULE_0__.readFileSync)(path, 'utf8'));
    const found = new Set();
    yaml.visit(document, {
        Pair(_, { key, value }) {
            if (!yaml.isScalar(key) || key.value !== 'file')
                return;
            const file = yaml.isAlias(value) ? value.resolve(document) : value;
            if (yaml.isScalar(file) && typeof file.value === 'string' && file.value.startsWith('~/'))
                found.add(file.value);
        },
    });
    return [...found].map((file) => `${path}: ${file} would be looked for in the home of ${name}, who is to run it: write the absolute path`);
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
    (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_5__/* .usePlatform */ .V)((0,_platform_terminal_js__WEBPACK_IMPORTED_MODULE_6__/* .terminal */ .F)({
        input: (name) => {
            if (name === 'command')
                return command;
            const given = inputs.get(name);
            return given !== undefined && _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_7__/* .declared */ .bu[name].usedBy.includes(command) ? given().trim() : '';
        },
    }));
    try {
        await (0,_settings_inputs_js__WEBPACK_IMPORTED_MODULE_8__/* .readSettings */ .s)();
        return [];
    }
    catch (error) {
        return (0,_errors_js__WEBPACK_IMPORTED_MODULE_4__/* .describe */ .q0)(error).message.split('\n');
    }
}
/** The path of a database that is a file; empty: it is none. null: nobody knows. */
function fileOf(text) {
    try {
        const { source } = (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_3__/* .parseSource */ .PJ)(text);
        return (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_3__/* .databaseOf */ .zJ)(source, { format: 'custom', jobs: null, excludeTable: [], excludeTableData: [], schema: [] })
            .path;
    }
    catch {
        return null;
    }
}
/** Absolute, as the host takes it: relative to the home of who runs it. */
function atHome(path, { home }) {
    try {
        const read = path === '.' ? '' : (0,_settings_host_path_js__WEBPACK_IMPORTED_MODULE_10__/* .parseHostPath */ .z)(path);
        return read.startsWith('/') ? read : (0,node_path__WEBPACK_IMPORTED_MODULE_2__.join)(home, read);
    }
    catch {
        return null; // told among the faults
    }
}
/** The folder, or the one above it that is there, in which it can then be made; never all of them. */
function nearest(folder) {
    const above = (0,node_path__WEBPACK_IMPORTED_MODULE_2__.dirname)(folder);
    return (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.existsSync)(folder) || above === '/' || above === folder ? folder : nearest(above);
}


/***/ }),

/***/ 4624:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  run: () => (/* binding */ run)
});

// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: ./src/cancel.ts
var cancel = __webpack_require__(833);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(8500);
// EXTERNAL MODULE: ./src/schedule/calendar.ts
var schedule_calendar = __webpack_require__(2487);
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
    const [time] = (0,schedule_calendar/* nextTimes */.e1)(calendar, from, 1);
    if (time === undefined)
        throw new Error('a calendar without a next time');
    return time;
}
/** As `Around.wait`. */
const waiting = (signal) => (ms) => (0,promises_.setTimeout)(ms, undefined, { signal }).catch(() => { });

// EXTERNAL MODULE: ./src/schedule/installation.ts
var installation = __webpack_require__(6833);
// EXTERNAL MODULE: ./src/schedule/machine.ts
var machine = __webpack_require__(8052);
// EXTERNAL MODULE: ./src/command-line/environment.ts
var command_line_environment = __webpack_require__(3027);
// EXTERNAL MODULE: ./src/command-line/exit-status.ts
var exit_status = __webpack_require__(4259);
// EXTERNAL MODULE: ./src/command-line/schedule-common.ts + 6 modules
var schedule_common = __webpack_require__(9750);
// EXTERNAL MODULE: ./src/command-line/schedule-needs.ts
var schedule_needs = __webpack_require__(9005);
;// CONCATENATED MODULE: ./src/command-line/schedule-run.ts











// `db-backup schedule run`, which returns its exit status.
/** Stays in the foreground, for containers, and starts the jobs by itself until a signal. */
const run = (given) => (0,schedule_common/* told */.Ev)(async () => {
    const environment = { ...process.env }; // for the jobs, whole: what may be a secret is taken out of ours
    const config = await (0,schedule_common/* configured */.tw)(given);
    const wrong = [];
    const jobs = (0,schedule_common/* jobsOf */.aG)(given, (0,schedule_common/* reading */.A2)(wrong));
    if (wrong.length > 0)
        throw (0,schedule_common/* input */.hF)(...wrong);
    if (jobs.size === 0)
        throw (0,schedule_common/* input */.hF)('all jobs are none: there is nothing to wait for');
    // the jobs have our home and our variables
    const account = { ...(0,machine/* caller */.mF)(), home: (0,external_node_os_.homedir)() };
    const judged = await (0,schedule_needs/* judge */.S)(config, [...jobs.keys()], account, (0,command_line_environment/* fromEnvironment */.AU)({ ...environment }));
    (0,schedule_common/* begin */.qN)(); // after a look at other inputs
    if (judged.wrong.length > 0)
        throw (0,schedule_common/* input */.hF)(...judged.wrong);
    (0,schedule_common/* warn */.R8)(...judged.warnings, ...(0,schedule_common/* gapsOf */.dc)(jobs));
    const program = { node: process.execPath, cli: (0,external_node_fs_.realpathSync)(process.argv[1] ?? ''), config: config.path };
    for (const [job, calendar] of jobs)
        (0,schedule_common/* say */.cv)((0,schedule_common/* lineOf */.cA)(job, calendar));
    if (given.dryRun)
        return exit_status/* EXIT */.dc.done;
    const { signal } = cancel/* cancel */.Z;
    await inForeground(jobs, {
        now: () => new Date(),
        wait: waiting(signal),
        start: async (job) => {
            const [node = '', ...args] = (0,installation/* commandOf */.Nl)(program, job);
            const ended = await carryOut(node, args, environment, signal);
            (0,schedule_common/* say */.cv)(`${job} ended with ${ended}`);
        },
        tell: (job, at) => (0,schedule_common/* say */.cv)(`next: ${job}, ${(0,schedule_common/* timeOf */.nR)(at)}`),
        signal,
    });
    (0,schedule_common/* say */.cv)('ended, as it was asked to');
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


/***/ })

};
