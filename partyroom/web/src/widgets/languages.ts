// What the editor of notebooks can colour. Classes instead of colours: the style sheet takes Jupyter's own.

import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import { sql } from "@codemirror/lang-sql";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { lineNumbers } from "@codemirror/view";
import { tagHighlighter, tags } from "@lezer/highlight";

import { markdown } from "../markdown";

const classes = tagHighlighter([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], class: "code-keyword" },
  { tag: [tags.string, tags.special(tags.string)], class: "code-string" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], class: "code-number" },
  { tag: tags.comment, class: "code-comment" },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName), tags.className], class: "code-name" },
  { tag: [tags.propertyName, tags.attributeName], class: "code-property" },
  { tag: tags.operator, class: "code-operator" },
]);

const code: Extension = [syntaxHighlighting(classes), lineNumbers(), bracketMatching(), indentOnInput()];

const known: Record<string, () => Extension> = {
  markdown: () => markdown,
  python: () => [python(), indentUnit.of("    "), code],
  javascript: () => [javascript(), code],
  json: () => [json(), code],
  sql: () => [sql(), code],
};

/** What colours `name`; nothing does for what is not known. */
export function language(name: string): Extension {
  return known[name]?.() ?? [];
}
