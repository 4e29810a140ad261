/** What each service documents of what it takes; each function returns what is wrong with a body. */

type Json = Record<string, unknown>;

const length = (text: unknown): number => (typeof text === 'string' ? text.length : Number.NaN);
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Collects what does not hold. */
class Check {
  readonly wrong: string[] = [];
  that(holds: boolean, what: string): void {
    if (!holds) this.wrong.push(what);
  }
  text(value: unknown, most: number, what: string): void {
    this.that(length(value) >= 1 && length(value) <= most, `${what}: 1 to ${most} characters, not ${length(value)}`);
  }
  keys(value: unknown, allowed: string[], what: string): Json {
    if (!isObject(value)) {
      this.wrong.push(`${what} is no object`);
      return {};
    }
    for (const key of Object.keys(value)) this.that(allowed.includes(key), `${what} has no ${key}`);
    return value;
  }
  list(value: unknown, least: number, most: number, what: string): unknown[] {
    const all = Array.isArray(value) ? value : [];
    this.that(
      Array.isArray(value) && all.length >= least && all.length <= most,
      `${what}: ${least} to ${most} of them`,
    );
    return all;
  }
}

/** https://docs.slack.dev/reference/block-kit/blocks */
export function wrongForSlack(body: unknown): string[] {
  const check = new Check();
  const message = check.keys(body, ['text', 'blocks', 'unfurl_links', 'unfurl_media'], 'message');
  check.text(message.text, 3000, 'text');
  check.that(!/<|>|&(?!(?:amp|lt|gt);)/.test(String(message.text)), 'text: & < > are escaped');
  const plain = (value: unknown, most: number, what: string) => {
    const { type, text } = check.keys(value, ['type', 'text', 'emoji'], what);
    check.that(type === 'plain_text', `${what} is plain_text`);
    check.text(text, most, what);
  };
  for (const one of check.list(message.blocks, 1, 50, 'blocks')) {
    const block = check.keys(one, ['type', 'text', 'fields', 'elements'], 'block');
    if (block.type === 'header') plain(block.text, 150, 'header');
    else if (block.type === 'section') {
      check.that((block.text === undefined) !== (block.fields === undefined), 'section: text or fields');
      if (block.text !== undefined) plain(block.text, 3000, 'section');
      else for (const field of check.list(block.fields, 1, 10, 'fields')) plain(field, 2000, 'field');
    } else if (block.type === 'context') {
      for (const element of check.list(block.elements, 1, 10, 'elements')) {
        const { type, text } = check.keys(element, ['type', 'text'], 'element');
        check.that(
          type === 'mrkdwn' && /^<https?:\/\/[^<>|\s]+\|Open the run>$/.test(String(text)),
          'context: our link alone',
        );
      }
    } else check.wrong.push(`no such block: ${block.type}`);
  }
  return check.wrong;
}

/** https://docs.discord.com/developers/resources/message#embed-object-embed-limits */
export function wrongForDiscord(body: unknown): string[] {
  const check = new Check();
  const message = check.keys(body, ['allowed_mentions', 'embeds'], 'message');
  check.that(JSON.stringify(message.allowed_mentions) === '{"parse":[]}', 'nobody is mentioned');
  const texts: string[] = [];
  for (const one of check.list(message.embeds, 1, 10, 'embeds')) {
    const embed = check.keys(one, ['title', 'description', 'color', 'timestamp', 'url', 'fields'], 'embed');
    check.text(embed.title, 256, 'title');
    if (embed.description !== undefined) check.text(embed.description, 4096, 'description');
    check.that(Number.isInteger(embed.color) && Number(embed.color) <= 0xffffff, 'color');
    check.that(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(String(embed.timestamp)), 'timestamp');
    texts.push(String(embed.title), String(embed.description ?? ''));
    for (const field of check.list(embed.fields, 0, 25, 'fields')) {
      const { name, value, inline } = check.keys(field, ['name', 'value', 'inline'], 'field');
      check.text(name, 256, 'name');
      check.text(value, 1024, 'value');
      check.that(typeof inline === 'boolean', 'inline');
      texts.push(String(name), String(value));
    }
  }
  check.that(texts.join('').length <= 6000, `6000 characters in all, not ${texts.join('').length}`);
  for (const text of texts) check.that(!marksIn(text, /[`*_~|<>[\]()#:]/), `Markdown: ${text.slice(0, 80)}`);
  return check.wrong;
}

/** A mark that no backslash stands before, or an "@" that somebody's name may follow. */
function marksIn(text: string, mark: RegExp): boolean {
  return mark.test(text.replaceAll(/\\./gs, '')) || /@(?!\u200b)/.test(text);
}

/** https://adaptivecards.io/explorer, and what Teams allows. */
export function wrongForTeams(body: unknown): string[] {
  const check = new Check();
  check.that(Buffer.byteLength(JSON.stringify(body)) < 28_000, '28 kB');
  const message = check.keys(body, ['type', 'attachments'], 'message');
  check.that(message.type === 'message', 'type message');
  for (const one of check.list(message.attachments, 1, 1, 'attachments')) {
    const { contentType, contentUrl, content } = check.keys(
      one,
      ['contentType', 'contentUrl', 'content'],
      'attachment',
    );
    check.that(contentType === 'application/vnd.microsoft.card.adaptive' && contentUrl === null, 'contentType');
    const card = check.keys(content, ['$schema', 'type', 'version', 'msteams', 'body', 'actions'], 'card');
    check.that(card.type === 'AdaptiveCard' && ['1.4', '1.5'].includes(String(card.version)), 'AdaptiveCard 1.4');
    for (const element of check.list(card.body, 1, 50, 'body')) {
      const { type, inlines } = check.keys(element, ['type', 'inlines'], 'element');
      check.that(type === 'RichTextBlock', `${type} would understand Markdown`);
      for (const inline of check.list(inlines, 1, 10, 'inlines')) {
        const run = check.keys(inline, ['type', 'text', 'weight', 'size', 'color', 'fontType'], 'inline');
        check.that(run.type === 'TextRun', 'TextRun');
        check.text(run.text, 20_000, 'text');
      }
    }
    for (const action of check.list(card.actions ?? [], 0, 5, 'actions')) {
      const { type, url } = check.keys(action, ['type', 'title', 'url'], 'action');
      check.that(type === 'Action.OpenUrl' && /^https?:/.test(String(url)), 'Action.OpenUrl');
    }
  }
  return check.wrong;
}

/** https://developers.mattermost.com/integrate/reference/message-attachments/ */
export function wrongForMattermost(body: unknown): string[] {
  const check = new Check();
  check.that(JSON.stringify(body).length <= 16_383, 'a post has 16383 characters');
  const message = check.keys(body, ['attachments'], 'message');
  for (const one of check.list(message.attachments, 1, 1, 'attachments')) {
    const allowed = ['fallback', 'color', 'title', 'title_link', 'text', 'fields'];
    const { fallback, color, title, text, fields } = check.keys(one, allowed, 'attachment');
    check.that(/^#[0-9a-f]{6}$/.test(String(color)), 'color');
    const texts = [fallback, title, text];
    for (const field of check.list(fields, 0, 10, 'fields')) {
      const { short, title: name, value } = check.keys(field, ['short', 'title', 'value'], 'field');
      check.that(typeof short === 'boolean', 'short');
      check.text(name, 200, 'field title');
      texts.push(name, value);
    }
    for (const part of texts) {
      check.that(
        typeof part === 'string' && !marksIn(part, /[`*_{}[\]()#+\-.!|~<>:]/),
        `Markdown: ${String(part).slice(0, 80)}`,
      );
    }
  }
  return check.wrong;
}

/** https://core.telegram.org/bots/api#html-style */
export function wrongForTelegram(body: unknown): string[] {
  const check = new Check();
  const allowed = ['chat_id', 'parse_mode', 'text', 'link_preview_options', 'disable_notification'];
  const { chat_id: chat, parse_mode: mode, text } = check.keys(body, allowed, 'message');
  check.that(/^(?:-?\d+|@\w+)$/.test(String(chat)), 'chat_id');
  check.that(mode === 'HTML', 'parse_mode');
  const open: string[] = [];
  const plain = String(text).replaceAll(/<(\/?)([a-z]+)( href="[^"<>]*")?>/g, (_, end: string, name: string) => {
    check.that(['b', 'a', 'pre'].includes(name), `the tag ${name}`);
    if (end === '') open.push(name);
    else check.that(open.pop() === name, `the end of ${name}`);
    return '';
  });
  check.that(open.length === 0, `not closed: ${open}`);
  check.that(!/[<>]/.test(plain) && !/&(?!(?:amp|lt|gt|quot);)/.test(plain), '& < > are escaped');
  check.text(plain.replaceAll(/&[a-z]+;/g, '&'), 4096, 'text');
  return check.wrong;
}

/** https://docs.ntfy.sh/publish/#publish-as-json */
export function wrongForNtfy(body: unknown): string[] {
  const check = new Check();
  const { topic, title, message, priority, click } = check.keys(
    body,
    ['topic', 'title', 'message', 'priority', 'click'],
    'message',
  );
  check.that(/^[-_A-Za-z0-9]{1,64}$/.test(String(topic)), 'topic');
  check.text(title, 250, 'title');
  check.that(length(message) > 0 && Buffer.byteLength(String(message)) <= 4096, 'message: 1 to 4096 bytes');
  check.that([1, 2, 3, 4, 5].includes(Number(priority)), 'priority');
  check.that(click === undefined || /^https?:/.test(String(click)), 'click');
  return check.wrong;
}

/** https://gotify.net/api-docs */
export function wrongForGotify(body: unknown): string[] {
  const check = new Check();
  const { message, priority, extras } = check.keys(body, ['title', 'message', 'priority', 'extras'], 'message');
  check.text(message, 10_000, 'message');
  check.that(Number.isInteger(priority) && Number(priority) >= 0 && Number(priority) <= 10, 'priority');
  check.that(JSON.stringify(extras).includes('"client::display":{"contentType":"text/plain"}'), 'it is no Markdown');
  return check.wrong;
}
