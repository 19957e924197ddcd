// A chat: what was said, who is writing, and a line to say something in.

const RESTING = 2500; // ms without a key after which nobody is writing any more

function time(at) {
  return at ? new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
}

function line(said, before, me) {
  const item = make("li", "partyroom-said");
  item.classList.toggle("partyroom-mine", said.name === me.name && said.color === me.color);
  if (before && before.name === said.name && before.color === said.color && said.at - before.at < 300_000) {
    item.classList.add("partyroom-goes-on");
    item.append(make("span", "partyroom-unseen", `${said.name}: `));
  } else {
    const head = make("div", "partyroom-by");
    const at = make("time", "partyroom-at", time(said.at));
    if (said.at) at.dateTime = new Date(said.at).toISOString();
    head.append(painted(make("span", "partyroom-dot"), said.color), make("span", "partyroom-name", said.name), at);
    item.append(head);
  }
  item.append(make("div", "partyroom-words", said.text));
  return item;
}

function writing(names) {
  if (!names.length) return "";
  if (names.length === 1) return `${names[0]} is writing`;
  return names.length === 2 ? `${names[0]} and ${names[1]} are writing` : `${names.length} people are writing`;
}

function render(context) {
  const { model } = context;
  const { body, end } = frame(context, "chat");
  const log = make("ol", "partyroom-log");
  log.setAttribute("role", "log");
  log.setAttribute("aria-label", "Messages");
  log.tabIndex = 0;
  const hint = make("div", "partyroom-writing");
  hint.setAttribute("aria-live", "polite");
  const form = make("div", "partyroom-say");
  const field = make("input");
  Object.assign(field, { type: "text", maxLength: 4000, placeholder: "Say something to everybody", autocomplete: "off" });
  field.setAttribute("aria-label", "Your message");
  const send = button("partyroom-primary", "Send", () => say());
  form.append(field, send);
  body.append(log, hint, form);

  let shown = [];
  const show = () => {
    const items = model.get("items");
    const me = model.get("me");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const more = shown.length && items.length > shown.length && shown.every((one, at) => one.id === items[at].id);
    const added = items.slice(more ? shown.length : 0);
    const from = items.length - added.length;
    const lines = added.map((said, at) => line(said, items[from + at - 1], me));
    if (more) log.append(...lines);
    else if (items.length) log.replaceChildren(...lines);
    else log.replaceChildren(make("li", "partyroom-empty", "Nobody has said anything yet."));
    shown = items;
    if (atEnd || !more) log.scrollTop = log.scrollHeight;
  };

  let resting;
  const rest = () => {
    if (resting === undefined) return;
    clearTimeout(resting);
    resting = undefined;
    model.send({ type: "typing", on: false });
  };
  field.addEventListener("input", () => {
    if (resting === undefined) model.send({ type: "typing", on: true });
    clearTimeout(resting);
    resting = setTimeout(rest, RESTING);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    say();
  });
  const say = () => {
    const text = field.value.trim();
    if (!text) return;
    model.send({ type: "say", text });
    field.value = "";
    rest();
  };

  const stops = [
    end,
    rest,
    follow(model, ["items"], show),
    follow(model, ["typing"], () => (hint.textContent = writing(model.get("typing")))),
    follow(model, ["read_only", "status"], () => {
      field.disabled = send.disabled = model.get("read_only") || model.get("status") === "closed";
    }),
  ];
  requestAnimationFrame(() => (log.scrollTop = log.scrollHeight));
  return () => stops.forEach((stop) => stop());
}

export default { initialize: keepInStep, render };
