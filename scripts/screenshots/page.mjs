/** The job summary as GitHub shows it: its Markdown, its style sheet, mermaid. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';

const require = createRequire(import.meta.url);
const style = readFileSync(require.resolve('github-markdown-css/github-markdown.css'), 'utf8');
const mermaid = readFileSync(require.resolve('mermaid/dist/mermaid.min.js'), 'utf8');

/** What GitHub renders Markdown to. HTML is let through: the summary has some of its own. */
export function render(markdown) {
  return micromark(markdown, 'utf8', {
    allowDangerousHtml: true,
    extensions: [gfm()],
    htmlExtensions: [gfmHtml()],
  });
}

/** A whole document. `drawCharts()` in it draws what is marked as mermaid, as GitHub does, and returns what went wrong. */
export function documentOf(markdown) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>${style}</style>
<style>
  body { margin: 0; }
  .markdown-body { box-sizing: border-box; padding: 24px; min-height: 100vh; }
  .markdown-body pre.chart { background: none; padding: 0; text-align: center; }
</style>
<script>${mermaid.replaceAll('</script', '<\\/script')}</script>
<script>
  async function drawCharts() {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    mermaid.initialize({ startOnLoad: false, theme: dark ? 'dark' : 'default', securityLevel: 'strict' });
    const failures = [];
    for (const [i, code] of [...document.querySelectorAll('code.language-mermaid')].entries()) {
      try {
        const { svg } = await mermaid.render('chart-' + i, code.textContent);
        code.parentElement.className = 'chart';
        code.parentElement.innerHTML = svg;
      } catch (error) {
        failures.push(String(error));
      }
    }
    await document.fonts.ready;
    return failures;
  }
</script>
</head><body><article class="markdown-body">
${render(markdown)}
</article></body></html>`;
}
