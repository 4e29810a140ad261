import { createHash, timingSafeEqual } from 'node:crypto';

export const SHORTEST_TOKEN = 32;

/** What is wrong with it as a bearer token, or null. */
export function faultOfToken(token: string): string | null {
  if (token.length < SHORTEST_TOKEN)
    return `expected at least ${SHORTEST_TOKEN} characters, such as from: openssl rand -hex 32`;
  // it has to fit into a header, in one piece
  return /^[\x21-\x7e]{1,1024}$/.test(token) ? null : 'expected printable ASCII characters, without blanks';
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Compares what a header `Authorization` has with the token, in a time that tells nothing about either. */
export function tokenCheck(token: string): (header: string | undefined) => boolean {
  const right = sha256(token);
  return (header) => timingSafeEqual(sha256(/^bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1] ?? ''), right);
}
