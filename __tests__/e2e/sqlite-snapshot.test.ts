import { afterAll, beforeAll } from '@jest/globals';
import { type Scene, startScene } from '../helpers/scene.js';
import { snapshotCases } from './snapshot-cases.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

snapshotCases(() => scene, 'sqlite3', { rounds: 2, mb: 16 });
