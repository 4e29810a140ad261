export const id = 399;
export const ids = [399];
export const modules = {

/***/ 51399:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   latest: () => (/* binding */ latest)
/* harmony export */ });
/* harmony import */ var _places_find_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(79381);
/* harmony import */ var _places_host_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(20633);
/* harmony import */ var _places_shown_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(79301);
/* harmony import */ var _places_with_store_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(54118);
/* harmony import */ var _run_connect_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(37811);





/** The id of the backup that a restore of `latest` would put back, and nothing else. Throws E_NOT_FOUND. */
async function latest(run) {
    await (0,_run_connect_js__WEBPACK_IMPORTED_MODULE_4__/* .connected */ .aW)(run, async (connection) => {
        const host = await _places_host_js__WEBPACK_IMPORTED_MODULE_1__/* .HostPlace */ .m.open(run, connection, 'look');
        await (0,_places_with_store_js__WEBPACK_IMPORTED_MODULE_3__/* .withSpare */ .ov)(run, host, async (store) => {
            const { backup, spare } = await (0,_places_find_js__WEBPACK_IMPORTED_MODULE_0__/* .find */ .I6)(run, { by: 'latest' }, host, store);
            run.report.backup = { ...(0,_places_shown_js__WEBPACK_IMPORTED_MODULE_2__/* .factsOf */ .xS)(run, backup), ...(spare === null ? {} : { path: spare.uri, places: ['s3'] }) };
            run.log.result(backup.id);
            run.report.ok = true;
        });
    });
}


/***/ })

};
