export const id = 138;
export const ids = [138];
export const modules = {

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
