import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fingerprintOf, type HostIdentity, identityOf } from '../helpers/host-identity.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { logSince } from '../helpers/sshd-log.js';

let scene: Scene;
let { name, keys, prints, foreign, hashed, remove } = {} as HostIdentity;
beforeAll(async () => {
  scene = await startScene();
  ({ name, keys, prints, foreign, hashed, remove } = identityOf(scene.sshd));
});
afterAll(async () => {
  remove();
  await scene.stop();
});

type Given = { 'known-hosts'?: string; fingerprint?: string };
const look = (given: Given) => scene.run({ command: 'list', 'known-hosts': '', ...given });

describe('accepts', () => {
  // For each the host is asked once: had the algorithms not been narrowed, it would show its Ed25519 key.
  test.each<[string, () => Given]>([
    ['a line with [host]:port', () => ({ 'known-hosts': `${name} ${keys.ed25519}\n` })],
    ['a hashed line', () => ({ 'known-hosts': hashed(`other ${keys.rsa}\n${name} ${keys.ed25519}\n`) })],
    ['a hashed line of the ecdsa key alone', () => ({ 'known-hosts': hashed(`${name} ${keys.ecdsa}\n`) })],
    ['the rsa key alone', () => ({ 'known-hosts': `${name} ${keys.rsa}` })],
    ['the ecdsa key alone', () => ({ 'known-hosts': `${name} ${keys.ecdsa}` })],
    [
      'one of several keys, in CRLF, with comments',
      () => ({
        'known-hosts': `# ours\r\nweb.example.com,${name} ${keys.rsa} a comment\r\n${name} ${keys.ecdsa}\r\n`,
      }),
    ],
    ['wildcards', () => ({ 'known-hosts': `[127.0.0.?]:* ${keys.ecdsa}` })],
    ['a negated pattern of another host', () => ({ 'known-hosts': `!web.example.com,*,!db* ${keys.rsa}` })],
    [
      'a line after one that is negated for this host',
      () => ({
        'known-hosts': `!${name},* ${foreign.ed25519}\n* ${keys.ecdsa}`,
      }),
    ],
    [
      'a key while another one is revoked',
      () => ({
        'known-hosts': `${name} ${keys.ed25519}\n${name} ${keys.rsa}\n@revoked * ${keys.ed25519}`,
      }),
    ],
    [
      'an old key beside the present one of the same type',
      () => ({
        'known-hosts': `${name} ${foreign.ecdsa}\n${name} ${keys.ecdsa}`,
      }),
    ],
    ['the fingerprint of the key that it prefers', () => ({ fingerprint: prints.ed25519 })],
  ])('%s', async (_, given) => {
    const since = logSince(scene.sshd);
    const result = await look(given());
    expect({ visible: result.visible, code: result.code }).toMatchObject({ code: 0 });
    expect(await since.connections()).toBe(1);
    expect(await since.text()).toMatch(/^Accepted publickey/m);
  });

  // The host prefers other types: it is asked for the next one until one matches, and nobody authenticates before.
  test.each<[string, () => Given, connections: number]>([
    ['the fingerprint of the ecdsa key', () => ({ fingerprint: prints.ecdsa }), 2],
    ['the fingerprint of the rsa key', () => ({ fingerprint: prints.rsa }), 3],
    [
      'one of several fingerprints, padded, in CRLF',
      () => ({
        fingerprint: `${fingerprintOf(foreign.rsa)}\r\n  ${prints.rsa}=\r\n`,
      }),
      3,
    ],
    [
      'known-hosts that match and a fingerprint that does not',
      () => ({
        'known-hosts': `${name} ${keys.rsa}`,
        fingerprint: fingerprintOf(foreign.ed25519),
      }),
      1,
    ],
    [
      'a fingerprint that matches and known-hosts of another host',
      () => ({
        'known-hosts': `web.example.com ${keys.rsa}`,
        fingerprint: prints.ed25519,
      }),
      1,
    ],
    [
      'a fingerprint that matches and known-hosts with an old key',
      () => ({
        'known-hosts': `${name} ${foreign.rsa}`,
        fingerprint: prints.ecdsa,
      }),
      3,
    ],
  ])('%s', async (_, given, connections) => {
    const since = logSince(scene.sshd);
    const result = await look(given());
    expect({ visible: result.visible, code: result.code }).toMatchObject({ code: 0 });
    expect(await since.connections()).toBe(connections);
    expect((await since.text()).match(/^Accepted publickey/gm)).toHaveLength(1);
  });
});
