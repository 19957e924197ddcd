// The few words this page needs to speak with the DOM. Text from people only ever enters through `textContent`.

/** The element with this id; the page is broken without it, so its absence is an error. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** A new element with classes and children; strings become text nodes, never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  classes = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
}

/** Reads a value kept in this browser; `null` where nothing is kept or storage is switched off. */
export function recall(store: "localStorage" | "sessionStorage", key: string): string | null {
  try {
    return window[store].getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a value in this browser where that is possible; `null` forgets it. */
export function remember(store: "localStorage" | "sessionStorage", key: string, value: string | null): void {
  try {
    if (value === null) window[store].removeItem(key);
    else window[store].setItem(key, value);
  } catch {
    // Without storage the value lasts as long as the page.
  }
}
