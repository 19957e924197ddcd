// The strip of a room: avatars, what people do, how it stands, and a button that copies the room's address.

const SHOWN = 8;

function said(person) {
  return person.name + (person.me ? " (you)" : "") + (person.doing ? `, ${person.doing}` : "");
}

function avatar(person) {
  const item = make("li", "partyroom-person");
  item.title = said(person);
  const mark = painted(make("span", "partyroom-mark", person.initials), person.color);
  mark.setAttribute("aria-hidden", "true");
  if (person.doing) mark.classList.add("partyroom-busy");
  item.append(mark, make("span", "partyroom-unseen", said(person)));
  return item;
}

function doing(people) {
  const busy = people.filter((person) => person.doing && !person.me);
  if (!busy.length) return "";
  if (busy.length === 1) return `${busy[0].name} is ${busy[0].doing}`;
  return `${busy.length} people are busy`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea"); // a page without https may not use the clipboard's own API
    field.value = text;
    field.style.position = "fixed";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

function render({ model, el }) {
  el.classList.add("partyroom-panel", "partyroom-strip");
  el.setAttribute("role", "group");
  keepKeys(el);
  const name = make("span", "partyroom-room");
  const list = make("ul", "partyroom-people");
  const busy = make("span", "partyroom-doing");
  const state = make("span", "partyroom-standing");
  state.setAttribute("role", "status");
  let resting;
  const share = button("", "Copy link", async () => {
    share.textContent = (await copy(model.get("link"))) ? "Copied" : "Cannot copy";
    clearTimeout(resting);
    resting = setTimeout(() => (share.textContent = "Copy link"), 2000);
  });
  const dead = make("span", "partyroom-dead", "Not live. Run this cell to join the room.");

  function show() {
    const people = model.get("people");
    el.setAttribute("aria-label", `Room ${model.get("room")}`);
    el.dataset.status = model.get("status");
    name.textContent = model.get("room");
    list.setAttribute("aria-label", people.length === 1 ? "One person is here" : `${people.length} people are here`);
    const items = people.slice(0, SHOWN).map(avatar);
    if (people.length > SHOWN) {
      const rest = people.slice(SHOWN);
      const more = make("li", "partyroom-more", `+${rest.length}`);
      more.title = rest.map(said).join(", ");
      items.push(more);
    }
    list.replaceChildren(...items);
    busy.textContent = doing(people);
    if (state.textContent !== model.get("notice")) state.textContent = model.get("notice");
    state.title = model.get("why") ?? "";
    share.title = model.get("link");
    share.hidden = !model.get("link");
    list.hidden = !people.length;
  }

  model.on("change", show);
  show();
  el.append(name, list, busy, state, share, dead);
  const unwatch = watchKernel(model, el);
  return () => {
    unwatch();
    model.off("change", show);
    clearTimeout(resting);
  };
}

export default { render };
