export const id = 675;
export const ids = [675];
export const modules = {

/***/ 1675:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   install: () => (/* binding */ install)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(node_path__WEBPACK_IMPORTED_MODULE_1__);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(7452);
/* harmony import */ var _platform_platform_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(7460);
/* harmony import */ var _schedule_installation_js__WEBPACK_IMPORTED_MODULE_10__ = __webpack_require__(6833);
/* harmony import */ var _schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(8052);
/* harmony import */ var _schedule_task_xml_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(4608);
/* harmony import */ var _settings_value_rules_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(7722);
/* harmony import */ var _exit_status_js__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(4259);
/* harmony import */ var _schedule_common_js__WEBPACK_IMPORTED_MODULE_8__ = __webpack_require__(9750);
/* harmony import */ var _schedule_needs_js__WEBPACK_IMPORTED_MODULE_9__ = __webpack_require__(9005);











// `db-backup schedule install`, which returns its exit status.
const install = (given) => (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .told */ .Ev)(async () => {
    const config = await (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .configured */ .tw)(given);
    const { system, account, jobs, name } = choices(given, config);
    const { needs, wrong, warnings } = await (0,_schedule_needs_js__WEBPACK_IMPORTED_MODULE_9__/* .judge */ .S)(config, [...jobs.keys()], account);
    (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .begin */ .qN)(); // after a look at other inputs
    if (wrong.length > 0)
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(...wrong);
    const wanted = { name, jobs, account, ...programs(), config: config.path, needs };
    refuseCredentials(needs, system);
    const scheduler = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .schedulerOf */ .Jn)(system, account);
    const pieces = piecesOf(scheduler, wanted);
    refuseOthers(wanted, scheduler);
    (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .warn */ .R8)(...warnings, ...(0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .gapsOf */ .dc)(jobs), ...hints(wanted, system));
    if (system !== 'task-scheduler')
        expectReadable(wanted);
    (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .say */ .cv)(`${given.dryRun ? 'would write' : 'writing'} for ${config.path}, to be run by ${account.name} with ${system}:`);
    if (system === 'task-scheduler')
        (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_3__/* .platform */ .i)().warning('this is for Windows, where it has not been run by those who wrote it');
    for (const { where, text } of pieces)
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .show */ .WU)(`==> ${where} <==\n${text}`);
    for (const [job, calendar] of jobs)
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .say */ .cv)((0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .lineOf */ .cA)(job, calendar));
    if (given.dryRun)
        return _exit_status_js__WEBPACK_IMPORTED_MODULE_7__/* .EXIT */ .dc.done;
    if (system === 'task-scheduler' && !(0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .isWindows */ .uF)()) {
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)('--with task-scheduler is for Windows: elsewhere it can be shown with --dry-run, and not be installed');
    }
    for (const note of scheduler.install(wanted))
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .say */ .cv)(note);
    (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .say */ .cv)(`installed; \`db-backup schedule status\` says how it is, \`db-backup schedule uninstall --name ${name}\` takes it away`);
    return _exit_status_js__WEBPACK_IMPORTED_MODULE_7__/* .EXIT */ .dc.done;
});
/** What the options say, all that is wrong with them at once. */
function choices(given, config) {
    const wrong = [];
    const read = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .reading */ .A2)(wrong);
    const jobs = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .jobsOf */ .aG)(given, read);
    const system = read('with', () => (given.with === undefined ? systemHere() : (0,_settings_value_rules_js__WEBPACK_IMPORTED_MODULE_6__/* .oneOf */ .yL)(_schedule_installation_js__WEBPACK_IMPORTED_MODULE_10__/* .SYSTEMS */ .LB)(given.with)));
    const name = read('name', () => (0,_settings_value_rules_js__WEBPACK_IMPORTED_MODULE_6__/* .parseName */ .$q)(given.name ?? (0,node_path__WEBPACK_IMPORTED_MODULE_1__.basename)(config.path).replace(/\.ya?ml$/, '')));
    const account = read('user', () => accountFor(given.user, system));
    if (wrong.length === 0 && jobs.size === 0)
        wrong.push('all jobs are none: `db-backup schedule uninstall` takes them away');
    if (system === null || name === null || account === null || wrong.length > 0)
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(...wrong);
    return { jobs, system, name, account };
}
function systemHere() {
    if ((0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .isWindows */ .uF)())
        return 'task-scheduler';
    if ((0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .runsSystemd */ .g)())
        return 'systemd';
    if ((0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .programPath */ .kx)('crontab') !== null)
        return 'cron';
    throw new Error('neither systemd nor cron is here: install cron, or say systemd when this is the image of a machine that has it');
}
function accountFor(given, system) {
    if (system === 'task-scheduler')
        return { name: given ?? _schedule_task_xml_js__WEBPACK_IMPORTED_MODULE_5__/* .LOCAL_SERVICE */ .wX, uid: -1, home: '' };
    if (given === undefined)
        return (0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .caller */ .mF)();
    const found = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .ofUser */ .J9)(given, 'install');
    if (found === null)
        throw new Error(`there is no user ${JSON.stringify(given)} on this machine`);
    return found;
}
/** Where this program is, and what runs it. */
function programs() {
    const cli = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.realpathSync)(process.argv[1] ?? '');
    if (/[/\\]_npx[/\\]/.test(cli)) {
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)('this program was fetched by npx for this once, and may be gone tomorrow: npm install --global db-backup-action');
    }
    return { node: (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.realpathSync)(process.execPath), cli };
}
function piecesOf(scheduler, wanted) {
    try {
        return scheduler.pieces(wanted);
    }
    catch (error) {
        if (error instanceof _errors_js__WEBPACK_IMPORTED_MODULE_2__/* .BackupError */ .hj)
            throw error;
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(error.message);
    }
}
/** What has this name already, and would be lost, or run besides for the same user. Throws E_INPUT. */
function refuseOthers({ name, config, account }, { system, whose }) {
    for (const { one, scheduler } of (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .all */ .Q7)(account)) {
        const { mark, where } = one;
        // of the system: not in the way of what a user installs for himself
        if (mark.name !== name || (!(0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .isRoot */ .jX)() && scheduler.whose === 'the system'))
            continue;
        const isSame = one.system === system && (system === 'cron' ? mark.user === account.name : scheduler.whose === whose);
        if (!isSame && mark.user === account.name) {
            throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(`${name} is installed already, in ${where}: db-backup schedule uninstall --name ${name} --with ${one.system} --user ${mark.user}, or choose another --name`);
        }
        if (isSame && mark.config !== config) {
            throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(`${name} is what is installed for ${mark.config}, in ${where}: choose another --name`);
        }
    }
    for (const scheduler of (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .schedulers */ .lr)(account)) {
        for (const one of scheduler.unclear()) {
            if (one.name === name && one.user === account.name && one.system !== system)
                throw one.fault;
        }
    }
}
/** Throws E_INPUT for credentials that are not handed over. */
function refuseCredentials({ credentials }, system) {
    if (system !== 'systemd' && credentials.length > 0) {
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(`the configuration has credentials of systemd (${credentials.join(', ')}), which ${system} does not know: use { file: ... }`);
    }
    const odd = credentials
        .filter((one) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(one))
        .map((one) => JSON.stringify(one));
    if (odd.length > 0) {
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(`${odd.join(', ')}: expected names of credentials, of letters, digits, ".", "_" and "-"`);
    }
}
/** What may go wrong when nobody looks. */
function hints(wanted, system) {
    const { needs, account, cli, node } = wanted;
    const { credentials, variables } = needs;
    const sudo = process.env.SUDO_USER;
    const hidden = [node, cli].filter((path) => /^\/(?:home|root)\//.test(path) && account.uid !== 0 && !path.startsWith(`${account.home}/`));
    return [
        ...variables.map((one) => `the variable ${one}, which the configuration names, will not be set when it runs by itself: use { file: ... }`),
        ...credentialHints(credentials, account),
        ...hidden.map((path) => `${path} is in the home of somebody else`),
        ...(system === 'task-scheduler' ? [] : changeable(wanted)),
        ...((0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .isRoot */ .jX)() && account.uid === 0 && sudo !== undefined && sudo !== 'root'
            ? [`it will run as root; --user ${sudo} has ${sudo} run it`]
            : []),
    ];
}
/** Who can change what is run does what he likes as the one who runs it. */
function changeable({ account, node, cli, config }) {
    const paths = [node, cli, config]
        .map((path) => (0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .changeableByOthers */ .bo)(path, account.uid))
        .filter((path) => path !== null);
    return [...new Set(paths)].map((path) => `${path} can be changed by another user, who could so do anything as ${account.name}`);
}
function credentialHints(credentials, { home }) {
    const folder = (0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .isRoot */ .jX)() ? '/etc/credstore' : `${process.env.XDG_CONFIG_HOME || `${home}/.config`}/credstore`;
    return credentials
        .map((one) => `${folder}/${one}`)
        .filter((path) => !(0,node_fs__WEBPACK_IMPORTED_MODULE_0__.existsSync)(path))
        .map((path) => `${path} is not there: the credential is read from it, so write it before the first run`);
}
/** Throws E_INPUT when who runs it could not even begin. */
function expectReadable({ account, node, cli, config, needs }) {
    const unreadable = (0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_4__/* .unreadableFor */ .LJ)(account, [node, cli, config, ...needs.files]);
    if (unreadable.length === 0)
        return;
    throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_8__/* .input */ .hF)(...unreadable.map((path) => `${account.name}, who is to run it, can not read ${path}`));
}


/***/ }),

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


/***/ })

};
