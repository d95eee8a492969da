// The page: asks the service once, and decides anew by itself when the mode changes.

import { cleanText, decide } from "./decide.js";
import { drawParagraphs, drawRemoved, drawWhy, setHues } from "./draw.js";
import { LANGUAGES } from "./words.js";

const $ = (id) => document.getElementById(id);
const TABS = ["paragraphs", "clean", "removed"];
const HTML_START = /^\s*<(!doctype|html|head|body|article|div|p|main|section)\b/i;

const state = {
  language: localStorage.getItem("language") ?? (navigator.language.startsWith("de") ? "de" : "en"),
  facts: null, // of /v1/model
  sent: null, // {text} or {html}
  answer: null, // of /v1/predict
  mode: null,
  why: new Map(), // mode -> promise of the explained answer
};

const words = () => LANGUAGES[state.language];
const kind = () => document.querySelector('input[name="kind"]:checked').value;

class Refused extends Error {
  constructor(type, detail) {
    super(detail);
    this.type = type;
  }
}

async function ask(path, body) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if ($("token").value) headers.Authorization = `Bearer ${$("token").value}`;
  let response;
  try {
    const method = body ? "POST" : "GET";
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Refused("offline", "");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) $("token-field").hidden = false;
  throw new Refused(answer.error?.type ?? "offline", answer.error?.message ?? "");
}

async function loadFacts() {
  state.facts = await ask("/v1/model");
  state.mode ??= state.facts.mode;
  setHues(state.facts);
  drawFooter();
}

function explainedAnswer() {
  const mode = state.mode;
  if (!state.why.has(mode)) {
    const asked = ask("/v1/predict", { ...state.sent, mode, explain: true });
    state.why.set(mode, asked);
    asked.catch(() => state.why.delete(mode));
  }
  return state.why.get(mode);
}

/** Return the paragraphs with labels of the present mode. */
function decided() {
  const { labels, keep_label: keep, modes } = state.facts;
  return state.answer.paragraphs.map((p) => ({ ...p, ...decide(p.scores, modes[state.mode], labels, keep) }));
}

// What is shown

function drawWords() {
  const all = words();
  document.documentElement.lang = state.language;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = all[node.dataset.word];
  for (const node of document.querySelectorAll("[data-label]")) node.ariaLabel = all[node.dataset.label];
  $("input").placeholder = all.placeholder;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.ariaPressed = String(button.dataset.language === state.language);
  }
  drawFooter();
  $("status").textContent = "";
  showError(null);
  if (state.answer) drawResult();
}

function drawFooter() {
  if (!state.facts) return;
  const { model, version } = state.facts;
  $("model").textContent = words().model(model.name, model.version, version);
}

function drawResult() {
  const all = words();
  const keep = state.facts.keep_label;
  const paragraphs = decided();
  const removed = paragraphs.filter((p) => p.label !== keep);
  const size = (list) => list.reduce((sum, p) => sum + p.text.length, 0);
  const share = Math.round(100 * (1 - size(removed) / Math.max(1, size(paragraphs))));
  $("empty").hidden = true;
  $("found").hidden = false;
  $("counts").textContent = all.counts(paragraphs.length, removed.length, share);
  $("mode-hint").textContent = all.modeHints[state.mode];
  $("cut-off").hidden = !(state.answer.summary.cut_off && state.answer.mode === state.mode);
  document.querySelector(`input[name="mode"][value="${state.mode}"]`).checked = true;
  for (const name of TABS) {
    $(`tab-${name}`).textContent = all.tabs[name] + (name === "removed" ? ` (${removed.length})` : "");
  }
  drawParagraphs(paragraphs, state.facts, state.mode, all, showWhy);
  $("clean-text").textContent =
    state.sent.text === undefined
      ? paragraphs.filter((p) => p.label === keep).map((p) => p.text).join("\n")
      : cleanText(state.sent.text, paragraphs, keep);
  drawRemoved(removed, all);
  return { all: paragraphs.length, removed: removed.length };
}

async function showWhy(paragraph, place) {
  if (paragraph.label === state.facts.keep_label) return;
  place.textContent = words().whyLoading;
  try {
    const answer = await explainedAnswer();
    drawWhy(place, answer.paragraphs[paragraph.index].because ?? [], words());
  } catch (error) {
    place.textContent = messageOf(error);
  }
}

function messageOf(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.type === "offline") return words().offline;
  const known = words().errors[error.type] ?? words().otherError;
  return known;
}

/** Show an error: a message of the page's, or whatever was thrown. */
function showError(error) {
  $("error").textContent = error instanceof Error ? messageOf(error) : (error ?? "");
  $("input").ariaInvalid = String(Boolean(error));
  if (error instanceof Refused && error.message) {
    const detail = document.createElement("small");
    detail.lang = "en"; // as the server says it
    detail.textContent = error.message;
    $("error").append(detail);
  }
}

// What is done

async function send(event) {
  event.preventDefault();
  showError(null);
  const content = $("input").value;
  if (!content.trim()) {
    showError(words().nothing);
    $("input").focus();
    return;
  }
  $("send").disabled = true;
  $("status").textContent = words().sending;
  try {
    if (!state.facts) await loadFacts();
    const sent = kind() === "html" ? { html: content } : { text: content };
    const answer = await ask("/v1/predict", { ...sent, mode: state.mode });
    if (!answer.paragraphs.length) throw new Refused("empty", "");
    Object.assign(state, { sent, answer });
    state.why.clear();
    const { all, removed } = drawResult();
    $("status").textContent = words().done(all, removed);
    $("result").focus({ preventScroll: true });
    if (matchMedia("(max-width: 60rem)").matches) $("result").scrollIntoView();
  } catch (error) {
    $("status").textContent = "";
    showError(error.type === "empty" ? words().noParagraphs : error);
    if (error.type === "unauthorized") $("token").focus();
  } finally {
    $("send").disabled = false;
  }
}

function fill(content, name) {
  const html = name ? /\.html?$/i.test(name) : HTML_START.test(content);
  document.querySelector(`input[name="kind"][value="${html ? "html" : "text"}"]`).checked = true;
  $("input").value = content;
}

async function read(file) {
  if (!file) return;
  showError(null);
  try {
    const bytes = await file.arrayBuffer();
    fill(new TextDecoder("utf-8", { fatal: true }).decode(bytes), file.name);
    $("form").requestSubmit();
  } catch {
    showError(words().unreadable);
  }
}

function choose(name, focus) {
  for (const tab of TABS) {
    $(tab).hidden = tab !== name;
    $(`tab-${tab}`).ariaSelected = String(tab === name);
    $(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  if (focus) $(`tab-${name}`).focus();
}

async function copy() {
  const text = $("clean-text").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS only this machine has a clipboard: selected, it is a key away.
    getSelection().selectAllChildren($("clean-text"));
    return;
  }
  $("copy").textContent = $("status").textContent = words().copied;
  setTimeout(() => ($("copy").textContent = words().copy), 2000);
}

// Wiring

$("form").addEventListener("submit", send);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", (event) => {
  read(event.target.files[0]);
  event.target.value = "";
});
$("example").addEventListener("click", async () => {
  const response = await fetch("/static/example.txt").catch(() => null);
  if (!response?.ok) return showError(words().offline);
  fill((await response.text()).trim(), "example.txt");
  $("form").requestSubmit();
});
$("input").addEventListener("paste", () => setTimeout(() => fill($("input").value)));
for (const [name, on] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", on);
    if (name === "drop") read(event.dataTransfer.files[0]);
  });
}
$("modes").addEventListener("change", (event) => {
  state.mode = event.target.value;
  drawResult();
});
$("copy").addEventListener("click", copy);
for (const [number, name] of TABS.entries()) {
  $(`tab-${name}`).addEventListener("click", () => choose(name));
  $(`tab-${name}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = { Home: 0, End: TABS.length - 1 }[event.key] ?? (number + step + TABS.length) % TABS.length;
    if (Number.isNaN(to)) return;
    event.preventDefault();
    choose(TABS[to], true);
  });
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    state.language = button.dataset.language;
    localStorage.setItem("language", state.language);
    drawWords();
  });
}

drawWords();
loadFacts().catch(showError);
