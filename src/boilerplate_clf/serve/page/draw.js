// Making the result's elements. Everything that comes from a text goes in as text, never as markup.

const $ = (id) => document.getElementById(id);
const HUES = 8; // in style.css
const hues = new Map();

/** Give each label but the kept one a colour. */
export function setHues(facts) {
  facts.labels.filter((label) => label !== facts.keep_label).forEach((label, i) => hues.set(label, i % HUES));
}

function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

const nameOf = (label, words) => words.names[label] ?? label.replaceAll("_", " ");
const hueOf = (label) => (hues.has(label) ? `hue-${hues.get(label)}` : "kept");
const percent = (value, words) => {
  const digits = value >= 0.0005 && value < 0.01 ? 1 : 0;
  const style = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString(words.locale, style);
};
const chip = (label, words) => element("span", `chip ${hueOf(label)}`, nameOf(label, words));

/** Draw the key of colours, and every paragraph. */
export function drawParagraphs(paragraphs, facts, mode, words, showWhy) {
  const counts = new Map(facts.labels.map((label) => [label, 0]));
  for (const p of paragraphs) counts.set(p.label, counts.get(p.label) + 1);
  $("legend").replaceChildren(
    ...[...counts].map(([label, count]) => element("li", "", chip(label, words), ` ${count}`)),
  );
  // What was open stays open when the mode or the language changes.
  const open = new Set([...document.querySelectorAll('#list [aria-expanded="true"]')].map((b) => b.dataset.index));
  $("list").replaceChildren(
    ...paragraphs.map((p) => paragraph(p, facts, mode, words, showWhy, open.has(String(p.index)))),
  );
}

function texts(p, ...meta) {
  const text = element("p", "text", p.text);
  text.lang = "de";
  return element("li", `paragraph ${hueOf(p.label)}`, text, element("div", "meta", ...meta));
}

const labelled = (p, words) => [chip(p.label, words), element("span", "score", percent(p.scores[p.label], words))];

function paragraph(p, facts, mode, words, showWhy, open) {
  const names = [nameOf(p.label, words), nameOf(p.likeliest, words)];
  const because = element("div", "because");
  const reason = element("p", "", words.reasons[p.reason](...names));
  const panel = element("div", "panel", reason, bars(p, facts, mode, words), because);
  const button = element("button", "why", words.why);
  const hover = element("div", "hover", bars(p, facts, mode, words));
  hover.ariaHidden = "true"; // the same stands in the panel
  panel.id = `why-${p.index}`;
  button.type = "button";
  button.dataset.index = p.index;
  button.ariaLabel = words.whyOf(p.index + 1);
  button.setAttribute("aria-controls", panel.id);
  const show = (shown) => {
    panel.hidden = !shown;
    button.ariaExpanded = String(shown);
    if (shown && !because.hasChildNodes()) showWhy(p, because);
  };
  button.addEventListener("click", () => show(panel.hidden));
  const item = texts(p, ...labelled(p, words), button, hover);
  item.append(panel);
  show(open);
  return item;
}

function bars(p, facts, mode, words) {
  const thresholds = facts.modes[mode];
  const rows = facts.labels.map((label) => {
    const bar = element("span", `bar ${hueOf(label)}`, element("span", "fill"));
    bar.firstChild.style.width = `${100 * p.scores[label]}%`;
    const needed = thresholds !== null && label !== facts.keep_label;
    if (needed) {
      const mark = element("span", "mark");
      mark.style.left = `${100 * thresholds[label]}%`;
      bar.append(mark);
    }
    const note = needed ? element("span", "needed", ` ${words.threshold} ${percent(thresholds[label], words)}`) : "";
    const value = element("dd", "", bar, element("span", "value", percent(p.scores[label], words), note));
    return element("div", "", element("dt", "", nameOf(label, words)), value);
  });
  return element("dl", "bars", ...rows);
}

/** Draw what tipped the scales. */
export function drawWhy(place, phrases, words) {
  if (!phrases.length) {
    place.textContent = words.whyNoPhrases;
    return;
  }
  const items = phrases.map((phrase) => {
    const quoted = element("q", "", phrase.text);
    quoted.lang = "de";
    const influence = phrase.influence.toLocaleString(words.locale, { maximumFractionDigits: 1 });
    return element("li", "", quoted, ` ${words.influence} +${influence}`);
  });
  place.replaceChildren(element("p", "", words.whyPhrases), element("ul", "", ...items));
}

/** Draw the list of what is gone. */
export function drawRemoved(removed, words) {
  $("removed-none").hidden = removed.length > 0;
  $("removed-list").replaceChildren(
    ...removed.map((p) => texts(p, ...labelled(p, words))),
  );
}
