export const id = 722;
export const ids = [722];
export const modules = {

/***/ 3722:
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
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
;// CONCATENATED MODULE: ./src/host/known-hosts.ts
/**
 * Decides from known_hosts lines and fingerprints whether a host is the right one. ssh2 brings no known_hosts reader and
 * accepts every host unless told otherwise. File format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; checked against `ssh-keygen -F`.
 */

/** Key types that ssh2 can check, best first, each with its signature algorithms: one RSA key has three. */
const ALGORITHMS = new Map([
    ['ssh-ed25519', ['ssh-ed25519']],
    ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
    ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
    ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
    ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']],
]);
/** Everything that ssh2 can check, best first. */
const SERVER_HOST_KEY_ALGORITHMS = [...ALGORITHMS.values()].flat();
/** The type of a raw public key blob, as it begins: `ssh-ed25519`; empty for what is too short, since a host may send anything. */
function keyType(key) {
    return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}
/** The fingerprint as `ssh-keygen -lf` prints it: `SHA256:` and unpadded base64. `key` is the raw public key blob. */
function fingerprint(key) {
    return `SHA256:${(0,external_node_crypto_.createHash)('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}
/** Finds the lines of a known_hosts file that are about this host and port, plain or hashed. */
function findHostKeys(text, host, port) {
    const name = nameInFile(host, port);
    const found = { keys: [], revoked: [], authorities: [], unreadableLines: [] };
    const lists = { '': found.keys, '@revoked': found.revoked, '@cert-authority': found.authorities };
    for (const [index, line] of text
        .replace(/^\uFEFF/, '')
        .split(/\r\n|\r|\n/)
        .entries()) {
        const fields = line.trim().split(/[ \t]+/);
        if (!fields[0] || fields[0].startsWith('#'))
            continue;
        const marker = fields[0].startsWith('@') ? (fields.shift() ?? '') : '';
        const [hosts = '', type = '', base64 = ''] = fields;
        const key = readKey(type, base64);
        if (key === null || !(marker in lists)) {
            found.unreadableLines.push(index + 1);
        }
        else if (matchesHost(hosts, name)) {
            lists[marker].push({ type, key, line: index + 1 });
        }
    }
    return found;
}
/**
 * Makes the rule by which one host is accepted: a known_hosts line or a fingerprint lists its key, and no line revokes it.
 * `fingerprints` are `SHA256:...` without padding. Where nothing can be accepted the host is still asked for each of its
 * keys, since what it shows and why nothing matched is what the user needs to know.
 */
function hostKeyPolicy(knownHosts, fingerprints, host, port) {
    const name = nameInFile(host, port);
    const found = findHostKeys(knownHosts, host, port);
    const usable = found.keys.filter((line) => ALGORITHMS.has(line.type) && !isIn(found.revoked, line.key));
    const tryOtherTypes = fingerprints.length > 0 || usable.length === 0;
    const comparedWith = [
        ...(usable.length > 0 ? [`the keys of ${name} in known-hosts (${listOf(usable)})`] : []),
        ...(fingerprints.length > 0 ? [`fingerprint (${fingerprints.join(', ')})`] : []),
    ].join(' and ');
    return {
        algorithms: order(new Set(usable.map((line) => line.type)), tryOtherTypes),
        tryOtherTypes,
        accepts: (key) => {
            if (isIn(found.revoked, key))
                return 'revoked';
            return isIn(usable, key) || fingerprints.includes(fingerprint(key)) ? 'accepted' : 'unknown';
        },
        warnings: warningsOf(found, name),
        comparedWith: usable.length > 0 || knownHosts === ''
            ? comparedWith
            : `${comparedWith || 'nothing'}; known-hosts: ${whyNothingMatches(found, knownHosts, host, port)}`,
    };
}
/** Without a port the default one is meant; OpenSSH writes any other as `[host]:port` and compares in lower case. */
function nameInFile(host, port) {
    return (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
}
/** The key blob, or null unless it is base64 of a whole key of the type that stands before it. */
function readKey(type, base64) {
    if (!/^[A-Za-z0-9+/]+=*$/.test(base64))
        return null;
    const key = Buffer.from(base64, 'base64');
    const fields = [];
    // RFC 4253: a sequence of strings, each after its length. A cut line ends inside one of them.
    for (let offset = 0; offset < key.length;) {
        if (key.length < offset + 4)
            return null;
        const end = offset + 4 + key.readUInt32BE(offset);
        if (end > key.length)
            return null;
        fields.push(key.subarray(offset + 4, end));
        offset = end;
    }
    return fields.length >= 2 && fields[0]?.toString('latin1') === type ? key : null;
}
function matchesHost(field, name) {
    if (field.startsWith('|')) {
        const [, version, salt = '', hash = ''] = field.split('|');
        if (version !== '1' || hash === '')
            return false;
        return (0,external_node_crypto_.createHmac)('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
    }
    const patterns = field.toLowerCase().split(',');
    // A negated pattern wins over all others of its line, wherever it stands.
    if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name)))
        return false;
    return patterns.some((pattern) => matchesPattern(pattern, name));
}
function matchesPattern(pattern, name) {
    const source = pattern
        .replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
        .replace(/\*+/g, '.*')
        .replace(/\?/g, '.');
    return pattern !== '' && new RegExp(`^${source}$`).test(name);
}
const isIn = (lines, key) => lines.some((line) => line.key.equals(key));
/**
 * The host shows the first of its keys that the client asks for. Unless only the known types are asked for, a host known
 * by its RSA key shows its Ed25519 key and is refused. With a fingerprint the other types follow: it may be one of theirs.
 */
function order(known, alsoOthers) {
    const types = [...ALGORITHMS.keys()];
    const asked = types
        .filter((type) => known.has(type))
        .concat(alsoOthers ? types.filter((type) => !known.has(type)) : []);
    return asked.flatMap((type) => ALGORITHMS.get(type) ?? []);
}
const listOf = (lines) => lines.map(({ type, line }) => `${type} in line ${line}`).join(', ');
function whyNothingMatches(found, knownHosts, host, port) {
    const name = nameInFile(host, port);
    const unreadable = found.unreadableLines.length > 0 ? `; these lines can not be read: ${found.unreadableLines.join(', ')}` : '';
    const supported = found.keys.filter((line) => ALGORITHMS.has(line.type));
    if (supported.length > 0)
        return `every key of ${name} is @revoked (${listOf(supported)})`;
    if (found.keys.length > 0) {
        return `only key types that are not supported match ${name} (${listOf(found.keys)}), expected one of ${[...ALGORITHMS.keys()].join(', ')}${unreadable}`;
    }
    if (found.authorities.length > 0) {
        return `only @cert-authority lines match ${name}, and host certificates can not be checked here: add the host's own key${unreadable}`;
    }
    if (port !== 22 && findHostKeys(knownHosts, host, 22).keys.length > 0) {
        return `no line for ${name}; there is one for ${host} without a port, which stands for port 22 alone${unreadable}`;
    }
    return `no line for ${name}${unreadable}`;
}
function warningsOf(found, name) {
    const numbers = (lines) => lines.map(({ line }) => line).join(', ');
    return [
        ...(found.authorities.length > 0
            ? [
                `known-hosts: the @cert-authority lines for ${name} have no effect, because host certificates can not be checked here (line ${numbers(found.authorities)})`,
            ]
            : []),
        ...(found.unreadableLines.length > 0
            ? [`known-hosts: lines that can not be read have no effect (line ${found.unreadableLines.join(', ')})`]
            : []),
    ];
}

;// CONCATENATED MODULE: ./src/host/ssh-failures.ts
/** Puts what goes wrong while connecting into words: what happened, to which hop, why, and what to do. */

const CLOSED_AT_ONCE = 'the other side closed the connection at once: what listens there is no SSH server, or a firewall, fail2ban or MaxStartups of sshd turns this address away';
const labelOf = (target) => `${target.username}@${target.host}:${target.port}`;
const placeOf = ({ isJump, target }) => `${isJump ? 'the jump host ' : ''}${target.host}:${target.port}`;
/** `seen`: type and fingerprint of each key that the host showed. */
function hostKeyRefused(hop, why, seen) {
    const { host, port } = hop.target;
    const hosts = port === 22 ? host : `[${host}]:${port}`;
    const offered = seen.length === 0 ? 'none of a type that can be checked here' : seen.join(', ');
    return new errors/* BackupError */.hj('E_HOSTKEY', `the host key of ${placeOf(hop)} ${why}. Offered: ${offered}. Compared with ${hop.policy.comparedWith}`, `No credential was sent. On that host itself (its console, not this connection) run \`for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done\`. Only when it prints an offered fingerprint, put that into \`fingerprint\`, or the key into \`known-hosts\` as a line that begins with \`${hosts}\` (\`ssh-keyscan -p ${port} ${host}\` prints it); otherwise somebody may stand between.`);
}
/** The connection failed before or in authentication, and the host key was not the reason. */
function connectFailed(hop, error) {
    if (error instanceof errors/* BackupError */.hj)
        return error;
    const { target, isJump, timeoutMs } = hop;
    const { level, code } = error;
    const where = placeOf(hop);
    if (level === 'client-authentication' || /authentication methods failed/.test(error.message)) {
        return new errors/* BackupError */.hj('E_AUTH', `${where} refused the key of ${target.username} (the host key was right)`, `Nothing was run. Add this line to ~${target.username}/.ssh/authorized_keys there, or correct \`${isJump ? 'jump-host' : 'username'}\`: ${target.key.publicLine}`, { cause: error });
    }
    const input = isJump ? 'jump-host' : 'host';
    const causes = {
        ENOTFOUND: `the name is not known to DNS; check \`${input}\``,
        EAI_AGAIN: `DNS did not answer; check \`${input}\`, and the network of the runner`,
        ECONNREFUSED: `nothing listens on that port; check \`${isJump ? input : 'port'}\`, and that sshd runs`,
        ECONNRESET: CLOSED_AT_ONCE,
        EHOSTUNREACH: 'there is no route to it',
        ENETUNREACH: 'there is no route to it',
    };
    const timedOut = level === 'client-timeout' || code === 'ETIMEDOUT' || /Timed out/.test(error.message);
    const why = timedOut
        ? `no answer within ${timeoutMs / 1000} s (connect-timeout); a firewall drops the packets, or the address is wrong`
        : (causes[code ?? ''] ?? (/before handshake/.test(error.message) ? CLOSED_AT_ONCE : error.message));
    return new errors/* BackupError */.hj('E_CONNECT', `could not connect to ${where}: ${why}`, undefined, { cause: error });
}
/** `reason` is that of RFC 4254, 5.1: 1 prohibited, 2 connect failed. */
function forwardFailed(jump, to, why, reason) {
    const target = `${to.host}:${to.port}`;
    return new errors/* BackupError */.hj('E_CONNECT', reason === 1
        ? `${placeOf(jump)} forbids forwarding to ${target}: ${why}`
        : `${placeOf(jump)} could not connect to ${target}: ${why}`, reason === 1
        ? 'Nothing was run. In its sshd_config allow it: `AllowTcpForwarding yes` and no `PermitOpen` or `restrict` that excludes the target.'
        : `Nothing was run. Check \`host\` and \`port\` as the jump host sees them, that sshd runs there, and the firewall between the two.`);
}
function lostBeforeShell(label, why) {
    return new errors/* BackupError */.hj('E_REMOTE_LOST', `the connection to ${label} was lost before the session began: ${why ?? 'closed'}`);
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
        const policy = hostKeyPolicy(settings.knownHosts, settings.fingerprints, target.host, target.port);
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
    let { algorithms, tryOtherTypes } = policy;
    for (;;) {
        signal.throwIfAborted();
        const key = { type: '', verdict: '' };
        const client = new esm/* NodeSSH */.H();
        // noDelay halves the round trips of connecting: ssh2 writes one packet in three pieces.
        const stream = through === null ? (0,external_node_net_.connect)({ host: target.host, port: target.port, noDelay: true }) : await through();
        const close = closing(client, stream);
        closes.push(close);
        const connecting = client.connect({
            sock: stream,
            username: target.username,
            privateKey: target.key.pem,
            ...(target.key.passphrase === undefined ? {} : { passphrase: target.key.passphrase }),
            authHandler: ['publickey'],
            algorithms: { serverHostKey: [...algorithms] },
            hostVerifier: (blob) => {
                key.type = keyType(blob);
                key.verdict = policy.accepts(blob);
                seen.push(`${key.type} ${fingerprint(blob)}`);
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
                throw hostKeyRefused(hop, 'is revoked by an @revoked line', seen);
            if (key.verdict === 'accepted' && cause.message.includes('signature')) {
                throw hostKeyRefused(hop, 'was shown by somebody who does not hold it', seen);
            }
            const hasNone = key.verdict === '' && cause.message.includes('no matching host key format');
            if (key.verdict !== 'unknown' && !hasNone)
                throw connectFailed(hop, cause);
            if (tryOtherTypes && !hasNone) {
                algorithms = algorithms.filter((name) => !isOfType(name, key.type));
            }
            else if (!tryOtherTypes && hasNone) {
                // It has none of the known types. Ask for the others, to be able to say what it has.
                tryOtherTypes = true;
                algorithms = SERVER_HOST_KEY_ALGORITHMS.filter((name) => !algorithms.includes(name));
            }
            else
                algorithms = [];
            if (algorithms.length === 0)
                throw hostKeyRefused(hop, 'is not a known one', seen);
        }
    }
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
