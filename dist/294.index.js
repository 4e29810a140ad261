export const id = 294;
export const ids = [294];
export const modules = {

/***/ 2294:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  commandLine: () => (/* binding */ commandLine)
});

// UNUSED EXPORTS: OTHERS

// EXTERNAL MODULE: ./src/cancel.ts
var cancel = __webpack_require__(833);
// EXTERNAL MODULE: ./src/main.ts + 87 modules
var main = __webpack_require__(6408);
// EXTERNAL MODULE: ./src/platform/platform.ts + 1 modules
var platform = __webpack_require__(7460);
// EXTERNAL MODULE: ./src/platform/secrets.ts
var platform_secrets = __webpack_require__(9002);
// EXTERNAL MODULE: ./src/platform/terminal.ts
var terminal = __webpack_require__(9747);
// EXTERNAL MODULE: ./src/post.ts
var post = __webpack_require__(6661);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
// EXTERNAL MODULE: ./src/reporting/report-json.ts
var report_json = __webpack_require__(789);
// EXTERNAL MODULE: ./src/settings/declared-inputs.ts + 1 modules
var declared_inputs = __webpack_require__(2519);
// EXTERNAL MODULE: ./node_modules/commander/index.js + 6 modules
var commander = __webpack_require__(7375);
;// CONCATENATED MODULE: ./package.json
const package_namespaceObject = {"rE":"1.0.0"};
// EXTERNAL MODULE: ./src/settings/settings.ts
var settings = __webpack_require__(7100);
// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
;// CONCATENATED MODULE: ./src/command-line/given.ts

/** More than any key, list of hosts or token has. */
const MOST_BYTES = 1_048_576;
/** What a file holds. */
const inFile = (file) => () => {
    let bytes;
    try {
        bytes = (0,external_node_fs_.readFileSync)(file);
    }
    catch (error) {
        throw new Error(`${file} can not be read: ${error.code ?? 'unknown error'}`);
    }
    if (bytes.length > MOST_BYTES)
        throw new Error(`${file} has more than ${MOST_BYTES} bytes`);
    return orEmpty(bytes.toString('utf8'), file);
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

;// CONCATENATED MODULE: ./src/command-line/environment.ts


/** The variable of an input, for example DB_BACKUP_KNOWN_HOSTS. */
const variableOf = (name) => VARIABLES[name] ?? `DB_BACKUP_${name.toUpperCase().replaceAll('-', '_')}`;
/** DB_BACKUP_PASSPHRASE has always been that of the backups. */
const VARIABLES = { passphrase: 'DB_BACKUP_KEY_PASSPHRASE' };
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
/** What is set and can not be used by itself, as a warning for each. */
function unusedOf(env) {
    if (!env.NOTIFICATION_EMAIL || env[variableOf('notify-urls')])
        return [];
    return [
        `NOTIFICATION_EMAIL has no effect by itself, since mail needs a server: set ${variableOf('notify-urls')} to smtps://USER:PASSWORD@SERVER/?from=ADDRESS&to=ADDRESS`,
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
    for (const name of declared_inputs/* INPUT_NAMES */.Qh) {
        const variable = variableOf(name);
        const text = take(variable, declared_inputs/* declared */.bu[name].secret === true || name === 'database' || name === 'restore-to');
        const file = take(`${variable}_FILE`, false);
        if (text !== '' && file !== '')
            given.set(name, wrongly(`${variable} and ${variable}_FILE are both set`));
        else if (file !== '')
            given.set(name, inFile(file));
        else if (text !== '')
            given.set(name, literally(text));
    }
    for (const [variable, inputs] of OLD) {
        const text = take(variable, true);
        if (text === '')
            continue;
        for (const name of inputs)
            if (!given.has(name))
                given.set(name, literally(text));
        if (variable === 'DB_BACKUP_PASSPHRASE' && !given.has('encrypt'))
            given.set('encrypt', literally('gpg'));
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
            return wrongly(`expected a number from 1 in ${variable}`);
        rules[rule] = rule === 'within' ? `${text}d` : text;
    }
    const text = Object.entries(rules)
        .map(([rule, value]) => `${rule}=${value}`)
        .join(' ');
    return text === '' ? null : literally(text);
}

;// CONCATENATED MODULE: ./src/command-line/exit-status.ts
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

;// CONCATENATED MODULE: ./src/command-line/arguments.ts







/** What each command does, in a line, and what may stand behind it. */
const ABOUT = {
    backup: ['take a verified backup, then rotate'],
    restore: ['put a backup back, with a safety backup first and a way back', [['[backup]', 'backup']]],
    verify: ['prove an existing backup, up to restoring it into a throw-away database', [['[backup]', 'backup']]],
    list: ['show the backups'],
    health: ['say what is wrong with the backups and the database, changing nothing'],
    doctor: ['look whether all is there that backups need, with the fix for each'],
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
};
/** Inputs that are no options: what stands first on the line, and what only a job of GitHub has. */
const NOT_OPTIONS = ['command', 'summary', 'ledger'];
/** The program as commander knows it. `asked` gets what was asked for, and gives the exit status. `help`: of each input; empty: none was asked for. */
function program(help, asked, others, done) {
    const root = new commander/* Command */.uB('db-backup')
        .description('Back up a live database, prove the backup, rotate, and restore safely')
        .version(package_namespaceObject.rE)
        .exitOverride()
        .showHelpAfterError('(db-backup --help, or db-backup COMMAND --help)');
    for (const name of settings/* COMMANDS */.L) {
        const [about, behind = []] = ABOUT[name];
        const command = root.command(name).description(about).exitOverride();
        for (const [argument] of behind)
            command.argument(argument);
        for (const input of declared_inputs/* INPUT_NAMES */.Qh) {
            if (NOT_OPTIONS.includes(input) || !declared_inputs/* declared */.bu[input].usedBy.includes(name))
                continue;
            if (behind.some(([, taken]) => taken === input))
                continue;
            for (const option of optionsOf(input, help))
                command.addOption(option);
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
                    inputs.set(input, literally(word));
            }
            const status = await asked({
                command: name,
                inputs,
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
        .option('--target <name>', 'of the databases in the configuration this one alone; may be given several times', collect)
        .option('--json', 'print the report as JSON, a line for each database')
        .option('--quiet', 'print warnings and errors alone')
        .option('--scheduled', 'a schedule starts this, and nobody waits for it: the backup says so');
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
function inputsOf(options) {
    const inputs = new Map();
    for (const input of declared_inputs/* INPUT_NAMES */.Qh) {
        const value = options[input.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())];
        if (value === undefined)
            continue;
        if (declared_inputs/* declared */.bu[input].secret) {
            inputs.set(input, wrongly(`a secret is no option, since every user of the machine can see the arguments: set ${variableOf(input)}, or ${variableOf(input)}_FILE to a file that holds it, or say in the configuration where it is`));
        }
        else if (value === true)
            inputs.set(input, literally('true'));
        else {
            const values = value;
            inputs.set(input, values.length > 1 && !declared_inputs/* declared */.bu[input].lines
                ? wrongly('it is given more than once')
                : literally(values.join('\n')));
        }
    }
    return inputs;
}
function secretsHelp(command) {
    const secrets = declared_inputs/* INPUT_NAMES */.Qh.filter((name) => declared_inputs/* declared */.bu[name].secret && declared_inputs/* declared */.bu[name].usedBy.includes(command));
    return `\nSecrets are no options. They come from these variables, from the file that the same with _FILE names, or from the configuration:\n${secrets.map((name) => `  ${variableOf(name)}\n`).join('')}`;
}
/** What goes for every command. */
const NOTES = [
    'Every input can also be a variable, such as DB_BACKUP_DATABASE, or stand in the configuration, db-backup.yml. An option counts before a variable, a variable before the configuration. Secrets are no options: they come from variables, from the file that DB_BACKUP_KEY_FILE or the like names, or from where the configuration says that they are.',
    'The log goes to stderr; what a command was asked for, such as a list or the report with --json, goes to stdout.',
    'Exit status: 0 done, 1 failed, 2 wrong input, 3 suspect or unhealthy, 130 cancelled. Of several databases the worst counts.',
];
/** Parses the arguments and does what they ask for. The exit status. */
async function parse(argv, help, asked, others = []) {
    let status = EXIT.done;
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
        return error.exitCode === 0 ? EXIT.done : EXIT.input;
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

// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
// EXTERNAL MODULE: ./src/settings/value-rules.ts
var value_rules = __webpack_require__(7722);
;// CONCATENATED MODULE: ./src/command-line/config.ts







/** Where it is looked for when nobody says where it is. */
const PLACES = ['db-backup.yml', '/etc/db-backup/db-backup.yml'];
const SECRET_MS = 30_000;
/**
 * Reads the configuration; `given`: its path, where one is asked for. null: there is none. What is wrong with it is in `wrong`, all at once,
 * each with its line. A secret is not in it: it says where it is, and only secrets of the database that is asked for are fetched.
 */
async function readConfig(given, env) {
    const path = given ?? PLACES.find((place) => (0,external_node_fs_.statSync)(place, { throwIfNoEntry: false }) !== undefined);
    if (path === undefined)
        return null;
    const full = (0,external_node_path_.resolve)(path);
    const failed = (wrong) => ({ path: full, targets: [], wrong: [wrong] });
    let text;
    let file = null;
    try {
        file = (0,external_node_fs_.openSync)(full, 'r');
        const stranger = writableByOthers(file);
        if (stranger !== null)
            return failed(`${full}: ${stranger}: whoever can change it decides what is run, and where`);
        text = (0,external_node_fs_.readFileSync)(file, 'utf8');
    }
    catch (error) {
        return failed(`${full}: it can not be read: ${error.code ?? 'unknown error'}`);
    }
    finally {
        if (file !== null)
            (0,external_node_fs_.closeSync)(file);
    }
    const yaml = await __webpack_require__.e(/* import() */ 815).then(__webpack_require__.t.bind(__webpack_require__, 8815, 19));
    const lines = new yaml.LineCounter();
    const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const wrong = [];
    const at = (offset) => `${full}:${offset === undefined ? 1 : lines.linePos(offset).line}`;
    for (const { message, pos } of document.errors)
        wrong.push(`${at(pos[0])}: ${message}`);
    if (wrong.length > 0)
        return { path: full, targets: [], wrong };
    const reader = new Reader(yaml, document, { at, folder: (0,external_node_path_.dirname)(full), env, wrong });
    return { path: full, targets: reader.targets(), wrong };
}
/** In words, when somebody else than this user and root can write it; null: nobody can. */
function writableByOthers(file) {
    const { uid, mode } = (0,external_node_fs_.fstatSync)(file);
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
        const defaults = new Map();
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
                const own = new Map();
                try {
                    (0,value_rules/* parseName */.$q)(name.text);
                }
                catch (error) {
                    this.fault(name.node, `the name ${JSON.stringify(name.text)}: ${error.message}`);
                }
                this.inputs(inputs, own);
                targets.push({ name: name.text, inputs: new Map([['name', literally(name.text)], ...defaults, ...own]) });
            }
        }
        if (targets.length === 0 && this.around.wrong.length === 0)
            this.fault(root, 'there is no database under `databases:`');
        return targets;
    }
    inputs(node, into) {
        const map = this.mapOf(node, 'expected inputs, such as `database: /srv/app/app.db`');
        for (const [key, value] of map === null ? [] : this.entries(map)) {
            const name = declared_inputs/* INPUT_NAMES */.Qh.find((one) => one === key.text);
            if (name === undefined || name === 'command') {
                this.fault(key.node, `unknown input ${JSON.stringify(key.text)}`);
                continue;
            }
            const given = this.given(name, value);
            if (given !== null)
                into.set(name, given);
        }
    }
    given(name, node) {
        const { isMap, isScalar, isSeq } = this.yaml;
        if (node === null || (isScalar(node) && node.value === null))
            return null;
        if (isMap(node))
            return this.fetched(name, node);
        if (declared_inputs/* declared */.bu[name].secret) {
            this.fault(node, `${name}: a secret does not stand in the configuration: write where it is, ${name}: { file: /etc/db-backup/${name} }, or { env: VARIABLE }, { credential: NAME }, { command: LINE }`);
            return null;
        }
        if (isSeq(node)) {
            const items = node.items.map((item) => (isScalar(item) ? scalarText(item) : null));
            if (declared_inputs/* declared */.bu[name].lines && items.every((item) => item !== null))
                return literally(items.join('\n'));
            this.fault(node, declared_inputs/* declared */.bu[name].lines ? `${name}: expected a list of texts` : `${name}: expected one text, not a list`);
            return null;
        }
        if (isScalar(node))
            return literally(scalarText(node));
        this.fault(node, `${name}: expected a text`);
        return null;
    }
    /** What is not in the file: `{ env: DATABASE_URL }`. Read when it is needed, which it may not be. */
    fetched(name, node) {
        const [[key, value] = [], ...more] = this.entries(node);
        const where = value !== undefined && value !== null && this.yaml.isScalar(value) ? scalarText(value) : '';
        if (key === undefined || more.length > 0 || where === '' || !SOURCES.includes(key.text)) {
            this.fault(node, `${name}: expected one of ${SOURCES.map((one) => `{ ${one}: ... }`).join(', ')}`);
            return null;
        }
        const { folder, env } = this.around;
        switch (key.text) {
            case 'env':
                // not for those that are started later
                if (declared_inputs/* declared */.bu[name].secret)
                    delete process.env[where];
                return lazily(() => orEmpty(env[where] ?? '', `the variable ${where}`));
            case 'file':
                return lazily(inFile((0,external_node_path_.resolve)(folder, where.replace(/^~(?=\/)/, (0,external_node_os_.homedir)()))));
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
                { text: this.yaml.isScalar(node) ? String(node.value) : '', node },
                value !== null && this.yaml.isAlias(value) ? (value.resolve(this.document) ?? null) : value,
            ];
        });
    }
    fault(node, rule) {
        this.around.wrong.push(`${this.around.at(node?.range?.[0])}: ${rule}`);
    }
}
const SOURCES = ['env', 'file', 'credential', 'command'];
/** As it stands there, since `027` would be the number 27. */
function scalarText(node) {
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}
/** Of those that systemd hands to a service (`LoadCredential=`). */
function inCredentials(name, env) {
    const folder = env.CREDENTIALS_DIRECTORY;
    if (!folder)
        throw new Error(`there are no credentials of systemd here, of which ${name} would be one`);
    if (!/^[A-Za-z0-9._-]+$/.test(name) || name.startsWith('.'))
        throw new Error('expected the name of a credential');
    return inFile((0,external_node_path_.join)(folder, name))();
}
/** What a line of the shell prints, such as `pass show backup/key`. */
function saidBy(line) {
    try {
        const said = (0,external_node_child_process_.execFileSync)('/bin/sh', ['-c', line], {
            encoding: 'utf8',
            timeout: SECRET_MS,
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        return orEmpty(said, 'what the command prints');
    }
    catch (error) {
        const { status, code } = error;
        if (status === undefined && code === undefined)
            throw error;
        throw new Error(`the command for it failed: ${code ?? `exit ${status}`}`);
    }
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

// EXTERNAL MODULE: ./src/host/quoting.ts
var quoting = __webpack_require__(2437);
;// CONCATENATED MODULE: ./src/command-line/typed.ts

/** The command line for these inputs; `asked` says how the database was named. Values are quoted for a POSIX shell where that is needed. */
function typed(inputs, { config, targets }) {
    const { command = 'backup', backup = '', ...options } = inputs;
    const words = [
        ...['db-backup', command],
        ...(backup === '' ? [] : [word(backup)]),
        ...Object.entries(options).map(([name, value]) => `--${name} ${word(value)}`),
        ...(config === null ? [] : [`--config ${word(config)}`]),
        ...targets.map((target) => `--target ${word(target)}`),
    ];
    return words.join(' ');
}
const word = (text) => (/^[\w./:=@%+,-]+$/.test(text) && !text.startsWith('-') ? text : (0,quoting/* quote */.h)(text));

;// CONCATENATED MODULE: ./src/command-line/command-line.ts

















/** `db-backup`: one command, for each of the databases that are asked for. Sets the exit status, and never throws. */
async function commandLine(argv) {
    process.stdout.on('error', () => { }); // `db-backup list | head`
    process.stderr.on('error', () => { });
    const help = argv.some((word) => ['--help', '-h', 'help', 'completion'].includes(word))
        ? await readInputHelp()
        : new Map();
    process.exitCode = await parse(argv, help, carryOut, OTHERS);
}
/** Commands that are no runs of their own. */
const OTHERS = [addCompletion];
async function carryOut(asked) {
    const known = { ...process.env };
    const variables = fromEnvironment(process.env);
    const config = await readConfig(asked.config ?? (known.DB_BACKUP_CONFIG || null), known);
    const chosen = choose(asked, config, variables);
    const secrets = new platform_secrets/* Secrets */.S();
    const draw = process.stderr.isTTY && !asked.quiet && !asked.json ? await liveLine() : undefined;
    let status = EXIT.done;
    for (const target of chosen.targets) {
        if (cancel/* cancel */.Z.signal.aborted)
            return EXIT.cancelled;
        const inputs = merged(asked, variables, target);
        (0,platform/* usePlatform */.V)((0,terminal/* terminal */.F)({
            ...{ secrets, wrong: chosen.wrong, quiet: asked.quiet, isScheduled: asked.scheduled, silentResult: asked.json },
            ...(draw === undefined ? {} : { draw }),
            typed: (inputs) => typed(inputs, asked),
            about: chosen.targets.length > 1 ? target.name : '',
            input: (name) => inputs
                .get(name)?.()
                .trim() ?? '',
        }));
        if (target === chosen.targets[0])
            for (const warning of unusedOf(known))
                (0,platform/* platform */.i)().warning(warning);
        if (chosen.targets.length > 1)
            (0,platform/* platform */.i)().startGroup(`${asked.command}: ${(0,neutralise/* neutralise */.$)(target.name)}`);
        const { report, isClean } = await (0,main/* main */.iW)(controllerOf(cancel/* cancel */.Z.signal));
        if (!isClean)
            await (0,post/* post */.b)(AbortSignal.timeout(CLEANING_MS));
        if (asked.json)
            process.stdout.write(`${(0,platform/* platform */.i)().hidden((0,report_json/* encode */.lF)(report))}\n`);
        status = worstOf(status, exitStatusOf(report));
    }
    return status;
}
/** How long it is looked after what an ended run left on the host. */
const CLEANING_MS = 60_000;
/** Without a configuration the one database is what options and variables say. */
const ALONE = { name: '', inputs: new Map() };
/** Commands that are about one backup, of one database. */
const ONE = ['restore', 'accept', 'delete', 'pin', 'unpin'];
/** What makes one database of several. */
const OWN = ['database', 'name', 'database-password', 'backup', 'restore-to'];
/** The databases that are meant, and what is wrong with that; one at least, so that all the rest is told as well. */
function choose(asked, config, variables) {
    const wrong = [...(config?.wrong ?? [])];
    if (config === null) {
        if (asked.targets.length > 0)
            wrong.push('--target: there is no configuration, of whose databases it would be one; --config says where it is');
        return { targets: [ALONE], wrong };
    }
    const names = config.targets.map(({ name }) => name).join(', ');
    for (const name of asked.targets) {
        if (config.targets.length > 0 && !config.targets.some((target) => target.name === name)) {
            wrong.push(`--target: there is no ${JSON.stringify(name)} in ${config.path}, which has ${names}`);
        }
    }
    const targets = config.targets.filter(({ name }) => asked.targets.length === 0 || asked.targets.includes(name));
    if (targets.length > 1) {
        if (ONE.includes(asked.command))
            wrong.push(`--target: ${asked.command} is about one database: say which of ${names}`);
        for (const name of OWN) {
            const where = asked.inputs.has(name)
                ? `--${name}`
                : variables.has(name) && name !== 'restore-to'
                    ? 'the environment'
                    : null;
            if (where !== null)
                wrong.push(`${name}: ${where} gives it, and it would be that of each of ${targets.map((one) => one.name).join(', ')}; choose one by --target`);
        }
    }
    if (wrong.length > 0)
        return { targets: [targets[0] ?? ALONE], wrong };
    return { targets, wrong };
}
/** An option counts before a variable, a variable before the configuration. */
function merged(asked, variables, target) {
    const inputs = new Map();
    for (const source of [target.inputs, variables]) {
        // what is for other commands says nothing here
        for (const [name, given] of source)
            if (declared_inputs/* declared */.bu[name].usedBy.includes(asked.command))
                inputs.set(name, given);
    }
    for (const [name, given] of asked.inputs)
        inputs.set(name, given);
    inputs.set('command', literally(asked.command));
    return inputs;
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
const WIDTH = 20;
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


/***/ })

};
