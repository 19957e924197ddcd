// A page as people write it with React: who is in the room, what was said, and a line to say something.

import PartySocket from "partysocket";
import usePartySocket from "partysocket/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const here = { host: location.host, party: "table", room: "one" };

function Table() {
  const [state, setState] = useState("connecting");
  const [said, setSaid] = useState([]);
  const [people, setPeople] = useState("");
  const socket = usePartySocket({
    ...here,
    onOpen: () => setState("open"),
    onClose: () => setState("closed"),
    onMessage: ({ data }) => setSaid((before) => [...before, data]),
  });
  const say = (form) => socket.send(form.get("line"));
  const ask = async () => setPeople(await (await PartySocket.fetch(here, { method: "POST", body: "who?" })).text());
  return (
    <>
      <p data-testid="state">{state}</p>
      <p data-testid="id">{socket.id}</p>
      <ul data-testid="said">{said.map((line, number) => <li key={number}>{line}</li>)}</ul>
      <form action={say}><input name="line" data-testid="line" /></form>
      <button data-testid="ask" onClick={ask}>Who is here?</button>
      <p data-testid="people">{people}</p>
    </>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><Table /></StrictMode>);
