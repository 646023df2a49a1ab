// What every page has: parts that stay up to date, buttons that copy, times that go on, light and dark.
//
// A part with `data-live` and an id is fetched again with the page it is on. Without this script, or with the
// tab in the background, the page stays as it is.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("dagfs", { createHTML: (text) => text })
  : { createHTML: (text) => text };

// Only for pages of this server, which escapes everything that is not its own.
export function parsePage(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), "text/html");
}

export function formToken() {
  return document.body.dataset.formToken;
}

// Calls `turn` again and again while the tab is seen; `turn` gives the milliseconds until the next time.
export function whileVisible(turn, first = 1000) {
  let timer = 0;
  const go = async () => {
    timer = 0;
    if (document.hidden) return;
    let next = 5000;
    try {
      next = await turn();
      offline(false);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      offline(true); // fetch says so where nobody answers
    }
    if (next > 0 && !document.hidden) timer = setTimeout(go, next);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !timer) go();
  });
  timer = setTimeout(go, first);
}

function offline(is) {
  const foot = document.querySelector("[data-offline]");
  if (foot) foot.hidden = !is;
}

function keepLive() {
  if (!document.querySelector("[data-live]")) return;
  let etag = "";
  const look = async (anyway = false) => {
    const asked = location.href;
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(asked, { headers, redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // signed out
      return 0;
    }
    if (answer.status === 200) {
      const fresh = parsePage(await answer.text());
      if (asked !== location.href) return pause();
      const isWhole = replaceParts(fresh, anyway);
      etag = isWhole && answer.headers.get("ETag") || "";
      // For scripts that look after parts of their own.
      document.dispatchEvent(new CustomEvent("dagfs:fresh", { detail: fresh }));
    }
    return pause();
  };
  whileVisible(() => look(), pause());
  // A script has changed the address: another filter, say.
  document.addEventListener("dagfs:refresh", () => {
    etag = "";
    look(true).catch((error) => {
      if (!(error instanceof TypeError)) throw error;
      offline(true);
    });
  });
}

function pause() {
  const busy = document.querySelector("[data-live][data-busy]");
  return busy ? 1000 : 4000;
}

// Whether the page shows all that is new: a part that somebody is typing in is left until later.
function replaceParts(fresh, anyway) {
  let isWhole = true;
  for (const old of document.querySelectorAll("[data-live]")) {
    const part = fresh.getElementById(old.id);
    if (!part || part.outerHTML === old.dataset.seen) continue;
    if (!anyway && isBeingFilledIn(old)) {
      isWhole = false;
      continue;
    }
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((each) => each.id));
    const checked = new Set([...old.querySelectorAll("input:checked[id]")].map((each) => each.id));
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const text = part.outerHTML;
    const made = document.importNode(part, true);
    made.dataset.seen = text;
    for (const each of made.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = true;
    for (const each of made.querySelectorAll("input[id]")) if (checked.has(each.id)) each.checked = true;
    const places = scrolled(old).map((each) => [each.scrollLeft, each.scrollTop]);
    old.replaceWith(made);
    const now = scrolled(made);
    if (now.length === places.length) now.forEach((each, at) => each.scrollTo(...places[at]));
    if (focused) document.getElementById(focused)?.focus();
    equip(made);
    tick();
    made.dispatchEvent(new CustomEvent("dagfs:replaced", { bubbles: true }));
  }
  return isWhole;
}

// What scrolls within a part.
function scrolled(part) {
  return [...part.querySelectorAll(".scroll, [tabindex='0']")];
}

// What somebody has typed must not vanish.
function isBeingFilledIn(part) {
  const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement.tagName);
  if (typing && part.contains(document.activeElement)) return true;
  return [...part.querySelectorAll("form[method=post] :is(input:not([type=hidden]), textarea)")].some((each) => each.value !== each.defaultValue);
}

// What needs a script is hidden without one.
function equip(part) {
  for (const button of part.querySelectorAll("[data-copy], [data-theme-switch], [data-script]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.classList.add("done");
    setTimeout(() => copy.classList.remove("done"), 1200);
  }
  if (event.target.closest("[data-theme-switch]")) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `dagfs_theme=${next}; path=/; max-age=31536000; samesite=strict`;
  }
});

// A second click on the way would ask twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form button:disabled")) button.disabled = false;
});

// Spans that go on: `data-since` holds the time at which they began.
function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = spelt((Date.now() - Date.parse(each.dataset.since)) / 1000);
  }
}

function spelt(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 100) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// What is as it was when the page came is not replaced.
for (const part of document.querySelectorAll("[data-live]")) part.dataset.seen = part.outerHTML;
equip(document);
keepLive();
tick();
setInterval(tick, 1000);
