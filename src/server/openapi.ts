import { SCHEMAS } from './answers.js';
import { ACTOR, type Field, ROUTES, type Route, TARGET } from './routes.js';
import { ref, type Schema } from './schema.js';

const json = (schema: Schema) => ({ content: { 'application/json': { schema } } });
const failure = (description: string) => ({ description, ...json(ref('Failure')) });

const STATUSES = {
  400: failure('The call is not valid HTTP, or the body is not JSON'),
  401: failure('The token is missing or wrong'),
  404: failure('There is no such backup, or no such path'),
  408: failure('The call did not arrive completely in time'),
  409: failure(
    'Another change is running, or the state of the database or its backups does not allow it: see error_code',
  ),
  413: failure('The body is too large'),
  415: failure('The body is not JSON'),
  421: failure('Host is not a name of this server'),
  422: failure('An input is missing or wrong'),
  429: failure('Too many calls: see Retry-After'),
  431: failure('The headers are too large'),
  '5XX': failure('The run failed, or the server is too busy or stopping'),
};
type Status = keyof typeof STATUSES;

const ALWAYS: readonly Status[] = [400, 408, 421, 429, 431, '5XX'];
const RUN: readonly Status[] = [...ALWAYS, 401, 404, 409, 422];
const BODY: readonly Status[] = [413, 415];

const parameter = (name: string, where: 'query' | 'path' | 'header', schema: Field) => ({
  ...{ name, in: where, required: where === 'path', schema },
});

function operationOf({ operation, summary, does }: Route): object {
  const head = { operationId: operation, summary };
  const pick = (statuses: readonly Status[]) =>
    Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
  if (typeof does === 'string') {
    const schema = does === 'alive' ? ref('Alive') : { type: 'object' };
    return { ...head, security: [], responses: { 200: { description: 'OK', ...json(schema) }, ...pick(ALWAYS) } };
  }
  const { path = {}, body, answer } = does;
  const fields = Object.entries(body ?? {});
  return {
    ...head,
    parameters: [
      ...Object.entries(path).map(([name, field]) => parameter(name, 'path', field)),
      parameter('target', 'query', TARGET),
      parameter('X-Actor', 'header', ACTOR),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: fields.length > 0,
            ...json({
              ...{ type: 'object', additionalProperties: false, required: fields.map(([name]) => name) },
              properties: body,
            }),
          },
        }),
    responses: {
      200: { description: 'Done', ...json(ref(answer)) },
      ...pick([...RUN, ...(body === undefined ? [] : BODY)]),
    },
  };
}

/** What the server takes and answers, made of the table by which it does so. */
export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'db-backup serve',
      version: '1.0.0',
      description: 'Backups of a live database over HTTP. See docs/api.md.',
    },
    servers: [{ url: 'http://127.0.0.1:8470' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: SCHEMAS,
      responses: STATUSES,
    },
  };
}
