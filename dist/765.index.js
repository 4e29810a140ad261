export const id = 765;
export const ids = [765];
export const modules = {

/***/ 45765:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   show: () => (/* binding */ show)
/* harmony export */ });
/* harmony import */ var _backups_copies_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(46410);
/* harmony import */ var _backups_coverage_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(3605);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(87452);
/* harmony import */ var _host_quoting_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(22437);
/* harmony import */ var _places_choice_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(17837);
/* harmony import */ var _places_find_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(79381);
/* harmony import */ var _places_host_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(20633);
/* harmony import */ var _places_shown_js__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(79301);
/* harmony import */ var _places_with_store_js__WEBPACK_IMPORTED_MODULE_8__ = __webpack_require__(54118);
/* harmony import */ var _reporting_format_js__WEBPACK_IMPORTED_MODULE_12__ = __webpack_require__(21267);
/* harmony import */ var _reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_11__ = __webpack_require__(94302);
/* harmony import */ var _run_connect_js__WEBPACK_IMPORTED_MODULE_9__ = __webpack_require__(37811);
/* harmony import */ var _run_keys_js__WEBPACK_IMPORTED_MODULE_10__ = __webpack_require__(72689);













const MOST_TABLES = 200;
/** All that is known of one backup, in whatever state it is. Throws E_NOT_FOUND. */
async function show(run) {
    const { report, settings } = run;
    await (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_9__/* .connected */ .aW)(run, async (connection) => {
        const host = await _places_host_js__WEBPACK_IMPORTED_MODULE_6__/* .HostPlace */ .m.open(run, connection, 'look');
        const found = await (0,_places_with_store_js__WEBPACK_IMPORTED_MODULE_8__/* .withSpare */ .ov)(run, host, async (store) => {
            await store?.catalogue().catch((error) => {
                run.signal.throwIfAborted();
                (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_9__/* .warn */ .R8)(run, `whether it is in the store as well is not known: ${(0,_errors_js__WEBPACK_IMPORTED_MODULE_2__/* .describe */ .q0)(error).message}`);
            });
            const all = (0,_backups_copies_js__WEBPACK_IMPORTED_MODULE_0__/* .placed */ .GS)(host.listed.backups, run.copies);
            const id = settings.backup ?? (await (0,_places_find_js__WEBPACK_IMPORTED_MODULE_5__/* .find */ .I6)(run, { by: 'latest' }, host, store)).backup.id;
            const known = all.map(({ backup }) => backup);
            const one = all.find(({ backup }) => backup.id === id);
            if (one === undefined)
                throw (0,_places_choice_js__WEBPACK_IMPORTED_MODULE_4__/* .notFound */ .mX)(run, id, known, store === null ? host.uri : `${host.uri} and ${store.uri}`);
            return one;
        });
        const backup = found.from === 'host' ? await host.whole(found.backup) : found.backup;
        const { content, recovery, ...manifest } = backup.manifest;
        report.backup = {
            ...(0,_places_shown_js__WEBPACK_IMPORTED_MODULE_7__/* .factsOf */ .xS)(run, backup, found.places, found.from),
            ...(backup.detail === null ? {} : { detail: backup.detail }),
        };
        report.manifest = manifest;
        report.tables = content?.tables ?? [];
        report.tablesLeftOut = content?.tablesLeftOut ?? 0;
        report.recovery = recovery;
        for (const line of linesOf(run, { ...found, backup }))
            run.log.result(line);
        report.ok = true;
    });
}
function linesOf(run, { backup, places }) {
    const { id, manifest, state, detail } = backup;
    const { report } = run;
    const { github, pinned, verified } = manifest;
    const said = (text) => (0,_reporting_neutralise_js__WEBPACK_IMPORTED_MODULE_11__/* .quoteOutside */ .Y)(text, 300).replaceAll('\n', ' ');
    const age = (0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatAge */ .nV)(run.now().getTime() - Date.parse(manifest.createdAt));
    const partial = (0,_backups_coverage_js__WEBPACK_IMPORTED_MODULE_1__/* .showCoverage */ .UQ)(manifest.coverage ?? null);
    const proof = verified.level === 'none' ? 'none' : `${verified.level}, at ${verified.at}`;
    const took = verified.ms === undefined ? '' : `; restoring it took ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatDuration */ .a3)(verified.ms)}`;
    const rows = [
        [
            'made',
            `${manifest.createdAt}, ${age} old, on ${said(manifest.host)}; it took ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatDuration */ .a3)(manifest.durationMs)}`,
        ],
        ['of', `${said(manifest.database)}, ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatBytes */ .z3)(manifest.databaseBytes)}`],
        ['why', manifest.reason],
        ...(github === null
            ? []
            : [['run', said(`${github.runUrl} (${github.actor}), commit ${github.sha}`)]]),
        ['state', state === 'ok' ? 'good' : `${state}: ${said(detail ?? '')}`],
        ['proof', `${proof}${took}`],
        ...(partial === '' ? [] : [['covers', `not everything: ${said(partial)}`]]),
        ['pinned', pinned === null ? 'no' : `since ${pinned.at}: ${said(pinned.reason)}`],
        [
            'signed',
            manifest.mac === null
                ? 'no'
                : run.settings.signing === null
                    ? 'yes; no key was given to check it'
                    : state === 'forged'
                        ? 'NOT BY YOUR KEY'
                        : 'yes, by your key',
        ],
        ['in', (0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .showPlaces */ .Ky)(places)],
        ['file', `${said(report.backup?.path ?? '')}, ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatBytes */ .z3)(manifest.bytes)}`],
        ['packed', `${manifest.compression}, ${(0,_run_keys_js__WEBPACK_IMPORTED_MODULE_10__/* .showEncrypted */ .kh)(manifest.encryption)}`],
        ['sha256', manifest.sha256],
        [
            'tools',
            Object.entries(manifest.tools)
                .map(([tool, version]) => said(`${tool} ${version}`))
                .join(', '),
        ],
    ];
    const { tables: count, rows: all, uncounted } = report.backup ?? {};
    const tables = report.tables.toSorted((one, other) => (other.rows ?? -1) - (one.rows ?? -1));
    return [
        id,
        ...rows.map(([label, text]) => `  ${label.padEnd(8)}${text}`),
        `  tables  ${count == null ? 'not known' : `${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatCount */ .B4)(count)}, with ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .showRows */ .rJ)(all ?? null, uncounted)} rows`}`,
        ...tables.slice(0, MOST_TABLES).map(({ name, rows: held }) => `    ${said(name)}: ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .showRows */ .rJ)(held)}`),
        ...(tables.length > MOST_TABLES ? [`    and ${(0,_reporting_format_js__WEBPACK_IMPORTED_MODULE_12__/* .formatCount */ .B4)(tables.length - MOST_TABLES)} more`] : []),
        '',
        `restore it:            db-backup restore ${id}`,
        `take out one table:    db-backup extract ${id} --table ${(0,_host_quoting_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .h)(tables[0] === undefined ? 'NAME' : said(tables[0].name))}`,
        ...(report.recovery.length === 0 ? [] : ['by hand, on the host:', ...report.recovery.map((line) => `  ${line}`)]),
    ];
}


/***/ })

};
