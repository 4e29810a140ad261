import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Frame, FrameReader } from '../../src/host/frames.js';

const MARK = '@0123456789abcdef0123456789abcdef';
const ELSEWHERE = '@fedcba9876543210fedcba9876543210';
const MARKS = { host: MARK, elsewhere: ELSEWHERE };

/** All that the reader makes of these chunks. */
function read(chunks: (string | Buffer)[]): { frames: Frame[]; noise: string } {
  const frames: Frame[] = [];
  const reader = new FrameReader(MARKS, (frame) => frames.push(frame));
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.finish();
  return { frames, noise: reader.noise };
}

const STREAM = `Welcome to host
${MARK} set user déploy 🦆
${MARK} hello 1
${MARK} phase copy 4096
${MARK} begin manifest a.json
{
  "note": "${MARK}"
}

${MARK} end
${MARK} rows 61 12
in between
${MARK} done 3 0
tail`;

const FRAMES: Frame[] = [
  { from: 'host', event: 'set', key: 'user', rest: 'déploy 🦆' },
  { from: 'host', event: 'hello', key: '', rest: '1' },
  { from: 'host', event: 'phase', key: '', rest: 'copy 4096' },
  { from: 'host', event: 'set', key: 'manifest a.json', rest: `{\n  "note": "${MARK}"\n}\n` },
  { from: 'host', event: 'rows', key: '', rest: '61 12' },
  { from: 'host', event: 'done', key: '', rest: '3 0' },
];

describe('frames', () => {
  test('are the same wherever the stream is cut into chunks', () => {
    const bytes = Buffer.from(STREAM);
    const whole = { frames: FRAMES, noise: 'Welcome to host\nin between\ntail' };
    expect(read([bytes])).toEqual(whole);
    for (let at = 0; at <= bytes.length; at += 1)
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test('of a stream that ends in the middle are those that came whole', () => {
    const bytes = Buffer.from(STREAM);
    for (let at = 0; at <= bytes.length; at += 1) {
      const { frames } = read([bytes.subarray(0, at)]);
      expect(frames).toEqual(FRAMES.slice(0, frames.length));
      const ends = bytes.subarray(0, at).toString().split('\n').slice(0, -1);
      expect(frames).toHaveLength(ends.filter((line) => /^@\w+ (?!begin)/.test(line)).length);
    }
  });

  test.each([
    ['another mark', `@ffffffffffffffffffffffffffffffff done 1 0\n`],
    ['the mark not at the start of the line', ` ${MARK} done 1 0\n`],
    ['a prefix of the mark', `${MARK.slice(0, -1)} done 1 0\n`],
    ['the mark with more behind it', `${MARK}0 done 1 0\n`],
    ['the mark after a carriage return', `x\r${MARK} done 1 0\n`],
  ])('are not made by %s', (_, text) => {
    expect(read([text])).toEqual({ frames: [], noise: text });
  });

  test('carry any text, also one of several lines, unchanged', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll('\n', ''));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), fc.boolean(), fc.nat(), (lines, multi, cutAt) => {
        const text = multi ? lines.join('\n') : (lines[0] ?? '');
        const bytes = Buffer.from(multi ? `${MARK} begin key\n${text}\n${MARK} end\n` : `${MARK} set key ${text}\n`);
        const at = cutAt % (bytes.length + 1);
        expect(read([bytes.subarray(0, at), bytes.subarray(at)]).frames).toEqual([
          { from: 'host', event: 'set', key: 'key', rest: text },
        ]);
      }),
    );
  });

  test('tell who has said them, and nobody ends the text of the other', () => {
    const { frames } = read([
      `${ELSEWHERE} begin x\nnot yet\n${MARK} end\n${ELSEWHERE} set a b\nstill\n${ELSEWHERE} end\n${MARK} set c d\n`,
    ]);
    expect(frames).toEqual([
      { from: 'host', event: 'end', key: '', rest: '' },
      { from: 'elsewhere', event: 'set', key: 'a', rest: 'b' },
      { from: 'elsewhere', event: 'set', key: 'x', rest: 'not yet\nstill' },
      { from: 'host', event: 'set', key: 'c', rest: 'd' },
    ]);
  });

  test('of a sender that was killed in the middle of a text are seen', () => {
    const { frames } = read([`${MARK} begin manifest x\nhalf of it\n${MARK} gone 3\n`]);
    expect(frames).toEqual([{ from: 'host', event: 'gone', key: '', rest: '3' }]);
  });
});

describe('caps', () => {
  const tooLarge = (what: string) =>
    expect.objectContaining({ code: 'E_TOO_LARGE', message: expect.stringContaining(what) });
  const thrownBy = (work: () => void): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    return null;
  };
  const millions = Buffer.alloc(13_000_000, 'x');

  test('a line, whether it ends or not', () => {
    const reader = new FrameReader(MARKS, () => {});
    reader.push(millions);
    expect(thrownBy(() => reader.push(millions))).toEqual(tooLarge('a line of more than 13631488 bytes'));
    const another = new FrameReader(MARKS, () => {});
    expect(thrownBy(() => another.push(Buffer.concat([millions, millions, Buffer.from('\n')])))).toEqual(
      tooLarge('a line'),
    );
  });

  test('a text of many lines', () => {
    const reader = new FrameReader(MARKS, () => {});
    reader.push(Buffer.from(`${MARK} begin files\n`));
    const lines = Buffer.from(`${'é'.repeat(499_999)}\n`); // counted in bytes
    for (let count = 0; count < 13; count += 1) reader.push(lines);
    expect(thrownBy(() => reader.push(lines))).toEqual(tooLarge('a text of more than 13631488 bytes'));
  });

  test('everything together', () => {
    const reader = new FrameReader(MARKS, () => {});
    const line = Buffer.concat([Buffer.from(`${MARK} set k `), millions, Buffer.from('\n')]);
    const thrown = thrownBy(() => {
      for (let count = 0; count < 30; count += 1) reader.push(line);
    });
    expect(thrown).toEqual(tooLarge('output of more than'));
  });

  test('noise is kept up to 4 KiB, and more of it is no error', () => {
    const { frames, noise } = read([`${'n'.repeat(99)}\n`.repeat(1000), `${MARK} hello 1\n`]);
    expect(noise).toHaveLength(4096);
    expect(frames).toHaveLength(1);
  });
});
