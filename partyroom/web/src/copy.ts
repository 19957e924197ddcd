// Copying to the clipboard, also where the browser's own interface is withheld: on http:// outside of this machine.

import { byId } from "./page";

const SHOWN = 1_800; // ms that a button says that it has copied

/** Makes `button` copy what `text` gives at that moment, and say so. */
export function copyButton(button: HTMLButtonElement, text: () => string): void {
  const label = button.querySelector<HTMLElement>(".label") ?? button;
  const before = label.textContent ?? "";
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copy(text());
    label.textContent = done ? "Copied" : "Not copied";
    byId("announce").textContent = done ? "Copied to the clipboard" : "The browser did not allow copying";
    button.classList.toggle("done", done);
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      label.textContent = before;
      byId("announce").textContent = "";
      button.classList.remove("done");
    }, SHOWN);
  });
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way, which needs no secure context: select the text in a field and have it copied. */
function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
