// What the runner starts after the job; index.js knows it by this file's name, and saved the state that is looked at here.
if (process.env.STATE_started && !process.env.STATE_finished) await import('./index.js');
