// Pages on which a retry is prepared: the plan follows what is typed, chosen and clicked.
//
// The form works without this script. With it, the form is sent to `data-plan` after each change, and the parts
// of the answer that are named here take the place of those on the page. Only the newest answer counts.

const { parsePage } = await import(document.querySelector('script[src*="/static/page.js"]').src);

const PARTS = ["notice", "draft", "plan", "changes", "does"];
const form = document.getElementById("retry");
const area = document.getElementById("spec");
const buttons = () => [...form.querySelectorAll('[name="do"][value="retry"], [name="do"][value="rerun"]')];
let saved = area ? area.value : "";
let timer = 0;
let asking = null;
let told = "";

// -- the plan ------------------------------------------------------------------------------------

function later() {
  // A field that is left says once more what it has said while it was typed in.
  if (!asking && said() === told) return;
  waiting(true);
  clearTimeout(timer);
  timer = setTimeout(() => ask(form.dataset.plan), 250);
}

function said() {
  return new URLSearchParams(new FormData(form)).toString();
}

function waiting(is) {
  form.toggleAttribute("data-waiting", is);
  document.getElementById("plan")?.setAttribute("aria-busy", String(is));
  const can = document.querySelector("#plan[data-can-start]") !== null;
  for (const button of buttons()) button.disabled = is || !(can || button.hasAttribute("data-always"));
}

async function ask(address, what = "") {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  waiting(true);
  const body = new URLSearchParams(new FormData(form));
  if (what) body.set("do", what);
  const sent = area?.value;
  try {
    const answer = await fetch(address, { method: "POST", body, signal: mine.signal, redirect: "manual" });
    if (answer.type === "opaqueredirect") return say("You are signed out. Sign in in another tab: what you wrote is still here.");
    const text = await answer.text();
    if (mine !== asking) return;
    const fresh = answer.headers.get("Content-Type")?.startsWith("text/html") ? parsePage(text) : null;
    if (!fresh?.getElementById("retry")) return say(fresh?.querySelector("main h1")?.textContent || text);
    show(fresh);
    if (document.querySelector("#draft[data-saved]")) saved = sent;
    asking = null;
    told = said();
    waiting(false);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof TypeError)) throw error;
    say("The server does not answer. What you wrote is still here.");
  }
}

function say(text) {
  const told = document.createElement("section");
  told.className = "panel bad";
  told.setAttribute("role", "alert");
  told.textContent = text;
  document.getElementById("notice").replaceChildren(told);
  document.getElementById("plan")?.setAttribute("aria-busy", "false");
}

function show(fresh) {
  const focused = document.activeElement?.id;
  for (const id of PARTS) {
    const old = document.getElementById(id);
    const part = fresh.getElementById(id);
    if (!old || !part || old.outerHTML === part.outerHTML) continue;
    const left = old.querySelector(".picture")?.scrollLeft ?? 0;
    const made = document.importNode(part, true);
    // While a text or a selection is wrong, steps can still be seen and clicked.
    if (id === "plan" && !made.querySelector(".decisions")) {
      for (const each of old.querySelectorAll(":scope > .picture, :scope > .scroll")) {
        each.classList.add("old");
        made.append(each);
      }
    }
    for (const each of made.querySelectorAll("[data-copy]")) each.hidden = false;
    old.replaceWith(made);
    const picture = made.querySelector(".picture");
    if (picture) picture.scrollLeft = left;
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
  // For those who listen: the verdict, and not all of the plan again.
  const verdict = document.querySelector("#plan .verdict, #plan strong")?.textContent ?? "";
  const heard = document.getElementById("said");
  if (heard.textContent !== verdict) heard.textContent = verdict;
  mark();
  showChosen();
}

form.addEventListener("input", later);
form.addEventListener("change", later);
form.addEventListener("submit", (event) => {
  const what = event.submitter?.value;
  if (what === "save" || what === "check") {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(what === "save" ? form.getAttribute("action") : form.dataset.plan, what);
    return;
  }
  saved = area?.value;
}, true);

// -- the text ------------------------------------------------------------------------------------

const gutter = form.querySelector(".gutter");

// Line numbers beside the plain text field, with marks; an editor that takes its place has its own.
function mark() {
  if (!area) return;
  const found = [...document.querySelectorAll("#plan [data-line]")].filter((each) => Number(each.dataset.line) > 0);
  area.dispatchEvent(new CustomEvent("dagfs:findings", { detail: found.map((each) => ({
    line: Number(each.dataset.line),
    column: Number(each.dataset.column),
    severity: { error: "error", refused: each.dataset.blocks ? "error" : "info", note: "info" }[each.dataset.severity] ?? "warning",
    message: each.querySelector(".what").textContent,
  })) }));
  const isBad = (each) => each.dataset.blocks && each.dataset.severity !== "question";
  number(new Map(found.reverse().map((each) => [Number(each.dataset.line), isBad(each) ? "bad" : "odd"])));
}

function number(marks = new Map()) {
  if (!gutter || area.hidden) return;
  const lines = area.value.split("\n").length;
  gutter.hidden = false;
  gutter.replaceChildren();
  let plain = "";
  for (let line = 1; line <= lines; line += 1) {
    if (!marks.has(line)) {
      plain += `${line}\n`;
      continue;
    }
    const bad = document.createElement("span");
    bad.className = marks.get(line);
    bad.textContent = String(line);
    gutter.append(plain, bad, "\n");
    plain = "";
  }
  gutter.append(plain);
  gutter.scrollTop = area.scrollTop;
}

function go(line) {
  const event = new CustomEvent("dagfs:goto", { detail: { line }, cancelable: true });
  if (!area.dispatchEvent(event)) return; // the editor has done it
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  area.scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(area).lineHeight));
}

if (area) {
  area.addEventListener("scroll", () => { if (gutter) gutter.scrollTop = area.scrollTop; });
  area.addEventListener("input", () => number());
  area.addEventListener("dagfs:taken", () => { gutter.hidden = true; });
  area.addEventListener("dagfs:ready", mark);
  addEventListener("beforeunload", (event) => { if (area.value !== saved && !area.readOnly) event.preventDefault(); });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      if (!area.readOnly) ask(form.getAttribute("action"), "save");
    }
  });
}

// -- steps that are chosen by a click ------------------------------------------------------------

const steps = form.elements.namedItem("steps");

document.addEventListener("click", (event) => {
  const jump = event.target.closest("[data-goto]");
  if (jump) {
    event.preventDefault();
    go(Number(jump.dataset.goto));
    return;
  }
  const step = event.target.closest("#plan [data-step]")?.dataset.step;
  if (steps && step && !event.target.closest("a, button, input, select, label")) choose(step);
});
document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.("#plan [data-step]");
  if (steps && box && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    choose(box.dataset.step);
  }
});

function terms() {
  return (steps.value.match(/(?:"[^"]*"|'[^']*'|[^,])+/g) ?? []).map((each) => each.trim()).filter(Boolean);
}

// A name with signs that mean something in a selection is put in quotes; one with both kinds becomes a glob.
function term(name) {
  if (/^[\w./@][\w./@ -]*$/.test(name) && name === name.trim()) return name;
  if (name.includes('"') && name.includes("'")) return [...name].map((each) => (/[\w.]/.test(each) ? each : "?")).join("");
  return name.includes('"') ? `'${name}'` : `"${name}"`;
}

function choose(name) {
  const now = terms();
  const mine = term(name);
  steps.value = (now.includes(mine) ? now.filter((each) => each !== mine) : [...now, mine]).join(", ");
  const mode = form.querySelector('[name="mode"]:checked')?.value;
  if (mode === "unfinished" || mode === "all") form.querySelector('[name="mode"][value="from"]').checked = true;
  showChosen();
  later();
}

function showChosen() {
  if (!steps) return;
  const now = new Set(terms());
  for (const each of document.querySelectorAll("#plan [data-step]")) {
    const is = each.dataset.step !== "" && now.has(term(each.dataset.step));
    each.classList.toggle("chosen", is);
    if (!each.matches("g")) continue;
    each.setAttribute("tabindex", "0");
    each.setAttribute("role", "button");
    each.setAttribute("aria-pressed", String(is));
  }
}

told = said();
waiting(false);
mark();
showChosen();
