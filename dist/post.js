// What the runner starts after the job; index.js knows it by this file's name.
import './index.js';
