import { rmSync, writeFileSync } from 'node:fs';
import { type Physical, type PhysicalOptions, startPhysical } from './physical.js';
import { type Scene, type SceneOptions, startScene } from './scene.js';

/** A host with a cluster that pgBackRest archives, and a login user who may run `sh -s` as the owner of it. */
export interface PhysicalScene extends Scene {
  physical: Physical;
  stop(): Promise<void>;
}

export async function startPhysicalScene(
  options: PhysicalOptions = {},
  scene: SceneOptions = {},
): Promise<PhysicalScene> {
  const [own, physical] = await Promise.all([
    startScene({ mb: 0.1, transport: 'local', ...scene }),
    startPhysical(options),
  ]);
  const sudoers = `/etc/sudoers.d/${own.user.name}`;
  writeFileSync(
    sudoers,
    `Defaults:${own.user.name} !use_pty\n${own.user.name} ALL=(postgres) NOPASSWD: /bin/sh -s, /usr/bin/sh -s\n`,
    {
      mode: 0o440,
    },
  );
  Object.assign(own.inputs, {
    method: 'physical',
    stanza: physical.stanza,
    name: 'main',
    'run-as': 'postgres',
    database: physical.uri(),
  });
  const stop = own.stop.bind(own);
  return Object.assign(own, {
    physical,
    stop: async () => {
      await stop();
      await physical.remove();
      rmSync(sudoers, { force: true });
    },
  });
}
