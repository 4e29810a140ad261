export const id = 337;
export const ids = [337];
export const modules = {

/***/ 9337:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  localHost: () => (/* binding */ localHost)
});

// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(1455);
// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
// EXTERNAL MODULE: ./node_modules/@actions/exec/lib/exec.js + 2 modules
var exec = __webpack_require__(5260);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
;// CONCATENATED MODULE: ./src/host/local-environment.ts
/**
 * Of a login's environment: who and where one is, how to find tools, how to speak, how to reach user services and proxies. `LC_*` besides.
 * The search path of libraries belongs to that of tools: a Python from the tool cache of a runner does not start without it.
 */
const ALLOWED = [
    ...['HOME', 'USER', 'LOGNAME', 'SHELL', 'PATH', 'LD_LIBRARY_PATH', 'TMPDIR', 'TERM', 'LANG', 'LANGUAGE', 'TZ'],
    ...['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
    ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
    ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE'],
    ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
];
/**
 * What programs started on this machine may know of the environment of this process, as they would over SSH: nothing of the inputs,
 * tokens, addresses and files of the runner. Without RUNNER_TRACKING_ID an application that is started again also outlives the job.
 */
function localEnvironment(all) {
    const kept = {};
    for (const [name, value] of Object.entries(all)) {
        if (value !== undefined && (ALLOWED.includes(name) || /^LC_[A-Z]+$/.test(name)))
            kept[name] = value;
    }
    return kept;
}

;// CONCATENATED MODULE: ./src/host/local.ts






/** `transport: local`: the same shell on the machine that runs this. */
function localHost() {
    return { label: 'this machine', openShell, close: () => { } };
}
/**
 * The toolkit's exec closes stdin after a fixed input, so the shell reads its requests from a fifo. This process holds
 * the writing end: when it dies, stdin of the shell ends, as over SSH.
 */
async function openShell() {
    const env = localEnvironment(process.env);
    const folder = await (0,promises_.mkdtemp)((0,external_node_path_.join)(process.env.RUNNER_TEMP || (0,external_node_os_.tmpdir)(), 'db-backup-'));
    const fifo = (0,external_node_path_.join)(folder, 'requests');
    try {
        await (0,exec/* exec */.m)('mkfifo', ['-m', '600', fifo], { silent: true, env });
    }
    catch (error) {
        await (0,promises_.rm)(folder, { recursive: true, force: true });
        throw new errors/* BackupError */.hj('E_SHELL', `no FIFO could be created on this machine: ${String(error)}`);
    }
    // Reading and writing, so that opening does not wait for the shell, and a write never fails for want of a reader.
    const requests = await (0,promises_.open)(fifo, 'r+');
    const listeners = {
        stdout: [],
        stderr: [],
    };
    let removing = null;
    const forget = () => (removing ??= (0,promises_.rm)(folder, { recursive: true, force: true }).catch(() => { }));
    const closed = (0,exec/* exec */.m)('sh', ['-c', 'exec sh -s <"$1"', 'sh', fifo], {
        silent: true,
        env,
        ignoreReturnCode: true,
        delay: 1_000,
        listeners: {
            stdout: (chunk) => {
                void forget(); // it has opened the fifo
                for (const listener of listeners.stdout)
                    listener(chunk);
            },
            stderr: (chunk) => {
                for (const listener of listeners.stderr)
                    listener(chunk);
            },
        },
    }).then((code) => ({ code, signal: null, lost: null }), (error) => ({ code: null, signal: null, lost: String(error) }));
    let writing = Promise.resolve();
    let ended = false;
    const end = () => {
        if (ended)
            return;
        ended = true;
        writing = writing.then(() => requests.close()).catch(() => { });
    };
    void closed.then(() => {
        end();
        return forget();
    });
    return {
        write: (text) => {
            if (!ended)
                writing = writing.then(() => requests.writeFile(text)).catch(() => { });
        },
        end,
        onStdout: (listener) => listeners.stdout.push(listener),
        onStderr: (listener) => listeners.stderr.push(listener),
        closed,
    };
}


/***/ })

};
