export const id = 322;
export const ids = [322];
export const modules = {

/***/ 9322:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   list: () => (/* binding */ list),
/* harmony export */   status: () => (/* binding */ status),
/* harmony export */   uninstall: () => (/* binding */ uninstall)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _schedule_calendar_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(2487);
/* harmony import */ var _schedule_installation_js__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(6833);
/* harmony import */ var _schedule_machine_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(8052);
/* harmony import */ var _settings_value_rules_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(7722);
/* harmony import */ var _exit_status_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(4259);
/* harmony import */ var _schedule_common_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(9750);







// What `db-backup schedule` says of what is installed, and how it takes that away; each returns its exit status.
const status = (given) => (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .told */ .Ev)(async () => {
    const isAsked = (name) => given.name === undefined || name === null || name === given.name;
    const found = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .all */ .Q7)().filter(({ one }) => isAsked(one.mark.name));
    const unclear = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .schedulers */ .lr)().flatMap((scheduler) => scheduler.unclear().filter(({ name }) => isAsked(name)));
    if (found.length === 0 && unclear.length === 0) {
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .say */ .cv)(given.name === undefined ? 'nothing is installed' : `nothing is installed under the name ${given.name}`);
        return _exit_status_js__WEBPACK_IMPORTED_MODULE_3__/* .EXIT */ .dc.suspect;
    }
    let isWell = unclear.length === 0;
    const tell = (head, lines) => (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .show */ .WU)([head, ...lines.map((line) => `  ${line}`)].join('\n'));
    for (const { one, scheduler } of found) {
        const { facts, wrong } = scheduler.state(one);
        const gone = [one.mark.node, one.mark.cli, one.mark.config].filter((path) => !(0,node_fs__WEBPACK_IMPORTED_MODULE_0__.existsSync)(path));
        const faults = [...wrong, ...gone.map((path) => `${path} is not there any more`)];
        tell(headOf(one), [...facts, ...faults.map((fault) => `WRONG: ${fault}`)]);
        if (faults.length > 0)
            isWell = false;
    }
    for (const { name, where, fault } of unclear)
        tell(name === null ? where : `${name} in ${where}`, [`WRONG: ${fault.message}`, fault.hint]);
    return isWell ? _exit_status_js__WEBPACK_IMPORTED_MODULE_3__/* .EXIT */ .dc.done : _exit_status_js__WEBPACK_IMPORTED_MODULE_3__/* .EXIT */ .dc.suspect;
});
const list = (given) => (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .told */ .Ev)(async () => {
    for (const { fault } of (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .schedulers */ .lr)().flatMap((scheduler) => scheduler.unclear()))
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .warn */ .R8)(fault.message);
    for (const { one } of (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .all */ .Q7)()) {
        const { mark, system, where, isIntact } = one;
        const { name, job, calendar, user, config } = mark;
        const next = (0,_schedule_calendar_js__WEBPACK_IMPORTED_MODULE_5__/* .nextTimes */ .e1)(calendar, new Date(), 1)[0]?.toISOString();
        const facts = {
            name,
            job,
            calendar: (0,_schedule_calendar_js__WEBPACK_IMPORTED_MODULE_5__/* .showCalendar */ .Cp)(calendar),
            next,
            with: system,
            user,
            config,
            where,
            intact: isIntact,
        };
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .show */ .WU)(given.json ? JSON.stringify(facts) : headOf(one));
    }
    return _exit_status_js__WEBPACK_IMPORTED_MODULE_3__/* .EXIT */ .dc.done;
});
const uninstall = (given) => (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .told */ .Ev)(async () => {
    const found = ours(given);
    const names = [...new Set(found.map(({ name }) => name))];
    if (given.name === undefined && names.length > 1)
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .input */ .hF)(`--name: say which of ${names.join(', ')}`);
    const place = onlyOne(found, names[0] ?? '');
    if (place === null) {
        const name = given.name === undefined ? '' : ` under the name ${given.name}`;
        (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .say */ .cv)(`nothing of ours is installed${name}`);
    }
    else {
        const gone = given.dryRun ? place.heads : place.scheduler.uninstall(place.name, place.user);
        for (const one of gone)
            (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .say */ .cv)(`${given.dryRun ? 'would take away' : 'took away'} ${one}`);
    }
    return _exit_status_js__WEBPACK_IMPORTED_MODULE_3__/* .EXIT */ .dc.done;
});
/** What is ours, of that name, system and user where they are given. Throws E_INPUT, and why something can not be looked at. */
function ours({ name, with: chosen, user }) {
    const wrong = [];
    const read = (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .reading */ .A2)(wrong);
    const system = chosen === undefined ? null : read('with', () => (0,_settings_value_rules_js__WEBPACK_IMPORTED_MODULE_2__/* .oneOf */ .yL)(_schedule_installation_js__WEBPACK_IMPORTED_MODULE_6__/* .SYSTEMS */ .LB)(chosen));
    const account = user === undefined ? null : read('user', () => ((0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_1__/* .isWindows */ .uF)() ? null : (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .ofUser */ .J9)(user, 'uninstall')));
    if (wrong.length > 0)
        throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .input */ .hF)(...wrong);
    const places = [];
    const add = (scheduler, place, head) => {
        if ((name !== undefined && place.name !== name) || (user !== undefined && place.user !== user))
            return;
        const same = places.find((one) => one.name === place.name && one.user === place.user && one.scheduler === scheduler);
        if (same === undefined)
            places.push({ ...place, scheduler, heads: [head] });
        else
            same.heads.push(head);
    };
    for (const scheduler of (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .schedulers */ .lr)(account ?? undefined)) {
        if (system !== null && scheduler.system !== system)
            continue;
        for (const one of scheduler.installed())
            add(scheduler, one.mark, headOf(one));
        for (const one of scheduler.unclear()) {
            if (one.name !== null)
                add(scheduler, { name: one.name, user: one.user }, `${one.name} in ${one.where}`);
            else if (user === undefined || one.user === user)
                throw one.fault;
        }
    }
    // what is for the whole system only where a user has nothing of that name for himself
    const isOwn = ({ scheduler }) => (0,_schedule_machine_js__WEBPACK_IMPORTED_MODULE_1__/* .isRoot */ .jX)() || scheduler.whose !== 'the system';
    return places.filter((place) => isOwn(place) || !places.some((one) => isOwn(one) && one.name === place.name));
}
/** null: there is none. Throws E_INPUT when there are several. */
function onlyOne(places, name) {
    const [first, ...more] = places;
    if (first === undefined || more.length === 0)
        return first ?? null;
    const differs = (of) => new Set(places.map(of)).size > 1;
    const options = [
        ...(differs(({ scheduler }) => scheduler.system) ? ['--with'] : []),
        ...(differs(({ user }) => user) ? ['--user'] : []),
    ];
    const each = places.map(({ scheduler, user }) => `--with ${scheduler.system} --user ${user}`);
    throw (0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .input */ .hF)(`${name} is installed more than once: say by ${options.join(' and ')} which of ${each.join(', ')}`);
}
const headOf = ({ mark, system, isIntact, where }) => `${mark.name} ${mark.job}: ${(0,_schedule_calendar_js__WEBPACK_IMPORTED_MODULE_5__/* .showCalendar */ .Cp)(mark.calendar)}, next ${(0,_schedule_common_js__WEBPACK_IMPORTED_MODULE_4__/* .timeOf */ .nR)((0,_schedule_calendar_js__WEBPACK_IMPORTED_MODULE_5__/* .nextTimes */ .e1)(mark.calendar, new Date(), 1)[0])}, by ${mark.user} with ${system}, for ${mark.config}, in ${where}${isIntact ? '' : ', changed'}`;


/***/ })

};
