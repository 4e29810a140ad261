import * as v from 'valibot';
import type { Format, Identity } from '../../backups/format.js';
import type { Content } from '../../backups/manifest.js';
import { matching, object } from '../../schemas.js';
import { SYSTEM_IDENTIFIER } from '../postgres/format.js';
import type { SetType } from './sets.js';

export const STANZA = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const IDENTITY = object({
  stanza: matching(STANZA, 'the name of a stanza'),
  /** The system identifier of the cluster; null where nothing is known of it yet. */
  cluster: v.nullable(matching(SYSTEM_IDENTIFIER, 'the number of a cluster, or null')),
});
export type PhysicalIdentity = Readonly<v.InferOutput<typeof IDENTITY>>;

/** The rows of all databases, where the backup was restored and they were counted. */
export type PhysicalContent = Content;

export const physicalFormat: Format<PhysicalIdentity> = {
  kinds: ['full', 'diff', 'incr'] satisfies SetType[],
  logical: false,
  inRepository: true,
  identityFields: ['stanza', 'cluster'],
  identity: IDENTITY,
  content: object({}),
  // all that is in the repository of a stanza is its own, also of the cluster before an upgrade
  isSame: (one: PhysicalIdentity, other: PhysicalIdentity) => one.stanza === other.stanza,
  serverOf: ({ cluster }) => cluster,
  show: ({ stanza, cluster }: PhysicalIdentity) =>
    `the stanza ${JSON.stringify(stanza)}${cluster === null ? '' : ` of the cluster ${cluster}`}`,
};

export const isPhysicalIdentity = (identity: Identity): identity is PhysicalIdentity => 'stanza' in identity;
