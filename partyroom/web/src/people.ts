// The people strip: who else is here, and your own name, which you change by typing over it.

import { initials, type Me, type Person } from "./identity";
import { byId, make } from "./page";

const SHOWN = 5;

/** A round mark with someone's initials in their colour; decoration, the name is said elsewhere. */
export function avatar(person: Person): HTMLElement {
  const mark = make("span", "avatar", initials(person.name));
  mark.style.setProperty("--who", person.color);
  mark.setAttribute("aria-hidden", "true");
  return mark;
}

/** Shows everybody else, the first few as marks, the rest as a number; `known` says whether we would know of anybody. */
export function showPeople(others: Person[], known: boolean): void {
  const items = others.slice(0, SHOWN).map((person) => {
    const item = make("li", "", avatar(person), make("span", "unseen", person.name));
    item.title = person.name;
    return item;
  });
  const rest = others.slice(SHOWN);
  if (rest.length) {
    const more = make("li", "", make("span", "avatar more", `+${rest.length}`));
    more.title = rest.map(({ name }) => name).join(", ");
    items.push(more);
  }
  byId("people").replaceChildren(...items);
  byId("alone").hidden = !known || others.length > 0;
}

/** Ties the name field to who you are. */
export function editName(me: Me): void {
  const input = byId<HTMLInputElement>("name");
  const mark = byId("my-mark");
  me.watch((person) => {
    mark.replaceChildren(avatar(person));
    if (document.activeElement !== input) input.value = person.name;
    input.style.setProperty("--length", String(Math.max(4, Array.from(person.name).length)));
  });
  input.addEventListener("input", () => {
    if (input.value.trim()) me.rename(input.value); // the others read along; an empty field waits for the end
  });
  input.addEventListener("change", () => (input.value = me.rename(input.value)));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") input.blur();
  });
  input.addEventListener("focus", () => input.select());
}
