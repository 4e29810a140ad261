import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
/******/ var __webpack_modules__ = ({

/***/ 3605:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   UQ: () => (/* binding */ showCoverage),
/* harmony export */   _5: () => (/* binding */ coverageOf),
/* harmony export */   hU: () => (/* binding */ covers),
/* harmony export */   s9: () => (/* binding */ UNKNOWN_COVERAGE),
/* harmony export */   vk: () => (/* binding */ COVERAGE)
/* harmony export */ });
/* harmony import */ var valibot__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(7934);
/* harmony import */ var _schemas_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(9011);


const UNKNOWN_COVERAGE = { excludeTable: [], excludeTableData: [], schema: [], unknown: true };
const PATTERNS = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .list */ .p_)((0,_schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .text */ .Qq)(1));
const OF_NOBODY = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .object */ .Ik)({ unknown: valibot__WEBPACK_IMPORTED_MODULE_1__/* .literal */ .euz(true, 'true') });
/** Written in another order it would be another series. */
const IN_ORDER = valibot__WEBPACK_IMPORTED_MODULE_1__/* .pipe */ .FsL((0,_schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .object */ .Ik)({ excludeTable: PATTERNS, excludeTableData: PATTERNS, schema: PATTERNS }), valibot__WEBPACK_IMPORTED_MODULE_1__/* .check */ .z6Y((found) => JSON.stringify(coverageOf(found)) === JSON.stringify(found), 'patterns in order, at least one'));
const COVERAGE = valibot__WEBPACK_IMPORTED_MODULE_1__/* .lazy */ .RZV((input) => ((0,_schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .isObject */ .Gv)(input) && Object.hasOwn(input, 'unknown') ? OF_NOBODY : IN_ORDER));
/** What is left out by these patterns; null: nothing. In an order of its own, so that the same ones are the same coverage however given. */
function coverageOf({ excludeTable, excludeTableData, schema }) {
    const coverage = {
        excludeTable: sorted(excludeTable),
        excludeTableData: sorted(excludeTableData),
        schema: sorted(schema),
    };
    return Object.values(coverage).every((patterns) => patterns.length === 0) ? null : coverage;
}
/** Whether a backup of this coverage has all that is wanted: a whole one has, a partial one only when it was made in the same way. */
function covers(one, wanted) {
    return one === null || (wanted !== null && showCoverage(one) === showCoverage(wanted));
}
/** `without the table "a"; only the schema "b"`; two coverages that differ are never shown alike. Empty for a whole one. */
function showCoverage(coverage) {
    if (coverage === null)
        return '';
    if (coverage.unknown)
        return 'of which nobody knows what they cover';
    const { excludeTable, excludeTableData, schema } = coverage;
    return [
        named('without the table', excludeTable),
        named('without the data of', excludeTableData),
        named('only the schema', schema),
    ]
        .filter((part) => part !== '')
        .join('; ');
}
const named = (what, patterns) => patterns.length === 0 ? '' : `${what} ${patterns.map((pattern) => JSON.stringify(pattern)).join(', ')}`;
const sorted = (patterns) => [...new Set(patterns)].sort();


/***/ }),

/***/ 724:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Ry: () => (/* binding */ engineNames),
/* harmony export */   TO: () => (/* binding */ allKinds),
/* harmony export */   UA: () => (/* binding */ faultInIdentity),
/* harmony export */   VF: () => (/* binding */ isKind),
/* harmony export */   _y: () => (/* binding */ useFormats),
/* harmony export */   be: () => (/* binding */ formatOf),
/* harmony export */   vq: () => (/* binding */ formatNamed)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);
/* harmony import */ var _schemas_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(9011);


let formats = {};
/** Which engines there are, by name: engines/lookup.ts says so as soon as it is loaded. */
function useFormats(known) {
    formats = known;
}
const engineNames = () => Object.keys(formats);
/** Throws E_INTERNAL when there is no such engine, which nothing that was read may name: the manifest's reader refuses it before. */
function formatNamed(engine) {
    const format = Object.hasOwn(formats, engine) ? formats[engine] : undefined;
    if (format === undefined)
        throw new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_INTERNAL', `no engine is called ${JSON.stringify(engine)}`);
    return format;
}
/** The engine of a database; null when it is none of ours. */
function formatOf(identity) {
    const found = Object.values(formats).find(({ identityFields }) => identityFields.every((name) => Object.hasOwn(identity, name)));
    return found ?? null;
}
/** Everything that may be the ending of a payload. */
const isKind = (ending) => Object.values(formats).some((format) => allKinds(format).includes(ending));
const allKinds = ({ kinds, damaged }) => damaged === undefined ? kinds : [...kinds, damaged.kind];
/** What keeps it from being an identity of this engine and of no other, by whose fields it would be taken for another database. */
function faultInIdentity(format, identity) {
    const other = Object.entries(identity).find(([name]) => !format.identityFields.includes(name));
    if (other !== undefined)
        return { path: other[0], rule: 'no field of another engine', value: other[1] };
    return (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .faultIn */ ._8)(format.identity, identity);
}


/***/ }),

/***/ 2502:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   NO: () => (/* binding */ READ_WHOLE_BYTES),
/* harmony export */   ml: () => (/* binding */ shorten),
/* harmony export */   qT: () => (/* reexport safe */ _manifest_js__WEBPACK_IMPORTED_MODULE_1__.qT),
/* harmony export */   zl: () => (/* binding */ withinLimit)
/* harmony export */ });
/* unused harmony export MAX_WRITTEN_BYTES */
/* harmony import */ var _schemas_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(9011);
/* harmony import */ var _manifest_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(8718);
/** How large a manifest may be, and what is left out of one that would be larger. */


/** Of a manifest that is written: readers before this limit took no more than 3 MiB. */
const MAX_WRITTEN_BYTES = 3_000_000;
/** As many bytes of the newest manifests are read whole in a catalogue, of others the long lists are left out. */
const READ_WHOLE_BYTES = 16 << 20;

/**
 * The manifest as it may be written: when its tables are too many, the smallest are left out, and `tablesLeftOut` says how many.
 * What is proven of the backup does not become less, only what a later proof can compare.
 */
function withinLimit(manifest) {
    const { content } = manifest;
    if (content === null || (content.tables.length <= _schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .LIST_LIMIT */ .bh && bytesOf(manifest) <= MAX_WRITTEN_BYTES)) {
        return manifest;
    }
    const { tables } = content;
    const without = { ...manifest, content: { ...content, tables: [], tablesLeftOut: tables.length } };
    let room = MAX_WRITTEN_BYTES - bytesOf(without);
    const kept = new Set();
    for (const table of [...tables].sort(largestFirst)) {
        // each of its four lines is indented by six more blanks, and a comma and a line break follow
        room -= bytesOf(table) + 4 * 6 + 2;
        if (room < 0 || kept.size === _schemas_js__WEBPACK_IMPORTED_MODULE_0__/* .LIST_LIMIT */ .bh)
            break;
        kept.add(table);
    }
    const listed = tables.filter((table) => kept.has(table));
    return { ...manifest, content: { ...content, tables: listed, tablesLeftOut: tables.length - listed.length } };
}
/** The same without its long lists, marked; what is no manifest of ours stays as it is. */
function shorten(text) {
    try {
        const manifest = JSON.parse(text);
        const { content } = manifest;
        const short = Object.entries(content ?? {}).map(([name, value]) => [name, Array.isArray(value) ? [] : value]);
        const without = content === null ? null : Object.fromEntries(short);
        return JSON.stringify({ ...manifest, shortened: true, recovery: [], content: without });
    }
    catch {
        return text;
    }
}
/** Those that nobody has counted first: counting begins with the small ones. */
const largestFirst = (one, other) => (other.rows ?? Number.MAX_SAFE_INTEGER) - (one.rows ?? Number.MAX_SAFE_INTEGER);
const bytesOf = (value) => Buffer.byteLength(JSON.stringify(value, null, 2));


/***/ }),

/***/ 8718:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   MZ: () => (/* binding */ serializeManifest),
/* harmony export */   Ng: () => (/* binding */ parseManifest),
/* harmony export */   du: () => (/* binding */ isAtLeast),
/* harmony export */   qT: () => (/* binding */ MAX_READ_BYTES),
/* harmony export */   z$: () => (/* binding */ isDamagedCopy)
/* harmony export */ });
/* harmony import */ var valibot__WEBPACK_IMPORTED_MODULE_7__ = __nccwpck_require__(7934);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);
/* harmony import */ var _schemas_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(9011);
/* harmony import */ var _coverage_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(3605);
/* harmony import */ var _format_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(724);
/* harmony import */ var _names_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(1187);
/* harmony import */ var _packing_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(88);
/* harmony import */ var _retention_js__WEBPACK_IMPORTED_MODULE_6__ = __nccwpck_require__(7385);








/** The host and the store send as much of one; catalogue_awk of host/programs/catalogue.sh has it too. */
const MAX_READ_BYTES = 12 << 20;
const SHOWN_LIMIT = 80;
const VERIFIED_LEVELS = ['none', 'checksum', 'content', 'restore'];
/** What pins by itself, and takes its oldest pins back: a restore its safety backups, a loss of rows the backup before it. */
const PINNERS = ['restore', 'row-loss'];
/** The inputs by which a backup may become suspect. */
const LIMITS = ['shrink-limit', 'growth-limit', 'row-loss-limit'];
const TABLE_ROWS = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({
    /** With its schema before it, where the engine has schemas. */
    name: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    /** null: not counted. */
    rows: valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)()),
});
const CONTENT = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({
    /** Those whose data is in the backup. */
    tables: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .list */ .p_)(TABLE_ROWS),
    /** How many more there are, for which the manifest has no room: nothing can be demanded of them. */
    tablesLeftOut: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)()),
    /** Whatever has a name of its own, with the tables. */
    objects: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)(),
});
/** Which limit a backup tripped, and how, in a sentence. */
const SUSPICION = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({ limit: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(LIMITS), why: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(1) });
/** As the input `keep` takes them; a rule of a later version is not for this one to judge, and keeps nothing here. */
const RULES = valibot__WEBPACK_IMPORTED_MODULE_7__/* .pipe */ .FsL(_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .anyObject */ .aH, valibot__WEBPACK_IMPORTED_MODULE_7__/* .check */ .z6Y((rules) => Object.keys(rules).length > 0, 'at least one rule'), valibot__WEBPACK_IMPORTED_MODULE_7__/* .object */ .Ikc(valibot__WEBPACK_IMPORTED_MODULE_7__/* .entriesFromList */ .v4Y(_retention_js__WEBPACK_IMPORTED_MODULE_6__/* .KEEP_RULES */ .Yf, valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)(1)))));
/** What earlier versions did not write is as it was then: good, and whole. */
const MANIFEST = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({
    schema: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)([1]),
    id: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    name: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    engine: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    /** The ending of the payload. */
    kind: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    compression: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(_packing_js__WEBPACK_IMPORTED_MODULE_5__/* .COMPRESSIONS */ ._7),
    /** File name of the payload, in the same directory. */
    file: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    // What a later version sealed or signed can not be read here, nor rewritten without breaking the seal.
    encryption: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(['none']),
    mac: valibot__WEBPACK_IMPORTED_MODULE_7__/* ["null"] */ .chJ('null'),
    /** ISO 8601, UTC, whole seconds; the same instant as in the id. */
    createdAt: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR,
    host: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    /** As given by the user, without a password. */
    database: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(1),
    identity: valibot__WEBPACK_IMPORTED_MODULE_7__/* .custom */ .IeY(_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .isObject */ .Gv, 'an object'),
    bytes: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)(),
    /** Of the copy that was made, unpacked; of a logical dump that of the live database, with indexes. */
    databaseBytes: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)(),
    durationMs: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)(),
    sha256: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .matching */ .wC)(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
    tools: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .texts */ .Te,
    /** `ms`: how long the restoring took; only with the level `restore`. */
    verified: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({ level: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(VERIFIED_LEVELS), at: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR, ms: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .whole */ .WQ)()) }),
    github: valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({
        repository: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        sha: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        ref: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        runId: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        runUrl: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        actor: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
        event: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(),
    })),
    /** `by`: absent when a person has pinned it. */
    pinned: valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({ reason: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(1), at: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR, by: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(PINNERS)) })),
    /** The manifest was lost, and this one made from what the payload itself tells. */
    adopted: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({ at: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR }))),
    /** How many were to be kept, by the run that made it; and in the store, where its copies are rotated. `within` in milliseconds. */
    keep: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(RULES),
    s3Keep: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(RULES),
    /** null: everything, as of earlier versions, which did not say. */
    coverage: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee(_coverage_js__WEBPACK_IMPORTED_MODULE_2__/* .COVERAGE */ .vk)),
    /** 'suspect': it tripped a limit, and counts for nothing until a person says that it is right. Earlier versions wrote none: 'ok'. */
    state: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(['ok', 'suspect'])),
    /** What made it suspect, also when it was accepted since. */
    suspicion: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee(SUSPICION)),
    /** A person has said that this one is right, and by what: the history of sizes and rows begins anew with it. */
    accepted: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .object */ .Ik)({ by: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(1), at: _schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR }))),
    /** Since when the history goes, where somebody has said so: that one may be gone before older ones are. */
    historySince: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP(valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee(_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .instant */ .uR)),
    /** Ids of the suspect backups that had been accepted when this one was made: their copies in a store are never written again. */
    accepts: valibot__WEBPACK_IMPORTED_MODULE_7__/* .exactOptional */ .yqP((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .list */ .p_)(valibot__WEBPACK_IMPORTED_MODULE_7__/* .pipe */ .FsL((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)(), valibot__WEBPACK_IMPORTED_MODULE_7__/* .check */ .z6Y((id) => (0,_names_js__WEBPACK_IMPORTED_MODULE_4__/* .parseId */ .Fg)(id) !== null, 'an id of the grammar')))),
    reason: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .oneOf */ .yL)(['manual', 'scheduled', 'deploy', 'safety']),
    /** Shell lines that bring it back with stock tools alone. */
    recovery: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .list */ .p_)((0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .text */ .Qq)()),
    content: valibot__WEBPACK_IMPORTED_MODULE_7__/* .nullable */ .mee(CONTENT),
});
/** Whether the one level proves all that the other does. */
const isAtLeast = (level, other) => VERIFIED_LEVELS.indexOf(level) >= VERIFIED_LEVELS.indexOf(other);
/** The files of a damaged database, byte by byte: not a backup that can be restored. */
const isDamagedCopy = ({ engine, kind }) => !(0,_format_js__WEBPACK_IMPORTED_MODULE_3__/* .formatNamed */ .vq)(engine).kinds.includes(kind);
/**
 * Reads a manifest that the host printed, and trusts none of it: type, length and range of each field, and that id, name,
 * file, kind, compression and time agree with each other and with `expectedId` (from the manifest's own file name).
 * Fields that this version does not know stay in the returned object, so that rewriting it (pin) loses nothing.
 * @throws BackupError E_MANIFEST, naming the file and the field.
 */
function parseManifest(text, expectedId) {
    const file = (0,_names_js__WEBPACK_IMPORTED_MODULE_4__/* .manifestFile */ .YE)(expectedId);
    if (text.length > MAX_READ_BYTES)
        throw refused(file, 'text', `at most ${MAX_READ_BYTES} bytes`, text.length);
    let document;
    try {
        document = JSON.parse(text);
    }
    catch {
        throw refused(file, 'text', 'JSON', text);
    }
    if (!(0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .isObject */ .Gv)(document))
        throw refused(file, 'text', 'a JSON object', document);
    demand(file, MANIFEST, document);
    const manifest = document;
    checkAgreement(file, manifest, expectedId);
    return manifest;
}
/**
 * The manifest as written to the host: JSON with two spaces and a final newline.
 * It must pass `parseManifest` first: a manifest that we would refuse later is a backup that never counts.
 * @throws BackupError E_MANIFEST
 */
function serializeManifest(manifest) {
    if (manifest.shortened !== undefined)
        throw new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_INTERNAL', `half of the manifest of ${manifest.id}`);
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    parseManifest(text, manifest.id);
    return text;
}
/** That its fields agree with its id and its engine. */
function checkAgreement(file, manifest, expectedId) {
    const id = (0,_names_js__WEBPACK_IMPORTED_MODULE_4__/* .parseId */ .Fg)(expectedId);
    if (id === null)
        throw refused(file, 'id', 'an id of the grammar', manifest.id);
    const expect = (name, allowed) => {
        if (!allowed.includes(manifest[name])) {
            throw refused(file, name, (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .quoted */ .TL)(allowed), manifest[name]);
        }
    };
    expect('id', [expectedId]);
    expect('name', [id.name]);
    expect('engine', (0,_format_js__WEBPACK_IMPORTED_MODULE_3__/* .engineNames */ .Ry)());
    const format = (0,_format_js__WEBPACK_IMPORTED_MODULE_3__/* .formatNamed */ .vq)(manifest.engine);
    expect('kind', (0,_format_js__WEBPACK_IMPORTED_MODULE_3__/* .allKinds */ .TO)(format));
    expect('file', [(0,_names_js__WEBPACK_IMPORTED_MODULE_4__/* .payloadFile */ .Fp)(expectedId, manifest.kind, manifest.compression)]);
    if (new Date(manifest.createdAt).getTime() !== id.createdAt.getTime()) {
        throw refused(file, 'createdAt', `the time of the id, ${id.createdAt.toISOString()}`, manifest.createdAt);
    }
    const fault = (0,_format_js__WEBPACK_IMPORTED_MODULE_3__/* .faultInIdentity */ .UA)(format, manifest.identity);
    if (fault !== null)
        throw refused(file, `identity.${fault.path}`, fault.rule, fault.value);
    if (manifest.content !== null)
        demand(file, format.content, manifest.content, 'content.');
}
function demand(file, schema, document, prefix = '') {
    const fault = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_1__/* .faultIn */ ._8)(schema, document);
    if (fault !== null)
        throw refused(file, `${prefix}${fault.path}`, fault.rule, fault.value);
}
function refused(file, field, rule, value) {
    return new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_MANIFEST', `${file}: ${shorten(field)}: expected ${rule}, got ${show(value)}`);
}
/** JSON keeps control characters of a hostile value out of the message; the length is bounded. */
function show(value) {
    if (value === undefined)
        return 'nothing';
    if (Array.isArray(value))
        return `a list of ${value.length}`;
    if (typeof value === 'object' && value !== null)
        return 'an object';
    return JSON.stringify(typeof value === 'string' ? shorten(value) : value);
}
function shorten(text) {
    return text.length > SHOWN_LIMIT ? `${text.slice(0, SHOWN_LIMIT)}...` : text;
}


/***/ }),

/***/ 1187:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Eo: () => (/* binding */ isName),
/* harmony export */   Fg: () => (/* binding */ parseId),
/* harmony export */   Fp: () => (/* binding */ payloadFile),
/* harmony export */   No: () => (/* binding */ nameFromText),
/* harmony export */   Px: () => (/* binding */ parseFileName),
/* harmony export */   YE: () => (/* binding */ manifestFile),
/* harmony export */   eQ: () => (/* binding */ isId),
/* harmony export */   hX: () => (/* binding */ formatId),
/* harmony export */   uu: () => (/* binding */ checksumFile)
/* harmony export */ });
/* harmony import */ var _format_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(724);
/* harmony import */ var _packing_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(88);
/**
 * The names of the files in a backup directory:
 * `<name>-<YYYYMMDDTHHMMSSZ>-<4 hex>` and one ending. What does not parse here is not ours: never counted, never touched.
 */


const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';
// Greedy name, then a tail of fixed form up to the end: the name may itself contain hyphens, dots and even a stamp, and
// there is still only one way to read it. That is what "parsed from the right" means, and why `app` is not `app-staging`.
const ID = `(?<id>(?<name>${NAME})-(?<stamp>[0-9]{8}T[0-9]{6}Z)-[0-9a-f]{4})`;
const NAME_ONLY = new RegExp(`^${NAME}$`);
const ID_ONLY = new RegExp(`^${ID}$`);
const MANIFEST = new RegExp(`^${ID}\\.json$`);
const PAYLOAD = new RegExp(`^${ID}\\.(?<kind>[a-z0-9]+)(?<packed>\\.zst|\\.gz)?(?:\\.(?<sealed>age|gpg))?(?<checksum>\\.sha256)?$`);
/** Whether `name` may be the prefix of backup names. */
function isName(name) {
    return NAME_ONLY.test(name);
}
/**
 * The id of a new backup. `createdAt` is cut to whole seconds; `suffix` is 4 lower-case hex digits, random.
 * @throws RangeError when a part is outside the grammar, which is a bug of the caller.
 */
function formatId(name, createdAt, suffix) {
    const id = `${name}-${createdAt.toISOString().replace(/[-:]|\.\d+/g, '')}-${suffix}`;
    if (parseId(id)?.name !== name)
        throw new RangeError(`not the parts of a backup id: ${JSON.stringify(id)}`);
    return id;
}
/** File name of the payload. */
function payloadFile(id, kind, compression) {
    return `${id}.${kind}${(0,_packing_js__WEBPACK_IMPORTED_MODULE_1__/* .endingOf */ .z6)({ compression })}`;
}
/** File name of the checksum beside a payload, for `sha256sum -c`. */
function checksumFile(payload) {
    return `${payload}.sha256`;
}
/** File name of the manifest. */
function manifestFile(id) {
    return `${id}.json`;
}
/** What a file name says, or null when it is not exactly one of ours. Paths are not file names. */
function parseFileName(file) {
    const manifest = MANIFEST.exec(file)?.groups;
    if (manifest !== undefined)
        return withId(manifest, { part: 'manifest' });
    const payload = PAYLOAD.exec(file)?.groups;
    const { kind = '', packed, sealed } = payload ?? {};
    if (payload === undefined || !(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .isKind */ .VF)(kind))
        return null;
    return withId(payload, {
        part: payload.checksum === undefined ? 'payload' : 'checksum',
        kind,
        ...(0,_packing_js__WEBPACK_IMPORTED_MODULE_1__/* .packingOf */ .bp)(packed ?? ''),
        ...(sealed === undefined ? {} : { encryption: sealed }),
    });
}
/** Name and instant of an id, or null when it is none. */
function parseId(text) {
    const groups = ID_ONLY.exec(text)?.groups;
    const createdAt = parseStamp(groups?.stamp ?? '');
    return createdAt === null ? null : { name: groups?.name ?? '', createdAt };
}
/** Whether `text` is the id of a backup of the database called `name`. */
function isId(text, name) {
    return parseId(text)?.name === name;
}
/** The default `name` for the database of that name; null when nothing valid is left. */
function nameFromText(text) {
    const name = text
        .replace(/[^A-Za-z0-9._-]/gu, '-')
        .replace(/^[^A-Za-z0-9]+/, '')
        .slice(0, 64)
        .replace(/[.-]+$/, '');
    return isName(name) ? name : null;
}
function withId(groups, rest) {
    const createdAt = parseStamp(groups.stamp ?? '');
    return createdAt === null ? null : { id: groups.id ?? '', name: groups.name ?? '', createdAt, ...rest };
}
/** `20261120T101500Z`; null unless that second exists in the calendar. */
function parseStamp(stamp) {
    const iso = stamp.replace(/^(....)(..)(..T..)(..)(..)Z$/, '$1-$2-$3:$4:$5Z');
    const date = new Date(iso);
    // Date accepts 30 February and 24:00 and moves them to the next day, hence the way back.
    if (Number.isNaN(date.getTime()) || date.toISOString() !== iso.replace('Z', '.000Z'))
        return null;
    return date;
}


/***/ }),

/***/ 88:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Bo: () => (/* binding */ packingBy),
/* harmony export */   ZK: () => (/* binding */ unpackLine),
/* harmony export */   ZL: () => (/* binding */ stagesOf),
/* harmony export */   _7: () => (/* binding */ COMPRESSIONS),
/* harmony export */   bp: () => (/* binding */ packingOf),
/* harmony export */   z6: () => (/* binding */ endingOf),
/* harmony export */   zr: () => (/* binding */ isCompression)
/* harmony export */ });
/** The programs that compress, by the names that manifests have for what they make. */
const COMPRESSIONS = ['zstd', 'gzip', 'none'];
const isCompression = (text) => COMPRESSIONS.includes(text);
const ENDINGS = { zstd: '.zst', gzip: '.gz', none: '' };
const UNPACK = { zstd: 'zstd -dc', gzip: 'gzip -dc', none: 'cat' };
/** The ending of the payload's name: `.zst`. */
const endingOf = ({ compression }) => ENDINGS[compression];
/** The packing that an ending stands for. */
function packingOf(ending) {
    return { compression: COMPRESSIONS.find((compression) => ENDINGS[compression] === ending) ?? 'none' };
}
/** The stages that host/programs/packing.sh takes the bytes through, in the order of packing; empty: none. */
const stagesOf = ({ compression }) => (compression === 'none' ? '' : compression);
/** The stock tool that unpacks what it reads, or the file that follows, to stdout. */
const unpackLine = ({ compression }) => UNPACK[compression];
/** What the host says that it packs by (`zstd`, `pigz`, `gzip`, `none`), as manifests have it. */
function packingBy(compressor) {
    return { compression: compressor === 'zstd' ? 'zstd' : compressor === 'none' ? 'none' : 'gzip' };
}


/***/ }),

/***/ 7385:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  UG: () => (/* binding */ CLOCK_TOLERANCE_MS),
  Yf: () => (/* binding */ KEEP_RULES),
  GJ: () => (/* binding */ isFuture),
  ll: () => (/* binding */ newestFirst),
  SA: () => (/* binding */ planRetention)
});

// EXTERNAL MODULE: ./src/counting.ts
var counting = __nccwpck_require__(7278);
;// CONCATENATED MODULE: ./src/backups/periods.ts
/** The calendar periods, finest first: the label of the one that holds `date`. All in UTC, so no night has a gap or a double hour. */
const PERIODS = {
    hourly: (date) => date.toISOString().slice(0, 13),
    daily: (date) => date.toISOString().slice(0, 10),
    weekly: isoWeek,
    monthly: (date) => date.toISOString().slice(0, 7),
    yearly: (date) => date.toISOString().slice(0, 4),
};
const DAY = 86_400_000;
/** `2026-W53`. A week belongs to the year of its Thursday (ISO 8601), so 1 January may lie in week 53 of the year before. */
function isoWeek(date) {
    const midnight = Math.floor(date.getTime() / DAY) * DAY;
    const thursday = new Date(midnight + (4 - (date.getUTCDay() || 7)) * DAY);
    const year = thursday.getUTCFullYear();
    const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY / 7) + 1;
    return `${year}-W${String(week).padStart(2, '0')}`;
}

;// CONCATENATED MODULE: ./src/backups/retention.ts


/** Clocks of the runner and the host may differ by this much; what is dated later than that is from the future. */
const CLOCK_TOLERANCE_MS = 15 * 60_000;
const MIN_DELETE_LIMIT = 10;
/** Workflows have a handful; a directory may hold whatever somebody puts there. */
const MOST_RULES = 50;
const KEEP_RULES = ['last', 'within', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'];
/** Of the suspect backups that are newer than every good one. */
const SUSPECTS_KEPT = 3;
/** Order of backups everywhere: by the manifest's time, never by name or mtime; ties by id. */
function newestFirst(a, b) {
    return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
/** Whether a backup is dated in the future, or at no time at all. */
function isFuture(createdAt, now) {
    // Not `>`: an invalid date must never pass for an old backup.
    return !(createdAt.getTime() <= now.getTime() + CLOCK_TOLERANCE_MS);
}
/**
 * Decides which backups to keep. The plan is complete even when it is refused; a refused plan must not be carried out.
 * Semantics are those of `restic forget`: rules are OR-ed, the newest of each period wins, and only periods that hold a
 * backup use up a count. `held`: what can not be deleted, with the reason, by id; it is kept, and is no deletion that a limit could refuse.
 */
function planRetention(candidates, policy, now, held = new Map()) {
    const ordered = [...candidates].sort(newestFirst);
    // By id, so that of two candidates with one id (a lying listing) none is deleted while the other is kept.
    const reasons = new Map(ordered.map(({ id }) => [id, new Set()]));
    const keep = (candidate, reason) => reasons.get(candidate.id)?.add(reason);
    const eligible = [];
    const suspects = [];
    const whyNot = new Map();
    const isGood = ({ verified, safety, createdAt }) => verified && !safety && !isFuture(createdAt, now);
    for (const candidate of ordered) {
        if (candidate.leftover) {
            whyNot.set(candidate.id, 'no manifest and no payload: there is nothing in it');
            continue;
        }
        const isSuspect = candidate.suspect === true;
        if (candidate.pinned !== null)
            keep(candidate, `pinned: ${candidate.pinned}`);
        if (candidate.safety)
            keep(candidate, 'safety backup');
        if (!candidate.verified && !isSuspect)
            keep(candidate, candidate.why ?? 'not verified');
        if (isFuture(candidate.createdAt, now))
            keep(candidate, 'dated in the future');
        if (reasons.get(candidate.id)?.size === 0)
            (isSuspect ? suspects : eligible).push(candidate);
    }
    const series = seriesOf(ordered).map((name) => {
        const isOfIt = ({ partial = '' }) => partial === name;
        const own = eligible.filter(isOfIt);
        const among = name === '' ? '' : `, among those ${name}`;
        applyRules(own, policy.rules, (candidate, reason) => keep(candidate, `${reason}${among}`));
        if (policy.madeUnder !== false) {
            const left = own.filter(({ id }) => reasons.get(id)?.size === 0);
            applyOwnRules(own, left, (candidate, reason) => keep(candidate, `${reason}${among}`));
        }
        // a whole backup has all that a partial one has
        const newestGood = ordered.find((one) => isGood(one) && (isOfIt(one) || (one.partial ?? '') === ''));
        for (const [id, why] of keepSuspects(suspects.filter(isOfIt), newestGood, keep))
            whyNot.set(id, why);
        return { name, own };
    });
    const decisions = ordered.map(({ id }) => {
        const found = [...(reasons.get(id) ?? [])];
        const lock = held.get(id);
        if (found.length === 0 && lock !== undefined)
            found.push(lock);
        return found.length > 0
            ? { id, keep: true, reasons: found }
            : { id, keep: false, reasons: [whyNot.get(id) ?? 'no rule keeps it'] };
    });
    const gone = new Set(decisions.filter((decision) => !decision.keep).map(({ id }) => id));
    const good = series.map(({ name, own }) => {
        return { name, all: own.length, gone: own.filter(({ id }) => gone.has(id)).length };
    });
    const refusal = gone.size === 0 ? null : refuse(candidates.length, good, gone.size, policy);
    return { decisions, refusal };
}
/**
 * Applies to each backup of `left` the rules under which it was made, over all of its series, so that two workflows with different rules do
 * not delete each other's. Both are newest first.
 */
function applyOwnRules(series, left, keep) {
    const byRules = new Map();
    for (const candidate of left) {
        if (candidate.madeUnder === undefined)
            continue;
        const rules = JSON.stringify(KEEP_RULES.map((rule) => candidate.madeUnder?.[rule] ?? null));
        byRules.set(rules, [...(byRules.get(rules) ?? []), candidate]);
    }
    for (const [at, made] of [...byRules.values()].entries()) {
        const ids = new Set(made.map(({ id }) => id));
        if (at >= MOST_RULES)
            for (const one of made)
                keep(one, 'made under one of too many different rules');
        else {
            applyRules(series, made[0]?.madeUnder ?? {}, (candidate, reason) => {
                if (ids.has(candidate.id))
                    keep(candidate, `${reason}, by the rules that it was made under`);
            });
        }
    }
}
/** What the backups cover, each once, whole ones first. */
function seriesOf(candidates) {
    return [...new Set(['', ...candidates.map(({ partial = '' }) => partial)])];
}
/** Keeps the newest suspect backups for as long as no good one is newer; returns why the others go, by id. `suspects` is newest first. */
function keepSuspects(suspects, newestGood, keep) {
    const whyNot = new Map();
    let kept = 0;
    for (const candidate of suspects) {
        if (newestGood !== undefined && newestFirst(newestGood, candidate) < 0) {
            whyNot.set(candidate.id, 'suspect, and a good one is newer');
        }
        else if (kept < SUSPECTS_KEPT) {
            kept++;
            keep(candidate, `suspect: ${candidate.why ?? 'it tripped a limit'}`);
        }
        else
            whyNot.set(candidate.id, `suspect, and ${SUSPECTS_KEPT} newer ones are kept`);
    }
    return whyNot;
}
/** @param eligible newest first: verified, neither pinned nor safety nor from the future. */
function applyRules(eligible, rules, keep) {
    const newest = eligible[0];
    if (newest === undefined)
        return;
    const { last = 0, within } = rules;
    eligible.slice(0, last).forEach((candidate, index) => {
        keep(candidate, `last ${index + 1} of ${last}`);
    });
    if (within !== undefined) {
        // From the newest backup, not from now: after a pause nothing is too old all at once.
        const since = newest.createdAt.getTime() - within;
        for (const candidate of eligible) {
            if (candidate.createdAt.getTime() >= since)
                keep(candidate, `within ${duration(within)} of the newest`);
        }
    }
    for (const [rule, label] of Object.entries(PERIODS)) {
        const count = rules[rule] ?? 0;
        const seen = new Set();
        for (const candidate of eligible) {
            const period = label(candidate.createdAt);
            if (seen.size >= count)
                break;
            if (!seen.has(period))
                keep(candidate, `${rule} ${period}`);
            seen.add(period);
        }
    }
}
/** Why a plan that deletes something must not be carried out, or null. */
function refuse(all, series, deletions, policy) {
    const rules = Object.entries(policy.rules).filter(([, value]) => value !== undefined);
    if (rules.length === 0)
        return `keep: no rule is set, so ${deletions} of ${(0,counting/* plural */.L)(all, 'backup')} would be deleted`;
    const found = [];
    const wrong = rules.filter(([, value]) => !(Number.isSafeInteger(value) && value >= 1));
    if (wrong.length > 0) {
        found.push(`keep: rules must be whole numbers of 1 or more, got ${wrong.map((rule) => rule.join('=')).join(' ')}`);
    }
    // The comparisons are written so that a limit that is not a number refuses, too. Suspect ones may go without a good one.
    for (const { name, all, gone } of series.filter(({ gone }) => gone > 0)) {
        const remaining = all - gone;
        const of = `${all}${name === '' ? '' : ` ${name}`}, pinned and safety backups apart`;
        if (remaining < 1)
            found.push(`keep: no verified backup would remain of ${of}`);
        else if (!(remaining >= policy.keepMinimum)) {
            found.push(`keep-minimum: ${(0,counting/* plural */.L)(policy.keepMinimum, 'verified backup')} must remain, the rules leave ${remaining} of ${of}`);
        }
    }
    const limit = policy.maxDelete ?? Math.max(MIN_DELETE_LIMIT, Math.floor(all / 2));
    if (!(deletions <= limit)) {
        found.push(`max-delete: at most ${(0,counting/* plural */.L)(limit, 'deletion')}, the plan has ${deletions} of ${(0,counting/* plural */.L)(all, 'backup')}`);
    }
    return found.length > 0 ? found.join('; ') : null;
}
/** `7d`, `26h`: in the largest unit that leaves no rest. */
function duration(ms) {
    const units = [
        ['d', 86_400_000],
        ['h', 3_600_000],
        ['m', 60_000],
        ['s', 1000],
    ];
    const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
    return `${ms / size}${unit}`;
}


/***/ }),

/***/ 833:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Z: () => (/* binding */ cancel)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);

/**
 * Ends the run: its reason is what the run reports. The signals are listened to from the start of the process, since one
 * without a listener kills it, and then nothing says `backup-ok=false`.
 */
const cancel = new AbortController();
// The runner sends SIGINT, 7.5 s later SIGTERM, 2.5 s later it kills.
for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => cancel.abort(new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_CANCELLED', `the run was cancelled (${signal})`)));
}
// An error of ours outside of any awaited call.
process.on('uncaughtException', (error) => cancel.abort(error));


/***/ }),

/***/ 7278:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   L: () => (/* binding */ plural)
/* harmony export */ });
/** `1 row`, `2 rows`: a number as it is, with the noun that fits it. */
const plural = (count, noun, many = `${noun}s`) => `${count} ${count === 1 ? noun : many}`;


/***/ }),

/***/ 4074:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   KT: () => (/* binding */ named),
/* harmony export */   Lx: () => (/* binding */ loginUser),
/* harmony export */   Ty: () => (/* binding */ payloadArguments),
/* harmony export */   Uu: () => (/* binding */ checkRows),
/* harmony export */   YA: () => (/* binding */ seconds),
/* harmony export */   Zw: () => (/* binding */ compressorOf),
/* harmony export */   oJ: () => (/* binding */ commonArguments)
/* harmony export */ });
/* harmony import */ var _backups_packing_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(88);
/* harmony import */ var _counting_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(7278);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(7452);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(4302);




// What the engines share.
/** The named arguments of a request to the program on the host. */
const named = (values) => Object.entries(values).flat();
/** Those that every engine's program takes. */
function commonArguments(settings) {
    return {
        name: settings.name,
        run_as: settings.runAs ?? '',
        verify: settings.verify,
        wanted: settings.compression,
        level: settings.compressionLevel === null ? '' : String(settings.compressionLevel),
        asserts: settings.asserts.join('\n'),
        min_free_kib: String(Math.ceil(settings.minFreeBytes / 1024)),
    };
}
/** Those of every request that reads a payload. */
function payloadArguments(payload) {
    const { file, sha256, bytes, databaseBytes, kind } = payload;
    return {
        payload: file,
        sha256,
        bytes: String(bytes),
        plain_bytes: databaseBytes === null ? '' : String(databaseBytes),
        packing: (0,_backups_packing_js__WEBPACK_IMPORTED_MODULE_0__/* .stagesOf */ .ZL)(payload),
        kind,
    };
}
/** The rows of a restored copy are those that were counted at the time of the backup, as far as the manifest has them; else E_MANIFEST. */
function checkRows({ tables, tablesLeftOut = 0 }, restored) {
    const found = new Map(restored.map(({ name, rows }) => [name, rows]));
    const wrong = [];
    for (const { name, rows } of tables) {
        const there = found.get(name);
        found.delete(name);
        if (there === undefined)
            wrong.push(`${name} is missing`);
        else if (rows !== null && there !== null && rows !== there)
            wrong.push(`${name} has ${(0,_counting_js__WEBPACK_IMPORTED_MODULE_2__/* .plural */ .L)(there, 'row')}, not ${rows}`);
    }
    const surplus = [...found].flatMap(([name, rows]) => (rows ? [[name, rows]] : []));
    if (surplus.length > tablesLeftOut) {
        for (const [name, rows] of surplus)
            wrong.push(`${name} has ${(0,_counting_js__WEBPACK_IMPORTED_MODULE_2__/* .plural */ .L)(rows, 'row')}, and is not in the manifest`);
    }
    if (wrong.length === 0)
        return;
    const shown = wrong.slice(0, 5).map((one) => (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_3__/* .quoteOutside */ .Y)(one, 120));
    throw new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj('E_MANIFEST', `the restored copy is not what the manifest says: ${shown.join('; ')}${wrong.length > shown.length ? `; and ${wrong.length - shown.length} more` : ''}`, 'Do not rely on this backup: take a new one, and look at who can write that directory.');
}
/** Whole seconds, not fewer than asked for. */
const seconds = (ms) => String(Math.ceil(ms / 1000));
/** The compressor with its version, for the manifest. */
function compressorOf(facts) {
    const compressor = facts.get('compressor');
    if (compressor === null || compressor === 'none')
        return {};
    return { [compressor]: (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_3__/* .quoteOutside */ .Y)(facts.get('compressor_version') ?? '', 100) };
}
/** The user who logs in, for messages. */
const loginUser = ({ transport }) => transport.transport === 'ssh' ? transport.username : 'the user of this runner';


/***/ }),

/***/ 8581:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  ug: () => (/* binding */ ENGINES),
  zJ: () => (/* binding */ databaseOf),
  ky: () => (/* binding */ engineOf),
  UZ: () => (/* binding */ engineOfKind),
  PJ: () => (/* binding */ parseSource),
  h2: () => (/* binding */ programsOf)
});

// NAMESPACE OBJECT: ./src/engines/registry.ts
var registry_namespaceObject = {};
__nccwpck_require__.r(registry_namespaceObject);
__nccwpck_require__.d(registry_namespaceObject, {
  postgres: () => (postgres),
  sqlite: () => (sqlite)
});

// EXTERNAL MODULE: ./src/backups/format.ts
var format = __nccwpck_require__(724);
// EXTERNAL MODULE: ./src/backups/names.ts
var names = __nccwpck_require__(1187);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
// EXTERNAL MODULE: ./src/backups/packing.ts
var packing = __nccwpck_require__(88);
// EXTERNAL MODULE: ./src/counting.ts
var counting = __nccwpck_require__(7278);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __nccwpck_require__(7452);
// EXTERNAL MODULE: ./src/host/quoting.ts
var quoting = __nccwpck_require__(2437);
// EXTERNAL MODULE: ./src/reporting/format.ts
var reporting_format = __nccwpck_require__(1267);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __nccwpck_require__(4302);
// EXTERNAL MODULE: ./src/schemas.ts
var schemas = __nccwpck_require__(9011);
// EXTERNAL MODULE: ./src/engines/common.ts
var common = __nccwpck_require__(4074);
;// CONCATENATED MODULE: ./src/engines/postgres/connection-string.ts
/**
 * `dbname='...' host='...'` for the tools of PostgreSQL, each value quoted as libpq reads it, the name of the database
 * always first: given alone, a name like `x=y` or `-x` would be taken for something else, and another database be dumped.
 * Never with a password: arguments can be seen by everybody on the host.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
 */
function connectionString({ database, parameters }) {
    const quoted = (value) => `'${value.replace(/[\\']/g, '\\$&')}'`;
    return [['dbname', database], ...parameters].map(([keyword, value = '']) => `${keyword}=${quoted(value)}`).join(' ');
}

;// CONCATENATED MODULE: external "node:buffer"
const external_node_buffer_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:buffer");
// EXTERNAL MODULE: ./node_modules/valibot/dist/index.mjs
var dist = __nccwpck_require__(7934);
;// CONCATENATED MODULE: ./src/engines/postgres/format.ts


/** As a server tells it. */
const SYSTEM_IDENTIFIER = /^\d{1,20}$/;
const IDENTITY = (0,schemas/* object */.Ik)({
    database: (0,schemas/* text */.Qq)(1),
    /** Of the server's cluster; null where the role may not read it, or nobody has asked the server. */
    systemIdentifier: dist/* nullable */.mee((0,schemas/* matching */.wC)(SYSTEM_IDENTIFIER, 'the number of a server, or null')),
});
const CONTENT = (0,schemas/* object */.Ik)({
    largeObjects: (0,schemas/* whole */.WQ)(),
    /** Functions on which other objects depend, and whose text may rely on the search_path of the database; absent: none, or not looked for. */
    pathFunctions: dist/* exactOptional */.yqP((0,schemas/* whole */.WQ)()),
    /** SQL, one statement each: what belongs to the database itself (encoding, owner, grants, settings, comment). */
    properties: (0,schemas/* list */.p_)((0,schemas/* text */.Qq)()),
    /** SQL, line by line: the roles of the server, without passwords; null where the role of the backup may not read them. */
    roles: dist/* nullable */.mee((0,schemas/* list */.p_)((0,schemas/* text */.Qq)())),
    /** Names of those that a restore has to create; absent in what earlier versions wrote. */
    extensions: dist/* exactOptional */.yqP((0,schemas/* list */.p_)((0,schemas/* text */.Qq)())),
});
const isPostgresIdentity = (identity) => 'systemIdentifier' in identity;
/** What the manifest tells of a dump; null where it tells nothing, or there is none. */
const contentOf = (manifest) => manifest?.content != null && 'properties' in manifest.content ? manifest.content : null;
const postgresFormat = {
    kinds: ['dump', 'tar', 'sql'],
    logical: true,
    identityFields: ['database', 'systemIdentifier'],
    identity: IDENTITY,
    content: CONTENT,
    isSame(one, other) {
        if (one.database !== other.database)
            return false;
        const servers = [one.systemIdentifier, other.systemIdentifier];
        return servers.includes(null) || servers[0] === servers[1];
    },
    serverOf: ({ systemIdentifier }) => systemIdentifier,
    show({ database, systemIdentifier }) {
        const server = systemIdentifier === null ? '' : ` of the server with the system identifier ${systemIdentifier}`;
        return `${JSON.stringify(database)}${server}`;
    },
};

;// CONCATENATED MODULE: ./src/engines/postgres/facts.ts





// What the requests to programs/postgres.sh and postgres-restore.sh have in common, and how their facts are read.
/** The named arguments that say where the database is, and with what it is reached. */
function argumentsOf(source, settings) {
    return {
        ...(0,common/* commonArguments */.oJ)(settings),
        container: settings.container ?? '',
        connection: connectionString(source),
        password: source.password ?? '',
        format: settings.dump.format,
        // who names the kind of server in the URL has thought about it
        standby: source.parameters.some(([keyword]) => keyword === 'target_session_attrs') ? 'allowed' : '',
    };
}
const decoded = (hex) => Buffer.from(hex, 'hex').toString('utf8');
/**
 * A name as the manifest has it. A database without an encoding (SQL_ASCII) may hold bytes that are no text: in such a name each byte
 * above 7f is written `\\xe4`, so that two names never become the same. A backslash of a name that would read as such is `\\x5c`.
 */
function nameOf(bytes) {
    const text = bytes.toString('latin1').replace(/\\(?=x(5c|[89a-f][0-9a-f]))/g, '\\x5c');
    return (0,external_node_buffer_namespaceObject.isUtf8)(bytes) ? Buffer.from(text, 'latin1').toString('utf8') : text.replace(/[\x80-\xff]/g, escapedByte);
}
const escapedByte = (byte) => `\\x${byte.charCodeAt(0).toString(16)}`;
/** The way back, in hex. */
function encodedName(name) {
    const text = Buffer.from(name, 'utf8').toString('latin1');
    const bytes = text.replace(/\\x(5c|[89a-f][0-9a-f])/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('hex');
}
/** Texts of the server that a manifest can hold, and how many it can not: those with bytes that are no text. */
function textsIn(facts, key) {
    const all = facts.all(key).map((hex) => Buffer.from(hex, 'hex'));
    const texts = all.filter((bytes) => (0,external_node_buffer_namespaceObject.isUtf8)(bytes)).map(String);
    return { texts, left: all.length - texts.length };
}
/** How texts travel, in both directions: nothing in them is a line, a quote or a command on the way. */
const encoded = (text) => Buffer.from(text, 'utf8').toString('hex');
/** What the version of the server is called. */
const serverVersion = (facts) => decoded(facts.get('server_version') ?? '');
/** `ENCODING COLLATE CTYPE PROVIDER LOCALE RULES`, each in hex: how a database is made; empty: as the server does it by itself. */
function likeArgument(like) {
    if (like === null)
        return '';
    const { encoding, collate, ctype, provider, locale, rules } = like;
    return [encoding, collate, ctype, provider ?? 'libc', locale ?? '-', rules ?? '-'].map(encoded).join(' ');
}
/** `OID HEX` */
function tableOf(text) {
    const [oid = '', hex = ''] = text.split(' ');
    return [oid, nameOf(Buffer.from(hex, 'hex'))];
}
/** The tables of a copy that was made of a backup, with their rows where they were counted. */
const restoredIn = (facts) => [
    ...facts.restored.map(({ name, rows }) => ({ name: nameOf(name), rows })),
    ...facts.all('restored_uncounted').map((hex) => ({ name: nameOf(Buffer.from(hex, 'hex')), rows: null })),
];
/** Throws E_INTERNAL when the host told a system identifier that is none. */
function identityIn(facts, database) {
    const systemIdentifier = facts.get('system_identifier');
    if (systemIdentifier !== null && !SYSTEM_IDENTIFIER.test(systemIdentifier)) {
        throw new errors/* BackupError */.hj('E_INTERNAL', 'the host reported a system identifier that is none');
    }
    return { database, systemIdentifier };
}
/** The tables that the host has listed, with their rows where it has counted them. */
function tablesOf(facts) {
    const counted = new Map(facts.all('rows').map((text) => {
        const [oid = '', rows = ''] = text.split(' ');
        return [oid, Number(rows)];
    }));
    return facts.all('table').map((text) => {
        const [oid, name] = tableOf(text);
        const rows = counted.get(oid) ?? null;
        return { name, rows: Number.isSafeInteger(rows) ? rows : null };
    });
}

;// CONCATENATED MODULE: ./src/engines/postgres/name-patterns.ts
/**
 * The patterns of pg_dump's --exclude-table, --exclude-table-data and --schema, as conditions for a query of our own, which
 * so learns what a dump leaves out. The language is psql's:
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS, and the rules here are those of
 * patternToSQLRegex and processSQLNamePattern in fe_utils/string_utils.c.
 */
/**
 * SQL condition, true for relations `c` in namespace `n` (aliases of pg_class and pg_namespace) that pg_dump matches. Like
 * pg_dump it does not look at the kind: there these are only r, S, v, m, f and p.
 *
 * A pattern without a schema means what is visible, so the query must run under the search_path that the session began with,
 * as pg_dump's own does: after `RESET search_path`. With a regular expression that is malformed the query fails, as pg_dump does.
 */
function tableCondition(pattern) {
    const [first = '', second] = scan(pattern).parts;
    const place = second === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : matches('n.nspname', first);
    return `(${matches('c.relname', second ?? first)} AND ${place})`;
}
/** SQL condition, true for the namespaces `n` (alias of pg_namespace) that pg_dump matches. */
function schemaCondition(pattern) {
    return `(${matches('n.nspname', scan(pattern).parts[0] ?? '')})`;
}
/**
 * Checks a pattern and returns it as it is. A leading `-` is no danger in `--schema=-x`. Stricter than pg_dump, which takes
 * what is refused here for a pattern that matches nothing, or something else than it says.
 *
 * Throws an Error whose text is the rule.
 */
function parseNamePattern(text, parts) {
    if (text === '')
        throw new Error('expected a pattern, such as audit_* or app.sessions');
    if (/\p{Cc}/u.test(text))
        throw new Error('expected one pattern a line, without control characters');
    const { parts: names, inQuotes } = scan(text);
    if (inQuotes)
        throw new Error('a double quote is not closed; one inside a quoted name is written twice');
    if (parts === 'schema' && names.length > 1) {
        throw new Error('expected the name of a schema alone; a name with a dot in it stands in double quotes');
    }
    if (names.length > 2) {
        throw new Error('expected table or schema.table; a name with a dot in it stands in double quotes');
    }
    if (names.includes(''))
        throw new Error('expected a name on both sides of the dot, and none that is empty');
    return text;
}
/** The regular expression of each part between unquoted dots, not anchored; and whether the last quote is open. */
function scan(pattern) {
    const parts = [];
    let part = '';
    let inQuotes = false;
    for (let at = 0; at < pattern.length; at += 1) {
        const char = pattern.charAt(at);
        const next = pattern.charAt(at + 1);
        if (char === '"' && inQuotes && next === '"') {
            part += '"';
            at += 1;
        }
        else if (char === '"') {
            inQuotes = !inQuotes;
        }
        else if (char === '.' && !inQuotes) {
            parts.push(part);
            part = '';
        }
        else {
            part += inQuotes ? char.replace(/[|*+?()[\]{}.^$\\]/, '\\$&') : unquoted(char, next);
        }
    }
    return { parts: [...parts, part], inQuotes };
}
function unquoted(char, next) {
    if (char === '*')
        return '.*';
    if (char === '?')
        return '.';
    // Names may have it, and the end is anchored anyway.
    if (char === '$')
        return '\\$';
    // More likely an array type than the start of a bracket expression.
    if (char === '[' && next === ']')
        return '\\[';
    // ASCII alone: psql folds byte by byte, and no byte of a longer character is a letter. The rest may be a regular expression.
    return /[A-Z]/.test(char) ? char.toLowerCase() : char;
}
/** The collation that names are compared by since PostgreSQL 12 knows no letters beyond ASCII. */
function matches(column, expression) {
    // E'' means the same whatever standard_conforming_strings is.
    const literal = `E'^(${expression.replaceAll('\\', '\\\\').replaceAll("'", "''")})$'`;
    return `${column} OPERATOR(pg_catalog.~) ${literal} COLLATE pg_catalog."default"`;
}

;// CONCATENATED MODULE: ./src/engines/postgres/properties.ts

const NAME = String.raw `(?:"(?:[^"\0]|"")+"|[a-z_][a-z0-9_$]*)`;
/** As `quote_literal` writes it: with backslashes only after an E, which it puts a blank before. */
const TEXT = String.raw `(?: ?E'(?:[^'\\\0]|''|\\\\)*'|'(?:[^'\\\0]|'')*')`;
const ON = `DATABASE ${NAME}`;
const WHO = `(?<who>PUBLIC|${NAME})`;
const CREATE = new RegExp(`^CREATE ${ON} TEMPLATE template0 ENCODING (?<encoding>${TEXT}) LC_COLLATE (?<collate>${TEXT}) LC_CTYPE (?<ctype>${TEXT})(?<provider> LOCALE_PROVIDER (?:libc|(?:icu ICU|builtin BUILTIN)_LOCALE (?<locale>${TEXT})(?: ICU_RULES (?<rules>${TEXT}))?))?(?: OWNER (?<owner>${NAME}))?;$`);
/** Each statement of ours, and how it reads for another database. */
const FORMS = [
    [
        new RegExp(String.raw `^ALTER ${ON} CONNECTION LIMIT (?<limit>-?\d{1,9});$`),
        (to, { limit }) => `ALTER DATABASE ${to} CONNECTION LIMIT ${limit};`,
    ],
    [
        new RegExp(`^COMMENT ON ${ON} IS (?<text>${TEXT});$`),
        (to, { text }) => `COMMENT ON DATABASE ${to} IS ${literal(textIn(text))};`,
    ],
    [
        new RegExp(`^REVOKE ALL ON ${ON} FROM ${WHO};$`),
        (to, { who }) => `REVOKE ALL ON DATABASE ${to} FROM ${grantee(who)};`,
    ],
    [
        new RegExp(`^GRANT (?<rights>(?:CREATE|CONNECT|TEMPORARY)(?:, (?:CREATE|CONNECT|TEMPORARY))*) ON ${ON} TO ${WHO}(?<option> WITH GRANT OPTION)?;$`),
        (to, { rights, who, option = '' }) => `GRANT ${rights} ON DATABASE ${to} TO ${grantee(who)}${option};`,
    ],
    [
        // names in a list: as earlier versions kept it
        new RegExp(`^ALTER (?:ROLE (?<role>${NAME}) IN )?${ON} SET (?<setting>${NAME}) TO (?<values>${TEXT}(?:, ${TEXT})*|${NAME}(?:, *${NAME})*);$`),
        (to, { role, setting, values }) => `ALTER ${role === undefined ? '' : `ROLE ${identifier(textIn(role))} IN `}DATABASE ${to} SET ${identifier(textIn(setting))} TO ${properties_textsIn(values).map(literal).join(', ')};`,
    ],
];
const EACH_VALUE = new RegExp(`${TEXT}|${NAME}`, 'g');
const SEARCH_PATH = new RegExp(`^ALTER ${ON} SET search_path TO (?<values>.*);$`, 's');
/** A name as SQL has it. */
const identifier = (name) => `"${name.replaceAll('"', '""')}"`;
/** A text as SQL has it, whatever the server takes a backslash for. */
const literal = (text) => `${text.includes('\\') ? 'E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
/** Of a name or text as the server wrote it. */
function textIn(word = '') {
    const text = word.trimStart();
    if (text.startsWith('"'))
        return text.slice(1, -1).replaceAll('""', '"');
    if (text.startsWith("E'"))
        return text.slice(2, -1).replaceAll("''", "'").replaceAll('\\\\', '\\');
    return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
const properties_textsIn = (list = '') => [...list.matchAll(EACH_VALUE)].map(([word]) => textIn(word));
const grantee = (who = '') => (who === 'PUBLIC' ? who : identifier(textIn(who)));
/** What the manifest says of how the database was made; null where it says nothing that can be relied on. */
function likeOf(content) {
    const [first = ''] = propertiesOf(content);
    const parts = CREATE.exec(first)?.groups;
    if (parts === undefined)
        return null;
    const { encoding, collate, ctype, provider = '', locale, rules, owner } = parts;
    return {
        encoding: textIn(encoding),
        collate: textIn(collate),
        ctype: textIn(ctype),
        provider: ['libc', 'icu', 'builtin'].find((name) => provider.startsWith(` LOCALE_PROVIDER ${name}`)) ?? null,
        locale: locale === undefined ? null : textIn(locale),
        rules: rules === undefined ? null : textIn(rules),
        owner: owner === undefined ? null : textIn(owner),
    };
}
/** For people: makes a database like the one of the backup. */
function createStatement(name, content) {
    const like = likeOf(content);
    const made = `CREATE DATABASE ${identifier(name)} TEMPLATE template0`;
    if (like === null)
        return made;
    const provider = like.provider === null
        ? ''
        : ` LOCALE_PROVIDER ${like.provider}${like.locale === null ? '' : ` ${like.provider.toUpperCase()}_LOCALE ${literal(like.locale)}`}${like.rules === null ? '' : ` ICU_RULES ${literal(like.rules)}`}`;
    return `${made} ENCODING ${literal(like.encoding)} LC_COLLATE ${literal(like.collate)} LC_CTYPE ${literal(like.ctype)}${provider}`;
}
/** Grants, settings and comment of the database that was backed up, for another one; `leftOut` statements were none of ours. */
function propertiesFor(name, content) {
    const told = propertiesOf(content).slice(1);
    const statements = told.flatMap((statement) => {
        for (const [form, write] of FORMS) {
            const parts = form.exec(statement)?.groups;
            if (parts !== undefined)
                return [write(identifier(name), parts)];
        }
        return [];
    });
    return { statements, leftOut: told.length - statements.length };
}
/** The search_path of the database that was backed up, as a session sets it; empty where none was set. */
function searchPathOf(content) {
    for (const statement of propertiesOf(content)) {
        const values = SEARCH_PATH.exec(statement)?.groups?.values;
        if (values !== undefined)
            return properties_textsIn(values).map(identifier).join(', ');
    }
    return '';
}
const propertiesOf = (content) => contentOf({ content })?.properties ?? [];

;// CONCATENATED MODULE: ./src/engines/restoring.ts

/** What every request that reads the dump is told of it. */
function dumpArguments(dump) {
    const { manifest } = dump;
    return {
        ...(0,common/* payloadArguments */.Ty)(dump),
        foreign: manifest === null ? '1' : '',
        // of what this action did not make nobody has proven anything, and what the tool can not judge is told
        proven: manifest?.verified.level ?? 'foreign',
    };
}

;// CONCATENATED MODULE: ./src/engines/postgres/client-holes.ts


/** https://www.postgresql.org/support/security/ */
const HOLES = [
    // commands of psql in a script that pg_dump made of a hostile server
    { cve: 'CVE-2025-8714', kinds: ['sql'], fixed: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 } },
    // line breaks in the names of objects
    { cve: 'CVE-2025-8715', kinds: ['sql', 'dump', 'tar'], fixed: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 } },
    // \unrestrict expands commands in backticks, within what mended CVE-2025-8714
    { cve: 'CVE-2026-18408', kinds: ['sql'], fixed: { 14: 24, 15: 19, 16: 15, 17: 11, 18: 6 } },
    // pg_restore itself runs what a crafted archive says
    { cve: 'CVE-2026-116314', kinds: ['dump', 'tar'], fixed: { 14: 25, 15: 20, 16: 16, 17: 12, 18: 7 } },
];
/**
 * The holes that a dump of this kind could use, by `pg_dump --version` (`pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`).
 * A version that can not be read has them all. `fixedIn` is of the same major, or the oldest that was mended.
 */
function holesOf(version, kind) {
    // before the number its maker, in brackets; a beta is older than every minor version
    const [, major, minor] = /^\S+ \([^)]*\) (\d+)(?:\.(\d+)|(?:devel|alpha|beta|rc)\d*)?(?![\d])/.exec(version) ?? [];
    return HOLES.filter(({ kinds }) => kinds.some((one) => one === kind)).flatMap(({ cve, fixed }) => {
        const majors = Object.keys(fixed).map(Number);
        const first = fixed[Number(major)];
        if (first !== undefined && Number(minor ?? -1) >= first)
            return [];
        if (first === undefined && Number(major) > Math.max(...majors))
            return [];
        const mended = first === undefined ? Math.min(...majors) : Number(major);
        return [{ cve, fixedIn: `${mended}.${fixed[mended]}` }];
    });
}
/**
 * Throws E_TOOL_UNSAFE when the client has holes that a dump which this action did not make could use, unless that is allowed. Otherwise
 * what is to be said about it, in at most one sentence.
 */
function refuseUnsafe(version, dump, settings) {
    const holes = holesOf(version, dump.kind);
    if (holes.length === 0)
        return [];
    const tool = dump.kind === 'sql' ? 'psql' : 'pg_restore';
    const has = `${tool} on the host (${(0,neutralise/* quoteOutside */.Y)(version, 100)}) has known holes: ${holes.map(({ cve }) => cve).join(', ')}`;
    const install = `the PostgreSQL client ${newest(holes.map(({ fixedIn }) => fixedIn))} or newer`;
    if (dump.manifest !== null) {
        return [
            `${has}. Through them whoever can change the backups, or made objects in the database, can run commands there during a restore: install ${install}`,
        ];
    }
    if (settings.restore.allowUnsafeClient) {
        return [
            `${has}, and ${(0,neutralise/* quoteOutside */.Y)(dump.file, 500)} is restored with it all the same (allow-unsafe-client): whoever made that file can run commands on the host`,
        ];
    }
    throw new errors/* BackupError */.hj('E_TOOL_UNSAFE', `${has}. Through them whoever made ${(0,neutralise/* quoteOutside */.Y)(dump.file, 500)} could run commands there while it is restored`, `Install ${install} ${settings.container === null ? 'on the host' : 'in the container'} (the package postgresql-client). If you trust whoever made the dump and the server it came from, set \`allow-unsafe-client: true\`.`);
}
/** Of versions `MAJOR.MINOR` the highest. */
function newest(versions) {
    const order = new Intl.Collator('en', { numeric: true });
    return versions.toSorted(order.compare).at(-1) ?? '';
}

;// CONCATENATED MODULE: ./src/engines/postgres/dump-clients.ts


// Which pg_restore reads what a pg_dump wrote: each version of the format of archives, and the first PostgreSQL that knows it.
// https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_backup_archiver.h
const FORMATS = [
    ['1.14', 12],
    ['1.15', 16],
    ['1.16', 17],
];
/** The major version at the beginning of `17.2 (Debian ...)`, or in `pg_dump (PostgreSQL) 17.2`; 0 where there is none. */
const majorOf = (version) => Number(/^(?:pg_dump \(PostgreSQL\) )?(\d{1,3})/.exec(version ?? '')?.[1] ?? 0);
/** What made a dump and from what; of one of ours its manifest says so. */
function versionsOf({ manifest, versions }) {
    if (manifest === null)
        return versions ?? { tool: null, server: null };
    return { tool: manifest.tools.pg_dump ?? null, server: manifest.tools.PostgreSQL ?? null };
}
/** Throws E_TOOL_VERSION when the client that was found can not read the archive. */
function checkClient(dump, facts) {
    const { tool } = versionsOf(dump);
    const made = majorOf(tool);
    const there = majorOf(facts.get('pg_dump_version'));
    const needed = Math.max(0, ...FORMATS.map(([, major]) => major).filter((major) => major <= made));
    if (dump.kind === 'sql' || there === 0 || there >= needed)
        return;
    throw tooOldFor(`it was made by pg_dump ${(0,neutralise/* quoteOutside */.Y)(tool ?? '', 100)}`, needed, facts);
}
/** What pg_restore says of an archive that is newer than itself, as E_TOOL_VERSION; null where it does not say that. */
function unreadable(text, facts) {
    const [, format] = /unsupported version \((\d+\.\d+)\) in file header/.exec(text) ?? [];
    if (format === undefined)
        return null;
    const needed = FORMATS.find(([name]) => name === format)?.[1] ?? null;
    return tooOldFor(`its format is ${format}`, needed, facts);
}
function tooOldFor(why, needed, facts) {
    const version = facts.get('pg_dump_version');
    const there = version === null ? '' : `, and the newest client there is ${(0,neutralise/* quoteOutside */.Y)(version, 100)}`;
    const [what, name] = needed === null
        ? ['the client of the PostgreSQL that made it', '']
        : [
            `the client of PostgreSQL ${needed} or newer`,
            ` (postgresql-client-${needed} on Debian and Ubuntu, postgresql${needed} on Red Hat and its kin)`,
        ];
    return new errors/* BackupError */.hj('E_TOOL_VERSION', `the dump can be read by ${what} alone: ${why}${there}`, `Install it${name} where the tools run, beside the old one if you like, the newest is taken (https://www.postgresql.org/download/).`);
}

;// CONCATENATED MODULE: ./src/engines/postgres/ways.ts




const SWAP = 'It is loaded into a new database beside the live one, which then takes its name: clients stay connected during the load, are disconnected for an instant by the swap, and can connect again at once.';
const ways_CREATE = 'There is no such database yet: it is made, like the one that was backed up, and gets its name when it is loaded.';
/** Throws E_RESTORE when the way that is wanted, or every one, would fail. */
function chooseWay(facts, content, target, wanted) {
    const role = (0,neutralise/* quoteOutside */.Y)(decoded(facts.need('role')), 100);
    const found = { facts, role, target, extensions: extensionsOf(facts, content) };
    const place = (0,neutralise/* quoteOutside */.Y)(target.given);
    if (facts.get('target_state') === 'missing') {
        if (wanted === 'in-place') {
            throw refused(`there is no database ${ways_nameOf(target)} into which it could be put (restore-way: in-place)`, [
                'Correct the name (upper and lower case count), create the database, or leave `restore-way` out.',
            ]);
        }
        const [obstacle] = [...(mayCreate(facts) ? [] : [noCreator(found)]), ...extensionsAnew(found)];
        if (obstacle !== undefined) {
            throw refused(`there is no database ${ways_nameOf(target)} on the server, and none can be made for the backup: ${obstacle.says}`, [obstacle.advice, ...(mayCreate(facts) ? [MAKE_FIRST] : [])]);
        }
        return { way: 'create', words: ways_CREATE };
    }
    const [swap] = wanted === 'in-place' ? [] : [...databaseAnew(found), ...extensionsAnew(found)];
    if (wanted !== 'in-place' && swap === undefined)
        return { way: 'swap', words: SWAP };
    const [inPlace] = wanted === 'swap' ? [] : extensionsHere(found);
    if (wanted === 'swap' && swap !== undefined) {
        const other = extensionsHere(found).length > 0 ? [] : ['Without `restore-way: swap` it is restored in place.'];
        throw refused(`${place} can not be replaced by a new database (restore-way: swap): ${swap.says}`, [
            swap.advice,
            ...other,
        ]);
    }
    if (inPlace !== undefined) {
        throw refused(swap === undefined
            ? `the backup can not be put into ${place} (restore-way: in-place): ${inPlace.says}`
            : `the backup can be put neither into a new database nor into ${place} itself: ${swap.says}; ${inPlace.says}`, [inPlace.advice]);
    }
    const because = swap === undefined ? 'As `restore-way` says, it is' : `${capital(swap.says)}, so it is`;
    return { way: 'in-place', words: `${because} ${inPlaceWords(found)}` };
}
const MAKE_FIRST = 'Or have a superuser make the database with the extension in it, which is then restored in place.';
const refused = (message, advice) => new errors/* BackupError */.hj('E_RESTORE', message, `${advice.join(' ')}`);
const ways_nameOf = ({ database }) => (0,neutralise/* quoteOutside */.Y)(JSON.stringify(database));
const mayCreate = (facts) => facts.get('may_create') === 'true';
const isSuperuser = (facts) => facts.get('superuser') === 'true';
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
function inPlaceWords(found) {
    const { facts, role, target } = found;
    const others = isSuperuser(facts) ? '' : `, and what others than ${role} own in ${(0,neutralise/* quoteOutside */.Y)(target.given)} stays`;
    const staying = installedIn(facts).flatMap(({ name, goes }) => (goes ? [] : [(0,neutralise/* quoteOutside */.Y)(name, 80)]));
    const extensions = staying.length === 0 ? '' : ` (of extensions: ${staying.slice(0, 10).join(', ')})`;
    return `restored in place, in a single transaction: clients wait from its beginning to its end${others}${others === '' ? '' : extensions}.`;
}
const noCreator = ({ role }) => ({
    says: `the role ${role} may not create one`,
    advice: `Correct the name (upper and lower case count), create the database, or as a superuser: \`ALTER ROLE ${role} CREATEDB\`.`,
});
/** Why the database can not be replaced by another one, whatever is in it. */
function databaseAnew({ facts, role }) {
    const kept = facts.all('kept_setting').map((hex) => (0,neutralise/* quoteOutside */.Y)(decoded(hex), 60));
    const superuser = 'Name a superuser in the URL for the restore.';
    return [
        ...(mayCreate(facts)
            ? []
            : [
                {
                    says: `the role ${role} may not create databases`,
                    advice: `As a superuser: \`ALTER ROLE ${role} CREATEDB\`.`,
                },
            ]),
        ...(facts.get('owns') === 'false'
            ? [{ says: `the role ${role} does not own the database`, advice: 'Name its owner, or a superuser, in the URL.' }]
            : []),
        ...(facts.get('maintenance') === null
            ? [
                {
                    says: `no other database of the server (postgres, template1) lets ${role} in`,
                    advice: `As a superuser: \`GRANT CONNECT ON DATABASE postgres TO ${role}\`.`,
                },
            ]
            : []),
        ...(kept.length > 0
            ? [
                {
                    says: `the role ${role} may not give the settings of the database (${kept.slice(0, 5).join('; ')}) to another one`,
                    advice: superuser,
                },
            ]
            : []),
        ...unreadIn(facts)
            .slice(0, 1)
            .map(({ shown }) => ({
            says: `the role ${role} may not read ${shown}, which would be gone with the database, and which no backup of ${role} has`,
            advice: `Name a role in the URL that may read it, or as a superuser: \`GRANT pg_read_all_data TO ${role}\`.`,
        })),
    ];
}
/** Tables and sequences of others that the role may not read, each as a pattern of pg_dump that means it alone. */
function unreadIn(facts) {
    return facts.all('unread').flatMap((text) => {
        const names = text.split(' ').map(decoded);
        const pattern = names.map(identifier).join('.');
        // one that can not be said to pg_dump is asked for, and refused by the server
        return /\p{Cc}/u.test(pattern) ? [] : [{ shown: (0,neutralise/* quoteOutside */.Y)(names.join('.'), 80), pattern }];
    });
}
/** Of the dump, where the manifest tells them; else those of the live database are the best guess. */
function extensionsOf(facts, content) {
    return content?.extensions ?? installedIn(facts).map(({ name }) => name);
}
const installedIn = (facts) => facts.all('installed').map((text) => {
    const [hex = '', goes] = text.split(' ');
    return { name: decoded(hex), goes: goes === 'true' };
});
/** Which of the extensions can not be created in a database that is made for the restore. */
function extensionsAnew({ facts, role, extensions }) {
    const there = extensionsThere(facts);
    if (there.size === 0)
        return [];
    return extensions.flatMap((name) => {
        const shown = (0,neutralise/* quoteOutside */.Y)(name, 80);
        const bound = boundTo(facts, name);
        if (!there.has(name))
            return [notThere(shown)];
        if (bound !== null) {
            return [
                {
                    says: `the extension ${shown} can be created in the one database alone that the setting cron.database_name of the server names`,
                    advice: `Have the database made empty under its own name first: it is then restored in place.`,
                },
            ];
        }
        if (there.get(name)?.fresh === false)
            return [superusersAlone(shown, role)];
        const rows = rowsOf(facts, name).find(({ right }) => right !== 'own');
        return rows === undefined
            ? []
            : [
                {
                    says: `the role ${role} may not write the rows of ${rows.table}, of the extension ${shown}, in a new database`,
                    advice: 'Name a superuser in the URL for the restore.',
                },
            ];
    });
}
/** Which of them can not be there after a restore in place; those that stay need not be created. */
function extensionsHere({ facts, role, extensions, target }) {
    const there = extensionsThere(facts);
    if (there.size === 0)
        return [];
    const staying = new Set(installedIn(facts).flatMap(({ name, goes }) => (goes ? [] : [name])));
    return extensions.flatMap((name) => {
        const shown = (0,neutralise/* quoteOutside */.Y)(name, 80);
        if (staying.has(name)) {
            const tables = rowsOf(facts, name).flatMap(({ table, right }) => (right === 'not' ? [table] : []));
            return tables.length === 0
                ? []
                : [
                    {
                        says: `the role ${role} may not write the rows of ${tables.join(', ')}, of the extension ${shown}, which the dump brings`,
                        advice: `As a superuser, in that database: \`GRANT ALL ON ${tables.join(', ')} TO ${role}\`, with \`restore-way: in-place\` or \`auto\`. Or name a superuser in the URL for the restore.`,
                    },
                ];
        }
        if (!there.has(name))
            return [notThere(shown)];
        const bound = boundTo(facts, name) ?? '';
        if (bound !== '' && bound !== target.database) {
            return [
                {
                    says: `the extension ${shown} can be created in the database ${(0,neutralise/* quoteOutside */.Y)(bound, 80)} alone, which the setting cron.database_name of the server names`,
                    advice: `Set it to ${identifierShown(target.database)} on the server, and restart that; or restore into ${(0,neutralise/* quoteOutside */.Y)(bound, 80)} (\`restore-to\`).`,
                },
            ];
        }
        return there.get(name)?.here === false
            ? [
                {
                    ...superusersAlone(shown, role),
                    advice: `As a superuser, in that database: \`CREATE EXTENSION ${identifierShown(name)}\`; it then stays. Or name a superuser in the URL for the restore.`,
                },
            ]
            : [];
    });
}
const identifierShown = (name) => (0,neutralise/* quoteOutside */.Y)(identifier(name), 80);
const notThere = (shown) => ({
    says: `the extension ${shown} is not available on the server`,
    advice: 'Install the package of that extension on the server of the database.',
});
const superusersAlone = (shown, role) => ({
    says: `the extension ${shown} may be created by a superuser alone, and ${role} is none`,
    advice: 'Name a superuser in the URL for the restore.',
});
/** Those of which the server has the files, plpgsql at least; whether the role may create them in a new database, and in this one. */
function extensionsThere(facts) {
    return new Map(facts.all('extension').map((text) => {
        const [hex = '', fresh, here] = text.split(' ');
        return [decoded(hex), { fresh: fresh === 'true', here: here === 'true' }];
    }));
}
/** null: of no one database; empty: of one that we may not know. */
function boundTo(facts, name) {
    const found = facts.all('bound').map((text) => text.split(' '));
    const [, hex] = found.find(([extension = '']) => decoded(extension) === name) ?? [];
    return hex === undefined ? null : decoded(hex);
}
function rowsOf(facts, extension) {
    return facts.all('extension_rows').flatMap((text) => {
        const [name = '', table = '', right = 'not'] = text.split(' ');
        return decoded(name) === extension ? [{ table: (0,neutralise/* quoteOutside */.Y)(decoded(table), 120), right }] : [];
    });
}

;// CONCATENATED MODULE: ./src/engines/postgres/restore.ts














/** Puts a dump back into a PostgreSQL database, by programs/postgres-restore.sh. */
function postgresRestoring(target) {
    const { database, given } = target;
    const request = (name, settings, more) => {
        const [maintenance = '', second = ''] = ['postgres', 'template1'].filter((one) => one !== database);
        return [
            'job',
            `${name}_restore_postgres`,
            (0,common/* named */.KT)({
                ...argumentsOf(target, settings),
                live: database,
                maintenance: connectionString({ ...target, database: maintenance }),
                second: connectionString({ ...target, database: second || maintenance }),
                lock_wait: (0,common/* seconds */.YA)(settings.lockWaitMs),
                jobs: settings.dump.jobs === null ? '' : String(settings.dump.jobs),
                ...more,
            }),
        ];
    };
    return {
        targetName: database,
        target: given,
        mayBe: (identity) => isPostgresIdentity(identity) && identity.database === database,
        look: (settings, dump) => request('look', settings, dumpOf(dump)),
        plan(settings, facts, dump) {
            const { way: wanted, stopCommand } = settings.restore;
            const client = facts.get('pg_dump_version');
            const holes = client === null ? [] : refuseUnsafe(client, dump, settings);
            checkClient(dump, facts);
            const missing = facts.need('target_state') === 'missing';
            const { way, words } = chooseWay(facts, contentOf(dump.manifest), target, wanted);
            const found = foundIn(facts, dump, way);
            if (way === 'swap' && stopCommand === null)
                checkSessions(facts, given);
            checkSpace(found, dump, settings, given);
            return {
                ...found,
                state: missing ? 'missing' : 'sound',
                way,
                wayInWords: words,
                safetyLevel: 'content',
                safetyWithout: unreadIn(facts).map(({ pattern }) => pattern),
                remarks: [...holes, ...remarksOn(facts, dump, way)],
            };
        },
        load(settings, dump, step) {
            const { fresh, create } = { fresh: namesOf(step).new, create: step.way === 'create' };
            const content = create ? (dump.manifest?.content ?? null) : null;
            const like = likeOf(content);
            return request('load', settings, {
                ...dumpOf(dump),
                ...stepArguments(step),
                loading: connectionString({ ...target, database: fresh }),
                like: likeArgument(like),
                owner: encoded(like?.owner ?? ''),
                properties: propertiesFor(fresh, content).statements.map(encoded).join('\n'),
            });
        },
        loaded(facts, { manifest }) {
            const content = contentOf(manifest);
            if (facts.restored.length === 0)
                return content?.tables ?? [];
            const loaded = restoredIn(facts);
            if (content !== null)
                (0,common/* checkRows */.Uu)(content, loaded);
            return loaded;
        },
        swap: (settings, dump, step) => request('swap', settings, { ...dumpOf(dump), ...stepArguments(step), ...expectedOf(dump) }),
        swapped(facts, loaded) {
            const here = facts.get('in_place') === null ? tablesOf(facts) : restoredIn(facts);
            const live = new Map(here.map(({ name, rows }) => [name, rows]));
            const wrong = loaded.flatMap(({ name, rows }) => {
                const there = live.get(name);
                if (there === undefined)
                    return [`${name} is missing`];
                return rows === null || there === null || rows === there
                    ? []
                    : [`${name} has ${(0,counting/* plural */.L)(there, 'row')}, not ${rows}`];
            });
            if (wrong.length === 0)
                return [];
            const told = (0,neutralise/* quoteOutside */.Y)(`${wrong.slice(0, 5).join('; ')}${wrong.length > 5 ? `; and ${wrong.length - 5} more` : ''}`, 600);
            // it is the very database that was loaded and looked at: then clients are back already, and have written
            if (facts.get('same_database') !== null)
                return [`clients have written to the restored database since the swap: ${told}`];
            throw new errors/* BackupError */.hj('E_RESTORE', `the live database is not what was restored: ${told}`, '');
        },
        back: (settings, step, safety) => request('back', settings, { ...stepArguments(step), ...(safety === null ? {} : safetyArguments(safety)) }),
        settle: (settings, step) => request('settle', settings, stepArguments(step)),
        recover: (settings, step, { target: told, identity }) => request('recover', settings, {
            ...stepArguments(step),
            named: told === given ? '1' : '',
            system: identity.systemIdentifier ?? '',
        }),
        identity: (facts) => identityIn(facts, database),
        byHand(settings, step, safety) {
            if (step.way === 'in-place') {
                return (safety?.manifest?.recovery ?? [
                    '# nothing was kept of the state before: there was no safety backup (safety-backup: false)',
                ]);
            }
            const { new: fresh, old } = namesOf(step);
            const other = connectionString({ ...target, database: database === 'postgres' ? 'template1' : 'postgres' });
            const live = identifier(database);
            const statements = [
                `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(database)}`,
                `ALTER DATABASE ${live} RENAME TO ${fresh}`,
                ...(step.way === 'create'
                    ? []
                    : [`ALTER DATABASE ${old} RENAME TO ${live}`, `ALTER DATABASE ${live} ALLOW_CONNECTIONS true`]),
            ];
            const commands = statements.map((one) => `-c ${(0,quoting/* quote */.h)(one)}`).join(' ');
            return [
                `${psqlThere(settings)} -X -v ON_ERROR_STOP=1 -d ${(0,quoting/* quote */.h)(other)} ${commands}`,
                `# when all is well again: DROP DATABASE ${fresh};`,
            ];
        },
    };
}
/** Names on the server are a function of the id alone: the next run must find them. */
function namesOf({ id }) {
    const [, day, time, random] = /-(\d{8})T(\d{6})Z-([0-9a-f]{4})$/.exec(id) ?? [];
    if (random === undefined)
        throw new errors/* BackupError */.hj('E_INTERNAL', `the id of a restore is ${JSON.stringify(id)}`);
    const suffix = `${day}${time}_${random}`;
    return { new: `db_backup_new_${suffix}`, old: `db_backup_old_${suffix}` };
}
/** The size is only a measure of the space and time that it takes: 0 where it is not known. */
const dumpOf = (dump) => ({
    ...dumpArguments(dump),
    plain_bytes: String(dump.databaseBytes ?? 0),
    search_path: encoded(searchPathOf(contentOf(dump.manifest))),
});
const stepArguments = (step) => ({ id: step.id, way: step.way, ...namesOf(step) });
function safetyArguments(dump) {
    const { expected, expects_all, extensions } = expectedOf(dump);
    const { payload = '', kind = '', packing = '', sha256 = '', bytes = '', plain_bytes = '', search_path = '', } = dumpOf(dump);
    return {
        safety_payload: payload,
        safety_kind: kind,
        safety_packing: packing,
        safety_sha256: sha256,
        safety_bytes: bytes,
        safety_plain_bytes: plain_bytes,
        safety_expected: expected,
        safety_expects_all: expects_all,
        safety_extensions: extensions,
        safety_search_path: search_path,
    };
}
/** `HEX ROWS` a line: what the server compares before it commits, whether there may be no other table, and the extensions in hex. */
function expectedOf({ manifest }) {
    const content = contentOf(manifest);
    return {
        expected: (content?.tables ?? []).map(({ name, rows }) => `${encodedName(name)} ${rows ?? ''}`).join('\n'),
        expects_all: content !== null && (content.tablesLeftOut ?? 0) === 0 ? '1' : '',
        extensions: (content?.extensions ?? []).map(encoded).join(' '),
    };
}
function foundIn(facts, dump, way) {
    const tables = tablesOf(facts).sort(byName);
    const dumpTables = tablesOfDump(facts, dump);
    const free = facts.get('target_free_kib') ?? '';
    return {
        bytes: facts.get('source_bytes') === null ? 0 : facts.number('source_bytes'),
        tables,
        dumpTables,
        differences: dumpTables === null ? [] : differencesBetween(tables, dumpTables, way === 'in-place' ? foreignTables(facts) : []),
        users: sessionsIn(facts).map(showSession),
        // what is packed comes to several times its size, with indexes
        neededBytes: dump.databaseBytes ?? dump.bytes * (dump.compression === 'none' ? 2 : 8),
        freeBytes: /^\d{1,12}$/.test(free) ? Number(free) * 1024 : null,
    };
}
/** As the manifest tells, where it has all of them; else as far as the table of contents of the archive does. */
function tablesOfDump(facts, dump) {
    const content = contentOf(dump.manifest);
    if (content !== null && (content.tablesLeftOut ?? 0) === 0)
        return [...content.tables].sort(byName);
    const told = new Map(content?.tables.map(({ name, rows }) => [name, rows]));
    const listed = facts.all('dump_table');
    return listed.length === 0 ? null : listed.map((name) => ({ name, rows: told.get(name) ?? null })).sort(byName);
}
const byName = ({ name: one }, { name: other }) => (one < other ? -1 : 1);
/** `staying` are of other roles. */
function differencesBetween(live, backup, staying) {
    const [there, coming] = [live, backup].map((tables) => new Set(tables.map(({ name }) => name)));
    return [
        ...live
            .filter(({ name }) => !coming?.has(name))
            .map(({ name }) => staying.includes(name)
            ? `${(0,neutralise/* quoteOutside */.Y)(name, 100)} is not in the backup, and stays, as it belongs to another role`
            : `${(0,neutralise/* quoteOutside */.Y)(name, 100)} is not in the backup, and will be gone`),
        ...backup
            .filter(({ name }) => !there?.has(name))
            .map(({ name }) => `${(0,neutralise/* quoteOutside */.Y)(name, 100)} is in the backup alone, and will be there again`),
    ];
}
/** Who is in the database; what they call themselves is theirs. */
function sessionsIn(facts) {
    return facts.all('session').flatMap((hex) => {
        try {
            const session = JSON.parse(decoded(hex));
            return typeof session === 'object' && session !== null ? [session] : [];
        }
        catch {
            return [];
        }
    });
}
function showSession({ user, from, application, state, type }) {
    const texts = [
        `${user ?? 'somebody'}${from == null ? '' : ` from ${from}`}`,
        application,
        type === 'client backend' ? null : type,
        state,
    ];
    return (0,neutralise/* quoteOutside */.Y)(texts.filter((text) => text != null && text !== '').join(', '), 200);
}
/** Those that this role may not end would keep the database from being renamed. Throws E_TARGET_BUSY. */
function checkSessions(facts, given) {
    const staying = sessionsIn(facts).filter(({ may_end }) => may_end !== true);
    if (staying.length === 0)
        return;
    const role = (0,neutralise/* quoteOutside */.Y)(decoded(facts.need('role')), 100);
    throw new errors/* BackupError */.hj('E_TARGET_BUSY', `${(0,neutralise/* quoteOutside */.Y)(given)} is in use by ${(0,reporting_format/* counted */.hS)(staying.length, 'session')} that the role ${role} may not end: ${staying.slice(0, 10).map(showSession).join('; ')}`, `Set \`stop-command\` and \`start-command\` for what uses it, or as a superuser: \`GRANT pg_signal_backend TO ${role}\` (sessions of superusers and prepared transactions have to be ended by hand). \`restore-way: in-place\` ends no session, and waits for their transactions.`);
}
/** Throws E_NOSPACE when it is known that the disk of the server does not hold both. */
function checkSpace({ neededBytes, freeBytes }, { manifest }, { minFreeBytes: left }, given) {
    if (manifest === null || freeBytes === null || freeBytes >= neededBytes + left)
        return;
    throw new errors/* BackupError */.hj('E_NOSPACE', `the restore needs ${(0,reporting_format/* formatBytes */.z3)(neededBytes)} on the disk of the server of ${(0,neutralise/* quoteOutside */.Y)(given)}, beside what is there, and ${(0,reporting_format/* formatBytes */.z3)(freeBytes)} are free`, 'Free some space there: until the restore is done, both states are kept.');
}
function remarksOn(facts, dump, way) {
    const { manifest } = dump;
    const remarks = [];
    const number = (key) => (facts.get(key) === null ? 0 : facts.number(key));
    const [made, server] = [majorOf(versionsOf(dump).server), majorOf(serverVersion(facts))];
    const { leftOut } = propertiesFor('', way === 'create' ? (manifest?.content ?? null) : null);
    if (leftOut > 0) {
        remarks.push(`the manifest has ${(0,reporting_format/* counted */.hS)(leftOut, 'statement')} about the database itself that this action does not write, and that are not carried out: look at content.properties in it`);
    }
    if (made > server) {
        remarks.push(`the ${manifest === null ? 'dump' : 'backup'} is of PostgreSQL ${made}, and the server is ${server}: what is new in ${made} can not be restored there`);
    }
    if (way === 'swap' && number('slots') > 0) {
        remarks.push(`the database has ${(0,reporting_format/* counted */.hS)(number('slots'), 'replication slot')}, which stay with the state that is replaced: make them anew for the restored one`);
    }
    if (number('subscriptions') > 0) {
        remarks.push(`the database has ${(0,reporting_format/* counted */.hS)(number('subscriptions'), 'subscription')}: a restored one is disabled until you enable it`);
    }
    const unread = unreadIn(facts).map(({ shown }) => shown);
    if (unread.length > 0) {
        remarks.push(`a safety backup does not have what may not be read, and what stays as it is, for it belongs to other roles: ${unread.slice(0, 5).join(', ')}${unread.length > 5 ? `; and ${unread.length - 5} more` : ''}`);
    }
    const objects = facts.all('foreign_object').map(decoded);
    const foreign = [...objects, ...foreignTables(facts)].map((name) => (0,neutralise/* quoteOutside */.Y)(name, 80));
    if (way === 'in-place' && foreign.length > 0) {
        remarks.push(`${(0,reporting_format/* counted */.hS)(foreign.length, 'object')} of the database (tables, functions, types, default privileges) ${foreign.length === 1 ? 'belongs to another role' : 'belong to other roles'} and can not be replaced; when the backup has them too, the restore fails and changes nothing, and only a superuser or a member of those roles can restore it: ${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? `; and ${foreign.length - 5} more` : ''}`);
    }
    return remarks;
}
const foreignTables = (facts) => facts.all('foreign_table').map(decoded);
function psqlThere({ container, runAs }) {
    if (container !== null)
        return `docker exec -i ${runAs === null ? '' : `--user ${(0,quoting/* quote */.h)(runAs)} `}${(0,quoting/* quote */.h)(container)} psql`;
    return `${runAs === null ? '' : `sudo -u ${(0,quoting/* quote */.h)(runAs)} `}psql`;
}

;// CONCATENATED MODULE: ./src/engines/postgres/restore-words.ts



/** What a function names that is called while a dump is loaded. */
const NOT_FOUND = /(relation|function|operator|type) .* does not exist/;
const NOT_FOUND_ADVICE = 'A function that is called while the dump is loaded (in a check, an index, a generated column or a materialized view) did not find what its text names, neither with an empty search_path nor with that of the database. Since PostgreSQL 17 indexes and materialized views are made with an empty one in any case. Give the function its own in the database (`ALTER FUNCTION ... SET search_path = ...`) and back up anew; where this backup is all there is, load it by hand without --exit-on-error, and mend what is missing.';
const letCreate = (role) => `let ${role} create databases (\`ALTER ROLE ${role} CREATEDB\`)`;
/** What the tools say when a dump can not be put back, in words or by SQLSTATE, and what to do about it; the first that fits. */
const REASONS = [
    [
        /role ".*" does not exist/s,
        () => 'The dump gives objects or rights to a role that is not on this server. Make it there, then restore again: `content.roles` of the manifest has the statements of all roles of the server that was backed up (without passwords).',
    ],
    [
        /extension ".*" is not available|could not open extension control file|could not access file|could not load library/,
        () => 'Install the package of that extension on the server of the database, then restore again.',
        ['58P01'],
    ],
    [
        /permission denied to create extension/,
        (role) => `The extension may be made by a superuser alone, and ${role} is none: name a superuser in the URL for the restore. Where the extension is in the live database already, \`restore-way: in-place\` leaves it there.`,
    ],
    [
        /can only create extension in database/,
        () => 'The extension can be made in that one database alone, and not in a new one: `restore-way: in-place` puts the backup into the database itself.',
    ],
    [NOT_FOUND, () => NOT_FOUND_ADVICE, ['42P01', '42883']],
    [
        /[Mm]ust be superuser|permission denied to set parameter|permission denied for language/,
        (role) => `What is in the dump may be made by a superuser alone, and ${role} is none: name a superuser in the URL for the restore.`,
    ],
    [
        /must be member of role|must be able to SET ROLE|must be owner of|permission denied (for|to) /,
        (role) => `The dump has objects of roles that ${role} does not belong to: name a superuser in the URL for the restore, or grant those roles to ${role}.`,
        ['42501'],
    ],
    [
        /already exists/,
        (role, mayCreate) => `In place only what ${role} owns can be replaced, and this belongs to another role: name a superuser or the owner of the database in the URL${mayCreate ? '' : `, or ${letCreate(role)}`}.`,
        ['42P06', '42P07', '42710', '42723'],
    ],
    [
        /belongs to other roles depends on/,
        (role) => `It would be gone with what it depends on, and ${role} can not bring it back: have its owner drop it before the restore, and make it again afterwards; or name a superuser in the URL.`,
    ],
    [
        /out of shared memory/,
        (role, mayCreate) => `One transaction needs a lock for each object of the database: raise max_locks_per_transaction on the server${mayCreate ? '' : `, or ${letCreate(role)}, then no such transaction is needed`}.`,
        ['53200'],
    ],
    [
        /tried to end the transaction/,
        (role, mayCreate) => `The script has transactions of its own, so that it can not be restored in place in a single one: ${mayCreate ? '' : `${letCreate(role)}, or `}restore a dump of the format custom.`,
    ],
    [
        /permission denied to create temporary tables/,
        (role) => `In place a temporary table guards the transaction: \`GRANT TEMPORARY ON DATABASE ... TO ${role}\`.`,
    ],
    [
        /backslash commands are restricted|invalid command \\|\\(un)?restrict/,
        () => 'The script has commands of psql itself (such as \\connect) in it, which are never carried out: they could lead anywhere. pg_dump without --create and without pg_dumpall writes none.',
    ],
    [
        /missing at its end|could not be read to its end/,
        () => 'It was cut off, or was not written by pg_dump: nothing tells that a script is whole but its last line.',
    ],
    [
        /what was restored is not what the manifest says/,
        () => 'Do not rely on this backup: take a new one, and look at who can write that directory.',
    ],
    [
        /No space left|could not extend file|disk full/,
        () => 'The disk of the server is full: free some space.',
        ['53100'],
    ],
    [
        /invalid (locale|LC_\w+)|locale name|collation ".*" .*does not exist/,
        () => 'The server lacks the locale of the database: install it there.',
    ],
    [
        /being accessed by other users|is in use/,
        () => 'Somebody connects again and again: set `stop-command` and `start-command`.',
        ['55006'],
    ],
    [
        /terminating connection|server closed|connection to (the )?server|no connection/,
        () => 'The server could not be reached, or ended the connection: look at its log, then run again.',
        ['57P01', '57P02', '57P03'],
    ],
];
/** Puts what programs/postgres-restore.sh reported into words; null for what is told as in a backup. */
function restoreWords({ code, text, facts }, said, role, { given }) {
    const place = (0,neutralise/* quoteOutside */.Y)(given);
    const state = facts.get('sqlstate') ?? '';
    const fitting = REASONS.find(([says]) => says.test(text)) ?? REASONS.find(([, , states]) => states?.includes(state));
    const advice = fitting?.[1](role, facts.get('may_create') === 'true') ?? '';
    switch (code) {
        case 'E_RESTORE':
            return [`the dump could not be restored into ${place}: ${(0,reporting_format/* clip */.$Q)(said, 1000)}`, advice];
        case 'E_ROLLBACK_FAILED':
            return [`the state before the restore could not be brought back in ${place}: ${(0,reporting_format/* clip */.$Q)(said, 1000)}`, advice];
        case 'E_TARGET_BUSY': {
            const users = sessionsIn(facts).map(showSession);
            return [
                `${place} stays in use, and can not change its name: ${users.length === 0 ? said : users.slice(0, 10).join('; ')}`,
                `Set \`stop-command\` and \`start-command\` for what uses it. Sessions that ${role} may not end need \`GRANT pg_signal_backend TO ${role}\`, those of superusers a superuser.`,
            ];
        }
        case 'E_BUSY':
            return facts.get('in_place') === null
                ? null
                : [
                    `${place} stayed locked, and a restore in place needs all its tables for itself: ${said}`,
                    'Something holds a lock on a table, such as a session that is idle in a transaction: look at pg_stat_activity, stop the application by `stop-command`, or raise `lock-wait`.',
                ];
        case 'E_SOURCE_INVALID':
            return [`the server of ${place} is a hot standby, which can not be written`, 'Name the primary.'];
        default:
            return null;
    }
}

;// CONCATENATED MODULE: ./src/engines/postgres/words.ts







/** Puts what programs/postgres.sh reported into words; null for what is not about PostgreSQL. */
function explainPostgres({ code, text, facts }, source, settings, input) {
    const tooNew = unreadable(text, facts);
    if (tooNew !== null)
        return tooNew;
    const failure = {
        ...{ code, text, said: spoken(text), state: facts.get('sqlstate') },
        ...{ facts, source, settings, input },
    };
    if (settings.command === 'restore') {
        // a backup has looked at the server, and what it says of a dump is about its own
        const ofDump = code === 'E_DUMP_FAILED' && facts.get('source_bytes') === null;
        const told = restoreWords({ code: ofDump ? 'E_RESTORE' : code, text, facts }, failure.said, roleOf(failure).sql, source);
        if (told !== null)
            return new errors/* BackupError */.hj(ofDump ? 'E_RESTORE' : code, ...told);
    }
    const words = wordsFor(failure);
    if (words === null)
        return null;
    const [message, advice] = words;
    return new errors/* BackupError */.hj(code, message, advice === '' ? undefined : advice);
}
function wordsFor(failure) {
    const { code, said, source, input } = failure;
    switch (code) {
        case 'E_CONNECT':
            return unreachable(failure);
        case 'E_AUTH':
            return notLetIn(failure);
        case 'E_SOURCE_MISSING':
            return [
                `there is no database ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(source.database))} on the server: ${said}`,
                `Correct the name at the end of \`${input}\` (upper and lower case count), or its host and port if that is the wrong server.`,
            ];
        case 'E_SOURCE_INVALID':
            if (failure.text === 'pooler') {
                return [
                    `${shown(source)} leads to a pooler that gives the sessions of the server from one client to another (PgBouncer in transaction mode and its like): what pg_dump sets for its session would stay there, and the application would find its tables no more`,
                    `Name the server itself in \`${input}\`, or a pool that gives a session to one client for as long as it is connected (\`pool_mode = session\`; hosted services have a port or a host name of its own for that).`,
                ];
            }
            return [
                `the server of ${shown(source)} is a hot standby: what was committed last may be missing there, and a long dump may be cancelled by the replay`,
                `Name the primary in \`${input}\`. If the standby is meant, say so in the URL: \`?target_session_attrs=standby\` (or \`any\`, for clients older than 14).`,
            ];
        case 'E_SOURCE_CORRUPT':
            return [
                `the server could not read its own data: ${said}`,
                'No older backup was deleted: keep them. Check the disk and the log of the server before anything else.',
            ];
        case 'E_NOSPACE':
            return failure.state === '53100' ? [`the disk of the server is full: ${said}`, 'Free some space there.'] : null;
        case 'E_TOOL_VERSION':
            return tooOld(failure);
        case 'E_BUSY':
            return locked(failure);
        case 'E_INPUT':
            return refusedInput(failure);
        case 'E_PERM':
            return notPermitted(failure);
        case 'E_RESTORE':
            return notRestored(failure);
        case 'E_DUMP_FAILED':
            return [
                `no proven dump of ${shown(source)} could be made: ${(0,reporting_format/* clip */.$Q)((0,neutralise/* quoteOutside */.Y)(failure.text), 1000)}`,
                /terminat|server closed|connection to (the )?server|no connection/i.test(failure.text)
                    ? 'The server ended the connection in the middle: look at its log (a restart, pg_terminate_backend, out of memory).'
                    : '',
            ];
        default:
            return null;
    }
}
function unreachable({ text, said, state, source, settings, input }) {
    const host = parameter(source, 'host');
    const place = settings.container === null ? 'on the host' : `in the container ${settings.container}`;
    const server = `the PostgreSQL server of ${shown(source)}`;
    if (state === '53300' || /too many connections|too many clients|remaining connection slots/.test(text)) {
        const needed = settings.dump.format === 'directory' ? '`jobs` + 2 at the same time' : 'two at the same time';
        return [
            `${server} takes no more connections: ${said}`,
            `A backup needs ${needed}. Raise max_connections, or the CONNECTION LIMIT of the role or the database, which the message tells; let the pool of the application keep fewer; or run the backup when less is going on.`,
        ];
    }
    if (/does not support SSL/.test(text)) {
        return [
            `${server} speaks no TLS, and \`${input}\` asks for it: ${said}`,
            `Turn it on at the server (\`ssl = on\` with a certificate in postgresql.conf). Where nobody can listen on the way, as on the same machine, take \`sslmode\` out of \`${input}\` instead.`,
        ];
    }
    if (/certificate/i.test(text)) {
        return [
            `TLS with ${server} was not agreed on: ${said}`,
            `Files such as \`sslrootcert\` are read ${place}, by the user that runs the tools; with \`sslmode=verify-full\` the certificate must be valid and name the host as \`${input}\` does.`,
        ];
    }
    if (/terminating connection|connection to server was lost/.test(text)) {
        return [
            `${server} ended the connection: ${said}`,
            'Look at its log (a restart, pg_terminate_backend, out of memory), then run again.',
        ];
    }
    if (state === '57P03' || /the database system is /.test(text)) {
        return [
            `${server} takes no connections now: ${said}`,
            'Run again when it has started; its log tells how far it is.',
        ];
    }
    // how bad it is, in the server's own words: the client has none of its own there
    if (/: {2}/.test(text)) {
        return [`${server} refused the connection: ${said}`, 'Its log may tell more.'];
    }
    return [`${server} could not be reached from the host: ${said}`, wayTo(text, host, place, source, input)];
}
/** What to do when there was no server to talk to. */
function wayTo(text, host, place, source, input) {
    const seen = `The tools run ${place}, so \`${input}\` is read as seen from there, not from the runner`;
    if (/could not translate host name/.test(text)) {
        return `${seen}: that name must be known there. Correct it in \`${input}\`, or give the address.`;
    }
    if (/expected authentication request|invalid response to|wrong version number|HTTP/.test(text)) {
        return `${seen}. What answers there does not speak the protocol of PostgreSQL: check the port.`;
    }
    if (/timeout expired|timed out/.test(text)) {
        const limit = parameter(source, 'connect_timeout') ?? '20';
        return `${seen}. Nothing answered within ${limit} s (connect_timeout): look for a wrong address or port, a firewall that drops the packets, or a server that hangs.`;
    }
    if (host === undefined || /^[/@]/.test(host)) {
        const why = host === undefined
            ? `Without a host in \`${input}\` the socket there is used`
            : 'A host that begins with "/" is the folder of a socket there';
        return /Permission denied/.test(text)
            ? `${why}, and the user that runs the tools may not open it: give host and password, or use \`run-as\`.`
            : `${why}. Check that the server runs, its port (part of the name of the socket) and its folder (\`SHOW unix_socket_directories\`). If it listens on TCP or in a container, give the host in \`${input}\`, or \`container\`.`;
    }
    return `${seen}. Check host and port, and that the server runs and listens there (listen_addresses).`;
}
function notLetIn(failure) {
    const { text, said, source, input } = failure;
    const role = roleOf(failure);
    const words = (advice) => [`the PostgreSQL server did not let ${role.name} in: ${said}`, advice];
    const user = parameter(source, 'user');
    if (/(peer|ident) authentication failed/i.test(text)) {
        return words(`Peer authentication lets in only the user of the operating system of that name: set \`run-as: ${role.name}\` if there is one, or give host and password in \`${input}\`.`);
    }
    if (/no password supplied/.test(text)) {
        return words(`It asks for a password, and none was given: put it into ${input === 'database' ? '`database-password` (as it is) or into ' : ''}\`${input}\` (percent-encoded), from a secret. A ~/.pgpass of the user that runs the tools counts as well.`);
    }
    if (/pg_hba\.conf/.test(text)) {
        return words(`Add a line like this to its pg_hba.conf, above those that reject, then \`SELECT pg_reload_conf()\`: \`${hbaLine(text, role.sql, source)}\`${/no encryption|SSL off/.test(text) ? `. If its lines say hostssl, \`?sslmode=require\` in \`${input}\` is enough` : ''}.`);
    }
    if (/role ".*" does not exist/s.test(text)) {
        return words(user === undefined
            ? `\`${input}\` names no user, so the role of the name of the user that runs the tools was asked for. Name one, as in postgresql://role@host/name, or set \`run-as\`.`
            : `Correct the user in \`${input}\` (upper and lower case count), or make the role: \`CREATE ROLE ${role.sql} LOGIN\`.`);
    }
    if (/not permitted to log in/.test(text)) {
        return words(`Name another role in \`${input}\`, or as a superuser: \`ALTER ROLE ${role.sql} LOGIN\`.`);
    }
    return words(`Check user and password: in \`${input}\` special characters of a password are percent-encoded${input === 'database' ? ', `database-password` takes it as it is' : ''}. A role that does not exist is refused in the same words.${/authentication failed/.test(text) ? '' : ` What the server says may also mean that its pg_hba.conf has no line for that role and database, or that the role may not log in, or not so often at once.`}`);
}
/** The line of pg_hba.conf that is missing, as far as the message tells it. */
function hbaLine(text, role, source) {
    const [, address = ''] = /for host "([0-9a-f.:]+)"/i.exec(text) ?? [];
    const database = words_identifier(source.database);
    if (address === '')
        return `local ${database} ${role} scram-sha-256`;
    return `host ${database} ${role} ${address}/${address.includes(':') ? 128 : 32} scram-sha-256`;
}
function tooOld({ said, facts, settings }) {
    const server = (0,neutralise/* quoteOutside */.Y)(serverVersion(facts) || 'unknown', 60);
    const major = /^\d+/.exec(server)?.[0] ?? '';
    const place = settings.container === null ? 'on the host' : `in the container ${settings.container}`;
    return [
        `the server is PostgreSQL ${server}, and the newest client ${place} is ${said}: pg_dump refuses a server newer than itself`,
        `Install the client of PostgreSQL ${major} ${place}, beside the old one if you like, the newest is taken: postgresql-client-${major} on Debian and Ubuntu, postgresql${major} on Red Hat and its kin, both from https://www.postgresql.org/download/; ${settings.container === null ? 'or set `container` where the server runs in one' : 'or choose the container of the server itself'}.`,
    ];
}
function locked(failure) {
    const { text, said, state, source, settings } = failure;
    if (state === '57014' && !/user request/.test(text)) {
        return [
            `the server cancelled a statement in ${shown(source)}, as after its statement_timeout or when somebody asks for it: ${said}`,
            `Run again, if somebody cancelled it (pg_cancel_backend). A statement_timeout is set for the role or the database, and too short even to begin: \`ALTER ROLE ${roleOf(failure).sql} SET statement_timeout = 0\`.`,
        ];
    }
    return [
        `${shown(source)} stayed locked for ${(0,common/* seconds */.YA)(settings.lockWaitMs)} s (lock-wait): ${said}`,
        state === '40001' || /recovery/.test(text)
            ? 'The replay on the standby cancelled the dump: raise max_standby_streaming_delay there, or take the backup from the primary.'
            : 'A migration or another command holds an exclusive lock on a table, or waits for one: look at pg_stat_activity and pg_locks, let it end, or raise `lock-wait`.',
    ];
}
function refusedInput({ text, said, state, facts, settings, input }) {
    const given = givenPatterns(settings.dump);
    if (/no matching /.test(text)) {
        return [
            `\`schema\` has a pattern that matches nothing: ${said}`,
            'Correct it, or leave it out: without it every schema is in the backup. Names with capital letters stand in double quotes: "App".',
        ];
    }
    if (text === 'system_schema') {
        return [
            `the patterns of schema reach ${(0,neutralise/* quoteOutside */.Y)(decoded(facts.get('system_schema') ?? ''), 100)}, whose copy can not be restored`,
            'Name the schemas of the application in `schema`, or leave it out: without it all of them are in the backup.',
        ];
    }
    if (state === '2201B' || /invalid regular expression/.test(text)) {
        return [
            `a pattern of ${given} is malformed: ${said}`,
            'Beside * and ? these patterns may hold regular expressions; a name with ( ) [ ] { } + | in it stands in double quotes.',
        ];
    }
    const [, option] = /invalid connection option "(\w+)"/.exec(text) ?? [];
    const client = (0,neutralise/* quoteOutside */.Y)(facts.get('pg_dump_version') ?? 'pg_dump', 100);
    return option === undefined
        ? [
            `\`${input}\` has a parameter that the client on the host does not take: ${said}`,
            `Correct it after the "?" of \`${input}\`.`,
        ]
        : [
            `the client on the host, ${client}, does not know the parameter ${option} of \`${input}\`: ${said}`,
            `Take ${option} out of \`${input}\`, or install a newer client on the host (https://www.postgresql.org/download/).`,
        ];
}
/** The inputs that hold patterns, of those that were given. */
function givenPatterns({ schema, excludeTable, excludeTableData }) {
    const lists = { schema, 'exclude-table': excludeTable, 'exclude-table-data': excludeTableData };
    return Object.entries(lists)
        .filter(([, patterns]) => patterns.length > 0)
        .map(([input, patterns]) => `\`${input}\` (${patterns.map((pattern) => (0,neutralise/* quoteOutside */.Y)(pattern, 80)).join(', ')})`)
        .join(' or ');
}
function notPermitted(failure) {
    const { said, facts, source } = failure;
    if (facts.get('sudo_refused') !== null || facts.get('container_refused') !== null)
        return null;
    const denied = deniedOf(failure);
    if (denied === null)
        return null;
    const { name, sql } = roleOf(failure);
    if (denied === 'rows') {
        return [
            `row-level security hides rows from ${name}, so the dump would not be whole: ${said}`,
            `Back up as the owner of the table (where it is not forced on them too), or as a role that sees all rows; as a superuser: \`ALTER ROLE ${sql} BYPASSRLS\`.`,
        ];
    }
    const message = `${name} may not read everything in ${shown(source)}: ${said}`;
    const becomes = becomesOther(failure);
    if (becomes !== null) {
        return [
            message,
            `The role that logs in is another one: \`${becomes}\` makes that setting go, and its own rights count; or give ${name} what is missing.`,
        ];
    }
    if (denied === 'database') {
        return [message, `As its owner: \`GRANT CONNECT ON DATABASE ${words_identifier(source.database)} TO ${sql}\`.`];
    }
    if (denied === 'large_object') {
        return [
            message,
            `Each large object has privileges of its own, and pg_read_all_data does not cover them. Back up as their owner; or as a superuser, in psql on this database: \`SELECT format(${words_literal(`GRANT SELECT ON LARGE OBJECT %s TO ${sql.replaceAll('%', '%%')}`)}, oid) FROM pg_largeobject_metadata \\gexec\`, and again when there are new ones. Once for all \`ALTER ROLE ${sql} SET lo_compat_privileges = on\` does it, but then the role may also change every large object.`,
        ];
    }
    const version = facts.get('server_version_num') === null ? 0 : facts.number('server_version_num');
    return [
        message,
        version >= 140_000
            ? `As a superuser: \`GRANT pg_read_all_data TO ${sql}\`; or back up as the owner. What need not be kept can be left out by \`exclude-table\`, or by naming the others in \`schema\`.`
            : `Back up as the owner or a superuser, or as a superuser, for each schema: \`GRANT USAGE ON SCHEMA public TO ${sql}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${sql}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${sql}\`. What need not be kept can be left out by \`exclude-table\`.`,
    ];
}
/** SQL that takes away what makes the role that logs in another one; null where it is none. */
function becomesOther({ facts, source }) {
    const hex = facts.get('login_role');
    if (hex === null)
        return null;
    const login = (0,neutralise/* quoteOutside */.Y)(decoded(hex), 200);
    const database = words_identifier(source.database);
    const places = {
        database: `DATABASE ${database}`,
        role: `ROLE ${login}`,
        role_in_database: `ROLE ${login} IN DATABASE ${database}`,
        all: 'ROLE ALL',
    };
    const place = places[facts.get('role_set') ?? ''];
    return place === undefined ? null : `ALTER ${place} RESET role`;
}
/** What it was that the server denied: what the host has found out, or what a server that speaks English says; null when it was not the server. */
function deniedOf({ text, state, facts }) {
    const found = facts.get('denied');
    if (found !== null)
        return found;
    if (/row-level security/.test(text))
        return 'rows';
    // in this writing it is the server's, not the shell's
    const [, kind] = /permission denied (?:for|to) (database|large object|)/.exec(text) ?? [];
    if (kind !== undefined)
        return kind.replace(' ', '_');
    return state === '42501' ? '' : null;
}
/** The rehearsal failed: as a rule the server of it lacks something, not the backup. */
function notRestored(failure) {
    const { text, said, state, settings } = failure;
    const role = roleOf(failure);
    const place = settings.restoreTo === null ? shown(failure.source) : (0,neutralise/* quoteOutside */.Y)(settings.restoreTo.given);
    const words = (advice) => [
        `the backup could not be restored into a throw-away database on the server of ${place}: ${(0,reporting_format/* clip */.$Q)(said, 1000)}`,
        `${advice} The throw-away database was dropped.`.trim(),
    ];
    const other = 'or name another server or role in `restore-to`';
    if (/permission denied to create database/.test(text) || (state === '42501' && /^no database /.test(text))) {
        const who = settings.restoreTo === null ? role.sql : 'the role of `restore-to`';
        return [
            words('')[0],
            settings.restoreTo === null
                ? `The rehearsal makes a database of its own: as a superuser \`ALTER ROLE ${who} CREATEDB\`; ${other}.`
                : `The rehearsal makes a database of its own: let ${who} do so (\`ALTER ROLE ... CREATEDB\`), or name another role there.`,
        ];
    }
    if (/extension ".*" is not available|could not open extension control file|could not access file|could not load library/.test(text)) {
        return words(`Install the package of that extension on that server, as a restore in earnest would need it too; ${other}.`);
    }
    if (/permission denied to create extension|[Mm]ust be superuser/.test(text)) {
        return words(`What is in the backup may be made by a superuser alone: name one in \`restore-to\`.`);
    }
    if (NOT_FOUND.test(text))
        return words(NOT_FOUND_ADVICE);
    if (/can only create extension in database/.test(text)) {
        return words('The extension can be made in that one database alone, and in no throw-away one, so that no rehearsal is possible: use `verify: content`. A restore puts such a backup into the database itself.');
    }
    if (/role ".*" does not exist/s.test(text)) {
        return words(`The backup refers to a role that is not on that server: make it there (\`content.roles\` of the manifest has the statements). With \`dump-format: custom\` or \`directory\` owners and grants are left out of the rehearsal.`);
    }
    if (state === '42501' || /must be member of role|must be able to SET ROLE|must be owner of/.test(text)) {
        return words(`The backup gives objects to roles that the role of the rehearsal does not belong to: name a superuser in \`restore-to\`, or use \`dump-format: custom\` or \`directory\`, of which owners and grants are left out.`);
    }
    if (/during recovery|read-only transaction/.test(text)) {
        return words('That server is a hot standby, or read-only: name one in `restore-to` that can be written.');
    }
    if (state === '53100' || /No space left|could not extend file|disk full/.test(text)) {
        return words(`The disk of that server is full: free some space, ${other}.`);
    }
    if (/invalid (locale|LC_\w+)|locale name|collation ".*" .*does not exist/.test(text)) {
        return words(`That server lacks the locale of the database: install it there, ${other}.`);
    }
    if (/terminating connection|server closed|connection to (the )?server|no connection/.test(text)) {
        return words('The server could not be reached, or ended the connection: look at its log, then run again.');
    }
    return words('');
}
/** The role of the session, or the one that asked for it: as it is called, and as SQL has it. */
function roleOf({ facts, source, settings }) {
    const hex = facts.get('role');
    // as the server itself quotes it
    const sql = hex === null ? words_identifier(parameter(source, 'user') ?? settings.runAs ?? (0,common/* loginUser */.Lx)(settings)) : decoded(hex);
    const name = sql.startsWith('"') ? sql.slice(1, -1).replaceAll('""', '"') : sql;
    return { name: (0,neutralise/* quoteOutside */.Y)(name, 200), sql: (0,neutralise/* quoteOutside */.Y)(sql, 200) };
}
/** What a tool said, without what says nothing to people: its own name, and the question that we answer. */
function spoken(text) {
    return (0,neutralise/* quoteOutside */.Y)(text
        .replace(/^(psql|pg_dump|pg_dumpall|pg_restore)(:(?:<stdin>|script|end|\S*(?:look|maintenance|count|server|begin|end)\.sql):\d+)?: (error: )?/gm, '')
        .replace(/\n\s*Is the server running [^\n]*\?/g, '')
        .trim()
        .replace(/[.;]+$/, ''));
}
const shown = ({ given }) => (0,neutralise/* quoteOutside */.Y)(given);
const parameter = ({ parameters }, keyword) => parameters.find(([name]) => name === keyword)?.[1];
/** As SQL has it: quoted where it must be. */
const words_identifier = (name) => /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
const words_literal = (text) => `'${text.replaceAll("'", "''")}'`;

;// CONCATENATED MODULE: ./src/engines/postgres/database.ts

















const KINDS = { custom: 'dump', directory: 'tar', plain: 'sql' };
/** PostgreSQL: one snapshot of a live database, by pg_dump and programs/postgres.sh. */
function postgresDatabase(source, { format }) {
    return {
        kind: KINDS[format],
        path: '',
        backup(settings, id, holder) {
            const { dump } = settings;
            return [
                'job',
                'backup_postgres',
                (0,common/* named */.KT)({
                    ...argumentsOf(source, settings),
                    id,
                    holder,
                    lock_wait: (0,common/* seconds */.YA)(settings.lockWaitMs),
                    lock_wait_ms: String(settings.lockWaitMs),
                    kind: KINDS[format],
                    // quoted even here: pg_dumpall takes a name with "=" in it for a whole connection string
                    name_only: connectionString({ database: source.database, parameters: [] }),
                    ...scratchArguments(source, settings, null),
                    options: optionsOf(dump).join('\n'),
                    tables: tablesCondition(dump),
                    schemas: schemasCondition(dump),
                }),
            ];
        },
        verify(settings, manifest) {
            return [
                'job',
                'verify_postgres',
                (0,common/* named */.KT)({
                    ...argumentsOf(source, settings),
                    ...(0,common/* payloadArguments */.Ty)(manifest),
                    ...scratchArguments(source, settings, manifest),
                }),
            ];
        },
        checkProof(facts, { kind, content }) {
            if (content === null || facts.get('pg_dump_version') === null)
                return;
            const found = tablesWithData(kind, facts);
            if (found !== null && found < content.tables.length) {
                throw new errors/* BackupError */.hj('E_MANIFEST', `the backup holds the data of ${(0,reporting_format/* counted */.hS)(found, 'table')}, the manifest names ${content.tables.length}`, 'Do not rely on this backup: take a new one, and look at who can write that directory.');
            }
            if (facts.get('restored_into') === null)
                return;
            (0,common/* checkRows */.Uu)(content, restoredIn(facts));
        },
        inspect(settings) {
            return ['job', 'inspect_postgres', (0,common/* named */.KT)(argumentsOf(source, settings))];
        },
        identity: (facts) => identityIn(facts, source.database),
        describe(facts) {
            // The snapshot is looked at only where the copy is to be proven.
            const checked = facts.get('checked') !== null;
            if (checked && format === 'plain')
                checkScript(facts);
            else if (checked)
                checkArchive(facts, source.database);
            return {
                databaseBytes: facts.number('source_bytes'),
                tools: toolsOf(facts),
                content: checked
                    ? {
                        tables: tablesOf(facts),
                        objects: facts.number('objects'),
                        largeObjects: facts.number('large_objects'),
                        properties: textsIn(facts, 'property').texts,
                        roles: rolesOf(facts),
                        extensions: facts.all('used_extension').map(decoded),
                        ...(facts.number('path_functions') > 0 ? { pathFunctions: facts.number('path_functions') } : {}),
                    }
                    : null,
            };
        },
        remarks(facts) {
            const remarks = [];
            const refused = facts.get('roles_missing');
            if (refused !== null || (facts.get('roles') !== null && rolesOf(facts) === null)) {
                remarks.push(`the roles of the server are not in this backup: ${(0,neutralise/* quoteOutside */.Y)(refused ?? 'a comment of one is too long for the manifest', 200)}. A restore on another server needs them made by hand first`);
            }
            const unlogged = facts.get('unlogged_left') === null ? 0 : facts.number('unlogged_left');
            if (unlogged > 0) {
                remarks.push(`the rows of ${(0,reporting_format/* counted */.hS)(unlogged, 'unlogged table')} are not in this backup: a standby does not have them`);
            }
            for (const [left, why] of [
                [facts.all('properties_left').length, 'too long for the manifest (16,000 characters)'],
                [textsIn(facts, 'property').left, 'no text in UTF-8, which a manifest is'],
            ]) {
                if (left === 0)
                    continue;
                remarks.push(`${(0,reporting_format/* counted */.hS)(left, 'setting')} or comments of the database itself are ${why}, and are not in this backup: a restore into a new database does not bring them back`);
            }
            const ended = facts.get('counting_ended');
            if (ended !== null) {
                const said = ended === '' ? '' : ` (${(0,neutralise/* quoteOutside */.Y)(ended, 300)})`;
                remarks.push(...notCounted(facts, `as the session that counts them ended early${said}`));
            }
            return remarks;
        },
        notes(facts) {
            const guarded = notCounted(facts, `as indexes or statistics of theirs call functions that are neither of the role ${(0,neutralise/* quoteOutside */.Y)(decoded(facts.get('role') ?? ''), 100)} nor of a superuser, and would be carried out with its rights (back up as the owner of the tables to have them counted)`, true);
            if (facts.get('counting_ended') !== null)
                return guarded;
            return [...guarded, ...notCounted(facts, 'as that would have taken more than a tenth of the time of the dump')];
        },
        plan(facts) {
            return `the database ${(0,neutralise/* quoteOutside */.Y)(source.database)} of PostgreSQL ${(0,neutralise/* quoteOutside */.Y)(serverVersion(facts), 60)} with ${(0,neutralise/* quoteOutside */.Y)(facts.need('pg_dump_version'), 100)}`;
        },
        recovery({ file, kind, compression, content }, directory, { runAs, container }) {
            const { parameters } = source;
            const restored = `${((0,names/* nameFromText */.No)(source.database) ?? 'database').slice(0, 54)}_restored`;
            const to = (0,quoting/* quote */.h)(connectionString({ database: restored, parameters }));
            const maintenance = (0,quoting/* quote */.h)(connectionString({ database: 'postgres', parameters }));
            const sudo = runAs === null ? '' : `sudo -u ${(0,quoting/* quote */.h)(runAs)} `;
            const user = runAs === null ? '' : `--user ${(0,quoting/* quote */.h)(runAs)} `;
            const there = container === null ? sudo : `docker exec -i ${user}${(0,quoting/* quote */.h)(container)} `;
            const unpacked = `${(0,packing/* unpackLine */.ZK)({ compression })} ${(0,quoting/* quote */.h)(file)}`;
            const psql = `${there}psql -X -q -v ON_ERROR_STOP=1 -d ${to}`;
            // functions may find their tables by the search_path of the database alone, which pg_dump has emptied while it is loaded
            const own = contentOf({ content })?.pathFunctions !== undefined;
            const script = (from) => `{ ${from} || echo 'the dump could not be read;'; } | ${KEEP_PATH} | ${psql}`;
            const path = propertiesFor(restored, own ? content : null).statements.filter((one) => IS_PATH.test(one));
            const create = [createStatement(restored, content), ...path].map((one) => `-c ${(0,quoting/* quote */.h)(one)}`).join(' ');
            const folder = `unpacked=$(${there}mktemp -d) && ${unpacked} | ${there}tar -xf - -C "$unpacked"`;
            const load = own
                ? {
                    dump: [script(`${unpacked} | ${there}pg_restore -f -`)],
                    sql: [script(unpacked)],
                    tar: [folder, script(`${there}pg_restore -f - "$unpacked/dump"`)],
                }
                : {
                    dump: [`${unpacked} | ${there}pg_restore --exit-on-error -d ${to}`],
                    sql: [`${unpacked} | ${psql}`],
                    tar: [folder, `${there}pg_restore --exit-on-error -j 2 -d ${to} "$unpacked/dump"`],
                };
            return [
                `cd ${(0,quoting/* quote */.h)(directory)} && sha256sum -c ${(0,quoting/* quote */.h)(`${file}.sha256`)}`,
                `# by a role that may create databases:`,
                `${there}psql -X -d ${maintenance} ${create}`,
                ...(load[kind] ?? []),
                `# look at it; then, with the application stopped, in psql on the database postgres (grants and settings of the database: content.properties of the manifest):`,
                `# ALTER DATABASE ${identifier(source.database)} RENAME TO ${identifier(restored.replace(/_restored$/, '_old'))}; ALTER DATABASE ${identifier(restored)} RENAME TO ${identifier(source.database)};`,
            ];
        },
        empty() {
            return new errors/* BackupError */.hj('E_EMPTY', `what is to be backed up of the database ${(0,neutralise/* quoteOutside */.Y)(source.database)} holds no table, view, sequence, function or large object, so its backup would prove nothing`, 'Check that `database` names the database that the application uses, and `schema`, where it is given, its schemas.');
        },
        restoring: postgresRestoring(source),
        explain(failure, settings) {
            // of an existing backup it is only ever about the server that it is restored on
            const target = otherTarget(settings);
            return explainPostgres(failure, target ?? source, settings, target === null ? 'database' : 'restore-to');
        },
    };
}
/** In a script of pg_dump: the search_path stays that of the database. */
const KEEP_PATH = `sed ${(0,quoting/* quote */.h)("1,60{/^SELECT pg_catalog.set_config('search_path', '', false);$/d;}")}`;
const IS_PATH = /^ALTER DATABASE "(?:[^"]|"")+" SET "search_path" TO /;
/** The database of `restore-to`, where the request was about that. */
function otherTarget({ command, restoreTo, restore }) {
    const target = command === 'verify' ? restoreTo : command === 'restore' ? restore.to : null;
    return target; // of the same engine, as the settings are read
}
/** As far as it can be told without restoring it; null where nobody has looked. */
function tablesWithData(kind, facts) {
    if (kind !== 'dump')
        return facts.get('tables_with_data') === null ? null : facts.number('tables_with_data');
    const archived = facts.get('archived');
    return archived?.split('\n').filter((oid) => oid !== '').length ?? null;
}
/** For a database that is made for a rehearsal, and dropped; without a manifest it is made like the live one. */
function scratchArguments(source, settings, backup) {
    const place = settings.restoreTo ?? source;
    const scratch = `db_backup_check_${Math.floor(Date.now() / 1000)}_${(0,external_node_crypto_.randomBytes)(4).toString('hex')}`;
    return {
        scratch,
        like: likeArgument(backup === null ? null : likeOf(backup.content)),
        search_path: backup === null ? '' : encoded(searchPathOf(backup.content)),
        maintenance: connectionString(place),
        scratch_connection: connectionString({ ...place, database: scratch }),
        scratch_password: place.password ?? '',
        jobs: settings.dump.jobs === null ? '' : String(settings.dump.jobs),
    };
}
/** Options of pg_dump, one a line on the host. A schema that is not there must not end as a backup of nothing. */
function optionsOf({ excludeTable, excludeTableData, schema }) {
    return [
        ...excludeTable.map((pattern) => `--exclude-table=${pattern}`),
        ...excludeTableData.map((pattern) => `--exclude-table-data=${pattern}`),
        ...schema.map((pattern) => `--schema=${pattern}`),
        ...(schema.length > 0 ? ['--strict-names'] : []),
    ];
}
/** SQL: the tables `c` in the schemas `n` whose data pg_dump takes with these options. */
function tablesCondition({ excludeTable, excludeTableData, schema }) {
    const excluded = [...excludeTable, ...excludeTableData].map((pattern) => `AND NOT (${tableCondition(pattern)})`);
    return [`(${schemasCondition({ schema }) || 'true'})`, ...excluded].join(' ');
}
/** SQL: the schemas `n` that were asked for; empty when all are meant. */
function schemasCondition({ schema }) {
    return schema.map((pattern) => `(${schemaCondition(pattern)})`).join(' OR ');
}
const UNRELIABLE = `The tool on the host is not a pg_dump that can be relied on (a wrapper?), or this is a bug of ours: please report it.`;
/**
 * The archive was made from this database, and the tables whose data is in it are those that the server listed in the same snapshot;
 * else E_DUMP_FAILED. A copy of a database may have the same tables, by the same numbers.
 */
function checkArchive(facts, database) {
    const from = facts.need('archived_from');
    if (from !== database) {
        throw new errors/* BackupError */.hj('E_DUMP_FAILED', `the dump was made from the database ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(from), 100)}, not from ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(database))}`, UNRELIABLE);
    }
    const archived = new Set(facts
        .need('archived')
        .split('\n')
        .filter((oid) => oid !== ''));
    const listed = new Map(facts.all('table').map(tableOf));
    const ofExtensions = new Set(facts.all('of_extension'));
    const missing = [...listed].filter(([oid]) => !archived.has(oid)).map(([, name]) => name);
    const surplus = [...archived].filter((oid) => !listed.has(oid) && !ofExtensions.has(oid));
    if (missing.length === 0 && surplus.length === 0)
        return;
    const shown = missing
        .slice(0, 5)
        .map((name) => (0,neutralise/* quoteOutside */.Y)(name, 80))
        .join(', ');
    throw new errors/* BackupError */.hj('E_DUMP_FAILED', missing.length > 0
        ? `the dump lacks the data of ${(0,reporting_format/* counted */.hS)(missing.length, 'table')} that the server listed in the same snapshot: ${shown}`
        : `the dump holds the data of ${(0,reporting_format/* counted */.hS)(surplus.length, 'table')} that the server did not list in the same snapshot`, UNRELIABLE);
}
/** A script tells no numbers: it has at least as many tables as the server listed in the same snapshot; else E_DUMP_FAILED. */
function checkScript(facts) {
    const [held, listed] = [facts.number('archived_tables'), facts.all('table').length];
    if (held >= listed)
        return;
    throw new errors/* BackupError */.hj('E_DUMP_FAILED', `the dump holds the data of ${(0,reporting_format/* counted */.hS)(held, 'table')}, and the server listed ${listed} in the same snapshot`, UNRELIABLE);
}
/** The statements alone, as pg_dumpall wrote them, without `\restrict`; a text in quotes may have lines that look like its comments. */
function rolesOf(facts) {
    const roles = facts.get('roles');
    if (roles === null)
        return null;
    const statements = roles.replace(/('[^']*'|"[^"]*")|^(?:--.*|\\(?:un)?restrict .*)?(?:\n|$)/gm, (_, quoted) => quoted ?? '');
    const lines = statements.replace(/\n$/, '').split('\n');
    return lines.every((line) => line.length <= schemas/* LINE_LIMIT */.by) ? lines : null;
}
function toolsOf(facts) {
    return {
        PostgreSQL: (0,neutralise/* quoteOutside */.Y)(serverVersion(facts), 100),
        pg_dump: (0,neutralise/* quoteOutside */.Y)(facts.need('pg_dump_version'), 100),
        ...(0,common/* compressorOf */.Zw)(facts),
    };
}
/** A sentence about the tables of which rows were not counted, those whose functions are not to be carried out or the others; none when all were. */
function notCounted(facts, why, isGuarded = false) {
    if (facts.get('checked') === null)
        return [];
    const guarded = new Set(facts.all('guarded'));
    const oids = facts.all('table').map((text) => tableOf(text)[0]);
    const uncounted = tablesOf(facts).filter(({ rows }, index) => rows === null && guarded.has(oids[index] ?? '') === isGuarded);
    if (uncounted.length === 0)
        return [];
    const names = uncounted.slice(0, 5).map(({ name }) => (0,neutralise/* quoteOutside */.Y)(name, 80));
    const more = uncounted.length > names.length ? ', ...' : '';
    return [`the rows of ${(0,counting/* plural */.L)(uncounted.length, 'table')} were not counted, ${why}: ${names.join(', ')}${more}`];
}

;// CONCATENATED MODULE: ./src/engines/postgres/dump-refusals.ts
/** What is odd about a dump of PostgreSQL that this action did not make, by the words of postgres-dumps.sh: what the file is, and what to do. */
const dumpRefusals = ({ path, said }) => ({
    unpacked: [
        `${path} is a folder that pg_dump -Fd made, and only files are taken`,
        `Put it into one: \`tar -cf ${path}.tar -C ${path} .\``,
    ],
    toc: [
        `${path} is an archive of pg_dump of another format than custom, probably the toc.dat of a folder that pg_dump -Fd made`,
        'That file holds no rows. Put the whole folder into one file (`tar -cf dump.tar FOLDER`), and name that.',
    ],
    no_toc: [
        `${path} is a tar without a toc.dat at its top or in the one folder there, so pg_dump did not make what is in it`,
        'Unpack it, and name the dump that is in it.',
    ],
    tocs: [
        `${path} is a tar of more than one dump of pg_dump -Fd`,
        'Unpack it, and make a tar of the one that is meant.',
    ],
    links: [
        `${path} is a tar with links, devices or ways out of its folder, which no dump has`,
        'Do not unpack it before you know who made it. Choose another dump.',
    ],
    utf16: [
        `${path} is text in UTF-16 (the redirection of PowerShell writes that), which psql can not read`,
        `Convert it: \`iconv -f UTF-16 -t UTF-8 ${path} > converted.sql\`. It may be damaged all the same: PowerShell changes bytes that are no text. Better let pg_dump write the file itself (\`-f\`).`,
    ],
    windows: [
        `${path} is a script that has been through Windows: it has ${said}`,
        'Bytes that are no text may be damaged there. Better let pg_dump write the file itself (`-f`), best with `-Fc`; or convert it (`dos2unix`), look at it, and name the result.',
    ],
    cut: [
        `${path} is a script of pg_dump that was cut: its last line, "PostgreSQL database dump complete", is missing`,
        'The rest of the data is not in it. Choose another dump, or copy this one anew from where it came.',
    ],
    cluster: [
        `${path} is a script of pg_dumpall: it holds every database of a server, and its roles`,
        'It can not be restored in the place of one database. Play it with psql into a server that is set up for it, dump the one database there with `pg_dump -Fc`, and restore that.',
    ],
    create: [
        `${path} is a script that connects to the database ${said} by itself (pg_dump --create), whatever it is meant to be restored into`,
        'Dump it anew without `--create`. Or remove the lines DROP DATABASE, CREATE DATABASE, ALTER DATABASE and \\connect from a copy, together with the \\restrict and \\unrestrict around them.',
    ],
});

// EXTERNAL MODULE: ./src/host/program.ts
var program = __nccwpck_require__(630);
;// CONCATENATED MODULE: ./src/engines/postgres/told-elsewhere.ts

/** What the programs tell as another user or in a container (host/program.ts); held against them by __tests__/repository/told-elsewhere.test.ts. */
const TOLD_ELSEWHERE = [
    'restored',
    ...(0,program/* facts */.Ix)('pg_bin pg_dump_version sqlstate denied'),
    // of the server and of who logs in
    ...(0,program/* facts */.Ix)('server_version server_version_num system_identifier in_recovery role login_role role_set superuser may_create'),
    ...(0,program/* facts */.Ix)('extension bound data_directory maintenance same_database'),
    // of a database
    ...(0,program/* facts */.Ix)('source_bytes encoding like search_path owns property properties_left kept_setting session subscriptions slots'),
    ...(0,program/* facts */.Ix)('installed extension_rows used_extension of_extension unread foreign_table foreign_object system_schema path_functions'),
    ...(0,program/* facts */.Ix)('objects large_objects tables table rows guarded unlogged_left'),
    // of a dump
    ...(0,program/* facts */.Ix)('checked counting_ended roles roles_missing archived archived_from'),
    // of a restore
    ...(0,program/* facts */.Ix)('restored_into restored_uncounted assert_N assert_error_N target_state target_free_kib traces in_place state'),
];

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __nccwpck_require__(7030);
;// CONCATENATED MODULE: ./src/engines/postgres/url.ts

/**
 * Parameters of libpq that are kept (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
 * `client_encoding` and `replication` would change what a dump is, `sslkeylogfile` would write keys to the host, and
 * oauth_* asks a human.
 */
const KEYWORDS = [
    ...['host', 'hostaddr', 'port', 'user', 'sslmode', 'service', 'passfile', 'connect_timeout'],
    ...['application_name', 'fallback_application_name', 'options', 'target_session_attrs', 'load_balance_hosts'],
    ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
    ...['channel_binding', 'require_auth', 'requirepeer', 'sslnegotiation', 'sslcompression', 'sslsni'],
    ...['sslcert', 'sslkey', 'sslcertmode', 'sslrootcert', 'sslcrl', 'sslcrldir'],
    ...['ssl_min_protocol_version', 'ssl_max_protocol_version', 'min_protocol_version', 'max_protocol_version'],
    ...['gssencmode', 'krbsrvname', 'gsslib', 'gssdelegation'],
];
/** Secrets that libpq takes from the connection string alone, which stands in the process list. */
const VISIBLE = new Set(['sslpassword', 'scram_client_key', 'scram_server_key', 'oauth_client_secret']);
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
/** NAMEDATALEN - 1: the server cuts longer names silently, and so may find another database. */
const LONGEST_NAME = 63;
const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?$/i;
const SCHEME = /^(jdbc:)?(postgres|postgresql|postgis|pgsql|pdo-pgsql|psql|ecto|prisma)(?:\+[a-z0-9_.+-]*)?:(.*)$/is;
const url_FORMS = 'expected postgresql://user:password@host:5432/name';
const RAW_SIGN = 'a "/", "?" or "@" that belongs to the user, the password or a name is written %2F, %3F or %40';
const PAIRS = 'expected name=value pairs with "&" between them after the "?"; an "&" inside a value is written %26';
const HOST = 'expected a host name, an IPv4 address, an IPv6 address in brackets or the folder of a socket (?host=/var/run/postgresql) after the "@"';
/** Whether the text is for `parsePostgresUrl`, be it well-formed or not. */
const namesPostgres = (text) => SCHEME.test(text);
/** null: it does not name one. The rest is as of `parsePostgresUrl`. */
function parsePostgres(text) {
    if (!namesPostgres(text))
        return null;
    const { source, secrets, dropped } = parsePostgresUrl(text);
    const remarks = dropped.includes('pgbouncer')
        ? ['it leads to PgBouncer, which may end a dump in its middle; better name the server itself, with its own port']
        : [];
    return { source, secrets, remarks };
}
/** The password of its own input. Throws an Error when there is another one in the URL. */
function withPassword(source, password) {
    if (source.password !== null && source.password !== password) {
        throw new Error('expected nothing, or the password that is in database: they differ');
    }
    return { ...source, password };
}
/** Whether two URLs name one database in the same way, whoever asks for it. */
const isSamePlace = (one, other) => placeOf(one) === placeOf(other);
function placeOf({ database, parameters }) {
    const place = Object.fromEntries(parameters);
    return JSON.stringify([place.host?.toLowerCase(), place.hostaddr, place.port ?? '5432', database]);
}
/**
 * Reads what applications keep in DATABASE_URL when it names a PostgreSQL database: the URI of libpq
 * (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS), with the schemes and drivers of SQLAlchemy, Django,
 * Doctrine, Ecto and JDBC. What libpq reads is read as libpq does; what it would fail on is taken where only one meaning
 * is left, such as a raw "@" in the password. Where programs disagree about the meaning it is refused.
 *
 * `secrets`: the password in each form that may turn up in a log. `dropped`: names of parameters that libpq does not
 * know, that make no sense for a backup, or that were translated.
 *
 * Throws an Error whose text is the rule. It never holds any of the value, which may have a password in it.
 */
function parsePostgresUrl(text) {
    checkLine(text);
    const [, jdbc, scheme, rest = ''] = SCHEME.exec(text) ?? [];
    if (scheme === undefined)
        throw new Error(url_FORMS);
    if (scheme.toLowerCase() === 'prisma') {
        throw new Error('a prisma URL leads to a proxy that pg_dump can not talk to; give the direct URL of the database, which begins with postgresql://');
    }
    const { userInfo, hosts, path, query } = split(rest, jdbc !== undefined);
    // The one reader of jdbc: URLs takes "+" for a blank; libpq and most others do not.
    const decode = jdbc === undefined ? percentDecoded : (part) => percentDecoded(part.replaceAll('+', ' '));
    const values = new Values();
    const [, user = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(userInfo) ?? [];
    // The start of a query without a "/" before it, which may hold the password; libpq would take all of it for the user.
    if (user.includes('?'))
        throw new Error(RAW_SIGN);
    const { dropped, rawPassword } = readQuery(query, decode, values);
    if (user !== '')
        values.set('user', percentDecoded(user));
    if (password !== '')
        values.set('password', percentDecoded(password));
    if (path !== '')
        values.set('dbname', decode(path));
    const database = values.take('dbname') ?? '';
    if (database === '') {
        throw new Error('expected the name of the database at its end, as in postgresql://user@host/name; without one PostgreSQL takes the name of the user, and nothing is guessed here');
    }
    if (Buffer.byteLength(database) > LONGEST_NAME) {
        throw new Error(`the name of the database is longer than ${LONGEST_NAME} bytes, and PostgreSQL would silently cut it to another name`);
    }
    const secret = values.take('password') || null;
    settlePlaces(values, hosts, jdbc !== undefined);
    const parameters = KEYWORDS.flatMap((keyword) => {
        const value = values.take(keyword);
        return value === null || value === '' ? [] : [[keyword, value]];
    });
    const forms = secret === null ? [] : [secret, password, rawPassword, encodeURIComponent(secret)];
    return {
        source: { engine: 'postgres', database, parameters, password: secret, given: uri(database, parameters) },
        secrets: [...new Set(forms.filter((form) => form !== ''))],
        dropped,
    };
}
/** Values by keyword. The empty one is a value: as for libpq it hides what stands elsewhere, and stands for the default. */
class Values {
    #values = new Map();
    set(keyword, value) {
        const other = this.#values.get(keyword);
        if (other !== undefined && other !== value) {
            throw new Error(`${keyword} is given twice with different values, and programs disagree about which one counts`);
        }
        this.#values.set(keyword, value);
    }
    take(keyword) {
        const value = this.#values.get(keyword) ?? null;
        this.#values.delete(keyword);
        return value;
    }
}
/**
 * The parts as libpq divides them (conninfo_uri_parse_options in fe-connect.c): user and password end at the first "@" before
 * the first "/", so that "?", "#" and ":" may stand raw in a password. An "@" may too: one in the host is never right.
 */
function split(rest, jdbc) {
    if (!rest.startsWith('//')) {
        // jdbc:postgresql:name
        if (!jdbc || rest.startsWith('/'))
            throw new Error(url_FORMS);
        return divide('', '', `/${rest}`);
    }
    const body = rest.slice(2);
    const first = /^[^@/]*@/.exec(body)?.[0] ?? '';
    const [, hosts = '', tail = ''] = /^([^/?]*)(.*)$/s.exec(body.slice(first.length)) ?? [];
    const at = hosts.lastIndexOf('@');
    return divide(first === '' ? '' : body.slice(0, first.length + at), hosts.slice(at + 1), tail);
}
function divide(userInfo, hosts, tail) {
    if (`${hosts}${tail}`.includes('#')) {
        throw new Error('"#" after the "@" belongs to the value for some programs and ends the URL for others; write %23, or leave it out with what follows');
    }
    const [, path = '', query = ''] = /^\/?([^?]*)(?:\?(.*))?$/s.exec(tail) ?? [];
    // The rest of a password with a raw "/" in it; it must not become the name of a database or of a parameter.
    if (path.includes('@'))
        throw new Error(RAW_SIGN);
    return { userInfo, hosts, path, query };
}
function readQuery(query, decode, values) {
    const dropped = new Set();
    let rawPassword = '';
    let ssl = '';
    for (const part of query.split('&')) {
        if (part === '')
            continue;
        const [, rawName = '', equals, raw = ''] = /^([^=]*)(=)?(.*)$/s.exec(part) ?? [];
        const name = decode(rawName);
        const keyword = name === 'database' ? 'dbname' : name;
        const known = KEYWORDS.includes(keyword) || keyword === 'password' || keyword === 'dbname';
        if (!known && part.includes('@'))
            throw new Error(RAW_SIGN);
        // What is no name may be the rest of a password with a raw "&" in it, and names are shown.
        if (!/^[a-z][\w.-]*$/i.test(name) || (equals === undefined && name !== 'ssl'))
            throw new Error(PAIRS);
        const value = decode(raw);
        if (VISIBLE.has(name) && value !== '') {
            throw new Error(`${name} can not be used: it would stand in the process list of the host, where every user can read it`);
        }
        if (keyword === 'password')
            rawPassword = raw;
        if (known)
            values.set(keyword, value);
        else
            dropped.add(name);
        if (name === 'ssl' || name === 'requiressl')
            ssl = equals === undefined ? 'true' : value;
    }
    settleSslMode(values, ssl);
    return { dropped: [...dropped], rawPassword };
}
/** `ssl=true` of libpq, JDBC and node-pg, `ssl=require` of asyncpg, and node-pg's `no-verify`: none checks the certificate. */
function settleSslMode(values, ssl) {
    const given = values.take('sslmode') || null;
    const fromSsl = /^(?:true|1|on|yes)$/i.test(ssl) ? 'require' : ssl;
    const mode = given ?? (fromSsl === 'no-verify' || SSL_MODES.includes(fromSsl) ? fromSsl : '');
    if (mode !== '' && mode !== 'no-verify' && !SSL_MODES.includes(mode)) {
        throw new Error(`sslmode: expected one of ${SSL_MODES.join(', ')}`);
    }
    values.set('sslmode', mode === 'no-verify' ? 'require' : mode);
}
/** Hosts and ports of the query override those before the path, each list by itself, as libpq does it. */
function settlePlaces(values, authority, jdbc) {
    const places = authority === '' ? [] : authority.split(',').map((one) => place(one, percentDecoded));
    const fromQuery = values
        .take('host')
        ?.split(',')
        .map((one) => (/^[/@]/.test(one) || (0,external_node_net_.isIPv6)(one) ? { host: checkedHost(one), port: '' } : place(one, String)));
    const queryPorts = values.take('port')?.split(',').map(checkedPort);
    const hosts = (fromQuery ?? places).map(({ host }) => host);
    const ownPorts = (fromQuery?.some(({ port }) => port !== '') ? fromQuery : places).map(({ port }) => port);
    const ports = queryPorts ?? ownPorts;
    if (hosts.length === 0 && jdbc)
        hosts.push('localhost');
    if (hosts.length > 1 && hosts.includes(''))
        throw new Error(HOST);
    const given = ports.some((port) => port !== '');
    if (given && ports.length > 1 && ports.length !== hosts.length) {
        throw new Error('expected one port for all hosts, or as many ports as hosts');
    }
    values.set('host', hosts.join(','));
    if (given)
        values.set('port', ports.join(','));
}
function place(text, decode) {
    const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? [];
    if (bracketed !== undefined && !(0,external_node_net_.isIPv6)(decode(bracketed)))
        throw new Error(HOST);
    return { host: checkedHost(decode(bracketed ?? plain)), port: checkedPort(port) };
}
function checkedHost(host) {
    const socket = /^[/@][^,]+$/.test(host);
    if (host === '' || socket || (0,external_node_net_.isIP)(host) !== 0 || (HOST_NAME.test(host) && host.length <= 253))
        return host;
    throw new Error(HOST);
}
function checkedPort(port) {
    if (port === '')
        return port;
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
    if (number < 1 || number > 65_535) {
        throw new Error(`expected a port from 1 to 65535 after the ":" of the host; ${RAW_SIGN}`);
    }
    return String(number);
}
function percentDecoded(part) {
    let decoded;
    try {
        decoded = decodeURIComponent(part);
    }
    catch {
        throw new Error('expected "%" only before two hexadecimal digits of UTF-8, as in %40; write %25 for "%" itself');
    }
    // Again, since %00 and %0A were not seen before.
    checkLine(decoded);
    return decoded;
}
function checkLine(text) {
    if (/\p{Cc}/u.test(text))
        throw new Error('expected one line without control characters');
}
/** The URI that libpq reads as these parameters. */
function uri(database, parameters) {
    const { host = '', port = '', user = '', ...others } = Object.fromEntries(parameters);
    const hosts = host.split(',');
    const ports = port.split(',');
    // Folders of sockets, and one port for several hosts, have their place in the query.
    const before = !/[/@]/.test(host) && (port === '' || ports.length === hosts.length);
    const places = hosts.map((one, index) => {
        const name = (0,external_node_net_.isIPv6)(one) ? `[${one.replace('%', '%25')}]` : one;
        return ports[index] ? `${name}:${ports[index]}` : name;
    });
    const query = Object.entries(before ? others : { host, port, ...others })
        .filter(([, value]) => value !== '')
        .map(([keyword, value]) => `${keyword}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%2C', ',')}`)
        .join('&');
    const login = user === '' ? '' : `${encodeURIComponent(user)}@`;
    const name = encodeURIComponent(database);
    return `postgresql://${login}${before ? places.join(',') : ''}/${name}${query === '' ? '' : `?${query}`}`;
}

;// CONCATENATED MODULE: ./src/engines/postgres/index.ts







const postgres = {
    ...postgresFormat,
    name: 'postgres',
    title: 'PostgreSQL',
    forms: 'postgresql://USER@HOST/NAME',
    form: 'a postgresql:// URL',
    dump: 'a dump of PostgreSQL',
    recogniser: __nccwpck_require__.ab + "postgres-dumps.sh",
    dumpRefusals: dumpRefusals,
    packages: { 'postgresql-client': { redhat: 'postgresql', suse: 'postgresql', arch: 'postgresql' } },
    leaves: 'databases on its server whose names begin with db_backup_new_ or db_backup_old_',
    inputs: [
        ...['database-password', 'dump-format', 'jobs', 'exclude-table', 'exclude-table-data', 'schema'],
        ...['restore-way', 'allow-unsafe-client'],
    ],
    parse: parsePostgres,
    withPassword: withPassword,
    parsePattern: parseNamePattern,
    nameOf: ({ database }) => (0,names/* nameFromText */.No)(database),
    scratch: {
        isSame: isSamePlace,
        elsewhere: 'another database than the live one, for example the database postgres of that server',
        onRunner: 'a PostgreSQL server as seen from the runner, for example postgresql://postgres:throw-away@localhost/postgres of a service container',
    },
    open: postgresDatabase,
    // literal names in `new URL`, one for each file, so that the bundler finds and copies them
    programs: [
        __nccwpck_require__.ab + "postgres.sh",
        __nccwpck_require__.ab + "postgres-failures.sh",
        __nccwpck_require__.ab + "postgres-backup.sh",
        __nccwpck_require__.ab + "postgres-archive.sh",
        __nccwpck_require__.ab + "postgres-verify.sh",
        __nccwpck_require__.ab + "postgres-restore.sh",
        __nccwpck_require__.ab + "postgres-target.sh",
        __nccwpck_require__.ab + "postgres-extensions.sh",
        __nccwpck_require__.ab + "postgres-load.sh",
        __nccwpck_require__.ab + "postgres-swap.sh",
        __nccwpck_require__.ab + "postgres-in-place.sh",
    ],
    elsewhere: TOLD_ELSEWHERE,
};

;// CONCATENATED MODULE: ./src/engines/sqlite/restore.ts








/** For people, as the programs on the host ask: nothing that stands in the database is carried out (sqlite.sh, sqlite_distrust). */
const QUICK_CHECK = 'PRAGMA trusted_schema = off; PRAGMA ignore_check_constraints = on; PRAGMA quick_check';
/** The tool for that: it loads no library, and starts no editor. */
const checking = (sudo) => `${sudo}env -u VISUAL sqlite3 -cmd '.dbconfig load_extension off'`;
const IN_PLACE = 'in-place';
const REPLACE = 'replace';
const MOST_SHOWN = 5;
/** Puts a SQLite dump back, by programs/sqlite-restore.sh. */
function sqliteRestoring(target) {
    const given = (settings) => ({
        ...(0,common/* commonArguments */.oJ)(settings),
        source: target.path,
        busy_ms: String(settings.lockWaitMs),
    });
    return {
        targetName: target.path.replace(/^.*\//, ''),
        target: target.path,
        // what the path leads to the host tells
        mayBe: (identity) => 'path' in identity,
        look(settings, dump) {
            const stops = settings.restore.stopCommand === null ? '' : '1';
            return ['job', 'look_restore_sqlite', (0,common/* named */.KT)({ ...given(settings), ...dumpArguments(dump), stops })];
        },
        plan: planOf,
        load(settings, dump, step) {
            return [
                'job',
                'load_restore_sqlite',
                (0,common/* named */.KT)({ ...given(settings), ...dumpArguments(dump), ...restore_stepArguments(step) }),
            ];
        },
        loaded(facts, { manifest }) {
            const tables = restore_decoded(facts.restored, facts.get('encoding'));
            const couldCount = facts.get('uncounted') === null && facts.get('unread') === null;
            if (manifest?.content && couldCount)
                (0,common/* checkRows */.Uu)(manifest.content, tables);
            return tables;
        },
        swap(settings, dump, step) {
            const { proven = '' } = dumpArguments(dump);
            return ['job', 'swap_restore_sqlite', (0,common/* named */.KT)({ ...given(settings), ...restore_stepArguments(step), proven })];
        },
        swapped(facts, loaded) {
            return differencesAfter(facts, loaded);
        },
        back(settings, step, safety) {
            return [
                'job',
                'back_restore_sqlite',
                (0,common/* named */.KT)({
                    ...given(settings),
                    ...restore_stepArguments(step),
                    safety_payload: safety?.file ?? '',
                    safety_sha256: safety?.sha256 ?? '',
                    safety_bytes: safety === null ? '' : String(safety.bytes),
                    safety_plain_bytes: safety?.databaseBytes == null ? '' : String(safety.databaseBytes),
                    safety_packing: safety === null ? '' : (0,packing/* stagesOf */.ZL)(safety),
                    safety_kind: safety?.kind ?? '',
                }),
            ];
        },
        settle(settings, step) {
            return ['job', 'settle_restore_sqlite', (0,common/* named */.KT)({ ...given(settings), ...restore_stepArguments(step) })];
        },
        recover(settings, step, { identity }) {
            const known = identity.path ?? '';
            return ['job', 'recover_restore_sqlite', (0,common/* named */.KT)({ ...given(settings), ...restore_stepArguments(step), known })];
        },
        identity: (facts) => ({ path: facts.path('resolved') }),
        saveDamaged(settings, id) {
            return ['job', 'save_damaged_sqlite', (0,common/* named */.KT)({ ...given(settings), id })];
        },
        byHand({ runAs }, { id, way }, safety, directory) {
            const sudo = runAs === null ? '' : `sudo -u ${(0,quoting/* quote */.h)(runAs)} `;
            const path = target.path.startsWith('/') ? (0,quoting/* quote */.h)(target.path) : `~/${(0,quoting/* quote */.h)(target.path)}`;
            const live = `live=$(${sudo}readlink -f ${path})`;
            if (way === REPLACE) {
                const move = `[ ! -e "$1.before-$2$3" ] || mv -f "$1.before-$2$3" "$1$3"`;
                return [
                    live,
                    `${sudo}rm -f "$live-wal" "$live-shm" "$live-journal"`,
                    ...['', '-wal', '-shm', '-journal'].map((end) => `${sudo}sh -c '${move}' sh "$live" ${(0,quoting/* quote */.h)(id)} '${end}'`),
                ];
            }
            if (safety === null)
                return [];
            return [
                `cd ${(0,quoting/* quote */.h)(directory)} && sha256sum -c ${(0,quoting/* quote */.h)(`${safety.file}.sha256`)}`,
                `old=$(${sudo}mktemp -d)/old.db && ${(0,packing/* unpackLine */.ZK)(safety)} ${(0,quoting/* quote */.h)(safety.file)} ${sudo === '' ? '>' : `| ${sudo}tee > /dev/null`} "$old"`,
                `${checking(sudo)} "$old" ${(0,quoting/* quote */.h)(QUICK_CHECK)}`,
                live,
                `${sudo}test -s "$old" && ${sudo}sqlite3 "$live" '.timeout 30000' ".restore $old"`,
            ];
        },
    };
}
const restore_stepArguments = ({ id, way }) => ({ id, way });
function planOf({ restore, minFreeBytes }, facts, dump) {
    const path = facts.path('source');
    const state = stateOf(facts);
    const dumpBytes = facts.number('dump_bytes');
    const users = usersOf(facts);
    if (facts.get('headless') !== null)
        checkIsMeant(facts, dump, path);
    if (dump.manifest === null && facts.number('objects') === 0) {
        throw new errors/* BackupError */.hj('E_EMPTY', `${dump.file} is a valid SQLite database without a single table`, 'When an empty database is wanted, delete the live one by hand.');
    }
    const unread = facts.get('unread') !== null || facts.get('live_unread') !== null;
    const inPlace = state === 'sound' && !unread && (facts.get('live_wal') !== '1' || sizeOf(facts) === facts.number('page_size'));
    const needed = (inPlace ? 2 : 1) * dumpBytes;
    const free = facts.get('target_free_kib');
    const freeBytes = free === null || free === '' ? null : facts.number('target_free_kib') * 1024;
    if (freeBytes !== null && freeBytes < needed + minFreeBytes) {
        throw new errors/* BackupError */.hj('E_NOSPACE', `${(0,reporting_format/* formatBytes */.z3)(needed)} are needed beside ${path}, and ${(0,reporting_format/* formatBytes */.z3)(minFreeBytes)} are to stay free (min-free); there are ${(0,reporting_format/* formatBytes */.z3)(freeBytes)}`, 'Free space there.');
    }
    if (!inPlace && users.length > 0 && restore.stopCommand === null)
        throw busy(path, users);
    const live = restore_decoded(facts.rows, facts.get('live_encoding'));
    return {
        state,
        way: inPlace ? IN_PLACE : REPLACE,
        wayInWords: wayInWords(state, inPlace, unread),
        safetyLevel: facts.get('live_unjudged') === null ? 'content' : 'checksum',
        bytes: facts.number('live_bytes'),
        tables: live,
        dumpTables: facts.get('unread') === null
            ? restore_decoded(facts.restored, facts.get('encoding'))
            : (dump.manifest?.content?.tables ?? null),
        differences: [...differencesOf(facts), ...settingsOf(facts)],
        users,
        neededBytes: needed,
        freeBytes,
        remarks: remarksOf(facts, path, inPlace, users),
    };
}
function stateOf(facts) {
    const state = facts.need('live_state');
    if (state === 'sound' || state === 'damaged' || state === 'missing')
        return state;
    throw new errors/* BackupError */.hj('E_INTERNAL', `the host reported the state ${JSON.stringify(state.slice(0, 40))}`);
}
const sizeOf = (facts) => facts.number('live_page_size');
/** Who has the database open, one line each. */
function usersOf(facts) {
    return [...new Set(facts.all('in_use'))].map((user) => (0,neutralise/* quoteOutside */.Y)(user, 100));
}
function busy(path, users) {
    return new errors/* BackupError */.hj('E_TARGET_BUSY', `${path} can only be replaced as a whole, and is open in ${users.length === 0 ? 'a process that can not be seen from here' : users.join(', ')}`, 'What such a process writes afterwards would be lost. Stop it, or set `stop-command` and `start-command`.');
}
/** A file that is no database is replaced only where it is known that one was there. Throws E_SOURCE_INVALID. */
function checkIsMeant(facts, { manifest }, path) {
    if (manifest?.identity.path === path)
        return;
    throw new errors/* BackupError */.hj('E_SOURCE_INVALID', `${path} is no SQLite database: ${(0,neutralise/* quoteOutside */.Y)(facts.get('damage') ?? '', 200)}`, 'It is not replaced, since the backup was not made of it. If it is meant, move that file away first: a missing one is created.');
}
/** `unread`: what SQLite itself writes over a database it signs with its own version, and an older one looks like damage to the next tool. */
function wayInWords(state, inPlace, unread) {
    if (inPlace) {
        return 'in place: SQLite writes the backup into the live file in one transaction; programs may stay connected, writers wait that long, and all see the restored rows with their next statement';
    }
    const because = {
        missing: 'the file is made anew',
        damaged: 'the damaged file is replaced as a whole, with its -wal, -shm and -journal',
        sound: `the file is replaced as a whole, with its -wal, -shm and -journal, since ${unread ? 'its schema, or that of the backup, is of a newer SQLite than the tool on the host' : 'its pages have another size than those of the backup'}`,
    };
    return `${because[state]}, while nobody has it open`;
}
function remarksOf(facts, path, inPlace, users) {
    const remarks = [];
    const damage = facts.get('damage');
    if (damage !== null)
        remarks.push(`${path} is damaged: ${(0,neutralise/* quoteOutside */.Y)(damage, 300)}`);
    if (facts.get('live_locked') !== null) {
        remarks.push(`${path} is locked, so it could not be looked into: ${(0,neutralise/* quoteOutside */.Y)(facts.get('live_locked') ?? '', 200)}`);
    }
    if (facts.get('uncounted') !== null) {
        remarks.push(`not all rows of ${path} could be counted: ${(0,neutralise/* quoteOutside */.Y)(facts.get('uncounted') ?? '', 200)}`);
    }
    if (facts.get('live_state') === 'missing') {
        remarks.push(`${path} will be made with the mode 600, for the owner of ${(0,neutralise/* quoteOutside */.Y)(facts.get('parent') ?? '', 300)} or, where only root could do that, for the user who makes it`);
    }
    if (!inPlace && facts.get('all_users') === null) {
        remarks.push(`who has ${path} open is known only of processes of the same user: those of others can be seen by root alone`);
    }
    if (inPlace && users.length > 0) {
        remarks.push(`${(0,counting/* plural */.L)(users.length, 'process', 'processes')} ${users.length === 1 ? 'has' : 'have'} ${path} open, and may keep rows in memory that are not there any more: restart the application after the restore`);
    }
    return remarks;
}
/** The schema of the live database against that of the backup. */
function differencesOf(facts) {
    const [live, dump] = [facts.get('live_schema'), facts.get('dump_schema')];
    if (live === null || dump === null)
        return [];
    const [before, after] = [schemaOf(live, facts.get('live_encoding')), schemaOf(dump, facts.get('encoding'))];
    const differences = [];
    for (const [name, sql] of before) {
        const other = after.get(name);
        if (other === undefined)
            differences.push(`${name} is only in the live database, and will be gone`);
        else if (other !== sql)
            differences.push(`${name} is defined otherwise in the backup`);
    }
    for (const name of after.keys())
        if (!before.has(name))
            differences.push(`${name} is only in the backup`);
    return differences.map((line) => (0,neutralise/* quoteOutside */.Y)(line, 300));
}
function settingsOf(facts) {
    const [live, dump] = [facts.get('live_encoding'), facts.get('encoding')];
    const lines = [];
    if (live !== null && dump !== null && live !== dump)
        lines.push(`the encoding is ${live}, and ${dump} in the backup`);
    if (facts.get('live_page_size') !== null && sizeOf(facts) !== facts.number('page_size')) {
        lines.push(`pages have ${(0,reporting_format/* formatCount */.B4)(sizeOf(facts))} bytes, and ${(0,reporting_format/* formatCount */.B4)(facts.number('page_size'))} in the backup`);
    }
    return lines.map((line) => (0,neutralise/* quoteOutside */.Y)(line, 200));
}
/** Lines of `object TYPE NAME TABLE ROOTPAGE SQL`, the texts in hex; what SQLite makes by itself is left out. */
function schemaOf(text, encoding) {
    const decoder = decoderOf(encoding);
    const plain = (hex = '') => decoder.decode(Buffer.from(hex, 'hex'));
    const objects = new Map();
    for (const line of text.split('\n')) {
        const [word, type, name, , , sql] = line.split(' ');
        if (word !== 'object' || plain(name).startsWith('sqlite_'))
            continue;
        objects.set(`${plain(type)} ${plain(name)}`, plain(sql));
    }
    return objects;
}
/** The live database after the swap against what was loaded. Throws E_RESTORE. */
function differencesAfter(facts, loaded) {
    const path = facts.path('source');
    const remarks = [];
    const uncounted = facts.get('uncounted');
    if (uncounted !== null)
        remarks.push(`not all rows of the restored ${path} could be counted: ${(0,neutralise/* quoteOutside */.Y)(uncounted, 200)}`);
    const live = new Map(restore_decoded(facts.restored, facts.get('encoding')).map(({ name, rows }) => [name, rows]));
    const missing = loaded.filter(({ name }) => !live.has(name)).map(({ name }) => name);
    const other = loaded.filter(({ name, rows }) => live.has(name) && live.get(name) !== rows);
    const alone = facts.get('all_users') !== null && facts.all('in_use').length === 0;
    const shown = other
        .slice(0, MOST_SHOWN)
        .map(({ name, rows }) => (0,neutralise/* quoteOutside */.Y)(`${name} has ${(0,counting/* plural */.L)(live.get(name) ?? 0, 'row')}, not ${rows}`, 120))
        .join('; ');
    if ((missing.length > 0 && uncounted === null) || (other.length > 0 && alone)) {
        throw new errors/* BackupError */.hj('E_RESTORE', `${path} is not what was loaded: ${missing.length > 0 ? `missing: ${(0,neutralise/* quoteOutside */.Y)(missing.slice(0, MOST_SHOWN).join(', '), 300)}` : shown}`, 'Something else writes into that database, or the disk can not be trusted.');
    }
    if (other.length > 0)
        remarks.push(`after the restore somebody has already written to ${path}: ${shown}`);
    return remarks;
}
/** Names as the database holds them, in its own encoding. */
function restore_decoded(tables, encoding) {
    const decoder = decoderOf(encoding);
    return tables.map(({ name, rows }) => ({ name: decoder.decode(name), rows }));
}
function decoderOf(encoding) {
    return new TextDecoder(encoding === null || encoding === '' ? 'utf-8' : encoding.toLowerCase());
}

;// CONCATENATED MODULE: ./src/engines/sqlite/database.ts






/** SQLite: one committed state of a live database, by programs/sqlite.sh. */
function sqliteDatabase(source) {
    return {
        kind: 'sqlite',
        path: source.path,
        backup(settings, id, holder) {
            return [
                'job',
                'backup_sqlite',
                (0,common/* named */.KT)({ ...database_argumentsOf(source, settings), id, holder, lock_wait: (0,common/* seconds */.YA)(settings.lockWaitMs) }),
            ];
        },
        inspect(settings) {
            return ['job', 'inspect_sqlite', (0,common/* named */.KT)(database_argumentsOf(source, settings))];
        },
        verify(settings, manifest) {
            return ['job', 'verify_sqlite', (0,common/* named */.KT)({ ...database_argumentsOf(source, settings), ...(0,common/* payloadArguments */.Ty)(manifest) })];
        },
        checkProof(facts, { content }) {
            if (content === null || facts.get('page_count') === null)
                return;
            (0,common/* checkRows */.Uu)(content, database_decoded(facts, facts.restored));
        },
        identity(facts) {
            return { path: facts.path('source') };
        },
        describe(facts) {
            const checked = facts.get('page_count') !== null;
            return {
                databaseBytes: facts.number('plain_bytes'),
                tools: database_toolsOf(facts),
                content: checked
                    ? {
                        tables: database_decoded(facts, facts.rows),
                        pageSize: facts.number('page_size'),
                        pageCount: facts.number('page_count'),
                        objects: facts.number('objects'),
                        foreignKeyViolations: facts.get('foreign_keys') === null ? 0 : facts.number('foreign_keys'),
                    }
                    : null,
            };
        },
        remarks() {
            return [];
        },
        plan(facts) {
            return `${facts.need('source')} with ${facts.get('sqlite_tool')} ${facts.get('sqlite_version')}`;
        },
        recovery({ file, compression, identity, content }, directory, { runAs }) {
            const { path = source.path } = identity;
            // The owner can not read the directory of the login user, who in turn may not write the database.
            const sudo = runAs === null ? '' : `sudo -u ${(0,quoting/* quote */.h)(runAs)} `;
            return [
                `cd ${(0,quoting/* quote */.h)(directory)} && sha256sum -c ${(0,quoting/* quote */.h)(`${file}.sha256`)}`,
                `restored=$(${sudo}mktemp -d)/restored.db && ${(0,packing/* unpackLine */.ZK)({ compression })} ${(0,quoting/* quote */.h)(file)} ${runAs === null ? '>' : `| ${sudo}tee > /dev/null`} "$restored"`,
                // what the tool could not judge then it may not be able to judge now
                `${checking(sudo)} "$restored" ${(0,quoting/* quote */.h)(QUICK_CHECK)} # must print ok${content === null ? ', unless this sqlite3 is older than that of the application' : ''}; do not go on otherwise`,
                `# then${runAs === null ? ', as the owner of the database' : ''}, best with the application stopped:`,
                `${sudo}test -s "$restored" && ${sudo}sqlite3 ${(0,quoting/* quote */.h)(path)} '.timeout 30000' ".restore $restored"`,
            ];
        },
        empty(facts) {
            return new errors/* BackupError */.hj('E_EMPTY', `${facts.need('source')} is a valid SQLite database without a single table, so its backup would prove nothing`, 'Check that `database` names the file that the application uses.');
        },
        restoring: sqliteRestoring(source),
        explain(failure, settings) {
            const said = (0,neutralise/* quoteOutside */.Y)(failure.text);
            const path = failure.facts.get('source') ?? source.path;
            switch (failure.code) {
                case 'E_SOURCE_MISSING':
                    return new errors/* BackupError */.hj('E_SOURCE_MISSING', `there is no database at ${path} (database: ${source.given})`, `Correct \`database\`. A relative path starts at the home of the login user${/^sqlite[^:]*:\/\/\/[^/]/.test(source.given) ? '; in a URL of the form sqlite:///x the path is relative, an absolute one has four slashes' : ''}.`);
                case 'E_SOURCE_OWNER': {
                    const owner = failure.facts.get('owner') ?? 'its owner';
                    const login = (0,common/* loginUser */.Lx)(settings);
                    const user = settings.runAs ?? login;
                    return new errors/* BackupError */.hj('E_SOURCE_OWNER', `${path} belongs to ${owner}, and ${user} is not ${owner}: SQLite would leave -wal and -shm files that the application can not write, and its next write would fail`, `Set \`run-as: ${owner}\` (and let ${login} run \`sudo -n -u ${owner} sh\`), or log in as ${owner}.`);
                }
                case 'E_SOURCE_INVALID': {
                    const other = failure.facts.get('other_name');
                    if (other === null)
                        return null;
                    return new errors/* BackupError */.hj('E_SOURCE_INVALID', `${said}: SQLite keeps -wal and -journal beside one name of a file, and through another one what is in them is not seen`, `${other === 'link'
                        ? `\`find / -xdev -samefile ${path}\` shows the others. Remove those that nobody opens (a hard link is no copy), and name the one that the application opens`
                        : 'Mount the folder of the database into the container, not the single file, and name the file in that folder'}.`);
                }
                case 'E_SOURCE_CORRUPT':
                    return new errors/* BackupError */.hj('E_SOURCE_CORRUPT', `SQLite found damage in ${path}: ${said}`, /\b(NULL|NUMERIC|TEXT|non-[A-Z]+) value in /.test(failure.text)
                        ? `Rows break a constraint of their table, which SQLite counts as damage. Correct the rows, or set \`verify: checksum\`.`
                        : `${NOT_PARSED.test(failure.text) ? 'First look at it with the SQLite of the application: when that can read it, the file only went through an older tool (`.restore`, `.backup`), which signs with its own version, until the application writes again. Otherwise: ' : ''}A backup of it would be damaged too. Keep the older ones. Check the disk, then restore the newest good backup, or try \`sqlite3 ${path} .recover | sqlite3 -safe NEW-FILE\`.`);
                case 'E_BUSY':
                    return new errors/* BackupError */.hj('E_BUSY', `${path} stayed locked for ${(0,common/* seconds */.YA)(settings.lockWaitMs)} s (lock-wait): ${said}`, `A process holds an exclusive lock (a long transaction, a migration, locking_mode=EXCLUSIVE): \`fuser -v ${path}\` shows who has it open.`);
                case 'E_DUMP_FAILED':
                    return new errors/* BackupError */.hj('E_DUMP_FAILED', `no proven copy of ${path} could be made: ${said}`, NOT_KNOWN.test(failure.text)
                        ? `The application brings this extension of SQLite, and the tool on the host does not know it, so it can not check the content. Set \`verify: checksum\`: the copy is the same, only less is proven.`
                        : undefined);
                case 'E_RESTORE':
                    if (settings.command === 'restore') {
                        return new errors/* BackupError */.hj('E_RESTORE', `${path} could not be restored: ${said}`, NOT_KNOWN.test(failure.text)
                            ? 'The application brings this extension of SQLite, and the tool on the host does not know it, so nothing can be proven of the backup. Restore it by hand, as its manifest says under `recovery`.'
                            : NOT_PARSED.test(failure.text)
                                ? 'It is damaged, or went through an older tool (`.backup`, `.restore`), which signs with its own version. Look at it with the SQLite of the application: when that can read it, put a sqlite3 as new on the host, and restore it again.'
                                : '');
                    }
                    return new errors/* BackupError */.hj('E_RESTORE', `SQLite on the host can not check what is in the backup: ${said}`, NOT_KNOWN.test(failure.text)
                        ? `The application brings this extension of SQLite, and the tool on the host does not know it. Verify at the level checksum.`
                        : undefined);
                case 'E_TOOL_VERSION':
                    if (failure.facts.get('written_by') !== null)
                        return newer(path, said, failure.facts, settings);
                    return new errors/* BackupError */.hj('E_TOOL_VERSION', `${said} on the host can not be kept from running programs that the schema of a database names (its function edit), and Python 3.7 or newer, which would do as well, is not there`, `Install sqlite3 3.31 or newer, or Python 3.7 or newer.`);
                case 'E_TARGET_BUSY':
                    return busy(path, usersOf(failure.facts));
                case 'E_ROLLBACK_FAILED':
                    return new errors/* BackupError */.hj('E_ROLLBACK_FAILED', `${path} could not be put back: ${said}`, '');
                case 'E_PERM': {
                    if (!/readonly|unable to open/.test(failure.text))
                        return null;
                    return new errors/* BackupError */.hj('E_PERM', `SQLite could not open ${path}: ${said}`, `In WAL mode it must be able to make -wal and -shm beside the database: let the owner of the database write that folder.`);
                }
                default:
                    return null;
            }
        },
    };
}
/** The text of a statement of the schema that the tool can not read, where the file says that it is not of a newer SQLite. */
const NOT_PARSED = /malformed database schema .* - .*(syntax error|unrecognized token|unknown )/;
/** The schema is of a newer SQLite than the tool that is to read it. */
function newer(path, said, facts, { command, verifyOn }) {
    const version = (0,neutralise/* quoteOutside */.Y)(facts.get('written_by') ?? '', 20);
    const verifying = command === 'verify';
    const where = verifying && verifyOn === 'runner' ? 'the runner' : 'the host';
    return new errors/* BackupError */.hj('E_TOOL_VERSION', `${verifying ? 'the backup' : path} needs a newer sqlite3 on ${where} for its content to be read: ${said}`, `It may be too new for that tool, or damaged: the application's own SQLite can tell (\`PRAGMA integrity_check\`). Install sqlite3 ${version} or newer on ${where} (as from sqlite.org/download.html, into /usr/local/bin); or set \`verify: checksum\`, ${verifying
        ? 'which proves its bytes'
        : 'which copies its pages as they are, proves the bytes of the copy, and can be restored'}.`);
}
/** What SQLite says of an extension that the schema needs. */
const NOT_KNOWN = /no such (collation sequence|function|module|tokenizer)|unknown function|unsafe use of/;
function database_argumentsOf(source, settings) {
    return { ...(0,common/* commonArguments */.oJ)(settings), source: source.path, busy_ms: String(settings.lockWaitMs) };
}
function database_toolsOf(facts) {
    const tools = {};
    const engine = facts.get('sqlite_tool');
    if (engine !== null) {
        tools[engine === 'python3' ? 'sqlite3 (python3 module)' : engine] = (0,neutralise/* quoteOutside */.Y)(facts.get('sqlite_version') ?? '', 60);
    }
    Object.assign(tools, (0,common/* compressorOf */.Zw)(facts));
    return tools;
}
/** `hex()` gives the bytes of a name as the database holds them. */
function database_decoded(facts, tables) {
    const decoder = new TextDecoder(facts.get('encoding')?.toLowerCase() ?? 'utf-8');
    return tables.map(({ name, rows }) => ({ name: decoder.decode(name), rows }));
}

;// CONCATENATED MODULE: ./src/engines/sqlite/dump-refusals.ts
/** What is odd about a dump of SQLite that this action did not make, by the words of sqlite-dumps.sh: what the file is, and what to do. */
const dump_refusals_dumpRefusals = ({ path, said }) => ({
    live: [
        `${said} lies beside ${path}, which therefore is in use or was copied in the middle of a change: it alone is not the database`,
        `Make a whole copy of it: \`sqlite3 ${path} ".backup copy.db"\`, and name that.`,
    ],
    sqlite_script: [
        `${path} is SQL of SQLite (\`.dump\`), which only the sqlite3 tool could read; that tool also runs commands that stand in such a file`,
        `Load it where such commands are refused: \`sqlite3 -safe copy.db < ${path}\`, look at copy.db, and name that.`,
    ],
});

;// CONCATENATED MODULE: ./src/engines/sqlite/format.ts

const format_IDENTITY = (0,schemas/* object */.Ik)({ path: (0,schemas/* matching */.wC)(/^\/[^\0]*$/, 'an absolute path') });
const format_CONTENT = (0,schemas/* object */.Ik)({ pageSize: (0,schemas/* whole */.WQ)(), pageCount: (0,schemas/* whole */.WQ)(), foreignKeyViolations: (0,schemas/* whole */.WQ)() });
const sqliteFormat = {
    kinds: ['sqlite'],
    logical: false,
    damaged: {
        kind: 'tar',
        advice: 'To get at what is in it: `tar -xf`, then `sqlite3 FILE .recover | sqlite3 -safe NEW-FILE`.',
    },
    identityFields: ['path'],
    identity: format_IDENTITY,
    content: format_CONTENT,
    isSame: (one, other) => one.path === other.path,
    show: ({ path }) => JSON.stringify(path),
};

// EXTERNAL MODULE: ./src/settings/host-path.ts
var host_path = __nccwpck_require__(3663);
;// CONCATENATED MODULE: ./src/engines/scheme.ts
/** null: a text without one, such as a path. */
function schemeOf(text) {
    const [, jdbc, name, driver = '', rest = ''] = /^(jdbc:)?([a-z][a-z0-9-]*)(\+[a-z0-9_.+-]+)?:(.*)$/i.exec(text) ?? [];
    return name === undefined ? null : { jdbc: jdbc !== undefined, name: name.toLowerCase(), driver, rest };
}
/** Of .NET, ODBC and libpq: `Data Source=app.db;Password=...`, `host=db password=...`. */
const isKeywords = (text) => /(?:^|[;\s])(?:data source|datasource|server|host|user id|username|password|pwd|dbname) *=/i.test(text);

;// CONCATENATED MODULE: ./src/engines/sqlite/url.ts


/** Of the name of a file. */
const DATABASE_EXTENSION = /\.(?:db|db3|sdb|s3db|sl3|sq3|sqlite|sqlite3|sqlitedb)$/i;
/**
 * Reads what applications keep in DATABASE_URL when it names a SQLite file: a plain path, `file:` as SQLite and Prisma write
 * it, `sqlite:` as SQLAlchemy, sqlx and PDO do, `jdbc:sqlite:`. Relative paths start at the home of the login user, not
 * where the application starts them. null: it is none of these.
 *
 * Returns the path as `parseHostPath` does. `given` has no query or fragment, where some drivers keep the key of the database.
 * Where programs disagree about what a form means it is refused: the backup of another file would be worse than none.
 *
 * Throws an Error whose text is the rule. It never holds the value, which may have a password in it.
 */
function parseSqlite(text) {
    const found = sourceIn(text);
    return found === null ? null : { source: found, secrets: [], remarks: [] };
}
function sourceIn(text) {
    if (text === '' || isKeywords(text))
        return null;
    const scheme = schemeOf(text);
    if (scheme === null)
        return text.includes('://') ? null : source(text, text);
    const { jdbc, name, driver, rest } = scheme;
    if (name === 'file' && !jdbc && driver === '')
        return fromFileUri(rest, text);
    if (name !== 'sqlite' && name !== 'sqlite3')
        return null;
    const [body = ''] = rest.split('?');
    return source(jdbc ? jdbcPath(body) : sqlitePath(body, rest, name), text.replace(/\?.*$/, ''));
}
function source(path, given) {
    if (path === '' || path === ':memory:' || path.startsWith(':resource:')) {
        throw new Error('it names a database in memory, of which there is no file to back up');
    }
    if (/\/\.?$/.test(path))
        throw new Error('expected the path of a file, not of a folder: it ends with "/"');
    return { engine: 'sqlite', path: (0,host_path/* parseHostPath */.z)(path), given };
}
/** https://www.sqlite.org/uri.html: an authority may only be empty or `localhost`. */
function fromFileUri(rest, text) {
    const [withoutFragment = ''] = rest.split('#');
    const [body = '', query = ''] = withoutFragment.split('?');
    if (new URLSearchParams(query).get('mode') === 'memory')
        return source(':memory:', '');
    const [, authority, path = body] = /^\/\/([^/]*)(.*)$/.exec(body) ?? [];
    if (authority !== undefined && authority !== '' && authority.toLowerCase() !== 'localhost') {
        throw new Error('expected file:/absolute/path, file:///absolute/path or file:relative/path: what follows "file://" is a host');
    }
    return source(url_percentDecoded(path), text.replace(/[?#].*$/, ''));
}
function url_percentDecoded(path) {
    let decoded;
    try {
        decoded = decodeURIComponent(path);
    }
    catch {
        throw new Error('expected "%" only before two hexadecimal digits of UTF-8, as in %20; write %25 for "%" itself');
    }
    // Again, since %00 and %0A were not seen before.
    if (/\p{Cc}/u.test(decoded))
        throw new Error('expected one line without control characters');
    return decoded;
}
/**
 * `sqlite:relative`, `sqlite:/absolute`, and SQLAlchemy's `sqlite:///relative` and `sqlite:////absolute`
 * (https://docs.sqlalchemy.org/en/20/core/engines.html#sqlite), also with a SQLite `file:` URI inside.
 */
function sqlitePath(body, rest, scheme) {
    if (/[%#]/.test(body)) {
        throw new Error('"%" and "#" mean different things to different programs in a sqlite: form; give the plain path');
    }
    if (!body.startsWith('//'))
        return body.startsWith('file:') ? fromFileUri(rest.slice(5), '').path : body;
    if (body === '//')
        return ':memory:';
    if (!body.startsWith('///')) {
        throw new Error(`after "${scheme}://" comes a host, which SQLite has not; write ${scheme}:relative/path or ${scheme}:/absolute/path`);
    }
    const path = body.slice(3);
    if (scheme === 'sqlite3' && !path.startsWith('/')) {
        // Rails reads it as absolute, others as relative.
        throw new Error('"sqlite3:///" is absolute to some programs and relative to others; give the plain path');
    }
    return path.startsWith('file:') ? fromFileUri(rest.slice(8), '').path : path;
}
/** The JDBC driver takes everything after its prefix as a path, slashes included, or as a SQLite `file:` URI. */
function jdbcPath(body) {
    return body.startsWith('file:') ? fromFileUri(body.slice(5), '').path : body;
}

;// CONCATENATED MODULE: ./src/engines/sqlite/index.ts






const sqlite = {
    ...sqliteFormat,
    name: 'sqlite',
    title: 'SQLite',
    forms: 'the path of a SQLite file, file:PATH or sqlite:PATH',
    form: 'the path of a SQLite file',
    dump: 'a SQLite database',
    recogniser: __nccwpck_require__.ab + "sqlite-dumps.sh",
    dumpRefusals: dump_refusals_dumpRefusals,
    substitutes: { sqlite3: 'Python 3 with its sqlite3 module' },
    packages: { sqlite3: { alpine: 'sqlite', redhat: 'sqlite', arch: 'sqlite' } },
    leaves: 'files beside it with `.restore-` or `.before-` in their names',
    inputs: [],
    noContainer: 'give its path in the volume on the host, and run-as',
    parse: parseSqlite,
    nameOf: ({ path }) => (0,names/* nameFromText */.No)(path.slice(path.lastIndexOf('/') + 1).replace(DATABASE_EXTENSION, '')),
    open: sqliteDatabase,
    // literal names in `new URL`, one for each file, so that the bundler finds and copies them
    programs: [
        __nccwpck_require__.ab + "sqlite.sh",
        __nccwpck_require__.ab + "sqlite-newer.sh",
        __nccwpck_require__.ab + "sqlite-target.sh",
        __nccwpck_require__.ab + "sqlite-restore.sh",
        __nccwpck_require__.ab + "sqlite-recover.sh",
        __nccwpck_require__.ab + "sqlite-damaged.sh",
    ],
    texts: { sqlite_python: __nccwpck_require__.ab + "sqlite.py" },
    elsewhere: [
        ...['rows', 'restored', 'waits'],
        ...(0,program/* facts */.Ix)('sqlite_tool sqlite_version owner other_name source_bytes objects encoding page_size page_count'),
        ...(0,program/* facts */.Ix)('foreign_keys uncounted unread written_by resolved parent target_free_kib all_users in_use'),
        ...(0,program/* facts */.Ix)('damage headless live_bytes live_encoding live_locked live_page_size live_schema live_state'),
        ...(0,program/* facts */.Ix)('live_unjudged live_unread live_wal state'),
    ],
};

;// CONCATENATED MODULE: ./src/engines/registry.ts
// The engines, a line each. lookup.ts takes them from here, and the compiler holds that each is a whole `Engine` (engine.ts).



;// CONCATENATED MODULE: ./src/engines/lookup.ts



/** Every engine by its name; in no order that means anything. */
const ENGINES = registry_namespaceObject;
const ALL = Object.values(ENGINES);
(0,format/* useFormats */._y)(ENGINES);
/** Throws when nothing that was read can have brought us here. */
function engineOf({ engine }) {
    const found = Object.hasOwn(ENGINES, engine) ? ENGINES[engine] : undefined;
    if (found === undefined)
        throw new Error(`no engine is called ${JSON.stringify(engine)}`);
    return found;
}
/** The engine of which a file of that kind is a dump; null when it is none of ours. */
const engineOfKind = (kind) => ALL.find(({ kinds }) => kinds.includes(kind)) ?? null;
/** What a session of an engine has on the host: its own programs, and what recognises a dump of any engine, its own asked first. */
function programsOf(engine) {
    const recognisers = [...ALL.filter((other) => other !== engine), engine].flatMap(({ recogniser = [] }) => recogniser);
    return { ...engine, programs: [...recognisers, ...engine.programs] };
}
const databaseOf = (source, dump) => engineOf(source).open(source, dump);
/** Schemes of databases that nobody here knows, so that the message can name them. Anything else unknown is not repeated. */
const OTHERS = /^(timescaledb|cockroachdb|mysql|mysql2|mariadb|mssql|sqlserver|oracle|mongodb|redis|rediss|libsql|d1)$/;
/**
 * Reads what applications keep in DATABASE_URL; each engine is asked. Throws an Error whose text is the rule, and never holds any of the
 * text, which may have a password in it.
 */
function parseSource(text) {
    if (/\p{Cc}/u.test(text))
        throw new Error('expected one line without control characters');
    for (const engine of ALL) {
        const parsed = engine.parse(text);
        if (parsed !== null)
            return parsed;
    }
    throw new Error(whyNobodys(text));
}
function whyNobodys(text) {
    const forms = `expected ${ALL.map((engine) => engine.forms).join(', or ')}`;
    if (text === '')
        return forms;
    if (isKeywords(text))
        return `${forms}, not a connection string of keywords`;
    const scheme = schemeOf(text);
    // quotes or a name around a URL, with its password in it, would pass for a path
    if (scheme === null)
        return `${forms}; the bare value, without quotes or NAME= around it`;
    if (!OTHERS.test(scheme.name))
        return `${forms}; a relative path with a colon in its first segment starts with "./"`;
    const titles = ALL.map(({ title }) => title).join(' and ');
    return `it names a ${scheme.name} database, and this version backs up ${titles} only; ${forms}`;
}


/***/ }),

/***/ 7452:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  hj: () => (/* binding */ BackupError),
  Sr: () => (/* reexport */ ERRORS),
  q0: () => (/* binding */ describe),
  hC: () => (/* binding */ sentences)
});

;// CONCATENATED MODULE: ./src/error-codes.ts
/** What can go wrong: one row per code, the source of the README's table (`npm run docs`). */
const ERRORS = {
    E_INPUT: {
        class: 'input',
        cause: 'An input is missing, malformed, or contradicts another one: nothing was contacted. Or PostgreSQL does not take a pattern or a parameter of the URL: nothing was kept.',
        fix: 'The message lists every input that is wrong, with its rule and what was given. Correct them in the workflow.',
    },
    E_HOSTKEY: {
        class: 'host',
        cause: 'The host showed a key that is not in `known-hosts` or `fingerprint`, or one that is revoked, or it can sign with SHA-1 alone. No credential was sent.',
        fix: 'Compare the fingerprint in the message with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host itself. Put it in only when they agree; otherwise somebody may stand between.',
    },
    E_CONNECT: {
        class: 'host',
        cause: 'No SSH connection: name not found, port closed, firewall, no answer within `connect-timeout`, or no algorithm in common. Or no PostgreSQL server was reached from the host.',
        fix: 'Check `host`, `port`, `jump-host` and the firewall; the runner of GitHub has changing addresses. Host and port in `database` are as seen from the host.',
    },
    E_AUTH: {
        class: 'host',
        cause: 'The host refused the private key for this user, or asks for a second factor besides. Or the PostgreSQL server refused its role or password.',
        fix: "Add the public key shown in the message to the user's `~/.ssh/authorized_keys`, or correct `username`; excuse that user from the second factor, as the message says. PostgreSQL: correct `database` or `database-password`, or set `run-as` for peer authentication.",
    },
    E_SHELL: {
        class: 'host',
        cause: 'The login shell did not start `sh -s` (nologin, git-shell, a forced command), a login script failed, or the host was too slow for `connect-timeout`.',
        fix: 'Give the user a shell, or remove the forced command; for a host under load raise `connect-timeout`. The message quotes what the host said.',
    },
    E_REMOTE_LOST: {
        class: 'run',
        cause: 'The connection, the session on the host or the program there ended before its work did.',
        fix: 'Run again: the host cleans up by itself and the next run sweeps what is left. If it recurs, look at the network, `sshd` and the kernel log (out of memory).',
    },
    E_TIMEOUT: {
        class: 'run',
        cause: 'The run took longer than `timeout`, or nothing moved for `idle-timeout`.',
        fix: 'Raise the input that the message names, or find out why the host is slow.',
    },
    E_CANCELLED: {
        class: 'run',
        cause: 'The run was cancelled (by a user, by a newer run of the concurrency group, by a shutdown).',
        fix: 'Nothing unfinished is left on the host: no process, no lock, no partial file. Run again; keep `cancel-in-progress: false` for backups.',
    },
    E_LOCKED: {
        class: 'run',
        cause: 'Another run holds the lock of this backup directory and did not end within `lock-wait`.',
        fix: 'Wait for the run that the message names, or raise `lock-wait`. The lock ends with its holder; there is no file to delete.',
    },
    E_TOOL_MISSING: {
        class: 'host',
        cause: 'A tool that the backup needs is not installed on the host.',
        fix: 'The message has the line that installs it on that distribution.',
    },
    E_TOOL_VERSION: {
        class: 'host',
        cause: 'The PostgreSQL server is newer than the newest pg_dump on the host, which refuses to dump it, or the dump to be restored was made by a newer pg_dump than pg_restore there can read. Or the sqlite3 tool is older than 3.31: it can not be kept from running programs that a database names, and is not used. Or a newer SQLite than it has written the schema, which it can not read.',
        fix: 'Install the client that the message names, or set `container` where the server runs in one; SQLite: install sqlite3 3.31 or newer, or Python 3.7 or newer, or the version that the message names; `verify: checksum` backs up a schema that the tool can not read.',
    },
    E_PERM: {
        class: 'host',
        cause: 'The user on the host may not read the database, or may not write the backup directory. PostgreSQL: the role may not read every table, or row-level security hides rows from it.',
        fix: 'Correct owner, mode or grants as the message says, or use `run-as` for the database.',
    },
    E_PERM_UNSAFE: {
        class: 'host',
        cause: 'Others can write the backup directory, so its contents can not be trusted.',
        fix: '`chmod go-w` it, make the login user its owner, or choose another `directory`.',
    },
    E_NOSPACE: {
        class: 'host',
        cause: 'Not enough free space or inodes, found before the copy or in the middle of it.',
        fix: 'Free the space that the message names, lower `keep`, or choose a `directory` on another disk.',
    },
    E_SOURCE_MISSING: {
        class: 'database',
        cause: 'There is no file at the path of `database`, no PostgreSQL database of that name, or no such `container`.',
        fix: 'Correct the path or the name; a relative path starts at the home of the login user.',
    },
    E_SOURCE_INVALID: {
        class: 'database',
        cause: 'The path of `database` is a directory, an empty file, or not a SQLite database (it may be encrypted), or the file has another name with a -wal of its own. Or the PostgreSQL server is a hot standby, or behind a pooler that gives sessions from one client to another.',
        fix: 'Correct the path, or mount the folder and not the single file; name the primary (`?target_session_attrs=standby` in the URL says that the standby is meant), and the server itself instead of the pooler.',
    },
    E_SOURCE_CORRUPT: {
        class: 'database',
        cause: 'SQLite or the PostgreSQL server found damage in the database itself. A backup of it would be damaged too, so none was kept.',
        fix: 'Do not delete older backups. Check the disk, then recover from the newest good backup or with `sqlite3 app.db .recover | sqlite3 -safe new.db`.',
    },
    E_SOURCE_OWNER: {
        class: 'database',
        cause: 'The login user is not the owner of the database file. SQLite would leave `-wal` and `-shm` files that the application can not write.',
        fix: 'Set `run-as` to the owner named in the message, or log in as that user.',
    },
    E_BUSY: {
        class: 'database',
        cause: 'The database stayed locked for the whole of `lock-wait`.',
        fix: 'Find the process that holds the lock (a long transaction, a migration), or raise `lock-wait`.',
    },
    E_DUMP_FAILED: {
        class: 'database',
        cause: 'The tool that makes the copy, the compressor or the checksum ended with an error.',
        fix: 'The message quotes what it said.',
    },
    E_EMPTY: {
        class: 'database',
        cause: 'The database holds nothing. An empty database is not accepted as a backup, unless the backup before it was empty as well.',
        fix: 'Check that `database` names the database that the application uses.',
    },
    E_SHRUNK: {
        class: 'backup',
        cause: 'The database, or its backup as compressed, is smaller than `shrink-limit` allows, or larger than `growth-limit`, against the median of the recent good backups. Or, with `on-row-loss: fail`, a table has lost more of its rows than `row-loss-limit` allows.',
        fix: 'The new backup is kept and marked as suspect, and no good one was deleted. If the change is right, `command: accept` with its id, or set that limit to `none` for one run. If not, restore the newest good one.',
    },
    E_CHECKSUM: {
        class: 'backup',
        cause: 'Bytes read back differ from the bytes written, or from the checksum in the manifest.',
        fix: 'Suspect the disk or the memory of the host. Do not rely on that backup.',
    },
    E_MANIFEST: {
        class: 'backup',
        cause: 'The manifest of a backup is missing, malformed, or of another database.',
        fix: 'See the message. Do not rely on that backup; take a new one.',
    },
    E_CLOCK: {
        class: 'host',
        cause: 'The clocks of the runner and the host differ by more than 15 minutes, so no age can be trusted.',
        fix: 'Set the clock that is wrong (`timedatectl set-ntp true`).',
    },
    E_POLICY: {
        class: 'policy',
        cause: 'The retention rules would leave fewer verified backups than `keep-minimum`, or delete more than `max-delete`.',
        fix: 'Run `prune` with `dry-run: true` to see the plan, then change the rules or raise `max-delete` once.',
    },
    E_ROTATE: {
        class: 'policy',
        cause: 'The backup is good, but an old one could not be deleted.',
        fix: 'See the message for the file and the reason; `prune` tries again.',
    },
    E_NOT_FOUND: {
        class: 'backup',
        cause: 'There is no backup of that id for this database in the directory, nor in the S3 store where that was looked at.',
        fix: '`command: list` shows the ids.',
    },
    E_STALE: {
        class: 'backup',
        cause: 'The newest backup is older than `max-age`, or there is none.',
        fix: 'Find out why the backup workflow did not run or failed, and take a backup.',
    },
    E_RESTORE: {
        class: 'restore',
        cause: 'The backup could not be restored, into the throw-away database of a proof or beside the live one.',
        fix: 'The message quotes what the tool said: a missing extension or right on that server, or a dump that can not be restored.',
    },
    E_CONFIRM: {
        class: 'input',
        cause: '`confirm` is not the name of the database that would be replaced.',
        fix: 'Run with `dry-run: true` to see what would be lost, then type the name that the message gives.',
    },
    E_EVENT: {
        class: 'input',
        cause: 'A restore was started by a pull request, whose author may be anybody.',
        fix: 'Restore from a workflow with `workflow_dispatch`.',
    },
    E_TARGET_MISMATCH: {
        class: 'input',
        cause: 'The backup was made from another database than the one that it would replace. Or the host has no backup, and the store has those of several other hosts.',
        fix: 'Check `backup` and `database`, or name the backup by its id. If it is meant, set `allow-other-target: true`.',
    },
    E_TARGET_BUSY: {
        class: 'database',
        cause: 'Somebody has the live database open, and it can not be replaced under them.',
        fix: 'The message names the processes. Stop the application, or set `stop-command` and `start-command`.',
    },
    E_TOOL_UNSAFE: {
        class: 'host',
        cause: 'The PostgreSQL client on the host has a known hole through which a dump of somebody else can run commands there.',
        fix: 'Install the version that the message names, or, if you trust whoever made the dump, set `allow-unsafe-client: true`.',
    },
    E_SAFETY_BACKUP: {
        class: 'restore',
        cause: 'The backup of the present state, which a restore takes first, could not be taken.',
        fix: 'The message has the reason. `safety-backup: false` goes without, and without a way back.',
    },
    E_UNFINISHED: {
        class: 'restore',
        cause: 'A restore of this database was cut off, and this run could not bring it to an end.',
        fix: 'Follow the message. As long as it is not done, nothing else is done with that database. When nothing is to be done any more, run once with `settle-unfinished: true`.',
    },
    E_HOOK: {
        class: 'host',
        cause: 'A command of yours (`stop-command`, `start-command`, `after-restore-command`, `check-command`) failed.',
        fix: 'Its output is in the log. The message says which state the database is in.',
    },
    E_ROLLED_BACK: {
        class: 'restore',
        cause: 'The restore was done, the check after it failed, and it was undone.',
        fix: 'Look at the output of the check in the log.',
    },
    E_ROLLBACK_FAILED: {
        class: 'restore',
        cause: 'The restore failed after the swap, and going back failed as well.',
        fix: 'The message has the commands that bring the old state back by hand. The safety backup is kept.',
    },
    E_ASSERT: {
        class: 'database',
        cause: 'The backup can be restored, but a statement of `assert` returned something that is not true, or failed.',
        fix: 'Look at the live database, or correct the statement.',
    },
    E_S3_AUTH: {
        class: 'store',
        cause: 'The S3 store refused the credentials: unknown, expired, without the right that is needed, or used with a clock that is wrong. Or there are none.',
        fix: 'The message says which. Correct `s3-access-key-id` and `s3-secret-access-key`, the policy, or the step that assumes the role.',
    },
    E_S3_BUCKET: {
        class: 'store',
        cause: 'There is no such bucket at that store, or it is in another region.',
        fix: 'Correct `s3-bucket`, `s3-region` or `s3-endpoint`.',
    },
    E_S3_UNAVAILABLE: {
        class: 'store',
        cause: 'The S3 store did not answer, broke connections off, or answered with errors of its own, again and again.',
        fix: 'Run again later; look at the status of the store and at the way to it.',
    },
    E_S3_UNSUPPORTED: {
        class: 'store',
        cause: 'The S3 store does not do what a setting asks for.',
        fix: 'Remove the setting that the message names, or make the bucket ready for it.',
    },
    E_S3_VERIFY: {
        class: 'store',
        cause: 'What the S3 store says that it holds is not what was sent, or something else is there under that name.',
        fix: 'Do not rely on that copy.',
    },
    E_TOO_LARGE: {
        class: 'host',
        cause: 'The host sent a line or a text longer than our program there ever does.',
        fix: 'Look at what the login scripts of that account print.',
    },
    E_INTERNAL: {
        class: 'bug',
        cause: 'Something that this action does not know. Probably our bug.',
        fix: 'Please report it with the log of the run.',
    },
};

;// CONCATENATED MODULE: ./src/errors.ts


/**
 * A failure that the user can act on, as a record: its text is made in one place, at the end of the run (`failureText`). `message` says what
 * happened, to what and why; `hint` what to do. What was left as it was the run knows.
 */
class BackupError extends Error {
    code;
    name = 'BackupError';
    hint;
    constructor(code, message, hint = ERRORS[code].fix, options) {
        super(message.trim(), options);
        this.code = code;
        this.hint = hint.trim(); // a sentence that was added to none begins with a blank
    }
}
/** One text of several; what is empty leaves no blanks behind. */
const sentences = (...parts) => parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join(' ');
/** Turns anything thrown into a BackupError; what we do not know is `E_INTERNAL` and says that it is probably our bug. */
function describe(error) {
    if (error instanceof BackupError)
        return error;
    const message = error instanceof Error ? error.message : String(error);
    return new BackupError('E_INTERNAL', `unexpected error: ${message}`, ERRORS.E_INTERNAL.fix, { cause: error });
}


/***/ }),

/***/ 3709:
/***/ (() => {

/**
 * ssh2 is CommonJS and reads `__dirname`, which does not exist in the ES module that ncc makes of it.
 * This must be the first import of the entry point; without it the bundle dies at start.
 */
globalThis.__dirname ??= import.meta.dirname;



/***/ }),

/***/ 2752:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   c: () => (/* binding */ installLine)
/* harmony export */ });
const COREUTILS = ['dd', 'df', 'mkfifo', 'mktemp', 'sha256sum', 'tee', 'wc'];
/** Packages of the same name everywhere. */
const TOOLS = {
    ...Object.fromEntries(COREUTILS.map((tool) => [tool, 'coreutils'])),
    ...{ awk: 'gawk', cmp: 'diffutils', xargs: 'findutils' },
};
/** Systems by the names in /etc/os-release (`ID` and `ID_LIKE`), and how to install there. */
const SYSTEMS = {
    debian: [/\b(debian|ubuntu)\b/, 'sudo apt-get install -y'],
    alpine: [/\balpine\b/, 'apk add'],
    redhat: [/\b(fedora|rhel|centos|amzn)\b/, 'sudo dnf install -y'],
    suse: [/\b(suse|opensuse)\b/, 'sudo zypper install -y'],
    arch: [/\barch\b/, 'sudo pacman -S'],
};
/** The line that installs a tool on that system; `system` is `ID ID_LIKE` of /etc/os-release, `packages` are those of an engine. */
function installLine(tool, system, packages = {}) {
    const name = Object.keys(SYSTEMS).find((one) => SYSTEMS[one][0].test(system));
    if (name === undefined)
        return `install ${tool} with the package manager of the host`;
    const own = Object.hasOwn(packages, tool) ? packages[tool]?.[name] : undefined;
    return `${SYSTEMS[name][1]} ${own ?? (Object.hasOwn(TOOLS, tool) ? TOOLS[tool] : tool)}`;
}


/***/ }),

/***/ 7879:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   An: () => (/* binding */ hostKeyPolicy),
/* harmony export */   Rj: () => (/* binding */ fingerprint),
/* harmony export */   iE: () => (/* binding */ keyType),
/* harmony export */   ik: () => (/* binding */ SERVER_HOST_KEY_ALGORITHMS),
/* harmony export */   tx: () => (/* binding */ nameInFile),
/* harmony export */   vK: () => (/* binding */ sharedLines)
/* harmony export */ });
/* unused harmony export findHostKeys */
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7598);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_crypto__WEBPACK_IMPORTED_MODULE_0__);
/**
 * Decides from known_hosts lines and fingerprints whether a host is the right one. ssh2 brings no known_hosts reader and
 * accepts every host unless told otherwise. File format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; checked against `ssh-keygen -F`.
 */

/**
 * Key types that ssh2 can check, best first, each with its signature algorithms. `ssh-rsa`, the third one of an RSA key, signs SHA-1,
 * of which collisions are for sale: a host that has nothing else is refused.
 */
const ALGORITHMS = new Map([
    ['ssh-ed25519', ['ssh-ed25519']],
    ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
    ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
    ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
    ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);
/** Everything that ssh2 can check, best first. */
const SERVER_HOST_KEY_ALGORITHMS = [...ALGORITHMS.values()].flat();
/** The type of a raw public key blob, as it begins: `ssh-ed25519`; empty for what is too short, since a host may send anything. */
function keyType(key) {
    return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}
/** The fingerprint as `ssh-keygen -lf` prints it: `SHA256:` and unpadded base64. `key` is the raw public key blob. */
function fingerprint(key) {
    return `SHA256:${(0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createHash)('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}
/** Finds the lines of a known_hosts file that are about this host and port, plain or hashed. */
function findHostKeys(text, host, port) {
    const name = nameInFile(host, port);
    const found = { keys: [], revoked: [], authorities: [], unreadableLines: [] };
    const lists = { '': found.keys, '@revoked': found.revoked, '@cert-authority': found.authorities };
    for (const [index, line] of text
        .replace(/^\uFEFF/, '')
        .split(/\r\n|\r|\n/)
        .entries()) {
        const fields = line.trim().split(/[ \t]+/);
        if (!fields[0] || fields[0].startsWith('#'))
            continue;
        const marker = fields[0].startsWith('@') ? (fields.shift() ?? '') : '';
        const [hosts = '', type = '', base64 = ''] = fields;
        const key = readKey(type, base64);
        if (key === null || !(marker in lists)) {
            found.unreadableLines.push(index + 1);
        }
        else if (matchesHost(hosts, name)) {
            lists[marker].push({ type, key, line: index + 1 });
        }
    }
    return found;
}
/**
 * Makes the rule by which one host is accepted: a known_hosts line or a fingerprint lists its key, and no line revokes it.
 * A fingerprint with a name serves for the host of that name alone. Where nothing can be accepted the host is still asked for each of its
 * keys, since what it shows and why nothing matched is what the user needs to know.
 */
function hostKeyPolicy(knownHosts, fingerprints, host, port) {
    const name = nameInFile(host, port);
    const found = findHostKeys(knownHosts, host, port);
    const usable = found.keys.filter((line) => ALGORITHMS.has(line.type) && !isIn(found.revoked, line.key));
    const prints = fingerprints.filter((one) => one.host === null || one.host === name).map(({ print }) => print);
    const tryOtherTypes = prints.length > 0 || usable.length === 0;
    const comparedWith = [
        ...(usable.length > 0 ? [`the keys of ${name} in known-hosts (${listOf(usable)})`] : []),
        ...(prints.length > 0 ? [`fingerprint (${prints.join(', ')})`] : []),
    ].join(' and ');
    return {
        algorithms: order(new Set(usable.map((line) => line.type)), tryOtherTypes),
        tryOtherTypes,
        accepts: (key) => {
            if (isIn(found.revoked, key))
                return 'revoked';
            return isIn(usable, key) || prints.includes(fingerprint(key)) ? 'accepted' : 'unknown';
        },
        warnings: warningsOf(found, name),
        comparedWith: [
            comparedWith || 'nothing',
            ...(usable.length > 0 || knownHosts === ''
                ? []
                : [`known-hosts: ${whyNothingMatches(found, knownHosts, host, port)}`]),
            ...(prints.length > 0 || fingerprints.length === 0
                ? []
                : [`fingerprint: ${noneNamed(fingerprints, host, port)}`]),
        ].join('; '),
    };
}
/** What to say of lines that list one key for both hosts of the way: whoever holds it can pass for either. null: there are none. */
function sharedLines(knownHosts, host, jump) {
    const [name, jumpName] = [host, jump].map((one) => nameInFile(one.host, one.port));
    if (name === jumpName)
        return null;
    const ofJump = findHostKeys(knownHosts, jump.host, jump.port).keys.map(({ line }) => line);
    const shared = findHostKeys(knownHosts, host.host, host.port).keys.filter(({ line }) => ofJump.includes(line));
    if (shared.length === 0)
        return null;
    return `known-hosts: the jump host ${jumpName} can show its own key as that of ${name}, since one line lists it for both (line ${shared.map(({ line }) => line).join(', ')}); give each host a line of its own`;
}
/** The name of a host in known_hosts. Without a port the default one is meant; OpenSSH writes any other as `[host]:port` and compares in lower case. */
function nameInFile(host, port) {
    return (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
}
/** The key blob, or null unless it is base64 of a whole key of the type that stands before it. */
function readKey(type, base64) {
    if (!/^[A-Za-z0-9+/]+=*$/.test(base64))
        return null;
    const key = Buffer.from(base64, 'base64');
    const fields = [];
    // RFC 4253: a sequence of strings, each after its length. A cut line ends inside one of them.
    for (let offset = 0; offset < key.length;) {
        if (key.length < offset + 4)
            return null;
        const end = offset + 4 + key.readUInt32BE(offset);
        if (end > key.length)
            return null;
        fields.push(key.subarray(offset + 4, end));
        offset = end;
    }
    return fields.length >= 2 && fields[0]?.toString('latin1') === type ? key : null;
}
function matchesHost(field, name) {
    if (field.startsWith('|')) {
        const [, version, salt = '', hash = ''] = field.split('|');
        if (version !== '1' || hash === '')
            return false;
        return (0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createHmac)('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
    }
    const patterns = field.toLowerCase().split(',');
    // A negated pattern wins over all others of its line, wherever it stands.
    if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name)))
        return false;
    return patterns.some((pattern) => matchesPattern(pattern, name));
}
function matchesPattern(pattern, name) {
    const source = pattern
        .replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
        .replace(/\*+/g, '.*')
        .replace(/\?/g, '.');
    return pattern !== '' && new RegExp(`^${source}$`).test(name);
}
const isIn = (lines, key) => lines.some((line) => line.key.equals(key));
/**
 * The host shows the first of its keys that the client asks for. Unless only the known types are asked for, a host known
 * by its RSA key shows its Ed25519 key and is refused. With a fingerprint the other types follow: it may be one of theirs.
 */
function order(known, alsoOthers) {
    const types = [...ALGORITHMS.keys()];
    const asked = types
        .filter((type) => known.has(type))
        .concat(alsoOthers ? types.filter((type) => !known.has(type)) : []);
    return asked.flatMap((type) => ALGORITHMS.get(type) ?? []);
}
const listOf = (lines) => lines.map(({ type, line }) => `${type} in line ${line}`).join(', ');
function whyNothingMatches(found, knownHosts, host, port) {
    const name = nameInFile(host, port);
    const unreadable = found.unreadableLines.length > 0 ? `; these lines can not be read: ${found.unreadableLines.join(', ')}` : '';
    const supported = found.keys.filter((line) => ALGORITHMS.has(line.type));
    if (supported.length > 0)
        return `every key of ${name} is @revoked (${listOf(supported)})`;
    if (found.keys.length > 0) {
        return `only key types that are not supported match ${name} (${listOf(found.keys)}), expected one of ${[...ALGORITHMS.keys()].join(', ')}${unreadable}`;
    }
    if (found.authorities.length > 0) {
        return `only @cert-authority lines match ${name}, and host certificates can not be checked here: add the host's own key${unreadable}`;
    }
    return `${noLine(host, port, findHostKeys(knownHosts, host, 22).keys.length > 0)}${unreadable}`;
}
const noneNamed = (fingerprints, host, port) => noLine(host, port, fingerprints.some((one) => one.host === nameInFile(host, 22)));
function noLine(host, port, withoutPort) {
    const name = nameInFile(host, port);
    return port !== 22 && withoutPort
        ? `no line for ${name}; there is one for ${host} without a port, which stands for port 22 alone`
        : `no line for ${name}`;
}
function warningsOf(found, name) {
    const numbers = (lines) => lines.map(({ line }) => line).join(', ');
    return [
        ...(found.authorities.length > 0
            ? [
                `known-hosts: the @cert-authority lines for ${name} have no effect, because host certificates can not be checked here (line ${numbers(found.authorities)})`,
            ]
            : []),
        ...(found.unreadableLines.length > 0
            ? [`known-hosts: lines that can not be read have no effect (line ${found.unreadableLines.join(', ')})`]
            : []),
    ];
}


/***/ }),

/***/ 630:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Ix: () => (/* binding */ facts),
/* harmony export */   LS: () => (/* binding */ downloadProgram),
/* harmony export */   My: () => (/* binding */ receiveProgram),
/* harmony export */   nz: () => (/* binding */ tellsElsewhere),
/* harmony export */   wg: () => (/* binding */ programFor)
/* harmony export */ });
/* unused harmony exports COMMON, TOLD_ELSEWHERE */
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _quoting_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(2437);


// Literal names in `new URL`, one for each file, so that the bundler finds and copies them.
const COMMON = [
    __nccwpck_require__.ab + "session.sh",
    __nccwpck_require__.ab + "elsewhere.sh",
    __nccwpck_require__.ab + "directory.sh",
    __nccwpck_require__.ab + "catalogue.sh",
    __nccwpck_require__.ab + "changes.sh",
    __nccwpck_require__.ab + "lock.sh",
    __nccwpck_require__.ab + "packing.sh",
    __nccwpck_require__.ab + "stream.sh",
    __nccwpck_require__.ab + "backup.sh",
    __nccwpck_require__.ab + "verify.sh",
    __nccwpck_require__.ab + "restore.sh",
    __nccwpck_require__.ab + "foreign.sh",
    __nccwpck_require__.ab + "upload.sh",
    __nccwpck_require__.ab + "fetch.sh",
];
const DOWNLOAD = __nccwpck_require__.ab + "download.sh";
const RECEIVE = __nccwpck_require__.ab + "receive.sh";
/**
 * What the programs of every engine tell as another user or in a container: an event, of a `set` with its key. Who runs there is not
 * trusted with the host, so nothing else is taken from it. N is a number.
 */
const TOLD_ELSEWHERE = [
    ...['fail', 'phase', 'elsewhere'],
    ...facts('failure note temporary nospace free_kib needed_kib'),
];
/** `set` with each of these keys, which stand in one text with blanks between them. */
function facts(keys) {
    return keys.split(' ').map((key) => `set ${key}`);
}
/** Whether that event, of a `set` with its key, is one that the program may tell from there. */
function tellsElsewhere({ elsewhere = [] }) {
    const forms = [...TOLD_ELSEWHERE, ...elsewhere].map((form) => form.replace('N', '[1-9]\\d{0,5}'));
    const allowed = new RegExp(`^(?:${forms.join('|')})$`);
    return (told) => allowed.test(told);
}
/**
 * The first thing that a session sends: the whole program in one group, so that a stream cut at any byte is a syntax
 * error and executes nothing. Every line that the program prints for us begins with a mark. What other engines need is left out: bash
 * reads its stdin byte by byte.
 */
function programFor(marks, { programs, texts = {} }) {
    const variables = Object.entries(texts).map(([name, file]) => `${name}=${(0,_quoting_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .h)(read(file))}`);
    const source = [...variables, ...[...COMMON, ...programs].map(read)].join('\n');
    return `{\nmark=${marks.host}\nmark_elsewhere=${marks.elsewhere}\nprogram=${(0,_quoting_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .h)(source)}\neval "$program"\nhello\n}\n`;
}
const read = (file) => (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.readFileSync)(file, 'utf8');
/** All that a shell is sent which is to send one file back, see download.sh; in one group as well. */
function downloadProgram(mark, directory, file) {
    return `{\n${read(DOWNLOAD)}\n${(0,_quoting_js__WEBPACK_IMPORTED_MODULE_1__/* .call */ .T)('send_file', [mark, directory, file])}\n}\n`;
}
/** All that a shell is sent which is to take a file, see receive.sh; its bytes follow when it says so, and are never read as commands. */
function receiveProgram(mark, folder, file) {
    return `{\n${read(RECEIVE)}\n${(0,_quoting_js__WEBPACK_IMPORTED_MODULE_1__/* .call */ .T)('receive_file', [mark, folder, file])}\ncommand exit\n}\n`;
}


/***/ }),

/***/ 2437:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   T: () => (/* binding */ call),
/* harmony export */   h: () => (/* binding */ quote)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);

/**
 * Quotes a value as one word of POSIX sh.
 *
 * Only for text that `sh` itself reads on stdin. Never for the command of an SSH exec request: that one is read by the
 * login shell, and fish and csh have other rules for what stands between single quotes (fish executed a value that was
 * crafted for it).
 *
 * Throws E_INPUT for what no shell word can hold byte by byte: NUL, and half of a UTF-16 pair (it would silently
 * arrive as U+FFFD). The message does not repeat the value, which may be a secret.
 */
function quote(value) {
    if (value.includes('\0'))
        throw new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_INPUT', 'a value for the host holds a NUL character');
    if (/\p{Surrogate}/u.test(value))
        throw new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_INPUT', 'a value for the host is not valid Unicode');
    return `'${value.replaceAll("'", "'\\''")}'`;
}
/**
 * Writes the call of a shell function of the programs, each argument as one quoted word: `dump_sqlite 'a' 'b'`.
 *
 * The function's name is a constant of this program, so a malformed one is a bug here and a plain Error.
 */
function call(functionName, args) {
    if (!/^[a-z_]+$/.test(functionName))
        throw new Error(`not the name of a shell function: ${functionName}`);
    return [functionName, ...args.map(quote)].join(' ');
}


/***/ }),

/***/ 5347:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  hD: () => (/* reexport */ HostFailure),
  Nn: () => (/* binding */ Session)
});

// UNUSED EXPORTS: Facts

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __nccwpck_require__(7452);
;// CONCATENATED MODULE: ./src/host/facts.ts

/** What a program on the host reported, in order. */
class Facts {
    entries = [];
    byKey = new Map();
    rows = [];
    /** The same of a copy that was made of a backup. */
    restored = [];
    add(key, text) {
        this.entries.push([key, text]);
        const texts = this.byKey.get(key);
        if (texts === undefined)
            this.byKey.set(key, [text]);
        else
            texts.push(text);
    }
    /** The last text under a key, or null. */
    get(key) {
        return this.byKey.get(key)?.at(-1) ?? null;
    }
    /** Throws E_INTERNAL when the program did not report it. */
    need(key) {
        const text = this.get(key);
        if (text === null)
            throw new errors/* BackupError */.hj('E_INTERNAL', `the program on the host did not report ${key}`);
        return text;
    }
    /** A whole number; throws E_INTERNAL when it is none. */
    number(key) {
        const text = this.need(key);
        if (!/^\d{1,15}$/.test(text)) {
            throw new errors/* BackupError */.hj('E_INTERNAL', `the host reported ${key} as ${JSON.stringify(text.slice(0, 80))}`);
        }
        return Number(text);
    }
    /** An absolute path as the host resolved it, in one line, no longer than one can be; throws E_INTERNAL when it is none. */
    path(key) {
        const path = this.need(key);
        if (/^\/[^\p{Cc}]*$/u.test(path) && path.length <= 4096)
            return path;
        throw new errors/* BackupError */.hj('E_INTERNAL', `the host reported ${key} as ${JSON.stringify(path.slice(0, 80))}`);
    }
    all(key) {
        return [...(this.byKey.get(key) ?? [])];
    }
}
/** A failure as the program on the host reported it; `engines/` and `run/` put it into words. */
class HostFailure extends Error {
    code;
    text;
    facts;
    name = 'HostFailure';
    constructor(code, text, facts) {
        super(`${code}: ${text}`);
        this.code = code;
        this.text = text;
        this.facts = facts;
    }
}

;// CONCATENATED MODULE: ./src/host/frames.ts

const SPEAKERS = ['host', 'elsewhere'];
/** The longest text that the host sends is a file of 12 MiB, which may be one line. */
const MAX_LINE = 13 << 20;
const MAX_BLOCK = 13 << 20;
/** Of one answer. */
const MAX_TOTAL = 256 << 20;
const MAX_NOISE = 4096;
/**
 * Takes the bytes that the host sends apart: lines that begin with a mark are frames, everything else is noise
 * (login scripts, banners), of which the first 4 KiB are kept. The host is not trusted: all is capped.
 */
class FrameReader {
    marks;
    onFrame;
    noise = '';
    pending = [];
    pendingBytes = 0;
    totalBytes = 0;
    block = null;
    constructor(marks, onFrame) {
        this.marks = marks;
        this.onFrame = onFrame;
    }
    /** Throws E_TOO_LARGE when a line, a text or the whole goes past its cap. */
    push(chunk) {
        this.totalBytes += chunk.length;
        if (this.totalBytes > MAX_TOTAL)
            throw tooLarge('output', MAX_TOTAL);
        let start = 0;
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
            this.keep(chunk.subarray(start, end));
            start = end + 1;
            this.line(this.take());
        }
        if (start < chunk.length)
            this.keep(chunk.subarray(start));
    }
    /** Another answer begins, with caps of its own. */
    renew() {
        this.totalBytes = 0;
    }
    /** What came after the last line break, when the stream has ended: noise, or half a frame, which counts for nothing. */
    finish() {
        const tail = this.take();
        if (!SPEAKERS.some((from) => tail.startsWith(this.marks[from])))
            this.addNoise(tail);
    }
    keep(part) {
        this.pendingBytes += part.length;
        if (this.pendingBytes > MAX_LINE)
            throw tooLarge('a line', MAX_LINE);
        this.pending.push(part);
    }
    take() {
        const line = Buffer.concat(this.pending).toString('utf8');
        this.pending = [];
        this.pendingBytes = 0;
        return line;
    }
    line(line) {
        const from = SPEAKERS.find((speaker) => line.startsWith(`${this.marks[speaker]} `));
        if (from !== undefined)
            this.marked(from, line.slice(this.marks[from].length + 1));
        else if (this.block === null)
            this.addNoise(`${line}\n`);
        else {
            this.block.bytes += Buffer.byteLength(line) + 1;
            if (this.block.bytes > MAX_BLOCK)
                throw tooLarge('a text', MAX_BLOCK);
            this.block.lines.push(line);
        }
    }
    marked(from, line) {
        const [event, rest] = cut(line);
        if (event === 'begin')
            this.block = { from, key: rest, lines: [], bytes: 0 };
        else if (event === 'end' && this.block?.from === from) {
            const { key, lines } = this.block;
            this.block = null;
            // the program puts a line break of its own between the text and `end`
            this.onFrame({ from, event: 'set', key, rest: lines.join('\n') });
        }
        else if (event === 'set') {
            const [key, text] = cut(rest);
            this.onFrame({ from, event, key, rest: text });
        }
        else {
            // also in the middle of a text: its sender may have been killed there
            this.onFrame({ from, event, key: '', rest });
        }
    }
    addNoise(text) {
        if (this.noise.length < MAX_NOISE)
            this.noise = (this.noise + text).slice(0, MAX_NOISE);
    }
}
/** At the first blank. */
function cut(text) {
    const at = text.indexOf(' ');
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
function tooLarge(what, cap) {
    return new errors/* BackupError */.hj('E_TOO_LARGE', `the host sent ${what} of more than ${cap} bytes, which our program there never does`);
}

// EXTERNAL MODULE: ./src/host/program.ts
var program = __nccwpck_require__(630);
// EXTERNAL MODULE: ./src/host/quoting.ts
var quoting = __nccwpck_require__(2437);
;// CONCATENATED MODULE: ./src/host/session-errors.ts

// Why a session is over, in words. `said` is all that the host printed without our mark.
/** The job of a request did not come to its end. */
function stopped(label, how, said) {
    return new errors/* BackupError */.hj('E_REMOTE_LOST', `the program on ${label} was stopped in the middle (${how})${quoted(said)}`);
}
function idle(label, ms) {
    return new errors/* BackupError */.hj('E_TIMEOUT', `nothing moved on ${label} for ${seconds(ms)} s (idle-timeout)`);
}
/** Our program did not greet. That may be for good, or the host is slow. */
function silent(label, ms, said) {
    return new errors/* BackupError */.hj('E_SHELL', `the login shell of ${label} did not start our program within ${seconds(ms)} s (connect-timeout)${quoted(said)}`, 'When the host is only slow, as under load, raise `connect-timeout`. Otherwise give the user a shell, or remove the forced command.');
}
/** The shell is gone, before (E_SHELL) or after our program greeted. */
function ended(label, { lost, signal, code }, greeted, said) {
    if (lost !== null)
        return new errors/* BackupError */.hj('E_REMOTE_LOST', `the connection to ${label} was lost: ${lost}`);
    const status = code === null ? 'without a status' : `with status ${code}`;
    const how = signal === null ? status : `by signal ${signal}`;
    return greeted
        ? new errors/* BackupError */.hj('E_REMOTE_LOST', `the session on ${label} ended in the middle, ${how}${quoted(said)}`)
        : new errors/* BackupError */.hj('E_SHELL', `the login shell of ${label} ended ${how} and did not start our program${quoted(said)}`);
}
function quoted(said) {
    const text = said.trim().slice(0, 200);
    return text === '' ? '; it said nothing' : `; it said: ${JSON.stringify(text)}`;
}
const seconds = (ms) => Math.round(ms / 1000);

;// CONCATENATED MODULE: ./src/host/session.ts








/** The host ends a session that gets no beat for 45 s. The answer to each is the progress, and whether the job is alive. */
const BEAT_MS = 2_000;
const CLEAN_UP_MS = 5_000;
/** Of all that the host reports in one answer, each report counted with what it costs to keep. */
const MAX_REPORTED = 128 << 20;
const COST_OF_ONE = 200;
/**
 * One POSIX shell on the host, fed over stdin: the program first, then requests, each one group. The only code that
 * knows the protocol of host/programs/session.sh. When anything ends it, stdin ends, and the host cleans up by itself.
 */
class Session {
    host;
    shell;
    options;
    /** Facts of the hello: `user`, `uid`, `hostname`, `system`. */
    hello;
    greeting;
    greeted = false;
    cleanedUp = false;
    /** Answers of requests come on stdout, answers to beats on stderr; either may carry noise. */
    stdout;
    stderr;
    startTimer;
    beats;
    lastNumber = 0;
    waiting = null;
    /** Why no request is possible any more. */
    failure = null;
    ending = null;
    lastMove = Date.now();
    lastProgress = '';
    lastElsewhere = '';
    reported = 0;
    mayTellElsewhere;
    /** Starts the shell and sends the program; does not wait for an answer, so that the first requests travel with it. */
    static async open(host, options) {
        return new Session(host, await host.openShell(), options);
    }
    constructor(host, shell, options) {
        this.host = host;
        this.shell = shell;
        this.options = options;
        this.mayTellElsewhere = (0,program/* tellsElsewhere */.nz)(options.engine);
        const marks = { host: markOf(), elsewhere: markOf() };
        [this.greeting, this.hello] = expecting(0);
        this.stdout = new FrameReader(marks, (frame) => this.frame(frame));
        this.stderr = new FrameReader(marks, (frame) => this.frame(frame));
        shell.onStdout((chunk) => this.read(this.stdout, chunk));
        shell.onStderr((chunk) => this.read(this.stderr, chunk));
        void shell.closed.then((end) => this.fail(this.ended(end)));
        shell.write((0,program/* programFor */.wg)(marks, options.engine));
        this.startTimer = setTimeout(() => this.abort(silent(host.label, options.startTimeoutMs, this.said())), options.startTimeoutMs);
        this.beats = setInterval(() => this.beat(), Math.min(BEAT_MS, Math.max(500, options.idleTimeoutMs / 3)));
    }
    /**
     * Sends requests in one write and resolves with the facts of all of them when the last is done.
     * Rejects with HostFailure (the program said why), or BackupError (E_REMOTE_LOST, E_SHELL, E_TIMEOUT).
     */
    send(...requests) {
        if (this.waiting !== null)
            throw new errors/* BackupError */.hj('E_INTERNAL', 'a second request before the first was answered');
        const groups = requests.map(([kind, name, args]) => `{ ${kind} ${++this.lastNumber} ${(0,quoting/* call */.T)(name, args)}; }\n`);
        const [waiting, answer] = expecting(this.lastNumber);
        if (this.failure !== null)
            waiting.reject(this.failure);
        else {
            this.waiting = waiting;
            this.reported = 0;
            for (const reader of [this.stdout, this.stderr])
                reader.renew();
            this.lastMove = Date.now();
            this.shell.write(groups.join(''));
        }
        return answer;
    }
    /**
     * Ends the session because of an error of ours. The host stops and cleans up; what is pending rejects with the error
     * when it has done so, or after 5 s: by then it is known what the job came to do.
     */
    abort(error) {
        this.failure ??= error;
        this.stopTimers();
        this.shell.end();
        this.ending ??= this.endsWithin(CLEAN_UP_MS);
        void this.ending.then(() => this.fail(error));
    }
    /** Ends the session; after a failure it waits as `abort` does. False: the host did not say that it has cleaned up. */
    async close() {
        const clean = this.failure === null && this.waiting === null;
        this.abort(new errors/* BackupError */.hj('E_INTERNAL', 'the session is closed'));
        const ended = clean || (await this.ending) === true;
        this.host.close();
        return ended;
    }
    /** Nothing can be asked any more. */
    get isOver() {
        return this.failure !== null;
    }
    /** What login scripts printed before our program's first line; neutralise it before it is shown. */
    get noise() {
        return this.stdout.noise.trim();
    }
    read(reader, chunk) {
        try {
            reader.push(chunk);
        }
        catch (error) {
            this.abort(error);
        }
    }
    frame({ from, event, key, rest }) {
        const told = event === 'set' ? `set ${key}` : event;
        if (from === 'elsewhere' && !this.mayTellElsewhere(told)) {
            throw new errors/* BackupError */.hj('E_INTERNAL', `what runs on ${this.host.label} as another user or in a container has told what is not for it to tell (${JSON.stringify(told.slice(0, 60))})`);
        }
        // these come of themselves, and count when they tell of something else than before
        if (event !== 'progress' && event !== 'elsewhere')
            this.lastMove = Date.now();
        this.reported += rest.length + COST_OF_ONE;
        if (this.reported > MAX_REPORTED) {
            throw new errors/* BackupError */.hj('E_TOO_LARGE', `${this.host.label} reported more than ${MAX_REPORTED} bytes`);
        }
        // The first requests travel with the program, so what the hello reports comes before their answers.
        const facts = this.greeted ? this.waiting?.facts : this.greeting.facts;
        switch (event) {
            case 'hello':
                this.greeted = true;
                clearTimeout(this.startTimer);
                this.greeting.resolve(this.greeting.facts);
                break;
            case 'set':
                facts?.add(key, rest);
                this.options.onFact?.(key, rest);
                break;
            case 'rows':
            case 'restored': {
                const [hex = '', rows = ''] = rest.split(' ');
                facts?.[event].push({ name: Buffer.from(hex, 'hex'), rows: Number(rows) });
                break;
            }
            case 'phase': {
                const [name = '', bytes = ''] = rest.split(' ');
                this.options.onPhase?.(name, Number(bytes) || 0);
                break;
            }
            case 'progress': {
                if (rest !== this.lastProgress)
                    this.lastMove = Date.now();
                this.lastProgress = rest;
                const [copied, packed, read] = rest.split(' ').map(Number);
                this.options.onProgress?.({ copied: copied || 0, packed: packed || 0, read: read || 0 });
                break;
            }
            // From where our shell can not look: as another user, in a container.
            case 'elsewhere': {
                if (rest !== this.lastElsewhere)
                    this.lastMove = Date.now();
                this.lastElsewhere = rest;
                const [copied, read] = rest.split(' ').map(Number);
                this.options.onProgress?.({ copied: copied || 0, packed: 0, read: read || 0 });
                break;
            }
            case 'fail': {
                const code = Object.hasOwn(errors/* ERRORS */.Sr, rest) ? rest : 'E_INTERNAL';
                this.settle(({ facts }) => new HostFailure(code, facts.get('failure') ?? '', facts));
                break;
            }
            case 'done': {
                const [number, status] = rest.split(' ').map(Number);
                if (number !== this.waiting?.number)
                    break; // of a request that had failed
                this.settle(() => (status === 0 ? null : this.stopped(`status ${status}`)));
                break;
            }
            case 'bye':
                this.cleanedUp = true;
                break;
            case 'gone':
                if (Number(rest) === this.waiting?.number)
                    this.abort(this.stopped('killed'));
                break;
        }
    }
    beat() {
        const { idleTimeoutMs } = this.options;
        if (this.waiting !== null && Date.now() - this.lastMove > idleTimeoutMs) {
            this.abort(idle(this.host.label, idleTimeoutMs));
        }
        else
            this.shell.write('{ beat; }\n');
    }
    /** Answers what is pending; an error after an abort is only its consequence. */
    settle(outcome) {
        const { waiting } = this;
        this.waiting = null;
        if (waiting === null)
            return;
        const error = outcome(waiting);
        if (error === null)
            waiting.resolve(waiting.facts);
        else
            waiting.reject(this.failure ?? error);
    }
    fail(error) {
        this.failure ??= error;
        this.stopTimers();
        this.greeting.reject(this.failure);
        this.settle(() => error);
    }
    stopTimers() {
        clearTimeout(this.startTimer);
        clearInterval(this.beats);
    }
    async endsWithin(ms) {
        let timer;
        const tooLong = new Promise((resolve) => {
            timer = setTimeout(() => resolve(false), ms);
        });
        // A status says nothing: a login shell around ours reports one for it, also when ours was killed.
        const clean = ({ lost }) => this.cleanedUp || (lost === null && !this.greeted);
        const ended = await Promise.race([this.shell.closed.then(clean), tooLong]);
        clearTimeout(timer);
        return ended;
    }
    stopped(how) {
        return stopped(this.host.label, how, this.said());
    }
    ended(end) {
        this.stdout.finish();
        this.stderr.finish();
        return ended(this.host.label, end, this.greeted, this.said());
    }
    said() {
        return `${this.stdout.noise}\n${this.stderr.noise}`;
    }
}
const markOf = () => `@${(0,external_node_crypto_.randomBytes)(16).toString('hex')}`;
function expecting(number) {
    let settlers;
    const answer = new Promise((resolve, reject) => {
        settlers = { resolve, reject };
    });
    answer.catch(() => { }); // it may fail before anybody awaits it
    return [{ number, facts: new Facts(), ...settlers }, answer];
}


/***/ }),

/***/ 9407:
/***/ ((module, __unused_webpack___webpack_exports__, __nccwpck_require__) => {

__nccwpck_require__.a(module, async (__webpack_handle_async_dependencies__, __webpack_async_result__) => { try {
/* harmony import */ var _esm_globals_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3709);
/* harmony import */ var _cancel_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(833);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2___default = /*#__PURE__*/__nccwpck_require__.n(node_path__WEBPACK_IMPORTED_MODULE_2__);
/* harmony import */ var _main_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(8895);
/* harmony import */ var _platform_platform_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(6242);
/* harmony import */ var _post_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(6661);

 // listens to signals before all that takes time to load





// The runner starts this file for `main`, and dist/post.js for `post`, which imports it when main saved that it started, and
// not that it finished.
/** A link that died silently keeps the process for minutes; nothing that is still open by then matters. */
const EXIT_MS = 1_000;
if ((0,node_path__WEBPACK_IMPORTED_MODULE_2__.basename)(process.argv[1] ?? '') !== 'post.js') {
    (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_4__/* .platform */ .i)().saveState('started', 'true');
    if (await (0,_main_js__WEBPACK_IMPORTED_MODULE_3__/* .main */ .iW)(_cancel_js__WEBPACK_IMPORTED_MODULE_1__/* .cancel */ .Z))
        (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_4__/* .platform */ .i)().saveState('finished', 'true');
}
else {
    await (0,_post_js__WEBPACK_IMPORTED_MODULE_5__/* .post */ .b)(_cancel_js__WEBPACK_IMPORTED_MODULE_1__/* .cancel */ .Z.signal);
}
setTimeout(() => process.exit(), EXIT_MS).unref();

__webpack_async_result__();
} catch(e) { __webpack_async_result__(e); } }, 1);

/***/ }),

/***/ 8470:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   FI: () => (/* binding */ touched),
/* harmony export */   M3: () => (/* binding */ LEFT),
/* harmony export */   To: () => (/* binding */ leftBefore)
/* harmony export */ });
/**
 * What a run that fails leaves as it was, in a sentence each. The run keeps which of them is true (`Run.left`); every failure ends with it,
 * and none says it in words of its own. `untouched`: it says so of everything in the backup directory.
 */
const LEFT = {
    'nothing-contacted': { text: 'Nothing was contacted.', untouched: true },
    'nothing-run': { text: 'Nothing was run on the host.', untouched: true },
    'nothing-changed': { text: 'Nothing was changed.', untouched: true },
    'nothing-deleted': { text: 'Nothing was deleted.', untouched: true },
    'nothing-kept': { text: 'Nothing was kept, nothing was rotated, the database was not changed.', untouched: true },
    'nothing-restored': { text: 'Nothing was restored, nothing was changed.', untouched: true },
    'backup-as-it-was': { text: 'The backup was left as it is, and the live database was not touched.', untouched: true },
    'backup-marked': {
        text: 'The backup is recorded as not verified, so no rotation relies on it; its bytes and the live database were not touched.',
        untouched: false,
    },
    'backup-unknown': {
        text: 'Whether the new backup was published before the host was lost is not known: when it was, it is complete and proven, and `command: list` shows it. The database was not changed.',
        untouched: false,
    },
    'backup-stays': { text: 'The backup on the host is good and stays; nothing was rotated.', untouched: false },
    'backup-rotating': {
        text: 'The new backup is good and was kept. Older ones may have been deleted before that: `command: list` shows what is there.',
        untouched: false,
    },
    'backup-suspect': { text: 'The new backup stays, and no good one was deleted.', untouched: false },
    'changed-in-part': {
        text: 'What had been done before that stays done; `command: list` shows what is there.',
        untouched: false,
    },
    'database-as-it-was': { text: 'The live database is as it was.', untouched: false },
    'database-unknown': {
        text: 'Whether the live database was already replaced is not known: it is whole in any case, and the next run of this action looks at it.',
        untouched: false,
    },
    'database-restored': { text: 'The live database is the restored one, whole.', untouched: false },
    'database-rolled-back': { text: 'The live database is as it was before the restore.', untouched: false },
    'database-needs-you': { text: 'The live database is not as it was before the restore.', untouched: false },
};
/** The same after something else in the backup directory was changed: what said that nothing was is not true any more. */
const touched = (left) => (LEFT[left].untouched ? 'changed-in-part' : left);
/** What is left as it was as long as the command has not begun to change anything. */
function leftBefore({ command, dryRun }) {
    if (dryRun)
        return 'nothing-changed';
    if (command === 'backup')
        return 'nothing-kept';
    if (command === 'restore')
        return 'nothing-restored';
    if (command === 'verify')
        return 'backup-as-it-was';
    return command === 'prune' || command === 'delete' ? 'nothing-deleted' : 'nothing-changed';
}


/***/ }),

/***/ 8895:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  oH: () => (/* binding */ UPLOAD),
  iW: () => (/* binding */ main),
  ng: () => (/* binding */ runOf)
});

// EXTERNAL MODULE: ./src/counting.ts
var counting = __nccwpck_require__(7278);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __nccwpck_require__(7452);
// EXTERNAL MODULE: ./src/backups/coverage.ts
var backups_coverage = __nccwpck_require__(3605);
// EXTERNAL MODULE: ./src/backups/format.ts
var backups_format = __nccwpck_require__(724);
;// CONCATENATED MODULE: ./src/backups/identity.ts

/** Whether two identities are of one database, as far as both are known. */
function sameDatabase(one, other) {
    const format = (0,backups_format/* formatOf */.be)(one);
    return format !== null && format === (0,backups_format/* formatOf */.be)(other) && format.isSame(one, other);
}
/** For messages. */
const showIdentity = (identity) => (0,backups_format/* formatOf */.be)(identity)?.show(identity) ?? 'an unknown database';
/** What tells its server from every other one, however the host is called; null where that is not known, or there is no server. */
const serverOf = (identity) => (0,backups_format/* formatOf */.be)(identity)?.serverOf?.(identity) ?? null;
/** It has a server, and nobody has asked that one which it is. */
const isVague = (identity) => hasServer(identity) && serverOf(identity) === null;
const hasServer = (identity) => (0,backups_format/* formatOf */.be)(identity)?.serverOf !== undefined;

// EXTERNAL MODULE: ./src/backups/manifest.ts
var backups_manifest = __nccwpck_require__(8718);
// EXTERNAL MODULE: ./src/backups/names.ts
var names = __nccwpck_require__(1187);
// EXTERNAL MODULE: ./src/backups/retention.ts + 1 modules
var backups_retention = __nccwpck_require__(7385);
;// CONCATENATED MODULE: ./src/backups/catalogue.ts
/** What lies in a backup directory, read from a listing and the manifests that the host printed. */







const ON_HOST = { checksums: true, rotates: true };
const SWEEP_AFTER_MS = 86_400_000;
const FILE_TYPES = { d: 'a directory', l: 'a symbolic link', p: 'a fifo', s: 'a socket' };
/**
 * Sorts the files of a directory into backups, orphans and problems. What is not of the exact grammar with this name is not
 * seen at all; what is of another database (with an identity of null there is none), malformed or not a regular file is reported, never counted and never touched.
 */
function readCatalogue(listing, database, now, place = ON_HOST) {
    const catalogue = { backups: [], orphans: [], unreadable: [], problems: [] };
    let { identity } = database;
    let areAllOurs = true;
    /** Where each is to be told. */
    const told = new Map();
    for (const unit of unitsOf(listing.files, database.name)) {
        for (const file of unit.foreign) {
            const type = FILE_TYPES[file.type] ?? 'not a regular file';
            const why = `${file.name} is ${type}, where a backup has regular files`;
            catalogue.problems.push(`${why}; it was left alone`);
            if (!unit.regular.has((0,names/* manifestFile */.YE)(unit.id))) {
                catalogue.unreadable.push({ id: unit.id, createdAt: unit.createdAt, why });
            }
        }
        if (unit.regular.has((0,names/* manifestFile */.YE)(unit.id))) {
            const found = readBackup(unit, listing, identity, now, place, catalogue);
            areAllOurs &&= found !== OTHER;
            // Nobody has asked the server which one it is: it is that of the newest backup.
            if (found !== null && found !== OTHER && identity !== null && isVague(identity))
                identity = found;
        }
        else {
            const orphan = readOrphan(unit, now, place, catalogue);
            if (orphan !== null)
                told.set(orphan, catalogue.problems.push('') - 1);
        }
    }
    // of two databases by one name nobody can tell whose it is
    if (!areAllOurs || identity === null)
        for (const orphan of catalogue.orphans)
            orphan.payload = null;
    for (const [orphan, at] of told)
        catalogue.problems[at] = problemOf(orphan, place);
    return catalogue;
}
/** The backups as retention sees them, in the same order. `keep`: the field with the rules of that place. */
function toCandidates(backups, keep = 'keep') {
    return backups.map(({ id, createdAt, manifest, state, detail }) => ({
        id,
        createdAt,
        verified: state === 'ok',
        ...(state === 'suspect' ? { suspect: true } : {}),
        ...((manifest.coverage ?? null) === null ? {} : { partial: (0,backups_coverage/* showCoverage */.UQ)(manifest.coverage ?? null) }),
        ...(state === 'ok' ? {} : { why: state === 'damaged' ? `damaged: ${detail}` : (detail ?? state) }),
        ...(manifest[keep] === undefined ? {} : { madeUnder: manifest[keep] }),
        pinned: manifest.pinned?.reason ?? null,
        safety: manifest.reason === 'safety',
    }));
}
/** What a backup that is whole and verified counts for. */
function standingOf({ state, suspicion, }) {
    return state === 'suspect'
        ? { state, detail: suspicion?.why ?? 'it tripped a limit' }
        : { state: 'ok', detail: null };
}
/** Those that have all that is wanted: whole ones, and of a partial coverage those of the same. */
function covering(backups, wanted) {
    return backups.filter(({ manifest }) => (0,backups_coverage/* covers */.hU)(manifest.coverage ?? null, wanted));
}
/** Whole ones; all of them where none is whole: then that is all that there is to look at. */
function wholeOrAll(backups) {
    const whole = covering(backups, null);
    return whole.some(({ state }) => state === 'ok') ? whole : backups;
}
/** Suspect backups that are newer than every good one: an alarm that nobody has answered. Newest first. */
function alarmsIn(backups) {
    const sorted = backups.filter(({ manifest }) => manifest.reason !== 'safety').sort(backups_retention/* newestFirst */.ll);
    const good = sorted.findIndex(({ state }) => state === 'ok');
    return sorted.slice(0, good === -1 ? undefined : good).filter(({ state }) => state === 'suspect');
}
/** What has no manifest and nothing in it, as retention sees it. The others are no backups, and are not for it to decide. */
function leftovers(orphans) {
    return orphans
        .filter(({ sweepable }) => sweepable)
        .map(({ id, createdAt }) => ({ id, createdAt, verified: false, leftover: true, pinned: null, safety: false }));
}
/** The newest backup that can be relied on; a safety backup is one like any other. */
function newestVerified(backups) {
    return backups.filter(({ state }) => state === 'ok').sort(backups_retention/* newestFirst */.ll)[0] ?? null;
}
function unitsOf(files, name) {
    const units = new Map();
    for (const file of files) {
        const parsed = (0,names/* parseFileName */.Px)(file.name);
        if (parsed === null || parsed.name !== name)
            continue;
        const { id, createdAt, part } = parsed;
        const unit = units.get(id) ?? { id, createdAt, regular: new Map(), foreign: [] };
        units.set(id, unit);
        if (file.type === '-')
            unit.regular.set(file.name, { bytes: file.bytes, part });
        else
            unit.foreign.push(file);
    }
    return [...units.values()].sort(backups_retention/* newestFirst */.ll);
}
/** In the place of an identity: the backup is of another database. */
const OTHER = 'other';
/** Returns the identity of the backup when it is of this database. */
function readBackup(unit, listing, identity, now, place, { backups, unreadable, problems }) {
    const { id, createdAt } = unit;
    const file = (0,names/* manifestFile */.YE)(id);
    const text = listing.manifests.get(file);
    if (text === undefined) {
        problems.push(`${file} could not be read; this backup is never counted and never deleted`);
        unreadable.push({ id, createdAt, why: `${file} could not be read` });
        return null;
    }
    let manifest;
    try {
        manifest = (0,backups_manifest/* parseManifest */.Ng)(text, id);
    }
    catch (error) {
        if (!(error instanceof errors/* BackupError */.hj))
            throw error;
        problems.push(`${error.message}; this backup is never counted and never deleted`);
        unreadable.push({ id, createdAt, why: error.message });
        return null;
    }
    if (identity !== null && !sameDatabase(manifest.identity, identity)) {
        const other = showIdentity(manifest.identity);
        problems.push(`${id} belongs to another database, ${other}; here it is never counted and never deleted`);
        return OTHER;
    }
    const checksum = (0,names/* checksumFile */.uu)(manifest.file);
    const files = [file, manifest.file, checksum].filter((name) => unit.regular.has(name));
    const damage = damageOf(unit, manifest);
    if (damage !== null) {
        problems.push(`${id} is damaged: ${damage}; it was kept and does not count as a backup`);
    }
    const future = (0,backups_retention/* isFuture */.GJ)(createdAt, now);
    if (future) {
        problems.push(`${id} is dated in the future; it was kept and does not count until then. Check the clocks`);
    }
    if (place.checksums && unit.regular.has(manifest.file) && !unit.regular.has(checksum)) {
        problems.push(`${checksum} is missing; the manifest still has the SHA-256 of ${manifest.file}`);
    }
    for (const name of unit.regular.keys()) {
        if (!files.includes(name))
            problems.push(`${name} is not a file that ${file} names; it was left alone`);
    }
    const judged = damage !== null
        ? { state: 'damaged', detail: damage }
        : future
            ? { state: 'future', detail: 'dated in the future' }
            : manifest.verified.level === 'none'
                ? { state: 'unverified', detail: 'not verified' }
                : standingOf(manifest);
    backups.push({ id, createdAt, manifest, ...judged, files });
    return manifest.identity;
}
/** What a listing alone can tell about the payload, or null; bytes are compared by the verification on the host. */
function damageOf(unit, manifest) {
    const payload = unit.regular.get(manifest.file);
    if (payload === undefined)
        return `${manifest.file} is missing`;
    if (payload.bytes === 0)
        return `${manifest.file} is empty`;
    if (payload.bytes === manifest.bytes)
        return null;
    return `${manifest.file} has ${(0,counting/* plural */.L)(payload.bytes, 'byte')}, the manifest says ${manifest.bytes}`;
}
function readOrphan(unit, now, place, { orphans, unreadable }) {
    // Next to a link or a directory of ours somebody has been at work; those files are not for us to sweep.
    if (unit.regular.size === 0 || unit.foreign.length > 0)
        return null;
    const { id, createdAt } = unit;
    const order = { manifest: 0, payload: 1, checksum: 2 };
    const files = [...unit.regular]
        .sort(([a, { part: partA }], [b, { part: partB }]) => order[partA] - order[partB] || (a < b ? -1 : 1))
        .map(([name]) => name);
    const payloads = [...unit.regular].filter(([, { part, bytes }]) => part === 'payload' && bytes > 0);
    const isOld = createdAt.getTime() < now.getTime() - SWEEP_AFTER_MS;
    const sweepable = place.rotates && payloads.length === 0 && isOld;
    const payload = (0,backups_retention/* isFuture */.GJ)(createdAt, now) ? null : adoptable(unit, place);
    const orphan = { id, createdAt, files, sweepable, payload };
    orphans.push(orphan);
    unreadable.push({ id, createdAt, why: `${files.join(' and ')}: the manifest is missing` });
    return orphan;
}
/** The payload of a unit that lacks nothing but its manifest. What is encrypted tells nothing of itself. */
function adoptable({ regular }, place) {
    const [payload] = [...regular].find(([, { part }]) => part === 'payload') ?? [];
    if (payload === undefined || !place.checksums || regular.size !== 2)
        return null;
    const isSealed = (0,names/* parseFileName */.Px)(payload)?.encryption !== undefined;
    return !isSealed && regular.has((0,names/* checksumFile */.uu)(payload)) && regular.get(payload)?.bytes !== 0 ? payload : null;
}
function problemOf({ id, files, sweepable, payload }, place) {
    const hasPayload = files.some((file) => (0,names/* parseFileName */.Px)(file)?.part === 'payload');
    const fate = sweepable
        ? 'there is nothing in it, and the next rotation sweeps it'
        : payload !== null
            ? 'it is kept, and the next backup or prune adopts it when its bytes are those of the checksum beside it'
            : hasPayload
                ? `it is kept, since it may be a good one; \`command: delete\` with \`backup: ${id}\` deletes it`
                : place.rotates
                    ? 'swept once it is older than a day'
                    : 'it was left alone';
    return `${files.join(' and ')}: no manifest, so this is not a backup; ${fate}`;
}

// EXTERNAL MODULE: ./src/run/directory.ts
var directory = __nccwpck_require__(4790);
// EXTERNAL MODULE: ./src/left.ts
var src_left = __nccwpck_require__(8470);
// EXTERNAL MODULE: ./src/reporting/format.ts
var format = __nccwpck_require__(1267);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __nccwpck_require__(4302);
// EXTERNAL MODULE: ./src/run/connect.ts
var connect = __nccwpck_require__(7811);
;// CONCATENATED MODULE: ./src/places/host-listing.ts
/** What the host has told of the files in the directory. */
function listingOf(facts) {
    const files = [];
    const end = facts.entries.findIndex(([key]) => key === 'listed');
    // who is asked after it may be another user, or a container, and is not to speak of the directory
    const told = end < 0 ? facts.entries : facts.entries.slice(0, end);
    for (const line of told.flatMap(([key, lines]) => (key === 'files' ? lines.split('\n') : []))) {
        // mode, links, uid, gid, size, month, day, time, name; the names of ours hold no blanks
        const [, type, bytes, name] = /^(\S)\S* +\d+ +\d+ +\d+ +(\d+) +\S+ +\S+ +\S+ (\S+)(?: -> .*)?$/.exec(line) ?? [];
        if (type && bytes && name)
            files.push({ name, type, bytes: Number(bytes) });
    }
    const manifests = new Map();
    for (const [key, text] of told) {
        if (key.startsWith('manifest '))
            manifests.set(key.slice('manifest '.length), text);
    }
    return { files, manifests };
}

;// CONCATENATED MODULE: ./src/backups/history.ts



/**
 * The good backups against which a new one is held, newest first, back to the one with which the history begins anew. A safety backup
 * is the state that somebody wanted to leave, and tells nothing of how the database should be.
 */
function historyOf(backups) {
    const good = backups.filter((backup) => backup.state === 'ok' && tellsSizes(backup)).sort(backups_retention/* newestFirst */.ll);
    const begin = historySince(good);
    return begin === null ? good : good.filter(({ createdAt }) => createdAt >= begin);
}
/** A logical dump alone does not tell how large the database was. */
function tellsSizes({ manifest: { reason, engine, adopted } }) {
    return reason !== 'safety' && !((0,backups_format/* formatNamed */.vq)(engine).logical && adopted);
}
/** When the history of these begins, or null: with all that there is. */
function historySince(backups) {
    const times = backups.flatMap(({ createdAt, manifest: { accepted, historySince } }) => {
        if (accepted !== undefined && accepted !== null)
            return createdAt.getTime();
        // what a backup says of a time after its own is nothing that it could know
        return historySince ? Math.min(Date.parse(historySince), createdAt.getTime()) : [];
    });
    return times.length === 0 ? null : new Date(Math.max(...times));
}
/** More are not carried on: a person accepts few. */
const MOST_ACCEPTED = 100;
/** The suspect backups that somebody has accepted, as far as these know of them: the newest of them, newest first. */
function acceptedIn(backups) {
    const ids = backups.flatMap(({ id, manifest }) => [
        ...(manifest.accepts ?? []),
        ...((manifest.accepted ?? null) !== null && (manifest.suspicion ?? null) !== null ? [id] : []),
    ]);
    const time = (id) => (0,names/* parseId */.Fg)(id)?.createdAt.getTime() ?? 0;
    return [...new Set(ids)].sort((a, b) => time(b) - time(a) || (a < b ? -1 : 1)).slice(0, MOST_ACCEPTED);
}

;// CONCATENATED MODULE: ./src/backups/copies.ts
/** Backups that are in two places: on the host, and as copies in an S3 store. */




/** Every backup once, newest first. */
function placed(onHost, copies) {
    const byId = new Map(copies.map((copy) => [copy.id, copy]));
    const found = onHost.map((backup) => {
        const copy = byId.get(backup.id);
        if (copy === undefined)
            return { backup, from: 'host', places: ['host'] };
        byId.delete(backup.id);
        const isBetter = !['ok', 'suspect'].includes(backup.state) && copy.state === 'ok';
        return { ...(isBetter ? { backup: copy, from: 's3' } : { backup, from: 'host' }), places: ['host', 's3'] };
    });
    for (const backup of byId.values())
        found.push({ backup, from: 's3', places: ['s3'] });
    return found.sort((a, b) => (0,backups_retention/* newestFirst */.ll)(a.backup, b.backup));
}
/**
 * The copies with what became of them since. The manifest of a copy is never written again, so whether it is suspect, and was accepted, is
 * what the host says; where the host does not have that backup any more, what later backups say.
 */
function asJudgedSince(copies, onHost) {
    const hosts = new Map(onHost.map(({ id, manifest }) => [id, manifest]));
    const accepted = new Set(acceptedIn([...onHost, ...copies]));
    return copies.map((copy) => {
        if (!['ok', 'suspect'].includes(copy.state))
            return copy;
        const word = hosts.get(copy.id);
        const manifest = word !== undefined
            ? withStanding(copy.manifest, word)
            : accepted.has(copy.id)
                ? { ...copy.manifest, state: 'ok', accepted: { by: 'command: accept', at: copy.manifest.createdAt } }
                : copy.manifest;
        return { ...copy, manifest, ...standingOf(manifest) };
    });
}
function withStanding(manifest, { state, suspicion, accepted }) {
    return {
        ...manifest,
        ...(state === undefined ? {} : { state }),
        ...(suspicion === undefined ? {} : { suspicion }),
        ...(accepted === undefined ? {} : { accepted }),
    };
}
/** Ids of the backups of which the copy is not of the same bytes, by what the two manifests say. */
function contradicting(onHost, copies) {
    const hashes = new Map(onHost.map(({ id, manifest }) => [id, manifest.sha256]));
    return copies
        .filter(({ id, manifest }) => (hashes.get(id) ?? manifest.sha256) !== manifest.sha256)
        .map(({ id }) => id);
}
/**
 * The copies as retention sees them, in the same order. A backup that is pinned on the host keeps its copy, which is never written
 * again; of one whose manifest can not be read there, that is not known. Two hosts may have databases of one name at one path, and
 * share a bucket by mistake: what was made on another host is kept and not counted.
 */
function copyCandidates(copies, onHost, here) {
    const pins = new Map([
        ...onHost.unreadable.map(({ id }) => [id, 'perhaps: its manifest on the host can not be read']),
        ...onHost.backups.map(({ id, manifest }) => [id, manifest.pinned?.reason ?? null]),
    ]);
    return toCandidates(copies, 's3Keep').map((candidate, at) => {
        const manifest = copies[at]?.manifest;
        const pinned = candidate.pinned ?? pins.get(candidate.id) ?? null;
        if (manifest === undefined || !isFromElsewhere(manifest, here))
            return { ...candidate, pinned };
        return { ...candidate, pinned, verified: false, why: `made on another host, ${manifest.host}` };
    });
}
/** The server tells more than the name of the host. */
function isFromElsewhere(manifest, here) {
    if (manifest.host === here.host)
        return false;
    const server = serverOf(manifest.identity);
    return server === null || server !== serverOf(here.identity);
}

// EXTERNAL MODULE: ./src/stores/object-store.ts
var object_store = __nccwpck_require__(8351);
;// CONCATENATED MODULE: ./src/places/shown.ts







/** What is odd in a directory can be as much as somebody puts there. */
const MAX_PROBLEMS = 50;
/** `where`: for those that are too many to be told. */
function tellProblems(run, problems, where) {
    for (const problem of problems.slice(0, MAX_PROBLEMS))
        (0,connect/* warn */.R8)(run, problem);
    const left = problems.length - MAX_PROBLEMS;
    if (left > 0)
        (0,connect/* warn */.R8)(run, `${(0,counting/* plural */.L)(left, 'more problem', 'more problems')} of this kind in ${where}`);
}
/** Puts these backups into the report as what there is on the host, beside the copies that are known of. */
function showBackups(run, backups) {
    const { report, copies } = run;
    const all = placed(backups, copies);
    report.backups = all.map(({ backup, from, places }) => factsOf(run, backup, places, from));
    report.kept = backups.length;
    report.storage.backups = backups.length;
    report.storage.backupsBytes = backups.reduce((sum, backup) => sum + backup.manifest.bytes, 0);
    const known = all.map(({ backup }) => backup);
    const { command } = run.settings;
    const newest = newestVerified(command === 'backup' ? covering(known, (0,backups_coverage/* coverageOf */._5)(run.settings.dump)) : wholeOrAll(known));
    report.newestAgeSeconds =
        newest === null ? null : Math.max(0, Math.floor((run.now().getTime() - newest.createdAt.getTime()) / 1000));
}
/** Puts into the report what is gone, by the names of the deleted files; `backups` is what there was, besides what has no manifest. */
function showDeleted(run, backups, deleted) {
    const files = new Set(deleted);
    const left = backups.filter((backup) => !files.has((0,names/* manifestFile */.YE)(backup.id)));
    showBackups(run, left);
    const known = new Set(backups.map(({ id }) => id));
    const swept = [...files].map((file) => (0,names/* parseFileName */.Px)(file)?.id ?? '').filter((id) => id !== '' && !known.has(id));
    run.report.deleted = backups.length - left.length + new Set(swept).size;
}
/** A backup as reports show it. `from`: which of its places is meant by its path. */
function factsOf({ report, settings }, { manifest, state }, places = ['host'], from = 'host') {
    const partial = (0,backups_coverage/* showCoverage */.UQ)(manifest.coverage ?? null);
    return {
        id: manifest.id,
        path: from === 's3' && settings.s3 !== null
            ? (0,object_store/* addressOf */.ci)(settings.s3, manifest.name, manifest.file)
            : `${report.directory}/${manifest.file}`,
        engine: manifest.engine,
        places,
        createdAt: manifest.createdAt,
        sha256: manifest.sha256,
        bytes: manifest.bytes,
        databaseBytes: manifest.databaseBytes,
        compression: manifest.compression,
        verifiedLevel: manifest.verified.level,
        durationMs: manifest.durationMs,
        pinned: manifest.pinned?.reason ?? null,
        reason: manifest.reason,
        ...(partial === '' ? {} : { partial }),
        state,
    };
}

;// CONCATENATED MODULE: ./src/places/host.ts












/** The backup directory on the host, which is entered and listed already. */
class HostPlace {
    run;
    connection;
    facts;
    kind = 'host';
    uri;
    rules;
    /** What the host listed, as it is by now. */
    listed;
    /** `facts`: what the request has told that has listed it. */
    constructor(run, connection, facts) {
        this.run = run;
        this.connection = connection;
        this.facts = facts;
        const { report, settings } = run;
        this.uri = facts.path('directory');
        this.rules = settings.keep;
        report.directory = this.uri;
        report.storage.freeBytes = /^\d{1,15}$/.test(facts.get('free_kib') ?? '') ? facts.number('free_kib') * 1024 : null;
        const untold = facts.get('untold');
        if (untold !== null) {
            (0,connect/* warn */.R8)(run, `${(0,neutralise/* quoteOutside */.Y)(untold, 20)} of the oldest manifests were not read, for all of them are more than the host sends: prune, or move old backups out of ${this.uri}`);
        }
        const identity = run.database.identity(facts);
        this.listed = readCatalogue(listingOf(facts), { name: settings.name, identity }, run.now());
        tellProblems(run, this.listed.problems, this.uri);
        showBackups(run, this.listed.backups);
    }
    /** Enters and lists it: `look` writes nothing, the others hold the lock from then on. `what` is said to the runs that wait for it. */
    static async open(run, connection, how, what = run.settings.backup ?? run.settings.name) {
        return new HostPlace(run, connection, await HostPlace.enter(run, connection, how, what));
    }
    /** The same without reading what was listed. */
    static enter(run, connection, how, what) {
        return connection.send(...(0,directory/* openDirectory */.AJ)(run, how), how === 'look' ? (0,directory/* look */.Op)(run) : (0,directory/* lookLocked */.M7)(run, what));
    }
    async catalogue() {
        return this.listed;
    }
    async candidates() {
        return toCandidates(this.listed.backups);
    }
    async held() {
        return [];
    }
    async one(id) {
        const name = (0,names/* parseId */.Fg)(id)?.name ?? '';
        const own = this.listed.backups.find((backup) => backup.id === id);
        if (own !== undefined)
            return this.found(own);
        const isOwn = name === this.run.settings.name;
        const facts = isOwn ? this.facts : await this.connection.send(['job', 'look', [name, '']]);
        const { backups } = readCatalogue(listingOf(facts), { name, identity: null }, this.run.now());
        const other = backups.find((backup) => backup.id === id);
        return other === undefined ? null : this.found(other);
    }
    async newest() {
        return this.listed.backups.flatMap((backup) => this.found(backup) ?? []);
    }
    found(backup) {
        return backup.state === 'damaged' ? null : { backup, uri: `${this.uri}/${backup.manifest.file}` };
    }
    /** The backup with its whole manifest, of which the host leaves the long lists out where a catalogue would become too large. */
    async whole(backup) {
        if (backup.manifest.shortened === undefined)
            return backup;
        const file = (0,names/* manifestFile */.YE)(backup.id);
        const facts = await this.connection.send(['job', 'put_manifest', [file]]);
        const manifest = (0,backups_manifest/* parseManifest */.Ng)(facts.need(`manifest ${file}`), backup.id);
        if (manifest.shortened === undefined && manifest.sha256 === backup.manifest.sha256)
            return { ...backup, manifest };
        throw new errors/* BackupError */.hj('E_MANIFEST', `${file} is another one than a moment ago, or none of ours`);
    }
    remove(units) {
        return this.change(null, units);
    }
    /** One request: a manifest written anew, units removed, the status. The lock is free then. */
    async change(rewritten, units = []) {
        const before = this.listed.backups;
        if (rewritten !== null)
            this.take(rewritten);
        const [file, text] = rewritten === null ? ['', ''] : [(0,names/* manifestFile */.YE)(rewritten.id), (0,backups_manifest/* serializeManifest */.MZ)(rewritten.manifest)];
        this.show(filesOf(units));
        this.run.left = (0,src_left/* touched */.FI)(this.run.left);
        const status = (0,directory/* statusOf */.c2)(this.run);
        return this.send(['job', 'change', [status, file, text, ...removalArguments(units)]], units, before);
    }
    /** Another manifest of a backup, or one for a payload that has lost its own, while the lock is held; it goes on being held. */
    async write(backup) {
        const { id, manifest } = backup;
        this.run.left = (0,src_left/* touched */.FI)(this.run.left);
        await this.connection.send(['job', 'write_manifest', [(0,names/* manifestFile */.YE)(id), (0,backups_manifest/* serializeManifest */.MZ)(manifest)]]);
        this.take(backup);
        showBackups(this.run, this.listed.backups);
    }
    /** Gives a new backup its name, which may be that of another database. With `units` they are removed in the same request, and the lock is free then. */
    async publish(backup, units) {
        const { run } = this;
        const { id, manifest } = backup;
        const before = this.listed.backups;
        if (manifest.name === run.settings.name)
            this.take(backup);
        this.show(filesOf(units ?? []));
        const publication = [id, manifest.file, manifest.sha256, (0,backups_manifest/* serializeManifest */.MZ)(manifest)];
        if (units === null)
            return this.send(['job', 'publish_backup', publication], [], before);
        return this.send(['job', 'finish', [...publication, (0,directory/* statusOf */.c2)(run), ...removalArguments(units)]], units, before);
    }
    /** When it fails, catalogue and report show what the host came to; `before`: what there was. */
    async send(request, units, before) {
        const { connection, listed } = this;
        const done = await connection.send(request).catch((error) => {
            if (connection.said('published').length === 0)
                listed.backups = before;
            this.show(connection.said('deleted'));
            throw error;
        });
        return this.removed(units, done);
    }
    /** Keeps the status of the run on the host. */
    async tellStatus() {
        await this.connection.send(['job', 'put_status', [(0,directory/* statusOf */.c2)(this.run)]]);
    }
    take(backup) {
        const { listed } = this;
        const others = listed.backups.filter(({ id }) => id !== backup.id);
        listed.backups = [...others, backup].sort(backups_retention/* newestFirst */.ll);
        listed.orphans = listed.orphans.filter(({ id }) => id !== backup.id);
        listed.unreadable = listed.unreadable.filter(({ id }) => id !== backup.id);
    }
    /** Puts it into the report, without these files. */
    show(deleted) {
        showDeleted(this.run, this.listed.backups, deleted);
    }
    /** Corrects catalogue and report to what the host has really deleted. */
    removed(units, done) {
        const { listed, run } = this;
        const undeleted = done.all('undeleted');
        const deleted = undeleted.length === 0 ? filesOf(units) : done.all('deleted');
        if (undeleted.length > 0)
            this.show(deleted);
        const gone = new Set(deleted);
        listed.backups = listed.backups.filter(({ id }) => !gone.has((0,names/* manifestFile */.YE)(id)));
        listed.orphans = listed.orphans.filter(({ files }) => !files.every((file) => gone.has(file)));
        if (undeleted.length === 0)
            return { deleted, held: [], failure: null };
        run.report.ok = false;
        const error = new errors/* BackupError */.hj('E_ROTATE', (0,neutralise/* quoteOutside */.Y)(undeleted.join('; ')), 'Look at the owner and the attributes of the file (`lsattr`).');
        const what = `${(0,format/* counted */.hS)(undeleted.length, 'old file')} could not be deleted`;
        return { deleted, held: [], failure: { what, error, todo: '`prune` tries again.' } };
    }
}
const filesOf = (units) => units.flatMap(({ files }) => files);
/** The arguments of the host's `remove_units`: `--` and the files of each unit. */
const removalArguments = (units) => units.flatMap(({ files }) => ['--', ...files]);

;// CONCATENATED MODULE: ./src/places/rotate.ts







/** Why a good one stays that no rule keeps. */
const NOTHING_GOOD_GOES = 'the newest backup is suspect: no good one is deleted';
/**
 * Decides by the rules of the run from what is in the place alone. What must not go yet there stays. `made`: the backup of this run, whether
 * it is there already or not; while it is suspect, no good one goes. `kept`: what else stays in this run, by id, with why. Nothing is
 * decided where the place is not for us to rotate, and it is not asked.
 */
async function planRotation(run, place, { made = null, kept = new Map() } = {}) {
    const { rules } = place;
    if (rules === null) {
        run.log.info('the copies in the store are left to the lifecycle of the bucket (s3-keep: none)');
        return { place, retention: { decisions: [], refusal: null }, remove: [] };
    }
    const { keepMadeUnder: madeUnder, keepMinimum, maxDelete } = run.settings;
    const { backups, orphans } = await place.catalogue();
    const there = await place.candidates();
    const more = made === null || there.some(({ id }) => id === made.id) ? [] : [made];
    const candidates = [...more, ...there, ...leftovers(orphans)];
    const stay = new Map(kept);
    if (made?.suspect) {
        for (const { id, verified } of there)
            if (verified)
                stay.set(id, NOTHING_GOOD_GOES);
    }
    const now = run.now();
    const plan = () => (0,backups_retention/* planRetention */.SA)(candidates, { rules, madeUnder, keepMinimum, maxDelete }, now, stay);
    const doomed = goingBy(plan().decisions, [...backups, ...orphans]);
    for (const { id, why } of await place.held(doomed))
        stay.set(id, why);
    const retention = plan();
    return { place, retention, remove: retention.refusal === null ? goingBy(retention.decisions, doomed) : [] };
}
function goingBy(decisions, units) {
    const dropped = new Set(decisions.filter(({ keep }) => !keep).map(({ id }) => id));
    return units.filter(({ id }) => dropped.has(id));
}
/** Puts the plan into the report and the log. `would`: it is not going to be carried out. */
function tellRotation(run, { place, retention: { decisions } }, would) {
    if (place.kind === 'host')
        run.report.retention = decisions;
    else if (run.report.s3 !== null)
        run.report.s3.retention = decisions;
    const [may, where] = [would ? 'would ' : '', place.kind === 'host' ? '' : place.uri];
    for (const { id, keep, reasons } of decisions) {
        run.log.info(`${may}${keep ? 'keep' : 'delete'} ${where}${id}: ${(0,format/* clip */.$Q)(reasons.join(', '), 300)}`);
    }
}
/** Why the plan must not be carried out, or null. */
function refusalOf({ place, retention: { refusal } }) {
    return refusal === null || place.kind === 'host' ? refusal : `in ${place.uri}: ${refusal}`;
}
/** The same as what the run ends with. */
function objectionTo(rotation) {
    const refusal = refusalOf(rotation);
    if (refusal === null)
        return null;
    const rules = rotation.place.kind === 'host' ? 'keep' : 's3-keep';
    return new errors/* BackupError */.hj('E_POLICY', refusal, `Look at the plan (\`command: prune\` with \`dry-run: true\`), then change \`${rules}\`, \`keep-minimum\` or \`max-delete\`.`);
}
/** Carries a plan out. Throws E_ROTATE, with the report corrected to what was really deleted. */
async function carryOut(run, { place, retention, remove }) {
    if (remove.length === 0)
        return;
    run.left = (0,src_left/* touched */.FI)(run.left);
    const { held, failure } = await place.remove(remove);
    keepHeld(retention, held);
    for (const { id, why } of held)
        run.log.info(`keep ${place.uri}${id}: ${why}`);
    if (failure !== null)
        throw notRotated(run, failure.what, failure.error, failure.todo);
}
function keepHeld({ decisions }, held) {
    for (const { id, why } of held) {
        const decision = decisions.find((one) => one.id === id);
        if (decision !== undefined)
            Object.assign(decision, { keep: true, reasons: [why] });
    }
}
/** Only what the place says is about the rotation; that the run was cancelled is another story, in which this is a side note. */
function notRotated(run, what, error, todo) {
    const { code, message, hint } = (0,errors/* describe */.q0)(error);
    if ((0,object_store/* isOfStore */.te)(error) || code === 'E_ROTATE')
        return new errors/* BackupError */.hj('E_ROTATE', `${what}: ${message}`, `${hint} ${todo}`);
    (0,connect/* warn */.R8)(run, what);
    return error;
}

// EXTERNAL MODULE: ./src/backups/manifest-size.ts
var manifest_size = __nccwpck_require__(2502);
;// CONCATENATED MODULE: ./src/places/store-listing.ts



/** How many manifests are fetched at once. */
const FETCHES = 8;
/** Of all manifests, the newest first; what goes beyond is not fetched. */
const MAX_TOTAL_BYTES = 256 << 20;
/**
 * What lies under `<prefix>/<name>/` by names of ours, with the manifests that can be read: the newest whole, of the others what a
 * catalogue needs.
 */
async function listCopies(store, name) {
    const files = await filesIn(store, name);
    const listed = files.flatMap(({ name: file, part, bytes }) => (part === 'manifest' ? [{ file, bytes }] : []));
    listed.sort((one, other) => (one.file < other.file ? -1 : 1)); // all have one name, and then their time
    const unread = [];
    const wanted = [];
    let total = 0;
    for (const { file, bytes } of listed.toReversed()) {
        total += Math.min(bytes, manifest_size/* MAX_READ_BYTES */.qT);
        if (total <= MAX_TOTAL_BYTES)
            wanted.push(file);
        else
            unread.push(`the newer ones are ${MAX_TOTAL_BYTES} bytes already`);
    }
    const manifests = new Map();
    let room = manifest_size/* READ_WHOLE_BYTES */.NO;
    const fetch = async () => {
        for (let file = wanted.shift(); file !== undefined; file = wanted.shift()) {
            try {
                const text = await store.get(store.keyOf(name, file));
                if (text === null)
                    continue;
                manifests.set(file, text.length <= room ? text : (0,manifest_size/* shorten */.ml)(text));
                room -= text.length;
            }
            catch (error) {
                if (!(error instanceof errors/* BackupError */.hj) || !UNREADABLE.includes(error.code))
                    throw error;
                unread.push(error.message);
            }
        }
    };
    await Promise.all(Array.from({ length: FETCHES }, fetch));
    return { files, manifests, unread };
}
/** What there is of ours by that name, of which the file names begin so. */
async function filesIn(store, name, beginning = '') {
    const folder = store.keyOf(name, '');
    return (await store.list(folder + beginning)).flatMap(({ key, bytes }) => {
        // a store may answer with more than it was asked for
        const file = key.startsWith(folder) ? key.slice(folder.length) : '';
        const parsed = (0,names/* parseFileName */.Px)(file);
        return parsed?.name === name ? [{ ...parsed, name: file, type: '-', bytes }] : [];
    });
}
/** Of one object, so that the others still can be told: not allowed, moved into an archive, far too long. */
const UNREADABLE = ['E_S3_AUTH', 'E_NOT_FOUND', 'E_TOO_LARGE'];

;// CONCATENATED MODULE: ./src/places/in-store.ts










const AT_ONCE = 8;
/** What `s3://` names, with the manifest beside it, which must agree. Throws E_NOT_FOUND, E_MANIFEST, E_CHECKSUM. */
async function named(run, store, { key }) {
    const stored = await store.head(key);
    if (stored === null) {
        await store.list(key); // when there is not even the bucket, this one says so
        throw new errors/* BackupError */.hj('E_NOT_FOUND', `there is no ${(0,neutralise/* quoteOutside */.Y)(store.uriOf(key), 1200)}`, `Correct \`backup\`: the key of the payload, as \`s3-uri\` tells it.`);
    }
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    const parsed = (0,names/* parseFileName */.Px)(key.slice(folder.length));
    const file = parsed?.part === 'payload' ? (0,names/* manifestFile */.YE)(parsed.id) : null;
    const text = file === null ? null : await store.get(`${folder}${file}`);
    if (parsed === null || file === null || text === null) {
        if (file !== null) {
            (0,connect/* warn */.R8)(run, `${store.uriOf(key)} has no manifest beside it, so nothing tells what it should be but the store`);
        }
        return { backup: null, uri: store.uriOf(key), stored, wanted: wantedOf(key, stored, stored.sha256) };
    }
    const files = [
        { name: key.slice(folder.length), type: '-', bytes: stored.bytes },
        { name: file, type: '-', bytes: text.length },
    ];
    const backup = read(run, parsed.name, files, text, null);
    if (backup.manifest.file !== key.slice(folder.length)) {
        throw new errors/* BackupError */.hj('E_MANIFEST', `${store.uriOf(`${folder}${file}`)} is the manifest of ${backup.manifest.file}, not of that object`, `Correct \`backup\`.`);
    }
    return agreeing(store, key, backup, stored);
}
/** The backup of that id, or null when the store does not have it whole. */
async function byId(run, store, id) {
    const name = (0,names/* parseId */.Fg)(id)?.name ?? '';
    const [unit] = await unitsIn(store, name, `${id}.`);
    return unit === undefined ? null : readUnit(run, store, name, unit, null);
}
/**
 * All of that name, newest first, until `isEnough`; those of another database are left out, and told. `here`: this host and its database; null: any. A host takes its own when there are
 * some. A new host may take those of one other, and between several nobody but a person can choose: then E_TARGET_MISMATCH.
 */
async function newestIn(run, store, here, isEnough) {
    const isOwn = ({ manifest }) => here === null || !isFromElsewhere(manifest, here);
    const found = await readAll(run, store, here?.identity ?? null, (backup) => isEnough(backup) && isOwn(backup));
    const backups = found.map(({ backup }) => backup);
    for (const [at, backup] of asJudgedSince(backups, []).entries())
        Object.assign(found[at] ?? {}, { backup });
    const own = found.filter(({ backup }) => isOwn(backup));
    if (own.length > 0)
        return own;
    const hosts = [...new Set(found.map(({ backup }) => backup.manifest.host))];
    if (hosts.length <= 1)
        return found;
    throw new errors/* BackupError */.hj('E_TARGET_MISMATCH', `${store.uriOf(store.keyOf(run.settings.name, ''))} has backups of ${hosts.length} hosts (${(0,neutralise/* quoteOutside */.Y)(hosts.slice(0, 5).join(', '), 300)}), and none of this one, ${here?.host}`, `Name the one that is meant by its id (\`command: list\`), or set \`allow-other-target: true\` to take the newest of all.`);
}
async function readAll(run, store, identity, isEnough) {
    const { name } = run.settings;
    const units = await unitsIn(store, name, '');
    const found = [];
    for (let from = 0; from < units.length; from += AT_ONCE) {
        const some = await Promise.all(units.slice(from, from + AT_ONCE).map((unit) => readUnit(run, store, name, unit, identity)));
        const good = some.filter((one) => one !== null);
        found.push(...good);
        if (good.some(({ backup }) => isEnough(backup)))
            break;
    }
    return found;
}
async function unitsIn(store, name, beginning) {
    const units = new Map();
    for (const file of await filesIn(store, name, beginning)) {
        const { id, createdAt } = file;
        const unit = units.get(id) ?? { id, createdAt, files: [] };
        unit.files.push(file);
        units.set(id, unit);
    }
    return [...units.values()].sort(backups_retention/* newestFirst */.ll);
}
/** null when it is not whole, or no backup of this database; the log says why. */
async function readUnit(run, store, name, { id, files }, identity) {
    const file = (0,names/* manifestFile */.YE)(id);
    const text = files.some((one) => one.name === file) ? await store.get(store.keyOf(name, file)) : null;
    if (text === null)
        return null; // an upload that was cut off
    try {
        const backup = read(run, name, files, text, identity);
        if (backup.state === 'damaged')
            throw new errors/* BackupError */.hj('E_CHECKSUM', `it is damaged: ${backup.detail}`);
        const key = store.keyOf(name, backup.manifest.file);
        const stored = await store.head(key);
        if (stored === null)
            throw new errors/* BackupError */.hj('E_CHECKSUM', `${backup.manifest.file} is missing`);
        return agreeing(store, key, backup, stored);
    }
    catch (error) {
        if (!(error instanceof errors/* BackupError */.hj) || !['E_CHECKSUM', 'E_MANIFEST'].includes(error.code))
            throw error;
        (0,connect/* warn */.R8)(run, `${store.uriOf(store.keyOf(name, id))} is passed over: ${(0,neutralise/* quoteOutside */.Y)(error.message, 500)}`);
        return null;
    }
}
/** The backup of these files. Throws E_MANIFEST when there is none. */
function read(run, name, files, text, identity) {
    const manifests = new Map(files.filter((one) => one.name.endsWith('.json')).map((one) => [one.name, text]));
    const { backups, problems } = readCatalogue({ files, manifests }, { name, identity }, run.now());
    const [backup] = backups;
    if (backup !== undefined)
        return backup;
    throw new errors/* BackupError */.hj('E_MANIFEST', problems[0] ?? 'there is no manifest');
}
/** What the store says of the payload is what the manifest says. Throws E_CHECKSUM. */
function agreeing(store, key, backup, stored) {
    const { bytes, sha256 } = backup.manifest;
    const uri = store.uriOf(key);
    const why = stored.bytes !== bytes
        ? `it has ${(0,format/* formatBytes */.z3)(stored.bytes)} (${(0,counting/* plural */.L)(stored.bytes, 'byte')}), its manifest says ${(0,counting/* plural */.L)(bytes, 'byte')}`
        : stored.sha256 !== null && stored.sha256 !== sha256
            ? `it was stored with the SHA-256 ${stored.sha256}, its manifest says ${sha256}`
            : null;
    if (why !== null) {
        throw new errors/* BackupError */.hj('E_CHECKSUM', `${uri} does not belong to its manifest: ${why}`, `Do not rely on that copy: find out who can write into the bucket.`);
    }
    return { backup, uri, stored, wanted: wantedOf(key, stored, sha256) };
}
function wantedOf(key, { bytes, etag }, sha256) {
    return { key, bytes, sha256, etag: /^[\w.+/=-]+$/.test(etag) ? etag : '' };
}

;// CONCATENATED MODULE: ./src/places/store.ts














const HIDDEN = 'the bucket keeps versions: what was deleted is hidden by delete markers, and takes space until a lifecycle rule (NoncurrentVersionExpiration) removes it';
/** Who deletes what could not be. */
const AGAIN = '`prune` tries again; with `s3-keep: none` the lifecycle of the bucket does it.';
/** The copies of one database's backups in an object store, beside what the host has of them. */
class StorePlace {
    run;
    open;
    host;
    kind = 's3';
    uri;
    rules;
    looked = null;
    constructor(run, s3, 
    /** The store, which is loaded then. */
    open, host) {
        this.run = run;
        this.open = open;
        this.host = host;
        this.uri = (0,object_store/* addressOf */.ci)(s3, run.settings.name);
        this.rules = s3.keep;
    }
    /** Throws E_S3_*. */
    catalogue() {
        this.looked ??= this.look();
        return this.looked;
    }
    async look() {
        const { run, uri, host } = this;
        const { unread, catalogue } = await this.read(this.rules !== null);
        const { problems, backups } = catalogue;
        for (const id of contradicting(host.listed.backups, backups)) {
            problems.push(`${id} has another SHA-256 there than on the host: one of the two is not what was backed up`);
        }
        if (unread.length > 0) {
            const why = (0,neutralise/* quoteOutside */.Y)(unread[0] ?? '', 300);
            problems.push(`${(0,format/* counted */.hS)(unread.length, 'manifest')} could not be read, the first because ${why}`);
        }
        const here = await this.here();
        tellProblems(run, problems.map((problem) => `in ${uri}: ${problem}`), uri);
        const others = backups.filter(({ manifest }) => isFromElsewhere(manifest, here));
        if (others.length > 0) {
            const made = (0,neutralise/* quoteOutside */.Y)(`made on another host, ${others[0]?.manifest.host}`, 200);
            (0,connect/* warn */.R8)(run, `${(0,format/* counted */.hS)(others.length, 'backup')} in ${uri} were ${made}: they do not count here, and rotation leaves them alone. Two databases that share a bucket need names or prefixes of their own; after a move to another host, \`command: delete\` deletes what is old`);
        }
        run.report.s3 = { uri, backups: 0, backupsBytes: 0, retention: [], deleted: 0, hidden: false };
        this.show(backups);
        return catalogue;
    }
    async read(rotates) {
        const { name } = this.run.settings;
        const { unread, ...listing } = await listCopies(await this.open(), name);
        const { identity } = await this.here();
        const catalogue = readCatalogue(listing, { name, identity }, this.run.now(), { checksums: false, rotates });
        catalogue.backups = asJudgedSince(catalogue.backups, this.host.listed.backups);
        return { unread, catalogue };
    }
    /**
     * Those of this host alone, for looking back on: nothing is told, and nothing put into the report. None when the store fails, which is
     * told where it is rotated.
     */
    async history() {
        const { run } = this;
        try {
            const here = await this.here();
            return (await this.read(false)).catalogue.backups.filter(({ manifest }) => !isFromElsewhere(manifest, here));
        }
        catch (error) {
            if (run.signal.aborted || !(0,object_store/* isOfStore */.te)(error))
                throw error;
            run.log.debug(`the copies could not be looked at: ${error.message}`);
            return [];
        }
    }
    /** This host and its database; where nobody has asked the server which one it is, that of the newest backup on the host. */
    async here() {
        const { run, host } = this;
        const identity = run.database.identity(host.facts);
        return {
            host: await (0,connect/* hostOf */.w4)(run, host.connection),
            identity: isVague(identity) ? (host.listed.backups[0]?.manifest.identity ?? identity) : identity,
        };
    }
    async candidates() {
        const { backups } = await this.catalogue();
        return copyCandidates(backups, this.host.listed, await this.here());
    }
    async held(units) {
        const store = await this.open();
        const held = [];
        for (const { id, files } of units) {
            const all = await Promise.all(files.map((file) => store.head(this.keyOf(store, file))));
            const until = Math.max(...all.map((stored) => stored?.lock?.until.getTime() ?? 0));
            if (until > this.run.now().getTime())
                held.push({ id, why: `locked until ${minute(new Date(until))}` });
            else if (all.some((stored) => stored?.legalHold))
                held.push({ id, why: 'under legal hold' });
        }
        return held;
    }
    /** One object after the other; the first failure that is not about one that is locked ends it. */
    async remove(units) {
        const { run, uri } = this;
        const store = await this.open();
        const catalogue = await this.catalogue();
        const removal = { deleted: [], held: [], failure: null };
        let hides = false;
        const failed = (file, error) => {
            const left = units.filter(({ files }) => !files.every((one) => removal.deleted.includes(one))).length;
            const count = (0,format/* counted */.hS)(left - removal.held.length, 'old copy', 'old copies');
            removal.failure = { what: `${count} could not be deleted, the first at ${file}`, error, todo: AGAIN };
        };
        removing: for (const { id, files } of units) {
            for (const [at, file] of files.entries()) {
                try {
                    const outcome = await store.remove(this.keyOf(store, file));
                    if (outcome === 'locked' && at > 0)
                        throw orphaned(uri + file);
                    if (outcome === 'locked') {
                        removal.held.push({ id, why: 'locked, says the store' });
                        break;
                    }
                    hides ||= outcome === 'hidden';
                    removal.deleted.push(file);
                    run.log.info(`deleted ${uri}${file}`);
                }
                catch (error) {
                    failed(file, error);
                    break removing;
                }
            }
        }
        const gone = new Set(removal.deleted);
        catalogue.backups = catalogue.backups.filter(({ id }) => !gone.has((0,names/* manifestFile */.YE)(id)));
        catalogue.orphans = catalogue.orphans.filter(({ files }) => !files.every((file) => gone.has(file)));
        if (run.report.s3 !== null) {
            run.report.s3.deleted = units.filter(({ files: [first = ''] }) => gone.has(first)).length;
            run.report.s3.hidden = hides;
        }
        this.show(catalogue.backups);
        if (hides)
            run.log.info(HIDDEN);
        return removal;
    }
    async one(id) {
        return byId(this.run, await this.open(), id);
    }
    async newest(isEnough) {
        const here = this.run.settings.restore.allowOtherTarget ? null : await this.here();
        return newestIn(this.run, await this.open(), here, isEnough);
    }
    /** Puts the manifest that the host has beside a payload that has lost its own. Throws E_S3_*. */
    async write(backup) {
        const store = await this.open();
        await store.put(this.keyOf(store, (0,names/* manifestFile */.YE)(backup.id)), (0,backups_manifest/* serializeManifest */.MZ)(backup.manifest));
        const catalogue = await this.catalogue();
        catalogue.orphans = catalogue.orphans.filter(({ id }) => id !== backup.id);
        catalogue.backups = [...catalogue.backups, backup].sort(backups_retention/* newestFirst */.ll);
        this.show(catalogue.backups);
    }
    /** What the store says of a file there. */
    async stored(file) {
        const store = await this.open();
        return store.head(this.keyOf(store, file));
    }
    keyOf(store, file) {
        return store.keyOf(this.run.settings.name, file);
    }
    show(copies) {
        const { run, host } = this;
        run.copies = copies;
        if (run.report.s3 !== null) {
            run.report.s3.backups = copies.length;
            run.report.s3.backupsBytes = copies.reduce((sum, { manifest }) => sum + manifest.bytes, 0);
        }
        showBackups(run, host.listed.backups);
    }
}
const minute = (time) => `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const orphaned = (uri) => new errors/* BackupError */.hj('E_ROTATE', `${uri} is locked, but its manifest was not, and is deleted`, 'Once the lock has ended, `command: delete` with its id deletes it.');

;// CONCATENATED MODULE: ./src/places/with-store.ts




/** Lends `work` the place in the store of this run, null when it has none; it is closed on every path. `bucket`: another than that of the settings. */
async function withStorePlace(run, host, work, bucket) {
    const { settings, signal } = run;
    const { s3 } = settings;
    if (s3 === null)
        return work(null);
    return (0,object_store/* withStore */.aH)({ settings: { ...settings, s3 }, signal }, (open) => work(new StorePlace(run, s3, open, host)), bucket);
}
/** The same as a spare: null also where the bucket stands only in `backup`, so that nothing else is looked for there. */
function withSpare(run, host, work) {
    return run.settings.s3?.onlyNamed ? work(null) : withStorePlace(run, host, work);
}
/** The same with what `s3://` names. Throws E_NOT_FOUND, E_MANIFEST, E_CHECKSUM. */
function withNamed(run, host, location, work) {
    return withStorePlace(run, host, async (place) => {
        if (place === null)
            throw new errors/* BackupError */.hj('E_INTERNAL', 'there is no store to ask');
        return work(place, await named(run, await place.open(), location));
    }, location.bucket);
}

;// CONCATENATED MODULE: ./src/places/change.ts




/** Reads the catalogue under the lock, asks `decide`, carries it out; with `dry-run`, reads and asks only. */
async function change(run, decide) {
    const { dryRun } = run.settings;
    await (0,directory/* connectedToChange */.RW)(run, async (connection) => {
        const host = await HostPlace.open(run, connection, dryRun ? 'look' : 'change');
        await withStorePlace(run, host, async (store) => {
            const { rewrite = null, remove = [], after } = await decide(host, store);
            run.report.ok = after === undefined || dryRun;
            if (dryRun)
                return;
            const { failure } = await host.change(rewrite, remove);
            if (failure !== null)
                throw notRotated(run, failure.what, failure.error, failure.todo);
            if (after === undefined)
                return;
            await after();
            run.report.ok = true;
            await host.tellStatus();
        });
    });
}

;// CONCATENATED MODULE: ./src/places/choice.ts





const isWhole = ({ manifest }) => (manifest.coverage ?? null) === null;
/** A partial one does not bring everything back: it is restored by its id alone. */
const isGood = (backup) => backup.state === 'ok' && isWhole(backup);
/** Nothing that is older comes into question then. A safety backup is the state that somebody wanted to leave. */
function isMeant({ by }, backup) {
    return by === 'newest'
        ? backup.state !== 'suspect' && isWhole(backup)
        : isGood(backup) && backup.manifest.reason !== 'safety';
}
/** The one of these that is meant. */
function pick(asked, backups) {
    const sorted = backups.toSorted(backups_retention/* newestFirst */.ll);
    if (asked.by !== 'deploy') {
        // one that is partial is proven where there is no other
        const partial = asked.by === 'newest' ? sorted.find(({ state }) => state !== 'suspect') : undefined;
        return sorted.find((one) => isMeant(asked, one)) ?? partial ?? null;
    }
    // A deploy that is run again takes another backup, of what it did the first time; so does the nightly one at that commit.
    const taken = sorted.findLast((one) => isMeant(asked, one) && one.manifest.github?.sha.startsWith(asked.sha) && one.manifest.reason !== 'scheduled');
    return taken ?? null;
}
/** By the catalogue of the place. */
async function choose(run, asked, place) {
    const catalogue = await place.catalogue();
    if (asked.by === 'id')
        return choice_byId(run, asked, place, catalogue);
    return asked.by === 'newest' ? newest(run, catalogue, place) : described(run, asked, catalogue, place);
}
async function choice_byId(run, { id, toProve = false }, place, { backups, unreadable }) {
    const lost = (why) => ({ ids: [id], exact: true, why });
    const own = backups.find((backup) => backup.id === id);
    if (own?.state === 'damaged') {
        const why = damaged(`${id} is damaged: ${own.detail}`);
        return { backup: toProve ? own : null, lost: lost(why) };
    }
    if (own !== undefined)
        return { backup: own, lost: null };
    const broken = unreadable.find((unit) => unit.id === id);
    if (broken !== undefined)
        return { backup: null, lost: lost(noManifest(broken.why)) };
    const other = toProve ? null : await place.one(id);
    if (other !== null)
        return { backup: other.backup, lost: null };
    return { backup: null, lost: lost((nor) => notFound(run, id, backups, `${place.uri}${nor}`)) };
}
/** What is older than the one that is taken does not matter, but to a deploy, of which the oldest counts. */
function described(run, asked, { backups, unreadable }, place) {
    const { name } = run.settings;
    const backup = pick(asked, backups);
    const gone = [...backups.filter(({ state }) => state === 'damaged'), ...unreadable]
        .filter(({ createdAt }) => asked.by === 'deploy' || backup === null || createdAt > backup.createdAt)
        .map(({ id }) => id);
    if (backup !== null && gone.length === 0)
        return { backup, lost: null };
    if (backup === null) {
        const none = asked.by === 'latest'
            ? `there is no verified backup of ${name} in ${place.uri}`
            : `no verified backup of ${name} was taken by a deploy of the commit ${asked.sha}`;
        const why = (nor) => new errors/* BackupError */.hj('E_NOT_FOUND', none + nor, `${withheld(backups)}${known(backups)}`);
        return { backup, lost: { ids: gone, exact: false, why } };
    }
    const are = `${gone.slice(0, 3).join(', ')} in ${place.uri} ${gone.length === 1 ? 'is' : 'are'} damaged or without a manifest`;
    return { backup, lost: { ids: gone, exact: false, why: damaged(are) } };
}
/** The files of a damaged database are kept, and are no backup; what is suspect counts for nothing. Nothing unreadable may be newer. */
function newest(run, { backups, unreadable }, place) {
    const [backup = null] = wholeOrAll(backups)
        .filter(({ createdAt, manifest }) => !(0,backups_retention/* isFuture */.GJ)(createdAt, run.now()) && !(0,backups_manifest/* isDamagedCopy */.z$)(manifest) && manifest.state !== 'suspect')
        .sort(backups_retention/* newestFirst */.ll);
    const [broken] = unreadable.toSorted(backups_retention/* newestFirst */.ll);
    if (broken !== undefined && (backup === null || broken.createdAt > backup.createdAt)) {
        return { backup: null, lost: { ids: [broken.id], exact: true, why: noManifest(broken.why) } };
    }
    if (backup === null) {
        const why = (nor) => stale(run, `there is no backup of ${run.settings.name} in ${place.uri}${nor}`);
        return { backup, lost: { ids: [], exact: false, why } };
    }
    if (backup.state !== 'damaged')
        return { backup, lost: null };
    const why = damaged(`${backup.id} is damaged: ${backup.detail}`);
    return { backup, lost: { ids: [backup.id], exact: true, why } };
}
/** The newest that is to be proven is young enough. Throws E_STALE. */
function checkAge(run, createdAt) {
    const { maxAgeMs, name } = run.settings;
    const age = run.now().getTime() - createdAt.getTime();
    if (maxAgeMs !== null && age > maxAgeMs) {
        throw stale(run, `the newest backup of ${name} is ${(0,format/* formatDuration */.a3)(age)} old`);
    }
}
function stale({ settings: { maxAgeMs } }, what) {
    return new errors/* BackupError */.hj('E_STALE', `${what}${maxAgeMs === null ? '' : `; max-age is ${(0,format/* formatDuration */.a3)(maxAgeMs)}`}`, 'Find out why no newer one was made (the runs of the backup workflow), and take one.');
}
const damaged = (what) => (nor) => new errors/* BackupError */.hj('E_CHECKSUM', what + nor, `Choose another backup: \`command: list\` shows them.`);
const noManifest = (what) => (nor) => new errors/* BackupError */.hj('E_MANIFEST', what + nor, `Take a new backup, and do not rely on this one.`);
/** There is no backup of that id; `backups`: what there is. */
function notFound(run, id, backups, where) {
    const what = `there is no backup ${id} of ${run.settings.database.given} in ${where}`;
    return new errors/* BackupError */.hj('E_NOT_FOUND', what, known(backups));
}
function known(backups) {
    const ids = [...new Set(backups.toSorted(backups_retention/* newestFirst */.ll).map(({ id }) => id))].slice(0, 5);
    const there = ids.length === 0 ? 'There is none at all' : `The newest ${ids.length === 1 ? 'is' : 'are'} ${ids.join(', ')}`;
    return `${there}; \`command: list\` shows every one.`;
}
/** What there is and is not taken by itself. */
function withheld(backups) {
    const partial = backups.find((one) => one.state === 'ok' && !isWhole(one));
    const suspect = backups.find(({ state }) => state === 'suspect');
    return [
        ...(partial === undefined ? [] : [`${partial.id} does not cover everything and is restored by its id alone. `]),
        ...(suspect === undefined ? [] : [`${suspect.id} is suspect: \`command: accept\` makes it a good one. `]),
    ].join('');
}

;// CONCATENATED MODULE: ./src/places/find.ts





/** How many that a place has lost are looked for in another. */
const MOST_LOST = 20;
/**
 * The backup that is meant: in the first place, or, when it has lost it, in the spare one; `spare` is set then. Throws E_NOT_FOUND,
 * E_STALE when there is none to prove, E_MANIFEST or E_CHECKSUM for what is damaged everywhere, E_TARGET_MISMATCH.
 */
async function find(run, asked, first, spare) {
    const { backup, lost } = await choose(run, asked, first);
    if (lost !== null && spare !== null) {
        const { backups } = await first.catalogue();
        const found = await instead(run, asked, lost, backup, backups, spare);
        if (found !== null)
            return { backup: found.backup, spare: found };
    }
    if (backup !== null)
        return { backup, spare: null };
    throw (lost?.why(spare === null ? '' : `, nor in ${spare.uri}`) ?? new errors/* BackupError */.hj('E_NOT_FOUND', 'there is no backup'));
}
/** What the first place has lost, from the spare one; null when that does not have it either. */
async function instead(run, asked, { ids, exact, why }, backup, backups, spare) {
    const reason = why('');
    try {
        let there = [];
        for (const id of ids.slice(0, MOST_LOST)) {
            const one = await spare.one(id);
            if (one !== null)
                there.push(one);
        }
        if (!exact && backup === null && there.length === 0) {
            // the oldest one of a deploy counts, so all have to be looked at
            there = await spare.newest((one) => asked.by !== 'deploy' && isMeant(asked, one));
        }
        const known = [...backups.filter(isGood), ...there.map((one) => one.backup)];
        const best = exact ? there[0]?.backup : pick(asked, known);
        const found = there.find((one) => one.backup === best) ?? null;
        if (found !== null) {
            const { id, manifest } = found.backup;
            (0,connect/* warn */.R8)(run, `${reason.message}: ${id}, made on ${(0,neutralise/* quoteOutside */.Y)(manifest.host, 200)}, is taken from ${found.uri}`);
        }
        return found;
    }
    catch (error) {
        if (!(0,object_store/* isOfStore */.te)(error))
            throw error;
        if (backup === null) {
            // whoever watches the backups is told that there is none, whoever restores one what keeps him from the store
            const { code, hint } = asked.by === 'newest' || ('toProve' in asked && asked.toProve) ? reason : error;
            const message = `${reason.message}; and the store did not help: ${error.message}`;
            throw new errors/* BackupError */.hj(code, message, hint, { cause: error });
        }
        (0,connect/* warn */.R8)(run, `${reason.message}; whether the store has it is not known: ${error.message}`);
        return null;
    }
}
/**
 * The backup of that id in each place that has it; where none has, what has lost its manifest under that id: nothing counts on it, and who
 * names it means it. Throws E_NOT_FOUND.
 */
async function everywhere(run, id, places) {
    const [backups, orphans, all] = [[], [], []];
    for (const place of places) {
        const catalogue = await place.catalogue();
        all.push(...catalogue.backups);
        backups.push(...catalogue.backups.filter((unit) => unit.id === id).map((unit) => ({ place, unit })));
        orphans.push(...catalogue.orphans.filter((unit) => unit.id === id).map((unit) => ({ place, unit })));
    }
    if (backups.length > 0)
        return { backups, orphans: [] };
    if (orphans.length > 0)
        return { backups, orphans };
    throw notFound(run, id, all, places.map(({ uri }) => uri).join(' and '));
}
/** The backup that the input `backup` names, in this place. Throws E_NOT_FOUND. */
async function find_named(run, place) {
    const id = run.settings.backup ?? '';
    const { backups } = await place.catalogue();
    const found = backups.find((backup) => backup.id === id);
    if (found === undefined)
        throw notFound(run, id, backups, place.uri);
    return found;
}

;// CONCATENATED MODULE: ./src/commands/accept.ts







/** Says that a suspect backup is right: it is a good one from now on, and the history of sizes and rows begins anew with it. */
async function accept(run) {
    const { settings, log, report } = run;
    await change(run, async (host) => {
        const old = await host.whole(await find_named(run, host));
        report.backup = factsOf(run, old);
        if (old.state === 'ok') {
            (0,connect/* warn */.R8)(run, `${old.id} is not suspect: there is nothing to accept`);
            return {};
        }
        if (old.state !== 'suspect')
            throw notAcceptable(old);
        const manifest = {
            ...old.manifest,
            state: 'ok',
            accepted: { by: 'command: accept', at: run.now().toISOString() },
        };
        const rewrite = { ...old, manifest, ...standingOf(manifest) };
        report.backup = factsOf(run, rewrite);
        log.info(`${settings.dryRun ? 'would accept' : 'accepted'} ${old.id}: ${(0,neutralise/* quoteOutside */.Y)(old.detail ?? '', 500)}`);
        return { rewrite };
    });
}
function notAcceptable({ id, state, detail }) {
    return new errors/* BackupError */.hj('E_POLICY', `${id} is not suspect but ${state}: ${(0,neutralise/* quoteOutside */.Y)(detail ?? state, 300)}`, `To accept it would not make it a good one${state === 'unverified' ? '; `command: verify` may' : ''}.`);
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
// EXTERNAL MODULE: ./src/backups/packing.ts
var packing = __nccwpck_require__(88);
;// CONCATENATED MODULE: ./src/making/adopt.ts






/** Each is read in full. The others wait for the next run. */
const MOST = 50;
/** Why a backup that was adopted in this run stays, whatever the rules say. */
const ADOPTED_NOW = 'its manifest was lost, and it was adopted in this run';
/**
 * Gives the payloads that have lost their manifest a new one, where the checksum beside them agrees and they unpack, while the lock is held.
 * Returns which, with why they are kept in this run; the catalogue has them as backups then. With `dry-run` it tells of them only.
 */
async function adoptLost(run, host) {
    const adopted = new Map();
    const lost = host.listed.orphans.filter((orphan) => mayBeOf(run, orphan)).slice(0, MOST);
    if (run.settings.dryRun) {
        for (const { id } of lost)
            run.log.info(`would adopt ${id} when its bytes agree with the checksum beside it`);
        return adopted;
    }
    for (const orphan of lost) {
        const manifest = await proven(run, host, orphan);
        if (manifest === null)
            continue;
        await host.write(backupOf(orphan, manifest));
        adopted.set(orphan.id, ADOPTED_NOW);
        run.log.info(`adopted ${orphan.id}: its bytes are those of the checksum beside it`);
    }
    return adopted;
}
function mayBeOf({ settings }, { payload }) {
    const kind = (0,names/* parseFileName */.Px)(payload ?? '')?.kind;
    return kind !== undefined && (0,backups_format/* formatNamed */.vq)(settings.database.engine).kinds.includes(kind);
}
function backupOf({ id, createdAt, files }, manifest) {
    return { id, createdAt, manifest, state: 'ok', detail: null, files: [(0,names/* manifestFile */.YE)(id), ...files] };
}
/** The manifest of a backup of which there is nothing but its bytes; null when they do not prove what they are. */
async function proven(run, { connection, facts }, { id, createdAt, payload }) {
    const { settings, database, report } = run;
    const { name, kind, compression } = (0,names/* parseFileName */.Px)(payload ?? '') ?? {};
    if (payload === null || name === undefined || kind === undefined || compression === undefined)
        return null;
    const found = await connection.send(['job', 'prove_payload', [payload, (0,packing/* stagesOf */.ZL)({ compression })]]);
    const why = found.get('unproven');
    if (why !== null) {
        (0,connect/* warn */.R8)(run, `${id} was not adopted: ${(0,neutralise/* quoteOutside */.Y)(why, 300)}`);
        return null;
    }
    const identity = database.identity(facts);
    const at = run.now().toISOString();
    return {
        ...{ schema: 1, id, name, engine: settings.database.engine, kind, file: payload },
        createdAt: createdAt.toISOString().replace('.000Z', 'Z'),
        ...{ host: await (0,connect/* hostOf */.w4)(run, connection), database: settings.database.given, identity },
        ...{ bytes: found.number('proven_bytes'), sha256: found.need('proven_sha256') },
        databaseBytes: found.number('proven_plain_bytes'),
        ...{ compression, encryption: 'none', tools: {}, content: null },
        verified: { level: 'checksum', at },
        ...{ durationMs: 0, github: null, pinned: null },
        adopted: { at },
        ...((0,backups_format/* formatNamed */.vq)(settings.database.engine).logical ? { coverage: backups_coverage/* UNKNOWN_COVERAGE */.s9 } : {}),
        reason: 'manual',
        recovery: database.recovery({ file: payload, kind, compression, identity, content: null }, report.directory, settings),
        mac: null,
    };
}

;// CONCATENATED MODULE: ./src/backups/anomalies.ts
const RECENT = 7;
/** A change smaller than this never alarms: in a tiny database a few pages are already half of it. */
const SLACK_BYTES = 64 * 1024;
/**
 * Whether a database, or what its backup takes, has become suspiciously small or large against the recent good backups, newest first. A
 * SQLite file keeps its size when everything in it is deleted: that shows only in the backup.
 */
function checkSizes(made, recent, limits) {
    const alike = recent.filter(({ likeness }) => likeness === made.likeness);
    return (checkSize('the database', made.databaseBytes, of(recent, 'databaseBytes'), limits) ??
        checkSize('the backup', made.bytes, of(alike, 'bytes'), limits));
}
const of = (sizes, which) => sizes.map((one) => one[which]);
/**
 * Whether something has become suspiciously small or large against the median of what it was.
 *
 * @param recent of the recent good backups, newest first; at most 7 are used, without any nothing is said
 * @returns the limit, and a sentence with both sizes; null when all is well
 */
function checkSize(what, bytes, recent, limits) {
    const used = recent.slice(0, RECENT);
    if (used.length === 0)
        return null;
    const middle = median(used);
    if (Math.abs(bytes - middle) <= SLACK_BYTES)
        return null;
    const against = `${show(middle)}, the median of the ${used.length === 1 ? 'last backup' : `last ${used.length} backups`}`;
    if (limits.shrink !== null && bytes < middle * limits.shrink) {
        const why = `${what} has ${show(bytes)}, less than ${percent(limits.shrink)} of ${against}`;
        return { limit: 'shrink-limit', why };
    }
    if (limits.growth !== null && bytes > middle * (1 + limits.growth)) {
        const why = `${what} has ${show(bytes)}, more than ${percent(limits.growth)} above ${against}`;
        return { limit: 'growth-limit', why };
    }
    if (typeof limits.growthBytes === 'number' && bytes > middle + limits.growthBytes) {
        const why = `${what} has ${show(bytes)}, more than ${show(limits.growthBytes)} above ${against}`;
        return { limit: 'growth-limit', why };
    }
    return null;
}
function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
    return (upper + lower) / 2;
}
function percent(share) {
    return `${Math.round(share * 1000) / 10} %`;
}
function show(bytes) {
    const units = ['KiB', 'MiB', 'GiB', 'TiB'];
    let value = bytes / 1024;
    while (value >= 1024 && units.length > 1) {
        value /= 1024;
        units.shift();
    }
    return `${value.toFixed(1)} ${units[0]}`;
}

;// CONCATENATED MODULE: ./src/backups/rows.ts
/** Fewer rows are lost in the ordinary course of things. */
const ENOUGH_ROWS = 20;
/** What has changed between two backups: tables that went first, then by rows lost; what was not counted in one of them is not compared. */
function compareTables(before, after) {
    const was = new Map(before.map(({ name, rows }) => [name, rows]));
    const is = new Map(after.map(({ name, rows }) => [name, rows]));
    const changes = [];
    for (const [name, rows] of was) {
        const now = is.get(name);
        if (now === undefined)
            changes.push({ name, change: 'gone', before: rows, after: null });
        else if (rows !== null && now !== null && now !== rows) {
            changes.push({ name, change: now < rows ? 'fewer' : 'more', before: rows, after: now });
        }
    }
    for (const [name, rows] of is) {
        if (!was.has(name))
            changes.push({ name, change: 'new', before: null, after: rows });
    }
    return changes.sort((a, b) => ORDER[a.change] - ORDER[b.change] || lost(b) - lost(a) || (a.name < b.name ? -1 : 1));
}
const ORDER = { gone: 0, fewer: 1, more: 2, new: 3 };
const lost = ({ before, after }) => (before ?? 0) - (after ?? 0);
/** The tables of these that vanished with their rows, or lost more than this share of them (0.5 is half). */
function rowLosses(changes, limit) {
    return changes.filter(({ change, before, after }) => before !== null &&
        before >= ENOUGH_ROWS &&
        (change === 'gone' || (change === 'fewer' && (after ?? 0) < before * (1 - limit))));
}

;// CONCATENATED MODULE: ./src/making/row-loss.ts







const REASON = 'before a loss of rows';
/** Of the pins that are set here; what a person has pinned is not counted. */
const PINS_KEPT = 3;
const NAMED = 5;
/**
 * Puts into the report what has changed since the newest good backup that covers the same and was counted, and returns what was lost beyond
 * `row-loss-limit`; null when nothing was, or there is nothing to compare with. `host`: whose backups are known; null for those of a
 * store.
 */
async function lookForLosses({ settings, report }, made, known, host) {
    const covers = (0,backups_coverage/* showCoverage */.UQ)(made.coverage ?? null);
    const listed = historyOf(known).find(({ manifest }) => manifest.content !== null && (0,backups_coverage/* showCoverage */.UQ)(manifest.coverage ?? null) === covers);
    if (listed === undefined || made.content === null)
        return null;
    // of an old one in the store not all has been read
    if (host === null && listed.manifest.shortened !== undefined)
        return null;
    const since = host === null ? listed : await host.whole(listed);
    const [before, after] = [since.manifest.content, made.content];
    if (before === null)
        return null;
    // what one of the manifests had no room for is neither gone nor new
    const tables = compareTables(before.tables, after.tables).filter(({ change }) => (change !== 'gone' || (after.tablesLeftOut ?? 0) === 0) &&
        (change !== 'new' || (before.tablesLeftOut ?? 0) === 0));
    report.changes = { since: since.id, tables };
    const losses = settings.rowLossLimit === null ? [] : rowLosses(tables, settings.rowLossLimit);
    return losses.length === 0 ? null : { since, losses };
}
/** With `on-row-loss: fail`. */
function suspicionOf({ settings }, loss) {
    if (loss === null || settings.onRowLoss !== 'fail')
        return null;
    return { limit: 'row-loss-limit', why: describeLoss(loss) };
}
/**
 * With `on-row-loss: pin`: names the tables, and pins the backup that still has the rows, while the lock is held; the newest three of these
 * pins are kept. In a store nothing can be pinned.
 */
async function pinBefore(run, host, loss) {
    const { id } = loss.since;
    const here = host.listed.backups.find((backup) => backup.id === id);
    const fate = here
        ? `${id} is pinned, so no rotation deletes it`
        : `${id} is in the store alone, where nothing is pinned`;
    (0,connect/* warn */.R8)(run, `${describeLoss(loss)}. ${fate}; \`row-loss-limit\`, \`on-row-loss\``);
    if (here === undefined)
        return;
    const rewrite = async (old, pinned) => {
        const { manifest } = await host.whole(old);
        await host.write({ ...old, manifest: { ...manifest, pinned } });
    };
    if (here.manifest.pinned === null)
        await rewrite(here, { reason: REASON, at: run.now().toISOString(), by: 'row-loss' });
    const ours = host.listed.backups.filter(({ manifest }) => manifest.pinned?.by === 'row-loss').sort(backups_retention/* newestFirst */.ll);
    for (const old of ours.slice(PINS_KEPT)) {
        await rewrite(old, null);
        run.log.info(`unpinned ${old.id}: ${(0,format/* counted */.hS)(PINS_KEPT, 'newer one')} before a loss of rows are pinned`);
    }
}
function describeLoss({ since, losses }) {
    const named = losses.slice(0, NAMED).map(({ name, change, before, after }) => {
        const table = (0,neutralise/* quoteOutside */.Y)(JSON.stringify(name), 100);
        return change === 'gone'
            ? `the table ${table} with ${(0,format/* counted */.hS)(before ?? 0, 'row')} is gone`
            : `the table ${table} has ${(0,format/* counted */.hS)(after ?? 0, 'row')}, it had ${(0,format/* counted */.hS)(before ?? 0, 'row')}`;
    });
    const more = losses.length > NAMED ? [`and ${(0,format/* counted */.hS)(losses.length - NAMED, 'more table')}`] : [];
    return `rows were lost since ${since.id}: ${[...named, ...more].join('; ')}`;
}

;// CONCATENATED MODULE: ./src/making/alarm.ts









/** Whether the new backup is a good one, and whether the history of sizes and rows begins anew with it. `known`: what there is; `ofRows`: what the rows tell. */
function standingOfNew({ settings, now }, made, known, ofRows) {
    const { shrinkLimit: shrink, growthLimit: growth, growthLimitBytes: growthBytes } = settings;
    const sizes = historyOf(known).map(({ manifest }) => sizesOf(manifest));
    const suspicion = checkSizes(sizesOf(made), sizes, { shrink, growth, growthBytes }) ?? ofRows;
    const by = suspicion === null ? acceptedBy(switchedOff(settings), known) : null;
    const since = historySince(historyOf(known));
    const accepts = acceptedIn(known);
    return {
        ...(suspicion === null ? {} : { state: 'suspect', suspicion }),
        ...(by === null ? {} : { accepted: { by: `${by}: none`, at: now().toISOString() } }),
        ...(since === null ? {} : { historySince: since.toISOString() }),
        ...(accepts.length === 0 ? {} : { accepts }),
    };
}
/**
 * The limit that somebody has switched off to say that a change is right. That growth is not limited is the default, and says so only
 * while an alarm about it stands.
 */
function acceptedBy(off, known) {
    if (off['shrink-limit'])
        return 'shrink-limit';
    const tripped = alarmsIn(known).flatMap(({ manifest }) => manifest.suspicion?.limit ?? []);
    return tripped.find((limit) => off[limit]) ?? null;
}
/** Whether a standing alarm is answered by this run: then the history begins anew, of rows as well as of sizes. */
function answersAlarm({ settings }, known) {
    const off = switchedOff(settings);
    const tripped = alarmsIn(known).map(({ manifest }) => manifest.suspicion?.limit);
    return tripped.length > 0 && tripped.every((limit) => limit !== undefined && off[limit]);
}
function switchedOff({ shrinkLimit, growthLimit, growthLimitBytes, rowLossLimit }) {
    return {
        'shrink-limit': shrinkLimit === null,
        'growth-limit': growthLimit === null && growthLimitBytes === null,
        'row-loss-limit': rowLossLimit === null,
    };
}
function sizesOf({ databaseBytes, bytes, kind, compression, coverage }) {
    return { databaseBytes, bytes, likeness: JSON.stringify([kind, compression, (0,backups_coverage/* showCoverage */.UQ)(coverage ?? null)]) };
}
/**
 * The manifest as the backups in the store have it: they may tell of sizes that a host which has lost its directory does not know. What
 * keeps the store from being listed is told where its copies are rotated.
 */
async function standingInStore(run, host, store, manifest) {
    if (store.rules === null)
        return manifest;
    const others = (await store.history()).filter(({ id }) => id !== manifest.id);
    const isAsked = run.report.changes === undefined && !answersAlarm(run, others);
    const loss = isAsked ? await lookForLosses(run, manifest, others, null) : null;
    const { suspicion, ...standing } = standingOfNew(run, manifest, others, suspicionOf(run, loss));
    if (!suspicion && loss !== null)
        await pinBefore(run, host, loss);
    if (!suspicion)
        return manifest;
    const why = `${suspicion.why} (by the backups in ${store.uri})`;
    return { ...manifest, ...standing, suspicion: { ...suspicion, why } };
}
/** What a backup that is suspect ends the run with. */
function alarm({ id }, { limit, why }) {
    return new errors/* BackupError */.hj('E_SHRUNK', why, `It is marked as suspect, and counts for nothing until somebody says that the change is right. If it is right: \`command: accept\` with \`backup: ${id}\`, or \`${limit}: none\` for one run. If not, restore the newest good one.`);
}
/** Tells of suspect backups that are newer than the good one that is taken, or than every one. */
function warnOfAlarms(run, backups) {
    const alarms = alarmsIn(backups);
    const [newest] = alarms;
    if (newest === undefined)
        return;
    const what = alarms.length === 1 ? newest.id : `${(0,format/* counted */.hS)(alarms.length, 'backup')}, the newest ${newest.id},`;
    (0,connect/* warn */.R8)(run, `${what} ${alarms.length === 1 ? 'is' : 'are'} newer and suspect (${(0,neutralise/* quoteOutside */.Y)(newest.detail ?? '', 300)}): not counted until \`command: accept\` says that it is right`);
}
/** Of one that was asked for by its name. */
function warnOfSuspicion(run, { id, state, detail }) {
    if (state === 'suspect')
        (0,connect/* warn */.R8)(run, `${id} is suspect: ${(0,neutralise/* quoteOutside */.Y)(detail ?? '', 300)}`);
}

;// CONCATENATED MODULE: ./src/making/new-manifest.ts









/**
 * The manifest of the backup that the host has just made and proven; `damaged`: of a copy of the files of a database that is damaged.
 * Throws E_INTERNAL when the host left something out.
 */
function manifestOf(run, { id, createdAt, started }, facts, hello, damaged = false) {
    const { settings, database, report } = run;
    const { compression } = (0,packing/* packingBy */.Bo)(facts.need('compressor'));
    const kind = (damaged ? (0,backups_format/* formatNamed */.vq)(settings.database.engine).damaged?.kind : null) ?? database.kind;
    const file = (0,names/* payloadFile */.Fp)(id, kind, compression);
    const engine = damaged
        ? { databaseBytes: facts.number('plain_bytes'), tools: {}, content: null }
        : database.describe(facts);
    const identity = database.identity(facts);
    const sha256 = facts.need('sha256');
    const coverage = (0,backups_coverage/* coverageOf */._5)(settings.dump);
    if (!/^[0-9a-f]{64}$/.test(sha256))
        throw new errors/* BackupError */.hj('E_INTERNAL', 'the host did not report a SHA-256');
    const now = run.now();
    const manifest = (0,manifest_size/* withinLimit */.zl)({
        schema: 1,
        id,
        name: settings.name,
        engine: settings.database.engine,
        kind,
        file,
        createdAt: createdAt.toISOString().replace('.000Z', 'Z'),
        host: hello.get('hostname') ?? report.host,
        database: settings.database.given,
        identity,
        bytes: facts.number('bytes'),
        sha256,
        databaseBytes: engine.databaseBytes,
        compression,
        encryption: 'none',
        tools: engine.tools,
        content: engine.content,
        verified: { level: damaged ? 'none' : settings.verify, at: now.toISOString() },
        durationMs: now.getTime() - started.getTime(),
        github: run.github,
        pinned: settings.pin === null ? null : { reason: settings.pin, at: now.toISOString() },
        ...(coverage === null ? {} : { coverage }),
        reason: reasonOf(run),
        recovery: damaged
            ? []
            : database.recovery({ file, kind, compression, identity, content: engine.content }, report.directory, settings),
        mac: null,
    });
    tellLeftOut(run, manifest);
    return manifest;
}
/** The backup of that manifest, whole and just made. */
function new_manifest_backupOf(manifest) {
    const { id, file, verified } = manifest;
    const standing = verified.level === 'none' ? { state: 'unverified', detail: 'not verified' } : standingOf(manifest);
    const files = [(0,names/* manifestFile */.YE)(id), file, (0,names/* checksumFile */.uu)(file)];
    return { id, createdAt: new Date(manifest.createdAt), manifest, ...standing, files };
}
function tellLeftOut(run, { content }) {
    const left = content?.tablesLeftOut ?? 0;
    if (content === null || left === 0)
        return;
    (0,connect/* note */.N4)(run, `the manifest has no room for all ${(0,format/* formatCount */.B4)(content.tables.length + left)} tables: it lists the largest ${(0,format/* formatCount */.B4)(content.tables.length)}. All are in the backup, and a later proof or restore compares the rows of those that are listed`);
}
function reasonOf(run) {
    if (run.github === null || run.github.event === 'workflow_dispatch')
        return 'manual';
    return run.github.event === 'schedule' ? 'scheduled' : 'deploy';
}

;// CONCATENATED MODULE: ./src/places/adopt-copies.ts



/** Why a copy that was adopted in this run stays, whatever the rules say. */
const adopt_copies_ADOPTED_NOW = 'its manifest was lost, and was put back in this run';
/**
 * Gives the copies that have lost their manifest the one that the host has, where the store says that they are those bytes. Returns which,
 * with why they are kept in this run. Credentials that may not add anything leave them as they are.
 */
async function adoptCopies(run, copies, host) {
    const adopted = new Map();
    if (copies.rules === null)
        return adopted;
    for (const orphan of (await copies.catalogue()).orphans) {
        const own = host.listed.backups.find(({ id, state }) => id === orphan.id && ['ok', 'suspect'].includes(state));
        if (own === undefined || orphan.files.join() !== own.manifest.file)
            continue;
        if (run.settings.dryRun)
            run.log.info(`would put the manifest of ${own.id} back into ${copies.uri}`);
        else if (await putBack(run, copies, await host.whole(own)))
            adopted.set(own.id, adopt_copies_ADOPTED_NOW);
    }
    return adopted;
}
async function putBack(run, copies, backup) {
    const { id, manifest } = backup;
    const { uri } = copies;
    const stored = await copies.stored(manifest.file);
    if (stored?.bytes !== manifest.bytes || stored.sha256 !== manifest.sha256) {
        (0,connect/* warn */.R8)(run, `${id} in ${uri} has no manifest, and other bytes than the one on the host: it is kept as it is`);
        return false;
    }
    try {
        await copies.write({ ...backup, files: [(0,names/* manifestFile */.YE)(id), manifest.file] });
    }
    catch (error) {
        if (!(error instanceof errors/* BackupError */.hj) || error.code !== 'E_S3_AUTH')
            throw error;
        (0,connect/* warn */.R8)(run, `the manifest of ${id} could not be put back into ${uri}: ${error.message}`);
        return false;
    }
    run.log.info(`the manifest of ${id} was put back into ${uri}`);
    return true;
}

// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __nccwpck_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __nccwpck_require__(6760);
// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __nccwpck_require__(1455);
// EXTERNAL MODULE: ./src/host/program.ts
var program = __nccwpck_require__(630);
;// CONCATENATED MODULE: ./src/host/second-session.ts

/**
 * A session beside that of the program, for bytes of a backup. `otherwise` is what to do where the host allows one only. Throws E_SHELL.
 */
async function openSecond(host, otherwise) {
    try {
        return await host.openShell();
    }
    catch (error) {
        if (!(error instanceof errors/* BackupError */.hj) || error.code !== 'E_SHELL')
            throw error;
        throw new errors/* BackupError */.hj('E_SHELL', `the bytes of the backup need a second session of the connection, and ${error.message}`, `In sshd_config of the host allow two sessions for a connection (\`MaxSessions 2\` or more), or ${otherwise}`);
    }
}

;// CONCATENATED MODULE: ./src/host/download.ts






const MAX_NOISE = 64 << 10;
const MAX_SAID = 2_000;
/** As `pull`, into a new file here. Throws E_NOSPACE besides; what was written stays for the caller to remove. */
async function download(host, wanted, to, options) {
    const target = await (0,promises_.open)(to, 'wx', 0o600);
    try {
        for await (const payload of pull(host, wanted, options)) {
            for (let from = 0; from < payload.length;)
                from += (await target.write(payload, from)).bytesWritten;
        }
        await target.sync();
    }
    catch (error) {
        const { code } = error;
        if (code !== 'ENOSPC' && code !== 'EDQUOT')
            throw error;
        throw new errors/* BackupError */.hj('E_NOSPACE', `the disk of the runner is full: ${(0,counting/* plural */.L)(wanted.bytes, 'byte')} do not fit beside ${to}`);
    }
    finally {
        await target.close();
    }
}
/**
 * The bytes of a file of the backup directory, through a second shell of the same connection, as fast as they are taken. It comes to
 * its end only when they are those that were wanted, by size and SHA-256. Throws E_CHECKSUM when they are not, E_REMOTE_LOST,
 * E_TIMEOUT, E_SHELL.
 */
async function* pull(host, wanted, options) {
    const shell = await openSecond(host, 'use `verify-on: host`.');
    const output = shell.output?.();
    if (output === undefined)
        throw new errors/* BackupError */.hj('E_INTERNAL', 'there is nothing to pull from this machine');
    const stop = (why) => void output.destroy(why);
    const giveUp = () => stop(options.signal.reason);
    options.signal.addEventListener('abort', giveUp);
    try {
        options.signal.throwIfAborted();
        yield* receive(host, shell, output, wanted, stop, options);
    }
    finally {
        options.signal.removeEventListener('abort', giveUp);
        output.on('error', () => { }); // nobody reads it any more
        output.destroy(); // ends what still sends
    }
}
async function* receive(host, shell, output, wanted, stop, { idleTimeoutMs, onProgress }) {
    const mark = `@${(0,external_node_crypto_.randomBytes)(16).toString('hex')}`;
    let said = '';
    shell.onStderr((chunk) => {
        said = (said + chunk.toString('utf8')).slice(0, MAX_SAID);
    });
    const incoming = new Incoming(mark, wanted);
    const tooLong = () => {
        const seconds = Math.round(idleTimeoutMs / 1000);
        stop(new errors/* BackupError */.hj('E_TIMEOUT', `no byte of ${wanted.file} came from ${host.label} for ${seconds} s (idle-timeout)`));
    };
    let idle = setTimeout(tooLong, idleTimeoutMs);
    const of = () => `${incoming.bytes} of ${(0,counting/* plural */.L)(wanted.bytes, 'byte')}`;
    void shell.closed.then(({ lost }) => {
        if (lost !== null)
            stop(gone(`the connection to ${host.label} was lost after ${of()} of ${wanted.file}: ${lost}`));
    });
    shell.write((0,program/* downloadProgram */.LS)(mark, wanted.directory, wanted.file));
    shell.end();
    try {
        for await (const chunk of output) {
            clearTimeout(idle); // as long as it is on us
            yield* incoming.take(chunk);
            onProgress(incoming.bytes);
            idle = setTimeout(tooLong, idleTimeoutMs);
        }
    }
    finally {
        clearTimeout(idle);
    }
    if (incoming.isWhole())
        return incoming.check(said);
    throw gone(`what sent ${wanted.file} on ${host.label} ended after ${of()}${said === '' ? '' : `; it said: ${JSON.stringify(said)}`}`);
}
const gone = (message) => new errors/* BackupError */.hj('E_REMOTE_LOST', message, 'What had come was removed from the runner. Run again.');
/** Takes what `send_file` of host/programs/download.sh prints apart. The host is not trusted: no more than was asked for is taken. */
class Incoming {
    mark;
    wanted;
    /** Of the file, so far. */
    bytes = 0;
    hash = (0,external_node_crypto_.createHash)('sha256');
    /** Before the first line of ours. */
    noise = Buffer.alloc(0);
    /** The last bytes that came: they may be the line that ends it all. */
    tail = Buffer.alloc(0);
    tailBytes;
    constructor(mark, wanted) {
        this.mark = mark;
        this.wanted = wanted;
        this.tailBytes = `\n${mark} end 000\n`.length;
    }
    /** The bytes of the file in this chunk. Throws E_CHECKSUM when they are another file's, E_SHELL when none come. */
    take(chunk) {
        const rest = this.noise === null ? chunk : this.begin(Buffer.concat([this.noise, chunk]));
        if (rest === null)
            return [];
        const payload = this.holdBack(rest);
        const { file, bytes } = this.wanted;
        for (const piece of payload) {
            this.bytes += piece.length;
            this.hash.update(piece);
        }
        if (this.bytes > bytes) {
            throw download_damaged(`more than the ${(0,counting/* plural */.L)(bytes, 'byte')} that the manifest says came of ${file}`);
        }
        return payload;
    }
    /** What is not the tail any more, hardly copied. */
    holdBack(rest) {
        const all = rest.length < this.tailBytes ? [Buffer.concat([this.tail, rest])] : [this.tail, rest];
        const last = all.pop() ?? rest;
        const split = Math.max(0, last.length - this.tailBytes);
        this.tail = Buffer.from(last.subarray(split));
        return [...all, last.subarray(0, split)].filter((piece) => piece.length > 0);
    }
    /** It came to its end, on the word of the shell there. */
    isWhole() {
        return this.status() !== null;
    }
    /** Throws E_CHECKSUM when what came is not what the manifest says, E_REMOTE_LOST when the sender was killed. */
    check(said) {
        const { file, bytes, sha256 } = this.wanted;
        const status = this.status() ?? 1;
        if (status > 128) {
            throw new errors/* BackupError */.hj('E_REMOTE_LOST', `what sent ${file} was killed by signal ${status - 128} after ${this.bytes} of ${(0,counting/* plural */.L)(bytes, 'byte')}`);
        }
        if (status !== 0)
            throw download_damaged(`${file} could not be read to its end: ${JSON.stringify(said)}`);
        if (this.bytes !== bytes)
            throw download_damaged(`${(0,counting/* plural */.L)(this.bytes, 'byte')} came of ${file}, the manifest says ${bytes}`);
        const digest = this.hash.digest('hex');
        if (digest !== sha256)
            throw download_damaged(`the SHA-256 of ${file} as it came to the runner is ${digest}, the manifest says ${sha256}`);
    }
    status() {
        const [, status] = new RegExp(`^\\n${this.mark} end (\\d{3})\\n$`).exec(this.tail.toString('latin1')) ?? [];
        return status === undefined ? null : Number(status);
    }
    /** What follows the first line of ours, or null while it has not come. */
    begin(text) {
        this.noise = text;
        const at = text.indexOf(`\n${this.mark} `);
        const end = at < 0 ? -1 : text.indexOf(10, at + 1);
        if (end < 0) {
            if (text.length > MAX_NOISE) {
                throw new errors/* BackupError */.hj('E_SHELL', `the login scripts of the host print more than ${MAX_NOISE} bytes into a session without a terminal`);
            }
            return null;
        }
        const { file, bytes } = this.wanted;
        const line = text.subarray(at + this.mark.length + 2, end).toString('latin1');
        if (line === 'missing')
            throw download_damaged(`${file} is not there, or is no regular file`);
        if (line !== `size ${bytes}`)
            throw download_damaged(`${file} has ${JSON.stringify(line.replace(/^size /, ''))} bytes, the manifest says ${bytes}`);
        this.noise = null;
        return text.subarray(end + 1);
    }
}
const download_damaged = (message) => new errors/* BackupError */.hj('E_CHECKSUM', message, 'Do not rely on this backup: take a new one, and look at the disk of the host and at who can write that directory. It counts as not verified from now on, so no rotation relies on it.');

// EXTERNAL MODULE: ./src/reporting/progress.ts
var reporting_progress = __nccwpck_require__(2007);
;// CONCATENATED MODULE: ./src/run/stage.ts


/** A stage in which so many bytes go through this process or past it: its progress in the log, at its end time and rate, also in the report. */
function beginStage({ log, report }, name, bytes) {
    const started = performance.now();
    const progress = new reporting_progress/* Progress */.k(log, name, bytes);
    return {
        update: (done) => void progress.update(done),
        /** `more`: what else the line in the log says. */
        end: (more = '') => {
            const ms = Math.round(performance.now() - started);
            report.stages.push({ name, ms, bytes });
            log.info(`${name}: ${(0,format/* formatBytes */.z3)(bytes)} in ${(0,format/* formatDuration */.a3)(ms)} (${(0,format/* formatRate */.CE)(bytes, ms)})${more}`);
        },
    };
}

// EXTERNAL MODULE: ./src/places/unfinished-upload.ts
var unfinished_upload = __nccwpck_require__(6865);
// EXTERNAL MODULE: ./src/host/install-line.ts
var install_line = __nccwpck_require__(2752);
;// CONCATENATED MODULE: ./src/places/way.ts


const WORDS = {
    upload: {
        itself: 'the host uploads by itself',
        can: 'the upload goes through the runner, since the host can not do it',
    },
    fetch: { itself: 'the host fetches by itself', can: 'it comes through the runner, since the host can not fetch it' },
};
/**
 * By `s3-upload-via`, whether the bytes go between host and store without the runner: what `ask` found out of the host then, else null. Throws
 * E_TOOL_MISSING, E_S3_UNAVAILABLE when there is no other way.
 */
async function chooseWay({ settings, log }, { hello }, what, ask) {
    const via = settings.s3?.uploadVia ?? 'auto';
    if (via === 'runner')
        return null;
    if (via === 'auto' && settings.transport.transport === 'local') {
        log.info(`the ${what} goes through the runner, which is the host itself (transport: local)`);
        return null;
    }
    const found = await ask();
    if (!('why' in found)) {
        log.info(`${WORDS[what].itself} (s3-upload-via)`);
        return found;
    }
    if (via === 'auto') {
        log.info(`${WORDS[what].can}: ${found.why}`);
        return null;
    }
    const { why, lacking } = found;
    const todo = lacking === null
        ? 'Let it out to the store (firewall, proxy, name service).'
        : `On the host: ${(0,install_line/* installLine */.c)(lacking, (await hello).get('system') ?? '')}.`;
    throw new errors/* BackupError */.hj(lacking === null ? 'E_S3_UNAVAILABLE' : 'E_TOOL_MISSING', `the host is to ${what} by itself (s3-upload-via: host), and ${why}`, `${todo} Or use \`s3-upload-via: auto\`, which then goes through the runner.`);
}

;// CONCATENATED MODULE: ./src/places/copy.ts












/**
 * Copies a published backup to the store: the payload, which is read back, then the manifest, so that a manifest is never there without its
 * payload. `judge`: what the manifest of the copy is to say, once the payload is there; it is never written again. What is there already is
 * not sent again. Throws E_S3_*, or what became of the host; the upload that was begun is then given up, and the backup on the host is as it
 * was.
 */
async function copyTo(run, connection, place, manifest, judge) {
    await run.log.group(`Copy off-site to ${place.uri}`, async () => new Copying(run, connection, manifest, await place.open()).copy(judge));
    if (run.report.backup !== null)
        run.report.backup.places = ['host', 's3'];
}
/** What reading back says of an object that is not as it should be; other failures say nothing of it. */
const REJECTED = ['E_S3_VERIFY', 'E_S3_UNSUPPORTED'];
class Copying {
    run;
    connection;
    manifest;
    store;
    key;
    uri;
    constructor(run, connection, manifest, store) {
        this.run = run;
        this.connection = connection;
        this.manifest = manifest;
        this.store = store;
        this.key = store.keyOf(manifest.name, manifest.file);
        this.uri = store.uriOf(this.key);
    }
    async copy(judge) {
        const { run, store, manifest, key, uri } = this;
        // by its answer it is also known whether store, bucket and credentials are right, which that to HEAD does not say
        const there = await store.list(store.keyOf(manifest.name, `${manifest.id}.`));
        const has = (wanted) => there.some((object) => object.key === wanted);
        let via = 'none';
        let stored;
        if (has(key)) {
            stored = await store.readBack(key, manifest);
            run.log.info(`${uri} is there already, with the same size and SHA-256`);
        }
        else
            [stored, via] = await this.uploadPayload();
        // it may have been pinned since
        const beside = store.keyOf(manifest.name, (0,names/* manifestFile */.YE)(manifest.id));
        if (!has(beside))
            await store.put(beside, (0,backups_manifest/* serializeManifest */.MZ)(await judge()));
        const { lock, versionId } = stored;
        run.report.offsite = { uri, versionId, via, lockedUntil: lock?.until.toISOString() ?? null };
        run.log.info(`${uri}: ${(0,format/* formatBytes */.z3)(stored.bytes)}, SHA-256 ${manifest.sha256}, read back`);
    }
    async uploadPayload() {
        const { run, store, manifest, key, uri } = this;
        const { bytes, sha256 } = manifest;
        const stage = beginStage(run, 'upload', bytes);
        const sender = await this.askHost();
        const state = { unfinished: null, isWhole: false };
        const note = (upload) => {
            state.unfinished = upload;
            run.noteUpload(upload);
        };
        const sending = {
            ...{ bytes, sha256, onBegun: note },
            onSent: stage.update,
            onWhole: () => {
                note(null);
                state.isWhole = true;
                stage.end();
            },
        };
        try {
            return [await store.upload(key, sending, sender ?? this.source()), sender === null ? 'runner' : 'host'];
        }
        catch (error) {
            if (state.unfinished !== null)
                await (0,unfinished_upload/* giveUp */.H)(run, store, state.unfinished);
            else if (state.isWhole && REJECTED.includes((0,errors/* describe */.q0)(error).code)) {
                (0,connect/* warn */.R8)(run, `${uri} is in the store and was rejected: without a manifest it is no backup; delete it there`);
            }
            throw error;
        }
    }
    /** The host when it is to upload by itself, else null. */
    askHost() {
        const { run, connection, store, key, manifest } = this;
        return chooseWay(run, connection, 'upload', () => store.lending.prepare(key, manifest, connection));
    }
    /** The bytes of the payload, as they come through the runner; it comes to its end only when they are all there, and are those of the manifest. */
    async *source() {
        const { run, manifest, connection } = this;
        const { directory } = run.report;
        const { file, bytes, sha256 } = manifest;
        const { signal, settings } = run;
        try {
            yield* settings.transport.transport === 'local'
                ? checked((0,external_node_path_.join)(directory, file), bytes, sha256)
                : pull(connection.host, { directory, file, bytes, sha256 }, { signal, idleTimeoutMs: settings.idleTimeoutMs, onProgress: () => { } });
        }
        catch (error) {
            if (!(error instanceof errors/* BackupError */.hj) || signal.aborted)
                throw error;
            const hint = error.code === 'E_SHELL'
                ? 'In sshd_config of the host allow two sessions for a connection (`MaxSessions 2` or more), or use `s3-upload-via: host`.'
                : error.code === 'E_CHECKSUM'
                    ? 'Look at the disk of the host, and at who can write that directory.'
                    : 'Run again.';
            throw new errors/* BackupError */.hj(error.code, `while the backup was copied off-site: ${error.message}`, hint, {
                cause: error,
            });
        }
    }
}
/** A file of this machine, compared on the way as `pull` does. Throws E_CHECKSUM. */
async function* checked(path, bytes, sha256) {
    const hash = (0,external_node_crypto_.createHash)('sha256');
    let read = 0;
    for await (const chunk of (0,external_node_fs_.createReadStream)(path, { highWaterMark: 1 << 20 })) {
        hash.update(chunk);
        read += chunk.length;
        yield chunk;
    }
    if (read === bytes && hash.digest('hex') === sha256)
        return;
    throw new errors/* BackupError */.hj('E_CHECKSUM', `${path} holds other bytes than those that were backed up`);
}

;// CONCATENATED MODULE: ./src/making/publication.ts











/**
 * Gives the new backup, which is proven, its name, copies it off-site, and rotates both places. `adopted`: backups that were adopted in this
 * run, with why they stay. Throws what keeps the run from being good although the new backup is there: E_SHRUNK, E_POLICY, E_ROTATE, E_S3_*.
 */
async function publish(run, host, store, made, adopted) {
    const publication = new Publication(run, host, made, adopted);
    await (store === null ? publication.atOnce() : publication.andCopied(store));
}
class Publication {
    run;
    host;
    made;
    adopted;
    constructor(run, host, made, adopted) {
        this.run = run;
        this.host = host;
        this.made = made;
        this.adopted = adopted;
    }
    /** Published and rotated in one request. */
    async atOnce() {
        const { run } = this;
        const { rotation, objection } = await this.plan();
        await run.log.group('Publish and rotate', async () => {
            tellRotation(run, rotation, refusalOf(rotation) !== null);
            run.report.ok = objection === null;
            this.checkRotation(await this.give(rotation.remove), objection);
        });
        if (objection !== null)
            throw objection;
    }
    /** The older ones are deleted only when the new one is off-site as well. */
    async andCopied(store) {
        const { run, host } = this;
        await run.log.group('Publish', () => this.give(null));
        await copyTo(run, host.connection, store, this.made.manifest, () => this.judgedByCopies(store)).catch(async (error) => {
            // it would not have been rotated either
            const { objection } = await this.plan();
            if (objection !== null)
                (0,connect/* warn */.R8)(run, objection.message);
            throw error;
        });
        const { rotation, objection } = await this.plan();
        await run.log.group('Rotate', async () => {
            tellRotation(run, rotation, refusalOf(rotation) !== null);
            this.setLeft(rotation.remove);
            this.checkRotation(await host.remove(rotation.remove), objection);
        });
        if (objection !== null && this.made.state !== 'suspect')
            throw objection;
        await run.log
            .group('Rotate the copies', () => this.rotateCopies(store))
            .catch((error) => {
            if (objection === null)
                throw error;
            (0,connect/* warn */.R8)(run, (0,errors/* describe */.q0)(error).message); // that the new backup is suspect is more to be told
        });
        if (objection !== null)
            throw objection;
        run.report.ok = true;
        await host.tellStatus();
    }
    /** What is to become of the older ones on the host, and what the run ends with although the new one is there. */
    async plan() {
        const { run, host, made, adopted } = this;
        const [candidate = null] = toCandidates([made]);
        const rotation = await planRotation(run, host, { made: candidate, kept: adopted });
        const suspicion = made.state === 'suspect' ? (made.manifest.suspicion ?? null) : null;
        if (suspicion !== null)
            return { rotation, objection: alarm(made.manifest, suspicion) };
        return { rotation, objection: objectionTo(rotation) };
    }
    /** Publishes it, and with `remove` deletes these in the same request. */
    async give(remove) {
        const { run, host, made } = this;
        const { file, bytes, sha256 } = made.manifest;
        showMade(run, made);
        const before = run.left;
        run.left = 'backup-unknown';
        const removal = await host.publish(made, remove).catch((error) => {
            if (host.connection.said('published').length > 0) {
                (0,connect/* warn */.R8)(run, `${made.id} was published before the run ended; it is complete and proven, and stays`);
                this.setLeft(remove ?? []);
            }
            else {
                // what the program itself has refused was not published
                if (errors/* ERRORS */.Sr[(0,errors/* describe */.q0)(error).code].class !== 'run')
                    run.left = before;
                run.report.backup = null;
                run.report.recovery = [];
            }
            throw error;
        });
        this.setLeft(remove ?? []);
        run.log.info(`${host.uri}/${file}: ${(0,format/* formatBytes */.z3)(bytes)}, SHA-256 ${sha256}`);
        return removal;
    }
    /** It is published; `removing`: what is deleted then, or was. */
    setLeft(removing) {
        const { run, made } = this;
        if (made.state === 'suspect')
            run.left = 'backup-suspect';
        else if (removing.length > 0)
            run.left = 'backup-rotating';
        else if (run.left !== 'backup-rotating')
            run.left = 'backup-stays';
    }
    /** The sizes in the store tell what a host that has lost its directory does not know: by them the new backup may still become suspect. */
    async judgedByCopies(store) {
        const { run, host } = this;
        const { manifest } = this.made;
        if (manifest.state === 'suspect')
            return manifest;
        const judged = await standingInStore(run, host, store, manifest);
        if (judged === manifest)
            return manifest;
        this.made = new_manifest_backupOf(judged);
        this.setLeft([]);
        // on the host first, which a store that fails now must not keep from knowing it
        await host.write(this.made);
        showMade(run, this.made);
        return judged;
    }
    /** That the new backup is suspect is more to be told than what could not be deleted. Throws E_ROTATE otherwise. */
    checkRotation({ failure }, objection) {
        if (failure === null)
            return;
        const error = notRotated(this.run, failure.what, failure.error, failure.todo);
        if (objection === null)
            throw error;
        (0,connect/* warn */.R8)(this.run, (0,errors/* describe */.q0)(error).message);
    }
    /** Once this run's own was read back: it has to be among them. Throws E_ROTATE, E_POLICY. */
    async rotateCopies(store) {
        const { run, host, made } = this;
        const failed = (what) => (error) => {
            throw notRotated(run, `the copies in the store could not be ${what}, so none was deleted`, error, AGAIN);
        };
        if (store.rules !== null) {
            const { backups } = await store.catalogue().catch(failed('listed'));
            if (backups.find(({ id }) => id === made.id)?.state !== made.state)
                throw unlisted(store, made);
        }
        const [candidate = null] = toCandidates([made]);
        const kept = await adoptCopies(run, store, host).catch(failed('looked at'));
        const rotation = await planRotation(run, store, { made: candidate, kept }).catch(failed('looked at'));
        const objection = objectionTo(rotation);
        tellRotation(run, rotation, objection !== null);
        if (objection !== null)
            throw objection;
        this.setLeft(rotation.remove);
        await carryOut(run, rotation);
    }
}
function showMade(run, made) {
    const { report } = run;
    const { content, recovery } = made.manifest;
    report.backup = factsOf(run, made);
    report.recovery = recovery;
    report.tables = content?.tables ?? [];
    report.tablesLeftOut = content?.tablesLeftOut ?? 0;
    report.foreignKeyViolations = content?.foreignKeyViolations ?? 0;
}
const unlisted = ({ uri }, { id }) => new errors/* BackupError */.hj('E_ROTATE', `${uri} is listed without ${id}, which was read back there a moment ago`, 'The store or its credentials do not show all that is there. `prune` tries again.');

// EXTERNAL MODULE: ./src/run/explain.ts
var explain = __nccwpck_require__(9266);
;// CONCATENATED MODULE: ./src/run/checked.ts



/**
 * What a dry run of `backup` has looked at, for the log and the summary. Each of these would have ended it, had it not been there.
 * Throws E_PERM when the backup directory can not be made or written: nothing has tried to.
 */
async function tellChecked(run, { hello }, facts, { backups }) {
    const { settings, database, report, log } = run;
    const greeting = await hello;
    const user = (0,neutralise/* quoteOutside */.Y)(greeting.need('user'), 100);
    if (facts.get('unwritable') !== null) {
        const path = facts.path('unwritable');
        throw (0,explain/* noDirectory */.p)(`${user} can not write ${path}`, path, user, settings);
    }
    const compressor = facts.get('compressor');
    const free = report.storage.freeBytes;
    const found = [
        ['Login', `${user}, ${where(settings)}`],
        ['Database, and the tool for it', `${database.plan(facts)}; ${(0,format/* formatBytes */.z3)(facts.number('source_bytes'))}`],
        ['Compression', compressor === null ? 'none' : (0,neutralise/* quoteOutside */.Y)(facts.get('compressor_version') ?? compressor, 200)],
        [
            'Backup directory',
            facts.get('missing') === null
                ? `${report.directory} is there, can be written by ${user}, and by nobody else; it has ${(0,format/* counted */.hS)(backups.length, 'backup')} of this database`
                : `${report.directory} is not there, and can be made`,
        ],
        ...(free === null ? [] : [['Space', `${(0,format/* formatBytes */.z3)(free)} free`]]),
        ['Not looked at', 'whether the database can be read to its end: only a backup does that'],
    ];
    report.checked = found.map(([what, text]) => ({ what, found: text }));
    for (const { what, found: text } of report.checked)
        log.info(`${what}: ${text}`);
}
const where = ({ transport }) => transport.transport === 'ssh'
    ? `at ${transport.host}:${transport.port}, whose host key is a known one`
    : 'on this machine';

;// CONCATENATED MODULE: ./src/making/time.ts

/**
 * The time of the new backup, in whole seconds: when the run began, but always later than the newest there is. The lock
 * orders the runs; a run that began earlier and waited, or in the same second, must not look like the older one.
 */
function timeAfter(started, { backups }) {
    const newest = backups.find((backup) => !(0,backups_retention/* isFuture */.GJ)(backup.createdAt, started))?.createdAt.getTime() ?? 0;
    return new Date(Math.max(Math.floor(started.getTime() / 1000), newest / 1000 + 1) * 1000);
}

;// CONCATENATED MODULE: ./src/making/rehearsal.ts










/** What a backup would do, for `dry-run`: looked at and told, and nothing is written. */
async function rehearse(run, connection) {
    const { settings, database, log, report } = run;
    const facts = await log.group('Look', () => connection.send(...(0,directory/* openDirectory */.AJ)(run, 'look'), database.inspect(settings)));
    const host = new HostPlace(run, connection, facts);
    await tellChecked(run, connection, facts, host.listed);
    log.info(`would copy ${database.plan(facts)} (${(0,format/* formatBytes */.z3)(facts.number('source_bytes'))}), compress it with ${facts.get('compressor')}, into ${report.directory}`);
    const made = {
        id: 'the new backup',
        createdAt: timeAfter(run.now(), host.listed),
        verified: true,
        partial: (0,backups_coverage/* showCoverage */.UQ)((0,backups_coverage/* coverageOf */._5)(settings.dump)),
        pinned: settings.pin,
        safety: false,
    };
    await withStorePlace(run, host, async (store) => {
        if (store !== null)
            log.info(`would copy it to ${store.uri}`);
        await adoptLost(run, host);
        await tellPlan(run, host, made);
        if (store !== null)
            await tellPlan(run, store, made);
    });
    report.ok = true;
}
async function tellPlan(run, place, made) {
    const rotation = await planRotation(run, place, { made });
    const { retention } = rotation;
    retention.decisions = retention.decisions.filter(({ id }) => id !== made.id);
    tellRotation(run, rotation, true);
    const refusal = refusalOf(rotation);
    if (refusal !== null)
        (0,connect/* warn */.R8)(run, `the rotation would be refused: ${refusal}`);
}

;// CONCATENATED MODULE: ./src/making/young-enough.ts









/** Of these the newest good one that is all that a new one would be, and not older than that; null: another has to be taken. */
function youngEnough({ settings, now, log }, backups, ageMs) {
    const usable = covering(backups, (0,backups_coverage/* coverageOf */._5)(settings.dump));
    // A safety backup is the state that somebody wanted to leave.
    const newest = newestVerified(usable.filter(({ manifest }) => manifest.reason !== 'safety' && (0,backups_manifest/* isAtLeast */.du)(manifest.verified.level, settings.verify)));
    if (newest === null || now().getTime() - newest.createdAt.getTime() > ageMs)
        return null;
    if (alarmsIn(usable).length === 0)
        return newest;
    log.info(`${newest.id} is young enough, but a newer one is suspect: another backup is taken`);
    return null;
}
/**
 * Whether there is such a backup on the host. Its bytes are hashed, and it is copied off-site when the store lacks it. Throws E_CHECKSUM,
 * E_S3_*.
 */
async function isYoungEnough(run, connection, ageMs) {
    const { settings, log, report } = run;
    const host = await HostPlace.open(run, connection, 'look');
    const newest = youngEnough(run, host.listed.backups, ageMs);
    if (newest === null) {
        report.problems = []; // the same catalogue is read again, under the lock
        return false;
    }
    const hashed = await connection.send(['job', 'hash_file', [newest.manifest.file]]);
    if (hashed.need('sha256') !== newest.manifest.sha256) {
        throw new errors/* BackupError */.hj('E_CHECKSUM', `${newest.manifest.file} is young enough, but its SHA-256 is ${hashed.need('sha256')}, not ${newest.manifest.sha256} as in its manifest`, 'Do not rely on that backup; look at the disk. Remove `skip-if-younger-than` to take a new one.');
    }
    const { manifest } = await host.whole(newest);
    report.backup = factsOf(run, newest);
    // made anew: what the manifest on the host says is not for us to recommend
    report.recovery = run.database.recovery(manifest, report.directory, settings);
    if (!settings.dryRun)
        run.left = 'backup-stays';
    await withStorePlace(run, host, async (store) => {
        if (store === null)
            return;
        if (settings.dryRun)
            log.info(`would copy it to ${store.uri}, unless it is there`);
        else
            await copyTo(run, connection, store, manifest, async () => manifest);
    });
    const age = (0,format/* formatAge */.nV)(run.now().getTime() - newest.createdAt.getTime());
    report.skipped = `${newest.id} is ${age} old, its bytes match its manifest: no new backup was needed`;
    report.ok = true;
    log.info(report.skipped);
    return true;
}

;// CONCATENATED MODULE: ./src/proving/asserts.ts



/** Throws E_ASSERT with every statement that failed, or whose first value is not true in the way of its database. */
function checkAsserts(statements, facts) {
    const failed = statements.flatMap((statement, index) => {
        const error = facts.get(`assert_error_${index + 1}`);
        const value = facts.need(`assert_${index + 1}`);
        if (error === null && isTrue(value))
            return [];
        return [
            `${(0,neutralise/* quoteOutside */.Y)(statement, 200)} ${error === null ? `returned ${(0,neutralise/* quoteOutside */.Y)(value, 80)}` : `failed: ${(0,neutralise/* quoteOutside */.Y)(error, 200)}`}`,
        ];
    });
    if (failed.length === 0)
        return;
    throw new errors/* BackupError */.hj('E_ASSERT', `${failed.length} of ${(0,counting/* plural */.L)(statements.length, 'assertion')} ${failed.length === 1 ? 'does' : 'do'} not hold in the restored copy: ${failed.join('; ')}`, 'The backup can be restored, but its content is not what you expect: look at the live database. The restored copy was thrown away.');
}
/** SQLite prints 1 for true, PostgreSQL t; a number is true unless it is 0. */
function isTrue(value) {
    const text = value.trim();
    if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text))
        return Number(text) !== 0;
    return /^(?:t|true)$/i.test(text);
}

;// CONCATENATED MODULE: ./src/commands/backup.ts

















/**
 * Takes a backup, proves it, publishes it, rotates. Two answers of the host are waited for: the proven payload, and its
 * publication. `report.ok` is set only when all that was asked for has been done.
 */
async function backup(run) {
    const { skipIfYoungerThanMs, dryRun } = run.settings;
    await (0,directory/* connectedToChange */.RW)(run, async (connection) => {
        if (skipIfYoungerThanMs !== null && (await isYoungEnough(run, connection, skipIfYoungerThanMs)))
            return;
        await (dryRun ? rehearse : take)(run, connection);
    });
}
async function take(run, connection) {
    const { settings, database, log } = run;
    const started = run.now();
    const suffix = (0,external_node_crypto_.randomBytes)(2).toString('hex');
    const work = (0,names/* formatId */.hX)(settings.name, started, suffix);
    const facts = await log.group(`Back up ${settings.database.given}`, () => connection.send(...(0,directory/* openDirectory */.AJ)(run, 'create'), ['request', 'expect_work', [work]], database.backup(settings, work, (0,directory/* holderOf */.Kd)(run, work))));
    const host = new HostPlace(run, connection, facts);
    checkContent(run, host);
    const adopted = await adoptLost(run, host);
    const createdAt = timeAfter(started, host.listed);
    const id = (0,names/* formatId */.hX)(settings.name, createdAt, suffix);
    for (const remark of database.remarks(facts))
        (0,connect/* warn */.R8)(run, remark);
    for (const remark of database.notes?.(facts) ?? [])
        (0,connect/* note */.N4)(run, remark);
    const proven = manifestOf(run, { id, createdAt, started }, facts, await connection.hello);
    if (settings.verify === 'restore') {
        database.checkProof(facts, proven);
        checkAsserts(settings.asserts, facts);
    }
    const manifest = await judged(run, host, proven);
    await withStorePlace(run, host, (store) => publish(run, host, store, new_manifest_backupOf(manifest), adopted));
}
/** The manifest with what it counts for, and the rules that it is made under: where nobody rotates, there are none. */
async function judged(run, host, proven) {
    const { keep, s3 } = run.settings;
    const known = host.listed.backups;
    const found = await lookForLosses(run, proven, known, host);
    const loss = answersAlarm(run, known) ? null : found;
    const standing = standingOfNew(run, proven, known, suspicionOf(run, loss));
    if (loss !== null && standing.state !== 'suspect')
        await pinBefore(run, host, loss);
    return { ...proven, keep, ...(s3 === null || s3.keep === null ? {} : { s3Keep: s3.keep }), ...standing };
}
/** An empty copy is not a backup, unless the newest verified one is empty as well. Throws E_EMPTY. */
function checkContent({ database, settings }, { facts, listed }) {
    if (facts.number('objects') > 0)
        return;
    const coverage = (0,backups_coverage/* showCoverage */.UQ)((0,backups_coverage/* coverageOf */._5)(settings.dump));
    const alike = listed.backups.filter(({ manifest }) => (0,backups_coverage/* showCoverage */.UQ)(manifest.coverage ?? null) === coverage);
    if (newestVerified(alike)?.manifest.content?.objects === 0)
        return;
    throw database.empty(facts);
}

;// CONCATENATED MODULE: ./src/places/deletion.ts




/**
 * Why one backup must not be deleted from the places that have it, in their order, or null. What the first says of a pin is so: a copy may
 * tell of one that was taken back since.
 */
async function objectionToDeleting(run, found) {
    const [first] = found;
    const pinned = first?.unit.manifest.pinned ?? null;
    if (first !== undefined && pinned !== null) {
        return refused(`${first.unit.id} is pinned: ${pinned.reason}`, first.place.kind === 'host'
            ? 'Run `command: unpin` first if it really may go.'
            : 'It is only in the store, where nothing is written again: if it really may go, delete it with the tools of the store.');
    }
    for (const { place, unit } of found) {
        const objection = (await tooFew(run, place, unit)) ?? (await held(place, unit));
        if (objection !== null)
            return objection;
    }
    return null;
}
/** By what is in that place alone. One that is partial takes nothing from those that are whole; of these there must be as many as before. */
async function tooFew({ settings }, place, { id }) {
    const { keepMinimum } = settings;
    const candidates = await place.candidates();
    const isWhole = !candidates.find((candidate) => candidate.id === id)?.partial;
    const counts = candidates.filter(({ verified, partial }) => verified && !(isWhole && partial));
    const others = counts.filter((candidate) => candidate.id !== id).length;
    if (others === counts.length || others >= keepMinimum)
        return null;
    const where = place.kind === 'host' ? '' : ` in ${place.uri}`;
    return refused(others === 0
        ? `${id} is the last verified backup${where}`
        : `deleting ${id} would leave ${(0,format/* counted */.hS)(others, 'verified backup')}${where}, fewer than keep-minimum (${keepMinimum})`, 'Take a new backup first.');
}
async function held(place, unit) {
    const [one] = await place.held([unit]);
    if (one === undefined)
        return null;
    return refused(`${one.id} is ${one.why} in ${place.uri}`, 'Run again when that has ended.');
}
const refused = (message, hint) => new errors/* BackupError */.hj('E_POLICY', message, hint);
/** Deletes what is there of one backup, whatever the rules say. Throws E_ROTATE. */
async function deleteOne(run, place, { id, files }) {
    run.left = (0,src_left/* touched */.FI)(run.left);
    const { deleted, held, failure } = await place.remove([{ id, files }]);
    const what = `the copy of ${id} in ${place.uri} could not be deleted`;
    if (failure !== null) {
        const again = deleted.length === 0 ? 'Run again.' : 'What is left of it there is no backup any more: run again to delete it.';
        throw notRotated(run, what, failure.error, again);
    }
    if (held.length > 0) {
        throw new errors/* BackupError */.hj('E_ROTATE', `${what}: it is ${held[0]?.why}`, 'Run again when the lock has ended.');
    }
}

;// CONCATENATED MODULE: ./src/commands/delete.ts




/**
 * Deletes the one backup that `backup` names, wherever it is. Refuses a pinned one, one that is locked in the store, and to leave fewer
 * verified ones than `keep-minimum` in either place.
 */
async function deleteBackup(run) {
    const { settings, log, report } = run;
    await change(run, async (host, store) => {
        const { backups, orphans } = await everywhere(run, settings.backup ?? '', store === null ? [host] : [host, store]);
        const [first] = backups;
        if (first !== undefined) {
            const places = backups.map(({ place }) => place.kind);
            report.backup = factsOf(run, first.unit, places, first.place.kind);
            const objection = await objectionToDeleting(run, backups);
            if (objection !== null)
                throw objection;
        }
        const doomed = backups.length > 0 ? backups : orphans;
        for (const { place, unit } of doomed) {
            const files = unit.files.map((file) => (place.kind === 'host' ? file : place.uri + file)).join(', ');
            log.info(`${settings.dryRun ? 'would delete' : 'deleting'} ${files}${'manifest' in unit ? '' : ': no manifest'}`);
        }
        const here = doomed.find(({ place }) => place === host);
        const there = doomed.find(({ place }) => place === store);
        const remove = here === undefined ? [] : [here.unit];
        return there === undefined ? { remove } : { remove, after: () => deleteOne(run, there.place, there.unit) };
    });
}

;// CONCATENATED MODULE: ./src/commands/list.ts






/** The catalogue of one database's backups, on the host and in the S3 store. Changes nothing. */
async function list(run) {
    const { settings, log, report } = run;
    await (0,connect/* connected */.aW)(run, async (connection) => {
        const host = await HostPlace.open(run, connection, 'look');
        const uri = await withStorePlace(run, host, async (store) => {
            await store?.catalogue();
            return store?.uri ?? null;
        });
        const { backups } = host.listed;
        for (const { backup, places } of placed(backups, run.copies)) {
            log.info(lineOf(backup, uri === null ? [] : places));
        }
        log.info(`${(0,format/* counted */.hS)(backups.length, 'backup')} of ${settings.name} in ${report.directory}`);
        if (uri !== null)
            log.info(`${(0,format/* counted */.hS)(run.copies.length, 'backup')} of ${settings.name} in ${uri}`);
        report.ok = true;
    });
}
function lineOf({ id, manifest, state, detail }, places) {
    const proof = state === 'ok' ? `verified: ${manifest.verified.level}` : `${state}: ${(0,format/* clip */.$Q)(detail ?? '', 300)}`;
    const where = places.length === 0 ? '' : `  in: ${(0,format/* showPlaces */.Ky)(places)}`;
    const covers = (0,backups_coverage/* showCoverage */.UQ)(manifest.coverage ?? null);
    const partial = covers === '' ? '' : `  partial: ${(0,format/* clip */.$Q)(covers, 200)}`;
    const pinned = manifest.pinned === null ? '' : `  pinned: ${(0,format/* clip */.$Q)(manifest.pinned.reason, 200)}`;
    return `${id}  ${(0,format/* formatBytes */.z3)(manifest.bytes)}  ${proof}${where}${partial}${pinned}`;
}

;// CONCATENATED MODULE: ./src/commands/pin.ts



/** `pin` exempts one backup from retention, with a reason; `unpin` takes that back. */
async function pin(run) {
    const { settings, log, report } = run;
    await change(run, async (host) => {
        const old = await host.whole(await find_named(run, host));
        const pinned = settings.command === 'pin' ? { reason: settings.pin ?? '', at: run.now().toISOString() } : null;
        const rewrite = { ...old, manifest: { ...old.manifest, pinned } };
        report.backup = factsOf(run, rewrite);
        log.info(`${settings.dryRun ? 'would ' : ''}${settings.command} ${old.id}${pinned === null ? '' : `: ${pinned.reason}`}`);
        return { rewrite };
    });
}

;// CONCATENATED MODULE: ./src/commands/prune.ts





/**
 * Applies retention alone, on the host and then in the store. Throws E_POLICY when one of the two plans is refused; nothing is deleted
 * then.
 */
async function prune(run) {
    await change(run, async (host, store) => {
        const onHost = await planRotation(run, host, { kept: await adoptLost(run, host) });
        tell(run, onHost);
        const { remove } = onHost;
        if (store === null)
            return { remove };
        const inStore = await planRotation(run, store, { kept: await adoptCopies(run, store, host) });
        tell(run, inStore);
        return { remove, after: () => carryOut(run, inStore) };
    });
}
/** Throws E_POLICY; with `dry-run` that is told only. */
function tell(run, rotation) {
    const { dryRun } = run.settings;
    const objection = objectionTo(rotation);
    tellRotation(run, rotation, dryRun || objection !== null);
    if (objection === null)
        return;
    if (!dryRun)
        throw objection;
    (0,connect/* warn */.R8)(run, `this plan would be refused: ${refusalOf(rotation)}`);
}

// EXTERNAL MODULE: ./src/engines/lookup.ts + 26 modules
var lookup = __nccwpck_require__(8581);
// EXTERNAL MODULE: ./src/engines/common.ts
var common = __nccwpck_require__(4074);
// EXTERNAL MODULE: ./node_modules/valibot/dist/index.mjs
var dist = __nccwpck_require__(7934);
// EXTERNAL MODULE: ./src/schemas.ts
var schemas = __nccwpck_require__(9011);
// EXTERNAL MODULE: ./src/settings/value-rules.ts
var value_rules = __nccwpck_require__(7722);
;// CONCATENATED MODULE: ./src/restoring/journal.ts






const PHASES = ['begun', 'loading', 'swapping', 'swapped', 'rolling-back'];
const JOURNAL = (0,schemas/* object */.Ik)({
    schema: (0,schemas/* oneOf */.yL)([1]),
    id: dist/* string */.YjP(),
    way: dist/* string */.YjP(),
    /** Where the database is that is replaced, as the run was told, without a password. */
    target: dist/* string */.YjP(),
    /** What that database is. */
    identity: dist/* custom */.IeY(schemas/* isObject */.Gv),
    /** A path means another file in another container. */
    container: dist/* nullable */.mee(dist/* string */.YjP()),
    /** What is restored, for messages. */
    backup: dist/* string */.YjP(),
    phase: (0,schemas/* oneOf */.yL)(PHASES),
    /** Id of the safety backup, or null. */
    safety: dist/* nullable */.mee(dist/* string */.YjP()),
    checkCommand: dist/* nullable */.mee(dist/* string */.YjP()),
    /** after-restore-command was begun and has not come to its end. */
    afterBegun: dist/* boolean */.zMY(),
    /** check-command was begun by a run that finished the restore, and is not begun again. */
    checkBegun: dist/* boolean */.zMY(),
    /** How long a command of the user may take. */
    commandTimeoutMs: dist/* pipe */.FsL((0,schemas/* whole */.WQ)(1000), dist/* maxValue */.cGV(value_rules/* LONGEST_TIMER_MS */.Mv)),
    /** Who began it, and when. */
    by: dist/* string */.YjP(),
});
/** The name of its file in `.work`. */
const FILE = /^restore-([A-Za-z0-9._-]{1,100})$/;
/** Resolves when the host has it on its disk. */
async function writeJournal(connection, journal) {
    await connection.send(['job', 'put_journal', [JSON.stringify(journal)]]);
}
/** The restore has come to an end. */
const endJournal = ['job', 'put_journal', ['']];
/** A work folder on the host, for the step of a restore that follows. */
function work({ settings, now }) {
    return ['request', 'expect_work', [(0,names/* formatId */.hX)(settings.name, now(), (0,external_node_crypto_.randomBytes)(2).toString('hex'))]];
}
/** What stands in a file of the work folder; null when this version did not write it. */
function parseJournal(file, text) {
    try {
        const journal = dist/* parse */.qgA(JOURNAL, JSON.parse(text));
        const format = (0,backups_format/* formatOf */.be)(journal.identity);
        const isOurs = FILE.exec(file)?.[1] === journal.id && format !== null;
        return isOurs && (0,backups_format/* faultInIdentity */.UA)(format, journal.identity) === null ? journal : null;
    }
    catch {
        return null;
    }
}

;// CONCATENATED MODULE: ./src/restoring/safety-backup.ts










/** The present state and two older ones. */
const KEPT = 3;
/** After these the host may have been lost, which is another story than that no backup could be taken. */
const OF_THE_RUN = ['E_REMOTE_LOST', 'E_TIMEOUT', 'E_CANCELLED', 'E_LOCKED'];
/**
 * A verified, pinned backup of what is about to be replaced, published before anything is touched. Of a damaged database it may be a copy
 * of its files, marked as not verified. Throws E_SAFETY_BACKUP.
 */
async function takeSafetyBackup(run, connection, { database, restoring, damaged, level, without = [], from, host, }) {
    const target = run.settings.restore.to ?? run.settings.database;
    const name = target === run.settings.database ? run.settings.name : ((0,lookup/* engineOf */.ky)(target).nameOf(target) ?? 'restore-target');
    const settings = {
        ...run.settings,
        database: target,
        name,
        verify: level,
        // all that can be had, whatever backups leave out by request
        dump: { ...run.settings.dump, excludeTable: without, excludeTableData: [], schema: [] },
        pin: `safety backup before the restore of ${from}`.slice(0, 200),
    };
    const saving = { ...run, settings, database };
    const started = run.now();
    const suffix = (0,external_node_crypto_.randomBytes)(2).toString('hex');
    const createdAt = timeAfter(started, host.listed);
    const id = (0,names/* formatId */.hX)(name, createdAt, suffix);
    try {
        const request = damaged && restoring.saveDamaged !== undefined
            ? restoring.saveDamaged(settings, id)
            : database.backup(settings, id, (0,directory/* holderOf */.Kd)(run, id));
        const facts = await connection.send(['request', 'expect_work', [id]], request);
        const made = manifestOf(saving, { id, createdAt, started }, facts, await connection.hello, damaged);
        const pinned = made.pinned && { ...made.pinned, by: 'restore' };
        const backup = new_manifest_backupOf({ ...made, pinned, reason: 'safety' });
        if (run.report.restore !== null)
            run.report.restore.safetyBackupId = id;
        const { failure } = await host.publish(backup, name === run.settings.name ? outlived(host.listed.backups) : []);
        if (failure !== null)
            (0,connect/* warn */.R8)(run, `${failure.what}: ${(0,errors/* describe */.q0)(failure.error).message}`);
        run.log.info(`safety backup ${id}: ${(0,format/* formatBytes */.z3)(made.bytes)}, pinned`);
        if (damaged)
            (0,connect/* warn */.R8)(run, `${id} holds the files of the damaged database as they are, and is marked as not verified`);
        return backup;
    }
    catch (error) {
        if (run.report.restore !== null && connection.said('published').length === 0) {
            run.report.restore.safetyBackupId = null;
        }
        const { code, message, hint } = (0,errors/* describe */.q0)(error);
        if (OF_THE_RUN.includes(code))
            throw error;
        throw new errors/* BackupError */.hj('E_SAFETY_BACKUP', `the present state could not be backed up (${code}): ${message}`, `${hint} Without a way back nothing is restored; \`safety-backup: false\` restores all the same.`);
    }
}
/** Safety backups beyond the last three, this one counted; those that somebody pinned with a reason of his own stay. */
function outlived(backups) {
    return backups
        .filter(({ manifest: { reason, pinned } }) => reason === 'safety' && (pinned === null || pinned.by === 'restore'))
        .sort(backups_retention/* newestFirst */.ll)
        .slice(KEPT - 1);
}

;// CONCATENATED MODULE: ./src/engines/foreign-dump.ts




/**
 * A file on the host that this action did not make, which people may know by another `name`, as `look_dump` (host/programs/foreign.sh) found it. Throws E_NOT_FOUND, E_PERM,
 * E_CHECKSUM, or E_SOURCE_INVALID for what is no dump that can be restored, or none of this engine.
 */
function foreignDump(facts, engine = null, name = null) {
    const refused = facts.get('dump_refused');
    if (refused !== null)
        throw refusal(refused, facts, name);
    const kind = facts.need('dump_kind');
    const compression = facts.need('dump_compression');
    const sha256 = facts.need('dump_sha256');
    const made = (0,lookup/* engineOfKind */.UZ)(kind);
    if (made === null || !(0,packing/* isCompression */.zr)(compression) || !/^[0-9a-f]{64}$/.test(sha256)) {
        throw new errors/* BackupError */.hj('E_INTERNAL', `the host reported a dump as ${(0,neutralise/* quoteOutside */.Y)(`${kind} ${compression} ${sha256}`, 200)}`);
    }
    if (engine !== null && engine !== made) {
        throw new errors/* BackupError */.hj('E_SOURCE_INVALID', `${(0,neutralise/* quoteOutside */.Y)(name ?? facts.path('dump_path'), 500)} is ${made.dump}, and what it would be restored into is a database of ${engine.title}`, 'Correct `backup` or `database`.');
    }
    return {
        file: facts.path('dump_path'),
        kind,
        compression,
        sha256,
        bytes: facts.number('dump_bytes'),
        databaseBytes: null,
        manifest: null,
        versions: { tool: versionIn(facts, 'dump_made_by'), server: versionIn(facts, 'dump_made_from') },
    };
}
/** `17.2 (Debian 17.2-1.pgdg120+1)`: what else it may be is none. */
function versionIn(facts, key) {
    const text = facts.get(key);
    return text !== null && /^\d{1,3}[\w .()+~-]{0,100}$/.test(text) ? text : null;
}
/** Sentences about a dump that can be restored, and is odd. */
function foreignRemarks(facts) {
    const remarks = [];
    const path = facts.path('dump_path');
    if (facts.get('dump_sidecar') === 'other') {
        remarks.push(`${path}.sha256 does not name that file, so nothing tells whether its bytes are those that were once written`);
    }
    return remarks;
}
/** What to do with a file that is packed or encrypted in a way that is not taken. */
const UNPACK_FIRST = {
    bzip2: 'bzip2 -d',
    xz: 'xz -d',
    lz4: 'lz4 -d',
    lzip: 'lzip -d',
    lzma: 'xz --format=lzma -d',
    compress: 'gzip -d',
    zip: 'unzip',
    '7z': '7z x',
    rar: 'unrar x',
    zstd: 'zstd -d',
    gzip: 'gzip -d',
};
const DECRYPT_FIRST = {
    age: 'age -d',
    gpg: 'gpg -d',
    openssl: 'openssl enc -d',
};
/** Each word of `refuse_dump`: the code, what the file is, what to do. */
function refusal(word, facts, name) {
    const path = (0,neutralise/* quoteOutside */.Y)(name ?? facts.get('dump_path') ?? facts.get('dump_given') ?? 'the file', 500);
    const said = (0,neutralise/* quoteOutside */.Y)(facts.get('dump_said') ?? '', 500);
    const engines = Object.values(lookup/* ENGINES */.ug);
    const rows = {
        missing: [
            'E_NOT_FOUND',
            `there is no file ${path} on the host`,
            'Correct `backup`: the id of a backup, `latest`, or the path of a dump there; a relative path starts at the home of the login user.',
        ],
        unreadable: [
            'E_PERM',
            `the login user can not read ${path}${said === '(nothing)' ? '' : `: ${said}`}`,
            'Give that user the right to read the file and to enter the folders on the way to it, or copy it where it can.',
        ],
        sum: [
            'E_CHECKSUM',
            `the SHA-256 of ${path} is ${facts.get('dump_sha256')}, and the file ${path}.sha256 beside it says ${said}`,
            'It is not the file that was once written: take another dump, or find out who changed it. Only if you know better, remove the file .sha256.',
        ],
        folder: invalid(`${path} is a folder`, 'Name a file in it.'),
        special: invalid(`${path} is no regular file`, 'Name a file.'),
        empty: invalid(`${path} is empty (0 bytes)`, 'Whatever wrote it has failed. Choose another dump.'),
        hollow: invalid(`${path} unpacks to nothing (${said})`, 'Whatever was packed there had failed. Choose another dump.'),
        torn: invalid(`${path} is damaged, or was cut: it can not be unpacked: ${said}`, 'Choose another dump, or copy this one anew from where it came.'),
        nested: invalid(`${path} is packed twice: what is in it is ${said} again`, `Unpack it once on the host (\`${facts.get('dump_compression')} -d\`), and name the result.`),
        mysql: invalid(`${path} is a dump of MySQL or MariaDB`, `This action restores ${engines.map(({ title }) => title).join(' and ')}. Choose another dump.`),
        packed: packed(path, facts.get('dump_said') ?? ''),
        unknown: invalid(`${path} is no dump that this action knows: neither ${engines.map((engine) => engine.dump).join(' nor ')}, plain or packed by gzip or zstd`, 'Check `backup`. A dump that is encrypted has to be decrypted first; whatever its name says, only its bytes count.'),
    };
    for (const { dumpRefusals } of engines) {
        const own = dumpRefusals?.({ path, said }) ?? {};
        if (Object.hasOwn(own, word) && own[word] !== undefined)
            rows[word] = invalid(...own[word]);
    }
    const [code, message, hint] = (Object.hasOwn(rows, word) ? rows[word] : undefined) ?? [
        'E_INTERNAL',
        `the host refused ${path} as ${(0,neutralise/* quoteOutside */.Y)(word, 80)}`,
        'Please report it with the log of the run.',
    ];
    return new errors/* BackupError */.hj(code, message, hint);
}
const invalid = (message, hint) => ['E_SOURCE_INVALID', message, hint];
function packed(path, tool) {
    const decrypt = Object.hasOwn(DECRYPT_FIRST, tool) ? DECRYPT_FIRST[tool] : undefined;
    if (decrypt !== undefined) {
        return invalid(`${path} is encrypted with ${tool}`, `Decrypt it first (\`${decrypt}\`), where its key is, and name the result.`);
    }
    const unpack = Object.hasOwn(UNPACK_FIRST, tool) ? UNPACK_FIRST[tool] : 'its own tool';
    return invalid(`${path} is packed by ${(0,neutralise/* quoteOutside */.Y)(tool, 40)}; only gzip, zstd and files that are not packed are taken`, `Unpack it first (\`${unpack}\`), and name the result.`);
}

;// CONCATENATED MODULE: external "node:events"
const external_node_events_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:events");
;// CONCATENATED MODULE: ./src/host/push.ts





const push_MAX_SAID = 64 << 10;
/**
 * Sends bytes into a new file of a folder of the host, through a second shell of the same connection, no faster than it takes them.
 * Who reads the file afterwards compares it: an end that comes too early looks like any other from there. What `source` throws ends
 * it; it may be left in the middle of a read. Throws E_SHELL, E_REMOTE_LOST, E_TIMEOUT, E_NOSPACE.
 */
async function push(host, to, source, { signal, idleTimeoutMs }) {
    const shell = await openSecond(host, 'use `s3-upload-via: host`.');
    const input = shell.input?.();
    if (input === undefined)
        throw new errors/* BackupError */.hj('E_INTERNAL', 'there is nothing to push to this machine');
    const answers = new Answers(shell, host.label);
    const ended = new AbortController();
    const stop = (why) => ended.abort(why);
    const giveUp = () => stop(signal.reason);
    signal.addEventListener('abort', giveUp);
    let isSent = false;
    void shell.closed.then(() => {
        // before that it can not have all, also when it says so: to what takes it, an end that comes too early is an end
        if (!isSent || !answers.areGood)
            stop(answers.gone(to.folder));
    });
    try {
        signal.throwIfAborted();
        shell.write((0,program/* receiveProgram */.My)(answers.mark, to.folder, to.file));
        const within = (work) => orTooLong(work, ended.signal, idleTimeoutMs, host.label);
        if ((await within(answers.next())) !== 'ready') {
            throw new errors/* BackupError */.hj('E_PERM', `no file could be made in ${to.folder} on ${host.label}`);
        }
        const chunks = source[Symbol.asyncIterator]();
        for (;;) {
            // also while nothing comes it is noticed when nobody takes it any more
            const { done, value } = await orTooLong(chunks.next(), ended.signal, null, host.label);
            if (done)
                break;
            if (!input.write(value))
                await within((0,external_node_events_namespaceObject.once)(input, 'drain'));
        }
        isSent = true;
        input.end();
        const end = await within(answers.next());
        if (end !== 'end 0')
            throw answers.failed(to.folder);
    }
    finally {
        signal.removeEventListener('abort', giveUp);
        input.destroy(); // ends what still receives
    }
}
function orTooLong(work, ended, ms, label) {
    return new Promise((resolve, reject) => {
        const leave = () => reject(ended.reason);
        const tooLong = (seconds) => reject(new errors/* BackupError */.hj('E_TIMEOUT', `${label} took no byte for ${seconds} s (idle-timeout)`));
        const timer = ms === null ? undefined : setTimeout(tooLong, ms, Math.round(ms / 1000));
        if (ended.aborted)
            leave();
        ended.addEventListener('abort', leave);
        void work.then(resolve, reject).finally(() => {
            clearTimeout(timer);
            ended.removeEventListener('abort', leave);
        });
    });
}
/** The lines of ours among what the shell prints. */
class Answers {
    label;
    mark = `@${(0,external_node_crypto_.randomBytes)(16).toString('hex')}`;
    output = '';
    said = '';
    seen = 0;
    wake = null;
    constructor(shell, label) {
        this.label = label;
        shell.onStdout((chunk) => {
            this.output = (this.output + chunk.toString('latin1')).slice(0, push_MAX_SAID);
            this.wake?.();
        });
        shell.onStderr((chunk) => {
            this.said = (this.said + chunk.toString('utf8')).slice(0, push_MAX_SAID);
        });
    }
    /** The next of them, without the mark. */
    async next() {
        for (;;) {
            const line = [...this.output.matchAll(new RegExp(`\\n${this.mark} (.*)\\n`, 'g'))][this.seen]?.[1];
            if (line !== undefined) {
                this.seen++;
                return line;
            }
            await new Promise((resolve) => {
                this.wake = resolve;
            });
        }
    }
    /** It has all come. */
    get areGood() {
        return this.output.endsWith(`\n${this.mark} end 0\n`);
    }
    gone(folder) {
        if (/ end [1-9]\d*\n$/.test(this.output))
            return this.failed(folder);
        return new errors/* BackupError */.hj('E_REMOTE_LOST', `what took the backup on ${this.label} ended before it had all of it`);
    }
    failed(folder) {
        const said = JSON.stringify(this.said.trim().slice(0, 500));
        return /No space left|uota exceeded|write error/i.test(this.said)
            ? new errors/* BackupError */.hj('E_NOSPACE', `the file system of ${folder} on ${this.label} is full: ${said}`, 'Free some. What this run had written was removed, and nothing else was touched.')
            : new errors/* BackupError */.hj('E_REMOTE_LOST', `the backup could not be written into ${folder} on ${this.label}: ${said}`);
    }
}

;// CONCATENATED MODULE: ./src/places/fetch.ts









/**
 * Brings a backup from the store to the host, into a folder that goes with the session; returns its path there. Size and SHA-256 are
 * compared before anything reads it. Throws E_CHECKSUM, E_NOSPACE, E_S3_*, or what became of the host; what had come is then removed.
 */
async function fetchToHost(run, connection, place, found) {
    const { wanted, uri, backup, stored } = found;
    if (wanted.bytes === 0)
        throw new errors/* BackupError */.hj('E_SOURCE_INVALID', `${uri} is empty (0 bytes)`, 'Choose another one.');
    return run.log.group(`Fetch ${uri}`, async () => {
        const store = await place.open();
        const file = backup?.manifest.file ?? 'dump';
        const folder = await makeFolder(run, connection, wanted.bytes);
        const byHost = await chooseWay(run, connection, 'fetch', async () => {
            return (await store.lending.whyNotFetch(wanted.key, connection)) ?? {};
        });
        const stage = beginStage(run, 'fetch', wanted.bytes);
        if (byHost !== null)
            await store.lending.fetch(wanted, file, connection, stage.update);
        else {
            const reading = new AbortController();
            const source = store.read(wanted, stage.update, reading.signal);
            await fetch_receive(run, connection, source, { folder, file }).finally(() => reading.abort());
        }
        stage.end();
        await check(connection, found, file);
        const via = byHost === null ? 'runner' : 'host';
        run.report.offsite = { uri, versionId: stored.versionId, via, lockedUntil: null };
        connection.names.set(`${folder}/${file}`, uri);
        return `${folder}/${file}`;
    });
}
/** The same into a file of the runner, not by way of the host. */
async function fetchToRunner(run, place, { wanted, uri, stored }, to) {
    await run.log.group(`Fetch ${uri}`, async () => {
        const stage = beginStage(run, 'fetch', wanted.bytes);
        await writeFrom((await place.open()).read(wanted, stage.update), to);
        stage.end();
        run.report.offsite = { uri, versionId: stored.versionId, via: 'runner', lockedUntil: null };
    });
}
async function makeFolder({ settings, now }, { send }, bytes) {
    // no work folder of a job ends so
    const id = settings.dryRun ? '' : `${(0,names/* formatId */.hX)(settings.name, now(), '0000').slice(0, -4)}from`;
    const facts = await send(['request', 'expect_fetched', [id]], ['job', 'room_for_fetched', [String(bytes), String(Math.ceil(settings.minFreeBytes / 1024))]]);
    return facts.path('fetched');
}
/** Through this process to the host, which may be this machine. */
async function fetch_receive({ settings, signal }, { host }, source, to) {
    if (settings.transport.transport === 'local')
        await writeFrom(source, (0,external_node_path_.join)(to.folder, to.file));
    else
        await push(host, to, source, { signal, idleTimeoutMs: settings.idleTimeoutMs });
}
/** Into a new file of this machine. Throws E_NOSPACE. */
async function writeFrom(source, to) {
    const target = await (0,promises_.open)(to, 'wx', 0o600);
    try {
        for await (const chunk of source) {
            for (let from = 0; from < chunk.length;)
                from += (await target.write(chunk, from)).bytesWritten;
        }
        await target.sync();
    }
    catch (error) {
        const { code } = error;
        if (code !== 'ENOSPC' && code !== 'EDQUOT')
            throw error;
        throw new errors/* BackupError */.hj('E_NOSPACE', `the disk is full: the backup does not fit into ${to}`);
    }
    finally {
        await target.close();
    }
}
/** As the disk of the host has it. */
async function check({ send }, { wanted, uri, backup }, file) {
    const facts = await send(['job', 'check_fetched', [file]]);
    const [bytes, sha256] = [facts.number('fetched_bytes'), facts.need('fetched_sha256')];
    if (bytes !== wanted.bytes)
        throw (0,object_store/* changed */.tD)(uri, `${(0,counting/* plural */.L)(bytes, 'byte')} came, and it has ${wanted.bytes}`);
    if (wanted.sha256 !== null && sha256 !== wanted.sha256) {
        throw (0,object_store/* changed */.tD)(uri, `the SHA-256 of what came is ${quoted(sha256)}, and it should be ${wanted.sha256}`);
    }
    if (backup !== null)
        await send(['job', 'accept_fetched', [file, wanted.sha256 ?? '']]);
}
const quoted = (text) => (/^[0-9a-f]{64}$/.test(text) ? text : 'not told');

;// CONCATENATED MODULE: ./src/restoring/source.ts














/**
 * What is to be restored, found under the lock, with `dry-run` without it, and brought to the host when it is in a store. Throws
 * E_NOT_FOUND, E_CHECKSUM, E_TARGET_MISMATCH, E_S3_*.
 */
async function chooseSource(run, connection) {
    const { settings } = run;
    const { wanted } = settings.restore;
    const host = await HostPlace.open(run, connection, settings.dryRun ? 'look' : 'create', describeWanted(wanted));
    if (wanted.by === 'file') {
        const found = await connection.send(['job', 'look_dump', [wanted.path]]);
        const dump = foreignDump(found, (0,lookup/* engineOf */.ky)(settings.database));
        for (const remark of foreignRemarks(found))
            (0,connect/* warn */.R8)(run, remark);
        return { dump, from: dump.file, host };
    }
    if (wanted.by === 's3') {
        return withNamed(run, host, wanted, async (store, found) => fetched(run, host, store, found, found.uri));
    }
    return withSpare(run, host, async (store) => {
        const { backup, spare } = await find(run, wanted, host, store);
        if (spare !== null && store !== null)
            return fetched(run, host, store, spare, backup.id);
        const isOther = !host.listed.backups.includes(backup);
        if (isOther && !settings.restore.allowOtherTarget)
            throw otherThan(run, backup);
        refuseDamagedCopy(backup);
        if (backup.state === 'unverified')
            (0,connect/* warn */.R8)(run, `${backup.id} was never verified, or found damaged; it is checked now`);
        if (wanted.by === 'latest')
            warnOfAlarms(run, covering(host.listed.backups, null));
        else
            warnOfSuspicion(run, backup);
        run.report.backup = factsOf(run, backup);
        return { dump: dumpOf(await host.whole(backup)), from: backup.id, host };
    });
}
/** What the host has only damaged, as its bytes have shown, from the store. Rethrows what is something else, or is not there either. */
async function insteadOfDamaged(run, { dump, from, host }, error) {
    const { manifest, file } = dump;
    if (!(error instanceof errors/* BackupError */.hj) || error.code !== 'E_CHECKSUM' || file !== manifest?.file)
        throw error;
    return withSpare(run, host, async (store) => {
        const found = await store?.one(manifest.id).catch((second) => {
            (0,connect/* warn */.R8)(run, `whether the store has ${manifest.id} is not known: ${(0,errors/* describe */.q0)(second).message}`);
            return null;
        });
        if (!store || found?.backup.manifest.sha256 !== manifest.sha256)
            throw error;
        (0,connect/* warn */.R8)(run, `${error.message}: ${manifest.id} is taken from ${found.uri}`);
        return fetched(run, host, store, found, from);
    });
}
/** From the store to the host, as what is to be restored. */
async function fetched(run, host, store, found, from) {
    const { backup, uri } = found;
    const { connection } = host;
    if (backup !== null) {
        if (backup.manifest.name !== run.settings.name && !run.settings.restore.allowOtherTarget) {
            throw otherThan(run, backup);
        }
        refuseDamagedCopy(backup);
        if (backup.state === 'unverified')
            (0,connect/* warn */.R8)(run, `${backup.id} was never verified when it was copied; it is checked now`);
        warnOfSuspicion(run, backup);
        run.report.backup = { ...factsOf(run, backup), path: uri };
        const file = await fetchToHost(run, connection, store, found);
        return { dump: { ...dumpOf(backup), file }, from, host };
    }
    const file = await fetchToHost(run, connection, store, found);
    const facts = await connection.send(['job', 'look_dump', [file]]);
    return { dump: foreignDump(facts, (0,lookup/* engineOf */.ky)(run.settings.database), uri), from, host };
}
/** As the log and the lock tell it. */
function describeWanted(wanted) {
    if (wanted.by === 'id')
        return wanted.id;
    if (wanted.by === 'deploy')
        return `before-deploy:${wanted.sha}`;
    if (wanted.by === 's3')
        return `s3://${wanted.bucket}/${wanted.key}`;
    return wanted.by === 'file' ? wanted.path : 'latest';
}
/** A backup as what is to be restored. */
function dumpOf({ manifest }) {
    const { file, kind, compression, sha256, bytes, databaseBytes } = manifest;
    return { file, kind, compression, sha256, bytes, databaseBytes, manifest };
}
function refuseDamagedCopy(backup) {
    if (!(0,backups_manifest/* isDamagedCopy */.z$)(backup.manifest))
        return;
    throw new errors/* BackupError */.hj('E_SOURCE_INVALID', `${backup.id} holds the files of a damaged database, byte by byte, and is no backup that can be restored`, `${(0,backups_format/* formatNamed */.vq)(backup.manifest.engine).damaged?.advice ?? ''}`);
}
/** The database that would be replaced is the one that the backup was made of, or that is meant. Throws E_TARGET_MISMATCH. */
function checkTarget(run, dump, target, identity) {
    if (dump.manifest === null || run.settings.restore.allowOtherTarget)
        return;
    if (sameDatabase(dump.manifest.identity, identity))
        return;
    throw otherDatabase(`${dump.manifest.id} is a backup of ${showIdentity(dump.manifest.identity)}, and ${target} is ${showIdentity(identity)}`);
}
const otherThan = ({ settings }, { manifest }) => otherDatabase(`${manifest.id} is a backup of ${showIdentity(manifest.identity)}, not of ${settings.database.given}`);
function otherDatabase(message) {
    return new errors/* BackupError */.hj('E_TARGET_MISMATCH', message, 'If it is meant, for example to fill a staging database, set `allow-other-target: true`.');
}

;// CONCATENATED MODULE: ./src/restoring/user-command.ts



/** Runs a command of the user on the host, its output in the log. Throws E_HOOK when it fails, or does not end in time. */
async function runUserCommand(run, connection, input, request) {
    const facts = await run.log.group(input, () => connection.send(request));
    const status = facts.get('command_status');
    if (status === null || status === '0')
        return;
    const last = facts.all('said').findLast((line) => line.trim() !== '');
    const said = last === undefined ? ', and said nothing' : `; it said last: ${(0,neutralise/* quoteOutside */.Y)(last, 200)}`;
    const output = `The log has its output, under "${input}".`;
    if (facts.get('command_late') !== null) {
        const advice = input === 'start-command'
            ? ' What is to go on running belongs into the background, as by `systemctl start` or `nohup ... >/dev/null 2>&1 &`.'
            : '';
        throw new errors/* BackupError */.hj('E_HOOK', `${input} did not end within ${(0,format/* formatDuration */.a3)(facts.number('command_late') * 1000)} (command-timeout), and was ended${said}`, `${output}${advice}`);
    }
    if (status === 'none')
        throw new errors/* BackupError */.hj('E_HOOK', `${input} was begun, and has not come to its end${said}`, output);
    throw new errors/* BackupError */.hj('E_HOOK', `${input} ended with status ${(0,neutralise/* quoteOutside */.Y)(status, 10)}${said}`, output);
}

;// CONCATENATED MODULE: ./src/restoring/attempt.ts












/** One restore, from the first change to the last. */
class Attempt {
    run;
    connection;
    parts;
    outcome;
    step;
    journal;
    safety = null;
    constructor(run, connection, parts, outcome) {
        this.run = run;
        this.connection = connection;
        this.parts = parts;
        this.outcome = outcome;
        const { restoring, plan, from, identity } = parts;
        const { container, restore } = run.settings;
        const id = (0,names/* formatId */.hX)(run.settings.name, run.now(), (0,external_node_crypto_.randomBytes)(2).toString('hex'));
        this.step = { id, way: plan.way };
        this.journal = {
            ...{ schema: 1, id, way: plan.way, target: restoring.target, identity, container, backup: from, phase: 'begun' },
            ...{ safety: null, checkCommand: restore.checkCommand, afterBegun: false, checkBegun: false },
            commandTimeoutMs: restore.commandTimeoutMs,
            by: (0,directory/* holderOf */.Kd)(run, from),
        };
    }
    async carryOut() {
        const { run, connection } = this;
        const { name, restore } = run.settings;
        await connection.send(['request', 'begin_restore', [this.journal.id, name, (0,common/* seconds */.YA)(restore.commandTimeoutMs)]]);
        await this.replace().catch((error) => this.leaveUnchanged(error));
        await this.check().catch((error) => this.rollBack(error));
        this.run.left = 'database-restored';
        await this.settle();
    }
    /** Up to the moment at which the live database is the restored one. */
    async replace() {
        const { run, connection, step, outcome } = this;
        const { restoring, database, dump, from, host, plan } = this.parts;
        const { settings } = run;
        const { stopCommand, startCommand, safetyBackup } = settings.restore;
        await this.enter('begun');
        if (startCommand !== null && stopCommand !== null) {
            await connection.send(['job', 'expect_start', [startCommand]]);
            await this.user('stop-command', ['job', 'run_command', [stopCommand]]);
        }
        if (safetyBackup && plan.state !== 'missing') {
            const damaged = plan.state === 'damaged';
            this.safety = await run.log.group('Safety backup', () => takeSafetyBackup(run, connection, {
                ...{ database, restoring, damaged, from, host },
                ...{ level: plan.safetyLevel, without: plan.safetyWithout },
            }));
            this.journal.safety = this.safety.id;
        }
        const started = performance.now();
        await this.enter('loading');
        const loaded = await run.log.group(`Load ${from} beside the live database`, async () => restoring.loaded(await connection.send(work(run), restoring.load(settings, dump, step)), dump));
        run.report.tables = loaded;
        await this.enter('swapping');
        await run.log.group('Swap', async () => {
            outcome.outcome = ''; // until the host has said how it ended
            const facts = await connection.send(work(run), restoring.swap(settings, dump, step));
            outcome.outcome = 'restored';
            outcome.ms = Math.round(performance.now() - started);
            for (const remark of restoring.swapped(facts, loaded))
                (0,connect/* warn */.R8)(run, remark);
        });
    }
    /** The restored database is what the application can work with. */
    async check() {
        const { afterCommand, checkCommand } = this.run.settings.restore;
        this.journal.afterBegun = afterCommand !== null;
        await this.enter('swapped');
        if (afterCommand !== null) {
            await this.user('after-restore-command', ['job', 'run_command', [afterCommand]]);
            this.journal.afterBegun = false;
            await this.enter('swapped');
        }
        await this.start();
        if (checkCommand !== null)
            await this.user('check-command', ['job', 'run_command', [checkCommand]]);
    }
    async settle() {
        const { run, connection, step, outcome } = this;
        const { restoring, from } = this.parts;
        await connection.send(work(run), restoring.settle(run.settings, step));
        await connection.send(endJournal);
        run.log.info(`${restoring.target} is what ${(0,neutralise/* quoteOutside */.Y)(from, 300)} holds, after ${(0,format/* formatDuration */.a3)(outcome.ms ?? 0)}`);
    }
    /** Before the swap, or in it: the old state is live, or is made so. Rethrows. */
    async leaveUnchanged(error) {
        const { run, connection, outcome, step } = this;
        const { restoring } = this.parts;
        // the host had said so before it was lost
        if (this.connection.said('state').at(-1) === 'restored')
            outcome.outcome = 'restored';
        if (outcome.outcome === 'restored')
            return this.rollBack(error);
        if (outcome.outcome === '' && connection.said('state').at(-1) === 'unchanged')
            outcome.outcome = 'unchanged';
        let isClean = this.journal.phase === 'begun';
        if (!isClean && this.isThere()) {
            // what was loaded goes; after a swap that ended badly it is looked at what is there
            const facts = await connection
                .send(work(run), restoring.recover(run.settings, step, this.journal))
                .catch(() => null);
            const state = facts?.get('state');
            if (state === 'restored')
                return this.rollBack(error);
            if (state === 'unchanged')
                outcome.outcome = 'unchanged';
            isClean = state === 'unchanged';
        }
        const stopped = await this.startAgain();
        // otherwise the next run finds it, and looks again
        if (isClean)
            await connection.send(endJournal).catch(() => { });
        run.left = outcome.outcome === 'unchanged' ? 'database-as-it-was' : 'database-unknown';
        const { code, message, hint } = (0,errors/* describe */.q0)(error);
        throw new errors/* BackupError */.hj(code, message, (0,errors/* sentences */.hC)(hint, stopped), { cause: error });
    }
    /** After the swap: the old state is live again. Always throws. */
    async rollBack(error) {
        const { run, connection, outcome, step, safety } = this;
        const { restoring } = this.parts;
        const { message, code, hint } = (0,errors/* describe */.q0)(error);
        if (!this.isThere()) {
            run.left = 'database-restored';
            const ended = 'The checks after the swap did not come to their end; the next run of this action looks at it.';
            throw new errors/* BackupError */.hj(code, message, (0,errors/* sentences */.hC)(hint, ended, this.wayBack()));
        }
        run.log.info(`${message}; going back to the state before`);
        try {
            await run.log.group('Roll back', async () => {
                await this.enter('rolling-back').catch(() => { }); // a full disk must not keep us from going back
                await this.stopAgain();
                const from = safety === null || safety.state !== 'ok' ? null : dumpOf(safety);
                await connection.send(work(run), restoring.back(run.settings, step, from));
                outcome.outcome = 'rolled-back';
            });
        }
        catch (second) {
            if (!this.isThere()) {
                outcome.outcome = '';
                run.left = 'database-unknown';
                const lost = (0,errors/* describe */.q0)(second);
                throw new errors/* BackupError */.hj(lost.code, `${message}; and while going back, ${lost.message}`, lost.hint);
            }
            outcome.outcome = 'rollback-failed';
            run.left = 'database-needs-you';
            const stopped = await this.startAgain();
            await connection.send(endJournal).catch(() => { });
            throw new errors/* BackupError */.hj('E_ROLLBACK_FAILED', `${message}; and going back failed as well: ${(0,errors/* describe */.q0)(second).message}`, (0,errors/* sentences */.hC)(this.wayBack(), stopped));
        }
        const stopped = await this.startAgain();
        await connection.send(endJournal).catch(() => { });
        run.left = 'database-rolled-back';
        const kept = safety === null ? '' : `It was looked through, and ${safety.id} holds that state as well.`;
        throw new errors/* BackupError */.hj('E_ROLLED_BACK', `the restore was undone: ${message}`, (0,errors/* sentences */.hC)(hint, kept, stopped));
    }
    wayBack() {
        const { restoring } = this.parts;
        const from = this.safety === null ? null : dumpOf(this.safety);
        const lines = restoring.byHand(this.run.settings, this.step, from, this.run.report.directory);
        this.run.report.recovery = lines;
        return `To bring the old state back by hand, on the host: \`${lines.join('; ')}\`.`;
    }
    /** Whether the host can still be asked. */
    isThere() {
        return !this.run.signal.aborted && !this.connection.isLost();
    }
    async enter(phase) {
        this.journal.phase = phase;
        await writeJournal(this.connection, this.journal);
    }
    user(input, request) {
        return runUserCommand(this.run, this.connection, input, request);
    }
    /** With a start-command alone, that is what makes the application take up the restored database. */
    async start() {
        const { stopCommand, startCommand } = this.run.settings.restore;
        if (startCommand === null)
            return;
        await this.user('start-command', stopCommand === null ? ['job', 'run_command', [startCommand]] : ['job', 'start_application', []]);
    }
    /** On every path that ends: what was stopped runs. Returns a sentence when it does not. */
    async startAgain() {
        const { stopCommand } = this.run.settings.restore;
        if (stopCommand === null && this.outcome.outcome !== 'rolled-back')
            return '';
        if (!this.isThere())
            return 'The host runs `start-command` by itself.';
        try {
            await this.start();
            return '';
        }
        catch (error) {
            const { message } = (0,errors/* describe */.q0)(error);
            this.run.report.problems.push({ level: 'error', code: 'E_HOOK', message });
            this.run.log.error(message);
            return `The application may be stopped: ${message}.`;
        }
    }
    /** Before the way back: what start-command has started must not write into what is taken away. */
    async stopAgain() {
        const { stopCommand, startCommand } = this.run.settings.restore;
        if (stopCommand === null || startCommand === null)
            return;
        await this.connection.send(['job', 'expect_start', [startCommand]]);
        await this.user('stop-command', ['job', 'run_command', [stopCommand]]).catch((error) => {
            (0,connect/* warn */.R8)(this.run, (0,errors/* describe */.q0)(error).message);
        });
    }
}

;// CONCATENATED MODULE: ./src/restoring/plan.ts



const plan_MOST = 40;
/** Puts what would be done, and what would be lost, into the report and the log. */
function tellRestorePlan(run, dump, found) {
    const { log, report, settings } = run;
    const { stopCommand, startCommand, afterCommand, checkCommand, safetyBackup } = settings.restore;
    const commands = Object.entries({
        'stop-command': stopCommand,
        'after-restore-command': afterCommand,
        'start-command': startCommand,
        'check-command': checkCommand,
    }).flatMap(([name, text]) => (text === null ? [] : [`${name}: ${(0,neutralise/* quoteOutside */.Y)(text, 200)}`]));
    const plan = {
        state: found.state,
        way: found.way,
        liveBytes: found.bytes,
        tables: sideBySide(found.tables, found.dumpTables),
        differences: found.differences,
        users: found.users.map((user) => (0,neutralise/* quoteOutside */.Y)(user, 200)),
        neededBytes: found.neededBytes,
        freeBytes: found.freeBytes,
        commands,
    };
    if (report.restore !== null)
        report.restore.plan = plan;
    const made = dump.manifest;
    const age = made === null ? '' : `, ${(0,format/* formatAge */.nV)(run.now().getTime() - Date.parse(made.createdAt))} old`;
    log.info(`backup: ${(0,neutralise/* quoteOutside */.Y)(report.restore?.from ?? dump.file, 300)}, ${(0,format/* formatBytes */.z3)(dump.bytes)}${age}`);
    log.info(found.state === 'missing'
        ? 'live: there is none, it will be created'
        : `live: ${(0,format/* formatBytes */.z3)(found.bytes)}${found.state === 'damaged' ? ', damaged' : ''}`);
    log.info(found.wayInWords);
    for (const { name, live, backup } of plan.tables.filter((table) => table.live !== table.backup).slice(0, plan_MOST)) {
        log.info(`  ${(0,neutralise/* quoteOutside */.Y)(name, 100)}: ${rows(live)} live, ${rows(backup)} in the backup`);
    }
    for (const line of plan.differences.slice(0, plan_MOST))
        log.info(`  ${line}`);
    for (const user of plan.users.slice(0, plan_MOST))
        log.info(`  in use by ${user}`);
    for (const command of commands)
        log.info(`  ${command}`);
    const free = found.freeBytes === null ? '' : `, ${(0,format/* formatBytes */.z3)(found.freeBytes)} free`;
    log.info(`space needed: ${(0,format/* formatBytes */.z3)(found.neededBytes)}${free}`);
    if (!safetyBackup && found.state !== 'missing') {
        (0,connect/* warn */.R8)(run, 'no backup of the present state is taken (safety-backup: false): what is in the live database now is lost');
    }
    for (const remark of found.remarks)
        (0,connect/* warn */.R8)(run, remark);
}
const rows = (count) => (count === null ? 'not there or not counted' : (0,format/* formatCount */.B4)(count));
/** By name, those of which rows are lost first. */
function sideBySide(live, backup) {
    const tables = new Map();
    for (const { name, rows } of live)
        tables.set(name, { live: rows, backup: null });
    for (const { name, rows } of backup ?? [])
        tables.set(name, { live: tables.get(name)?.live ?? null, backup: rows });
    const lost = ({ live, backup }) => (live ?? 0) - (backup ?? 0);
    return [...tables].map(([name, counts]) => ({ name, ...counts })).sort((a, b) => lost(b) - lost(a));
}

;// CONCATENATED MODULE: ./src/commands/restore.ts








/**
 * Puts a backup back: plan, safety backup, load beside the live database, check, swap, check again, or everything as it was. With `dry-run`
 * the plan alone. `report.restore.outcome` says in which state the live database is.
 */
async function restore(run) {
    const { settings, report } = run;
    const target = settings.restore.to ?? settings.database;
    const database = (0,lookup/* databaseOf */.zJ)(target, settings.dump);
    const { restoring } = database;
    const outcome = {
        target: restoring.target,
        from: '',
        outcome: 'unchanged',
        ms: null,
        safetyBackupId: null,
        plan: null,
    };
    report.restore = outcome;
    refuseEvent(run);
    if (!settings.dryRun)
        checkConfirm(run, restoring.targetName);
    await (0,directory/* connectedToChange */.RW)(run, async (connection) => {
        let source = await chooseSource(run, connection);
        outcome.from = source.from;
        const planFor = ({ dump }) => run.log.group(`Plan the restore into ${restoring.target}`, async () => {
            const look = settings.dryRun ? [] : [work(run)];
            const facts = await connection.send(...look, restoring.look(settings, dump));
            const found = restoring.plan(settings, facts, dump);
            tellRestorePlan(run, dump, found);
            if (found.state !== 'missing')
                checkTarget(run, dump, restoring.target, database.identity(facts));
            return { plan: found, identity: restoring.identity(facts) };
        });
        const planned = await planFor(source).catch(async (error) => {
            source = await insteadOfDamaged(run, source, error);
            return planFor(source);
        });
        const { dump, from, host } = source;
        if (!settings.dryRun) {
            await new Attempt(run, connection, { ...{ restoring, database, dump, from, host }, ...planned }, outcome).carryOut();
        }
        report.ok = true;
    });
}
/** A pull request may come from anybody. Throws E_EVENT. */
function refuseEvent({ github }) {
    if (github === null || !/^pull_request/.test(github.event))
        return;
    throw new errors/* BackupError */.hj('E_EVENT', `a restore is not run for the event ${(0,neutralise/* quoteOutside */.Y)(github.event, 60)}`, 'Restore from a workflow with `workflow_dispatch`, behind an environment with reviewers.');
}
/** Throws E_CONFIRM. */
function checkConfirm({ settings }, name) {
    const { confirm } = settings.restore;
    if (confirm === name)
        return;
    throw new errors/* BackupError */.hj('E_CONFIRM', confirm === null
        ? `confirm is empty: a restore replaces the database ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(name), 200)}, and asks for its name`
        : `confirm is ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(confirm), 200)}, and the database that would be replaced is ${(0,neutralise/* quoteOutside */.Y)(JSON.stringify(name), 200)}`, `Run with \`dry-run: true\` to see what would be lost. If that is meant, set \`confirm: ${(0,neutralise/* quoteOutside */.Y)(name, 200)}\`.`);
}

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __nccwpck_require__(8161);
;// CONCATENATED MODULE: ./src/proving/on-runner.ts










/**
 * Brings a backup by `bring` into a folder of the runner that is removed on every path, and proves it there, by the same program as on
 * the host. Throws what the proof on the host would; E_NOSPACE also for the disk of the runner.
 */
async function proveOnRunner(run, manifest, work, bring) {
    const folder = await (0,promises_.mkdtemp)((0,external_node_path_.join)(process.env.RUNNER_TEMP || (0,external_node_os_.tmpdir)(), 'db-backup-'));
    try {
        const directory = (0,external_node_path_.join)(folder, 'backups');
        await (0,promises_.mkdir)(directory, { mode: 0o700 });
        await checkRoom(directory, manifest.bytes);
        await bring((0,external_node_path_.join)(directory, manifest.file)).catch((error) => {
            if (error instanceof errors/* BackupError */.hj && error.code === 'E_NOSPACE')
                throw new errors/* BackupError */.hj(error.code, error.message, ROOM);
            throw error;
        });
        await describeHere(manifest, directory);
        return await prove(run, manifest, directory, work);
    }
    finally {
        await (0,promises_.rm)(folder, { recursive: true, force: true, maxRetries: 5 });
    }
}
async function checkRoom(folder, bytes) {
    const { bavail, bsize } = await (0,promises_.statfs)(folder);
    if (bavail * bsize >= bytes)
        return;
    throw new errors/* BackupError */.hj('E_NOSPACE', `the backup has ${(0,format/* formatBytes */.z3)(bytes)}, and ${(0,format/* formatBytes */.z3)(bavail * bsize)} are free on the runner (${folder})`, ROOM);
}
/** What is beside the payload. */
async function describeHere(manifest, directory) {
    const { id, file, sha256 } = manifest;
    await (0,promises_.writeFile)((0,external_node_path_.join)(directory, (0,names/* checksumFile */.uu)(file)), `${sha256}  ${file}\n`, { mode: 0o600 });
    await (0,promises_.writeFile)((0,external_node_path_.join)(directory, (0,names/* manifestFile */.YE)(id)), (0,backups_manifest/* serializeManifest */.MZ)(manifest), { mode: 0o600 });
}
/** The payload as it lies on the host. */
async function on_runner_pull(run, { send, host }, manifest, to) {
    const { report, settings, signal } = run;
    const { file, bytes, sha256 } = manifest;
    const sidecar = `${sha256}  ${file}`;
    const told = await send(['job', 'put_file', ['sidecar', (0,names/* checksumFile */.uu)(file)]]);
    if (told.get('sidecar')?.trimEnd() !== sidecar) {
        throw new errors/* BackupError */.hj('E_CHECKSUM', `${(0,names/* checksumFile */.uu)(file)} is not there, or does not say what the manifest says`, 'Do not rely on this backup: take a new one, and look at who can write that directory.');
    }
    const stage = beginStage(run, 'pull', bytes);
    await download(host, { directory: report.directory, file, bytes, sha256 }, to, {
        signal,
        idleTimeoutMs: settings.idleTimeoutMs,
        onProgress: stage.update,
    });
    stage.end(', SHA-256 as in the manifest');
}
async function prove(run, manifest, directory, work) {
    const { localHost } = await __nccwpck_require__.e(/* import() */ 337).then(__nccwpck_require__.bind(__nccwpck_require__, 9337));
    // neither the users nor the containers of the host are here
    const settings = { ...run.settings, runAs: null, container: null, directory };
    const there = { ...run, settings, report: { ...run.report, host: 'the runner', directory } };
    try {
        const request = run.database.verify(settings, manifest);
        return await (0,connect/* inSession */.Cp)(there, localHost(), ({ send }) => send(['request', 'open_directory', [directory, '077', 'change']], ['request', 'expect_work', [work]], request), 'In a step before this one');
    }
    catch (error) {
        if (!(error instanceof errors/* BackupError */.hj) || run.signal.aborted)
            throw error;
        const hint = error.code === 'E_NOSPACE' ? ROOM : error.hint;
        throw new errors/* BackupError */.hj(error.code, `on the runner: ${error.message}`, hint, { cause: error });
    }
}
const ROOM = 'Free some in a step before this one, take a runner with a larger disk, or use `verify-on: host`. What had been pulled was removed.';

;// CONCATENATED MODULE: ./src/proving/prove.ts








/** Proves it at the level asked for. Throws E_CHECKSUM, E_MANIFEST, E_ASSERT, or what became of the host or the runner. */
async function prove_prove(run, { id, manifest }, { onHost, pull }) {
    const { settings, database, log, report } = run;
    const started = performance.now();
    const work = (0,names/* formatId */.hX)(settings.name, run.now(), (0,external_node_crypto_.randomBytes)(2).toString('hex'));
    const facts = await log.group(`Verify ${id}`, () => settings.verifyOn === 'runner'
        ? proveOnRunner(run, manifest, work, pull)
        : onHost((there) => [['request', 'expect_work', [work]], database.verify(settings, there)]));
    database.checkProof(facts, manifest);
    report.tables = manifest.content?.tables ?? [];
    report.tablesLeftOut = manifest.content?.tablesLeftOut ?? 0;
    if (settings.verify === 'restore')
        checkAsserts(settings.asserts, facts);
    const ms = Math.round(performance.now() - started);
    log.info(`${id} is intact: ${settings.verify} verified in ${(0,format/* formatDuration */.a3)(ms)}${settings.verifyOn === 'runner' ? ' on the runner' : ''}`);
    report.ok = true;
    return { level: settings.verify, at: run.now().toISOString(), ...(settings.verify === 'restore' ? { ms } : {}) };
}
/** What says that the backup itself is not what it should be. */
const DAMAGED = ['E_CHECKSUM', 'E_MANIFEST'];
/** Keeps in the manifest on the host what was proven, when that is more than what it says, or that it is damaged. */
async function record(run, host, backup, proof) {
    const { manifest } = backup;
    const isMore = (0,backups_manifest/* isAtLeast */.du)(proof.level, manifest.verified.level);
    const now = new_manifest_backupOf({ ...manifest, verified: isMore || proof.level === 'none' ? proof : manifest.verified });
    run.report.backup = factsOf(run, now);
    const before = run.left;
    await host.change({ ...now, files: backup.files });
    if (proof.level === 'none' && before === 'backup-as-it-was')
        run.left = 'backup-marked';
}

;// CONCATENATED MODULE: ./src/commands/verify.ts















/**
 * Proves one existing backup at the level asked for, and records the level and the time in its manifest on the host. One that turns out
 * to be damaged there is recorded as not verified, so that retention does not count on it. One that the host has lost is taken from the
 * store, where nothing is ever overwritten, so that nothing is recorded there.
 */
async function verify(run) {
    const { backupInStore: located, dryRun } = run.settings;
    await (0,directory/* connectedToChange */.RW)(run, async (connection) => {
        const host = await HostPlace.open(run, connection, dryRun ? 'look' : 'change');
        await (located === null
            ? withSpare(run, host, (store) => verifyFound(run, host, store))
            : withNamed(run, host, located, (store, found) => proveStored(run, host, store, found)));
        run.report.ok = true;
    });
}
/** The one that is named, or the newest, whatever its state: it must be young enough, and nothing unreadable may be newer. */
async function verifyFound(run, host, store) {
    const id = run.settings.backup;
    const asked = id === null ? { by: 'newest' } : { by: 'id', id, toProve: true };
    if (id === null)
        warnOfAlarms(run, wholeOrAll(host.listed.backups));
    const { backup, spare } = await find(run, asked, host, store);
    if (id === null)
        checkAge(run, backup.createdAt);
    if (spare !== null && store !== null)
        return proveStored(run, host, store, spare);
    const partial = (0,backups_coverage/* showCoverage */.UQ)(backup.manifest.coverage ?? null);
    if (id === null && partial !== '') {
        (0,connect/* warn */.R8)(run, `${backup.id} does not cover everything (${(0,neutralise/* quoteOutside */.Y)(partial, 300)}), and no backup does`);
    }
    const copy = store === null ? null : await copyOf(run, store, backup);
    await (store === null || copy === null ? proveHere(run, host, backup) : proveStored(run, host, store, copy));
}
/** With `verify-on: runner` the copy in the store spares the host, when there is one of the same bytes. */
async function copyOf(run, store, { id, state, manifest }) {
    if (run.settings.verifyOn !== 'runner' || state === 'damaged')
        return null;
    const copy = await store.one(id).catch((error) => {
        run.signal.throwIfAborted();
        (0,connect/* warn */.R8)(run, `${id} is pulled from the host; the store did not help: ${(0,errors/* describe */.q0)(error).message}`);
        return null;
    });
    return copy?.backup.manifest.sha256 === manifest.sha256 ? copy : null;
}
async function proveHere(run, host, listed) {
    const { report } = run;
    const { connection } = host;
    const backup = await host.whole(listed);
    report.backup = factsOf(run, backup);
    if (!tellWhich(run, backup.id))
        return;
    try {
        const proof = await prove_prove(run, backup, {
            onHost: async (request) => connection.send(...request(backup.manifest)),
            pull: (to) => on_runner_pull(run, connection, backup.manifest, to),
        });
        await record(run, host, backup, proof);
    }
    catch (error) {
        if (error instanceof errors/* BackupError */.hj && DAMAGED.includes(error.code) && !report.ok) {
            await record(run, host, backup, { level: 'none', at: run.now().toISOString() }).catch(() => {
                (0,connect/* warn */.R8)(run, `that ${backup.id} is damaged could not be recorded in its manifest`);
            });
        }
        throw error;
    }
}
async function proveStored(run, host, store, found) {
    const { backup, uri } = found;
    const { connection } = host;
    if (backup === null) {
        throw new errors/* BackupError */.hj('E_MANIFEST', `${uri} has no manifest beside it, so nothing tells what it should hold`, '`command: verify` proves backups that this action made. `command: restore` takes any dump.');
    }
    run.report.backup = { ...factsOf(run, backup), path: uri };
    if (!tellWhich(run, uri))
        return;
    const proof = await prove_prove(run, backup, {
        onHost: async (request) => {
            // what is fetched has to lie somewhere
            if (host.facts.get('missing') !== null)
                await HostPlace.enter(run, connection, 'create', uri);
            const file = await fetchToHost(run, connection, store, found);
            return connection.send(...request({ ...backup.manifest, file }));
        },
        pull: (to) => fetchToRunner(run, store, found, to),
    }).catch((error) => {
        if (!(error instanceof errors/* BackupError */.hj) || !DAMAGED.includes(error.code))
            throw error;
        throw new errors/* BackupError */.hj(error.code, error.message, 'Do not rely on that copy; take another backup.', {
            cause: error,
        });
    });
    run.report.backup.verifiedLevel = proof.level;
    // What was proven are the bytes of the store: a backup whose own were found damaged does not become good by that.
    const own = host.listed.backups.find(({ id }) => id === backup.id);
    if ((own?.state === 'ok' || own?.state === 'suspect') && own.manifest.sha256 === backup.manifest.sha256) {
        return record(run, host, await host.whole(own), proof);
    }
    run.log.info('the level is recorded nowhere: the host does not have this backup, and nothing in the store is overwritten');
}
/** False when it is not to be done. */
function tellWhich({ settings, log }, what) {
    log.info(`${settings.dryRun ? 'would verify' : 'verifying'} ${what}, level ${settings.verify}`);
    return !settings.dryRun;
}

// EXTERNAL MODULE: ./src/platform/platform.ts + 11 modules
var platform = __nccwpck_require__(6242);
;// CONCATENATED MODULE: ./src/reporting/failure-text.ts


/** A message may end with what a tool has said, which may be a sentence. */
const ended = (message) => (/[.!?]$/.test(message) ? message : `${message}.`);
/** The text of a failure: the code, what happened, what to do, what was left as it was. */
function failureText(code, { message, hint, left }) {
    return (0,errors/* sentences */.hC)(`${code}: ${ended(message)}`, hint, src_left/* LEFT */.M3[left].text);
}

// EXTERNAL MODULE: ./src/reporting/log.ts
var reporting_log = __nccwpck_require__(48);
// EXTERNAL MODULE: ./src/reporting/report-json.ts
var report_json = __nccwpck_require__(789);
;// CONCATENATED MODULE: ./src/reporting/outputs.ts



/**
 * The value of `backup-ok`: a backup that counts was made, found young enough, or proven in this very run. Everything else is false,
 * also a suspect backup that was proven, a success of another command, a dry run, and a report that contradicts itself: the gate fails closed.
 */
function backupOk(report) {
    return (['backup', 'verify'].includes(report.command) &&
        report.ok &&
        report.errorCode === '' &&
        !report.dryRun &&
        report.backup !== null &&
        report.backup.state !== 'suspect');
}
/** The outputs of the step, in the order they are written. Unknown values are empty; `backup-ok` is last, and exactly `true` or `false`. */
function outputsOf(report) {
    const backup = report.backup;
    return [
        ['error-code', report.errorCode],
        ['backup-id', oneLine(backup?.id)],
        ['backup-path', oneLine(backup?.path)],
        ['sha256', oneLine(backup?.sha256)],
        ['bytes', number(backup?.bytes)],
        ['database-bytes', number(backup?.databaseBytes)],
        ['created-at', oneLine(backup?.createdAt)],
        ['duration-ms', number(backup?.durationMs)],
        ['verified-level', backup?.verifiedLevel ?? 'none'],
        ['kept', number(report.kept)],
        ['deleted', number(report.deleted)],
        ['s3-uri', oneLine(report.offsite?.uri)],
        ['s3-version-id', oneLine(report.offsite?.versionId ?? undefined)],
        ['restore-outcome', report.restore?.outcome ?? ''],
        ['restore-ms', number(report.restore?.ms)],
        ['safety-backup-id', oneLine(report.restore?.safetyBackupId ?? undefined)],
        ['newest-age-seconds', number(report.newestAgeSeconds)],
        ['report', (0,report_json/* reportJson */.l)(report)],
        ['backup-ok', backupOk(report) ? 'true' : 'false'],
    ];
}
/** Writes the outputs. Throws when the runner's file can not be written; `backup-ok` is then missing, and no gate opens. */
function writeOutputs(report) {
    for (const [name, value] of outputsOf(report))
        (0,platform/* platform */.i)().output(name, value);
}
function number(value) {
    return typeof value === 'number' && Number.isFinite(value) ? String(Math.round(value)) : '';
}
/** Workflows print these. Names are built from a strict grammar, so only a hostile value is changed. */
function oneLine(value) {
    return (0,neutralise/* neutralise */.$)(value ?? '').replaceAll('\n', ' ');
}

// EXTERNAL MODULE: ./src/reporting/report.ts
var reporting_report = __nccwpck_require__(4778);
;// CONCATENATED MODULE: ./src/reporting/markdown.ts


/**
 * GitHub-flavoured Markdown out of text that nobody vouches for. `core.summary` escapes nothing.
 *
 * Character references can never be structure (CommonMark 2.5), in table cells neither. GitHub looks for mentions, issue numbers
 * and links once more in the finished text, where references are characters again; a zero-width space behind the first character
 * keeps those apart.
 */
const ZERO_WIDTH_SPACE = '\u200b';
const SPECIAL = /[&<>"'`|\\*_~[\](){}!$^#@]|(?<=^\s*)[-+=]|(?<=^\s*\d{1,9})\./g;
/** One line of text, at most `maxCharacters` of it, safe in a paragraph, a heading or a table cell. */
function escapeCell(text, maxCharacters = 300) {
    return markdown_oneLine(text, maxCharacters)
        .replace(SPECIAL, (found) => `${reference(found)}${found === '@' || found === '#' ? ZERO_WIDTH_SPACE : ''}`)
        .replace(/:(?=\/\/)/g, `:${ZERO_WIDTH_SPACE}`)
        .replace(/\bwww(?=\.)/gi, (found) => found + ZERO_WIDTH_SPACE)
        .replace(/\bGH-(?=\d)/gi, (found) => found + ZERO_WIDTH_SPACE);
}
/** Text as inline code, also in table cells. Where a backtick span would not do, as HTML, since no backtick can close that. */
function code(text, maxCharacters = 300) {
    const line = markdown_oneLine(text, maxCharacters).trim();
    if (line === '')
        return '';
    if (/^[\w ./:,;=%+-]+$/.test(line))
        return `\`${line}\``;
    return `<code>${references(line)}</code>`;
}
/**
 * Inline code for paths and checksums: a narrow page may break it behind a slash and after 16 characters. By `<wbr>`, which is not
 * copied along, where a zero-width space would be.
 */
function longCode(text, maxCharacters = 300) {
    const parts = markdown_oneLine(text, maxCharacters)
        .trim()
        .match(/[^/]{1,16}\/?|\//gu);
    return parts === null ? '' : `<code>${parts.map(references).join('<wbr>')}</code>`;
}
/** Text with line breaks, in which `...` between backticks is code, as in this project's messages. */
function prose(text, maxCharacters = 1000) {
    return (0,format/* clip */.$Q)(text, maxCharacters)
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => line
        .split(/`([^`]+)`/)
        .map((part, i) => (i % 2 === 1 ? code(part, maxCharacters) : escapeCell(part, maxCharacters)))
        .join(''))
        .join('<br>');
}
/** A block of code that nothing within it can close. Lines as given, made safe to print. */
function fenced(language, text) {
    const safe = (0,neutralise/* neutralise */.$)(text);
    const longest = Math.max(2, ...Array.from(safe.matchAll(/`+/g), (run) => run[0].length));
    const fence = '`'.repeat(longest + 1);
    return `${fence}${language}\n${safe}\n${fence}`;
}
/** `title` is Markdown that has been escaped already. */
function folded(title, content) {
    return `<details>\n<summary>${title}</summary>\n\n${content}\n\n</details>`;
}
/** A table bounded in what it shows and in what it weighs. */
function table(columns, items, { visible, maxBytes, noun }) {
    const rows = linesWithin(items, maxBytes, (item) => `| ${columns.map((column) => column.cell(item)).join(' | ')} |`);
    const head = [
        `| ${columns.map((column) => column.title).join(' | ')} |`,
        `| ${columns.map((column) => (column.right ? '---:' : ':---')).join(' | ')} |`,
    ];
    const parts = [[...head, ...rows.slice(0, visible)].join('\n')];
    const rest = rows.slice(visible);
    if (rest.length > 0)
        parts.push(folded((0,format/* counted */.hS)(rest.length, `more ${noun}`), [...head, ...rest].join('\n')));
    const left = items.length - rows.length;
    if (left > 0)
        parts.push(`${(0,format/* counted */.hS)(left, `more ${noun}`)}, not shown here.`);
    return parts.join('\n\n');
}
/** The first items as lines, as many as fit into `maxBytes`; renders none that is not needed. */
function linesWithin(items, maxBytes, render) {
    const lines = [];
    let bytes = 0;
    for (const item of items) {
        const line = render(item);
        bytes += Buffer.byteLength(line) + 1;
        if (bytes > maxBytes)
            break;
        lines.push(line);
    }
    return lines;
}
/** Everything but letters, digits and blanks as references: within HTML tags Markdown is still read. */
function references(line) {
    return line.replace(/[^\p{L}\p{N} …]/gu, reference);
}
function reference(characters) {
    return Array.from(characters, (character) => `&#${character.codePointAt(0)};`).join('');
}
function markdown_oneLine(text, maxCharacters) {
    return (0,neutralise/* neutralise */.$)((0,format/* clip */.$Q)(text, maxCharacters)).replaceAll('\n', ' ');
}

;// CONCATENATED MODULE: ./src/reporting/restore-summary.ts


const OUTCOMES = {
    '': 'not known',
    restored: '**restored**',
    unchanged: '**unchanged**: nothing was replaced',
    'rolled-back': '**rolled back**: it is as it was before the restore',
    'rollback-failed': '**roll-back failed**',
};
const STATES = {
    sound: '',
    damaged: ', **damaged**',
    missing: 'not there, would be created',
};
/** What a restore met, did and left. */
function restoreSection(restore) {
    const rows = [
        ['Live database', OUTCOMES[restore.outcome]],
        ['Target', longCode(restore.target)],
        ['Restored from', longCode(restore.from)],
    ];
    if (restore.safetyBackupId !== null)
        rows.push(['Safety backup', `${code(restore.safetyBackupId, 160)}, pinned`]);
    if (restore.ms !== null)
        rows.push(['Loaded and swapped in', (0,format/* formatDuration */.a3)(restore.ms)]);
    const { plan } = restore;
    if (plan !== null) {
        const size = plan.state === 'missing' ? '' : (0,format/* formatBytes */.z3)(plan.liveBytes);
        rows.push(['Before', `${size}${STATES[plan.state]}`], ['Way', escapeCell(plan.way, 40)]);
        const free = plan.freeBytes === null ? '' : `, ${(0,format/* formatBytes */.z3)(plan.freeBytes)} free`;
        rows.push(['Space needed', `${(0,format/* formatBytes */.z3)(plan.neededBytes)}${free}`]);
    }
    const [head, ...body] = rows.map(([name, value]) => `| ${name} | ${value} |`);
    const facts = [head, '| :--- | :--- |', ...body].join('\n');
    return ['### Restore', facts, ...(plan === null ? [] : details(plan))].filter((part) => part !== '').join('\n\n');
}
function details(plan) {
    return [
        plan.tables.length === 0 ? '' : table(TABLES, plan.tables, { visible: 15, maxBytes: 25_000, noun: 'table' }),
        restore_summary_list('Only one of both has it, or it differs:', plan.differences),
        restore_summary_list('In use by:', plan.users),
        restore_summary_list('Commands:', plan.commands),
    ];
}
const TABLES = [
    { title: 'Table', cell: ({ name }) => code(name, 100) },
    { title: 'Rows live, before', cell: ({ live }) => restore_summary_rows(live), right: true },
    { title: 'Rows in the backup', cell: ({ backup }) => restore_summary_rows(backup), right: true },
];
const restore_summary_rows = (count) => (count === null ? '' : (0,format/* formatCount */.B4)(count));
function restore_summary_list(title, lines) {
    if (lines.length === 0)
        return '';
    const items = linesWithin(lines, 8_000, (line) => `- ${escapeCell(line, 300)}`);
    const left = lines.length - items.length;
    return [title, '', ...items, ...(left > 0 ? [`- and ${(0,format/* formatCount */.B4)(left)} more`] : [])].join('\n');
}

;// CONCATENATED MODULE: ./src/reporting/size-trend.ts

const MAX_BACKUPS = 20;
const WIDTH = 900;
const LABEL_FONT = 11;
/** What the scale on the left takes. */
const MARGIN = 70;
/**
 * The sizes of the newest backups, oldest first, as a mermaid chart; null when there are not two to compare. Nothing in it comes
 * from outside but numbers and dates, written anew, so it needs no escaping. `backups` is newest first.
 */
function sizeTrend(backups) {
    let points = backups
        .filter((backup) => backup.state === 'ok' && isSize(backup.databaseBytes) && isSize(backup.bytes))
        .flatMap(({ databaseBytes, bytes, createdAt }) => {
        const time = (0,format/* parseTime */.pe)(createdAt);
        return time === null ? [] : [{ databaseBytes, bytes, time }];
    })
        .slice(0, MAX_BACKUPS)
        .reverse();
    if (points.length < 2)
        return null;
    let labels = dateLabels(points.map((point) => point.time));
    while (!haveRoom(labels)) {
        points = points.slice(1);
        labels = dateLabels(points.map((point) => point.time));
    }
    const series = (sizes) => `[${sizes.map(megabytes).join(', ')}]`;
    const largest = Math.max(...points.map((point) => Math.max(point.databaseBytes, point.bytes)));
    return [
        '---',
        'config:',
        '  themeVariables:',
        '    xyChart:',
        // Read on white and on dark, whose theme would paint a grey box.
        '      backgroundColor: "transparent"',
        '      plotColorPalette: "#3b82f6, #f59e0b"',
        '  xyChart:',
        `    width: ${WIDTH}`,
        '    height: 320',
        '    titleFontSize: 16',
        '    xAxis:',
        `      labelFontSize: ${LABEL_FONT}`,
        '---',
        'xychart-beta',
        '  title "Size of the database (bars) and of its backup (line)"',
        `  x-axis [${labels.map((label) => `"${label}"`).join(', ')}]`,
        `  y-axis "MB" 0 --> ${megabytes(Math.max(largest * 1.1, 1))}`,
        `  bar ${series(points.map((point) => point.databaseBytes))}`,
        `  line ${series(points.map((point) => point.bytes))}`,
    ].join('\n');
}
/** The shortest form in which no two are the same: mermaid draws equal labels as one. `times` is oldest first. */
function dateLabels(times) {
    const iso = times.map((time) => time.toISOString());
    const day = (text) => text.slice(5, 10);
    const hour = (text) => text.slice(11, 16);
    const second = (text) => text.slice(11, 19);
    const forms = [
        day,
        (text) => `${text.slice(8, 10)} ${hour(text)}`,
        (text) => `${day(text)} ${hour(text)}`,
    ];
    // Within one day the date would only take room.
    if (new Set(iso.map((text) => text.slice(0, 10))).size === 1)
        forms.unshift(hour, second);
    for (const form of forms) {
        const labels = iso.map(form);
        if (new Set(labels).size === labels.length)
            return labels;
    }
    return iso.map((text, i) => `${i + 1}: ${day(text)}`);
}
/** Mermaid writes labels over each other rather than leave one out. Digits are about 0.6 of the font size wide. */
function haveRoom(labels) {
    const widest = Math.max(...labels.map((label) => label.length)) * 0.6 * LABEL_FONT + 8;
    return labels.length <= 2 || labels.length * widest <= WIDTH - MARGIN;
}
/** Plain decimals: the chart's grammar knows no exponents. */
function megabytes(bytes) {
    const value = bytes / 1e6;
    return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(6);
}
function isSize(value) {
    return Number.isFinite(value) && value >= 0 && value < 1e18;
}

;// CONCATENATED MODULE: ./src/reporting/summary-tables.ts



const PROOFS = {
    none: '**not verified**',
    checksum: 'checksum: every byte was read back and compared with what was written',
    content: "content: every byte was read by the database's own tools, objects counted against the source",
    restore: 'restore: restored into a throw-away database, rows counted',
};
/** What is known of the backup and where it is, as rows of two cells. */
function backupFacts(report) {
    const rows = [];
    const backup = report.backup;
    if (backup !== null) {
        rows.push(['Backup', code(backup.id, 160)], ['Taken', `${when(backup.createdAt)} UTC, in ${(0,format/* formatDuration */.a3)(backup.durationMs)}`], ['Size', sizes(backup)], [
            'Verified',
            PROOFS[backup.verifiedLevel] +
                unrestored(report, backup) +
                (backup.state === 'ok' ? '' : ` (state: **${backup.state}**)`),
        ], ['SHA-256', longCode(backup.sha256, 64)], ['File', longCode(backup.path)]);
        if (backup.partial !== undefined)
            rows.push(['Covers', `**not everything**: ${escapeCell(backup.partial, 300)}`]);
        if (backup.pinned !== null)
            rows.push(['Pinned', escapeCell(backup.pinned)]);
        if (report.offsite !== null)
            rows.push(['Off-site', offsite(report.offsite, report.command === 'backup' ? STORED : FETCHED)]);
    }
    else if (report.directory !== '')
        rows.push(['Directory', longCode(report.directory)]);
    if (report.database !== '')
        rows.push(['Database', longCode(report.database)]);
    if (report.host !== '')
        rows.push(['Host', code(report.host, 260)]);
    const { backups, backupsBytes, freeBytes } = report.storage;
    if (backups > 0 || freeBytes !== null) {
        const free = freeBytes === null ? '' : `; ${(0,format/* formatBytes */.z3)(freeBytes)} free`;
        rows.push(['Stored', `${(0,format/* counted */.hS)(backups, 'backup')}, ${(0,format/* formatBytes */.z3)(backupsBytes)}${free}`]);
    }
    if (report.s3 !== null) {
        const { uri, backups, backupsBytes } = report.s3;
        rows.push(['In S3', `${(0,format/* counted */.hS)(backups, 'backup')}, ${(0,format/* formatBytes */.z3)(backupsBytes)}, in ${longCode(uri)}`]);
    }
    if (report.newestAgeSeconds !== null && report.skipped === null && !report.ok) {
        rows.push(['Newest backup', `${(0,format/* formatAge */.nV)(report.newestAgeSeconds * 1000)} old`]);
    }
    return rows;
}
/** What a logical dump calls while it is loaded is tried by loading one alone. */
function unrestored({ command, backups }, { engine, verifiedLevel }) {
    const isAbout = (command === 'backup' || command === 'verify') && verifiedLevel !== 'none';
    if (!isAbout ||
        !(0,backups_format/* formatNamed */.vq)(engine).logical ||
        [verifiedLevel, ...backups.map((one) => one.verifiedLevel)].includes('restore'))
        return '';
    return '; **never restored yet**: no backup that is there was proven by `verify: restore`, which alone tells that a dump can be loaded';
}
const STORED = {
    host: 'uploaded straight from the host, read back',
    runner: 'uploaded through the runner, read back',
    none: 'it was there already, read back',
};
const FETCHED = { host: 'fetched by the host', runner: 'fetched through the runner', none: '' };
function offsite({ uri, versionId, via, lockedUntil }, ways) {
    const version = versionId === null ? '' : `, version ${code(versionId, 100)}`;
    const lock = lockedUntil === null ? '' : `, locked until ${when(lockedUntil)} UTC`;
    return `${longCode(uri)}${version}, ${ways[via]}${lock}`;
}
function sizes({ databaseBytes, bytes, compression }) {
    const database = `database **${(0,format/* formatBytes */.z3)(databaseBytes)}**`;
    if (compression === 'none')
        return `${database}, stored uncompressed (${(0,format/* formatBytes */.z3)(bytes)})`;
    const ratio = bytes > 0 && databaseBytes > bytes * 1.05 ? `, ${(databaseBytes / bytes).toFixed(1)} times smaller` : '';
    return `${database}, backup **${(0,format/* formatBytes */.z3)(bytes)}** (${compression}${ratio})`;
}
const BACKUP_ROWS = { visible: 30, maxBytes: 40_000, noun: 'backup' };
/** Every decision of the retention plan with its reasons, newest first: of that on the host, then of that in the S3 store. */
function retentionTables(report) {
    const { retention, kept, deleted, s3 } = report;
    const tables = retention.length === 0 ? [] : [retentionTable(report, '', { retention, kept, deleted })];
    if (s3 !== null && s3.retention.length > 0) {
        const { retention, backups, deleted, hidden } = s3;
        const versions = hidden
            ? '\n\nThe bucket keeps versions: what was deleted is hidden, and takes space until a lifecycle rule removes it.'
            : '';
        tables.push(retentionTable(report, ' in S3', { retention, kept: backups, deleted }) + versions);
    }
    return tables.join('\n\n');
}
function retentionTable(report, where, { retention, kept, deleted }) {
    const facts = new Map(report.backups.map((backup) => [backup.id, backup]));
    const drops = retention.filter((decision) => !decision.keep).length;
    // A plan that was not carried out whole must not read as if it had been.
    const carriedOut = !report.dryRun && deleted === drops;
    const keep = carriedOut ? 'kept' : 'keep';
    const drop = carriedOut ? '**deleted**' : '**delete**';
    const title = carriedOut
        ? `### Retention${where}: ${(0,format/* formatCount */.B4)(kept)} kept, ${(0,format/* formatCount */.B4)(deleted)} deleted`
        : `### Retention plan${where}: ${(0,format/* formatCount */.B4)(retention.length - drops)} to keep, ${(0,format/* formatCount */.B4)(drops)} to delete`;
    const caution = carriedOut || report.dryRun
        ? ''
        : `The plan was not carried out whole: ${(0,format/* formatCount */.B4)(deleted)} of ${(0,format/* formatCount */.B4)(drops)} were deleted.\n\n`;
    const columns = [
        { title: 'Backup', cell: ({ id }) => code(id, 160) },
        { title: carriedOut ? 'Outcome' : 'Plan', cell: (decision) => (decision.keep ? keep : drop) },
        { title: 'Why', cell: (decision) => escapeCell(reasons(decision), 200) },
        { title: 'Database', cell: ({ id }) => size(facts.get(id)?.databaseBytes), right: true },
        { title: 'File', cell: ({ id }) => size(facts.get(id)?.bytes), right: true },
    ];
    return `${title}\n\n${caution}${table(columns, retention, BACKUP_ROWS)}`;
}
/** Cut one by one before they are joined: they may be huge. */
function reasons(decision) {
    return decision.reasons
        .slice(0, 10)
        .map((reason) => (0,format/* clip */.$Q)(reason, 200))
        .join(', ');
}
const CATALOGUE = [
    { title: 'Backup', cell: ({ id }) => code(id, 160) },
    { title: 'Taken (UTC)', cell: ({ createdAt }) => when(createdAt) },
    { title: 'Verified', cell: ({ state, verifiedLevel }) => (state === 'ok' ? verifiedLevel : `⚠️ ${state}`) },
    { title: 'Database', cell: ({ databaseBytes }) => size(databaseBytes), right: true },
    { title: 'File', cell: ({ bytes }) => size(bytes), right: true },
    {
        title: 'Made for',
        cell: ({ reason, pinned, partial }) => escapeCell(reason, 40) +
            (partial === undefined ? '' : `, partial: ${escapeCell(partial, 100)}`) +
            (pinned === null ? '' : `, 📌 ${escapeCell(pinned, 100) || 'pinned'}`),
    },
];
const WHERE = { title: 'Where', cell: ({ places }) => (0,format/* showPlaces */.Ky)(places) };
/** The catalogue, newest first; null when it is empty. */
function backupTable(report) {
    if (report.backups.length === 0)
        return null;
    const [id, ...others] = CATALOGUE;
    const columns = report.s3 === null || id === undefined ? CATALOGUE : [id, WHERE, ...others];
    return `### Backups\n\n${table(columns, report.backups, BACKUP_ROWS)}`;
}
const CONTENTS = [
    { title: 'Table', cell: ({ name }) => code(name, 100) },
    { title: 'Rows', cell: ({ rows }) => (rows === null ? 'not counted' : (0,format/* formatCount */.B4)(rows)), right: true },
];
/** The tables in the backup, largest first; null when none were counted. */
function databaseTables({ tables, tablesLeftOut, foreignKeyViolations, }) {
    if (tables.length === 0)
        return null;
    const largestFirst = [...tables].sort((a, b) => (b.rows ?? 0) - (a.rows ?? 0));
    const counts = tables.flatMap(({ rows }) => (rows === null ? [] : [rows]));
    const violations = foreignKeyViolations > 0
        ? `⚠️ Foreign keys: ${(0,format/* counted */.hS)(foreignKeyViolations, 'row')} without the row pointed to. It is so in the live database; the backup is a faithful copy.\n\n`
        : '';
    const shown = table(CONTENTS, largestFirst, { visible: 15, maxBytes: 25_000, noun: 'table' });
    const left = tablesLeftOut > 0
        ? `The manifest lists the largest ${(0,format/* formatCount */.B4)(tables.length)} of them; the rows are those of these. All tables are in the backup.\n\n`
        : '';
    return `### Contents: ${(0,format/* counted */.hS)(tables.length + tablesLeftOut, 'table')}, ${totalOf(counts, tables.length + tablesLeftOut)}\n\n${violations}${left}${shown}`;
}
/** Of all tables, as far as their rows are known. */
function totalOf(counts, tables) {
    const rows = (0,format/* counted */.hS)(counts.reduce((sum, one) => sum + one, 0), 'row');
    const left = tables - counts.length;
    if (left === 0)
        return rows;
    if (counts.length === 0)
        return 'rows not counted';
    return `at least ${rows} (${(0,format/* counted */.hS)(left, 'table')} not counted)`;
}
const CHANGES = [
    { title: 'Table', cell: ({ name }) => code(name, 100) },
    { title: 'Change', cell: ({ change }) => CHANGED[change] },
    { title: 'Rows before', cell: ({ before }) => (before === null ? '' : (0,format/* formatCount */.B4)(before)), right: true },
    { title: 'Rows now', cell: ({ after }) => (after === null ? '' : (0,format/* formatCount */.B4)(after)), right: true },
];
const CHANGED = {
    gone: '**gone**',
    fewer: 'fewer rows',
    more: 'more rows',
    new: 'new',
};
/** What is not as in the backup before; null when there was none to compare with, or nothing has changed. */
function changesTable(changes) {
    if (changes === undefined || changes.tables.length === 0)
        return null;
    const shown = table(CHANGES, changes.tables, { visible: 15, maxBytes: 15_000, noun: 'table' });
    return `### Changed since the previous backup\n\nSince ${code(changes.since, 160)}:\n\n${shown}`;
}
/** A size that a narrow column does not break. */
function size(bytes) {
    return bytes === undefined ? '' : (0,format/* formatBytes */.z3)(bytes).replace(' ', '\u00a0');
}
/** `2026-11-20 10:15`, from an ISO time that is written anew rather than trusted. Neither hyphens nor blank break. */
function when(createdAt) {
    const time = (0,format/* parseTime */.pe)(createdAt);
    if (time === null)
        return escapeCell(createdAt, 40);
    return time.toISOString().slice(0, 16).replaceAll('-', '\u2011').replace('T', '\u00a0');
}

;// CONCATENATED MODULE: ./src/reporting/verdict.ts



/**
 * What came of the run, in one sentence. `quote` marks names: it gets them as they are and returns what may be shown.
 * A tick stands only where a backup counts, or the command did all that it was asked for, without a warning.
 */
function verdict(report, quote) {
    const of = report.name === '' ? '' : ` of ${quote(report.name)}`;
    if (!report.ok)
        return { icon: '❌', text: (report.dryRun ? 'Dry run: ' : '') + failure(report, of) };
    if (report.dryRun)
        return { icon: '⚠️', text: `Dry run, nothing was changed: ${intention(report, of, quote)}` };
    const { good, text } = success(report, of, quote);
    const problems = report.problems.length;
    return {
        icon: good && problems === 0 ? '✅' : '⚠️',
        text: problems === 0 ? text : `${text}, with ${(0,format/* counted */.hS)(problems, 'problem')}`,
    };
}
const ATTEMPTS = {
    backup: (of) => `Backup${of}`,
    restore: (of) => `Restore${of}`,
    verify: (of) => `Verification of a backup${of}`,
    list: (of) => `List of the backups${of}`,
    accept: (of) => `Acceptance of a backup${of}`,
    prune: (of) => `Retention${of}`,
    delete: (of) => `Deletion of a backup${of}`,
    pin: (of) => `Pinning of a backup${of}`,
    unpin: (of) => `Unpinning of a backup${of}`,
};
/** What a restore that failed has left. */
const verdict_OUTCOMES = {
    '': 'whether the live database was replaced is not known',
    restored: 'the live database is the restored one, but not everything after it was done',
    unchanged: 'the live database is unchanged',
    'rolled-back': 'the live database was rolled back to what it was',
    'rollback-failed': 'THE LIVE DATABASE NEEDS YOU',
};
function failure(report, of) {
    if (report.restore !== null) {
        return `Restore${of} failed, ${verdict_OUTCOMES[report.restore.outcome]}: ${report.errorCode || 'E_INTERNAL'}`;
    }
    const attempt = ATTEMPTS[report.command](of);
    const made = report.command === 'backup' && report.backup !== null ? ' was made, but the run failed' : ' failed';
    return `${attempt}${made}: ${report.errorCode || 'E_INTERNAL'}`;
}
function intention(report, of, quote) {
    const { drop } = planned(report.retention);
    const rotation = wouldBe(report.retention);
    const id = report.backup === null ? 'the backup' : quote(report.backup.id);
    switch (report.command) {
        case 'backup':
            return report.skipped === null
                ? `${report.checked.length > 0 ? `what a backup${of} needs is there` : `no backup${of} was taken`}${drop > 0 ? `, ${rotation}` : ''}`
                : `no backup${of} would be taken, one is young enough`;
        case 'restore':
            return `${from(report, quote)} would be restored${of === '' ? '' : ` in the place${of}`}`;
        case 'verify':
            return `${id}${of} would be verified`;
        case 'list':
            return `${(0,format/* counted */.hS)(report.backups.length, 'backup')}${of}`;
        case 'accept':
            return `${id} would be accepted as a good one`;
        case 'prune':
            return `of the backups${of}, ${rotation}${report.s3 === null ? '' : `; in S3, ${wouldBe(report.s3.retention)}`}`;
        case 'delete':
            return `${id} would be deleted`;
        case 'pin':
            return `${id} would be pinned`;
        case 'unpin':
            return `${id} would be unpinned`;
    }
}
function success(report, of, quote) {
    const backup = report.backup;
    const id = backup === null ? 'the backup' : quote(backup.id);
    switch (report.command) {
        case 'backup': {
            if (backup === null || !backupOk(report))
                return { good: false, text: `No backup${of} was made` };
            const proof = verdict_PROOFS[backup.verifiedLevel];
            if (report.skipped !== null) {
                const age = report.newestAgeSeconds;
                const old = age === null ? '' : `, ${(0,format/* formatAge */.nV)(age * 1000)} old`;
                return {
                    good: backup.verifiedLevel !== 'none',
                    text: `An existing backup${of} is young enough${old}: ${proof}`,
                };
            }
            return backup.verifiedLevel === 'none'
                ? { good: false, text: `Backup${of} was made, but is ${proof}` }
                : { good: true, text: `Backup${of} is good: ${proof}` };
        }
        case 'restore':
            return { good: true, text: `Restored ${from(report, quote)}` };
        case 'verify':
            return { good: true, text: `Backup ${id}${of} is intact: ${verdict_PROOFS[backup?.verifiedLevel ?? 'none']}` };
        case 'list': {
            const count = report.backups.length;
            if (count === 0)
                return { good: false, text: `There is no backup${of}` };
            const suspect = report.backups.filter((one) => one.state === 'suspect').length;
            const bad = report.backups.filter((one) => one.state !== 'ok').length - suspect;
            const age = report.newestAgeSeconds === null ? '' : `, the newest is ${(0,format/* formatAge */.nV)(report.newestAgeSeconds * 1000)} old`;
            return {
                good: bad + suspect === 0,
                text: `${(0,format/* counted */.hS)(count, 'backup')}${of}${suspect > 0 ? `, ${suspect} suspect` : ''}${bad > 0 ? `, ${bad} not verified` : ''}${age}`,
            };
        }
        case 'accept':
            return { good: true, text: `Backup ${id}${of} is accepted: it counts as a good one` };
        case 'prune':
            return { good: true, text: `Retention${of}: ${report.deleted} deleted, ${report.kept} kept${inS3(report)}` };
        case 'delete':
            return { good: true, text: `Deleted backup ${id}${of}` };
        case 'pin':
            return { good: true, text: `Pinned backup ${id}${of}: retention leaves it alone` };
        case 'unpin':
            return { good: true, text: `Unpinned backup ${id}${of}: retention may delete it` };
    }
}
/** Which backup, or dump of somebody else, a restore is about. */
function from({ restore }, quote) {
    return restore === null || restore.from === '' ? 'the backup' : quote(restore.from);
}
const verdict_PROOFS = {
    none: 'not verified',
    checksum: 'checksum verified',
    content: 'content verified',
    restore: 'restore verified',
};
function planned(retention) {
    const keep = retention.filter((decision) => decision.keep).length;
    return { keep, drop: retention.length - keep };
}
function wouldBe(retention) {
    const { keep, drop } = planned(retention);
    return `${drop} would be deleted, ${keep} kept`;
}
function inS3({ s3 }) {
    return s3 === null ? '' : `; in S3 ${s3.deleted} deleted, ${s3.backups} kept`;
}
/** What a failed run left as it was; claims no more than the report shows. */
function leftUntouched({ dryRun, error, restore, deleted, s3 }) {
    if (dryRun)
        return 'Everything: this was a dry run.';
    const sentences = [src_left/* LEFT */.M3[error?.left ?? 'changed-in-part'].text];
    if (restore !== null && restore.safetyBackupId !== null) {
        sentences.push(`The state before the restore is also in ${restore.safetyBackupId}, which is pinned.`);
    }
    const inStore = s3?.deleted ?? 0;
    const gone = [
        ...(deleted > 0 ? [`${(0,format/* counted */.hS)(deleted, 'backup')}${inStore > 0 ? ' on the host' : ''}`] : []),
        ...(inStore > 0 ? [`${(0,format/* counted */.hS)(inStore, 'backup')} in S3`] : []),
    ];
    if (gone.length > 0)
        sentences.push(`${gone.join(' and ')} had been deleted before the failure.`);
    return sentences.join(' ');
}

;// CONCATENATED MODULE: ./src/reporting/summary.ts








/**
 * The job summary: the verdict first, then what it rests on. GitHub-flavoured Markdown in which every text from outside is
 * escaped; well under 200 kB whatever the report holds (GitHub drops a summary over 1 MiB).
 */
function renderSummary(report) {
    const { icon, text } = verdict(report, (name) => code(name, 100));
    const sections = [
        `## ${icon} ${text}`,
        notes(report),
        report.ok ? null : failureSection(report),
        problemsSection(report.problems.filter((problem) => problem.message !== report.error?.message)),
        factsSection(report),
        checkedSection(report.checked),
        notesSection(report.notes),
        report.restore === null ? null : restoreSection(report.restore),
        backupsSection(report),
        trendSection(report),
        changesTable(report.changes),
        databaseTables(report),
        recoverySection(report),
    ];
    return `${sections.filter((section) => section !== null && section !== '').join('\n\n')}\n`;
}
/** Appends to the summary of the step. Rejects when there is no summary file or it can not be written. */
async function writeSummary(report) {
    await (0,platform/* platform */.i)().summary(renderSummary(report));
}
function notes(report) {
    const paragraphs = [];
    if (report.dryRun)
        paragraphs.push(`**This was a dry run: nothing was changed on the host.** What follows is ${report.checked.length > 0 ? 'what was looked at, and ' : ''}the plan.`);
    if (report.skipped !== null)
        paragraphs.push(`No new backup was taken: ${prose(report.skipped, 500)}`);
    return paragraphs.length === 0 ? null : paragraphs.join('\n\n');
}
function failureSection(report) {
    const errorCode = report.errorCode || 'E_INTERNAL';
    const happened = report.error?.message ?? 'The run failed without an error message. This is a bug of this action.';
    return [
        `**What happened**<br>${prose(happened, 2000)}`,
        `**Usual cause of \`${errorCode}\`**<br>${prose(errors/* ERRORS */.Sr[errorCode].cause)}`,
        `**What to do**<br>${prose(report.error?.hint ?? errors/* ERRORS */.Sr[errorCode].fix, 1000)}`,
        `**Left as it was**<br>${prose(leftUntouched(report))}`,
    ].join('\n\n');
}
const MAX_PROBLEMS_BYTES = 25_000;
function problemsSection(problems) {
    if (problems.length === 0)
        return null;
    const items = linesWithin(problems, MAX_PROBLEMS_BYTES, ({ level, code: errorCode, message }) => {
        const label = errorCode === undefined ? '' : `\`${errorCode}\` `;
        return `- ${level === 'error' ? '❌' : '⚠️'} ${label}${prose(message, 500)}`;
    });
    const left = problems.length - items.length;
    if (left > 0)
        items.push(`- and ${(0,format/* formatCount */.B4)(left)} more, in the log`);
    return `### Problems\n\n${items.join('\n')}`;
}
const MAX_NOTES_BYTES = 5_000;
function notesSection(all) {
    if (all.length === 0)
        return null;
    return `### Notes\n\n${linesWithin(all, MAX_NOTES_BYTES, (note) => `- ${prose(note, 500)}`).join('\n')}`;
}
/** What a backup needs, and was there. */
function checkedSection(checked) {
    if (checked.length === 0)
        return null;
    const rows = checked.map(({ what, found }) => `| ${escapeCell(what, 60)} | ${escapeCell(found, 600)} |`);
    return `### Looked at\n\n| What a backup needs | Found |\n| :--- | :--- |\n${rows.join('\n')}`;
}
function factsSection(report) {
    const rows = backupFacts(report);
    const stages = report.stages.slice(0, 12).map((stage) => {
        const rate = stage.bytes !== undefined && stage.ms >= 1000 ? ` (${(0,format/* formatRate */.CE)(stage.bytes, stage.ms)})` : '';
        return `${escapeCell(stage.name, 40)} ${(0,format/* formatDuration */.a3)(stage.ms)}${rate}`;
    });
    rows.push(['Time', [`**${(0,format/* formatDuration */.a3)(report.durationMs)}**`, ...stages].join(' · ')]);
    // The first fact is the head: Markdown has no table without one, and an empty one is drawn as an empty row.
    const [head, ...body] = rows.map(([name, value]) => `| ${name} | ${value} |`);
    return [head, '| :--- | :--- |', ...body].join('\n');
}
function backupsSection(report) {
    const planned = report.retention.length > 0 || (report.s3?.retention.length ?? 0) > 0;
    return planned ? retentionTables(report) : backupTable(report);
}
function trendSection(report) {
    const chart = sizeTrend(report.backups);
    return chart === null ? null : `### Size\n\n${fenced('mermaid', chart)}`;
}
const MAX_RECOVERY_BYTES = 10_000;
function recoverySection(report) {
    if (report.recovery.length === 0)
        return null;
    const title = '### How to restore by hand';
    // Half of the commands would be worse than none.
    if (linesWithin(report.recovery, MAX_RECOVERY_BYTES, (line) => line).length < report.recovery.length) {
        return `${title}\n\nThe commands are too long to show here; the manifest beside the backup has them, under \`recovery\`.`;
    }
    return `${title}\n\nStock tools, on the host:\n\n${fenced('sh', report.recovery.join('\n'))}`;
}

;// CONCATENATED MODULE: ./src/restoring/unfinished.ts








/** More were not cut off: a host that tells of more and more is not gone along with. */
const unfinished_MOST = 100;
/** These say nothing about the restore that was cut off. */
const unfinished_OF_THE_RUN = ['E_REMOTE_LOST', 'E_TIMEOUT', 'E_CANCELLED'];
/** The same connection, on which restores that were cut off are brought to an end before anything else is done. */
function finishingFirst(run, connection) {
    return {
        ...connection,
        send: async (...requests) => {
            for (let left = unfinished_MOST;; left--) {
                try {
                    return await connection.send(...requests);
                }
                catch (error) {
                    const [text] = connection.said('journal');
                    const [file] = connection.said('journal_file');
                    if (!(error instanceof errors/* BackupError */.hj) || error.code !== 'E_UNFINISHED')
                        throw error;
                    if (text === undefined || file === undefined || left === 0)
                        throw error;
                    await deal(run, connection, file, text);
                }
            }
        },
    };
}
/** Finishes it, leaves it when it is about another database, or puts it aside when that is asked for. Else throws E_UNFINISHED. */
async function deal(run, connection, file, text) {
    const journal = parseJournal(file, text);
    const what = journal === null
        ? `a restore was cut off, and its journal ${(0,neutralise/* quoteOutside */.Y)(file, 200)} can not be read`
        : (0,neutralise/* quoteOutside */.Y)(`a restore of ${journal.backup} into ${journal.target} was cut off (${journal.by})`, 500);
    let why = '';
    try {
        const begun = () => {
            run.left = 'changed-in-part';
        };
        const found = journal === null ? 'not known' : await finish(run, connection, journal, what, begun);
        if (found === 'finished')
            return;
        if (found === 'other' && !run.settings.settleUnfinished) {
            (0,connect/* warn */.R8)(run, `${what}; it was about another database than this run, which goes on. To bring it to an end, run \`restore\` once more with the same \`restore-to\`, or, when it is of no use any more, any command with \`settle-unfinished: true\``);
            await connection.send(['request', 'leave_journal', [file]]);
            return;
        }
        if (found === 'not known' && journal !== null) {
            why =
                '; whether that is the database of this run can not be told from here: neither from what the role may know of the server nor from what the restore has left there';
        }
    }
    catch (error) {
        const { code, message } = (0,errors/* describe */.q0)(error);
        if (unfinished_OF_THE_RUN.includes(code) || connection.isLost())
            throw error;
        why = `, and could not be brought to an end (${code}: ${message})`;
    }
    // what is not brought to an end is not ours any more
    await connection.send(['request', 'end_restore', []]);
    if (!run.settings.settleUnfinished) {
        throw new errors/* BackupError */.hj('E_UNFINISHED', `${what}${why}`, `${lookAt(run, journal)} Then run once with \`settle-unfinished: true\`: that puts the journal aside.`);
    }
    await connection.send(['request', 'settle_journal', [file]]);
    (0,connect/* warn */.R8)(run, `${what}${why}; as settle-unfinished asks for, its journal was put aside as .work/settled-${(0,neutralise/* quoteOutside */.Y)(file, 200)} in the backup directory, and nothing else was touched. ${lookAt(run, journal)}`);
}
/** What a restore may leave, for the person who settles it. */
function lookAt(run, journal) {
    const left = (0,lookup/* engineOf */.ky)(run.settings.database).leaves;
    return `Look at ${journal === null ? 'the database' : (0,neutralise/* quoteOutside */.Y)(journal.target, 300)}: whether it is the state that you want, whether the application runs, and whether there are ${left}.`;
}
/** Throws what keeps it from being brought to an end; `begun` is called when something is changed for it. */
async function finish(run, connection, journal, what, begun) {
    const { settings } = run;
    let isKnown = true;
    for (const target of new Set([settings.restore.to ?? settings.database, settings.database])) {
        const { restoring } = (0,lookup/* databaseOf */.zJ)(target, settings.dump);
        if (hasOtherName(run, journal, restoring))
            continue;
        await connection.send(['request', 'begin_restore', [journal.id, settings.name, (0,common/* seconds */.YA)(journal.commandTimeoutMs)]]);
        const facts = await connection.send(work(run), restoring.recover(settings, journal, journal));
        const same = isAbout(run, journal, restoring, facts);
        if (same) {
            begun();
            const state = await run.log.group('Finish what was cut off', async () => {
                run.log.info(what);
                return bringToAnEnd(run, connection, restoring, journal, facts);
            });
            (0,connect/* warn */.R8)(run, `${what}; ${state}`);
            return 'finished';
        }
        isKnown &&= same === false;
        await connection.send(['request', 'end_restore', []]);
    }
    return isKnown ? 'other' : 'not known';
}
/** It is told by the names alone, on whatever server. */
function hasOtherName({ settings }, { identity, container }, restoring) {
    return !restoring.mayBe(identity) || (!hasServer(identity) && settings.container !== container);
}
/** Whether the target, as the host has found it, is the database of the journal; null when nobody can tell. */
function isAbout(run, journal, restoring, facts) {
    if (facts.need('state') === 'other')
        return false;
    if (facts.need('state') === 'not-known')
        return null;
    const here = restoring.identity(facts);
    if (!sameDatabase(here, journal.identity))
        return false;
    if (!hasServer(here))
        return true;
    if (restoring.target === journal.target && run.settings.container === journal.container)
        return true;
    const isTold = serverOf(here) !== null && serverOf(journal.identity) !== null;
    // a copy of the whole server has its identifier as well, but not what the restore has made
    const isEnded = ['swapped', 'rolling-back'].includes(journal.phase);
    return isTold && (facts.get('traces') !== null || !isEnded) ? true : null;
}
/**
 * Undoes what was not yet swapped, and finishes what was: hours may have passed since, and what was written to the restored
 * database in the meantime is not for us to throw away. Returns what has become of it.
 */
async function bringToAnEnd(run, connection, restoring, journal, facts) {
    const { settings } = run;
    const { phase, way } = journal;
    // when all that was kept of the old one is gone already, nothing on the host tells any more
    let swapped = facts.need('state') === 'restored' || phase === 'swapped';
    if (swapped && phase === 'rolling-back' && way !== 'in-place') {
        await connection.send(work(run), restoring.back(settings, journal, null));
        swapped = false;
    }
    const failed = await attempt(() => runUserCommand(run, connection, 'start-command', ['job', 'start_application', []]));
    let told = swapped
        ? 'the database is the restored one'
        : 'the database is the one before it, and what had been loaded is gone';
    if (failed !== null)
        told += `. ${failed}: the application may be stopped`;
    if (swapped) {
        const wrong = await attempt(() => checkOnce(run, connection, journal));
        if (wrong === null)
            await connection.send(work(run), restoring.settle(settings, journal));
        else
            told += `. ${wrong}. ${wayBack(run, restoring, journal)}`;
    }
    await connection.send(endJournal, ['request', 'end_restore', []]);
    return told;
}
function wayBack({ report, settings }, restoring, journal) {
    const { way, safety } = journal;
    if (safety !== null)
        return `To go back, restore its safety backup ${(0,neutralise/* quoteOutside */.Y)(safety, 120)}`;
    const byHand = way === 'in-place' ? [] : restoring.byHand(settings, journal, null, report.directory);
    return byHand.length === 0
        ? 'There is no way back to what it replaced: there was no safety backup (safety-backup: false)'
        : `What it replaced is still there; to go back by hand: ${byHand.join('; ')}`;
}
/** Throws E_HOOK. One that takes a run with it is not begun by every run that follows. */
async function checkOnce(run, connection, journal) {
    const { checkCommand, checkBegun, afterBegun } = journal;
    if (afterBegun) {
        throw new errors/* BackupError */.hj('E_HOOK', 'after-restore-command was begun, did not come to its end, and is not run again', '');
    }
    if (checkCommand === null)
        return;
    if (checkBegun)
        throw new errors/* BackupError */.hj('E_HOOK', 'check-command was run once more, and did not come to its end', '');
    await writeJournal(connection, { ...journal, phase: 'swapped', checkBegun: true });
    await runUserCommand(run, connection, 'check-command', ['job', 'run_command', [checkCommand]]);
}
/** What went wrong, or null; throws when it is the run that comes to an end. */
async function attempt(action) {
    try {
        await action();
        return null;
    }
    catch (error) {
        const { code, message } = (0,errors/* describe */.q0)(error);
        if (unfinished_OF_THE_RUN.includes(code))
            throw error;
        return message;
    }
}

// EXTERNAL MODULE: ./src/settings/inputs.ts + 11 modules
var inputs = __nccwpck_require__(6059);
// EXTERNAL MODULE: ./src/settings/settings.ts
var settings = __nccwpck_require__(7100);
;// CONCATENATED MODULE: ./src/main.ts




















const COMMANDS = {
    backup: backup,
    restore: restore,
    verify: verify,
    list: list,
    accept: accept,
    prune: prune,
    delete: deleteBackup,
    pin: pin,
    unpin: pin,
};
/** In the state that goes to `post`: the upload that is unfinished. */
const UPLOAD = 'upload';
/**
 * One step: settings, the command, the report. Never throws; alone decides whether the step fails. When `cancel` is
 * aborted, by us on `timeout` or by others, the run ends with that reason. False when `post` should look at the host.
 */
async function main(cancel) {
    const log = (0,reporting_log/* actionsLog */._)();
    const report = (0,reporting_report/* newReport */.b)(new Date());
    let timer;
    // Inputs that are wrong fail below; what to call the run, and whether to tell, can be known all the same.
    report.command = settings/* COMMANDS */.L.find((name) => name === (0,platform/* platform */.i)().input('command')) ?? report.command;
    let wantSummary = (0,platform/* platform */.i)().input('summary') !== 'false';
    let run = null;
    try {
        const { settings, warnings } = await (0,inputs/* readSettings */.s)();
        wantSummary = settings.summary;
        describeRun(report, settings);
        for (const message of warnings) {
            report.problems.push({ level: 'warning', message });
            log.warning(message);
        }
        timer = setTimeout(() => {
            const seconds = Math.round(settings.timeoutMs / 1000);
            cancel.abort(new errors/* BackupError */.hj('E_TIMEOUT', `the run took longer than ${seconds} s (timeout)`));
        }, settings.timeoutMs);
        cancel.signal.throwIfAborted();
        run = runOf(settings, log, report, cancel.signal);
        await COMMANDS[settings.command](run);
        cancel.signal.throwIfAborted();
    }
    catch (error) {
        const failure = failureOf(error, cancel.signal);
        (0,reporting_report/* recordFailure */.C)(report, failure, run?.left ?? 'nothing-contacted');
        for (const { stack } of [failure, failure.cause].filter((one) => one instanceof Error)) {
            (0,platform/* platform */.i)().debug((0,neutralise/* neutralise */.$)(stack ?? ''));
        }
    }
    finally {
        clearTimeout(timer);
    }
    await main_tell(report, log, wantSummary);
    return run?.hostIsClean ?? true;
}
/** What a run that was cancelled ran into is no news, unless the command has more to say about the cancelling itself. */
function failureOf(error, { aborted, reason }) {
    const failure = (0,errors/* describe */.q0)(error);
    if (!aborted)
        return failure;
    const cancelled = (0,errors/* describe */.q0)(reason);
    return failure.code === cancelled.code ? failure : cancelled;
}
async function main_tell(report, log, wantSummary) {
    report.durationMs = Date.now() - Date.parse(report.startedAt);
    if (wantSummary) {
        await writeSummary(report).catch((error) => log.warning(`the job summary could not be written: ${error}`));
    }
    if (report.error !== null) {
        (0,platform/* platform */.i)().fail((0,neutralise/* neutralise */.$)(failureText(report.errorCode, report.error)));
    }
    try {
        writeOutputs(report);
    }
    catch (error) {
        (0,platform/* platform */.i)().fail(`the outputs could not be written, so no gate opens: ${error}`);
    }
}
/** What the command needs, from the settings and from GitHub's environment. */
function runOf(settings, log, report, signal) {
    const run = {
        settings,
        database: (0,lookup/* databaseOf */.zJ)(settings.database, settings.dump),
        log,
        report,
        github: gitHubRun(process.env),
        now: () => new Date(),
        signal,
        left: 'nothing-contacted',
        hostIsClean: true,
        noteUpload: (upload) => (0,platform/* platform */.i)().saveState(UPLOAD, upload === null ? '' : JSON.stringify(upload)),
        finishingFirst: (connection) => finishingFirst(run, connection),
        copies: [],
    };
    return run;
}
function describeRun(report, settings) {
    report.command = settings.command;
    report.dryRun = settings.dryRun;
    report.database = settings.database.given;
    report.name = settings.name;
    report.host = settings.transport.transport === 'ssh' ? settings.transport.host : 'this machine';
}
function gitHubRun(env) {
    const repository = env.GITHUB_REPOSITORY;
    const runId = env.GITHUB_RUN_ID;
    if (!repository || !runId)
        return null;
    return {
        repository,
        sha: env.GITHUB_SHA ?? '',
        ref: env.GITHUB_REF ?? '',
        runId,
        runUrl: `${env.GITHUB_SERVER_URL ?? 'https://github.com'}/${repository}/actions/runs/${runId}`,
        actor: env.GITHUB_ACTOR ?? '',
        event: env.GITHUB_EVENT_NAME ?? '',
    };
}


/***/ }),

/***/ 6865:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   H: () => (/* binding */ giveUp),
/* harmony export */   P: () => (/* binding */ giveUpNoted)
/* harmony export */ });
/* harmony import */ var valibot__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(7934);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);
/* harmony import */ var _run_connect_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(7811);
/* harmony import */ var _schemas_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(9011);
/* harmony import */ var _stores_object_store_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(8351);





/** What main leaves for post. */
const NOTE = (0,_schemas_js__WEBPACK_IMPORTED_MODULE_2__/* .object */ .Ik)({ key: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_2__/* .text */ .Qq)(1), id: (0,_schemas_js__WEBPACK_IMPORTED_MODULE_2__/* .text */ .Qq)(1) });
/** Removes from the store what was sent of an upload that will not be completed. */
async function giveUp(run, store, upload) {
    if (await store.giveUp(upload)) {
        run.noteUpload(null);
        run.log.info('the unfinished upload was removed from the store');
        return;
    }
    (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_1__/* .warn */ .R8)(run, `the unfinished upload ${upload.id} of ${store.uriOf(upload.key)} could not be removed from the store; a lifecycle rule (AbortIncompleteMultipartUpload) removes such`);
}
/** The same of what a run that was killed had begun: `noted` is what it left of it, empty when there is none. Never throws. */
async function giveUpNoted(run, noted) {
    if (noted === '')
        return;
    const { settings, signal } = run;
    const { s3 } = settings;
    if (s3 === null)
        return;
    try {
        const upload = valibot__WEBPACK_IMPORTED_MODULE_4__/* .parse */ .qgA(NOTE, JSON.parse(noted));
        await (0,_stores_object_store_js__WEBPACK_IMPORTED_MODULE_3__/* .withStore */ .aH)({ settings: { ...settings, s3 }, signal }, async (open) => giveUp(run, await open(), upload));
    }
    catch (error) {
        (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_1__/* .warn */ .R8)(run, `an unfinished upload could not be removed from the store: ${(0,_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .describe */ .q0)(error).message}`);
    }
}


/***/ }),

/***/ 6242:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  i: () => (/* binding */ platform_platform)
});

// EXTERNAL MODULE: external "os"
var external_os_ = __nccwpck_require__(857);
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/utils.js
// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */
/**
 * Sanitizes an input into a string so it can be passed into issueCommand safely
 * @param input input to sanitize into a string
 */
function utils_toCommandValue(input) {
    if (input === null || input === undefined) {
        return '';
    }
    else if (typeof input === 'string' || input instanceof String) {
        return input;
    }
    return JSON.stringify(input);
}
/**
 *
 * @param annotationProperties
 * @returns The command properties to send with the actual annotation command
 * See IssueCommandProperties: https://github.com/actions/runner/blob/main/src/Runner.Worker/ActionCommandManager.cs#L646
 */
function utils_toCommandProperties(annotationProperties) {
    if (!Object.keys(annotationProperties).length) {
        return {};
    }
    return {
        title: annotationProperties.title,
        file: annotationProperties.file,
        line: annotationProperties.startLine,
        endLine: annotationProperties.endLine,
        col: annotationProperties.startColumn,
        endColumn: annotationProperties.endColumn
    };
}
//# sourceMappingURL=utils.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/command.js


/**
 * Issues a command to the GitHub Actions runner
 *
 * @param command - The command name to issue
 * @param properties - Additional properties for the command (key-value pairs)
 * @param message - The message to include with the command
 * @remarks
 * This function outputs a specially formatted string to stdout that the Actions
 * runner interprets as a command. These commands can control workflow behavior,
 * set outputs, create annotations, mask values, and more.
 *
 * Command Format:
 *   ::name key=value,key=value::message
 *
 * @example
 * ```typescript
 * // Issue a warning annotation
 * issueCommand('warning', {}, 'This is a warning message');
 * // Output: ::warning::This is a warning message
 *
 * // Set an environment variable
 * issueCommand('set-env', { name: 'MY_VAR' }, 'some value');
 * // Output: ::set-env name=MY_VAR::some value
 *
 * // Add a secret mask
 * issueCommand('add-mask', {}, 'secretValue123');
 * // Output: ::add-mask::secretValue123
 * ```
 *
 * @internal
 * This is an internal utility function that powers the public API functions
 * such as setSecret, warning, error, and exportVariable.
 */
function command_issueCommand(command, properties, message) {
    const cmd = new Command(command, properties, message);
    process.stdout.write(cmd.toString() + external_os_.EOL);
}
function command_issue(name, message = '') {
    command_issueCommand(name, {}, message);
}
const CMD_STRING = '::';
class Command {
    constructor(command, properties, message) {
        if (!command) {
            command = 'missing.command';
        }
        this.command = command;
        this.properties = properties;
        this.message = message;
    }
    toString() {
        let cmdStr = CMD_STRING + this.command;
        if (this.properties && Object.keys(this.properties).length > 0) {
            cmdStr += ' ';
            let first = true;
            for (const key in this.properties) {
                if (this.properties.hasOwnProperty(key)) {
                    const val = this.properties[key];
                    if (val) {
                        if (first) {
                            first = false;
                        }
                        else {
                            cmdStr += ',';
                        }
                        cmdStr += `${key}=${escapeProperty(val)}`;
                    }
                }
            }
        }
        cmdStr += `${CMD_STRING}${escapeData(this.message)}`;
        return cmdStr;
    }
}
function escapeData(s) {
    return utils_toCommandValue(s)
        .replace(/%/g, '%25')
        .replace(/\r/g, '%0D')
        .replace(/\n/g, '%0A');
}
function escapeProperty(s) {
    return utils_toCommandValue(s)
        .replace(/%/g, '%25')
        .replace(/\r/g, '%0D')
        .replace(/\n/g, '%0A')
        .replace(/:/g, '%3A')
        .replace(/,/g, '%2C');
}
//# sourceMappingURL=command.js.map
// EXTERNAL MODULE: external "crypto"
var external_crypto_ = __nccwpck_require__(6982);
// EXTERNAL MODULE: external "fs"
var external_fs_ = __nccwpck_require__(9896);
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/file-command.js
// For internal use, subject to change.
// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */




function file_command_issueFileCommand(command, message) {
    const filePath = process.env[`GITHUB_${command}`];
    if (!filePath) {
        throw new Error(`Unable to find environment variable for file command ${command}`);
    }
    if (!external_fs_.existsSync(filePath)) {
        throw new Error(`Missing file at path: ${filePath}`);
    }
    external_fs_.appendFileSync(filePath, `${utils_toCommandValue(message)}${external_os_.EOL}`, {
        encoding: 'utf8'
    });
}
function file_command_prepareKeyValueMessage(key, value) {
    const delimiter = `ghadelimiter_${external_crypto_.randomUUID()}`;
    const convertedValue = utils_toCommandValue(value);
    // These should realistically never happen, but just in case someone finds a
    // way to exploit uuid generation let's not allow keys or values that contain
    // the delimiter.
    if (key.includes(delimiter)) {
        throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`);
    }
    if (convertedValue.includes(delimiter)) {
        throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`);
    }
    return `${key}<<${delimiter}${external_os_.EOL}${convertedValue}${external_os_.EOL}${delimiter}`;
}
//# sourceMappingURL=file-command.js.map
// EXTERNAL MODULE: external "path"
var external_path_ = __nccwpck_require__(6928);
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/oidc-utils.js
var __awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};



class oidc_utils_OidcClient {
    static createHttpClient(allowRetry = true, maxRetry = 10) {
        const requestOptions = {
            allowRetries: allowRetry,
            maxRetries: maxRetry
        };
        return new HttpClient('actions/oidc-client', [new BearerCredentialHandler(oidc_utils_OidcClient.getRequestToken())], requestOptions);
    }
    static getRequestToken() {
        const token = process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
        if (!token) {
            throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_TOKEN env variable');
        }
        return token;
    }
    static getIDTokenUrl() {
        const runtimeUrl = process.env['ACTIONS_ID_TOKEN_REQUEST_URL'];
        if (!runtimeUrl) {
            throw new Error('Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable');
        }
        return runtimeUrl;
    }
    static getCall(id_token_url) {
        return __awaiter(this, void 0, void 0, function* () {
            var _a;
            const httpclient = oidc_utils_OidcClient.createHttpClient();
            const res = yield httpclient
                .getJson(id_token_url)
                .catch(error => {
                throw new Error(`Failed to get ID Token. \n 
        Error Code : ${error.statusCode}\n 
        Error Message: ${error.message}`);
            });
            const id_token = (_a = res.result) === null || _a === void 0 ? void 0 : _a.value;
            if (!id_token) {
                throw new Error('Response json body do not have ID Token field');
            }
            return id_token;
        });
    }
    static getIDToken(audience) {
        return __awaiter(this, void 0, void 0, function* () {
            try {
                // New ID Token is requested from action service
                let id_token_url = oidc_utils_OidcClient.getIDTokenUrl();
                if (audience) {
                    const encodedAudience = encodeURIComponent(audience);
                    id_token_url = `${id_token_url}&audience=${encodedAudience}`;
                }
                debug(`ID token url is ${id_token_url}`);
                const id_token = yield oidc_utils_OidcClient.getCall(id_token_url);
                setSecret(id_token);
                return id_token;
            }
            catch (error) {
                throw new Error(`Error message: ${error.message}`);
            }
        });
    }
}
//# sourceMappingURL=oidc-utils.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/summary.js
var summary_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


const { access, appendFile, writeFile } = external_fs_.promises;
const SUMMARY_ENV_VAR = 'GITHUB_STEP_SUMMARY';
const SUMMARY_DOCS_URL = 'https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions#adding-a-job-summary';
class Summary {
    constructor() {
        this._buffer = '';
    }
    /**
     * Finds the summary file path from the environment, rejects if env var is not found or file does not exist
     * Also checks r/w permissions.
     *
     * @returns step summary file path
     */
    filePath() {
        return summary_awaiter(this, void 0, void 0, function* () {
            if (this._filePath) {
                return this._filePath;
            }
            const pathFromEnv = process.env[SUMMARY_ENV_VAR];
            if (!pathFromEnv) {
                throw new Error(`Unable to find environment variable for $${SUMMARY_ENV_VAR}. Check if your runtime environment supports job summaries.`);
            }
            try {
                yield access(pathFromEnv, external_fs_.constants.R_OK | external_fs_.constants.W_OK);
            }
            catch (_a) {
                throw new Error(`Unable to access summary file: '${pathFromEnv}'. Check if the file has correct read/write permissions.`);
            }
            this._filePath = pathFromEnv;
            return this._filePath;
        });
    }
    /**
     * Wraps content in an HTML tag, adding any HTML attributes
     *
     * @param {string} tag HTML tag to wrap
     * @param {string | null} content content within the tag
     * @param {[attribute: string]: string} attrs key-value list of HTML attributes to add
     *
     * @returns {string} content wrapped in HTML element
     */
    wrap(tag, content, attrs = {}) {
        const htmlAttrs = Object.entries(attrs)
            .map(([key, value]) => ` ${key}="${value}"`)
            .join('');
        if (!content) {
            return `<${tag}${htmlAttrs}>`;
        }
        return `<${tag}${htmlAttrs}>${content}</${tag}>`;
    }
    /**
     * Writes text in the buffer to the summary buffer file and empties buffer. Will append by default.
     *
     * @param {SummaryWriteOptions} [options] (optional) options for write operation
     *
     * @returns {Promise<Summary>} summary instance
     */
    write(options) {
        return summary_awaiter(this, void 0, void 0, function* () {
            const overwrite = !!(options === null || options === void 0 ? void 0 : options.overwrite);
            const filePath = yield this.filePath();
            const writeFunc = overwrite ? writeFile : appendFile;
            yield writeFunc(filePath, this._buffer, { encoding: 'utf8' });
            return this.emptyBuffer();
        });
    }
    /**
     * Clears the summary buffer and wipes the summary file
     *
     * @returns {Summary} summary instance
     */
    clear() {
        return summary_awaiter(this, void 0, void 0, function* () {
            return this.emptyBuffer().write({ overwrite: true });
        });
    }
    /**
     * Returns the current summary buffer as a string
     *
     * @returns {string} string of summary buffer
     */
    stringify() {
        return this._buffer;
    }
    /**
     * If the summary buffer is empty
     *
     * @returns {boolen} true if the buffer is empty
     */
    isEmptyBuffer() {
        return this._buffer.length === 0;
    }
    /**
     * Resets the summary buffer without writing to summary file
     *
     * @returns {Summary} summary instance
     */
    emptyBuffer() {
        this._buffer = '';
        return this;
    }
    /**
     * Adds raw text to the summary buffer
     *
     * @param {string} text content to add
     * @param {boolean} [addEOL=false] (optional) append an EOL to the raw text (default: false)
     *
     * @returns {Summary} summary instance
     */
    addRaw(text, addEOL = false) {
        this._buffer += text;
        return addEOL ? this.addEOL() : this;
    }
    /**
     * Adds the operating system-specific end-of-line marker to the buffer
     *
     * @returns {Summary} summary instance
     */
    addEOL() {
        return this.addRaw(external_os_.EOL);
    }
    /**
     * Adds an HTML codeblock to the summary buffer
     *
     * @param {string} code content to render within fenced code block
     * @param {string} lang (optional) language to syntax highlight code
     *
     * @returns {Summary} summary instance
     */
    addCodeBlock(code, lang) {
        const attrs = Object.assign({}, (lang && { lang }));
        const element = this.wrap('pre', this.wrap('code', code), attrs);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML list to the summary buffer
     *
     * @param {string[]} items list of items to render
     * @param {boolean} [ordered=false] (optional) if the rendered list should be ordered or not (default: false)
     *
     * @returns {Summary} summary instance
     */
    addList(items, ordered = false) {
        const tag = ordered ? 'ol' : 'ul';
        const listItems = items.map(item => this.wrap('li', item)).join('');
        const element = this.wrap(tag, listItems);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML table to the summary buffer
     *
     * @param {SummaryTableCell[]} rows table rows
     *
     * @returns {Summary} summary instance
     */
    addTable(rows) {
        const tableBody = rows
            .map(row => {
            const cells = row
                .map(cell => {
                if (typeof cell === 'string') {
                    return this.wrap('td', cell);
                }
                const { header, data, colspan, rowspan } = cell;
                const tag = header ? 'th' : 'td';
                const attrs = Object.assign(Object.assign({}, (colspan && { colspan })), (rowspan && { rowspan }));
                return this.wrap(tag, data, attrs);
            })
                .join('');
            return this.wrap('tr', cells);
        })
            .join('');
        const element = this.wrap('table', tableBody);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds a collapsable HTML details element to the summary buffer
     *
     * @param {string} label text for the closed state
     * @param {string} content collapsable content
     *
     * @returns {Summary} summary instance
     */
    addDetails(label, content) {
        const element = this.wrap('details', this.wrap('summary', label) + content);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML image tag to the summary buffer
     *
     * @param {string} src path to the image you to embed
     * @param {string} alt text description of the image
     * @param {SummaryImageOptions} options (optional) addition image attributes
     *
     * @returns {Summary} summary instance
     */
    addImage(src, alt, options) {
        const { width, height } = options || {};
        const attrs = Object.assign(Object.assign({}, (width && { width })), (height && { height }));
        const element = this.wrap('img', null, Object.assign({ src, alt }, attrs));
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML section heading element
     *
     * @param {string} text heading text
     * @param {number | string} [level=1] (optional) the heading level, default: 1
     *
     * @returns {Summary} summary instance
     */
    addHeading(text, level) {
        const tag = `h${level}`;
        const allowedTag = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].includes(tag)
            ? tag
            : 'h1';
        const element = this.wrap(allowedTag, text);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML thematic break (<hr>) to the summary buffer
     *
     * @returns {Summary} summary instance
     */
    addSeparator() {
        const element = this.wrap('hr', null);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML line break (<br>) to the summary buffer
     *
     * @returns {Summary} summary instance
     */
    addBreak() {
        const element = this.wrap('br', null);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML blockquote to the summary buffer
     *
     * @param {string} text quote text
     * @param {string} cite (optional) citation url
     *
     * @returns {Summary} summary instance
     */
    addQuote(text, cite) {
        const attrs = Object.assign({}, (cite && { cite }));
        const element = this.wrap('blockquote', text, attrs);
        return this.addRaw(element).addEOL();
    }
    /**
     * Adds an HTML anchor tag to the summary buffer
     *
     * @param {string} text link text/content
     * @param {string} href hyperlink
     *
     * @returns {Summary} summary instance
     */
    addLink(text, href) {
        const element = this.wrap('a', text, { href });
        return this.addRaw(element).addEOL();
    }
}
const _summary = new Summary();
/**
 * @deprecated use `core.summary`
 */
const markdownSummary = (/* unused pure expression or super */ null && (_summary));
const summary = _summary;
//# sourceMappingURL=summary.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/path-utils.js

/**
 * toPosixPath converts the given path to the posix form. On Windows, \\ will be
 * replaced with /.
 *
 * @param pth. Path to transform.
 * @return string Posix path.
 */
function toPosixPath(pth) {
    return pth.replace(/[\\]/g, '/');
}
/**
 * toWin32Path converts the given path to the win32 form. On Linux, / will be
 * replaced with \\.
 *
 * @param pth. Path to transform.
 * @return string Win32 path.
 */
function toWin32Path(pth) {
    return pth.replace(/[/]/g, '\\');
}
/**
 * toPlatformPath converts the given path to a platform-specific path. It does
 * this by replacing instances of / and \ with the platform-specific path
 * separator.
 *
 * @param pth The path to platformize.
 * @return string The platform-specific path.
 */
function toPlatformPath(pth) {
    return pth.replace(/[/\\]/g, path.sep);
}
//# sourceMappingURL=path-utils.js.map
// EXTERNAL MODULE: ./node_modules/@actions/exec/lib/exec.js + 5 modules
var lib_exec = __nccwpck_require__(3462);
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/platform.js
var platform_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


const getWindowsInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    const { stdout: version } = yield exec.getExecOutput('powershell -command "(Get-CimInstance -ClassName Win32_OperatingSystem).Version"', undefined, {
        silent: true
    });
    const { stdout: name } = yield exec.getExecOutput('powershell -command "(Get-CimInstance -ClassName Win32_OperatingSystem).Caption"', undefined, {
        silent: true
    });
    return {
        name: name.trim(),
        version: version.trim()
    };
});
const getMacOsInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    var _a, _b, _c, _d;
    const { stdout } = yield exec.getExecOutput('sw_vers', undefined, {
        silent: true
    });
    const version = (_b = (_a = stdout.match(/ProductVersion:\s*(.+)/)) === null || _a === void 0 ? void 0 : _a[1]) !== null && _b !== void 0 ? _b : '';
    const name = (_d = (_c = stdout.match(/ProductName:\s*(.+)/)) === null || _c === void 0 ? void 0 : _c[1]) !== null && _d !== void 0 ? _d : '';
    return {
        name,
        version
    };
});
const getLinuxInfo = () => platform_awaiter(void 0, void 0, void 0, function* () {
    const { stdout } = yield exec.getExecOutput('lsb_release', ['-i', '-r', '-s'], {
        silent: true
    });
    const [name, version] = stdout.trim().split('\n');
    return {
        name,
        version
    };
});
const platform = external_os_.platform();
const arch = external_os_.arch();
const isWindows = platform === 'win32';
const isMacOS = platform === 'darwin';
const isLinux = platform === 'linux';
function getDetails() {
    return platform_awaiter(this, void 0, void 0, function* () {
        return Object.assign(Object.assign({}, (yield (isWindows
            ? getWindowsInfo()
            : isMacOS
                ? getMacOsInfo()
                : getLinuxInfo()))), { platform,
            arch,
            isWindows,
            isMacOS,
            isLinux });
    });
}
//# sourceMappingURL=platform.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/core/lib/core.js
var core_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};






/**
 * The code to exit an action
 */
var ExitCode;
(function (ExitCode) {
    /**
     * A code indicating that the action was successful
     */
    ExitCode[ExitCode["Success"] = 0] = "Success";
    /**
     * A code indicating that the action was a failure
     */
    ExitCode[ExitCode["Failure"] = 1] = "Failure";
})(ExitCode || (ExitCode = {}));
//-----------------------------------------------------------------------
// Variables
//-----------------------------------------------------------------------
/**
 * Sets env variable for this action and future actions in the job
 * @param name the name of the variable to set
 * @param val the value of the variable. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function exportVariable(name, val) {
    const convertedVal = toCommandValue(val);
    process.env[name] = convertedVal;
    const filePath = process.env['GITHUB_ENV'] || '';
    if (filePath) {
        return issueFileCommand('ENV', prepareKeyValueMessage(name, val));
    }
    issueCommand('set-env', { name }, convertedVal);
}
/**
 * Registers a secret which will get masked from logs
 *
 * @param secret - Value of the secret to be masked
 * @remarks
 * This function instructs the Actions runner to mask the specified value in any
 * logs produced during the workflow run. Once registered, the secret value will
 * be replaced with asterisks (***) whenever it appears in console output, logs,
 * or error messages.
 *
 * This is useful for protecting sensitive information such as:
 * - API keys
 * - Access tokens
 * - Authentication credentials
 * - URL parameters containing signatures (SAS tokens)
 *
 * Note that masking only affects future logs; any previous appearances of the
 * secret in logs before calling this function will remain unmasked.
 *
 * @example
 * ```typescript
 * // Register an API token as a secret
 * const apiToken = "abc123xyz456";
 * setSecret(apiToken);
 *
 * // Now any logs containing this value will show *** instead
 * console.log(`Using token: ${apiToken}`); // Outputs: "Using token: ***"
 * ```
 */
function core_setSecret(secret) {
    command_issueCommand('add-mask', {}, secret);
}
/**
 * Prepends inputPath to the PATH (for this action and future actions)
 * @param inputPath
 */
function addPath(inputPath) {
    const filePath = process.env['GITHUB_PATH'] || '';
    if (filePath) {
        issueFileCommand('PATH', inputPath);
    }
    else {
        issueCommand('add-path', {}, inputPath);
    }
    process.env['PATH'] = `${inputPath}${path.delimiter}${process.env['PATH']}`;
}
/**
 * Gets the value of an input.
 * Unless trimWhitespace is set to false in InputOptions, the value is also trimmed.
 * Returns an empty string if the value is not defined.
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   string
 */
function getInput(name, options) {
    const val = process.env[`INPUT_${name.replace(/ /g, '_').toUpperCase()}`] || '';
    if (options && options.required && !val) {
        throw new Error(`Input required and not supplied: ${name}`);
    }
    if (options && options.trimWhitespace === false) {
        return val;
    }
    return val.trim();
}
/**
 * Gets the values of an multiline input.  Each value is also trimmed.
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   string[]
 *
 */
function getMultilineInput(name, options) {
    const inputs = getInput(name, options)
        .split('\n')
        .filter(x => x !== '');
    if (options && options.trimWhitespace === false) {
        return inputs;
    }
    return inputs.map(input => input.trim());
}
/**
 * Gets the input value of the boolean type in the YAML 1.2 "core schema" specification.
 * Support boolean input list: `true | True | TRUE | false | False | FALSE` .
 * The return value is also in boolean type.
 * ref: https://yaml.org/spec/1.2/spec.html#id2804923
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   boolean
 */
function getBooleanInput(name, options) {
    const trueValue = ['true', 'True', 'TRUE'];
    const falseValue = ['false', 'False', 'FALSE'];
    const val = getInput(name, options);
    if (trueValue.includes(val))
        return true;
    if (falseValue.includes(val))
        return false;
    throw new TypeError(`Input does not meet YAML 1.2 "Core Schema" specification: ${name}\n` +
        `Support boolean input list: \`true | True | TRUE | false | False | FALSE\``);
}
/**
 * Sets the value of an output.
 *
 * @param     name     name of the output to set
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function setOutput(name, value) {
    const filePath = process.env['GITHUB_OUTPUT'] || '';
    if (filePath) {
        return file_command_issueFileCommand('OUTPUT', file_command_prepareKeyValueMessage(name, value));
    }
    process.stdout.write(external_os_.EOL);
    command_issueCommand('set-output', { name }, utils_toCommandValue(value));
}
/**
 * Enables or disables the echoing of commands into stdout for the rest of the step.
 * Echoing is disabled by default if ACTIONS_STEP_DEBUG is not set.
 *
 */
function setCommandEcho(enabled) {
    issue('echo', enabled ? 'on' : 'off');
}
//-----------------------------------------------------------------------
// Results
//-----------------------------------------------------------------------
/**
 * Sets the action status to failed.
 * When the action exits it will be with an exit code of 1
 * @param message add error issue message
 */
function setFailed(message) {
    process.exitCode = ExitCode.Failure;
    error(message);
}
//-----------------------------------------------------------------------
// Logging Commands
//-----------------------------------------------------------------------
/**
 * Gets whether Actions Step Debug is on or not
 */
function isDebug() {
    return process.env['RUNNER_DEBUG'] === '1';
}
/**
 * Writes debug message to user log
 * @param message debug message
 */
function core_debug(message) {
    command_issueCommand('debug', {}, message);
}
/**
 * Adds an error issue
 * @param message error issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function error(message, properties = {}) {
    command_issueCommand('error', utils_toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Adds a warning issue
 * @param message warning issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function warning(message, properties = {}) {
    command_issueCommand('warning', utils_toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Adds a notice issue
 * @param message notice issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function notice(message, properties = {}) {
    issueCommand('notice', toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
 * Writes info to log with console.log.
 * @param message info message
 */
function info(message) {
    process.stdout.write(message + external_os_.EOL);
}
/**
 * Begin an output group.
 *
 * Output until the next `groupEnd` will be foldable in this group
 *
 * @param name The name of the output group
 */
function startGroup(name) {
    command_issue('group', name);
}
/**
 * End an output group.
 */
function endGroup() {
    command_issue('endgroup');
}
/**
 * Wrap an asynchronous function call in a group.
 *
 * Returns the same type as the function itself.
 *
 * @param name The name of the group
 * @param fn The function to wrap in the group
 */
function group(name, fn) {
    return core_awaiter(this, void 0, void 0, function* () {
        startGroup(name);
        let result;
        try {
            result = yield fn();
        }
        finally {
            endGroup();
        }
        return result;
    });
}
//-----------------------------------------------------------------------
// Wrapper action state
//-----------------------------------------------------------------------
/**
 * Saves state for current action, the state can only be retrieved by this action's post job execution.
 *
 * @param     name     name of the state to store
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function saveState(name, value) {
    const filePath = process.env['GITHUB_STATE'] || '';
    if (filePath) {
        return file_command_issueFileCommand('STATE', file_command_prepareKeyValueMessage(name, value));
    }
    command_issueCommand('save-state', { name }, utils_toCommandValue(value));
}
/**
 * Gets the value of an state set by this action's main execution.
 *
 * @param     name     name of the state to get
 * @returns   string
 */
function getState(name) {
    return process.env[`STATE_${name}`] || '';
}
function getIDToken(aud) {
    return core_awaiter(this, void 0, void 0, function* () {
        return yield OidcClient.getIDToken(aud);
    });
}
/**
 * Summary exports
 */

/**
 * @deprecated use core.summary
 */

/**
 * Path exports
 */

/**
 * Platform utilities exports
 */

//# sourceMappingURL=core.js.map
;// CONCATENATED MODULE: ./src/platform/actions.ts

const title = 'Database backup';
/** A step of a job, on GitHub's runner or one of its kind. */
const actions = {
    input: (name) => getInput(name),
    secret: (text) => core_setSecret(text),
    info: (text) => info(text),
    warning: (message) => warning(message, { title }),
    error: (message) => error(message, { title }),
    debug: (text) => core_debug(text),
    startGroup: (name) => startGroup(name),
    endGroup: () => endGroup(),
    fail: (message) => setFailed(message),
    output: (name, value) => setOutput(name, value),
    saveState: (name, value) => saveState(name, value),
    state: (name) => getState(name),
    async summary(markdown) {
        try {
            await summary.addRaw(markdown).write();
        }
        finally {
            // A write that failed keeps its text, and the next one would write both.
            summary.emptyBuffer();
        }
    },
};

// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __nccwpck_require__(4302);
;// CONCATENATED MODULE: ./src/platform/secrets.ts
/** Shorter lines of a longer secret, such as the last one of a key, are no secret by themselves. */
const SHORTEST_LINE = 4;
/** Texts that may be in nothing that is shown. */
class Secrets {
    texts = new Set();
    add(secret) {
        const lines = secret.split(/\r\n|\r|\n/).map((line) => line.trim());
        const parts = lines.length === 1 ? lines : lines.filter((line) => line.length >= SHORTEST_LINE && !isFrame(line));
        for (const part of [secret, ...parts]) {
            // also as it stands in JSON and in URLs
            for (const form of [part, JSON.stringify(part).slice(1, -1), inUrl(part)])
                if (form !== '')
                    this.texts.add(form);
        }
    }
    /** The text with `***` in place of each; the longest first, since one may be in another. */
    hidden(text) {
        return [...this.texts]
            .sort((one, other) => other.length - one.length)
            .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
    }
}
const isFrame = (line) => /^-----(BEGIN|END) [A-Z ]+-----$/.test(line);
function inUrl(text) {
    try {
        return encodeURIComponent(text);
    }
    catch {
        return text; // half a surrogate pair, of which no URL can be made
    }
}

;// CONCATENATED MODULE: ./src/platform/terminal.ts


const secrets = new Secrets();
const say = (stream, text) => stream.write(`${secrets.hidden(text)}\n`);
/** A shell, cron, systemd: whoever reads gets plain text, from which the secrets are taken here, since no runner does it. */
const terminal = {
    input: (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim(),
    secret(text) {
        secrets.add(text);
        // What is printed was neutralised before, and the secret in it, too.
        secrets.add((0,neutralise/* neutralise */.$)(text));
    },
    info: (text) => void say(process.stdout, text),
    warning: (message) => void say(process.stderr, `warning: ${message}`),
    error: (message) => void say(process.stderr, `error: ${message}`),
    debug(text) {
        if (process.env.RUNNER_DEBUG === '1')
            say(process.stderr, text);
    },
    startGroup: (title) => void say(process.stdout, title),
    endGroup: () => { },
    fail(message) {
        process.exitCode = 1;
        terminal.error(message);
    },
    // The exit status tells; there is no later step.
    output: () => { },
    saveState: () => { },
    state: () => '',
    summary: async () => { },
};

;// CONCATENATED MODULE: ./src/platform/platform.ts


/**
 * The runner's protocol is for the runner alone: elsewhere `::add-mask::` would be what shows a secret, and nobody takes an output.
 * Those that are made after GitHub's set the variable as well.
 */
const platform_platform = () => (process.env.GITHUB_ACTIONS === 'true' ? actions : terminal);


/***/ }),

/***/ 6661:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   b: () => (/* binding */ post)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);
/* harmony import */ var _main_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(8895);
/* harmony import */ var _places_unfinished_upload_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(6865);
/* harmony import */ var _platform_platform_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(6242);
/* harmony import */ var _reporting_log_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(48);
/* harmony import */ var _reporting_report_js__WEBPACK_IMPORTED_MODULE_8__ = __nccwpck_require__(4778);
/* harmony import */ var _run_connect_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(7811);
/* harmony import */ var _run_directory_js__WEBPACK_IMPORTED_MODULE_6__ = __nccwpck_require__(4790);
/* harmony import */ var _settings_inputs_js__WEBPACK_IMPORTED_MODULE_7__ = __nccwpck_require__(6059);









const LOCK_WAIT_MS = 30_000;
/**
 * After a main that was killed, or that lost the host: makes sure that nothing of it is left there. The host cleans up
 * by itself when the connection ends; this waits for it, sweeps what a crash there left, and says so. An upload that was
 * begun is given up in the store. Never fails the step.
 */
async function post(signal) {
    const log = (0,_reporting_log_js__WEBPACK_IMPORTED_MODULE_4__/* .actionsLog */ ._)();
    let run = null;
    try {
        const { settings } = await (0,_settings_inputs_js__WEBPACK_IMPORTED_MODULE_7__/* .readSettings */ .s)();
        if (settings.dryRun || settings.command === 'list')
            return;
        const made = (0,_main_js__WEBPACK_IMPORTED_MODULE_1__/* .runOf */ .ng)(settings, log, (0,_reporting_report_js__WEBPACK_IMPORTED_MODULE_8__/* .newReport */ .b)(new Date()), signal);
        run = made;
        await (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_5__/* .connected */ .aW)(made, async (connection) => {
            await made
                .finishingFirst(connection)
                .send(...(0,_run_directory_js__WEBPACK_IMPORTED_MODULE_6__/* .openDirectory */ .AJ)(made, 'change'), (0,_run_directory_js__WEBPACK_IMPORTED_MODULE_6__/* .lookLocked */ .M7)(made, 'clean-up', LOCK_WAIT_MS));
        });
        log.info('the run ended early; nothing of it is left on the host');
    }
    catch (error) {
        const { code, message } = (0,_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .describe */ .q0)(error);
        log.warning(`the run ended early, and what it left on the host could not be looked at (${code}: ${message}). The host cleans up by itself within a minute, and the next run sweeps what is left`);
    }
    if (run !== null)
        await (0,_places_unfinished_upload_js__WEBPACK_IMPORTED_MODULE_2__/* .giveUpNoted */ .P)(run, (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_3__/* .platform */ .i)().state(_main_js__WEBPACK_IMPORTED_MODULE_1__/* .UPLOAD */ .oH));
}


/***/ }),

/***/ 1267:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   $Q: () => (/* binding */ clip),
/* harmony export */   B4: () => (/* binding */ formatCount),
/* harmony export */   CE: () => (/* binding */ formatRate),
/* harmony export */   Ky: () => (/* binding */ showPlaces),
/* harmony export */   a3: () => (/* binding */ formatDuration),
/* harmony export */   hS: () => (/* binding */ counted),
/* harmony export */   nV: () => (/* binding */ formatAge),
/* harmony export */   pe: () => (/* binding */ parseTime),
/* harmony export */   z3: () => (/* binding */ formatBytes)
/* harmony export */ });
/** Numbers as people read them: in the log, the summary and messages. */
const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
/** Decimal units, three significant digits: `302 MB`, `1.5 kB`. What is not a size is `unknown`. */
function formatBytes(bytes) {
    if (!Number.isFinite(bytes) || bytes < 0)
        return 'unknown';
    let value = bytes;
    let unit = 0;
    // Compared after rounding, so that 999 950 bytes are 1 MB and not 1000 kB.
    while (unit < SIZE_UNITS.length - 1 && Number(value.toPrecision(3)) >= 1000) {
        value /= 1000;
        unit++;
    }
    return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${SIZE_UNITS[unit]}`;
}
/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 3 min`. */
function formatDuration(ms) {
    if (!Number.isFinite(ms) || ms < 0)
        return 'unknown';
    const tenths = Math.round(ms / 100);
    if (tenths < 100)
        return `${tenths / 10} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 60)
        return `${seconds} s`;
    if (seconds < 3600)
        return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
    const minutes = Math.round(seconds / 60);
    return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}
function pair(large, largeUnit, small, smallUnit) {
    return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
/** `94 MB/s`; `unknown` when no time has passed. */
function formatRate(bytes, ms) {
    return ms > 0 ? `${formatBytes((bytes * 1000) / ms)}/s` : 'unknown';
}
const AGE_UNITS = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
];
/** The largest whole unit, rounded down so that an age never sounds older than it is: `3 days`, `1 hour`, `40 seconds`. */
function formatAge(ms) {
    if (!Number.isFinite(ms))
        return 'unknown';
    if (ms < 0)
        return 'in the future';
    for (const [unit, length] of AGE_UNITS) {
        if (ms >= length)
            return counted(Math.floor(ms / length), unit);
    }
    return counted(Math.floor(ms / 1000), 'second');
}
/** `host`, `S3`, `host, S3`. */
function showPlaces(places) {
    return places.map((place) => (place === 's3' ? 'S3' : place)).join(', ');
}
/** Reads the one form of time that manifests have (ISO 8601, UTC); null for anything else, at no cost however long it is. */
function parseTime(iso) {
    if (iso.length > 30 || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(iso))
        return null;
    const time = new Date(iso);
    return Number.isNaN(time.getTime()) ? null : time;
}
/** `1 backup`, `2 backups`; thousands are grouped: `1 234 567 rows`. */
function counted(count, noun, plural = `${noun}s`) {
    return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
/** Thousands in groups of three, by a blank that does not break the line. */
function formatCount(count) {
    return Number.isFinite(count) ? String(Math.trunc(count)).replace(/\B(?=(\d{3})+$)/g, '\u00a0') : 'unknown';
}
/** Cuts text to `maxCharacters` UTF-16 units, the mark of the cut included. Cheap for any length. */
function clip(text, maxCharacters) {
    return text.length <= maxCharacters
        ? text
        : `${text.slice(0, Math.max(0, maxCharacters - 1)).replace(/\p{Surrogate}$/u, '')}…`;
}


/***/ }),

/***/ 48:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   _: () => (/* binding */ actionsLog)
/* harmony export */ });
/* harmony import */ var _platform_platform_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(6242);
/* harmony import */ var _format_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(1267);
/* harmony import */ var _neutralise_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(4302);



/** GitHub cuts annotations, and shows them where there is little room. */
const MAX_ANNOTATION = 4000;
/** The log of a run. Everything passes `neutralise` here, so that no caller can forget it. */
function actionsLog() {
    const annotation = (message) => (0,_format_js__WEBPACK_IMPORTED_MODULE_1__/* .clip */ .$Q)((0,_neutralise_js__WEBPACK_IMPORTED_MODULE_2__/* .neutralise */ .$)(message), MAX_ANNOTATION);
    const info = (text) => quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().info((0,_neutralise_js__WEBPACK_IMPORTED_MODULE_2__/* .neutralise */ .$)(text)));
    return {
        info,
        warning: (message) => quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().warning(annotation(message))),
        error: (message) => quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().error(annotation(message))),
        debug: (text) => quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().debug((0,_neutralise_js__WEBPACK_IMPORTED_MODULE_2__/* .neutralise */ .$)(text))),
        async group(title, work) {
            const started = performance.now();
            const took = () => (0,_format_js__WEBPACK_IMPORTED_MODULE_1__/* .formatDuration */ .a3)(performance.now() - started);
            quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().startGroup((0,_neutralise_js__WEBPACK_IMPORTED_MODULE_2__/* .neutralise */ .$)(title)));
            try {
                const result = await work();
                info(`${title}: done in ${took()}`);
                return result;
            }
            catch (error) {
                info(`${title}: failed after ${took()}`);
                throw error;
            }
            finally {
                quietly(() => (0,_platform_platform_js__WEBPACK_IMPORTED_MODULE_0__/* .platform */ .i)().endGroup());
            }
        },
    };
}
function quietly(print) {
    try {
        print();
    }
    catch {
        // stdout is gone: there is nobody to tell.
    }
}


/***/ }),

/***/ 4302:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   $: () => (/* binding */ neutralise),
/* harmony export */   Y: () => (/* binding */ quoteOutside)
/* harmony export */ });
/* harmony import */ var _counting_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7278);
/**
 * Text from the host, and everything else that is printed, made unable to speak for this action.
 *
 * The runner reads commands out of stdout and stderr: `::cmd::` at the start of a trimmed line, `##[cmd ...]` anywhere in one
 * (actions/runner, ActionCommand.cs). It compares by the rules of the culture, where zero-width and other ignorable characters do
 * not count: "#", U+200B, "#[" equals "##[" there. So such characters are removed, and what breaks a command is a plain space.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
const TERMINAL_SEQUENCE = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)/g;
/** Anything that moves within or ends a line, in some program's eyes, except the newline. */
const BLANK_CONTROL = /[\t\v\f\r\u0085\u2028\u2029]/g;
/** Controls, bidi overrides and other invisible characters. Removing them all costs joined emoji, which no message needs. */
const INVISIBLE = /(?!\n)[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const COMMAND_ANYWHERE = /##(?=\[)/g;
const COMMAND_AT_START = /^([^\S\n]*):(?=:)/gm;
/** Makes text safe to print. Newlines stay, every line is made safe by itself; unpaired surrogates become U+FFFD. */
function neutralise(text) {
    return text
        .replace(TERMINAL_SEQUENCE, '')
        .replace(BLANK_CONTROL, ' ')
        .replace(INVISIBLE, '')
        .replace(/\p{Surrogate}/gu, '\uFFFD')
        .replace(COMMAND_ANYWHERE, '## ')
        .replace(COMMAND_AT_START, '$1: ');
}
/** `FATAL:  `, in whatever language a server of PostgreSQL speaks: two blanks, which look like a hole in a sentence. */
const SEVERITY = /(?<=^|\s)(\p{Lu}{3,}:) {2}/gu;
/** Lines that are shown of each end when not all are. */
const LINES_OF_AN_END = 4;
/**
 * Quotes what the host said, for use within a message: safe to print, at most `maxBytes` of UTF-8 in at most eight lines that are
 * not blank, and a note of how much was cut. Both ends are kept: banners come first, the reason usually last.
 */
function quoteOutside(text, maxBytes = 2000) {
    const size = Buffer.byteLength(text);
    if (size <= maxBytes) {
        const all = lines(start(text, size));
        if (all.length === 0)
            return '(nothing)';
        if (all.length <= 2 * LINES_OF_AN_END)
            return all.join('\n');
    }
    const half = Math.floor(Math.min(maxBytes, size) / 2);
    const head = lines(start(text, half)).slice(0, LINES_OF_AN_END);
    const tail = lines(end(text, half)).slice(-LINES_OF_AN_END);
    const shown = Buffer.byteLength([...head, ...tail].join('\n'));
    return [...head, `[... ${(0,_counting_js__WEBPACK_IMPORTED_MODULE_0__/* .plural */ .L)(Math.max(0, size - shown), 'byte')} cut ...]`, ...tail].join('\n');
}
// A string is cut before it is copied, since the host decides how long it is; a UTF-16 unit is at least one byte.
function start(text, bytes) {
    return (typeof text === 'string' ? Buffer.from(text.slice(0, bytes)) : text).subarray(0, bytes);
}
function end(text, bytes) {
    const last = typeof text === 'string' ? Buffer.from(bytes > 0 ? text.slice(-bytes) : '') : text;
    return last.subarray(last.length - Math.min(bytes, last.length));
}
function lines(bytes) {
    // A cut may have gone through a character; what is left of it decodes as U+FFFD, which says nothing.
    const text = bytes.toString('utf8').replace(/^\uFFFD{1,3}|\uFFFD{1,3}$/g, '');
    return neutralise(text)
        .split('\n')
        .map((line) => line.trim().replace(SEVERITY, '$1 '))
        .filter((line) => line !== '');
}


/***/ }),

/***/ 2007:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   k: () => (/* binding */ Progress),
/* harmony export */   r: () => (/* binding */ EVERY_MS)
/* harmony export */ });
/* harmony import */ var _format_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(1267);

const FIRST_AFTER_MS = 3_000;
const EVERY_MS = 10_000;
/** Tells how far a long transfer is: nothing in the first 3 s, then at most one line each 10 s. */
class Progress {
    log;
    label;
    expectedBytes;
    now;
    started;
    printed = null;
    /** `expectedBytes` is null when nobody knows; `now` is a clock in milliseconds that never goes back. */
    constructor(log, label, expectedBytes, now = () => performance.now()) {
        this.log = log;
        this.label = label;
        this.expectedBytes = expectedBytes;
        this.now = now;
        this.started = now();
    }
    /** `bytes` is the total so far. True when a line was printed. */
    update(bytes) {
        const now = this.now();
        const elapsed = now - this.started;
        if (elapsed < FIRST_AFTER_MS)
            return false;
        if (this.printed !== null && now - this.printed < EVERY_MS)
            return false;
        this.printed = now;
        this.log.info(`${this.label}: ${this.progress(bytes, elapsed)}`);
        return true;
    }
    progress(bytes, elapsed) {
        const rate = (0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .formatRate */ .CE)(bytes, elapsed);
        const expected = this.expectedBytes;
        // The expected size is an estimate. Past it, a share or a time left would be made up.
        if (expected === null || expected <= 0 || bytes > expected)
            return `${(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .formatBytes */ .z3)(bytes)}, ${rate}`;
        const share = `${(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .formatBytes */ .z3)(bytes)} of ${(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .formatBytes */ .z3)(expected)} (${Math.floor((bytes / expected) * 100)} %)`;
        if (bytes <= 0)
            return `${share}, ${rate}`;
        return `${share}, ${rate}, about ${(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .formatDuration */ .a3)(((expected - bytes) * elapsed) / bytes)} left`;
    }
}


/***/ }),

/***/ 789:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   l: () => (/* binding */ reportJson)
/* harmony export */ });
/* unused harmony export MAX_REPORT_BYTES */
/* harmony import */ var _format_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(1267);

/**
 * Bytes of the `report` output. Linux takes no environment variable longer than 128 KiB, and `env:` is how a workflow hands the
 * report to a script; with a longer one that step fails with "Argument list too long".
 */
const MAX_REPORT_BYTES = 120_000;
const MOST = {
    backups: 500,
    decisions: 500,
    tables: 1000,
    problems: 50,
    notes: 10,
    stages: 50,
    reasons: 10,
    lines: 40,
};
/** JSON bytes of one text. Everything that is no long list stays under half of the whole, whatever is in it. */
const TEXT = 1000;
const LONG_TEXT = 2000;
const SHORT_TEXT = 300;
const PROBLEM = 700;
const RECOVERY = 10_000;
const NOTICE = 1000;
/**
 * The report as one line of JSON, at most MAX_REPORT_BYTES. What does not fit is left out: tables first, then the oldest backups
 * with their decisions; `problems` then says so. Printed by a later step, the text can not command the runner: `##[` and invisible
 * characters are written as JSON escapes, so it parses to the same values.
 */
function reportJson(report) {
    const cuts = new Set();
    const text = (value, maxBytes = TEXT) => {
        const short = shorten(value, maxBytes);
        if (short !== value)
            cuts.add('the end of long texts');
        return short;
    };
    const bounded = withoutLists(report, text);
    // Half a command could do harm, and half of the commands do not restore: all of them or none.
    if (report.recovery.reduce((sum, line) => sum + line.length, 0) > RECOVERY || bytesOf(report.recovery) > RECOVERY) {
        cuts.add('the recovery commands');
    }
    else
        bounded.recovery = report.recovery;
    bounded.problems = report.problems
        .slice(0, MOST.problems)
        .map((problem) => ({ ...problem, message: text(problem.message, PROBLEM) }));
    bounded.notes = report.notes.slice(0, MOST.notes).map((note) => text(note, PROBLEM));
    bounded.checked = report.checked.map(({ what, found }) => ({ what: text(what, SHORT_TEXT), found: text(found) }));
    bounded.stages = report.stages
        .slice(0, MOST.stages)
        .map((stage) => ({ ...stage, name: text(stage.name, SHORT_TEXT) }));
    let room = MAX_REPORT_BYTES - NOTICE - bytesOf(bounded);
    /** False when there is no room for it. */
    const add = (list, item) => {
        if (item === undefined)
            return true;
        room -= bytesOf(item) + 1;
        if (room >= 0)
            list.push(item);
        return room >= 0;
    };
    for (let i = 0; i < Math.max(MOST.backups, MOST.decisions); i++) {
        const backup = i < MOST.backups ? report.backups[i] : undefined;
        const decision = i < MOST.decisions ? report.retention[i] : undefined;
        const offsite = i < MOST.decisions ? report.s3?.retention[i] : undefined;
        if (!add(bounded.backups, backup && backupWithin(backup, text)))
            break;
        if (!add(bounded.retention, decision && decisionWithin(decision, text)))
            break;
        if (!add(bounded.s3?.retention ?? [], offsite && decisionWithin(offsite, text)))
            break;
    }
    for (const table of report.tables.slice(0, MOST.tables)) {
        if (!add(bounded.tables, { ...table, name: text(table.name, SHORT_TEXT) }))
            break;
    }
    const missing = (noun, all, kept) => {
        if (kept.length < all.length)
            cuts.add(`${(0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .counted */ .hS)(all.length - kept.length, noun)} of ${all.length}`);
    };
    missing('table', report.tables, bounded.tables);
    missing('backup', report.backups, bounded.backups);
    missing('retention decision', report.retention, bounded.retention);
    missing('retention decision in S3', report.s3?.retention ?? [], bounded.s3?.retention ?? []);
    missing('problem', report.problems, bounded.problems);
    missing('note', report.notes, bounded.notes);
    missing('stage', report.stages, bounded.stages);
    if (cuts.size > 0) {
        const message = `report: too large for an output, left out: ${[...cuts].join('; ')}`;
        bounded.problems.unshift({ level: 'warning', message });
    }
    return encode(bounded);
}
function withoutLists(report, text) {
    return {
        ...report,
        error: report.error && {
            message: text(report.error.message, LONG_TEXT),
            hint: text(report.error.hint, LONG_TEXT),
            left: report.error.left,
        },
        startedAt: text(report.startedAt),
        skipped: report.skipped === null ? null : text(report.skipped),
        host: text(report.host),
        database: text(report.database),
        name: text(report.name),
        directory: text(report.directory),
        backup: report.backup && backupWithin(report.backup, text),
        recovery: [],
        backups: [],
        retention: [],
        tables: [],
        stages: [],
        problems: [],
        notes: [],
        checked: [],
        ...(report.changes === undefined ? {} : { changes: changesWithin(report.changes, text) }),
        restore: report.restore && restoreWithin(report.restore, text),
        offsite: report.offsite && {
            ...report.offsite,
            uri: text(report.offsite.uri),
            versionId: report.offsite.versionId === null ? null : text(report.offsite.versionId),
        },
        s3: report.s3 && { ...report.s3, uri: text(report.s3.uri), retention: [] },
    };
}
function changesWithin({ since, tables }, text) {
    return {
        since: text(since, SHORT_TEXT),
        tables: tables.slice(0, MOST.lines).map((table) => ({ ...table, name: text(table.name, SHORT_TEXT) })),
    };
}
function restoreWithin(restore, text) {
    const { plan } = restore;
    const few = (lines) => lines.slice(0, MOST.lines).map((line) => text(line, SHORT_TEXT));
    return {
        ...restore,
        target: text(restore.target),
        from: text(restore.from),
        plan: plan && {
            ...plan,
            way: text(plan.way),
            tables: plan.tables.slice(0, MOST.lines).map((table) => ({ ...table, name: text(table.name, SHORT_TEXT) })),
            differences: few(plan.differences),
            users: few(plan.users),
            commands: few(plan.commands),
        },
    };
}
function backupWithin(facts, text) {
    return {
        ...facts,
        id: text(facts.id, SHORT_TEXT),
        path: text(facts.path),
        createdAt: text(facts.createdAt, SHORT_TEXT),
        sha256: text(facts.sha256, SHORT_TEXT),
        pinned: facts.pinned === null ? null : text(facts.pinned, SHORT_TEXT),
        reason: text(facts.reason, SHORT_TEXT),
        ...(facts.partial === undefined ? {} : { partial: text(facts.partial, SHORT_TEXT) }),
    };
}
function decisionWithin({ id, keep, reasons }, text) {
    const few = reasons.slice(0, MOST.reasons).map((reason) => text(reason, SHORT_TEXT));
    return { id: text(id, SHORT_TEXT), keep, reasons: few };
}
function shorten(value, maxBytes) {
    let length = maxBytes;
    // A character may take up to six bytes, as \u0007 does.
    while (bytesOf((0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .clip */ .$Q)(value, length)) > maxBytes + 2)
        length = Math.floor(length * 0.9);
    return (0,_format_js__WEBPACK_IMPORTED_MODULE_0__/* .clip */ .$Q)(value, length);
}
function bytesOf(value) {
    return Buffer.byteLength(encode(value));
}
function encode(value) {
    return JSON.stringify(value)
        .replaceAll('##[', '##\\u005b')
        .replace(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu, (found) => Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''));
}


/***/ }),

/***/ 4778:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   C: () => (/* binding */ recordFailure),
/* harmony export */   b: () => (/* binding */ newReport)
/* harmony export */ });
/** The report of a run that has not begun; what it does not know yet is empty. */
function newReport(startedAt) {
    return {
        schema: 1,
        command: 'backup',
        ok: false,
        errorCode: '',
        error: null,
        startedAt: startedAt.toISOString(),
        durationMs: 0,
        dryRun: false,
        skipped: null,
        host: '',
        database: '',
        name: '',
        directory: '',
        backup: null,
        recovery: [],
        backups: [],
        retention: [],
        kept: 0,
        deleted: 0,
        tables: [],
        tablesLeftOut: 0,
        foreignKeyViolations: 0,
        newestAgeSeconds: null,
        stages: [],
        problems: [],
        notes: [],
        checked: [],
        storage: { freeBytes: null, backupsBytes: 0, backups: 0 },
        restore: null,
        offsite: null,
        s3: null,
    };
}
/** Puts a failure into the report; `left`: what the run leaves as it was. */
function recordFailure(report, error, left) {
    report.ok = false;
    report.errorCode = error.code;
    report.error = { message: error.message, hint: error.hint, left };
    report.problems.push({ level: 'error', code: error.code, message: error.message });
}


/***/ }),

/***/ 7811:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Cp: () => (/* binding */ inSession),
/* harmony export */   N4: () => (/* binding */ note),
/* harmony export */   R8: () => (/* binding */ warn),
/* harmony export */   aW: () => (/* binding */ connected),
/* harmony export */   w4: () => (/* binding */ hostOf)
/* harmony export */ });
/* harmony import */ var _engines_lookup_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(8581);
/* harmony import */ var _host_session_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(5347);
/* harmony import */ var _left_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(8470);
/* harmony import */ var _reporting_format_js__WEBPACK_IMPORTED_MODULE_6__ = __nccwpck_require__(1267);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(4302);
/* harmony import */ var _reporting_progress_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(2007);
/* harmony import */ var _explain_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(9266);







/** Far more than a real run has; what a hostile host can put into the log must end somewhere. */
const MAX_TOLD = 2_000;
const MAX_NOTES = 50;
const MAX_PHASES = 50;
/** There is no connection to wait for, and the machine may be busy. */
const LOCAL_START_MS = 120_000;
/** Connects, starts the session, hands it to `work`, and ends it on every path. */
async function connected(run, work) {
    const { log, report, signal } = run;
    const connecting = performance.now();
    run.left = 'nothing-run';
    const host = await log.group('Connect', () => unlessAborted(signal, connect(run)));
    report.host = host.label;
    return inSession(run, host, (connection) => {
        report.stages.push({ name: 'connect', ms: Math.round(performance.now() - connecting) });
        return work(connection);
    });
}
/** Starts a session, hands it to `work`, and ends it and the connection on every path. `where`: people have to type there what helps. */
async function inSession(run, host, work, where = 'On the host') {
    const { settings, log, signal } = run;
    const phases = new Phases(run);
    const tell = teller(run);
    const names = new Map();
    let said = [];
    let session = null;
    const giveUp = () => {
        if (session === null)
            host.close();
        else
            session.abort(signal.reason);
    };
    signal.addEventListener('abort', giveUp);
    try {
        run.hostIsClean = false;
        const opening = _host_session_js__WEBPACK_IMPORTED_MODULE_1__/* .Session */ .Nn.open(host, {
            engine: (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_0__/* .programsOf */ .h2)((0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_0__/* .engineOf */ .ky)(settings.database)),
            idleTimeoutMs: settings.idleTimeoutMs,
            startTimeoutMs: settings.transport.transport === 'ssh' ? settings.transport.connectTimeoutMs : LOCAL_START_MS,
            onProgress: (progress) => phases.progress(progress),
            onPhase: (name, bytes) => phases.start(name, bytes),
            onFact: (key, text) => {
                said.push([key, text]);
                tell(key, text);
            },
        });
        const opened = await unlessAborted(signal, opening);
        session = opened;
        const greeted = () => {
            if (run.left === 'nothing-run')
                run.left = (0,_left_js__WEBPACK_IMPORTED_MODULE_2__/* .leftBefore */ .To)(settings);
        };
        void opened.hello.then(greeted, () => { });
        if (signal.aborted)
            throw signal.reason;
        return await work({
            host,
            hello: opened.hello,
            names,
            isLost: () => opened.isOver,
            said: (key) => said.filter(([other]) => other === key).map(([, text]) => text),
            send: async (...requests) => {
                said = [];
                try {
                    const facts = await opened.send(...requests);
                    phases.end();
                    return facts;
                }
                catch (error) {
                    phases.stop();
                    throw await (0,_explain_js__WEBPACK_IMPORTED_MODULE_3__/* .explain */ .W)(error, opened.hello, { names, where }, run);
                }
            },
        });
    }
    finally {
        signal.removeEventListener('abort', giveUp);
        if (session !== null) {
            if (session.noise !== '') {
                log.warning(`login scripts of ${host.label} print text into sessions without a terminal; this action ignores it, other tools may not: ${(0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_4__/* .quoteOutside */ .Y)(session.noise, 200)}`);
            }
            run.hostIsClean = await session.close();
            if (!run.hostIsClean)
                log.info(`${host.label} did not say that it has cleaned up; the post step looks`);
        }
        else
            host.close();
    }
}
/** As `work`, but rejects as soon as the run is to end, also where the network does not answer. */
function unlessAborted(signal, work) {
    return new Promise((resolve, reject) => {
        const giveUp = () => reject(signal.reason);
        if (signal.aborted)
            giveUp();
        signal.addEventListener('abort', giveUp);
        void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
    });
}
async function connect(run) {
    const { transport } = run.settings;
    // Loaded when used: ssh2 costs a quarter of the start-up time.
    if (transport.transport === 'local') {
        const { localHost } = await __nccwpck_require__.e(/* import() */ 337).then(__nccwpck_require__.bind(__nccwpck_require__, 9337));
        return localHost();
    }
    const { connectSsh } = await Promise.all(/* import() */[__nccwpck_require__.e(472), __nccwpck_require__.e(487), __nccwpck_require__.e(593)]).then(__nccwpck_require__.bind(__nccwpck_require__, 6593));
    run.log.info(`connecting to ${transport.username}@${transport.host}:${transport.port}${transport.jump === null ? '' : ` through ${transport.jump.host}:${transport.jump.port}`}`);
    return connectSsh(transport, (message) => warn(run, message), run.signal);
}
function warn(run, message) {
    run.report.problems.push({ level: 'warning', message });
    run.log.warning(message);
}
/** What is so, and is nobody's fault: no annotation, and the run stays as good as it is. */
function note(run, message) {
    run.report.notes.push(message);
    run.log.info(`note: ${message}`);
}
/** What the program on the host says on the way. */
function teller(run) {
    let told = 0;
    const noted = new Set();
    const lines = {
        waiting: (said) => `another run holds the lock, waiting: ${said}`,
        swept: (said) => `removed what a run that died left behind: ${said}`,
        user: (said) => `logged in as ${said}`,
        missing: (said) => `${said} does not exist`,
        deleted: (said) => `deleted ${said}`,
        published: (said) => `published ${said}`,
        said: (said) => `  ${said}`, // by a command of the user
    };
    return (key, text) => {
        const line = Object.hasOwn(lines, key) ? lines[key] : undefined;
        if (line === undefined && key !== 'note' && key !== 'aside')
            return;
        told++;
        const said = (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_4__/* .quoteOutside */ .Y)(text, 500);
        if (line === undefined) {
            // what two steps have found is one finding
            if (told <= MAX_NOTES && !noted.has(said))
                (key === 'note' ? warn : note)(run, said);
            noted.add(said);
        }
        else if (told <= MAX_TOLD)
            run.log.info(line(said));
    };
}
const TITLES = {
    copy: 'copy',
    dump: 'dump',
    count: 'row counts',
    check: 'content check',
    compress: 'compress and hash',
    read_back: 'read back',
    checksum: 'checksum',
    unpack: 'unpack',
    restore: 'restore',
    load: 'load',
    swap: 'swap',
};
/** The stages on the host: their times for the report, their progress for the log. */
class Phases {
    run;
    count = 0;
    current = null;
    printed = Number.NEGATIVE_INFINITY;
    constructor(run) {
        this.run = run;
    }
    start(name, expectedBytes) {
        this.end();
        if (++this.count > MAX_PHASES)
            return;
        const title = Object.hasOwn(TITLES, name) ? (TITLES[name] ?? name) : name.slice(0, 40);
        this.current = {
            name: title,
            started: performance.now(),
            bytes: expectedBytes,
            progress: new _reporting_progress_js__WEBPACK_IMPORTED_MODULE_5__/* .Progress */ .k(this.run.log, title, expectedBytes > 0 ? expectedBytes : null),
        };
    }
    progress({ copied, packed, read }) {
        const phase = this.current;
        const now = performance.now();
        if (phase === null || now - this.printed < _reporting_progress_js__WEBPACK_IMPORTED_MODULE_5__/* .EVERY_MS */ .r)
            return; // one line each 10 s, also across phases
        const bytes = phase.name === TITLES.copy ? copied : phase.name === TITLES.read_back ? read : packed || copied || read;
        if (phase.progress.update(bytes))
            this.printed = now;
    }
    /** It did not come to its end, so that there is no time and rate of the whole to tell. */
    stop() {
        const phase = this.current;
        this.current = null;
        if (phase !== null) {
            this.run.log.info(`${phase.name}: stopped after ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatDuration */ .a3)(performance.now() - phase.started)}`);
        }
    }
    end() {
        const phase = this.current;
        if (phase === null)
            return;
        this.current = null;
        const ms = Math.round(performance.now() - phase.started);
        this.run.report.stages.push({ name: phase.name, ms, bytes: phase.bytes });
        const size = phase.bytes === 0 ? '' : `${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatBytes */ .z3)(phase.bytes)} in `;
        const rate = phase.bytes === 0 ? '' : ` (${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatRate */ .CE)(phase.bytes, ms)})`;
        this.run.log.info(`${phase.name}: ${size}${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatDuration */ .a3)(ms)}${rate}`);
    }
}
/** The host by its own name, as manifests keep it. */
const hostOf = async (run, { hello }) => (await hello).get('hostname') ?? run.report.host;


/***/ }),

/***/ 4790:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   AJ: () => (/* binding */ openDirectory),
/* harmony export */   Kd: () => (/* binding */ holderOf),
/* harmony export */   M7: () => (/* binding */ lookLocked),
/* harmony export */   Op: () => (/* binding */ look),
/* harmony export */   RW: () => (/* binding */ connectedToChange),
/* harmony export */   c2: () => (/* binding */ statusOf)
/* harmony export */ });
/* harmony import */ var _backups_retention_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7385);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(7452);
/* harmony import */ var _reporting_report_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(4778);
/* harmony import */ var _reporting_report_json_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(789);
/* harmony import */ var _connect_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(7811);





/**
 * Enters the backup directory, when the clocks agree: `create` makes it, `change` works in one that is there, `look`
 * writes nothing at all.
 */
function openDirectory(run, how) {
    const { directory, umask } = run.settings;
    return [
        ['request', 'check_clock', [seconds(run.now().getTime()), seconds(_backups_retention_js__WEBPACK_IMPORTED_MODULE_0__/* .CLOCK_TOLERANCE_MS */ .UG)]],
        ['request', 'open_directory', [directory, umask, how]],
    ];
}
/** The catalogue, for reading. */
function look({ settings, database }) {
    return ['job', 'look', [settings.name, database.path]];
}
/** The catalogue, under the lock, for a change that follows; what dead runs left is swept. */
function lookLocked(run, what, waitMs = run.settings.lockWaitMs) {
    return ['job', 'look_locked', [run.settings.name, run.database.path, seconds(waitMs), holderOf(run, what)]];
}
/** Who holds the lock, for the runs that wait for it: one line. */
function holderOf(run, what) {
    const from = run.github === null ? 'a run outside GitHub' : `${run.github.runUrl} (${run.github.actor})`;
    return `${run.settings.command} ${what} of ${from}, since ${run.now().toISOString()}`.replace(/[\r\n]/g, ' ');
}
/** `status.json`: the report of this run as it stands. */
function statusOf({ report, now }) {
    report.durationMs = now().getTime() - Date.parse(report.startedAt);
    return `${(0,_reporting_report_json_js__WEBPACK_IMPORTED_MODULE_2__/* .reportJson */ .l)(report)}\n`;
}
/** As `connected`, for commands that change the directory: a failure is left there too, as far as it can be written. */
async function connectedToChange(run, work) {
    await (0,_connect_js__WEBPACK_IMPORTED_MODULE_3__/* .connected */ .aW)(run, async (bare) => {
        const connection = run.finishingFirst(bare);
        try {
            await work(connection);
        }
        catch (error) {
            if (!run.settings.dryRun) {
                const report = structuredClone(run.report);
                (0,_reporting_report_js__WEBPACK_IMPORTED_MODULE_4__/* .recordFailure */ .C)(report, (0,_errors_js__WEBPACK_IMPORTED_MODULE_1__/* .describe */ .q0)(error), run.left);
                await connection.send(['job', 'put_status', [statusOf({ report, now: run.now })]]).catch(() => { });
            }
            throw error;
        }
    });
}
const seconds = (ms) => String(Math.ceil(ms / 1000));


/***/ }),

/***/ 9266:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   W: () => (/* binding */ explain),
/* harmony export */   p: () => (/* binding */ noDirectory)
/* harmony export */ });
/* harmony import */ var _engines_lookup_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(8581);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(7452);
/* harmony import */ var _host_install_line_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(2752);
/* harmony import */ var _host_quoting_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(2437);
/* harmony import */ var _host_session_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(5347);
/* harmony import */ var _reporting_format_js__WEBPACK_IMPORTED_MODULE_6__ = __nccwpck_require__(1267);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(4302);







/** Puts what the program on the host reported into words: what happened, why, what to do. */
async function explain(error, hello, { names, where }, run) {
    if (!(error instanceof _host_session_js__WEBPACK_IMPORTED_MODULE_4__/* .HostFailure */ .hD))
        return (0,_errors_js__WEBPACK_IMPORTED_MODULE_1__/* .describe */ .q0)(error);
    const text = [...names].reduce((rest, [path, name]) => rest.replaceAll(path, () => name), error.text);
    const failure = new _host_session_js__WEBPACK_IMPORTED_MODULE_4__/* .HostFailure */ .hD(error.code, text, error.facts);
    const greeting = await hello.catch(() => null);
    const user = greeting?.get('user') ?? 'the login user';
    return (run.database.explain(failure, run.settings) ?? ofHost(failure, user, greeting?.get('system') ?? '', where, run));
}
function ofHost(failure, user, system, where, run) {
    const { code, facts } = failure;
    const { settings } = run;
    const said = (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__/* .quoteOutside */ .Y)(failure.text);
    const verifying = settings.command === 'verify' || settings.command === 'restore';
    switch (code) {
        case 'E_LOCKED':
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, `another run holds the lock of the backup directory: ${(0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__/* .quoteOutside */ .Y)(facts.get('holder') || 'unknown', 500)}; ${said} (lock-wait)`, `Wait for it to end, or raise \`lock-wait\`; use one concurrency group per database. The lock ends with its holder, there is nothing to delete.`);
        case 'E_CLOCK': {
            const [host, runner] = [new Date(Number(said) * 1000), run.now()];
            const apart = Math.abs(host.getTime() - runner.getTime());
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, Number.isNaN(apart)
                ? `the clock of the host says ${said}`
                : `the clock of the host says ${host.toISOString()}, the one of the runner ${runner.toISOString()}: ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatDuration */ .a3)(apart)} apart`, 'Set the one that is wrong (`timedatectl set-ntp true`). Names, ages and retention depend on it.');
        }
        case 'E_TOOL_MISSING': {
            const { substitutes = {}, packages } = (0,_engines_lookup_js__WEBPACK_IMPORTED_MODULE_0__/* .engineOf */ .ky)(settings.database);
            const instead = Object.hasOwn(substitutes, said) ? substitutes[said] : null;
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, `${said} is not installed on ${run.report.host}${instead === null ? '' : `, and neither is ${instead}, which would do as well`}`, `${where}: ${(0,_host_install_line_js__WEBPACK_IMPORTED_MODULE_2__/* .installLine */ .c)(said, system, packages)}.`);
        }
        case 'E_NOSPACE': {
            const free = facts.get('free_kib');
            const needed = facts.get('needed_kib');
            const place = facts.get('nospace') ?? settings.directory;
            const advice = place === facts.get('temporary')
                ? `Free some there${settings.dump.format === 'directory' ? ', or choose the `dump-format` custom, which needs none of it' : ': the tools of the database work there'}.`
                : 'Free some, lower `keep` and run `prune`, or choose a `directory` on another disk.';
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, needed === null
                ? `the file system of ${place} is full: ${said}`
                : `not enough space in ${place}: ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatBytes */ .z3)(Number(needed) * 1024)} are needed (${facts.get('needed_for') === 'fetched' ? 'the file from the store' : verifying ? 'the unpacked copy' : 'copy, compressed backup'} and min-free), ${free === null ? 'fewer' : (0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_6__/* .formatBytes */ .z3)(Number(free) * 1024)} are free`, `${advice} What this run had written was removed.`);
        }
        case 'E_PERM_UNSAFE': {
            const line = safeAgain(facts, user, settings);
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, `the backup directory is not safe: ${said}`, `Whoever can write there can forge and delete backups. ${line}or choose another \`directory\`.`);
        }
        case 'E_PERM': {
            const refused = elsewhereRefused(failure, settings);
            if (refused !== null)
                return refused;
            if (facts.get('unusable') !== null)
                return noDirectory(said, facts.path('unusable'), user, settings);
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, said, `Correct owner or mode, or use \`run-as\` for the database.`);
        }
        case 'E_CHECKSUM':
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, said, verifying
                ? 'Do not rely on this backup: take a new one, and look at the disk of the host and at who can write that directory.'
                : 'The disk or the memory of the host can not be trusted: check both.');
        default:
            return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj(code, said);
    }
}
/** The login user can not make, enter or write the backup directory `path`. */
function noDirectory(message, path, user, settings) {
    const line = ownLine(user, path, settings);
    return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj('E_PERM', message, `On the host: \`${line}\`; or choose a \`directory\` that ${(0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__/* .quoteOutside */ .Y)(user, 100)} can make, such as \`db-backups\`, which is in the home.`);
}
/** What mends a backup directory that others can write. */
function safeAgain(facts, user, settings) {
    const line = (key, make) => facts.get(key) === null ? null : `Type \`${make(facts.path(key))}\` on the host, `;
    return (line('not_ours', (path) => ownLine(user, path, settings)) ??
        line('open_to_others', (path) => `chmod go-w ${word(path)}`) ??
        line('leads_away', (path) => `rm ${word(path)}`) ??
        'Let nobody but its owner write it, ');
}
/** The line that makes a directory of that user, or one that is there already his. */
const ownLine = (user, path, { umask }) => `sudo install -d -m ${umask === '077' ? '700' : '750'} -o ${word(user)} ${word(path)}`;
/** As one types it: in quotes only where that is needed. */
const word = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : (0,_host_quoting_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .h)((0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__/* .quoteOutside */ .Y)(text, 5_000)));
/** The shell that was to run as another user, or in the container, could not be started. */
function elsewhereRefused({ text, facts }, { runAs, container }) {
    const said = (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_5__/* .quoteOutside */ .Y)(text);
    const sudoer = facts.get('sudo_refused');
    if (sudoer !== null) {
        return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj('E_PERM', `sudo does not let ${sudoer} run \`sh -s\` as ${runAs}: ${said}`, `As root put this line into /etc/sudoers.d/db-backup (\`visudo -f\`): ${sudoer} ALL=(${runAs}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s.`);
    }
    const user = facts.get('container_refused');
    if (user === null)
        return null;
    const engine = facts.get('container_engine') ?? 'docker';
    if (/no such container|no container with name|is not running|container state improper/i.test(text)) {
        return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj('E_SOURCE_MISSING', `there is no running container ${container}: ${said}`, `\`${engine} ps\` on the host, as ${user}, shows the names; correct \`container\`, or start it.`);
    }
    return new _errors_js__WEBPACK_IMPORTED_MODULE_1__/* .BackupError */ .hj('E_PERM', `${user} can not start a shell in the container ${container}: ${said}`, `\`${engine} exec -i ${container} sh -s\` must work for ${user}, for example as a member of the group docker (which is as good as root).`);
}


/***/ }),

/***/ 9011:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Gv: () => (/* binding */ isObject),
/* harmony export */   Ik: () => (/* binding */ object),
/* harmony export */   Qq: () => (/* binding */ text),
/* harmony export */   TL: () => (/* binding */ quoted),
/* harmony export */   Te: () => (/* binding */ texts),
/* harmony export */   WQ: () => (/* binding */ whole),
/* harmony export */   _8: () => (/* binding */ faultIn),
/* harmony export */   aH: () => (/* binding */ anyObject),
/* harmony export */   bh: () => (/* binding */ LIST_LIMIT),
/* harmony export */   by: () => (/* binding */ LINE_LIMIT),
/* harmony export */   p_: () => (/* binding */ list),
/* harmony export */   uR: () => (/* binding */ instant),
/* harmony export */   wC: () => (/* binding */ matching),
/* harmony export */   yL: () => (/* binding */ oneOf)
/* harmony export */ });
/* harmony import */ var valibot__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7934);
/** What the schemas of documents are made of. Each message says what is expected; nothing is taken from a prototype. */

// Others may write anything into a document. These bounds are far above what a real one holds.
/** Of one text, in characters; what writes a manifest keeps to it as well. */
const LINE_LIMIT = 16 * 1024;
const LIST_LIMIT = 100_000;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const anyObject = valibot__WEBPACK_IMPORTED_MODULE_0__/* .custom */ .IeY(isObject, 'an object');
/** With at least these fields; a missing one is refused in the words of its own schema. */
const object = (entries) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .pipe */ .FsL(anyObject, valibot__WEBPACK_IMPORTED_MODULE_0__/* .object */ .Ikc(entries, ({ path }) => {
    const schema = entries[String(path?.[0].key)];
    return (schema && valibot__WEBPACK_IMPORTED_MODULE_0__/* .safeParse */ .xLC(schema, undefined).issues?.[0].message) ?? 'an object';
}));
const list = (item) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .pipe */ .FsL(valibot__WEBPACK_IMPORTED_MODULE_0__/* .custom */ .IeY((value) => Array.isArray(value) && value.length <= LIST_LIMIT, `a list of at most ${LIST_LIMIT}`), valibot__WEBPACK_IMPORTED_MODULE_0__/* .array */ .YOg(item));
const text = (minimum = 0) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .custom */ .IeY((value) => typeof value === 'string' && value.length >= minimum && value.length <= LINE_LIMIT, `a text of ${minimum} to ${LINE_LIMIT} characters`);
const matching = (pattern, rule) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .pipe */ .FsL(text(), valibot__WEBPACK_IMPORTED_MODULE_0__/* .regex */ .yGV(pattern, rule));
const whole = (minimum = 0) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .custom */ .IeY((value) => Number.isSafeInteger(value) && value >= minimum, `a whole number of ${minimum} or more`);
const oneOf = (allowed) => valibot__WEBPACK_IMPORTED_MODULE_0__/* .picklist */ .KIO(allowed, quoted(allowed));
const quoted = (allowed) => allowed.map((value) => JSON.stringify(value)).join(' or ');
/** An instant of the calendar in UTC, as `Date.toISOString` writes it, with or without milliseconds. */
const instant = valibot__WEBPACK_IMPORTED_MODULE_0__/* .pipe */ .FsL(text(), valibot__WEBPACK_IMPORTED_MODULE_0__/* .check */ .z6Y((written) => {
    const date = new Date(written);
    return !Number.isNaN(date.getTime()) && [written, written.replace(/Z$/, '.000Z')].includes(date.toISOString());
}, 'a UTC time such as "2026-11-20T10:15:00Z"'));
const TEXT = text();
/** Texts by name, whatever the names: `v.record` passes over `__proto__` and its like. */
const texts = valibot__WEBPACK_IMPORTED_MODULE_0__/* .pipe */ .FsL(valibot__WEBPACK_IMPORTED_MODULE_0__/* .custom */ .IeY(isObject, 'an object'), valibot__WEBPACK_IMPORTED_MODULE_0__/* .rawCheck */ .H0v(({ dataset: { value: input }, addIssue }) => {
    for (const [key, value] of Object.entries(input)) {
        const message = valibot__WEBPACK_IMPORTED_MODULE_0__/* .safeParse */ .xLC(TEXT, value).issues?.[0].message;
        if (message === undefined)
            continue;
        addIssue({
            message,
            input: value,
            path: [{ type: 'object', origin: 'value', input: input, key, value }],
        });
        return;
    }
}));
/** The first thing that is wrong with a document; null when it is as the schema has it. */
function faultIn(schema, document) {
    const [issue] = valibot__WEBPACK_IMPORTED_MODULE_0__/* .safeParse */ .xLC(schema, document, { abortEarly: true }).issues ?? [];
    if (issue === undefined)
        return null;
    return { path: (issue.path ?? []).map(({ key }) => String(key)).join('.'), rule: issue.message, value: issue.input };
}


/***/ }),

/***/ 3663:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   z: () => (/* binding */ parseHostPath)
/* harmony export */ });
/** PATH_MAX of Linux, in bytes. */
const LONGEST = 4096;
/**
 * Reads a path on the host: absolute, or relative to the home of the login user, which `~/` and `./` stand for as well.
 * Returns it without `.` segments, doubled slashes and a slash at the end; `/` and the home itself are refused.
 *
 * The path arrives quoted, so no shell there would expand `~`. `..` is refused because the checks of owner and mode on the
 * way to a file would not be about the folders that the path spells. Throws an Error whose text is the rule, without the path.
 */
function parseHostPath(text) {
    if (/\p{Cc}/u.test(text))
        throw new Error('expected a path without control characters');
    if (/^~[^/]/.test(text))
        throw new Error('expected a path without "~user": write it absolute, or "~/" for your own home');
    const segments = text
        .replace(/^~(?=\/|$)/, '.')
        .split('/')
        .filter((segment) => segment !== '' && segment !== '.');
    if (segments.includes('..'))
        throw new Error('expected a path without ".." segments');
    if (segments.length === 0)
        throw new Error('expected a path below "/" or below the home of the login user');
    const path = `${text.startsWith('/') ? '/' : ''}${segments.join('/')}`;
    if (Buffer.byteLength(path) > LONGEST)
        throw new Error(`expected a path of at most ${LONGEST} bytes`);
    return path;
}


/***/ }),

/***/ 6059:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  s: () => (/* binding */ readSettings)
});

// EXTERNAL MODULE: ./src/backups/names.ts
var names = __nccwpck_require__(1187);
// EXTERNAL MODULE: ./src/engines/lookup.ts + 26 modules
var lookup = __nccwpck_require__(8581);
;// CONCATENATED MODULE: ./src/settings/database-inputs.ts

// What `database` and the inputs about it may be is for the engine to say, whose database it is.
const MISSING = 'required, but empty; the secret or variable that fills it is probably not set (for example secrets.DATABASE_URL or vars.DATABASE_URL)';
function readDatabase(reader) {
    const source = reader.requireAs('database', (text) => parsed(reader, 'database', text), MISSING);
    if (source === undefined)
        return source;
    const engine = (0,lookup/* engineOf */.ky)(source);
    for (const name of new Set(Object.values(lookup/* ENGINES */.ug).flatMap(({ inputs }) => inputs))) {
        if (!engine.inputs.includes(name))
            reader.ignore(name, `with a ${engine.title} database`);
    }
    const password = reader.read('database-password');
    if (typeof password !== 'string' || engine.withPassword === undefined)
        return source;
    reader.mask(encodeURIComponent(password)); // as it stands in URLs
    try {
        return engine.withPassword(source, password);
    }
    catch (error) {
        reader.problem('database-password', error.message);
        return source;
    }
}
/** Everything secret in the text is masked before anything else can be said about it. */
function parsed(reader, name, text) {
    const { source, secrets, remarks } = (0,lookup/* parseSource */.PJ)(text);
    for (const secret of secrets)
        reader.mask(secret);
    reader.warnings.push(...remarks.map((remark) => `${name}: ${remark}`));
    return source;
}
function readContainer(reader, database) {
    const { noContainer, title } = database === undefined ? {} : (0,lookup/* engineOf */.ky)(database);
    if (noContainer === undefined)
        return reader.read('container');
    return reader.readAs('container', () => {
        throw new Error(`expected nothing with a ${title} database: ${noContainer}`);
    });
}
/** `restore-to`, which has to be of the engine of `database`. */
function readSameEngine(reader, database) {
    return reader.readAs('restore-to', (text) => {
        const source = parsed(reader, 'restore-to', text);
        if (database === undefined || source.engine === database.engine)
            return source;
        throw new Error(`expected ${(0,lookup/* engineOf */.ky)(database).form}, as database is one`);
    });
}
/** Where a proof makes its throw-away database; null: beside the live one, or it is a file. */
function readScratch(reader, command, verify, verifyOn, database) {
    if (verify === 'checksum' || verify === 'content')
        reader.ignore('restore-to', `with verify ${verify}`);
    const { scratch, title } = database === undefined ? {} : (0,lookup/* engineOf */.ky)(database);
    if (database !== undefined && scratch === undefined) {
        reader.ignore('restore-to', `with a ${title} database, of which a temporary file is made`);
    }
    const place = readSameEngine(reader, database);
    if (database === undefined || scratch === undefined)
        return place;
    if (place === null && command === 'verify' && verify === 'restore' && verifyOn === 'runner') {
        reader.missing('restore-to', `required with verify-on runner and verify restore: ${scratch.onRunner}`);
    }
    if (!place || !scratch.isSame(place, database))
        return place;
    // not thrown above, where a password in the URL would keep the rule from being shown
    reader.problem('restore-to', `expected ${scratch.elsewhere}`);
    return undefined;
}

// EXTERNAL MODULE: ./src/host/known-hosts.ts
var known_hosts = __nccwpck_require__(7879);
// EXTERNAL MODULE: ./src/settings/value-rules.ts
var value_rules = __nccwpck_require__(7722);
;// CONCATENATED MODULE: ./src/settings/fingerprints.ts


const RULE = 'expected "SHA256:" and 43 characters of base64, one a line, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host; before it may stand the host that it is of, as in known_hosts: `db.example.com SHA256:...`, or `[db.example.com]:2222 SHA256:...`';
/** One `SHA256:...` a line, each with the name of its host before it, or without; padding is removed. */
function parseFingerprints(text) {
    const found = new Map();
    for (const line of text.split(/\r\n|\r|\n/).map((one) => one.trim())) {
        if (line === '')
            continue;
        const [, name, base64 = ''] = /^(?:(\S+)[ \t]+)?SHA256:([A-Za-z0-9+/]{43})=?$/.exec(line) ?? [];
        // 43 characters hold two bits more than a hash; where they are not zero, a character was mistyped.
        if (Buffer.from(base64, 'base64').toString('base64') !== `${base64}=`)
            throw new Error(RULE);
        const host = name === undefined ? null : parseName(name);
        found.set(`${host} ${base64}`, { host, print: `SHA256:${base64}` });
    }
    return [...found.values()];
}
/** The name of a host as known_hosts has it. No patterns: a fingerprint is for telling one host from another. */
function parseName(name) {
    const [, host = name, port = '22'] = /^\[([^\]]*)\]:(\d+)$/.exec(name) ?? [];
    try {
        return (0,known_hosts/* nameInFile */.tx)((0,value_rules/* parseHost */.o6)(host), (0,value_rules/* parsePort */.pz)(port));
    }
    catch {
        throw new Error(RULE);
    }
}
/** The message for a line that does not say whose key it is, while there are two hosts; undefined: all is well. */
function unnamedFingerprint(fingerprints, hosts) {
    const unnamed = fingerprints.find(({ host }) => host === null);
    if (unnamed === undefined)
        return undefined;
    return `with jump-host each line begins with the host that it is of, since the jump host could show a key of its own as that of the host behind it: ${hosts.map((host) => `\`${host} SHA256:...\``).join(' and ')}; this one does not: ${unnamed.print}`;
}

// EXTERNAL MODULE: ./src/settings/host-path.ts
var host_path = __nccwpck_require__(3663);
// EXTERNAL MODULE: ./src/settings/units.ts
var units = __nccwpck_require__(8902);
;// CONCATENATED MODULE: ./src/settings/keep-rules.ts

const RULES = ['last', 'within', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'];
/** More is a typing error; also keeps every sum of the planner far from where numbers lose precision. */
const MOST = 100_000;
const EXAMPLES = 'expected rules such as "5" or "daily=7 weekly=4"';
const isRule = (text) => RULES.includes(text);
/**
 * Reads what `keep` takes: `5` (the same as `last=5`), or rules separated by blanks, commas or newlines.
 * Throws an Error that states the rule and quotes the part that broke it.
 */
function parseKeep(text) {
    const whole = text.trim();
    if (/^\d+$/.test(whole))
        return { last: parseCount(whole, whole) };
    const parts = whole
        .replace(/\s*=\s*/g, '=')
        .split(/[\s,]+/)
        .filter((part) => part !== '');
    if (parts.length === 0)
        throw new Error(`${EXAMPLES}, got ""`);
    const rules = {};
    for (const part of parts) {
        const [name = '', value, ...rest] = part.split('=');
        if (value === undefined || rest.length > 0)
            throw new Error(`${EXAMPLES}, got ${JSON.stringify(part)}`);
        if (!isRule(name))
            throw new Error(`unknown rule, expected one of ${RULES.join(', ')}, got ${JSON.stringify(part)}`);
        if (rules[name] !== undefined)
            throw new Error(`the rule ${name} is given twice, got ${JSON.stringify(whole)}`);
        rules[name] = name === 'within' ? parseWithin(value, part) : parseCount(value, part);
    }
    return rules;
}
function parseCount(digits, part) {
    const count = /^\d{1,6}$/.test(digits) ? Number(digits) : 0;
    if (count < 1 || count > MOST)
        throw new Error(`expected a whole number from 1 to ${MOST}, got ${JSON.stringify(part)}`);
    return count;
}
function parseWithin(value, part) {
    let ms;
    try {
        ms = (0,units/* parseDuration */.E9)(value);
    }
    catch (error) {
        throw new Error(`${error.message}, got ${JSON.stringify(part)}`);
    }
    if (ms < 1_000 || ms > MOST * 86_400_000) {
        throw new Error(`expected a duration from 1s to ${MOST}d, got ${JSON.stringify(part)}`);
    }
    return ms;
}
/** Writes rules in the order of the documentation; `parseKeep` reads them back. */
function formatKeep(rules) {
    return RULES.flatMap((name) => {
        const value = rules[name];
        if (value === undefined)
            return [];
        return [`${name}=${name === 'within' ? formatDuration(value) : value}`];
    }).join(' ');
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __nccwpck_require__(7030);
;// CONCATENATED MODULE: ./src/settings/s3-rules.ts
/** What single values about an S3 store may be; as value-rules.ts. */


/** S3 counts the days of a lock in whole days, and refuses more than 100 years. */
const LONGEST_LOCK_MS = 36_500 * 86_400_000;
/** The rule of all stores; those who allow more do so for buckets of long ago. */
const isBucket = (text) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !text.includes('..');
function parseBucket(text) {
    if (isBucket(text))
        return text;
    throw new Error('expected the name of a bucket alone, 3 to 63 lower-case letters, digits, "." or "-"; what follows it goes into s3-prefix');
}
function parsePrefix(text) {
    const prefix = text.replace(/^\/+|\/+$/g, '');
    const segments = prefix.split('/');
    const isPlain = (segment) => /^[A-Za-z0-9._=-]+$/.test(segment) && !/^\.+$/.test(segment);
    if (prefix.length <= 500 && segments.every(isPlain))
        return prefix;
    throw new Error('expected folders of letters, digits, ".", "_", "=" or "-" separated by "/", at most 500 characters, such as backups/production');
}
function parseRegion(text) {
    if (/^[a-z0-9][a-z0-9-]{0,62}$/i.test(text))
        return text;
    throw new Error('expected the name of a region, such as eu-central-1');
}
/** Whoever reads along on plain HTTP gets the backup, so it is for this very machine. */
function parseEndpoint(text) {
    const rule = 'expected an https:// URL such as https://s3.example.com, or http:// to loopback alone';
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !['https:', 'http:'].includes(url.protocol))
        throw new Error(rule);
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
        throw new Error(`${rule}, without user, query or fragment`);
    }
    if (url.protocol === 'http:' && !isLoopback(url.hostname))
        throw new Error(rule);
    return url.href.replace(/\/+$/, '');
}
const isLoopback = (host) => host === 'localhost' || host === '[::1]' || ((0,external_node_net_.isIPv4)(host) && host.startsWith('127.'));
function parseToken(text) {
    if (/^[\x21-\x7e]+$/.test(text))
        return text;
    throw new Error('expected letters, digits and signs of ASCII without blanks');
}
/** Stores have classes of their own; whether it has this one, the store says. */
function parseStorageClass(text) {
    if (/^[A-Z][A-Z0-9_]{0,63}$/.test(text))
        return text;
    throw new Error('expected a storage class in capitals, such as STANDARD_IA');
}
/** An id, an alias or an ARN. */
function parseKeyId(text) {
    if (/^[A-Za-z0-9:/_-]{1,2048}$/.test(text))
        return text;
    throw new Error('expected the id, the ARN or the alias (alias/name) of a KMS key');
}
function parseObjectLock(text) {
    const rule = 'expected a duration in days such as 30d, or with its mode: governance 30d, compliance 30d';
    const [, mode = 'governance', days = ''] = /^(?:(governance|compliance) +)?(\d+d)$/i.exec(text) ?? [];
    if (days === '')
        throw new Error(rule);
    const ms = (0,units/* parseDuration */.E9)(days);
    if (ms === 0 || ms > LONGEST_LOCK_MS)
        throw new Error(`${rule}, from 1d to 36500d`);
    return { mode: mode.toLowerCase() === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', ms };
}

// EXTERNAL MODULE: ./src/settings/settings.ts
var settings = __nccwpck_require__(7100);
;// CONCATENATED MODULE: ./src/settings/declared-inputs.ts







const declared_inputs_MOST = 100_000;
const ALL = { usedBy: settings/* COMMANDS */.L };
const SSH = { usedBy: settings/* COMMANDS */.L, ssh: true };
const BACKUP = { usedBy: ['backup'] };
/** A restore takes a safety backup first. */
const SAVING = { usedBy: ['backup', 'restore'] };
/** Off-site copies are made, proven and put back. */
const OFFSITE = { usedBy: ['backup', 'restore', 'verify'] };
const PROOF = { usedBy: ['backup', 'verify'] };
const RESTORE = { usedBy: ['restore'] };
const RETENTION = { usedBy: ['backup', 'prune'] };
/** Where the copies are. */
const STORE = { usedBy: ['backup', 'restore', 'verify', 'list', 'prune', 'delete'] };
/** Every input, in the order of action.yml. */
const INPUTS = {
    command: { default: 'backup', ...ALL, parse: (0,value_rules/* oneOf */.yL)(settings/* COMMANDS */.L) },
    transport: { default: 'ssh', ...ALL, parse: (0,value_rules/* oneOf */.yL)(['ssh', 'local']) },
    host: { default: '', ...SSH, parse: value_rules/* parseHost */.o6 },
    port: { default: '22', ...SSH, parse: value_rules/* parsePort */.pz },
    username: { default: '', ...SSH, parse: value_rules/* parseUserName */.ao },
    key: { default: '', ...SSH, secret: true, lines: true, parse: value_rules/* asGiven */.O7 },
    passphrase: { default: '', ...SSH, secret: true, parse: value_rules/* asGiven */.O7 },
    'known-hosts': { default: '', ...SSH, lines: true, parse: value_rules/* asGiven */.O7 },
    fingerprint: { default: '', ...SSH, lines: true, parse: parseFingerprints },
    'jump-host': { default: '', ...SSH, parse: value_rules/* parseJumpHost */._3 },
    'jump-key': { default: '', ...SSH, secret: true, lines: true, parse: value_rules/* asGiven */.O7 },
    'jump-passphrase': { default: '', ...SSH, secret: true, parse: value_rules/* asGiven */.O7 },
    'run-as': { default: '', ...ALL, parse: value_rules/* parseRunAs */.P$ },
    container: { default: '', ...ALL, parse: value_rules/* parseContainer */.NJ },
    'connect-timeout': { default: '20s', ...SSH, parse: value_rules/* parseTimer */.Dp },
    timeout: { default: '2h', ...ALL, parse: value_rules/* parseTimer */.Dp },
    'idle-timeout': { default: '10m', ...ALL, parse: value_rules/* parseTimer */.Dp },
    'lock-wait': { default: '60s', ...ALL, parse: value_rules/* parseTimer */.Dp },
    database: { default: '', ...ALL, parse: value_rules/* asGiven */.O7, quotes: true },
    'database-password': { default: '', ...ALL, secret: true, parse: value_rules/* asGiven */.O7 },
    name: { default: '', ...ALL, parse: value_rules/* parseName */.$q },
    directory: { default: 'db-backups', ...ALL, parse: host_path/* parseHostPath */.z },
    umask: { default: '077', ...ALL, parse: value_rules/* parseUmask */.Dy },
    'dump-format': { default: 'custom', ...SAVING, parse: (0,value_rules/* oneOf */.yL)(['custom', 'directory', 'plain']) },
    jobs: { default: 'auto', usedBy: ['backup', 'verify', 'restore'], parse: (0,value_rules/* orWord */.I7)('auto', (0,value_rules/* wholeNumber */.rD)(1, 64)) },
    'exclude-table': { default: '', ...BACKUP, lines: true, parse: value_rules/* asGiven */.O7 },
    'exclude-table-data': { default: '', ...BACKUP, lines: true, parse: value_rules/* asGiven */.O7 },
    schema: { default: '', ...BACKUP, lines: true, parse: value_rules/* asGiven */.O7 },
    compression: { default: 'auto', ...SAVING, parse: (0,value_rules/* oneOf */.yL)(['auto', 'zstd', 'gzip', 'none']) },
    'compression-level': { default: '', ...SAVING, parse: value_rules/* asGiven */.O7 },
    keep: { default: '5', ...RETENTION, lines: true, parse: parseKeep, quotes: true },
    'keep-made-under': { default: 'true', ...RETENTION, parse: value_rules/* parseBoolean */.yG },
    'keep-minimum': { default: '1', usedBy: ['backup', 'prune', 'delete'], parse: (0,value_rules/* wholeNumber */.rD)(1, declared_inputs_MOST) },
    'max-delete': { default: '', ...RETENTION, parse: (0,value_rules/* wholeNumber */.rD)(1, declared_inputs_MOST) },
    'dry-run': { default: 'false', ...ALL, parse: value_rules/* parseBoolean */.yG },
    pin: { default: '', usedBy: ['backup', 'pin'], parse: value_rules/* parsePinReason */.bY },
    'skip-if-younger-than': { default: '', ...BACKUP, parse: value_rules/* parseAge */.F1 },
    's3-bucket': { default: '', ...STORE, parse: parseBucket },
    's3-prefix': { default: '', ...STORE, parse: parsePrefix },
    's3-region': { default: '', ...STORE, parse: parseRegion },
    's3-endpoint': { default: '', ...STORE, parse: parseEndpoint },
    's3-access-key-id': { default: '', ...STORE, secret: true, parse: parseToken },
    's3-secret-access-key': { default: '', ...STORE, secret: true, parse: parseToken },
    's3-session-token': { default: '', ...STORE, secret: true, parse: parseToken },
    's3-upload-via': { default: 'auto', ...OFFSITE, parse: (0,value_rules/* oneOf */.yL)(['auto', 'host', 'runner']) },
    's3-storage-class': { default: '', ...BACKUP, parse: parseStorageClass },
    's3-sse': { default: '', ...BACKUP, parse: (0,value_rules/* oneOf */.yL)(['AES256', 'aws:kms', 'aws:kms:dsse']) },
    's3-kms-key-id': { default: '', ...BACKUP, parse: parseKeyId },
    's3-object-lock': { default: '', ...BACKUP, parse: parseObjectLock },
    's3-keep': { default: '', ...RETENTION, lines: true, parse: (0,value_rules/* orWord */.I7)('none', parseKeep), quotes: true },
    verify: { default: 'content', ...PROOF, parse: (0,value_rules/* oneOf */.yL)(['checksum', 'content', 'restore']) },
    'verify-on': { default: 'host', usedBy: ['verify'], parse: (0,value_rules/* oneOf */.yL)(['host', 'runner']) },
    assert: { default: '', ...PROOF, lines: true, parse: value_rules/* parseStatements */.YK },
    'restore-to': { default: '', usedBy: ['backup', 'verify', 'restore'], parse: value_rules/* asGiven */.O7, quotes: true },
    'max-age': { default: '26h', usedBy: ['verify'], parse: (0,value_rules/* orWord */.I7)('none', value_rules/* parseAge */.F1) },
    'shrink-limit': { default: '50%', ...BACKUP, parse: (0,value_rules/* percentOrNone */.HV)(1) },
    'growth-limit': { default: 'none', ...BACKUP, parse: value_rules/* parseGrowth */.LQ },
    'row-loss-limit': { default: '50%', ...BACKUP, parse: (0,value_rules/* percentOrNone */.HV)(1) },
    'on-row-loss': { default: 'pin', ...BACKUP, parse: (0,value_rules/* oneOf */.yL)(['pin', 'fail']) },
    'min-free': { default: '', usedBy: ['backup', 'verify', 'restore'], parse: units/* parseSize */.DB },
    backup: { default: '', usedBy: ['restore', 'verify', 'accept', 'delete', 'pin', 'unpin'], parse: value_rules/* asGiven */.O7 },
    confirm: { default: '', ...RESTORE, parse: value_rules/* asGiven */.O7 },
    'safety-backup': { default: 'true', ...RESTORE, parse: value_rules/* parseBoolean */.yG },
    'command-timeout': { default: '10m', ...RESTORE, parse: value_rules/* parseTimer */.Dp },
    'restore-way': { default: 'auto', ...RESTORE, parse: (0,value_rules/* oneOf */.yL)(['auto', 'swap', 'in-place']) },
    'stop-command': { default: '', ...RESTORE, lines: true, parse: value_rules/* parseCommand */.RM },
    'start-command': { default: '', ...RESTORE, lines: true, parse: value_rules/* parseCommand */.RM },
    'after-restore-command': { default: '', ...RESTORE, lines: true, parse: value_rules/* parseCommand */.RM },
    'check-command': { default: '', ...RESTORE, lines: true, parse: value_rules/* parseCommand */.RM },
    'allow-other-target': { default: 'false', ...RESTORE, parse: value_rules/* parseBoolean */.yG },
    'allow-unsafe-client': { default: 'false', ...RESTORE, parse: value_rules/* parseBoolean */.yG },
    'settle-unfinished': { default: 'false', ...ALL, parse: value_rules/* parseBoolean */.yG },
    summary: { default: 'true', ...ALL, parse: value_rules/* parseBoolean */.yG },
};
const INPUT_NAMES = Object.keys(INPUTS);
/** The same table with its values as declared, for code that looks inputs up by a variable. */
const declared = INPUTS;

// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __nccwpck_require__(7452);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
;// CONCATENATED MODULE: ./src/host/private-key-text.ts
/**
 * Mends what happens to a private key on its way through clipboards, secret stores and YAML, without reading the key itself.
 * ssh2 survives CRLF and a missing last newline; everything else here it calls "Unsupported key format".
 */
/** A key that can not be used: the text says why, and holds nothing of the key. */
class UnusableKey extends Error {
}
const PRIVATE_KEY = /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/;
const CIPHER_HEADER = /^\s*Proc-Type:\s*(\S+)\s+DEK-Info:\s*(\S+)\s+/;
const PUBLIC_KEY = /^(?:(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ |-----? ?BEGIN (?:[A-Z0-9]+ )*(?:PUBLIC KEY|CERTIFICATE))/;
/** Finds and mends the key in `text`. Throws UnusableKey. */
function mendKeyText(text) {
    const clean = unwrap(text);
    if (clean === '')
        throw new UnusableKey('it is empty');
    const found = PRIVATE_KEY.exec(clean);
    if (found === null) {
        const inside = decoded(clean);
        if (inside !== null)
            return mendKeyText(inside);
        throw new UnusableKey(whyNoKey(clean));
    }
    const [, label = '', content = ''] = found;
    const cipherHeader = CIPHER_HEADER.exec(content);
    const base64 = content.slice(cipherHeader?.[0].length ?? 0).replace(/\s+/g, '');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) {
        throw new UnusableKey('it is damaged: what stands between its BEGIN and END lines is not whole base64; copy the file again');
    }
    // OpenSSH writes 70 characters a line, OpenSSL 64; both read any length, ssh2 included.
    const lines = base64.match(label.startsWith('OPENSSH') ? /.{1,70}/g : /.{1,64}/g) ?? [];
    const header = cipherHeader === null ? [] : [`Proc-Type: ${cipherHeader[1]}`, `DEK-Info: ${cipherHeader[2]}`, ''];
    return {
        label,
        hasCipherHeader: cipherHeader !== null,
        body: Buffer.from(base64, 'base64'),
        pem: `${[`-----BEGIN ${label}-----`, ...header, ...lines, `-----END ${label}-----`].join('\n')}\n`,
    };
}
/** Byte order mark, other blanks, CR, quotes around the whole, and newlines written as `\n`. */
function unwrap(text) {
    const plain = text
        .replace(/[\uFEFF\u200B\u2060]/g, '')
        .replace(/[\u00A0\u2028\u2029]/g, ' ')
        .replace(/\r\n?/g, '\n')
        .trim()
        .replace(/^(["'])([\s\S]*)\1$/, '$2')
        .trim();
    return !plain.includes('\n') || /-----\\n/.test(plain) ? plain.replace(/\\r|\\n/g, '\n').trim() : plain;
}
/** A whole key file in base64, as some secret stores want it. */
function decoded(text) {
    if (!/^[A-Za-z0-9+/=\s]+$/.test(text))
        return null;
    const inside = Buffer.from(text, 'base64').toString('latin1');
    return PRIVATE_KEY.test(unwrap(inside)) ? inside : null;
}
function whyNoKey(text) {
    if (text.startsWith('PuTTY-User-Key-File-')) {
        return 'it is a PuTTY .ppk file; export it as an OpenSSH key (PuTTYgen: Conversions, or puttygen FILE -O private-openssh)';
    }
    if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text))
        return 'its END line is missing: the key was cut off';
    if (/-----END [A-Z0-9 ]*PRIVATE KEY-----/.test(text))
        return 'its BEGIN line is missing: copy the whole file';
    if (PUBLIC_KEY.test(text))
        return 'it is a public key; the private one is in the file without .pub';
    if (!/\s/.test(text) && /^[~./]|^[A-Za-z]:\\/.test(text)) {
        return 'it looks like the path of a file; give the contents of that file';
    }
    return 'it is not a private key: there is no "-----BEGIN ... PRIVATE KEY-----" line';
}

;// CONCATENATED MODULE: ./src/host/private-key.ts



const SUPPORTED = 'use an Ed25519, ECDSA (nistp256, nistp384, nistp521) or RSA key';
const DAMAGED = 'it is damaged; copy the file again, whole';
const WRONG_PASSPHRASE = (input) => `the passphrase in ${input} does not open it (or it is damaged)`;
const MAGIC = 'openssh-key-v1\0';
const OPENSSH_CIPHERS = /^(?:aes(?:128|192|256)-(?:cbc|ctr)|aes(?:128|256)-gcm@openssh\.com|3des-cbc)$/;
const OPENSSH_TYPES = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];
/**
 * Reads a private key in any form that OpenSSH or OpenSSL writes, mends paste damage, and proves that it works: what it
 * signs, its public half verifies. Done before connecting, because ssh2 reports an unusable key as "All configured
 * authentication methods failed".
 *
 * Throws E_INPUT, with a message for each way a key can be wrong and without any of its text.
 */
async function readPrivateKey(text, passphrase, inputName, passphraseInput) {
    try {
        const mended = mendKeyText(text);
        const openSsh = mended.label === 'OPENSSH PRIVATE KEY';
        const encrypted = openSsh ? checkOpenSshHeader(mended.body) : mended.hasCipherHeader || /^ENC/.test(mended.label);
        if (encrypted && !passphrase)
            throw new UnusableKey(`it is encrypted; give its passphrase in ${passphraseInput}`);
        const pem = openSsh ? mended.pem : convert(mended, encrypted ? passphrase : undefined, passphraseInput);
        const stillEncrypted = encrypted && openSsh;
        const publicLine = await provePair(pem, stillEncrypted ? passphrase : undefined, passphraseInput);
        return { pem, publicLine, ...(stillEncrypted && passphrase ? { passphrase } : {}) };
    }
    catch (error) {
        // Other errors come from the parsers, on damage that got past the checks here; what they quote is not known.
        throw new errors/* BackupError */.hj('E_INPUT', `${inputName}: ${error instanceof UnusableKey ? error.message : DAMAGED}`);
    }
}
/** The mended text of a key, for masking before anything else is done with it; null when there is no key in it. */
function mendedPem(text) {
    try {
        return mendKeyText(text).pem;
    }
    catch {
        return null;
    }
}
/**
 * Reads the open part of an openssh-key-v1 file (OpenSSH, PROTOCOL.key): cipher and type. Returns whether it is encrypted.
 * ssh2's own errors do not tell these cases apart: chacha20 gives "Invalid initialization vector".
 */
function checkOpenSshHeader(body) {
    if (body.toString('latin1', 0, MAGIC.length) !== MAGIC)
        throw new UnusableKey(DAMAGED);
    const [cipher, offset] = readString(body, MAGIC.length);
    const [, afterKdf] = readString(body, offset);
    const [, afterOptions] = readString(body, afterKdf);
    // After the options: the number of keys, the length of the first public key, and that key, which starts with its type.
    const [type] = readString(body, afterOptions + 8);
    if (!/^(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]{1,40}$/.test(type))
        throw new UnusableKey(DAMAGED);
    if (!OPENSSH_TYPES.includes(type))
        throw new UnusableKey(unsupportedType(type));
    if (cipher !== 'none' && !OPENSSH_CIPHERS.test(cipher)) {
        const name = /^[a-z0-9]+(-[a-z0-9]+)*(@openssh\.com)?$/.test(cipher) ? cipher : 'a cipher';
        throw new UnusableKey(`it is encrypted with ${name}, which is not supported; \`ssh-keygen -p -Z aes256-ctr -f COPY\` rewrites a copy of it`);
    }
    return cipher !== 'none';
}
function readString(body, offset) {
    if (offset + 4 > body.length)
        throw new UnusableKey(DAMAGED);
    const end = offset + 4 + body.readUInt32BE(offset);
    if (end > body.length)
        throw new UnusableKey(DAMAGED);
    return [body.toString('latin1', offset + 4, end), end];
}
function unsupportedType(type) {
    return type.startsWith('sk-')
        ? `it lives on a security key (${type}), which no runner has; ${SUPPORTED}`
        : `its type ${type} is not supported; ${SUPPORTED}`;
}
/** Turns the forms of OpenSSL, decrypted, into one that ssh2 reads: it knows no PKCS#8 at all. */
function convert(mended, passphrase, passphraseInput) {
    if (mended.label.startsWith('DSA'))
        throw new UnusableKey(unsupportedType('ssh-dss'));
    let key;
    try {
        key = (0,external_node_crypto_.createPrivateKey)({ key: mended.pem, ...(passphrase === undefined ? {} : { passphrase }) });
    }
    catch (error) {
        // For a key without encryption OpenSSL says "unsupported" of every damage as well.
        if (passphrase !== undefined && isUnsupported(error) && isSoWithAny(mended.pem)) {
            throw new UnusableKey(`its cipher or form is not supported; \`ssh-keygen -p -f COPY\` rewrites a copy of it`);
        }
        throw new UnusableKey(passphrase === undefined ? DAMAGED : WRONG_PASSPHRASE(passphraseInput));
    }
    if (key.asymmetricKeyType === 'rsa')
        return key.export({ type: 'pkcs1', format: 'pem' }).toString();
    if (key.asymmetricKeyType === 'ed25519')
        return openSshEd25519(key);
    const curve = key.asymmetricKeyDetails?.namedCurve;
    if (curve === 'prime256v1' || curve === 'secp384r1' || curve === 'secp521r1') {
        return key.export({ type: 'sec1', format: 'pem' }).toString();
    }
    throw new UnusableKey(unsupportedType(key.asymmetricKeyType === 'dsa' ? 'ssh-dss' : (curve ?? String(key.asymmetricKeyType))));
}
const isUnsupported = (error) => /unsupported/i.test(String(error.code));
/** One wrong passphrase in 256 leaves what ends as padding should, and is then called unsupported too; not three others as well. */
function isSoWithAny(pem) {
    return ['1', '2', '3'].every((passphrase) => {
        try {
            (0,external_node_crypto_.createPrivateKey)({ key: pem, passphrase });
            return false;
        }
        catch (error) {
            return isUnsupported(error);
        }
    });
}
/** Ed25519 has no older PEM form, so it is written as openssh-key-v1, without encryption. */
function openSshEd25519(key) {
    const { x = '', d = '' } = key.export({ format: 'jwk' });
    const publicHalf = Buffer.from(x, 'base64url');
    const number = (value) => Buffer.from([0, 0, 0, value]);
    const string = (value) => {
        const bytes = Buffer.from(value);
        return Buffer.concat([number(bytes.length), bytes]);
    };
    const type = string('ssh-ed25519');
    const secret = [
        number(1),
        number(1),
        type,
        string(publicHalf),
        string(Buffer.concat([Buffer.from(d, 'base64url'), publicHalf])),
        string(''),
    ];
    const length = Buffer.concat(secret).length;
    const padding = Buffer.from(Array.from({ length: (8 - (length % 8)) % 8 }, (_, index) => index + 1));
    const none = [string('none'), string('none'), string('')];
    const file = Buffer.concat([
        Buffer.from(MAGIC),
        ...none,
        number(1),
        string(Buffer.concat([type, string(publicHalf)])),
        string(Buffer.concat([...secret, padding])),
    ]);
    const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
    return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
/** Parses with ssh2 itself and lets the key sign; returns the line for authorized_keys. */
async function provePair(pem, passphrase, passphraseInput) {
    // Loaded here because the local transport never needs it.
    const { utils } = (await __nccwpck_require__.e(/* import() */ 472).then(__nccwpck_require__.t.bind(__nccwpck_require__, 5472, 23))).default;
    const parsed = [utils.parseKey(pem, passphrase)].flat()[0];
    if (parsed === undefined || !('getPublicSSH' in parsed)) {
        throw new UnusableKey(passphrase === undefined ? DAMAGED : WRONG_PASSPHRASE(passphraseInput));
    }
    const sample = Buffer.from('sample');
    const algorithm = parsed.type === 'ssh-rsa' ? 'sha256' : undefined;
    const signature = parsed.sign(sample, algorithm);
    if (!Buffer.isBuffer(signature) || parsed.verify(sample, signature, algorithm) !== true) {
        throw new UnusableKey(`${DAMAGED} (its two halves do not belong together)`);
    }
    return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
}

// EXTERNAL MODULE: ./src/platform/platform.ts + 11 modules
var platform = __nccwpck_require__(6242);
;// CONCATENATED MODULE: ./src/settings/input-reader.ts




/** Longer values are cut in messages. */
const SHOWN = 120;
const WHY_EMPTY = 'An input that is empty although the workflow fills it: its secret or variable is not set, is set in an environment that the job does not name, or is withheld because a fork or Dependabot started the run.';
/**
 * The inputs of this run, read once, in the order of action.yml, with every secret masked before anything can fail.
 *
 * Nothing here throws at the first wrong value: problems are collected, so that the user sees all of them at once.
 * `undefined` stands for "wrong, already noted", `null` for "not given".
 */
class InputReader {
    warnings = [];
    #problems = [];
    #values = new Map();
    #secrets = [];
    #anyEmpty = false;
    constructor() {
        for (const name of INPUT_NAMES) {
            const value = (0,platform/* platform */.i)().input(name);
            this.#values.set(name, value);
            if (declared[name].secret && value !== '')
                this.#mask(value);
            // What a library may start, such as the program that a profile of AWS names for its credentials, finds none of them.
            delete process.env[`INPUT_${name.toUpperCase()}`];
        }
    }
    /** The value, else the default of action.yml, else null: an empty string means "not given" and goes no further. */
    text(name) {
        return this.#values.get(name) || declared[name].default || null;
    }
    /** Whether the user asked for something else than the default. */
    isChanged(name) {
        return this.text(name) !== (declared[name].default || null);
    }
    /** The value as its own parser makes it, or null when it is not given. */
    read(name) {
        return this.readAs(name, declared[name].parse);
    }
    /** As `read`, for inputs that have a default or must be given. `missing` is what to say when it is not. */
    require(name, missing) {
        return this.requireAs(name, declared[name].parse, missing);
    }
    /**
     * The value as `parse` makes it, which knows of other inputs. It throws an Error whose text is the rule; the value is added to it unless
     * it is secret, or the table says that the rules of this input quote by themselves or must not be followed by the value.
     */
    readAs(name, parse) {
        const text = this.text(name);
        if (text === null)
            return null;
        if (!declared[name].lines && /[\0\r\n]/.test(text)) {
            this.problem(name, 'expected one line');
            return undefined;
        }
        try {
            return parse(text);
        }
        catch (error) {
            const rule = error.message;
            if (this.#holdsSecret(text)) {
                this.problem(name, 'it is malformed, and not shown here because a secret is in it');
            }
            else if (declared[name].quotes) {
                this.problem(name, rule);
            }
            else {
                this.problem(name, `${rule}, got ${JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text)}`);
            }
            return undefined;
        }
    }
    requireAs(name, parse, missing = 'required, but empty') {
        const value = this.readAs(name, parse);
        if (value === null)
            this.missing(name, missing);
        return value ?? undefined;
    }
    /** Notes what is wrong with an input. The rule must not hold any secret. */
    problem(name, rule) {
        this.#problems.push(`${name}: ${rule}`);
    }
    /** Notes that an input which must be given is not. */
    missing(name, rule) {
        this.#anyEmpty = true;
        this.problem(name, rule);
    }
    /** Awaits a check that throws a BackupError with a whole message, and notes it. */
    async check(action) {
        try {
            return await action();
        }
        catch (error) {
            if (!(error instanceof errors/* BackupError */.hj))
                throw error;
            this.#problems.push(error.message);
            return undefined;
        }
    }
    /** Puts an input that has no effect back to its default, with a warning if it was given. */
    ignore(name, circumstance) {
        if (this.isChanged(name))
            this.warnings.push(`${name}: it has no effect ${circumstance}`);
        this.#values.delete(name);
    }
    /** Masks a value that was made from a secret one. */
    mask(value) {
        this.#mask(value);
    }
    /** Throws E_INPUT with every problem on its own line; else nothing in `parts` is undefined, and the type says so. */
    settle(parts) {
        if (this.#problems.length > 0) {
            throw new errors/* BackupError */.hj('E_INPUT', this.#scrubbed(this.#problems.join('\n')), this.#anyEmpty ? WHY_EMPTY : 'Correct what is named here in the workflow.');
        }
        for (const [name, value] of Object.entries(parts)) {
            if (value === undefined)
                throw new Error(`the setting ${name} is missing, and no input was found wrong`);
        }
        return parts;
    }
    #mask(value) {
        this.#secrets.push(value);
        (0,platform/* platform */.i)().secret(value);
        // With newlines written as `\n` or in base64, the lines that may turn up in a log are others than those given.
        const pem = mendedPem(value);
        if (pem !== null && pem.trim() !== value)
            (0,platform/* platform */.i)().secret(pem);
    }
    /** A secret pasted into the wrong input must not come back in its message. */
    #holdsSecret(text) {
        if (/PRIVATE KEY|PuTTY-User-Key/.test(text))
            return true;
        return this.#secrets.some((secret) => text.includes(secret));
    }
    /** A rule may name the host or the name of the backups, which somebody may have filled with a secret. */
    #scrubbed(message) {
        return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message);
    }
}

;// CONCATENATED MODULE: ./src/settings/restore-inputs.ts




/** The inputs of `command: restore`; with another command they are at their defaults. */
function readRestore(reader, command, database) {
    const restoring = command === 'restore';
    const wanted = restoring ? reader.readAs('backup', parseWanted) : null;
    const to = restoring ? readSameEngine(reader, database) : null;
    const confirm = reader.read('confirm');
    const safetyBackup = reader.require('safety-backup');
    const way = reader.require('restore-way');
    const stopCommand = reader.read('stop-command');
    const startCommand = reader.read('start-command');
    const afterCommand = reader.read('after-restore-command');
    const checkCommand = reader.read('check-command');
    if (stopCommand && startCommand === null) {
        reader.problem('start-command', 'required with stop-command: what was stopped is started again on every path');
    }
    const commandTimeoutMs = reader.require('command-timeout');
    const allowOtherTarget = reader.require('allow-other-target');
    const allowUnsafeClient = reader.require('allow-unsafe-client');
    const commands = { stopCommand, startCommand, afterCommand, checkCommand, commandTimeoutMs };
    const all = {
        ...commands,
        to,
        confirm,
        safetyBackup,
        way,
        allowOtherTarget,
        allowUnsafeClient,
        wanted: wanted === null ? LATEST : wanted,
    };
    return Object.values(all).includes(undefined) ? undefined : all;
}
const LATEST = { by: 'latest' };
/** An id, `latest`, `before-deploy:` and a commit, or a path; throws an Error whose text is the rule. */
function parseWanted(text) {
    if (text === 'latest')
        return LATEST;
    const deploy = /^before-deploy:(.*)$/.exec(text);
    if (deploy !== null) {
        const sha = (deploy[1] ?? '').trim().toLowerCase();
        if (!/^[0-9a-f]{7,64}$/.test(sha))
            throw new Error('expected before-deploy: and at least 7 digits of a commit');
        return { by: 'deploy', sha };
    }
    const location = parseLocation(text);
    if (location !== null)
        return { by: 's3', ...location };
    const id = (0,names/* parseId */.Fg)(text);
    if (id !== null)
        return { by: 'id', id: text, name: id.name };
    if (!/[/.]/.test(text)) {
        throw new Error('expected latest, the id of a backup, before-deploy:<commit>, s3://<bucket>/<key>, or the path of a dump on the host');
    }
    return { by: 'file', path: (0,host_path/* parseHostPath */.z)(text) };
}
/** null when it is no `s3://`; throws an Error whose text is the rule. */
function parseLocation(text) {
    if (!/^s3:/i.test(text))
        return null;
    const rule = 'expected s3://<bucket>/<key>, the key of a payload such as s3://shop-backups/shop/shop-20261120T101500Z-7f3a.dump';
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/(.+)$/is.exec(text) ?? [];
    if (key === '' || key.endsWith('/') || /\p{Cc}/u.test(key) || Buffer.byteLength(key) > 1024)
        throw new Error(rule);
    const part = (0,names/* parseFileName */.Px)(key.replace(/^.*\//, ''))?.part;
    if (part === 'manifest')
        throw new Error(`${rule}, not that of its manifest`);
    if (!isBucket(bucket))
        throw new Error(rule);
    return { bucket, key };
}

;// CONCATENATED MODULE: ./src/settings/s3-inputs.ts

/** What stores without a region of their own take. */
const ANY_REGION = 'us-east-1';
/**
 * The inputs of the off-site copy; null when none is wanted. `keep`: how many backups are kept on the host; `named`: the bucket of a backup
 * that is named by `s3://`.
 */
function readS3(reader, command, keep, named = null) {
    if (command === undefined || !declared['s3-bucket'].usedBy.includes(command))
        return null; // what is given was warned about
    const given = reader.read('s3-bucket');
    if (given === null && named === null) {
        refuseAlone(reader);
        return null;
    }
    const bucket = given === null ? named : given;
    const prefix = reader.read('s3-prefix');
    const place = reader.read('s3-region');
    const endpoint = reader.read('s3-endpoint');
    const region = place === null ? usualRegion(endpoint) : place;
    if (region === null) {
        reader.missing('s3-region', 'required without s3-endpoint: the region of the bucket, for example eu-central-1; AWS_REGION, as aws-actions/configure-aws-credentials sets it, does as well');
    }
    const credentials = readCredentials(reader);
    const uploadVia = reader.require('s3-upload-via');
    const storageClass = reader.read('s3-storage-class');
    const sse = reader.read('s3-sse');
    const kmsKeyId = reader.read('s3-kms-key-id');
    if (kmsKeyId && (sse === null || sse === 'AES256')) {
        reader.problem('s3-kms-key-id', 'expected nothing unless s3-sse is aws:kms or aws:kms:dsse');
    }
    const objectLock = reader.read('s3-object-lock');
    const ownKeep = reader.read('s3-keep');
    const rules = ownKeep === null ? keep : ownKeep === 'none' ? null : ownKeep;
    const settings = { bucket, region, endpoint, credentials, uploadVia, storageClass, sse, kmsKeyId, objectLock };
    const all = { ...settings, onlyNamed: given === null, prefix: prefix === null ? '' : prefix, keep: rules };
    return Object.values(all).includes(undefined) || region === null ? undefined : all;
}
/** A bucket whose variable is not set must not turn the off-site copy off without a word. */
function refuseAlone(reader) {
    const other = INPUT_NAMES.find((name) => name.startsWith('s3-') && reader.isChanged(name));
    if (other === undefined)
        return;
    reader.missing('s3-bucket', `required, since ${other} is given; the secret or variable that fills it is probably not set (for example vars.S3_BUCKET)`);
}
function usualRegion(endpoint) {
    return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || (endpoint === null ? null : ANY_REGION);
}
function readCredentials(reader) {
    const names = ['s3-access-key-id', 's3-secret-access-key', 's3-session-token'];
    const [accessKeyId, secretAccessKey, sessionToken] = names.map((name) => reader.read(name));
    if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined)
        return undefined;
    if (accessKeyId !== null && secretAccessKey !== null) {
        if (sessionToken !== null)
            reader.mask(encodeURIComponent(sessionToken)); // as it stands in URLs
        reader.mask(encodeURIComponent(secretAccessKey));
        return { accessKeyId, secretAccessKey, sessionToken };
    }
    const lacking = (name, because) => {
        reader.missing(name, `required with ${because}; without both, the credentials of the AWS default chain are taken (for example of aws-actions/configure-aws-credentials)`);
    };
    if (accessKeyId !== null)
        return lacking('s3-secret-access-key', 's3-access-key-id');
    if (secretAccessKey !== null)
        return lacking('s3-access-key-id', 's3-secret-access-key');
    if (sessionToken !== null)
        return lacking('s3-access-key-id', 's3-session-token');
    return null;
}

;// CONCATENATED MODULE: ./src/settings/ssh-inputs.ts




/** Reads where the database lives and how to get there. What is wrong is noted in the reader; then it returns undefined. */
async function readTransport(reader) {
    const transport = reader.require('transport');
    if (transport === 'local') {
        for (const name of INPUT_NAMES)
            if (declared[name].ssh)
                reader.ignore(name, 'with transport local');
        return { transport };
    }
    // Inputs of ssh are not missing when nobody knows what was meant.
    if (transport === undefined)
        return undefined;
    const host = reader.require('host', missing('SSH_HOST'));
    const port = reader.require('port');
    const username = reader.require('username', missing('SSH_USER'));
    const key = await readKey(reader, 'key', 'passphrase');
    if (key === null)
        reader.missing('key', missing('SSH_KEY'));
    const knownHosts = reader.read('known-hosts');
    const fingerprints = reader.read('fingerprint');
    if (knownHosts === null && fingerprints === null) {
        reader.missing('known-hosts', missingHostKey(host ?? 'HOST', port ?? 22));
    }
    const jumpPlace = reader.read('jump-host');
    if (jumpPlace !== null) {
        // Hosts that are wrong themselves are told as such; here they only have to be called something.
        const names = [
            (0,known_hosts/* nameInFile */.tx)(host ?? 'HOST', port ?? 22),
            (0,known_hosts/* nameInFile */.tx)(jumpPlace?.host ?? 'JUMP', jumpPlace?.port ?? 22),
        ];
        const rule = unnamedFingerprint(fingerprints ?? [], names);
        if (rule !== undefined)
            reader.problem('fingerprint', rule);
    }
    const jump = await readJump(reader, jumpPlace, username, key);
    const connectTimeoutMs = reader.require('connect-timeout');
    if (!host || !port || !username || !key || jump === undefined || connectTimeoutMs === undefined)
        return undefined;
    if (knownHosts === undefined || fingerprints === undefined)
        return undefined;
    return {
        transport,
        ...{ host, port, username, key, jump, connectTimeoutMs },
        knownHosts: knownHosts ?? '',
        fingerprints: fingerprints ?? [],
    };
}
async function readJump(reader, place, username, key) {
    if (place === null) {
        reader.ignore('jump-key', 'without jump-host');
        reader.ignore('jump-passphrase', 'without jump-host');
        return null;
    }
    const ownKey = await readKey(reader, 'jump-key', 'jump-passphrase');
    if (ownKey === null)
        reader.ignore('jump-passphrase', 'without jump-key: the bastion gets key with its passphrase');
    const jumpKey = ownKey === null ? key : ownKey;
    const jumpUser = place?.username ?? username;
    if (!place || !jumpKey || !jumpUser)
        return undefined;
    return { host: place.host, port: place.port, username: jumpUser, key: jumpKey };
}
async function readKey(reader, name, passphraseName) {
    const text = reader.read(name);
    const passphrase = reader.read(passphraseName);
    if (!text || passphrase === undefined)
        return text === null ? null : undefined;
    const key = await reader.check(() => readPrivateKey(text, passphrase ?? undefined, name, passphraseName));
    // PKCS#8 became another text, of which no line was masked so far.
    if (key)
        reader.mask(key.pem);
    return key;
}
const missing = (example) => `required with transport ssh, but empty; the secret or variable that fills it is probably not set (for example secrets.${example} or vars.${example})`;
const missingHostKey = (host, port) => `required with transport ssh, or fingerprint instead; nothing turns this check off. Run \`ssh-keyscan -p ${port} ${host}\` from a network that you trust, compare with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the host itself, and put the lines into a variable`;

;// CONCATENATED MODULE: ./src/settings/inputs.ts









/**
 * Reads and checks every input of this run, before anything is contacted, and masks the secret ones first.
 *
 * `warnings` are inputs that have no effect. Throws E_INPUT whose message has one line for each problem:
 * the input's name, the rule, and what was given unless it is secret.
 */
async function readSettings() {
    const reader = new InputReader();
    const command = reader.require('command');
    if (command !== undefined)
        ignoreUnused(reader, command);
    const transport = await readTransport(reader);
    const runAs = reader.read('run-as');
    const timeoutMs = reader.require('timeout');
    const idleTimeoutMs = reader.require('idle-timeout');
    const lockWaitMs = reader.require('lock-wait');
    const database = readDatabase(reader);
    const container = readContainer(reader, database);
    const name = readName(reader, database);
    const directory = reader.require('directory');
    const umask = reader.require('umask');
    const dump = readDump(reader, command, database);
    const compression = reader.require('compression');
    const compressionLevel = readCompressionLevel(reader, compression);
    const keep = reader.require('keep');
    const keepMadeUnder = reader.require('keep-made-under');
    const keepMinimum = reader.require('keep-minimum');
    const maxDelete = reader.read('max-delete');
    const dryRun = reader.require('dry-run');
    const pin = readPin(reader, command);
    const skipIfYoungerThanMs = reader.read('skip-if-younger-than');
    const located = readLocation(reader, command);
    const s3 = readS3(reader, command, keep, located?.bucket);
    const verify = reader.require('verify');
    if (transport?.transport === 'local')
        reader.ignore('verify-on', 'with transport local: the host is the runner');
    const verifyOn = reader.require('verify-on');
    const asserts = readAsserts(reader, verify);
    const restoreTo = command === 'restore' ? null : readScratch(reader, command, verify, verifyOn, database);
    const maxAge = reader.require('max-age');
    const shrinkLimit = reader.require('shrink-limit');
    const growthLimit = reader.require('growth-limit');
    const rowLossLimit = reader.require('row-loss-limit');
    const onRowLoss = reader.require('on-row-loss');
    const minFreeBytes = reader.read('min-free');
    const backup = command === 'restore' || located ? null : readBackup(reader, command, name);
    const restore = readRestore(reader, command, database);
    const settleUnfinished = reader.require('settle-unfinished');
    const summary = reader.require('summary');
    const settings = reader.settle({
        command,
        transport,
        runAs,
        /** The container on the host that the database is in. */
        container,
        timeoutMs,
        idleTimeoutMs,
        /** For another run's lock, and for locks inside the database. */
        lockWaitMs,
        database,
        dump,
        name,
        directory,
        /** `077` or `027`. */
        umask,
        compression,
        compressionLevel,
        keep,
        /** A backup also stays by the rules under which it was made. */
        keepMadeUnder,
        keepMinimum,
        maxDelete,
        dryRun,
        /** `backup`: pin the new one with this reason; `pin`: the reason. */
        pin,
        skipIfYoungerThanMs,
        /** null: no off-site copy. */
        s3,
        /** `command: verify`: the backup to prove, when it is named by its place in an S3 store. */
        backupInStore: command === 'verify' ? located : null,
        verify,
        /** `command: verify`: where the proof is made. */
        verifyOn,
        /** SQL, each of which must return a true first value in the restored copy. */
        asserts,
        /** Where the throw-away database of a proof is made, instead of beside the live one; of the same engine. */
        restoreTo,
        /** With `command: restore`. */
        restore,
        /** Puts the journal of a restore that was cut off aside, when it can not be brought to an end. */
        settleUnfinished,
        /** `verify` without an id: the newest verified backup may be this old; null switches the check off. */
        maxAgeMs: maxAge === 'none' ? null : maxAge,
        /** Smallest allowed share of the median, 0..1; null switches the check off. */
        shrinkLimit: shrinkLimit === 'none' ? null : shrinkLimit,
        /** Largest allowed growth over the median as a share (0.5 is +50 %); null switches the check off. */
        growthLimit: typeof growthLimit === 'number' ? growthLimit : null,
        /** The same in bytes, when it was given as a size. */
        growthLimitBytes: typeof growthLimit === 'object' ? growthLimit.bytes : null,
        /** Largest share of its rows that a table may lose, 0..1; null switches the check off. */
        rowLossLimit: rowLossLimit === 'none' ? null : rowLossLimit,
        /** What becomes of a loss of rows: the backup before it is pinned, or the new one is suspect. */
        onRowLoss,
        /** Bytes to leave free on the host. */
        minFreeBytes: minFreeBytes === null ? 0 : minFreeBytes,
        /** `accept`, `delete`, `pin`, `unpin`: the id. `verify`: the id, null for the newest. */
        backup,
        summary,
    });
    return { settings, warnings: reader.warnings };
}
function ignoreUnused(reader, command) {
    for (const name of INPUT_NAMES) {
        if (!declared[name].usedBy.includes(command))
            reader.ignore(name, `with command ${command}`);
    }
}
function readAsserts(reader, verify) {
    if (verify === 'checksum' || verify === 'content')
        reader.ignore('assert', `with verify ${verify}`);
    const asserts = reader.read('assert');
    return asserts === null ? [] : asserts;
}
function readDump(reader, command, database) {
    const format = reader.require('dump-format');
    if (command === 'backup' && (format === 'custom' || format === 'plain')) {
        reader.ignore('jobs', `with dump-format ${format}`);
    }
    const jobs = reader.require('jobs');
    const { parsePattern = (line) => line } = database === undefined ? {} : (0,lookup/* engineOf */.ky)(database);
    const patterns = (name) => reader.readAs(name, (text) => (0,value_rules/* lines */.Mn)(text).map((line) => parsePattern(line, name === 'schema' ? 'schema' : 'table')));
    const excludeTable = patterns('exclude-table');
    const excludeTableData = patterns('exclude-table-data');
    const schema = patterns('schema');
    if (format === undefined || jobs === undefined)
        return undefined;
    if (excludeTable === undefined || excludeTableData === undefined || schema === undefined)
        return undefined;
    return {
        format,
        jobs: jobs === 'auto' ? null : jobs,
        excludeTable: excludeTable ?? [],
        excludeTableData: excludeTableData ?? [],
        schema: schema ?? [],
    };
}
function readName(reader, database) {
    const given = reader.read('name');
    if (given !== null || database === undefined)
        return given ?? undefined;
    const made = (0,lookup/* engineOf */.ky)(database).nameOf(database);
    if (made === null)
        reader.missing('name', 'required, because none can be made from the name in database');
    return made ?? undefined;
}
function readCompressionLevel(reader, compression) {
    if (compression === 'none') {
        return reader.readAs('compression-level', () => {
            throw new Error('expected nothing with compression none');
        });
    }
    // With auto the host decides between zstd and gzip, so the level must suit both.
    return reader.readAs('compression-level', (0,value_rules/* wholeNumber */.rD)(1, compression === 'zstd' ? 19 : 9));
}
function readPin(reader, command) {
    if (command !== 'pin')
        return reader.read('pin');
    return reader.require('pin', 'required with command pin: the reason, in one line');
}
/** `backup` when it is an `s3://`; what is wrong with it is told where the input is read. */
function readLocation(reader, command) {
    if (command !== 'restore' && command !== 'verify')
        return null;
    try {
        return parseLocation(reader.text('backup') ?? '');
    }
    catch {
        return null;
    }
}
function readBackup(reader, command, name) {
    const rule = `the id of a backup${name === undefined ? '' : ` of ${name}`}, such as ${name ?? 'app'}-20261120T101500Z-7f3a; \`command: list\` shows them`;
    const parse = (text) => {
        if (command === 'verify')
            parseLocation(text); // throws what is wrong with it
        if (name === undefined || (0,names/* isId */.eQ)(text, name))
            return text;
        throw new Error(`expected ${rule}`);
    };
    if (command === 'verify' && reader.text('backup') === 'latest')
        return null;
    if (command === 'accept' || command === 'delete' || command === 'pin' || command === 'unpin') {
        return reader.requireAs('backup', parse, `required with command ${command}: ${rule}`);
    }
    return reader.readAs('backup', parse);
}


/***/ }),

/***/ 7100:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   L: () => (/* binding */ COMMANDS)
/* harmony export */ });
const COMMANDS = ['backup', 'restore', 'verify', 'list', 'accept', 'prune', 'delete', 'pin', 'unpin'];


/***/ }),

/***/ 8902:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   DB: () => (/* binding */ parseSize),
/* harmony export */   E9: () => (/* binding */ parseDuration),
/* harmony export */   lo: () => (/* binding */ parsePercent)
/* harmony export */ });
/* unused harmony export formatDuration */
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 };
/** Reads `90s`, `30m`, `26h` or `7d`; returns milliseconds. Throws an Error whose text is the rule. */
function parseDuration(text) {
    const [, digits, unit] = /^(\d{1,10})([smhd])$/.exec(text) ?? [];
    const ms = Number(digits) * (SECONDS[unit] ?? Number.NaN) * 1_000;
    if (!Number.isSafeInteger(ms))
        throw new Error('expected a duration such as 90s, 30m, 26h or 7d');
    return ms;
}
/** Writes milliseconds in the largest unit that holds them exactly, so that `parseDuration` reads them back. */
function formatDuration(ms) {
    const seconds = Math.round(ms / 1_000);
    const unit = ['d', 'h', 'm'].find((name) => seconds > 0 && seconds % SECONDS[name] === 0) ?? 's';
    return `${seconds / SECONDS[unit]}${unit}`;
}
const POWERS = 'kmgt';
/**
 * Reads `500MB` (powers of 1000), `2GiB` (powers of 1024) or plain bytes, in any case; returns bytes.
 * `2G` is refused because tools disagree about it. Throws an Error whose text is the rule.
 */
function parseSize(text) {
    const rule = 'expected a size such as 500MB, 2GiB or 1048576 (bytes)';
    const [, number, prefix = '', binary] = /^(\d{1,15}(?:\.\d{1,3})?) ?(?:([kmgt]?)(i?)b)?$/i.exec(text) ?? [];
    if (number === undefined || (binary && prefix === '') || (number.includes('.') && prefix === '')) {
        throw new Error(rule);
    }
    const power = prefix === '' ? 0 : POWERS.indexOf(prefix.toLowerCase()) + 1;
    const bytes = Math.round(Number(number) * (binary ? 1_024 : 1_000) ** power);
    if (!Number.isSafeInteger(bytes))
        throw new Error(rule);
    return bytes;
}
/** Reads `50%`; returns the share (0.5). Throws an Error whose text is the rule. */
function parsePercent(text) {
    const [, number] = /^(\d{1,6}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
    if (number === undefined)
        throw new Error('expected a percentage such as 50%');
    return Number(number) / 100;
}


/***/ }),

/***/ 7722:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   $q: () => (/* binding */ parseName),
/* harmony export */   Dp: () => (/* binding */ parseTimer),
/* harmony export */   Dy: () => (/* binding */ parseUmask),
/* harmony export */   F1: () => (/* binding */ parseAge),
/* harmony export */   HV: () => (/* binding */ percentOrNone),
/* harmony export */   I7: () => (/* binding */ orWord),
/* harmony export */   LQ: () => (/* binding */ parseGrowth),
/* harmony export */   Mn: () => (/* binding */ lines),
/* harmony export */   Mv: () => (/* binding */ LONGEST_TIMER_MS),
/* harmony export */   NJ: () => (/* binding */ parseContainer),
/* harmony export */   O7: () => (/* binding */ asGiven),
/* harmony export */   P$: () => (/* binding */ parseRunAs),
/* harmony export */   RM: () => (/* binding */ parseCommand),
/* harmony export */   YK: () => (/* binding */ parseStatements),
/* harmony export */   _3: () => (/* binding */ parseJumpHost),
/* harmony export */   ao: () => (/* binding */ parseUserName),
/* harmony export */   bY: () => (/* binding */ parsePinReason),
/* harmony export */   o6: () => (/* binding */ parseHost),
/* harmony export */   pz: () => (/* binding */ parsePort),
/* harmony export */   rD: () => (/* binding */ wholeNumber),
/* harmony export */   yG: () => (/* binding */ parseBoolean),
/* harmony export */   yL: () => (/* binding */ oneOf)
/* harmony export */ });
/* harmony import */ var node_net__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7030);
/* harmony import */ var node_net__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_net__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _backups_names_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(1187);
/* harmony import */ var _units_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(8902);
/**
 * What single values may be. Each function returns the value or throws an Error whose text is the rule; the reader of the
 * inputs puts the name before it and the given text after it.
 */



/** No timer waits for longer: setTimeout counts milliseconds in 31 bits and fires at once beyond. */
const LONGEST_TIMER_MS = 24 * 86_400_000;
const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?$/i;
function wholeNumber(least, most) {
    return (text) => {
        const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
        if (number >= least && number <= most)
            return number;
        throw new Error(`expected a whole number from ${least} to ${most}`);
    };
}
function oneOf(allowed) {
    return (text) => {
        const found = allowed.find((value) => value === text);
        if (found === undefined)
            throw new Error(`expected one of ${allowed.join(', ')}`);
        return found;
    };
}
function parseBoolean(text) {
    if (!/^(?:true|false)$/i.test(text))
        throw new Error('expected true or false');
    return text.toLowerCase() === 'true';
}
/** A duration that a timer can wait for, in milliseconds. */
function parseTimer(text) {
    const ms = (0,_units_js__WEBPACK_IMPORTED_MODULE_2__/* .parseDuration */ .E9)(text);
    if (ms < 1_000 || ms > LONGEST_TIMER_MS)
        throw new Error('expected a duration from 1s to 24d');
    return ms;
}
/** A duration that is not zero, in milliseconds. */
function parseAge(text) {
    const ms = (0,_units_js__WEBPACK_IMPORTED_MODULE_2__/* .parseDuration */ .E9)(text);
    if (ms === 0)
        throw new Error('expected a duration of at least 1s');
    return ms;
}
/** A share that is not zero and at most `most`, or `none`. */
function percentOrNone(most) {
    return (text) => {
        if (text === 'none')
            return text;
        const share = /^[\d.]+%$/.test(text) ? (0,_units_js__WEBPACK_IMPORTED_MODULE_2__/* .parsePercent */ .lo)(text) : Number.NaN;
        if (share > 0 && share <= most)
            return share;
        throw new Error(`expected a percentage above 0% and up to ${most * 100}%, or none`);
    };
}
/** A host name or an address; names beyond ASCII only in their xn-- form, as DNS has them. */
function parseHost(text) {
    if ((0,node_net__WEBPACK_IMPORTED_MODULE_0__.isIP)(text) !== 0 || (HOST_NAME.test(text) && text.length <= 253))
        return text;
    throw new Error('expected a host name or IP address alone: the user goes into username, the port into port, IPv6 has no brackets');
}
function parseUserName(text) {
    if (/^-|[\s\p{Cc}]/u.test(text))
        throw new Error('expected a user name without blanks that does not start with "-"');
    return text;
}
/** An account for `sudo -u`, which takes `#1000` and more; here it is a name. */
function parseRunAs(text) {
    if (!/^[a-z_][a-z0-9_.-]{0,31}$/i.test(text))
        throw new Error('expected the name of a user on the host, such as www-data');
    return text;
}
/** The name or id of a container, as Docker has them. */
function parseContainer(text) {
    if (!/^[a-z0-9][a-z0-9_.-]{0,127}$/i.test(text)) {
        throw new Error('expected the name of a container: letters, digits, "_", "." or "-", starting with a letter or digit');
    }
    return text;
}
function parseJumpHost(text) {
    const at = text.lastIndexOf('@');
    const place = text.slice(at + 1);
    const [, bracketed, plain, port = '22'] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(place) ?? [];
    try {
        if (bracketed !== undefined && !(0,node_net__WEBPACK_IMPORTED_MODULE_0__.isIPv6)(bracketed))
            throw new Error('brackets are for IPv6');
        return {
            username: at === -1 ? null : parseUserName(text.slice(0, at) || '-'),
            host: parseHost((0,node_net__WEBPACK_IMPORTED_MODULE_0__.isIPv6)(place) ? place : (bracketed ?? plain ?? '')),
            port: parsePort(port),
        };
    }
    catch {
        throw new Error('expected [user@]host[:port], such as jump@bastion.example.com:2222 or [2001:db8::1]:22');
    }
}
const parsePort = wholeNumber(1, 65_535);
function parseUmask(text) {
    const umask = /^0?(077|027)$/.exec(text)?.[1];
    if (umask === undefined)
        throw new Error('expected 077 or 027, in quotes, since YAML takes 077 for the number 77');
    return umask;
}
function parsePinReason(text) {
    if (/\p{Cc}/u.test(text) || text.length > 200)
        throw new Error('expected a reason in one line of at most 200 characters');
    return text;
}
/** As it is: what it may be is judged beside other inputs. */
const asGiven = (text) => text;
/** What is in its lines, without blanks around. */
const lines = (text) => text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
/** A share such as `300%`, a size such as `1GB`, or `none`. */
function parseGrowth(text) {
    if (text === 'none' || text.includes('%'))
        return percentOrNone(1_000)(text);
    try {
        const bytes = (0,_units_js__WEBPACK_IMPORTED_MODULE_2__/* .parseSize */ .DB)(text);
        if (bytes > 0)
            return { bytes };
    }
    catch {
        // what it may be is said below
    }
    throw new Error('expected a percentage above 0% and up to 100000%, a size such as 1GB, or none');
}
/** SQL, a statement a line; the commands of the tools themselves, with a dot or a backslash before them, are none. */
function parseStatements(text) {
    const statements = lines(text);
    if (!statements.some((line) => /^[.\\]/.test(line)))
        return statements;
    throw new Error('expected SQL, one statement a line, that returns a true first value');
}
/** Lines of shell; a runner writes CRLF where the workflow has it. */
function parseCommand(text) {
    if (text.includes('\0'))
        throw new Error('expected no NUL character');
    return text.replace(/\r\n?/g, '\n');
}
/** Another value than `word`, which stands for itself. */
function orWord(word, parse) {
    return (text) => (text === word ? word : parse(text));
}
function parseName(text) {
    if ((0,_backups_names_js__WEBPACK_IMPORTED_MODULE_1__/* .isName */ .Eo)(text))
        return text;
    throw new Error('expected 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit');
}


/***/ }),

/***/ 8351:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   aH: () => (/* binding */ withStore),
/* harmony export */   ci: () => (/* binding */ addressOf),
/* harmony export */   tD: () => (/* binding */ changed),
/* harmony export */   te: () => (/* binding */ isOfStore)
/* harmony export */ });
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7452);

/**
 * Lends `work` the store of these settings, and closes it on every path. `bucket`: another one than theirs. The kinds of stores are known
 * here alone, and loaded when used: an SDK takes as long as all the rest.
 */
async function withStore({ settings, signal }, work, bucket = settings.s3.bucket) {
    let opened = null;
    const open = async () => {
        const { S3Store } = await Promise.all(/* import() */[__nccwpck_require__.e(143), __nccwpck_require__.e(486)]).then(__nccwpck_require__.bind(__nccwpck_require__, 5486));
        return new S3Store({ ...settings.s3, bucket }, signal, settings.idleTimeoutMs);
    };
    try {
        return await work(() => {
            opened ??= open();
            return opened;
        });
    }
    finally {
        (await opened?.catch(() => null))?.close();
    }
}
/** As messages name what is in the store of these settings. */
const addressOf = ({ bucket, prefix }, name, file = '') => `s3://${[bucket, prefix, name].filter((part) => part !== '').join('/')}/${file}`;
/** It is the store that failed, not the run around it. */
const isOfStore = (error) => error instanceof _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj && _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .ERRORS */ .Sr[error.code].class === 'store';
/** The copy in the store is not the backup that it is said to be. */
const changed = (uri, why) => new _errors_js__WEBPACK_IMPORTED_MODULE_0__/* .BackupError */ .hj('E_CHECKSUM', `${uri} is not what was copied there: ${why}`, 'Do not rely on that copy: find out who can write into the bucket, and take another backup. What had been fetched was removed before anything read it.');


/***/ }),

/***/ 2613:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("assert");

/***/ }),

/***/ 181:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("buffer");

/***/ }),

/***/ 5317:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("child_process");

/***/ }),

/***/ 6982:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("crypto");

/***/ }),

/***/ 2250:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("dns");

/***/ }),

/***/ 4434:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("events");

/***/ }),

/***/ 9896:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("fs");

/***/ }),

/***/ 8611:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("http");

/***/ }),

/***/ 5692:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("https");

/***/ }),

/***/ 9278:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("net");

/***/ }),

/***/ 6698:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:async_hooks");

/***/ }),

/***/ 1421:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:child_process");

/***/ }),

/***/ 7598:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");

/***/ }),

/***/ 3024:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");

/***/ }),

/***/ 1455:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs/promises");

/***/ }),

/***/ 7067:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http");

/***/ }),

/***/ 2467:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http2");

/***/ }),

/***/ 4708:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:https");

/***/ }),

/***/ 7030:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:net");

/***/ }),

/***/ 8161:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:os");

/***/ }),

/***/ 6760:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:path");

/***/ }),

/***/ 1708:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:process");

/***/ }),

/***/ 7075:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream");

/***/ }),

/***/ 8500:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers/promises");

/***/ }),

/***/ 7975:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util");

/***/ }),

/***/ 8877:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:v8");

/***/ }),

/***/ 714:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:vm");

/***/ }),

/***/ 8522:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:zlib");

/***/ }),

/***/ 857:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("os");

/***/ }),

/***/ 6928:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("path");

/***/ }),

/***/ 2203:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("stream");

/***/ }),

/***/ 4756:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("tls");

/***/ }),

/***/ 9023:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("util");

/***/ }),

/***/ 3106:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("zlib");

/***/ }),

/***/ 3462:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  m: () => (/* binding */ exec)
});

// UNUSED EXPORTS: getExecOutput

;// CONCATENATED MODULE: external "string_decoder"
const external_string_decoder_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("string_decoder");
// EXTERNAL MODULE: external "os"
var external_os_ = __nccwpck_require__(857);
// EXTERNAL MODULE: external "events"
var external_events_ = __nccwpck_require__(4434);
// EXTERNAL MODULE: external "child_process"
var external_child_process_ = __nccwpck_require__(5317);
// EXTERNAL MODULE: external "path"
var external_path_ = __nccwpck_require__(6928);
// EXTERNAL MODULE: external "assert"
var external_assert_ = __nccwpck_require__(2613);
// EXTERNAL MODULE: external "fs"
var external_fs_ = __nccwpck_require__(9896);
;// CONCATENATED MODULE: ./node_modules/@actions/io/lib/io-util.js
var __awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


const { chmod, copyFile, lstat, mkdir, open: io_util_open, readdir, rename, rm, rmdir, stat, symlink, unlink } = external_fs_.promises;
// export const {open} = 'fs'
const IS_WINDOWS = process.platform === 'win32';
/**
 * Custom implementation of readlink to ensure Windows junctions
 * maintain trailing backslash for backward compatibility with Node.js < 24
 *
 * In Node.js 20, Windows junctions (directory symlinks) always returned paths
 * with trailing backslashes. Node.js 24 removed this behavior, which breaks
 * code that relied on this format for path operations.
 *
 * This implementation restores the Node 20 behavior by adding a trailing
 * backslash to all junction results on Windows.
 */
function readlink(fsPath) {
    return __awaiter(this, void 0, void 0, function* () {
        const result = yield fs.promises.readlink(fsPath);
        // On Windows, restore Node 20 behavior: add trailing backslash to all results
        // since junctions on Windows are always directory links
        if (IS_WINDOWS && !result.endsWith('\\')) {
            return `${result}\\`;
        }
        return result;
    });
}
// See https://github.com/nodejs/node/blob/d0153aee367422d0858105abec186da4dff0a0c5/deps/uv/include/uv/win.h#L691
const UV_FS_O_EXLOCK = 0x10000000;
const READONLY = external_fs_.constants.O_RDONLY;
function exists(fsPath) {
    return __awaiter(this, void 0, void 0, function* () {
        try {
            yield stat(fsPath);
        }
        catch (err) {
            if (err.code === 'ENOENT') {
                return false;
            }
            throw err;
        }
        return true;
    });
}
function isDirectory(fsPath_1) {
    return __awaiter(this, arguments, void 0, function* (fsPath, useStat = false) {
        const stats = useStat ? yield stat(fsPath) : yield lstat(fsPath);
        return stats.isDirectory();
    });
}
/**
 * On OSX/Linux, true if path starts with '/'. On Windows, true for paths like:
 * \, \hello, \\hello\share, C:, and C:\hello (and corresponding alternate separator cases).
 */
function isRooted(p) {
    p = normalizeSeparators(p);
    if (!p) {
        throw new Error('isRooted() parameter "p" cannot be empty');
    }
    if (IS_WINDOWS) {
        return (p.startsWith('\\') || /^[A-Z]:/i.test(p) // e.g. \ or \hello or \\hello
        ); // e.g. C: or C:\hello
    }
    return p.startsWith('/');
}
/**
 * Best effort attempt to determine whether a file exists and is executable.
 * @param filePath    file path to check
 * @param extensions  additional file extensions to try
 * @return if file exists and is executable, returns the file path. otherwise empty string.
 */
function tryGetExecutablePath(filePath, extensions) {
    return __awaiter(this, void 0, void 0, function* () {
        let stats = undefined;
        try {
            // test file exists
            stats = yield stat(filePath);
        }
        catch (err) {
            if (err.code !== 'ENOENT') {
                // eslint-disable-next-line no-console
                console.log(`Unexpected error attempting to determine if executable file exists '${filePath}': ${err}`);
            }
        }
        if (stats && stats.isFile()) {
            if (IS_WINDOWS) {
                // on Windows, test for valid extension
                const upperExt = external_path_.extname(filePath).toUpperCase();
                if (extensions.some(validExt => validExt.toUpperCase() === upperExt)) {
                    return filePath;
                }
            }
            else {
                if (isUnixExecutable(stats)) {
                    return filePath;
                }
            }
        }
        // try each extension
        const originalFilePath = filePath;
        for (const extension of extensions) {
            filePath = originalFilePath + extension;
            stats = undefined;
            try {
                stats = yield stat(filePath);
            }
            catch (err) {
                if (err.code !== 'ENOENT') {
                    // eslint-disable-next-line no-console
                    console.log(`Unexpected error attempting to determine if executable file exists '${filePath}': ${err}`);
                }
            }
            if (stats && stats.isFile()) {
                if (IS_WINDOWS) {
                    // preserve the case of the actual file (since an extension was appended)
                    try {
                        const directory = external_path_.dirname(filePath);
                        const upperName = external_path_.basename(filePath).toUpperCase();
                        for (const actualName of yield readdir(directory)) {
                            if (upperName === actualName.toUpperCase()) {
                                filePath = external_path_.join(directory, actualName);
                                break;
                            }
                        }
                    }
                    catch (err) {
                        // eslint-disable-next-line no-console
                        console.log(`Unexpected error attempting to determine the actual case of the file '${filePath}': ${err}`);
                    }
                    return filePath;
                }
                else {
                    if (isUnixExecutable(stats)) {
                        return filePath;
                    }
                }
            }
        }
        return '';
    });
}
function normalizeSeparators(p) {
    p = p || '';
    if (IS_WINDOWS) {
        // convert slashes on Windows
        p = p.replace(/\//g, '\\');
        // remove redundant slashes
        return p.replace(/\\\\+/g, '\\');
    }
    // remove redundant slashes
    return p.replace(/\/\/+/g, '/');
}
// on Mac/Linux, test the execute bit
//     R   W  X  R  W X R W X
//   256 128 64 32 16 8 4 2 1
function isUnixExecutable(stats) {
    return ((stats.mode & 1) > 0 ||
        ((stats.mode & 8) > 0 &&
            process.getgid !== undefined &&
            stats.gid === process.getgid()) ||
        ((stats.mode & 64) > 0 &&
            process.getuid !== undefined &&
            stats.uid === process.getuid()));
}
// Get the path of cmd.exe in windows
function getCmdPath() {
    var _a;
    return (_a = process.env['COMSPEC']) !== null && _a !== void 0 ? _a : `cmd.exe`;
}
//# sourceMappingURL=io-util.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/io/lib/io.js
var io_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};



/**
 * Copies a file or folder.
 * Based off of shelljs - https://github.com/shelljs/shelljs/blob/9237f66c52e5daa40458f94f9565e18e8132f5a6/src/cp.js
 *
 * @param     source    source path
 * @param     dest      destination path
 * @param     options   optional. See CopyOptions.
 */
function cp(source_1, dest_1) {
    return io_awaiter(this, arguments, void 0, function* (source, dest, options = {}) {
        const { force, recursive, copySourceDirectory } = readCopyOptions(options);
        const destStat = (yield ioUtil.exists(dest)) ? yield ioUtil.stat(dest) : null;
        // Dest is an existing file, but not forcing
        if (destStat && destStat.isFile() && !force) {
            return;
        }
        // If dest is an existing directory, should copy inside.
        const newDest = destStat && destStat.isDirectory() && copySourceDirectory
            ? path.join(dest, path.basename(source))
            : dest;
        if (!(yield ioUtil.exists(source))) {
            throw new Error(`no such file or directory: ${source}`);
        }
        const sourceStat = yield ioUtil.stat(source);
        if (sourceStat.isDirectory()) {
            if (!recursive) {
                throw new Error(`Failed to copy. ${source} is a directory, but tried to copy without recursive flag.`);
            }
            else {
                yield cpDirRecursive(source, newDest, 0, force);
            }
        }
        else {
            if (path.relative(source, newDest) === '') {
                // a file cannot be copied to itself
                throw new Error(`'${newDest}' and '${source}' are the same file`);
            }
            yield io_copyFile(source, newDest, force);
        }
    });
}
/**
 * Moves a path.
 *
 * @param     source    source path
 * @param     dest      destination path
 * @param     options   optional. See MoveOptions.
 */
function mv(source_1, dest_1) {
    return io_awaiter(this, arguments, void 0, function* (source, dest, options = {}) {
        if (yield ioUtil.exists(dest)) {
            let destExists = true;
            if (yield ioUtil.isDirectory(dest)) {
                // If dest is directory copy src into dest
                dest = path.join(dest, path.basename(source));
                destExists = yield ioUtil.exists(dest);
            }
            if (destExists) {
                if (options.force == null || options.force) {
                    yield rmRF(dest);
                }
                else {
                    throw new Error('Destination already exists');
                }
            }
        }
        yield mkdirP(path.dirname(dest));
        yield ioUtil.rename(source, dest);
    });
}
/**
 * Remove a path recursively with force
 *
 * @param inputPath path to remove
 */
function rmRF(inputPath) {
    return io_awaiter(this, void 0, void 0, function* () {
        if (ioUtil.IS_WINDOWS) {
            // Check for invalid characters
            // https://docs.microsoft.com/en-us/windows/win32/fileio/naming-a-file
            if (/[*"<>|]/.test(inputPath)) {
                throw new Error('File path must not contain `*`, `"`, `<`, `>` or `|` on Windows');
            }
        }
        try {
            // note if path does not exist, error is silent
            yield ioUtil.rm(inputPath, {
                force: true,
                maxRetries: 3,
                recursive: true,
                retryDelay: 300
            });
        }
        catch (err) {
            throw new Error(`File was unable to be removed ${err}`);
        }
    });
}
/**
 * Make a directory.  Creates the full path with folders in between
 * Will throw if it fails
 *
 * @param   fsPath        path to create
 * @returns Promise<void>
 */
function mkdirP(fsPath) {
    return io_awaiter(this, void 0, void 0, function* () {
        ok(fsPath, 'a path argument must be provided');
        yield ioUtil.mkdir(fsPath, { recursive: true });
    });
}
/**
 * Returns path of a tool had the tool actually been invoked.  Resolves via paths.
 * If you check and the tool does not exist, it will throw.
 *
 * @param     tool              name of the tool
 * @param     check             whether to check if tool exists
 * @returns   Promise<string>   path to tool
 */
function which(tool, check) {
    return io_awaiter(this, void 0, void 0, function* () {
        if (!tool) {
            throw new Error("parameter 'tool' is required");
        }
        // recursive when check=true
        if (check) {
            const result = yield which(tool, false);
            if (!result) {
                if (IS_WINDOWS) {
                    throw new Error(`Unable to locate executable file: ${tool}. Please verify either the file path exists or the file can be found within a directory specified by the PATH environment variable. Also verify the file has a valid extension for an executable file.`);
                }
                else {
                    throw new Error(`Unable to locate executable file: ${tool}. Please verify either the file path exists or the file can be found within a directory specified by the PATH environment variable. Also check the file mode to verify the file is executable.`);
                }
            }
            return result;
        }
        const matches = yield findInPath(tool);
        if (matches && matches.length > 0) {
            return matches[0];
        }
        return '';
    });
}
/**
 * Returns a list of all occurrences of the given tool on the system path.
 *
 * @returns   Promise<string[]>  the paths of the tool
 */
function findInPath(tool) {
    return io_awaiter(this, void 0, void 0, function* () {
        if (!tool) {
            throw new Error("parameter 'tool' is required");
        }
        // build the list of extensions to try
        const extensions = [];
        if (IS_WINDOWS && process.env['PATHEXT']) {
            for (const extension of process.env['PATHEXT'].split(external_path_.delimiter)) {
                if (extension) {
                    extensions.push(extension);
                }
            }
        }
        // if it's rooted, return it if exists. otherwise return empty.
        if (isRooted(tool)) {
            const filePath = yield tryGetExecutablePath(tool, extensions);
            if (filePath) {
                return [filePath];
            }
            return [];
        }
        // if any path separators, return empty
        if (tool.includes(external_path_.sep)) {
            return [];
        }
        // build the list of directories
        //
        // Note, technically "where" checks the current directory on Windows. From a toolkit perspective,
        // it feels like we should not do this. Checking the current directory seems like more of a use
        // case of a shell, and the which() function exposed by the toolkit should strive for consistency
        // across platforms.
        const directories = [];
        if (process.env.PATH) {
            for (const p of process.env.PATH.split(external_path_.delimiter)) {
                if (p) {
                    directories.push(p);
                }
            }
        }
        // find all matches
        const matches = [];
        for (const directory of directories) {
            const filePath = yield tryGetExecutablePath(external_path_.join(directory, tool), extensions);
            if (filePath) {
                matches.push(filePath);
            }
        }
        return matches;
    });
}
function readCopyOptions(options) {
    const force = options.force == null ? true : options.force;
    const recursive = Boolean(options.recursive);
    const copySourceDirectory = options.copySourceDirectory == null
        ? true
        : Boolean(options.copySourceDirectory);
    return { force, recursive, copySourceDirectory };
}
function cpDirRecursive(sourceDir, destDir, currentDepth, force) {
    return io_awaiter(this, void 0, void 0, function* () {
        // Ensure there is not a run away recursive copy
        if (currentDepth >= 255)
            return;
        currentDepth++;
        yield mkdirP(destDir);
        const files = yield ioUtil.readdir(sourceDir);
        for (const fileName of files) {
            const srcFile = `${sourceDir}/${fileName}`;
            const destFile = `${destDir}/${fileName}`;
            const srcFileStat = yield ioUtil.lstat(srcFile);
            if (srcFileStat.isDirectory()) {
                // Recurse
                yield cpDirRecursive(srcFile, destFile, currentDepth, force);
            }
            else {
                yield io_copyFile(srcFile, destFile, force);
            }
        }
        // Change the mode for the newly created directory
        yield ioUtil.chmod(destDir, (yield ioUtil.stat(sourceDir)).mode);
    });
}
// Buffered file copy
function io_copyFile(srcFile, destFile, force) {
    return io_awaiter(this, void 0, void 0, function* () {
        if ((yield ioUtil.lstat(srcFile)).isSymbolicLink()) {
            // unlink/re-link it
            try {
                yield ioUtil.lstat(destFile);
                yield ioUtil.unlink(destFile);
            }
            catch (e) {
                // Try to override file permission
                if (e.code === 'EPERM') {
                    yield ioUtil.chmod(destFile, '0666');
                    yield ioUtil.unlink(destFile);
                }
                // other errors = it doesn't exist, no work to do
            }
            // Copy over symlink
            const symlinkFull = yield ioUtil.readlink(srcFile);
            yield ioUtil.symlink(symlinkFull, destFile, ioUtil.IS_WINDOWS ? 'junction' : null);
        }
        else if (!(yield ioUtil.exists(destFile)) || force) {
            yield ioUtil.copyFile(srcFile, destFile);
        }
    });
}
//# sourceMappingURL=io.js.map
;// CONCATENATED MODULE: external "timers"
const external_timers_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("timers");
;// CONCATENATED MODULE: ./node_modules/@actions/exec/lib/toolrunner.js
var toolrunner_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};







/* eslint-disable @typescript-eslint/unbound-method */
const toolrunner_IS_WINDOWS = process.platform === 'win32';
/*
 * Class for running command line tools. Handles quoting and arg parsing in a platform agnostic way.
 */
class ToolRunner extends external_events_.EventEmitter {
    constructor(toolPath, args, options) {
        super();
        if (!toolPath) {
            throw new Error("Parameter 'toolPath' cannot be null or empty.");
        }
        this.toolPath = toolPath;
        this.args = args || [];
        this.options = options || {};
    }
    _debug(message) {
        if (this.options.listeners && this.options.listeners.debug) {
            this.options.listeners.debug(message);
        }
    }
    _getCommandString(options, noPrefix) {
        const toolPath = this._getSpawnFileName();
        const args = this._getSpawnArgs(options);
        let cmd = noPrefix ? '' : '[command]'; // omit prefix when piped to a second tool
        if (toolrunner_IS_WINDOWS) {
            // Windows + cmd file
            if (this._isCmdFile()) {
                cmd += toolPath;
                for (const a of args) {
                    cmd += ` ${a}`;
                }
            }
            // Windows + verbatim
            else if (options.windowsVerbatimArguments) {
                cmd += `"${toolPath}"`;
                for (const a of args) {
                    cmd += ` ${a}`;
                }
            }
            // Windows (regular)
            else {
                cmd += this._windowsQuoteCmdArg(toolPath);
                for (const a of args) {
                    cmd += ` ${this._windowsQuoteCmdArg(a)}`;
                }
            }
        }
        else {
            // OSX/Linux - this can likely be improved with some form of quoting.
            // creating processes on Unix is fundamentally different than Windows.
            // on Unix, execvp() takes an arg array.
            cmd += toolPath;
            for (const a of args) {
                cmd += ` ${a}`;
            }
        }
        return cmd;
    }
    _processLineBuffer(data, strBuffer, onLine) {
        try {
            let s = strBuffer + data.toString();
            let n = s.indexOf(external_os_.EOL);
            while (n > -1) {
                const line = s.substring(0, n);
                onLine(line);
                // the rest of the string ...
                s = s.substring(n + external_os_.EOL.length);
                n = s.indexOf(external_os_.EOL);
            }
            return s;
        }
        catch (err) {
            // streaming lines to console is best effort.  Don't fail a build.
            this._debug(`error processing line. Failed with error ${err}`);
            return '';
        }
    }
    _getSpawnFileName() {
        if (toolrunner_IS_WINDOWS) {
            if (this._isCmdFile()) {
                return process.env['COMSPEC'] || 'cmd.exe';
            }
        }
        return this.toolPath;
    }
    _getSpawnArgs(options) {
        if (toolrunner_IS_WINDOWS) {
            if (this._isCmdFile()) {
                let argline = `/D /S /C "${this._windowsQuoteCmdArg(this.toolPath)}`;
                for (const a of this.args) {
                    argline += ' ';
                    argline += options.windowsVerbatimArguments
                        ? a
                        : this._windowsQuoteCmdArg(a);
                }
                argline += '"';
                return [argline];
            }
        }
        return this.args;
    }
    _endsWith(str, end) {
        return str.endsWith(end);
    }
    _isCmdFile() {
        const upperToolPath = this.toolPath.toUpperCase();
        return (this._endsWith(upperToolPath, '.CMD') ||
            this._endsWith(upperToolPath, '.BAT'));
    }
    _windowsQuoteCmdArg(arg) {
        // for .exe, apply the normal quoting rules that libuv applies
        if (!this._isCmdFile()) {
            return this._uvQuoteCmdArg(arg);
        }
        // otherwise apply quoting rules specific to the cmd.exe command line parser.
        // the libuv rules are generic and are not designed specifically for cmd.exe
        // command line parser.
        //
        // for a detailed description of the cmd.exe command line parser, refer to
        // http://stackoverflow.com/questions/4094699/how-does-the-windows-command-interpreter-cmd-exe-parse-scripts/7970912#7970912
        // need quotes for empty arg
        if (!arg) {
            return '""';
        }
        // determine whether the arg needs to be quoted
        const cmdSpecialChars = [
            ' ',
            '\t',
            '&',
            '(',
            ')',
            '[',
            ']',
            '{',
            '}',
            '^',
            '=',
            ';',
            '!',
            "'",
            '+',
            ',',
            '`',
            '~',
            '|',
            '<',
            '>',
            '"'
        ];
        let needsQuotes = false;
        for (const char of arg) {
            if (cmdSpecialChars.some(x => x === char)) {
                needsQuotes = true;
                break;
            }
        }
        // short-circuit if quotes not needed
        if (!needsQuotes) {
            return arg;
        }
        // the following quoting rules are very similar to the rules that by libuv applies.
        //
        // 1) wrap the string in quotes
        //
        // 2) double-up quotes - i.e. " => ""
        //
        //    this is different from the libuv quoting rules. libuv replaces " with \", which unfortunately
        //    doesn't work well with a cmd.exe command line.
        //
        //    note, replacing " with "" also works well if the arg is passed to a downstream .NET console app.
        //    for example, the command line:
        //          foo.exe "myarg:""my val"""
        //    is parsed by a .NET console app into an arg array:
        //          [ "myarg:\"my val\"" ]
        //    which is the same end result when applying libuv quoting rules. although the actual
        //    command line from libuv quoting rules would look like:
        //          foo.exe "myarg:\"my val\""
        //
        // 3) double-up slashes that precede a quote,
        //    e.g.  hello \world    => "hello \world"
        //          hello\"world    => "hello\\""world"
        //          hello\\"world   => "hello\\\\""world"
        //          hello world\    => "hello world\\"
        //
        //    technically this is not required for a cmd.exe command line, or the batch argument parser.
        //    the reasons for including this as a .cmd quoting rule are:
        //
        //    a) this is optimized for the scenario where the argument is passed from the .cmd file to an
        //       external program. many programs (e.g. .NET console apps) rely on the slash-doubling rule.
        //
        //    b) it's what we've been doing previously (by deferring to node default behavior) and we
        //       haven't heard any complaints about that aspect.
        //
        // note, a weakness of the quoting rules chosen here, is that % is not escaped. in fact, % cannot be
        // escaped when used on the command line directly - even though within a .cmd file % can be escaped
        // by using %%.
        //
        // the saving grace is, on the command line, %var% is left as-is if var is not defined. this contrasts
        // the line parsing rules within a .cmd file, where if var is not defined it is replaced with nothing.
        //
        // one option that was explored was replacing % with ^% - i.e. %var% => ^%var^%. this hack would
        // often work, since it is unlikely that var^ would exist, and the ^ character is removed when the
        // variable is used. the problem, however, is that ^ is not removed when %* is used to pass the args
        // to an external program.
        //
        // an unexplored potential solution for the % escaping problem, is to create a wrapper .cmd file.
        // % can be escaped within a .cmd file.
        let reverse = '"';
        let quoteHit = true;
        for (let i = arg.length; i > 0; i--) {
            // walk the string in reverse
            reverse += arg[i - 1];
            if (quoteHit && arg[i - 1] === '\\') {
                reverse += '\\'; // double the slash
            }
            else if (arg[i - 1] === '"') {
                quoteHit = true;
                reverse += '"'; // double the quote
            }
            else {
                quoteHit = false;
            }
        }
        reverse += '"';
        return reverse.split('').reverse().join('');
    }
    _uvQuoteCmdArg(arg) {
        // Tool runner wraps child_process.spawn() and needs to apply the same quoting as
        // Node in certain cases where the undocumented spawn option windowsVerbatimArguments
        // is used.
        //
        // Since this function is a port of quote_cmd_arg from Node 4.x (technically, lib UV,
        // see https://github.com/nodejs/node/blob/v4.x/deps/uv/src/win/process.c for details),
        // pasting copyright notice from Node within this function:
        //
        //      Copyright Joyent, Inc. and other Node contributors. All rights reserved.
        //
        //      Permission is hereby granted, free of charge, to any person obtaining a copy
        //      of this software and associated documentation files (the "Software"), to
        //      deal in the Software without restriction, including without limitation the
        //      rights to use, copy, modify, merge, publish, distribute, sublicense, and/or
        //      sell copies of the Software, and to permit persons to whom the Software is
        //      furnished to do so, subject to the following conditions:
        //
        //      The above copyright notice and this permission notice shall be included in
        //      all copies or substantial portions of the Software.
        //
        //      THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
        //      IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
        //      FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
        //      AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
        //      LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING
        //      FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS
        //      IN THE SOFTWARE.
        if (!arg) {
            // Need double quotation for empty argument
            return '""';
        }
        if (!arg.includes(' ') && !arg.includes('\t') && !arg.includes('"')) {
            // No quotation needed
            return arg;
        }
        if (!arg.includes('"') && !arg.includes('\\')) {
            // No embedded double quotes or backslashes, so I can just wrap
            // quote marks around the whole thing.
            return `"${arg}"`;
        }
        // Expected input/output:
        //   input : hello"world
        //   output: "hello\"world"
        //   input : hello""world
        //   output: "hello\"\"world"
        //   input : hello\world
        //   output: hello\world
        //   input : hello\\world
        //   output: hello\\world
        //   input : hello\"world
        //   output: "hello\\\"world"
        //   input : hello\\"world
        //   output: "hello\\\\\"world"
        //   input : hello world\
        //   output: "hello world\\" - note the comment in libuv actually reads "hello world\"
        //                             but it appears the comment is wrong, it should be "hello world\\"
        let reverse = '"';
        let quoteHit = true;
        for (let i = arg.length; i > 0; i--) {
            // walk the string in reverse
            reverse += arg[i - 1];
            if (quoteHit && arg[i - 1] === '\\') {
                reverse += '\\';
            }
            else if (arg[i - 1] === '"') {
                quoteHit = true;
                reverse += '\\';
            }
            else {
                quoteHit = false;
            }
        }
        reverse += '"';
        return reverse.split('').reverse().join('');
    }
    _cloneExecOptions(options) {
        options = options || {};
        const result = {
            cwd: options.cwd || process.cwd(),
            env: options.env || process.env,
            silent: options.silent || false,
            windowsVerbatimArguments: options.windowsVerbatimArguments || false,
            failOnStdErr: options.failOnStdErr || false,
            ignoreReturnCode: options.ignoreReturnCode || false,
            delay: options.delay || 10000
        };
        result.outStream = options.outStream || process.stdout;
        result.errStream = options.errStream || process.stderr;
        return result;
    }
    _getSpawnOptions(options, toolPath) {
        options = options || {};
        const result = {};
        result.cwd = options.cwd;
        result.env = options.env;
        result['windowsVerbatimArguments'] =
            options.windowsVerbatimArguments || this._isCmdFile();
        if (options.windowsVerbatimArguments) {
            result.argv0 = `"${toolPath}"`;
        }
        return result;
    }
    /**
     * Exec a tool.
     * Output will be streamed to the live console.
     * Returns promise with return code
     *
     * @param     tool     path to tool to exec
     * @param     options  optional exec options.  See ExecOptions
     * @returns   number
     */
    exec() {
        return toolrunner_awaiter(this, void 0, void 0, function* () {
            // root the tool path if it is unrooted and contains relative pathing
            if (!isRooted(this.toolPath) &&
                (this.toolPath.includes('/') ||
                    (toolrunner_IS_WINDOWS && this.toolPath.includes('\\')))) {
                // prefer options.cwd if it is specified, however options.cwd may also need to be rooted
                this.toolPath = external_path_.resolve(process.cwd(), this.options.cwd || process.cwd(), this.toolPath);
            }
            // if the tool is only a file name, then resolve it from the PATH
            // otherwise verify it exists (add extension on Windows if necessary)
            this.toolPath = yield which(this.toolPath, true);
            return new Promise((resolve, reject) => toolrunner_awaiter(this, void 0, void 0, function* () {
                this._debug(`exec tool: ${this.toolPath}`);
                this._debug('arguments:');
                for (const arg of this.args) {
                    this._debug(`   ${arg}`);
                }
                const optionsNonNull = this._cloneExecOptions(this.options);
                if (!optionsNonNull.silent && optionsNonNull.outStream) {
                    optionsNonNull.outStream.write(this._getCommandString(optionsNonNull) + external_os_.EOL);
                }
                const state = new ExecState(optionsNonNull, this.toolPath);
                state.on('debug', (message) => {
                    this._debug(message);
                });
                if (this.options.cwd && !(yield exists(this.options.cwd))) {
                    return reject(new Error(`The cwd: ${this.options.cwd} does not exist!`));
                }
                const fileName = this._getSpawnFileName();
                const cp = external_child_process_.spawn(fileName, this._getSpawnArgs(optionsNonNull), this._getSpawnOptions(this.options, fileName));
                let stdbuffer = '';
                if (cp.stdout) {
                    cp.stdout.on('data', (data) => {
                        if (this.options.listeners && this.options.listeners.stdout) {
                            this.options.listeners.stdout(data);
                        }
                        if (!optionsNonNull.silent && optionsNonNull.outStream) {
                            optionsNonNull.outStream.write(data);
                        }
                        stdbuffer = this._processLineBuffer(data, stdbuffer, (line) => {
                            if (this.options.listeners && this.options.listeners.stdline) {
                                this.options.listeners.stdline(line);
                            }
                        });
                    });
                }
                let errbuffer = '';
                if (cp.stderr) {
                    cp.stderr.on('data', (data) => {
                        state.processStderr = true;
                        if (this.options.listeners && this.options.listeners.stderr) {
                            this.options.listeners.stderr(data);
                        }
                        if (!optionsNonNull.silent &&
                            optionsNonNull.errStream &&
                            optionsNonNull.outStream) {
                            const s = optionsNonNull.failOnStdErr
                                ? optionsNonNull.errStream
                                : optionsNonNull.outStream;
                            s.write(data);
                        }
                        errbuffer = this._processLineBuffer(data, errbuffer, (line) => {
                            if (this.options.listeners && this.options.listeners.errline) {
                                this.options.listeners.errline(line);
                            }
                        });
                    });
                }
                cp.on('error', (err) => {
                    state.processError = err.message;
                    state.processExited = true;
                    state.processClosed = true;
                    state.CheckComplete();
                });
                cp.on('exit', (code) => {
                    state.processExitCode = code;
                    state.processExited = true;
                    this._debug(`Exit code ${code} received from tool '${this.toolPath}'`);
                    state.CheckComplete();
                });
                cp.on('close', (code) => {
                    state.processExitCode = code;
                    state.processExited = true;
                    state.processClosed = true;
                    this._debug(`STDIO streams have closed for tool '${this.toolPath}'`);
                    state.CheckComplete();
                });
                state.on('done', (error, exitCode) => {
                    if (stdbuffer.length > 0) {
                        this.emit('stdline', stdbuffer);
                    }
                    if (errbuffer.length > 0) {
                        this.emit('errline', errbuffer);
                    }
                    cp.removeAllListeners();
                    if (error) {
                        reject(error);
                    }
                    else {
                        resolve(exitCode);
                    }
                });
                if (this.options.input) {
                    if (!cp.stdin) {
                        throw new Error('child process missing stdin');
                    }
                    cp.stdin.end(this.options.input);
                }
            }));
        });
    }
}
/**
 * Convert an arg string to an array of args. Handles escaping
 *
 * @param    argString   string of arguments
 * @returns  string[]    array of arguments
 */
function argStringToArray(argString) {
    const args = [];
    let inQuotes = false;
    let escaped = false;
    let arg = '';
    function append(c) {
        // we only escape double quotes.
        if (escaped && c !== '"') {
            arg += '\\';
        }
        arg += c;
        escaped = false;
    }
    for (let i = 0; i < argString.length; i++) {
        const c = argString.charAt(i);
        if (c === '"') {
            if (!escaped) {
                inQuotes = !inQuotes;
            }
            else {
                append(c);
            }
            continue;
        }
        if (c === '\\' && escaped) {
            append(c);
            continue;
        }
        if (c === '\\' && inQuotes) {
            escaped = true;
            continue;
        }
        if (c === ' ' && !inQuotes) {
            if (arg.length > 0) {
                args.push(arg);
                arg = '';
            }
            continue;
        }
        append(c);
    }
    if (arg.length > 0) {
        args.push(arg.trim());
    }
    return args;
}
class ExecState extends external_events_.EventEmitter {
    constructor(options, toolPath) {
        super();
        this.processClosed = false; // tracks whether the process has exited and stdio is closed
        this.processError = '';
        this.processExitCode = 0;
        this.processExited = false; // tracks whether the process has exited
        this.processStderr = false; // tracks whether stderr was written to
        this.delay = 10000; // 10 seconds
        this.done = false;
        this.timeout = null;
        if (!toolPath) {
            throw new Error('toolPath must not be empty');
        }
        this.options = options;
        this.toolPath = toolPath;
        if (options.delay) {
            this.delay = options.delay;
        }
    }
    CheckComplete() {
        if (this.done) {
            return;
        }
        if (this.processClosed) {
            this._setResult();
        }
        else if (this.processExited) {
            this.timeout = (0,external_timers_namespaceObject.setTimeout)(ExecState.HandleTimeout, this.delay, this);
        }
    }
    _debug(message) {
        this.emit('debug', message);
    }
    _setResult() {
        // determine whether there is an error
        let error;
        if (this.processExited) {
            if (this.processError) {
                error = new Error(`There was an error when attempting to execute the process '${this.toolPath}'. This may indicate the process failed to start. Error: ${this.processError}`);
            }
            else if (this.processExitCode !== 0 && !this.options.ignoreReturnCode) {
                error = new Error(`The process '${this.toolPath}' failed with exit code ${this.processExitCode}`);
            }
            else if (this.processStderr && this.options.failOnStdErr) {
                error = new Error(`The process '${this.toolPath}' failed because one or more lines were written to the STDERR stream`);
            }
        }
        // clear the timeout
        if (this.timeout) {
            clearTimeout(this.timeout);
            this.timeout = null;
        }
        this.done = true;
        this.emit('done', error, this.processExitCode);
    }
    static HandleTimeout(state) {
        if (state.done) {
            return;
        }
        if (!state.processClosed && state.processExited) {
            const message = `The STDIO streams did not close within ${state.delay / 1000} seconds of the exit event from process '${state.toolPath}'. This may indicate a child process inherited the STDIO streams and has not yet exited.`;
            state._debug(message);
        }
        state._setResult();
    }
}
//# sourceMappingURL=toolrunner.js.map
;// CONCATENATED MODULE: ./node_modules/@actions/exec/lib/exec.js
var exec_awaiter = (undefined && undefined.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
        function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};


/**
 * Exec a command.
 * Output will be streamed to the live console.
 * Returns promise with return code
 *
 * @param     commandLine        command to execute (can include additional args). Must be correctly escaped.
 * @param     args               optional arguments for tool. Escaping is handled by the lib.
 * @param     options            optional exec options.  See ExecOptions
 * @returns   Promise<number>    exit code
 */
function exec(commandLine, args, options) {
    return exec_awaiter(this, void 0, void 0, function* () {
        const commandArgs = argStringToArray(commandLine);
        if (commandArgs.length === 0) {
            throw new Error(`Parameter 'commandLine' cannot be null or empty.`);
        }
        // Path to tool to execute should be first arg
        const toolPath = commandArgs[0];
        args = commandArgs.slice(1).concat(args || []);
        const runner = new ToolRunner(toolPath, args, options);
        return runner.exec();
    });
}
/**
 * Exec a command and get the output.
 * Output will be streamed to the live console.
 * Returns promise with the exit code and collected stdout and stderr
 *
 * @param     commandLine           command to execute (can include additional args). Must be correctly escaped.
 * @param     args                  optional arguments for tool. Escaping is handled by the lib.
 * @param     options               optional exec options.  See ExecOptions
 * @returns   Promise<ExecOutput>   exit code, stdout, and stderr
 */
function getExecOutput(commandLine, args, options) {
    return exec_awaiter(this, void 0, void 0, function* () {
        var _a, _b;
        let stdout = '';
        let stderr = '';
        //Using string decoder covers the case where a mult-byte character is split
        const stdoutDecoder = new StringDecoder('utf8');
        const stderrDecoder = new StringDecoder('utf8');
        const originalStdoutListener = (_a = options === null || options === void 0 ? void 0 : options.listeners) === null || _a === void 0 ? void 0 : _a.stdout;
        const originalStdErrListener = (_b = options === null || options === void 0 ? void 0 : options.listeners) === null || _b === void 0 ? void 0 : _b.stderr;
        const stdErrListener = (data) => {
            stderr += stderrDecoder.write(data);
            if (originalStdErrListener) {
                originalStdErrListener(data);
            }
        };
        const stdOutListener = (data) => {
            stdout += stdoutDecoder.write(data);
            if (originalStdoutListener) {
                originalStdoutListener(data);
            }
        };
        const listeners = Object.assign(Object.assign({}, options === null || options === void 0 ? void 0 : options.listeners), { stdout: stdOutListener, stderr: stdErrListener });
        const exitCode = yield exec(commandLine, args, Object.assign(Object.assign({}, options), { listeners }));
        //flush any remaining characters
        stdout += stdoutDecoder.end();
        stderr += stderrDecoder.end();
        return {
            exitCode,
            stdout,
            stderr
        };
    });
}
//# sourceMappingURL=exec.js.map

/***/ }),

/***/ 7934:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   FsL: () => (/* binding */ pipe),
/* harmony export */   H0v: () => (/* binding */ rawCheck),
/* harmony export */   IeY: () => (/* binding */ custom),
/* harmony export */   Ikc: () => (/* binding */ object),
/* harmony export */   KIO: () => (/* binding */ picklist),
/* harmony export */   RZV: () => (/* binding */ lazy),
/* harmony export */   YOg: () => (/* binding */ array),
/* harmony export */   YjP: () => (/* binding */ string),
/* harmony export */   cGV: () => (/* binding */ maxValue),
/* harmony export */   chJ: () => (/* binding */ null_),
/* harmony export */   euz: () => (/* binding */ literal),
/* harmony export */   mee: () => (/* binding */ nullable),
/* harmony export */   qgA: () => (/* binding */ parse),
/* harmony export */   v4Y: () => (/* binding */ entriesFromList),
/* harmony export */   xLC: () => (/* binding */ safeParse),
/* harmony export */   yGV: () => (/* binding */ regex),
/* harmony export */   yqP: () => (/* binding */ exactOptional),
/* harmony export */   z6Y: () => (/* binding */ check),
/* harmony export */   zMY: () => (/* binding */ boolean)
/* harmony export */ });
/* unused harmony exports BASE64_REGEX, BIC_REGEX, CUID2_REGEX, DECIMAL_REGEX, DIGITS_REGEX, DOMAIN_REGEX, EMAIL_REGEX, EMOJI_REGEX, HEXADECIMAL_REGEX, HEX_COLOR_REGEX, IMEI_REGEX, IPV4_REGEX, IPV6_REGEX, IP_REGEX, ISO_DATE_REGEX, ISO_DATE_TIME_REGEX, ISO_DATE_TIME_SECOND_REGEX, ISO_TIMESTAMP_REGEX, ISO_TIME_REGEX, ISO_TIME_SECOND_REGEX, ISO_WEEK_REGEX, ISRC_REGEX, JWS_COMPACT_REGEX, KSUID_REGEX, MAC48_REGEX, MAC64_REGEX, MAC_REGEX, NANO_ID_REGEX, OCTAL_REGEX, RFC_EMAIL_REGEX, SLUG_REGEX, ULID_REGEX, UUID_REGEX, ValiError, _addIssue, _cloneDataset, _formatCase, _getByteCount, _getCodePointCount, _getGraphemeCount, _getLastMetadata, _getWordCount, _isLuhnAlgo, _isSameValueZero, _isValidObjectKey, _isValueMatch, _joinExpects, _standardSchema, _stringify, any, args, argsAsync, arrayAsync, assert, awaitAsync, base64, bic, bigint, blob, brand, bytes, cache, cacheAsync, checkAsync, checkItems, checkItemsAsync, codePoints, config, creditCard, cuid2, customAsync, date, decimal, deleteGlobalConfig, deleteGlobalMessage, deleteSchemaMessage, deleteSpecificMessage, description, digits, domain, email, emoji, empty, endsWith, entries, entriesFromObjects, enum, enum_, everyItem, exactOptionalAsync, examples, excludes, fallback, fallbackAsync, file, filterItems, findItem, finite, flatten, flavor, forward, forwardAsync, function, function_, getDefault, getDefaults, getDefaultsAsync, getDescription, getDotPath, getExamples, getFallback, getFallbacks, getFallbacksAsync, getGlobalConfig, getGlobalMessage, getMetadata, getSchemaMessage, getSpecificMessage, getTitle, graphemes, gtValue, guard, hash, hexColor, hexadecimal, imei, includes, instance, integer, intersect, intersectAsync, ip, ipv4, ipv6, is, isOfKind, isOfType, isValiError, isbn, isoDate, isoDateTime, isoDateTimeSecond, isoTime, isoTimeSecond, isoTimestamp, isoWeek, isrc, jwsCompact, keyof, ksuid, lazyAsync, length, looseObject, looseObjectAsync, looseTuple, looseTupleAsync, ltValue, mac, mac48, mac64, map, mapAsync, mapItems, maxBytes, maxCodePoints, maxEntries, maxGraphemes, maxLength, maxSize, maxWords, message, metadata, mimeType, minBytes, minCodePoints, minEntries, minGraphemes, minLength, minSize, minValue, minWords, multipleOf, nan, nanoid, never, nonEmpty, nonNullable, nonNullableAsync, nonNullish, nonNullishAsync, nonOptional, nonOptionalAsync, normalize, notBytes, notCodePoints, notEntries, notGraphemes, notLength, notSize, notValue, notValues, notWords, null_, nullableAsync, nullish, nullishAsync, number, objectAsync, objectWithRest, objectWithRestAsync, octal, omit, optional, optionalAsync, parseAsync, parseBoolean, parseJson, parser, parserAsync, partial, partialAsync, partialCheck, partialCheckAsync, pick, pipeAsync, promise, rawCheckAsync, rawTransform, rawTransformAsync, readonly, record, recordAsync, reduceItems, required, requiredAsync, returns, returnsAsync, rfcEmail, safeInteger, safeParseAsync, safeParser, safeParserAsync, set, setAsync, setGlobalConfig, setGlobalMessage, setSchemaMessage, setSpecificMessage, size, slug, someItem, sortItems, startsWith, strictObject, strictObjectAsync, strictTuple, strictTupleAsync, stringifyJson, summarize, symbol, title, toBigint, toBoolean, toCamelCase, toDate, toKebabCase, toLowerCase, toMaxValue, toMinValue, toNumber, toPascalCase, toSnakeCase, toString, toUpperCase, transform, transformAsync, trim, trimEnd, trimStart, tuple, tupleAsync, tupleWithRest, tupleWithRestAsync, ulid, undefined, undefined_, undefinedable, undefinedableAsync, union, unionAsync, unknown, unwrap, url, uuid, value, values, variant, variantAsync, void, void_, words */
//#region src/storages/globalConfig/globalConfig.ts
let store$4;
const DEFAULT_CONFIG = {
	lang: void 0,
	message: void 0,
	abortEarly: void 0,
	abortPipeEarly: void 0
};
/**
* Sets the global configuration.
*
* @param config The configuration.
*/
function setGlobalConfig(config$1) {
	store$4 = {
		...store$4,
		...config$1
	};
}
/**
* Returns the global configuration.
*
* @param config The config to merge.
*
* @returns The configuration.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalConfig(config$1) {
	if (!config$1 && !store$4) return DEFAULT_CONFIG;
	return {
		lang: config$1?.lang ?? store$4?.lang,
		message: config$1?.message,
		abortEarly: config$1?.abortEarly ?? store$4?.abortEarly,
		abortPipeEarly: config$1?.abortPipeEarly ?? store$4?.abortPipeEarly
	};
}
/**
* Deletes the global configuration.
*/
function deleteGlobalConfig() {
	store$4 = void 0;
}

//#endregion
//#region src/storages/globalMessage/globalMessage.ts
let store$3;
/**
* Sets a global error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setGlobalMessage(message$1, lang) {
	if (!store$3) store$3 = /* @__PURE__ */ new Map();
	store$3.set(lang, message$1);
}
/**
* Returns a global error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getGlobalMessage(lang) {
	return store$3?.get(lang);
}
/**
* Deletes a global error message.
*
* @param lang The language of the message.
*/
function deleteGlobalMessage(lang) {
	store$3?.delete(lang);
}

//#endregion
//#region src/storages/schemaMessage/schemaMessage.ts
let store$2;
/**
* Sets a schema error message.
*
* @param message The error message.
* @param lang The language of the message.
*/
function setSchemaMessage(message$1, lang) {
	if (!store$2) store$2 = /* @__PURE__ */ new Map();
	store$2.set(lang, message$1);
}
/**
* Returns a schema error message.
*
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSchemaMessage(lang) {
	return store$2?.get(lang);
}
/**
* Deletes a schema error message.
*
* @param lang The language of the message.
*/
function deleteSchemaMessage(lang) {
	store$2?.delete(lang);
}

//#endregion
//#region src/storages/specificMessage/specificMessage.ts
let store$1;
/**
* Sets a specific error message.
*
* @param reference The identifier reference.
* @param message The error message.
* @param lang The language of the message.
*/
function setSpecificMessage(reference, message$1, lang) {
	if (!store$1) store$1 = /* @__PURE__ */ new Map();
	if (!store$1.get(reference)) store$1.set(reference, /* @__PURE__ */ new Map());
	store$1.get(reference).set(lang, message$1);
}
/**
* Returns a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*
* @returns The error message.
*/
/* @__NO_SIDE_EFFECTS__ */
function getSpecificMessage(reference, lang) {
	return store$1?.get(reference)?.get(lang);
}
/**
* Deletes a specific error message.
*
* @param reference The identifier reference.
* @param lang The language of the message.
*/
function deleteSpecificMessage(reference, lang) {
	store$1?.get(reference)?.delete(lang);
}

//#endregion
//#region src/utils/_stringify/_stringify.ts
/**
* Stringifies an unknown input to a literal or type string.
*
* @param input The unknown input.
*
* @returns A literal or type string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _stringify(input) {
	const type = typeof input;
	if (type === "string") return `"${input}"`;
	if (type === "number" || type === "bigint" || type === "boolean") return `${input}`;
	if (type === "object" || type === "function") return (input && Object.getPrototypeOf(input)?.constructor?.name) ?? "null";
	return type;
}

//#endregion
//#region src/utils/_addIssue/_addIssue.ts
/**
* Adds an issue to the dataset.
*
* @param context The issue context.
* @param label The issue label.
* @param dataset The input dataset.
* @param config The configuration.
* @param other The optional props.
*
* @internal
*/
function _addIssue(context, label, dataset, config$1, other) {
	const input = other && "input" in other ? other.input : dataset.value;
	const expected = other?.expected ?? context.expects ?? null;
	const received = other?.received ?? /* @__PURE__ */ _stringify(input);
	const issue = {
		kind: context.kind,
		type: context.type,
		input,
		expected,
		received,
		message: `Invalid ${label}: ${expected ? `Expected ${expected} but r` : "R"}eceived ${received}`,
		requirement: context.requirement,
		path: other?.path,
		issues: other?.issues,
		lang: config$1.lang,
		abortEarly: config$1.abortEarly,
		abortPipeEarly: config$1.abortPipeEarly
	};
	const isSchema = context.kind === "schema";
	const message$1 = other?.message ?? context.message ?? /* @__PURE__ */ getSpecificMessage(context.reference, issue.lang) ?? (isSchema ? /* @__PURE__ */ getSchemaMessage(issue.lang) : null) ?? config$1.message ?? /* @__PURE__ */ getGlobalMessage(issue.lang);
	if (message$1 !== void 0) issue.message = typeof message$1 === "function" ? message$1(issue) : message$1;
	if (isSchema) dataset.typed = false;
	if (dataset.issues) dataset.issues.push(issue);
	else dataset.issues = [issue];
}

//#endregion
//#region src/utils/_cloneDataset/_cloneDataset.ts
/**
* Creates a shallow copy of a dataset.
*
* Hint: The `value` is copied by reference, but the `issues` array, its issues
* and their `path` arrays are cloned to avoid reusing mutable dataset state
* across multiple runs. Mutating a returned object or array value can
* therefore affect later cache hits that reuse the same cached output.
*
* @param dataset The output dataset.
*
* @returns The copied output dataset.
*/
/* @__NO_SIDE_EFFECTS__ */
function _cloneDataset(dataset) {
	return {
		typed: dataset.typed,
		value: dataset.value,
		issues: dataset.issues?.map((issue) => ({
			...issue,
			path: issue.path && [...issue.path]
		}))
	};
}

//#endregion
//#region src/utils/_formatCase/_formatCase.ts
/**
* Splits a string into lowercase words and rejoins them with the given
* separator and capitalization rules.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries. Whether the first or subsequent words are
* capitalized is controlled by `capFirst` and `capRest`.
*
* Hint: Implemented in a single pass that emits directly to the result
* string to avoid an intermediate `string[]` allocation. ASCII chars are
* classified via char codes to skip `.toLowerCase()` and `.toUpperCase()`
* method calls in the common case.
*
* Hint: Digits are treated as a separate character class, so `item2Name`
* yields `item2` and `name` rather than `item`, `2` and `name`.
*
* @param input The input string.
* @param separator The string inserted between words.
* @param capFirst Whether to capitalize the first word.
* @param capRest Whether to capitalize subsequent words.
*
* @returns The formatted string.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _formatCase(input, separator, capFirst, capRest) {
	let result = "";
	let firstWord = true;
	let start = 0;
	let prev = 0;
	let prevPrev = 0;
	const flush = (end) => {
		if (end > start) {
			let word = input.slice(start, end).toLowerCase();
			if (firstWord ? capFirst : capRest) {
				const firstCode = word.charCodeAt(0);
				if (firstCode >= 97 && firstCode <= 122) word = String.fromCharCode(firstCode - 32) + word.slice(1);
				else {
					const charLen = firstCode >= 55296 && firstCode <= 56319 ? 2 : 1;
					word = word.slice(0, charLen).toUpperCase() + word.slice(charLen);
				}
			}
			result += firstWord ? word : separator + word;
			firstWord = false;
		}
	};
	for (let index = 0; index < input.length; index++) {
		const code = input.charCodeAt(index);
		let type;
		if (code === 32 || code === 9 || code === 10 || code === 11 || code === 12 || code === 13 || code === 45 || code === 95) {
			flush(index);
			start = index + 1;
			type = 0;
		} else if (code < 128) type = code >= 65 && code <= 90 ? 1 : code >= 97 && code <= 122 ? 2 : 3;
		else {
			const char = input[index];
			const charLower = char.toLowerCase();
			type = charLower === char.toUpperCase() ? 3 : char === charLower ? 2 : 1;
		}
		if (type === 1 && (prev === 2 || prev === 3) && index > start) {
			flush(index);
			start = index;
		} else if (type === 2 && prev === 1 && prevPrev === 1 && index - 1 > start) {
			flush(index - 1);
			start = index - 1;
		}
		prevPrev = prev;
		prev = type;
	}
	flush(input.length);
	return result;
}

//#endregion
//#region src/utils/_getByteCount/_getByteCount.ts
let textEncoder;
/**
* Returns the byte count of the input.
*
* @param input The input to be measured.
*
* @returns The byte count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getByteCount(input) {
	if (!textEncoder) textEncoder = new TextEncoder();
	return textEncoder.encode(input).length;
}

//#endregion
//#region src/utils/_getCodePointCount/_getCodePointCount.ts
/**
* Returns the code point count of the input.
*
* @param input The input to be measured.
*
* @returns The code point count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getCodePointCount(input) {
	let count = input.length;
	const lengthMinus1 = input.length - 1;
	for (let i = 0; i < lengthMinus1;) if (input.codePointAt(i) <= 65535) i++;
	else {
		i += 2;
		count--;
	}
	return count;
}

//#endregion
//#region src/utils/_getGraphemeCount/_getGraphemeCount.ts
let segmenter;
/**
* Returns the grapheme count of the input.
*
* @param input The input to be measured.
*
* @returns The grapheme count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getGraphemeCount(input) {
	if (!segmenter) segmenter = new Intl.Segmenter();
	const segments = segmenter.segment(input);
	let count = 0;
	for (const _ of segments) count++;
	return count;
}

//#endregion
//#region src/utils/_getLastMetadata/_getLastMetadata.ts
/**
* Returns the last top-level value of a given metadata type from a schema
* using a breadth-first search that starts with the last item in the pipeline.
*
* @param schema The schema to search.
* @param type The metadata type.
*
* @returns The value, if any.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getLastMetadata(schema, type) {
	if ("pipe" in schema) {
		const nestedSchemas = [];
		for (let index = schema.pipe.length - 1; index >= 0; index--) {
			const item = schema.pipe[index];
			if (item.kind === "schema" && "pipe" in item) nestedSchemas.push(item);
			else if (item.kind === "metadata" && item.type === type) return item[type];
		}
		for (const nestedSchema of nestedSchemas) {
			const result = /* @__PURE__ */ _getLastMetadata(nestedSchema, type);
			if (result !== void 0) return result;
		}
	}
}

//#endregion
//#region src/utils/_getWordCount/_getWordCount.ts
let store;
/**
* Returns the word count of the input.
*
* @param locales The locales to be used.
* @param input The input to be measured.
*
* @returns The word count.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _getWordCount(locales, input) {
	if (!store) store = /* @__PURE__ */ new Map();
	const key = String(locales);
	let segmenter$1 = store.get(key);
	if (!segmenter$1) {
		segmenter$1 = new Intl.Segmenter(locales, { granularity: "word" });
		store.set(key, segmenter$1);
	}
	const segments = segmenter$1.segment(input);
	let count = 0;
	for (const segment of segments) if (segment.isWordLike) count++;
	return count;
}

//#endregion
//#region src/utils/_isLuhnAlgo/_isLuhnAlgo.ts
/**
* Non-digit regex.
*/
const NON_DIGIT_REGEX = /\D/gu;
/**
* Checks whether a string with numbers corresponds to the luhn algorithm.
*
* @param input The input to be checked.
*
* @returns Whether input is valid.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isLuhnAlgo(input) {
	const number$1 = input.replace(NON_DIGIT_REGEX, "");
	let length$1 = number$1.length;
	let bit = 1;
	let sum = 0;
	while (length$1) {
		const value$1 = +number$1[--length$1];
		bit ^= 1;
		sum += bit ? [
			0,
			2,
			4,
			6,
			8,
			1,
			3,
			5,
			7,
			9
		][value$1] : value$1;
	}
	return sum % 10 === 0;
}

//#endregion
//#region src/utils/_isSameValueZero/_isSameValueZero.ts
/**
* Compares two values using the SameValueZero algorithm, which treats `NaN`
* as equal to itself unlike `===`.
*
* @param value1 The first value.
* @param value2 The second value.
*
* @returns Whether the values are equal.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isSameValueZero(value1, value2) {
	return value1 === value2 || Number.isNaN(value1) && Number.isNaN(value2);
}

//#endregion
//#region src/utils/_isValidObjectKey/_isValidObjectKey.ts
/**
* Disallows inherited object properties and prevents object prototype
* pollution by disallowing certain keys.
*
* @param object The object to check.
* @param key The key to check.
*
* @returns Whether the key is allowed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValidObjectKey(object$1, key) {
	return Object.prototype.hasOwnProperty.call(object$1, key) && key !== "__proto__" && key !== "prototype" && key !== "constructor";
}

//#endregion
//#region src/utils/_isValueMatch/_isValueMatch.ts
/**
* Checks whether a value matches a value action requirement.
*
* @param requirement The value action requirement.
* @param value The value to check.
*
* @returns Whether the value matches the requirement.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isValueMatch(requirement, value$1) {
	return Number.isNaN(requirement) && Number.isNaN(value$1) || requirement <= value$1 && requirement >= value$1;
}

//#endregion
//#region src/utils/_joinExpects/_joinExpects.ts
/**
* Joins multiple `expects` values with the given separator.
*
* @param values The `expects` values.
* @param separator The separator.
*
* @returns The joined `expects` property.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _joinExpects(values$1, separator) {
	const list = [...new Set(values$1)];
	if (list.length > 1) return `(${list.join(` ${separator} `)})`;
	return list[0] ?? "never";
}

//#endregion
//#region src/utils/_standardSchema/_standardSchema.ts
/**
* Eagerly creates and attaches the Standard Schema properties of a schema.
*
* Hint: The contextual `this` type includes the standard properties that are
* attached before the schema is returned.
*
* @param schema The schema to attach standard properties to.
*
* @returns The schema with standard properties attached.
*
* @internal
*/
function _standardSchema(schema) {
	schema["~standard"] = {
		version: 1,
		vendor: "valibot",
		validate: (value$1) => schema["~run"]({ value: value$1 }, /* @__PURE__ */ getGlobalConfig())
	};
	return schema;
}

//#endregion
//#region src/utils/entriesFromList/entriesFromList.ts
/**
* Creates an object entries definition from a list of keys and a schema.
*
* @param list A list of keys.
* @param schema The schema of the keys.
*
* @returns The object entries.
*/
/* @__NO_SIDE_EFFECTS__ */
function entriesFromList(list, schema) {
	const entries$1 = {};
	for (const key of list) entries$1[key] = schema;
	return entries$1;
}

//#endregion
//#region src/utils/entriesFromObjects/entriesFromObjects.ts
/* @__NO_SIDE_EFFECTS__ */
function entriesFromObjects(schemas) {
	const entries$1 = {};
	for (const schema of schemas) Object.assign(entries$1, schema.entries);
	return entries$1;
}

//#endregion
//#region src/utils/getDotPath/getDotPath.ts
/* @__NO_SIDE_EFFECTS__ */
function getDotPath(issue) {
	if (issue.path) {
		let key = "";
		for (const item of issue.path) if (typeof item.key === "string" || typeof item.key === "number") if (key) key += `.${item.key}`;
		else key += item.key;
		else return null;
		return key;
	}
	return null;
}

//#endregion
//#region src/utils/isOfKind/isOfKind.ts
/**
* A generic type guard to check the kind of an object.
*
* @param kind The kind to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfKind(kind, object$1) {
	return object$1.kind === kind;
}

//#endregion
//#region src/utils/isOfType/isOfType.ts
/**
* A generic type guard to check the type of an object.
*
* @param type The type to check for.
* @param object The object to check.
*
* @returns Whether it matches.
*/
/* @__NO_SIDE_EFFECTS__ */
function isOfType(type, object$1) {
	return object$1.type === type;
}

//#endregion
//#region src/utils/ValiError/ValiError.ts
/**
* A Valibot error with useful information.
*/
var ValiError = class extends Error {
	/**
	* Creates a Valibot error with useful information.
	*
	* @param issues The error issues.
	*/
	constructor(issues) {
		super(issues[0].message);
		this.name = "ValiError";
		this.issues = issues;
	}
};

//#endregion
//#region src/utils/isValiError/isValiError.ts
/**
* A type guard to check if an error is a ValiError.
*
* @param error The error to check.
*
* @returns Whether its a ValiError.
*/
/* @__NO_SIDE_EFFECTS__ */
function isValiError(error) {
	return error instanceof ValiError;
}

//#endregion
//#region src/actions/args/args.ts
/* @__NO_SIDE_EFFECTS__ */
function args(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: args,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const argsDataset = this.schema["~run"]({ value: args_ }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/args/argsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function argsAsync(schema) {
	return {
		kind: "transformation",
		type: "args",
		reference: argsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args$1) => {
				const argsDataset = await schema["~run"]({ value: args$1 }, config$1);
				if (argsDataset.issues) throw new ValiError(argsDataset.issues);
				return func(...argsDataset.value);
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/await/awaitAsync.ts
/**
* Creates an await transformation action.
*
* @returns An await action.
*/
/* @__NO_SIDE_EFFECTS__ */
function awaitAsync() {
	return {
		kind: "transformation",
		type: "await",
		reference: awaitAsync,
		async: true,
		async "~run"(dataset) {
			dataset.value = await dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/regex.ts
/**
* [Base64](https://en.wikipedia.org/wiki/Base64) regex.
*/
const BASE64_REGEX = /^(?:[\da-z+/]{4})*(?:[\da-z+/]{2}==|[\da-z+/]{3}=)?$/iu;
/**
* [BIC](https://en.wikipedia.org/wiki/ISO_9362) regex.
*/
const BIC_REGEX = /^[A-Z]{6}(?!00)[\dA-Z]{2}(?:[\dA-Z]{3})?$/u;
/**
* [Cuid2](https://github.com/paralleldrive/cuid2) regex.
*/
const CUID2_REGEX = /^[a-z][\da-z]*$/u;
/**
* [Decimal](https://en.wikipedia.org/wiki/Decimal) regex.
*/
const DECIMAL_REGEX = /^[+-]?(?:\d*\.)?\d+$/u;
/**
* [Digits](https://en.wikipedia.org/wiki/Numerical_digit) regex.
*/
const DIGITS_REGEX = /^\d+$/u;
/**
* [Domain name](https://en.wikipedia.org/wiki/Domain_name) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* ASCII-only validation. Internationalized domain names (IDNs) are not
* supported, including Punycode-encoded labels.
*/
const DOMAIN_REGEX = /^(?=.{1,253}$)(?:(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/u;
/**
* [Email address](https://en.wikipedia.org/wiki/Email_address) regex.
*
* Hint: We decided against the `i` flag to avoid matching non-ASCII characters.
*/
const EMAIL_REGEX = /^[\w+-]+(?:\.[\w+-]+)*@[\da-zA-Z]+(?:[.-][\da-zA-Z]+)*\.[a-zA-Z]{2,}$/u;
/**
* Emoji regex from [emoji-regex-xs](https://github.com/slevithan/emoji-regex-xs) v1.0.0 (MIT license).
*
* Hint: We decided against the newer `/^\p{RGI_Emoji}+$/v` regex because it is
* not supported in older runtimes and does not match all emoji.
*/
const EMOJI_REGEX = /^(?:[\u{1F1E6}-\u{1F1FF}]{2}|\u{1F3F4}[\u{E0061}-\u{E007A}]{2}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{1,3}\u{E007F}|(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation})(?:\u200D(?:\p{Emoji}\uFE0F\u20E3?|\p{Emoji_Modifier_Base}\p{Emoji_Modifier}?|(?![\p{Emoji_Modifier_Base}\u{1F1E6}-\u{1F1FF}])\p{Emoji_Presentation}))*)+$/u;
/**
* [Hexadecimal](https://en.wikipedia.org/wiki/Hexadecimal) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEXADECIMAL_REGEX = /^(?:0[hx])?[\da-fA-F]+$/u;
/**
* [Hex color](https://en.wikipedia.org/wiki/Web_colors#Hex_triplet) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const HEX_COLOR_REGEX = /^#(?:[\da-fA-F]{3,4}|[\da-fA-F]{6}|[\da-fA-F]{8})$/u;
/**
* [IMEI](https://en.wikipedia.org/wiki/International_Mobile_Equipment_Identity) regex.
*/
const IMEI_REGEX = /^\d{15}$|^\d{2}-\d{6}-\d{6}-\d$/u;
/**
* [IPv4](https://en.wikipedia.org/wiki/IPv4) regex.
*/
const IPV4_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$/u;
/**
* [IPv6](https://en.wikipedia.org/wiki/IPv6) regex.
*/
const IPV6_REGEX = /^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [IP](https://en.wikipedia.org/wiki/IP_address) regex.
*/
const IP_REGEX = /^(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])(?:\.(?:(?:[1-9]|1\d|2[0-4])?\d|25[0-5])){3}$|^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?:(?::[\da-f]{1,4}){1,7}|:)|fe80:(?::[\da-f]{0,4}){0,4}%[\da-z]+|::(?:f{4}(?::0{1,4})?:)?(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d)|(?:[\da-f]{1,4}:){1,4}:(?:(?:25[0-5]|(?:2[0-4]|1?\d)?\d)\.){3}(?:25[0-5]|(?:2[0-4]|1?\d)?\d))$/iu;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date regex.
*/
const ISO_DATE_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time regex.
*/
const ISO_DATE_TIME_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) date-time with seconds regex.
*/
const ISO_DATE_TIME_SECOND_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time regex.
*/
const ISO_TIME_REGEX = /^(?:0\d|1\d|2[0-3]):[0-5]\d$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) time with seconds regex.
*/
const ISO_TIME_SECOND_REGEX = /^(?:0\d|1\d|2[0-3])(?::[0-5]\d){2}$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) timestamp regex. Allows a
* space as a date/time separator and an optional space before the UTC offset.
*/
const ISO_TIMESTAMP_REGEX = /^\d{4}-(?:0[1-9]|1[0-2])-(?:[12]\d|0[1-9]|3[01])[T ](?:0\d|1\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?(?:Z| ?[+-](?:0\d|1\d|2[0-3])(?::?[0-5]\d)?)$/u;
/**
* [ISO 8601](https://en.wikipedia.org/wiki/ISO_8601) week regex.
*/
const ISO_WEEK_REGEX = /^\d{4}-W(?:0[1-9]|[1-4]\d|5[0-3])$/u;
/**
* [JWS compact serialization](https://datatracker.ietf.org/doc/html/rfc7515#section-3.1)
* regex.
*
* Hint: Empty payload and signature segments are allowed because the
* Base64URL-encoded representation of an empty octet sequence is an empty
* string.
*/
const JWS_COMPACT_REGEX = /^(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?\.(?:[\w-]{2,3}|(?:[\w-]{4})+(?:[\w-]{2,3})?)?$/u;
/**
* [ISRC](https://en.wikipedia.org/wiki/International_Standard_Recording_Code) regex.
*/
const ISRC_REGEX = /^(?:[A-Z]{2}[A-Z\d]{3}\d{7}|[A-Z]{2}-[A-Z\d]{3}-\d{2}-\d{5})$/u;
/**
* [KSUID](https://github.com/segmentio/ksuid) regex.
*/
const KSUID_REGEX = /^[a-zA-Z0-9]{27}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 48 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC48_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) 64 bit regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC64_REGEX = /^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [MAC](https://en.wikipedia.org/wiki/MAC_address) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
*/
const MAC_REGEX = /^(?:[\da-fA-F]{2}:){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){5}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){2}[\da-fA-F]{4}$|^(?:[\da-fA-F]{2}:){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{2}-){7}[\da-fA-F]{2}$|^(?:[\da-fA-F]{4}\.){3}[\da-fA-F]{4}$|^(?:[\da-fA-F]{4}:){3}[\da-fA-F]{4}$/u;
/**
* [Nano ID](https://github.com/ai/nanoid) regex.
*/
const NANO_ID_REGEX = /^[\w-]+$/u;
/**
* [Octal](https://en.wikipedia.org/wiki/Octal) regex.
*/
const OCTAL_REGEX = /^(?:0o)?[0-7]+$/u;
/**
* [RFC 5322 email address](https://datatracker.ietf.org/doc/html/rfc5322#section-3.4.1) regex.
*
* Hint: This regex was taken from the [HTML Living Standard Specification](https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address) and does not perfectly represent RFC 5322.
*/
const RFC_EMAIL_REGEX = /^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
/**
* [Slug](https://en.wikipedia.org/wiki/Clean_URL#Slug) regex.
*/
const SLUG_REGEX = /^[\da-z]+(?:[-_][\da-z]+)*$/u;
/**
* [ULID](https://github.com/ulid/spec) regex.
*
* Hint: We decided against the `i` flag for better JSON Schema compatibility.
* Hint: The first character is restricted to `[0-7]` because the 48-bit
* timestamp cannot exceed 2^48-1, making the maximum valid ULID
* `7ZZZZZZZZZZZZZZZZZZZZZZZZZ` in Crockford's Base32 encoding.
*/
const ULID_REGEX = /^[0-7][\da-hjkmnp-tv-zA-HJKMNP-TV-Z]{25}$/u;
/**
* [UUID](https://en.wikipedia.org/wiki/Universally_unique_identifier) regex.
*/
const UUID_REGEX = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/iu;

//#endregion
//#region src/actions/base64/base64.ts
/* @__NO_SIDE_EFFECTS__ */
function base64(message$1) {
	return {
		kind: "validation",
		type: "base64",
		reference: base64,
		async: false,
		expects: null,
		requirement: BASE64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Base64", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bic/bic.ts
/* @__NO_SIDE_EFFECTS__ */
function bic(message$1) {
	return {
		kind: "validation",
		type: "bic",
		reference: bic,
		async: false,
		expects: null,
		requirement: BIC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "BIC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/brand/brand.ts
/**
* Creates a brand transformation action.
*
* @param name The brand name.
*
* @returns A brand action.
*/
/* @__NO_SIDE_EFFECTS__ */
function brand(name) {
	return {
		kind: "transformation",
		type: "brand",
		reference: brand,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/bytes/bytes.ts
/* @__NO_SIDE_EFFECTS__ */
function bytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "bytes",
		reference: bytes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 !== this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/check.ts
/* @__NO_SIDE_EFFECTS__ */
function check(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: check,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/check/checkAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check",
		reference: checkAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItems.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItems(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItems,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) for (let index = 0; index < dataset.value.length; index++) {
				const item = dataset.value[index];
				if (!this.requirement(item, index, dataset.value)) _addIssue(this, "item", dataset, config$1, {
					input: item,
					path: [{
						type: "array",
						origin: "value",
						input: dataset.value,
						key: index,
						value: item
					}]
				});
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/checkItems/checkItemsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function checkItemsAsync(requirement, message$1) {
	return {
		kind: "validation",
		type: "check_items",
		reference: checkItemsAsync,
		async: true,
		expects: null,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.typed) {
				const requirementResults = await Promise.all(dataset.value.map(this.requirement));
				for (let index = 0; index < dataset.value.length; index++) if (!requirementResults[index]) {
					const item = dataset.value[index];
					_addIssue(this, "item", dataset, config$1, {
						input: item,
						path: [{
							type: "array",
							origin: "value",
							input: dataset.value,
							key: index,
							value: item
						}]
					});
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/codePoints/codePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function codePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "code_points",
		reference: codePoints,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/creditCard/creditCard.ts
/**
* Credit card regex.
*/
const CREDIT_CARD_REGEX = /^(?:\d{13,19}|\d{4}(?: \d{3,6}){2,4}|\d{4}(?:-\d{3,6}){2,4})$/u;
/**
* Sanitize regex.
*/
const SANITIZE_REGEX = /[- ]/gu;
/**
* Provider regex list.
*/
const PROVIDER_REGEX_LIST = (/* unused pure expression or super */ null && ([
	/^3[47]\d{13}$/u,
	/^3(?:0[0-5]|[68]\d)\d{11,13}$/u,
	/^6(?:011|5\d{2})\d{12,15}$/u,
	/^(?:2131|1800|35\d{3})\d{11}$/u,
	/^(?:5[1-5]\d{2}|222\d|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$/u,
	/^(?:6[27]\d{14,17}|81\d{14,17})$/u,
	/^4\d{12}(?:\d{3,6})?$/u
]));
/* @__NO_SIDE_EFFECTS__ */
function creditCard(message$1) {
	return {
		kind: "validation",
		type: "credit_card",
		reference: creditCard,
		async: false,
		expects: null,
		requirement(input) {
			let sanitized;
			return CREDIT_CARD_REGEX.test(input) && (sanitized = input.replace(SANITIZE_REGEX, "")) && PROVIDER_REGEX_LIST.some((regex$1) => regex$1.test(sanitized)) && /* @__PURE__ */ _isLuhnAlgo(sanitized);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "credit card", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/cuid2/cuid2.ts
/* @__NO_SIDE_EFFECTS__ */
function cuid2(message$1) {
	return {
		kind: "validation",
		type: "cuid2",
		reference: cuid2,
		async: false,
		expects: null,
		requirement: CUID2_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Cuid2", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/decimal/decimal.ts
/* @__NO_SIDE_EFFECTS__ */
function decimal(message$1) {
	return {
		kind: "validation",
		type: "decimal",
		reference: decimal,
		async: false,
		expects: null,
		requirement: DECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "decimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/description/description.ts
/**
* Creates a description metadata action.
*
* @param description_ The description text.
*
* @returns A description action.
*/
/* @__NO_SIDE_EFFECTS__ */
function description(description_) {
	return {
		kind: "metadata",
		type: "description",
		reference: description,
		description: description_
	};
}

//#endregion
//#region src/actions/digits/digits.ts
/* @__NO_SIDE_EFFECTS__ */
function digits(message$1) {
	return {
		kind: "validation",
		type: "digits",
		reference: digits,
		async: false,
		expects: null,
		requirement: DIGITS_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "digits", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/domain/domain.ts
/* @__NO_SIDE_EFFECTS__ */
function domain(message$1) {
	return {
		kind: "validation",
		type: "domain",
		reference: domain,
		expects: null,
		async: false,
		requirement: DOMAIN_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "domain", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/email/email.ts
/* @__NO_SIDE_EFFECTS__ */
function email(message$1) {
	return {
		kind: "validation",
		type: "email",
		reference: email,
		expects: null,
		async: false,
		requirement: EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/emoji/emoji.ts
/* @__NO_SIDE_EFFECTS__ */
function emoji(message$1) {
	return {
		kind: "validation",
		type: "emoji",
		reference: emoji,
		async: false,
		expects: null,
		requirement: EMOJI_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "emoji", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/empty/empty.ts
/* @__NO_SIDE_EFFECTS__ */
function empty(message$1) {
	return {
		kind: "validation",
		type: "empty",
		reference: empty,
		async: false,
		expects: "0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > 0) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/endsWith/endsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function endsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "ends_with",
		reference: endsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.endsWith(this.requirement)) _addIssue(this, "end", dataset, config$1, { received: `"${dataset.value.slice(-this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/entries/entries.ts
/* @__NO_SIDE_EFFECTS__ */
function entries(requirement, message$1) {
	return {
		kind: "validation",
		type: "entries",
		reference: entries,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count !== this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/everyItem/everyItem.ts
/* @__NO_SIDE_EFFECTS__ */
function everyItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "every_item",
		reference: everyItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.every(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/examples/examples.ts
/**
* Creates an examples metadata action.
*
* @param examples_ The examples.
*
* @returns An examples action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function examples(examples_) {
	return {
		kind: "metadata",
		type: "examples",
		reference: examples,
		examples: examples_
	};
}

//#endregion
//#region src/actions/excludes/excludes.ts
/* @__NO_SIDE_EFFECTS__ */
function excludes(requirement, message$1) {
	const received = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "excludes",
		reference: excludes,
		async: false,
		expects: `!${received}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/filterItems/filterItems.ts
/* @__NO_SIDE_EFFECTS__ */
function filterItems(operation) {
	return {
		kind: "transformation",
		type: "filter_items",
		reference: filterItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.filter(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/findItem/findItem.ts
/* @__NO_SIDE_EFFECTS__ */
function findItem(operation) {
	return {
		kind: "transformation",
		type: "find_item",
		reference: findItem,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.find(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/finite/finite.ts
/* @__NO_SIDE_EFFECTS__ */
function finite(message$1) {
	return {
		kind: "validation",
		type: "finite",
		reference: finite,
		async: false,
		expects: null,
		requirement: Number.isFinite,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "finite", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/flavor/flavor.ts
/**
* Creates a flavor transformation action.
*
* @param name The flavor name.
*
* @returns A flavor action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function flavor(name) {
	return {
		kind: "transformation",
		type: "flavor",
		reference: flavor,
		async: false,
		name,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/graphemes/graphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function graphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "graphemes",
		reference: graphemes,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count !== this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/gtValue/gtValue.ts
/* @__NO_SIDE_EFFECTS__ */
function gtValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "gt_value",
		reference: gtValue,
		async: false,
		expects: `>${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value > this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/guard/guard.ts
/* @__NO_SIDE_EFFECTS__ */
function guard(requirement, message$1) {
	return {
		kind: "transformation",
		type: "guard",
		reference: guard,
		async: false,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) {
				_addIssue(this, "input", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hash/hash.ts
/**
* Hash lengths object.
*/
const HASH_LENGTHS = {
	md4: 32,
	md5: 32,
	sha1: 40,
	sha256: 64,
	sha384: 96,
	sha512: 128,
	ripemd128: 32,
	ripemd160: 40,
	tiger128: 32,
	tiger160: 40,
	tiger192: 48,
	crc32: 8,
	crc32b: 8,
	adler32: 8
};
/* @__NO_SIDE_EFFECTS__ */
function hash(types, message$1) {
	return {
		kind: "validation",
		type: "hash",
		reference: hash,
		expects: null,
		async: false,
		requirement: RegExp(types.map((type) => `^[a-fA-F0-9]{${HASH_LENGTHS[type]}}$`).join("|"), "u"),
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hash", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexadecimal/hexadecimal.ts
/* @__NO_SIDE_EFFECTS__ */
function hexadecimal(message$1) {
	return {
		kind: "validation",
		type: "hexadecimal",
		reference: hexadecimal,
		async: false,
		expects: null,
		requirement: HEXADECIMAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hexadecimal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/hexColor/hexColor.ts
/* @__NO_SIDE_EFFECTS__ */
function hexColor(message$1) {
	return {
		kind: "validation",
		type: "hex_color",
		reference: hexColor,
		async: false,
		expects: null,
		requirement: HEX_COLOR_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "hex color", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/imei/imei.ts
/* @__NO_SIDE_EFFECTS__ */
function imei(message$1) {
	return {
		kind: "validation",
		type: "imei",
		reference: imei,
		async: false,
		expects: null,
		requirement(input) {
			return IMEI_REGEX.test(input) && /* @__PURE__ */ _isLuhnAlgo(input);
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "IMEI", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/includes/includes.ts
/* @__NO_SIDE_EFFECTS__ */
function includes(requirement, message$1) {
	const expects = /* @__PURE__ */ _stringify(requirement);
	return {
		kind: "validation",
		type: "includes",
		reference: includes,
		async: false,
		expects,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.includes(this.requirement)) _addIssue(this, "content", dataset, config$1, { received: `!${expects}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/integer/integer.ts
/* @__NO_SIDE_EFFECTS__ */
function integer(message$1) {
	return {
		kind: "validation",
		type: "integer",
		reference: integer,
		async: false,
		expects: null,
		requirement: Number.isInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ip/ip.ts
/* @__NO_SIDE_EFFECTS__ */
function ip(message$1) {
	return {
		kind: "validation",
		type: "ip",
		reference: ip,
		async: false,
		expects: null,
		requirement: IP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IP", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv4/ipv4.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv4(message$1) {
	return {
		kind: "validation",
		type: "ipv4",
		reference: ipv4,
		async: false,
		expects: null,
		requirement: IPV4_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv4", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ipv6/ipv6.ts
/* @__NO_SIDE_EFFECTS__ */
function ipv6(message$1) {
	return {
		kind: "validation",
		type: "ipv6",
		reference: ipv6,
		async: false,
		expects: null,
		requirement: IPV6_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "IPv6", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn10.ts
/**
* [Validates an ISBN-10](https://en.wikipedia.org/wiki/ISBN#ISBN-10_check_digits).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-10, `false` otherwise.
*
* @internal
*/
function _isIsbn10(input) {
	const digits$1 = input.split("").map((c) => c === "X" ? 10 : parseInt(c));
	let sum = 0;
	for (let i = 0; i < 10; i++) sum += digits$1[i] * (10 - i);
	return sum % 11 === 0;
}

//#endregion
//#region src/actions/isbn/utils/_isIsbn13.ts
/**
* [Validates an ISBN-13](https://en.wikipedia.org/wiki/ISBN#ISBN-13_check_digit_calculation).
*
* @param input The input value.
*
* @returns `true` if the input is a valid ISBN-13, `false` otherwise.
*
* @internal
*/
function _isIsbn13(input) {
	const digits$1 = input.split("").map((c) => parseInt(c));
	let sum = 0;
	for (let i = 0; i < 13; i++) sum += digits$1[i] * (i % 2 === 0 ? 1 : 3);
	return sum % 10 === 0;
}

//#endregion
//#region src/actions/isbn/isbn.ts
/**
* ISBN separator regex.
*/
const ISBN_SEPARATOR_REGEX = /[- ]/gu;
/**
* ISBN-10 detection regex.
*/
const ISBN_10_DETECTION_REGEX = /^\d{9}[\dX]$/u;
/**
* ISBN-13 detection regex.
*/
const ISBN_13_DETECTION_REGEX = /^\d{13}$/u;
/* @__NO_SIDE_EFFECTS__ */
function isbn(message$1) {
	return {
		kind: "validation",
		type: "isbn",
		reference: isbn,
		async: false,
		expects: null,
		requirement(input) {
			const replacedInput = input.replace(ISBN_SEPARATOR_REGEX, "");
			if (ISBN_10_DETECTION_REGEX.test(replacedInput)) return _isIsbn10(replacedInput);
			else if (ISBN_13_DETECTION_REGEX.test(replacedInput)) return _isIsbn13(replacedInput);
			return false;
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "ISBN", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isrc/isrc.ts
/* @__NO_SIDE_EFFECTS__ */
function isrc(message$1) {
	return {
		kind: "validation",
		type: "isrc",
		reference: isrc,
		async: false,
		expects: null,
		requirement: ISRC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ISRC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDate/isoDate.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDate(message$1) {
	return {
		kind: "validation",
		type: "iso_date",
		reference: isoDate,
		async: false,
		expects: null,
		requirement: ISO_DATE_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTime/isoDateTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTime(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time",
		reference: isoDateTime,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoDateTimeSecond/isoDateTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoDateTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_date_time_second",
		reference: isoDateTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_DATE_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "date-time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTime/isoTime.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTime(message$1) {
	return {
		kind: "validation",
		type: "iso_time",
		reference: isoTime,
		async: false,
		expects: null,
		requirement: ISO_TIME_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimeSecond/isoTimeSecond.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimeSecond(message$1) {
	return {
		kind: "validation",
		type: "iso_time_second",
		reference: isoTimeSecond,
		async: false,
		expects: null,
		requirement: ISO_TIME_SECOND_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "time-second", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoTimestamp/isoTimestamp.ts
/* @__NO_SIDE_EFFECTS__ */
function isoTimestamp(message$1) {
	return {
		kind: "validation",
		type: "iso_timestamp",
		reference: isoTimestamp,
		async: false,
		expects: null,
		requirement: ISO_TIMESTAMP_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "timestamp", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/isoWeek/isoWeek.ts
/* @__NO_SIDE_EFFECTS__ */
function isoWeek(message$1) {
	return {
		kind: "validation",
		type: "iso_week",
		reference: isoWeek,
		async: false,
		expects: null,
		requirement: ISO_WEEK_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "week", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/jwsCompact/jwsCompact.ts
/* @__NO_SIDE_EFFECTS__ */
function jwsCompact(message$1) {
	return {
		kind: "validation",
		type: "jws_compact",
		reference: jwsCompact,
		async: false,
		expects: null,
		requirement: JWS_COMPACT_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "JWS compact", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ksuid/ksuid.ts
/* @__NO_SIDE_EFFECTS__ */
function ksuid(message$1) {
	return {
		kind: "validation",
		type: "ksuid",
		reference: ksuid,
		async: false,
		expects: null,
		requirement: KSUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "KSUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/length/length.ts
/* @__NO_SIDE_EFFECTS__ */
function length(requirement, message$1) {
	return {
		kind: "validation",
		type: "length",
		reference: length,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length !== this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ltValue/ltValue.ts
/* @__NO_SIDE_EFFECTS__ */
function ltValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "lt_value",
		reference: ltValue,
		async: false,
		expects: `<${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value < this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac/mac.ts
/* @__NO_SIDE_EFFECTS__ */
function mac(message$1) {
	return {
		kind: "validation",
		type: "mac",
		reference: mac,
		async: false,
		expects: null,
		requirement: MAC_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac48/mac48.ts
/* @__NO_SIDE_EFFECTS__ */
function mac48(message$1) {
	return {
		kind: "validation",
		type: "mac48",
		reference: mac48,
		async: false,
		expects: null,
		requirement: MAC48_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "48-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mac64/mac64.ts
/* @__NO_SIDE_EFFECTS__ */
function mac64(message$1) {
	return {
		kind: "validation",
		type: "mac64",
		reference: mac64,
		async: false,
		expects: null,
		requirement: MAC64_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "64-bit MAC", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/mapItems/mapItems.ts
/* @__NO_SIDE_EFFECTS__ */
function mapItems(operation) {
	return {
		kind: "transformation",
		type: "map_items",
		reference: mapItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.map(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxBytes/maxBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_bytes",
		reference: maxBytes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 > this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxCodePoints/maxCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function maxCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_code_points",
		reference: maxCodePoints,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxEntries/maxEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function maxEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_entries",
		reference: maxEntries,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count > this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxGraphemes/maxGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function maxGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_graphemes",
		reference: maxGraphemes,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count > this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxLength/maxLength.ts
/* @__NO_SIDE_EFFECTS__ */
function maxLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_length",
		reference: maxLength,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length > this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxSize/maxSize.ts
/* @__NO_SIDE_EFFECTS__ */
function maxSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_size",
		reference: maxSize,
		async: false,
		expects: `<=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size > this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxValue/maxValue.ts
/* @__NO_SIDE_EFFECTS__ */
function maxValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "max_value",
		reference: maxValue,
		async: false,
		expects: `<=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value <= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/maxWords/maxWords.ts
/* @__NO_SIDE_EFFECTS__ */
function maxWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "max_words",
		reference: maxWords,
		async: false,
		expects: `<=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count > this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/metadata/metadata.ts
/**
* Creates a custom metadata action.
*
* @param metadata_ The metadata object.
*
* @returns A metadata action.
*/
/* @__NO_SIDE_EFFECTS__ */
function metadata(metadata_) {
	return {
		kind: "metadata",
		type: "metadata",
		reference: metadata,
		metadata: metadata_
	};
}

//#endregion
//#region src/actions/mimeType/mimeType.ts
/* @__NO_SIDE_EFFECTS__ */
function mimeType(requirement, message$1) {
	return {
		kind: "validation",
		type: "mime_type",
		reference: mimeType,
		async: false,
		expects: /* @__PURE__ */ _joinExpects(requirement.map((option) => `"${option}"`), "|"),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.includes(dataset.value.type)) _addIssue(this, "MIME type", dataset, config$1, { received: `"${dataset.value.type}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minBytes/minBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function minBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_bytes",
		reference: minBytes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 < this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minCodePoints/minCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function minCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_code_points",
		reference: minCodePoints,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minEntries/minEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function minEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_entries",
		reference: minEntries,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count < this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minGraphemes/minGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function minGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_graphemes",
		reference: minGraphemes,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count < this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minLength/minLength.ts
/* @__NO_SIDE_EFFECTS__ */
function minLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_length",
		reference: minLength,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length < this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minSize/minSize.ts
/* @__NO_SIDE_EFFECTS__ */
function minSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_size",
		reference: minSize,
		async: false,
		expects: `>=${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size < this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minValue/minValue.ts
/* @__NO_SIDE_EFFECTS__ */
function minValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "min_value",
		reference: minValue,
		async: false,
		expects: `>=${requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !(dataset.value >= this.requirement)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/minWords/minWords.ts
/* @__NO_SIDE_EFFECTS__ */
function minWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "min_words",
		reference: minWords,
		async: false,
		expects: `>=${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count < this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/multipleOf/multipleOf.ts
/* @__NO_SIDE_EFFECTS__ */
function multipleOf(requirement, message$1) {
	return {
		kind: "validation",
		type: "multiple_of",
		reference: multipleOf,
		async: false,
		expects: `%${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value % this.requirement != 0) _addIssue(this, "multiple", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nanoid/nanoid.ts
/* @__NO_SIDE_EFFECTS__ */
function nanoid(message$1) {
	return {
		kind: "validation",
		type: "nanoid",
		reference: nanoid,
		async: false,
		expects: null,
		requirement: NANO_ID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "Nano ID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/nonEmpty/nonEmpty.ts
/* @__NO_SIDE_EFFECTS__ */
function nonEmpty(message$1) {
	return {
		kind: "validation",
		type: "non_empty",
		reference: nonEmpty,
		async: false,
		expects: "!0",
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === 0) _addIssue(this, "length", dataset, config$1, { received: "0" });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/normalize/normalize.ts
/* @__NO_SIDE_EFFECTS__ */
function normalize(form) {
	return {
		kind: "transformation",
		type: "normalize",
		reference: normalize,
		async: false,
		form,
		"~run"(dataset) {
			dataset.value = dataset.value.normalize(this.form);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notBytes/notBytes.ts
/* @__NO_SIDE_EFFECTS__ */
function notBytes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_bytes",
		reference: notBytes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const length$1 = /* @__PURE__ */ _getByteCount(dataset.value);
				if (length$1 === this.requirement) _addIssue(this, "bytes", dataset, config$1, { received: `${length$1}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notCodePoints/notCodePoints.ts
/* @__NO_SIDE_EFFECTS__ */
function notCodePoints(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_code_points",
		reference: notCodePoints,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getCodePointCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "code points", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notEntries/notEntries.ts
/* @__NO_SIDE_EFFECTS__ */
function notEntries(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_entries",
		reference: notEntries,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!dataset.typed) return dataset;
			const count = Object.keys(dataset.value).length;
			if (dataset.typed && count === this.requirement) _addIssue(this, "entries", dataset, config$1, { received: `${count}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notGraphemes/notGraphemes.ts
/* @__NO_SIDE_EFFECTS__ */
function notGraphemes(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_graphemes",
		reference: notGraphemes,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getGraphemeCount(dataset.value);
				if (count === this.requirement) _addIssue(this, "graphemes", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notLength/notLength.ts
/* @__NO_SIDE_EFFECTS__ */
function notLength(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_length",
		reference: notLength,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.length === this.requirement) _addIssue(this, "length", dataset, config$1, { received: `${dataset.value.length}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notSize/notSize.ts
/* @__NO_SIDE_EFFECTS__ */
function notSize(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_size",
		reference: notSize,
		async: false,
		expects: `!${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size === this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValue/notValue.ts
/* @__NO_SIDE_EFFECTS__ */
function notValue(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_value",
		reference: notValue,
		async: false,
		expects: requirement instanceof Date ? `!${requirement.toJSON()}` : `!${/* @__PURE__ */ _stringify(requirement)}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && /* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notValues/notValues.ts
/* @__NO_SIDE_EFFECTS__ */
function notValues(requirement, message$1) {
	return {
		kind: "validation",
		type: "not_values",
		reference: notValues,
		async: false,
		expects: `!${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/notWords/notWords.ts
/* @__NO_SIDE_EFFECTS__ */
function notWords(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "not_words",
		reference: notWords,
		async: false,
		expects: `!${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count === this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/octal/octal.ts
/* @__NO_SIDE_EFFECTS__ */
function octal(message$1) {
	return {
		kind: "validation",
		type: "octal",
		reference: octal,
		async: false,
		expects: null,
		requirement: OCTAL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "octal", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseBoolean/parseBoolean.ts
const TRUTHY = (/* unused pure expression or super */ null && ([
	true,
	1,
	"true",
	"1",
	"yes",
	"y",
	"on",
	"enabled"
]));
const FALSY = (/* unused pure expression or super */ null && ([
	false,
	0,
	"false",
	"0",
	"no",
	"n",
	"off",
	"disabled"
]));
/* @__NO_SIDE_EFFECTS__ */
function parseBoolean(config$1, message$1) {
	const normalize$1 = (v) => typeof v === "string" ? v.toLowerCase() : v;
	const truthyRaw = config$1?.truthy ?? TRUTHY;
	const falsyRaw = config$1?.falsy ?? FALSY;
	const truthy = config$1?.truthy ? config$1.truthy.map(normalize$1) : TRUTHY;
	const falsy = config$1?.falsy ? config$1.falsy.map(normalize$1) : FALSY;
	return {
		kind: "transformation",
		type: "parse_boolean",
		reference: parseBoolean,
		expects: /* @__PURE__ */ _joinExpects([...truthyRaw, ...falsyRaw].map(_stringify), "|"),
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			const input = normalize$1(dataset.value);
			if (truthy.includes(input)) dataset.value = true;
			else if (falsy.includes(input)) dataset.value = false;
			else {
				_addIssue(this, "boolean", dataset, config$2);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/parseJson/parseJson.ts
/* @__NO_SIDE_EFFECTS__ */
function parseJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "parse_json",
		reference: parseJson,
		config: config$1,
		message: message$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				dataset.value = JSON.parse(dataset.value, this.config?.reviver);
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/utils/_isPartiallyTyped/_isPartiallyTyped.ts
/**
* Checks if a dataset is partially typed.
*
* @param dataset The dataset to check.
* @param paths The paths to check.
*
* @returns Whether it is partially typed.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _isPartiallyTyped(dataset, paths) {
	if (dataset.issues) for (const path of paths) for (const issue of dataset.issues) {
		let typed = false;
		const bound = Math.min(path.length, issue.path?.length ?? 0);
		for (let index = 0; index < bound; index++) if (path[index] !== issue.path[index].key && (path[index] !== "$" || issue.path[index].type !== "array")) {
			typed = true;
			break;
		}
		if (!typed) return false;
	}
	return true;
}

//#endregion
//#region src/actions/partialCheck/partialCheck.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheck(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheck,
		async: false,
		expects: null,
		paths,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/partialCheck/partialCheckAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialCheckAsync(paths, requirement, message$1) {
	return {
		kind: "validation",
		type: "partial_check",
		reference: partialCheckAsync,
		async: true,
		expects: null,
		paths,
		requirement,
		message: message$1,
		async "~run"(dataset, config$1) {
			if ((dataset.typed || /* @__PURE__ */ _isPartiallyTyped(dataset, paths)) && !await this.requirement(dataset.value)) _addIssue(this, "input", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheck.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheck(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheck,
		async: false,
		expects: null,
		"~run"(dataset, config$1) {
			action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawCheck/rawCheckAsync.ts
/**
* Creates a raw check validation action.
*
* @param action The validation action.
*
* @returns A raw check action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawCheckAsync(action) {
	return {
		kind: "validation",
		type: "raw_check",
		reference: rawCheckAsync,
		async: true,
		expects: null,
		async "~run"(dataset, config$1) {
			await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info)
			});
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransform.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransform(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransform,
		async: false,
		"~run"(dataset, config$1) {
			const output = action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rawTransform/rawTransformAsync.ts
/**
* Creates a raw transformation action.
*
* @param action The transformation action.
*
* @returns A raw transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function rawTransformAsync(action) {
	return {
		kind: "transformation",
		type: "raw_transform",
		reference: rawTransformAsync,
		async: true,
		async "~run"(dataset, config$1) {
			const output = await action({
				dataset,
				config: config$1,
				addIssue: (info) => _addIssue(this, info?.label ?? "input", dataset, config$1, info),
				NEVER: null
			});
			if (dataset.issues) dataset.typed = false;
			else dataset.value = output;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/readonly/readonly.ts
/* @__NO_SIDE_EFFECTS__ */
function readonly() {
	return {
		kind: "transformation",
		type: "readonly",
		reference: readonly,
		async: false,
		"~run"(dataset) {
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/reduceItems/reduceItems.ts
/* @__NO_SIDE_EFFECTS__ */
function reduceItems(operation, initial) {
	return {
		kind: "transformation",
		type: "reduce_items",
		reference: reduceItems,
		async: false,
		operation,
		initial,
		"~run"(dataset) {
			dataset.value = dataset.value.reduce(this.operation, this.initial);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/regex/regex.ts
/* @__NO_SIDE_EFFECTS__ */
function regex(requirement, message$1) {
	return {
		kind: "validation",
		type: "regex",
		reference: regex,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "format", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returns.ts
/* @__NO_SIDE_EFFECTS__ */
function returns(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returns,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = (...args_) => {
				const returnsDataset = this.schema["~run"]({ value: func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/returns/returnsAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function returnsAsync(schema) {
	return {
		kind: "transformation",
		type: "returns",
		reference: returnsAsync,
		async: false,
		schema,
		"~run"(dataset, config$1) {
			const func = dataset.value;
			dataset.value = async (...args_) => {
				const returnsDataset = await this.schema["~run"]({ value: await func(...args_) }, config$1);
				if (returnsDataset.issues) throw new ValiError(returnsDataset.issues);
				return returnsDataset.value;
			};
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/rfcEmail/rfcEmail.ts
/* @__NO_SIDE_EFFECTS__ */
function rfcEmail(message$1) {
	return {
		kind: "validation",
		type: "rfc_email",
		reference: rfcEmail,
		expects: null,
		async: false,
		requirement: RFC_EMAIL_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "email", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/safeInteger/safeInteger.ts
/* @__NO_SIDE_EFFECTS__ */
function safeInteger(message$1) {
	return {
		kind: "validation",
		type: "safe_integer",
		reference: safeInteger,
		async: false,
		expects: null,
		requirement: Number.isSafeInteger,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "safe integer", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/size/size.ts
/* @__NO_SIDE_EFFECTS__ */
function size(requirement, message$1) {
	return {
		kind: "validation",
		type: "size",
		reference: size,
		async: false,
		expects: `${requirement}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && dataset.value.size !== this.requirement) _addIssue(this, "size", dataset, config$1, { received: `${dataset.value.size}` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/slug/slug.ts
/* @__NO_SIDE_EFFECTS__ */
function slug(message$1) {
	return {
		kind: "validation",
		type: "slug",
		reference: slug,
		async: false,
		expects: null,
		requirement: SLUG_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "slug", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/someItem/someItem.ts
/* @__NO_SIDE_EFFECTS__ */
function someItem(requirement, message$1) {
	return {
		kind: "validation",
		type: "some_item",
		reference: someItem,
		async: false,
		expects: null,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.some(this.requirement)) _addIssue(this, "item", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/sortItems/sortItems.ts
/* @__NO_SIDE_EFFECTS__ */
function sortItems(operation) {
	return {
		kind: "transformation",
		type: "sort_items",
		reference: sortItems,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = dataset.value.sort(this.operation);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/startsWith/startsWith.ts
/* @__NO_SIDE_EFFECTS__ */
function startsWith(requirement, message$1) {
	return {
		kind: "validation",
		type: "starts_with",
		reference: startsWith,
		async: false,
		expects: `"${requirement}"`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !dataset.value.startsWith(this.requirement)) _addIssue(this, "start", dataset, config$1, { received: `"${dataset.value.slice(0, this.requirement.length)}"` });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/stringifyJson/stringifyJson.ts
/* @__NO_SIDE_EFFECTS__ */
function stringifyJson(config$1, message$1) {
	return {
		kind: "transformation",
		type: "stringify_json",
		reference: stringifyJson,
		message: message$1,
		config: config$1,
		async: false,
		"~run"(dataset, config$2) {
			try {
				const output = JSON.stringify(dataset.value, this.config?.replacer, this.config?.space);
				if (output === void 0) {
					_addIssue(this, "JSON", dataset, config$2);
					dataset.typed = false;
				} else dataset.value = output;
			} catch (error) {
				if (error instanceof Error) {
					_addIssue(this, "JSON", dataset, config$2, { received: `"${error.message}"` });
					dataset.typed = false;
				} else throw error;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/title/title.ts
/**
* Creates a title metadata action.
*
* @param title_ The title text.
*
* @returns A title action.
*/
/* @__NO_SIDE_EFFECTS__ */
function title(title_) {
	return {
		kind: "metadata",
		type: "title",
		reference: title,
		title: title_
	};
}

//#endregion
//#region src/actions/toBigint/toBigint.ts
/* @__NO_SIDE_EFFECTS__ */
function toBigint(message$1) {
	return {
		kind: "transformation",
		type: "to_bigint",
		reference: toBigint,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = BigInt(dataset.value);
			} catch {
				_addIssue(this, "bigint", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toBoolean/toBoolean.ts
/**
* Creates a to boolean transformation action.
*
* @returns A to boolean action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toBoolean() {
	return {
		kind: "transformation",
		type: "to_boolean",
		reference: toBoolean,
		async: false,
		"~run"(dataset) {
			dataset.value = Boolean(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toCamelCase/toCamelCase.ts
/**
* Creates a to camel case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2Name`).
*
* @returns A to camel case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toCamelCase() {
	return {
		kind: "transformation",
		type: "to_camel_case",
		reference: toCamelCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", false, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toDate/toDate.ts
/* @__NO_SIDE_EFFECTS__ */
function toDate(message$1) {
	return {
		kind: "transformation",
		type: "to_date",
		reference: toDate,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = new Date(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "date", dataset, config$1, { received: "\"Invalid Date\"" });
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "date", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toKebabCase/toKebabCase.ts
/**
* Creates a to kebab case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse-url-value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2-name`).
*
* @returns A to kebab case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toKebabCase() {
	return {
		kind: "transformation",
		type: "to_kebab_case",
		reference: toKebabCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "-", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toLowerCase/toLowerCase.ts
/**
* Creates a to lower case transformation action.
*
* @returns A to lower case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toLowerCase() {
	return {
		kind: "transformation",
		type: "to_lower_case",
		reference: toLowerCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toLowerCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMaxValue/toMaxValue.ts
/**
* Creates a to max value transformation action.
*
* @param requirement The maximum value.
*
* @returns A to max value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMaxValue(requirement) {
	return {
		kind: "transformation",
		type: "to_max_value",
		reference: toMaxValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value > this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toMinValue/toMinValue.ts
/**
* Creates a to min value transformation action.
*
* @param requirement The minimum value.
*
* @returns A to min value action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toMinValue(requirement) {
	return {
		kind: "transformation",
		type: "to_min_value",
		reference: toMinValue,
		async: false,
		requirement,
		"~run"(dataset) {
			dataset.value = dataset.value < this.requirement ? this.requirement : dataset.value;
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toNumber/toNumber.ts
/* @__NO_SIDE_EFFECTS__ */
function toNumber(message$1) {
	return {
		kind: "transformation",
		type: "to_number",
		reference: toNumber,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = Number(dataset.value);
				if (isNaN(dataset.value)) {
					_addIssue(this, "number", dataset, config$1);
					dataset.typed = false;
				}
			} catch {
				_addIssue(this, "number", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toPascalCase/toPascalCase.ts
/**
* Creates a to pascal case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `ParseUrlValue`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `Item2Name`).
*
* @returns A to pascal case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toPascalCase() {
	return {
		kind: "transformation",
		type: "to_pascal_case",
		reference: toPascalCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "", true, true);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toSnakeCase/toSnakeCase.ts
/**
* Creates a to snake case transformation action.
*
* Words are separated by `_`, `-` and ASCII whitespace, as well as by case
* and acronym boundaries.
*
* Hint: Acronym runs are normalized to lowercase (e.g. `parseURLValue` →
* `parse_url_value`) and digits stay attached to the preceding token (e.g.
* `item2Name` → `item2_name`).
*
* @returns A to snake case action.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function toSnakeCase() {
	return {
		kind: "transformation",
		type: "to_snake_case",
		reference: toSnakeCase,
		async: false,
		"~run"(dataset) {
			dataset.value = /* @__PURE__ */ _formatCase(dataset.value, "_", false, false);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toString/toString.ts
/* @__NO_SIDE_EFFECTS__ */
function toString(message$1) {
	return {
		kind: "transformation",
		type: "to_string",
		reference: toString,
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			try {
				dataset.value = String(dataset.value);
			} catch {
				_addIssue(this, "string", dataset, config$1);
				dataset.typed = false;
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/toUpperCase/toUpperCase.ts
/**
* Creates a to upper case transformation action.
*
* @returns A to upper case action.
*/
/* @__NO_SIDE_EFFECTS__ */
function toUpperCase() {
	return {
		kind: "transformation",
		type: "to_upper_case",
		reference: toUpperCase,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.toUpperCase();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transform.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transform(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transform,
		async: false,
		operation,
		"~run"(dataset) {
			dataset.value = this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/transform/transformAsync.ts
/**
* Creates a custom transformation action.
*
* @param operation The transformation operation.
*
* @returns A transform action.
*/
/* @__NO_SIDE_EFFECTS__ */
function transformAsync(operation) {
	return {
		kind: "transformation",
		type: "transform",
		reference: transformAsync,
		async: true,
		operation,
		async "~run"(dataset) {
			dataset.value = await this.operation(dataset.value);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trim/trim.ts
/**
* Creates a trim transformation action.
*
* @returns A trim action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trim() {
	return {
		kind: "transformation",
		type: "trim",
		reference: trim,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trim();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimEnd/trimEnd.ts
/**
* Creates a trim end transformation action.
*
* @returns A trim end action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimEnd() {
	return {
		kind: "transformation",
		type: "trim_end",
		reference: trimEnd,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimEnd();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/trimStart/trimStart.ts
/**
* Creates a trim start transformation action.
*
* @returns A trim start action.
*/
/* @__NO_SIDE_EFFECTS__ */
function trimStart() {
	return {
		kind: "transformation",
		type: "trim_start",
		reference: trimStart,
		async: false,
		"~run"(dataset) {
			dataset.value = dataset.value.trimStart();
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/ulid/ulid.ts
/* @__NO_SIDE_EFFECTS__ */
function ulid(message$1) {
	return {
		kind: "validation",
		type: "ulid",
		reference: ulid,
		async: false,
		expects: null,
		requirement: ULID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "ULID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/url/url.ts
/* @__NO_SIDE_EFFECTS__ */
function url(message$1) {
	return {
		kind: "validation",
		type: "url",
		reference: url,
		async: false,
		expects: null,
		requirement(input) {
			try {
				if (URL.canParse) return URL.canParse(input);
				new URL(input);
				return true;
			} catch {
				return false;
			}
		},
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement(dataset.value)) _addIssue(this, "URL", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/uuid/uuid.ts
/* @__NO_SIDE_EFFECTS__ */
function uuid(message$1) {
	return {
		kind: "validation",
		type: "uuid",
		reference: uuid,
		async: false,
		expects: null,
		requirement: UUID_REGEX,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.test(dataset.value)) _addIssue(this, "UUID", dataset, config$1);
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/value/value.ts
/* @__NO_SIDE_EFFECTS__ */
function value(requirement, message$1) {
	return {
		kind: "validation",
		type: "value",
		reference: value,
		async: false,
		expects: requirement instanceof Date ? requirement.toJSON() : /* @__PURE__ */ _stringify(requirement),
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !/* @__PURE__ */ _isValueMatch(this.requirement, dataset.value)) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/values/values.ts
/* @__NO_SIDE_EFFECTS__ */
function values(requirement, message$1) {
	return {
		kind: "validation",
		type: "values",
		reference: values,
		async: false,
		expects: `${/* @__PURE__ */ _joinExpects(requirement.map((value$1) => value$1 instanceof Date ? value$1.toJSON() : /* @__PURE__ */ _stringify(value$1)), "|")}`,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed && !this.requirement.some((requirement$1) => /* @__PURE__ */ _isValueMatch(requirement$1, dataset.value))) _addIssue(this, "value", dataset, config$1, { received: dataset.value instanceof Date ? dataset.value.toJSON() : /* @__PURE__ */ _stringify(dataset.value) });
			return dataset;
		}
	};
}

//#endregion
//#region src/actions/words/words.ts
/* @__NO_SIDE_EFFECTS__ */
function words(locales, requirement, message$1) {
	return {
		kind: "validation",
		type: "words",
		reference: words,
		async: false,
		expects: `${requirement}`,
		locales,
		requirement,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.typed) {
				const count = /* @__PURE__ */ _getWordCount(this.locales, dataset.value);
				if (count !== this.requirement) _addIssue(this, "words", dataset, config$1, { received: `${count}` });
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/const.ts
const ABORT_EARLY_CONFIG = { abortEarly: true };

//#endregion
//#region src/methods/assert/assert.ts
/**
* Checks if the input matches the schema. As this is an assertion function, it
* can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*/
function assert(schema, input) {
	const issues = schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
	if (issues) throw new ValiError(issues);
}

//#endregion
//#region src/methods/cache/_LruCache.ts
/**
* Efficient LRU cache using Map iteration order.
*/
var _LruCache = class {
	constructor(config$1) {
		this.refCount = 0;
		this.maxSize = config$1?.maxSize ?? 1e3;
		this.maxAge = config$1?.maxAge ?? Infinity;
		this.hasMaxAge = isFinite(this.maxAge);
	}
	/**
	* Stringifies an unknown input to a cache key component.
	*
	* @param input The unknown input.
	*
	* @returns A cache key component.
	*/
	stringify(input) {
		const type = typeof input;
		if (type === "string") return `"${input}"`;
		if (type === "number" || type === "boolean") return `${input}`;
		if (type === "bigint") return `${input}n`;
		if (type === "object" || type === "function") {
			if (input) {
				this.refIds ?? (this.refIds = /* @__PURE__ */ new WeakMap());
				let id = this.refIds.get(input);
				if (!id) {
					id = ++this.refCount;
					this.refIds.set(input, id);
				}
				return `#${id}`;
			}
			return "null";
		}
		return type;
	}
	/**
	* Creates a cache key from input and config.
	*
	* @param input The input value.
	* @param config The parse configuration.
	*
	* @returns The cache key.
	*/
	key(input, config$1 = {}) {
		return `${this.stringify(input)}|${this.stringify(config$1.lang)}|${this.stringify(config$1.message)}|${this.stringify(config$1.abortEarly)}|${this.stringify(config$1.abortPipeEarly)}`;
	}
	/**
	* Gets a value from the cache by key.
	*
	* @param key The cache key.
	*
	* @returns The cached value.
	*/
	get(key) {
		if (!this.store) return void 0;
		const entry = this.store.get(key);
		if (!entry) return void 0;
		if (this.hasMaxAge && Date.now() - entry[1] > this.maxAge) {
			this.store.delete(key);
			return;
		}
		this.store.delete(key);
		this.store.set(key, entry);
		return entry[0];
	}
	/**
	* Sets a value in the cache by key.
	*
	* @param key The cache key.
	* @param value The cached value.
	*/
	set(key, value$1) {
		this.store ?? (this.store = /* @__PURE__ */ new Map());
		this.store.delete(key);
		const timestamp = this.hasMaxAge ? Date.now() : 0;
		this.store.set(key, [value$1, timestamp]);
		if (this.store.size > this.maxSize) this.store.delete(this.store.keys().next().value);
	}
	/**
	* Clears all entries from the cache.
	*/
	clear() {
		this.store?.clear();
	}
};

//#endregion
//#region src/methods/cache/cache.ts
/* @__NO_SIDE_EFFECTS__ */
function cache(schema, config$1) {
	return _standardSchema({
		...schema,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		"~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			let outputDataset = this.cache.get(key);
			if (!outputDataset) this.cache.set(key, outputDataset = schema["~run"](dataset, runConfig));
			return /* @__PURE__ */ _cloneDataset(outputDataset);
		}
	});
}

//#endregion
//#region src/methods/cache/cacheAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function cacheAsync(schema, config$1) {
	let activeRuns;
	return _standardSchema({
		...schema,
		async: true,
		cacheConfig: config$1,
		cache: new _LruCache(config$1),
		async "~run"(dataset, runConfig) {
			const key = this.cache.key(dataset.value, runConfig);
			const cached = this.cache.get(key);
			if (cached) return /* @__PURE__ */ _cloneDataset(cached);
			let promise$1 = activeRuns?.get(key);
			if (!promise$1) {
				activeRuns ?? (activeRuns = /* @__PURE__ */ new Map());
				promise$1 = Promise.resolve(schema["~run"](dataset, runConfig));
				activeRuns.set(key, promise$1);
			}
			try {
				const outputDataset = await promise$1;
				this.cache.set(key, outputDataset);
				return /* @__PURE__ */ _cloneDataset(outputDataset);
			} finally {
				activeRuns?.delete(key);
			}
		}
	});
}

//#endregion
//#region src/methods/config/config.ts
/**
* Changes the local configuration of a schema.
*
* @param schema The schema to configure.
* @param config The parse configuration.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function config(schema, config$1) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config_) {
			return schema["~run"](dataset, {
				...config_,
				...config$1
			});
		}
	});
}

//#endregion
//#region src/methods/getFallback/getFallback.ts
/**
* Returns the fallback value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The output dataset if available.
* @param config The config if available.
*
* @returns The fallback value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallback(schema, dataset, config$1) {
	return typeof schema.fallback === "function" ? schema.fallback(dataset, config$1) : schema.fallback;
}

//#endregion
//#region src/methods/fallback/fallback.ts
/**
* Returns a fallback value as output if the input does not match the schema.
*
* @param schema The schema to catch.
* @param fallback The fallback value.
*
* @returns The passed schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function fallback(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		"~run"(dataset, config$1) {
			const outputDataset = schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/fallback/fallbackAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function fallbackAsync(schema, fallback$1) {
	return _standardSchema({
		...schema,
		fallback: fallback$1,
		async: true,
		async "~run"(dataset, config$1) {
			const outputDataset = await schema["~run"](dataset, config$1);
			return outputDataset.issues ? {
				typed: true,
				value: await /* @__PURE__ */ getFallback(this, outputDataset, config$1)
			} : outputDataset;
		}
	});
}

//#endregion
//#region src/methods/flatten/flatten.ts
/* @__NO_SIDE_EFFECTS__ */
function flatten(issues) {
	const flatErrors = {};
	for (const issue of issues) if (issue.path) {
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) {
			if (!flatErrors.nested) flatErrors.nested = {};
			if (Object.prototype.hasOwnProperty.call(flatErrors.nested, dotPath)) flatErrors.nested[dotPath].push(issue.message);
			else flatErrors.nested[dotPath] = [issue.message];
		} else if (flatErrors.other) flatErrors.other.push(issue.message);
		else flatErrors.other = [issue.message];
	} else if (flatErrors.root) flatErrors.root.push(issue.message);
	else flatErrors.root = [issue.message];
	return flatErrors;
}

//#endregion
//#region src/methods/forward/forward.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forward(action, path) {
	return {
		...action,
		"~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/forward/forwardAsync.ts
/**
* Forwards the issues of the passed validation action.
*
* @param action The validation action.
* @param path The path to forward the issues to.
*
* @returns The modified action.
*/
/* @__NO_SIDE_EFFECTS__ */
function forwardAsync(action, path) {
	return {
		...action,
		async: true,
		async "~run"(dataset, config$1) {
			const prevIssues = dataset.issues && [...dataset.issues];
			dataset = await action["~run"](dataset, config$1);
			if (dataset.issues) {
				for (const issue of dataset.issues) if (!prevIssues?.includes(issue)) {
					let pathInput = dataset.value;
					for (const key of path) {
						const pathValue = pathInput[key];
						const pathItem = {
							type: "unknown",
							origin: "value",
							input: pathInput,
							key,
							value: pathValue
						};
						if (issue.path) issue.path.push(pathItem);
						else issue.path = [pathItem];
						if (!pathValue) break;
						pathInput = pathValue;
					}
				}
			}
			return dataset;
		}
	};
}

//#endregion
//#region src/methods/getDefault/getDefault.ts
/**
* Returns the default value of the schema.
*
* @param schema The schema to get it from.
* @param dataset The input dataset if available.
* @param config The config if available.
*
* @returns The default value.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefault(schema, dataset, config$1) {
	return typeof schema.default === "function" ? schema.default(dataset, config$1) : schema.default;
}

//#endregion
//#region src/methods/getDefaults/getDefaults.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getDefaults(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getDefaults(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getDefaults);
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDefaults/getDefaultsAsync.ts
/**
* Returns the default values of the schema.
*
* Hint: The difference to `getDefault` is that for object and tuple schemas
* this function recursively returns the default values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The default values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getDefaultsAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getDefaultsAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getDefaultsAsync));
	return /* @__PURE__ */ getDefault(schema);
}

//#endregion
//#region src/methods/getDescription/getDescription.ts
/**
* Returns the description of the schema.
*
* If multiple descriptions are defined, the last one of the highest level is
* returned. If no description is defined, `undefined` is returned.
*
* @param schema The schema to get the description from.
*
* @returns The description, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getDescription(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "description");
}

//#endregion
//#region src/methods/getExamples/getExamples.ts
/**
* Returns the examples of a schema.
*
* If multiple examples are defined, it concatenates them using depth-first
* search. If no examples are defined, an empty array is returned.
*
* @param schema The schema to get the examples from.
*
* @returns The examples, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getExamples(schema) {
	const examples$1 = [];
	function depthFirstCollect(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstCollect(item);
			else if (item.kind === "metadata" && item.type === "examples") for (const example of item.examples) examples$1.push(example);
		}
	}
	depthFirstCollect(schema);
	return examples$1;
}

//#endregion
//#region src/methods/getFallbacks/getFallbacks.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
function getFallbacks(schema) {
	if ("entries" in schema) {
		const object$1 = {};
		for (const key in schema.entries) object$1[key] = /* @__PURE__ */ getFallbacks(schema.entries[key]);
		return object$1;
	}
	if ("items" in schema) return schema.items.map(getFallbacks);
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getFallbacks/getFallbacksAsync.ts
/**
* Returns the fallback values of the schema.
*
* Hint: The difference to `getFallback` is that for object and tuple schemas
* this function recursively returns the fallback values of the subschemas
* instead of `undefined`.
*
* @param schema The schema to get them from.
*
* @returns The fallback values.
*/
/* @__NO_SIDE_EFFECTS__ */
async function getFallbacksAsync(schema) {
	if ("entries" in schema) return Object.fromEntries(await Promise.all(Object.entries(schema.entries).map(async ([key, value$1]) => [key, await /* @__PURE__ */ getFallbacksAsync(value$1)])));
	if ("items" in schema) return Promise.all(schema.items.map(getFallbacksAsync));
	return /* @__PURE__ */ getFallback(schema);
}

//#endregion
//#region src/methods/getMetadata/getMetadata.ts
/**
* Returns the metadata of a schema.
*
* If multiple metadata are defined, it shallowly merges them using depth-first
* search. If no metadata is defined, an empty object is returned.
*
* @param schema Schema to get the metadata from.
*
* @returns The metadata, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getMetadata(schema) {
	const result = {};
	function depthFirstMerge(schema$1) {
		if ("pipe" in schema$1) {
			for (const item of schema$1.pipe) if (item.kind === "schema" && "pipe" in item) depthFirstMerge(item);
			else if (item.kind === "metadata" && item.type === "metadata") Object.assign(result, item.metadata);
		}
	}
	depthFirstMerge(schema);
	return result;
}

//#endregion
//#region src/methods/getTitle/getTitle.ts
/**
* Returns the title of the schema.
*
* If multiple titles are defined, the last one of the highest level is
* returned. If no title is defined, `undefined` is returned.
*
* @param schema The schema to get the title from.
*
* @returns The title, if any.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function getTitle(schema) {
	return /* @__PURE__ */ _getLastMetadata(schema, "title");
}

//#endregion
//#region src/methods/is/is.ts
/**
* Checks if the input matches the schema. By using a type predicate, this
* function can be used as a type guard.
*
* @param schema The schema to be used.
* @param input The input to be tested.
*
* @returns Whether the input matches the schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function is(schema, input) {
	return !schema["~run"]({ value: input }, ABORT_EARLY_CONFIG).issues;
}

//#endregion
//#region src/schemas/any/any.ts
/**
* Creates an any schema.
*
* Hint: This schema function exists only for completeness and is not
* recommended in practice. Instead, `unknown` should be used to accept
* unknown data.
*
* @returns An any schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function any() {
	return _standardSchema({
		kind: "schema",
		type: "any",
		reference: any,
		expects: "any",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/array.ts
/* @__NO_SIDE_EFFECTS__ */
function array(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: array,
		expects: "Array",
		async: false,
		item,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.item["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/array/arrayAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function arrayAsync(item, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "array",
		reference: arrayAsync,
		expects: "Array",
		async: true,
		item,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(input.map((value$1) => this.item["~run"]({ value: value$1 }, config$1)));
				for (let key = 0; key < itemDatasets.length; key++) {
					const itemDataset = itemDatasets[key];
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: input[key]
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/bigint/bigint.ts
/* @__NO_SIDE_EFFECTS__ */
function bigint(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "bigint",
		reference: bigint,
		expects: "bigint",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "bigint") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/blob/blob.ts
/* @__NO_SIDE_EFFECTS__ */
function blob(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "blob",
		reference: blob,
		expects: "Blob",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Blob) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/boolean/boolean.ts
/* @__NO_SIDE_EFFECTS__ */
function boolean(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "boolean",
		reference: boolean,
		expects: "boolean",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "boolean") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/custom.ts
/* @__NO_SIDE_EFFECTS__ */
function custom(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: custom,
		expects: "unknown",
		async: false,
		check: check$1,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/custom/customAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function customAsync(check$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "custom",
		reference: customAsync,
		expects: "unknown",
		async: true,
		check: check$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (await this.check(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/date/date.ts
/* @__NO_SIDE_EFFECTS__ */
function date(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "date",
		reference: date,
		expects: "Date",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Date) if (!isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1, { received: "\"Invalid Date\"" });
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/enum/enum.ts
/* @__NO_SIDE_EFFECTS__ */
function enum_(enum__, message$1) {
	const options = [];
	for (const key in enum__) if (`${+key}` !== key || typeof enum__[key] !== "string" || !Object.is(enum__[enum__[key]], +key)) options.push(enum__[key]);
	return _standardSchema({
		kind: "schema",
		type: "enum",
		reference: enum_,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		enum: enum__,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptional,
		expects: wrapped.expects,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/exactOptional/exactOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function exactOptionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "exact_optional",
		reference: exactOptionalAsync,
		expects: wrapped.expects,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/file/file.ts
/* @__NO_SIDE_EFFECTS__ */
function file(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "file",
		reference: file,
		expects: "File",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof File) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/function/function.ts
/* @__NO_SIDE_EFFECTS__ */
function function_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "function",
		reference: function_,
		expects: "Function",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "function") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/instance/instance.ts
/* @__NO_SIDE_EFFECTS__ */
function instance(class_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "instance",
		reference: instance,
		expects: class_.name,
		async: false,
		class: class_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof this.class) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/utils/_merge/_merge.ts
/**
* Merges two values into one single output.
*
* @param value1 First value.
* @param value2 Second value.
*
* @returns The merge dataset.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _merge(value1, value2) {
	if (typeof value1 === typeof value2) {
		if (/* @__PURE__ */ _isSameValueZero(value1, value2) || value1 instanceof Date && value2 instanceof Date && /* @__PURE__ */ _isSameValueZero(+value1, +value2)) return { value: value1 };
		if (value1 && value2 && value1.constructor === Object && value2.constructor === Object) {
			const nextValue = {
				...value1,
				...value2
			};
			for (const key in value2) if (Object.prototype.hasOwnProperty.call(value1, key) && Object.prototype.hasOwnProperty.call(value2, key)) {
				const dataset = /* @__PURE__ */ _merge(value1[key], value2[key]);
				if (dataset.issue) return dataset;
				nextValue[key] = dataset.value;
			}
			return { value: nextValue };
		}
		if (Array.isArray(value1) && Array.isArray(value2)) {
			if (value1.length === value2.length) {
				const nextValue = [...value1];
				for (let index = 0; index < value1.length; index++) {
					const dataset = /* @__PURE__ */ _merge(value1[index], value2[index]);
					if (dataset.issue) return dataset;
					nextValue[index] = dataset.value;
				}
				return { value: nextValue };
			}
		}
	}
	return { issue: true };
}

//#endregion
//#region src/schemas/intersect/intersect.ts
/* @__NO_SIDE_EFFECTS__ */
function intersect(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersect,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				for (const schema of this.options) {
					const optionDataset = schema["~run"]({ value: input }, config$1);
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/intersect/intersectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function intersectAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "intersect",
		reference: intersectAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "&"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (this.options.length) {
				const input = dataset.value;
				let outputs;
				dataset.typed = true;
				const optionDatasets = await Promise.all(this.options.map((schema) => schema["~run"]({ value: input }, config$1)));
				for (const optionDataset of optionDatasets) {
					if (optionDataset.issues) {
						if (dataset.issues) for (const issue of optionDataset.issues) dataset.issues.push(issue);
						else dataset.issues = optionDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!optionDataset.typed) dataset.typed = false;
					if (dataset.typed) if (outputs) outputs.push(optionDataset.value);
					else outputs = [optionDataset.value];
				}
				if (dataset.typed) {
					dataset.value = outputs[0];
					for (let index = 1; index < outputs.length; index++) {
						const mergeDataset = /* @__PURE__ */ _merge(dataset.value, outputs[index]);
						if (mergeDataset.issue) {
							_addIssue(this, "type", dataset, config$1, { received: "unknown" });
							break;
						}
						dataset.value = mergeDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazy.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazy(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazy,
		expects: "unknown",
		async: false,
		getter,
		"~run"(dataset, config$1) {
			return this.getter(dataset.value)["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/lazy/lazyAsync.ts
/**
* Creates a lazy schema.
*
* @param getter The schema getter.
*
* @returns A lazy schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function lazyAsync(getter) {
	return _standardSchema({
		kind: "schema",
		type: "lazy",
		reference: lazyAsync,
		expects: "unknown",
		async: true,
		getter,
		async "~run"(dataset, config$1) {
			return (await this.getter(dataset.value))["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/literal/literal.ts
/* @__NO_SIDE_EFFECTS__ */
function literal(literal_, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "literal",
		reference: literal,
		expects: /* @__PURE__ */ _stringify(literal_),
		async: false,
		literal: literal_,
		message: message$1,
		"~run"(dataset, config$1) {
			if (/* @__PURE__ */ _isSameValueZero(dataset.value, this.literal)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObject.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseObject/looseObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_object",
		reference: looseObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) dataset.value[key] = input[key];
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/looseTuple/looseTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function looseTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "loose_tuple",
		reference: looseTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) dataset.value.push(input[key]);
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/map.ts
/* @__NO_SIDE_EFFECTS__ */
function map(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: map,
		expects: "Map",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				for (const [inputKey, inputValue] of input) {
					const keyDataset = this.key["~run"]({ value: inputKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/map/mapAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function mapAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "map",
		reference: mapAsync,
		expects: "Map",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Map) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Map();
				const datasets = await Promise.all([...input].map(([inputKey, inputValue]) => Promise.all([
					inputKey,
					inputValue,
					this.key["~run"]({ value: inputKey }, config$1),
					this.value["~run"]({ value: inputValue }, config$1)
				])));
				for (const [inputKey, inputValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "key",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of keyDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "map",
							origin: "value",
							input,
							key: inputKey,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					dataset.value.set(keyDataset.value, valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nan/nan.ts
/* @__NO_SIDE_EFFECTS__ */
function nan(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "nan",
		reference: nan,
		expects: "NaN",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (Number.isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/never/never.ts
/* @__NO_SIDE_EFFECTS__ */
function never(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "never",
		reference: never,
		expects: "never",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			_addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullable(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullable,
		expects: "!null",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullable/nonNullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullableAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullable",
		reference: nonNullableAsync,
		expects: "!null",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== null) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullish(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullish,
		expects: "(!null & !undefined)",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonNullish/nonNullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonNullishAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_nullish",
		reference: nonNullishAsync,
		expects: "(!null & !undefined)",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (!(dataset.value === null || dataset.value === void 0)) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === null || dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptional.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptional(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptional,
		expects: "!undefined",
		async: false,
		wrapped,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nonOptional/nonOptionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nonOptionalAsync(wrapped, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "non_optional",
		reference: nonOptionalAsync,
		expects: "!undefined",
		async: true,
		wrapped,
		message: message$1,
		async "~run"(dataset, config$1) {
			if (dataset.value !== void 0) dataset = await this.wrapped["~run"](dataset, config$1);
			if (dataset.value === void 0) _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/null/null.ts
/* @__NO_SIDE_EFFECTS__ */
function null_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "null",
		reference: null_,
		expects: "null",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === null) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullable.ts
/* @__NO_SIDE_EFFECTS__ */
function nullable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullable,
		expects: `(${wrapped.expects} | null)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullable/nullableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullable",
		reference: nullableAsync,
		expects: `(${wrapped.expects} | null)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullish.ts
/* @__NO_SIDE_EFFECTS__ */
function nullish(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullish,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/nullish/nullishAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function nullishAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "nullish",
		reference: nullishAsync,
		expects: `(${wrapped.expects} | null | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === null || dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === null || dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/number/number.ts
/* @__NO_SIDE_EFFECTS__ */
function number(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "number",
		reference: number,
		expects: "number",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "number" && !isNaN(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/object.ts
/* @__NO_SIDE_EFFECTS__ */
function object(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: object,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/object/objectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object",
		reference: objectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRest(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRest,
		expects: "Object",
		async: false,
		entries: entries$1,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (/* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)) {
						const valueDataset = this.rest["~run"]({ value: input[key] }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: input[key]
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/objectWithRest/objectWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function objectWithRestAsync(entries$1, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "object_with_rest",
		reference: objectWithRestAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				})), Promise.all(Object.entries(input).filter(([key]) => /* @__PURE__ */ _isValidObjectKey(input, key) && !Object.prototype.hasOwnProperty.call(this.entries, key)).map(async ([key, value$1]) => [
					key,
					value$1,
					await this.rest["~run"]({ value: value$1 }, config$1)
				]))]);
				for (const [key, value$1, valueSchema, valueDataset] of normalDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, valueDataset] of restDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/optional/optional.ts
/* @__NO_SIDE_EFFECTS__ */
function optional(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optional,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/optional/optionalAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function optionalAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "optional",
		reference: optionalAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/picklist/picklist.ts
/* @__NO_SIDE_EFFECTS__ */
function picklist(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "picklist",
		reference: picklist,
		expects: /* @__PURE__ */ _joinExpects(options.map(_stringify), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			if (this.options.includes(dataset.value)) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/promise/promise.ts
/* @__NO_SIDE_EFFECTS__ */
function promise(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "promise",
		reference: promise,
		expects: "Promise",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value instanceof Promise) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/record.ts
/* @__NO_SIDE_EFFECTS__ */
function record(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: record,
		expects: "Object",
		async: false,
		key,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const entryKey in input) if (/* @__PURE__ */ _isValidObjectKey(input, entryKey)) {
					const entryValue = input[entryKey];
					const keyDataset = this.key["~run"]({ value: entryKey }, config$1);
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					const valueDataset = this.value["~run"]({ value: entryValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/record/recordAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function recordAsync(key, value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "record",
		reference: recordAsync,
		expects: "Object",
		async: true,
		key,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const datasets = await Promise.all(Object.entries(input).filter(([key$1]) => /* @__PURE__ */ _isValidObjectKey(input, key$1)).map(([entryKey, entryValue]) => Promise.all([
					entryKey,
					entryValue,
					this.key["~run"]({ value: entryKey }, config$1),
					this.value["~run"]({ value: entryValue }, config$1)
				])));
				for (const [entryKey, entryValue, keyDataset, valueDataset] of datasets) {
					if (keyDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "key",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of keyDataset.issues) {
							issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = keyDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key: entryKey,
							value: entryValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!keyDataset.typed || !valueDataset.typed) dataset.typed = false;
					if (keyDataset.typed) dataset.value[keyDataset.value] = valueDataset.value;
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/set.ts
/* @__NO_SIDE_EFFECTS__ */
function set(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: set,
		expects: "Set",
		async: false,
		value: value$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				for (const inputValue of input) {
					const valueDataset = this.value["~run"]({ value: inputValue }, config$1);
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/set/setAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function setAsync(value$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "set",
		reference: setAsync,
		expects: "Set",
		async: true,
		value: value$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input instanceof Set) {
				dataset.typed = true;
				dataset.value = /* @__PURE__ */ new Set();
				const valueDatasets = await Promise.all([...input].map(async (inputValue) => [inputValue, await this.value["~run"]({ value: inputValue }, config$1)]));
				for (const [inputValue, valueDataset] of valueDatasets) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "set",
							origin: "value",
							input,
							key: null,
							value: inputValue
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value.add(valueDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObject.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObject(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObject,
		expects: "Object",
		async: false,
		entries: entries$1,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				for (const key in this.entries) {
					const valueSchema = this.entries[key];
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : /* @__PURE__ */ getDefault(valueSchema);
						const valueDataset = valueSchema["~run"]({ value: value$1 }, config$1);
						if (valueDataset.issues) {
							const pathItem = {
								type: "object",
								origin: "value",
								input,
								key,
								value: value$1
							};
							for (const issue of valueDataset.issues) {
								if (issue.path) issue.path.unshift(pathItem);
								else issue.path = [pathItem];
								dataset.issues?.push(issue);
							}
							if (!dataset.issues) dataset.issues = valueDataset.issues;
							if (config$1.abortEarly) {
								dataset.typed = false;
								break;
							}
						}
						if (!valueDataset.typed) dataset.typed = false;
						dataset.value[key] = valueDataset.value;
					} else if (valueSchema.fallback !== void 0) dataset.value[key] = /* @__PURE__ */ getFallback(valueSchema);
					else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
						_addIssue(this, "key", dataset, config$1, {
							input: void 0,
							expected: `"${key}"`,
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						if (config$1.abortEarly) break;
					}
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictObject/strictObjectAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictObjectAsync(entries$1, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_object",
		reference: strictObjectAsync,
		expects: "Object",
		async: true,
		entries: entries$1,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				dataset.typed = true;
				dataset.value = {};
				const valueDatasets = await Promise.all(Object.entries(this.entries).map(async ([key, valueSchema]) => {
					if (key in input || (valueSchema.type === "exact_optional" || valueSchema.type === "optional" || valueSchema.type === "nullish") && valueSchema.default !== void 0) {
						const value$1 = key in input ? input[key] : await /* @__PURE__ */ getDefault(valueSchema);
						return [
							key,
							value$1,
							valueSchema,
							await valueSchema["~run"]({ value: value$1 }, config$1)
						];
					}
					return [
						key,
						input[key],
						valueSchema,
						null
					];
				}));
				for (const [key, value$1, valueSchema, valueDataset] of valueDatasets) if (valueDataset) {
					if (valueDataset.issues) {
						const pathItem = {
							type: "object",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of valueDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = valueDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!valueDataset.typed) dataset.typed = false;
					dataset.value[key] = valueDataset.value;
				} else if (valueSchema.fallback !== void 0) dataset.value[key] = await /* @__PURE__ */ getFallback(valueSchema);
				else if (valueSchema.type !== "exact_optional" && valueSchema.type !== "optional" && valueSchema.type !== "nullish") {
					_addIssue(this, "key", dataset, config$1, {
						input: void 0,
						expected: `"${key}"`,
						path: [{
							type: "object",
							origin: "key",
							input,
							key,
							value: value$1
						}]
					});
					if (config$1.abortEarly) break;
				}
				if (!dataset.issues || !config$1.abortEarly) {
					for (const key in input) if (!Object.prototype.hasOwnProperty.call(this.entries, key)) {
						_addIssue(this, "key", dataset, config$1, {
							input: key,
							expected: "never",
							path: [{
								type: "object",
								origin: "key",
								input,
								key,
								value: input[key]
							}]
						});
						break;
					}
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTuple.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/strictTuple/strictTupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function strictTupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "strict_tuple",
		reference: strictTupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!(dataset.issues && config$1.abortEarly) && this.items.length < input.length) _addIssue(this, "type", dataset, config$1, {
					input: input[this.items.length],
					expected: "never",
					path: [{
						type: "array",
						origin: "value",
						input,
						key: this.items.length,
						value: input[this.items.length]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/string/string.ts
/* @__NO_SIDE_EFFECTS__ */
function string(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "string",
		reference: string,
		expects: "string",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "string") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/symbol/symbol.ts
/* @__NO_SIDE_EFFECTS__ */
function symbol(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "symbol",
		reference: symbol,
		expects: "symbol",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (typeof dataset.value === "symbol") dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tuple.ts
/* @__NO_SIDE_EFFECTS__ */
function tuple(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tuple,
		expects: "Array",
		async: false,
		items,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tuple/tupleAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleAsync(items, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple",
		reference: tupleAsync,
		expects: "Array",
		async: true,
		items,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const itemDatasets = await Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				}));
				for (const [key, value$1, itemDataset] of itemDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRest.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRest(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRest,
		expects: "Array",
		async: false,
		items,
		rest,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				for (let key = 0; key < this.items.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.items[key]["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (let key = this.items.length; key < input.length; key++) {
					const value$1 = input[key];
					const itemDataset = this.rest["~run"]({ value: value$1 }, config$1);
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/tupleWithRest/tupleWithRestAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function tupleWithRestAsync(items, rest, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "tuple_with_rest",
		reference: tupleWithRestAsync,
		expects: "Array",
		async: true,
		items,
		rest,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (Array.isArray(input)) {
				dataset.typed = true;
				dataset.value = [];
				const [normalDatasets, restDatasets] = await Promise.all([Promise.all(this.items.map(async (item, key) => {
					const value$1 = input[key];
					return [
						key,
						value$1,
						await item["~run"]({ value: value$1 }, config$1)
					];
				})), Promise.all(input.slice(this.items.length).map(async (value$1, key) => {
					return [
						key + this.items.length,
						value$1,
						await this.rest["~run"]({ value: value$1 }, config$1)
					];
				}))]);
				for (const [key, value$1, itemDataset] of normalDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
				if (!dataset.issues || !config$1.abortEarly) for (const [key, value$1, itemDataset] of restDatasets) {
					if (itemDataset.issues) {
						const pathItem = {
							type: "array",
							origin: "value",
							input,
							key,
							value: value$1
						};
						for (const issue of itemDataset.issues) {
							if (issue.path) issue.path.unshift(pathItem);
							else issue.path = [pathItem];
							dataset.issues?.push(issue);
						}
						if (!dataset.issues) dataset.issues = itemDataset.issues;
						if (config$1.abortEarly) {
							dataset.typed = false;
							break;
						}
					}
					if (!itemDataset.typed) dataset.typed = false;
					dataset.value.push(itemDataset.value);
				}
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefined/undefined.ts
/* @__NO_SIDE_EFFECTS__ */
function undefined_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "undefined",
		reference: undefined_,
		expects: "undefined",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedable.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedable(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedable,
		expects: `(${wrapped.expects} | undefined)`,
		async: false,
		wrapped,
		default: default_,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/undefinedable/undefinedableAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function undefinedableAsync(wrapped, default_) {
	return _standardSchema({
		kind: "schema",
		type: "undefinedable",
		reference: undefinedableAsync,
		expects: `(${wrapped.expects} | undefined)`,
		async: true,
		wrapped,
		default: default_,
		async "~run"(dataset, config$1) {
			if (dataset.value === void 0) {
				if (this.default !== void 0) dataset.value = await /* @__PURE__ */ getDefault(this, dataset, config$1);
				if (dataset.value === void 0) {
					dataset.typed = true;
					return dataset;
				}
			}
			return this.wrapped["~run"](dataset, config$1);
		}
	});
}

//#endregion
//#region src/schemas/union/utils/_subIssues/_subIssues.ts
/**
* Returns the sub issues of the provided datasets for the union issue.
*
* @param datasets The datasets.
*
* @returns The sub issues.
*
* @internal
*/
/* @__NO_SIDE_EFFECTS__ */
function _subIssues(datasets) {
	let issues;
	if (datasets) for (const dataset of datasets) if (issues) for (const issue of dataset.issues) issues.push(issue);
	else issues = dataset.issues;
	return issues;
}

//#endregion
//#region src/schemas/union/union.ts
/* @__NO_SIDE_EFFECTS__ */
function union(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: union,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: false,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/union/unionAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function unionAsync(options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "union",
		reference: unionAsync,
		expects: /* @__PURE__ */ _joinExpects(options.map((option) => option.expects), "|"),
		async: true,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			let validDataset;
			let typedDatasets;
			let untypedDatasets;
			for (const schema of this.options) {
				const optionDataset = await schema["~run"]({ value: dataset.value }, config$1);
				if (optionDataset.typed) if (optionDataset.issues) if (typedDatasets) typedDatasets.push(optionDataset);
				else typedDatasets = [optionDataset];
				else {
					validDataset = optionDataset;
					break;
				}
				else if (untypedDatasets) untypedDatasets.push(optionDataset);
				else untypedDatasets = [optionDataset];
			}
			if (validDataset) return validDataset;
			if (typedDatasets) {
				if (typedDatasets.length === 1) return typedDatasets[0];
				_addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(typedDatasets) });
				dataset.typed = true;
			} else if (untypedDatasets?.length === 1) return untypedDatasets[0];
			else _addIssue(this, "type", dataset, config$1, { issues: /* @__PURE__ */ _subIssues(untypedDatasets) });
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/unknown/unknown.ts
/**
* Creates a unknown schema.
*
* @returns A unknown schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unknown() {
	return _standardSchema({
		kind: "schema",
		type: "unknown",
		reference: unknown,
		expects: "unknown",
		async: false,
		"~run"(dataset) {
			dataset.typed = true;
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variant.ts
/* @__NO_SIDE_EFFECTS__ */
function variant(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variant,
		expects: "Object",
		async: false,
		key,
		options,
		message: message$1,
		"~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/variant/variantAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function variantAsync(key, options, message$1) {
	return _standardSchema({
		kind: "schema",
		type: "variant",
		reference: variantAsync,
		expects: "Object",
		async: true,
		key,
		options,
		message: message$1,
		async "~run"(dataset, config$1) {
			const input = dataset.value;
			if (input && typeof input === "object") {
				let outputDataset;
				let maxDiscriminatorPriority = 0;
				let invalidDiscriminatorKey = this.key;
				let expectedDiscriminators = [];
				const parseOptions = async (variant$1, allKeys) => {
					for (const schema of variant$1.options) {
						if (schema.type === "variant") await parseOptions(schema, new Set(allKeys).add(schema.key));
						else {
							let keysAreValid = true;
							let currentPriority = 0;
							for (const currentKey of allKeys) {
								const discriminatorSchema = schema.entries[currentKey];
								if (currentKey in input ? (await discriminatorSchema["~run"]({
									typed: false,
									value: input[currentKey]
								}, ABORT_EARLY_CONFIG)).issues : discriminatorSchema.type !== "exact_optional" && discriminatorSchema.type !== "optional" && discriminatorSchema.type !== "nullish") {
									keysAreValid = false;
									if (invalidDiscriminatorKey !== currentKey && (maxDiscriminatorPriority < currentPriority || maxDiscriminatorPriority === currentPriority && currentKey in input && !(invalidDiscriminatorKey in input))) {
										maxDiscriminatorPriority = currentPriority;
										invalidDiscriminatorKey = currentKey;
										expectedDiscriminators = [];
									}
									if (invalidDiscriminatorKey === currentKey) expectedDiscriminators.push(schema.entries[currentKey].expects);
									break;
								}
								currentPriority++;
							}
							if (keysAreValid) {
								const optionDataset = await schema["~run"]({ value: input }, config$1);
								if (!outputDataset || !outputDataset.typed && optionDataset.typed) outputDataset = optionDataset;
							}
						}
						if (outputDataset && !outputDataset.issues) break;
					}
				};
				await parseOptions(this, new Set([this.key]));
				if (outputDataset) return outputDataset;
				_addIssue(this, "type", dataset, config$1, {
					input: input[invalidDiscriminatorKey],
					expected: /* @__PURE__ */ _joinExpects(expectedDiscriminators, "|"),
					path: [{
						type: "object",
						origin: "value",
						input,
						key: invalidDiscriminatorKey,
						value: input[invalidDiscriminatorKey]
					}]
				});
			} else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/schemas/void/void.ts
/* @__NO_SIDE_EFFECTS__ */
function void_(message$1) {
	return _standardSchema({
		kind: "schema",
		type: "void",
		reference: void_,
		expects: "void",
		async: false,
		message: message$1,
		"~run"(dataset, config$1) {
			if (dataset.value === void 0) dataset.typed = true;
			else _addIssue(this, "type", dataset, config$1);
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/keyof/keyof.ts
/* @__NO_SIDE_EFFECTS__ */
function keyof(schema, message$1) {
	return /* @__PURE__ */ picklist(Object.keys(schema.entries), message$1);
}

//#endregion
//#region src/methods/message/message.ts
/**
* Changes the local message configuration of a schema.
*
* @param schema The schema to configure.
* @param message_ The error message.
*
* @returns The configured schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function message(schema, message_) {
	return _standardSchema({
		...schema,
		"~run"(dataset, config$1) {
			return schema["~run"](dataset, {
				...config$1,
				message: message_
			});
		}
	});
}

//#endregion
//#region src/methods/omit/omit.ts
/**
* Creates a modified copy of an object schema that does not contain the
* selected entries.
*
* @param schema The schema to omit from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function omit(schema, keys) {
	const entries$1 = { ...schema.entries };
	for (const key of keys) delete entries$1[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/parse/parse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
function parse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parse/parseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parsed input.
*/
async function parseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	if (dataset.issues) throw new ValiError(dataset.issues);
	return dataset.value;
}

//#endregion
//#region src/methods/parser/parser.ts
/* @__NO_SIDE_EFFECTS__ */
function parser(schema, config$1) {
	const func = (input) => parse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/parser/parserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function parserAsync(schema, config$1) {
	const func = (input) => parseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/partial/partial.ts
/* @__NO_SIDE_EFFECTS__ */
function partial(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optional(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/partial/partialAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function partialAsync(schema, keys) {
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ optionalAsync(schema.entries[key]) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pick/pick.ts
/**
* Creates a modified copy of an object schema that contains only the selected
* entries.
*
* @param schema The schema to pick from.
* @param keys The selected entries.
*
* @returns An object schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function pick(schema, keys) {
	const entries$1 = {};
	for (const key of keys) entries$1[key] = schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/pipe/pipe.ts
/* @__NO_SIDE_EFFECTS__ */
function pipe(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		"~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/pipe/pipeAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function pipeAsync(...pipe$1) {
	return _standardSchema({
		...pipe$1[0],
		pipe: pipe$1,
		async: true,
		async "~run"(dataset, config$1) {
			for (const item of pipe$1) if (item.kind !== "metadata") {
				if (dataset.issues && (item.kind === "schema" || item.kind === "transformation")) {
					dataset.typed = false;
					break;
				}
				if (!dataset.issues || !config$1.abortEarly && !config$1.abortPipeEarly) dataset = await item["~run"](dataset, config$1);
			}
			return dataset;
		}
	});
}

//#endregion
//#region src/methods/required/required.ts
/* @__NO_SIDE_EFFECTS__ */
function required(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptional(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/required/requiredAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function requiredAsync(schema, arg2, arg3) {
	const keys = Array.isArray(arg2) ? arg2 : void 0;
	const message$1 = Array.isArray(arg2) ? arg3 : arg2;
	const entries$1 = {};
	for (const key in schema.entries) entries$1[key] = !keys || keys.includes(key) ? /* @__PURE__ */ nonOptionalAsync(schema.entries[key], message$1) : schema.entries[key];
	return _standardSchema({
		...schema,
		entries: entries$1
	});
}

//#endregion
//#region src/methods/safeParse/safeParse.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
function safeParse(schema, input, config$1) {
	const dataset = schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParse/safeParseAsync.ts
/**
* Parses an unknown input based on a schema.
*
* @param schema The schema to be used.
* @param input The input to be parsed.
* @param config The parse configuration.
*
* @returns The parse result.
*/
/* @__NO_SIDE_EFFECTS__ */
async function safeParseAsync(schema, input, config$1) {
	const dataset = await schema["~run"]({ value: input }, /* @__PURE__ */ getGlobalConfig(config$1));
	return {
		typed: dataset.typed,
		success: !dataset.issues,
		output: dataset.value,
		issues: dataset.issues
	};
}

//#endregion
//#region src/methods/safeParser/safeParser.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParser(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParse(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/safeParser/safeParserAsync.ts
/* @__NO_SIDE_EFFECTS__ */
function safeParserAsync(schema, config$1) {
	const func = (input) => /* @__PURE__ */ safeParseAsync(schema, input, config$1);
	func.schema = schema;
	func.config = config$1;
	return func;
}

//#endregion
//#region src/methods/summarize/summarize.ts
/**
* Summarize the error messages of issues in a pretty-printable multi-line string.
*
* @param issues The list of issues.
*
* @returns A summary of the issues.
*
* @beta
*/
/* @__NO_SIDE_EFFECTS__ */
function summarize(issues) {
	let summary = "";
	for (const issue of issues) {
		if (summary) summary += "\n";
		summary += `× ${issue.message}`;
		const dotPath = /* @__PURE__ */ getDotPath(issue);
		if (dotPath) summary += `\n  → at ${dotPath}`;
	}
	return summary;
}

//#endregion
//#region src/methods/unwrap/unwrap.ts
/**
* Unwraps the wrapped schema.
*
* @param schema The schema to be unwrapped.
*
* @returns The unwrapped schema.
*/
/* @__NO_SIDE_EFFECTS__ */
function unwrap(schema) {
	return schema.wrapped;
}

//#endregion


/***/ })

/******/ });
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {};
/******/ 
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
/******/ 	// Check if module is in cache
/******/ 	var cachedModule = __webpack_module_cache__[moduleId];
/******/ 	if (cachedModule !== undefined) {
/******/ 		return cachedModule.exports;
/******/ 	}
/******/ 	// Create a new module (and put it into the cache)
/******/ 	var module = __webpack_module_cache__[moduleId] = {
/******/ 		// no module.id needed
/******/ 		// no module.loaded needed
/******/ 		exports: {}
/******/ 	};
/******/ 
/******/ 	// Execute the module function
/******/ 	var threw = true;
/******/ 	try {
/******/ 		__webpack_modules__[moduleId].call(module.exports, module, module.exports, __nccwpck_require__);
/******/ 		threw = false;
/******/ 	} finally {
/******/ 		if(threw) delete __webpack_module_cache__[moduleId];
/******/ 	}
/******/ 
/******/ 	// Return the exports of the module
/******/ 	return module.exports;
/******/ }
/******/ 
/******/ // expose the modules object (__webpack_modules__)
/******/ __nccwpck_require__.m = __webpack_modules__;
/******/ 
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined') __nccwpck_require__.ab = decodeURIComponent(new URL('.', import.meta.url).pathname).slice(import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0, -1) + "/";
/******/ 
/******/ /* webpack/runtime/async module */
/******/ (() => {
/******/ 	var webpackQueues = typeof Symbol === "function" ? Symbol("webpack queues") : "__webpack_queues__";
/******/ 	var webpackExports = typeof Symbol === "function" ? Symbol("webpack exports") : "__webpack_exports__";
/******/ 	var webpackError = typeof Symbol === "function" ? Symbol("webpack error") : "__webpack_error__";
/******/ 	var resolveQueue = (queue) => {
/******/ 		if(queue && queue.d < 1) {
/******/ 			queue.d = 1;
/******/ 			queue.forEach((fn) => (fn.r--));
/******/ 			queue.forEach((fn) => (fn.r-- ? fn.r++ : fn()));
/******/ 		}
/******/ 	}
/******/ 	var wrapDeps = (deps) => (deps.map((dep) => {
/******/ 		if(dep !== null && typeof dep === "object") {
/******/ 			if(dep[webpackQueues]) return dep;
/******/ 			if(dep.then) {
/******/ 				var queue = [];
/******/ 				queue.d = 0;
/******/ 				dep.then((r) => {
/******/ 					obj[webpackExports] = r;
/******/ 					resolveQueue(queue);
/******/ 				}, (e) => {
/******/ 					obj[webpackError] = e;
/******/ 					resolveQueue(queue);
/******/ 				});
/******/ 				var obj = {};
/******/ 				obj[webpackQueues] = (fn) => (fn(queue));
/******/ 				return obj;
/******/ 			}
/******/ 		}
/******/ 		var ret = {};
/******/ 		ret[webpackQueues] = x => {};
/******/ 		ret[webpackExports] = dep;
/******/ 		return ret;
/******/ 	}));
/******/ 	__nccwpck_require__.a = (module, body, hasAwait) => {
/******/ 		var queue;
/******/ 		hasAwait && ((queue = []).d = -1);
/******/ 		var depQueues = new Set();
/******/ 		var exports = module.exports;
/******/ 		var currentDeps;
/******/ 		var outerResolve;
/******/ 		var reject;
/******/ 		var promise = new Promise((resolve, rej) => {
/******/ 			reject = rej;
/******/ 			outerResolve = resolve;
/******/ 		});
/******/ 		promise[webpackExports] = exports;
/******/ 		promise[webpackQueues] = (fn) => (queue && fn(queue), depQueues.forEach(fn), promise["catch"](x => {}));
/******/ 		module.exports = promise;
/******/ 		body((deps) => {
/******/ 			currentDeps = wrapDeps(deps);
/******/ 			var fn;
/******/ 			var getResult = () => (currentDeps.map((d) => {
/******/ 				if(d[webpackError]) throw d[webpackError];
/******/ 				return d[webpackExports];
/******/ 			}))
/******/ 			var promise = new Promise((resolve) => {
/******/ 				fn = () => (resolve(getResult));
/******/ 				fn.r = 0;
/******/ 				var fnQueue = (q) => (q !== queue && !depQueues.has(q) && (depQueues.add(q), q && !q.d && (fn.r++, q.push(fn))));
/******/ 				currentDeps.map((dep) => (dep[webpackQueues](fnQueue)));
/******/ 			});
/******/ 			return fn.r ? promise : getResult();
/******/ 		}, (err) => ((err ? reject(promise[webpackError] = err) : outerResolve(exports)), resolveQueue(queue)));
/******/ 		queue && queue.d < 0 && (queue.d = 0);
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/compat get default export */
/******/ (() => {
/******/ 	// getDefaultExport function for compatibility with non-harmony modules
/******/ 	__nccwpck_require__.n = (module) => {
/******/ 		var getter = module && module.__esModule ?
/******/ 			() => (module['default']) :
/******/ 			() => (module);
/******/ 		__nccwpck_require__.d(getter, { a: getter });
/******/ 		return getter;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/create fake namespace object */
/******/ (() => {
/******/ 	var getProto = Object.getPrototypeOf ? (obj) => (Object.getPrototypeOf(obj)) : (obj) => (obj.__proto__);
/******/ 	var leafPrototypes;
/******/ 	// create a fake namespace object
/******/ 	// mode & 1: value is a module id, require it
/******/ 	// mode & 2: merge all properties of value into the ns
/******/ 	// mode & 4: return value when already ns object
/******/ 	// mode & 16: return value when it's Promise-like
/******/ 	// mode & 8|1: behave like require
/******/ 	__nccwpck_require__.t = function(value, mode) {
/******/ 		if(mode & 1) value = this(value);
/******/ 		if(mode & 8) return value;
/******/ 		if(typeof value === 'object' && value) {
/******/ 			if((mode & 4) && value.__esModule) return value;
/******/ 			if((mode & 16) && typeof value.then === 'function') return value;
/******/ 		}
/******/ 		var ns = Object.create(null);
/******/ 		__nccwpck_require__.r(ns);
/******/ 		var def = {};
/******/ 		leafPrototypes = leafPrototypes || [null, getProto({}), getProto([]), getProto(getProto)];
/******/ 		for(var current = mode & 2 && value; typeof current == 'object' && !~leafPrototypes.indexOf(current); current = getProto(current)) {
/******/ 			Object.getOwnPropertyNames(current).forEach((key) => (def[key] = () => (value[key])));
/******/ 		}
/******/ 		def['default'] = () => (value);
/******/ 		__nccwpck_require__.d(ns, def);
/******/ 		return ns;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/define property getters */
/******/ (() => {
/******/ 	// define getter functions for harmony exports
/******/ 	__nccwpck_require__.d = (exports, definition) => {
/******/ 		for(var key in definition) {
/******/ 			if(__nccwpck_require__.o(definition, key) && !__nccwpck_require__.o(exports, key)) {
/******/ 				Object.defineProperty(exports, key, { enumerable: true, get: definition[key] });
/******/ 			}
/******/ 		}
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/ensure chunk */
/******/ (() => {
/******/ 	__nccwpck_require__.f = {};
/******/ 	// This file contains only the entry chunk.
/******/ 	// The chunk loading function for additional chunks
/******/ 	__nccwpck_require__.e = (chunkId) => {
/******/ 		return Promise.all(Object.keys(__nccwpck_require__.f).reduce((promises, key) => {
/******/ 			__nccwpck_require__.f[key](chunkId, promises);
/******/ 			return promises;
/******/ 		}, []));
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/get javascript chunk filename */
/******/ (() => {
/******/ 	// This function allow to reference async chunks
/******/ 	__nccwpck_require__.u = (chunkId) => {
/******/ 		// return url for filenames based on template
/******/ 		return "" + chunkId + ".index.js";
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/hasOwnProperty shorthand */
/******/ (() => {
/******/ 	__nccwpck_require__.o = (obj, prop) => (Object.prototype.hasOwnProperty.call(obj, prop))
/******/ })();
/******/ 
/******/ /* webpack/runtime/make namespace object */
/******/ (() => {
/******/ 	// define __esModule on exports
/******/ 	__nccwpck_require__.r = (exports) => {
/******/ 		if(typeof Symbol !== 'undefined' && Symbol.toStringTag) {
/******/ 			Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });
/******/ 		}
/******/ 		Object.defineProperty(exports, '__esModule', { value: true });
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/import chunk loading */
/******/ (() => {
/******/ 	// no baseURI
/******/ 	
/******/ 	// object to store loaded and loading chunks
/******/ 	// undefined = chunk not loaded, null = chunk preloaded/prefetched
/******/ 	// [resolve, Promise] = chunk loading, 0 = chunk loaded
/******/ 	var installedChunks = {
/******/ 		792: 0
/******/ 	};
/******/ 	
/******/ 	var installChunk = (data) => {
/******/ 		var {ids, modules, runtime} = data;
/******/ 		// add "modules" to the modules object,
/******/ 		// then flag all "ids" as loaded and fire callback
/******/ 		var moduleId, chunkId, i = 0;
/******/ 		for(moduleId in modules) {
/******/ 			if(__nccwpck_require__.o(modules, moduleId)) {
/******/ 				__nccwpck_require__.m[moduleId] = modules[moduleId];
/******/ 			}
/******/ 		}
/******/ 		if(runtime) runtime(__nccwpck_require__);
/******/ 		for(;i < ids.length; i++) {
/******/ 			chunkId = ids[i];
/******/ 			if(__nccwpck_require__.o(installedChunks, chunkId) && installedChunks[chunkId]) {
/******/ 				installedChunks[chunkId][0]();
/******/ 			}
/******/ 			installedChunks[ids[i]] = 0;
/******/ 		}
/******/ 	
/******/ 	}
/******/ 	
/******/ 	__nccwpck_require__.f.j = (chunkId, promises) => {
/******/ 			// import() chunk loading for javascript
/******/ 			var installedChunkData = __nccwpck_require__.o(installedChunks, chunkId) ? installedChunks[chunkId] : undefined;
/******/ 			if(installedChunkData !== 0) { // 0 means "already installed".
/******/ 	
/******/ 				// a Promise means "currently loading".
/******/ 				if(installedChunkData) {
/******/ 					promises.push(installedChunkData[1]);
/******/ 				} else {
/******/ 					if(true) { // all chunks have JS
/******/ 						// setup Promise in chunk cache
/******/ 						var promise = import("./" + __nccwpck_require__.u(chunkId)).then(installChunk, (e) => {
/******/ 							if(installedChunks[chunkId] !== 0) installedChunks[chunkId] = undefined;
/******/ 							throw e;
/******/ 						});
/******/ 						var promise = Promise.race([promise, new Promise((resolve) => (installedChunkData = installedChunks[chunkId] = [resolve]))])
/******/ 						promises.push(installedChunkData[1] = promise);
/******/ 					}
/******/ 				}
/******/ 			}
/******/ 	};
/******/ 	
/******/ 	// no prefetching
/******/ 	
/******/ 	// no preloaded
/******/ 	
/******/ 	// no external install chunk
/******/ 	
/******/ 	// no on chunks loaded
/******/ })();
/******/ 
/************************************************************************/
/******/ 
/******/ // startup
/******/ // Load entry module and return exports
/******/ // This entry module used 'module' so it can't be inlined
/******/ var __webpack_exports__ = __nccwpck_require__(9407);
/******/ __webpack_exports__ = await __webpack_exports__;
/******/ 
