export const id = 898;
export const ids = [898];
export const modules = {

/***/ 5898:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  restore: () => (/* binding */ restore),
  withOneDatabase: () => (/* binding */ withOneDatabase)
});

// EXTERNAL MODULE: ./src/settings/declared-inputs.ts + 3 modules
var declared_inputs = __webpack_require__(4587);
// EXTERNAL MODULE: external "node:readline/promises"
var promises_ = __webpack_require__(6848);
// EXTERNAL MODULE: external "node:timers/promises"
var external_node_timers_promises_ = __webpack_require__(8500);
// EXTERNAL MODULE: ./src/cancel.ts
var cancel = __webpack_require__(833);
// EXTERNAL MODULE: ./src/left.ts
var left = __webpack_require__(8470);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
;// CONCATENATED MODULE: ./src/command-line/conversation.ts





const CTRL_C = 3;
/** For what is under way within this machine, and too short to be felt. */
const FORGETTING_MS = 50;
/** The person has left: Ctrl-C, Ctrl-D, or the terminal is gone. */
class Left extends Error {
}
/** Questions and what they are about, on stderr, which is a terminal; everything passes `neutralise`. */
class Conversation {
    secrets;
    constructor(secrets) {
        this.secrets = secrets;
    }
    say(text) {
        process.stderr.write(`${this.safe(text)}\n`);
    }
    /** At the end of one that came to nothing. */
    sayUnchanged() {
        this.say(left/* LEFT */.M3['nothing-changed'].text);
    }
    /** What is typed after the question is there, without blanks around it. Throws Left. */
    async ask(question) {
        await this.forgetTyped();
        // one for each question: between them Ctrl-C is a signal again
        const line = (0,promises_.createInterface)({ input: process.stdin, output: process.stderr, terminal: true, historySize: 0 });
        const leaving = new AbortController();
        const leave = () => leaving.abort();
        line.once('SIGINT', leave);
        line.once('close', leave);
        try {
            const signal = AbortSignal.any([leaving.signal, cancel/* cancel */.Z.signal]);
            return (await line.question(this.safe(question), { signal })).trim();
        }
        catch {
            process.stderr.write('\n');
            throw new Left();
        }
        finally {
            line.close();
        }
    }
    /** What was typed before answers nothing: nobody had seen the question, nor the plan that it is about. Throws Left. */
    async forgetTyped() {
        const { stdin } = process;
        let hasLeft = false;
        const forget = (typed) => {
            hasLeft ||= typed.includes(CTRL_C);
        };
        const leave = () => {
            hasLeft = true;
        };
        stdin.setRawMode(true); // the terminal would keep the beginning of a line for the question
        stdin.on('data', forget).once('end', leave).once('error', leave).resume();
        await (0,external_node_timers_promises_.setTimeout)(FORGETTING_MS);
        stdin.off('data', forget).off('end', leave).off('error', leave).pause();
        stdin.setRawMode(false);
        if (!hasLeft)
            return;
        process.stderr.write('\n');
        throw new Left();
    }
    safe(text) {
        return (0,neutralise/* neutralise */.$0)(this.secrets.hidden(text));
    }
}

// EXTERNAL MODULE: ./src/command-line/given.ts
var command_line_given = __webpack_require__(5935);
// EXTERNAL MODULE: ./src/reporting/format.ts
var format = __webpack_require__(1267);
;// CONCATENATED MODULE: ./src/command-line/catalogue.ts


const HEAD = ['#', 'backup', 'age', 'size', 'proof', 'commit', 'rows of the largest tables'];
const MOST_CHARACTERS = 150;
/** The backups as a table for people, numbered from `first`; below a backup what is special about it. Nothing in it is more than one line. */
function catalogueLines(backups, first, now) {
    const rows = backups.map((one, at) => cellsOf(one, first + at, now));
    const widths = HEAD.map((head, at) => Math.max(head.length, ...rows.map((cells) => cells[at]?.length ?? 0)));
    const line = (cells) => `  ${cells.map((cell, at) => (at === 0 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ')}`.trimEnd();
    const below = ' '.repeat(4 + (widths[0] ?? 0));
    return [
        line(HEAD),
        ...backups.flatMap((one, at) => [line(rows[at] ?? []), ...specialIn(one).map((text) => `${below}${text}`)]),
    ];
}
function cellsOf({ id, createdAt, bytes, state, verifiedLevel, commit, largest = [] }, number, now) {
    return [
        String(number),
        id,
        (0,format/* formatAge */.nV)(now.getTime() - Date.parse(createdAt)),
        (0,format/* formatBytes */.z3)(bytes),
        state === 'ok' ? verifiedLevel : state,
        commit?.slice(0, 7) ?? '-',
        largest.length === 0
            ? '-'
            : largest.map(({ name, rows }) => `${oneLine(name, 40)} ${(0,format/* formatCount */.B4)(rows ?? 0)}`).join(', '),
    ];
}
/** What a person should know before choosing it. */
function specialIn({ state, detail, partial, pinned, encryption, reason }) {
    return [
        ...(state === 'ok' ? [] : [`${state}: ${detail ?? 'it does not count'}`]),
        ...(partial === undefined ? [] : [`partial: ${partial}`]),
        ...(reason === 'safety' ? ['the state before a restore'] : []),
        ...(pinned === null ? [] : [`pinned: ${pinned}`]),
        ...(encryption === undefined ? [] : [(0,format/* showEncrypted */.kh)(encryption, (recipient) => oneLine(recipient, 80))]),
    ].map((text) => oneLine(text, MOST_CHARACTERS));
}
const oneLine = (text, most) => (0,format/* clip */.$Q)((0,neutralise/* quoteOutside */.YM)(text, 4 * most).replaceAll('\n', ' '), most);

// EXTERNAL MODULE: ./src/command-line/exit-status.ts
var exit_status = __webpack_require__(4259);
;// CONCATENATED MODULE: ./src/command-line/restore-by-hand.ts




/** How many backups are shown at once. */
const PAGE = 20;
const MOST_TRIES = 3;
/** Which backup, what that would do, whether it is meant, then the restore. The exit status. */
async function restoreByHand(by) {
    const { conversation, run, isConfirmed } = by;
    try {
        const list = await run('list', {}, true);
        if (!list.ok)
            return (0,exit_status/* exitStatusOf */.et)(list);
        const id = await choose(by, list);
        if (id === null)
            return exit_status/* EXIT */.dc.failed;
        const plan = await run('restore', { backup: id, 'dry-run': 'true' }, false, !list.dryRun);
        if (!plan.ok || list.dryRun)
            return (0,exit_status/* exitStatusOf */.et)(plan);
        if (isConfirmed)
            return (0,exit_status/* exitStatusOf */.et)(await run('restore', { backup: id }, false));
        const confirm = await confirmed(conversation, plan);
        if (confirm === null)
            return exit_status/* EXIT */.dc.input;
        return (0,exit_status/* exitStatusOf */.et)(await run('restore', { backup: id, confirm }, false));
    }
    catch (error) {
        if (!(error instanceof Left))
            throw error;
        conversation.sayUnchanged();
        return exit_status/* EXIT */.dc.cancelled;
    }
}
/** One of several, by its number or name. Throws Left. */
async function chooseDatabase(conversation, names) {
    conversation.say(`Which database?\n\n${names.map((name, at) => `  ${at + 1}  ${name}`).join('\n')}\n`);
    for (;;) {
        const answer = await conversation.ask('A number or a name; q ends: ');
        if (answer === 'q')
            throw new Left();
        const chosen = names.includes(answer) ? answer : numbered(answer, names);
        if (chosen !== null)
            return chosen;
        conversation.say(answer === '' ? 'Please choose one.' : `There is no ${shown(answer)}.`);
    }
}
/** The id; null: there is none. Throws Left. */
async function choose({ conversation, now }, { backups, name, directory, latest }) {
    if (backups.length === 0) {
        conversation.say(`There is no backup of ${name} in ${directory}. To restore one from a store, give its id or its location: db-backup restore s3://...`);
        return null;
    }
    const newest = backups.findIndex(({ id }) => id === latest);
    conversation.say(`\nBackups of ${name} in ${directory}, newest first:\n`);
    let shownTo = page(conversation, backups, 0, now());
    for (;;) {
        const hasMore = shownTo < backups.length;
        const keys = [
            newest < 0 ? 'none of them is good' : `Enter takes ${newest + 1}, the newest good one`,
            ...(hasMore ? ['m shows older ones'] : []),
            'q ends',
        ];
        const answer = await conversation.ask(`${keys.join('; ')}\nWhich one (a number or an id)? `);
        if (answer === 'q')
            throw new Left();
        if (answer === 'm' && hasMore) {
            shownTo = page(conversation, backups, shownTo, now());
            continue;
        }
        const chosen = answer === '' ? backups[newest] : (backups.find(({ id }) => id === answer) ?? numbered(answer, backups));
        if (chosen)
            return chosen.id;
        conversation.say(answer === '' ? 'None is good, so choose one.' : `There is no ${shown(answer)} here.`);
    }
}
/** Returns how many have been shown by then. */
function page(conversation, backups, from, now) {
    const some = backups.slice(from, from + PAGE);
    const left = backups.length - from - some.length;
    conversation.say(`${catalogueLines(some, from + 1, now).join('\n')}\n${left === 0 ? '' : `\n  and ${left} older\n`}`);
    return from + some.length;
}
const numbered = (answer, all) => /^[1-9]\d{0,5}$/.test(answer) ? (all[Number(answer) - 1] ?? null) : null;
/** What was typed, when it is the name of the database; null: it never was. Throws Left. */
async function confirmed(conversation, { restore }) {
    const expected = restore?.targetName ?? '';
    conversation.say(`\nThis replaces ${restore?.target ?? ''}, as the plan above says.`);
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
        const answer = await conversation.ask(`Type the name of the database to go on (${expected}): `);
        if (answer === expected)
            return answer;
        conversation.say(`That is not its name: expected ${expected}, got ${answer === '' ? 'nothing' : shown(answer)}.`);
    }
    conversation.sayUnchanged();
    return null;
}
const shown = (answer) => (0,neutralise/* quoteOutside */.YM)(JSON.stringify(answer), 100);

;// CONCATENATED MODULE: ./src/command-line/by-hand.ts




// A restore by hand as the command line starts it.
/** The same for one database of the configuration, which is asked for where several may be meant; null: the person has left. */
async function withOneDatabase(asked, config, secrets) {
    const names = config?.targets.map(({ name }) => name).filter(isAmong(asked.targets)) ?? [];
    if (names.length < 2)
        return asked;
    const conversation = new Conversation(secrets);
    try {
        return { ...asked, targets: [await chooseDatabase(conversation, names)] };
    }
    catch (error) {
        if (!(error instanceof Left))
            throw error;
        conversation.sayUnchanged();
        return null;
    }
}
const isAmong = (targets) => (name) => targets.length === 0 || targets.includes(name);
/** `run`: as the command line runs what is asked. */
function restore(asked, secrets, run) {
    return restoreByHand({
        conversation: new Conversation(secrets),
        run: (command, inputs, isAside, asksNext = false) => run({
            ...asked,
            ...(asksNext ? { asksNext } : {}),
            command,
            inputs: besides(asked.inputs, command, inputs),
            quiet: isAside || (asked.quiet && inputs['dry-run'] === undefined), // the plan is to be seen
            json: isAside, // what it prints is shown in another way
        }),
        isConfirmed: asked.inputs.has('confirm'),
        now: () => new Date(),
    });
}
/** With these, and with what was given that means something to the command. No store is asked: all that is needed is on the host. */
function besides(given, command, more) {
    const inputs = new Map([...given].filter(([name]) => (0,declared_inputs/* isUsedBy */.fJ)(name, command)));
    for (const name of declared_inputs/* INPUT_NAMES */.Qh)
        if (name.startsWith('s3-'))
            inputs.set(name, (0,command_line_given/* literally */.Dk)(''));
    for (const [name, text] of Object.entries(more))
        inputs.set(name, (0,command_line_given/* literally */.Dk)(text));
    return inputs;
}


/***/ })

};
