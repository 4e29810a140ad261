export const id = 853;
export const ids = [853];
export const modules = {

/***/ 853:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  Store: () => (/* binding */ Store)
});

// EXTERNAL MODULE: ./node_modules/@aws-sdk/client-s3/dist-cjs/index.js
var dist_cjs = __webpack_require__(3711);
// EXTERNAL MODULE: ./node_modules/@aws-sdk/s3-request-presigner/dist-cjs/index.js
var s3_request_presigner_dist_cjs = __webpack_require__(8505);
// EXTERNAL MODULE: ./src/backups/manifest-size.ts
var manifest_size = __webpack_require__(2502);
// EXTERNAL MODULE: ./src/errors.ts + 1 modules
var errors = __webpack_require__(7452);
// EXTERNAL MODULE: ./src/offsite/failures.ts
var failures = __webpack_require__(6123);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(8500);
;// CONCATENATED MODULE: ./src/offsite/patience.ts



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
        await this.pauseAfter((0,failures/* refusalOf */.Of)(error), attempt, tries);
    }
    /** Waits before the next try; throws when there is none. */
    async pauseAfter(refusal, attempt, tries) {
        this.failingSince ??= Date.now();
        const wait = Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
        const isOver = tries >= TRIES || Date.now() + wait - this.failingSince > this.giveUpMs;
        if (isOver || !(0,failures/* isPassing */.WG)(refusal))
            throw (0,failures/* explainRefusal */.GC)(refusal, attempt, this.s3, tries);
        await (0,promises_.setTimeout)(wait, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
    }
    /** Something came through. */
    renew() {
        this.failingSince = null;
    }
}
/** Already in words, or a bug, which is not to be taken for the store's. */
const isOurs = (error) => error instanceof errors/* BackupError */.hj || error instanceof TypeError || error instanceof ReferenceError;

;// CONCATENATED MODULE: ./src/offsite/store.ts






const CONNECT_MS = 15_000;
const SILENCE_MS = 60_000;
const GIVE_UP_MS = 180_000;
const ABORT_MS = 6_000;
/** Long enough for one part on a slow line. */
const URL_SECONDS = 3_600;
/** A bucket of an S3-compatible store. Every failure is a BackupError in words; nothing that is there is ever overwritten. */
class Store {
    s3;
    signal;
    patience;
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
        this.patience = new Patience(s3, signal, Math.min(GIVE_UP_MS, idleTimeoutMs));
    }
    /** `<prefix>/<name>/<file>` */
    keyOf(name, file) {
        return [this.s3.prefix, name, file].filter((part) => part !== '').join('/');
    }
    /** The beginning of the keys of all backups of that name. */
    folderOf(name) {
        return `${this.keyOf(name, '')}/`;
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
                    throw new failures/* StoreRefused */.yh((0,failures/* refusalIn */.c3)(200, 'a list that is cut off, and does not say how it goes on'));
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
        const attempt = { what: `looking at ${this.uriOf(key)}`, right: 's3:GetObject' };
        return this.patience.with(attempt, async () => {
            try {
                const command = new dist_cjs/* HeadObjectCommand */.l81({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED' });
                return storedOf(await this.client.send(command, this.until));
            }
            catch (error) {
                const refusal = (0,failures/* refusalOf */.Of)(error);
                if ((0,failures/* isMissing */.b2)(refusal))
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
    async put(key, text, md5, storing) {
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
        const attempt = { what: `beginning the upload of ${this.uriOf(key)}`, right: 's3:PutObject' };
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
    async abort({ key, id }) {
        const command = new dist_cjs/* AbortMultipartUploadCommand */.tfP({ Bucket: this.bucket, Key: key, UploadId: id });
        const until = { abortSignal: AbortSignal.timeout(ABORT_MS) };
        for (let tries = 1;; tries++) {
            try {
                await this.client.send(command, until);
                return true;
            }
            catch (error) {
                if ((0,failures/* isMissing */.b2)((0,failures/* refusalOf */.Of)(error)))
                    return true;
                if (tries === 3 || until.abortSignal.aborted)
                    return false;
            }
        }
    }
    /** A small object as text; null when there is none. Throws E_TOO_LARGE. */
    async get(key, versionId) {
        return this.patience.with({ what: `reading ${this.uriOf(key)}`, right: 's3:GetObject' }, async () => {
            try {
                const command = new dist_cjs/* GetObjectCommand */.jLs({ Bucket: this.bucket, Key: key, VersionId: versionId });
                const { Body } = await this.client.send(command, this.until);
                return Body === undefined ? '' : await textOf(Body, this.uriOf(key));
            }
            catch (error) {
                if ((0,failures/* isMissing */.b2)((0,failures/* refusalOf */.Of)(error)))
                    return null;
                throw error;
            }
        });
    }
    /**
     * Of an object that may be gone already. `hidden`: the bucket keeps versions, so there is a delete marker now, and the bytes stay.
     * `locked`: the store says that it must not.
     */
    async delete(key) {
        return this.patience.with({ what: `deleting ${this.uriOf(key)}`, right: 's3:DeleteObject' }, async () => {
            try {
                const command = new dist_cjs/* DeleteObjectCommand */.k4j({ Bucket: this.bucket, Key: key });
                return (await this.client.send(command, this.until)).DeleteMarker === true ? 'hidden' : 'deleted';
            }
            catch (error) {
                const refusal = (0,failures/* refusalOf */.Of)(error);
                if ((0,failures/* isHeld */.i7)(refusal))
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
            throw new Error('the store does not send the rest of an object, but all of it');
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
            throw new failures/* StoreRefused */.yh(failures/* TAKEN */.Mt);
        try {
            await send({ IfNoneMatch: '*' }).catch((error) => {
                if (!(0,failures/* isUnknownHeader */.m0)((0,failures/* refusalOf */.Of)(error)))
                    throw error;
                return send({});
            });
        }
        catch (error) {
            const refusal = (0,failures/* refusalOf */.Of)(error);
            if (!(0,failures/* isTaken */.Ck)(refusal) && !(0,failures/* isMissing */.b2)(refusal))
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


/***/ })

};
