export const id = 175;
export const ids = [175];
export const modules = {

/***/ 8046:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   os: () => (/* binding */ asking),
/* harmony export */   pQ: () => (/* binding */ eachOf),
/* harmony export */   sv: () => (/* binding */ refuseTwins)
/* harmony export */ });
/* unused harmony export nameFor */
/* harmony import */ var node_buffer__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4573);
/* harmony import */ var node_buffer__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_buffer__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(7598);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(node_crypto__WEBPACK_IMPORTED_MODULE_1__);
/* harmony import */ var _engines_lookup_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(8118);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(7452);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(4302);
/* harmony import */ var _settings_value_rules_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(7722);
/* harmony import */ var _given_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(5935);







// What `all: true` in the configuration means: a target for each database of a server.
const LONGEST = 64;
/** The server itself, with a database in it that can be asked for the others. */
function asking(target) {
    const text = target.inputs.get('database') ?? (0,_given_js__WEBPACK_IMPORTED_MODULE_5__/* .literally */ .Dk)('');
    return { ...target, inputs: new Map([...target.inputs, ['database', () => (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_2__/* .serverIn */ .Ll)(text()).asking]]) };
}
/** `NAME-DATABASE`; where that is no name, as near as can be, with a few digits of its own. */
function nameFor(target, database) {
    const name = `${target}-${database}`;
    try {
        return (0,_settings_value_rules_js__WEBPACK_IMPORTED_MODULE_4__/* .parseName */ .$q)(name);
    }
    catch {
        const digits = (0,node_crypto__WEBPACK_IMPORTED_MODULE_1__.createHash)('sha256')
            .update(JSON.stringify([target, database]))
            .digest('hex')
            .slice(0, 8);
        const near = name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, LONGEST - digits.length - 1);
        return `${near.replace(/[-._]+$/, '')}-${digits}`;
    }
}
/** One for each of these databases; those that nobody can name are refused. */
function eachOf(target, databases) {
    const text = target.inputs.get('database') ?? (0,_given_js__WEBPACK_IMPORTED_MODULE_5__/* .literally */ .Dk)('');
    if (databases.length === 0) {
        const none = new _errors_js__WEBPACK_IMPORTED_MODULE_3__/* .BackupError */ .hj('E_SOURCE_MISSING', `the server of ${target.name} has no database to back up: none that accepts connections, holds anything, and is not a template`, 'Check that `database` names the right server.');
        return [{ ...asking(target), refused: none }];
    }
    return databases.map((bytes) => {
        const database = (0,node_buffer__WEBPACK_IMPORTED_MODULE_0__.isUtf8)(bytes) ? bytes.toString('utf8') : bytes.toString('hex');
        const name = nameFor(target.name, database);
        if (!(0,node_buffer__WEBPACK_IMPORTED_MODULE_0__.isUtf8)(bytes)) {
            const unnamed = new _errors_js__WEBPACK_IMPORTED_MODULE_3__/* .BackupError */ .hj('E_INPUT', `a database on the server of ${target.name} has a name that is not valid UTF-8; in hex it is ${database}`, 'Rename it, because it cannot be named here: ALTER DATABASE ... RENAME TO.');
            return { ...named(asking(target), name), refused: unnamed };
        }
        const one = named(target, name);
        one.inputs.set('database', () => (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_2__/* .serverIn */ .Ll)(text()).server.naming(text(), database));
        return one;
    });
}
function named({ all: _, ...target }, name) {
    return { ...target, ofServer: true, name, inputs: new Map([...target.inputs, ['name', (0,_given_js__WEBPACK_IMPORTED_MODULE_5__/* .literally */ .Dk)(name)]]) };
}
/** Of those that come from a server, those that are called as another: their backups could not be told apart. `configured`: by their names. */
function refuseTwins(targets, configured) {
    const times = new Map();
    for (const { name } of targets)
        times.set(name, (times.get(name) ?? 0) + 1);
    return targets.map((target) => {
        const { name, ofServer, refused } = target;
        const isTwin = configured.includes(name) || (times.get(name) ?? 0) > 1;
        if (!isTwin || !ofServer || refused !== undefined)
            return target;
        return {
            ...target,
            refused: new _errors_js__WEBPACK_IMPORTED_MODULE_3__/* .BackupError */ .hj('E_INPUT', `another database would also be called ${(0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_6__/* .quoteOutside */ .YM)(name, 100)}, and their backups could not be told apart`, 'Rename one of them on its server, or in the configuration.'),
        };
    });
}


/***/ }),

/***/ 9175:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  commandLine: () => (/* binding */ commandLine)
});

// UNUSED EXPORTS: OTHERS

// EXTERNAL MODULE: ./src/cancel.ts
var cancel = __webpack_require__(833);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/platform/platform.ts + 1 modules
var platform = __webpack_require__(7460);
// EXTERNAL MODULE: ./src/platform/secrets.ts
var platform_secrets = __webpack_require__(9002);
// EXTERNAL MODULE: ./src/platform/terminal.ts + 1 modules
var terminal = __webpack_require__(1511);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
// EXTERNAL MODULE: ./src/reporting/report-json.ts
var report_json = __webpack_require__(789);
// EXTERNAL MODULE: ./src/command-line/all-databases.ts
var all_databases = __webpack_require__(8046);
// EXTERNAL MODULE: ./node_modules/commander/index.js + 6 modules
var commander = __webpack_require__(7375);
;// CONCATENATED MODULE: ./package.json
const package_namespaceObject = {"rE":"1.0.0"};
// EXTERNAL MODULE: ./src/settings/declared-inputs.ts + 3 modules
var declared_inputs = __webpack_require__(4587);
// EXTERNAL MODULE: ./src/settings/hand-inputs.ts
var hand_inputs = __webpack_require__(5984);
// EXTERNAL MODULE: ./src/settings/settings.ts
var settings = __webpack_require__(7100);
// EXTERNAL MODULE: ./src/command-line/environment.ts
var command_line_environment = __webpack_require__(3027);
// EXTERNAL MODULE: ./src/command-line/exit-status.ts
var exit_status = __webpack_require__(4259);
// EXTERNAL MODULE: ./src/command-line/given.ts
var command_line_given = __webpack_require__(5935);
;// CONCATENATED MODULE: ./src/command-line/arguments.ts








/** What each command does, in a line, and what may stand behind it. */
const ABOUT = {
    backup: ['take a verified backup, then rotate'],
    restore: [
        'restore a backup, with a safety backup first so that you can undo it; without [backup], a terminal asks for one',
        [['[backup]', 'backup']],
    ],
    verify: ['verify an existing backup, up to restoring it into a throw-away database', [['[backup]', 'backup']]],
    list: ['show the backups'],
    health: ['say what is wrong with the backups and the database, changing nothing'],
    doctor: ['check everything that backups need, and show the fix for what is missing'],
    accept: ['say that a suspect backup is right', [['<backup>', 'backup']]],
    prune: ['apply `keep` without a new backup'],
    delete: ['delete one backup', [['<backup>', 'backup']]],
    pin: [
        'exempt a backup from rotation',
        [
            ['<backup>', 'backup'],
            ['<reason>', 'pin'],
        ],
    ],
    unpin: ['end that exemption', [['<backup>', 'backup']]],
    latest: ['print the id of the newest good backup, which `restore latest` takes'],
    show: ['show all that is known of one backup', [['<backup>', 'backup']]],
    extract: ['print the rows of one table of a backup', [['<backup>', 'backup']]],
};
/** Inputs that are no options: what stands first on the line, and what only a job of GitHub has. */
const NOT_OPTIONS = ['command', 'summary', 'ledger'];
/** The program as commander knows it. `asked` gets what was asked for, and gives the exit status. `help`: of each input; empty: none was asked for. */
function program(help, asked, others, done) {
    const root = new commander/* Command */.uB('db-backup')
        .description('Back up a live database, verify the backup, rotate, and restore safely')
        .version(package_namespaceObject.rE)
        .exitOverride()
        .configureOutput({ outputError: (text, write) => write(text.replace(/(unknown option '--[^'=]*)=[^\n]*'/, "$1'")) })
        .showHelpAfterError('(db-backup --help, or db-backup COMMAND --help)');
    for (const name of [...settings/* COMMANDS */.Lo, ...settings/* HAND_COMMANDS */.Tw]) {
        const [about, behind = []] = ABOUT[name];
        const command = root.command(name).description(about).exitOverride();
        for (const [argument] of behind)
            command.argument(argument);
        for (const input of declared_inputs/* INPUT_NAMES */.Qh) {
            if (NOT_OPTIONS.includes(input) || !(0,declared_inputs/* isUsedBy */.fJ)(input, name))
                continue;
            if (behind.some(([, taken]) => taken === input))
                continue;
            for (const option of optionsOf(input, help))
                command.addOption(option);
        }
        if (name === 'extract') {
            for (const [option, { takes, about: text }] of Object.entries(hand_inputs/* HAND_OPTIONS */.RI)) {
                command.option(`--${option}${takes === null ? '' : ` ${takes}`}`, text);
            }
        }
        common(command);
        command.addHelpText('after', secretsHelp(name));
        command.action(async (...given) => {
            const words = given.slice(0, behind.length);
            const options = given[behind.length];
            const inputs = inputsOf(options);
            for (const [i, [, input]] of behind.entries()) {
                const word = words[i];
                if (word !== undefined)
                    inputs.set(input, (0,command_line_given/* literally */.Dk)(word));
            }
            const status = await asked({
                command: name,
                inputs,
                options: handOptions(options),
                targets: options.target ?? [],
                config: options.config ?? null,
                json: options.json === true,
                quiet: options.quiet === true,
                scheduled: options.scheduled === true,
            });
            done(status);
        });
    }
    for (const add of others)
        add(root, done);
    root.addHelpText('after', `\n${NOTES.join('\n\n')}\n`);
    return root;
}
function common(command) {
    command
        .option('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml')
        .option('--target <name>', 'only this one of the databases in the configuration; can be given several times', collect)
        .option('--json', 'print the report as JSON, one line for each database')
        .option('--quiet', 'print only warnings and errors')
        .option('--scheduled', 'started by a schedule, with nobody waiting: the backup records that');
}
const collect = (value, before) => [...(before ?? []), value];
/** Of one input: what it takes, or, of a secret, one that is hidden and says how to give it. */
function optionsOf(input, help) {
    const about = help.get(input) ?? '';
    if (declared_inputs/* declared */.bu[input].secret)
        return [new commander/* Option */.c$(`--${input} [text]`).hideHelp()];
    const isSwitch = ['true', 'false'].includes(declared_inputs/* declared */.bu[input].default);
    const option = new commander/* Option */.c$(`--${input} ${isSwitch ? '[true|false]' : '<value>'}`, about).argParser(collect);
    return [option];
}
/** As commander calls an option in what it returns. */
const keyOf = (option) => option.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
function handOptions(options) {
    const given = Object.keys(hand_inputs/* HAND_OPTIONS */.RI).flatMap((name) => {
        const value = options[keyOf(name)];
        return value === undefined ? [] : [[name, String(value)]];
    });
    return new Map(given);
}
/** The inputs among the options; a secret is none, and says how to give it. */
function inputsOf(options) {
    const inputs = new Map();
    for (const input of declared_inputs/* INPUT_NAMES */.Qh) {
        const value = options[keyOf(input)];
        if (value === undefined)
            continue;
        if (declared_inputs/* declared */.bu[input].secret) {
            inputs.set(input, (0,command_line_given/* wrongly */.b9)(`a secret cannot be an option, because every user of the machine can see the arguments: set ${(0,command_line_environment/* variableOf */.Qn)(input)}, or ${(0,command_line_environment/* variableOf */.Qn)(input)}_FILE to a file that holds it, or say in the configuration where to find it`));
        }
        else
            inputs.set(input, value === true ? (0,command_line_given/* literally */.Dk)('true') : fromOption(input, value));
    }
    return inputs;
}
function fromOption(input, values) {
    if (values.length > 1 && !declared_inputs/* declared */.bu[input].lines)
        return (0,command_line_given/* wrongly */.b9)('it is given more than once');
    const text = values.join('\n');
    // as of a variable of the shell that is not set: the default may be what nobody wants
    if (text.trim() === '')
        return (0,command_line_given/* wrongly */.b9)('the option is empty: leave it out, or give it a value');
    if ((input === 'database' || input === 'restore-to') && WITH_PASSWORD.test(text)) {
        return (0,command_line_given/* wrongly */.b9)(`the option holds a password, and every user of the machine can see the arguments: set ${(0,command_line_environment/* variableOf */.Qn)(input)} instead, or give it without the password, and that in ${(0,command_line_environment/* variableOf */.Qn)('database-password')}`);
    }
    return (0,command_line_given/* literally */.Dk)(text);
}
/** A URL, or keywords of libpq. */
const WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^/?#@]+@|[?&]password=[^&]|(^|\s)password\s*=\s*\S/i;
function secretsHelp(command) {
    const secrets = declared_inputs/* INPUT_NAMES */.Qh.filter((name) => declared_inputs/* declared */.bu[name].secret && (0,declared_inputs/* isUsedBy */.fJ)(name, command));
    return `\nSecrets cannot be options. They come from these variables, from the file that the same name with _FILE names, or from the configuration:\n${secrets.map((name) => `  ${(0,command_line_environment/* variableOf */.Qn)(name)}\n`).join('')}`;
}
/** What goes for every command. */
const NOTES = [
    'Every input can also be a variable, such as DB_BACKUP_DATABASE, or be in the configuration, db-backup.yml. An option overrides a variable, and a variable overrides the configuration. Secrets cannot be options: they come from variables, from the file that DB_BACKUP_KEY_FILE or a similar variable names, or from where the configuration says.',
    'The log goes to stderr; the result of a command, such as a list, or the report with --json, goes to stdout.',
    'Exit status: 0 done, 1 failed, 2 wrong input, 3 suspect or unhealthy, 130 cancelled. With several databases the worst one counts.',
];
/** Parses the arguments and does what they ask for. The exit status. */
async function parse(argv, help, asked, others = []) {
    let status = exit_status/* EXIT */.dc.done;
    try {
        const root = program(help, asked, others, (ended) => {
            status = ended;
        });
        await root.parseAsync([...argv], { from: 'user' });
        return status;
    }
    catch (error) {
        if (!(error instanceof commander/* CommanderError */.b7))
            throw error;
        return error.exitCode === 0 ? exit_status/* EXIT */.dc.done : exit_status/* EXIT */.dc.input;
    }
}

;// CONCATENATED MODULE: ./src/command-line/completion.ts

const SHELLS = { bash, zsh, fish };
/** `db-backup completion SHELL`: a script for the shell, to stdout. */
const addCompletion = (root) => {
    const command = root
        .command('completion')
        .description('print the script that completes commands and options in a shell');
    const [argument] = command.argument('<shell>').registeredArguments;
    argument?.choices(Object.keys(SHELLS));
    command.addHelpText('after', INSTALL);
    command.action((shell) => void process.stdout.write(completionOf(shell, root)));
};
const INSTALL = `
bash  db-backup completion bash > ~/.local/share/bash-completion/completions/db-backup
zsh   db-backup completion zsh > ~/.zfunc/_db-backup    (and in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit)
fish  db-backup completion fish > ~/.config/fish/completions/db-backup.fish
`;
/** The script of one shell. */
function completionOf(shell, root) {
    return SHELLS[shell](completedOf(root, ''));
}
function completedOf(command, path) {
    const options = [...command.options.filter((one) => !one.hidden), new commander/* Option */.c$('--help', 'what it does and takes')];
    const words = [
        ...command.commands.map((one) => ({ word: one.name(), about: one.description(), takesValue: false })),
        ...options.map((one) => ({
            word: one.long ?? '',
            about: firstSentence(one.description),
            takesValue: one.required,
        })),
    ];
    const below = command.commands.flatMap((one) => completedOf(one, path === '' ? one.name() : `${path} ${one.name()}`));
    return [{ path, words }, ...below];
}
/** What a list has room for. */
function firstSentence(text) {
    const [sentence = ''] = text.split(/(?<=[.:;])\s/);
    return sentence
        .replace(/[.:;]$/, '')
        .replace(/\s+/g, ' ')
        .trim();
}
const spaced = ({ words }) => words.map(({ word }) => word).join(' ');
/** `case` goes on with the next word after these, which have commands of their own. */
function parentsOf(all) {
    const parents = all.filter(({ path }) => path !== '' && all.some((one) => one.path.startsWith(`${path} `)));
    return [...parents.map(({ path }) => path), 'nothing'].join(' | ');
}
/** Lines for bash and zsh alike: `$at` becomes the words that lead to a command, of those before the one that is completed. */
const goingThrough = (all, { words, first, last }) => `  for ((i = ${first}; i < ${last}; i++)); do
    word=\${${words}[i]}
    [[ $word == -* ]] && break
    at=\${at:+$at }$word
    case $at in ${parentsOf(all)}) ;; *) break ;; esac
  done`;
function bash(all) {
    const cases = all.map((one) => `    '${one.path}') words='${spaced(one)}' ;;`);
    return `# bash completion of db-backup
_db_backup() {
  local at='' word words='' i
${goingThrough(all, { words: 'COMP_WORDS', first: '1', last: 'COMP_CWORD' })}
  case $at in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _db_backup db-backup
`;
}
function zsh(all) {
    const described = ({ word, about }) => `'${word}:${about.replaceAll('\\', '\\\\').replaceAll("'", "'\\''")}'`;
    const cases = all.map((one) => `    '${one.path}') found=(${one.words.map(described).join(' ')}) ;;`);
    return `#compdef db-backup
compdef _db-backup db-backup
_db-backup() {
  local at='' word i
  local -a found
${goingThrough(all, { words: 'words', first: '2', last: 'CURRENT' })}
  case $at in
${cases.join('\n')}
  esac
  _describe command found || _files
}
# when it is loaded by its name, and not when it is sourced
if [ "$funcstack[1]" = _db-backup ]; then _db-backup; fi
`;
}
function fish(all) {
    const lines = all.flatMap(({ path, words }) => {
        const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
        const where = path === '' ? '__fish_use_subcommand' : seen.join('; and ');
        return words.map(({ word, about, takesValue }) => {
            const what = word.startsWith('--') ? `-l ${word.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${word}`;
            return `complete -c db-backup -n '${where}' ${what} -d '${about.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
        });
    });
    return `# fish completion of db-backup\n${lines.join('\n')}\n`;
}

// EXTERNAL MODULE: ./src/command-line/config.ts
var command_line_config = __webpack_require__(9854);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
;// CONCATENATED MODULE: ./src/command-line/input-help.ts

/** What action.yml says of each input, which is where it is said; without Markdown. */
async function readInputHelp() {
    const { parse } = await __webpack_require__.e(/* import() */ 815).then(__webpack_require__.t.bind(__webpack_require__, 8815, 19));
    const { inputs } = parse((0,external_node_fs_.readFileSync)(__webpack_require__.ab + "action.yml", 'utf8'));
    return new Map(Object.entries(inputs).map(([name, { description, default: usual }]) => [
        name,
        `${description.replaceAll('`', '').trim()}${usual === '' ? '' : ` (default: ${usual})`}`,
    ]));
}

;// CONCATENATED MODULE: ./src/command-line/live-line.ts
const WIDTH = 20;
/** The last line of stderr, with a bar. */
async function liveLine() {
    const { createLogUpdate } = await __webpack_require__.e(/* import() */ 210).then(__webpack_require__.bind(__webpack_require__, 2210));
    const update = createLogUpdate(process.stderr, { showCursor: true });
    return {
        draw(text, share) {
            const filled = share === null ? null : Math.round(share * WIDTH);
            update(filled === null ? text : `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${text}`);
        },
        clear: () => update.clear(),
    };
}

// EXTERNAL MODULE: ./src/main.ts + 98 modules
var main = __webpack_require__(6959);
// EXTERNAL MODULE: ./src/post.ts
var post = __webpack_require__(6661);
;// CONCATENATED MODULE: ./src/command-line/targets.ts






// Which databases a command is about, and with which inputs.
/** Without a configuration the one database is what options and variables say. */
const ALONE = { name: '', inputs: new Map(), elsewhere: [] };
/** Commands that are about one backup, of one database. */
const ONE = ['restore', 'accept', 'delete', 'pin', 'unpin', ...settings/* HAND_COMMANDS */.Tw];
/** What makes one database of several. */
const OWN = ['database', 'name', 'database-password', 'backup', 'restore-to'];
/** The password of a server is that of all its databases. */
const OF_ONE_SERVER = OWN.filter((name) => name !== 'database-password');
/** What makes one of those of a server. */
const OF_SERVER = ['database', 'name'];
/** The databases that are meant, and what is wrong with that; one at least, so that all the rest is told as well. */
function choose(asked, config, variables) {
    const wrong = [...(config?.wrong ?? [])];
    if (asked.command === 'extract' && asked.json && !asked.options.has('output'))
        wrong.push('--json: with extract it needs --output, because the rows go to stdout');
    if (config === null) {
        if (asked.targets.length > 0)
            wrong.push('--target: there is no configuration to choose a database from; name it with --config');
        return { targets: [ALONE], wrong };
    }
    const names = config.targets.map(({ name, all }) => (all ? `${name}-DATABASE` : name)).join(', ');
    const isOne = (name) => config.targets.some((target) => target.name === name);
    for (const name of asked.targets) {
        if (config.targets.length > 0 && !isOne(name) && !config.targets.some((target) => isBelow(target)(name))) {
            wrong.push(`--target: there is no ${JSON.stringify(name)} in ${config.path}, which has ${names}`);
        }
    }
    const targets = config.targets.filter((target) => isWhole(asked, target) || asked.targets.some((name) => !isOne(name) && isBelow(target)(name)));
    const servers = targets.filter(({ all }) => all);
    const isServer = servers.some((target) => isWhole(asked, target));
    const several = targets.length > 1 || isServer || asked.targets.length > 1;
    if (several && ONE.includes(asked.command)) {
        wrong.push(`--target: ${asked.command} takes one database: choose one of ${names}`);
    }
    const own = targets.length > 1 ? OWN : isServer ? OF_ONE_SERVER : servers.length > 0 ? OF_SERVER : [];
    wrong.push(...givenForAll(own, targets, asked, variables));
    if (wrong.length > 0)
        return { targets: [targets[0] ?? ALONE], wrong };
    return { targets, wrong };
}
/** What is said of inputs that make one database, and are given for several, or besides the target that says it. */
function givenForAll(own, targets, asked, variables) {
    return own.flatMap((name) => {
        const variable = `the variable ${(0,command_line_environment/* variableOf */.Qn)(name)}${name === 'database' ? ' or DATABASE_URL' : ''}`;
        const where = asked.inputs.has(name) ? `--${name}` : variables.has(name) && name !== 'restore-to' ? variable : null;
        if (where === null)
            return [];
        const each = `it would apply to each of ${targets.map((one) => one.name).join(', ')}; choose one with --target, or remove it`;
        const said = own === OF_SERVER ? '--target already chooses one; remove it' : each;
        return [`${name}: ${where} gives it, and ${said}`];
    });
}
/** An option counts before a variable, a variable before the configuration. */
function merged(asked, variables, target) {
    const inputs = new Map();
    for (const source of [target.inputs, variables]) {
        // what is for other commands says nothing here
        for (const [name, given] of source)
            if ((0,declared_inputs/* isUsedBy */.fJ)(name, asked.command))
                inputs.set(name, given);
    }
    for (const [name, given] of asked.inputs)
        inputs.set(name, given);
    inputs.set('command', (0,command_line_given/* literally */.Dk)(asked.command));
    return inputs;
}
/** The same with each database of a server in the place of that server. One that can not be asked is refused. */
async function expanded(asked, targets, config, ask, warn) {
    const found = [];
    for (const target of targets) {
        if (!target.all) {
            found.push(target);
            continue;
        }
        const isAll = isWhole(asked, target);
        try {
            const ones = (0,all_databases/* eachOf */.pQ)(target, await ask((0,all_databases/* asking */.os)(target)));
            const wanted = isAll ? ones : onlyAsked(asked, target, ones);
            found.push(...wanted);
            const gone = wanted.filter((one) => !ones.some(({ name }) => name === one.name)).map(({ name }) => name);
            const names = ones.map(({ name }) => name).join(', ');
            for (const name of gone)
                warn(`${name}: ${target.name} has no database of that name now; it has ${names}`);
        }
        catch (error) {
            // the backups of a server that is down can be listed, and put back elsewhere
            found.push(...(isAll ? [{ ...(0,all_databases/* asking */.os)(target), refused: (0,errors/* describe */.q0)(error) }] : onlyAsked(asked, target, [])));
        }
    }
    return (0,all_databases/* refuseTwins */.sv)(found, config?.targets.flatMap(({ name, all }) => (all ? [] : [name])) ?? []);
}
/** Those of a server that are named by `--target`. One that is not there may have been dropped: its backups are. */
function onlyAsked(asked, target, ones) {
    return asked.targets
        .filter(isBelow(target))
        .flatMap((name) => ones.find((one) => one.name === name) ?? (0,all_databases/* eachOf */.pQ)(target, [Buffer.from(name.slice(target.name.length + 1))]));
}
/** All databases of that server are meant. */
const isWhole = ({ targets }, { name }) => targets.length === 0 || targets.includes(name);
/** Whether a name may be that of a database of this server. */
const isBelow = (target) => (name) => target.all === true && name.startsWith(`${target.name}-`);

// EXTERNAL MODULE: ./src/host/quoting.ts
var quoting = __webpack_require__(2437);
;// CONCATENATED MODULE: ./src/command-line/typed.ts


/** What is said of this very run, and of no other. */
const OF_ONE_RUN = ['command', 'backup', 'confirm', 'dry-run'];
/**
 * The command line for these inputs; what `asked` has as options is repeated, since it may say where the database is: but for secrets, and
 * for what is empty, which are no options. Values are quoted for a POSIX shell where that is needed.
 */
function typed(inputs, { config, targets, inputs: asked }) {
    const { command = 'backup', backup = '', ...options } = inputs;
    const repeated = [...asked].filter(([name]) => !OF_ONE_RUN.includes(name) && !(name in inputs) && !declared_inputs/* declared */.bu[name].secret && (0,declared_inputs/* isUsedBy */.fJ)(name, command));
    const words = [
        ...['db-backup', command],
        ...(backup === '' ? [] : [word(backup)]),
        ...Object.entries(options).map(([name, value]) => `--${name} ${word(value)}`),
        ...repeated.flatMap(([name, given]) => given()
            .split('\n')
            .filter((line) => line.trim() !== '')
            .map((line) => `--${name} ${word(line)}`)),
        ...(config === null ? [] : [`--config ${word(config)}`]),
        ...targets.map((target) => `--target ${word(target)}`),
    ];
    return words.join(' ');
}
/** As one types it: in quotes only where a POSIX shell needs them. */
const word = (text) => /^[\w./:=@%+,-]+$/.test(text) && !text.startsWith('-') ? text : (0,quoting/* quote */.h)(text);

;// CONCATENATED MODULE: ./src/command-line/wording.ts


/** One input in a text, as a workflow has it: `dry-run: true`. */
const INPUT = '`([a-z0-9-]+): ([^`\\n]+)`';
const COMMAND = new RegExp(`\`command: ([a-z]+)\`(?: with ${INPUT})?`, 'g');
/** These take the backup without an option. */
const BEHIND = ['restore', 'verify', 'accept', 'delete', 'pin', 'unpin', 'show', 'extract'];
/** What the command line has no option for. */
const wording_NOT_OPTIONS = ['command', 'summary', 'ledger'];
/** What a warning or a failure says to whoever has a workflow, as it is said to somebody who types: `command: list` is `db-backup list`. */
function forHand(text) {
    return text
        .replace(COMMAND, (whole, command, name, value = '') => {
        if (name === undefined)
            return `\`db-backup ${command}\``;
        const more = name === 'backup' && BEHIND.includes(command) ? word(value) : optionOf(name, value);
        return more === null ? whole : `\`db-backup ${command} ${more}\``;
    })
        .replace(new RegExp(INPUT, 'g'), (whole, name, value) => {
        const option = optionOf(name, value);
        return option === null ? whole : `\`${option}\``;
    })
        .replace(/\b([Ss])et (?=`--)/g, (_, first) => (first === 'S' ? 'Give ' : 'give '))
        .replaceAll('the backup workflow', 'the scheduled backup');
}
/** null: there is no such option; a secret is none either. */
function optionOf(name, value) {
    const input = declared_inputs/* INPUT_NAMES */.Qh.find((one) => one === name);
    if (input === undefined || wording_NOT_OPTIONS.includes(name) || declared_inputs/* declared */.bu[input].secret)
        return null;
    return isSwitch(input) && value === 'true' ? `--${name}` : `--${name} ${word(value)}`;
}
const isSwitch = (input) => ['true', 'false'].includes(declared_inputs/* declared */.bu[input].default);

;// CONCATENATED MODULE: ./src/command-line/run.ts










/** How long it is looked after what an ended run left on the host. */
const CLEANING_MS = 60_000;
/** One run, for one database, with what it left looked after. `title`: of one of several; its lines say so. */
async function run(asked, target, runs, title = null) {
    begin(asked, target, runs, title);
    const { report, isClean } = await (0,main/* main */.iW)(controllerOf(cancel/* cancel */.Z.signal), target.refused);
    if (!isClean)
        await (0,post/* post */.b)(AbortSignal.timeout(CLEANING_MS));
    report.name ||= target.name; // with wrong input nobody has told it
    return report;
}
/** The names of all databases of a server. Throws what a run would fail with. */
function databasesOf(asked, target, runs) {
    begin({ ...asked, command: 'list' }, target, runs, `databases: ${target.name}`);
    return (0,main/* databasesOfServer */.L)(cancel/* cancel */.Z.signal);
}
function begin(asked, target, { variables, wrong, secrets, draw, notes, warnings }, title) {
    const inputs = merged(asked, variables, target);
    (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)({
        ...{ secrets, wrong, quiet: asked.quiet, isScheduled: asked.scheduled, silentResult: asked.json },
        ...(draw === undefined ? {} : { draw }),
        about: title === null ? '' : target.name,
        hand: {
            option: (name) => asked.options.get(name) ?? '',
            typed: (inputs) => typed(inputs, asked),
            worded: forHand,
            asksNext: asked.asksNext === true,
            gives: (name) => (0,command_line_environment/* givenBy */.ny)(name),
        },
        input: (name) => inputs
            .get(name)?.()
            .trim() ?? '',
    }));
    for (const note of notes.splice(0))
        (0,platform/* platform */.i)().info((0,neutralise/* neutralise */.$0)(note));
    for (const warning of warnings.splice(0))
        (0,platform/* platform */.i)().warning(warning);
    if (title !== null)
        (0,platform/* platform */.i)().startGroup((0,neutralise/* neutralise */.$0)(title));
}
/** Of one run: it ends with all others, and others do not end with its `timeout`. */
function controllerOf(signal) {
    const own = new AbortController();
    if (signal.aborted)
        own.abort(signal.reason);
    else
        signal.addEventListener('abort', () => own.abort(signal.reason), { once: true });
    return own;
}

;// CONCATENATED MODULE: ./src/command-line/schedule-command.ts

const CALENDAR = 'daily 02:00, weekly sunday 03:00, monthly 1 05:00, hourly, every 6 hours, a cron expression for one of these, or none';
/** Adds `schedule install|status|list|uninstall`. What they do is loaded when it is asked for. */
function scheduleCommand(root, done) {
    const schedule = root
        .command('schedule')
        .description('let this machine make, verify and check backups by itself')
        .exitOverride();
    const deed = (name, about, options, act) => {
        const command = schedule.command(name).description(about).exitOverride();
        for (const option of options)
            command.addOption(option);
        command.action(async (given) => done(await (await act())(given)));
    };
    const config = new commander/* Option */.c$('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml');
    const name = (about) => new commander/* Option */.c$('--name <name>', about);
    const dryRun = new commander/* Option */.c$('--dry-run', 'show the plan, change nothing');
    const times = [
        new commander/* Option */.c$('--backup <when>', `when to make backups: ${CALENDAR}`).default('daily 03:15'),
        new commander/* Option */.c$('--verify <when>', 'when to verify the newest backup of each database').default('weekly sunday 04:15'),
        new commander/* Option */.c$('--health <when>', 'when to check the health of the backups').default('daily 08:00'),
    ];
    deed('install', 'write the timers, cron lines or tasks; replaces those of the same name', [
        ...[config, name('the name of the installation (default: the name of the configuration file)')],
        ...times,
        new commander/* Option */.c$('--user <name>', 'the user who runs them, if root installs them (default: you)'),
        new commander/* Option */.c$('--with <system>', 'systemd, cron or task-scheduler (default: what this machine has)'),
        dryRun,
    ], async () => (await __webpack_require__.e(/* import() */ 857).then(__webpack_require__.bind(__webpack_require__, 5857))).install);
    deed('run', 'stay in the foreground and run the jobs at their times, until a signal (for containers)', [config, ...times, dryRun], async () => (await __webpack_require__.e(/* import() */ 857).then(__webpack_require__.bind(__webpack_require__, 5857))).run);
    deed('status', 'show the state of the installed jobs; exit status 3 if something is wrong with one', [name('only this installation')], async () => (await __webpack_require__.e(/* import() */ 857).then(__webpack_require__.bind(__webpack_require__, 5857))).status);
    deed('list', 'list the jobs of all installations on this machine, one per line', [new commander/* Option */.c$('--json', 'print each line as JSON')], async () => (await __webpack_require__.e(/* import() */ 857).then(__webpack_require__.bind(__webpack_require__, 5857))).list);
    deed('uninstall', 'remove what install wrote, and nothing else', [
        name('this installation; required if there are several'),
        new commander/* Option */.c$('--user <name>', 'the user who runs it; required if several have that name'),
        new commander/* Option */.c$('--with <system>', 'systemd, cron or task-scheduler; required if several have that name'),
        dryRun,
    ], async () => (await __webpack_require__.e(/* import() */ 857).then(__webpack_require__.bind(__webpack_require__, 5857))).uninstall);
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __webpack_require__(7030);
// EXTERNAL MODULE: ./src/settings/value-rules.ts
var value_rules = __webpack_require__(7722);
;// CONCATENATED MODULE: ./src/command-line/serve-options.ts







const TOKEN = 'DB_BACKUP_TOKEN';
/** What each call says for itself. */
const SAID_BY_CALLS = ['command', 'backup', 'confirm', 'pin', 'dry-run'];
/** Inputs that are no options of the server: those, what only a job of GitHub has, and the port of SSH, since `--port` is its own. */
const serve_options_NOT_OPTIONS = [...SAID_BY_CALLS, 'summary', 'ledger', 'port'];
/** What makes one database of several. */
const serve_options_OWN = ['database', 'name', 'database-password', 'restore-to'];
/** The password of a server is that of all its databases. */
const serve_options_OF_ONE_SERVER = serve_options_OWN.filter((name) => name !== 'database-password');
/** All that is wrong with the options, the environment and the configuration at once. */
async function readServeOptions(options, environment) {
    const wrong = [];
    const reading = (name, otherwise, read) => {
        try {
            return read();
        }
        catch (error) {
            wrong.push(`${name}: ${error.message}`);
            return otherwise;
        }
    };
    const { listen } = options;
    const isLoopback = /^(127(\.\d+){3}|::1|localhost)$/.test(listen);
    const hosts = reading('allowed-host', [], () => (options.allowedHost ?? []).map(parseHostName));
    if (!isLoopback && hosts.length === 0)
        wrong.push(`allowed-host: required with --listen ${listen}: give the name that clients use to reach it`);
    const port = reading('port', 0, () => (0,value_rules/* wholeNumber */.rD)(0, 65_535)(options.port));
    const graceMs = reading('stop-timeout', 0, () => (0,value_rules/* parseTimer */.Dp)(options.stopTimeout));
    const token = await readToken(options, environment, wrong);
    const given = inputsOf({ ...options, port: undefined });
    const variables = (0,command_line_environment/* fromEnvironment */.AU)({ ...environment });
    const config = await (0,command_line_config/* readConfig */.X)(options.config ?? (environment.DB_BACKUP_CONFIG || null), { ...environment });
    wrong.push(...(0,command_line_environment/* unknownIn */.e3)(environment), ...(config?.wrong ?? []));
    const { namesOf } = await __webpack_require__.e(/* import() */ 54).then(__webpack_require__.bind(__webpack_require__, 54));
    const all = config?.targets ?? [];
    const targets = all.filter((target) => !target.all).map(({ name }) => name);
    const servers = all.filter((target) => target.all).map(({ name }) => name);
    if (config === null && !given.has('database') && !variables.has('database'))
        wrong.push('database: required: give --database, the variable, or a configuration (--config)');
    for (const name of all.length > 1 ? serve_options_OWN : servers.length > 0 ? serve_options_OF_ONE_SERVER : []) {
        if (given.has(name) || variables.has(name)) {
            const each = namesOf({ targets, servers }).join(', ');
            wrong.push(`${name}: it would apply to each of ${each}: set it in ${config?.path} instead`);
        }
    }
    // An option is a variable of those that carry calls out: each takes what it uses, and the configuration counts for less.
    const env = withoutCalls(environment);
    for (const [name, text] of given) {
        env[(0,command_line_environment/* variableOf */.Qn)(name)] = reading(name, '', () => checked(name, text()));
        delete env[`${(0,command_line_environment/* variableOf */.Qn)(name)}_FILE`];
    }
    const program = { script: process.argv[1] ?? '', env, log: 'inherit' };
    const served = {
        token,
        program,
        config: config?.path ?? null,
        targets,
        servers,
        hosts,
        behindProxy: options.behindProxy === true,
    };
    return { served: { ...served, listen, port, isLoopback }, graceMs, wrong };
}
/** The environment without the token, which is for the server alone, and without what each call says. */
function withoutCalls(environment) {
    const env = { ...environment };
    for (const variable of [TOKEN, ...SAID_BY_CALLS.map(command_line_environment/* variableOf */.Qn)]) {
        delete env[variable];
        delete env[`${variable}_FILE`];
    }
    return env;
}
/** The text, when it is what the input may be. */
function checked(name, text) {
    if (text.trim() !== '')
        declared_inputs/* declared */.bu[name].parse(text.trim());
    return text;
}
/** From a file, or from the variable. */
async function readToken(options, env, wrong) {
    const { faultOfToken } = await __webpack_require__.e(/* import() */ 138).then(__webpack_require__.bind(__webpack_require__, 3138));
    try {
        if (options.token !== undefined)
            throw new Error('it cannot be an option, because every user of the machine can see the arguments');
        const file = options.tokenFile ?? (env[`${TOKEN}_FILE`] || null);
        const token = file === null ? (env[TOKEN]?.trim() ?? '') : (0,command_line_given/* inFile */.s5)(file)();
        const fault = token === '' ? 'it is required' : faultOfToken(token);
        if (fault !== null)
            throw new Error(fault);
        return token;
    }
    catch (error) {
        wrong.push(`token: ${error.message}: give a file with --token-file FILE, or set ${TOKEN}`);
        return '';
    }
}
/** As the header `Host` has it. */
function parseHostName(text) {
    const name = (0,external_node_net_.isIP)(text) === 6 ? `[${text}]` : text;
    if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})$/i.test(name))
        throw new Error('expected a name such as backup.example.org, without a port');
    return name.toLowerCase();
}

;// CONCATENATED MODULE: ./src/command-line/serve-command.ts









/** `db-backup serve`: the commands over HTTP, each carried out by this program as a process of its own. */
const serve = (root, done) => {
    const command = root
        .command('serve')
        .description('answer calls over HTTP: health, list, backup, restore, delete, storage (docs/api.md)')
        .exitOverride()
        .option('--port <number>', 'the port to listen on; 0: any free port', '8470')
        .option('--listen <address>', 'the address to listen on; any other than loopback requires --allowed-host', '127.0.0.1')
        .option('--allowed-host <name>', 'a name that clients use to reach it, besides localhost; may be given several times', collect)
        .option('--behind-proxy', 'there is a proxy in front, which names the client in X-Forwarded-For')
        .option('--token-file <file>', `the file with the bearer token (default: the variable ${TOKEN})`)
        .option('--stop-timeout <duration>', 'how long to wait after SIGTERM for running commands, before they are stopped', '60s')
        .option('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml')
        .addHelpText('after', '\nThe inputs of the commands, such as --database, are options here too. Set the SSH port with the variable DB_BACKUP_PORT.');
    const [token] = command.option('--token [text]').options.slice(-1);
    token?.hideHelp();
    for (const name of declared_inputs/* INPUT_NAMES */.Qh) {
        if (serve_options_NOT_OPTIONS.includes(name))
            continue;
        for (const option of optionsOf(name, new Map()))
            command.addOption(option.hideHelp());
    }
    command.action(async (options) => done(await carryOut(options)));
};
/** Until a signal ends it. The exit status. */
async function carryOut(options) {
    const secrets = new platform_secrets/* Secrets */.S();
    (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)({ secrets }));
    const { served, graceMs, wrong } = await readServeOptions(options, process.env);
    secrets.add(served.token);
    for (const message of wrong)
        (0,platform/* platform */.i)().error(`E_INPUT: ${message}`);
    if (wrong.length > 0)
        return exit_status/* EXIT */.dc.input;
    const { listen } = served;
    const at = listen.includes(':') ? `[${listen}]` : listen;
    const { startServer } = await __webpack_require__.e(/* import() */ 535).then(__webpack_require__.bind(__webpack_require__, 9535));
    const { namesOf } = await __webpack_require__.e(/* import() */ 54).then(__webpack_require__.bind(__webpack_require__, 54));
    let serving;
    try {
        serving = await startServer(served);
    }
    catch (error) {
        (0,platform/* platform */.i)().error(`cannot listen on ${at}:${served.port}: ${(0,errors/* describe */.q0)(error).message}`);
        return exit_status/* EXIT */.dc.failed;
    }
    const names = namesOf(served);
    const of = names.length === 0 ? '' : `, for ${names.join(', ')}`;
    (0,platform/* platform */.i)().info(`listening on http://${at}:${serving.port}${of}`);
    if (!served.isLoopback) {
        (0,platform/* platform */.i)().warning(`other machines can reach ${at}, and the traffic is not encrypted: put a proxy with TLS in front (docs/api.md)`);
    }
    await cancelled();
    const { code, message } = (0,errors/* describe */.q0)(cancel/* cancel */.Z.signal.reason);
    const isAsked = code === 'E_CANCELLED';
    if (!isAsked)
        (0,platform/* platform */.i)().error(`${code}: ${message}`);
    (0,platform/* platform */.i)().info('stopping: no new calls are accepted; waiting for running commands');
    await serving.stop(graceMs);
    return isAsked ? exit_status/* EXIT */.dc.done : exit_status/* EXIT */.dc.failed;
}
/** By a signal, or by an error of ours. */
const cancelled = () => new Promise((resolve) => {
    if (cancel/* cancel */.Z.signal.aborted)
        resolve();
    else
        cancel/* cancel */.Z.signal.addEventListener('abort', () => resolve(), { once: true });
});

;// CONCATENATED MODULE: ./src/command-line/command-line.ts



















/** `db-backup`: one command, for each of the databases that are asked for. Sets the exit status, and never throws. */
async function commandLine(argv) {
    let lost = null;
    process.stdout.on('error', (error) => {
        if (error.code !== 'EPIPE')
            lost = error; // `db-backup list | head` has seen enough
    });
    process.stderr.on('error', () => { });
    let status;
    try {
        const help = argv.some((word) => ['--help', '-h', 'help', 'completion'].includes(word))
            ? await readInputHelp()
            : new Map();
        status = await parse(argv, help, command_line_carryOut, OTHERS);
    }
    catch (error) {
        status = told((0,errors/* describe */.q0)(error));
    }
    await new Promise((resolve) => process.stdout.write('', () => resolve()));
    if (lost !== null) {
        const { message } = lost;
        status = (0,exit_status/* worstOf */.hm)(status, told(new errors/* BackupError */.hj('E_PERM', `the result could not be written to stdout: ${message}`)));
    }
    process.exitCode = status;
}
/** Of what no run has told. */
function told({ code, message, hint }) {
    (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)());
    (0,platform/* platform */.i)().error((0,neutralise/* neutralise */.$0)([code, ': ', message, hint === '' ? '' : `. ${hint}`].join('')));
    return exit_status/* EXIT */.dc.failed;
}
/** Commands that are no runs of their own. */
const OTHERS = [scheduleCommand, serve, addCompletion];
async function command_line_carryOut(given) {
    const known = { ...process.env };
    const unknown = (0,command_line_environment/* unknownIn */.e3)(process.env);
    const variables = (0,command_line_environment/* fromEnvironment */.AU)(process.env);
    const config = await (0,command_line_config/* readConfig */.X)(given.config ?? (known.DB_BACKUP_CONFIG || null), known);
    for (const name of config?.variables ?? [])
        delete process.env[name]; // not for those that are started later
    const secrets = new platform_secrets/* Secrets */.S();
    const byHand = mayBeByHand(given, variables, config) ? await __webpack_require__.e(/* import() */ 898).then(__webpack_require__.bind(__webpack_require__, 5898)) : null;
    const asked = byHand === null ? given : await byHand.withOneDatabase(given, config, secrets);
    if (asked === null)
        return exit_status/* EXIT */.dc.cancelled;
    const chosen = choose(asked, config, variables);
    const draw = process.stderr.isTTY && !asked.quiet && !asked.json ? await liveLine() : undefined;
    const notes = config === null || given.config !== null ? [] : [`configuration: ${config.path}`];
    const runs = { variables, wrong: [...unknown, ...chosen.wrong], secrets, draw, notes, warnings: (0,command_line_environment/* unusedOf */.yd)(known) };
    const targets = runs.wrong.length > 0
        ? chosen.targets.map((one) => (one.all ? (0,all_databases/* asking */.os)(one) : one))
        : await expanded(asked, chosen.targets, config, (target) => databasesOf(asked, target, runs), (message) => runs.warnings.push(message));
    const [only] = targets;
    if (byHand !== null && only !== undefined && !merged(asked, variables, only).has('backup')) {
        return byHand.restore(asked, secrets, (one) => run(one, only, runs));
    }
    let status = exit_status/* EXIT */.dc.done;
    for (const target of targets) {
        if (cancel/* cancel */.Z.signal.aborted)
            return exit_status/* EXIT */.dc.cancelled;
        const report = await run(asked, target, runs, targets.length > 1 ? `${asked.command}: ${target.name}` : null);
        if (asked.json)
            process.stdout.write(`${hiddenIn((0,report_json/* encode */.lF)(report))}\n`);
        status = (0,exit_status/* worstOf */.hm)(status, (0,exit_status/* exitStatusOf */.et)(report));
    }
    return status;
}
/** In its texts, so that it stays JSON even where a secret is a digit. */
const hiddenIn = (json) => JSON.stringify(JSON.parse(json), (_, value) => (typeof value === 'string' ? (0,platform/* platform */.i)().hidden(value) : value));
/** A restore of which nobody has said which backup, by a person who can be asked. */
function mayBeByHand({ command, json, inputs }, variables, config) {
    const isGiven = inputs.has('backup') || variables.has('backup');
    return command === 'restore' && !json && !isGiven && (config?.wrong.length ?? 0) === 0 && isTerminal();
}
const isTerminal = () => process.stdin.isTTY === true && process.stderr.isTTY === true;


/***/ }),

/***/ 9854:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   X: () => (/* binding */ readConfig)
/* harmony export */ });
/* harmony import */ var node_child_process__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1421);
/* harmony import */ var node_child_process__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_child_process__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_1__);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(8161);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_2___default = /*#__PURE__*/__webpack_require__.n(node_os__WEBPACK_IMPORTED_MODULE_2__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_3___default = /*#__PURE__*/__webpack_require__.n(node_path__WEBPACK_IMPORTED_MODULE_3__);
/* harmony import */ var _reporting_format_js__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(1267);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_8__ = __webpack_require__(4302);
/* harmony import */ var _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(4587);
/* harmony import */ var _settings_value_rules_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(7722);
/* harmony import */ var _given_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(5935);









/** Where it is looked for when nobody says where it is. */
const OF_MACHINE = '/etc/db-backup/db-backup.yml';
const PLACES = ['db-backup.yml', OF_MACHINE];
const SECRET_MS = 30_000;
/**
 * Reads the configuration; `given`: its path, where one is asked for. null: there is none. What is wrong with it is in `wrong`, all at once,
 * each with its line. A secret is not in it: it says where it is, and only secrets of the database that is asked for are fetched.
 */
async function readConfig(given, env) {
    const path = given ?? PLACES.find(isThere);
    if (path === undefined)
        return null;
    const failed = (wrong) => ({ path, targets: [], wrong: [wrong], variables: [], atHome: [] });
    let full;
    let text;
    try {
        full = (0,node_fs__WEBPACK_IMPORTED_MODULE_1__.realpathSync)(path); // what stands in it is from its own folder, whatever it is called besides
        const { file, close } = (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .openFile */ .Tq)(full);
        try {
            const stranger = writableByOthers(file);
            if (stranger !== null)
                return failed(`${full}: ${stranger}: whoever can change it decides what runs, and where`);
            text = (0,node_fs__WEBPACK_IMPORTED_MODULE_1__.readFileSync)(file, 'utf8');
        }
        finally {
            close();
        }
    }
    catch (error) {
        return failed(`${path}: it cannot be read: ${error.code ?? error.message}`);
    }
    const yaml = await __webpack_require__.e(/* import() */ 815).then(__webpack_require__.t.bind(__webpack_require__, 8815, 19));
    const lines = new yaml.LineCounter();
    const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const wrong = [];
    const at = (offset) => `${full}:${offset === undefined ? 1 : lines.linePos(offset).line}`;
    for (const { message, pos } of document.errors)
        wrong.push(`${at(pos[0])}: ${message}`);
    if (wrong.length > 0)
        return { path: full, targets: [], wrong, variables: [], atHome: [] };
    const atHome = new Set();
    const reader = new Reader(yaml, document, { at, folder: (0,node_path__WEBPACK_IMPORTED_MODULE_3__.dirname)(full), env, wrong, atHome });
    const targets = reader.targets();
    const variables = targets.flatMap(({ elsewhere }) => elsewhere.filter(({ by }) => by === 'env').map(({ where }) => where));
    return { path: full, targets, wrong, variables, atHome: [...atHome] };
}
/** What can not be looked at is taken, and fails; but that of the machine may be kept from others, for whom it is not meant. */
function isThere(path) {
    try {
        return (0,node_fs__WEBPACK_IMPORTED_MODULE_1__.statSync)(path, { throwIfNoEntry: false }) !== undefined;
    }
    catch (error) {
        return path !== OF_MACHINE || error.code !== 'EACCES';
    }
}
/** In words, when somebody else than this user and root can write it; null: nobody can. */
function writableByOthers(file) {
    const { uid, mode } = (0,node_fs__WEBPACK_IMPORTED_MODULE_1__.fstatSync)(file);
    const me = process.getuid?.();
    if (me === undefined)
        return null; // Windows has other rights
    if (uid !== me && uid !== 0)
        return 'it belongs to another user';
    return (mode & 0o022) === 0 ? null : 'others can write it (chmod go-w)';
}
/** `keep: 5` is a text here, `umask: 027` as well: what an input is, its own parser knows. */
class Reader {
    yaml;
    document;
    around;
    constructor(yaml, document, around) {
        this.yaml = yaml;
        this.document = document;
        this.around = around;
    }
    targets() {
        const root = this.mapOf(this.document.contents, 'expected `databases:` with a name and the inputs of each');
        if (root === null)
            return [];
        const defaults = nothing();
        const targets = [];
        for (const [key, value] of this.entries(root)) {
            if (key.text === 'defaults')
                this.inputs(value, defaults);
            else if (key.text !== 'databases')
                this.fault(key.node, `unknown key ${JSON.stringify(key.text)}: expected databases or defaults`);
        }
        for (const [key, value] of this.entries(root)) {
            if (key.text !== 'databases')
                continue;
            const databases = this.mapOf(value, 'expected a name and the inputs of each database');
            for (const [name, inputs] of databases === null ? [] : this.entries(databases)) {
                const own = nothing();
                try {
                    (0,_settings_value_rules_js__WEBPACK_IMPORTED_MODULE_5__/* .parseName */ .$q)(name.text);
                }
                catch (error) {
                    this.fault(name.node, `the name ${JSON.stringify(name.text)}: ${error.message}`);
                }
                const all = this.inputs(inputs, own, true);
                if (all && own.inputs.has('name'))
                    this.fault(name.node, 'name: with `all: true`, each database gets its own name');
                const kept = defaults.elsewhere.filter(({ input }) => !own.inputs.has(input));
                targets.push({
                    name: name.text,
                    inputs: new Map([['name', (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .literally */ .Dk)(name.text)], ...defaults.inputs, ...own.inputs]),
                    elsewhere: [...kept, ...own.elsewhere],
                    ...(all ? { all } : {}),
                });
            }
        }
        if (targets.length === 0 && this.around.wrong.length === 0)
            this.fault(root, 'there are no databases under `databases:`');
        return targets;
    }
    /** `isTarget`: `all` may stand there; returns whether it is true. */
    inputs(node, into, isTarget = false) {
        const map = this.mapOf(node, 'expected inputs, such as `database: /srv/app/app.db`');
        let all = false;
        for (const [key, value] of map === null ? [] : this.entries(map)) {
            if (isTarget && key.text === 'all') {
                all = this.isTrue(value);
                continue;
            }
            const name = _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_4__/* .INPUT_NAMES */ .Qh.find((one) => one === key.text);
            if (name === undefined || name === 'command') {
                this.fault(key.node, `unknown input ${JSON.stringify(key.text)}`);
                continue;
            }
            const given = this.given(name, value, into.elsewhere);
            if (given !== null)
                into.inputs.set(name, given);
        }
        return all;
    }
    isTrue(node) {
        const value = node !== null && this.yaml.isScalar(node) ? node.value : undefined;
        if (typeof value !== 'boolean')
            this.fault(node, 'all: expected true or false');
        return value === true;
    }
    given(name, node, elsewhere) {
        const { isMap, isScalar, isSeq } = this.yaml;
        if (node === null || (isScalar(node) && node.value === null))
            return null;
        if (isMap(node))
            return this.fetched(name, node, elsewhere);
        if (_settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_4__/* .declared */ .bu[name].secret) {
            this.fault(node, `${name}: the configuration must not contain a secret: write where to find it, ${name}: { file: /etc/db-backup/${name} }, or { env: VARIABLE }, { credential: NAME }, { command: LINE }`);
            return null;
        }
        if (isSeq(node)) {
            const items = node.items.map((item) => (isScalar(item) ? scalarText(item) : null));
            if (_settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_4__/* .declared */ .bu[name].lines && items.every((item) => item !== null))
                return (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .literally */ .Dk)(items.join('\n'));
            this.fault(node, _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_4__/* .declared */ .bu[name].lines ? `${name}: expected a list of texts` : `${name}: expected one text, not a list`);
            return null;
        }
        if (isScalar(node))
            return (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .literally */ .Dk)(scalarText(node));
        this.fault(node, `${name}: expected a text`);
        return null;
    }
    /** What is not in the file: `{ env: DATABASE_URL }`. Read when it is needed, which it may not be. */
    fetched(name, node, elsewhere) {
        const [[key, value] = [], ...more] = this.entries(node);
        const where = value !== undefined && value !== null && this.yaml.isScalar(value) ? scalarText(value) : '';
        const by = SOURCES.find((one) => one === key?.text);
        if (by === undefined || more.length > 0 || where === '') {
            this.fault(node, `${name}: expected one of ${SOURCES.map((one) => `{ ${one}: ... }`).join(', ')}`);
            return null;
        }
        const { folder, env, atHome } = this.around;
        if (by === 'file' && where.startsWith('~/'))
            atHome.add(where);
        const file = (0,node_path__WEBPACK_IMPORTED_MODULE_3__.resolve)(folder, where.replace(/^~(?=\/)/, (0,node_os__WEBPACK_IMPORTED_MODULE_2__.homedir)()));
        elsewhere.push({ input: name, by, where: by === 'file' ? file : where });
        switch (by) {
            case 'env':
                return lazily(() => (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .orEmpty */ .vh)(env[where] ?? '', `the variable ${where}`));
            case 'file':
                return lazily((0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .inFile */ .s5)(file));
            case 'credential':
                return lazily(() => inCredentials(where, env));
            default:
                return lazily(() => saidBy(where));
        }
    }
    mapOf(node, rule) {
        if (node !== null && node !== undefined && this.yaml.isMap(node))
            return node;
        this.fault(node ?? null, rule);
        return null;
    }
    entries(map) {
        return map.items.map((pair) => {
            const node = pair.key;
            const value = pair.value;
            return [
                { text: this.yaml.isScalar(node) ? scalarText(node) : '', node },
                value !== null && this.yaml.isAlias(value) ? (value.resolve(this.document) ?? null) : value,
            ];
        });
    }
    fault(node, rule) {
        this.around.wrong.push(`${this.around.at(node?.range?.[0])}: ${rule}`);
    }
}
const SOURCES = ['env', 'file', 'credential', 'command'];
const nothing = () => ({ inputs: new Map(), elsewhere: [] });
/** As it stands there, since `027` would be the number 27. */
function scalarText(node) {
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}
/** Of those that systemd hands to a service (`LoadCredential=`). */
function inCredentials(name, env) {
    const folder = env.CREDENTIALS_DIRECTORY;
    if (!folder)
        throw new Error(`there are no systemd credentials here, so there is no ${name}`);
    if (!/^[A-Za-z0-9._-]+$/.test(name) || name.startsWith('.'))
        throw new Error('expected the name of a credential');
    return (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .inFile */ .s5)((0,node_path__WEBPACK_IMPORTED_MODULE_3__.join)(folder, name))();
}
/** What a line of the shell prints, such as `pass show backup/key`. What it says besides is shown when it fails alone: it may be about the secret. */
function saidBy(line) {
    const { status, signal, error, stdout, stderr } = (0,node_child_process__WEBPACK_IMPORTED_MODULE_0__.spawnSync)('/bin/sh', ['-c', line], {
        ...{ encoding: 'utf8', timeout: SECRET_MS, maxBuffer: _given_js__WEBPACK_IMPORTED_MODULE_6__/* .MOST_BYTES */ .uZ, stdio: ['ignore', 'pipe', 'pipe'] },
    });
    if (error !== undefined || status !== 0) {
        const [said = ''] = (stderr ?? '').trim().split('\n').slice(-1);
        const how = error?.code ?? (signal === null ? `exit ${status}` : signal);
        throw new Error(`the command for it failed: ${how}${said === '' ? '' : `, and said: ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_7__/* .clip */ .$Q)((0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_8__/* .neutralise */ .$0)(said), 200)}`}`);
    }
    return (0,_given_js__WEBPACK_IMPORTED_MODULE_6__/* .orEmpty */ .vh)(stdout, 'what the command prints');
}
/** Asked once, however often it is read. */
function lazily(read) {
    let known = null;
    return () => {
        if (known === null) {
            try {
                known = { text: read() };
            }
            catch (error) {
                known = { error };
            }
        }
        if ('error' in known)
            throw known.error;
        return known.text;
    };
}


/***/ }),

/***/ 3027:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   AU: () => (/* binding */ fromEnvironment),
/* harmony export */   Qn: () => (/* binding */ variableOf),
/* harmony export */   e3: () => (/* binding */ unknownIn),
/* harmony export */   ny: () => (/* binding */ givenBy),
/* harmony export */   yd: () => (/* binding */ unusedOf)
/* harmony export */ });
/* harmony import */ var _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4587);
/* harmony import */ var _given_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(5935);


/** The variable of an input, for example DB_BACKUP_KNOWN_HOSTS. */
const variableOf = (name) => VARIABLES[name] ?? `DB_BACKUP_${name.toUpperCase().replaceAll('-', '_')}`;
/** DB_BACKUP_PASSPHRASE has always been that of the backups. */
const VARIABLES = { passphrase: 'DB_BACKUP_KEY_PASSPHRASE' };
/** How an input is given on the command line, where it is missing: the end of a sentence. A secret is no option. */
function givenBy(name) {
    const variable = variableOf(name);
    return _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .declared */ .bu[name].secret
        ? `set ${variable}, or ${variable}_FILE to a file that holds it`
        : `give it as \`--${name}\`, or set ${variable}`;
}
/** As the scripts call them that this replaces; of several that are set the first counts. */
const OLD = [
    ['DATABASE_URL', ['database']],
    ['BACKUP_DIR', ['directory']],
    ['BACKUP_S3_BUCKET', ['s3-bucket']],
    ['AWS_S3_BUCKET', ['s3-bucket']],
    ['AWS_REGION', ['s3-region']],
    ['SLACK_WEBHOOK_URL', ['notify-urls']],
    ['DB_BACKUP_PASSPHRASE', ['encryption-passphrase', 'decryption-passphrase']],
];
const OLD_KEEP = {
    BACKUP_RETENTION_DAYS: 'within',
    BACKUP_RETENTION_DAILY: 'daily',
    BACKUP_RETENTION_WEEKLY: 'weekly',
    BACKUP_RETENTION_WEEKS: 'weekly',
    BACKUP_RETENTION_MONTHLY: 'monthly',
    BACKUP_RETENTION_MONTHS: 'monthly',
};
/** What is wrong with the names of variables, a whole message each: what is mistyped would silently not be done. */
function unknownIn(env) {
    const known = new Set(_settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .INPUT_NAMES */ .Qh.map(variableOf).flatMap((name) => [name, `${name}_FILE`]));
    return Object.keys(env)
        .filter((name) => name.startsWith('DB_BACKUP_') && !known.has(name) && !BESIDES.includes(name))
        .map((name) => `${name}: there is no such variable: correct its name, or remove it`);
}
const BESIDES = [
    'DB_BACKUP_CONFIG',
    'DB_BACKUP_PASSPHRASE',
    'DB_BACKUP_TOKEN',
    'DB_BACKUP_TOKEN_FILE',
];
/** What is set and can not be used by itself, as a warning for each. */
function unusedOf(env) {
    if (!env.NOTIFICATION_EMAIL || env[variableOf('notify-urls')])
        return [];
    return [
        `NOTIFICATION_EMAIL has no effect on its own, because mail needs a server: set ${variableOf('notify-urls')} to smtps://USER:PASSWORD@SERVER/?from=ADDRESS&to=ADDRESS`,
    ];
}
/**
 * The inputs that variables give: DB_BACKUP_KEY, or the file that DB_BACKUP_KEY_FILE names, for each input; then the variables of
 * older scripts. What is empty is not given. Takes what may hold a secret out of `env`, for those that are started later.
 */
function fromEnvironment(env) {
    const given = new Map();
    const take = (variable, isSecret) => {
        const text = env[variable]?.trim() ?? '';
        if (isSecret)
            delete env[variable];
        return text;
    };
    for (const name of _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .INPUT_NAMES */ .Qh) {
        const variable = variableOf(name);
        const text = take(variable, _settings_declared_inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .declared */ .bu[name].secret === true || name === 'database' || name === 'restore-to');
        const file = take(`${variable}_FILE`, false);
        if (text !== '' && file !== '')
            given.set(name, (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .wrongly */ .b9)(`${variable} and ${variable}_FILE are both set`));
        else if (file !== '')
            given.set(name, (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .inFile */ .s5)(file));
        else if (text !== '')
            given.set(name, (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .literally */ .Dk)(text));
    }
    for (const [variable, inputs] of OLD) {
        const text = take(variable, true);
        // what a machine of that cloud has set for all is no wish for a copy there
        if (text === '' || (variable === 'AWS_REGION' && !given.has('s3-bucket')))
            continue;
        for (const name of inputs)
            if (!given.has(name))
                given.set(name, (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .literally */ .Dk)(text));
        if (variable === 'DB_BACKUP_PASSPHRASE' && !given.has('encrypt'))
            given.set('encrypt', (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .literally */ .Dk)('gpg'));
    }
    const keep = oldKeep(env);
    if (keep !== null && !given.has('keep'))
        given.set('keep', keep);
    return given;
}
function oldKeep(env) {
    const rules = {};
    for (const [variable, rule] of Object.entries(OLD_KEEP)) {
        const text = env[variable]?.trim() ?? '';
        if (text === '' || rule in rules)
            continue;
        if (!/^[1-9]\d{0,4}$/.test(text))
            return (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .wrongly */ .b9)(`expected a number of 1 or more in ${variable}`);
        rules[rule] = rule === 'within' ? `${text}d` : text;
    }
    const text = Object.entries(rules)
        .map(([rule, value]) => `${rule}=${value}`)
        .join(' ');
    return text === '' ? null : (0,_given_js__WEBPACK_IMPORTED_MODULE_1__/* .literally */ .Dk)(text);
}


/***/ }),

/***/ 4259:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   dc: () => (/* binding */ EXIT),
/* harmony export */   et: () => (/* binding */ exitStatusOf),
/* harmony export */   hm: () => (/* binding */ worstOf)
/* harmony export */ });
/** The exit statuses of `db-backup`, which scripts go by; any other is a failure. */
const EXIT = { done: 0, failed: 1, input: 2, suspect: 3, cancelled: 130 };
const OF = {
    E_INPUT: EXIT.input,
    E_CONFIRM: EXIT.input,
    E_SHRUNK: EXIT.suspect,
    E_STALE: EXIT.suspect,
    E_UNHEALTHY: EXIT.suspect,
    E_CANCELLED: EXIT.cancelled,
};
function exitStatusOf({ ok, errorCode }) {
    if (errorCode === '')
        return ok ? EXIT.done : EXIT.failed;
    return OF[errorCode] ?? EXIT.failed;
}
const WORST = [EXIT.done, EXIT.suspect, EXIT.input, EXIT.failed, EXIT.cancelled];
/** Of several databases: what is worst of what came of them. */
const worstOf = (one, other) => WORST.indexOf(one) > WORST.indexOf(other) ? one : other;


/***/ }),

/***/ 5935:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   Dk: () => (/* binding */ literally),
/* harmony export */   Tq: () => (/* binding */ openFile),
/* harmony export */   b9: () => (/* binding */ wrongly),
/* harmony export */   s5: () => (/* binding */ inFile),
/* harmony export */   uZ: () => (/* binding */ MOST_BYTES),
/* harmony export */   vh: () => (/* binding */ orEmpty)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);

/** More than any key, list of hosts or token has. */
const MOST_BYTES = 1_048_576;
/**
 * Opens a file to be read, and nothing that would be waited for, as a named pipe, or has no end. Throws an Error with a code, or whose text
 * is the rule.
 */
function openFile(path) {
    const file = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.openSync)(path, node_fs__WEBPACK_IMPORTED_MODULE_0__.constants.O_RDONLY | node_fs__WEBPACK_IMPORTED_MODULE_0__.constants.O_NONBLOCK);
    const stats = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.fstatSync)(file);
    if (stats.isFile() && stats.size <= MOST_BYTES)
        return { file, close: () => (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.closeSync)(file) };
    (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.closeSync)(file);
    throw new Error(stats.isFile() ? `it has more than ${MOST_BYTES} bytes` : 'it is not a file');
}
/** What a file holds. */
const inFile = (path) => () => {
    let text;
    try {
        const { file, close } = openFile(path);
        text = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.readFileSync)(file, 'utf8');
        close();
    }
    catch (error) {
        throw new Error(`${path} cannot be read: ${error.code ?? error.message}`);
    }
    return orEmpty(text, path);
};
/** The text without blanks around it; what was named and is empty is a mistake. */
function orEmpty(text, where) {
    if (text.trim() === '')
        throw new Error(`${where} is empty`);
    return text.trim();
}
const literally = (text) => () => text;
const wrongly = (rule) => () => {
    throw new Error(rule);
};


/***/ })

};
