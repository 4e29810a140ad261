export const id = 701;
export const ids = [701];
export const modules = {

/***/ 2701:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   localHost: () => (/* binding */ localHost)
/* harmony export */ });
/* harmony import */ var node_fs_promises__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1455);
/* harmony import */ var node_fs_promises__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_fs_promises__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(8161);
/* harmony import */ var node_os__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(node_os__WEBPACK_IMPORTED_MODULE_1__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_2___default = /*#__PURE__*/__webpack_require__.n(node_path__WEBPACK_IMPORTED_MODULE_2__);
/* harmony import */ var _actions_exec__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(2697);
/* harmony import */ var _errors_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(7452);





/** `transport: local`: the same shell on the machine that runs this. */
function localHost() {
    return { label: 'this machine', openShell, close: () => { } };
}
/**
 * The toolkit's exec closes stdin after a fixed input, so the shell reads its requests from a fifo. This process holds
 * the writing end: when it dies, stdin of the shell ends, as over SSH.
 */
async function openShell() {
    const folder = await (0,node_fs_promises__WEBPACK_IMPORTED_MODULE_0__.mkdtemp)((0,node_path__WEBPACK_IMPORTED_MODULE_2__.join)(process.env.RUNNER_TEMP || (0,node_os__WEBPACK_IMPORTED_MODULE_1__.tmpdir)(), 'db-backup-'));
    const fifo = (0,node_path__WEBPACK_IMPORTED_MODULE_2__.join)(folder, 'requests');
    try {
        await (0,_actions_exec__WEBPACK_IMPORTED_MODULE_3__/* .exec */ .m)('mkfifo', ['-m', '600', fifo], { silent: true });
    }
    catch (error) {
        await (0,node_fs_promises__WEBPACK_IMPORTED_MODULE_0__.rm)(folder, { recursive: true, force: true });
        throw new _errors_js__WEBPACK_IMPORTED_MODULE_4__/* .BackupError */ .hj('E_SHELL', `no fifo could be made on this machine: ${String(error)}`);
    }
    // Reading and writing, so that opening does not wait for the shell, and a write never fails for want of a reader.
    const requests = await (0,node_fs_promises__WEBPACK_IMPORTED_MODULE_0__.open)(fifo, 'r+');
    const listeners = {
        stdout: [],
        stderr: [],
    };
    const closed = (0,_actions_exec__WEBPACK_IMPORTED_MODULE_3__/* .exec */ .m)('sh', ['-c', 'exec sh -s <"$1"', 'sh', fifo], {
        silent: true,
        ignoreReturnCode: true,
        delay: 1_000,
        listeners: {
            stdout: (chunk) => {
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
        return (0,node_fs_promises__WEBPACK_IMPORTED_MODULE_0__.rm)(folder, { recursive: true, force: true });
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
