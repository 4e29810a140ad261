export const id = 486;
export const ids = [486];
export const modules = {

/***/ 5486:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  S3Store: () => (/* binding */ S3Store)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: ./node_modules/@aws-sdk/client-s3/dist-cjs/index.js
var dist_cjs = __webpack_require__(3711);
// EXTERNAL MODULE: ./node_modules/@aws-sdk/s3-request-presigner/dist-cjs/index.js
var s3_request_presigner_dist_cjs = __webpack_require__(8505);
// EXTERNAL MODULE: ./src/backups/manifest-size.ts
var manifest_size = __webpack_require__(2502);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/reporting/neutralise.ts
var neutralise = __webpack_require__(4302);
;// CONCATENATED MODULE: ./src/stores/s3/failures.ts


/** A refusal that did not come through the SDK. */
class StoreRefused extends Error {
    refusal;
    name = 'StoreRefused';
    constructor(refusal) {
        super(`${refusal.code}: ${refusal.message}`);
        this.refusal = refusal;
    }
}
/** What a store that honours conditions would have answered. */
const TAKEN = {
    ...{ status: 412, code: 'PreconditionFailed', region: null, clock: null },
    message: 'found by a check before the upload',
};
/** Of whatever the SDK throws. */
function refusalOf(error) {
    if (error instanceof StoreRefused)
        return error.refusal;
    const thrown = (typeof error === 'object' && error !== null ? error : {});
    const headers = thrown.$response?.headers ?? {};
    // the SDK names an answer without a body by its status or `Unknown`
    const named = thrown.Code ?? thrown.code ?? thrown.name ?? '';
    return {
        status: thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode ?? null,
        code: /^(?:Error|\d+|Unknown(?:Error)?)$/.test(String(named)) ? '' : String(named),
        message: error instanceof Error ? error.message : String(error),
        region: headers['x-amz-bucket-region'] ?? thrown.Region ?? null,
        clock: headers.date ?? null,
    };
}
/** Of an answer that curl got: its status, and the beginning of its body. */
function refusalIn(status, body) {
    const field = (name) => new RegExp(`<${name}>([^<]{1,500})</${name}>`).exec(body)?.[1] ?? null;
    return {
        status,
        code: field('Code') ?? '',
        message: field('Message') ?? body.slice(0, 300),
        region: field('Region'),
        clock: field('ServerTime'),
    };
}
const PASSING = [
    ...['InternalError', 'SlowDown', 'ServiceUnavailable', 'Throttling', 'ThrottlingException', 'RequestTimeout'],
    ...['RequestLimitExceeded', 'BandwidthLimitExceeded', 'OperationAborted', 'ConditionalRequestConflict'],
    ...['TimeoutError', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
    ...['ERR_STREAM_PREMATURE_CLOSE', 'UND_ERR_SOCKET'],
    // the bytes were damaged on the way: those that are here are sent again
    ...['BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody'],
];
/** It may be otherwise when it is tried again. */
function isPassing({ status, code }) {
    return PASSING.includes(code) || (status !== null && (status >= 500 || status === 429) && status !== 501);
}
/** The condition does not hold: when something is written, there is an object under that name already. */
const isTaken = ({ status, code }) => status === 412 || code === 'PreconditionFailed';
/** The store does not know the condition that was asked for. */
const isUnknownHeader = ({ status, code }) => status === 501 || code === 'NotImplemented';
/** When something is read: it is not the object any more that it was. */
const isChanged = isTaken;
const isMissing = ({ status, code }) => ['NotFound', 'NoSuchKey', 'NoSuchUpload'].includes(code) || (status === 404 && code === '');
/** An object that is locked against deletion, as the stores put it; not who may not delete it, whose name may say anything. */
const isHeld = ({ status, code, message }) => status !== null &&
    status >= 400 &&
    status < 500 &&
    !/not authorized/i.test(message) &&
    /object.?lock|retention.?(period|policy)|legal.?hold|WORM.?protected|immutable/i.test(`${code} ${message}`);
/** Puts a refusal into words: what happened, why, what to do, what was left untouched. `tries` is how often it was tried. */
function explainRefusal(refusal, attempt, s3, tries = 1) {
    const told = TELLERS.map((tell) => tell(refusal, attempt, s3, tries)).find((one) => one !== null);
    return told ?? unknown(refusal, attempt, s3, tries);
}
const failed = (code, attempt, why, hint) => new errors/* BackupError */.hj(code, `${attempt.what} failed: ${why}`, hint);
const said = ({ status, code, message }) => (0,neutralise/* quoteOutside */.YM)([status === null ? '' : `HTTP ${status}`, code, message].filter((part) => part !== '').join(' '), 500);
const where = (s3) => s3.endpoint ?? `AWS (${s3.region})`;
const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'];
const TELLERS = [
    function credentials(refusal, attempt, s3) {
        const { status, code, message } = refusal;
        if (code === 'CredentialsProviderError' || code === 'TokenProviderError') {
            return failed('E_S3_AUTH', attempt, 'no credentials were found', 'Run aws-actions/configure-aws-credentials before this step, in the same job and with `permissions: id-token: write`, or set `s3-access-key-id` and `s3-secret-access-key`.');
        }
        if (EXPIRED.includes(code) || (status === 403 && /expired/i.test(message))) {
            return failed('E_S3_AUTH', attempt, `the credentials have expired (${said(refusal)})`, 'Assume the role for longer (`role-duration-seconds`), or assume it right before this step.');
        }
        if (code === 'RequestTimeTooSkewed') {
            const clock = refusal.clock === null ? '' : `; the store says ${(0,neutralise/* quoteOutside */.YM)(refusal.clock, 60)}`;
            return failed('E_S3_AUTH', attempt, `the clocks of the runner and the store differ by more than 15 minutes: the runner says ${new Date().toISOString()}${clock}`, 'Correct the clock that is wrong. On a self-hosted runner, run `timedatectl set-ntp true`.');
        }
        if (code === 'InvalidAccessKeyId' || code === 'InvalidToken' || code === 'InvalidClientTokenId') {
            return failed('E_S3_AUTH', attempt, `${where(s3)} does not know the ${code === 'InvalidToken' ? 'session token' : 'access key'} (${said(refusal)})`, 'Correct `s3-access-key-id`, and `s3-session-token` if the key is temporary. Check that the key belongs to this store.');
        }
        if (code === 'SignatureDoesNotMatch') {
            return failed('E_S3_AUTH', attempt, `the signature is wrong (${said(refusal)})`, 'Correct `s3-secret-access-key`: it does not belong to that access key, or a character is missing. A proxy that changes requests also causes this.');
        }
        return null;
    },
    function bucket(refusal, attempt, s3) {
        const { status, code } = refusal;
        const region = refusal.region ?? /expecting '([a-z0-9-]+)'/.exec(refusal.message)?.[1] ?? null;
        const moved = [301, 307, 308].includes(status ?? 0) || code === 'PermanentRedirect';
        if (moved || code === 'AuthorizationHeaderMalformed' || code === 'IllegalLocationConstraintException') {
            const right = region === null || region === s3.region ? '' : `, but in ${(0,neutralise/* quoteOutside */.YM)(region, 60)}`;
            return failed('E_S3_BUCKET', attempt, `the bucket ${s3.bucket} is not in the region ${s3.region}${right} (${said(refusal)})`, `Set \`s3-region\`${right === '' ? ' to the region of the bucket' : `: ${(0,neutralise/* quoteOutside */.YM)(region ?? '', 60)}`}.`);
        }
        if (code === 'NoSuchBucket' || code === 'InvalidBucketName' || (status === 404 && code === '')) {
            return failed('E_S3_BUCKET', attempt, `there is no bucket ${s3.bucket} at ${where(s3)} (${said(refusal)})`, 'Correct `s3-bucket`, `s3-region` or `s3-endpoint`, or create the bucket.');
        }
        return null;
    },
    function unsupported(refusal, attempt, s3) {
        const { status, code, message } = refusal;
        const names = askedFor(s3);
        if (names.length === 0 || status === null || status >= 500 !== (status === 501))
            return null;
        if (isDenial(refusal))
            return null; // which names the right that is lacking, for example to retention
        const text = `${code} ${message}`;
        const about = names.filter((name) => ABOUT[name]?.test(text));
        const unclear = status === 501 || ['NotImplemented', 'InvalidArgument', 'InvalidRequest'].includes(code);
        if (about.length === 0 && !unclear)
            return null;
        return notSupported(about.length === 0 ? names : about, attempt, said(refusal));
    },
    function archived(refusal, attempt) {
        if (refusal.code !== 'InvalidObjectState')
            return null;
        return failed('E_NOT_FOUND', attempt, `it is archived, and must be retrieved from the archive first (${said(refusal)})`, 'Run `aws s3api restore-object`, wait until it is done, and run again.');
    },
    function denied(refusal, attempt) {
        if (!isDenial(refusal))
            return null;
        return failed('E_S3_AUTH', attempt, `the credentials do not allow that (${said(refusal)})`, `Allow \`${attempt.right}\` on the bucket and its objects for these credentials. The policy of the bucket, or of the key that encrypts it, can also deny it.`);
    },
    function damaged(refusal, attempt) {
        const { code } = refusal;
        const codes = ['BadDigest', 'XAmzContentSHA256Mismatch', 'InvalidDigest', 'InvalidPart', 'InvalidPartOrder'];
        if (![...codes, 'EntityTooSmall', 'NoSuchUpload', 'IncompleteBody'].includes(code) && !isTaken(refusal))
            return null;
        return failed('E_S3_VERIFY', attempt, isTaken(refusal)
            ? `an object with that name already exists (${said(refusal)}), and this action never overwrites objects`
            : `the store does not have the bytes that were sent (${said(refusal)})`, 'Run again. If it happens again, something between the runner, the host and the store changes bytes, or a bucket rule removes unfinished uploads.');
    },
    function unavailable(refusal, attempt, s3, tries) {
        const { status, code } = refusal;
        if (status !== null && !isPassing(refusal))
            return null;
        const often = tries > 1 ? ` (tried ${tries} times)` : '';
        const isCertificate = /CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_VERIFY|SSL/.test(code);
        const isName = code === 'ENOTFOUND' || code === 'EAI_AGAIN';
        const hint = isCertificate
            ? 'Give the store a certificate that is valid for its name. This check cannot be turned off.'
            : isName
                ? 'Correct `s3-endpoint`, or check the DNS of the runner.'
                : 'Run again later. Check the status of the store and the network path to it.';
        return failed('E_S3_UNAVAILABLE', attempt, `${where(s3)} is unavailable${often}: ${said(refusal)}`, hint);
    },
];
function unknown(refusal, attempt, s3, tries) {
    const often = tries > 1 ? ` ${tries} times` : '';
    return failed('E_S3_UNAVAILABLE', attempt, `${where(s3)} refused the request${often}: ${said(refusal)}`, 'Check that `s3-endpoint` belongs to an S3 store, and look up this answer in its documentation.');
}
const ABOUT = {
    's3-storage-class': /storage.?class/i,
    's3-kms-key-id': /kms/i,
    's3-sse': /encrypt|sse/i,
    's3-object-lock': /lock|retention|retain/i,
};
function askedFor({ storageClass, sse, kmsKeyId, objectLock }) {
    const given = [
        ['s3-storage-class', storageClass],
        ['s3-kms-key-id', kmsKeyId],
        ['s3-sse', sse],
        ['s3-object-lock', objectLock],
    ];
    return given.filter(([, value]) => value !== null).map(([name]) => name);
}
/** The store does not do what these settings ask for, and nothing is stored with less. */
function notSupported(names, attempt, why) {
    const shown = names.map((name) => `\`${name}\``).join(', ');
    return new errors/* BackupError */.hj('E_S3_UNSUPPORTED', `${attempt.what} failed: the store does not support what ${shown} asks for: ${why}`, `Remove ${shown}, or prepare the bucket: Object Lock has to be enabled on the bucket, and encryption needs the right to use the key.`);
}
/** The store says that it holds something else than what was sent. */
function notVerified(key, why) {
    return new errors/* BackupError */.hj('E_S3_VERIFY', `the off-site copy ${key} is not what was uploaded: ${why}`, `Do not rely on that copy. Delete it in the bucket, and run again.`);
}
const isDenial = ({ status, code }) => status === 401 || status === 403 || code === 'AccessDenied';

// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(8500);
;// CONCATENATED MODULE: ./src/stores/s3/patience.ts



const TRIES = 6;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/**
 * How long failures of a store are borne that may pass: each request is tried six times at most, and all of them together stop when
 * none came through for `giveUpMs`. The waits in between double, and are drawn by lot, so that many runs do not come back at once.
 */
class Patience {
    s3;
    signal;
    giveUpMs;
    /** null: the last request came through. */
    failingSince = null;
    constructor(s3, signal, giveUpMs) {
        this.s3 = s3;
        this.signal = signal;
        this.giveUpMs = giveUpMs;
    }
    /**
     * Does it until it comes through. Throws the reason of the signal, or a BackupError in words. What the caller wants to tell apart by
     * itself (there is no such object) it takes out in `work`.
     */
    async with(attempt, work) {
        for (let tries = 1;; tries++) {
            this.signal.throwIfAborted();
            try {
                const result = await work();
                this.renew();
                return result;
            }
            catch (error) {
                await this.pauseAfterError(error, attempt, tries);
            }
        }
    }
    /** As `pauseAfter`; what is no failure of the store is thrown as it is. */
    async pauseAfterError(error, attempt, tries) {
        this.signal.throwIfAborted();
        if (isOurs(error))
            throw error;
        await this.pauseAfter(refusalOf(error), attempt, tries);
    }
    /** Waits before the next try; throws when there is none. */
    async pauseAfter(refusal, attempt, tries) {
        this.failingSince ??= Date.now();
        const wait = Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
        const isOver = tries >= TRIES || Date.now() + wait - this.failingSince > this.giveUpMs;
        if (isOver || !isPassing(refusal))
            throw explainRefusal(refusal, attempt, this.s3, tries);
        await (0,promises_.setTimeout)(wait, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
    }
    /** Something came through. */
    renew() {
        this.failingSince = null;
    }
}
/** Already in words, or a bug, which is not to be taken for the store's. */
const isOurs = (error) => error instanceof errors/* BackupError */.hj || error instanceof TypeError || error instanceof ReferenceError;

;// CONCATENATED MODULE: ./src/stores/s3/bucket.ts






const CONNECT_MS = 15_000;
const SILENCE_MS = 60_000;
const GIVE_UP_MS = 180_000;
const ABORT_MS = 6_000;
/** Long enough for one part on a slow line. */
const URL_SECONDS = 3_600;
/** The requests to a bucket of an S3-compatible store. Every failure is a BackupError in words; nothing that is there is ever overwritten. */
class Bucket {
    s3;
    signal;
    patience;
    clockAheadMs = null;
    client;
    bucket;
    /** `idleTimeoutMs`: how long a request may be silent at most. Requests end when `signal` does. */
    constructor(s3, signal, idleTimeoutMs) {
        this.s3 = s3;
        this.signal = signal;
        this.bucket = s3.bucket;
        const { credentials } = s3;
        this.client = new dist_cjs/* S3Client */.YxF({
            region: s3.region,
            ...(s3.endpoint === null ? {} : { endpoint: s3.endpoint, forcePathStyle: true }),
            ...(credentials === null
                ? {}
                : {
                    credentials: {
                        accessKeyId: credentials.accessKeyId,
                        secretAccessKey: credentials.secretAccessKey,
                        ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }),
                    },
                }),
            // Content-MD5 goes with every object and part: all stores check it, while the CRC of the SDK breaks some, and signed URLs everywhere
            requestChecksumCalculation: 'WHEN_REQUIRED',
            responseChecksumValidation: 'WHEN_REQUIRED',
            expectContinueHeader: false,
            maxAttempts: 1, // Patience tries again
            requestHandler: {
                connectionTimeout: Math.min(CONNECT_MS, idleTimeoutMs),
                socketTimeout: Math.min(SILENCE_MS, idleTimeoutMs),
            },
        });
        this.client.middlewareStack.add((next) => async (request) => {
            const result = await next(request);
            this.heard(result.response);
            return result;
        }, { step: 'deserialize', priority: 'low' });
        this.patience = new Patience(s3, signal, Math.min(GIVE_UP_MS, idleTimeoutMs));
    }
    /** The clock of an answer. */
    heard(response) {
        const { headers } = response;
        const at = Date.parse(headers?.date ?? '');
        if (!Number.isNaN(at))
            this.clockAheadMs = at - Date.now();
    }
    /** `<prefix>/<name>/<file>` */
    keyOf(name, file) {
        return [...(this.s3.prefix === '' ? [] : [this.s3.prefix]), name, file].join('/');
    }
    uriOf(key) {
        return `s3://${this.bucket}/${key}`;
    }
    /** Every object whose key begins so. */
    async list(prefix) {
        const found = [];
        let token;
        const seen = new Set();
        do {
            const attempt = { what: `listing ${this.uriOf(prefix)}`, right: 's3:ListBucket' };
            const page = await this.patience.with(attempt, async () => {
                const command = new dist_cjs/* ListObjectsV2Command */.u6x({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token });
                const answer = await this.client.send(command, this.until);
                // half a list would pass for the whole
                if (answer.IsTruncated && (!answer.NextContinuationToken || seen.has(answer.NextContinuationToken))) {
                    throw new StoreRefused(refusalIn(200, 'the list is truncated, and has no token for the next page'));
                }
                return answer;
            });
            for (const { Key, Size } of page.Contents ?? [])
                found.push({ key: Key ?? '', bytes: Size ?? 0 });
            token = page.IsTruncated ? page.NextContinuationToken : undefined;
            if (token !== undefined)
                seen.add(token);
        } while (token !== undefined);
        return found;
    }
    /** null when there is no such object. */
    async head(key) {
        const attempt = { what: `checking ${this.uriOf(key)}`, right: 's3:GetObject' };
        return this.patience.with(attempt, async () => {
            try {
                const command = new dist_cjs/* HeadObjectCommand */.l81({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED' });
                return storedOf(await this.client.send(command, this.until));
            }
            catch (error) {
                const refusal = refusalOf(error);
                if (isMissing(refusal))
                    return null;
                // who may list a part of the bucket alone is told 403 of what is not there
                if (refusal.status === 403 && (await this.isUnlisted(key)))
                    return null;
                throw error;
            }
        });
    }
    /** The store lists no such object; false also when it lists nothing at all to these credentials. */
    async isUnlisted(key) {
        const command = new dist_cjs/* ListObjectsV2Command */.u6x({ Bucket: this.bucket, Prefix: key, MaxKeys: 1 });
        try {
            const { Contents = [] } = await this.client.send(command, this.until);
            return Contents[0]?.Key !== key; // it would be the first
        }
        catch {
            return false;
        }
    }
    /** A small object, unless one is there under that name. Throws E_S3_VERIFY when it holds something else. */
    async putObject(key, text, md5, storing) {
        const lock = this.lockFromNow();
        const send = (condition) => this.client.send(new dist_cjs/* PutObjectCommand */.wKZ({
            ...this.writing(key, storing, lock),
            ...condition,
            Body: text,
            ContentMD5: md5,
            ContentType: 'application/json',
        }), this.until);
        const attempt = { what: `uploading ${this.uriOf(key)}`, right: 's3:PutObject' };
        await this.patience.with(attempt, () => this.unlessTaken(key, storing.sha256, send));
    }
    /** Begins an upload in parts. */
    async begin(key, storing) {
        const lock = this.lockFromNow();
        const attempt = { what: `starting the upload of ${this.uriOf(key)}`, right: 's3:PutObject' };
        const begun = await this.patience.with(attempt, () => this.client.send(new dist_cjs/* CreateMultipartUploadCommand */.nG4({
            ...this.writing(key, storing, lock),
            ContentType: 'application/octet-stream',
        }), this.until));
        return { key, id: begun.UploadId ?? '', lockedUntil: lock };
    }
    /** One part, whose bytes the store compares with their MD5 (base64). */
    async putPart(upload, number, body, md5) {
        const attempt = { what: `uploading part ${number} of ${this.uriOf(upload.key)}`, right: 's3:PutObject' };
        const done = await this.patience.with(attempt, () => this.client.send(new dist_cjs/* UploadPartCommand */.iVK({ ...this.partOf(upload, number, md5), Body: body }), this.until));
        return { number, etag: done.ETag ?? '' };
    }
    /** A URL by which whoever has it can upload this part, with these bytes alone: their MD5 (base64) is signed. */
    signPart(upload, number, md5) {
        const command = new dist_cjs/* UploadPartCommand */.iVK(this.partOf(upload, number, md5));
        return this.patience.with({ what: 'signing the URL of a part', right: 's3:PutObject' }, () => (0,s3_request_presigner_dist_cjs/* getSignedUrl */.A)(this.client, command, { expiresIn: URL_SECONDS }));
    }
    /** Where an object would be, without any signature. */
    async plainUrl(key) {
        const signed = new URL(await this.patience.with({ what: 'finding the address of the store', right: 's3:GetObject' }, () => (0,s3_request_presigner_dist_cjs/* getSignedUrl */.A)(this.client, new dist_cjs/* GetObjectCommand */.jLs({ Bucket: this.bucket, Key: key }), { expiresIn: 1 })));
        return `${signed.origin}${signed.pathname}`;
    }
    /** Makes the parts an object, unless one is there under that name. Throws E_S3_VERIFY when it holds something else. */
    async complete(upload, parts, sha256) {
        const { key, id } = upload;
        const send = (condition) => this.client.send(new dist_cjs/* CompleteMultipartUploadCommand */.Gym({
            ...{ Bucket: this.bucket, Key: key, UploadId: id, ...condition },
            MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag })) },
        }), this.until);
        const attempt = { what: `completing the upload of ${this.uriOf(key)}`, right: 's3:PutObject' };
        await this.patience.with(attempt, () => this.unlessTaken(key, sha256, send));
    }
    /** Locks an object that is there. */
    async lock(key, versionId, until) {
        const { objectLock } = this.s3;
        if (objectLock === null)
            return;
        const command = new dist_cjs/* PutObjectRetentionCommand */.EwB({
            ...{ Bucket: this.bucket, Key: key, VersionId: versionId ?? undefined },
            Retention: { Mode: objectLock.mode, RetainUntilDate: until },
        });
        await this.patience.with({ what: `locking ${this.uriOf(key)}`, right: 's3:PutObjectRetention' }, () => this.client.send(command, this.until));
    }
    /** Gives up what was uploaded in parts, also when the run was cancelled. False when the store did not say that it is gone. */
    async giveUp({ key, id }) {
        const command = new dist_cjs/* AbortMultipartUploadCommand */.tfP({ Bucket: this.bucket, Key: key, UploadId: id });
        const until = { abortSignal: AbortSignal.timeout(ABORT_MS) };
        for (let tries = 1;; tries++) {
            try {
                await this.client.send(command, until);
                return true;
            }
            catch (error) {
                if (isMissing(refusalOf(error)))
                    return true;
                if (tries === 3 || until.abortSignal.aborted)
                    return false;
            }
        }
    }
    /** A small object as text; null when there is none. Throws E_TOO_LARGE. */
    async get(key) {
        return this.patience.with({ what: `reading ${this.uriOf(key)}`, right: 's3:GetObject' }, async () => {
            try {
                const command = new dist_cjs/* GetObjectCommand */.jLs({ Bucket: this.bucket, Key: key });
                const { Body } = await this.client.send(command, this.until);
                return Body === undefined ? '' : await textOf(Body, this.uriOf(key));
            }
            catch (error) {
                if (isMissing(refusalOf(error)))
                    return null;
                throw error;
            }
        });
    }
    /**
     * Of an object that may be gone already. `hidden`: the bucket keeps versions, so there is a delete marker now, and the bytes stay.
     * `locked`: the store says that it must not.
     */
    async remove(key) {
        return this.patience.with({ what: `deleting ${this.uriOf(key)}`, right: 's3:DeleteObject' }, async () => {
            try {
                const command = new dist_cjs/* DeleteObjectCommand */.k4j({ Bucket: this.bucket, Key: key });
                return (await this.client.send(command, this.until)).DeleteMarker === true ? 'hidden' : 'deleted';
            }
            catch (error) {
                const refusal = refusalOf(error);
                if (isHeld(refusal))
                    return 'locked';
                if (refusal.code === 'NoSuchKey')
                    return 'deleted';
                throw error;
            }
        });
    }
    /** A URL by which whoever has it can read this object, and no other. */
    signGet(key) {
        const command = new dist_cjs/* GetObjectCommand */.jLs({ Bucket: this.bucket, Key: key });
        return this.patience.with({ what: 'signing the URL of an object', right: 's3:GetObject' }, () => (0,s3_request_presigner_dist_cjs/* getSignedUrl */.A)(this.client, command, { expiresIn: URL_SECONDS }));
    }
    /** The bytes of an object from there on, as long as it is the one with that ETag (empty: whichever). Tried once; throws what the SDK does. */
    async open(key, from, etag, signal) {
        const range = from === 0 ? {} : { Range: `bytes=${from}-` };
        const condition = etag === '' ? {} : { IfMatch: `"${etag}"` };
        const command = new dist_cjs/* GetObjectCommand */.jLs({ Bucket: this.bucket, Key: key, ...condition, ...range });
        const until = signal === undefined ? this.until : { abortSignal: AbortSignal.any([signal, this.signal]) };
        const { Body, ContentRange } = await this.client.send(command, until);
        if (from > 0 && !ContentRange?.startsWith(`bytes ${from}-`)) {
            throw new Error('the store sent the whole object instead of the rest of it');
        }
        const body = Body;
        signal?.addEventListener('abort', () => void body.destroy());
        return body;
    }
    /** Ends its connections. */
    close() {
        this.client.destroy();
    }
    get until() {
        return { abortSignal: this.signal };
    }
    lockFromNow() {
        const { objectLock } = this.s3;
        return objectLock === null ? null : new Date(Math.ceil((Date.now() + objectLock.ms) / 1000) * 1000);
    }
    writing(key, { sha256, storageClass }, lockedUntil) {
        const { sse, kmsKeyId, objectLock } = this.s3;
        return {
            Bucket: this.bucket,
            Key: key,
            Metadata: { sha256 },
            ...(storageClass === null ? {} : { StorageClass: storageClass }),
            ...(sse === null ? {} : { ServerSideEncryption: sse }),
            ...(kmsKeyId === null ? {} : { SSEKMSKeyId: kmsKeyId }),
            ...(objectLock === null || lockedUntil === null
                ? {}
                : { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: lockedUntil }),
        };
    }
    partOf({ key, id }, number, md5) {
        return { Bucket: this.bucket, Key: key, UploadId: id, PartNumber: number, ContentMD5: md5 };
    }
    /**
     * Writes when nothing is there. `If-None-Match: *` says so to the store, but some overlook it (Ceph with parts or with versions), and
     * some refuse it: so it is looked first. When it is this very object that is there, the answer to an earlier try was lost.
     */
    async unlessTaken(key, sha256, send) {
        const there = await this.head(key);
        if (there !== null && there.sha256 === sha256)
            return;
        if (there !== null)
            throw new StoreRefused(TAKEN);
        try {
            await send({ IfNoneMatch: '*' }).catch((error) => {
                if (!isUnknownHeader(refusalOf(error)))
                    throw error;
                return send({});
            });
        }
        catch (error) {
            const refusal = refusalOf(error);
            if (!isTaken(refusal) && !isMissing(refusal))
                throw error;
            if ((await this.head(key))?.sha256 !== sha256)
                throw error;
        }
    }
}
function storedOf(head) {
    const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, VersionId: version } = head;
    return {
        bytes: head.ContentLength ?? -1,
        sha256: head.Metadata?.sha256 ?? null,
        etag: (head.ETag ?? '').replaceAll('"', ''),
        versionId: version === undefined || version === '' || version === 'null' ? null : version,
        storageClass: head.StorageClass ?? 'STANDARD',
        sse: head.ServerSideEncryption ?? null,
        kmsKeyId: head.SSEKMSKeyId ?? null,
        lock: mode === undefined || until === undefined ? null : { mode, until },
        legalHold: head.ObjectLockLegalHoldStatus === 'ON',
    };
}
async function textOf(body, uri) {
    const chunks = [];
    let bytes = 0;
    for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > manifest_size/* MAX_READ_BYTES */.qT)
            throw new errors/* BackupError */.hj('E_TOO_LARGE', `${uri} is longer than ${manifest_size/* MAX_READ_BYTES */.qT} bytes`);
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
}

// EXTERNAL MODULE: ./src/stores/object-store.ts
var object_store = __webpack_require__(8351);
// EXTERNAL MODULE: ./src/counting.ts
var counting = __webpack_require__(7278);
// EXTERNAL MODULE: external "node:v8"
var external_node_v8_ = __webpack_require__(8877);
// EXTERNAL MODULE: external "node:vm"
var external_node_vm_ = __webpack_require__(714);
;// CONCATENATED MODULE: ./src/stores/s3/memory.ts


/**
 * Node lets more than 64 MB of buffers pile up that a connection has read and nobody needs any more, which is as much as
 * all the rest of this process. Where the collector can not be called, it is only that.
 */
const collect = (() => {
    try {
        (0,external_node_v8_.setFlagsFromString)('--expose-gc');
        return (0,external_node_vm_.runInNewContext)('gc');
    }
    catch {
        return () => { };
    }
})();

;// CONCATENATED MODULE: ./src/stores/s3/reading.ts





/** So many new bytes, and the tries that failed before are forgotten. */
const PROGRESS_BYTES = 8 << 20;
const attemptOf = (store, key) => ({
    what: `reading ${store.uriOf(key)}`,
    right: 's3:GetObject',
});
const COLLECT_BYTES = 16 << 20;
/**
 * The bytes of an object, as fast as they are taken; what broke off is taken up again where it ended. It comes to its end only when
 * size and SHA-256 are those that were wanted. `signal`: nobody wants it any more. Throws E_CHECKSUM when they are not, E_S3_*.
 */
async function* readObject(store, wanted, onRead, signal) {
    const uri = store.uriOf(wanted.key);
    const hash = (0,external_node_crypto_.createHash)('sha256');
    let read = 0;
    let tries = 0;
    let since = 0;
    while (read < wanted.bytes) {
        try {
            for await (const chunk of await store.open(wanted.key, read, wanted.etag, signal)) {
                if (read + chunk.length > wanted.bytes)
                    throw (0,object_store/* changed */.tD)(uri, `the store sent more than its ${(0,counting/* plural */.L)(wanted.bytes, 'byte')}`);
                read += chunk.length;
                hash.update(chunk);
                onRead(read);
                yield chunk;
                if (Math.floor(read / COLLECT_BYTES) > Math.floor((read - chunk.length) / COLLECT_BYTES))
                    collect();
                if (read - since < PROGRESS_BYTES)
                    continue;
                [tries, since] = [0, read];
                store.patience.renew();
            }
            if (read === wanted.bytes)
                break;
            throw Object.assign(new Error(`the download ended after ${read} of ${(0,counting/* plural */.L)(wanted.bytes, 'byte')}`), {
                code: 'ECONNRESET',
            });
        }
        catch (error) {
            signal?.throwIfAborted();
            const refusal = refusalOf(error);
            if (isChanged(refusal))
                throw (0,object_store/* changed */.tD)(uri, 'it was replaced during the download');
            if (isMissing(refusal))
                throw (0,object_store/* changed */.tD)(uri, 'it was deleted during the download');
            await store.patience.pauseAfterError(error, attemptOf(store, wanted.key), ++tries);
        }
    }
    store.patience.renew();
    const digest = hash.digest('hex');
    if (wanted.sha256 !== null && digest !== wanted.sha256) {
        throw (0,object_store/* changed */.tD)(uri, `the SHA-256 of the download is ${digest}, expected ${wanted.sha256}`);
    }
}

;// CONCATENATED MODULE: ./src/stores/s3/parts.ts
/** S3 takes no more. */
const MOST_PARTS = 10_000;
const MIB = 1 << 20;
/**
 * Through the runner the least that S3 takes, since three of them are in memory: up to 50 GB they do not grow. From the host a multiple,
 * since each is a connection of its own.
 */
const LEAST_BYTES = { runner: 5 * MIB, host: 16 * MIB };
/** How a payload is cut. */
function planParts(bytes, via) {
    const partBytes = Math.max(LEAST_BYTES[via], Math.ceil(bytes / MOST_PARTS / MIB) * MIB);
    return { partBytes, count: Math.max(1, Math.ceil(bytes / partBytes)) };
}
/** The bytes of the first `number` parts. */
function bytesUpTo(number, { partBytes, count }, bytes) {
    return number >= count ? bytes : number * partBytes;
}

;// CONCATENATED MODULE: ./src/stores/s3/via-host.ts



/** How many at once: one connection rarely fills a line. */
const WORKERS = 3;
/** Few enough that their URLs are used long before they expire. */
const BATCH = 24;
/** Above this, the memory of a small host counts. */
const LARGE_PART = 32 << 20;
/** What the host has told under that key. */
function unableBy(facts, key) {
    const why = facts.get(key);
    const tool = facts.get('lacking') ?? '';
    return why === null ? null : { why: (0,neutralise/* quoteOutside */.YM)(why, 300), lacking: /^\w{1,20}$/.test(tool) ? tool : null };
}
/**
 * Asks the host whether it can upload by itself. The hashes of the parts are those of bytes that together have the SHA-256 of the
 * manifest, and each part is signed with its own: what the host sends then can be nothing else.
 */
async function prepareOnHost(store, key, { file, bytes, sha256 }, link) {
    const plan = planParts(bytes, 'host');
    const facts = await link.send(['job', 'prepare_upload', [file, String(plan.partBytes), await store.plainUrl(key)]]);
    const unable = unableBy(facts, 'no_upload');
    if (unable !== null)
        return unable;
    const md5s = facts.all('md5').map((line, at) => new RegExp(`^${at + 1} ([0-9a-f]{32})$`).exec(line)?.[1] ?? '');
    if (facts.get('sha256') !== sha256 || md5s.length !== plan.count || md5s.includes('')) {
        return { why: `${file} on the host no longer has the bytes that were backed up`, lacking: null };
    }
    return { link, file, md5s };
}
/** Lets the host send all parts, and signs them as they are needed; what failed and may pass is tried again, with a new signature. */
async function uploadFromHost(store, upload, sender, bytes, onSent) {
    const { partBytes } = planParts(bytes, 'host');
    // the parts are told of while the request is still being answered
    let before = 0;
    const ticker = setInterval(() => {
        onSent(Math.min(bytes, before + sender.link.said('part').length * partBytes));
    }, 1_000);
    try {
        return await sendAll(store, upload, sender, bytes, (sent) => {
            before = sent;
        });
    }
    finally {
        clearInterval(ticker);
    }
}
async function sendAll(store, upload, { link, file, md5s }, bytes, onBatch) {
    const plan = planParts(bytes, 'host');
    const waiting = md5s.map((md5, at) => ({ number: at + 1, md5, tries: 0 }));
    const sent = new Map();
    const workers = plan.partBytes > LARGE_PART ? 1 : WORKERS;
    while (waiting.length > 0) {
        const batch = waiting.slice(0, BATCH);
        const signed = await Promise.all(batch.map(async ({ number, md5 }) => {
            const base64 = Buffer.from(md5, 'hex').toString('base64');
            return [String(number), base64, await store.signPart(upload, number, base64)];
        }));
        const facts = await link.send([
            'job',
            'upload_parts',
            [file, String(plan.partBytes), String(workers), ...signed.flat()],
        ]);
        for (const line of facts.all('part')) {
            const [, digits, etag] = /^(\d{1,5}) "?([\x21\x23-\x7e]{1,200})"?$/.exec(line) ?? [];
            const at = waiting.findIndex(({ number }) => number === Number(digits));
            const part = waiting[at];
            if (part === undefined || etag === undefined)
                continue;
            waiting.splice(at, 1);
            sent.set(part.number, { number: part.number, etag: `"${etag}"`, md5: part.md5 });
        }
        if (sent.size > 0)
            store.patience.renew();
        onBatch(bytesUpTo(sent.size, plan, bytes));
        const refused = facts.get('refused');
        if (refused === null) {
            // whoever does not tell of a part has not sent it
            if (batch.some(({ number }) => !sent.has(number)))
                await again(store, upload, batch[0], silent);
            continue;
        }
        const [number = 0, status = 0, http = 0] = refused.split(' ').map(Number);
        const body = facts.get('refused_body') ?? '';
        const refusal = http > 0 ? refusalIn(http, body) : withoutAnswer(status, facts.get('refused_said') ?? '');
        await again(store, upload, waiting.find((part) => part.number === number) ?? batch[0], refusal);
    }
    return [...sent.values()].sort((a, b) => a.number - b.number);
}
async function again(store, upload, part, refusal) {
    if (part === undefined)
        return;
    const what = `uploading part ${part.number} of ${store.uriOf(upload.key)} from the host`;
    await store.patience.pauseAfter(refusal, { what, right: 's3:PutObject' }, ++part.tries);
}
/** Of curl's exit statuses those that do not pass; all others are as good as a broken connection. */
const CODES = {
    6: 'EAI_AGAIN',
    7: 'ECONNREFUSED',
    28: 'TimeoutError',
    51: 'CERT_INVALID',
    58: 'CERT_INVALID',
    60: 'CERT_INVALID',
    77: 'CERT_INVALID',
};
function withoutAnswer(status, said) {
    const message = `curl on the host ended with status ${status}: ${said.trim()}`;
    return { status: null, code: CODES[status] ?? 'ECONNRESET', message, region: null, clock: null };
}
const silent = {
    ...{ status: null, code: 'ECONNRESET', region: null, clock: null },
    message: 'the host did not report the result',
};

;// CONCATENATED MODULE: ./src/stores/s3/fetch-by-host.ts




/** Why the host can not fetch by itself, or null. */
async function whyNotByHost(store, key, { send }) {
    return unableBy(await send(['job', 'prepare_fetch', [await store.plainUrl(key)]]), 'no_fetch');
}
/** Lets the host fetch an object into its folder; what broke off is taken up again where it ended, with a new signature. */
async function fetchByHost(store, wanted, file, link, onRead) {
    // it is told while the request is still being answered
    const ticker = setInterval(() => onRead(Number(link.said('fetched_bytes').at(-1) ?? 0)), 1_000);
    try {
        await fetchAll(store, wanted, file, link);
    }
    finally {
        clearInterval(ticker);
    }
}
async function fetchAll(store, wanted, file, { send }) {
    const { key, bytes, etag } = wanted;
    let tries = 0;
    let before = 0;
    for (;;) {
        const facts = await send(['job', 'fetch_file', [file, String(bytes), etag, await store.signGet(key)]]);
        const fetched = facts.number('fetched_bytes');
        if (fetched >= bytes)
            break;
        if (fetched - before >= PROGRESS_BYTES) {
            tries = 0;
            store.patience.renew();
        }
        before = fetched;
        const refusal = fetch_by_host_refusalOf(facts);
        if (isChanged(refusal))
            throw (0,object_store/* changed */.tD)(store.uriOf(key), 'it was replaced during the download');
        if (isMissing(refusal))
            throw (0,object_store/* changed */.tD)(store.uriOf(key), 'it was deleted during the download');
        const { what, right } = attemptOf(store, key);
        await store.patience.pauseAfter(refusal, { what: `${what} from the host`, right }, ++tries);
    }
    store.patience.renew();
}
function fetch_by_host_refusalOf(facts) {
    const [status = 0, http = 0] = (facts.get('refused') ?? '').split(' ').map(Number);
    if (http >= 400)
        return refusalIn(http, facts.get('refused_body') ?? '');
    return withoutAnswer(status, facts.get('refused_said') ?? 'it did not get the whole file');
}

;// CONCATENATED MODULE: ./src/stores/s3/read-back.ts



/**
 * Asks the store what it holds now, and compares size, checksum, encryption, storage class and lock with what was asked for. Throws
 * E_S3_VERIFY, and E_S3_UNSUPPORTED where it did less than that without a word.
 */
async function readBack(store, s3, key, expected) {
    const uri = store.uriOf(key);
    let stored = await look(store, key);
    if (stored.lock === null && expected.lockedUntil !== null) {
        await store.lock(key, stored.versionId, expected.lockedUntil); // Ceph forgets it of what came in parts
        stored = await look(store, key);
    }
    if (stored.bytes !== expected.bytes) {
        throw notVerified(uri, `it has ${(0,counting/* plural */.L)(stored.bytes, 'byte')}, but ${expected.bytes} were sent`);
    }
    if (stored.sha256 !== expected.sha256) {
        throw notVerified(uri, `the store reports the SHA-256 ${stored.sha256 ?? 'as missing'}, but ${expected.sha256} was sent`);
    }
    const attempt = { what: `reading ${uri} back`, right: 's3:GetObject' };
    const { storageClass } = expected;
    if (storageClass !== null && stored.storageClass !== storageClass) {
        throw notSupported(['s3-storage-class'], attempt, `its storage class is ${stored.storageClass}, not ${storageClass}`);
    }
    if (s3.sse !== null && stored.sse !== s3.sse) {
        throw notSupported(['s3-sse'], attempt, stored.sse === null ? 'the store does not report any encryption' : `it is encrypted by ${stored.sse}`);
    }
    // an alias is told as the key that it stands for
    if (s3.kmsKeyId !== null && !s3.kmsKeyId.includes('alias/') && !stored.kmsKeyId?.endsWith(s3.kmsKeyId)) {
        throw notSupported(['s3-kms-key-id'], attempt, stored.kmsKeyId === null ? 'the store does not report its key' : `its key is ${stored.kmsKeyId}`);
    }
    if (s3.objectLock !== null) {
        const until = stored.lock?.until.getTime() ?? 0;
        if (stored.lock?.mode !== s3.objectLock.mode || until < (expected.lockedUntil?.getTime() ?? 0)) {
            throw notSupported(['s3-object-lock'], attempt, stored.lock === null
                ? 'it is not locked, or these credentials are not allowed to see the lock (`s3:GetObjectRetention`)'
                : `it is locked in mode ${stored.lock.mode} until ${stored.lock.until.toISOString()}`);
        }
    }
    return stored;
}
async function look(store, key) {
    const stored = await store.head(key);
    if (stored === null)
        throw notVerified(store.uriOf(key), 'it is missing');
    return stored;
}
/**
 * Where the store names what it holds by MD5, as most do, the whole is compared with what was sent: that of each part, and of the
 * object, which is made of those of the parts. Encrypted by KMS, the names are others. Throws E_S3_VERIFY.
 */
function compareParts(uri, stored, upload, parts) {
    const named = parts.filter(({ etag, md5 }) => etag.replaceAll('"', '') === md5);
    if (named.length === 0 || stored.sse?.startsWith('aws:kms'))
        return false;
    const other = parts.find((part) => !named.includes(part));
    if (other !== undefined)
        throw notVerified(uri, `the checksum of its part ${other.number} is not that of the bytes that were sent`);
    const digests = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')));
    const whole = `${(0,external_node_crypto_.createHash)('md5').update(digests).digest('hex')}-${parts.length}`;
    if (/^[0-9a-f]{32}-\d+$/.test(stored.etag) && stored.etag !== whole) {
        throw notVerified(uri, `its checksum is ${stored.etag}, but the parts sent to the upload ${upload.id} have ${whole}`);
    }
    return stored.etag === whole;
}

;// CONCATENATED MODULE: ./src/stores/s3/via-runner.ts



/** One is filled while two are on their way: more would not be faster, and all are in memory. */
const BUFFERS = 3;
/**
 * Sends a stream in parts. It is read no faster than the store takes it, and never held but for three parts. What `source` throws ends
 * it: a stream that was cut off never becomes an object, since the parts are made one by the caller.
 */
async function uploadStream(store, upload, source, bytes, onSent) {
    const { partBytes } = planParts(bytes, 'runner');
    const free = [];
    let made = 0;
    const sending = new Set();
    const parts = [];
    let failure = null;
    let sent = 0;
    const send = (buffer, length) => {
        const body = buffer.subarray(0, length);
        const md5 = (0,external_node_crypto_.createHash)('md5').update(body).digest();
        const number = parts.length + sending.size + 1;
        const one = store
            .putPart(upload, number, body, md5.toString('base64'))
            .then((part) => {
            parts.push({ ...part, md5: md5.toString('hex') });
            free.push(buffer); // only now: a request that failed may still read it
            collect();
            sent += length;
            onSent(sent);
        })
            .catch((error) => {
            failure ??= { error };
        })
            .finally(() => sending.delete(one));
        sending.add(one);
    };
    const throwFailure = () => {
        if (failure !== null)
            throw failure.error;
    };
    const buffer = async () => {
        while (free.length === 0 && made >= BUFFERS) {
            await Promise.race(sending);
            throwFailure();
        }
        const taken = free.pop();
        if (taken !== undefined)
            return taken;
        made++;
        return Buffer.allocUnsafeSlow(partBytes);
    };
    let current = null;
    let filled = 0;
    for await (const chunk of source) {
        throwFailure();
        for (let from = 0; from < chunk.length;) {
            current ??= await buffer();
            const copied = chunk.copy(current, filled, from);
            from += copied;
            filled += copied;
            if (filled === partBytes) {
                send(current, filled);
                current = null;
                filled = 0;
            }
        }
    }
    if (current !== null)
        send(current, filled);
    await Promise.all(sending);
    throwFailure();
    return parts.sort((a, b) => a.number - b.number);
}

;// CONCATENATED MODULE: ./src/stores/s3/store.ts







/** A bucket as a store of objects. */
class S3Store extends Bucket {
    lending = {
        prepare: (key, payload, link) => prepareOnHost(this, key, payload, link),
        whyNotFetch: (key, link) => whyNotByHost(this, key, link),
        fetch: (wanted, file, link, onRead) => fetchByHost(this, wanted, file, link, onRead),
    };
    read(wanted, onRead, signal) {
        return readObject(this, wanted, onRead, signal);
    }
    async put(key, text) {
        const sha256 = (0,external_node_crypto_.createHash)('sha256').update(text).digest('hex');
        const md5 = (0,external_node_crypto_.createHash)('md5').update(text).digest('base64');
        // small and read often, so never in a class that is slow to read
        await this.putObject(key, text, md5, { sha256, storageClass: null });
        await this.readBack(key, { bytes: Buffer.byteLength(text), sha256 });
    }
    async upload(key, sending, from) {
        const { bytes, sha256, onBegun, onSent, onWhole } = sending;
        const { storageClass } = this.s3;
        const upload = await this.begin(key, { sha256, storageClass });
        onBegun({ key, id: upload.id });
        const parts = await ('md5s' in from
            ? uploadFromHost(this, upload, from, bytes, onSent)
            : uploadStream(this, upload, from, bytes, onSent));
        await this.complete(upload, parts, sha256);
        onWhole();
        const stored = await readBack(this, this.s3, key, { bytes, sha256, storageClass, lockedUntil: upload.lockedUntil });
        compareParts(this.uriOf(key), stored, upload, parts);
        return stored;
    }
    readBack(key, expected) {
        return readBack(this, this.s3, key, { ...expected, storageClass: null, lockedUntil: null });
    }
}


/***/ })

};
