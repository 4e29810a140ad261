export const id = 535;
export const ids = [535,54,138];
export const modules = {

/***/ 9535:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  startServer: () => (/* binding */ startServer)
});

// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __webpack_require__(8474);
// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __webpack_require__(7067);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/platform/platform.ts + 1 modules
var platform = __webpack_require__(7460);
// EXTERNAL MODULE: ./src/reporting/report-json.ts
var report_json = __webpack_require__(789);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
;// CONCATENATED MODULE: ./src/server/audit.ts


/** One line for each call. */
function audit({ client, method, path, status, ms, code, target, backup, actor }) {
    const parts = [
        `call ${method} ${path ?? '-'} ${status}`,
        `${Math.round(ms)} ms`,
        `client=${client}`,
        ...(code ? [`code=${code}`] : []),
        ...(target ? [`target=${target}`] : []),
        ...(backup ? [`backup=${backup}`] : []),
        ...(actor ? [`actor=${JSON.stringify(actor)}`] : []),
    ];
    (0,platform/* platform */.i)().info((0,neutralise/* neutralise */.$0)(parts.join(' ')).replaceAll('\n', ' '));
}

// EXTERNAL MODULE: ./src/backups/names.ts
var names = __webpack_require__(1187);
// EXTERNAL MODULE: ./src/reporting/format.ts
var format = __webpack_require__(1267);
// EXTERNAL MODULE: ./src/reporting/verdict.ts
var verdict = __webpack_require__(599);
;// CONCATENATED MODULE: ./src/server/schema.ts
const schema_text = (description, more = {}) => ({ type: 'string', description, ...more });
const truth = (description) => ({ type: 'boolean', description });
const count = (description) => ({ type: 'integer', minimum: 0, description });
const time = (description) => schema_text(description, { format: 'date-time' });
const list = (items) => ({ type: 'array', items });
const orNull = (schema) => ({ ...schema, type: [schema.type, 'null'] });
/** Keys may be added to what is answered. */
const object = (properties, optional = []) => ({
    type: 'object',
    required: Object.keys(properties).filter((key) => !optional.includes(key)),
    properties,
});
const ref = (name) => ({ $ref: `#/components/schemas/${name}` });

;// CONCATENATED MODULE: ./src/server/wording.ts
/** What a text says of a workflow, as somebody says it who calls, or is at the machine. */
const forCallers = (text) => text
    .replaceAll('`command: list`', '`GET /api/database/backups`')
    .replaceAll('`command: health`', '`GET /api/database/health`')
    .replaceAll(/`command: ([a-z]+)`/g, '`db-backup $1`');
/** What to do; empty where that is about inputs of a workflow, or the workflow itself. */
function hintForCallers(hint) {
    const text = forCallers(hint);
    return /`[a-z][a-z0-9-]*: |workflow|runner/.test(text) ? '' : text;
}

;// CONCATENATED MODULE: ./src/server/answers.ts




const bytes = (size) => ({ size, size_human: size === null ? null : (0,format/* formatBytes */.z3)(size) });
const BYTES = { size: count('Bytes'), size_human: schema_text('For example "302 MB"') };
const BACKUP = object({
    filename: schema_text('File name of the payload; `restore` and `DELETE` take this or the id'),
    path: schema_text('On the host, or s3:// if it is only in the store'),
    ...BYTES,
    created_at: time('When the backup was started'),
    encrypted: truth('Whether it is encrypted'),
    checksum: schema_text('SHA-256 of the payload, in hex'),
    id: schema_text('The id of the backup'),
    state: schema_text('Only "ok" counts as a good backup', {
        enum: ['ok', 'suspect', 'unverified', 'damaged', 'future', 'unsigned', 'forged'],
    }),
    suspect: truth('It tripped a limit, and nobody has accepted it yet'),
    verified: schema_text('How far it was verified', { enum: ['none', 'checksum', 'content', 'restore'] }),
    pinned: orNull(schema_text('Why it is pinned, so that rotation keeps it; null: not pinned')),
});
const backupOf = (backup) => ({
    filename: backup.path.replace(/^.*\//s, ''),
    path: backup.path,
    ...bytes(backup.bytes),
    created_at: backup.createdAt,
    encrypted: backup.encryption !== undefined,
    checksum: backup.sha256,
    id: backup.id,
    state: backup.state,
    suspect: backup.state === 'suspect',
    verified: backup.verifiedLevel,
    pinned: backup.pinned,
});
const PROBLEM = object({
    level: schema_text('How serious it is', { enum: ['warning', 'error'] }),
    code: schema_text('An error code of docs/errors.md'),
    message: schema_text('What was found'),
    todo: schema_text('What to do'),
}, ['code', 'todo']);
function problemOf({ todo = '', ...problem }) {
    const hint = hintForCallers(todo);
    return { ...problem, message: forCallers(problem.message), ...(hint === '' ? {} : { todo: hint }) };
}
const CHANGED = { success: truth('Whether everything was done'), message: schema_text('The result, in a sentence') };
const WARNINGS = { warnings: list(schema_text('Something to check')) };
/** What came of it, in a sentence. */
const said = (report) => (0,verdict/* verdict */.W)(report, (name) => name).text;
const changed = (report) => ({ success: report.ok, message: said(report) });
const warningsOf = ({ problems }) => problems.map(({ message }) => forCallers(message));
const Health = {
    schema: object({
        healthy: truth('No finding about the database, its backups or their places is an error'),
        integrity_check: orNull(schema_text('null: it was not read completely, or its engine has no such check', {
            enum: ['passed', 'failed', null],
        })),
        size: orNull(count('Bytes of the database; null, here and below: it could not be checked')),
        size_human: orNull(schema_text('For example "302 MB"')),
        tables: orNull(count('How many there are')),
        table_details: list(object({ name: schema_text('Name of the table'), rows: orNull(count('Number of rows; null: not known')) })),
        page_count: orNull(count('Number of pages; null: its engine has none')),
        page_size: orNull(count('Bytes; null: its engine has none')),
        foreign_key_errors: orNull(count('Rows whose foreign key points nowhere; null: its engine allows none')),
        last_checked: time('When it was checked'),
        estimated: truth('The row counts are estimates of the server'),
        newest_age_seconds: orNull(count('Age of the newest good backup; null: there is none')),
        problems: list(PROBLEM),
    }),
    of(report) {
        const database = report.health?.database ?? null;
        const figure = (name) => (database?.[name] ?? null);
        const integrity = database?.integrity ?? null;
        return {
            healthy: report.healthy === true,
            integrity_check: integrity === null ? null : integrity === 'ok' ? 'passed' : 'failed',
            ...bytes(figure('bytes')),
            tables: database === null ? null : report.tables.length + report.tablesLeftOut,
            table_details: report.tables.map(({ name, rows }) => ({ name, rows })),
            page_count: figure('pageCount'),
            page_size: figure('pageSize'),
            foreign_key_errors: figure('foreignKeyErrors'),
            last_checked: report.startedAt,
            estimated: database?.estimated === true,
            newest_age_seconds: report.newestAgeSeconds,
            problems: report.problems.map(problemOf),
        };
    },
};
const Backups = {
    schema: object({ backups: list(ref('Backup')), count: count('How many there are') }),
    of: (report) => ({ backups: report.backups.map(backupOf), count: report.backups.length }),
};
const Made = {
    schema: object({
        ...CHANGED,
        backup: { description: 'null: the configuration asks for a dry run', anyOf: [ref('Backup'), { type: 'null' }] },
        ...WARNINGS,
    }),
    of: (report) => ({
        ...changed(report),
        backup: report.backup && backupOf(report.backup),
        warnings: warningsOf(report),
    }),
};
const OUTCOME = schema_text('The state of the live database; empty: not known', {
    enum: ['', 'restored', 'unchanged', 'rolled-back', 'rollback-failed'],
});
const Restored = {
    schema: object({
        ...CHANGED,
        warning: schema_text('Something to check; empty: nothing'),
        outcome: OUTCOME,
        safety_backup: orNull(schema_text('The id of the safety backup; restore it to undo this restore')),
    }),
    of: (report) => ({
        ...changed(report),
        warning: warningsOf(report).join('; '),
        outcome: report.restore?.outcome ?? 'unchanged',
        safety_backup: report.restore?.safetyBackupId ?? null,
    }),
};
const Deleted = {
    schema: object({ ...CHANGED, ...WARNINGS }),
    of: (report) => ({ ...changed(report), warnings: warningsOf(report) }),
};
const Storage = {
    schema: object({
        database: object({ size: orNull(count('Bytes; null: it could not be checked')), size_human: orNull(schema_text('')) }),
        backups: object({
            count: count('Number of backups on the host'),
            total_size: count('Bytes'),
            size_human: schema_text('Of `total_size`'),
            average_size: count('Bytes; 0: there are no backups'),
        }),
        data_directory: object({
            total_size: orNull(count('Bytes of everything in the backup directory; null: there is no directory')),
            size_human: orNull(schema_text('Of `total_size`')),
        }),
    }),
    of({ health: found, storage: { backups: many, backupsBytes, averageBytes, directoryBytes } }) {
        const { size: total_size, size_human } = bytes(directoryBytes);
        return {
            database: bytes((found?.database?.bytes ?? null)),
            backups: {
                count: many,
                total_size: backupsBytes,
                size_human: (0,format/* formatBytes */.z3)(backupsBytes),
                average_size: averageBytes ?? 0,
            },
            data_directory: { total_size, size_human },
        };
    },
};
const ANSWERS = { Health, Backups, Made, Restored, Deleted, Storage };
/** What goes wrong, whatever was asked for. */
const FAILURE = object({
    success: { type: 'boolean', const: false },
    message: schema_text('What happened'),
    error_code: schema_text('An error code of docs/errors.md', { pattern: '^E_[A-Z0-9_]+$' }),
    hint: schema_text('What to do; absent if only the operator of the server can do something'),
    left: schema_text('What did not change'),
    outcome: OUTCOME,
    suspect: truth('A backup was made and kept, but does not count until somebody accepts it'),
    backup: ref('Backup'),
    running: object({
        command: schema_text('Which change is running'),
        target: orNull(schema_text('For which database of the configuration')),
        since: time('When it started'),
        client: schema_text('The address that called for it'),
        actor: orNull(schema_text('The name given in X-Actor')),
    }),
}, ['hint', 'left', 'outcome', 'suspect', 'backup', 'running']);
/** Of a run that failed. */
function failureOf(report) {
    const { error, errorCode, restore: restoring, backup: made, command } = report;
    const hint = hintForCallers(error?.hint ?? '');
    return {
        success: false,
        message: forCallers(error?.message ?? said(report)),
        error_code: (errorCode || 'E_INTERNAL'),
        ...(hint === '' ? {} : { hint }),
        left: forCallers((0,verdict/* leftUntouched */.p)(report)),
        ...(restoring === null ? {} : { outcome: restoring.outcome }),
        ...(command === 'backup' && made !== null ? { suspect: made.state === 'suspect', backup: backupOf(made) } : {}),
    };
}
/** By the names that the OpenAPI document has for them. */
const SCHEMAS = {
    Backup: BACKUP,
    Failure: FAILURE,
    ...Object.fromEntries(Object.entries(ANSWERS).map(([name, { schema }]) => [name, schema])),
    Alive: object({ status: schema_text('The server is running', { const: 'ok' }) }),
};

;// CONCATENATED MODULE: ./src/server/buckets.ts
/** Those of whom longest nothing was heard are forgotten. */
const MOST_ADDRESSES = 10_000;
/** Token buckets, one for each address: what is taken comes back with the time. */
class Buckets {
    rate;
    now;
    known = new Map();
    constructor(rate, now = () => performance.now()) {
        this.rate = rate;
        this.now = now;
    }
    /** Takes one. The seconds to wait when there is none; 0: there was. */
    take(address) {
        const { most, perSecond } = this.rate;
        const now = this.now();
        const before = this.known.get(address);
        const left = before === undefined ? most : Math.min(most, before.left + ((now - before.at) / 1000) * perSecond);
        const there = left >= 1;
        this.known.delete(address);
        for (const [oldest] of this.known) {
            if (this.known.size < MOST_ADDRESSES)
                break;
            this.known.delete(oldest);
        }
        this.known.set(address, { left: there ? left - 1 : left, at: now });
        return there ? 0 : Math.ceil((1 - left) / perSecond);
    }
}

// EXTERNAL MODULE: ./src/server/refusal.ts
var refusal = __webpack_require__(5411);
;// CONCATENATED MODULE: ./src/server/one-change.ts

/** One change at a time: a second one is not queued, since what it was meant for may be gone by then. */
class OneChange {
    running = null;
    /** Throws a Refusal that says what runs. */
    async make(change, work) {
        if (this.running !== null)
            throw inTheWay(this.running);
        this.running = change;
        try {
            return await work();
        }
        finally {
            this.running = null;
        }
    }
}
function inTheWay(running) {
    const { command, target, since, client, actor } = running;
    const by = actor === null ? client : `${actor} (${client})`;
    const what = `${command}${target === null ? '' : ` of ${target}`}`;
    return new refusal/* Refusal */.P_(409, 'E_LOCKED', `${what} has been running since ${since}, called by ${by}: only one change can run at a time`, {
        headers: { 'retry-after': '10' },
        fields: { running },
    });
}

;// CONCATENATED MODULE: ./src/server/routes.ts


const field = (description, pattern, maxLength, example) => ({
    ...{ type: 'string', description, pattern, maxLength, examples: [example] },
});
const EXAMPLE = 'app-20261120T101500Z-7f3a';
const ID = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}(\\.[a-z0-9]+){0,3}$';
const id = field(`The id or file name of a backup, such as ${EXAMPLE}`, ID, 120, EXAMPLE);
const routes_confirm = field('The exact name of the database to replace, without blanks around it: for a file, its name without the folder', '^[^\\s\\u0000-\\u001f\\u007f]([^\\u0000-\\u001f\\u007f]*[^\\s\\u0000-\\u001f\\u007f])?$', 255, 'app.db');
/** The query of each call that runs something. */
const TARGET = field('Which database of the configuration; required if it has several. For a server with `all: true` it is NAME-DATABASE, and always required. Letters, digits and "._-", the first a letter or digit', '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', 64, 'app');
/** Whom a caller names for the audit: nobody proves it. */
const ACTOR = field('Who is behind the call, for the log: letters (a to z, A to Z), digits and "@._+-", the first a letter or digit', '^[A-Za-z0-9][A-Za-z0-9@._+-]*$', 64, 'ada@example.org');
const ROUTES = [
    { method: 'GET', path: '/health', operation: 'alive', summary: 'Whether the server is running', does: 'alive' },
    { method: 'GET', path: '/openapi.json', operation: 'document', summary: 'This document', does: 'document' },
    {
        ...{ method: 'GET', path: '/api/database/health', operation: 'health' },
        summary: 'The health of the database and its backups',
        does: { command: 'health', changes: false, answer: 'Health' },
    },
    {
        ...{ method: 'GET', path: '/api/database/backups', operation: 'list' },
        summary: 'List the backups, the newest first',
        does: { command: 'list', changes: false, answer: 'Backups' },
    },
    {
        ...{ method: 'POST', path: '/api/database/backup', operation: 'backup' },
        summary: 'Take a verified backup, then rotate; answers when done',
        does: { command: 'backup', changes: true, body: {}, answer: 'Made' },
    },
    {
        ...{ method: 'POST', path: '/api/database/restore', operation: 'restore' },
        summary: 'Restore a backup, after taking a safety backup to roll back to; answers when done',
        does: {
            ...{ command: 'restore', changes: true, body: { filename: id, confirm: routes_confirm }, backup: 'filename', answer: 'Restored' },
            options: ({ confirm: name }) => [`--confirm=${name}`],
        },
    },
    {
        ...{ method: 'DELETE', path: '/api/database/backups/{id}', operation: 'delete' },
        summary: 'Delete one backup that is neither pinned nor the last good one',
        does: { command: 'delete', changes: true, path: { id }, backup: 'id', answer: 'Deleted' },
    },
    {
        ...{ method: 'GET', path: '/api/database/storage', operation: 'storage' },
        summary: 'The disk space of the database and its backups',
        does: { command: 'health', changes: false, answer: 'Storage' },
    },
];
/** The id of a backup, given as such or as the name of its payload. Throws a Refusal. */
function idOf(given = '') {
    if ((0,names/* parseId */.Fg)(given) !== null)
        return given;
    const file = (0,names/* parseFileName */.Px)(given);
    if (file?.part === 'payload')
        return file.id;
    throw (0,refusal/* unfit */.Ri)(`expected the id of a backup, such as ${EXAMPLE}, or its file name, as in the list`);
}

;// CONCATENATED MODULE: ./src/server/openapi.ts



const json = (schema) => ({ content: { 'application/json': { schema } } });
const failure = (description) => ({ description, ...json(ref('Failure')) });
const STATUSES = {
    400: failure('The call is not valid HTTP, or the body is not JSON'),
    401: failure('The token is missing or wrong'),
    404: failure('There is no such backup, or no such path'),
    408: failure('The call did not arrive completely in time'),
    409: failure('Another change is running, or the state of the database or its backups does not allow it: see error_code'),
    413: failure('The body is too large'),
    415: failure('The body is not JSON'),
    421: failure('Host is not a name of this server'),
    422: failure('An input is missing or wrong'),
    429: failure('Too many calls: see Retry-After'),
    431: failure('The headers are too large'),
    '5XX': failure('The run failed, or the server is too busy or stopping'),
};
const ALWAYS = [400, 408, 421, 429, 431, '5XX'];
const RUN = [...ALWAYS, 401, 404, 409, 422];
const BODY = [413, 415];
const parameter = (name, where, schema) => ({
    ...{ name, in: where, required: where === 'path', schema },
});
function operationOf({ operation, summary, does }) {
    const head = { operationId: operation, summary };
    const pick = (statuses) => Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
    if (typeof does === 'string') {
        const schema = does === 'alive' ? ref('Alive') : { type: 'object' };
        return { ...head, security: [], responses: { 200: { description: 'OK', ...json(schema) }, ...pick(ALWAYS) } };
    }
    const { path = {}, body, answer } = does;
    const fields = Object.entries(body ?? {});
    return {
        ...head,
        parameters: [
            ...Object.entries(path).map(([name, field]) => parameter(name, 'path', field)),
            parameter('target', 'query', TARGET),
            parameter('X-Actor', 'header', ACTOR),
        ],
        ...(body === undefined
            ? {}
            : {
                requestBody: {
                    required: fields.length > 0,
                    ...json({
                        ...{ type: 'object', additionalProperties: false, required: fields.map(([name]) => name) },
                        properties: body,
                    }),
                },
            }),
        responses: {
            200: { description: 'Done', ...json(ref(answer)) },
            ...pick([...RUN, ...(body === undefined ? [] : BODY)]),
        },
    };
}
/** What the server takes and answers, made of the table by which it does so. */
function openApi() {
    const paths = {};
    for (const route of ROUTES) {
        paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
    }
    return {
        openapi: '3.1.0',
        info: {
            title: 'db-backup serve',
            version: '1.0.0',
            description: 'Backups of a live database over HTTP. See docs/api.md.',
        },
        servers: [{ url: 'http://127.0.0.1:8470' }],
        security: [{ token: [] }],
        paths,
        components: {
            securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
            schemas: SCHEMAS,
            responses: STATUSES,
        },
    };
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __webpack_require__(7030);
;// CONCATENATED MODULE: ./src/server/request.ts


/** How a caller may name this machine when nothing else is said. A web page reaches loopback as well, but by a name of its own. */
const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]'];
/** Whether the header `Host` has one of these names, in lower case; with whatever port. */
function isHost({ headersDistinct: { host = [] } }, names) {
    const name = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/i.exec(host[0] ?? '')?.[1];
    return host.length === 1 && name !== undefined && names.includes(name.toLowerCase());
}
/** The address of who calls: as the proxy in front says, which adds it as the last one, or of the connection. */
function clientOf({ socket, headersDistinct }, behindProxy) {
    const said = behindProxy ? (headersDistinct['x-forwarded-for']?.at(-1)?.split(',').at(-1)?.trim() ?? '') : '';
    return ((0,external_node_net_.isIP)(said) === 0 ? (socket.remoteAddress ?? 'gone') : said).replace(/^::ffff:(?=[0-9.]+$)/i, '');
}
const hasBody = ({ headers }) => headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
/** The body, which is JSON of at most so many bytes; undefined: there is none. Throws a Refusal. */
async function readBody(request, most) {
    if (!hasBody(request))
        return undefined;
    const { headers } = request;
    const isJson = /^application\/json *(;|$)/i.test(headers['content-type'] ?? '');
    if (!isJson || headers['content-encoding'] !== undefined)
        throw new refusal/* Refusal */.P_(415, 'E_REQUEST', 'expected a body of type application/json, without Content-Encoding');
    const tooLarge = new refusal/* Refusal */.P_(413, 'E_REQUEST', `expected a body of at most ${most} bytes`);
    if (Number(headers['content-length'] ?? 0) > most)
        throw tooLarge;
    const parts = [];
    let bytes = 0;
    try {
        for await (const part of request) {
            bytes += part.length;
            if (bytes > most)
                throw tooLarge;
            parts.push(part);
        }
    }
    catch (error) {
        throw error instanceof refusal/* Refusal */.P_ ? error : new refusal/* Refusal */.P_(408, 'E_REQUEST', 'the request did not arrive completely');
    }
    try {
        return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
    }
    catch {
        throw new refusal/* Refusal */.P_(400, 'E_REQUEST', 'the body is not valid JSON');
    }
}
/** The query, in which each name may stand once. Throws a Refusal. */
function readQuery(text) {
    const query = new URLSearchParams(text);
    const names = [...query.keys()];
    if (new Set(names).size < names.length)
        throw (0,refusal/* unfit */.Ri)('the query has the same name more than once');
    return Object.fromEntries(query);
}
/** Of what is wrong. */
const MOST_TOLD = 10;
/** What is given, when it is these fields and no others; all that is wrong with it at once. Throws a Refusal. */
function fitting(given, fields, optional = false) {
    if (typeof given !== 'object' || given === null || Array.isArray(given))
        throw (0,refusal/* unfit */.Ri)('expected a JSON object');
    const wrong = [];
    for (const name of Object.keys(given)) {
        if (!Object.hasOwn(fields, name))
            wrong.push(`unknown field ${JSON.stringify(name.slice(0, 60))}`);
    }
    for (const [name, field] of Object.entries(fields)) {
        const value = Object.hasOwn(given, name) ? given[name] : undefined;
        if (value === undefined) {
            if (!optional)
                wrong.push(`${name}: required: ${field.description}`);
        }
        else if (typeof value !== 'string' || !isFit(value, field)) {
            wrong.push(`${name}: expected a string of at most ${field.maxLength} characters: ${field.description}`);
        }
    }
    if (wrong.length > 0)
        throw (0,refusal/* unfit */.Ri)(wrong.slice(0, MOST_TOLD).join('; '));
    return given;
}
const isFit = (value, { pattern, maxLength }) => [...value].length <= maxLength && new RegExp(pattern, 'u').test(value);

// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: ./src/left.ts
var src_left = __webpack_require__(8470);
// EXTERNAL MODULE: ./src/reporting/report.ts
var report = __webpack_require__(4778);
;// CONCATENATED MODULE: ./src/server/lost.ts



/** Of a run that could not be started: nothing was begun. */
const notStarted = (command, why) => failed(command, `${command} could not be started: ${why}`, 'Check the log of the server.', {
    left: (0,src_left/* leftBefore */.To)({ command, dryRun: false }),
    outcome: 'unchanged',
});
/** Of a run that ended and told nothing: it was killed, or the memory was at its end. `how`: by which status or signal. */
function lost(command, how) {
    const message = `${command} ended with ${how}, without a report: ${UNKNOWN[command]}`;
    return failed(command, message, HINTS[command], { left: LEFT_BY[command], outcome: '' });
}
const UNKNOWN = {
    restore: 'it is not known if the database was replaced',
    backup: 'it is not known if a backup was made',
    delete: 'it is not known if the backup was deleted',
    list: 'there is no result',
    health: 'there is no result',
};
const LEFT_BY = {
    restore: 'database-unknown',
    backup: 'changed-in-part',
    delete: 'changed-in-part',
    list: 'nothing-changed',
    health: 'nothing-changed',
};
const LIST = 'Check `GET /api/database/backups` before you call again.';
const HINTS = {
    restore: 'Check the database and `GET /api/database/health` before you call again. Health names a restore that was cut off and is not settled yet.',
    backup: LIST,
    delete: LIST,
    list: 'Call again.',
    health: 'Call again.',
};
function failed(command, message, hint, { left, outcome }) {
    (0,platform/* platform */.i)().error(`E_INTERNAL: ${message}. ${src_left/* LEFT */.M3[left].text}`);
    return {
        ...(0,report/* newReport */.bQ)(new Date()),
        ...{ command, errorCode: 'E_INTERNAL', error: { message, hint, left } },
        restore: command === 'restore' ? { ...(0,report/* newRestoreReport */.Xy)({ target: '', targetName: '' }), outcome } : null,
    };
}

;// CONCATENATED MODULE: ./src/server/running.ts


/** A report has a list of at most some thousand backups and tables. */
const MOST_BYTES = 64 << 20;
/** The processes that carry calls out. */
class Running {
    program;
    all = new Map();
    constructor(program) {
        this.program = program;
    }
    /**
     * Runs one command. In a session of its own: a Ctrl-C at the terminal is for the server alone, which decides what ends. One that ended
     * without a report has one all the same, of a failure.
     */
    async run(command, words) {
        const { script, env, log } = this.program;
        let child;
        try {
            child = (0,external_node_child_process_.spawn)(process.execPath, [script, command, ...words], {
                ...{ env, stdio: ['ignore', 'pipe', log], detached: true, windowsHide: true },
            });
        }
        catch (error) {
            return notStarted(command, error.message);
        }
        const parts = [];
        let bytes = 0;
        const ended = new Promise((resolve) => {
            child.on('error', ({ message }) => {
                if (child.pid === undefined)
                    resolve(notStarted(command, message));
            });
            child.once('close', (code, signal) => {
                if (child.pid === undefined)
                    return;
                const report = bytes > MOST_BYTES ? null : reportIn(Buffer.concat(parts).toString('utf8'));
                resolve(report ?? lost(command, String(code ?? signal)));
            });
        });
        // there is none where no process could be started
        child.stdout?.on('data', (part) => {
            bytes += part.length;
            if (bytes <= MOST_BYTES)
                parts.push(part);
        });
        const stop = () => void child.kill('SIGTERM');
        this.all.set(stop, ended);
        return ended.finally(() => this.all.delete(stop));
    }
    /** Waits for those that run; asks those to end that still do after this time, which leave their host clean. */
    async end(graceMs) {
        const timer = setTimeout(() => {
            for (const stop of this.all.keys())
                stop();
        }, graceMs);
        await Promise.allSettled(this.all.values());
        clearTimeout(timer);
    }
}
function reportIn(text) {
    try {
        const value = JSON.parse(text);
        return value !== null && value.schema === 1 && typeof value.errorCode === 'string' ? value : null;
    }
    catch {
        return null;
    }
}

// EXTERNAL MODULE: ./src/server/target.ts
var server_target = __webpack_require__(54);
// EXTERNAL MODULE: ./src/server/token.ts
var token = __webpack_require__(3138);
;// CONCATENATED MODULE: ./src/server/turns.ts

/** Calls that change nothing: some at once, some wait, more are refused. */
class Turns {
    most;
    waiting;
    running = 0;
    queue = [];
    constructor(most, waiting) {
        this.most = most;
        this.waiting = waiting;
    }
    /** Throws a Refusal when too many wait. */
    async take(work) {
        if (this.running < this.most)
            this.running++;
        else if (this.queue.length < this.waiting)
            await new Promise((resolve) => this.queue.push(resolve));
        else {
            const headers = { 'retry-after': '5' };
            throw new refusal/* Refusal */.P_(503, 'E_LIMIT', `the server is busy: ${this.most} calls are running and ${this.waiting} are waiting; try again`, {
                headers,
            });
        }
        try {
            return await work();
        }
        finally {
            const next = this.queue.shift();
            if (next === undefined)
                this.running--;
            else
                next();
        }
    }
}

;// CONCATENATED MODULE: ./src/server/calls.ts












const PATHS = ROUTES.map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replaceAll('.', '\\.').replace('{id}', '(?<id>[^/]+)')}$`),
}));
/** What becomes of a call, from its headers to its answer. */
class Calls {
    served;
    limits;
    isToken;
    names;
    buckets;
    turns;
    change = new OneChange();
    running;
    stopping = false;
    constructor(served, limits) {
        this.served = served;
        this.limits = limits;
        this.isToken = (0,token/* tokenCheck */.W)(served.token);
        this.names = [...LOOPBACK_NAMES, ...served.hosts];
        const { calls, wrong, open, reads, waiting } = limits;
        this.buckets = { calls: new Buckets(calls), wrong: new Buckets(wrong), open: new Buckets(open) };
        this.turns = new Turns(reads, waiting);
        this.running = new Running(served.program);
    }
    /** Puts into `noted` what the audit line is to tell. Throws a Refusal, or what is our bug. */
    async answer(request, noted) {
        const client = clientOf(request, this.served.behindProxy);
        if (!isHost(request, this.names))
            throw new refusal/* Refusal */.P_(421, 'E_REQUEST', 'the Host header does not name this server');
        const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
        const found = PATHS.filter(({ pattern }) => pattern.test(path));
        noted.path = found[0]?.route.path ?? null;
        this.admit(request, client, found.length > 0 && found.every(({ route }) => typeof route.does === 'string'));
        if (this.stopping)
            throw ends();
        const { route, pattern } = found.find((one) => one.route.method === request.method) ?? noRoute(found);
        const { does } = route;
        if (does === 'alive')
            return { status: 200, body: { status: 'ok' } };
        if (does === 'document')
            return { status: 200, body: openApi() };
        const id = pattern.exec(path)?.groups?.id;
        const inPath = fitting(id === undefined ? {} : { id: decoded(id) }, does.path ?? {});
        const target = (0,server_target/* targetOf */.$)(fitting(readQuery(query), { target: TARGET }, true).target, this.served);
        const named = request.headers['x-actor'];
        const { 'X-Actor': actor = null } = fitting(named === undefined ? {} : { 'X-Actor': named }, { 'X-Actor': ACTOR }, true);
        Object.assign(noted, { target, actor });
        if (does.body === undefined && hasBody(request))
            throw new refusal/* Refusal */.P_(400, 'E_REQUEST', 'this call takes no body');
        const sent = does.body === undefined ? undefined : await readBody(request, this.limits.bodyBytes);
        const inBody = fitting(sent === undefined ? {} : sent, does.body ?? {});
        const given = { ...inPath, ...inBody };
        const backup = does.backup === undefined ? null : idOf(given[does.backup]);
        noted.backup = backup;
        const words = this.wordsOf(does, given, target, backup);
        return this.carryOut(does, words, { target, actor, client, isGone: () => request.socket.destroyed }, noted);
    }
    /** From now on nothing is begun; resolves when all that runs has ended, by itself or after this time. */
    stop(graceMs) {
        this.stopping = true;
        return this.running.end(graceMs);
    }
    /** The token, and how often somebody may try. Who has the right one is not refused for what others do behind the same address. */
    admit({ headers }, client, isOpen) {
        const isKnown = this.isToken(headers.authorization);
        const wait = this.buckets[isOpen ? 'open' : isKnown ? 'calls' : 'wrong'].take(client);
        if (wait > 0) {
            throw new refusal/* Refusal */.P_(429, 'E_LIMIT', `too many calls from ${client}: wait ${wait} s`, {
                headers: { 'retry-after': String(wait) },
            });
        }
        if (!isOpen && !isKnown) {
            const why = headers.authorization === undefined
                ? 'expected the header "Authorization: Bearer TOKEN"'
                : 'the token is wrong';
            throw new refusal/* Refusal */.P_(401, 'E_TOKEN', why, { headers: { 'www-authenticate': 'Bearer' } });
        }
    }
    /** The arguments of the process that carries it out; what a caller has given is a value in them, and never an option. */
    wordsOf({ changes, options }, given, target, backup) {
        const { config } = this.served;
        return [
            ...['--json', ...(changes ? [] : ['--quiet'])],
            ...(config === null ? [] : [`--config=${config}`]),
            ...(target === null ? [] : [`--target=${target}`]),
            ...(options?.(given) ?? []),
            ...(backup === null ? [] : ['--', backup]),
        ];
    }
    async carryOut({ command, changes, answer }, words, { target, actor, client, isGone }, noted) {
        const run = async () => {
            if (this.stopping)
                throw ends();
            return this.running.run(command, words);
        };
        const report = await (changes
            ? this.change.make({ command, target, since: new Date().toISOString(), client, actor }, run)
            : this.turns.take(async () => (isGone() ? Promise.reject(gone()) : run())));
        noted.code = report.errorCode;
        noted.backup ??= report.backup !== null && (0,names/* parseId */.Fg)(report.backup.id) !== null ? report.backup.id : null;
        // that something is wrong with the database is an answer
        if (report.errorCode === '' || (command === 'health' && report.errorCode === 'E_UNHEALTHY')) {
            return { status: 200, body: ANSWERS[answer].of(report) };
        }
        return { status: (0,refusal/* statusOf */.c2)(report.errorCode), body: failureOf(report) };
    }
}
const ends = () => new refusal/* Refusal */.P_(503, 'E_LIMIT', 'the server is stopping', { headers: { 'retry-after': '30' } });
/** While it waited. */
const gone = () => new refusal/* Refusal */.P_(408, 'E_REQUEST', 'the client has disconnected');
function noRoute(found) {
    if (found.length === 0)
        throw new refusal/* Refusal */.P_(404, 'E_REQUEST', 'no such path: see /openapi.json');
    const allow = found.map(({ route }) => route.method).join(', ');
    throw new refusal/* Refusal */.P_(405, 'E_REQUEST', `expected ${allow}`, { headers: { allow } });
}
function decoded(text) {
    try {
        return decodeURIComponent(text);
    }
    catch {
        throw (0,refusal/* unfit */.Ri)('the path cannot be decoded');
    }
}

;// CONCATENATED MODULE: ./src/server/connections.ts
/** Open connections, by address: who has too many loses those of its own on which nothing is asked, the oldest first. */
class Connections {
    most;
    open = new Map();
    busy = new WeakSet();
    /** So many of one address. */
    constructor(most) {
        this.most = most;
    }
    /** A new one, which is closed when all others of its address are waited on. */
    add(socket) {
        const address = socket.remoteAddress ?? 'gone';
        const own = this.open.get(address) ?? new Set();
        this.open.set(address, own.add(socket));
        socket.once('close', () => {
            own.delete(socket);
            if (own.size === 0)
                this.open.delete(address);
        });
        if (own.size <= this.most)
            return;
        const idle = [...own].find((one) => !this.busy.has(one)) ?? socket;
        own.delete(idle);
        idle.destroy();
    }
    /** A call of it is answered: until `done` it is not taken from whoever waits for that. */
    begin(socket) {
        this.busy.add(socket);
    }
    done(socket) {
        this.busy.delete(socket);
    }
}

;// CONCATENATED MODULE: ./src/server/limits.ts
const LIMITS = {
    headersMs: 5_000,
    requestMs: 15_000,
    checkMs: 1_000,
    answerMs: 30_000,
    headerBytes: 8_192,
    bodyBytes: 16_384,
    connections: 256,
    connectionsOfOne: 64,
    calls: { most: 60, perSecond: 2 },
    wrong: { most: 10, perSecond: 1 / 6 },
    open: { most: 60, perSecond: 2 },
    reads: 2,
    waiting: 8,
};

;// CONCATENATED MODULE: ./src/server/http-server.ts











/** How long somebody may take to take the last answers. */
const LAST_ANSWERS_MS = 2_000;
/** Starts it. Rejects when the address can not be listened on. */
async function startServer(served, limits = LIMITS) {
    const calls = new Calls(served, limits);
    /** Whose call is being answered: what is wrong with the connection from then on is told there. */
    const answering = new WeakSet();
    const connections = new Connections(limits.connectionsOfOne);
    let isStopping = false;
    const handle = async (request, response) => {
        const started = performance.now();
        const client = clientOf(request, served.behindProxy);
        const noted = { path: null };
        answering.add(request.socket);
        connections.begin(request.socket);
        response.once('close', () => connections.done(request.socket));
        const reply = await calls.answer(request, noted).catch((error) => replyTo(error));
        answering.delete(request.socket);
        const code = noted.code || reply.body.error_code || '';
        const ms = performance.now() - started;
        audit({ ...noted, client, method: request.method ?? '-', status: reply.status, ms, code });
        // what is left of a body is not read to its end
        const isLast = isStopping || (hasBody(request) && !request.complete);
        send(response, reply, isLast, limits.answerMs);
    };
    const server = (0,external_node_http_.createServer)({
        ...{ maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersMs, requestTimeout: limits.requestMs },
        ...{ connectionsCheckingInterval: limits.checkMs, insecureHTTPParser: false },
        // those who wait for a run send nothing, and others forget a connection on which nothing is sent
        ...{ keepAlive: true, keepAliveInitialDelay: 30_000 },
        requireHostHeader: false, // by us, as any other that is wrong
    }, (request, response) => void handle(request, response));
    server.maxConnections = limits.connections;
    if (!served.behindProxy)
        server.on('connection', (socket) => connections.add(socket));
    // an expectation that is not known may be left unmet
    server.on('checkExpectation', (request, response) => void handle(request, response));
    server.on('clientError', (error, socket) => {
        if (!socket.writable || error.code === 'ECONNRESET')
            return void socket.destroy();
        const reply = replyTo(faultOf(error.code));
        if (!answering.has(socket)) {
            const client = socket.remoteAddress?.replace(/^::ffff:(?=[0-9.]+$)/, '') ?? 'gone';
            audit({ client, method: '-', path: null, status: reply.status, ms: 0, code: 'E_REQUEST' });
        }
        const body = (0,report_json/* encode */.lF)(reply.body);
        socket.end(`HTTP/1.1 ${reply.status} Refused\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
    server.listen(served.port, served.listen);
    await (0,external_node_events_.once)(server, 'listening');
    server.on('error', (error) => (0,platform/* platform */.i)().error(`a connection could not be accepted: ${error.message}`));
    return {
        port: server.address().port,
        async stop(graceMs) {
            isStopping = true;
            await calls.stop(graceMs);
            const closed = (0,external_node_events_.once)(server, 'close');
            server.close();
            server.closeIdleConnections();
            const timer = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
            await closed;
            clearTimeout(timer);
        },
    };
}
/** What Node's parser, or its clock, has against a call. */
function faultOf(code) {
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
        return new refusal/* Refusal */.P_(408, 'E_REQUEST', 'the request did not arrive in time');
    if (code === 'HPE_HEADER_OVERFLOW')
        return new refusal/* Refusal */.P_(431, 'E_REQUEST', 'the headers are too large');
    return new refusal/* Refusal */.P_(400, 'E_REQUEST', 'the request is not valid HTTP');
}
function replyTo(error) {
    if (error instanceof refusal/* Refusal */.P_) {
        const { status, code, message, more } = error;
        const body = { success: false, message, error_code: code, ...more.fields };
        return more.headers === undefined ? { status, body } : { status, body, headers: more.headers };
    }
    const { code, message } = (0,errors/* describe */.q0)(error);
    (0,platform/* platform */.i)().error(`${code}: ${message}`);
    return {
        status: 500,
        body: { success: false, message: 'internal error: see the log of the server', error_code: code },
    };
}
function send(response, { status, body, headers }, isLast, answerMs) {
    if (response.destroyed)
        return; // who called has gone
    const bytes = Buffer.from((0,report_json/* encode */.lF)(body));
    response.setTimeout(answerMs, () => response.destroy());
    response.writeHead(status, {
        ...{ 'content-type': 'application/json', 'content-length': bytes.length },
        ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
        ...(isLast ? { connection: 'close' } : {}),
        ...headers,
    });
    response.end(bytes);
}


/***/ }),

/***/ 5411:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   P_: () => (/* binding */ Refusal),
/* harmony export */   Ri: () => (/* binding */ unfit),
/* harmony export */   c2: () => (/* binding */ statusOf)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(7452);

/** A call that is not carried out. */
class Refusal extends Error {
    status;
    code;
    more;
    constructor(status, code, message, 
    /** Headers of the answer, and what its body has besides. */
    more = {}) {
        super(message);
        this.status = status;
        this.code = code;
        this.more = more;
    }
}
/** What somebody has asked for with the right token, and is wrong in itself. */
const unfit = (message) => new Refusal(422, 'E_INPUT', message);
const OF = {
    E_NOT_FOUND: 404,
    E_LOCKED: 409,
    E_POLICY: 409,
    E_SHRUNK: 409,
    E_TARGET_BUSY: 409,
    E_UNFINISHED: 409,
    E_CONNECT: 502,
    E_REMOTE_LOST: 502,
    E_BUSY: 503,
    E_CANCELLED: 503,
    E_TIMEOUT: 504,
    E_NOSPACE: 507,
};
/** The HTTP status of a run that failed. */
const statusOf = (code) => OF[code] ?? (_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .ERRORS */ .Sr[code].class === 'input' ? 422 : 500);


/***/ }),

/***/ 54:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   $: () => (/* binding */ targetOf),
/* harmony export */   namesOf: () => (/* binding */ namesOf)
/* harmony export */ });
/* harmony import */ var _refusal_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(5411);

/** What a call may name. */
const namesOf = ({ targets, servers }) => [
    ...targets,
    ...servers.map((server) => `${server}-DATABASE`),
];
/** Which one a call is about; null: there is no configuration. Throws a Refusal. */
function targetOf(given, { targets, servers }) {
    if (targets.length + servers.length === 0) {
        if (given === undefined)
            return null;
        throw (0,_refusal_js__WEBPACK_IMPORTED_MODULE_0__/* .unfit */ .Ri)('target: the server has no configuration with named databases');
    }
    const [only] = targets;
    if (given === undefined && targets.length === 1 && servers.length === 0 && only !== undefined)
        return only;
    if (given !== undefined && targets.includes(given))
        return given;
    const expected = `expected one of ${namesOf({ targets, servers }).join(', ')}`;
    if (given === undefined)
        throw (0,_refusal_js__WEBPACK_IMPORTED_MODULE_0__/* .unfit */ .Ri)(`target: ${expected}`);
    if (servers.includes(given))
        throw (0,_refusal_js__WEBPACK_IMPORTED_MODULE_0__/* .unfit */ .Ri)(`target: ${given} is a whole server, but a call is about one database: ${expected}`);
    const above = servers.filter((server) => given.startsWith(`${server}-`));
    if (above.length === 1)
        return given;
    if (above.length === 0)
        throw (0,_refusal_js__WEBPACK_IMPORTED_MODULE_0__/* .unfit */ .Ri)(`target: ${expected}`);
    throw (0,_refusal_js__WEBPACK_IMPORTED_MODULE_0__/* .unfit */ .Ri)(`target: it could be a database of any of ${above.join(', ')}: rename one of them in the configuration`);
}


/***/ }),

/***/ 3138:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   W: () => (/* binding */ tokenCheck),
/* harmony export */   faultOfToken: () => (/* binding */ faultOfToken)
/* harmony export */ });
/* unused harmony export SHORTEST_TOKEN */
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(7598);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_crypto__WEBPACK_IMPORTED_MODULE_0__);

const SHORTEST_TOKEN = 32;
/** What is wrong with it as a bearer token, or null. */
function faultOfToken(token) {
    if (token.length < SHORTEST_TOKEN)
        return `expected at least ${SHORTEST_TOKEN} characters, such as from: openssl rand -hex 32`;
    // it has to fit into a header, in one piece
    return /^[\x21-\x7e]{1,1024}$/.test(token) ? null : 'expected printable ASCII characters, without blanks';
}
const sha256 = (text) => (0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createHash)('sha256').update(text).digest();
/** Compares what a header `Authorization` has with the token, in a time that tells nothing about either. */
function tokenCheck(token) {
    const right = sha256(token);
    return (header) => (0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.timingSafeEqual)(sha256(/^bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1] ?? ''), right);
}


/***/ })

};
