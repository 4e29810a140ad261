export const id = 593;
export const ids = [593];
export const modules = {

/***/ 6593:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  connectSsh: () => (/* binding */ connectSsh)
});

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __webpack_require__(7030);
// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __webpack_require__(7075);
// EXTERNAL MODULE: ./node_modules/node-ssh/lib/esm/index.mjs + 2 modules
var esm = __webpack_require__(9487);
// EXTERNAL MODULE: ./node_modules/ssh2/lib/index.js
var lib = __webpack_require__(5472);
var lib_default = /*#__PURE__*/__webpack_require__.n(lib);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/host/known-hosts.ts
var known_hosts = __webpack_require__(7879);
;// CONCATENATED MODULE: ./src/host/ssh-failures.ts
/** Puts what goes wrong while connecting into words: what happened, to which hop, why, and what to do. */


const CLOSED_AT_ONCE = "the other side closed the connection at once: it is not an SSH server, or a firewall, fail2ban or sshd's MaxStartups rejects this address";
const labelOf = (target) => `${target.username}@${target.host}:${target.port}`;
const placeOf = ({ isJump, target }) => `${isJump ? 'the jump host ' : ''}${target.host}:${target.port}`;
/** `seen`: type and fingerprint of each key that the host showed. */
function hostKeyRefused(hop, why, seen, offer) {
    const { host, port } = hop.target;
    const name = (0,known_hosts/* nameInFile */.tx)(host, port);
    if (offer.signsSha1Alone && seen.length === 0) {
        return new errors/* BackupError */.hj('E_HOSTKEY', `${placeOf(hop)} can prove its host key only with SHA-1 (ssh-rsa), which is no longer secure. Offered: ${offer.hostKeys}. Compared with ${hop.policy.comparedWith}`, `Install OpenSSH 7.2 or newer on that host, with \`rsa-sha2-512\` in \`HostKeyAlgorithms\` of its sshd_config. Or give it a key of another type (\`ssh-keygen -A\`, and \`HostKey /etc/ssh/ssh_host_ed25519_key\` in sshd_config), and add that to \`known-hosts\` as a line that begins with \`${name}\`. No credential was sent.`);
    }
    const none = `none of a type that can be checked here${offer.hostKeys === '' ? '' : ` (${offer.hostKeys})`}`;
    const weak = offer.signsSha1Alone ? ', and an RSA key with SHA-1 signatures (ssh-rsa), which are not accepted' : '';
    const offered = `${seen.length === 0 ? none : seen.join(', ')}${weak}`;
    return new errors/* BackupError */.hj('E_HOSTKEY', `the host key of ${placeOf(hop)} ${why}. Offered: ${offered}. Compared with ${hop.policy.comparedWith}`, `On that host itself (its console, not this connection), run \`for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done\`. Only if it prints an offered fingerprint, set \`fingerprint\` to \`${name} SHA256:...\`, or add the key to \`known-hosts\` as a line that begins with \`${name}\` (\`ssh-keyscan -p ${port} ${host}\` prints it). Otherwise somebody may be intercepting the connection. No credential was sent.`);
}
/** The connection failed before or in authentication, and the host key was not the reason. */
function connectFailed(hop, error, offer, proof) {
    if (error instanceof errors/* BackupError */.hj)
        return error;
    const { isJump, timeoutMs } = hop;
    const { level, code } = error;
    const where = placeOf(hop);
    if (level === 'client-authentication' || /authentication (methods failed|failures)/.test(error.message)) {
        return keyRefused(hop, error, proof);
    }
    const disagreement = offer.disagreement(error.message);
    if (disagreement !== null) {
        return new errors/* BackupError */.hj('E_CONNECT', `could not connect to ${where}: ${disagreement.why}`, `In sshd_config of that host, set \`${disagreement.line}\`, then run \`systemctl reload ssh\`. Or install a newer OpenSSH there.`, { cause: error });
    }
    const input = isJump ? 'jump-host' : 'host';
    const causes = {
        ENOTFOUND: `DNS does not know the name; check \`${input}\``,
        EAI_AGAIN: `DNS did not answer; check \`${input}\`, and the network of the runner`,
        ECONNREFUSED: `nothing listens on that port; check \`${isJump ? input : 'port'}\`, and that sshd is running`,
        ECONNRESET: CLOSED_AT_ONCE,
        EHOSTUNREACH: 'there is no route to it',
        ENETUNREACH: 'there is no route to it',
    };
    const timedOut = level === 'client-timeout' || code === 'ETIMEDOUT' || /Timed out/.test(error.message);
    const why = timedOut
        ? `no answer within ${timeoutMs / 1000} s (connect-timeout); a firewall drops the packets, or the address is wrong`
        : (causes[code ?? ''] ?? (/before handshake/.test(error.message) ? CLOSED_AT_ONCE : error.message));
    // the one of E_CONNECT is about the database as well
    const hint = `Check \`${input}\`${isJump ? '' : ', `port`'} and the firewall; GitHub's runners have changing addresses.`;
    return new errors/* BackupError */.hj('E_CONNECT', `could not connect to ${where}: ${why}`, hint, { cause: error });
}
/** The host was the right one, and did not let the user in. */
function keyRefused(hop, cause, { left, isPartial, key }) {
    const { target, isJump } = hop;
    const { username } = target;
    const where = placeOf(hop);
    const known = left.filter((name) => Object.hasOwn(METHODS, name)).map((name) => METHODS[name]);
    const methods = known.join(' or ') || 'an unknown method';
    const refused = (message, hint) => new errors/* BackupError */.hj('E_AUTH', message, hint, { cause });
    if (isPartial) {
        return refused(`${where} accepted the key of ${username}, but also asks for a second factor: ${methods}`, `Exempt this user in sshd_config of that host: \`Match User ${username}\`, and below it \`AuthenticationMethods publickey\`. Or use a separate user for backups that needs no second factor. A run without a person has only its key.`);
    }
    if (left.length > 0 && !left.includes('publickey')) {
        return refused(`${where} does not accept a key from ${username}, only ${methods}`, `In sshd_config of that host, set \`PubkeyAuthentication yes\`, also in any \`Match\` block for this user. Then add this line to ~${username}/.ssh/authorized_keys there: ${target.key.publicLine}`);
    }
    const rsa = key.type === 'ssh-rsa'
        ? ' If the line is already there, that server may not accept RSA keys (`PubkeyAcceptedAlgorithms`): create an Ed25519 key with `ssh-keygen -t ed25519`.'
        : '';
    return refused(`${where} refused the key of ${username} (the host key was correct)`, `Add this line to ~${username}/.ssh/authorized_keys there, or correct \`${isJump ? 'jump-host' : 'username'}\`: ${target.key.publicLine}${rsa}`);
}
/** Of RFC 4252 and RFC 4256. A server may name any. */
const METHODS = {
    publickey: 'another key',
    password: 'a password',
    'keyboard-interactive': 'an interactive answer, such as a code (keyboard-interactive)',
    hostbased: 'the identity of a known host (hostbased)',
    'gssapi-with-mic': 'a Kerberos ticket (gssapi-with-mic)',
};
/** `reason` is that of RFC 4254, 5.1: 1 prohibited, 2 connect failed. */
function forwardFailed(jump, to, why, reason) {
    const target = `${to.host}:${to.port}`;
    return new errors/* BackupError */.hj('E_CONNECT', reason === 1
        ? `${placeOf(jump)} forbids forwarding to ${target}: ${why}`
        : `${placeOf(jump)} could not connect to ${target}: ${why}`, reason === 1
        ? 'Allow it in its sshd_config: `AllowTcpForwarding yes`, and no `PermitOpen` or `restrict` that excludes the target.'
        : `Check \`host\` and \`port\` as the jump host sees them, that sshd is running there, and the firewall between the two.`);
}
function lostBeforeShell(label, why) {
    return new errors/* BackupError */.hj('E_REMOTE_LOST', `the connection to ${label} was lost before the session began: ${why ?? 'closed'}`);
}

;// CONCATENATED MODULE: ./src/host/ssh-offer.ts
/** What two sides of an SSH connection can agree on, as far as it is needed to say why they do not. */
/** The kinds of algorithms that both sides must have in common, by what ssh2 says when they have none. */
const KINDS = {
    'key exchange algorithm': { list: 'KEX method', option: 'KexAlgorithms', add: 'curve25519-sha256' },
    'C->S cipher': { list: 'C->S cipher', option: 'Ciphers', add: 'aes256-gcm@openssh.com' },
    'S->C cipher': { list: 'S->C cipher', option: 'Ciphers', add: 'aes256-gcm@openssh.com' },
    'C->S MAC': { list: 'C->S MAC', option: 'MACs', add: 'hmac-sha2-256-etm@openssh.com' },
    'S->C MAC': { list: 'S->C MAC', option: 'MACs', add: 'hmac-sha2-256-etm@openssh.com' },
};
const SHOWN = 12;
/** The lists of one server, and of this client. */
class Offer {
    /** It said which signatures it takes (RFC 8308). */
    tellsSignatures = false;
    lists = new Map();
    /** Takes the lines that ssh2 prints for debugging, the only place where it tells the lists. */
    listen = (line) => {
        if (line === 'Inbound: Received EXT_INFO')
            this.tellsSignatures = true;
        const [, list, names = ''] = /^Handshake: (\((?:local|remote)\) [^:]*): (.*)$/s.exec(line) ?? [];
        if (list !== undefined)
            this.lists.set(list, names.split(','));
    };
    /** It has an RSA host key, and signs with it by SHA-1 alone. */
    get signsSha1Alone() {
        const names = this.lists.get('(remote) Host key format') ?? [];
        return names.includes('ssh-rsa') && !names.some((name) => name.startsWith('rsa-sha2-'));
    }
    /** The signatures of its host keys; empty when they are not known. */
    get hostKeys() {
        return shown(this.lists.get('(remote) Host key format'));
    }
    /** Why the two can not talk, and the line of sshd_config that ends it; null when an error of ssh2 is about something else. */
    disagreement(error) {
        const kind = /^Handshake failed: no matching (.+)$/i.exec(error)?.[1];
        if (kind === undefined || !Object.hasOwn(KINDS, kind))
            return null;
        const { list, option, add } = KINDS[kind];
        const [theirs, ours] = ['(remote)', '(local)'].map((side) => shown(this.lists.get(`${side} ${list}`)));
        const what = kind.replace(/^(C->S|S->C) /, '');
        return {
            why: `it shares no ${what} with this action: it offers ${theirs || 'an unknown list'}, and this action supports ${ours || 'others'}`,
            line: `${option} +${add}`,
        };
    }
}
/** Names as algorithms have them; a server may send anything. */
function shown(names = []) {
    const plain = names.filter((name) => /^[\w.@+-]{1,64}$/.test(name));
    const more = plain.length > SHOWN ? ` and ${plain.length - SHOWN} more` : '';
    return plain.slice(0, SHOWN).join(', ') + more;
}

;// CONCATENATED MODULE: ./src/host/ssh-proof.ts
/** How one key is offered to one server, and what it answered. */
class KeyProof {
    username;
    key;
    /** What the server would take after the last refusal: `publickey`, `password`. */
    left = [];
    /** It took the key, and wants something else as well. */
    isPartial = false;
    attempts;
    constructor(username, key, offer) {
        this.username = username;
        this.key = key;
        // By itself ssh2 signs with SHA-256 as soon as the server knows it, also where it takes SHA-512 alone: sshd tells all that it
        // knows, not what its PubkeyAcceptedAlgorithms leave. SHA-1 is for servers that do not say what they know.
        this.attempts =
            key.type === 'ssh-rsa'
                ? [
                    () => signing(key, 'rsa-sha2-512', 'sha512'),
                    () => signing(key, 'rsa-sha2-256', 'sha256'),
                    () => (offer.tellsSignatures ? null : key),
                ]
                : [() => key];
    }
    /** For ssh2: called before the first attempt, and after each refusal. */
    next = (left, partial, next) => {
        this.left = left ?? [];
        this.isPartial = partial ?? false;
        const asked = left == null || left.includes('publickey');
        const key = this.isPartial || !asked ? null : (this.attempts.shift()?.() ?? null);
        next(key === null ? false : { type: 'publickey', username: this.username, key });
    };
}
/** The same key under the name of one kind of signature, by which ssh2 leaves the choice of the kind to us. */
function signing(key, name, hash) {
    const sign = (data) => key.sign(data, hash);
    return Object.assign(Object.create(key), { type: name, sign });
}

;// CONCATENATED MODULE: ./src/host/ssh.ts









/** Three keepalives of 10 s that stay unanswered: a dead link is noticed within 40 s. */
const KEEPALIVE = { keepaliveInterval: 10_000, keepaliveCountMax: 3 };
const GOODBYE_MS = 1_000;
/** What is left of the output after the exit status. Longer only when an orphan holds the channel open. */
const LAST_WORDS_MS = 3_000;
/**
 * Connects, through the jump host when there is one; on each hop the host key is checked before authentication.
 * Throws E_HOSTKEY, E_CONNECT or E_AUTH. `warn` gets what the user should know about `known-hosts`.
 */
async function connectSsh(settings, warn, signal) {
    const closes = [];
    const closeAll = () => {
        for (const close of closes.toReversed())
            close();
    };
    const hopTo = (target, isJump) => {
        const policy = (0,known_hosts/* hostKeyPolicy */.An)(settings.knownHosts, settings.fingerprints, target.host, target.port);
        for (const warning of policy.warnings)
            warn(warning);
        return { target, isJump, policy, timeoutMs: settings.connectTimeoutMs };
    };
    // Until there is a session to end; from then on it is the session that ends, and waits for the host to clean up.
    signal.addEventListener('abort', closeAll);
    try {
        const last = hopTo(settings, false);
        let through = null;
        if (settings.jump !== null) {
            const jump = hopTo(settings.jump, true);
            const shared = (0,known_hosts/* sharedLines */.vK)(settings.knownHosts, settings, settings.jump);
            if (shared !== null)
                warn(shared);
            const jumpClient = await connectHop(jump, null, closes, signal);
            through = () => forward(jumpClient, jump, settings);
        }
        const client = await connectHop(last, through, closes, signal);
        return new SshHost(labelOf(settings), client, closeAll);
    }
    catch (error) {
        closeAll();
        throw error;
    }
    finally {
        signal.removeEventListener('abort', closeAll);
    }
}
class SshHost {
    label;
    client;
    close;
    lost = null;
    constructor(label, client, close) {
        this.label = label;
        this.client = client;
        this.close = close;
        client.connection?.on('error', (error) => {
            this.lost ??= error.message;
        });
        client.connection?.on('close', () => {
            this.lost ??= 'closed by the other side';
        });
    }
    async openShell() {
        const { connection } = this.client;
        if (connection === null)
            throw lostBeforeShell(this.label, this.lost);
        return new Promise((resolve, reject) => {
            // The one constant command that passes through the login shell; everything else goes over stdin. The shell listens at
            // once: the exit status of a login that ends at once may come with the very answer.
            connection.exec('sh -s', (error, channel) => error ? reject(error) : resolve(new ChannelShell(channel, () => this.lost)));
            connection.once('close', () => reject(new Error(this.lost ?? 'closed')));
        }).catch((error) => {
            throw this.lost === null
                ? new errors/* BackupError */.hj('E_SHELL', `${this.label} refused to run a command: ${error.message}`)
                : lostBeforeShell(this.label, this.lost);
        });
    }
}
class ChannelShell {
    channel;
    closed;
    constructor(channel, lost) {
        this.channel = channel;
        const end = { code: null, signal: null, lost: null };
        channel.on('error', () => { }); // a write after the other side has gone; `close` tells it
        this.closed = new Promise((resolve) => {
            let timer;
            channel.on('exit', (code, signal) => {
                end.code = code;
                end.signal = signal ?? null;
                timer = setTimeout(() => resolve(end), LAST_WORDS_MS);
            });
            channel.on('close', () => {
                clearTimeout(timer);
                resolve(end.code === null && end.signal === null ? { ...end, lost: lost() } : end);
            });
        });
    }
    write(text) {
        if (this.channel.writable)
            this.channel.write(text);
    }
    end() {
        if (this.channel.writable)
            this.channel.end();
    }
    onStdout(listener) {
        this.channel.on('data', listener);
    }
    onStderr(listener) {
        this.channel.stderr.on('data', listener);
    }
    /** The channel itself does not keep to the rules of streams when it is destroyed. */
    output() {
        return this.channel.pipe(new external_node_stream_.PassThrough()).once('close', () => this.channel.close());
    }
    /** As with `output`; one that came to its end leaves the shell to itself. */
    input() {
        const input = new external_node_stream_.PassThrough();
        input.once('close', () => {
            if (!input.writableFinished)
                this.channel.close();
        });
        input.pipe(this.channel);
        return input;
    }
}
/**
 * One hop. A host shows one key, the first that it has of the types asked for. Where a key of any type could be the right
 * one, each type that the host has is asked for in turn; nothing is sent to a host that was not accepted.
 */
async function connectHop(hop, through, closes, signal) {
    const { target, policy } = hop;
    const seen = [];
    const privateKey = parsed(target.key);
    let { algorithms, tryOtherTypes } = policy;
    for (;;) {
        signal.throwIfAborted();
        const key = { type: '', verdict: '' };
        const offer = new Offer();
        const proof = new KeyProof(target.username, privateKey, offer);
        const client = new esm/* NodeSSH */.H();
        // noDelay halves the round trips of connecting: ssh2 writes one packet in three pieces.
        const stream = through === null ? (0,external_node_net_.connect)({ host: target.host, port: target.port, noDelay: true }) : await through();
        const close = closing(client, stream);
        closes.push(close);
        const connecting = client.connect({
            sock: stream,
            username: target.username,
            authHandler: proof.next,
            debug: offer.listen,
            algorithms: { serverHostKey: [...algorithms] },
            hostVerifier: (blob) => {
                key.type = (0,known_hosts/* keyType */.iE)(blob);
                key.verdict = policy.accepts(blob);
                seen.push(`${key.type} ${(0,known_hosts/* fingerprint */.Rj)(blob)}`);
                return key.verdict === 'accepted';
            },
            readyTimeout: hop.timeoutMs,
            ...KEEPALIVE,
        });
        // A second error may follow the first, and later ones have no other listener: without this one they end the process.
        client.connection?.on('error', () => { });
        try {
            await connecting;
            return client;
        }
        catch (error) {
            close();
            closes.splice(closes.indexOf(close), 1);
            const cause = error instanceof Error ? error : new Error(String(error));
            if (key.verdict === 'revoked')
                throw hostKeyRefused(hop, 'is revoked by an @revoked line', seen, offer);
            if (key.verdict === 'accepted' && cause.message.includes('signature')) {
                throw hostKeyRefused(hop, 'was sent by somebody who does not have the private key', seen, offer);
            }
            const hasNone = key.verdict === '' && cause.message.includes('no matching host key format');
            if (key.verdict !== 'unknown' && !hasNone)
                throw connectFailed(hop, cause, offer, proof);
            algorithms = nextToAsk(algorithms, { tryOtherTypes, hasNone, shown: key.type });
            if (algorithms.length === 0)
                throw hostKeyRefused(hop, 'is not known', seen, offer);
            tryOtherTypes ||= hasNone;
        }
    }
}
/**
 * The algorithms to ask the host for after it has shown a key of a type that is not a known one, or has none of those asked for: empty when
 * there is nothing more to ask.
 */
function nextToAsk(algorithms, { tryOtherTypes, hasNone, shown }) {
    if (tryOtherTypes && !hasNone)
        return algorithms.filter((name) => !isOfType(name, shown));
    // It has none of the known types. Ask for the others, to be able to say what it has.
    if (!tryOtherTypes && hasNone)
        return known_hosts/* SERVER_HOST_KEY_ALGORITHMS */.ik.filter((name) => !algorithms.includes(name));
    return [];
}
/** It was read and proven with the inputs. */
function parsed({ pem, passphrase }) {
    const key = [lib_default().utils.parseKey(pem, passphrase)].flat()[0];
    if (key === undefined || key instanceof Error)
        throw key ?? new Error('no key');
    return key;
}
const isOfType = (algorithm, type) => algorithm === type || (type === 'ssh-rsa' && algorithm.startsWith('rsa-sha2-'));
/** Ends one connection. A link that died silently never answers the goodbye, and would keep this process waiting. */
function closing(client, stream) {
    stream.on('error', () => { }); // it may come after ssh2 has stopped listening
    return () => {
        client.dispose();
        setTimeout(() => stream.destroy(), GOODBYE_MS).unref();
    };
}
function forward(jumpClient, jump, to) {
    return new Promise((resolve, reject) => {
        const fail = (why, reason) => reject(forwardFailed(jump, to, why, reason));
        if (jumpClient.connection === null) {
            fail('it closed the connection');
            return;
        }
        // Its sshd waits for the target as long as TCP does there, which is minutes.
        const timer = setTimeout(() => fail(`no answer within ${jump.timeoutMs / 1000} s (connect-timeout)`), jump.timeoutMs);
        jumpClient.connection.forwardOut('127.0.0.1', 0, to.host, to.port, (error, channel) => {
            clearTimeout(timer);
            if (error)
                fail(error.message, error.reason);
            else
                resolve(channel);
        });
    });
}


/***/ })

};
