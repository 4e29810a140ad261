export const id = 54;
export const ids = [54];
export const modules = {

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


/***/ })

};
