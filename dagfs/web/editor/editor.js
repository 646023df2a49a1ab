// CodeMirror in place of the text field `#spec`. The field stays the form's: what is typed here goes into it at
// once. Styles go into a shadow tree, as sheets made by script: the page's policy allows no others.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const area = document.getElementById("spec");

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.keyword, tags.atom, tags.bool, tags.number, tags.typeName, tags.labelName], color: "var(--wait)" },
  { tag: [tags.lineComment, tags.meta], color: "var(--dim)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "transparent", fontSize: ".84rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { padding: ".6rem 0", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--code)", color: "var(--dim)", border: "0", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--focus) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--focus) 30%, transparent)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip": { borderRadius: "6px", maxWidth: "34rem", fontFamily: "var(--sans)" },
  ".cm-textfield, .cm-button": { backgroundColor: "var(--panel)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--line-strong)" },
});

// Where text takes the place of other text, a browser would keep the styles of the old one in `style` attributes,
// which the page's policy forbids; so that is not left to it.
const replacing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const isMine = event.inputType === "insertText" && event.data && !event.isComposing && !view.state.readOnly;
    if (!isMine || view.state.selection.main.empty) return false;
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    event.preventDefault();
    return true;
  },
});

function start() {
  const place = document.createElement("div");
  place.className = "live";
  const root = place.attachShadow({ mode: "open" });
  const typed = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    area.value = update.state.doc.toString();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const view = new EditorView({
    root,
    parent: root,
    doc: area.value,
    extensions: [
      [lineNumbers(), foldGutter(), lintGutter(), highlightActiveLine(), highlightActiveLineGutter(), drawSelection()],
      [history(), indentOnInput(), indentUnit.of("  "), bracketMatching(), highlightSelectionMatches(), search({ top: true })],
      [yaml(), syntaxHighlighting(colours), look, typed, replacing],
      [EditorState.readOnly.of(area.readOnly), EditorView.editable.of(!area.readOnly)],
      EditorView.contentAttributes.of({ "aria-label": area.getAttribute("aria-label") }),
      keymap.of([...searchKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap, indentWithTab, ...defaultKeymap]),
    ],
  });
  area.after(place);
  area.hidden = true;
  area.dispatchEvent(new CustomEvent("dagfs:taken", { bubbles: true }));
  area.addEventListener("dagfs:findings", (event) => mark(view, event.detail));
  area.addEventListener("dagfs:goto", (event) => {
    event.preventDefault();
    const line = view.state.doc.line(Math.min(event.detail.line, view.state.doc.lines));
    view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
    view.focus();
  });
  area.addEventListener("dagfs:replaced", () => {
    if (view.state.doc.toString() === area.value) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: area.value } });
  });
  area.dispatchEvent(new Event("dagfs:ready"));
}

function mark(view, findings) {
  const { doc } = view.state;
  const found = findings.filter((each) => each.line <= doc.lines).map(({ line, column, severity, message }) => {
    const { from, to } = doc.line(line);
    const start = Math.min(from + Math.max(column - 1, 0), to);
    return { from: start < to ? start : from, to, severity, message };
  });
  view.dispatch(setDiagnostics(view.state, found));
}

if (area) start();
