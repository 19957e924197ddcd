// Markdown as people write it in notes. The parser alone, without the HTML, CSS and JavaScript that the ready-made
// language package brings for code inside of Markdown: those would double the bundle.

import { defineLanguageFacet, Language, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { GFM, parser } from "@lezer/markdown";
import { tagHighlighter, tags } from "@lezer/highlight";

const data = defineLanguageFacet();
const language = new Language(data, parser.configure([GFM]), [], "markdown");

// Classes instead of colours: the style sheet decides, for light and dark.
const classes = tagHighlighter([
  { tag: tags.heading1, class: "md-heading md-title" },
  { tag: [tags.heading2, tags.heading3, tags.heading4, tags.heading5, tags.heading6], class: "md-heading" },
  { tag: tags.strong, class: "md-strong" },
  { tag: tags.emphasis, class: "md-emphasis" },
  { tag: tags.strikethrough, class: "md-strike" },
  { tag: [tags.link, tags.url], class: "md-link" },
  { tag: tags.monospace, class: "md-code" },
  { tag: tags.quote, class: "md-quote" },
  { tag: [tags.processingInstruction, tags.contentSeparator, tags.labelName], class: "md-mark" },
]);

export const markdown: Extension = [language, syntaxHighlighting(classes)];
