// What the scripts say comes with the page, in its language.

const texts = document.getElementById("texts")?.dataset ?? {};

/**
 * @param {string} name of a text in `_texts.html`
 * @param {Record<string, string | number>} values for the `{names}` in it
 */
export function text(name, values = {}) {
  return (texts[name] ?? "").replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
