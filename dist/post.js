// dist/post.js: what the runner starts after the job. With nothing to look after, as nearly always, it ends without loading the
// program; index.js knows it by this file's name, and saved the state that is looked at here.
if (process.env.STATE_started && !process.env.STATE_finished)
    await import('./index.js');
export {};
