import type { Readable } from 'node:stream';
import { parseCommand } from './runner-commands.js';

export interface Annotation {
  level: 'error' | 'warning' | 'notice';
  title: string;
  message: string;
}

/** The log of a step as the runner treats it: line by line, obeying commands, masking from the mask on. */
export class RunnerLog {
  raw = '';
  visible = '';
  readonly masks: string[] = [];
  readonly annotations: Annotation[] = [];
  readonly legacyOutputs: [string, string][] = [];
  readonly legacyState: [string, string][] = [];
  #resumeToken: string | null = null;
  #unfinished: (() => void)[] = [];
  #listeners = new Set<(line: string) => void>();

  /** Reads a stream to its end; two streams mix by whole lines. */
  attach(stream: Readable): void {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
    this.#unfinished.push(() => {
      if (rest !== '') this.#take(rest);
      rest = '';
    });
  }

  /** At the end of a step: takes last lines that have no line end; stopped commands work again. */
  flush(): void {
    for (const take of this.#unfinished) take();
    this.#unfinished = [];
    this.#resumeToken = null;
  }

  isMasked(text: string): boolean {
    return this.masks.some((mask) => text.includes(mask));
  }

  async line(pattern: RegExp, ended: Promise<unknown>): Promise<string> {
    const old = this.raw.split('\n').find((line) => pattern.test(line));
    if (old !== undefined) return old;
    return new Promise((resolve, reject) => {
      const listener = (line: string) => {
        if (pattern.test(line)) resolve(line);
      };
      this.#listeners.add(listener);
      void ended.finally(() => {
        this.#listeners.delete(listener);
        reject(new Error(`the step ended without a line that matches ${pattern}:\n${this.raw}`));
      });
    });
  }

  #take(line: string): void {
    this.raw += `${line}\n`;
    const command = parseCommand(line, this.#resumeToken ?? undefined);
    if (command === null || (this.#resumeToken !== null && command.name !== this.#resumeToken.toLowerCase())) {
      this.#show(line);
    } else {
      this.#obey(command.name, command.properties, command.data);
    }
    for (const listener of this.#listeners) listener(line);
  }

  #obey(name: string, properties: Record<string, string>, data: string): void {
    switch (name) {
      case 'add-mask':
        // The whole value and each of its lines, as the runner does.
        for (const mask of [data, ...data.split(/\r?\n/)]) {
          if (mask.trim() !== '' && !this.masks.includes(mask)) this.masks.push(mask);
        }
        return;
      case 'set-output':
        this.legacyOutputs.push([properties.name ?? '', data]);
        return;
      case 'save-state':
        this.legacyState.push([properties.name ?? '', data]);
        return;
      case 'stop-commands':
        this.#resumeToken = data;
        return;
      case 'error':
      case 'warning':
      case 'notice':
        this.annotations.push({ level: name, title: properties.title ?? '', message: data });
        this.#show(`##[${name}]${data}`);
        return;
      case 'group':
      case 'debug':
        this.#show(`##[${name}]${data}`);
        return;
      default:
        // The token that ends stop-commands, and commands that change nothing a test looks at.
        this.#resumeToken = null;
    }
  }

  #show(text: string): void {
    let shown = text;
    // The longest first: a short mask inside a long one would leave the rest of the long one readable.
    for (const mask of [...this.masks].sort((a, b) => b.length - a.length)) shown = shown.replaceAll(mask, '***');
    this.visible += `${shown}\n`;
  }
}
