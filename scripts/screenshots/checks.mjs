/** What must hold for a summary in a browser, at every width. */

/** Elements that a summary may be made of; anything else has come from outside. */
const ELEMENTS = [
  ...['article', 'h2', 'h3', 'p', 'br', 'strong', 'code', 'wbr', 'pre', 'ul', 'li', 'details', 'summary'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td', 'svg'],
];

/** Runs in the page: what it looks like, in numbers. */
function measure(allowed) {
  const article = document.querySelector('article');
  const wide = (element) => getComputedStyle(element).overflowX === 'auto' || element.closest('pre, table') !== null;
  const help =
    /^https:\/\/github\.com\/org\/db-backup-action\/blob\/main\/docs\/(restore\.md|errors\.md#e_[a-z0-9_]+)$/;
  const outside = [...article.querySelectorAll('*')].filter(
    (one) => (one.closest('svg') === null || one.tagName === 'svg') && !(one.tagName === 'A' && help.test(one.href)),
  );
  return {
    pageWidth: document.documentElement.scrollWidth,
    windowWidth: document.documentElement.clientWidth,
    height: Math.ceil(article.getBoundingClientRect().bottom),
    strangers: outside.map((one) => one.tagName.toLowerCase()).filter((name) => !allowed.includes(name)),
    attributes: outside.flatMap((one) =>
      one.tagName === 'svg'
        ? []
        : [...one.attributes].map(({ name }) => name).filter((name) => !['class', 'align'].includes(name)),
    ),
    sticking: outside
      .filter((one) => !wide(one) && one.getBoundingClientRect().right > innerWidth + 1)
      .map((one) => `${one.tagName.toLowerCase()}: ${one.textContent.slice(0, 60)}`),
    cut: [...article.querySelectorAll('table, pre')]
      .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'auto')
      .map((one) => one.textContent.slice(0, 60)),
    raggedTables: [...article.querySelectorAll('table')].filter(
      (one) => new Set([...one.rows].map((row) => row.cells.length)).size !== 1,
    ).length,
    charts: article.querySelectorAll('pre.chart svg').length,
    unseenChartText: [...article.querySelectorAll('pre.chart svg text')].filter(
      (one) => one.getBoundingClientRect().width === 0,
    ).length,
    overlappingLabels: [...article.querySelectorAll('pre.chart svg')]
      .map((chart) => overlaps([...chart.querySelectorAll('.bottom-axis .label text')]))
      .reduce((sum, count) => sum + count, 0),
    errors: article.querySelectorAll('svg[aria-roledescription="error"]').length,
  };

  function overlaps(texts) {
    const boxes = texts.map((one) => one.getBoundingClientRect()).sort((a, b) => a.left - b.left);
    return boxes.filter((box, i) => i > 0 && box.left < boxes[i - 1].right).length;
  }
}

export const MEASURE = `(${measure})(${JSON.stringify(ELEMENTS)})`;

/** One sentence for each thing that is wrong. `charts`: how many there should be. */
export function complaints(measured, failures, charts) {
  const { pageWidth, windowWidth, strangers, attributes, sticking, cut, raggedTables, errors } = measured;
  return [
    ...failures.map((failure) => `mermaid: ${failure}`),
    ...(errors > 0 ? ['mermaid drew an error'] : []),
    ...(measured.charts === charts ? [] : [`${measured.charts} charts instead of ${charts}`]),
    ...(measured.overlappingLabels > 0
      ? [`${measured.overlappingLabels} labels of the chart lie over each other`]
      : []),
    ...(measured.unseenChartText > 0 ? [`${measured.unseenChartText} texts of the chart can not be seen`] : []),
    ...(pageWidth > windowWidth ? [`the page is ${pageWidth} pixels wide in a window of ${windowWidth}`] : []),
    ...sticking.map((what) => `sticks out: ${what}`),
    ...cut.map((what) => `is cut and does not scroll: ${what}`),
    ...(raggedTables > 0 ? [`${raggedTables} tables with rows of different lengths`] : []),
    ...strangers.map((name) => `there is an element <${name}>`),
    ...attributes.map((name) => `there is an attribute ${name}`),
  ];
}
