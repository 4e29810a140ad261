// dist/post.js: what the runner starts after the job. With nothing to look after, as nearly always, it ends without loading the
// program, which saved the state that is looked at here.
if (process.env.STATE_started && !process.env.STATE_finished) {
    globalThis.dbBackupEntry = 'post';
    await import('./index.js');
}
export {};
