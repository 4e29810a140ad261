/**
 * A headless Chromium, spoken to over its own protocol by the WebSocket of Node: a library for that would be larger than this
 * file and what it does.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
const START_MS = 30_000;

/** Starts the first of the browsers that is installed. `close` must be called. */
export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'dbb-chromium-'));
  let child;
  let address;
  for (const program of PROGRAMS) {
    // no sandbox: it needs rights that a container may not give, and only our own pages are shown, without a network
    child = spawn(
      program,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--host-resolver-rules=MAP * ~NOTFOUND',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    address = await addressOf(child);
    if (address !== null) break;
  }
  if (address === null) throw new Error(`none of ${PROGRAMS.join(', ')} is installed`);
  const connection = await connect(address);
  return {
    page: () => openPage(connection),
    async close() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      connection.send('Browser.close').catch(() => {}); // the answer may go down with it
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Where it listens; null when there is no such program. */
function addressOf(child) {
  return new Promise((resolve, reject) => {
    let said = '';
    const late = setTimeout(() => reject(new Error(`the browser did not start: ${said}`)), START_MS);
    const settle = (value) => {
      clearTimeout(late);
      resolve(value);
    };
    child.once('error', (error) => (error.code === 'ENOENT' ? settle(null) : reject(error)));
    child.once('exit', (code) => reject(new Error(`the browser ended with ${code}: ${said}`)));
    child.stderr.on('data', (text) => {
      said += text;
      const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (found !== undefined) settle(found);
    });
  });
}

async function connect(address) {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error(`no connection to ${address}`)), { once: true });
  });
  const waiting = new Map();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(`${call.method}: ${error.message}`));
    else call?.resolve(result);
  });
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser is gone'));
  });
  const send = (method, params, sessionId) =>
    new Promise((resolve, reject) => {
      last++;
      waiting.set(last, { method, resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
  return { socket, send };
}

async function openPage({ send }) {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const ask = (method, params = {}) => send(method, params, sessionId);
  /** The value of an expression, a promise's too; throws what it throws. */
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await ask('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  return {
    evaluate,
    /** Shows this document at that width, in that colour scheme. */
    async show(html, { width, scheme, scale }) {
      await ask('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: scale, mobile: false });
      await ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const { frameTree } = await ask('Page.getFrameTree');
      await ask('Page.setDocumentContent', { frameId: frameTree.frame.id, html });
    },
    /** A PNG of the page from its top to `height`. */
    async screenshot(width, height) {
      const clip = { x: 0, y: 0, width, height, scale: 1 };
      const { data } = await ask('Page.captureScreenshot', { format: 'png', clip, captureBeyondViewport: true });
      return Buffer.from(data, 'base64');
    },
    close: () => send('Target.closeTarget', { targetId }),
  };
}
