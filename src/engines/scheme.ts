/** `jdbc:NAME+DRIVER:REST`, with the name in lower case. */
export interface Scheme {
  jdbc: boolean;
  name: string;
  driver: string;
  rest: string;
}

/** null: a text without one, such as a path. */
export function schemeOf(text: string): Scheme | null {
  const [, jdbc, name, driver = '', rest = ''] = /^(jdbc:)?([a-z][a-z0-9-]*)(\+[a-z0-9_.+-]+)?:(.*)$/i.exec(text) ?? [];
  return name === undefined ? null : { jdbc: jdbc !== undefined, name: name.toLowerCase(), driver, rest };
}

/** Of .NET, ODBC and libpq: `Data Source=app.db;Password=...`, `host=db password=...`. */
export const isKeywords = (text: string): boolean =>
  /(?:^|[;\s])(?:data source|datasource|server|host|user id|username|password|pwd|dbname) *=/i.test(text);
