export const id = 107;
export const ids = [107];
export const modules = {

/***/ 69107:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  extract: () => (/* binding */ extract)
});

// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(76760);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(87452);
// EXTERNAL MODULE: ./src/places/from-host.ts
var from_host = __webpack_require__(62965);
// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(51455);
// EXTERNAL MODULE: ./src/platform/platform.ts + 1 modules
var platform = __webpack_require__(97460);
;// CONCATENATED MODULE: ./src/reporting/away.ts



/**
 * What the command was asked for, byte by byte, into a new file that its user alone can read, or to stdout. False: nobody reads on. Throws
 * E_INPUT, E_NOSPACE; what had come into the file is then removed.
 */
async function writeAway(bytes, file) {
    if (file === null)
        return toStdout(bytes);
    const target = await (0,promises_.open)(file, 'wx', 0o600).catch((error) => {
        throw new errors/* BackupError */.hj('E_INPUT', `output: ${file} can not be made: ${error.code ?? 'unknown error'}`);
    });
    try {
        for await (const chunk of bytes)
            await target.writeFile(chunk);
        await target.sync();
        return true;
    }
    catch (error) {
        await (0,promises_.rm)(file, { force: true });
        throw full(error, file);
    }
    finally {
        await target.close();
    }
}
async function toStdout(bytes) {
    const hand = (0,platform/* platform */.i)().byHand;
    if (hand === null)
        throw new errors/* BackupError */.hj('E_INTERNAL', 'there is no stdout for rows');
    for await (const chunk of bytes) {
        try {
            await hand.write(chunk);
        }
        catch (error) {
            if (error.code === 'EPIPE')
                return false;
            throw full(error, 'stdout');
        }
    }
    return true;
}
function full(error, where) {
    const { code } = error;
    if (code !== 'ENOSPC' && code !== 'EDQUOT')
        return error;
    return new errors/* BackupError */.hj('E_NOSPACE', `the disk is full: the rows do not fit into ${where}`, 'Free some.');
}

// EXTERNAL MODULE: ./src/reporting/format.ts
var format = __webpack_require__(21267);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(94302);
// EXTERNAL MODULE: ./src/restoring/source.ts + 1 modules
var restoring_source = __webpack_require__(38800);
// EXTERNAL MODULE: ./src/run/connect.ts
var connect = __webpack_require__(37811);
// EXTERNAL MODULE: ./src/run/keys.ts
var run_keys = __webpack_require__(72689);
;// CONCATENATED MODULE: ./src/commands/extract.ts









/**
 * Takes one table out of a backup, which is checked before: its signature, its bytes. It is read in a folder of the host that goes with the
 * session, without the lock, and without the live database. Throws E_NOT_FOUND for a table that it does not have.
 */
async function extract(run) {
    const { settings, database, log, report } = run;
    const { extracting } = database;
    const asked = settings.extraction;
    if (asked === null || extracting === undefined)
        throw new errors/* BackupError */.hj('E_INTERNAL', 'there is nothing to take out');
    // as a dry run of a restore it writes nothing where the backups are
    const reading = { ...run, settings: { ...settings, dryRun: true } };
    await (0,connect/* connected */.aW)(run, async (connection) => {
        const keys = (0,run_keys/* keysOf */.YD)(settings);
        if (keys.length > 0)
            await connection.send(...keys);
        let source = await (0,restoring_source/* chooseSource */.LV)(reading, connection);
        const open = async ({ dump, from }) => {
            if (dump.manifest === null)
                throw new errors/* BackupError */.hj('E_MANIFEST', `${from} has no manifest beside it`);
            (0,run_keys/* warnOfPlain */.CU)(run, from, dump.encryption);
            (0,run_keys/* needKeyFor */.tD)(from, dump.encryption, settings);
            const request = extracting.open(settings, dump, asked);
            const folder = await folderOf(connection, dump.file);
            return { folder, facts: await log.group(`Open ${from}`, () => connection.send(request)) };
        };
        const { folder, facts } = await open(source).catch(async (error) => {
            source = await (0,restoring_source/* insteadOfDamaged */.hB)(reading, source, error);
            return open(source);
        });
        const { dump, from } = source;
        for (const remark of extracting.remarks(settings, dump, facts))
            (0,connect/* warn */.R8)(run, remark);
        const request = extracting.rows(settings, dump, asked, facts);
        const done = await log.group(`Read the table ${(0,neutralise/* quoteOutside */.Y)(asked.table, 200)}`, () => connection.send(request));
        const wanted = {
            ...{ directory: folder, file: 'payload' },
            ...{ bytes: done.number('bytes'), sha256: done.need('sha256') },
        };
        try {
            const all = await writeAway((0,from_host/* fromHost */.R)(run, connection, wanted), asked.output);
            log.info(`${all ? '' : 'nobody read all of '}${(0,format/* formatBytes */.z3)(wanted.bytes)}: the table ${(0,neutralise/* quoteOutside */.Y)(asked.table, 200)} as it is in ${from}`);
        }
        catch (error) {
            throw notWhole(error, run);
        }
        report.ok = true;
    });
}
/** Where it is read: with what was fetched from a store, or in a folder of its own. */
async function folderOf(connection, file) {
    if (file.startsWith('/'))
        return (0,external_node_path_.dirname)(file);
    return (await connection.send(['request', 'expect_fetched', ['']])).path('fetched');
}
/** The backup is good: it is the way here that failed. */
function notWhole(error, { signal }) {
    if (!(error instanceof errors/* BackupError */.hj) || signal.aborted)
        return error;
    if (error.code === 'E_SHELL') {
        const hint = 'In sshd_config of the host allow two sessions for a connection (`MaxSessions 2` or more).';
        return new errors/* BackupError */.hj(error.code, error.message, hint, { cause: error });
    }
    if (error.code !== 'E_CHECKSUM' && error.code !== 'E_REMOTE_LOST')
        return error;
    const message = `the rows did not come here whole: ${error.message}`;
    return new errors/* BackupError */.hj('E_REMOTE_LOST', message, 'Do not use what was printed. Run again.', { cause: error });
}


/***/ })

};
