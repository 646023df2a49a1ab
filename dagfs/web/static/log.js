// A log that is followed by byte offset while somebody looks at it, with search, and more of it on demand.
// Only a window of it is ever here. Everything is put in as text: nothing that a log holds is taken for HTML.

const PIECE = 256 * 1024; // bytes of one "load what stands before"
const CHUNK = 64 * 1024; // characters of one block of text
const MOST = 6 * 1024 * 1024; // characters kept on the page while following
const FAR = 8 * 1024 * 1024; // bytes that are too many to catch up with
const MARKS = 5000; // matches that are painted

const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\^-~]/g;
const OTHERS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

// As views/logtext.py does it on the server.
export function plain(text) {
  return text.replaceAll("\r\n", "\n").replace(ESCAPES, "").replace(/[^\n]*\r(?=[^\r\n])/g, "").replaceAll("\r", "")
    .replace(OTHERS, (char) => {
      const number = char.charCodeAt(0);
      return number < 256 ? `\\x${number.toString(16).padStart(2, "0")}` : `\\u${number.toString(16).padStart(4, "0")}`;
    });
}

class Log {
  constructor(section) {
    this.section = section;
    this.view = section.querySelector(".log-text");
    this.start = Number(section.dataset.start);
    this.end = Number(section.dataset.end);
    this.size = Number(section.dataset.size);
    this.open = section.dataset.open === "1";
    this.raw = section.dataset.raw;
    this.learn(section.dataset.tries);
    this.chunks = []; // { text, node, start } from the top down; text is what is shown unfiltered
    this.rest = new Uint8Array(); // bytes of a line that has not ended
    this.matches = [];
    this.current = -1;
    this.stopped = false;
    // A window in the middle of a log stays what it is.
    this.isWhole = !section.querySelector(".log-later");
    this.open &&= this.isWhole;
    this.view.classList.add("scripted");
    for (const each of section.querySelectorAll("[data-script]")) each.hidden = false;
    this.adopt();
    this.listen();
    this.settings();
    if (this.isWhole) {
      this.toEnd();
      this.timer = setTimeout(() => this.turn(), this.open && !this.tries.length ? 300 : 0);
    }
  }

  // `OFFSET:TITLE,…`: where in the file each try begins.
  learn(tries) {
    this.tries = tries.split(",").filter(Boolean).map((each) => [Number(each.split(":")[0]), each.slice(each.indexOf(":") + 1)]);
    this.titles = new Map(this.tries);
  }

  // Takes over what the server has put on the page.
  adopt() {
    const pre = this.view.querySelector("[data-lines]");
    const text = pre?.textContent ?? "";
    pre?.remove();
    // Where one try ends and the next begins is a matter of bytes: those are fetched.
    if (this.isWhole && this.tries.length) this.end = this.start;
    else this.append(text, this.start);
    this.view.querySelector("[data-rest]")?.remove();
  }

  listen() {
    const on = (selector, name, act) => this.section.querySelector(selector)?.addEventListener(name, act);
    on("#log-search", "input", () => this.searchSoon());
    on("#log-search", "keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.go(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape") { event.target.value = ""; this.search(); }
    });
    on('[data-find="on"]', "click", () => this.go(1));
    on('[data-find="back"]', "click", () => this.go(-1));
    on("[data-further]", "click", () => { location.href = `${this.section.dataset.find}&q=${encodeURIComponent(this.word())}&before=${this.start}`; });
    on("#log-only", "change", () => this.redraw());
    on("#log-wrap", "change", (event) => { this.wrap(event.target.checked); localStorage.setItem("dagfs-log-wrap", event.target.checked ? "1" : "0"); });
    on("#log-follow", "change", () => { if (this.follows()) this.toEnd(); });
    on("[data-log-copy]", "click", (event) => this.copy(event.currentTarget));
    on("[data-earlier]", "click", (event) => { event.preventDefault(); this.loadEarlier(); });
    this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.view.addEventListener("keydown", (event) => {
      if (event.key === "/" ) { event.preventDefault(); this.section.querySelector("#log-search").focus(); }
    });
  }

  settings() {
    const wrap = this.section.querySelector("#log-wrap");
    wrap.checked = localStorage.getItem("dagfs-log-wrap") !== "0";
    this.wrap(wrap.checked);
    if (this.section.dataset.word) kept.word = this.section.dataset.word;
    if (kept.word) this.section.querySelector("#log-search").value = kept.word;
    if (kept.word) this.search();
  }

  wrap(is) { this.view.classList.toggle("wraps", is); }
  follows() { return this.section.querySelector("#log-follow")?.checked; }
  word() { return this.section.querySelector("#log-search").value; }
  isFiltered() { return this.section.querySelector("#log-only").checked && this.word() !== ""; }
  isAtEnd() { return this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight < 30; }

  // What comes into sight takes its true height only then.
  toEnd(again = 3) {
    this.view.scrollTop = this.view.scrollHeight;
    this.lastTop = this.view.scrollTop;
    if (again && this.chunks.length > 1) requestAnimationFrame(() => this.toEnd(again - 1));
  }

  // Who scrolls up wants to read; who comes back to the end wants to follow.
  scrolled() {
    const box = this.section.querySelector("#log-follow");
    if (!box || !this.open) return;
    const up = this.view.scrollTop < (this.lastTop ?? 0);
    this.lastTop = this.view.scrollTop;
    if (up && !this.isAtEnd()) box.checked = false;
    else if (this.isAtEnd()) box.checked = true;
  }

  // -- text

  append(text, start) {
    if (!text) return;
    this.view.querySelector("[data-nothing]")?.remove();
    for (const [piece, at] of this.split(text, start)) {
      const last = this.chunks.at(-1);
      if (last && !at.title && last.text.length + piece.length <= CHUNK) {
        last.text += piece;
        this.draw(last);
      } else this.chunks.push(this.made(piece, at.title, null));
    }
    let all = this.chunks.reduce((sum, each) => sum + each.text.length, 0);
    while (all > MOST && this.chunks.length > 2) {
      const gone = this.chunks.shift();
      all -= gone.text.length;
      gone.node.remove();
      this.isShortened = true;
    }
  }

  // In chunks that end with a line.
  *split(text, start) {
    const title = this.titles.get(start) ?? "";
    let from = 0;
    while (from < text.length) {
      let to = text.length;
      if (to - from > CHUNK) {
        const cut = text.lastIndexOf("\n", from + CHUNK) + 1;
        to = cut > from ? cut : Math.min(to, from + CHUNK);
      }
      yield [text.slice(from, to), { title: from === 0 ? title : "" }];
      from = to;
    }
  }

  made(text, title, before) {
    const node = document.createElement("div");
    node.className = "chunk";
    if (title) {
      const head = document.createElement("span");
      head.className = "try";
      head.textContent = title;
      node.append(head);
    }
    const pre = document.createElement("pre");
    node.append(pre);
    const tail = this.view.querySelector("[data-tail]");
    this.view.insertBefore(node, before ?? tail);
    const chunk = { text, node, pre };
    this.draw(chunk);
    return chunk;
  }

  draw(chunk) {
    let text = chunk.text;
    if (this.isFiltered()) {
      const word = this.word().toLowerCase();
      text = text.split("\n").filter((line) => line.toLowerCase().includes(word)).map((line) => `${line}\n`).join("");
    }
    chunk.pre.textContent = text;
    // What is out of sight costs nothing then; a short text is better laid out at once.
    chunk.node.classList.toggle("large", text.length > 8000);
    const lines = text.split("\n").length;
    chunk.node.style.containIntrinsicBlockSize = `auto ${Math.round(lines * 18.75)}px`;
  }

  redraw() {
    for (const chunk of this.chunks) this.draw(chunk);
    this.search();
    if (this.follows()) this.toEnd();
  }

  // The line that has not ended yet.
  drawRest() {
    let tail = this.view.querySelector("[data-tail]");
    const text = plain(new TextDecoder().decode(this.rest));
    if (!text) { tail?.remove(); return; }
    if (!tail) {
      tail = document.createElement("pre");
      tail.dataset.tail = "";
      this.view.append(tail);
    }
    tail.textContent = text;
    this.view.querySelector("[data-nothing]")?.remove();
  }

  // -- what comes

  async turn() {
    if (this.stopped || !this.section.isConnected) return;
    let wait = 1000;
    if (!document.hidden) {
      try { wait = await this.load(); } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        wait = 4000; // nobody answers
      }
    }
    if (wait && !this.stopped) this.timer = setTimeout(() => this.turn(), wait);
  }

  async load() {
    const at = this.end + this.rest.length;
    const answer = await fetch(`${this.raw}&live=1&start=${at}`, { cache: "no-store" });
    if (!answer.ok || this.stopped) return answer.ok ? 0 : 5000;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const was = this.open;
    this.size = Number(answer.headers.get("X-Log-Size"));
    this.open = answer.headers.get("X-Log-Open") === "1";
    if (this.size - at > FAR) return this.jump();
    if (bytes.length) this.take(bytes, at);
    if (at + bytes.length < this.size) return 1;
    if (was && !this.open) return 1; // once more, for what came with its end
    return this.open ? (bytes.length ? 500 : 1000) : 0;
  }

  // Nobody has looked for long: begin again at the end.
  async jump() {
    for (const each of this.chunks.splice(0)) each.node.remove();
    this.rest = new Uint8Array();
    const answer = await fetch(`${this.raw}&window=${PIECE}`, { cache: "no-store" });
    if (!answer.ok) return 5000;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    this.start = this.end = Number(answer.headers.get("X-Log-Start"));
    this.take(bytes, this.end);
    return 1;
  }

  take(bytes, at) {
    const stay = this.follows() || (this.isAtEnd() && !this.chunks.length);
    const joined = new Uint8Array(this.rest.length + bytes.length);
    joined.set(this.rest);
    joined.set(bytes, this.rest.length);
    const from = at - this.rest.length;
    const whole = joined.lastIndexOf(10) + 1;
    let done = 0;
    // A try begins where the one before has ended.
    for (const [offset] of this.tries) {
      const place = offset - from;
      if (place > done && place < whole) { this.lines(joined.subarray(done, place), from + done); done = place; }
    }
    this.lines(joined.subarray(done, whole), from + done);
    this.rest = joined.slice(whole);
    this.end = from + whole;
    this.drawRest();
    this.sizes();
    if (stay) this.toEnd();
    if (this.word()) this.searchSoon();
  }

  lines(bytes, start) {
    if (bytes.length) this.append(plain(new TextDecoder().decode(bytes)), start);
  }

  sizes() {
    const stream = new URL(this.raw, location.href).searchParams.get("stream");
    const label = this.section.querySelector(`[data-size-of="${stream}"]`);
    if (label) label.textContent = spelt(this.size);
  }

  async loadEarlier() {
    if (this.isLoading || !this.start) return;
    this.isLoading = true;
    try {
      const answer = await fetch(`${this.raw}&window=${PIECE}&end=${this.start}`, { cache: "no-store" });
      if (!answer.ok) return;
      const bytes = new Uint8Array(await answer.arrayBuffer());
      this.start = bytes.length ? Number(answer.headers.get("X-Log-Start")) : 0;
      const height = this.view.scrollHeight, top = this.view.scrollTop;
      const first = this.chunks[0]?.node ?? null, fresh = [];
      for (const [piece] of this.split(plain(new TextDecoder().decode(bytes)), -1)) fresh.push(this.made(piece, "", first));
      this.chunks.unshift(...fresh);
      this.view.scrollTop = top + this.view.scrollHeight - height;
      const head = this.section.querySelector(".log-earlier");
      if (!this.start) head?.remove();
      else if (head) head.querySelector("a").textContent = `Load what stands before (${spelt(this.start)})`;
      if (this.word()) this.search();
    } finally { this.isLoading = false; }
  }

  // -- search

  searchSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => (this.isFiltered() ? this.redraw() : this.search()), 120);
  }

  search() {
    const word = this.word().toLowerCase();
    kept.word = this.word();
    const before = this.matches.length, at = this.current;
    this.matches = [];
    if (word) {
      for (const chunk of this.chunks) {
        const node = chunk.pre.firstChild;
        if (!node) continue;
        const text = node.data.toLowerCase();
        // Some letters change their number when they change their case.
        if (text.length !== node.data.length) continue;
        for (let place = text.indexOf(word); place >= 0 && this.matches.length < 100000; place = text.indexOf(word, place + word.length)) this.matches.push([node, place]);
      }
    } else if (this.wasFiltered) for (const chunk of this.chunks) this.draw(chunk);
    this.wasFiltered = this.isFiltered();
    this.current = before === this.matches.length ? at : this.matches.length ? this.matches.length : -1;
    this.paint(word.length);
    if (this.current === this.matches.length) this.current = this.matches.length; // the next step back is the last match
  }

  paint(length) {
    this.say();
    if (!globalThis.CSS?.highlights) return;
    const range = ([node, place]) => { const found = new Range(); found.setStart(node, place); found.setEnd(node, place + length); return found; };
    const now = this.matches[this.current];
    const from = Math.max(0, Math.min(this.current - MARKS / 2, this.matches.length - MARKS));
    CSS.highlights.set("found", new Highlight(...this.matches.slice(from, from + MARKS).filter((each) => each !== now).map(range)));
    if (now) CSS.highlights.set("current", new Highlight(range(now)));
    else CSS.highlights.delete("current");
  }

  say() {
    const count = this.matches.length, shown = this.section.querySelector("[data-found]");
    this.section.querySelector("[data-further]").hidden = !(this.word() && this.start);
    if (!this.word()) shown.textContent = "";
    else if (!count) shown.textContent = this.start ? "none here" : "none";
    else shown.textContent = this.current >= 0 && this.current < count ? `${this.current + 1}/${count}` : `${count}`;
  }

  go(way) {
    if (!this.matches.length) return;
    const count = this.matches.length;
    // From nowhere: back to the last match, or on to the first.
    if (this.current < 0 || this.current >= count) this.current = way < 0 ? count - 1 : 0;
    else this.current = (this.current + way + count) % count;
    const box = this.section.querySelector("#log-follow");
    if (box) box.checked = false;
    this.paint(this.word().length);
    const [node, place] = this.matches[this.current];
    const range = new Range();
    range.setStart(node, place);
    range.setEnd(node, place + this.word().length);
    node.parentElement.parentElement.style.contentVisibility = "visible";
    const at = range.getBoundingClientRect(), edge = this.view.getBoundingClientRect();
    if (at.top < edge.top + 20 || at.bottom > edge.bottom - 20) this.view.scrollTop += at.top - edge.top - this.view.clientHeight / 2;
    if (at.left < edge.left || at.right > edge.right) this.view.scrollLeft += at.left - edge.left - this.view.clientWidth / 2;
  }

  async copy(button) {
    let text = this.chunks.map((each) => each.pre.textContent).join("") + (this.view.querySelector("[data-tail]")?.textContent ?? "");
    if (!this.isFiltered() && this.start > 0 && this.size < 8 * 1024 * 1024) text = plain(await (await fetch(this.raw, { cache: "no-store" })).text());
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    globalThis.CSS?.highlights?.clear();
  }
}

function spelt(count) {
  let number = count;
  for (const unit of ["B", "kB", "MB"]) {
    if (number < 1000) return unit === "B" || number >= 10 ? `${number.toFixed(0)} ${unit}` : `${number.toFixed(1)} ${unit}`;
    number /= 1000;
  }
  return `${number.toFixed(1)} GB`;
}

const kept = { word: "" };
let log = null;

function begin() {
  const section = document.getElementById("log");
  if (section && log?.section !== section) {
    log?.stop();
    log = new Log(section);
  }
}

// The page has been fetched anew: another step, stream or attempt may be the one to show.
document.addEventListener("dagfs:fresh", (event) => {
  const old = document.getElementById("log"), fresh = event.detail.getElementById("log");
  const holder = document.querySelector(".detail");
  if (!fresh) { if (old && holder) { log?.stop(); log = null; old.remove(); } return; }
  if (old && old.dataset.key === fresh.dataset.key) {
    log?.learn(fresh.dataset.tries);
    if (log && !log.open && fresh.dataset.open === "1") { log.open = true; log.turn(); }
    return;
  }
  if (old && old.contains(document.activeElement) && document.activeElement.value) return;
  const made = document.importNode(fresh, true);
  if (old) old.replaceWith(made);
  else document.getElementById("detail")?.after(made);
  begin();
});

begin();
