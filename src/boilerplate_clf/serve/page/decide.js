// The rule of boilerplate_clf/inference/decide.py and removal.py, on the scores that the service gives.
// The tests hold both against each other.

/** Return the label of a paragraph, and why it has it.
 * @param {Object<string, number>} scores probability of each label
 * @param {Object<string, number>|null} thresholds least probability of each; null: the likeliest label wins
 * @param {string[]} labels in the model's order
 * @param {string} keep the label that a doubtful paragraph falls back to
 */
export function decide(scores, thresholds, labels, keep) {
  const likeliest = labels.reduce((best, label) => (scores[label] > scores[best] ? label : best));
  let label = likeliest;
  if (thresholds !== null) {
    label = keep;
    let best = -1;
    for (const name of labels) {
      if (name !== keep && scores[name] >= thresholds[name] && scores[name] > best) {
        best = scores[name];
        label = name;
      }
    }
  }
  const reason = label === likeliest ? "likeliest" : label === keep ? "below_threshold" : "above_threshold";
  return { label, likeliest, reason };
}

/** Return a text without the paragraphs that are not kept, and without what parts them from the next.
 * @param {string} text
 * @param {{start: number, end: number, label: string}[]} paragraphs with offsets in code points
 * @param {string} keep
 */
export function cleanText(text, paragraphs, keep) {
  const last = paragraphs.findLastIndex((p) => p.label === keep);
  if (last < 0) return paragraphs.length ? "" : text;
  const points = Array.from(text);
  const parts = [];
  let place = 0;
  paragraphs.forEach((p, number) => {
    if (number < last && p.label !== keep) {
      parts.push(points.slice(place, p.start).join(""));
      place = paragraphs[number + 1].start;
    }
  });
  if (last < paragraphs.length - 1) {
    parts.push(points.slice(place, paragraphs[last].end).join(""));
    place = paragraphs.at(-1).end;
  }
  return parts.concat(points.slice(place).join("")).join("");
}
